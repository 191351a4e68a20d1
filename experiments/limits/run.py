"""Where selection ends: lineages needed against inbreeding, and the plateau under few loci, pleiotropy and ceilings.

    python experiments/limits/run.py            # full: 16 replicates, about 5 minutes on two cores
    python experiments/limits/run.py --quick    # few lineages and generations, 3 replicates, about a minute

First, rates of inbreeding: 2 to 128 lineages, one sire a clutch, 200 animals of each clutch tested (h2 0.4), breeders
the best of each clutch with sibs avoided, or the best of all clutches together. Then 40 generations of 24 lineages:
with 30, 300 or 1,000 QTL; with 24 or 6 lineages; with a loss of 3 % of the mean for 10 % inbreeding; with a second
trait, correlated -0.5, that counts half as much; with a test that shows nothing above 4 SD. Every replicate has
founders and QTL effects of its own; all its arms start from these founders (6 lineages from some of the 24's).
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxbreed as jb

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import COLOURS, band, publish, quick_asked, say
from replicates import Notebook, founders_of, run_from

from jaxbreed.summary import interval

HERE = Path(__file__).parent
SEED, EGGS, H2, LOCI = 2026, 200, 0.4, 1_000
PANEL = 256  # founders: as many as the most lineages need
NUMBERS = (2, 4, 8, 16, 32, 64, 128)
SCOPES = {"within": "best of each clutch", "across": "best of all together"}
PLAIN, SECOND = "24 lineages, 1,000 QTL", "a second trait, correlated -0.5, counts half"
FEW, CEILING = "30 QTL", "tests see nothing above 4 SD"
LIMITS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "300 QTL": {"genome": {"loci": LOCI, "qtl": 300}},
    FEW: {"genome": {"loci": LOCI, "qtl": 30}},
    "6 lineages": {"programme": {"lineages": 6}},
    "inbreeding depression, 3 %": {
        "traits": {"intelligence": {"h2": H2, "weight": 1.0, "inbreeding_depression": 3.0, "dominance_sd": 0.3}}
    },
    SECOND: {
        "traits": {"intelligence": {"h2": H2, "weight": 1.0}, "sociability": {"h2": H2, "weight": 0.5}},
        "correlations": {"genetic": -0.5},
    },
    CEILING: {
        "traits": {"intelligence": {"h2": H2, "weight": 1.0, "ceiling": 4.0}},
        "stages": [{"kind": "test", "capacity": EGGS}],
    },
}


def scenario(lineages: int, generations: int, seed: int, scope: str = "within") -> dict[str, Any]:
    """The plain programme, as a scenario's table."""
    return {
        "species": "octopus-vulgaris",
        "programme": {"lineages": lineages, "generations": generations, "replicates": 1, "seed": seed},
        "clutch": {"eggs": EGGS, "sires": 1, "survival": 1.0},
        "genome": {"loci": LOCI, "qtl": LOCI},
        "founders": {"effective_size": 1_000},
        "traits": {"intelligence": {"h2": H2, "weight": 1.0}},
        "selection": {"scope": scope, "mating": "avoid_sibs"},
    }


def limited(changes: dict[str, Any], generations: int, seed: int) -> dict[str, Any]:
    """The plain programme of 24 lineages with a limit."""
    table = scenario(24, generations, seed)
    for key, value in changes.items():
        table[key] = value if key in ("stages", "traits") else table.get(key, {}) | value
    return table


def rate(history: jb.History) -> float:
    """Rate of inbreeding a generation after the first two: 1 - F falls by it."""
    f = history["inbreeding"][0]
    return round(float(1 - ((1 - f[-1]) / (1 - f[2])) ** (1 / (len(f) - 3))), 6)


def needed(rates: dict[int, list[float]], limit: float) -> str:
    """Lineages at which the mean rate falls to a limit: straight between the points, both in logarithms."""
    x, y = np.log(list(rates)), np.log([max(np.mean(r), 1e-6) for r in rates.values()])
    if y[-1] > np.log(limit):
        return f"more than {list(rates)[-1]}"
    return f"{np.exp(np.interp(-np.log(limit), -y, x)):.0f}"


def draw_rates(axes: Axes, rates: dict[str, dict[int, list[float]]]) -> None:
    """Rates of inbreeding by number of lineages."""
    for (scope, of), colour in zip(rates.items(), COLOURS, strict=False):
        mean, low, high = interval(np.array(list(of.values())) * 100, axis=1)
        bars = [mean - low, high - mean]
        axes.errorbar(list(of), mean, bars, fmt="o-", color=colour, capsize=2, label=SCOPES[scope])
    numbers = np.array(list(rates["within"]))
    axes.plot(numbers, 100 / (8 * numbers), color="0.4", linestyle=":", label="theory: families of equal size, 1/(8 N)")
    axes.axhline(1, color="0.6", linewidth=0.8)
    ticks = [0.1, 0.3, 1, 3, 10]
    axes.set(xscale="log", yscale="log", xlabel="lineages", ylabel="rate of inbreeding (% a generation)")
    axes.set_xticks(numbers, [str(n) for n in numbers])
    axes.set_yticks(ticks, [str(t) for t in ticks])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)


def draw_gain(axes: Axes, arms: dict[str, dict[str, Any]]) -> None:
    """Gain by generation under each limit."""
    for (name, of), colour in zip(arms.items(), COLOURS, strict=False):
        band(axes, np.array(of["gain"]), color=colour, label=name)
    axes.set(xlabel="generation", ylabel="gain in intelligence (founder phenotypic SD)")
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def table_of(rates: dict[str, dict[int, list[float]]], arms: dict[str, dict[str, Any]]) -> str:
    """The tables as Markdown."""
    lines = [
        "| lineages | " + " | ".join(f"rate of inbreeding, {SCOPES[s]} (%)" for s in rates) + " |",
        "|---|---|---|",
    ]
    for number in rates["within"]:
        cells = " | ".join(say(np.array(of[number]) * 100) for of in rates.values())
        lines.append(f"| {number} | {cells} |")
    cells = " | ".join(f"{needed(of, 0.01)} lineages for 1 %" for of in rates.values())
    lines += [f"| needed | {cells} |", ""]
    generations = len(arms[PLAIN]["gain"][0]) - 1
    half = generations // 2
    lines += [
        f"| limit | gain after {half} generations | after {generations} | more than without (paired) | last "
        f"{generations // 4} generations, a generation | genetic variance left | F |",
        "|---" * 7 + "|",
    ]
    plain = np.array(arms[PLAIN]["gain"])
    for name, of in arms.items():
        gain = np.array(of["gain"])
        less = "" if name == PLAIN else say(gain[:, -1] - plain[:, -1])
        late = (gain[:, -1] - gain[:, -1 - generations // 4]) / (generations // 4)
        cells = [
            say(gain[:, half]),
            say(gain[:, -1]),
            less,
            say(late, 3),
            say(of["variance_left"]),
            say(of["inbreeding"]),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", f"The second trait: {say(arms[SECOND]['second'])} SD after {generations} generations."]
    shown = f"{say(arms[CEILING]['shown'])} SD more than the founders' progeny"
    lines += ["", f"Under the ceiling, what the animals of generation {generations - 1} show: {shown}."]
    return "\n".join(lines) + "\n"


def outcome(history: jb.History) -> dict[str, Any]:
    """What is kept of one run of many generations."""
    variance = history["genetic_variance"][0, :, 0]
    kept = {
        "gain": history["gain"][0, :, 0].round(4).tolist(),
        "variance_left": round(float(variance[-1] / variance[0]), 4),
        "inbreeding": round(float(history["inbreeding"][0, -1]), 4),
    }
    if history["gain"].shape[-1] > 1:
        kept["second"] = round(float(history["gain"][0, -1, 1]), 4)
    shown = history["performance"][0, :-1, 0] / history.sd_phenotypic[0]
    kept["shown"] = round(float(shown[-1] - shown[0]), 4)
    return kept


def replicate(seed: int, quick: bool, notebook: Notebook) -> dict[str, Any]:
    """All programmes from the founders of one seed."""
    panel: list[Any] = []

    def ask(table: dict[str, Any], look: Callable[[jb.History], Any]) -> Any:
        def run() -> Any:
            if not panel:
                panel.append(founders_of(table, PANEL))
            return look(run_from(panel[0], table))

        return notebook.ask(["limits", look.__name__, table], run)

    rounds, generations = (6, 8) if quick else (12, 40)
    numbers = NUMBERS[1:4:2] if quick else NUMBERS
    names = (PLAIN, FEW, SECOND, CEILING) if quick else tuple(LIMITS)
    rates = {scope: {str(n): ask(scenario(n, rounds, seed, scope), rate) for n in numbers} for scope in SCOPES}
    arms = {name: ask(limited(LIMITS[name], generations, seed), outcome) for name in names}
    return {"rates": rates, "arms": arms}


def collected(runs: list[dict[str, Any]]) -> tuple[dict[str, dict[int, Any]], dict[str, dict[str, Any]]]:
    """Rates by scope and number of lineages, and arms by name and key: lists over replicates."""
    first = runs[0]
    rates = {s: {int(n): [run["rates"][s][n] for run in runs] for n in of} for s, of in first["rates"].items()}
    arms = {a: {key: [run["arms"][a][key] for run in runs] for key in of} for a, of in first["arms"].items()}
    return rates, arms


def main() -> None:
    quick = quick_asked(__doc__)
    seeds = [SEED + r for r in range(3 if quick else 16)]
    notebook, runs = Notebook(HERE, quick), []
    for seed in seeds:
        runs.append(replicate(seed, quick, notebook))
        print(f"{len(runs)} of {len(seeds)} replicates", flush=True)
    rates, arms = collected(runs)
    figure = Figure(figsize=(13, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_rates(left, rates)
    draw_gain(right, arms)
    note = (
        f"{len(seeds)} replicates with own founders and effects; bars and bands: 95 % intervals of the mean. "
        "Hypothetical"
    )
    publish(HERE, quick, {"seeds": seeds, "runs": runs}, table_of(rates, arms), figure, note)
    notebook.close()


if __name__ == "__main__":
    main()
