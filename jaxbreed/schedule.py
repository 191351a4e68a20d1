"""The schedule: what the breeder decides each generation."""

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Schedule:
    """Decisions for every round of selection.

    Attributes:
      weights: float32 (generation, trait), weights of the phenotypes in the index, per founder phenotypic SD. Only
        their ratios matter.
      fraction: float32 (generation,), share of the tested animals of each sex from which the breeders are drawn at
        random; 0 takes exactly the best that are needed.
      males: int32 (generation,), different males kept: in each lineage when lineages select for themselves,
        altogether when they select together. They fill the places for sires in turn.
      family_weight: float32 (generation,), weight of the mean of a full-sib family relative to an animal's deviation
        from it. None, as 1, takes animals as they are; 0 compares them with their sibs alone.
      inbreeding_rate: float32 (generation,), largest rate of inbreeding, for selection by optimum contributions;
        infinity for truncation, without a limit. None: no generation has a limit.
      tests: int32 (generation,), animals tested of each clutch, in programmes without stages. None: as many as the
        programme says.
    """

    weights: Array
    fraction: Array
    males: Array
    family_weight: Array | None = None
    inbreeding_rate: Array | None = None
    tests: Array | None = None

    @property
    def generations(self) -> int:
        """Rounds of selection."""
        return int(self.weights.shape[0])


class Decision(NamedTuple):
    """The schedule's row for one generation."""

    weights: Array  # float32 (trait,), per founder phenotypic SD
    fraction: Array  # float32 ()
    males: Array  # int32 ()
    family_weight: Array | None = None  # float32 (); None: 1
    inbreeding_rate: float = math.inf  # infinity: no limit
    generation: int = 0


def constant_schedule(
    generations: int,
    weights: npt.ArrayLike,
    *,
    fraction: float = 0.0,
    males: int = 2**30,
    family_weight: float = 1.0,
    inbreeding_rate: float | None = None,
    tests: int | None = None,
) -> Schedule:
    """The same decisions in every generation.

    Args:
      generations: rounds of selection.
      weights: (trait,) index weights per founder phenotypic SD; (generation, trait) where they change after all.
      fraction: see `Schedule`.
      males: see `Schedule`; the default fills every place with another male.
      family_weight: see `Schedule`.
      inbreeding_rate: see `Schedule`; None for truncation.
      tests: see `Schedule`; None for as many as the programme says.

    Returns:
      The schedule.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    if generations < 1:
        raise ValueError(f"generations is {generations}; it must be at least 1")
    given = np.asarray(weights, np.float32)
    if not given.any():
        raise ValueError(f"weights is {given.tolist()}; at least one trait needs a weight that is not 0")
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"fraction is {fraction:g}; it must be from 0 (just the parents needed) to 1")
    if males < 1:
        raise ValueError(f"males is {males}; at least 1 must be kept")
    if not 0.0 <= family_weight <= 1000.0:
        raise ValueError(f"family_weight is {family_weight:g}; it must be from 0 to 1000")
    if inbreeding_rate is not None and not 0.0 < inbreeding_rate < 1.0:
        raise ValueError(f"inbreeding_rate is {inbreeding_rate:g}; it must be above 0 and below 1, or left out")
    if tests is not None and tests < 1:
        raise ValueError(f"tests is {tests}; at least 1 animal of each clutch must be tested")
    return Schedule(
        weights=jnp.broadcast_to(jnp.asarray(given), (generations, given.shape[-1])),
        fraction=jnp.full(generations, fraction, jnp.float32),
        males=jnp.full(generations, males, jnp.int32),
        family_weight=None if family_weight == 1.0 else jnp.full(generations, family_weight, jnp.float32),
        inbreeding_rate=None if inbreeding_rate is None else jnp.full(generations, inbreeding_rate, jnp.float32),
        tests=None if tests is None else jnp.full(generations, tests, jnp.int32),
    )
