"""Differences in standard errors, and how large the largest of many may be."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from reference import COLUMNS, Columns
from scipy import stats

PERMUTATIONS = 4_000
LEVEL = 0.05


def z_scores(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Difference of means over replicates (axis 0) over its standard error; 0 where neither varies."""
    error = np.sqrt(one.var(0, ddof=1) / len(one) + other.var(0, ddof=1) / len(other))
    return np.divide(one.mean(0) - other.mean(0), error, out=np.zeros_like(error), where=error > 0)


def standard_error(of: np.ndarray) -> np.ndarray:
    """Of the mean over replicates (axis 0)."""
    return np.asarray(of.std(0, ddof=1) / np.sqrt(len(of)))


def bonferroni(comparisons: int) -> float:
    """|z| that the largest of so many independent ones passes with a chance of 5 %."""
    return float(stats.norm.isf(LEVEL / (2 * comparisons)))


def family(sets: Sequence[tuple[Columns, Columns]], seed: int) -> dict[str, Any]:
    """The largest |z| of all columns and generations of all sets, and what it is when programmes are alike.

    Replicates are dealt to the two programmes at random, whole, so that the correlation between generations and columns
    counts (Westfall and Young 1993).

    Returns:
      comparisons, largest |z|, the value that it passes with a chance of 5 % (threshold), p.
    """
    rng = np.random.default_rng(seed)
    largest, chance, comparisons = 0.0, np.zeros(PERMUTATIONS), 0
    for ours, theirs in sets:
        one, other = (np.concatenate([of[column] for column in COLUMNS], axis=1) for of in (ours, theirs))
        largest = max(largest, float(np.abs(z_scores(one, other)).max()))
        comparisons += one.shape[1]
        both = np.concatenate([one, other])
        both = (both - both.mean(0)) / np.maximum(both.std(0), 1e-300)
        dealt = rng.permuted(np.tile(np.arange(len(both)) < len(one), (PERMUTATIONS, 1)), axis=1).astype(float)
        chance = np.maximum(chance, np.abs(_dealt(both, dealt)).max(1))
    return {
        "comparisons": comparisons,
        "largest": largest,
        "threshold": float(np.quantile(chance, 1 - LEVEL)),
        "p": float((1 + (chance >= largest).sum()) / (1 + PERMUTATIONS)),
    }


def _dealt(values: np.ndarray, dealt: np.ndarray) -> np.ndarray:
    """Deviates for every deal: (deal, column)."""
    parts = []
    for label in (dealt, 1 - dealt):
        n = label.sum(1, keepdims=True)
        mean, square = label @ values / n, label @ values**2 / n
        parts.append((mean, (square - mean**2) / (n - 1)))
    (a, u), (b, v) = parts
    return np.divide(a - b, np.sqrt(u + v), out=np.zeros_like(a), where=u + v > 0)


def side_by_side(ours: Columns, theirs: Columns) -> dict[str, Any]:
    """By column: means, standard errors and deviates in each generation; and the spread between replicates.

    The spread is the ratio of the variances between replicates in the last generation, with the p of Brown and
    Forsythe's test (1974), which needs no normal distribution.
    """
    out = {}
    for column in COLUMNS:
        one, other = ours[column], theirs[column]
        ratio = one[:, -1].var(ddof=1) / other[:, -1].var(ddof=1)
        p = stats.levene(one[:, -1], other[:, -1], center="median").pvalue
        out[column] = {
            "ours": one.mean(0).round(5).tolist(),
            "ours_se": standard_error(one).round(6).tolist(),
            "theirs": other.mean(0).round(5).tolist(),
            "theirs_se": standard_error(other).round(6).tolist(),
            "z": z_scores(one, other).round(3).tolist(),
            "spread": round(float(ratio), 4),
            "spread_p": round(float(p), 5),
        }
    return out


def worst(columns: dict[str, Any]) -> dict[str, Any]:
    """The largest deviate: its column, generation (from 1) and value."""
    column = max(columns, key=lambda name: np.abs(columns[name]["z"]).max())
    generation = int(np.abs(columns[column]["z"]).argmax())
    return {"column": column, "generation": generation + 1, "z": columns[column]["z"][generation]}
