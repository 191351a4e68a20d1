"""Long-term selection of real animals again: prediction intervals, what was seen, verdicts.

    python experiments/against_nature/run.py                # full: seven experiments, about 11 minutes on two cores
    python experiments/against_nature/run.py --only foxes   # one anew, the others as committed
    python experiments/against_nature/run.py --quick        # few generations and replicates: predicts nothing

What was done and seen, and on whose authority, stands in `trials.py`. A prediction is the middle 95 % of all replicates
of all worlds that the report allows; it says where one repetition of the experiment would fall.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import jaxbreed as jb

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from common import MACHINE, publish
from trials import SEED, TRIALS, Trial

HERE = Path(__file__).parent


def predict(trial: Trial, quick: bool) -> list[dict[str, Any]]:
    """Every number of one experiment: observed, and predicted by world and replicate."""
    began = time.perf_counter()
    values: list[list[list[float]]] = [[] for _ in trial.seen]
    for world in trial.worlds(quick):
        runs = {name: trial.run(table) for name, table in world.items()}
        for place, seen in enumerate(trial.seen):
            values[place].append(np.atleast_1d(seen.of(runs)).round(4).tolist())
    print(f"{trial.name}: {time.perf_counter() - began:.0f} s", flush=True)
    return [
        {"trial": trial.name, "source": trial.source, "open": trial.open, "what": seen.what}
        | {"commit": MACHINE["commit"], "observed": list(seen.observed), "predicted": of_worlds}
        for seen, of_worlds in zip(trial.seen, values, strict=True)
    ]


def middle(row: dict[str, Any]) -> tuple[float, float, float]:
    """Median and the middle 95 % of all replicates of all worlds."""
    low, centre, high = np.quantile(np.concatenate(row["predicted"]), [0.025, 0.5, 0.975])
    return float(centre), float(low), float(high)


def verdict(row: dict[str, Any]) -> str:
    """Where the observed number falls."""
    _, low, high = middle(row)
    least, most = row["observed"]
    if most < low:
        return "model too high"
    return "model too low" if least > high else "inside"


def observed(row: dict[str, Any]) -> str:
    """What was seen, in words."""
    least, most = row["observed"]
    return f"{most:g}" if least == most else (f"below {most:g}" if least == 0 else f"{least:g}-{most:g}")


def table_of(rows: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    lines = ["| experiment | what | observed | predicted: median (95 %) | verdict |", "|---|---|---|---|---|"]
    for row in rows:
        centre, low, high = middle(row)
        lines.append(
            f"| {row['trial']} ({row['source']}) | {row['what']} | {observed(row)} | {centre:.2f} ({low:.2f} to "
            f"{high:.2f}) | {verdict(row)} |"
        )
    return "\n".join(lines) + "\n"


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Predictions over what was observed."""
    figure = Figure(figsize=(11, 0.5 * len(rows) + 1.6), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        scale = row["observed"][1]
        centre, low, high = (max(x / scale, 0.02) for x in middle(row))
        colour = "#0072B2" if verdict(row) == "inside" else "#D55E00"
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot([centre], [place], "o", color=colour)
        least = max(row["observed"][0] / scale, 0.02)
        axes.plot([least, 1], [place, place], color="black", linewidth=5, solid_capstyle="butt", alpha=0.35)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xscale("log")
    ticks = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]
    axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), [f"{row['trial']}:\n{row['what']}" for row in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("predicted / observed (line: middle 95 % of predictions; blue: holds what was observed)")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few replicates and generations")
    parser.add_argument("--only", default="", help="experiments with this in their name, anew")
    asked = parser.parse_args()
    quick = asked.quick
    jb.use_cores()
    anew = [trial for trial in TRIALS if asked.only in trial.name]
    if not anew:
        parser.error(f"--only is {asked.only!r}; it must be part of one of: {'; '.join(t.name for t in TRIALS)}")
    fresh = {trial.name: predict(trial, quick) for trial in anew}
    known = json.loads((HERE / "results.json").read_text())["rows"] if asked.only and not quick else []
    rows = [
        row for trial in TRIALS for row in fresh.get(trial.name, [row for row in known if row["trial"] == trial.name])
    ]
    note = "every world that the report leaves open counts alike; grey: range of what was published"
    publish(HERE, quick, {"seed": SEED, "rows": rows}, table_of(rows), draw(rows), note)


if __name__ == "__main__":
    main()
