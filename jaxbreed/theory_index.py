"""What animals are chosen by in theory, and what it tells of their genes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxbreed.covariance import Covariance, of_traits, toward
from jaxbreed.deviations import deviations
from jaxbreed.moments import Levers, Measured, Moments, World, average_effects, value

_LEAST = 1e-12


class Index(NamedTuple):
    """What animals are chosen by. Covariances with it are in its SD."""

    shown: Array  # (trait,), weights times the share of a gain that a test shows
    shared: Array  # (block, n), covariance of dosages with what a family's animals share of it
    own: Array  # (block, n), and with their deviations
    onto: Array  # (block, n), the sum: regression on the standardised index
    alike: Array  # (3,), share of its variance by dams, by sires, and of what only full sibs share
    spread: Array  # (), SD; infinite of predictions, which see neither dominance nor one animal's errors
    scale: Array  # (), of a family's genes in it
    varied: Array  # bool (); where all candidates are alike, none is better
    competing: Covariance  # of dosages, as the index weighs them


def index_of(world: World, state: Moments, levers: Levers, measured: Measured) -> Index:
    """What the breeder's weights make of records, or of predictions whose accuracy is measured.

    Args:
      world: what is fixed.
      state: the eggs.
      levers: the breeder's decisions.
      measured: what a simulation of this generation tells.
    """
    w = levers.weights
    slope, residual = _tested(world, state)
    shown, effect = w * slope, average_effects(world, state)
    alpha = jnp.einsum("t,tbn->bn", shown, effect)
    # Competing: within a clutch its own animals; across clutches all, families weighed apart.
    number = (world.lineages if world.across else 1) / world.share  # of families
    families = state.between + state.mixed if world.across else state.mixed
    with_families, with_sibs = toward(effect, families, shown), toward(effect, state.within, shown)
    by_genes, of_sibs = (alpha * with_families).sum(), (alpha * with_sibs).sum()
    by_sires = (alpha * toward(effect, state.mixed, shown)).sum()
    genetic = jnp.sqrt(jnp.maximum(by_genes + of_sibs, _LEAST))
    predicted = jnp.stack([by_genes - by_sires, by_sires, jnp.zeros(())]) / genetic**2
    bred = with_families, with_sibs
    # Dominance deviations are seen, and of what is transmitted only what inbreeding ties to them.
    dominance, part = deviations(world, state), 1 - world.share
    competing = dominance.between, dominance.onto_between
    if not world.across:
        competing = part * dominance.mixed, part * dominance.onto_mixed
    with_families = with_families + jnp.einsum("t,tbn->bn", shown, competing[1])
    with_sibs = with_sibs + jnp.einsum("t,tbn->bn", shown, dominance.onto_within)
    of_sibs = 2 * (alpha * with_sibs).sum() - of_sibs + shown @ dominance.within @ shown + w @ residual @ w
    tied = 2 * ((alpha * with_families).sum() - by_genes)
    by_dams = by_genes - by_sires
    if world.across:  # so many differ by less than the variance they are drawn from
        by_dams += (1 - 1 / world.lineages) * w @ world.clutch @ w
    of_families = jnp.stack([by_dams, by_sires, tied + shown @ competing[0] @ shown])
    # The index weighs the observed mean of the tested of a family, to which each of them adds its own share.
    weight, each = levers.family_weight, (1 - 1 / number) / jnp.maximum(levers.tests / world.sires, 1.0)
    luck, doubt = (weight - 1) * each, (weight**2 - 1) * each * of_sibs
    variance = weight**2 * of_families.sum() + of_sibs + doubt
    varied = variance > _LEAST
    spread = jnp.sqrt(jnp.where(varied, variance, 1.0))
    shared, own = (weight * with_families + luck * with_sibs) / spread, with_sibs / spread
    alike = (weight**2 * of_families).at[2].add(doubt) / spread**2
    scale, weighed = weight / spread, weight * families + (1 + luck) * state.within
    # A predicted index: its accuracy is measured, whatever its residual variance, and sibs are as alike as predictions.
    known = ~jnp.isnan(measured.accuracy)
    accurate = jnp.where(known, measured.accuracy, 0.0) / genetic
    shared, own = (jnp.where(known, accurate * x, y) for x, y in zip(bred, (shared, own), strict=True))
    alike, scale = jnp.where(known, predicted, alike), jnp.where(known, accurate, scale)
    spread = jnp.where(known, jnp.inf, spread)
    return Index(shown, shared, own, shared + own, alike, spread, scale, varied, weighed)


def _tested(world: World, state: Moments) -> tuple[Array, Array]:
    """What a test sees: of a trait's gain a share (trait,), and the environmental covariance of a record."""
    gain = value(world, state) - state.origin
    limited = jnp.isfinite(world.ceiling)
    most = jnp.where(limited, world.ceiling, 1.0)
    slope = jnp.where(limited, jax.nn.sigmoid((most - gain) / (most / 4)), 1.0)
    return slope, world.residual + passing_now(world, state) - world.passing


def passing_now(world: World, state: Moments) -> Array:
    """Covariance of the errors of a record, the mean over these eggs' tameness, (trait, trait).

    Tameness that is normal among them makes the mean of exp(-c g) that of a lognormal. Among the founders the mean
    square of each scale is 1, see `jaxbreed.battery.error_scale`.
    """
    if world.gating is None:
        return jnp.asarray(world.passing)
    gain = jnp.clip(value(world, state) - state.origin, -4.0, 4.0)
    effect, dominance = average_effects(world, state), deviations(world, state)
    spread = of_traits(effect, state.between + state.mixed + state.within)
    tied = jnp.einsum("tbn,ubn->tu", effect, dominance.onto_within + dominance.onto_between)
    spread += tied + tied.T + dominance.within + dominance.between + world.clutch + world.residual - world.passing
    both = world.gating[:, None] + world.gating[None]  # (trait, trait, tameness), what scales a product of two errors
    founders = (world.gating**2) @ world.lasting
    tamer = 0.5 * jnp.einsum("tuc,cd,tud->tu", both, spread, both) - both @ gain
    return jnp.exp(tamer - founders[:, None] - founders) * world.passing
