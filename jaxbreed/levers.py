"""The schedule as the theory takes it: real numbers, and what it does not know refused."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.moments import Levers
from jaxbreed.program import Program
from jaxbreed.schedule import Schedule

Floats = npt.NDArray[np.float64]
_ROUNDING = 0xC0DE  # sets rounding apart from every other use of the seed


def check_known(program: Program, schedule: Schedule) -> None:
    """Refuses what the theory would take for plain truncation.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    settings = program.settings
    if settings.combine != "sum":
        raise ValueError(f"combine is {settings.combine}; the theory knows the weighted sum only")
    limits = schedule.inbreeding_rate
    if limits is not None and np.isfinite(np.asarray(limits)).any():
        raise ValueError(
            f"inbreeding_rate is {float(np.asarray(limits).min()):g}; the theory knows truncation only: leave it out, "
            "or take gradients by perturbations (pgpe) without the theory's control"
        )


def levers_of(program: Program, schedule: Schedule) -> Levers:
    """The schedule as the theory takes it, float64, leading axis (generation,)."""
    settings, rounds = program.settings, schedule.generations

    def given(value: Any, otherwise: float) -> Floats:
        return np.full(rounds, otherwise) if value is None else np.asarray(value, np.float64)

    survivors = sum(settings.eggs) / 2 * settings.survival
    plan = settings.prediction
    candidates = min(settings.most_tested, survivors)
    if plan is not None and plan.choose == "eggs":
        candidates = survivors
    return Levers(
        weights=given(schedule.weights, 0.0),
        fraction=given(schedule.fraction, 0.0),
        males=given(schedule.males, 2.0**30),
        family_weight=given(schedule.family_weight, 1.0),
        tests=np.minimum(given(schedule.tests, candidates), survivors),
    )


def tested_in_stages(program: Program) -> float:
    """Animals of a clutch that are tested at least once, in expectation."""
    settings = program.settings
    living = sum(settings.eggs) / 2 * settings.survival
    for number, stage in enumerate(settings.stages):
        if number > 0 or stage.kind != "screen":
            living = min(living, stage.capacity or living) * stage.survival
        if stage.kind == "test":
            return living
    return 0.0


def whole_numbers(schedule: Schedule, seed: int) -> Schedule:
    """Rounds numbers of males and tests up or down at random, so that the mean is right.

    Args:
      schedule: with real or whole numbers.
      seed: the same seed rounds the same way, and a larger number never rounds lower.

    Returns:
      The schedule with int32 numbers.
    """
    luck = np.random.default_rng(np.random.SeedSequence([seed, _ROUNDING])).random((2, schedule.generations))

    def whole(value: Any, luck: Floats) -> Array | None:
        if value is None:
            return None
        array = np.asarray(value)
        if np.issubdtype(array.dtype, np.floating):
            array = np.floor(np.minimum(array.astype(np.float64), 2.0**30) + luck)
        return jnp.asarray(array, jnp.int32)

    males = whole(schedule.males, luck[0])
    assert males is not None
    leaves = jax.tree.map(jnp.asarray, schedule)
    return dataclasses.replace(leaves, males=jnp.maximum(males, 1), tests=whole(schedule.tests, luck[1]))
