"""What a search found: the closing table, the figure, the HDF5 file."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rich import box
from rich.table import Table

from jaxbreed.course import Course
from jaxbreed.limits import Limit
from jaxbreed.objectives import Objective, compare, estimate
from jaxbreed.optimisation import Optimised
from jaxbreed.results import provenance, whole_file
from jaxbreed.schedule import Schedule
from jaxbreed.summary import interval

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_UNITS = {
    "weights": ("1", "index weights, per founder phenotypic SD"),
    "fraction": ("1", "share of the tested drawn from; 0: exactly the best"),
    "males": ("animals", "most different males kept, a mean where not whole"),
    "family_weight": ("1", "weight of a family's mean relative to an animal's deviation from it"),
    "inbreeding_rate": ("1", "largest rate of inbreeding asked for"),
    "tests": ("animals", "animals tested of each clutch, a mean where not whole"),
}


class Ends(NamedTuple):
    """Both ends of a search, judged on runs that it has not seen: the same founders and seeds for both."""

    start: Schedule
    found: Schedule
    before: Course  # of the start
    after: Course  # of what was found


def verdict(objective: Objective, limits: tuple[Limit, ...], ends: Ends) -> Table:
    """The table of values: objective and limits, at the start and at the end."""
    replicates = len(ends.before.gain)
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        caption=f"Means of {replicates} replicates that the search has not seen, the same founders and seeds for both, "
        "with 95 % intervals; the difference is paired.",
        caption_justify="left",
    )
    for heading in ("", "start", "found", "difference"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows = [
        ("objective", objective, np.inf),
        *((f"{limit.measure.name} (at most {limit.at_most:g})", limit.measure, limit.at_most) for limit in limits),
    ]
    for name, measure, most in rows:
        values = [estimate(measure, ends.before), estimate(measure, ends.after)]
        cells = [_with_interval(value) + _beyond(value, most) for value in values]
        table.add_row(name, *cells, _with_interval(compare(measure, ends.before, ends.after)))
    return table


def _beyond(value: tuple[float, float, float], most: float) -> str:
    """What is to be said of a limit: nothing where it is kept, or the mean is below it."""
    middle, low, _ = value
    if middle <= most:
        return ""
    return ", limit broken" if low > most else ", above the limit, perhaps by chance"


def _with_interval(value: tuple[float, float, float]) -> str:
    middle, low, high = value
    form = ".3f" if abs(middle) < 100 else ",.0f"
    return f"{middle:{form}}" + ("" if np.isnan(low) else f" ({low:{form}} to {high:{form}})")


def schedule_table(levers: list[str], schedule: Schedule, traits: tuple[str, ...]) -> Table:
    """The schedule that was found, a row for each generation."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, caption="The schedule found.", caption_justify="left")
    table.add_column("gen", justify="right")
    columns = columns_of(levers, schedule, traits)
    for name in columns:
        table.add_column(name, justify="right")
    for g in range(schedule.generations):
        table.add_row(
            str(g), *(f"{values[g]:.3g}" if values[g] < 1000 else f"{values[g]:,.0f}" for values in columns.values())
        )
    return table


def columns_of(levers: list[str], schedule: Schedule, traits: tuple[str, ...]) -> dict[str, npt.NDArray[np.float64]]:
    """Free decisions by name, (generation,) each; weights as shares of their sum of sizes, trait by trait."""
    columns: dict[str, npt.NDArray[np.float64]] = {}
    for lever in levers:
        values = np.asarray(getattr(schedule, lever), np.float64)
        if lever == "weights":
            values = values / np.abs(values).sum(1, keepdims=True)
            columns |= {f"weight of {trait}": values[:, t] for t, trait in enumerate(traits)}
        else:
            columns[lever.replace("_", " ")] = values
    return columns


def plot_search(
    found: Optimised,
    ends: Ends,
    levers: list[str],
    traits: tuple[str, ...],
    path: str | Path | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draws a search.

    Returns:
      The figure: objective by step, gains of both ends with 95 % intervals of the mean, and each free lever by
      generation, dashed at the start.
    """
    panels = 2 + len(levers)
    figure = Figure(figsize=(4 * panels, 4.2), layout="constrained")
    axes = figure.subplots(1, panels)
    steps = np.arange(1, found.steps + 1)
    axes[0].plot(steps, found.history["value"], color="0.6", linewidth=0.8, label="each step (its own luck)")
    width = 10
    if found.steps >= 2 * width:
        smooth = np.convolve(found.history["value"], np.ones(width) / width, "valid")
        axes[0].plot(steps[width - 1 :], smooth, color=_COLOURS[0], label=f"mean of {width} steps")
    axes[0].set_xlabel("step")
    axes[0].set_ylabel("objective (higher is better)")
    axes[0].legend(frameon=False, fontsize=8)
    for t, trait in enumerate(traits):
        for course, style, name in ((ends.before, "--", "start"), (ends.after, "-", "found")):
            mean, low, high = interval(np.asarray(course.gain, np.float64)[:, :, t])
            generations = np.arange(len(mean))
            axes[1].plot(generations, mean, style, color=_COLOURS[t % 6], label=f"{trait}, {name}")
            axes[1].fill_between(generations, low, high, color=_COLOURS[t % 6], alpha=0.15, linewidth=0)
    axes[1].set_xlabel("generation")
    axes[1].set_ylabel("gain (founder phenotypic SD)")
    axes[1].legend(frameon=False, fontsize=8)
    for lever, panel in zip(levers, axes[2:], strict=True):
        for schedule, style in ((ends.start, "--"), (ends.found, "-")):
            for t, (name, values) in enumerate(columns_of([lever], schedule, traits).items()):
                label = f"{name.removeprefix('weight of ')}, {'start' if style == '--' else 'found'}"
                panel.plot(
                    np.arange(len(values)), values, style, marker="o", markersize=3, color=_COLOURS[t % 6], label=label
                )
        panel.set_xlabel("generation that is selected from")
        panel.set_ylabel(
            {"weights": "weight (share of all weights)"}.get(lever, f"{lever.replace('_', ' ')} ({_UNITS[lever][0]})")
        )
        low, high = panel.get_ylim()
        panel.set_ylim(min(0.0, low), 1.25 * high)  # room for the legend
        panel.legend(frameon=False, fontsize=8, loc="upper center", ncols=2, columnspacing=1.0)
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.suptitle(title, fontsize=12, parse_math=False)
    figure.supxlabel(
        f"{found.steps} steps, {found.eggs:,} eggs simulated; gains: {len(ends.before.gain)} replicates not seen "
        "by the search, bands 95 % intervals of the mean",
        fontsize=8,
        color="0.35",
    )
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def save_search(
    path: str | Path,
    found: Optimised,
    ends: Ends,
    traits: tuple[str, ...],
    limits: tuple[Limit, ...],
    *,
    scenario_text: str,
    seed: int,
    attributes: dict[str, Any],
) -> None:
    """Writes a search into one HDF5 file that xarray reads; see `jaxbreed.results.whole_file`.

    Args:
      path: the file; an older one is replaced.
      found: the search.
      ends: both ends, judged.
      traits: their names.
      limits: those kept.
      scenario_text: the scenario file's text.
      seed: of the search.
      attributes: anything else to record; strings and numbers.

    Raises:
      OSError: the file cannot be written; the older one is still there.
    """
    title = {"title": "Results of a jaxbreed optimisation", "scenario": scenario_text, "seed": seed}
    with whole_file(path) as file:
        file.attrs.update(provenance() | title | attributes | {"steps": found.steps, "eggs": found.eggs})
        labels: dict[str, Any] = {"trait": list(traits)}
        if limits:
            labels["limit"] = [limit.measure.name for limit in limits]

        def write(name: str, values: Any, dims: tuple[str, ...], unit: str, text: str) -> None:
            dataset = file.create_dataset(name, data=np.asarray(values))
            dataset.attrs.update({"units": unit, "long_name": text})
            for axis, (dim, size) in enumerate(zip(dims, dataset.shape, strict=True)):
                if dim not in file:
                    file.create_dataset(dim, data=labels.get(dim, np.arange(size))).make_scale(dim)
                dataset.dims[axis].attach_scale(file[dim])

        for when, schedule in (("start", ends.start), ("found", ends.found)):
            for name, (unit, text) in _UNITS.items():
                values = getattr(schedule, name)
                if values is not None:
                    dims = ("round", "trait") if name == "weights" else ("round",)
                    write(f"schedule_{name}_{when}", values, dims, unit, f"{text}; {when}")
        for when, course in (("start", ends.before), ("found", ends.after)):
            of = (
                f"of the schedule {when}, runs the search has not seen"
                if when == "found"
                else "of the schedule at the start"
            )
            per = ("replicate", "generation")
            write(f"gain_{when}", course.gain, (*per, "trait"), "founder phenotypic SD", f"gain {of}")
            write(
                f"variance_{when}",
                course.variance,
                (*per, "trait"),
                "founder phenotypic SD^2",
                f"genetic variance {of}",
            )
            write(f"inbreeding_{when}", course.inbreeding, per, "1", f"inbreeding of the eggs {of}")
            for name in ("entropy", "eggs", "tests"):
                write(f"{name}_{when}", getattr(course, name), ("replicate", "round"), "1", f"{name} {of}")
        write("value", found.history["value"], ("step",), "1", "objective at the iterate each step began with")
        write("penalised", found.history["penalised"], ("step",), "1", "the same less penalties of limits")
        write("gradient_norm", found.history["gradient_norm"], ("step",), "1", "length of the gradient")
        write("eggs_simulated", found.history["eggs"], ("step",), "eggs", "so far")
        if limits:
            for name in ("excess", "multipliers"):
                text = {"excess": "share by which a limit is exceeded", "multipliers": "of the augmented Lagrangian"}[
                    name
                ]
                write(name, found.history[name], ("step", "limit"), "1", text)
        write("trail", found.trail, ("iterate", "parameter"), "box", "iterates; levers in alphabetical order")
