"""Searches on the theory, which has no noise: a warm start, the least of a measure, Pareto fronts of two traits."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array
from scipy.optimize import minimize

from jaxbreed.course import Course
from jaxbreed.limits import FinalInbreeding, InbreedingRate, Limit
from jaxbreed.schedule import Schedule
from jaxbreed.space import Space, Theta

CourseOf = Callable[[Schedule], Course]
Value = Callable[[Course], Array]
OfTheta = Callable[[Theta], Array]
_TRUST = 0.8
"""Theory must promise at least 1 / 0.8 of a limit on inbreeding before the limit is called impossible."""


class Kept(Protocol):
    """What is kept when its excess is at or below 0."""

    def excess(self, course: Course) -> Array:
        """A scalar."""


class Found(NamedTuple):
    """Where a search ended."""

    theta: Theta
    value: float


def search(
    course: CourseOf, value: Value, space: Space, theta: Theta, *, limits: Sequence[Kept] = (), iterations: int = 50
) -> Found:
    """Maximises a function of a noiseless, differentiable course (sequential quadratic programming).

    Args:
      course: of a schedule, differentiable.
      value: what to maximise.
      space: of schedules.
      theta: where to start.
      limits: to be kept.
      iterations: at most.

    Returns:
      The best parameters found, within their boxes, and their value.
    """

    def of(function: Value) -> OfTheta:
        return lambda theta: function(course(space.schedule(theta)))

    return climb(of(value), space, theta, excess=[of(limit.excess) for limit in limits], iterations=iterations)


_KEPT = 1e-3
"""Share of a limit by which theory may pass it: rounding of a search in single precision."""


def climb(
    value: OfTheta,
    space: Space,
    theta: Theta,
    *,
    excess: Sequence[OfTheta] = (),
    iterations: int = 50,
    radius: float = 1.0,
) -> Found:
    """Maximises a noiseless, differentiable function of parameters.

    Args:
      value: what to maximise.
      space: of schedules.
      theta: where to start.
      excess: functions to be kept at or below 0.
      iterations: at most.
      radius: how far from the start each parameter may go, in units of its box.

    Returns:
      The best parameters found, within their boxes, and their value.
    """
    names = sorted(theta)
    sizes = [theta[name].size for name in names]

    def unflatten(flat: npt.NDArray[np.float64]) -> Theta:
        parts = np.split(flat, np.cumsum(sizes)[:-1])
        return {n: jnp.asarray(part.reshape(theta[n].shape), jnp.float32) for n, part in zip(names, parts, strict=True)}

    def flatten(theta: Theta) -> npt.NDArray[np.float64]:
        return np.concatenate([np.asarray(theta[name], np.float64).ravel() for name in names])

    def both(of: OfTheta) -> Callable[[npt.NDArray[np.float64]], tuple[float, npt.NDArray[np.float64]]]:
        seen: dict[bytes, tuple[float, npt.NDArray[np.float64]]] = {}

        def at(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            if (key := flat.tobytes()) not in seen:
                worth, slope = jax.value_and_grad(of)(unflatten(flat))
                seen.clear()
                seen[key] = -float(worth), -flatten(slope)
            return seen[key]

        return at

    constraints: list[dict[str, object]] = []
    for function in excess:
        kept = both(function)
        constraints.append({"type": "ineq", "fun": partial(_part, kept, 0), "jac": partial(_part, kept, 1)})
    constraints += _sums(space, names, theta)
    start = flatten(theta)
    result = minimize(
        both(value),
        start,
        jac=True,
        bounds=list(zip(np.maximum(start - radius, 0.0), np.minimum(start + radius, 1.0), strict=True)),
        constraints=constraints,
        method="SLSQP",
        # Courses are float32: smaller steps are rounding.
        options={"maxiter": iterations, "ftol": 1e-6},
    )
    ends = [space.project(unflatten(np.asarray(x, np.float64))) for x in (result.x, start)]
    # The search may end beyond a limit, or below where it began: then the start stands.
    found = [(-max([float(of(x)) for of in excess] + [_KEPT]), float(value(x))) for x in ends]
    best = max(range(2), key=found.__getitem__)
    return Found(ends[best], found[best][1])


def _part(both: Callable[[Any], tuple[Any, Any]], part: int, at: npt.NDArray[np.float64]) -> Any:
    return both(at)[part]


def _sums(space: Space, names: list[str], theta: Theta) -> list[dict[str, object]]:
    """Weights on the simplex sum to 1 at every knot."""
    constraints: list[dict[str, object]] = []
    start = 0
    for name in names:
        lever = next(lever for lever in space.levers if lever.name == name)
        if lever.simplex:
            rows, traits = theta[name].shape
            total = np.zeros((rows, sum(theta[n].size for n in names)))
            for row in range(rows):
                total[row, start + row * traits : start + (row + 1) * traits] = 1.0
            constraints.append({"type": "eq", "fun": partial(_less_one, total), "jac": partial(_same, total)})
        start += theta[name].size
    return constraints


def _less_one(total: Any, at: Any) -> Any:
    return total @ at - 1


def _same(total: Any, at: Any) -> Any:
    return total


def check_possible(course: CourseOf, limits: Sequence[Limit], space: Space, theta: Theta) -> None:
    """Makes sure, as far as theory can tell, that some schedule of the space keeps each limit.

    Raises:
      ValueError: the least that theory finds is beyond a limit (for inbreeding by more than a quarter, since theory
        errs); one sentence.
    """
    for limit in limits:
        trust = _TRUST if isinstance(limit.measure, FinalInbreeding | InbreedingRate) else 1.0
        now = float(limit.measure(course(space.schedule(theta))))
        if now <= limit.at_most:
            continue
        found = search(course, partial(_minus_excess, limit), space, theta, iterations=30)
        least = min(now, (1 - found.value) * limit.at_most)
        if trust * least > limit.at_most:
            raise ValueError(
                f"limits.{limit.measure.name} is {limit.at_most:.4g}, but the least that theory finds with these "
                f"levers is {least:.4g}; raise the limit, free other levers, or change the programme"
            )


def _minus_excess(limit: Limit, course: Course) -> Array:
    return -limit.excess(course)


@dataclasses.dataclass(frozen=True)
class Front:
    """A Pareto front of two traits.

    Attributes:
      gain: (point, 2), final gains by theory, founder phenotypic SD, from the best of the first trait to the best of
        the second.
      theta: parameters of each point.
      best: (point,), whether no other point is as good in both traits and better in one.
    """

    gain: npt.NDArray[np.float64]
    theta: tuple[Theta, ...]
    best: npt.NDArray[np.bool_]


def pareto_front(
    course: CourseOf,
    space: Space,
    *,
    traits: tuple[int, int] = (0, 1),
    points: int = 15,
    method: Literal["chebyshev", "epsilon"] = "chebyshev",
    limits: Sequence[Limit] = (),
    theta: Theta | None = None,
    progress: Callable[[int], None] | None = None,
) -> Front:
    """Finds what two traits can gain together, by theory, each point starting from its neighbour.

    Args:
      course: expected course of a schedule, for example `functools.partial` of `jaxbreed.expected_course`.
      space: of schedules.
      traits: numbers of the two.
      points: of the front, the two ends included.
      method: "chebyshev" makes the larger of the two weighted shortfalls from the ends' best gains small (softly;
        finds concave parts of a front as well as convex ones); "epsilon" makes the first trait's gain large with the
        second's at or above a number, in equal steps.
      limits: that every point must keep.
      theta: where to start; None for the space's start.
      progress: called with the number of points found.

    Raises:
      ValueError: fewer than two points; two traits that are one.
    """
    if points < 2:
        raise ValueError(f"points is {points}; a front has at least its two ends")
    if traits[0] == traits[1]:
        raise ValueError(f"traits is {traits}; a front needs two")

    def final(c: Course) -> Array:
        return jnp.asarray(c.gain)[:, -1].mean(0)[jnp.array(traits)]

    def weighted(weights: tuple[float, float]) -> Value:
        return lambda c: final(c) @ jnp.array(weights)

    start = space.theta() if theta is None else theta
    # An end that is best in one trait should not waste the other.
    ends = []
    for w in ((1.0, 0.02), (0.02, 1.0)):
        ends.append(search(course, weighted(w), space, start, limits=limits).theta)
        if progress is not None:
            progress(len(ends))
    corner = np.array([np.asarray(final(course(space.schedule(end))), np.float64) for end in ends])
    high = corner.diagonal()
    spread = np.maximum(high - corner[::-1].diagonal(), 1e-6)
    found, at = [ends[0]], ends[0]
    for share in np.linspace(0, 1, points)[1:-1]:
        if method == "epsilon":
            floor = corner[0, 1] + share * spread[1]
            least = _AtLeast(traits[1], floor, float(spread[1]))
            at = search(course, weighted((1.0, 0.0)), space, at, limits=(*limits, least)).theta
        else:
            weight = np.array([1 - share, share]) / spread

            def worth(c: Course, weight: npt.NDArray[np.float64] = weight) -> Array:
                short = (jnp.asarray(high, jnp.float32) - final(c)) * jnp.asarray(weight, jnp.float32)
                return -jax.scipy.special.logsumexp(40.0 * short) / 40.0 - 0.01 * short.sum()

            at = search(course, worth, space, at, limits=limits).theta
        found.append(at)
        if progress is not None:
            progress(len(found) + 1)
    found.append(ends[1])
    gain = np.array([np.asarray(final(course(space.schedule(point))), np.float64) for point in found])
    worse = (gain[:, None] <= gain + 1e-4).all(-1) & (gain[:, None] < gain - 1e-4).any(-1)
    return Front(gain, tuple(found), ~np.any(worse, axis=1))


class _AtLeast(NamedTuple):
    """The final gain of a trait is to be at or above a number: a limit for `search`."""

    trait: int
    floor: float
    scale: float

    def excess(self, course: Course) -> Array:
        return (self.floor - jnp.asarray(course.gain)[:, -1, self.trait].mean()) / self.scale
