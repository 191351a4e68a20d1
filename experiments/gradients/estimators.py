"""The estimators that are compared, all for one problem and one seed."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from problems import Problem

import jaxbreed as jb
from jaxbreed.course import expected_courses
from jaxbreed.pgpe import perturbation_gradient


def course(problem: Problem, point: Any, seed: int) -> jb.Course:
    """One simulation."""
    return jb.simulate_course(
        problem.program, problem.founders, problem.schedule(point), replicates=problem.replicates, seed=seed
    )


def simulated(problem: Problem, point: Any, seed: int) -> Any:
    """The objective of one simulation."""
    return problem.objective(course(problem, point, seed))


def laid(problem: Problem) -> float:
    """Millions of eggs of one simulation."""
    return float(np.asarray(course(problem, problem.start, 1).eggs, np.float64).sum()) / 1e6


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
        courses = expected_courses(problem.program, problem.founders, **options)

        def guide(x: Any) -> Any:
            return problem.objective(courses(problem.schedule(x)))

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


ESTIMATORS: dict[str, Callable[[Problem, int], np.ndarray]] = {
    "costate": lambda p, s: np.asarray(jax.grad(lambda x: simulated(p, x, s))(p.start)),
    "theory": lambda p, s: np.asarray(jax.grad(lambda x: expected(p, x, s))(p.start)),
    "calibrated": calibrated,
    "pgpe": lambda p, s: perturbed(p, s, False),
    "guided": lambda p, s: perturbed(p, s, True),
}


def simulations(name: str, parameters: int) -> int:
    """Simulations that one draw of an estimator takes."""
    return {"costate": 1, "theory": 0, "calibrated": 1}.get(name, 2 * parameters)
