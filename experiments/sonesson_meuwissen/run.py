"""Sonesson & Meuwissen 2009 (doi:10.1186/1297-9686-41-37): genomic selection of fish by tests of their sibs.

    python experiments/sonesson_meuwissen/run.py            # full: 4 replicates, about 10 minutes
    python experiments/sonesson_meuwissen/run.py --quick    # 2 replicates, 1 round of selection, about 2 minutes

Theirs: founders of a population of effective size 1,000, 100 full-sib families a generation with 3,000 candidates and
3,000 tested sibs of theirs, h2 0.4, 500 markers a Morgan. Here: 50 dams and 50 sires with two mates each, 30 animals of
each family tested, 10 chromosomes of 1 Morgan. Candidates here are all eggs, the tested ones too; so that
their own records do not matter, families have 1,000 eggs, and parents are drawn at random from the best 1 in 30 of
each sex, which is as intense as taking 50 of 1,500. The model is trained anew in every generation, in every second or
in the first only; and in every generation with the QTL among the markers, as if sequences were typed.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxbreed as jb
from jaxbreed.markers import choose_markers

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import COLOURS, band, publish, quick_asked, say

HERE = Path(__file__).parent
DAMS, MATES, FAMILY, TESTED, H2, CHROMOSOMES, SEED = 50, 2, 1_000, 30, 0.4, 10, 2026
LOCI, QTL, MARKERS, SHARE = 12_000, 1_000, 5_000, 1 / 30
ARMS = {
    "every generation": {"retrain": 1},
    "every second generation": {"retrain": 2, "memory": 1},  # nobody is tested in between
    "first generation only": {"retrain": 0},
    "every generation, QTL typed": {"retrain": 1, "typed": True},
}
EVERY, SECOND, FIRST, TYPED = ARMS
PUBLISHED = {
    EVERY: {"accuracy": 0.823, "level": 6.35},
    SECOND: {"level": 6.35 / 1.09},
    FIRST: {"accuracy": 0.304, "level": 6.35 / 1.72},
}


class World:
    """Founders, trait and markers that all arms share."""

    def __init__(self, replicates: int, rounds: int) -> None:
        self.replicates, self.rounds = replicates, rounds
        self.founders = jb.coalescent(
            individuals=2 * DAMS * replicates * 3 // 2,  # a place for each of two sires of every dam
            loci=LOCI,
            length_morgan=np.ones((2, CHROMOSOMES)),
            effective_size=1_000,
            seed=SEED,
        )
        haplotypes = self.founders.haplotypes
        self.traits = jb.additive_traits(haplotypes, ["survival"], [H2], np.eye(1), qtl=QTL, seed=SEED)
        self.qtl = np.asarray(self.traits.qtl)
        self.markers = choose_markers(haplotypes, MARKERS, taken=self.qtl, seed=SEED)

    def run(self, name: str, retrain: int, memory: int = 2, typed: bool = False) -> dict[str, Any]:
        """Runs one arm; values by replicate and generation, in genetic SD of the founders."""
        began = time.perf_counter()
        settings = jb.Settings(
            lineages=DAMS,
            eggs=(MATES * FAMILY,) * 2,
            sires=(MATES, MATES),
            scope="across",
            mating="random",
            stages=(jb.Stage("test", capacity=MATES * TESTED),),
            prediction=jb.PredictionPlan(
                choose="eggs", retrain=retrain, memory=memory, training=2 * DAMS * MATES * TESTED
            ),
        )
        program = jb.make_program(
            self.founders.map,
            self.traits,
            settings,
            markers=np.union1d(self.markers, self.qtl) if typed else self.markers,
            frequency=self.founders.frequencies,
        )
        # One round more than levels are asked of: the accuracy of the last generation shows when it is selected.
        schedule = jb.constant_schedule(self.rounds + 1, [1.0], fraction=SHARE, males=DAMS)
        history = jb.simulate(program, self.founders, schedule, replicates=self.replicates, seed=SEED)
        print(f"{name}: {history.total_eggs:,} eggs in {time.perf_counter() - began:.0f} s", flush=True)
        sd = history.sd_additive[0]
        values = {
            "level": (history["trait_mean"][..., 0] - history["trait_mean"][:, :1, 0]) / sd,
            "accuracy": history["screen_accuracy"],
            "accuracy_within": history["screen_accuracy_within"],
            "genetic_variance": history["genetic_variance"][..., 0] / sd**2,
            "inbreeding": history["inbreeding"],
        }
        return {key: value[:, : self.rounds + 1].round(5) for key, value in values.items()}


def draw(axes: Axes, arms: dict[str, Any], key: str, label: str) -> None:
    for (name, arm), colour in zip(arms.items(), COLOURS, strict=False):
        band(axes, arm[key], color=colour, label=name)
        if key in PUBLISHED.get(name, {}):
            axes.plot(5, PUBLISHED[name][key], "*", color=colour, markersize=12, clip_on=False)
    axes.set(xlabel="generation", ylabel=label, ylim=(0, None), xticks=range(6))


def table(arms: dict[str, Any], rounds: int) -> str:
    """Markdown: levels and accuracies of the last generation beside what was published."""
    lines = [
        f"| model trained | level in generation {rounds} (genetic SD) | published, 5 | accuracy in 0 | in {rounds} "
        f"| published, 5 | within families, {rounds} | F | genetic variance left |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, arm in arms.items():
        said = {key: f"{value:.3g}" for key, value in PUBLISHED.get(name, {}).items()}
        cells = [say(arm["level"][:, -1]), said.get("level", ""), say(arm["accuracy"][:, 0])]
        cells += [say(arm["accuracy"][:, -1]), said.get("accuracy", ""), say(arm["accuracy_within"][:, -1])]
        left = arm["genetic_variance"][:, -1] / arm["genetic_variance"][:, 0]
        lines.append(f"| {name} | {' | '.join(cells)} | {say(arm['inbreeding'][:, -1], 3)} | {say(left)} |")
    lines += ["", "| more gain by training every generation than | % | published, % |", "|---|---|---|"]
    for name, published in ((SECOND, 9), (FIRST, 72)):
        more = 100 * (arms[EVERY]["level"][:, -1] / arms[name]["level"][:, -1] - 1)
        lines.append(f"| {name} | {say(more, 0)} | {published} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    quick = quick_asked(__doc__)
    world = World(2, 1) if quick else World(4, 5)
    arms = {name: world.run(name, **plan) for name, plan in ARMS.items()}
    figure = Figure(figsize=(10, 4.4), layout="constrained")
    level, accuracy = figure.subplots(1, 2)
    draw(level, arms, "level", "genetic level (genetic SD of the founders)")
    draw(accuracy, arms, "accuracy", "accuracy among the eggs")
    accuracy.set(ylim=(0, 1))
    level.legend(frameon=False, fontsize=8, title="model trained", title_fontsize=8)
    figure.suptitle("Sonesson & Meuwissen 2009 again: 100 families, 3,000 tested sibs, h2 0.4", fontsize=10)
    record = {
        "seed": SEED,
        "published": PUBLISHED,
        "arms": {name: {key: value.tolist() for key, value in arm.items()} for name, arm in arms.items()},
    }
    note = f"{world.replicates} replicates; bands: 95 % interval of the mean; stars: published"
    publish(HERE, quick, record, table(arms, world.rounds), figure, note)


if __name__ == "__main__":
    main()
