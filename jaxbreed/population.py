"""The breeding animals of one generation. Nothing else is ever stored of it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.kernels import threefry2x32
from jaxbreed.program import Settings

_FOUNDER = 0x0F0F0F0F  # sets founders' names apart from every other use of the seed


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Stored:
    """Males of whom sperm is stored: those chosen along with the breeders, one for each place for a sire.

    Attributes:
      kinship: float32 (replicate, male, animal + male), with the breeders, then with each other.
      haplotypes, name, mother, father, genetic, phenotype: of these males, see `Population`.
    """

    haplotypes: Array
    name: Array
    kinship: Array
    mother: Array
    father: Array
    genetic: Array
    phenotype: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Population:
    """Breeders: first the dam of each lineage, then the places for sires, lineage by lineage.

    One animal may hold several places for sires; its entries are then equal.

    Attributes:
      haplotypes: uint8 (replicate, animal, 2, locus).
      name: uint32 (replicate, animal, 2), inherited identity.
      kinship: float32 (replicate, animal, animal), pedigree kinship, with self-kinship (1 + F) / 2 on the diagonal.
      mother, father: int32 (replicate, animal), their places among the breeders before; -1 for founders, and for a
        stored male in the place of another.
      genetic, phenotype: int32 (replicate, animal, trait), score units; a founder's phenotype is its genetic value,
        for nobody tested it.
      stored: males for the next generation but one; None unless sperm is stored.
    """

    haplotypes: Array
    name: Array
    kinship: Array
    mother: Array
    father: Array
    genetic: Array
    phenotype: Array
    stored: Stored | None = None


def sire_places(settings: Settings) -> npt.NDArray[np.int64]:
    """Places of the sires among the animals: (lineage, sire)."""
    sires = settings.sires[1]
    return settings.lineages + np.arange(settings.lineages * sires).reshape(settings.lineages, sires)


def choose_founders(
    panel: int, settings: Settings, replicates: int, *, shared: bool, seed: int, dealt: int | None = None
) -> npt.NDArray[np.int64]:
    """Which founders start each replicate, and who mates whom.

    Args:
      panel: number of founders there are.
      settings: the rules.
      replicates: independent repeats.
      shared: True starts every replicate from the panel's first animals, the dams first; only which sires mate which
        dams is drawn anew. False deals the whole panel out, each founder to one replicate at most.
      seed: of these draws.
      dealt: founders dealt to each replicate, of whom the first breed, so that programmes of different sizes start a
        replicate from common founders; None for as many as breed. Nothing to shared founders.

    Returns:
      (replicate, animal) founder numbers.

    Raises:
      ValueError: the panel is too small, or fewer are dealt than breed.
    """
    check_founders(panel, settings, replicates, shared=shared)
    animals, dams = settings.animals, settings.lineages
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0xF0]))
    if not shared:
        hand = animals if dealt is None else dealt
        if not animals <= hand <= panel // replicates:
            raise ValueError(
                f"dealt is {hand}; it must be from {animals}, the breeders, to {panel // replicates}, the founders for "
                "each replicate"
            )
        return rng.permutation(panel)[: replicates * hand].reshape(replicates, hand)[:, :animals]
    sires = rng.permuted(np.tile(np.arange(dams, animals), (replicates, 1)), axis=1)
    return np.concatenate([np.tile(np.arange(dams), (replicates, 1)), sires], axis=1)


def check_founders(panel: int, settings: Settings, replicates: int, *, shared: bool) -> int:
    """How many founders `choose_founders` needs.

    Raises:
      ValueError: the panel is too small.
    """
    animals = settings.animals
    needed = animals if shared else animals * replicates
    if panel < needed:
        of = "" if shared else f" for each of {replicates} replicates"
        raise ValueError(f"there are {panel} founders; {needed} are needed ({animals} breeders{of})")
    return needed


def founder_names(seed_words: Array, numbers: Array) -> Array:
    """Names of founders: uint32 (..., 2) from the two words of the seed and their numbers in the panel."""
    key = (seed_words[0], seed_words[1])
    return jnp.stack(threefry2x32(key, numbers.astype(jnp.uint32), jnp.uint32(_FOUNDER)), axis=-1)
