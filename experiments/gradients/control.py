"""What a control variate takes off the noise of perturbations: none, the theory, the costate gradient.

    python experiments/gradients/control.py     # about a minute on two cores
    python experiments/gradients/control.py --only "few unlinked, turning"     # one row; the others stay

All three estimators are given the same perturbations and the same simulations, so that only the control differs.
"""

import argparse
import functools
import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from estimators import expected, simulated
from problems import Problem, problems

import jaxbreed as jb
from jaxbreed.pgpe import linear_control, perturbation_gradient

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
ROWS = ("few unlinked, turning", "few linked, turning back")
DRAWS = 24


def draws(problem: Problem) -> dict[str, np.ndarray]:
    """Gradients, (draw, parameter), of each estimator."""

    @functools.cache
    def at(point: tuple[float, ...], seed: int) -> float:
        return float(simulated(problem, jnp.array(point), seed))

    def evaluate(point: Any, seed: int) -> float:
        return at(tuple(np.asarray(point).tolist()), seed)

    pairs, sigma = len(problem.start), np.full(len(problem.start), problem.reach / 2)
    out: dict[str, list[Any]] = {"costate alone": [], "none": [], "theory": [], "costate": [], "costate, fitted": []}
    for seed in range(DRAWS):
        slope = jax.grad(lambda x, s=seed: simulated(problem, x, 10_000 + s))(problem.start)
        controls: dict[str, tuple[Any, bool]] = {
            "none": (None, False),
            "theory": (lambda x: expected(problem, x, 1), False),
            "costate": (linear_control(problem.start, slope), False),
            "costate, fitted": (linear_control(problem.start, slope), True),
        }
        out["costate alone"].append(slope)
        for name, (control, fitted) in controls.items():
            out[name].append(
                perturbation_gradient(evaluate, problem.start, sigma, pairs, seed, control=control, fitted=fitted)
            )
    return {name: np.array(rows, np.float64) for name, rows in out.items()}


def main() -> None:
    from machine import machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=ROWS, help="names of rows")
    only = parser.parse_args().only
    jb.use_cores()
    table, path = problems(quick=True), HERE / "control.json"
    known = json.loads(path.read_text())["rows"] if path.exists() else []
    result: dict[str, Any] = {"machine": machine(), "draws": DRAWS}
    result["rows"] = [row for row in known if row["name"] not in only]
    for name in only:
        began, problem = time.perf_counter(), table[name]()
        found = draws(problem)
        length = np.linalg.norm(found["none"].mean(0))
        row: dict[str, Any] = {"name": name, "pairs": len(problem.start), "replicates": problem.replicates}
        for estimator, rows in found.items():
            variance, error = rows.var(0, ddof=1).sum(), rows.std(0, ddof=1) / DRAWS**0.5
            row[estimator] = {
                "mean": rows.mean(0).round(4).tolist(),
                "standard_error": error.round(4).tolist(),
                "noise": round(float(np.sqrt(variance) / length), 4),
                "variance": round(float(variance), 5),
            }
        result["rows"].append(row)
        print(f"{name}: {time.perf_counter() - began:.0f} s")
        print(json.dumps(row, indent=1), flush=True)
        path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
