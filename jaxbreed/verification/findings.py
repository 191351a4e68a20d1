"""What a check finds: a law, what it says, what was seen, and how far apart they are in standard errors."""

import dataclasses
import math

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Floats = npt.NDArray[np.float64]
Values = npt.ArrayLike


@dataclasses.dataclass(frozen=True)
class Finding:
    """One row of the report.

    Attributes:
      law: what was held against what, in words.
      expected: what the law says.
      observed: what was seen.
      error: standard error of what was seen; 0 of a law that holds exactly.
      source: where the law comes from.
      z: deviation in standard errors, as a standard normal deviate under the law; NaN of an exact law.
      allowance: how far the law itself may be off, where it is an approximation; how far rounding may carry, where it
        is exact. In units of `observed`.
      reason: why it was not run; empty if it was.
      check: name of the check, entered by the runner.
      seconds: what the check took, all its rows together; entered by the runner.
      degrees: degrees of freedom of `error`; infinite where it is known, or seen in very many values.
    """

    law: str
    expected: float
    observed: float
    error: float
    source: str
    z: float
    allowance: float = 0.0
    reason: str = ""
    check: str = ""
    seconds: float = 0.0
    degrees: float = math.inf

    @property
    def kind(self) -> str:
        """exact, stochastic, approximate (stochastic, about a law that is one), or not run."""
        if self.reason:
            return "not run"
        if self.error == 0.0:
            return "exact"
        return "approximate" if self.allowance else "stochastic"

    def holds(self, critical: float) -> bool | None:
        """Whether the law holds with at most so many standard errors; None if it was not run."""
        if self.kind == "not run":
            return None
        if self.kind == "stochastic":
            return bool(abs(self.z) <= critical)
        # With an error from few values so many of it are beyond Student's t as seldom as `critical` beyond the normal.
        many = critical if math.isinf(self.degrees) else float(stats.t.isf(special.ndtr(-critical), self.degrees))
        return bool(abs(self.observed - self.expected) <= self.allowance + many * self.error)


def mean_of(law: str, values: Values, expected: Values, source: str, *, allowance: float = 0.0) -> Finding:
    """The mean of independent replicates, against an expectation common to all or one for each (paired).

    The deviate is that of Student's t with its degrees of freedom, so that few replicates are no excuse.
    """
    seen, wanted = np.asarray(values, np.float64).ravel(), np.asarray(expected, np.float64)
    off = seen - np.broadcast_to(wanted.ravel(), seen.shape)
    error = float(off.std(ddof=1)) / math.sqrt(off.size)
    t = float(off.mean()) / error if error > 0 else math.copysign(math.inf, off.mean()) if off.mean() else 0.0
    z = math.copysign(-float(special.ndtri(max(stats.t.sf(abs(t), off.size - 1), 1e-300))), t)
    mean, degrees = float(wanted.mean()), off.size - 1
    return Finding(law, mean, float(seen.mean()), error, source, z, allowance, degrees=degrees)


def share_of(law: str, hits: Values, expected: float, source: str) -> Finding:
    """A share of independent events."""
    seen = np.asarray(hits)
    error = math.sqrt(expected * (1 - expected) / seen.size)
    observed = float(seen.mean())
    return Finding(law, expected, observed, error, source, (observed - expected) / error)


def count_of(law: str, count: float, expected: float, source: str) -> Finding:
    """A number of rare independent events, Poisson: its deviate is that of the exact chance of so many or more."""
    more, fewer = float(stats.poisson.sf(count - 1, expected)), float(stats.poisson.cdf(count, expected))
    z = -float(special.ndtri(max(more, 1e-300))) if more < fewer else float(special.ndtri(max(fewer, 1e-300)))
    return Finding(law, expected, float(count), math.sqrt(expected), source, z)


def known_error(
    law: str, observed: float, expected: float, error: float, source: str, *, allowance: float = 0.0
) -> Finding:
    """Something whose standard error follows from the law."""
    return Finding(law, expected, observed, error, source, (observed - expected) / error, allowance)


def variance_of(law: str, values: Values, expected: float, source: str) -> Finding:
    """The variance of many independent values; its error from their own fourth moment."""
    seen = np.asarray(values, np.float64).ravel()
    deviation = seen - seen.mean()
    variance = float((deviation**2).mean())
    error = math.sqrt((float((deviation**4).mean()) - variance**2) / seen.size)
    return Finding(law, expected, variance, error, source, (variance - expected) / error)


def normal_variance(law: str, values: Values, expected: float, source: str) -> Finding:
    """The variance of a few normal values: chi-square with one degree of freedom less than there are."""
    seen = np.asarray(values, np.float64).ravel()
    variance, degrees = float(seen.var(ddof=1)), seen.size - 1
    z = _of_chi_square(degrees * variance / expected, degrees)
    return Finding(law, expected, variance, expected * math.sqrt(2 / degrees), source, z)


def chi_square(law: str, statistic: float, degrees: int, source: str) -> Finding:
    """A sum of squares with a chi-square distribution; both too much and too little of it count."""
    z = _of_chi_square(statistic, degrees)
    return Finding(law, float(degrees), statistic, math.sqrt(2 * degrees), source, z)


def _of_chi_square(statistic: float, degrees: int) -> float:
    more, fewer = float(stats.chi2.sf(statistic, degrees)), float(stats.chi2.cdf(statistic, degrees))
    return -float(special.ndtri(max(more, 1e-300))) if more < fewer else float(special.ndtri(max(fewer, 1e-300)))


def exact(law: str, observed: Values, expected: Values, source: str, *, rounding: float = 0.0) -> Finding:
    """A law without chance: of several values the one that is farthest off is reported."""
    seen, wanted = np.broadcast_arrays(np.asarray(observed, np.float64), np.asarray(expected, np.float64))
    off = np.where(np.isnan(seen), np.inf, np.abs(seen - wanted)).ravel()
    worst = int(np.argmax(off))
    return Finding(
        law, float(wanted.ravel()[worst]), float(seen.ravel()[worst]), 0.0, source, math.nan, allowance=rounding
    )


def not_run(law: str, reason: str, source: str) -> Finding:
    """A law that was not held against anything, and why."""
    return Finding(law, math.nan, math.nan, math.nan, source, math.nan, reason=reason)
