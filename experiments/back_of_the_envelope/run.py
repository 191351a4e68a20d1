"""The back-of-the-envelope estimate beside a simulation of the same inputs.

    python experiments/back_of_the_envelope/run.py            # full: 24 lineages, 6 replicates, about 6 minutes
    python experiments/back_of_the_envelope/run.py --quick    # 6 lineages, 2 replicates, about a minute

The estimate: heritability 0.4, the best 0.1 % of every clutch, so 1.2 phenotypic SD a generation, 4.8 SD in 4
generations (giant Pacific octopus) and 12 SD in 10 (common octopus). The simulation takes the same inputs (every egg of
every clutch raised and tested, h2 0.4, breeders drawn from the best 0.1 %) and adds only what is there in any real
population: chromosomes, families, a limited number of parents. Every replicate has founders and QTL effects of its own,
from which all arms start.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import jaxbreed as jb
from jaxbreed.summary import interval
from jaxbreed.theory import bulmer, intensity, within_family_response

sys.path.insert(0, str(Path(__file__).parents[1]))
from common import publish, quick_asked
from replicates import Notebook, founders_of, run_from

HERE = Path(__file__).parent
SCENARIO = HERE.parent / "scenarios" / "giant-pacific-octopus.toml"
H2, FRACTION, NAIVE = 0.4, 0.001, 1.2
SEED, GENERATIONS, LOCI = 2026, 10, 1_000  # loci: all of them QTL; others would change nothing
ARMS = {
    "best 0.1 % of all clutches together": {"scope": "across"},
    "best 0.1 % of each clutch, sibs avoided": {"scope": "within"},
    "best 0.1 % of each clutch, mated to sibs": {"scope": "within", "mating": "within_lineage"},
}


def scenario(change: dict[str, str], seed: int, quick: bool) -> dict[str, Any]:
    """The octopus scenario for 10 generations with another scope of selection or mating, as a table."""
    table = jb.read_scenario(SCENARIO).scenario.model_dump(exclude_unset=True)
    table["programme"] |= {"generations": GENERATIONS, "replicates": 1, "seed": seed} | (
        {"lineages": 6} if quick else {}
    )
    table["genome"] |= {"loci": LOCI, "qtl": LOCI}
    table["selection"] |= change
    return table


def replicate(seed: int, quick: bool, notebook: Notebook) -> dict[str, dict[str, Any]]:
    """All arms from the founders and effects of one seed."""
    panel: list[Any] = []

    def run(table: dict[str, Any]) -> dict[str, Any]:
        if not panel:
            panel.append(founders_of(table))
        history = run_from(panel[0], table)
        inbreeding, gain = history["inbreeding"][0], history["gain"][0, :, 0]
        return {
            "gain": gain.round(4).tolist(),
            "inbreeding": inbreeding.round(4).tolist(),
            "within": round(float(history["variance_within"][0, 0, 0]) * H2, 4),
            "eggs": history.total_eggs,
        }

    tables = {name: scenario(change, seed, quick) for name, change in ARMS.items()}
    return {name: notebook.ask(["envelope", table], lambda table=table: run(table)) for name, table in tables.items()}


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


def draw(theory: dict[str, list[float]], arms: dict[str, np.ndarray]) -> Figure:
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
    return figure


def table_of(theory: dict[str, list[float]], arms: dict[str, np.ndarray]) -> str:
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
    quick = quick_asked(__doc__)
    seeds, theory = [SEED + r for r in range(2 if quick else 6)], theory_rows()
    notebook, runs = Notebook(HERE, quick), []
    for seed in seeds:
        runs.append(replicate(seed, quick, notebook))
        print(f"{len(runs)} of {len(seeds)} replicates", flush=True)
    simulated = {name: {key: [run[name][key] for run in runs] for key in runs[0][name]} for name in ARMS}
    gains = {name: np.array(of["gain"]) for name, of in simulated.items()}
    record = {"scenario": SCENARIO.name, "seeds": seeds, "theory": theory, "simulated": simulated}
    note = f"{len(seeds)} replicates with own founders and effects; bands: 95 % interval of the mean"
    publish(HERE, quick, record, table_of(theory, gains), draw(theory, gains), note)
    notebook.close()


if __name__ == "__main__":
    main()
