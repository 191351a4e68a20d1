"""Objectives: what a schedule is to make large, as differentiable functions of the course of a run.

Every objective gives a number where higher is better. `values` gives one for each replicate; the objective itself is
the mean of these (`of = "replicates"`), or the value of the mean course (`of = "mean"`). The two differ where the
objective is not linear: a breeder with one programme cares for the first, one who pools lineages in the end for the
second (for concave utilities the second is the larger, by Jensen's inequality).
"""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxbreed.course import Course
from jaxbreed.judging import compare as compare
from jaxbreed.judging import estimate as estimate
from jaxbreed.judging import pseudo_values as pseudo_values
from jaxbreed.named_traits import trait_number as trait_number
from jaxbreed.named_traits import trait_values as trait_values

Of = Literal["replicates", "mean"]


class Objective(abc.ABC):
    """What all objectives can do: be called, added, and multiplied by a number.

    Attributes:
      of: "replicates" for the mean over replicates of the objective, "mean" for the objective of the mean over
        replicates.
    """

    of: Of = "replicates"

    @abc.abstractmethod
    def values(self, course: Course) -> Array:
        """The objective of each replicate, (replicate,)."""

    def __call__(self, course: Course) -> Array:
        """The objective of a run, a scalar; higher is better."""
        if self.of == "mean":
            course = Course(*(jnp.asarray(x).mean(0, keepdims=True) for x in course))
        return self.values(course).mean()

    def __add__(self, other: "Objective") -> "Objective":
        return Sum((self, other))

    def __mul__(self, factor: float) -> "Objective":
        return Scaled(self, float(factor))

    __rmul__ = __mul__

    def __neg__(self) -> "Objective":
        return self * -1.0

    def __sub__(self, other: "Objective") -> "Objective":
        return self + -other


@dataclasses.dataclass(frozen=True)
class Sum(Objective):
    """The sum of objectives, each of the replicates or of their mean as it says itself."""

    parts: tuple[Objective, ...]

    def values(self, course: Course) -> Array:
        """See `Objective.values`."""
        return jnp.stack([part.values(course) for part in self.parts]).sum(0)

    def __call__(self, course: Course) -> Array:
        """See `Objective.__call__`."""
        return jnp.stack([part(course) for part in self.parts]).sum()


@dataclasses.dataclass(frozen=True)
class Scaled(Objective):
    """An objective times a number, of the replicates or of their mean as the objective says itself."""

    base: Objective
    factor: float

    def values(self, course: Course) -> Array:
        """See `Objective.values`."""
        return self.factor * self.base.values(course)

    def __call__(self, course: Course) -> Array:
        """See `Objective.__call__`."""
        return self.factor * self.base(course)


@dataclasses.dataclass(frozen=True)
class FinalGain(Objective):
    """Index gain at the end: sum of weight x gain. Linear, so the mean over replicates of it is that of the mean.

    Attributes:
      weights: (trait,) per founder phenotypic SD.
    """

    weights: tuple[float, ...]

    def values(self, course: Course) -> Array:
        """See `Objective.values`."""
        return course.gain[:, -1] @ _for_traits(self.weights, "weights", course)


@dataclasses.dataclass(frozen=True)
class GainWithFloor(Objective):
    """Final gain of one trait, less stiffness x (shortfall of another trait under its floor)^2.

    The floor gives a little, by 1 / (2 stiffness) times the worth of the floored trait.

    Attributes:
      trait: number of the trait to raise.
      floored: number of the trait that must not fall.
      floor: its least final gain, founder phenotypic SD.
      stiffness: of the penalty, per squared SD; above 0.
      of: see `Objective`.
    """

    trait: int
    floored: int
    floor: float = 0.0
    stiffness: float = 10.0
    of: Of = "replicates"

    def __post_init__(self) -> None:
        """Checks.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        if self.trait == self.floored:
            raise ValueError(f"floored is trait {self.floored}; it must be another than the trait to raise")
        if not self.stiffness > 0:
            raise ValueError(f"stiffness is {self.stiffness:g}; it must be above 0")

    def values(self, course: Course) -> Array:
        """See `Objective.values`."""
        final = course.gain[:, -1]
        traits = final.shape[-1]
        for field, number in (("trait", self.trait), ("floored", self.floored)):
            if not 0 <= number < traits:
                raise ValueError(f"{field} is {number}; it must be from 0 to {traits - 1}")
        short = jnp.maximum(0.0, self.floor - final[:, self.floored])
        return final[:, self.trait] - self.stiffness * short**2


@dataclasses.dataclass(frozen=True)
class CES(Objective):
    """Utility with constant elasticity of substitution 1 / (1 - rho), of final gains: "effective intelligence".

    U = (sum of w (gain + shift)^rho)^(1/rho) - shift, with weights that sum to 1, so that U is 0 without gain and in
    founder SD. The powers need levels above 0: `shift` says how many SD above nothing the founders stand, a judgement
    of value that must be stated (the smaller it is, the more the traits need each other at the start). rho = 1 adds
    the traits up, 0 is their geometric mean, below 0 the poorer counts ever more. Below a tenth of the shift the
    logarithm of the level goes on along its tangent, so that U and its slope are defined everywhere.

    Attributes:
      weights: (trait,), 0 or more; only their ratios matter.
      rho: at most 1.
      shift: founder phenotypic SD, above 0.
      of: see `Objective`.
    """

    weights: tuple[float, ...]
    rho: float = 0.0
    shift: float = 5.0
    of: Of = "replicates"

    def __post_init__(self) -> None:
        """Checks.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        if min(self.weights) < 0 or not any(self.weights):
            raise ValueError(f"weights is {list(self.weights)}; all must be 0 or more, and one of them above 0")
        if not self.rho <= 1:
            raise ValueError(f"rho is {self.rho:g}; it must be at most 1")
        if not self.shift > 0:
            raise ValueError(f"shift is {self.shift:g}; it must be above 0")

    def values(self, course: Course) -> Array:
        """See `Objective.values`."""
        weights = _for_traits(self.weights, "weights", course)
        used = np.flatnonzero(self.weights)
        weights = weights[used] / weights.sum()
        level, least = course.gain[:, -1, used] + self.shift, 0.1 * self.shift
        logarithm = jnp.log(jnp.maximum(level, least)) + jnp.minimum(level - least, 0.0) / least
        if abs(self.rho) < 1e-3:
            # Two terms of the series in rho: the quotient below would lose the digits of single precision.
            mean = logarithm @ weights
            variance = ((logarithm - mean[..., None]) ** 2) @ weights
            return jnp.exp(mean + 0.5 * self.rho * variance) - self.shift
        powers = jax.scipy.special.logsumexp(self.rho * logarithm, b=weights, axis=-1)
        return jnp.exp(powers / self.rho) - self.shift


@dataclasses.dataclass(frozen=True)
class DesiredGains(Objective):
    """How near final gains come to those desired.

    Attributes:
      gains: (trait,) desired, founder phenotypic SD.
      measure: "least": soft minimum over traits of gain / desired gain, traits with 0 left out; 1 when all are met.
        "distance": minus the sum of squares of (gain - desired) / |desired|, or / 1 SD where 0 is desired.
      sharpness: of the soft minimum -ln(mean of exp(-sharpness x)) / sharpness, which is at most
        ln(traits) / sharpness above the least.
      of: see `Objective`.
    """

    gains: tuple[float, ...]
    measure: Literal["least", "distance"] = "least"
    sharpness: float = 10.0
    of: Of = "replicates"

    def __post_init__(self) -> None:
        """Checks.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        if not any(self.gains):
            raise ValueError(f"gains is {list(self.gains)}; at least one must not be 0")
        if self.measure not in ("least", "distance"):
            raise ValueError(f'measure is {self.measure}; it must be "least" or "distance"')
        if not self.sharpness > 0:
            raise ValueError(f"sharpness is {self.sharpness:g}; it must be above 0")

    def values(self, course: Course) -> Array:
        """See `Objective.values`."""
        desired, final = _for_traits(self.gains, "gains", course), course.gain[:, -1]
        if self.measure == "distance":
            return -(((final - desired) / jnp.where(desired == 0, 1.0, jnp.abs(desired))) ** 2).sum(-1)
        wanted = np.flatnonzero(self.gains)
        return soft_minimum(final[:, wanted] / desired[wanted], self.sharpness)


@dataclasses.dataclass(frozen=True)
class DiscountedGain(Objective):
    """Mean index gain of generations 1 to the last, generation t with weight (1 + rate)^-t. Linear in the gains.

    Attributes:
      weights: (trait,) per founder phenotypic SD.
      rate: of discount a generation, above -1; 0 values all generations alike.
    """

    weights: tuple[float, ...]
    rate: float = 0.05

    def __post_init__(self) -> None:
        """Checks.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        if not self.rate > -1:
            raise ValueError(f"rate is {self.rate:g}; it must be above -1")

    def values(self, course: Course) -> Array:
        """See `Objective.values`."""
        index = course.gain[:, 1:] @ _for_traits(self.weights, "weights", course)
        worth = (1.0 + self.rate) ** -np.arange(1.0, index.shape[1] + 1)
        return index @ jnp.asarray(worth / worth.sum(), jnp.float32)


@dataclasses.dataclass(frozen=True)
class CVaR(Objective):
    """Conditional value at risk: mean of the poorest share of the replicates, always of the replicates' own values.

    Found as max over c of c - mean(max(0, c - U)) / tail (Rockafellar & Uryasev 2000), with the exact c of a finite
    sample; a replicate at the edge of the tail counts in part. Wants 1 / tail replicates at the least; with fewer it
    is the poorest one.

    Attributes:
      base: the objective of each replicate.
      tail: share of the replicates, above 0 and at most 1.
    """

    base: Objective
    tail: float

    def __post_init__(self) -> None:
        """Checks.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        if not 0 < self.tail <= 1:
            raise ValueError(f"tail is {self.tail:g}; it must be above 0 and at most 1")

    def values(self, course: Course) -> Array:
        """The values of each replicate itself."""
        return self.base.values(course)

    def __call__(self, course: Course) -> Array:
        """See `Objective.__call__`."""
        values = self.base.values(course)
        share = max(self.tail * len(values), 1.0)
        threshold = jnp.sort(values)[int(np.ceil(share - 1e-6)) - 1]
        return threshold - jnp.maximum(0.0, threshold - values).sum() / share


@dataclasses.dataclass(frozen=True)
class Tempered(Objective):
    """An objective plus temperature x entropy (of order 2) of the parents' contributions, summed over generations.

    The entropy is the logarithm of the effective number of parents, so that a temperature is the worth of e times as
    many. It is of the replicates; the base as it says itself.

    Attributes:
      base: the objective.
      temperature: for all generations, or (generation,).
    """

    base: Objective
    temperature: float | tuple[float, ...]

    def values(self, course: Course) -> Array:
        """See `Objective.values`."""
        return self.base.values(course) + self._bonus(course)

    def __call__(self, course: Course) -> Array:
        """See `Objective.__call__`."""
        return self.base(course) + self._bonus(course).mean()

    def _bonus(self, course: Course) -> Array:
        temperature = np.asarray(self.temperature, np.float32)
        rounds = course.entropy.shape[1]
        if temperature.shape not in ((), (rounds,)):
            raise ValueError(f"temperature has {temperature.size} values; it must have 1 or {rounds}, one a generation")
        return (course.entropy * temperature).sum(1)


def soft_minimum(values: Array, sharpness: float) -> Array:
    """-ln(mean of exp(-sharpness x)) / sharpness over the last axis."""
    size = values.shape[-1]
    return -(jax.scipy.special.logsumexp(-sharpness * values, axis=-1) - np.log(size)) / sharpness


def _for_traits(numbers: Sequence[float], field: str, course: Course) -> Array:
    traits = course.gain.shape[-1]
    if len(numbers) != traits:
        raise ValueError(f"{field} has {len(numbers)} values; it must have {traits}, one for each trait")
    return jnp.asarray(numbers, jnp.float32)
