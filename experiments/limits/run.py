"""Where selection ends: lineages needed against inbreeding, and the plateau under few loci, pleiotropy and ceilings.

    python experiments/limits/run.py            # full: about 7 minutes on two cores
    python experiments/limits/run.py --quick    # few lineages and generations, about a minute

First, rates of inbreeding: 2 to 128 lineages, one sire a clutch, 200 animals of each clutch tested (h2 0.4), breeders
the best of each clutch with sibs avoided, or the best of all clutches together. Then 40 generations of 24 lineages:
with 30, 300 or 1,000 QTL; with 24 or 6 lineages; with a loss of 3 % of the mean for 10 % inbreeding; with a second
trait, correlated -0.5, that must not fall (weighed so that it does not); with a test that shows nothing above 4 SD.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxbreed as jb

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import COLOURS, band, publish, quick_asked, run_table, say

HERE = Path(__file__).parent
SEED, EGGS, H2 = 2026, 200, 0.4
NUMBERS = (2, 4, 8, 16, 32, 64, 128)
SCOPES = {"within": "best of each clutch", "across": "best of all together"}
PLAIN = "24 lineages, 1,000 QTL"
LIMITS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "300 QTL": {"genome": {"loci": 3_000, "qtl": 300}},
    "30 QTL": {"genome": {"loci": 3_000, "qtl": 30}},
    "6 lineages": {"programme": {"lineages": 6}},
    "inbreeding depression, 3 %": {
        "traits": {"intelligence": {"h2": H2, "weight": 1.0, "inbreeding_depression": 3.0, "dominance_sd": 0.3}}
    },
    "a second trait must not fall": {
        "traits": {"intelligence": {"h2": H2, "weight": 1.0}, "sociability": {"h2": H2, "weight": 0.5}},
        "correlations": {"genetic": -0.5},
    },
    "tests see nothing above 4 SD": {
        "traits": {"intelligence": {"h2": H2, "weight": 1.0, "ceiling": 4.0}},
        "stages": [{"kind": "test", "capacity": EGGS}],
    },
}


def scenario(lineages: int, generations: int, replicates: int, scope: str = "within") -> dict[str, Any]:
    """The plain programme, as a scenario's table."""
    return {
        "species": "octopus-vulgaris",
        "programme": {"lineages": lineages, "generations": generations, "replicates": replicates, "seed": SEED},
        "clutch": {"eggs": EGGS, "sires": 1, "survival": 1.0},
        "genome": {"loci": 3_000, "qtl": 1_000},
        "founders": {"effective_size": 1_000},
        "traits": {"intelligence": {"h2": H2, "weight": 1.0}},
        "selection": {"scope": scope, "mating": "avoid_sibs"},
    }


def rate(history: jb.History) -> list[float]:
    """Rate of inbreeding a generation after the first two, by replicate: 1 - F falls by it."""
    f = history["inbreeding"]
    rounds = f.shape[1] - 3
    return list((1 - ((1 - f[:, -1]) / (1 - f[:, 2])) ** (1 / rounds)).round(6).tolist())


def needed(rates: dict[int, list[float]], limit: float) -> str:
    """Lineages at which the mean rate falls to a limit: straight between the points, both in logarithms."""
    x, y = np.log(list(rates)), np.log([max(np.mean(r), 1e-6) for r in rates.values()])
    if y[-1] > np.log(limit):
        return f"more than {list(rates)[-1]}"
    return f"{np.exp(np.interp(-np.log(limit), -y, x)):.0f}"


def draw_rates(axes: Axes, rates: dict[str, dict[int, list[float]]]) -> None:
    """Rates of inbreeding by number of lineages."""
    for (scope, of), colour in zip(rates.items(), COLOURS, strict=False):
        values = np.array(list(of.values())) * 100
        half = 2 * values.std(1, ddof=1) / np.sqrt(values.shape[1])
        axes.errorbar(list(of), values.mean(1), yerr=half, fmt="o-", color=colour, capsize=2, label=SCOPES[scope])
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
        f"| limit | gain after {half} generations | after {generations} | less than without (paired) | last "
        f"{generations // 4} generations, a generation | genetic variance left | F |",
        "|---" * 7 + "|",
    ]
    plain = np.array(arms[PLAIN]["gain"])
    for name, of in arms.items():
        gain = np.array(of["gain"])
        paired = name != PLAIN and "QTL" not in name and "6 lineages" not in name and "second" not in name
        less = say(gain[:, -1] - plain[:, -1]) if paired else ""
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
    second = arms["a second trait must not fall"]["second"]
    lines += ["", f"The second trait, which must not fall: {say(second)} SD after {generations} generations."]
    return "\n".join(lines) + "\n"


def outcome(history: jb.History) -> dict[str, Any]:
    """What is kept of one arm, by replicate."""
    variance = history["genetic_variance"][..., 0]
    kept = {
        "gain": history["gain"][..., 0].round(4).tolist(),
        "variance_left": (variance[:, -1] / variance[:, 0]).round(4).tolist(),
        "inbreeding": history["inbreeding"][:, -1].round(4).tolist(),
    }
    if history["gain"].shape[-1] > 1:
        kept["second"] = history["gain"][:, -1, 1].round(4).tolist()
    return kept


def main() -> None:
    quick = quick_asked(__doc__)
    replicates, rounds, generations = (3, 6, 8) if quick else (8, 12, 40)
    rates = {
        scope: {
            n: rate(run_table(f"{n} lineages, {scope}", scenario(n, rounds, replicates, scope)))
            for n in (NUMBERS[1:4] if quick else NUMBERS)
        }
        for scope in SCOPES
    }
    arms = {}
    for name, changes in LIMITS.items():
        table = scenario(24, generations, replicates)
        for key, value in changes.items():
            table[key] = value if key in ("stages", "traits") else table.get(key, {}) | value
        arms[name] = outcome(run_table(name, table))
    figure = Figure(figsize=(13, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    draw_rates(left, rates)
    draw_gain(right, arms)
    note = f"{replicates} replicates; bars: 2 standard errors, bands: 95 % intervals of the mean. Hypothetical"
    publish(HERE, quick, {"seed": SEED, "rates": rates, "arms": arms}, table_of(rates, arms), figure, note)


if __name__ == "__main__":
    main()
