"""Gradients of simulated programmes: how far each estimator is from finite differences, how noisy, how dear.

    python experiments/gradients/run.py            # full: about half an hour on two cores
    python experiments/gradients/run.py --quick    # a third of the replicates and seeds, under 10 minutes

Every row is a small programme with a schedule of 2 to 10 parameters. Truth is the central difference of simulations
with common random numbers, averaged over seeds, with its standard error. Estimators use other seeds than truth.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure
from problems import Problem, problems

import jaxbreed as jb
from jaxbreed.pgpe import perturbation_gradient

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
COLOURS = {"costate": "#0072B2", "theory": "#D55E00", "calibrated": "#009E73", "pgpe": "#CC79A7", "guided": "#E69F00"}


def simulated(problem: Problem, point: Any, seed: int) -> Any:
    """The objective of one evaluation."""
    return problem.objective(
        jb.simulate_course(
            problem.program, problem.founders, problem.schedule(point), replicates=problem.replicates, seed=seed
        )
    )


def differences(problem: Problem, seeds: range) -> np.ndarray:
    """Central differences with common random numbers, (seed, parameter)."""
    rows = []
    for seed in seeds:
        row = []
        for k in range(len(problem.start)):
            up, down = (simulated(problem, problem.start.at[k].add(s * problem.reach), seed) for s in (1, -1))
            row.append(float(up - down) / (2 * problem.reach))
        rows.append(row)
    return np.array(rows)


def expected(problem: Problem, point: Any, seed: int, calibration: Any = None) -> Any:
    """The objective of the theory."""
    return problem.objective(
        jb.expected_course(
            problem.program,
            problem.founders,
            problem.schedule(point),
            replicates=problem.replicates,
            seed=seed,
            calibration=calibration,
        )
    )


def calibrated(problem: Problem, seed: int) -> np.ndarray:
    """Gradient of the theory with the responses of one simulation."""
    _, known = jb.calibrate(
        problem.program,
        problem.founders,
        problem.schedule(problem.start),
        replicates=problem.replicates,
        seed=seed,
    )
    return np.asarray(jax.grad(lambda x: expected(problem, x, seed, known))(problem.start))


def perturbed(problem: Problem, seed: int, guided: bool) -> np.ndarray:
    """Antithetic perturbations, as many pairs as parameters; guided: the theory as control variate."""
    sigma = np.full(len(problem.start), problem.reach / 2)
    guide = (lambda x: expected(problem, x, seed)) if guided else None
    return np.asarray(
        perturbation_gradient(
            lambda x, number: simulated(problem, x, number),
            problem.start,
            sigma,
            len(problem.start),
            seed,
            control=guide,
        )
    )


ESTIMATORS = {
    "costate": lambda p, s: np.asarray(jax.grad(lambda x: simulated(p, x, s))(p.start)),
    "theory": lambda p, s: np.asarray(jax.grad(lambda x: expected(p, x, s))(p.start)),
    "calibrated": calibrated,
    "pgpe": lambda p, s: perturbed(p, s, False),
    "guided": lambda p, s: perturbed(p, s, True),
}


def judge(draws: np.ndarray, truth: np.ndarray, error: np.ndarray) -> dict[str, Any]:
    """Cosine and ratio of norms of the mean gradient with truth, with standard errors by the jackknife."""

    def both(mean: np.ndarray) -> np.ndarray:
        length = np.linalg.norm(mean)
        # Noise lengthens the vector of differences: its expected square is taken off.
        norm = np.sqrt(max(truth @ truth - error @ error, 1e-30))
        return np.array([min(mean @ truth / length / norm, 1.0), length / norm])

    n = len(draws)
    whole = both(draws.mean(0))
    left_out = np.array([both(np.delete(draws, k, 0).mean(0)) for k in range(n)])
    jackknife = np.sqrt((n - 1) / n * ((left_out - left_out.mean(0)) ** 2).sum(0))
    sure = np.abs(truth) > 3 * error
    return {
        "cosine": round(float(whole[0]), 4),
        "cosine_se": round(float(jackknife[0]), 4),
        "ratio": round(float(whole[1]), 4),
        "ratio_se": round(float(jackknife[1]), 4),
        "signs_wrong": int((np.sign(draws.mean(0)) != np.sign(truth))[sure].sum()),
        "signs_sure": int(sure.sum()),
        "mean": draws.mean(0).round(5).tolist(),
        "sd": draws.std(0, ddof=1).round(5).tolist(),
    }


def row(problem: Problem, seeds: int, draws: int) -> dict[str, Any]:
    """One row of the table."""
    float(simulated(problem, problem.start, 1))  # compile
    began = time.perf_counter()
    truth = differences(problem, range(1000, 1000 + seeds))
    one = (time.perf_counter() - began) / (2 * truth.size)
    error = truth.std(0, ddof=1) / np.sqrt(seeds)
    out: dict[str, Any] = {
        "name": problem.name,
        "parameters": len(problem.start),
        "differences": truth.mean(0).round(5).tolist(),
        "differences_se": error.round(5).tolist(),
        "seconds_of_a_simulation": round(one, 4),
    }
    for name, estimate in ESTIMATORS.items():
        number = max(4, draws // 2) if name in ("theory", "guided") else draws
        estimate(problem, 0)  # compile
        began = time.perf_counter()
        gradients = np.stack([estimate(problem, seed) for seed in range(number)])
        seconds = (time.perf_counter() - began) / number
        out[name] = judge(gradients, truth.mean(0), error) | {"cost": round(seconds / one, 2)}
    return out


def table(rows: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    lines = [
        "| problem | precision | " + " | ".join(f"{name}: cosine, ratio; noise; cost" for name in ESTIMATORS) + " |",
        "|---" * (2 + len(ESTIMATORS)) + "|",
    ]
    for r in rows:
        truth = np.array(r["differences"])
        length = np.linalg.norm(truth)
        cells = [f"{r['name']} ({r['parameters']})", f"{np.linalg.norm(r['differences_se']) / length:.1%}"]
        for name in ESTIMATORS:
            e = r[name]
            signs = "" if e["signs_wrong"] == 0 else f", **{e['signs_wrong']} of {e['signs_sure']} signs wrong**"
            noise = np.linalg.norm(e["sd"]) / length
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
        place = np.arange(len(rows)) + 0.14 * (number - 2)
        for axes, what in ((left, "cosine"), (right, "ratio")):
            value = [r[name][what] for r in rows]
            error = [2 * r[name][f"{what}_se"] for r in rows]
            axes.errorbar(value, place, xerr=error, fmt="o", markersize=4, color=colour, label=name, linewidth=1)
    left.axvspan(0.97, 1.0, color="0.92", zorder=0)
    right.axvspan(0.8, 1.25, color="0.92", zorder=0)
    left.set_yticks(range(len(rows)), [f"{r['name']}" for r in rows])
    left.invert_yaxis()
    left.set_xlim(0.5, 1.02)
    right.set_xscale("log")
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
    parser.add_argument("--only", nargs="*", help="names of rows")
    parser.add_argument("--leave-out", nargs="*", default=[], help="estimators")
    parser.add_argument("--output", type=Path, default=HERE)
    args = parser.parse_args()
    from machine import machine

    jb.use_cores()
    for name in args.leave_out:
        del ESTIMATORS[name], COLOURS[name]
    rows = []
    for name, make in problems(args.quick).items():
        if args.only and name not in args.only:
            continue
        began = time.perf_counter()
        rows.append(row(make(), 6 if args.quick else 16, 8 if args.quick else 12))
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
        print(table(rows[-1:]), flush=True)
    args.output.mkdir(parents=True, exist_ok=True)
    (args.output / "table.md").write_text(table(rows))
    result = {"machine": machine(), "quick": args.quick, "rows": rows}
    (args.output / "results.json").write_text(json.dumps(result, indent=1) + "\n")
    draw(rows).savefig(args.output / "figure.png", dpi=150)


if __name__ == "__main__":
    main()
