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
import numpy as np
from jax import Array

from jaxbreed.covariance import Covariance, Real, linked, outer, scaled, toward
from jaxbreed.edges import cut
from jaxbreed.moments import Levers, Measured, Moments, World, average_effects, dominance_covariance, value
from jaxbreed.sibs import Chosen, alone, chosen
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
    index, effect = _index(world, state, levers, measured), average_effects(world, state)
    groups = 1 if world.across else world.lineages
    candidates = levers.tests / 2 * (world.lineages / groups)
    males = cut(levers.males, 1.0, world.places * world.lineages / groups)
    dams = jnp.asarray(world.lineages / groups, males.dtype)
    # Drawn at random, sires come from a pool that could fill every place; of them `males` are kept.
    places = world.places * dams
    needed = jnp.stack([dams, jnp.where(levers.fraction > 0, places, males)])
    pool = pool_size(needed, levers.fraction, candidates)
    intensity, taken = (jnp.where(index.varied, x, 0.0) for x in selected(pool, candidates))
    sexes, families = alone(intensity, taken), round(1 / world.share)
    if world.across and world.lineages * families > 1:
        share, alike = pool / candidates, jnp.where(index.varied, index.alike, 0.0)
        sexes = chosen(share, intensity, alike, world.lineages, families)

    of_shared, of_own = measured.strength * sexes.of_families, measured.strength * sexes.of_sibs
    mean = state.mean + 0.25 * (of_shared.sum() * index.shared + of_own.sum() * index.own)
    if world.heterosis is not None or world.gating is not None:
        # The selected have a mean square of the index of 1 + i^2 - k.
        squares = measured.strength * (intensity**2 - taken).sum()
        bend = curvature(world, state, index.competing, levers.weights, index.shown, index.onto, index.spread)
        mean += 0.25 * squares * bend

    # Genes of the breeders of each sex: the finite number of them, their families used unequally.
    of_dams, of_sires = 1 / world.lineages, concentration(world, males * groups)
    losses = [_lost(effect, index, lost) for lost in sexes.lost]
    shape = _allele_frequencies(state, mean, 0.5 * (losses[0] + losses[1])) if world.loci else None
    neutral_state = state._replace(**dict(zip(_PARTS, state.neutral, strict=True)))
    related = 2 * sexes.of_families * index.scale * (index.shown @ state.ties)
    breeders, neutral_breeders = [], []
    for sex, number in enumerate((of_dams, of_sires)):
        pull = measured.strength * intensity[sex] * index.shown / index.spread
        breeders.append(_breeders(world, settled(world, state, pull), losses[sex], number, sexes, sex))
        neutral_breeders.append(_breeders(world, neutral_state, related[sex], number, sexes, sex))
    # Mates of sexes that were selected unequally hard.
    unlike = 0.25 * (measured.strength * (intensity[0] - intensity[1])) ** 2 * outer(effect, index.onto)

    within = 0.25 * linked(state.apart + state.within, world.kept[0] + world.kept[1])
    of_a_male = _share_of_a_male(world, males)
    between, mixed, apart = _mated(world, breeders[0], breeders[1], of_a_male)
    parts = [between, mixed, apart + unlike, within]
    if shape is not None:
        parts = [scaled(part, shape) for part in parts]
    neutral = jnp.stack(
        [
            *_mated(world, neutral_breeders[0], neutral_breeders[1], of_a_male),
            0.5 * (state.neutral[2] + state.neutral[3]),
        ]
    )
    ties = _ties(state, effect, index, sexes, taken.mean(), jnp.stack([jnp.asarray(of_dams), of_sires]))
    return Moments(
        mean, parts[0], parts[1], parts[2], parts[3], neutral, ties if world.across else state.ties, state.origin
    )


class _Index(NamedTuple):
    """What animals are chosen by. Covariances with it are in its SD."""

    shown: Array  # (trait,), weights times the share of a gain that a test shows
    shared: Array  # (block, n), covariance of dosages with what a family's animals share of it
    own: Array  # (block, n), and with their deviations
    onto: Array  # (block, n), the sum: regression on the standardised index
    alike: Array  # (2,), share of its variance between clutches, and between the families of a clutch
    spread: Array  # (), SD
    scale: Array  # (), of a family's genes in it
    varied: Array  # bool (); where all candidates are alike, none is better
    competing: Covariance  # of dosages, as the index weighs them


def _index(world: World, state: Moments, levers: Levers, measured: Measured) -> _Index:
    w = levers.weights
    slope, residual = _tested(world, state)
    shown, effect = w * slope, average_effects(world, state)
    alpha = jnp.einsum("t,tbn->bn", shown, effect)
    # Competing: within a clutch its own animals; across clutches all, families weighed apart.
    families = state.between + state.mixed if world.across else state.mixed
    with_families, with_sibs = toward(effect, families, shown), toward(effect, state.within, shown)
    of_mixed = (alpha * toward(effect, state.mixed, shown)).sum()
    of_clutches = (alpha * with_families).sum() - of_mixed
    of_sibs = (alpha * with_sibs).sum()
    genetic = jnp.sqrt(jnp.maximum(of_clutches + of_mixed + of_sibs, _LEAST))
    predicted = jnp.stack([of_clutches, of_mixed]) / genetic**2
    # Dominance deviations are no part of what is transmitted: a quarter of them is shared by full sibs.
    deviations = 0.25 * w @ dominance_covariance(world, state) @ w
    of_mixed += deviations * (1 - world.share)
    if world.across:
        of_clutches += w @ world.clutch @ w + deviations * world.share
    of_sibs += w @ residual @ w + 3 * deviations
    # The index weighs the observed mean of the tested of a family, to which each of them adds its own share.
    weight, tested = levers.family_weight, jnp.maximum(levers.tests / world.sires, 1.0)
    luck, doubt = (weight - 1) / tested, (weight**2 - 1) / tested * of_sibs
    variance = weight**2 * (of_clutches + of_mixed) + of_sibs + doubt
    varied = variance > _LEAST
    spread = jnp.sqrt(jnp.where(varied, variance, 1.0))
    shared, own = (weight * with_families + luck * with_sibs) / spread, with_sibs / spread
    # Errors of families' means make clutches differ by their own mean.
    alike = jnp.stack([weight**2 * of_clutches + doubt * world.share, weight**2 * of_mixed + doubt * (1 - world.share)])
    alike = alike / spread**2
    scale, competing = weight / spread, weight * families + (1 + luck) * state.within
    # A predicted index: its accuracy is measured, whatever its residual variance, and sibs are as alike as predictions.
    known = ~jnp.isnan(measured.accuracy)
    accurate = jnp.where(known, measured.accuracy, 0.0) / genetic
    shared, own = jnp.where(known, accurate * with_families, shared), jnp.where(known, accurate * with_sibs, own)
    alike, scale = jnp.where(known, predicted, alike), jnp.where(known, accurate, scale)
    return _Index(shown, shared, own, shared + own, alike, spread, scale, varied, competing)


def _lost(effect: Array, index: _Index, lost: Array) -> Covariance:
    """Covariance of dosages that selection takes."""
    both = lost[0, 1] * outer(effect, index.onto)
    return (
        both
        + (lost[0, 0] - lost[0, 1]) * outer(effect, index.shared)
        + (lost[1, 1] - lost[0, 1]) * outer(effect, index.own)
    )


def _ties(state: Moments, effect: Array, index: _Index, sexes: Chosen, k: Array, concentration: Array) -> Array:
    """The next eggs' `ties`: half of a covariance among breeders is left among their families.

    Families that give many breeders are good ones. What there was of it before, selection shortens like variances.
    """
    shared, own, onto = (jnp.einsum("tbn,bn->t", effect, x) for x in (index.shared, index.own, index.onto))
    lasting = sexes.clutches[2] * (state.ties - k * index.scale * (index.shown @ state.ties) * onto)
    new = state.neutral[:2] @ sexes.ties @ jnp.stack([shared, own])
    # Of a sample of n covariances are short by 1 / n: of breeders' values with their families' numbers, twice.
    finite = 1 - concentration
    return 0.5 * (finite.mean() * lasting + (finite**2).mean() * new)


def _tested(world: World, state: Moments) -> tuple[Array, Array]:
    """What a test sees: of a trait's gain a share (trait,), and the environmental covariance of a record."""
    gain = value(world, state) - state.origin
    limited = jnp.isfinite(world.ceiling)
    most = jnp.where(limited, world.ceiling, 1.0)
    slope = jnp.where(limited, jax.nn.sigmoid((most - gain) / (most / 4)), 1.0)
    return slope, world.residual + passing_now(world, state) - world.passing


class _Breeders(NamedTuple):
    """Covariance of the dosages of one sex's breeders: of lineages' means, and within lineages."""

    lineages: Any
    animals: Any
    drawn: Any  # of two breeders drawn apart, one of either sex, half the mean square of their difference


def _breeders(world: World, state: Moments, loss: Real, concentration: Real, sexes: Chosen, sex: int) -> _Breeders:
    family, mixed, within = state.between, state.mixed, state.within
    if world.across:
        whole, drawn = (sexes.clutches[n] * family + sexes.families[n] * mixed + within - loss for n in (sex, 2))
        return _Breeders(0.0 * whole, whole * (1 - concentration), drawn)
    whole = mixed + within - loss
    return _Breeders(family, whole * (1 - concentration), family + whole)


def _mated(world: World, female: _Breeders, male: _Breeders, h: Real) -> tuple[Any, Any, Any]:
    """Covariances of the next clutches' means, of families in them, and between mates.

    Args:
      world: what is fixed.
      female: the dams.
      male: the sires.
      h: sum of the squared shares of a clutch's males.
    """
    if world.closed:  # mates are of one lineage
        between = 0.25 * (2 * (female.lineages + male.lineages) + female.animals + h * male.animals)
        mixed = 0.25 * (1 - h) * male.animals
        apart = 0.25 * (female.drawn - female.lineages + male.drawn - male.lineages)
        return between, mixed, apart
    sires = male.lineages + male.animals
    # Those of one clutch are drawn from so many places without putting any back.
    places = world.lineages * world.places
    inside = (1 - h) * places / max(places - 1, 1)
    between = 0.25 * (female.lineages + female.animals + (1 - inside) * sires)
    return between, 0.25 * inside * sires, 0.25 * (female.drawn + male.drawn)


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


def _allele_frequencies(state: Moments, mean: Array, lost: Covariance) -> Array:
    """Factors for the SD of loci after selection: by allele frequencies, over those of the Gaussian model."""
    number, p = np.arange(state.mean.shape[-1]), jnp.clip(state.mean, 1e-6, 1 - 1e-6)
    change = jnp.clip(mean, 1e-6, 1 - 1e-6) - p
    now = p * (1 - p)
    true = jnp.maximum(now + change * (1 - 2 * p) - change**2, 1e-9)
    gaussian = jnp.maximum(now - 0.25 * lost.near[:, number, number], 0.1 * now)
    return jnp.sqrt(jnp.clip(true / gaussian, 0.0, 4.0))
