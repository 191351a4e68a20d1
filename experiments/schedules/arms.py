"""The arms: every way to find a schedule, each with the same number of simulated eggs, or with none."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from panels import Choice, Floats, Problem, covariances

import jaxbreed as jb
from jaxbreed.index import desired_gains
from jaxbreed.optimisation import optimize_course
from jaxbreed.schedule import constant_schedule
from jaxbreed.space import Space, Theta
from jaxbreed.theory_search import search

Arm = Callable[[Problem], list[Choice]]
CANDIDATES = 3
"""Schedules of every search that are compared on panels it has not seen."""
_QUOTAS, _RATES = (1, 2, 3, 4), (0.01, 0.02, 0.04, 0.08)


def smith_hazel(problem: Problem) -> list[Choice]:
    """Smith and Hazel's index with economic values at the projected final means."""
    return [Choice(problem.start)]


def gains_desired(problem: Problem) -> list[Choice]:
    """Pesek and Baker's index."""
    weights = desired_gains(covariances(problem.search[0].program)[1], np.array(problem.case.desired))
    return [Choice(problem.constant(weights))]


def by_theory(problem: Problem, basis: str = "free") -> list[Choice]:
    """The optimum of the closed-form theory, without an egg."""
    space = problem.space(basis)
    return [Choice(space.schedule(_warm(problem, space, problem.case.limits)))]


def by_gradient(problem: Problem, basis: str, limit: float = 1.0) -> list[Choice]:
    """Gradients through the simulations (costate) and Adam, from the theory's optimum.

    With another limit, a factor of the case's, candidates are compared at that limit, too.
    """
    space = problem.space(basis)
    limits = tuple(dataclasses.replace(each, at_most=limit * each.at_most) for each in problem.case.limits)
    warm = _warm(problem, space, limits)
    found = optimize_course(
        problem.courses,
        problem.case.objective,
        space,
        warm,
        optax.adam(0.03),
        steps=problem.budget,
        seed=problem.seed,
        limits=limits,
    )
    last = _theta(space, found.trail[-1])
    choices = [Choice(space.schedule(theta)) for theta in (found.theta, last, warm)]
    return choices if limit == 1.0 else [problem.choose(choices, limits)]


def flattened(problem: Problem) -> list[Choice]:
    """The constant nearest to the optimised schedule of the same search: what changes over generations is left out."""
    known = problem.known["optimised"]["searches"][problem.number]
    levers = {lever.name: jnp.asarray(known["schedule"][lever.name]) for lever in problem.case.levers}
    schedule = dataclasses.replace(problem.start, **levers)
    space = jb.build_space(schedule, problem.case.levers_as("constant"), problem.search[0].program.settings)
    problem.eggs += known["eggs"]
    return [Choice(space.schedule(space.theta()))]


def by_perturbations(problem: Problem) -> list[Choice]:
    """Gradients by antithetic perturbations (pgpe) with the theory as control, two pairs a step, from its optimum."""
    space = problem.space("free")
    warm = _warm(problem, space, problem.case.limits)
    found = optimize_course(
        problem.courses,
        problem.case.objective,
        space,
        warm,
        optax.adam(0.06),
        gradient="pgpe",
        steps=problem.budget // 4,
        seed=problem.seed,
        limits=problem.case.limits,
        sigma=0.1,
        pairs=2,
    )
    return [Choice(space.schedule(theta)) for theta in (found.theta, _theta(space, found.trail[-1]), warm)]


def by_grid(problem: Problem) -> list[Choice]:
    """Constant levers on a grid from bound to bound, every point on the same panels."""
    space = problem.space("constant")
    each = 16 if space.size == 1 else 4
    points = itertools.product(np.linspace(0, 1, each), repeat=space.size)
    choices = [Choice(space.schedule(_theta(space, np.array(point)))) for point in points]
    return _best(problem, choices, problem.budget // len(choices))


def at_random(problem: Problem) -> list[Choice]:
    """Schedules drawn uniformly from the box, every one on the same two panels."""
    space, rng = problem.space("free"), np.random.default_rng(problem.seed)
    choices = [Choice(space.schedule(_theta(space, rng.random(space.size)))) for _ in range(problem.budget // 2)]
    return _best(problem, choices, 2)


def by_cma(problem: Problem) -> list[Choice]:
    """CMA-ES (the package cmaes) from the theory's optimum; every population on one panel with the same luck."""
    cma = maintained_cma()
    space = problem.space("free")
    warm = np.asarray(_flat(_warm(problem, space, problem.case.limits)), np.float64)
    bounds = np.tile([0.0, 1.0], (space.size, 1))
    inside = np.clip(warm, 0.02, 0.98)
    optimizer = cma.CMA(mean=inside, sigma=0.15, bounds=bounds, seed=problem.seed % 2**31, population_size=8)
    best: list[tuple[float, Floats]] = []
    for n in range(problem.budget // 8):
        asked = [optimizer.ask() for _ in range(8)]
        worths = [problem.mean_worth(Choice(space.schedule(_theta(space, x))), range(n, n + 1)) for x in asked]
        optimizer.tell([(x, -worth) for x, worth in zip(asked, worths, strict=True)])
        # Panels differ by more than schedules do: a worth counts relative to its own population.
        best += [(worth - float(np.mean(worths)), x) for x, worth in zip(asked, worths, strict=True)]
    last = max(best[-8:], key=lambda pair: pair[0])[1]
    return [Choice(space.schedule(_theta(space, x))) for x in (optimizer.mean, last, warm)]


def by_quota(problem: Problem) -> list[Choice]:
    """At most so many animals of each sex from one family; the best quota of four."""
    choices = [Choice(problem.start, quota) for quota in _QUOTAS]
    return _best(problem, choices, problem.budget // len(choices))


def by_contributions(problem: Problem) -> list[Choice]:
    """Optimum contributions; the best rate of inbreeding of four, the same in every generation.

    A seventh of the eggs that the others have: the conic programmes take twenty times the time of the simulation.
    """
    start = problem.start
    rounds = start.generations
    choices = [
        Choice(constant_schedule(rounds, np.asarray(start.weights), inbreeding_rate=rate, tests=problem.case.tests))
        for rate in _RATES
    ]
    return _best(problem, choices, max(1, problem.budget // 24))[:1]


ARMS: dict[str, Arm] = {
    "constant": partial(by_gradient, basis="constant"),
    "optimised": partial(by_gradient, basis="free"),
    "flattened": flattened,
    "linear": partial(by_gradient, basis="linear"),
    "theory": by_theory,
    "optimised-by-pgpe": by_perturbations,
    "smith-hazel": smith_hazel,
    "desired-gains": gains_desired,
    "constant-by-grid": by_grid,
    "random-search": at_random,
    "cma-es": by_cma,
    "family-quotas": by_quota,
    "optimum-contributions": by_contributions,
}
WITHOUT_EGGS = ("theory", "smith-hazel", "desired-gains")


FRONTIER: dict[str, Arm] = {
    "constant-at-tighter-limit": partial(by_gradient, basis="constant", limit=0.75),
    "constant-at-wider-limit": partial(by_gradient, basis="constant", limit=1.3),
}
"""Tuned constants at other limits on F, to compare at equal F."""


def maintained_cma() -> Any:
    """The package cmaes.

    Raises:
      SystemExit: it is not installed; one sentence.
    """
    try:
        import cmaes
    except ImportError:
        raise SystemExit('CMA-ES needs the package cmaes: pip install "jaxbreed[studies]"') from None
    return cmaes


def _best(problem: Problem, choices: list[Choice], times: int) -> list[Choice]:
    ranked = sorted(choices, key=lambda choice: -problem.mean_worth(choice, range(times)))
    return ranked[:CANDIDATES]


def _warm(problem: Problem, space: Space, limits: Sequence[jb.Limit]) -> Theta:
    return search(problem.expected, problem.case.objective, space, space.theta(), limits=limits).theta


def _flat(theta: Theta) -> Floats:
    return np.concatenate([np.asarray(theta[name], np.float64).ravel() for name in sorted(theta)])


def _theta(space: Space, flat: Floats) -> Theta:
    """Parameters from numbers in the unit box, levers in alphabetical order."""
    like = space.theta()
    names = sorted(like)
    parts = np.split(np.asarray(flat), np.cumsum([like[name].size for name in names])[:-1])
    return {n: jnp.asarray(part.reshape(like[n].shape), jnp.float32) for n, part in zip(names, parts, strict=True)}
