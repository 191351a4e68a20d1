"""A Pareto front: its table, its figure, its HDF5 file."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from jaxbreed.front import Point, TracedFront
from jaxbreed.results import provenance, whole_file
from jaxbreed.summary import interval

_COLOURS = {"front": "#0072B2", "constant": "#D55E00"}


def front_table(front: TracedFront, traits: tuple[str, ...]) -> Table:
    """Final gains of every point, by theory and simulated."""
    replicates = len(front.points[0].gain)
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        caption=f"Final gains, founder phenotypic SD: by theory, and simulated, means of {replicates} replicates from "
        "the same founders and seed, in brackets their standard errors. F: inbreeding of the last eggs.",
        caption_justify="left",
    )
    names = [traits[number] for number in front.traits]
    for heading in ("point", *(f"{name}, {how}" for name in names for how in ("theory", "simulated")), "F"):
        table.add_column(heading, justify="left" if heading == "point" else "right")
    for line, points in (("front", front.points), ("constant", front.constant)):
        for number, point in enumerate((point for point in points if point.course is not None), start=1):
            cells = []
            for trait in front.traits:
                gain = point.gain[:, trait]
                error = f" ({gain.std(ddof=1) / len(gain) ** 0.5:.2f})" if len(gain) > 1 else ""
                cells += [f"{point.expected[trait]:.2f}", f"{gain.mean():.2f}{error}"]
            inbreeding = np.asarray(point.course.inbreeding)[:, -1].mean() if point.course else np.nan
            table.add_row(f"{line} {number}", *cells, f"{inbreeding:.3f}")
    return table


def plot_front(
    front: TracedFront, traits: tuple[str, ...], path: str | Path | None = None, *, title: str = "", note: str = ""
) -> Figure:
    """Draws a front, simulated or not yet.

    Args:
      front: the front.
      traits: names of all traits.
      path: where to save it; None only draws.
      title: heading.
      note: what stands under the axes.

    Returns:
      The figure: final gains of the two traits; lines by theory, points simulated with 95 % intervals of the mean.
    """
    figure = Figure(figsize=(7, 5.6), layout="constrained")
    axes = figure.subplots()
    names = {"front": "schedules of the front", "constant": "constant weights"}
    first, second = front.traits
    for line, points, marker in (("front", front.points, "o"), ("constant", front.constant, "s")):
        colour = _COLOURS[line]
        expected = np.array([point.expected[[first, second]] for point in points])
        style = "-" if line == "front" else "--"
        axes.plot(*expected.T, style, color=colour, linewidth=1.2, label=f"{names[line]}, theory")
        gains = [point.gain for point in points if point.course is not None]
        if not gains:
            continue
        ends = [[interval(gain[:, trait]) for gain in gains] for trait in front.traits]
        (x, x_low, x_high), (y, y_low, y_high) = (np.array(of_trait).T for of_trait in ends)
        axes.errorbar(
            x,
            y,
            xerr=np.nan_to_num([x - x_low, x_high - x]),
            yerr=np.nan_to_num([y - y_low, y_high - y]),
            fmt=marker,
            markersize=4.5,
            linewidth=0.8,
            color=colour,
            markerfacecolor=colour if line == "front" else "white",
            label=f"{names[line]}, simulated",
        )
    axes.set_xlabel(f"{traits[first]}: final gain (founder phenotypic SD)")
    axes.set_ylabel(f"{traits[second]}: final gain (founder phenotypic SD)")
    axes.axhline(0, color="0.85", linewidth=0.8, zorder=0)
    axes.axvline(0, color="0.85", linewidth=0.8, zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=12, parse_math=False)
    figure.supxlabel(note, fontsize=8, color="0.35")
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def save_front(path: str | Path, front: TracedFront, traits: tuple[str, ...], *, attributes: dict[str, Any]) -> None:
    """Writes a front, simulated as far as it is, into one HDF5 file that xarray reads; see `whole_file`.

    Args:
      path: the file; an older one is replaced.
      front: the front.
      traits: names of all traits.
      attributes: scenario text, seed and whatever else is to be recorded; strings and numbers.

    Raises:
      OSError: the file cannot be written; the older one is still there.
    """
    with whole_file(path) as file:
        simulated = sum(point.course is not None for point in (*front.points, *front.constant))
        file.attrs.update(
            provenance()
            | {"title": "Pareto front of a jaxbreed scenario", "traits_of_front": [traits[t] for t in front.traits]}
            | {"simulated": simulated}
            | attributes
        )

        def write(name: str, values: Any, dims: tuple[str, ...], unit: str, text: str) -> None:
            dataset = file.create_dataset(name, data=np.asarray(values))
            dataset.attrs.update({"units": unit, "long_name": text})
            for axis, (dim, size) in enumerate(zip(dims, dataset.shape, strict=True)):
                if dim not in file:
                    labels = list(traits) if dim == "trait" else np.arange(size)
                    file.create_dataset(dim, data=labels).make_scale(dim)
                dataset.dims[axis].attach_scale(file[dim])

        for line, points in (("front", front.points), ("constant", front.constant)):
            at, sd = f"{line}_point", "founder phenotypic SD"
            expected = [point.expected for point in points]
            write(f"gain_expected_{line}", expected, (at, "trait"), sd, "final gain by theory, mean over replicates")
            for name in ("weights", "fraction", "males", "family_weight", "inbreeding_rate", "tests"):
                if getattr(points[0].schedule, name) is not None:
                    values = np.stack([np.asarray(getattr(point.schedule, name)) for point in points])
                    dims = (at, "round", "trait") if name == "weights" else (at, "round")
                    write(f"schedule_{name}_{line}", values, dims, "1", f"{name} of the schedule")
            per = (at, "replicate", "generation")
            write(f"gain_{line}", _of_all(points, "gain"), (*per, "trait"), sd, "simulated gain")
            write(f"inbreeding_{line}", _of_all(points, "inbreeding"), per, "1", "simulated inbreeding of the eggs")


def _of_all(points: tuple[Point, ...], name: str) -> np.ndarray:
    """(point, ...) of simulated courses; NaN where there is none yet, and one empty replicate before the first."""
    known = [None if point.course is None else np.asarray(getattr(point.course, name)) for point in points]
    like = next((x for x in known if x is not None), None)
    if like is None:
        generations = points[0].schedule.generations + 1
        like = np.zeros((1, generations, len(points[0].expected)) if name == "gain" else (1, generations))
    return np.stack([np.full(like.shape, np.nan, np.float32) if x is None else x for x in known])
