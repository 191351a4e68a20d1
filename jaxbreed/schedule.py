"""The schedule: what the breeder decides each generation."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
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
      inbreeding_rate: float32 (generation,), largest rate of inbreeding, for selection by optimum contributions;
        infinity for truncation, without a limit. None: no generation has a limit.
    """

    weights: Array
    fraction: Array
    males: Array
    inbreeding_rate: Array | None = None

    @property
    def generations(self) -> int:
        """Rounds of selection."""
        return int(self.weights.shape[0])


def constant_schedule(
    generations: int,
    weights: Sequence[float],
    *,
    fraction: float = 0.0,
    males: int = 2**30,
    inbreeding_rate: float | None = None,
) -> Schedule:
    """The same decisions in every generation.

    Args:
      generations: rounds of selection.
      weights: (trait,) index weights per founder phenotypic SD.
      fraction: see `Schedule`.
      males: see `Schedule`; the default fills every place with another male.
      inbreeding_rate: see `Schedule`; None for truncation.

    Returns:
      The schedule.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    if generations < 1:
        raise ValueError(f"generations is {generations}; it must be at least 1")
    if not np.any(weights):
        raise ValueError(f"weights is {list(weights)}; at least one trait needs a weight that is not 0")
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"fraction is {fraction:g}; it must be from 0 (just the parents needed) to 1")
    if males < 1:
        raise ValueError(f"males is {males}; at least 1 must be kept")
    if inbreeding_rate is not None and not 0.0 < inbreeding_rate < 1.0:
        raise ValueError(f"inbreeding_rate is {inbreeding_rate:g}; it must be above 0 and below 1, or left out")
    return Schedule(
        weights=jnp.broadcast_to(jnp.asarray(weights, jnp.float32), (generations, len(weights))),
        fraction=jnp.full(generations, fraction, jnp.float32),
        males=jnp.full(generations, males, jnp.int32),
        inbreeding_rate=None if inbreeding_rate is None else jnp.full(generations, inbreeding_rate, jnp.float32),
    )
