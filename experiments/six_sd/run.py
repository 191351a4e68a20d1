"""Six phenotypic SD in fifteen years: how accurate must the tests be, and how many animals must be tested?

    python experiments/six_sd/run.py            # full: 16 replicates, about 8 minutes
    python experiments/six_sd/run.py --quick    # 6 replicates, a coarse map, one genome, 2 minutes

Mass selection on one additive trait among all animals tested in a generation, 20 or 40 of which breed. The accuracy
is that of the record among the founders, the square root of its heritability. Only animals that are tested can be
selected, so that only these are simulated: the clutches are as large as the tests. Octopuses share a genome (30
chromosomes, 20 Morgans), so that one run gives all of them: each is read at the generation that its 15 years reach.
"""

import itertools
import math
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import publish, quick_asked, say
from replicates import Notebook, founders_of, run_from, ten_session_gain, wilson

from jaxbreed.species import load
from jaxbreed.summary import interval

HERE = Path(__file__).parent
SEED, GOAL = 2026, 6.0
LOCI = 1_000  # all of them QTL
ACCURACIES = (0.3, 0.45, 0.6, 0.75, 0.9)
TESTS = (100, 320, 1_000, 3_200, 10_000, 32_000, 100_000)  # animals tested in a generation, in all clutches
PAIRS_ACCURACY = 0.6  # at which numbers of breeding pairs are compared
PAIRS = {100: (5, 10, 20), 1_000: (5, 10, 20, 40), 10_000: (5, 10, 20, 40)}


class Animal(NamedTuple):
    """A column of the map: a species, whose genome it takes, and the rounds of selection of the question."""

    species: str
    genome: str
    rounds: int
    strict: int  # the whole generations in 15 years

    @property
    def title(self) -> str:
        """Its name and time."""
        return f"{load(self.species).common}, {self.rounds} generations"

    @property
    def animals(self) -> float:
        """Animals that 20 females leave of their eggs, by the preset."""
        preset = load(self.species)
        eggs = sum(preset.eggs.value) / 2 if preset.mean_eggs is None else preset.mean_eggs.value
        return 20 * eggs * preset.survival_captive.value


def rounds_of(species: str) -> int:
    """Whole generations in 15 years."""
    return math.floor(15 / load(species).generation_years.value + 1e-9)


OCTOPUS, BOBTAIL = "octopus-maya", "euprymna-berryi"
ANIMALS = (
    # 4 and 10 rounds, as the naive figures count them: their last progeny is laid in year 16.
    Animal("enteroctopus-dofleini", OCTOPUS, 4, rounds_of("enteroctopus-dofleini")),
    Animal("octopus-vulgaris", OCTOPUS, 10, rounds_of("octopus-vulgaris")),
    Animal(OCTOPUS, OCTOPUS, rounds_of(OCTOPUS), rounds_of(OCTOPUS)),
    Animal(BOBTAIL, BOBTAIL, rounds_of(BOBTAIL), rounds_of(BOBTAIL)),
)
# 20 bobtails leave 3,400 animals: no room for more than 10,000 is looked at.
MOST_TESTS = {OCTOPUS: 100_000, BOBTAIL: 10_000}


def pairs_for(tests: int) -> int:
    """Breeding pairs: near the best number, see the table of pairs."""
    return 10 if tests < 1_000 else 20


def scenario(genome: str, tests: int, accuracy: float, pairs: int, seed: int) -> dict[str, Any]:
    """One cell of the map, as a scenario's table."""
    return {
        "species": genome,
        "programme": {"generations": rounds_of(genome), "lineages": pairs, "replicates": 1, "seed": seed},
        "clutch": {"eggs": tests // pairs, "sires": 1, "survival": 1.0, "sexes": "alternate"},
        "genome": {"loci": LOCI, "qtl": LOCI},
        "founders": {"effective_size": 1_000},
        "traits": {"intelligence": {"h2": round(accuracy**2, 6), "weight": 1.0}},
        "selection": {"scope": "across", "mating": "avoid_sibs"},
    }


def cells_of(genome: str, quick: bool) -> list[tuple[int, float, int]]:
    """Tests, accuracy and pairs of everything that is run: the map, then the comparison of numbers of pairs."""
    tests = [t for t in (TESTS[::2] if quick else TESTS) if t <= MOST_TESTS[genome]]
    cells = [(t, a, pairs_for(t)) for t, a in itertools.product(tests, ACCURACIES[::2] if quick else ACCURACIES)]
    if not quick:
        cells += [(t, PAIRS_ACCURACY, pairs) for t, several in PAIRS.items() for pairs in several]
    return list(dict.fromkeys(cells))


def read_at(genome: str) -> list[int]:
    """Generations at which runs with a genome are read."""
    return sorted({g for animal in ANIMALS if animal.genome == genome for g in (animal.rounds, animal.strict)})


def replicate(genome: str, seed: int, cells: list[tuple[int, float, int]], notebook: Notebook) -> list[Any]:
    """Every cell from the founders and effects of one seed: [gain, F] at the generations read."""
    panel: list[Any] = []

    def run(cell: tuple[int, float, int]) -> list[list[float]]:
        table = scenario(genome, *cell, seed)
        if not panel:
            panel.append(founders_of(table))
        history, at = run_from(panel[0], table), read_at(genome)
        return [ten_session_gain(history)[0, at].round(3).tolist(), history["inbreeding"][0, at].round(4).tolist()]

    return [
        notebook.ask([scenario(genome, *cell, seed), read_at(genome)], lambda cell=cell: run(cell)) for cell in cells
    ]


def gains_of(runs: dict[str, Any], animal: Animal, cell: tuple[int, float, int], rounds: int, what: int = 0) -> Any:
    """Gain (what 0) or F (1) of one animal in one cell, (replicate,)."""
    part = runs[animal.genome]
    place = part["generations"].index(rounds)
    return np.array(part["cells"][part["asked"].index(list(cell))])[:, what, place]


def map_cells(runs: dict[str, Any], animal: Animal) -> tuple[list[int], list[float]]:
    """Tests and accuracies of the map."""
    asked = [cell for cell in runs[animal.genome]["asked"] if cell[2] == pairs_for(cell[0])]
    return sorted({cell[0] for cell in asked}), sorted({cell[1] for cell in asked})


def draw(axes: Axes, runs: dict[str, Any], animal: Animal, of: str) -> None:
    """One map: the probability of the goal, or the gain."""
    tests, accuracies = map_cells(runs, animal)
    gains = [[gains_of(runs, animal, (t, a, pairs_for(t)), animal.rounds) for t in tests] for a in accuracies]
    values = np.array(gains).mean(-1)
    chance = (np.array(gains) >= GOAL).mean(-1)
    shown, top = (chance, 1.0) if of == "chance" else (values, 12.0)
    axes.imshow(shown, origin="lower", aspect="auto", cmap="viridis", vmin=0, vmax=top)
    if min(shown.shape) > 1 and chance.min() < 0.5 < chance.max():
        axes.contour(chance, levels=[0.5], colors="#F0E442", linewidths=2.5)
    for (row, column), value in np.ndenumerate(shown):
        sample = gains[row][column]
        if of == "chance":
            low, high = wilson(int((sample >= GOAL).sum()), len(sample))
            text = f"{100 * value:.0f}\n{100 * low:.0f}-{100 * high:.0f}"
        else:
            text = f"{value:.1f}\n±{value - float(interval(sample)[1]):.1f}"
        colour = "white" if value < 0.6 * top else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)
    axes.set_xticks(range(len(tests)), [f"{t:,}" for t in tests], rotation=40, fontsize=7)
    axes.set_yticks(range(len(accuracies)), [f"{a:g}" for a in accuracies], fontsize=8)
    room = np.interp(math.log(animal.animals), np.log(tests), range(len(tests)))
    axes.axvline(room, color="#D55E00", linestyle="--", linewidth=1.5)
    star = " *" if load(animal.species).hypothetical else ""
    axes.set_title(animal.title + star, fontsize=9)


def figure_of(runs: dict[str, Any], animals: list[Animal]) -> Figure:
    """Maps of probability above, of gain below."""
    figure = Figure(figsize=(4.1 * len(animals), 7), layout="constrained")
    panels = figure.subplots(2, len(animals), squeeze=False)
    names = {"chance": "% that reach 6 SD, and 95 % interval", "gain": "gain (SD) ± half its 95 % interval"}
    for row, (of, name) in zip(panels, names.items(), strict=True):
        for axes, animal in zip(row, animals, strict=True):
            draw(axes, runs, animal, of)
            axes.set_xlabel("animals tested in a generation", fontsize=8)
        row[0].set_ylabel(f"{name}\naccuracy of the record", fontsize=9)
    return figure


def chance_cell(gains: np.ndarray) -> str:
    """Probability of the goal with its interval, and the gain with its own."""
    hits = int((gains >= GOAL).sum())
    low, high = wilson(hits, len(gains))
    return f"{100 * hits / len(gains):.0f} % ({100 * low:.0f} to {100 * high:.0f}); {say(gains)} SD"


def table_of(runs: dict[str, Any], animals: list[Animal]) -> str:
    """Markdown: a map for each animal, the strict 15 years, numbers of pairs."""
    lines = []
    for animal in animals:
        tests, accuracies = map_cells(runs, animal)
        lines += [f"**{animal.title}**: probability of 6 SD (95 % interval, Wilson); mean gain (95 % interval)", ""]
        lines += [
            f"| tested | {' | '.join(f'accuracy {a:g}' for a in accuracies)} | F |",
            "|---" * (len(accuracies) + 2) + "|",
        ]
        for t in tests:
            cells = [chance_cell(gains_of(runs, animal, (t, a, pairs_for(t)), animal.rounds)) for a in accuracies]
            middle = accuracies[len(accuracies) // 2]
            inbreeding = gains_of(runs, animal, (t, middle, pairs_for(t)), animal.rounds, 1).mean()
            lines.append(f"| {t:,} | {' | '.join(cells)} | {inbreeding:.2f} |")
        lines.append("")
    strict = [animal for animal in animals if animal.strict != animal.rounds]
    if strict:
        lines += [
            "**Whole generations in 15 years**, accuracy 0.9, the most tests",
            "",
            "| | 6 SD; gain |",
            "|---|---|",
        ]
    for animal in strict:
        tests, accuracies = map_cells(runs, animal)
        gains = gains_of(runs, animal, (tests[-1], accuracies[-1], pairs_for(tests[-1])), animal.strict)
        lines.append(f"| {load(animal.species).common}, {animal.strict} generations | {chance_cell(gains)} |")
    several = [cell for cell in runs[animals[0].genome]["asked"] if cell[1] == PAIRS_ACCURACY and cell[0] in PAIRS]
    if len({cell[2] for cell in several}) > 2:
        lines += ["", f"**Breeding pairs**, accuracy {PAIRS_ACCURACY:g}: mean gain (95 % interval)", ""]
        lines += [
            "| tested | pairs | " + " | ".join(a.title for a in animals) + " |",
            "|---" * (len(animals) + 2) + "|",
        ]
        for cell in sorted(several, key=lambda cell: (cell[0], cell[2])):
            gains = [say(gains_of(runs, animal, tuple(cell), animal.rounds)) for animal in animals]
            lines.append(f"| {cell[0]:,} | {cell[2]} | {' | '.join(gains)} |")
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    quick = quick_asked(__doc__)
    seeds = [SEED + r for r in range(6 if quick else 16)]
    notebook, runs = Notebook(HERE, quick), {}
    for genome in [OCTOPUS] if quick else [OCTOPUS, BOBTAIL]:
        cells, samples = cells_of(genome, quick), []
        for seed in seeds:
            samples.append(replicate(genome, seed, cells, notebook))
            print(f"{genome}: {len(samples)} of {len(seeds)} replicates, {len(cells)} cells each", flush=True)
        runs[genome] = {"generations": read_at(genome), "asked": [list(cell) for cell in cells]}
        # (cell, replicate, [gain, F], generation)
        runs[genome]["cells"] = np.array(samples).swapaxes(0, 1).tolist()
    animals = [animal for animal in ANIMALS if animal.genome in runs]
    note = (
        f"{len(seeds)} replicates with own founders and effects. Yellow line: half of them reach 6 SD; dashed: "
        "animals that 20 females leave by the preset. * hypothetical in captivity; all heritabilities are hypothetical"
    )
    record = {"seeds": seeds, "goal": GOAL, "runs": runs}
    publish(HERE, quick, record, table_of(runs, animals), figure_of(runs, animals), note)
    notebook.close()


if __name__ == "__main__":
    main()
