"""200,000 eggs of a clutch and room to test 1,000: what is genomic prediction worth?

    python experiments/genomic_screening/run.py            # full: 6 replicates, 5 generations, about 10 minutes
    python experiments/genomic_screening/run.py --quick    # 2 replicates, 2 generations, about 1 minute

Four lineages of a common octopus, one sire a clutch, one test session of 1,000 animals of each clutch, h2 0.13. The
parents of the next generation are, of each clutch: the best of the 1,000 by their own test; the best of the 1,000 by
genomic prediction; the best of all 200,000 by genomic prediction, with a model that is trained anew on every
generation's tests; or with one that was trained on the first generation's only.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxbreed as jb
from jaxbreed.accuracy import accuracy, full_sib_accuracy, full_sib_segments, within_family_h2

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import COLOURS, band, publish, quick_asked, run_table, say

HERE = Path(__file__).parent
LINEAGES, EGGS, TESTED, H2, MARKERS, SEED = 4, 200_000, 1_000, 0.13, 2_000, 2026
CHROMOSOMES = [20 / 30] * 30  # Morgans; both sexes
ARMS: dict[str, dict[str, Any] | None] = {
    "own test, of 1,000": None,
    "prediction, of 1,000": {"choose": "tested", "retrain": 1},
    "prediction, of 200,000": {"choose": "eggs", "retrain": 1},
    "prediction, of 200,000, trained once": {"choose": "eggs", "retrain": 0},
}
OWN, AMONG, RETRAINED, ONCE = ARMS
KEPT = ("accuracy", "screen_accuracy", "screen_accuracy_within", "inbreeding")


def scenario(prediction: dict[str, Any] | None, replicates: int, generations: int) -> dict[str, Any]:
    """The programme, as a scenario's table."""
    table: dict[str, Any] = {
        "species": "octopus-vulgaris",
        "programme": {"lineages": LINEAGES, "generations": generations, "replicates": replicates, "seed": SEED},
        "clutch": {"eggs": EGGS, "sires": 1, "survival": 1.0},
        "founders": {"effective_size": 1_000},
        "traits": {"intelligence": {"h2": H2, "weight": 1.0}},
        "stages": [{"kind": "test", "capacity": TESTED}],
        "selection": {"scope": "within", "mating": "avoid_sibs"},
    }
    if prediction is not None:  # trained by all tests of the generation and half of those of the one before
        training = LINEAGES * TESTED * 3 // 2
        table["prediction"] = {"markers": MARKERS, "memory": 2, "training": training, **prediction}
    return table


def theory(history: jb.History) -> dict[str, np.ndarray]:
    """Expected accuracy within families, (replicate, generation), from the variance that each generation has there.

    Daetwyler's formula, Me of a full-sib family, 1,000 sibs tested; and the same with segments of unequal weight.
    """
    within = history["variance_within"][..., 0]
    residual = history.sd_phenotypic[0] ** 2 - history.sd_additive[0] ** 2
    h2, segments = within / (within + residual), full_sib_segments(CHROMOSOMES)
    return {
        "daetwyler": np.vectorize(lambda h: accuracy(TESTED, h, segments))(h2),
        "unequal_segments": np.vectorize(lambda h: full_sib_accuracy(TESTED, h, CHROMOSOMES))(h2),
    }


def outcome(history: jb.History) -> dict[str, Any]:
    """What is kept of one arm."""
    kept = {"gain": history["gain"][..., 0]} | {name: history[name] for name in KEPT}
    kept["variance_within"] = history["variance_within"][..., 0] / history.sd_phenotypic[0] ** 2
    kept["variance_between"] = history["variance_between"][..., 0] / history.sd_phenotypic[0] ** 2
    return {name: value.round(5) for name, value in (kept | theory(history)).items()} | {"eggs": history.total_eggs}


def draw_gain(axes: Axes, arms: dict[str, Any]) -> None:
    for (name, arm), colour in zip(arms.items(), COLOURS, strict=False):
        band(axes, arm["gain"], color=colour, label=name)
    axes.set(xlabel="generation", ylabel="gain (founder phenotypic SD)", xticks=range(arms[OWN]["gain"].shape[1]))
    axes.set_title("Gain: the same 1,000 tests a clutch", fontsize=10)
    axes.legend(frameon=False, fontsize=8)


def draw_accuracy(axes: Axes, arms: dict[str, Any], key: str, title: str) -> None:
    for name, colour in ((RETRAINED, COLOURS[2]), (ONCE, COLOURS[3])):
        band(axes, arms[name][key][:, :-1], color=colour, label=f"realised, {name.removeprefix('prediction, of ')}")
    if key.endswith("within"):
        for which, style in (("daetwyler", "--"), ("unequal_segments", ":")):
            label = "Daetwyler, Me 123" if which == "daetwyler" else "segments of unequal weight"
            axes.plot(arms[RETRAINED][which].mean(0)[:-1], color="0.2", linestyle=style, label=f"theory: {label}")
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.set(xlabel="generation", ylabel="accuracy", ylim=(-0.2, 1), xticks=range(arms[OWN]["gain"].shape[1] - 1))
    axes.set_title(title, fontsize=10)
    axes.legend(frameon=False, fontsize=8, loc="lower left")


def table(arms: dict[str, Any]) -> str:
    """Markdown tables: gains, their paired differences, accuracies by generation."""
    last = arms[OWN]["gain"].shape[1] - 1
    lines = [
        f"| parents chosen by | gain after 1 generation | after {last} | more than by own test | F |",
        "|---|---|---|---|---|",
    ]
    for name, arm in arms.items():
        more = "" if name == OWN else say(arm["gain"][:, -1] - arms[OWN]["gain"][:, -1])
        cells = (say(arm["gain"][:, 1]), say(arm["gain"][:, -1]), more, say(arm["inbreeding"][:, -1], 3))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    pairs = ((RETRAINED, AMONG, "200,000 eggs instead of 1,000"), (RETRAINED, ONCE, "training every generation"))
    lines += ["", "| what it adds to the gain, same founders | |", "|---|---|"]
    for more, less, what in pairs:
        lines.append(f"| {what} | {say(arms[more]['gain'][:, -1] - arms[less]['gain'][:, -1])} |")
    lines += [
        "",
        "| generation | within families, retrained | Daetwyler | unequal segments | within, trained once "
        "| all eggs, retrained | all eggs, trained once |",
        "|---|---|---|---|---|---|---|",
    ]
    new, old = arms[RETRAINED], arms[ONCE]
    for g in range(last):
        theory_cells = [f"{new[key][:, g].mean():.2f}" for key in ("daetwyler", "unequal_segments")]
        cells = [say(new["screen_accuracy_within"][:, g]), *theory_cells, say(old["screen_accuracy_within"][:, g])]
        cells += [say(new["screen_accuracy"][:, g]), say(old["screen_accuracy"][:, g])]
        lines.append(f"| {g} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    quick = quick_asked(__doc__)
    replicates, generations = (2, 2) if quick else (6, 5)
    arms = {name: outcome(run_table(name, scenario(plan, replicates, generations))) for name, plan in ARMS.items()}
    figure = Figure(figsize=(14, 4.6), layout="constrained")
    gain, within, overall = figure.subplots(1, 3)
    draw_gain(gain, arms)
    draw_accuracy(within, arms, "screen_accuracy_within", "Accuracy within full-sib families")
    draw_accuracy(overall, arms, "screen_accuracy", f"Accuracy among all eggs of {LINEAGES} clutches")
    segments = full_sib_segments(CHROMOSOMES)
    record = {
        "seed": SEED,
        "founders": {
            "within_family_h2": within_family_h2(H2),
            "segments": segments,
            "daetwyler": accuracy(TESTED, within_family_h2(H2), segments),
            "unequal_segments": full_sib_accuracy(TESTED, within_family_h2(H2), CHROMOSOMES),
        },
        "scenario": scenario(ARMS[RETRAINED], replicates, generations),
        "arms": {
            name: {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in arm.items()}
            for name, arm in arms.items()
        },
    }
    note = f"{replicates} replicates; bands: 95 % interval of the mean. Hypothetical animal and heritability"
    publish(HERE, quick, record, table(arms), figure, note)


if __name__ == "__main__":
    main()
