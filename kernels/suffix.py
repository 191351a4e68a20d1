"""Suffix sums: what a gamete's value changes by when it crosses over at a locus."""

import dataclasses

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxbreed.kernels.walkmap import WalkMap


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Alleles:
    """What the tables were built from, for mutations.

    Attributes:
      effects: int32 (column, locus), value of one copy of allele 1.
      dominance: int32 (column, locus), or None without.
      haplotypes: uint8 (2, 2, locus), dam and sire, first and second haplotype.
    """

    effects: Array
    dominance: Array | None
    haplotypes: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SuffixTables:
    """Score tables of one family (one dam, one sire).

    Attributes:
      start: int32 (column,), value of the egg that takes the first haplotype of both parents everywhere.
      jump: int32 (2, slot, column), for dam and sire: by how much the loci from this slot to the end of its
        chromosome change the value when the gamete carries the second haplotype instead of the first. Crossing over
        just before the slot adds it (from first to second haplotype) or takes it away.
      pair: int32 (rank, column), dominance only: the same for loci at which both parents are heterozygous, and for
        the change from "both gametes carry first or both second haplotypes" to "one of each". None without dominance.
      alleles: what mutations need to know; None if the map has no mutation.
    """

    start: Array
    jump: Array
    pair: Array | None = None
    alleles: Alleles | None = None


def suffix_tables(
    effects: Array, haplotypes: Array, walk_map: WalkMap, intercept: Array, dominance: Array | None = None
) -> SuffixTables:
    """Builds the tables of a family.

    With u, v = 0 or 1 for the haplotypes that the two gametes carry at a locus, heterozygosity of the egg is
    h(u, v) = h00 + u (h10 - h00) + v (h01 - h00) + u v i, i = h11 - h10 - h01 + h00, an even number; and
    2 u v = u + v - (u xor v). So the dominance deviation is one sum for each gamete and one for their xor.

    Sums wrap modulo 2**32, which is harmless: an egg's own value is bounded by the caller's choice of scale.

    Args:
      effects: int32 (column, locus), value of one copy of allele 1.
      haplotypes: uint8 (2, 2, locus), dam and sire, first and second haplotype.
      walk_map: the genetic map.
      intercept: int32 (column,).
      dominance: int32 (column, locus), value of being heterozygous beside the copy of allele 1; None for none.

    Returns:
      The tables.
    """
    dam, sire = haplotypes.astype(jnp.int32)
    start = intercept + (effects * (dam[0] + sire[0])).sum(-1)
    change = jnp.stack([effects * (dam[1] - dam[0]), effects * (sire[1] - sire[0])])
    pair = None
    if dominance is not None:
        both_first = dam[0] ^ sire[0]
        half = -(dam[1] - dam[0]) * (sire[1] - sire[0])  # i / 2
        start += (dominance * both_first).sum(-1)
        change += jnp.stack(
            [dominance * ((other ^ same) - both_first + half) for other, same in ((dam[1], sire[0]), (dam[0], sire[1]))]
        )
        pair = _by_rank(_suffix_sums(-dominance * half), walk_map)
    suffix = _suffix_sums(change)
    rows = jnp.arange(2)[:, None]
    jump = suffix[rows, :, walk_map.first_locus] - suffix[rows, :, walk_map.chromosome_end]
    return SuffixTables(start, jump, pair, alleles_for(walk_map, effects, dominance, haplotypes))


def alleles_for(walk_map: WalkMap, effects: Array, dominance: Array | None, haplotypes: Array) -> Alleles | None:
    """What mutations need to know, or None if the map has none."""
    return None if walk_map.mutation is None else Alleles(effects, dominance, haplotypes)


def _suffix_sums(change: Array) -> Array:
    """Sums from each locus to the last, and a zero behind it: (..., locus + 1)."""
    return jnp.pad(lax.cumsum(change, axis=change.ndim - 1, reverse=True), [(0, 0)] * (change.ndim - 1) + [(0, 1)])


def _by_rank(suffix: Array, walk_map: WalkMap) -> Array:
    """Sums to the end of the chromosome: (column, locus + 1) to (rank, column); ranks as in `WalkMap.slot_rank`."""
    chromosome = walk_map.locus_chromosome
    counts = jnp.zeros(walk_map.chromosomes, jnp.int32).at[chromosome].add(1)
    behind = jnp.cumsum(counts)  # the locus behind each chromosome
    ranks = jnp.zeros((walk_map.ranks, suffix.shape[0]), jnp.int32)
    sums = suffix[:, :-1] - suffix[:, behind[chromosome]]
    return ranks.at[jnp.arange(walk_map.loci) + chromosome].set(sums.T)
