"""Named ways to select, each as a schedule: what to weigh, by trait, by family and by generation."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxbreed.index import desired_gains, family_weight, smith_hazel
from jaxbreed.schedule import Schedule, constant_schedule

Floats = npt.NDArray[np.float64]


class Known(NamedTuple):
    """What a breeder knows of the base population. Units: founder phenotypic SD of each trait.

    Attributes:
      weights: (trait,), what the user gave: index weights, economic values or desired gains, as the policy takes them.
      phenotypic: (trait, trait), covariance of the records among the animals that compete.
      genetic: (trait, trait), covariance of their breeding values.
      heritability: of the index of records, over the whole population.
      clutch: share of the clutch effects in its variance.
      size: tested animals of a family.
    """

    weights: Floats
    phenotypic: Floats
    genetic: Floats
    heritability: float
    clutch: float
    size: float


class Plan(NamedTuple):
    """A policy's decisions.

    Attributes:
      weights: (generation, trait), index weights.
      family_weight: weight of a family's mean relative to an animal's deviation from it; 1 counts the animal as it is.
    """

    weights: Floats
    family_weight: float = 1.0


Policy = Callable[[Known, int], Plan]


def mass(known: Known, generations: int) -> Plan:
    """Records of the animals themselves, weighed as given."""
    return Plan(np.tile(known.weights, (generations, 1)))


def by_economic_value(known: Known, generations: int) -> Plan:
    """Smith-Hazel: weights are economic values; see `jaxbreed.index.smith_hazel`."""
    return Plan(np.tile(smith_hazel(known.phenotypic, known.genetic, known.weights), (generations, 1)))


def by_desired_gains(known: Known, generations: int) -> Plan:
    """Pesek-Baker: weights are the gains wanted, in proportion; see `jaxbreed.index.desired_gains`."""
    return Plan(np.tile(desired_gains(known.genetic, known.weights), (generations, 1)))


def tandem(known: Known, generations: int) -> Plan:
    """One trait after the other, each for a span in proportion to its weight."""
    share = np.abs(known.weights) / np.abs(known.weights).sum()
    turn = np.searchsorted(np.cumsum(share), (np.arange(generations) + 0.5) / generations)
    weights = np.zeros((generations, len(share)))
    weights[np.arange(generations), turn] = np.sign(known.weights)[turn]
    return Plan(weights)


def within_family(known: Known, generations: int) -> Plan:
    """Deviations from the mean of the family alone."""
    return Plan(mass(known, generations).weights, 0.0)


def family_index(known: Known, generations: int) -> Plan:
    """The best combination of family mean and deviation (Lush 1947); see `jaxbreed.index.family_weight`."""
    return Plan(mass(known, generations).weights, family_weight(known.heritability, known.clutch, known.size))


POLICIES: dict[str, Policy] = {
    "mass": mass,
    "smith_hazel": by_economic_value,
    "desired_gains": by_desired_gains,
    "tandem": tandem,
    "within_family": within_family,
    "family_index": family_index,
    "culling": mass,  # weights say which traits count; how they are combined is the programme's, see Settings.combine
}


def schedule_by(
    policy: str,
    known: Known,
    generations: int,
    *,
    fraction: float = 0.0,
    males: int = 2**30,
    inbreeding_rate: float | None = None,
) -> Schedule:
    """The schedule of a named policy.

    Args:
      policy: one of `POLICIES`.
      known: what it rests on.
      generations: rounds of selection.
      fraction: see `jaxbreed.schedule.Schedule`.
      males: see `jaxbreed.schedule.Schedule`.
      inbreeding_rate: see `jaxbreed.schedule.Schedule`.

    Returns:
      The schedule.

    Raises:
      ValueError: the policy is unknown, or what is known does not suffice for it.
    """
    if policy not in POLICIES:
        raise ValueError(f"policy is {policy!r}; it must be one of {', '.join(POLICIES)}")
    if not np.any(known.weights):
        raise ValueError(f"weights is {np.asarray(known.weights).tolist()}; at least one trait needs one that is not 0")
    plan = POLICIES[policy](known, generations)
    return constant_schedule(
        generations,
        plan.weights,
        fraction=fraction,
        males=males,
        family_weight=plan.family_weight,
        inbreeding_rate=inbreeding_rate,
    )
