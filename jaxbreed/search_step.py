"""One step of a search: a gradient by one of three estimators, penalties of limits, the move of an optax optimiser."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax
from jax import Array

from jaxbreed.checkpoint import State
from jaxbreed.course import Course, expected_courses, simulate_course
from jaxbreed.founders import Founders
from jaxbreed.limits import Limit, penalty, update
from jaxbreed.pgpe import linear_control, perturbation_gradient
from jaxbreed.program import Program
from jaxbreed.schedule import Schedule
from jaxbreed.space import Space, Theta

Gradient = Literal["costate", "theory", "pgpe"]
Control = bool | Literal["costate"]
Floats = npt.NDArray[np.float64]
_WINDOW = 5
"""Steps between two moves of the multipliers."""
# Of all limits, whose excess is a share of them: what an excess costs, and how fast multipliers follow.
STIFFNESS, _SHARE = 10.0, 0.3


class Courses(NamedTuple):
    """Two ways from a schedule and a seed to a course."""

    simulated: Callable[[Schedule, int], Course]
    expected: Callable[[Schedule, int], Course]


class Step(NamedTuple):
    """What a callback is told after each step."""

    step: int  # steps done
    value: float  # of the objective at the iterate that the step began with
    gradient_norm: float
    excess: Floats  # (limit,), share by which each limit is exceeded; negative where it is kept
    multipliers: Floats  # (limit,)
    eggs: int  # simulated so far


def courses_of(program: Program, founders: Founders, replicates: int, *, shared_founders: bool = False) -> Courses:
    """The simulated and the expected course of a programme."""

    def simulated(schedule: Schedule, seed: int) -> Course:
        return simulate_course(
            program, founders, schedule, replicates=replicates, seed=seed, shared_founders=shared_founders
        )

    @functools.lru_cache(maxsize=1)
    def theory(seed: int) -> Callable[[Schedule], Course]:
        return expected_courses(program, founders, replicates=replicates, seed=seed, shared_founders=shared_founders)

    def expected(schedule: Schedule, seed: int) -> Course:
        return theory(seed)(schedule)

    return Courses(simulated, expected)


def fresh_state(theta: Theta, optimizer: optax.GradientTransformation, limits: int) -> State:
    """The state of a search before its first step, with so many limits."""
    names = ("value", "penalised", "gradient_norm", "excess", "multipliers", "eggs")
    return State(
        step=0,
        theta=theta,
        optimizer=optimizer.init(theta),
        multipliers=np.zeros(limits),
        stiffness=np.full(limits, STIFFNESS),
        window=np.zeros(limits),
        trail=[flat(theta)],
        history={name: [] for name in names},
    )


class _Sample(NamedTuple):
    """What a gradient came from."""

    gradient: Theta
    value: float
    penalised: float
    excess: Floats
    eggs: int


@dataclasses.dataclass(frozen=True)
class Search:
    """What a step needs to know, besides the state that it changes."""

    courses: Courses
    objective: Callable[[Course], Array]
    space: Space
    gradient: Gradient
    seed: int
    limits: tuple[Limit, ...]
    sigma: dict[str, float]
    pairs: int
    control: Control

    def step(self, state: State, optimizer: optax.GradientTransformation) -> Step:
        """One step, which changes the state."""
        seed = derived_seed(self.seed, state.step)
        if self.gradient == "pgpe":
            sample = self._sampled(state, seed)
        else:
            sample = self._differentiated(state, seed, simulated=self.gradient == "costate")
        norm = float(np.linalg.norm(flat(sample.gradient)))
        if not np.isfinite(norm):
            raise RuntimeError(f"the gradient of step {state.step + 1} is not finite")
        uphill = jax.tree.map(jnp.negative, sample.gradient)
        updates, state.optimizer = optimizer.update(uphill, state.optimizer, state.theta)
        moved: Theta = optax.apply_updates(state.theta, updates)
        state.theta = self.space.project(moved)
        state.step += 1
        self._move_multipliers(state, sample.excess)
        eggs = sample.eggs + (state.history["eggs"][-1] if state.history["eggs"] else 0)
        row = (sample.value, sample.penalised, norm, sample.excess, state.multipliers.copy(), eggs)
        for name, number in zip(state.history, row, strict=True):
            state.history[name].append(number)
        state.trail.append(flat(state.theta))
        return Step(state.step, sample.value, norm, sample.excess, state.multipliers.copy(), int(eggs))

    def _move_multipliers(self, state: State, excess: Floats) -> None:
        state.window = state.window + excess
        if state.step % _WINDOW or not self.limits:
            return
        mean = state.window / _WINDOW
        # The iterate is still under way, so a multiplier goes a part of the way that it would go from an optimum.
        steps = _SHARE * state.stiffness
        moved = [update(*numbers) for numbers in zip(state.multipliers, steps, mean, strict=True)]
        state.multipliers, state.window = np.array(moved), np.zeros_like(mean)

    def _worth(self, course: Course, state: State) -> tuple[Array, tuple[Array, Array]]:
        """Value less penalties; the value, and the excess over each limit."""
        value = self.objective(course)
        excess = jnp.stack([limit.excess(course) for limit in self.limits]) if self.limits else jnp.zeros(0)
        less = jnp.zeros(())
        for e, multiplier, stiffness in zip(excess, state.multipliers, state.stiffness, strict=True):
            less += penalty(e, float(multiplier), float(stiffness))
        return value - less, (value, excess)

    def _differentiated(self, state: State, seed: int, simulated: bool) -> _Sample:
        def worth(theta: Theta) -> tuple[Array, tuple[Array, Array, Array]]:
            schedule = self.space.schedule(theta)
            # Theory has no luck, but for which founders there are: always the same.
            course = self.courses.simulated(schedule, seed) if simulated else self.courses.expected(schedule, self.seed)
            penalised, (value, excess) = self._worth(course, state)
            return penalised, (value, excess, course.eggs)

        (penalised, (value, excess, eggs)), gradient = jax.value_and_grad(worth, has_aux=True)(state.theta)
        laid = int(np.asarray(eggs, np.float64).sum()) if simulated else 0
        return _Sample(gradient, float(value), float(penalised), np.asarray(excess, np.float64), laid)

    def _sampled(self, state: State, seed: int) -> _Sample:
        values, worths, excesses, eggs = [], [], [], 0

        def value(theta: Theta, seed: int) -> float:
            nonlocal eggs
            course = self.courses.simulated(self.space.schedule(theta), seed)
            penalised, (plain, excess) = self._worth(course, state)
            values.append(float(plain))
            worths.append(float(penalised))
            excesses.append(np.asarray(excess, np.float64))
            eggs += int(np.asarray(course.eggs, np.float64).sum())
            return worths[-1]

        def by_theory(theta: Theta) -> Array:
            return self._worth(self.courses.expected(self.space.schedule(theta), self.seed), state)[0]

        control: Callable[[Any], Any] | None = by_theory if self.control else None
        if self.control == "costate":
            # From a seed of its own: what it shares with the pairs would bias them.
            costate = self._differentiated(state, derived_seed(seed, 1), simulated=True)
            control = linear_control(state.theta, costate.gradient)
            eggs += costate.eggs
        gradient = perturbation_gradient(
            value,
            state.theta,
            {name: np.full(x.shape, self.sigma[name]) for name, x in state.theta.items()},
            self.pairs,
            seed,
            control=control,
        )
        return _Sample(gradient, float(np.mean(values)), float(np.mean(worths)), np.mean(excesses, axis=0), eggs)


def derived_seed(seed: int, *numbers: int) -> int:
    """A seed of its own for each combination of numbers, 0 to 2^63 - 1; zeros at the end make no difference."""
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def flat(theta: Theta) -> npt.NDArray[np.float32]:
    """Parameters as one vector, levers in alphabetical order."""
    return np.concatenate([np.asarray(theta[name], np.float32).ravel() for name in sorted(theta)])


def shaped(values: npt.NDArray[Any], like: Theta) -> Theta:
    """Parameters from such a vector."""
    names = sorted(like)
    parts = np.split(values, np.cumsum([like[name].size for name in names])[:-1])
    return {n: jnp.asarray(part.reshape(like[n].shape), jnp.float32) for n, part in zip(names, parts, strict=True)}
