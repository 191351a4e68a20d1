"""The figure of a report: all deviates against the normal distribution."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import special, stats

from jaxbreed.verification.runner import Report


def quantiles(deviates: list[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What so many independent standard normal deviates should be.

    Args:
      deviates: any number of them.

    Returns:
      The deviates, rising; expected normal quantiles; 95 % envelope of each (2, deviate), from the beta distribution of
      order statistics.
    """
    seen = np.sort(np.asarray(deviates, np.float64))
    rank = np.arange(1, seen.size + 1)
    expected = special.ndtri((rank - 0.5) / seen.size)
    chance = np.array([[0.025], [0.975]])
    return seen, expected, special.ndtri(stats.beta.ppf(chance, rank, seen.size + 1 - rank))


def plot_report(report: Report, path: str | Path | None = None) -> Figure:
    """Draws the deviates of all stochastic rows against normal quantiles.

    Args:
      report: with at least one stochastic row.
      path: where to save it; None only draws.
    """
    rows = [f for f in report.findings if f.kind == "stochastic"]
    seen, expected, (low, high) = quantiles([f.z for f in rows])
    figure = Figure(figsize=(5.6, 5.2), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(expected, low, high, color="0.85", label="95 % envelope of each, if independent")
    reach = max(3.5, float(np.abs(expected).max()))
    axes.plot([-reach, reach], [-reach, reach], color="0.4", linewidth=0.8, label="expected")
    # Far off the chart is far off the law: they are drawn at its edge.
    edge = 1.5 * max(reach, report.critical)
    axes.plot(expected, np.clip(seen, -edge, edge), "o", markersize=3, color="#0072B2", label=f"{seen.size} rows")
    for limit in (-report.critical, report.critical):
        axes.axhline(limit, color="#D55E00", linewidth=0.8, linestyle="--")
    axes.plot([], [], color="#D55E00", linewidth=0.8, linestyle="--", label=f"wrong beyond {report.critical:.2f}")
    axes.set_xlabel("expected normal quantile (standard errors)")
    axes.set_ylabel("observed less expected (standard errors)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="lower right", bbox_to_anchor=(1.0, 0.08))
    size = "full" if report.effort.full else "quick"
    axes.set_title(f"jaxbreed verify, {size}, seed {report.effort.seed}", fontsize=10)
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure
