"""The figure of a comparison: gain by generation of every arm, and what it costs in inbreeding."""

import math
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from jaxbreed.comparison import INDEX, Comparison, Floats
from jaxbreed.summary import interval

# Okabe & Ito's colours, told apart by readers with any kind of colour vision; with markers and strokes they make many.
_COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MARKERS = "osD^vP<>X*p"
_STROKES: tuple[Literal["-", "--", ":"], ...] = ("-", "--", ":")
_Look = dict[str, str | float]


def plot_comparison(comparison: Comparison, path: str | Path | None = None, *, title: str = "") -> Figure:
    """Draws a comparison.

    Args:
      comparison: finished runs.
      path: where to save it, PNG unless its name ends otherwise; None only draws.
      title: heading.

    Returns:
      The figure: gain by generation in the index (unless there is but one trait) and in every trait, then gain in the
      index against inbreeding, both in the last generation. Bars are 95 % intervals of the mean over replicates.
    """
    names, traits = comparison.names, comparison.traits
    courses = [(f"{trait}: gain\n(founder phenotypic SD)", t) for t, trait in enumerate(traits)]
    if len(traits) > 1:
        parts = " + ".join(
            f"{w:g} {t}".removeprefix("1 ") for w, t in zip(comparison.weights, traits, strict=True) if w
        )
        courses.insert(0, (f"index: {parts.replace('+ -', '- ')}\n(founder phenotypic SD)", -1))
    panels = len(courses) + 1
    columns = panels if panels < 4 else math.ceil(math.sqrt(panels))
    rows = math.ceil(panels / columns)
    figure = Figure(figsize=(4.2 * columns + 1.6, 3.9 * rows), layout=ConstrainedLayoutEngine(wspace=0.05, hspace=0.06))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for spare in axes[panels:]:
        spare.set_visible(False)
    looks = {name: _look(n) for n, name in enumerate(names)}
    for place, (label, trait) in zip(axes, courses, strict=False):
        for n, name in enumerate(names):
            gain = comparison.values(name) if trait < 0 else comparison.values(name, "gain")[..., trait]
            _course(place, gain, looks[name], name, n)
        place.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        place.set(xlabel="generation", ylabel=label)
        rounds = comparison[names[0]]["eggs"].shape[1] - 1
        ticks = MaxNLocator(integer=True).tick_values(0, rounds)
        place.set_xticks(ticks[ticks <= rounds])  # where the bars stand there is no generation
    _ends(axes[panels - 1], comparison, looks)
    for place in axes[:panels]:
        place.spines[["top", "right"]].set_visible(False)
        place.yaxis.label.set_parse_math(False)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=12, parse_math=False)
    replicates = comparison[names[0]].replicates
    note = f"{replicates} replicates" if replicates > 1 else "1 replicate"
    bars = "; bars: 95 % interval of the mean (in courses of the last generation, side by side)"
    others = f" (other founders: {', '.join(comparison.apart)})" if comparison.apart else ""
    figure.supxlabel(
        f"{note}, same founders and seeds{others}{bars * (replicates > 1)}",
        fontsize=8,
        color="0.35",
        parse_math=False,
    )
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _look(n: int) -> _Look:
    colour, marker = _COLOURS[n % len(_COLOURS)], _MARKERS[n % len(_MARKERS)]
    return {"color": colour, "marker": marker, "linestyle": _STROKES[n // len(_COLOURS) % len(_STROKES)]}


def _course(axes: Axes, values: Floats, look: _Look, label: str, n: int) -> None:
    """Mean by generation, and the interval of the last one beside it: values (replicate, generation)."""
    mean, low, high = interval(values)
    rounds = values.shape[1] - 1
    axes.plot(np.arange(rounds + 1), mean, markersize=3.5, linewidth=1.2, label=label, **look)  # type: ignore[arg-type]
    if len(values) > 1:
        at = rounds * (1.03 + 0.018 * n)
        error = [[mean[-1] - low[-1]], [high[-1] - mean[-1]]]
        axes.errorbar([at], [mean[-1]], error, color=look["color"], marker=look["marker"], markersize=3.5, capsize=1.5)


def _ends(axes: Axes, comparison: Comparison, looks: dict[str, _Look]) -> None:
    """Gain in the index against inbreeding, in the last generation."""
    for name, look in looks.items():
        across = interval(comparison.values(name, "inbreeding")[:, -1])
        up = interval(comparison.values(name, INDEX)[:, -1])
        several = comparison[name].replicates > 1
        bars = {"xerr": _reach(*across), "yerr": _reach(*up)} if several else {}
        axes.errorbar([across[0]], [up[0]], **bars, color=look["color"], marker=look["marker"], capsize=2)  # type: ignore[arg-type]
    axes.set(xlabel="inbreeding coefficient F of the eggs, at the end", ylabel="index gain at the end\n(founder SD)")
    axes.set_xlim(left=0)


def _reach(mean: Floats, low: Floats, high: Floats) -> Floats:
    """How far an interval reaches to both sides: (2, 1)."""
    return np.array([[mean - low], [high - mean]])
