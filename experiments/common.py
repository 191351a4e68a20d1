"""What the studies share: their one argument, means in words, where and with what they ran, their files."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxbreed as jb
from jaxbreed.summary import interval

sys.path.insert(0, str(Path(__file__).parent))
from benchmarks.machine import machine

MACHINE = machine()  # as it was when the study began
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "0.4")


def quick_asked(description: str | None) -> bool:
    """Reads the command line and makes all cores work.

    Args:
      description: of the study, shown by --help.

    Returns:
      Whether only a small version is wanted.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few replicates and generations")
    quick = bool(parser.parse_args().quick)
    jb.use_cores()
    return quick


def run_table(name: str, table: dict[str, Any]) -> jb.History:
    """Runs a scenario given as a table and says how long it took."""
    began = time.perf_counter()
    history = jb.run(jb.Scenario.model_validate(table))
    print(f"{name}: {history.total_eggs:,} eggs in {time.perf_counter() - began:.0f} s", flush=True)
    return history


def say(of: npt.ArrayLike, digits: int = 2) -> str:
    """Mean over replicates and its 95 % interval; a dash where no replicate has a value."""
    mean, low, high = (float(x) for x in interval(of))
    return "-" if mean != mean else f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def band(axes: Axes, values: npt.ArrayLike, start: int = 0, **line: Any) -> None:
    """Draws a mean over replicates, (replicate, generation), with its 95 % interval."""
    mean, low, high = interval(values)
    generation = range(start, start + len(mean))
    axes.plot(generation, mean, **line)
    axes.fill_between(generation, low, high, color=line["color"], alpha=0.2, linewidth=0)


def publish(folder: Path, quick: bool, record: dict[str, Any], text: str, figure: Figure, note: str) -> None:
    """Writes results.json, table.md and figure.png (quick: under the name quick-), and prints the table.

    Args:
      folder: of the study.
      quick: whether this was the small version.
      record: seeds and numbers of each replicate; machine, versions and commit are added.
      text: the table.
      figure: the figure.
      note: what stands under it, such as the number of replicates.
    """
    prefix = "quick-" if quick else ""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(note, fontsize=8, color="0.35")
    figure.savefig(folder / f"{prefix}figure.png", dpi=150)
    whole = {"machine": MACHINE} | record
    (folder / f"{prefix}results.json").write_text(json.dumps(whole, indent=1) + "\n")
    (folder / f"{prefix}table.md").write_text(text)
    print(text)
