"""The figure of the page: trajectories beside AlphaSimR, linkage disequilibrium, spectrum, recombination."""

from typing import Any

import numpy as np
from ancestry import EDGES, HISTORIES, RARE, spectrum
from common import COLOURS
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from reference import GENERATIONS, PAIRS_MORGAN, haldane, kosambi
from tables import NAMES

NORMAL = 1.959964
PANELS = (
    ("mean1", "mean of trait 1 (trait unit)"),
    ("var1", "genetic variance of trait 1 (trait unit²)"),
    ("het", "heterozygosity of the selected"),
)


def draw(runs: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(15, 8.4), layout="constrained")
    axes = figure.subplots(2, 4)
    for place, (column, label) in enumerate(PANELS):
        _trajectory(axes[0, place], runs, column, label)
    _deviates(axes[0, 3], runs)
    _spectrum(axes[1, 0], runs)
    _linkage(axes[1, 1], runs)
    _recombination(axes[1, 2], runs)
    _peers(axes[1, 3], runs)
    return figure


def _trajectory(axes: Axes, runs: dict[str, Any], column: str, label: str) -> None:
    generation = np.arange(1, GENERATIONS + 1)
    for (name, columns), colour in zip(runs["alphasimr"]["sets"].items(), COLOURS, strict=False):
        c = columns[column]
        mean, error = np.array(c["ours"]), NORMAL * np.array(c["ours_se"])
        axes.plot(generation, mean, color=colour, label=f"jaxbreed, {name}")
        axes.fill_between(generation, mean - error, mean + error, color=colour, alpha=0.3, linewidth=0)
        bars = NORMAL * np.array(c["theirs_se"])
        axes.errorbar(
            generation,
            c["theirs"],
            bars,
            fmt="o",
            ms=3,
            capsize=2,
            color=colour,
            mfc="white",
            label=f"AlphaSimR, {name}",
        )
    axes.set(xlabel="generation", ylabel=label)
    axes.set_xticks(generation[1::2])
    if column == "mean1":
        axes.legend(frameon=False, fontsize=8)


def _deviates(axes: Axes, runs: dict[str, Any]) -> None:
    generation = np.arange(1, GENERATIONS + 1)
    for (name, columns), colour in zip(runs["alphasimr"]["sets"].items(), COLOURS, strict=False):
        for place, c in enumerate(columns.values()):
            axes.plot(generation, c["z"], color=colour, alpha=0.6, linewidth=1, label=None if place else name)
    threshold, many = (runs["alphasimr"]["family"][key] for key in ("threshold", "comparisons"))
    for sign in (-1, 1):
        axes.axhline(sign * threshold, color="0.4", linestyle="--", linewidth=1)
    axes.text(
        GENERATIONS, threshold + 0.1, f"passed by the largest of {many} with 5 %", fontsize=7, ha="right", color="0.3"
    )
    axes.set(xlabel="generation", ylabel="jaxbreed less AlphaSimR (standard errors)", ylim=(-6.5, 5))
    axes.set_title("All 11 columns", fontsize=10)
    axes.set_xticks(generation[1::2])
    axes.legend(frameon=False, fontsize=8, loc="lower right")


def _spectrum(axes: Axes, runs: dict[str, Any]) -> None:
    for (name, rows), colour in zip(runs["founders"]["histories"].items(), COLOURS, strict=False):
        if "other seeds" in name:
            continue  # lies on the first
        found = [row for row in rows if "copies" in row["what"]]
        copies = np.array([int(row["what"].split()[-1]) for row in found])
        mean, error = (np.array([row[key] for row in found]) for key in ("ours", "ours_se"))
        axes.errorbar(copies, mean, NORMAL * error, fmt="o", ms=3, color=colour, label=f"jaxbreed, {name}")
        axes.plot(copies, [row["plain"] for row in found], "x", ms=4, color=colour)
        if HISTORIES[name].step is None:
            axes.plot(copies, spectrum(HISTORIES[name].least)[copies], color=colour, linewidth=1)
    axes.plot([], [], "x", color="0.4", label="msprime and tskit")
    axes.plot([], [], color="0.4", linewidth=1, label="1 / i")
    axes.set(
        xlabel="copies of the mutant among 40 haplotypes",
        ylabel="share of loci",
        yscale="log",
        xscale="log",
        ylim=(2e-3, 0.5),
    )
    axes.legend(frameon=False, fontsize=7)


def _linkage(axes: Axes, runs: dict[str, Any]) -> None:
    left = 100 * np.maximum(EDGES[:-1], EDGES[1] / 4)  # the first interval starts at 0
    middle = np.sqrt(left * 100 * EDGES[1:])
    for history, start, colour, label in (
        ("constant", "sum of D2", COLOURS[0], "ΣD² / Σpqrs"),
        (f"at least {RARE} copies", "mean r2", COLOURS[1], f"mean r², at least {RARE} copies"),
    ):
        found = [row for row in runs["founders"]["histories"][history] if row["what"].startswith(start)]
        mean, error = (np.array([row[key] for row in found]) for key in ("ours", "ours_se"))
        axes.errorbar(middle, mean, NORMAL * error, fmt="o", ms=4, capsize=2, color=colour, label=f"jaxbreed, {label}")
        axes.plot(middle, [row["plain"] for row in found], "x", ms=6, color=colour, label=f"msprime and tskit, {label}")
        theory = [row["theory" if start == "sum of D2" else "hill_weir"] for row in found]
        source = "Ohta and Kimura 1971" if start == "sum of D2" else "Hill and Weir 1988, approximate"
        axes.hlines(theory, left, 100 * EDGES[1:], color=colour, linewidth=1, label=source)
    axes.set(xlabel="distance (cM)", ylabel="linkage disequilibrium", xscale="log", ylim=(0, 0.6))
    axes.legend(frameon=False, fontsize=7)


def _recombination(axes: Axes, runs: dict[str, Any]) -> None:
    d = np.linspace(0, 1.05)
    axes.plot(100 * d, haldane(d), color="0.2", linewidth=1, label="Haldane")
    axes.plot(100 * d, kosambi(d), color="0.6", linewidth=1, linestyle="--", label="Kosambi")
    programmes = runs["peers"]["meiosis"]
    for number, (name, rows) in enumerate(programmes.items()):
        seen = [row["seen"] for row in rows[: len(PAIRS_MORGAN)]]
        peer, _, option = name.partition(", ")
        aside = 100 * np.array(PAIRS_MORGAN) + 1.2 * (number - len(programmes) / 2)
        axes.plot(
            aside,
            seen,
            "o" if option in ("", "RecombRate", "Haldane", "rates", "PoissonInterval") else "x",
            ms=4,
            color=(*COLOURS, "brown")[number],
            label=f"{NAMES.get(peer, peer)} {option}",
        )
    axes.set(xlabel="distance (cM; points moved apart)", ylabel="recombination fraction", ylim=(0, 1.05))
    axes.legend(frameon=False, fontsize=7)


def _peers(axes: Axes, runs: dict[str, Any]) -> None:
    generation = np.arange(1, GENERATIONS + 1)
    for (name, peer), colour in zip(runs["peers"]["peers"].items(), COLOURS, strict=False):
        if "columns" not in peer:
            continue
        for place, c in enumerate(peer["columns"].values()):
            label = None if place else f"{NAMES[name]}, {peer['replicates']} replicates"
            axes.plot(generation, c["z"], color=colour, alpha=0.6, linewidth=1, label=label)
        for sign in (-1, 1):
            axes.axhline(sign * peer["family"]["threshold"], color=colour, linestyle="--", linewidth=0.8)
    axes.set(xlabel="generation", ylabel="jaxbreed less peer (standard errors)", ylim=(-11, 7.5))
    axes.set_title("Additive programme, all 11 columns", fontsize=10)
    axes.set_xticks(generation[1::2])
    axes.legend(frameon=False, fontsize=7, loc="lower right")
