"""The figure of a run: gain, variance left, inbreeding."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxbreed.summary import Run, interval

# Okabe & Ito's colours, told apart by readers with any kind of colour vision.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def plot(run: Run, path: str | Path | None = None, *, title: str = "", generation_years: float | None = None) -> Figure:
    """Draws a run.

    Args:
      run: a history or a result, finished or not.
      path: where to save it; None only draws.
      title: heading.
      generation_years: years of one generation, for a second axis.

    Returns:
      The figure: gain by generation (founder phenotypic SD), genetic variance left (% of generation 0), inbreeding.
      Bands are 95 % intervals of the mean over replicates, thin lines are replicates.
    """
    figure = Figure(figsize=(12, 4.4), layout="constrained")
    gain, variance, inbreeding = figure.subplots(1, 3)
    done = slice(0, run.done)
    for t, trait in enumerate(run.traits):
        colour = _COLOURS[t % len(_COLOURS)]
        _band(gain, run["gain"][:, done, t], colour, trait)
        for name, style in (("genetic_variance", "-"), ("genic_variance", "--")):
            values = run[name][:, done, t]
            label = f"{trait}, {name.removesuffix('_variance')}"
            _band(variance, 100 * values / values[:, :1], colour, label, style=style, replicates=False)
    _band(inbreeding, run["inbreeding"][:, done], "0.25", "F")
    gain.set_ylabel("gain (founder phenotypic SD)")
    variance.set_ylabel("variance left (% of generation 0)")
    inbreeding.set_ylabel("inbreeding coefficient F of the eggs")
    for axes in (variance, inbreeding):
        axes.set_ylim(bottom=0)
    for axes in (gain, variance):
        axes.legend(frameon=False, fontsize=8)
    for axes in (gain, variance, inbreeding):
        axes.set_xlabel("generation")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["right"] if generation_years else ["top", "right"]].set_visible(False)
        if generation_years:
            years = axes.secondary_xaxis("top", functions=_years(generation_years))
            years.set_xlabel("years", fontsize=8)
            years.tick_params(labelsize=8)
    figure.suptitle(title, fontsize=12)
    spread = "band: 95 % interval of the mean; thin lines: replicates" if run.replicates > 1 else "one replicate"
    note = f"{run.replicates} replicate{'s' * (run.replicates > 1)}, {run.total_eggs:,} eggs simulated; {spread}"
    figure.supxlabel(note, fontsize=8, color="0.35")
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _years(length: float) -> tuple[Any, Any]:
    return (lambda generation: generation * length), (lambda year: year / length)


def _band(axes: Axes, values: Any, colour: str, label: str, *, style: str = "-", replicates: bool = True) -> None:
    """A mean with its interval over replicates: values (replicate, generation)."""
    generations = np.arange(values.shape[1])
    mean, low, high = interval(values)
    if replicates and len(values) > 1:
        axes.plot(generations, np.asarray(values).T, color=colour, linewidth=0.5, alpha=0.5)
    if len(values) > 1:
        axes.fill_between(generations, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(generations, mean, color=colour, linestyle=style, marker="o", markersize=3, label=label)
