"""Summaries over replicates: intervals, effective size, the closing table."""

import textwrap
from typing import Any

import numpy as np
import numpy.typing as npt
from rich import box
from rich.table import Table

from jaxbreed.costs import ITEMS
from jaxbreed.history import History
from jaxbreed.results import Result

Floats = npt.NDArray[np.float64]
Run = History | Result


def t_quantile(degrees: int) -> float:
    """The 97.5 % quantile of Student's t.

    Args:
      degrees: degrees of freedom, at least 1.

    Returns:
      The quantile, found by bisection of the distribution function's closed form for whole degrees of freedom
      (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4).
    """
    low, high = 0.0, 16.0  # the quantile falls from 12.7 for 1 degree
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_central(middle, degrees) < 0.95 else (low, middle)
    return (low + high) / 2


def _t_central(t: float, degrees: int) -> float:
    """Probability that Student's t lies between -t and t."""
    angle = np.arctan(t / np.sqrt(degrees))
    cosine, sine = np.cos(angle), np.sin(angle)
    # Terms of the series: 1, c^2 1/2, c^4 1/2 3/4, ... for even degrees; c, c^3 2/3, c^5 2/3 4/5, ... for odd.
    j = np.arange(2 + degrees % 2, degrees - 1, 2)
    total = 1.0 + np.cumprod(cosine**2 * (j - 1) / j).sum()
    if degrees % 2 == 0:
        return float(sine * total)
    return float(2 / np.pi * (angle + (sine * cosine * total if degrees > 1 else 0.0)))


def interval(values: npt.ArrayLike, axis: int = 0) -> tuple[Floats, Floats, Floats]:
    """Mean over replicates and its 95 % interval (Student's t).

    Args:
      values: any shape; NaN where a replicate has no value.
      axis: the replicates.

    Returns:
      Mean, lower and upper bound, without that axis. Replicates without a value are left out; the mean is NaN where
      none has one, the bounds where fewer than two have.
    """
    count, mean, error = _mean_and_error(np.moveaxis(np.asarray(values, np.float64), axis, 0))
    with np.errstate(invalid="ignore"):
        half = _quantiles(count - 1) * np.sqrt(error)
    return mean, mean - half, mean + half


def unpaired_interval(values: npt.ArrayLike, others: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Difference of the means of independent samples, and its 95 % interval (Welch 1947, Biometrika 34:28-35).

    Args:
      values: (replicate, ...), NaN where a replicate has no value.
      others: the same of the other sample, which is subtracted.

    Returns:
      Difference, lower and upper bound, (...). Welch's degrees of freedom are rounded down; the bounds are NaN where
      either sample has fewer than two values.
    """
    count, mean, error = _mean_and_error(np.asarray(values, np.float64))
    count_others, mean_others, error_others = _mean_and_error(np.asarray(others, np.float64))
    total = error + error_others
    with np.errstate(invalid="ignore", divide="ignore"):
        degrees = total**2 / (error**2 / (count - 1) + error_others**2 / (count_others - 1))
        # Where nothing varies any degrees of freedom do.
        whole = np.where(total > 0, np.floor(np.nan_to_num(degrees) + 1e-9), 1).astype(np.int64)
        half = _quantiles(whole) * np.sqrt(total)
    difference = mean - mean_others
    return difference, difference - half, difference + half


def _mean_and_error(array: Floats) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
    """Number of values, their mean and its squared standard error over the first axis, values of NaN left out."""
    valid = ~np.isnan(array)
    count = valid.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(valid, array, 0.0).sum(0) / count
        squares = (np.where(valid, array - mean, 0.0) ** 2).sum(0)
        return count, mean, squares / (count - 1) / count


def _quantiles(degrees: npt.NDArray[np.int64]) -> Floats:
    """`t_quantile` of every element, NaN below 1 degree of freedom."""
    different, place = np.unique(degrees, return_inverse=True)
    quantiles = np.array([t_quantile(int(n)) if n > 0 else np.nan for n in different])
    return quantiles[place].reshape(np.shape(degrees))


def share_left(variance: npt.NDArray[Any]) -> Floats:
    """Variance as % of generation 0 in the same replicate: (replicate, generation), NaN where there was none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(variance[:, :1] > 0, 100 * variance / variance[:, :1], np.nan)


def effective_size(inbreeding: npt.ArrayLike) -> Floats:
    """Effective population size from the mean course of inbreeding.

    Args:
      inbreeding: (replicate, generation).

    Returns:
      (generation - 1,): (1 - F_t) / (2 (F_t+1 - F_t)) of the means over replicates; NaN where F does not rise.
    """
    mean = np.asarray(inbreeding, np.float64).mean(0)
    step = np.diff(mean)
    rises = step > 1e-6  # kinships are sums in single precision: a smaller step may be rounding
    return np.where(rises, (1 - mean[:-1]) / (2 * np.where(rises, step, 1.0)), np.nan)


def closing_table(run: Run, *, generation_years: float | None = None) -> Table:
    """The table that ends a run.

    Args:
      run: a history or a result, finished or not.
      generation_years: years of one generation; None leaves the years out.

    Returns:
      One row for each generation; with two traits it fits 80 columns.
    """
    several = run.replicates > 1
    caption = (
        f"{f'Means of {run.replicates} replicates' if several else 'One replicate'}. Gain in founder phenotypic SD (sP)"
        f"{', ± half the 95 % interval of the mean' if several else ''}. VG: genetic variance left, % of generation 0. "
        "F, Ne: inbreeding of the eggs, effective size over the step to the next generation. i, acc: intensity and "
        f"accuracy of selection. fix: % of all loci fixed. eggs: laid{', all replicates together' if several else ''}."
    )
    costs = "cost" in run.data
    caption += _shares(run) if costs else ""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=0, caption=caption, caption_justify="left")
    times = ["gen"] if generation_years is None else ["gen", "year"]
    gains = [(f"{textwrap.fill(trait, 12)}\ngain (sP)", "VG\n%") for trait in run.traits]
    last = ("eggs", f"cost\n{_currency(run)}") if costs else ("eggs",)
    for heading in (*times, *(h for pair in gains for h in pair), "F", "Ne", "i", "acc", "fix\n%", *last):
        table.add_column(heading, justify="right", vertical="bottom", no_wrap=True)
    done = slice(0, run.done)
    gain, low, _ = interval(run["gain"][:, done])
    left = [interval(share_left(run["genetic_variance"][:, done, t]))[0] for t in range(len(run.traits))]
    names = ("inbreeding", "intensity", "accuracy", "loci_fixed")
    inbreeding, intensity, accuracy, fixed = (interval(run[name][:, done])[0] for name in names)
    cost = interval(run["cost"][:, done])[0] if costs else None
    ne = np.append(effective_size(run["inbreeding"][:, done]), np.nan)
    for g in range(run.done):
        cells = [str(g)] if generation_years is None else [str(g), f"{g * generation_years:.4g}"]
        for t in range(len(run.traits)):
            spread = f" ± {gain[g, t] - low[g, t]:.2f}" if several else ""
            cells += [f"{gain[g, t]:.2f}{spread}", _or_dash(left[t][g], ".0f")]
        cells += [_or_dash(inbreeding[g], ".3f"), _or_dash(ne[g], ".1f" if ne[g] < 1000 else ".0f")]
        cells += [_or_dash(intensity[g], ".2f"), _or_dash(accuracy[g], ".2f"), _or_dash(100 * fixed[g], ".1f")]
        laid = int(run["eggs"][:, g].sum())
        eggs = f"{laid:,}" if laid < 10**6 else f"{laid / 1e6:,.1f} M"
        cells.append(eggs if g < run.done - 1 else "-")  # the last generation's eggs are only expected
        if cost is not None:
            cells.append(_or_dash(cost[g], ",.0f") if not cost[g] >= 10**6 else f"{cost[g] / 1e6:,.1f} M")
        table.add_row(*cells)
    return table


def _currency(run: Run) -> str:
    if isinstance(run, Result):
        return str(run.attributes["currency"])
    return "" if run.prices is None else run.prices.currency


def _shares(run: Run) -> str:
    """What the column of costs is, and what money was spent on."""
    spent = np.nansum(run["cost_of"], axis=(0, 1))
    parts = [f"{item} {100 * s / spent.sum():.3g} %" for item, s in zip(ITEMS, spent, strict=True) if s > 0]
    return f" cost: of a generation of one replicate, {_currency(run)}{': ' * bool(parts)}{', '.join(parts)}."


def _or_dash(value: float, form: str) -> str:
    return "-" if np.isnan(value) else format(value, form)
