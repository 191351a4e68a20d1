"""Gradients of simulated programmes: how far each estimator is from finite differences, how noisy, how dear.

    python experiments/gradients/run.py                            # full: about a quarter of an hour on two cores
    python experiments/gradients/run.py --only "animals tested"    # a row, into the same files
    python experiments/gradients/run.py --quick --output DIRECTORY # half the replicates, a quarter of the seeds

Every row is a small programme with a schedule of 2 to 10 parameters. Truth is the central difference of simulations
with common random numbers, averaged over seeds, with its standard error. Estimators use other seeds than truth. Files
are written after every row.
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
from jaxbreed.course import expected_courses
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


def laid(problem: Problem) -> float:
    """Millions of eggs of one evaluation."""
    course = jb.simulate_course(
        problem.program, problem.founders, problem.schedule(problem.start), replicates=problem.replicates, seed=1
    )
    return float(np.asarray(course.eggs, np.float64).sum()) / 1e6


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
    guide = None
    if guided:
        options: dict[str, Any] = {"replicates": problem.replicates, "seed": seed}
        course = expected_courses(problem.program, problem.founders, **options)

        def guide(x: Any) -> Any:
            return problem.objective(course(problem.schedule(x)))

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


DRAWS = {"costate": 8, "theory": 4, "calibrated": 6, "pgpe": 4, "guided": 3}
# Where one seed tells little of the truth; where a simulation takes a second.
SEEDS = {
    "genomic prediction": 6,
    "tests gated by tameness": 32,
    "few unlinked, turning": 16,
    "few linked, turning back": 16,
}


def simulations(name: str, parameters: int) -> int:
    """Simulations that one draw of an estimator takes."""
    return {"costate": 1, "theory": 0, "calibrated": 1}.get(name, 2 * parameters)


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


def row(problem: Problem, quick: bool) -> dict[str, Any]:
    """One row of the table."""
    seeds = max(3, SEEDS.get(problem.name, 10) // (4 if quick else 1))
    eggs = laid(problem)  # compiles, too
    began = time.perf_counter()
    truth = differences(problem, range(1000, 1000 + seeds))
    one = (time.perf_counter() - began) / (2 * truth.size)
    error = truth.std(0, ddof=1) / np.sqrt(seeds)
    out: dict[str, Any] = {
        "name": problem.name,
        "parameters": len(problem.start),
        "seeds": seeds,
        "million_eggs_of_a_simulation": round(eggs, 4),
        "differences": truth.mean(0).round(5).tolist(),
        "differences_se": error.round(5).tolist(),
        "seconds_of_a_simulation": round(one, 4),
    }
    for name, estimate in ESTIMATORS.items():
        number = max(3, DRAWS[name] // (3 if quick or problem.name == "genomic prediction" else 1))
        estimate(problem, 0)  # compile
        began = time.perf_counter()
        gradients = np.stack([estimate(problem, seed) for seed in range(number)])
        seconds = (time.perf_counter() - began) / number
        spent = eggs * simulations(name, len(problem.start))
        relative = gradients.var(0, ddof=1).sum() / (truth.mean(0) ** 2).sum()
        out[name] = judge(gradients, truth.mean(0), error) | {
            "draws": number,
            "cost": round(seconds / one, 2),
            "variance_of_a_million_eggs": round(float(relative * spent), 5),
        }
    return out


def table(rows: list[dict[str, Any]]) -> str:
    """The table as Markdown."""
    what = "cosine, ratio; noise; cost"
    lines = [
        "| problem | precision | " + " | ".join(f"{name}: {what}" for name in ESTIMATORS) + " |",
        "|---" * (2 + len(ESTIMATORS)) + "|",
    ]
    for r in rows:
        truth = np.array(r["differences"])
        length = np.linalg.norm(truth)
        cells = [f"{r['name']} ({r['parameters']})", f"{np.linalg.norm(r['differences_se']) / length:.1%}"]
        for name in ESTIMATORS:
            e = r[name]
            signs = "" if e["signs_wrong"] == 0 else f", **{e['signs_wrong']} of {e['signs_sure']} signs wrong**"
            # Of as many draws as a million eggs allow; theory lays none, its noise is that of one draw.
            noise = np.sqrt(e["variance_of_a_million_eggs"]) or np.linalg.norm(e["sd"]) / length
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
    left.set_xlim(min(0.5, *(r[n]["cosine"] - 0.05 for r in rows for n in ("costate", "theory", "calibrated"))), 1.02)
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
    args.output.mkdir(parents=True, exist_ok=True)
    file = args.output / "results.json"
    old = json.loads(file.read_text())["rows"] if args.only and file.exists() else []
    done = {r["name"]: r for r in old}
    for name, make in problems(args.quick).items():
        if args.only and name not in args.only:
            continue
        began = time.perf_counter()
        done[name] = row(make(), args.quick)
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
        print(table([done[name]]), flush=True)
        rows = [done[n] for n in problems(args.quick) if n in done]
        (args.output / "table.md").write_text(table(rows))
        result = {"machine": machine(), "quick": args.quick, "rows": rows}
        file.write_text(json.dumps(result, indent=1) + "\n")
        draw(rows).savefig(args.output / "figure.png", dpi=150)


if __name__ == "__main__":
    main()
