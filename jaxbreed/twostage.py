"""Selection in two stages in closed form (Cochran 1951; Utz 1969): what a simulation is held against."""

import math
from statistics import NormalDist

_NORMAL = NormalDist()


def two_stage_intensities(first: float, second: float, correlation: float) -> tuple[float, float]:
    """Mean superiority, in SD, of the first and the second index among animals that pass two truncations.

    Of a large population the best share `first` by one normal index is kept, and of these the best share `second` by
    another. With truncation points t and u, correlation r and P = first x second, the means of the standardised
    indices z, w among those kept are
    P E[z] = f(t) Q((u - r t) / s) + r f(u) Q((t - r u) / s), and with z and w exchanged, s^2 = 1 - r^2
    (f the normal density, Q its upper tail; Tallis 1961). What an unselected trait gains is its regression on both.

    Args:
      first: share kept in the first stage, in (0, 1).
      second: share of these kept in the second stage, in (0, 1).
      correlation: between the two indices before selection, in (-1, 1).

    Returns:
      E[z], E[w].

    Raises:
      ValueError: naming the argument, its value and what would be right.

    Example:
      >>> [round(i, 3) for i in two_stage_intensities(0.1, 0.2, 0.0)]
      [1.755, 1.4]
    """
    for name, share in (("first", first), ("second", second)):
        if not 0.0 < share < 1.0:
            raise ValueError(f"{name} is {share:g}; it must be above 0 and below 1")
    if not -1.0 < correlation < 1.0:
        raise ValueError(f"correlation is {correlation:g}; it must be above -1 and below 1")
    t, kept, rest = -_NORMAL.inv_cdf(first), first * second, math.sqrt(1 - correlation**2)
    low, high = -10.0, 10.0
    for _ in range(80):
        u = 0.5 * (low + high)
        low, high = (u, high) if _both_above(t, u, correlation) > kept else (low, u)
    at_t = _NORMAL.pdf(t) * _NORMAL.cdf(-(u - correlation * t) / rest)
    at_u = _NORMAL.pdf(u) * _NORMAL.cdf(-(t - correlation * u) / rest)
    return (at_t + correlation * at_u) / kept, (at_u + correlation * at_t) / kept


def two_stage_superiority(first: float, second: float, correlation: float, covariance: tuple[float, float]) -> float:
    """Mean of a third normal variable, such as the genetic value, among animals that pass two truncations.

    Args:
      first: share kept in the first stage.
      second: share of these kept in the second stage.
      correlation: between the two indices.
      covariance: of the variable with each standardised index.

    Returns:
      The mean, in the variable's unit, above that of the unselected.

    Raises:
      ValueError: naming the argument, its value and what would be right.
    """
    z, w = two_stage_intensities(first, second, correlation)
    rest = 1 - correlation**2
    on_z = (covariance[0] - correlation * covariance[1]) / rest
    on_w = (covariance[1] - correlation * covariance[0]) / rest
    return on_z * z + on_w * w


def _both_above(t: float, u: float, correlation: float) -> float:
    """Chance that both of two standard normal variables exceed their limits: Simpson's rule over the first."""
    rest, top, steps = math.sqrt(1 - correlation**2), max(t, 0.0) + 9.0, 800
    width = (top - t) / steps

    def density(x: float) -> float:
        return _NORMAL.pdf(x) * _NORMAL.cdf((correlation * x - u) / rest)

    inner = sum((4 if k % 2 else 2) * density(t + k * width) for k in range(1, steps))
    return (density(t) + inner + density(top)) * width / 3
