"""What a costate gradient costs beside the simulation it belongs to, by the number of eggs of a clutch.

    python experiments/gradients/cost.py    # two minutes on a quiet machine; --quick to see that it runs

The row "few unlinked loci" of the table, whose simulations are the cheapest, with more and more eggs. Simulations and
gradients take turns; times and ratios of neighbouring turns are medians, compilation apart.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from estimators import ESTIMATORS, laid, simulated
from matplotlib.figure import Figure
from problems import problems

import jaxbreed as jb

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
ROW, EGGS, TURNS = "few unlinked loci", (60, 240, 480, 960, 1920, 3840, 7680, 15360, 30720), 11


def cost_of(eggs: int, turns: int) -> dict[str, Any]:
    """Seconds with and without a gradient."""
    problem = problems(False, eggs)[ROW]()
    costate, seconds = ESTIMATORS["costate"], {"forward": [], "with gradient": []}
    million = laid(problem)
    costate(problem, 0)  # compiles
    for seed in range(turns):
        for name, work in (("forward", lambda p, s: float(simulated(p, p.start, s))), ("with gradient", costate)):
            began = time.perf_counter()
            work(problem, seed)
            seconds[name].append(time.perf_counter() - began)
    plain, both = (np.array(x) for x in seconds.values())
    return {
        "eggs_of_a_clutch": eggs,
        "million_eggs": round(million, 4),
        "seconds": {name: round(float(np.median(x)), 4) for name, x in seconds.items()},
        "extra_seconds": round(float(np.median(both - plain)), 4),
        "ratio": round(float(np.median(both / plain)), 3),
        "ratio_quartiles": np.quantile(both / plain, (0.25, 0.75)).round(3).tolist(),
    }


def draw(rows: list[dict[str, Any]]) -> Figure:
    """The ratio by eggs, with quartiles of the turns."""
    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    eggs, ratio = [r["eggs_of_a_clutch"] for r in rows], np.array([r["ratio"] for r in rows])
    low, high = np.transpose([r["ratio_quartiles"] for r in rows])
    axes.fill_between(eggs, low, high, color="#0072B2", alpha=0.2, linewidth=0, label="quartiles of single turns")
    axes.plot(eggs, ratio, "o-", color="#0072B2", label="medians")
    axes.axhline(2, color="0.5", linewidth=1, linestyle="--")
    axes.set(xscale="log", xlabel="eggs of a clutch", ylabel="time of a gradient / of a simulation", ylim=(0, None))
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two sizes, writes nothing")
    args = parser.parse_args()
    from machine import machine

    jb.use_cores()
    rows = []
    for eggs in EGGS[1:3] if args.quick else EGGS:
        rows.append(cost_of(eggs, 5 if args.quick else TURNS))
        print(rows[-1], flush=True)
    if not args.quick:
        (HERE / "cost.json").write_text(json.dumps({"machine": machine(), "row": ROW, "sizes": rows}, indent=1) + "\n")
        draw(rows).savefig(HERE / "cost.png", dpi=150)


if __name__ == "__main__":
    main()
