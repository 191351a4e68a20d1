"""Differences between arms, panel by panel: intervals, equivalence, comparison at equal inbreeding."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]


class Difference(NamedTuple):
    """A mean difference over panels."""

    mean: float
    low: float  # 95 % interval, Student's t
    high: float
    equivalence: float  # p-value of two one-sided tests that it lies within the margin

    @property
    def words(self) -> str:
        """What can be said at 5 %: told from zero, told from the margin, both, or neither."""
        above, within = self.low > 0 or self.high < 0, self.equivalence < 0.05
        if above:
            side = "more" if self.mean > 0 else "less"
            return f"{side}, within the margin" if within else side
        return "equal within the margin" if within else "not told apart"


def paired(values: npt.ArrayLike, others: npt.ArrayLike, margin: float) -> Difference:
    """Compares two arms on the same panels.

    Args:
      values: (panel,), of one arm.
      others: (panel,), of the other, on the same panels with the same luck.
      margin: a difference within which arms count as equal, above 0.

    Returns:
      Mean, 95 % interval and the larger p-value of the two one-sided t-tests (Schuirmann 1987).
    """
    difference = np.asarray(values, np.float64) - np.asarray(others, np.float64)
    mean, error, degrees = difference.mean(), stats.sem(difference), difference.size - 1
    half = stats.t.ppf(0.975, degrees) * error
    if error == 0:
        return Difference(float(mean), float(mean), float(mean), 0.0 if abs(mean) < margin else 1.0)
    too_low = stats.t.sf((mean + margin) / error, degrees)
    too_high = stats.t.cdf((mean - margin) / error, degrees)
    return Difference(float(mean), float(mean - half), float(mean + half), float(max(too_low, too_high)))


def upper_bound(values: npt.ArrayLike) -> float:
    """One-sided 95 % upper bound of the mean."""
    given = np.asarray(values, np.float64)
    return float(given.mean() + stats.t.ppf(0.95, given.size - 1) * stats.sem(given))


def lower_bound(values: npt.ArrayLike) -> float:
    """One-sided 95 % lower bound of the mean."""
    return -upper_bound(-np.asarray(values, np.float64))


def at_equal_inbreeding(
    inbreeding: float, frontier_inbreeding: npt.ArrayLike, frontier_worth: npt.ArrayLike
) -> Floats | None:
    """What constants are worth at a given F, panel by panel.

    Args:
      inbreeding: the mean F to compare at.
      frontier_inbreeding: (constant, panel), F of the tuned constants at several limits.
      frontier_worth: (constant, panel), their worth.

    Returns:
      (panel,), linear between the two constants whose mean F enclose the given one; None beyond all of them.
    """
    mean = np.asarray(frontier_inbreeding, np.float64).mean(1)
    order = np.argsort(mean)
    mean, worth = mean[order], np.asarray(frontier_worth, np.float64)[order]
    if not mean[0] <= inbreeding <= mean[-1]:
        return None
    upper = max(int(np.searchsorted(mean, inbreeding)), 1)
    share = (inbreeding - mean[upper - 1]) / (mean[upper] - mean[upper - 1])
    return np.asarray((1 - share) * worth[upper - 1] + share * worth[upper])
