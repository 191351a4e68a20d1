"""Space mapping: few simulations, each of them teaching the theory, which does the searching in between.

A simulation calibrates the theory (how strongly selection really moves eggs); the calibrated theory, shifted and tilted
so that it agrees with value and costate gradient of that simulation, is maximised within a trust region; the schedule
found is simulated in turn, and kept if it is better (Bandler et al. 1994, IEEE Trans Microw Theory Tech 42:2536;
Alexandrov et al. 1998, Struct Optim 15:16).
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.course import Calibrated, Course, calibrated_course, expected_courses
from jaxbreed.founders import Founders
from jaxbreed.limits import Limit
from jaxbreed.optimisation import derived_seed
from jaxbreed.program import Program
from jaxbreed.schedule import Schedule
from jaxbreed.space import Space, Theta
from jaxbreed.theory_search import OfTheta, climb

Floats = npt.NDArray[np.float64]
_STIFFNESS = 10.0
"""What exceeding a limit by its own size costs, in units of the objective, when two simulations are compared."""
_LEAST_RADIUS, _LEAST_PROMISE = 0.02, 1e-3


class MappingStep(NamedTuple):
    """One simulated schedule."""

    value: float  # of the objective, simulated
    merit: float  # the same less what exceeded limits cost
    promised: float  # by which the merit was to rise, by the theory; 0 at the start
    radius: float  # of the trust region in which it was found, in units of the boxes
    accepted: bool
    eggs: int  # simulated so far


@dataclasses.dataclass(frozen=True)
class Mapped:
    """The end of a search.

    Attributes:
      theta: the best parameters simulated.
      schedule: that of theta.
      steps: all simulations, the start first.
    """

    theta: Theta
    schedule: Schedule
    steps: tuple[MappingStep, ...]

    @property
    def eggs(self) -> int:
        """Simulated in all."""
        return self.steps[-1].eggs


def optimize_by_mapping(
    program: Program,
    founders: Founders,
    objective: Callable[[Course], Array],
    space: Space,
    start: Theta | None = None,
    *,
    replicates: int = 4,
    simulations: int = 10,
    radius: float = 0.3,
    seed: int = 0,
    shared_founders: bool = False,
    limits: Sequence[Limit] = (),
    callback: Callable[[MappingStep], bool | None] | None = None,
) -> Mapped:
    """Maximises an objective over a space of schedules with few simulations.

    All simulations share one seed, so that two schedules are compared by what differs between them. A limit counts as
    the simulation of the best schedule found so far shows it, shifted and tilted as the objective is.

    Args:
      program: the programme.
      founders: its founders.
      objective: what to make large.
      space: of schedules.
      start: parameters to start from; None for the space's start.
      replicates: of each simulation.
      simulations: at most, 2 or more.
      radius: of the first trust region, in units of the levers' boxes.
      seed: of everything random.
      shared_founders: see `jaxbreed.simulate`.
      limits: to be kept.
      callback: called after each simulation; the search stops when it returns True.

    Returns:
      The end of the search. It comes early where theory promises less than 0.001 or the region shrinks below 0.02.

    Raises:
      ValueError: a setting is wrong, or the theory does not know the programme or a lever.
      RuntimeError: a lineage died out.
    """
    if simulations < 2:
        raise ValueError(f"simulations is {simulations}; it must be at least 2, the start and one more")
    if not 0 < radius <= 1:
        raise ValueError(f"radius is {radius:g}; it must be above 0 and at most 1")
    if "inbreeding_rate" in [lever.name for lever in space.levers]:
        raise ValueError("levers names inbreeding_rate, of which theory knows nothing; leave it out")
    options: dict[str, Any] = {"replicates": replicates, "shared_founders": shared_founders}
    options["seed"] = derived_seed(seed, 0)

    def simulated(theta: Theta) -> Calibrated:
        return calibrated_course(program, founders, space.schedule(theta), **options)

    def expected(known: Calibrated) -> Callable[[Schedule], Course]:
        return expected_courses(program, founders, calibration=known.measured, **options)

    def merit(course: Course) -> float:
        exceeded = sum(max(0.0, float(limit.excess(course))) for limit in limits)
        return float(objective(course)) - _STIFFNESS * exceeded

    def told(course: Course, promised: float, accepted: bool) -> MappingStep:
        before = steps[-1].eggs if steps else 0
        eggs = before + int(np.asarray(course.eggs, np.float64).sum())
        return MappingStep(float(objective(course)), merit(course), promised, radius, accepted, eggs)

    steps: list[MappingStep] = []
    theta = space.project(space.theta() if start is None else start)
    best = simulated(theta)
    steps.append(told(best.course, 0.0, True))
    stopped = callback is not None and callback(steps[-1]) is True
    while len(steps) < simulations and not stopped and radius >= _LEAST_RADIUS:
        model = expected(best)
        value = _agreeing(objective, model, best, space, theta)
        excess = [_agreeing(limit.excess, model, best, space, theta) for limit in limits]
        found = climb(value, space, theta, excess=excess, radius=radius).theta
        exceeded = sum(max(0.0, float(e(found))) - max(0.0, float(e(theta))) for e in excess)
        promised = float(value(found)) - float(value(theta)) - _STIFFNESS * exceeded
        if promised < _LEAST_PROMISE:
            break
        trial = simulated(found)
        gained = merit(trial.course) - merit(best.course)
        steps.append(told(trial.course, promised, gained > 0))
        if gained > 0:
            theta, best = found, trial
        if gained < 0.25 * promised:
            radius /= 3
        elif gained > 0.75 * promised:
            radius = min(2 * radius, 1.0)
        stopped = callback is not None and callback(steps[-1]) is True
    return Mapped(theta, space.schedule(theta), tuple(steps))


def _agreeing(
    measure: Callable[[Course], Array],
    model: Callable[[Schedule], Course],
    known: Calibrated,
    space: Space,
    theta: Theta,
) -> OfTheta:
    """A measure by theory, shifted and tilted to have the simulation's value and costate gradient where it was run."""

    def by_theory(at: Theta) -> Array:
        return measure(model(space.schedule(at)))

    slope = known.slope(jax.grad(measure)(known.course))

    def along(at: Theta) -> Array:
        pairs = zip(_leaves(slope), _leaves(space.schedule(at)), strict=True)
        return sum((jnp.vdot(s, x) for s, x in pairs if s is not None), jnp.zeros(()))

    value, gradient = jax.value_and_grad(by_theory)(theta)
    shift = measure(known.course) - value
    tilt = jax.tree.map(jnp.subtract, jax.grad(along)(theta), gradient)

    def agreeing(at: Theta) -> Array:
        moved = sum(jnp.vdot(tilt[name], at[name] - theta[name]) for name in theta)
        return by_theory(at) + shift + moved

    return agreeing


def _leaves(schedule: Schedule) -> list[Any]:
    return [getattr(schedule, field.name) for field in dataclasses.fields(Schedule)]
