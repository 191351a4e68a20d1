"""The theory of one generation: what selection, linkage and drift do to means, covariances and inbreeding.

Everything is differentiable and meant for double precision (`jax.enable_x64`). A population is described by the genes
it carries in `units`, which lie in blocks: single loci in one block, or stretches of chromosome with one unit for each
trait, a block for each chromosome. Means and covariances of units follow the Gaussian (infinitesimal) model with
linkage (Bulmer 1971, Am Nat 105:201; Turelli & Barton 1994, Genetics 138:913); where units are loci, variances also
follow the change of allele frequencies.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxbreed.covariance import Real, linked, outer, scaled, toward
from jaxbreed.edges import cut
from jaxbreed.moments import Levers, Measured, Moments, World, average_effects, dominance_covariance, value
from jaxbreed.skew import curvature, passing_now, settled
from jaxbreed.truncation import pool_size, selected

_LEAST = 1e-12
_PARTS = ("between", "mixed", "apart", "within")


def step(world: World, state: Moments, levers: Levers, measured: Measured) -> Moments:
    """Eggs to the eggs of their selected parents.

    Args:
      world: what is fixed.
      state: the eggs.
      levers: the breeder's decisions.
      measured: what a simulation of this generation tells.

    Returns:
      The eggs of the next generation, in expectation.
    """
    w = levers.weights
    slope, residual = _tested(world, state)
    shown, effect = w * slope, average_effects(world, state)
    alpha = jnp.einsum("t,tbn->bn", shown, effect)
    # Competing: within a clutch its own animals; across clutches all, families weighed apart.
    families = state.between + state.mixed if world.across else state.mixed
    with_families = toward(effect, families, shown)  # covariance of dosages with the index
    with_sibs = toward(effect, state.within, shown)
    of_families = (alpha * with_families).sum()
    if world.across:
        of_families += w @ world.clutch @ w
    of_sibs = (alpha * with_sibs).sum() + w @ residual @ w
    # The index weighs the observed mean of the tested of a family, to which each adds its own share.
    weight, tested = levers.family_weight, jnp.maximum(levers.tests / world.sires, 1.0)
    own = 1 + (weight - 1) / tested
    variance = weight**2 * of_families + (1 + (weight**2 - 1) / tested) * of_sibs
    varied = variance > _LEAST  # where all candidates are alike, none is better
    spread = jnp.sqrt(jnp.where(varied, variance, 1.0))
    onto = (weight * with_families + own * with_sibs) / spread  # regression on the index in SD
    # A predicted index: its accuracy is measured, whatever its residual variance.
    total = with_families + with_sibs
    genetic = jnp.sqrt(jnp.maximum((alpha * total).sum(), _LEAST))
    known = ~jnp.isnan(measured.accuracy)
    onto = jnp.where(known, jnp.where(known, measured.accuracy, 0.0) * total / genetic, onto)

    groups = 1 if world.across else world.lineages
    candidates = levers.tests / 2 * (world.lineages / groups)
    males = cut(levers.males, 1.0, world.places * world.lineages / groups)
    dams = jnp.asarray(world.lineages / groups, males.dtype)
    # Drawn at random, sires come from a pool that could fill every place; of them `males` are kept.
    places = world.places * dams
    needed = jnp.stack([dams, jnp.where(levers.fraction > 0, places, males)])
    intensity, taken = selected(pool_size(needed, levers.fraction, candidates), candidates)
    intensity, (k_f, k_m) = jnp.where(varied, intensity, 0.0), jnp.where(varied, taken, 0.0)
    i_f, i_m = measured.strength * intensity

    mean = state.mean + 0.25 * (i_f + i_m) * onto
    if world.heterosis is not None or world.gating is not None:
        # The selected have a mean square of the index of 1 + i^2 - k.
        squares = measured.strength * (intensity**2 - jnp.stack([k_f, k_m])).sum()
        competing = weight * families + own * state.within
        mean += 0.25 * squares * curvature(world, state, competing, w, shown, onto, spread)
    shape = _allele_frequencies(state, mean, 0.5 * (k_f + k_m), onto) if world.loci else None

    # Genes of the breeders of each sex: the finite number of them, their families used unequally.
    of_dams, of_sires = 1 / world.lineages, concentration(world, males * groups)
    crowding: Real = 0.0
    if world.across:
        # Sibs are chosen together: (Robertson 1961, Genet Res 2:189) exp(i^2 t) times as often as at random.
        together = weight**2 * of_families + (weight**2 - 1) / tested * of_sibs
        t = jnp.maximum(together, 0.0) / jnp.maximum(variance, _LEAST)
        alike = jnp.exp(jnp.minimum(0.5 * (i_f**2 + i_m**2) * t, 4.0)) - 1
        crowding = alike / jnp.maximum(world.lineages * world.sires - 1, 1)
    loss = outer(effect, onto)
    of_females, of_males = (settled(world, state, shown * i / spread) for i in (i_f, i_m))
    female = _breeders(of_females, world.across, k_f * loss, of_dams, crowding)
    male = _breeders(of_males, world.across, k_m * loss, of_sires, crowding)
    unlike = 0.25 * (i_f - i_m) ** 2 * loss  # mates of sexes that were selected unequally hard
    neutral_state = state._replace(**dict(zip(_PARTS, state.neutral, strict=True)))
    neutral_female = _breeders(neutral_state, world.across, 0.0, of_dams, crowding)
    neutral_male = _breeders(neutral_state, world.across, 0.0, of_sires, crowding)

    within = 0.25 * linked(state.apart + state.within, world.kept[0] + world.kept[1])
    share = _share_of_a_male(world, males)
    between, mixed, apart = _mated(world, female, male, share)
    parts = [between, mixed, apart + unlike, within]
    if shape is not None:
        parts = [scaled(part, shape) for part in parts]
    neutral = jnp.stack(
        [*_mated(world, neutral_female, neutral_male, share), 0.5 * (state.neutral[2] + state.neutral[3])]
    )
    return Moments(mean, parts[0], parts[1], parts[2], parts[3], neutral, state.origin)


def _tested(world: World, state: Moments) -> tuple[Array, Array]:
    """What a test sees: of a trait's gain a share (trait,), and the environmental covariance of a record."""
    gain = value(world, state) - state.origin
    limited = jnp.isfinite(world.ceiling)
    most = jnp.where(limited, world.ceiling, 1.0)
    slope = jnp.where(limited, jax.nn.sigmoid((most - gain) / (most / 4)), 1.0)
    # Dominance deviations are no part of what is transmitted: three quarters of them differ between full sibs.
    deviations = (1.0 if world.across else 0.75) * dominance_covariance(world, state)
    return slope, world.residual + deviations + passing_now(world, gain) - world.passing


class _Breeders(NamedTuple):
    """Covariance of the dosages of one sex's breeders: of lineages' means, and within lineages."""

    lineages: Any
    animals: Any
    drawn: Any  # the same as the sum, for two breeders drawn apart


def _breeders(state: Moments, across: bool, loss: Real, concentration: Real, crowding: Real) -> _Breeders:
    family, mixed, within = state.between, state.mixed, state.within
    if across:
        kept = jnp.clip(1 - crowding, 0.0, 1.0)
        whole = (family + mixed) * kept + within - loss
        return _Breeders(0.0 * whole, whole * (1 - concentration), whole)
    chosen = mixed + within - loss
    return _Breeders(family, chosen * (1 - concentration), family + chosen)


def _mated(world: World, female: _Breeders, male: _Breeders, h: Real) -> tuple[Any, Any, Any]:
    """Covariances of the next clutches' means, of families in them, and between mates.

    Args:
      world: what is fixed.
      female: the dams.
      male: the sires.
      h: sum of the squared shares of a clutch's males.
    """
    sires = male.lineages + male.animals
    if world.closed:  # mates are of one lineage
        between = 0.25 * (2 * (female.lineages + male.lineages) + female.animals + h * male.animals)
        mixed = 0.25 * (1 - h) * male.animals
        apart = 0.25 * (female.drawn - female.lineages + male.drawn - male.lineages)
        return between, mixed, apart
    between = 0.25 * (female.lineages + female.animals + h * sires)
    return between, 0.25 * (1 - h) * sires, 0.25 * (female.drawn + male.drawn)


def _share_of_a_male(world: World, males: Array) -> Array:
    """Sum of the squared shares of a clutch's males; where lineages mate within, a male may fill several places."""
    if not world.closed:
        return jnp.asarray(world.share, males.dtype)
    each = world.places / males
    return males * (each * world.share / world.places + each * (each - 1) / world.places**2)


def concentration(world: World, males: Array) -> Array:
    """Sum of the squared contributions of so many males in equal numbers of places."""
    places = world.places * world.lineages
    each = places / males
    square = each * world.share / world.places + each * (each - 1) / world.places**2
    return males * square / world.lineages**2


def _allele_frequencies(state: Moments, mean: Array, k: Array, onto: Array) -> Array:
    """Factors for the SD of loci after selection: by allele frequencies, over those of the Gaussian model."""
    p = jnp.clip(state.mean, 1e-6, 1 - 1e-6)
    change = jnp.clip(mean, 1e-6, 1 - 1e-6) - p
    now = p * (1 - p)
    true = jnp.maximum(now + change * (1 - 2 * p) - change**2, 1e-9)
    gaussian = jnp.maximum(now - 0.25 * k * onto**2, 0.1 * now)
    return jnp.sqrt(jnp.clip(true / gaussian, 0.0, 4.0))
