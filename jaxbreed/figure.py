"""The figure of a run: gain, variance left, inbreeding."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from jaxbreed.summary import Run, interval, share_left

# Okabe & Ito's colours, told apart by readers with any kind of colour vision; markers tell them apart in grey.
_LOOKS = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "D"), ("#CC79A7", "^"), ("#E69F00", "v"), ("#56B4E9", "P"))
_GREY = ("0.25", "o")
_Style = Literal["-", "--"]
_STYLES: dict[str, _Style] = {"genetic": "-", "genic": "--"}


def plot(run: Run, path: str | Path | None = None, *, title: str = "", generation_years: float | None = None) -> Figure:
    """Draws a run.

    Args:
      run: a history or a result, finished or not.
      path: where to save it, PNG unless its name ends otherwise; None only draws.
      title: heading.
      generation_years: years of one generation, for a second axis on top; None leaves it out.

    Returns:
      The figure: gain by generation (founder phenotypic SD), variance left (% of generation 0), inbreeding. Bands are
      95 % intervals of the mean over replicates, thin lines are replicates.
    """
    figure = Figure(figsize=(12, 4.4), layout=ConstrainedLayoutEngine(wspace=0.05))
    panels = gain, variance, inbreeding = figure.subplots(1, 3)
    done, rounds = slice(0, run.done), run["eggs"].shape[1] - 1
    gain.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    for t, trait in enumerate(run.traits):
        look = _LOOKS[t % len(_LOOKS)]
        values = run["gain"][:, done, t]
        _replicates(gain, values, look[0])
        _mean(gain, values, look, trait)
        for kind, style in _STYLES.items():
            left = share_left(run[f"{kind}_variance"][:, done, t])
            _mean(variance, left, look, f"{trait}, {kind}", style, band=kind == "genetic")
    values = run["inbreeding"][:, done]
    _replicates(inbreeding, values, _GREY[0])
    _mean(inbreeding, values, _GREY, "mean")
    gain.set_ylabel("gain (founder phenotypic SD)")
    variance.set_ylabel("variance left (% of generation 0)")
    inbreeding.set_ylabel("inbreeding coefficient F of the eggs")
    gain.legend(frameon=False, fontsize=8)
    _legend_of_variances(variance, run.traits)
    for axes in panels:
        axes.set_xlabel("generation")
        axes.set_xlim(-0.04 * rounds, 1.04 * rounds)  # all that are planned, however far the run has come
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        if generation_years is not None:
            _year_axis(axes, generation_years)
    for axes in (variance, inbreeding):
        axes.set_ylim(bottom=0)
    figure.suptitle(title, fontsize=12, parse_math=False)
    several = run.replicates > 1
    number = f"{run.replicates} replicates" if several else "1 replicate"
    bands = "; bands: 95 % interval of the mean; thin lines: replicates" if several else ""
    figure.supxlabel(f"{number}, {run.total_eggs:,} eggs simulated{bands}", fontsize=8, color="0.35")
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _replicates(axes: Axes, values: npt.NDArray[Any], colour: str) -> None:
    """A thin line for each replicate, unless there is only one: values (replicate, generation)."""
    if len(values) > 1:
        axes.plot(np.arange(values.shape[1]), values.T, color=colour, linewidth=0.5, alpha=0.5)


def _mean(
    axes: Axes, values: npt.NDArray[Any], look: tuple[str, str], label: str, style: _Style = "-", band: bool = True
) -> None:
    """The mean over replicates and its interval: values (replicate, generation)."""
    generations, (colour, marker) = np.arange(values.shape[1]), look
    mean, low, high = interval(values)
    if band and len(values) > 1:
        axes.fill_between(generations, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(generations, mean, color=colour, linestyle=style, marker=marker, markersize=3.5, label=label)


def _legend_of_variances(axes: Axes, traits: tuple[str, ...]) -> None:
    """One entry for each trait and one for each kind of variance, not one for every pair."""
    looks = (_LOOKS[t % len(_LOOKS)] for t in range(len(traits)))
    lines = [Line2D([], [], color=colour, marker=marker, markersize=3.5) for colour, marker in looks]
    lines += [Line2D([], [], color="0.25", linestyle=style) for style in _STYLES.values()]
    axes.legend(lines, [*traits, *_STYLES], frameon=False, fontsize=8)


def _year_axis(axes: Axes, length: float) -> None:
    years = axes.secondary_xaxis("top", functions=(partial(np.multiply, length), partial(np.multiply, 1 / length)))
    years.set_xlabel("year", fontsize=8)
    years.tick_params(labelsize=8)
