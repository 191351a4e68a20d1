"""Genetic load: recessive alleles that kill eggs or cost a female eggs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.traits import Traits

UNIT = 2.0**-20
"""Load is counted in integers of this size, as the sweep reads it."""
RARE = 0.1
"""Deleterious alleles are drawn among those that are no more frequent than this, while there are enough."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Load:
    """Load by locus, in units of 2**-20.

    An egg that carries L lives with chance exp(-L); a female that carries L lays exp(-L) of her eggs.

    Attributes:
      locus: int32 (locus,), rising.
      viability: int32 (3, locus), load of the genotypes with 0, 1 and 2 copies of allele 1, on an egg's survival.
      fertility: int32 (3, locus), the same for a female's eggs.
    """

    locus: Array
    viability: Array
    fertility: Array


def draw_load(
    haplotypes: npt.NDArray[np.uint8],
    *,
    loci: int,
    viability: float = 0.0,
    fertility: float = 0.0,
    dominance: float = 0.0,
    taken: npt.NDArray[np.int64] | None = None,
    seed: int = 0,
) -> Load:
    """Draws deleterious alleles and scales them to the inbreeding load asked for.

    A homozygote for the deleterious allele of a locus carries s, a heterozygote h s; s is exponential between loci.
    Survival then falls as exp(-B F) with the inbreeding coefficient F, at the founders' allele frequencies q:
    B = sum of q (1 - q) s (1 - 2 h) (Morton, Crow & Muller 1956, doi:10.1073/pnas.42.11.855).

    Args:
      haplotypes: uint8 (founder, 2, locus).
      loci: number of loci for each kind of load that is asked for.
      viability: haploid lethal equivalents B on the survival of eggs.
      fertility: the same for the number of eggs that a female lays.
      dominance: h, 0 (fully recessive) to below one half.
      taken: loci not to be used.
      seed: of the choice of loci and effects.

    Returns:
      The load.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    for field, value in (("viability", viability), ("fertility", fertility)):
        if not 0.0 <= value <= 50.0:
            raise ValueError(f"{field} is {value:g}; it must be from 0 to 50 haploid lethal equivalents")
    if not 0.0 <= dominance < 0.5:
        raise ValueError(f"dominance is {dominance:g}; it must be at least 0 and below 0.5")
    frequency = haplotypes.mean(axis=(0, 1), dtype=np.float64)
    rarer = np.minimum(frequency, 1 - frequency)
    free = np.setdiff1d(np.flatnonzero(rarer > 0), [] if taken is None else taken)
    kinds = (viability > 0, fertility > 0)
    needed = loci * sum(kinds)
    if loci < 1 or needed > free.size:
        raise ValueError(
            f"loci is {loci}; it must be at least 1, and {needed} must be at most {free.size}, the loci that segregate "
            "in the founders and have no effect on a trait"
        )
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x10AD]))
    rare = free[rarer[free] <= RARE]
    if rare.size < needed:
        rare = free[np.argsort(rarer[free], kind="stable")[:needed]]
    chosen = rng.permutation(rare)[:needed]
    locus = np.sort(chosen)
    tables = []
    for strength, wanted in zip((viability, fertility), kinds, strict=True):
        table = np.zeros((3, needed))
        if wanted:
            here, chosen = chosen[:loci], chosen[loci:]
            size = rng.exponential(size=loci)
            size *= strength / (rarer[here] * (1 - rarer[here]) * size * (1 - 2 * dominance)).sum()
            bad_is_1 = frequency[here] <= 0.5
            at = np.searchsorted(locus, here)
            table[0, at], table[2, at] = np.where(bad_is_1, 0, size), np.where(bad_is_1, size, 0)
            table[1, at] = dominance * size
        tables.append(jnp.asarray(np.rint(table / UNIT), jnp.int32))
    return Load(jnp.asarray(locus, jnp.int32), *tables)


def join(traits: Traits, load: Load) -> tuple[Traits, Load]:
    """Gives traits and load one list of loci, those of either.

    Args:
      traits: the traits.
      load: the load.

    Returns:
      The same traits and load, with no effect at each other's loci.
    """
    ours, theirs = np.asarray(traits.qtl), np.asarray(load.locus)
    either = np.union1d(ours, theirs)

    def spread(values: Array, at: npt.NDArray[np.int32]) -> Array:
        place = np.searchsorted(either, at)
        return jnp.zeros((values.shape[0], either.size), values.dtype).at[:, place].set(values)

    loci = jnp.asarray(either, jnp.int32)
    dominance = None if traits.dominance is None else spread(traits.dominance, ours)
    return (
        dataclasses.replace(traits, qtl=loci, effect=spread(traits.effect, ours), dominance=dominance),
        Load(loci, spread(load.viability, theirs), spread(load.fertility, theirs)),
    )


def as_column(genotypes: Array) -> tuple[Array, Array, Array]:
    """Load as the sweep's tables take a score.

    Args:
      genotypes: int32 (3, locus), load of 0, 1 and 2 copies of allele 1.

    Returns:
      Intercept int32 (), value of a copy of allele 1 (locus,), value of being heterozygous beside that (locus,).
      A copy counts half the difference of the homozygotes, rounded down; what that loses, at most 2**-20 a locus,
      is not counted.
    """
    none, one, two = genotypes
    copy = (two - none) >> 1
    return none.sum(), copy, one - none - copy


def carried(genotypes: Array, copies: Array) -> Array:
    """Load that animals carry.

    Args:
      genotypes: int32 (3, locus), load of 0, 1 and 2 copies of allele 1.
      copies: integers (..., locus), copies of allele 1.

    Returns:
      float32 (...), in natural units: minus the logarithm of the chance to live, or of the share of eggs laid.
    """
    none, one, two = genotypes
    load = jnp.where(copies == 0, none, jnp.where(copies == 1, one, two)).sum(-1)
    return load.astype(jnp.float32) * UNIT
