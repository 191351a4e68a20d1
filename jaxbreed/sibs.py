"""Truncation across families: sibs are chosen together, and no family has more to give than its own."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.lax import stop_gradient
from jax.scipy.special import erfc, ndtri

from jaxbreed.covariance import Real
from jaxbreed.family_values import Values, sizes, values_of

_LEAST, _MOST, _NEAR = 1e-3, 0.95, 0.01  # share of the variance that lies between families; how sharp its bounds are
_HALVINGS, _STEPS = 6, 3


class Chosen(NamedTuple):
    """What truncation does to families; were they without number, the first two would be i, and `lost` k."""

    of_families: Real  # (sex,), response of what families share, per covariance with the index in SD
    of_sibs: Real  # (sex,), of deviations within them
    lost: Real  # (sex, 2, 2), variance of both that is lost, per square of the same covariances
    squares: Real  # (sex,), mean square of the standardised index, less 1
    kept: Real  # (3, 2), share of the variances of dams and of sires, not selected: in each sex, between both
    ties: Real  # (2, 2), covariance of dams' shares, and of sires', with both, as `lost`


def alone(intensity: Array, taken: Array) -> Chosen:
    """Of one clutch at a time: families as if without number.

    Args:
      intensity: (sex,), i.
      taken: (sex,), k.
    """
    lost = jnp.broadcast_to(taken[:, None, None], (len(taken), 2, 2))
    return Chosen(intensity, intensity, lost, intensity**2 - taken, jnp.ones((3, 2)), jnp.zeros((2, 2)))


def chosen(
    share: Array, intensity: Array, taken: Array, alike: Array, reuse: Array, lineages: int, places: int
) -> Chosen:
    """Shares out those above one limit among the families of a population.

    Within a family the index is normal, families have the values that chance gives to so many of them: of one
    replicate, as it is in a finite number of families (Robertson 1961, Genet Res 2:189; Burrows 1984, Biometrics
    40:357). Families of one sire are half sibs, in whichever clutch they are.

    Args:
      share: (sex,), of the candidates that are chosen, below 1.
      intensity: (sex,), i of so many of so many; 0 where none is better.
      taken: (sex,), k of them.
      alike: (3,), variance of the index by dams, by sires, and of what full sibs share beyond that; of the whole 1.
      reuse: (), places of each male, from 1; interpolated between whole numbers.
      lineages: clutches.
      places: full-sib families of each.

    Returns:
      Of each sex.
    """
    # Never below 0, smoothly: where families' means count little, animals of a family tested with it are less alike.
    parts, whole = _positive(alike), alike.sum()
    t = _positive(0.5 * (whole + _MOST - jnp.sqrt((whole - _MOST) ** 2 + _NEAR**2)))
    parts = parts * t / parts.sum()
    values, steps = values_of(lineages, places), jnp.asarray(sizes(lineages * places), share.dtype)
    if len(steps) == 1:
        return _among(share, intensity, taken, parts, values.at(0))
    low = jnp.clip(jnp.searchsorted(steps, reuse, side="right") - 1, 0, len(steps) - 2)
    above = jnp.clip((reuse - steps[low]) / (steps[low + 1] - steps[low]), 0.0, 1.0)
    both = jax.vmap(lambda n: _among(share, intensity, taken, parts, values.at(n)))(jnp.stack([low, low + 1]))
    return jax.tree.map(lambda x: (1 - above) * x[0] + above * x[1], both)


def _among(share: Array, intensity: Array, taken: Array, parts: Array, values: Values) -> Chosen:
    """Where each male fills a whole number of places; parts as `alike` in `chosen`."""
    t, root = parts.sum(), jnp.sqrt(parts)
    e = root[0] * values.dam + root[1] * values.sire + root[2] * values.own
    e = e - e.mean((-2, -1), keepdims=True)
    e = e * jnp.sqrt(t / (e**2).mean((-2, -1), keepdims=True))
    one = jax.vmap(lambda p: _of_one_sex(p, e, t))(share)
    # What is kept of dams, of sires, and of what only full sibs share.
    kept = jnp.stack([_kept(values, one.c[n], one.c[m]) for n, m in ((0, 0), (1, 1), (0, 1))])
    sd = jnp.sqrt(1 - t)
    family = (one.family - (kept[:2] * parts).sum(-1)) / t**2
    both, sib = one.both / (t * sd), (one.sib - 1) / sd**2
    lost = -jnp.stack([jnp.stack([family, both], -1), jnp.stack([both, sib], -1)], -2)
    # Finite numbers of animals: as much less as in one family.
    whole = _density(ndtri(share)) / share
    less, squares = intensity / whole, intensity**2 - taken + whole * ndtri(share)
    c, above = one.c.mean(0), one.above.mean(0)
    ties = jnp.stack([_ties(values, c, e) / t, _ties(values, c, above) / sd], axis=1)
    some = intensity > 0
    return Chosen(
        less * one.of_families / t,
        less * one.of_sibs / sd,
        jnp.where(some[:, None, None], lost, 0.0),
        jnp.where(some, one.squares + squares, 0.0),
        kept[:, :2],
        less.mean() * ties,
    )


class _One(NamedTuple):
    """Of one sex: shares c of the families among the chosen, means of their deviations, what is left of variances."""

    c: Array
    above: Array
    of_families: Array
    of_sibs: Array
    family: Array
    both: Array
    sib: Array
    squares: Array


def _of_one_sex(p: Array, e: Array, t: Array) -> _One:
    """Those above one limit.

    Args:
      p: (), share that is chosen.
      e: (population, lineage, place), values of families.
      t: (), their mean square; the rest of 1 is variance within them.
    """
    sd = jnp.sqrt(1 - t)
    h = jnp.minimum((_limit(p, e, sd)[:, None, None] - e) / sd, 35.0)  # further out shares are 0 in double precision
    tail = _tail(h)
    c = tail / tail.sum((-2, -1), keepdims=True)
    above = _density(h) / tail  # mean of deviations among the chosen, in SD

    def mean(x: Array) -> Array:
        return (c * x).sum((-2, -1))

    # Variances are those within a population: in what a draw shifts all chosen by, none of them differs.
    of_families, of_sibs = mean(e), mean(above)
    squares = [mean(e**2), mean(e * above), 1 + mean(above * h)]
    return _One(
        c,
        above,
        of_families.mean(),
        of_sibs.mean(),
        (squares[0] - of_families**2).mean(),
        (squares[1] - of_families * of_sibs).mean(),
        (squares[2] - of_sibs**2).mean(),
        (squares[0] + 2 * sd * squares[1] + sd**2 * squares[2]).mean() - 1,
    )


def _kept(values: Values, one: Array, other: Array) -> Array:
    """Of the variance of dams, of sires and of what only full sibs share, what differs between two chosen apart.

    Args:
      values: of families, for the males.
      one: (population, lineage, place), shares of families among the chosen of one sex.
      other: of the other.

    Returns:
      (3,), of the variance that they have in equal shares.
    """
    return _share(1 - values.together(one, other), values.evenly, 1.0)


def _ties(values: Values, c: Array, e: Array) -> Array:
    """Covariance of e with the share of the dam among the chosen, and with that of the sire: (2,)."""
    apart = c * (e - (c * e).sum((-2, -1), keepdims=True))
    return _share(values.together(c, apart), values.evenly, 0.0)[:2]


def _share(part: Array, evenly: Array, of_one: float) -> Array:
    """Of what there would be among parents in equal numbers; where there is but one it says nothing."""
    several = evenly < 1
    return jnp.where(several, part / jnp.where(several, 1 - evenly, 1.0), of_one)


def _positive(x: Array) -> Array:
    return 0.5 * (x + jnp.sqrt(x**2 + _LEAST**2))


def _tail(x: Array) -> Array:
    return 0.5 * erfc(x * np.sqrt(0.5))


def _density(x: Array) -> Array:
    return jnp.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)


def _limit(p: Array, e: Array, sd: Array) -> Array:
    """What so many exceed in each population, (population,): bisection, then Newton's steps, the last for the slope."""
    fixed_p, fixed_e, fixed_sd = stop_gradient((p, e, sd))

    def newton(x: Array, p: Array, e: Array, sd: Array) -> Array:
        z = (e - x[:, None, None]) / sd
        now, density = _tail(-z).mean((-2, -1)), _density(stop_gradient(z)).mean((-2, -1)) / stop_gradient(sd)
        # Of logarithms: tails are nearly straight in them.
        return x + jnp.log(now / p) * stop_gradient(now / density)

    def halved(_: int, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bounds
        x = 0.5 * (low + high)
        more = _tail((x[:, None, None] - fixed_e) / fixed_sd).mean((-2, -1)) > fixed_p
        return jnp.where(more, x, low), jnp.where(more, high, x)

    # Between those of the worst and of the best family alone.
    low, high = fixed_e.min((-2, -1)) - ndtri(fixed_p) * fixed_sd, fixed_e.max((-2, -1)) - ndtri(fixed_p) * fixed_sd
    low, high = jax.lax.fori_loop(0, _HALVINGS, halved, (low, high))

    def closer(_: int, x: Array) -> Array:
        return jnp.clip(newton(x, fixed_p, fixed_e, fixed_sd), low, high)

    x = jax.lax.fori_loop(0, _STEPS, closer, 0.5 * (low + high))
    return newton(stop_gradient(x), p, e, sd)
