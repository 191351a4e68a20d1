"""The limits that need no simulation: the naive figure, its intensity, the variance in a clutch, Bulmer's effect."""

import math
from typing import Any

from limits import FRACTION, H2, NAIVE

from jaxbreed.theory import intensity, variance_reduction


def sire_overlap(clutch: dict[str, Any]) -> float:
    """Chance that two eggs of a clutch have the same sire, mean over the numbers of sires that a clutch may have."""
    chances = []
    for sires in range(clutch["sires"][0], clutch["sires"][1] + 1):
        share = [clutch["paternity"] ** n for n in range(sires)]
        chances.append(sum(x**2 for x in share) / sum(share) ** 2)
    return sum(chances) / len(chances)


def responses(overlap: float, generations: int, *, bulmer: bool) -> float:
    """Gain by selection inside clutches of unlimited, unrelated lineages, infinitesimal model, founder phenotypic SD.

    Half of the variance is Mendelian and new in every clutch. The other half lies between parents: a dam's part is
    shared by the clutch, a sire's by his eggs. Parents chosen inside their clutches vary by what lies between clutches
    and by what truncation leaves of the variance within (Bulmer 1971, Am. Nat. 105:201).

    Args:
      overlap: chance that two eggs of a clutch have the same sire.
      generations: rounds of selection.
      bulmer: whether selection uses variance up.
    """
    parents, gain = H2, 0.0
    residual, reduction = 1 - H2, variance_reduction(FRACTION)
    for _ in range(generations):
        within = H2 / 2 + (1 - overlap) * parents / 4
        between = (1 + overlap) * parents / 4
        gain += intensity(FRACTION) * within / math.sqrt(within + residual)
        if bulmer:
            parents = between + within * (1 - reduction * within / (within + residual))
    return gain


def arithmetic_steps(clutch: dict[str, Any], generations: int) -> list[tuple[str, float]]:
    """Names and gains after so many generations."""
    overlap = sire_overlap(clutch)
    return [
        ("naive: h2 x 3 SD", NAIVE * generations),
        ("the best 0.1 % are 3.37 SD above the mean", H2 * intensity(FRACTION) * generations),
        ("variance inside clutches only", responses(overlap, generations, bulmer=False)),
        ("variance used up by selection (Bulmer)", responses(overlap, generations, bulmer=True)),
    ]
