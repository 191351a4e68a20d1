"""What knowing better is worth: more animals tested, more sessions of each, or genomic prediction.

    python experiments/accuracy/run.py            # full: 12 replicates (6 with prediction), about 7 minutes
    python experiments/accuracy/run.py --quick    # 3 replicates, 2 generations, under 2 minutes

Twenty pairs of a common octopus breed, 6 generations, one trait (h2 of one session 0.13, repeatability 0.25); the best
of all clutches are chosen, at most two of each sex from one family. Every number of animals tested meets every number
of sessions; then 500 to 2,000 animals are tested once, and parents are chosen by their own test, by genomic prediction
among the tested, or by prediction among 20,000 eggs, with a model trained anew in every generation or in the first
only. All differences are of the same founders, effects and seeds.
"""

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import COLOURS, publish, quick_asked, say
from replicates import Notebook, founders_of, run_from, ten_session_gain

from jaxbreed.summary import interval

HERE = Path(__file__).parent
SEED, PAIRS, EGGS, LOCI = 2026, 20, 20_000, 2_000
H2, REPEATABILITY = 0.13, 0.25
ANIMALS = (500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000)  # tested in a generation, all clutches together
SESSIONS = (1, 2, 4, 8, 16)
EQUAL = (2_000, 4_000, 8_000, 32_000)  # sessions in all at which animals are set against sessions
PREDICTED = (500, 1_000, 2_000)  # animals tested where prediction is compared
ARMS: dict[str, dict[str, Any] | None] = {
    "own test": None,
    "prediction among the tested": {"choose": "tested", "retrain": 1},
    "prediction among 20,000 eggs": {"choose": "eggs", "retrain": 1},
    "the same, trained once": {"choose": "eggs", "retrain": 0},
}
OWN, TESTED, RETRAINED, ONCE = ARMS


def base(generations: int, eggs: int, seed: int) -> dict[str, Any]:
    """What all arms share, as a scenario's table."""
    return {
        "species": "octopus-vulgaris",
        "programme": {"generations": generations, "lineages": PAIRS, "replicates": 1, "seed": seed},
        "clutch": {"eggs": eggs // PAIRS, "sires": 1, "survival": 1.0, "sexes": "alternate"},
        "genome": {"loci": LOCI, "qtl": LOCI // 2},
        "founders": {"effective_size": 1_000},
        "traits": {"intelligence": {"h2": H2, "repeatability": REPEATABILITY, "weight": 1.0}},
        "selection": {"scope": "across", "mating": "avoid_sibs", "quota": 2},
    }


def by_record(animals: int, sessions: int, generations: int, seed: int) -> dict[str, Any]:
    """Selection by the mean of an animal's sessions. Eggs that nobody tests are left out: they would change nothing."""
    return base(generations, animals, seed) | {"test": {"sessions": sessions}}


def by_plan(animals: int, plan: dict[str, Any] | None, generations: int, seed: int) -> dict[str, Any]:
    """One session of each; selection by it or by prediction, whose model is trained by all tests of the generation."""
    eggs = EGGS if plan and plan["choose"] == "eggs" else animals
    table = base(generations, eggs, seed) | {"stages": [{"kind": "test", "capacity": animals // PAIRS}]}
    return (
        table
        if plan is None
        else table | {"prediction": {"markers": LOCI // 2, "memory": 1, "training": animals, **plan}}
    )


def outcome(history: Any) -> dict[str, float]:
    """Gain in the end, F in the end, mean accuracy of what was selected on."""
    screen = history["screen_accuracy"][0, :-1] if "screen_accuracy" in history.data else np.array([np.nan])
    known = screen if np.isfinite(screen).all() else history["accuracy"][0, :-1]
    return {
        "gain": round(float(ten_session_gain(history)[0, -1]), 4),
        "inbreeding": round(float(history["inbreeding"][0, -1]), 4),
        "accuracy": round(float(known.mean()), 4),
    }


def replicate(seed: int, tables: dict[str, dict[str, Any]], notebook: Notebook) -> dict[str, dict[str, float]]:
    """All programmes of one seed, from the same founders and effects."""
    panel: list[Any] = []

    def run(table: dict[str, Any]) -> dict[str, float]:
        if not panel:
            panel.append(founders_of(table))
        return outcome(run_from(panel[0], table))

    return {name: notebook.ask(["accuracy", table], lambda table=table: run(table)) for name, table in tables.items()}


def marginal(gain: dict[tuple[int, int], np.ndarray], sessions: int) -> list[tuple[int, int, np.ndarray]]:
    """What 1,000 more animals add: from, to, and the paired gain for each 1,000 of the step, (replicate,)."""
    animals = sorted({a for a, s in gain if s == sessions})
    pairs = itertools.pairwise(animals)
    return [(a, b, (gain[b, sessions] - gain[a, sessions]) / (b - a) * 1_000) for a, b in pairs]


def draw_marginal(axes: Axes, gain: dict[tuple[int, int], np.ndarray]) -> None:
    for sessions, colour in zip(sorted({s for _, s in gain})[::2], COLOURS, strict=False):
        steps = marginal(gain, sessions)
        mean, low, high = np.array([interval(more) for _, _, more in steps]).T
        middle = [(a * b) ** 0.5 for a, b, _ in steps]
        label = f"{sessions} session{'s' * (sessions > 1)} each"
        axes.errorbar(middle, mean, [mean - low, high - mean], color=colour, marker="o", ms=4, capsize=2, label=label)
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.set(xscale="log", xlabel="animals tested in a generation", ylabel="gain of 1,000 more (SD)")
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_title("What 1,000 more animals add", fontsize=10)
    axes.legend(frameon=False, fontsize=8)


def draw_equal(axes: Axes, gain: dict[tuple[int, int], np.ndarray]) -> None:
    shown = False
    for total, colour in zip(EQUAL, COLOURS, strict=False):
        counts = sorted(s for a, s in gain if a * s == total)
        if len(counts) < 2:
            continue
        mean, low, high = np.array([interval(gain[total // s, s]) for s in counts]).T
        axes.errorbar(
            counts, mean, [mean - low, high - mean], color=colour, marker="o", ms=4, capsize=2, label=f"{total:,}"
        )
        shown = True
    axes.set(xscale="log", xlabel="sessions of each animal", ylabel="gain (SD)")
    axes.set_xticks(SESSIONS, [str(s) for s in SESSIONS])
    axes.set_title("Sessions or animals: the same sessions in all", fontsize=10)
    if shown:
        axes.legend(frameon=False, fontsize=8, title="sessions in all")


def draw_prediction(axes: Axes, arms: dict[str, dict[int, np.ndarray]]) -> None:
    for place, ((name, of), colour) in enumerate(zip(arms.items(), COLOURS, strict=False)):
        mean, low, high = np.array([interval(gains) for gains in of.values()]).T
        aside = [a + 12 * place for a in of]  # so that bars do not hide each other
        axes.errorbar(aside, mean, [mean - low, high - mean], color=colour, marker="o", ms=4, capsize=2, label=name)
    axes.set(xlabel="animals tested once in a generation", ylabel="gain (SD)")
    axes.set_title("Prediction added, retrained or not", fontsize=10)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, fontsize=8)


def table_of(
    gain: dict[tuple[int, int], np.ndarray],
    arms: dict[str, dict[int, np.ndarray]],
    others: dict[str, dict[int, dict[str, np.ndarray]]],
) -> str:
    """Markdown: gains, what more animals add, sessions against animals, prediction."""
    animals, sessions = sorted({a for a, _ in gain}), sorted({s for _, s in gain})
    head = " | ".join(f"{s} session{'s' * (s > 1)}" for s in sessions)
    rule = "|---" * (len(sessions) + 1) + "|"
    lines = ["**Gain** by animals tested in a generation and sessions of each", "", f"| animals | {head} |", rule]
    lines += [f"| {a:,} | {' | '.join(say(gain[a, s]) for s in sessions)} |" for a in animals]
    lines += [
        "",
        "**1,000 more animals**: paired gain by the thousand, mean over the step",
        "",
        f"| from, to | {head} |",
        rule,
    ]
    steps = {s: marginal(gain, s) for s in sessions}
    for row, (a, b, _) in enumerate(steps[sessions[0]]):
        lines.append(f"| {a:,}, {b:,} | {' | '.join(say(steps[s][row][2], 3) for s in sessions)} |")
    lines += ["", "**The same sessions in all**: gain less that of one session each (paired)", ""]
    lines += [f"| sessions in all | {head} |", rule]
    for total in EQUAL:
        if (total, 1) in gain:
            cells = [say(gain[total // s, s] - gain[total, 1]) if (total // s, s) in gain else "" for s in sessions[1:]]
            lines.append(f"| {total:,} | {say(gain[total, 1])}, of it | {' | '.join(cells)} |")
    lines += ["", "**Prediction**, one session each", ""]
    lines += [
        "| animals tested | chosen by | gain | more than by own test | accuracy | F |",
        "|---|---|---|---|---|---|",
    ]
    for a in arms[OWN]:
        for name in arms:
            more = "" if name == OWN else say(arms[name][a] - arms[OWN][a])
            rest = [say(others[name][a][key]) for key in ("accuracy", "inbreeding")]
            if name == TESTED:
                rest[0] = "-"  # what is kept is the accuracy of the animals' own tests
            lines.append(f"| {a:,} | {name} | {say(arms[name][a])} | {more} | {' | '.join(rest)} |")
    lines += ["", "| paired difference in gain | " + " | ".join(f"{a:,} tested" for a in arms[OWN]) + " |"]
    lines.append("|---" * (len(arms[OWN]) + 1) + "|")
    for more, less, what in ((RETRAINED, TESTED, "20,000 eggs"), (RETRAINED, ONCE, "training in every generation")):
        lines.append(f"| {what} | {' | '.join(say(arms[more][a] - arms[less][a]) for a in arms[OWN])} |")
    lines += ["", "| 1,000 more tests (paired) | " + " | ".join(arms) + " |", "|---" * (len(arms) + 1) + "|"]
    for a, b in itertools.pairwise(arms[OWN]):
        lines.append(f"| {a:,}, {b:,} | {' | '.join(say((of[b] - of[a]) / (b - a) * 1_000) for of in arms.values())} |")
    return "\n".join(lines) + "\n"


def collected(runs: list[dict[str, dict[str, float]]]) -> tuple[dict[Any, Any], dict[str, Any], dict[str, Any]]:
    """Runs of all replicates sorted.

    Returns:
      Gains by (animals, sessions); gains by arm and animals; accuracy and F by arm and animals. All (replicate,).
    """

    def values(name: str, key: str = "gain") -> np.ndarray:
        return np.array([run[name][key] for run in runs if name in run])

    crossed = [tuple(map(int, name.split(" x "))) for name in runs[0] if " x " in name]
    numbers = list(dict.fromkeys(int(name.split(", ")[0]) for name in runs[0] if ", " in name))
    gain = {(a, s): values(f"{a} x {s}") for a, s in crossed}
    arms = {name: {a: values(f"{a}, {name}") for a in numbers} for name in ARMS}
    others = {
        name: {a: {key: values(f"{a}, {name}", key) for key in ("accuracy", "inbreeding")} for a in numbers}
        for name in ARMS
    }
    return gain, arms, others


def main() -> None:
    quick = quick_asked(__doc__)
    generations, replicates, predicted = (2, 3, 3) if quick else (6, 12, 6)
    animals, sessions, numbers = (
        (ANIMALS[:3:2], SESSIONS[:3], PREDICTED[:1]) if quick else (ANIMALS, SESSIONS, PREDICTED)
    )
    notebook, runs = Notebook(HERE, quick), []
    for r in range(replicates):
        seed = SEED + r
        tables = {f"{a} x {s}": by_record(a, s, generations, seed) for a in animals for s in sessions}
        if r < predicted:
            plans = itertools.product(numbers, ARMS.items())
            tables |= {f"{a}, {name}": by_plan(a, plan, generations, seed) for a, (name, plan) in plans}
        runs.append(replicate(seed, tables, notebook))
        print(f"{r + 1} of {replicates} replicates", flush=True)

    gain, arms, others = collected(runs)
    figure = Figure(figsize=(14, 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    draw_marginal(left, gain)
    draw_equal(middle, gain)
    draw_prediction(right, arms)
    note = (
        f"{generations} generations, gain in founder phenotypic SD of ten sessions (h2 0.4); {replicates} replicates "
        f"({predicted} with prediction), bars: 95 % interval of the mean. Hypothetical animal and heritability"
    )
    record = {"seeds": [SEED + r for r in range(replicates)], "generations": generations, "runs": runs}
    publish(HERE, quick, record, table_of(gain, arms, others), figure, note)
    notebook.close()


if __name__ == "__main__":
    main()
