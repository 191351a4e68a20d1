"""Truncation across families: sibs are chosen together, and no family has more to give than its own."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.lax import stop_gradient
from jax.scipy.special import erfc, ndtri
from scipy.special import ndtri as scipy_ndtri

_STEPS = 6
_LEAST, _MOST = 1e-3, 0.9  # of the variance between families
_VALUES, _FEWEST, _SEED = 2048, 16, 30  # the seed, of forty, with averages nearest to those of 400,000 values


class Chosen(NamedTuple):
    """What truncation does to families; were they without number, the first two would be i and the next k."""

    of_families: Array  # (sex,), response of what families share, per covariance with the index in SD
    of_sibs: Array  # (sex,), of deviations within them
    lost: Array  # (sex, 2, 2), variance of both that is lost, per square of the same covariances
    clutches: Array  # (3,), variance between clutches that is kept of what is not selected: each sex, both together
    families: Array  # (3,), between the families of a clutch
    ties: Array  # (2, 2), covariance of shares with both, of clutches and of families in them, as `lost`


def _families(lineages: int, sires: int) -> np.ndarray:
    """Values of families in some populations: (2, population, lineage, sire), mean 0 and mean square 1 in each.

    Shared by a clutch, and by a family of it. The populations are always the same, so that theory has no noise.
    """
    rng = np.random.default_rng(_SEED)
    populations = max(_FEWEST, -(-_VALUES // (2 * lineages * sires)))
    # Each family takes every part of the distribution once (Latin hypercube), and each population has its mirror image.
    shape = (2, lineages, sires, populations)
    rank = np.argsort(rng.random(shape), axis=-1) + rng.random(shape)
    draws = np.moveaxis(scipy_ndtri(rank / populations), -1, 1)
    draws = np.concatenate([draws, -draws], axis=1)
    draws[0] = draws[0, :, :, :1]
    draws[1] -= draws[1].mean(-1, keepdims=True)
    draws -= draws.mean((-2, -1), keepdims=True)
    scale = np.sqrt((draws**2).mean((-2, -1), keepdims=True))
    return np.asarray(draws / np.where(scale > 1e-9, scale, 1.0))


def alone(intensity: Array, taken: Array) -> Chosen:
    """Of one clutch at a time: families as if without number."""
    lost = jnp.broadcast_to(taken[:, None, None], (len(taken), 2, 2))
    return Chosen(intensity, intensity, lost, jnp.ones(3), jnp.ones(3), jnp.zeros((2, 2)))


def chosen(share: Array, intensity: Array, alike: Array, lineages: int, sires: int) -> Chosen:
    """Shares out those above one limit among the families of a population.

    Within a family the index is normal, families have the values that chance gives to so many of them: of one
    replicate, as it is in a finite number of families (Robertson 1961, Genet Res 2:189; Burrows 1984, Biometrics
    40:357).

    Args:
      share: (sex,), of the candidates that are chosen.
      intensity: (sex,), i of so many of so many; 0 where none is better.
      alike: (2,), variance of the index between clutches, and between the families of a clutch, as shares of the whole.
      lineages: clutches.
      sires: full-sib families of each.

    Returns:
      Of each sex.
    """
    values = jnp.asarray(_families(lineages, sires))
    # Never below 0, smoothly: where families' means count little, animals of a family tested with it are less alike.
    parts = 0.5 * (alike + jnp.sqrt(alike**2 + _LEAST**2))
    parts = parts * jnp.minimum(1.0, _MOST / parts.sum())
    t = parts.sum()
    e = jnp.einsum("p,pkls->kls", jnp.sqrt(parts), values)
    e = e - e.mean((-2, -1), keepdims=True)
    e = e * jnp.sqrt(t / (e**2).mean((-2, -1), keepdims=True))
    share = jnp.clip(share, 1e-9, 1 - 1e-9)
    c, above, of_families, of_sibs, lost = jax.vmap(lambda p: _of_one_sex(p, e, t))(share)
    # Finite numbers of animals: as much less as in one family.
    less = intensity * share / _density(ndtri(share))
    lost = jnp.where((intensity > 0)[:, None, None], lost, 0.0)
    kept = [_kept(*pair) for pair in ((c[0], c[0]), (c[1], c[1]), (c[0], c[1]))]
    clutches, families = (jnp.stack(x) for x in zip(*kept, strict=True))
    sd = jnp.sqrt(1 - t)
    ties = jnp.stack([_ties(c.mean(0), e) / t, _ties(c.mean(0), above.mean(0)) / sd], axis=1)
    return Chosen(less * of_families, less * of_sibs, lost, clutches, families, less.mean() * ties)


def _ties(c: Array, values: Array) -> Array:
    """Covariance of values with the share of the clutch, and with that of the family in it, among the chosen: (2,)."""
    lineages, sires = c.shape[1:]
    apart = values - (c * values).sum((-2, -1), keepdims=True)
    of_clutch = (c.sum(-1) * (c * apart).sum(-1)).sum(-1).mean()
    of_family = (c**2 * apart).sum((-2, -1)).mean()
    clutches = of_clutch * lineages / max(lineages - 1, 1)
    return jnp.stack([clutches, (sires * of_family - of_clutch) / max(sires - 1, 1)])


def _kept(one: Array, other: Array) -> tuple[Array, Array]:
    """Of the variance between clutches, and between their families, what differs between two that are chosen apart.

    Args:
      one: (population, lineage, sire), shares of families among the chosen of one sex.
      other: of the other.
    """
    lineages, sires = one.shape[1:]
    in_family, in_clutch = (one * other).sum((-2, -1)), (one.sum(-1) * other.sum(-1)).sum(-1)
    clutches = (1 - in_clutch.mean()) * lineages / max(lineages - 1, 1)
    families = 1 - (sires * in_family - in_clutch).mean() / max(sires - 1, 1)
    return clutches, families


def _of_one_sex(p: Array, e: Array, t: Array) -> tuple[Array, ...]:
    """Shares of the families among the chosen, response and loss as in `Chosen`."""
    lineages, sires = e.shape[1:]
    sd = jnp.sqrt(1 - t)
    limit = _limit(p, e, sd)
    h = jnp.minimum((limit[:, None, None] - e) / sd, 35.0)  # further out shares are 0 in double precision
    tail = _tail(h)
    c = tail / tail.sum((-2, -1), keepdims=True)
    above = _density(h) / tail  # mean of deviations among the chosen, in SD

    def mean(x: Array) -> Array:
        return (c * x).sum((-2, -1))

    # Variances are those within a population: in what a draw shifts all chosen by, none of them differs.
    of_families, of_sibs = mean(e), mean(above)
    family = (mean(e**2) - of_families**2).mean()
    sib = (1 + mean(above * h) - of_sibs**2).mean()
    both = (mean(e * above) - of_families * of_sibs).mean()
    kept = 1 - ((c**2).sum((-2, -1)).mean() * lineages * sires - 1) / max(lineages * sires - 1, 1)
    lost = jnp.array([[(kept * t - family) / t**2, -both / (t * sd)], [-both / (t * sd), (1 - sib) / sd**2]])
    return c, above, of_families.mean() / t, of_sibs.mean() / sd, lost


def _tail(x: Array) -> Array:
    return 0.5 * erfc(x * np.sqrt(0.5))


def _density(x: Array) -> Array:
    return jnp.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)


def _limit(p: Array, e: Array, sd: Array) -> Array:
    """What so many exceed in each population, (population,): Newton's steps between bounds, the last for the slope."""
    fixed_p, fixed_e, fixed_sd = stop_gradient((p, e, sd))

    def newton(x: Array, p: Array, e: Array, sd: Array) -> tuple[Array, Array]:
        z = (e - x[:, None, None]) / sd
        now, density = _tail(-z).mean((-2, -1)), _density(stop_gradient(z)).mean((-2, -1)) / stop_gradient(sd)
        # Of logarithms: tails are nearly straight in them.
        return x + jnp.log(now / p) * stop_gradient(now / density), now

    # Of the worst and the best family alone; all families as one; the best family giving all.
    best = fixed_e.max((-2, -1))
    low, high = fixed_e.min((-2, -1)) - ndtri(fixed_p) * fixed_sd, best - ndtri(fixed_p) * fixed_sd
    most = jnp.minimum(fixed_p * e.shape[1] * e.shape[2], 0.5)
    x = jnp.clip(jnp.maximum(-ndtri(fixed_p), best - ndtri(most) * fixed_sd), low, high)

    def closer(_: int, bounds: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, low, high = bounds
        after, now = newton(x, fixed_p, fixed_e, fixed_sd)
        low, high = jnp.where(now > fixed_p, x, low), jnp.where(now > fixed_p, high, x)
        return jnp.where((after >= low) & (after <= high), after, 0.5 * (low + high)), low, high

    x = jax.lax.fori_loop(0, _STEPS, closer, (x, low, high))[0]
    return newton(stop_gradient(x), p, e, sd)[0]
