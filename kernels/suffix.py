"""Suffix sums: what a gamete's value changes by when it crosses over at a locus."""

import dataclasses

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxbreed.kernels.walkmap import WalkMap


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SuffixTables:
    """Score tables of one family (one dam, one sire).

    Attributes:
      start: int32 (column,), value of the egg that takes the first haplotype of both parents everywhere.
      jump: int32 (column, 2, slot), for dam and sire: the sum over the loci from this slot to the end of its
        chromosome of effect x (second haplotype - first haplotype). Crossing over just before the slot adds it
        (from first to second haplotype) or takes it away.
    """

    start: Array
    jump: Array


def suffix_tables(effects: Array, haplotypes: Array, walk_map: WalkMap, intercept: Array) -> SuffixTables:
    """Builds the tables of a family.

    Sums wrap modulo 2**32, which is harmless: an egg's own value is bounded by the caller's choice of scale.

    Args:
      effects: int32 (column, locus), value of one copy of allele 1.
      haplotypes: uint8 (2, 2, locus), dam and sire, first and second haplotype.
      walk_map: the genetic map.
      intercept: int32 (column,).

    Returns:
      The tables.
    """
    first, second = haplotypes[:, 0].astype(jnp.int32), haplotypes[:, 1].astype(jnp.int32)
    start = intercept + (effects * (first[0] + first[1])).sum(-1)
    change = effects[:, None] * (second - first)
    suffix = lax.cumsum(change, axis=2, reverse=True)
    suffix = jnp.pad(suffix, ((0, 0), (0, 0), (0, 1)))
    rows = jnp.arange(2)[:, None]
    return SuffixTables(start, suffix[:, rows, walk_map.first_locus] - suffix[:, rows, walk_map.chromosome_end])
