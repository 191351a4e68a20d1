"""The fox programme beside the intelligence programme: sociability first, both, or intelligence alone.

    python experiments/sociability/run.py            # full: 16 replicates, about 4 minutes on two cores
    python experiments/sociability/run.py --quick    # 3 replicates, 6 generations, about a minute

The common octopus, 10 generations, 12 lineages, 200 animals of each clutch in one test session (h2 0.13 and 0.2, a
session repeats with 0.25 and 0.4). A test of intelligence says more of a tame animal: the SD of a session's error falls
by exp(-g) with each SD of sociability, g 0 (not at all), 0.3 or 0.6; the correlation of the two traits is 0 or -0.3.
How much tameness helps a test of an octopus is not known: g is hypothetical. Every plan is a row of weights for each
generation; "effective intelligence" is the geometric mean of levels, founders standing 2 SD above nothing (CES, rho 0).
Every replicate has founders and QTL effects of its own, from which all plans start in every world.
"""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxbreed as jb
from jaxbreed.summary import interval

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import COLOURS, publish, quick_asked, say
from replicates import Notebook, founders_of

HERE = Path(__file__).parent
SEED, GENERATIONS, SHIFT, LOCI = 2026, 10, 2.0, 500  # loci: all of them QTL
WORLDS = {
    "tests not gated, correlation 0": (0.0, 0.0),
    "gated by 0.3, correlation 0": (0.3, 0.0),
    "gated by 0.6, correlation 0": (0.6, 0.0),
    "gated by 0.3, correlation -0.3": (0.3, -0.3),
}
ALONE, FIRST = "intelligence alone", "sociability first, half of the time"


def plans(rounds: int) -> dict[str, np.ndarray]:
    """Weights of intelligence and sociability per founder phenotypic SD, (generation, 2), by plan."""
    mind, mood = np.array([1.0, 0.0]), np.array([0.0, 1.0])

    def order(first: np.ndarray, then: np.ndarray, switch: int) -> np.ndarray:
        return np.where(np.arange(rounds)[:, None] < switch, first, then)

    constant = {f"both, sociability {w:g}": np.tile([1.0, w], (rounds, 1)) for w in (0.25, 0.5, 1.0, 2.0)}
    return {
        ALONE: np.tile(mind, (rounds, 1)),
        **constant,
        "sociability alone": np.tile(mood, (rounds, 1)),
        "sociability first, a fifth of the time": order(mood, mind, rounds // 5),
        FIRST: order(mood, mind, rounds // 2),
        "intelligence first, half of the time": order(mind, mood, rounds - rounds // 2),
        "in turns": np.where(np.arange(rounds)[:, None] % 2 == 0, mood, mind),
    }


def scenario(gate: float, correlation: float, seed: int, rounds: int) -> dict[str, Any]:
    """The programme, as a scenario's table."""
    intelligence: dict[str, Any] = {"h2": 0.13, "repeatability": 0.25, "weight": 1.0}
    if gate:
        intelligence["gated_by"] = {"sociability": gate}
    return {
        "species": "octopus-vulgaris",
        "programme": {"lineages": 12, "generations": rounds, "replicates": 1, "seed": seed},
        "clutch": {"eggs": 4_000, "survival": 0.05},
        "genome": {"loci": LOCI, "qtl": LOCI},
        "founders": {"effective_size": 1_000},
        "traits": {"intelligence": intelligence, "sociability": {"h2": 0.2, "repeatability": 0.4, "weight": 0.5}},
        "correlations": {"genetic": correlation},
        "stages": [{"kind": "test", "capacity": 200}],
        "selection": {"scope": "within", "mating": "avoid_sibs"},
    }


def effective(gain: np.ndarray) -> np.ndarray:
    """Geometric mean of levels above nothing, less the founders': founder phenotypic SD."""
    level = np.maximum(gain + SHIFT, 0.1 * SHIFT)
    return np.asarray(np.exp(np.log(level).mean(-1)) - SHIFT)


def replicate(seed: int, quick: bool, notebook: Notebook) -> dict[str, dict[str, dict[str, float]]]:
    """Every plan in every world, from the founders of one seed: [world][plan][result]."""
    panel: list[Any] = []
    rounds = 6 if quick else GENERATIONS

    def world(table: dict[str, Any]) -> dict[str, dict[str, float]]:
        if not panel:
            panel.append(founders_of(table))
        ready = jb.prepare(jb.Scenario.model_validate(table), founders=panel[0])
        arms = {}
        for name, weights in plans(rounds).items():
            schedule = dataclasses.replace(ready.schedule, weights=jnp.asarray(weights, jnp.float32))
            arms[name] = outcome(jb.simulate(ready.program, ready.founders, schedule, seed=seed))
        return arms

    of = {}
    for name, (gate, correlation) in list(WORLDS.items())[: 2 if quick else None]:
        table = scenario(gate, correlation, seed, rounds)
        weights = {plan: rows.tolist() for plan, rows in plans(rounds).items()}
        of[name] = notebook.ask(["sociability", weights, table], lambda table=table: world(table))
    return of


def outcome(history: jb.History) -> dict[str, float]:
    """What is kept of one run: gains of both traits, effective intelligence, F."""
    gain = history["gain"][0, -1]
    values = (*gain, effective(gain), history["inbreeding"][0, -1])
    names = ("intelligence", "sociability", "effective", "inbreeding")
    return {name: round(float(value), 5) for name, value in zip(names, values, strict=True)}


def collected(runs: list[dict[str, dict[str, dict[str, float]]]]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """The same of all replicates, a list over them in the place of each number."""
    return {
        world: {plan: {key: [run[world][plan][key] for run in runs] for key in of} for plan, of in arms.items()}
        for world, arms in runs[0].items()
    }


def draw(axes: Axes, title: str, arms: dict[str, dict[str, Any]]) -> None:
    """Gains of both traits by plan, with lines of equal effective intelligence."""
    gains = {name: np.array([of["intelligence"], of["sociability"]]) for name, of in arms.items()}
    every = np.concatenate([g.mean(1)[:, None] for g in gains.values()], 1)
    low, high = every.min(1) - 0.4, every.max(1) + 0.5
    x, y = np.meshgrid(np.linspace(low[0], high[0], 80), np.linspace(low[1], high[1], 80))
    lines = axes.contour(x, y, effective(np.stack([x, y], -1)), levels=8, colors="0.85", linewidths=0.8)
    axes.clabel(lines, fontsize=6, fmt="%.1f")
    for (name, gain), marker in zip(gains.items(), "osD^<vP*Xh", strict=True):
        centre, below, above = interval(gain, axis=1)
        colour = COLOURS[0] if name == ALONE else COLOURS[1] if "first" in name or "turns" in name else COLOURS[2]
        bars = {"xerr": [[centre[0] - below[0]], [above[0] - centre[0]]]}
        bars |= {"yerr": [[centre[1] - below[1]], [above[1] - centre[1]]]}
        axes.errorbar(centre[0], centre[1], **bars, fmt=marker, color=colour, label=name, markersize=6)
    axes.set(xlabel="gain in intelligence (founder phenotypic SD)", ylabel="gain in sociability (the same)")
    axes.set_title(title, fontsize=10)


def table_of(worlds: dict[str, dict[str, dict[str, Any]]]) -> str:
    """The table as Markdown: gains, and effective intelligence less that of the best constant plan."""
    lines = []
    for title, arms in worlds.items():
        constant = [name for name in arms if name.startswith("both") or name.endswith("alone")]
        best = max(constant, key=lambda name: float(np.mean(arms[name]["effective"])))
        lines += [
            f"**{title}**",
            "",
            f'| plan | intelligence | sociability | effective | effective, less that of "{best}" | F |',
            "|---" * 6 + "|",
        ]
        for name, of in arms.items():
            less = "" if name == best else say(np.subtract(of["effective"], arms[best]["effective"]))
            cells = [say(of[k]) for k in ("intelligence", "sociability", "effective")]
            lines.append(f"| {name} | {' | '.join(cells)} | {less} | {np.mean(of['inbreeding']):.3f} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    quick = quick_asked(__doc__)
    seeds = [SEED + r for r in range(3 if quick else 16)]
    notebook, runs = Notebook(HERE, quick), []
    for seed in seeds:
        runs.append(replicate(seed, quick, notebook))
        print(f"{len(runs)} of {len(seeds)} replicates", flush=True)
    worlds = collected(runs)
    figure = Figure(figsize=(13, 5 * ((len(worlds) + 1) // 2)), layout="constrained")
    panels = figure.subplots((len(worlds) + 1) // 2, 2, squeeze=False).reshape(-1)
    for axes, (name, arms) in zip(panels, worlds.items(), strict=False):
        draw(axes, name, arms)
    panels[0].legend(frameon=False, fontsize=7)
    note = (
        f"{len(seeds)} replicates with own founders and effects, bars: 95 % intervals of the mean; grey: equal "
        "effective intelligence. Hypothetical"
    )
    publish(HERE, quick, {"seeds": seeds, "runs": runs}, table_of(worlds), figure, note)
    notebook.close()


if __name__ == "__main__":
    main()
