"""The back-of-the-envelope estimate beside a simulation of the same inputs.

    python experiments/back_of_the_envelope/run.py            # full: 24 lineages, 3 replicates, about 10 minutes
    python experiments/back_of_the_envelope/run.py --quick    # 6 lineages, 2 replicates, about 2 minutes

The estimate: heritability 0.4, the best 0.1 % of every clutch, so 1.2 phenotypic SD a generation, 4.8 SD in 4
generations (giant Pacific octopus) and 12 SD in 10 (common octopus). The simulation takes the same inputs (every egg of
every clutch raised and tested, h2 0.4, breeders drawn from the best 0.1 %) and adds only what is there in any real
population: chromosomes, families, a limited number of parents.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import jaxbreed as jb
from jaxbreed.summary import interval
from jaxbreed.theory import bulmer, intensity, within_family_response

HERE = Path(__file__).parent
SCENARIO = HERE.parent / "scenarios" / "giant-pacific-octopus.toml"
H2, FRACTION, NAIVE = 0.4, 0.001, 1.2
GENERATIONS = 10
ARMS = {
    "best 0.1 % of all clutches together": {"scope": "across"},
    "best 0.1 % of each clutch, sibs avoided": {"scope": "within"},
    "best 0.1 % of each clutch, mated to sibs": {"scope": "within", "mating": "within_lineage"},
}


def simulate_arm(change: dict[str, str], quick: bool) -> Any:
    """Runs the octopus scenario for 10 generations with another scope of selection or mating."""
    scenario = jb.read_scenario(SCENARIO).scenario.model_dump(exclude_unset=True)
    scenario["programme"] |= {"generations": GENERATIONS} | (
        {"lineages": 6, "replicates": 2} if quick else {"replicates": 3}
    )
    scenario["selection"] |= change
    history = jb.run(jb.Scenario.model_validate(scenario))
    return history["gain"][..., 0], history["inbreeding"], history.total_eggs


def theory_rows() -> dict[str, list[float]]:
    """Gains in founder phenotypic SD at generations 0 .. 10 without any simulation."""
    generations = range(GENERATIONS + 1)
    naive, exact = ([response * t for t in generations] for response in (NAIVE, H2 * intensity(FRACTION)))
    return {
        "naive: h2 x 3 SD": naive,
        "h2 x i, i = 3.37 for the best 0.1 %": exact,
        "and variance used up by selection (Bulmer)": [gain for gain, _ in bulmer(H2, FRACTION, GENERATIONS)],
        "half the variance inside a full-sib clutch": [within_family_response(H2, FRACTION) * t for t in generations],
    }


def draw(theory: dict[str, list[float]], arms: dict[str, np.ndarray], path: Path) -> None:
    """Gain by generation: lines of theory, simulated means with 95 % intervals."""
    figure = Figure(figsize=(8.5, 5.2), layout="constrained")
    axes = figure.subplots()
    for (name, gains), style in zip(theory.items(), (":", "--", "-.", (0, (1, 3))), strict=True):
        axes.plot(gains, linestyle=style, color="0.35", label=name)
    for (name, gains), colour, marker in zip(arms.items(), ("#0072B2", "#D55E00", "#009E73"), "osD", strict=True):
        mean, low, high = interval(gains)
        axes.plot(mean, color=colour, marker=marker, label=f"simulated: {name}")
        axes.fill_between(range(len(mean)), low, high, color=colour, alpha=0.2)
    axes.set(xlabel="generation", ylabel="gain in intelligence (founder phenotypic SD)", xticks=range(GENERATIONS + 1))
    axes.set_title("12 SD in 10 generations? The same inputs, simulated (hypothetical animal)")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    replicates = len(next(iter(arms.values())))
    axes.annotate(
        f"{replicates} replicates; bands: 95 % interval of the mean",
        (1, 0.01),
        xycoords="axes fraction",
        ha="right",
        fontsize=8,
        color="0.35",
    )
    figure.savefig(path, dpi=150)


def table(theory: dict[str, list[float]], arms: dict[str, np.ndarray]) -> str:
    """Markdown table: per generation, after 4 and after 10 generations."""
    lines = [
        "| gain in founder phenotypic SD | a generation (first 4) | 4 generations | 10 generations |",
        "|---|---|---|---|",
    ]
    for name, gains in theory.items():
        lines.append(f"| {name} | {gains[4] / 4:.2f} | {gains[4]:.2f} | {gains[10]:.2f} |")
    for name, gains in arms.items():
        mean, low, high = interval(gains)
        cells = [f"{mean[t]:.2f} ({low[t]:.2f} to {high[t]:.2f})" for t in (4, 10)]
        lines.append(f"| **simulated**: {name} | {mean[4] / 4:.2f} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs all arms and writes results.json, table.md and figure.png (quick: under the name quick-)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few lineages and replicates")
    quick = parser.parse_args().quick
    jb.use_cores()
    prefix, theory = ("quick-" if quick else ""), theory_rows()
    gains: dict[str, np.ndarray] = {}
    record: dict[str, Any] = {"jaxbreed": jb.__version__, "scenario": SCENARIO.name, "theory": theory, "simulated": {}}
    for name, change in ARMS.items():
        began = time.perf_counter()
        gains[name], inbreeding, eggs = simulate_arm(change, quick)
        record["simulated"][name] = {
            "gain": gains[name].round(4).tolist(),
            "inbreeding": inbreeding.round(4).tolist(),
            "eggs": eggs,
        }
        print(f"{name}: {eggs:,} eggs in {time.perf_counter() - began:.0f} s", flush=True)
    (HERE / f"{prefix}results.json").write_text(json.dumps(record, indent=1) + "\n")
    text = table(theory, gains)
    (HERE / f"{prefix}table.md").write_text(text)
    draw(theory, gains, HERE / f"{prefix}figure.png")
    print(text)


if __name__ == "__main__":
    main()
