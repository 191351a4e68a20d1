"""Search for the best schedule: gradients of simulated programmes, an optax optimiser, limits, checkpoints."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax
from jax import Array

from jaxbreed.checkpoint import State, read_checkpoint, write_checkpoint
from jaxbreed.course import Course, expected_courses, simulate_course
from jaxbreed.founders import Founders
from jaxbreed.limits import Limit, penalty, update
from jaxbreed.objectives import Objective
from jaxbreed.pgpe import linear_control, perturbation_gradient
from jaxbreed.program import Program
from jaxbreed.schedule import Schedule
from jaxbreed.space import Space, Theta

Gradient = Literal["costate", "theory", "pgpe"]
Control = bool | Literal["costate"]
Floats = npt.NDArray[np.float64]
_WINDOW = 5
"""Steps between two moves of the multipliers."""
_STIFFNESS, _SHARE = 10.0, 0.3


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


@dataclasses.dataclass(frozen=True)
class Optimised:
    """The end of a search.

    Attributes:
      theta: mean of the iterates of the last half of the steps (Polyak's average), within bounds: the result.
      schedule: that of theta.
      best: the iterate whose own, noisy value less penalties was highest: flattered by its luck.
      history: by step "value", "penalised" (value less penalties), "gradient_norm", "excess", "multipliers" (step,
        limit), "eggs" (so far).
      trail: (step + 1, parameter), iterates, levers in alphabetical order.
      steps: done.
      eggs: simulated.
      finished: whether all steps were done.
    """

    theta: Theta
    schedule: Schedule
    best: Theta
    history: dict[str, npt.NDArray[Any]]
    trail: npt.NDArray[np.float32]
    steps: int
    eggs: int
    finished: bool

    @property
    def multipliers(self) -> Floats:
        """(limit,), mean of the last half of the steps: how much the objective would rise with a limit twice as wide.

        By the slope at the limit.
        """
        half = self.history["multipliers"][self.steps // 2 :]
        return np.asarray(half.mean(0)) if self.steps else np.zeros(0)


def optimize(
    program: Program,
    founders: Founders,
    objective: Objective,
    space: Space,
    start: Theta | None = None,
    optimizer: optax.GradientTransformation | None = None,
    *,
    gradient: Gradient = "costate",
    replicates: int = 4,
    steps: int = 100,
    seed: int = 0,
    shared_founders: bool = False,
    limits: Sequence[Limit] = (),
    sigma: float | dict[str, float] = 0.05,
    pairs: int = 4,
    control: Control = True,
    callback: Callable[[Step], bool | None] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    identity: dict[str, str] | None = None,
) -> Optimised:
    """Maximises an objective over a space of schedules.

    Step n simulates with a seed of its own, derived from (seed, n), so that no run of luck is fitted.

    Args:
      program: the programme.
      founders: its founders.
      objective: what to make large.
      space: of schedules.
      start: parameters to start from; None for the space's start.
      optimizer: any of optax's, of parameters in units of their boxes; None for Adam with steps of 0.03.
      gradient: "costate" through the simulation, "theory" of the expected course alone, "pgpe" from values of
        perturbed simulations.
      replicates: of each simulation.
      steps: of the search, all together.
      seed: of everything random.
      shared_founders: see `jaxbreed.simulate`.
      limits: to be kept, by an augmented Lagrangian whose multipliers move every 5 steps.
      sigma: of pgpe's perturbations, in units of a lever's box; by lever, if not the same for all.
      pairs: of pgpe's perturbations.
      control: of pgpe, the control variate: True for the theory, "costate" for the costate gradient of one more
        simulation with a fitted coefficient, False for none.
      callback: called after each step; the search stops when it returns True.
      checkpoint: file that is written after every step, before the callback; None for none.
      resume: go on from that file; the end is the same to the bit as that of one search without a break.
      identity: what else a resumed search must have in common with the one that began, by name ("scenario": its
        digest).

    Returns:
      The end of the search.

    Raises:
      ValueError: a setting is wrong, or the checkpoint is of another search.
      FileNotFoundError: there is no checkpoint to resume.
      RuntimeError: a lineage died out, or a gradient is not finite.
    """
    return optimize_course(
        courses_of(program, founders, replicates, shared_founders=shared_founders),
        objective,
        space,
        start,
        optimizer,
        gradient=gradient,
        steps=steps,
        seed=seed,
        limits=limits,
        sigma=sigma,
        pairs=pairs,
        control=control,
        callback=callback,
        checkpoint=checkpoint,
        resume=resume,
        identity={"replicates": str(replicates)} | (identity or {}),
    )


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


def optimize_course(
    courses: Courses,
    objective: Callable[[Course], Array],
    space: Space,
    start: Theta | None = None,
    optimizer: optax.GradientTransformation | None = None,
    *,
    gradient: Gradient = "costate",
    steps: int = 100,
    seed: int = 0,
    limits: Sequence[Limit] = (),
    sigma: float | dict[str, float] = 0.05,
    pairs: int = 4,
    control: Control = True,
    callback: Callable[[Step], bool | None] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    identity: dict[str, str] | None = None,
) -> Optimised:
    """`optimize` of any functions that give a course; see there."""
    if gradient not in get_args(Gradient):
        raise ValueError(f"gradient is {gradient}; it must be one of {', '.join(get_args(Gradient))}")
    if control not in (True, False, "costate"):
        raise ValueError(f'control is {control}; it must be True, False or "costate"')
    if steps < 1 or pairs < 1:
        raise ValueError(f"steps is {steps} and pairs {pairs}; both must be at least 1")
    names = [lever.name for lever in space.levers]
    if "inbreeding_rate" in names and gradient != "pgpe":
        raise ValueError(f'gradient is {gradient}; with the lever inbreeding_rate it must be "pgpe", theory knows none')
    sigmas = sigma if isinstance(sigma, dict) else dict.fromkeys(names, sigma)
    if set(sigmas) != set(names) or not all(0 < size <= 0.5 for size in sigmas.values()):
        raise ValueError(f"sigma is {sigma}; it must be above 0 and at most 0.5, one for each of {', '.join(names)}")
    optimizer = optax.adam(0.03) if optimizer is None else optimizer
    theta = space.project(space.theta() if start is None else start)
    own = {
        "seed": str(seed),
        "gradient": gradient,
        "objective": repr(objective),
        "limits": repr(tuple(limits)),
        "levers": repr(space.levers),
        "sampling": f"{pairs} pairs, sigma {sorted(sigmas.items())}, control {control}" if gradient == "pgpe" else "-",
    }
    whole_identity = (identity or {}) | own
    state = _fresh(theta, optimizer, len(limits))
    if resume:
        if checkpoint is None:
            raise ValueError("resume is true; it needs a checkpoint to go on from")
        state = read_checkpoint(checkpoint, state, whole_identity)
    elif checkpoint is not None:
        write_checkpoint(checkpoint, state, whole_identity)
    search = _Search(courses, objective, space, gradient, seed, tuple(limits), sigmas, pairs, control)
    stopped = False
    while state.step < steps and not stopped:
        told = search.step(state, optimizer)
        if checkpoint is not None:
            write_checkpoint(checkpoint, state, whole_identity)
        stopped = callback is not None and callback(told) is True
    return _finish(state, space, steps)


def _fresh(theta: Theta, optimizer: optax.GradientTransformation, limits: int) -> State:
    names = ("value", "penalised", "gradient_norm", "excess", "multipliers", "eggs")
    return State(
        step=0,
        theta=theta,
        optimizer=optimizer.init(theta),
        multipliers=np.zeros(limits),
        stiffness=np.full(limits, _STIFFNESS),
        window=np.zeros(limits),
        trail=[_flat(theta)],
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
class _Search:
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
        norm = float(np.linalg.norm(_flat(sample.gradient)))
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
        state.trail.append(_flat(state.theta))
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
            fitted=self.control == "costate",
        )
        return _Sample(gradient, float(np.mean(values)), float(np.mean(worths)), np.mean(excesses, axis=0), eggs)


def derived_seed(seed: int, *numbers: int) -> int:
    """A seed of its own for each combination of numbers, 0 to 2^63 - 1."""
    return int(np.random.SeedSequence([seed, *numbers]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _flat(theta: Theta) -> npt.NDArray[np.float32]:
    return np.concatenate([np.asarray(theta[name], np.float32).ravel() for name in sorted(theta)])


def _shaped(flat: npt.NDArray[Any], like: Theta) -> Theta:
    names = sorted(like)
    parts = np.split(flat, np.cumsum([like[name].size for name in names])[:-1])
    return {n: jnp.asarray(part.reshape(like[n].shape), jnp.float32) for n, part in zip(names, parts, strict=True)}


def _finish(state: State, space: Space, steps: int) -> Optimised:
    trail, done = np.stack(state.trail), state.step
    theta = space.project(_shaped(trail[done // 2 + 1 :].mean(0, dtype=np.float64) if done else trail[0], state.theta))
    best = int(np.argmax(state.history["penalised"])) if done else 0
    history = {name: np.asarray(values) for name, values in state.history.items()}
    eggs = int(history["eggs"][-1]) if done else 0
    return Optimised(
        theta,
        space.schedule(theta),
        _shaped(trail[best], state.theta),
        history,
        trail,
        done,
        eggs,
        finished=done >= steps,
    )
