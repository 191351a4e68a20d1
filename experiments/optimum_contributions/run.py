"""What a limit on inbreeding costs: optimum contributions against truncation, and mating plans against each other.

    python experiments/optimum_contributions/run.py            # full: 16 replicates, about 8 minutes on two cores
    python experiments/optimum_contributions/run.py --quick    # 3 replicates, 4 generations, under 2 minutes

Left panel: 480,000 eggs a generation, one trait, h2 0.3. Truncation takes the best of all clutches; the fewer parents,
the more inbreeding. For each number of parents optimum contributions are asked for the rate of inbreeding that
truncation had, with as many clutches of the same founders. Right panel: 16 lineages that each select in their own
clutch of 20,000 eggs, by mating plan.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxbreed as jb
from jaxbreed.summary import interval

HERE = Path(__file__).parent
EGGS, DAMS, LINEAGES, H2, SEED = 480_000, 24, 16, 0.3, 2026
PLANS: dict[str, dict[str, Any]] = {
    "own lineage": {"mating": "within_lineage"},
    "own lineage, 1 male in 8 from another": {"mating": "within_lineage", "migration": 0.125},
    "random": {"mating": "random"},
    "sibs avoided": {"mating": "avoid_sibs"},
    "rotational": {"mating": "rotational"},
    "minimum kinship": {"mating": "minimum_kinship"},
    "maximum avoidance": {"mating": "maximum_avoidance"},
}
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "0.4")


class World:
    """Founders, map and trait that all programmes share."""

    def __init__(self, replicates: int, generations: int) -> None:
        self.replicates, self.generations = replicates, generations
        self.map = jb.GeneticMap.uniform(chromosomes=20, loci=3000, length_morgan=1.0)
        panel = 2 * DAMS * replicates
        self.founders = jb.Founders.from_frequencies(np.full(3000, 0.5), self.map, panel, SEED)
        self.traits = jb.additive_traits(self.founders.haplotypes, ["growth"], [H2], np.eye(1), qtl=1000, seed=SEED)

    def run(self, name: str, rate: float | None = None, **rules: Any) -> jb.History:
        """Runs one programme and says how long it took."""
        began = time.perf_counter()
        program = jb.make_program(self.map, self.traits, jb.Settings(**rules))
        schedule = jb.constant_schedule(self.generations, [1.0], inbreeding_rate=rate)
        history = jb.simulate(program, self.founders, schedule, replicates=self.replicates, seed=SEED)
        eggs, seconds = history.total_eggs, time.perf_counter() - began
        print(f"{name}: {eggs:,} eggs in {seconds:.0f} s", flush=True)
        return history


def rates(history: jb.History) -> np.ndarray:
    """Rate of inbreeding of each replicate: of mean kinship, the geometric mean over generations."""
    outbred = 1 - history["kinship"]
    return 1 - (outbred[:, -1] / outbred[:, 0]) ** (1 / (outbred.shape[1] - 1))


def compare(world: World) -> list[dict[str, Any]]:
    """Truncation with 6, 12 and 24 pairs of parents; optimum contributions at the same rates, and at lower ones."""
    rows: list[dict[str, Any]] = []

    def enter(name: str, dams: int, rate: float | None) -> float:
        rules: dict[str, Any] = {"lineages": dams, "eggs": (EGGS // dams,) * 2, "scope": "across", "mating": "random"}
        history = world.run(name, rate, **rules)
        rows.append(
            {
                "name": name,
                "dams": dams,
                "asked": rate,
                "rate": rates(history).round(6).tolist(),
                "gain": history["gain"][:, -1, 0].round(5).tolist(),
                "inbreeding": history["inbreeding"][:, -1].round(5).tolist(),
                "variance_left": (history["genetic_variance"][:, -1, 0] / history["genetic_variance"][:, 0, 0])
                .round(5)
                .tolist(),
                "sires": float(np.mean([len(np.unique(x[dams:, 0])) for x in np.asarray(history.parents.name)])),
            }
        )
        return float(np.mean(rows[-1]["rate"]))

    for dams in (6, 12, DAMS):
        rate = enter(f"truncation, {dams} dams and {dams} sires", dams, None)
        enter(f"optimum contributions, {dams} dams, the same rate", dams, round(rate, 4))
    enter(f"optimum contributions, {DAMS} dams, the rate of 12 pairs", DAMS, rows[3]["asked"])
    for rate in (0.01, 0.02):
        enter(f"optimum contributions, {DAMS} dams, rate {rate:g}", DAMS, rate)
    return rows


def plans(world: World) -> list[dict[str, Any]]:
    """Mating plans of lineages that select for themselves."""
    rows = []
    for name, rule in PLANS.items():
        rules: dict[str, Any] = {"lineages": LINEAGES, "eggs": (20_000, 20_000), "scope": "within", **rule}
        history = world.run(name, None, **rules)
        rows.append(
            {
                "name": name,
                "inbreeding": history["inbreeding"].round(5).tolist(),
                "gain": history["gain"][..., 0].round(5).tolist(),
            }
        )
    return rows


def draw_rates(axes: Axes, rows: list[dict[str, Any]], generations: int) -> None:
    """Gain by realised rate of inbreeding."""
    for word, colour, marker in (("truncation", "0.4", "s"), ("optimum", "#0072B2", "o")):
        of = sorted((row for row in rows if row["name"].startswith(word)), key=lambda row: np.mean(row["rate"]))
        gain, low, high = (np.array(x) for x in zip(*(interval(row["gain"]) for row in of), strict=True))
        at, left, right = (np.array(x) for x in zip(*(interval(row["rate"]) for row in of), strict=True))
        label = "truncation, so many pairs" if word == "truncation" else "optimum contributions, so many dams"
        bars = {"xerr": [at - left, right - at], "yerr": [gain - low, high - gain], "linestyle": "none"}
        axes.errorbar(at, gain, **bars, color=colour, marker=marker, capsize=2, label=label)
        joined = [word == "truncation" or row["dams"] == DAMS for row in of]
        axes.plot(at[joined], gain[joined], color=colour)
        for x, y, row in zip(at, gain, of, strict=True):
            axes.annotate(str(row["dams"]), (x, y), (4, 4), textcoords="offset points", color=colour, fontsize=8)
    axes.set(
        xlabel="rate of inbreeding, a generation",
        ylabel=f"gain after {generations} generations (founder phenotypic SD)",
        xlim=(0, None),
    )
    axes.set_title("480,000 eggs a generation, selected together", fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="lower left")


def draw_plans(axes: Axes, rows: list[dict[str, Any]]) -> None:
    """Inbreeding by generation and mating plan."""
    for row, colour, style in zip(rows, COLOURS, ("-", "--", "-", "--", "-", "--", ":"), strict=True):
        mean, low, high = interval(row["inbreeding"])
        axes.plot(mean, color=colour, linestyle=style, label=row["name"])
        axes.fill_between(range(len(mean)), low, high, color=colour, alpha=0.2, linewidth=0)
    axes.set(xlabel="generation", ylabel="inbreeding F of the eggs", ylim=(0, None))
    axes.set_yscale("function", functions=(lambda f: np.sqrt(np.maximum(f, 0)), np.square))
    axes.set_yticks([0, 0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8])
    axes.set_title("16 lineages that select for themselves", fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def say(of: Any, digits: int = 2) -> str:
    """Mean and 95 % interval."""
    mean, low, high = interval(of)
    return f"{mean:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def tables(rows: list[dict[str, Any]], mating: list[dict[str, Any]]) -> str:
    """Markdown tables of both panels."""
    lines = [
        "| programme | rate of inbreeding | gain | F of the eggs | variance left | sires |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [say(row["rate"], 4), say(row["gain"]), say(row["inbreeding"], 3), say(row["variance_left"])]
        lines.append(f"| {row['name']} | {' | '.join(cells)} | {row['sires']:.0f} |")
    lines += ["", "| gain of optimum contributions less that of truncation at the same rate | |", "|---|---|"]
    for truncated, optimum in zip(rows[0:6:2], rows[1:6:2], strict=True):  # the same founders
        lines.append(f"| {truncated['dams']} pairs | {say(np.subtract(optimum['gain'], truncated['gain']))} |")
    lines += ["", "| mating plan | F of the eggs at the end | gain at the end |", "|---|---|---|"]
    for row in mating:
        lines.append(
            f"| {row['name']} | {say(np.array(row['inbreeding'])[:, -1], 3)} | {say(np.array(row['gain'])[:, -1])} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs everything and writes results.json, table.md and figure.png (quick: under the name quick-)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few replicates and generations")
    quick = parser.parse_args().quick
    jb.use_cores()
    world = World(3, 4) if quick else World(16, 10)
    rows, mating = compare(world), plans(world)
    prefix = "quick-" if quick else ""
    record = {"jaxbreed": jb.__version__, "seed": SEED, "selected_together": rows, "mating_plans": mating}
    (HERE / f"{prefix}results.json").write_text(json.dumps(record, indent=1) + "\n")
    text = tables(rows, mating)
    (HERE / f"{prefix}table.md").write_text(text)
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_rates(left, rows, world.generations)
    draw_plans(right, mating)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(
        f"{world.replicates} replicates; bars and bands: 95 % interval of the mean", fontsize=8, color="0.35"
    )
    figure.savefig(HERE / f"{prefix}figure.png", dpi=150)
    print(text)


if __name__ == "__main__":
    main()
