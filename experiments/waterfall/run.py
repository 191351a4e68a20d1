"""From the naive figure to what is left of it: every limit added to the ones before, one at a time.

    python experiments/waterfall/run.py            # full: both octopuses, 6 replicates, about 12 minutes
    python experiments/waterfall/run.py --quick    # the first, few lineages and eggs, 2 replicates, under 2 minutes

The naive figures: h2 0.4 and the best 0.1 % of 10^5 eggs, so 1.2 SD a generation: 4.8 SD in the 4 generations that the
giant Pacific octopus has in 15 years, 12 SD in 10 generations of the common octopus. The first limits are arithmetic,
the others are simulated, all from the same founders with the same seed. Gains are in SD of the phenotype that the naive
figure thinks of (the mean of about ten sessions, h2 0.4) throughout: the trait stays the same when its test gets worse.
What each limit is set to, and on whose authority, stands in `limits.py`.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxbreed as jb
from jaxbreed.battery import performance
from jaxbreed.summary import interval

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from arithmetic import arithmetic_steps
from common import publish, quick_asked, say
from limits import ANIMALS, CEILING, H2, Animal, arms_of

HERE = Path(__file__).parent
SEED = 2026


def in_naive_sd(history: Any) -> np.ndarray:
    """Gain of the last generation in SD of the naive figure, (replicate,)."""
    genetic = history["trait_mean"][..., 0] / history.sd_additive[0]
    return np.asarray((genetic[:, -1] - genetic[:, 0]) * H2**0.5)


def under_ceiling(history: Any) -> np.ndarray:
    """The same of the performance that the ceiling leaves, animals normal around their mean.

    Integrated over the normal distribution of genetic values by Gauss and Hermite.
    """
    node, weight = np.polynomial.hermite_e.hermegauss(40)
    unit = H2**0.5 / history.sd_additive[0]
    means = []
    for g in (0, -1):
        mean = history["trait_mean"][:, g, :1] * unit
        sd = np.sqrt(history["genetic_variance"][:, g, :1]) * unit
        shown = performance((mean + sd * node)[..., None], np.array([CEILING]))[..., 0]
        means.append(shown @ weight / weight.sum())
    return np.asarray(means[1] - means[0])


def cascade(animal: Animal, quick: bool) -> list[dict[str, Any]]:
    """All steps of one animal: name, gain (replicate,) or a number, and what the step took, replicate by replicate."""
    table, arms = arms_of(animal, SEED, quick)
    steps: list[dict[str, Any]] = [
        {"name": name, "gain": [gain]} for name, gain in arithmetic_steps(table["clutch"], animal.generations)
    ]
    print(f"{animal.title}: {len(arms)} arms", flush=True)
    result = jb.compare(table, arms, on_arm=lambda name, number, of: print(f"  {number}/{of} {name}", flush=True))
    limited = False
    for arm in arms:
        history = result[arm.name]
        limited = limited or "ceiling" in arm.name
        gain = under_ceiling(history) if limited else in_naive_sd(history)
        steps.append(
            {
                "name": arm.name,
                "gain": gain.round(5).tolist(),
                "sociability": (history["gain"][:, -1, 1]).round(5).tolist(),
                "inbreeding": history["inbreeding"][:, -1].round(5).tolist(),
                "accuracy": history["accuracy"][:, :-1].mean(1).round(5).tolist(),
                "intensity": history["intensity"][:, :-1].mean(1).round(5).tolist(),
                "tests": history["tests"][:, :-1].mean(1).round(1).tolist(),
            }
        )
    for before, step in zip([None, *steps[:-1]], steps, strict=True):
        step["change"] = [] if before is None else np.subtract(step["gain"], before["gain"]).round(5).tolist()
    return steps


def verdict(change: list[float]) -> str:
    """What a step did, in words: its paired change, and whether it can be told from none."""
    if len(change) == 1:
        return f"{change[0]:+.2f}"
    mean, low, high = (float(x) for x in interval(change))
    return f"{mean:+.2f} ({low:+.2f} to {high:+.2f})" + (": no effect seen" if low <= 0 <= high else "")


def draw(axes: Axes, animal: Animal, steps: list[dict[str, Any]]) -> None:
    """Bars from what was left before to what is left after each limit."""
    names = [step["name"] for step in steps]
    before = None
    for place, step in enumerate(steps):
        gain = float(np.mean(step["gain"]))
        _, low, high = (float(x) for x in interval(step["gain"]))
        if before is None:
            axes.barh(place, gain, color="0.6")
        else:
            axes.barh(place, gain - before, left=before, color="#D55E00" if gain < before else "#009E73")
            axes.plot([before, before], [place - 1, place + 0.4], color="0.6", linewidth=0.6)
        if np.isfinite(low):
            axes.errorbar(gain, place, xerr=[[gain - low], [high - gain]], color="black", capsize=2, linewidth=1)
        flat = before is not None and "no effect" in verdict(step["change"])
        at = max(gain, before or 0.0, high if np.isfinite(high) else 0.0)
        axes.annotate(
            f"{gain:.2f}" + (", no effect seen" if flat else ""),
            (at, place),
            (5, -3),
            textcoords="offset points",
            fontsize=8,
        )
        before = gain
    axes.barh(len(steps), before or 0.0, color="#0072B2")
    axes.annotate("left", (before or 0.0, len(steps)), (5, -3), textcoords="offset points", fontsize=8)
    axes.set_yticks(range(len(steps) + 1), [*names, "what is left"], fontsize=8)
    axes.invert_yaxis()
    axes.set(
        xlabel="gain in intelligence (founder phenotypic SD, h2 0.4)",
        xlim=(0, 1.18 * max(np.mean(s["gain"]) for s in steps)),
    )
    axes.set_title(f"{animal.title}, {animal.generations} generations", fontsize=10)


def table_of(animal: Animal, steps: list[dict[str, Any]]) -> str:
    """Markdown: what is left after each limit, and what it took."""
    lines = [
        f"**{animal.title}, {animal.generations} generations**",
        "",
        "| limit, added to those above | gain left | it took | F | accuracy | animals tested a generation |",
        "|---|---|---|---|---|---|",
    ]
    for step in steps:
        simulated = "tests" in step
        left = say(step["gain"]) if simulated else f"{step['gain'][0]:.2f}"
        cells = [left, verdict(step["change"]) if step["change"] else ""]
        if simulated:
            cells += [
                f"{np.mean(step['inbreeding']):.3f}",
                f"{np.mean(step['accuracy']):.2f}",
                f"{np.mean(step['tests']):,.0f}",
            ]
        else:
            cells += ["", "", ""]
        lines.append(f"| {step['name']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    quick = quick_asked(__doc__)
    animals = ANIMALS[:1] if quick else ANIMALS
    results = {animal.title: cascade(animal, quick) for animal in animals}
    figure = Figure(figsize=(14, 6), layout="constrained")
    for axes, animal in zip(figure.subplots(1, len(animals), squeeze=False)[0], animals, strict=True):
        draw(axes, animal, results[animal.title])
    replicates = len(results[animals[0].title][-1]["gain"])
    text = "\n".join(table_of(animal, results[animal.title]) for animal in animals)
    note = f"{replicates} replicates; black: 95 % interval of the mean. Each limit adds to those above. Hypothetical"
    publish(HERE, quick, {"seed": SEED, "steps": results}, text, figure, note)


if __name__ == "__main__":
    main()
