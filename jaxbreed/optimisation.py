"""Search for the best schedule: gradients of simulated programmes, an optax optimiser, limits, checkpoints."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import optax
from jax import Array

from jaxbreed.checkpoint import State, read_checkpoint, write_checkpoint
from jaxbreed.course import Course
from jaxbreed.founders import Founders
from jaxbreed.limits import Limit
from jaxbreed.objectives import Objective
from jaxbreed.program import Program
from jaxbreed.schedule import Schedule
from jaxbreed.search_step import STIFFNESS, Control, Search, fresh_state, shaped
from jaxbreed.search_step import Courses as Courses
from jaxbreed.search_step import Gradient as Gradient
from jaxbreed.search_step import Step as Step
from jaxbreed.search_step import courses_of as courses_of
from jaxbreed.search_step import derived_seed as derived_seed
from jaxbreed.space import Space, Theta

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Optimised:
    """The end of a search.

    Attributes:
      theta: mean of the iterates of the last half of the steps (Polyak's average), within bounds: the result.
      schedule: that of theta.
      best: the iterate whose own, noisy value, less ten times its excess over limits, was highest: luck flatters it.
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
        simulation, False for none.
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
    state = fresh_state(theta, optimizer, len(limits))
    if resume:
        if checkpoint is None:
            raise ValueError("resume is true; it needs a checkpoint to go on from")
        state = read_checkpoint(checkpoint, state, whole_identity)
    elif checkpoint is not None:
        write_checkpoint(checkpoint, state, whole_identity)
    search = Search(courses, objective, space, gradient, seed, tuple(limits), sigmas, pairs, control)
    stopped = False
    while state.step < steps and not stopped:
        told = search.step(state, optimizer)
        if checkpoint is not None:
            write_checkpoint(checkpoint, state, whole_identity)
        stopped = callback is not None and callback(told) is True
    return _finish(state, space, steps)


def _best(history: dict[str, npt.NDArray[Any]]) -> int:
    """The step of the highest value, excess over limits taken off at one price (multipliers differ between steps)."""
    return int(np.argmax(history["value"] - STIFFNESS * np.maximum(history["excess"], 0.0).sum(1)))


def _finish(state: State, space: Space, steps: int) -> Optimised:
    trail, done = np.stack(state.trail), state.step
    theta = space.project(shaped(trail[done // 2 + 1 :].mean(0, dtype=np.float64) if done else trail[0], state.theta))
    history = {name: np.asarray(values) for name, values in state.history.items()}
    best = _best(history) if done else 0
    eggs = int(history["eggs"][-1]) if done else 0
    return Optimised(
        theta,
        space.schedule(theta),
        shaped(trail[best], state.theta),
        history,
        trail,
        done,
        eggs,
        finished=done >= steps,
    )
