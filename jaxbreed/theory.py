"""Closed forms of selection theory: what a simulation is held against. Plain floats."""

import math
from collections.abc import Callable
from statistics import NormalDist

_NORMAL = NormalDist()


def intensity(fraction: float) -> float:
    """Selection intensity i: mean, in SD, of the best `fraction` of a normal population.

    Args:
      fraction: share selected, in (0, 1].

    Returns:
      i = density at the truncation point / fraction (Falconer & Mackay 1996, eq. 11.5).

    Raises:
      ValueError: fraction outside (0, 1].

    Example:
      >>> round(intensity(0.001), 3)
      3.367
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"fraction is {fraction:g}; it must be above 0 and at most 1")
    if fraction == 1.0:
        return 0.0
    # The lower tail is the exact one in floating point: the upper quantile is its mirror image.
    return _NORMAL.pdf(_NORMAL.inv_cdf(fraction)) / fraction


def intensity_of_best(selected: int, candidates: int) -> float:
    """Expected intensity of the best `selected` of `candidates` normal deviates.

    Args:
      selected: how many are chosen.
      candidates: from how many.

    Returns:
      i - (n - s) / (2 s (n + 1) i) (Burrows 1972); too low by up to 0.03 when one is chosen.

    Raises:
      ValueError: more selected than there are.

    Example:
      >>> round(intensity_of_best(10, 100), 4)
      1.7296
    """
    if not 1 <= selected <= candidates:
        raise ValueError(f"selected is {selected}; it must be from 1 to the number of candidates, {candidates}")
    i = intensity(selected / candidates)
    return i - (candidates - selected) / (2 * selected * (candidates + 1) * i) if i else 0.0


def variance_reduction(fraction: float) -> float:
    """The share k = i (i - x) of its variance that truncation takes from the selected group's trait."""
    if fraction == 1.0:
        return 0.0
    i = intensity(fraction)
    return i * (i + _NORMAL.inv_cdf(fraction))


def bulmer(h2: float, fraction: float, generations: int, *, inbreeding_rate: float = 0.0) -> list[tuple[float, float]]:
    """Mass selection on the infinitesimal model: gain and genetic variance by generation (Bulmer 1971).

    V' = V/2 (1 - k h2') + V0/2 (1 - F): half the variance among unselected gametes of the selected parents' families
    is renewed each generation, the other half is what selection left between families.

    Args:
      h2: heritability in the base population, in (0, 1].
      fraction: share of animals selected, equal in both sexes.
      generations: rounds of selection.
      inbreeding_rate: loss of Mendelian variance a generation, 1 / (2 Ne).

    Returns:
      For generations 0 .. generations: (gain, genetic variance), in base phenotypic SD and its square.
    """
    if not 0.0 < h2 <= 1.0:
        raise ValueError(f"h2 is {h2:g}; it must be above 0 and at most 1")
    i, k = intensity(fraction), variance_reduction(fraction)
    base, environment = h2, 1.0 - h2
    gain, variance, outbred = 0.0, h2, 1.0
    path = [(gain, variance)]
    for _ in range(generations):
        total = variance + environment
        gain += i * variance / math.sqrt(total)
        variance = 0.5 * variance * (1.0 - k * variance / total) + 0.5 * base * outbred
        outbred *= 1.0 - inbreeding_rate
        path.append((gain, variance))
    return path


def within_family_response(h2: float, fraction: float, sires: int = 1) -> float:
    """First response to selection inside one clutch of unrelated, outbred parents.

    Args:
      h2: heritability in the base population.
      fraction: share selected of the clutch.
      sires: sires of the clutch, with equal shares.

    Returns:
      i x V / sqrt(V + VE) in base phenotypic SD, with V = VA (3/4 - 1 / (4 sires)): Mendelian sampling and, with
      several sires, the variance between half-sib families.
    """
    variance = h2 * (0.75 - 0.25 / sires)
    return intensity(fraction) * variance / math.sqrt(variance + 1.0 - h2)


def inbreeding_after(generations: int, effective_size: float) -> float:
    """Expected inbreeding coefficient after so many generations of effective size Ne: 1 - (1 - 1/(2 Ne))^t."""
    return 1.0 - (1.0 - 1.0 / (2.0 * effective_size)) ** generations


def best_of(candidates: int) -> float:
    """Expected largest of n standard normal deviates: the integral of 1 - Phi^n above 0 less that of Phi^n below.

    Example:
      >>> round(best_of(200_000), 4)
      4.5333
    """

    def above(x: float) -> float:
        # 1 - Phi^n; log1p and expm1 keep the far tail, where Phi^n rounds to 1.
        return -math.expm1(candidates * math.log1p(-_NORMAL.cdf(-x)))

    return _simpson(above, 0.0, 10.0) - _simpson(lambda x: _NORMAL.cdf(x) ** candidates, -10.0, 0.0)


def _simpson(function: Callable[[float], float], low: float, high: float, steps: int = 2000) -> float:
    """Simpson's rule; steps is even."""
    width = (high - low) / steps
    inner = sum((4 if step % 2 else 2) * function(low + step * width) for step in range(1, steps))
    return (function(low) + inner + function(high)) * width / 3
