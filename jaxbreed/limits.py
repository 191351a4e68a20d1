"""Limits that a schedule must keep: inbreeding, its rate, cost."""

import dataclasses
import math
from typing import ClassVar

import jax.numpy as jnp
from jax import Array

from jaxbreed.course import Course


@dataclasses.dataclass(frozen=True)
class FinalInbreeding:
    """Mean inbreeding coefficient F of the last generation's eggs, mean over replicates.

    That is the kinship of their parents as mates. It does not see how few breed in the last round, of which only later
    generations would be inbred: a schedule may keep many parents until then and few at the end.
    """

    name: ClassVar[str] = "inbreeding"

    def __call__(self, course: Course) -> Array:
        """A scalar."""
        return jnp.asarray(course.inbreeding)[:, -1].mean()


@dataclasses.dataclass(frozen=True)
class InbreedingRate:
    """Rate of inbreeding a generation, 1 - ((1 - F last) / (1 - F first))^(1 / generations), of the mean F."""

    name: ClassVar[str] = "inbreeding_rate"

    def __call__(self, course: Course) -> Array:
        """A scalar."""
        outbred = 1 - jnp.asarray(course.inbreeding).mean(0)
        return 1 - (outbred[-1] / outbred[0]) ** (1 / (len(outbred) - 1))


@dataclasses.dataclass(frozen=True)
class TotalCost:
    """What a run spends on eggs and tests, mean over replicates.

    Attributes:
      egg: price of an egg laid.
      test: price of an animal tested.
    """

    egg: float = 0.0
    test: float = 1.0
    name: ClassVar[str] = "cost"

    def __post_init__(self) -> None:
        """Checks.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        if min(self.egg, self.test) < 0 or self.egg + self.test == 0:
            raise ValueError(
                f"prices are {self.egg:g} an egg and {self.test:g} a test; one must be above 0, none below"
            )

    def __call__(self, course: Course) -> Array:
        """A scalar."""
        return (self.egg * jnp.asarray(course.eggs) + self.test * jnp.asarray(course.tests)).sum(1).mean()


Measure = FinalInbreeding | InbreedingRate | TotalCost


@dataclasses.dataclass(frozen=True)
class Limit:
    """A measure of a run that must stay at or below a number.

    Attributes:
      measure: of a run.
      at_most: above 0.
    """

    measure: Measure
    at_most: float

    def __post_init__(self) -> None:
        """Checks.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        most = math.inf if isinstance(self.measure, TotalCost) else 1.0
        if not 0 < self.at_most < most:
            right = "above 0" if most == math.inf else "above 0 and below 1"
            raise ValueError(f"the limit on {self.measure.name} is {self.at_most:g}; it must be {right}")

    def excess(self, course: Course) -> Array:
        """By what share of the limit a run exceeds it; at or below 0 where it keeps it."""
        return self.measure(course) / self.at_most - 1


def penalty(excess: Array, multiplier: float, stiffness: float) -> Array:
    """Augmented Lagrangian of an inequality, to be taken from the objective.

    (max(0, m + s e)^2 - m^2) / (2 s), with excess e, multiplier m and stiffness s (Rockafellar 1973).
    """
    return (jnp.maximum(0.0, multiplier + stiffness * excess) ** 2 - multiplier**2) / (2 * stiffness)


def update(multiplier: float, stiffness: float, excess: float) -> float:
    """The next multiplier."""
    return max(0.0, multiplier + stiffness * excess)
