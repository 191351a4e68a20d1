"""What fecundity itself buys: clutches from 100 eggs to 4 million, and the same eggs in few clutches or in many.

    python experiments/clutch_size/run.py            # full: 12 replicates, about 7 minutes on two cores
    python experiments/clutch_size/run.py --quick    # up to 10,000 eggs, 3 replicates, under a minute

Every egg is raised and tested (h2 0.4 of the mean of about ten sessions), the best female and the best male of each of
8 clutches breed, one sire a clutch, sibs avoided. Theory: the best of so many unrelated animals (i h2), and the best of
so many full sibs, which share half of the additive variance and compete for the other half. Below, 96,000 eggs a
generation are laid by 4 to 96 females, and the best of all clutches together breed, or the best of each. Every
replicate has founders and QTL effects of its own, and all its arms start from them: fewer females are some of the many.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxbreed as jb
from jaxbreed.summary import interval
from jaxbreed.theory import intensity_of_best

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import COLOURS, publish, quick_asked, say
from replicates import Notebook, founders_of, run_from

HERE = Path(__file__).parent
SEED, H2, LINEAGES, GENERATIONS, ROUNDS = 2026, 0.4, 8, 4, 8
LOCI, PANEL = 1_000, 200  # all of them QTL; founders, of whom the first breed
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 4_000_000)
TOTAL = 96_000
SPLITS = (4, 12, 24, 96)


def scenario(lineages: int, eggs: int, generations: int, scope: str, seed: int) -> dict[str, Any]:
    """The programme, as a scenario's table."""
    return {
        "species": "octopus-vulgaris",
        "programme": {"lineages": lineages, "generations": generations, "replicates": 1, "seed": seed},
        "clutch": {"eggs": eggs, "sires": 1, "survival": 1.0},
        "genome": {"loci": LOCI, "qtl": LOCI},
        "founders": {"effective_size": 1_000},
        "traits": {"intelligence": {"h2": H2, "weight": 1.0}},
        "selection": {"scope": scope, "mating": "avoid_sibs"},
    }


def strangers(eggs: int) -> float:
    """Gain a generation, phenotypic SD, if the eggs of a clutch were unrelated: i h2, the best of each sex chosen."""
    return intensity_of_best(1, eggs // 2) * H2


def sibs(eggs: int, within: float = H2 / 2) -> float:
    """The same of the best of a full-sib clutch, in the first generation, with so much additive variance inside."""
    return float(intensity_of_best(1, eggs // 2) * within / np.sqrt(within + 1 - H2))


def outcome(history: jb.History) -> dict[str, float]:
    """What is kept of one run."""
    return {
        "first": round(float(history["gain"][0, 1, 0]), 5),
        "last": round(float(history["gain"][0, -1, 0]), 5),
        "inbreeding": round(float(history["inbreeding"][0, -1]), 5),
        "within": round(float(history["variance_within"][0, 0, 0] / history.sd_phenotypic[0] ** 2), 5),
    }


def draw_sizes(axes: Axes, sizes: dict[int, dict[str, Any]]) -> None:
    """Gain after four generations by clutch size, with both theories of the first generation."""
    x = np.array(list(sizes))
    for key, colour, label, factor in (
        ("first", COLOURS[2], "simulated, first generation", 1),
        ("last", COLOURS[0], f"simulated, mean of {GENERATIONS} generations", GENERATIONS),
    ):
        mean, low, high = interval(np.array([of[key] for of in sizes.values()]) / factor, axis=1)
        axes.errorbar(x, mean, [mean - low, high - mean], fmt="o-", color=colour, capsize=2, label=label)
    inside = float(np.mean([of["within"] for of in sizes.values()]))
    fine = np.geomspace(x[0], x[-1], 40).astype(int)
    axes.plot(fine, [strangers(n) for n in fine], color="0.5", linestyle="--", label="theory: unrelated animals")
    axes.plot(
        fine, [sibs(n, inside) for n in fine], color="0.2", linestyle=":", label="theory: full sibs, first generation"
    )
    axes.set(xscale="log", xlabel="eggs in a clutch, all tested", ylabel="gain a generation (founder phenotypic SD)")
    axes.set_ylim(bottom=0)
    axes.set_title(f"{LINEAGES} clutches, the best of each breed", fontsize=10)
    axes.legend(frameon=False, fontsize=8)


def draw_splits(axes: Axes, splits: dict[str, dict[str, Any]], total: int, rounds: int) -> None:
    """Gain against inbreeding, for the same eggs in few or many clutches."""
    for scope, colour in (("across", COLOURS[1]), ("within", COLOURS[0])):
        arms = {name: of for name, of in splits.items() if name.endswith(scope)}
        f, f_low, f_high = interval([of["inbreeding"] for of in arms.values()], axis=1)
        gain, low, high = interval([of["last"] for of in arms.values()], axis=1)
        label = "best of all together" if scope == "across" else "best of each clutch"
        bars = {"xerr": [f - f_low, f_high - f], "yerr": [gain - low, high - gain]}
        axes.errorbar(f, gain, **bars, fmt="o-", color=colour, capsize=2, label=label)
        for name, place, height in zip(arms, f, gain, strict=True):
            axes.annotate(name.split()[0], (place, height), (5, 4), textcoords="offset points", fontsize=8)
    axes.set(xlabel=f"F after {rounds} generations", ylabel=f"gain after {rounds} generations (founder phenotypic SD)")
    axes.set_title(f"{total:,} eggs a generation, laid by so many females", fontsize=10)
    axes.legend(frameon=False, fontsize=8)


def table_of(sizes: dict[int, dict[str, Any]], splits: dict[str, dict[str, Any]], total: int, rounds: int) -> str:
    """The tables as Markdown."""
    lines = [
        "| eggs in a clutch | first generation | full sibs, theory at their variance | unrelated, theory "
        "| after 4 generations | more than a tenth of the eggs (paired) |",
        "|---" * 6 + "|",
    ]
    before: dict[str, Any] | None = None
    for eggs, of in sizes.items():
        more = "" if before is None else say(np.subtract(of["last"], before["last"]))
        theory = f"{sibs(eggs, float(np.mean(of['within']))):.2f} | {strangers(eggs):.2f}"
        lines.append(f"| {eggs:,} | {say(of['first'])} | {theory} | {say(of['last'])} | {more} |")
        before = of
    lines += ["", f"| {total:,} eggs laid by | breeders | gain after {rounds} | F |", "|---|---|---|---|"]
    for name, of in splits.items():
        females, scope = name.split()
        who = "best of all together" if scope == "across" else "best of each clutch"
        lines.append(f"| {females} females | {who} | {say(of['last'])} | {say(of['inbreeding'], 3)} |")
    text = "\n".join(lines) + "\n"
    return text.replace("| 4,000,000 |", "| 4,000,000 (4 times) |")


def arms_of(quick: bool, seed: int) -> dict[str, dict[str, Any]]:
    """Scenarios of one replicate by name: clutch sizes as numbers, then females and scope."""
    arms = {str(n): scenario(LINEAGES, n, GENERATIONS, "within", seed) for n in (SIZES[:3] if quick else SIZES)}
    total, rounds = split_of(quick)
    for scope in ("across", "within"):
        for n in SPLITS[:2] if quick else SPLITS:
            arms[f"{n} {scope}"] = scenario(n, total // n, rounds, scope, seed)
    return arms


def split_of(quick: bool) -> tuple[int, int]:
    """Eggs of a generation that few or many females lay, and generations."""
    return (TOTAL // 10, 3) if quick else (TOTAL, ROUNDS)


def replicate(arms: dict[str, dict[str, Any]], notebook: Notebook) -> dict[str, dict[str, float]]:
    """All arms from the same founders and effects."""
    panel: list[Any] = []

    def run(table: dict[str, Any]) -> dict[str, float]:
        if not panel:
            panel.append(founders_of(table, PANEL))
        return outcome(run_from(panel[0], table))

    return {name: notebook.ask(["clutch_size", table], lambda table=table: run(table)) for name, table in arms.items()}


def collected(runs: list[dict[str, dict[str, float]]]) -> tuple[dict[int, Any], dict[str, Any]]:
    """Sizes, then splits: by arm and key, a list over replicates."""
    arms = {name: {key: [run[name][key] for run in runs] for key in runs[0][name]} for name in runs[0]}
    return {int(n): of for n, of in arms.items() if " " not in n}, {n: of for n, of in arms.items() if " " in n}


def main() -> None:
    quick = quick_asked(__doc__)
    seeds = [SEED + r for r in range(3 if quick else 12)]
    notebook, runs = Notebook(HERE, quick), []
    for seed in seeds:
        runs.append(replicate(arms_of(quick, seed), notebook))
        print(f"{len(runs)} of {len(seeds)} replicates", flush=True)
    sizes, splits = collected(runs)
    total, rounds = split_of(quick)
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_sizes(left, sizes)
    draw_splits(right, splits, total, rounds)
    note = (
        f"{len(seeds)} replicates with own founders and effects, bars: 95 % interval of the mean. Hypothetical: nobody "
        "can raise and test every egg"
    )
    record = {"seeds": seeds, "total": total, "rounds": rounds, "runs": runs}
    publish(HERE, quick, record, table_of(sizes, splits, total, rounds), figure, note)
    notebook.close()


if __name__ == "__main__":
    main()
