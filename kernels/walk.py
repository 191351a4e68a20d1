"""The walk: an egg's genetic value by visiting its crossovers, not its loci.

Each gamete starts every chromosome on a random haplotype, and crossovers are a Poisson process of rate one per
Morgan along the concatenated map (Haldane 1919), drawn as exponential gaps in order. At each crossover the rest of
its chromosome changes haplotype, which changes the value by one entry of a suffix table.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxbreed.kernels.quantiles import GAP_WORD_BITS, UNIT_BITS, exponential_gap, take
from jaxbreed.kernels.suffix import SuffixTables
from jaxbreed.kernels.threefry import CROSSOVERS, PHASES, SIRE, threefry2x32
from jaxbreed.kernels.walkmap import WalkMap

Key = tuple[Array, Array]
GAPS_PER_BLOCK = 3
_GAMETE = ((0,), (SIRE,))  # purpose bits of the dam's and the sire's gamete, a column


class Crossing(NamedTuple):
    """One crossover of every lane, all (2, lane): where it falls and which way it goes."""

    slot: Array  # uint32, first slot behind the crossover, with the row's offset in a flat (2, slot) table
    forward: Array  # bool, True from the first haplotype to the second


def phase_words(key: Key, eggs: Array, chromosomes: int) -> list[Array]:
    """Start phases: bit c % 32 of word c // 32 tells the haplotype a gamete takes at the start of chromosome c.

    Args:
      key: family key.
      eggs: uint32 (lane,) egg numbers.
      chromosomes: how many.

    Returns:
      uint32 words (2, lane), as many as the chromosomes need.
    """
    words: list[Array] = []
    for block in range((chromosomes + 63) // 64):
        purpose = jnp.asarray(_GAMETE, jnp.uint32) | jnp.uint32(PHASES + block)
        words += threefry2x32(key, eggs, purpose)
    return words[: (chromosomes + 31) // 32]


def _gap_words(key: Key, eggs: Array, block: Array) -> tuple[Array, Array]:
    return threefry2x32(key, eggs, jnp.asarray(_GAMETE, jnp.uint32) | (jnp.uint32(CROSSOVERS) + block))


def _positions(words: tuple[Array, Array], last: Array, end: Array) -> list[Array]:
    """The next three crossover positions after `last`; a position at or behind `end` is no crossover."""
    low, high = words
    mask = jnp.uint32((1 << GAP_WORD_BITS) - 1)
    positions = []
    for word in (low & mask, high & mask, (low >> GAP_WORD_BITS) | ((high >> 22) << 11)):
        last = jnp.minimum(last + exponential_gap(word), end)
        positions.append(last)
    return positions


def start_values(tables: SuffixTables, walk_map: WalkMap, phases: list[Array]) -> list[Array]:
    """Values of the start phases alone, one int32 (2, lane) a column: dam's and sire's part."""
    whole = jnp.take_along_axis(tables.jump, walk_map.chromosome_slot[None], axis=-1)  # (column, 2, chromosome)
    values = []
    for column in range(tables.jump.shape[0]):
        value = jnp.zeros(phases[0].shape, jnp.int32)
        for chromosome in range(walk_map.chromosomes):
            taken = (phases[chromosome // 32] >> (chromosome % 32)) & jnp.uint32(1)
            value = value + taken.astype(jnp.int32) * whole[column, :, chromosome, None]
        values.append(value)
    return values


def fold_crossovers(key: Key, eggs: Array, walk_map: WalkMap, phases: list[Array], visit, state):  # type: ignore[no-untyped-def]
    """Visits the crossovers of both gametes of every egg, in map order, all lanes in step.

    The loop is a pipeline: it draws the words of one block while it turns the words of the block before into
    positions and visits the positions of the block before that. Every stage then reads stored values, so the
    compiler does not repeat the hash for every use of its result. It ends when all lanes are past the map.

    Args:
      key: family key.
      eggs: uint32 (lane,).
      walk_map: the genetic map.
      phases: from `phase_words`.
      visit: (state, Crossing) -> state. Lanes past the end get the last, empty slot.
      state: a pytree of arrays.

    Returns:
      The final state.
    """
    end = jnp.broadcast_to(walk_map.end[:, None], (2, eggs.shape[0]))
    cells, slots = walk_map.word.shape[1], walk_map.slots
    words, chromosomes = walk_map.word.reshape(-1), walk_map.chromosome.reshape(-1)
    cell_row, slot_row = (jnp.asarray([[0], [size]], jnp.uint32) for size in (cells, slots))
    sub_shift = UNIT_BITS - walk_map.sub_bits

    def crossing(position: Array, chromosome: Array, odd: Array) -> tuple[Crossing, Array, Array]:
        sub = position.astype(jnp.uint32) >> sub_shift
        cell = (sub >> 3) + cell_row
        here = take(chromosomes, cell).astype(jnp.int32)
        odd = jnp.where(here == chromosome, odd ^ 1, 0)  # crossovers so far on this chromosome, modulo two
        word = take(words, cell)
        # Bits up to and including this sub-cell: a locus at the start of the sub-cell lies before the crossover.
        before = word & ((jnp.uint32(2) << (sub & 7)) - 1) & jnp.uint32(0xFF)
        phase = phases[0]
        for index, other in enumerate(phases[1:], start=1):
            phase = jnp.where(here >> 5 == index, other, phase)
        on_second = ((phase >> (here & 31).astype(jnp.uint32)).astype(jnp.int32) & 1) ^ odd
        return Crossing((word >> 8) + lax.population_count(before) + slot_row, on_second == 0), here, odd

    def unfinished(carry):  # type: ignore[no-untyped-def]
        return jnp.any(carry[2][0] < end)

    def step(carry):  # type: ignore[no-untyped-def]
        block, drawn, positions, chromosome, odd, inner = carry
        next_drawn = _gap_words(key, eggs, block)
        next_positions = _positions(drawn, positions[-1], end)
        for position in positions:
            where, chromosome, odd = crossing(position, chromosome, odd)
            inner = visit(inner, where)
        return block + 1, next_drawn, next_positions, chromosome, odd, inner

    zero = jnp.zeros(end.shape, jnp.int32)
    positions = _positions(_gap_words(key, eggs, jnp.uint32(0)), zero, end)
    carry = (jnp.uint32(2), _gap_words(key, eggs, jnp.uint32(1)), positions, zero - 1, zero, state)
    return lax.while_loop(unfinished, step, carry)[-1]


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
    flat = [column.reshape(-1) for column in tables.jump]

    def visit(values: list[Array], crossing: Crossing) -> list[Array]:
        sign = jnp.where(crossing.forward, 1, -1)
        return [value + sign * take(table, crossing.slot) for value, table in zip(values, flat, strict=True)]

    values = fold_crossovers(key, eggs, walk_map, phases, visit, start_values(tables, walk_map, phases))
    return jnp.stack([start + value[0] + value[1] for start, value in zip(tables.start, values, strict=True)])
