"""The score: an egg's genetic value by visiting its crossovers, not its loci.

At each crossover the rest of its chromosome changes haplotype, which changes the value by one entry of a suffix table.
This is the specification of every faster implementation.
"""

import jax.numpy as jnp
from jax import Array

from jaxbreed.kernels.mutants import mutation_value
from jaxbreed.kernels.pairs import pair_starts, pair_value
from jaxbreed.kernels.quantiles import take
from jaxbreed.kernels.suffix import SuffixTables
from jaxbreed.kernels.walk import Crossing, Key, fold_crossovers, phase_words
from jaxbreed.kernels.walkmap import WalkMap


def start_values(tables: SuffixTables, walk_map: WalkMap, phases: list[Array]) -> list[Array]:
    """Values of the start phases alone, one int32 (2, lane) a column: dam's and sire's part."""
    whole = jnp.take_along_axis(tables.jump, walk_map.chromosome_slot[..., None], axis=1)  # (2, chromosome, column)
    values = []
    for column in range(tables.jump.shape[-1]):
        value = jnp.zeros(phases[0].shape, jnp.int32)
        for chromosome in range(walk_map.chromosomes):
            taken = (phases[chromosome // 32] >> (chromosome % 32)) & jnp.uint32(1)
            value = value + taken.astype(jnp.int32) * whole[:, chromosome, column, None]
        values.append(value)
    return values


def middle_value(tables: SuffixTables, walk_map: WalkMap) -> Array:
    """Mean value of the family's eggs, each part rounded down: int32 (column,)."""
    middle = tables.start
    for sex in (0, 1):
        middle += jnp.take(tables.jump[sex], walk_map.chromosome_slot[sex], axis=0).sum(0) >> 1
    if tables.pair is not None:
        middle += jnp.take(tables.pair, pair_starts(walk_map), axis=0).sum(0) >> 1
    return middle


def score(tables: SuffixTables, walk_map: WalkMap, key: Key, eggs: Array) -> Array:
    """Genetic values of eggs of one family.

    Args:
      tables: the family's suffix tables.
      walk_map: the genetic map.
      key: the family key, two uint32 words.
      eggs: uint32 (lane,) egg numbers, any, in any order.

    Returns:
      int32 (column, lane).
    """
    phases = phase_words(key, eggs, walk_map.chromosomes)
    columns = tables.jump.shape[-1]
    flat = tables.jump.reshape(-1)
    row = jnp.asarray(((0,), (1,)), jnp.uint32) * walk_map.slots

    def visit(values: list[Array], crossing: Crossing) -> list[Array]:
        sign = jnp.where(crossing.forward, 1, -1)
        at = (crossing.slot + row) * columns
        return [value + sign * take(flat, at + column) for column, value in enumerate(values)]

    values = fold_crossovers(key, eggs, walk_map, phases, visit, start_values(tables, walk_map, phases))
    total = jnp.stack([start + value[0] + value[1] for start, value in zip(tables.start, values, strict=True)])
    if tables.pair is not None:
        total += pair_value(key, eggs, walk_map, phases, tables.pair)
    if walk_map.mutation is not None:
        total += mutation_value(tables, walk_map, key, eggs)
    return total
