"""Fifteen years of the same selection in ten species.

    python experiments/species/run.py            # full: 8 replicates, about 7 minutes
    python experiments/species/run.py --quick    # three species, 2 replicates, 5 years, about 1 minute

Each preset brings its own generation time, clutches, sires, survival, chromosomes, maps, clutch effects and bottleneck.
The trait is the same everywhere: ten sessions of a test of which one has a heritability of 0.13 and repeats by 0.25. In
every generation 24 females lay, and the best 24 of each sex of all clutches breed. Room to test is the same for a
generation (100 animals of each clutch) or for a year (600 animals in all).
"""

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import publish, quick_asked, say
from replicates import Notebook, founders_of, run_from, ten_session_gain

from jaxbreed.species import available, load
from jaxbreed.summary import interval

HERE = Path(__file__).parent
SEED, YEARS, FEMALES, LOCI, PANEL = 2026, 15.0, 24, 1_000, 200
ROOM, ROOM_A_YEAR, SESSIONS = 100, 600, 10  # animals of a clutch; animals of all clutches
# The giant octopus's preset would leave 10 animals of a clutch, too few for 4 sires of each; five times as many live
# here, as in the waterfall: hypothetical, like the animal.
SURVIVAL = {"enteroctopus-dofleini": 5e-4}
QUICK = ("euprymna-berryi", "gadus-morhua", "octopus-maya")
GENERATION, YEAR = ARMS = ("as many a generation", "as many a year")


def rounds_of(species: str, years: float) -> int:
    """Whole generations in so many years."""
    return max(1, math.floor(years / load(species).generation_years.value + 1e-9))


def scenario(species: str, arm: str, years: float, seed: int) -> dict[str, Any]:
    """One programme, as a scenario's table."""
    preset = load(species)
    survival = SURVIVAL.get(species, preset.survival_captive.value)
    # Eggs that die are left out: only who lives can be tested. Whose place in the clutch is which does not matter.
    living = [max(2, round(eggs * survival)) for eggs in preset.eggs.value]
    room = round(ROOM_A_YEAR * preset.generation_years.value / FEMALES) if arm == YEAR else ROOM
    trait = {
        "h2": preset.h2_cognition.value,
        "repeatability": preset.repeatability.value,
        "clutch": preset.clutch_variance.value,
        "weight": 1.0,
    }
    return {
        "species": species,
        "programme": {
            "generations": rounds_of(species, years),
            "lineages": FEMALES,
            "replicates": 1,
            "seed": seed,
        },
        "clutch": {"eggs": living, "survival": 1.0, "tested": room},
        "genome": {"loci": LOCI, "qtl": LOCI},
        "founders": {"effective_size": 1_000},
        "traits": {"intelligence": trait},
        "test": {"sessions": SESSIONS},
        "selection": {"scope": "across", "males": FEMALES, "mating": "avoid_sibs"},
    }


def ancestry_of(species: str, seed: int) -> tuple[Any, ...]:
    """What the founders depend on: species with the same chromosomes and history share them."""
    preset = load(species)
    narrow = preset.demography.bottleneck
    history = () if narrow is None else (narrow.generations_ago.value, narrow.effective_size.value)
    maps = (preset.map_morgans_female.value, preset.map_morgans_male.value)
    return (seed, preset.chromosomes.value, maps, history)


def outcome(history: Any) -> dict[str, Any]:
    """Gain and F by generation, animals tested in all, accuracy and intensity of selection."""
    return {
        "gain": ten_session_gain(history)[0].round(4).tolist(),
        "inbreeding": history["inbreeding"][0].round(4).tolist(),
        "tests": int(history["tests"][0, :-1].sum()),
        "accuracy": round(float(history["accuracy"][0, :-1].mean()), 4),
        "intensity": round(float(history["intensity"][0, :-1].mean()), 4),
    }


def run_all(names: list[str], years: float, seeds: list[int], notebook: Notebook) -> dict[str, Any]:
    """By species and arm, a list over replicates."""
    runs: dict[str, Any] = {name: {arm: [] for arm in ARMS} for name in names}
    for seed in seeds:
        panels: dict[Any, Any] = {}

        def run(name: str, table: dict[str, Any], panels: dict[Any, Any] = panels, seed: int = seed) -> dict[str, Any]:
            origin = ancestry_of(name, seed)
            if origin not in panels:
                panels[origin] = founders_of(table, PANEL)
            return outcome(run_from(panels[origin], table))

        for name in names:
            for arm in ARMS:
                table = scenario(name, arm, years, seed)
                asked = ["species", table]
                runs[name][arm].append(notebook.ask(asked, lambda name=name, table=table: run(name, table)))
        print(f"{seed - seeds[0] + 1} of {len(seeds)} replicates", flush=True)
    return runs


def of(runs: dict[str, Any], name: str, arm: str, key: str) -> np.ndarray:
    """One result of one programme, (replicate, ...)."""
    return np.array([run[key] for run in runs[name][arm]], float)


def title(name: str) -> str:
    """Common name, with a star where the animal is hypothetical in captivity."""
    return load(name).common + (" *" if load(name).hypothetical else "")


def spent(runs: dict[str, Any], name: str) -> float:
    """Years that the whole generations take."""
    generations = of(runs, name, GENERATION, "gain").shape[1] - 1
    return generations * load(name).generation_years.value


def draw_years(axes: Axes, runs: dict[str, Any]) -> None:
    for number, name in enumerate(runs):
        mean, low, high = interval(of(runs, name, GENERATION, "gain"))
        year = np.arange(len(mean)) * load(name).generation_years.value
        colour = colormaps["tab10"](number)
        axes.plot(year, mean, color=colour, label=title(name), linestyle="--" if load(name).hypothetical else "-")
        axes.fill_between(year, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.set(xlabel="year", ylabel="gain (founder phenotypic SD of ten sessions)")
    axes.set_title("100 animals of each of 24 clutches tested", fontsize=10)
    axes.legend(frameon=False, fontsize=7)


def draw_bars(axes: Axes, runs: dict[str, Any], key: str, label: str, heading: str) -> None:
    names = list(runs)
    for shift, arm, colour in ((-0.2, GENERATION, "#0072B2"), (0.2, YEAR, "#D55E00")):
        last = [interval(of(runs, name, arm, key)[:, -1]) for name in names]
        mean, low, high = np.array(last, float).T
        place = np.arange(len(names)) + shift
        what = "tested: up to 2,400 a generation" if arm == GENERATION else "tested: 600 a year"
        axes.barh(place, mean, height=0.38, color=colour, label=what)
        axes.errorbar(mean, place, xerr=[mean - low, high - mean], fmt="none", color="black", capsize=2, linewidth=1)
    axes.set_yticks(range(len(names)), [title(name) for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel=label)
    axes.set_title(heading, fontsize=10)
    axes.legend(frameon=False, fontsize=8)


def table_of(runs: dict[str, Any]) -> str:
    """Markdown: gain, by year and generation, F; then with equal tests a year, and what that takes."""
    lines = [
        "| species | years a generation | generations | tested in all | gain | a year | a generation | F |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in runs:
        gain, inbreeding = (of(runs, name, GENERATION, key)[:, -1] for key in ("gain", "inbreeding"))
        generations = of(runs, name, GENERATION, "gain").shape[1] - 1
        cells = [f"{load(name).generation_years.value:g}", f"{generations}"]
        cells += [f"{of(runs, name, GENERATION, 'tests').mean():,.0f}", say(gain), say(gain / spent(runs, name), 3)]
        lines.append(f"| {title(name)} | {' | '.join([*cells, say(gain / generations), say(inbreeding, 3)])} |")
    head = "600 tested a year: tested in all | gain | more than with 2,400 a generation (paired)"
    lines += ["", f"| species | {head} | F | accuracy | intensity |", "|---" * 7 + "|"]
    for name in runs:
        cells = [f"{of(runs, name, YEAR, 'tests').mean():,.0f}"]
        gain = of(runs, name, YEAR, "gain")[:, -1]
        cells += [say(gain), say(gain - of(runs, name, GENERATION, "gain")[:, -1])]
        cells.append(say(of(runs, name, YEAR, "inbreeding")[:, -1], 3))
        cells += [f"{of(runs, name, YEAR, key).mean():.2f}" for key in ("accuracy", "intensity")]
        lines.append(f"| {title(name)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    quick = quick_asked(__doc__)
    years = 5.0 if quick else YEARS
    names = sorted(QUICK if quick else available(), key=lambda name: -load(name).generation_years.value)
    seeds = [SEED + r for r in range(2 if quick else 8)]
    notebook = Notebook(HERE, quick)
    runs = run_all(names, years, seeds, notebook)
    figure = Figure(figsize=(15, 5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    draw_years(left, runs)
    draw_bars(middle, runs, "gain", "gain (SD)", f"Gain in {years:g} years")
    draw_bars(right, runs, "inbreeding", "F of the last eggs", "Inbreeding")
    note = (
        f"{len(seeds)} replicates with own founders and effects; bands and bars: 95 % interval of the mean. "
        "* hypothetical in captivity; the trait is hypothetical in all"
    )
    record = {"seeds": seeds, "years": years, "runs": runs}
    publish(HERE, quick, record, table_of(runs), figure, note)
    notebook.close()


if __name__ == "__main__":
    main()
