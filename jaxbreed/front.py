"""A Pareto front of two traits: schedules by theory, each of them then simulated, and constant weights beside it."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxbreed.course import Course
from jaxbreed.limits import Limit
from jaxbreed.optimisation import Courses
from jaxbreed.schedule import Schedule
from jaxbreed.space import Space
from jaxbreed.theory_search import pareto_front

Floats = npt.NDArray[np.float64]
_BETWEEN = 4
"""Steps of theory from one simulated point of constant weights to the next: their curve bends more than points show."""


class Point(NamedTuple):
    """A schedule, what theory expects of it, and what a simulation gave."""

    schedule: Schedule
    expected: Floats  # (trait,), final gain by theory, founder phenotypic SD
    course: Course | None  # None: not simulated, or not yet

    @property
    def gain(self) -> Floats:
        """(replicate, trait), simulated final gain, founder phenotypic SD."""
        assert self.course is not None
        return np.asarray(self.course.gain, np.float64)[:, -1]


@dataclasses.dataclass(frozen=True)
class TracedFront:
    """A front and its reference.

    Attributes:
      traits: numbers of the two traits.
      points: of the front, from the best of the first trait to the best of the second.
      constant: the schedule the space starts from, with weights that stay the same in every generation, turned from
        the first trait alone to the second alone; every fourth is simulated.
    """

    traits: tuple[int, int]
    points: tuple[Point, ...]
    constant: tuple[Point, ...]


def trace_front(
    courses: Courses,
    space: Space,
    *,
    traits: tuple[int, int] = (0, 1),
    points: int = 15,
    constant: int = 5,
    method: Literal["chebyshev", "epsilon"] = "chebyshev",
    limits: Sequence[Limit] = (),
    seed: int = 0,
    guide: Callable[[Schedule, int], Course] | None = None,
    callback: Callable[[TracedFront | None, int, int], None] | None = None,
) -> TracedFront:
    """Finds a front by theory and simulates its points and those of constant weights, all from one seed.

    Args:
      courses: the simulated and the expected course of a programme.
      space: of schedules.
      traits: numbers of the two.
      points: of the front.
      constant: points of constant weights to be simulated.
      method: see `pareto_front`.
      limits: that every point of the front must keep by theory.
      seed: of all simulations: differences between points are paired.
      guide: the expected course by which the front is searched, for example of one replicate, which is cheaper; None
        for that of `courses`.
      callback: called with the front so far (None until theory has found it), steps done and steps in all, a step
        being a point found or a point simulated.

    Returns:
      The front, simulated.

    Raises:
      ValueError: see `pareto_front`; or fewer than two points of constant weights.
      RuntimeError: a lineage died out.
    """
    if constant < 2:
        raise ValueError(f"constant is {constant}; constant weights need at least their two ends")
    steps, places = 2 * points + constant, _BETWEEN * (constant - 1) + 1

    def expected(schedule: Schedule) -> Course:
        return courses.expected(schedule, seed)

    guiding = courses.expected if guide is None else guide

    def tell(front: TracedFront | None, done: int) -> None:
        if callback is not None:
            callback(front, done, steps)

    found = pareto_front(
        lambda schedule: guiding(schedule, seed),
        space,
        traits=traits,
        points=points,
        method=method,
        limits=limits,
        progress=lambda done: tell(None, done),
    )
    schedules = [space.schedule(theta) for theta in found.theta]
    turned = [_constant(space.start, traits, angle) for angle in np.linspace(0, np.pi / 2, places)]
    front = TracedFront(
        traits,
        tuple(Point(schedule, _final(expected(schedule)), None) for schedule in schedules),
        tuple(Point(schedule, _final(expected(schedule)), None) for schedule in turned),
    )
    tell(front, points)
    for number in range(points + constant):
        front = _simulated(front, number, courses, seed)
        tell(front, points + number + 1)
    return front


def _simulated(front: TracedFront, number: int, courses: Courses, seed: int) -> TracedFront:
    """The front with one more of its points simulated, those of constant weights last."""
    line, at = "points", number
    if number >= len(front.points):
        line, at = "constant", _BETWEEN * (number - len(front.points))
    points = list(getattr(front, line))
    points[at] = points[at]._replace(course=courses.simulated(points[at].schedule, seed))
    return dataclasses.replace(front, **{line: tuple(points)})


def _final(course: Course) -> Floats:
    return np.asarray(course.gain, np.float64)[:, -1].mean(0)


def _constant(start: Schedule, traits: tuple[int, int], angle: float) -> Schedule:
    weights = np.zeros(start.weights.shape, np.float32)
    weights[:, traits[0]], weights[:, traits[1]] = np.cos(angle), np.sin(angle)
    return dataclasses.replace(start, weights=jnp.where(jnp.abs(weights) < 1e-6, 0.0, weights))


def shortfall(front: TracedFront) -> tuple[Floats, Floats]:
    """How far the simulated front is from theory's.

    Returns:
      Simulated less expected final gains of the points simulated so far, (point, trait), and their standard errors
      over replicates, NaN for one replicate.
    """
    done = [point for point in front.points if point.course is not None]
    traits = list(front.traits)
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = [np.sqrt(p.gain[:, traits].var(0) / (len(p.gain) - 1)) for p in done]
    return np.array([(p.gain.mean(0) - p.expected)[traits] for p in done]), np.array(errors)
