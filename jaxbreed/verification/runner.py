"""Runs checks one after the other, and judges their rows together."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from scipy import special

from jaxbreed.cores import available_cores
from jaxbreed.verification.findings import Finding
from jaxbreed.verification.registry import Check, Effort

FAMILY_ERROR = 1e-4
"""Chance that a correct machine fails any row at all, whatever the rows have in common (Bonferroni)."""


@dataclasses.dataclass(frozen=True)
class Report:
    """All rows, and how they are judged.

    Attributes:
      findings: the rows.
      critical: standard errors beyond which a row is wrong.
      effort: how large the checks were.
      titles: of the checks that ran.
      seconds: they took.
    """

    findings: tuple[Finding, ...]
    critical: float
    effort: Effort
    titles: dict[str, str]
    seconds: float

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """Rows whose law does not hold."""
        return tuple(f for f in self.findings if f.holds(self.critical) is False)

    @property
    def missing(self) -> tuple[Finding, ...]:
        """Rows that were not run."""
        return tuple(f for f in self.findings if f.kind == "not run")

    @property
    def deviates(self) -> list[float]:
        """Standard normal deviates of all rows that are held against a law which holds exactly in expectation."""
        return [f.z for f in self.findings if f.kind == "stochastic"]

    @property
    def good(self) -> bool:
        """Whether every law that was tested holds, and any was."""
        return not self.wrong and len(self.missing) < len(self.findings)


def critical_deviate(rows: int) -> float:
    """Two-sided standard errors at which one of so many rows fails by chance in one of 10,000 runs."""
    return -float(special.ndtri(FAMILY_ERROR / (2 * max(rows, 1))))


def run_checks(
    checks: Sequence[Check], effort: Effort, on_check: Callable[[Check, list[Finding]], None] | None = None
) -> Report:
    """Runs checks.

    Args:
      checks: which.
      effort: how large.
      on_check: called after each with its rows.

    Returns:
      The report. A check that cannot run at all gives a row that is wrong, with the error for its law.
    """

    def run(check: Check) -> list[Finding]:
        started, rows = time.perf_counter(), list[Finding]()
        try:
            rows.extend(check.run(effort))
        except Exception as error:  # a fault that stops one check must not hide what the others see
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            rows.append(Finding(f"stopped by {text}", 0.0, float("nan"), 0.0, "", float("nan")))
        if not rows:  # a check that looks at nothing must not pass for one that holds
            rows.append(Finding("nothing was looked at", 0.0, float("nan"), 0.0, "", float("nan")))
        took = time.perf_counter() - started
        return [dataclasses.replace(row, check=check.name, seconds=took) for row in rows]

    began, findings = time.perf_counter(), list[Finding]()
    # Two at a time: while one is compiled, another runs. What they find does not depend on it.
    pool = ThreadPoolExecutor(min(2, available_cores()))
    try:
        for check, rows in zip(checks, pool.map(run, checks), strict=True):
            findings += rows
            if on_check is not None:
                on_check(check, rows)
    finally:
        pool.shutdown(cancel_futures=True)
    judged = sum(f.kind in ("stochastic", "approximate") for f in findings)
    titles = {c.name: c.title for c in checks}
    return Report(tuple(findings), critical_deviate(judged), effort, titles, time.perf_counter() - began)


__all__ = ["FAMILY_ERROR", "Report", "critical_deviate", "run_checks"]
