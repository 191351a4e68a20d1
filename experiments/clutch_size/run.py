"""What fecundity itself buys: clutches from 100 eggs to 4 million, and the same eggs in few clutches or in many.

    python experiments/clutch_size/run.py            # full: about 6 minutes on two cores
    python experiments/clutch_size/run.py --quick    # up to 10,000 eggs, 2 replicates, about a minute

Every egg is raised and tested (h2 0.4 of the mean of about ten sessions), the best female and the best male of each of
8 clutches breed, one sire a clutch, sibs avoided. Theory: the best of so many unrelated animals (i h2), and the best of
so many full sibs, which share half of the additive variance and compete for the other half. Below, 96,000 eggs a
generation are laid by 4 to 96 females, and the best of all clutches together breed, or the best of each.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxbreed as jb
from jaxbreed.theory import intensity_of_best

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import COLOURS, publish, quick_asked, run_table, say

HERE = Path(__file__).parent
SEED, H2, LINEAGES, GENERATIONS, ROUNDS = 2026, 0.4, 8, 4, 8
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 4_000_000)
TOTAL = 96_000
SPLITS = (4, 12, 24, 96)


def scenario(lineages: int, eggs: int, generations: int, replicates: int, scope: str) -> dict[str, Any]:
    """The programme, as a scenario's table."""
    return {
        "species": "octopus-vulgaris",
        "programme": {"lineages": lineages, "generations": generations, "replicates": replicates, "seed": SEED},
        "clutch": {"eggs": eggs, "sires": 1, "survival": 1.0},
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


def outcome(history: jb.History) -> dict[str, Any]:
    """What is kept of one arm, by replicate."""
    gain = history["gain"][..., 0]
    return {
        "first": gain[:, 1].round(5).tolist(),
        "last": gain[:, -1].round(5).tolist(),
        "inbreeding": history["inbreeding"][:, -1].round(5).tolist(),
        "within": (history["variance_within"][:, 0, 0] / history.sd_phenotypic[0] ** 2).round(5).tolist(),
        "eggs": history.total_eggs,
    }


def draw_sizes(axes: Axes, sizes: dict[int, dict[str, Any]]) -> None:
    """Gain after four generations by clutch size, with both theories of the first generation."""
    x = np.array(list(sizes))
    for key, colour, label, factor in (
        ("first", COLOURS[2], "simulated, first generation", 1),
        ("last", COLOURS[0], f"simulated, mean of {GENERATIONS} generations", GENERATIONS),
    ):
        values = np.array([of[key] for of in sizes.values()]) / factor
        mean = values.mean(1)
        half = 2 * values.std(1, ddof=1) / np.sqrt(values.shape[1])
        axes.errorbar(x, mean, yerr=half, fmt="o-", color=colour, capsize=2, label=label)
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


def draw_splits(axes: Axes, splits: dict[str, dict[str, Any]]) -> None:
    """Gain against inbreeding, for the same eggs in few or many clutches."""
    for scope, colour in (("across", COLOURS[1]), ("within", COLOURS[0])):
        arms = {name: of for name, of in splits.items() if name.endswith(scope)}
        f = [np.mean(of["inbreeding"]) for of in arms.values()]
        gain = np.array([of["last"] for of in arms.values()])
        half = 2 * gain.std(1, ddof=1) / np.sqrt(gain.shape[1])
        label = "best of all together" if scope == "across" else "best of each clutch"
        axes.errorbar(f, gain.mean(1), yerr=half, fmt="o-", color=colour, capsize=2, label=label)
        for name, place, height in zip(arms, f, gain.mean(1), strict=True):
            axes.annotate(name.split()[0], (place, height), (5, 4), textcoords="offset points", fontsize=8)
    axes.set(xlabel=f"F after {ROUNDS} generations", ylabel=f"gain after {ROUNDS} generations (founder phenotypic SD)")
    axes.set_title(f"{TOTAL:,} eggs a generation, laid by 4 to 96 females", fontsize=10)
    axes.legend(frameon=False, fontsize=8)


def table_of(sizes: dict[int, dict[str, Any]], splits: dict[str, dict[str, Any]]) -> str:
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
    lines += ["", f"| {TOTAL:,} eggs laid by | breeders | gain after {ROUNDS} | F |", "|---|---|---|---|"]
    for name, of in splits.items():
        females, scope = name.split()
        who = "best of all together" if scope == "across" else "best of each clutch"
        lines.append(f"| {females} females | {who} | {say(of['last'])} | {say(of['inbreeding'], 3)} |")
    text = "\n".join(lines) + "\n"
    return text.replace("| 4,000,000 |", "| 4,000,000 (4 times) |")


def split(total: int, females: tuple[int, ...], rounds: int, replicates: int) -> dict[str, dict[str, Any]]:
    """So many eggs by few females or many, from the same founders: fewer females take some of them."""
    arms = [
        jb.Arm(
            f"{n} {scope}",
            {"programme": {"lineages": n}, "clutch": {"eggs": total // n}, "selection": {"scope": scope}},
        )
        for scope in ("across", "within")
        for n in females
    ]
    base = scenario(females[-1], total // females[-1], rounds, replicates, "across")
    result = jb.compare(base, arms, on_arm=lambda name, number, of: print(f"  {number}/{of} {name}", flush=True))
    return {arm.name: outcome(result[arm.name]) for arm in arms}


def main() -> None:
    quick = quick_asked(__doc__)
    replicates = 2 if quick else 6
    sizes = {
        eggs: outcome(run_table(f"{eggs:,} eggs", scenario(LINEAGES, eggs, GENERATIONS, replicates, "within")))
        for eggs in (SIZES[:3] if quick else SIZES)
    }
    rounds, total = (3, TOTAL // 10) if quick else (ROUNDS, TOTAL)
    splits = split(total, SPLITS[:2] if quick else SPLITS, rounds, replicates)
    figure = Figure(figsize=(12, 4.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_sizes(left, sizes)
    draw_splits(right, splits)
    note = f"{replicates} replicates, bars: 2 standard errors. Hypothetical: nobody can raise and test every egg"
    publish(HERE, quick, {"seed": SEED, "sizes": sizes, "splits": splits}, table_of(sizes, splits), figure, note)


if __name__ == "__main__":
    main()
