"""Gradients of simulated programmes: how far each estimator is from finite differences, how noisy, how dear.

    python experiments/gradients/run.py                            # full: under an hour on two cores
    python experiments/gradients/run.py --only "animals tested"    # a row, into the same files
    python experiments/gradients/run.py --estimators-only          # against the differences in truth.json
    python experiments/gradients/run.py --quick --output DIRECTORY # two rows, half the replicates, few draws

Every row is a small programme with a schedule of 2 to 10 parameters. Truth is the central difference of simulations
with common random numbers, averaged over seeds, with its standard error; differences of the same problem in truth.json
are kept and added to (remove it to begin anew). Estimators use other seeds. Files are written after each row.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Small systems are solved faster by one thread, on a busy machine thirty times so. Read when numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from estimators import ESTIMATORS, laid, simulated, simulations
from judging import judge, length
from matplotlib.figure import Figure
from problems import Problem, problems
from truth import Truths

import jaxbreed as jb

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
from machine import machine  # noqa: E402

MACHINE = machine()  # as it was when the run began
CODE = ("git", "status", "--porcelain", "--untracked-files=no", "--", "*.py", "*.cc", "*.h")
MACHINE["commit"] = MACHINE["commit"].removesuffix(" with changes") + (
    " with changes" if subprocess.run(CODE, cwd=HERE.parents[1], capture_output=True, check=False).stdout else ""
)
COLOURS = {"costate": "#0072B2", "theory": "#D55E00", "calibrated": "#009E73", "pgpe": "#CC79A7", "guided": "#E69F00"}
DRAWS = {"costate": 16, "theory": 6, "calibrated": 8, "pgpe": 12, "guided": 6}
PAIRS = {"pgpe": 48, "guided": 24}  # at most in all draws, but that there are three
QUICK = ("few unlinked loci", "many loci, 2 generations")
# As many as make the standard error of truth a twentieth of its length, a tenth where that takes too long.
SEEDS = {
    "few unlinked, turning": 96,
    "few linked, turning back": 96,
    "many loci, 2 generations": 24,
    "many loci, 10 generations": 32,
    "genomic prediction": 48,
    "tests gated by tameness": 32,
    "males kept, F limited": 192,
    "family weight 0.4, F limited": 192,
    "family weight 2, F limited": 128,
    "animals tested": 48,
}


def row(problem: Problem, truth: np.ndarray, old: dict[str, Any], names: list[str], quick: bool) -> dict[str, Any]:
    """One row of the table.

    Args:
      problem: what is differentiated.
      truth: (seed, parameter), differences.
      old: the row so far, of which other estimators are kept.
      names: estimators to be drawn from.
      quick: whether to take few draws.

    Returns:
      The row.
    """
    eggs = laid(problem)
    mean, error = truth.mean(0), truth.std(0, ddof=1) / np.sqrt(len(truth))
    out = old | {
        "name": problem.name,
        "parameters": len(problem.start),
        "seeds": len(truth),
        "million_eggs_of_a_simulation": round(eggs, 4),
        "differences": mean.round(5).tolist(),
        "differences_se": error.round(5).tolist(),
        "precision": round(float(np.linalg.norm(error)) / length(truth), 4),
    }
    for name in names:
        estimate = ESTIMATORS[name]
        estimate(problem, 0)  # compiles
        draws, seconds, plain = [], [], []
        most = PAIRS.get(name, 100) // len(problem.start)
        for seed in range(3 if quick else min(DRAWS[name], max(most, 3))):
            # By turns, so that other work on the machine slows both down.
            plain.append(_timed(lambda p, s: float(simulated(p, p.start, s)), problem, seed)[1])
            draw, spent = _timed(estimate, problem, seed)
            draws.append(draw)
            seconds.append(spent)
        gradients = np.stack(draws)
        variance = gradients.var(0, ddof=1).sum() / length(truth) ** 2
        of_a_draw = eggs * simulations(name, len(problem.start))
        out[name] = judge(gradients, truth) | {
            "noise_of_a_draw": round(float(np.sqrt(variance)), 4),
            "variance_of_a_million_eggs": round(float(variance * of_a_draw), 5),
            "seconds": round(float(np.median(seconds)), 4),
            "seconds_of_a_simulation": round(float(np.median(plain)), 4),
            "cost": round(float(np.median(seconds) / np.median(plain)), 2),
            "commit": MACHINE["commit"],
        }
    return out


def _timed(work: Callable[[Problem, int], Any], problem: Problem, seed: int) -> tuple[Any, float]:
    began = time.perf_counter()
    return work(problem, seed), time.perf_counter() - began


def table(rows: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    what = "cosine, ratio; noise; cost"
    lines = [
        "| problem | precision | " + " | ".join(f"{name}: {what}" for name in COLOURS) + " |",
        "|---" * (2 + len(COLOURS)) + "|",
    ]
    for r in rows:
        cells = [f"{r['name']} ({r['parameters']})", f"{r['precision']:.1%}"]
        for name in COLOURS:
            if name not in r:
                cells.append("-")
                continue
            e = r[name]
            signs = "" if e["signs_wrong"] == 0 else f", **{e['signs_wrong']} of {e['signs_sure']} signs wrong**"
            # Of as many draws as a million eggs allow; theory lays none, its noise is that of one draw.
            noise = np.sqrt(e["variance_of_a_million_eggs"]) or e["noise_of_a_draw"]
            cells.append(
                f"{e['cosine']:.3f} ({e['cosine_se']:.3f}), {e['ratio']:.2f} ({e['ratio_se']:.2f}){signs}; "
                f"{noise:.2f}; {e['cost']:.1f}"
            )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw(rows: list[dict[str, Any]]) -> Figure:
    """Cosine and ratio of every estimator in every problem, with two standard errors."""
    figure = Figure(figsize=(11, 0.5 * len(rows) + 2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for number, (name, colour) in enumerate(COLOURS.items()):
        here = [k for k, r in enumerate(rows) if name in r]
        place = np.array(here) + 0.14 * (number - 2)
        for axes, what in ((left, "cosine"), (right, "ratio")):
            value = [rows[k][name][what] for k in here]
            error = [2 * rows[k][name][f"{what}_se"] for k in here]
            axes.errorbar(value, place, xerr=error, fmt="o", markersize=4, color=colour, label=name, linewidth=1)
    place, precision = np.arange(len(rows)) - 0.42, np.array([r["precision"] for r in rows])
    right.hlines(place, np.exp(-2 * precision), np.exp(2 * precision), color="0.5", linewidth=3, label="differences")
    left.axvspan(0.97, 1.0, color="0.92", zorder=0)
    right.axvspan(0.8, 1.25, color="0.92", zorder=0)
    left.set_yticks(range(len(rows)), [f"{r['name']}" for r in rows])
    left.invert_yaxis()
    exact = [r[n]["cosine"] - 0.05 for r in rows for n in ("costate", "theory", "calibrated") if n in r]
    left.set_xlim(min(0.5, *exact), 1.02)
    right.set_xscale("log")
    right.set_xlim(0.3, 2.5)
    right.set_xticks([0.5, 0.8, 1.0, 1.25, 2.0], ["0.5", "0.8", "1", "1.25", "2"])
    right.minorticks_off()
    left.set_xlabel("cosine with finite differences (grey: 0.97 or better)")
    right.set_xlabel("length / length of finite differences (grey: 0.8-1.25)")
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", help="names of rows; others stay as they are")
    parser.add_argument("--estimators-only", action="store_true", help="no differences but those of truth.json")
    parser.add_argument("--leave-out", nargs="*", default=[], help="estimators, which stay as they are")
    parser.add_argument("--output", type=Path, default=HERE)
    args = parser.parse_args()

    jb.use_cores()
    names = [name for name in ESTIMATORS if name not in args.leave_out]
    args.output.mkdir(parents=True, exist_ok=True)
    file, truths = args.output / "results.json", Truths(args.output / "truth.json")
    kept = file.exists() and (args.only or args.leave_out)
    done = {r["name"]: r for r in json.loads(file.read_text())["rows"]} if kept else {}
    everything = problems(args.quick)
    for name, make in everything.items():
        if name not in (args.only or (QUICK if args.quick else everything)):
            continue
        began, problem = time.perf_counter(), make()
        seeds = 3 if args.quick else SEEDS.get(name, 16)
        truth = truths.of(problem, seeds, MACHINE["commit"], args.estimators_only)
        known = time.perf_counter()
        done[name] = row(problem, truth, done.get(name, {}), names, args.quick)
        print(f"{name}: {known - began:.0f} s truth, {time.perf_counter() - known:.0f} s estimators", flush=True)
        print(table([done[name]]), flush=True)
        rows = [done[n] for n in everything if n in done]
        (args.output / "table.md").write_text(table(rows))
        file.write_text(json.dumps({"machine": MACHINE, "quick": args.quick, "rows": rows}, indent=1) + "\n")
        draw(rows).savefig(args.output / "figure.png", dpi=150)


if __name__ == "__main__":
    main()
