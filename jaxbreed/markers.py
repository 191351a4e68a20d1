"""The markers of genomic prediction, and the map on which eggs are scored by them."""

import dataclasses
from typing import Literal

import jax
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.checks import require
from jaxbreed.columns import Columns
from jaxbreed.kernels import WalkMap


@dataclasses.dataclass(frozen=True)
class PredictionPlan:
    """How genomic predictions are made; hashable.

    Attributes:
      choose: "tested" selects among tested animals by their predictions, "eggs" scores all eggs once the test is over
        and selects among them.
      retrain: generations in which the model is trained anew: every n-th; 0 trains it once, in generation 0.
      memory: generations whose records train the model, the present one included.
      training: most animals of a replicate that train it, the latest generations first.
      group: what gets a fixed mean of its own: every generation, or every clutch.
      h2: "known" takes the founders' heritability, "reml" estimates it from the records.
      rarity: power by which the effect of a marker grows as its favourable allele is rarer: effect / frequency^rarity;
        0 for plain predictions, 0.5 weighs rare favourable alleles for later (Jannink 2010,
        doi:10.1186/1297-9686-42-35).
    """

    choose: Literal["tested", "eggs"] = "tested"
    retrain: int = 1
    memory: int = 2
    training: int = 5000
    group: Literal["generation", "clutch"] = "generation"
    h2: Literal["known", "reml"] = "known"
    rarity: float = 0.0

    def __post_init__(self) -> None:
        """Checks every field.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        require(
            (self.choose in ("tested", "eggs"), "choose", self.choose, '"tested" or "eggs"'),
            (self.retrain >= 0, "retrain", self.retrain, "at least 0"),
            (self.memory >= 1, "memory", self.memory, "at least 1"),
            (10 <= self.training <= 20_000, "training", self.training, "from 10 to 20,000 animals"),
            (self.group in ("generation", "clutch"), "group", self.group, '"generation" or "clutch"'),
            (self.h2 in ("known", "reml"), "h2", self.h2, '"known" or "reml"'),
            (0.0 <= self.rarity <= 1.0, "rarity", self.rarity, "from 0 to 1"),
        )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Markers:
    """A panel of markers.

    Attributes:
      locus: int32 (marker,), which loci, rising.
      frequency: float32 (marker,), allele 1's frequencies among the founders, which predictions refer to.
      scored: int32 (locus,), all loci that are scored together: of traits, load and markers.
      at: int32 (marker,), which of these are markers.
      walk_map: integer map of the loci scored.
      columns: genetic values and load at these loci.
    """

    locus: Array
    frequency: Array
    scored: Array
    at: Array
    walk_map: WalkMap
    columns: Columns


def choose_markers(
    haplotypes: npt.NDArray[np.uint8], markers: int, *, taken: npt.NDArray[np.int64], seed: int
) -> npt.NDArray[np.int64]:
    """Draws markers among the loci that segregate in the founders, leaving out those with effects.

    Args:
      haplotypes: uint8 (founder, 2, locus).
      markers: how many.
      taken: loci not to be used.
      seed: of the choice.

    Returns:
      Their loci, rising.

    Raises:
      ValueError: there are not so many.
    """
    copies = haplotypes.sum((0, 1), dtype=np.int64)
    free = np.setdiff1d(np.flatnonzero((copies > 0) & (copies < 2 * len(haplotypes))), taken)
    if not 1 <= markers <= free.size:
        raise ValueError(
            f"markers is {markers}; it must be from 1 to {free.size}, the loci that segregate in the founders and have "
            "no effect on a trait"
        )
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x3A9E]))
    return np.sort(rng.choice(free, markers, replace=False))
