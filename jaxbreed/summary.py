"""Summaries over replicates: intervals and the closing table."""

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from rich.table import Table

Floats = npt.NDArray[np.float64]


class Run(Protocol):
    """What a summary needs: a `History` or a `Result`."""

    traits: tuple[str, ...]
    done: int

    def __getitem__(self, name: str) -> npt.NDArray[np.float64]:
        """A variable by name, axes (replicate, generation, ...)."""
        ...

    @property
    def replicates(self) -> int:
        """Independent repeats."""
        ...

    @property
    def total_eggs(self) -> int:
        """Eggs simulated."""
        ...


def t_quantile(degrees: int) -> float:
    """The 97.5 % quantile of Student's t.

    Args:
      degrees: degrees of freedom, at least 1.

    Returns:
      The quantile, found by bisection of the distribution function's closed form for whole degrees of freedom
      (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4).
    """
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_central(middle, degrees) < 0.95 else (low, middle)
    return (low + high) / 2


def _t_central(t: float, degrees: int) -> float:
    """Probability that Student's t lies between -t and t."""
    angle = np.arctan(t / np.sqrt(degrees))
    cosine, sine = np.cos(angle), np.sin(angle)
    term = total = cosine if degrees % 2 else 1.0
    for j in range(2 + degrees % 2, degrees - 1, 2):
        term *= cosine**2 * (j - 1) / j
        total += term
    if degrees % 2 == 0:
        return float(sine * total)
    return float(2 / np.pi * (angle + (sine * total if degrees > 1 else 0.0)))


def interval(values: npt.ArrayLike, axis: int = 0) -> tuple[Floats, Floats, Floats]:
    """Mean and 95 % interval of the mean over replicates.

    Args:
      values: any shape.
      axis: the replicates.

    Returns:
      Mean, lower and upper bound (Student's t); the bounds are NaN for a single replicate.
    """
    array = np.asarray(values, np.float64)
    count = array.shape[axis]
    mean = array.mean(axis)
    if count < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    half = t_quantile(count - 1) * array.std(axis, ddof=1) / np.sqrt(count)
    return mean, mean - half, mean + half


def effective_size(inbreeding: Floats) -> Floats:
    """Effective population size from the mean course of inbreeding.

    Args:
      inbreeding: (replicate, generation).

    Returns:
      (generation - 1,): (1 - F_t) / (2 (F_t+1 - F_t)) of the means over replicates; NaN where F does not rise.
    """
    mean = np.asarray(inbreeding).mean(0)
    step = np.diff(mean)
    return np.where(step > 1e-9, (1 - mean[:-1]) / (2 * np.where(step > 1e-9, step, 1.0)), np.nan)


def closing_table(run: Run, *, generation_years: float | None = None) -> "Table":
    """The table that ends a run.

    Args:
      run: a history or a result.
      generation_years: years of one generation; None leaves the years out.

    Returns:
      One row for each generation, means over replicates.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    caption = (
        f"Means of {run.replicates} replicates. Gain ± half its 95 % interval, in founder phenotypic SD (sP); VG: "
        "genetic variance, % of generation 0; selection (i, accuracy) stands with the generation it acted on."
    )
    table = Table(box=SIMPLE_HEAD, caption=caption, caption_justify="left", pad_edge=False)
    table.add_column("gen", justify="right")
    if generation_years is not None:
        table.add_column("year", justify="right")
    for trait in run.traits:
        table.add_column(f"{trait[:12]}\ngain (sP)", justify="right")
        table.add_column("VG\n%", justify="right")
    for heading in ("F", "Ne", "i", "accu-\nracy", "fixed\n%", "eggs\n10^6"):
        table.add_column(heading, justify="right", no_wrap=True)
    ne = np.append(effective_size(run["inbreeding"]), np.nan)
    for g in range(run.done):
        cells = [str(g)] + ([] if generation_years is None else [f"{g * generation_years:g}"])
        for t in range(len(run.traits)):
            mean, low, _ = interval(run["gain"][:, g, t])
            spread = "" if np.isnan(low) else f" ± {mean - low:.2f}"
            left = (run["genetic_variance"][:, g, t] / run["genetic_variance"][:, 0, t]).mean()
            cells += [f"{mean:.2f}{spread}", f"{100 * left:.0f}"]
        cells += [f"{run['inbreeding'][:, g].mean():.3f}", _or_dash(ne[g], ".0f")]
        cells += [_or_dash(run[name][:, g].mean(), ".2f") for name in ("intensity", "accuracy")]
        laid = run["eggs"][:, g].sum() / 1e6 if g < run.done - 1 else np.nan
        cells += [f"{100 * run['loci_fixed'][:, g].mean():.0f}", _or_dash(laid, ".3g")]
        table.add_row(*cells)
    return table


def _or_dash(value: float, form: str) -> str:
    return "-" if np.isnan(value) else format(value, form)
