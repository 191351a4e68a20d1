"""The walk: an egg's genetic value by visiting its crossovers, not its loci.

Each gamete starts every chromosome on a random haplotype. Without interference its crossovers are a Poisson process
of rate one per Morgan along the concatenated map (Haldane 1919), drawn as exponential gaps in order; with interference
they are a renewal process that starts afresh on every chromosome. At each crossover the rest of its chromosome changes
haplotype, which changes the value by one entry of a suffix table.

These functions are the specification of every faster implementation.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxbreed.kernels.quantiles import GAP_WORD_BITS, UNIT_BITS, exponential_gap, renewal_gap, take
from jaxbreed.kernels.suffix import SuffixTables
from jaxbreed.kernels.threefry import CROSSOVERS, PHASES, SIRE, threefry2x32
from jaxbreed.kernels.walkmap import WalkMap

Key = tuple[Array, Array]
GAPS_PER_BLOCK = 3
_GAMETE = ((0,), (SIRE,))  # purpose bits of the dam's and the sire's gamete, a column
_ROW = ((0,), (1,))


class Crossing(NamedTuple):
    """One crossover of every lane, all (2, lane): where it falls and which way it goes."""

    slot: Array  # uint32, first slot behind the crossover
    forward: Array  # bool, True from the first haplotype to the second


class Place(NamedTuple):
    """How far the gametes' crossovers have been drawn, all of one shape."""

    position: Array  # int32, of the last crossover, in units of 2**-20 Morgan; the map's end when all are drawn
    arm: Array  # int32, interference only: which of the chromosomes that have a length it is on
    state: Array  # int32, interference only: 0 at the start of a chromosome, 1 at a crossover


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


def _three_words(low: Array, high: Array) -> tuple[Array, Array, Array]:
    """Three words of 21 bits out of the 64 of a block."""
    mask = jnp.uint32((1 << GAP_WORD_BITS) - 1)
    return low & mask, high & mask, (low >> GAP_WORD_BITS) | ((high >> 22) << 11)


def _advance(walk_map: WalkMap, sex: Any, place: Place, word: Array) -> tuple[Place, Array]:
    """Draws the next crossover.

    Args:
      walk_map: the genetic map.
      sex: 0 or 1 for each element of `place`: whose map.
      place: where the gametes are.
      word: uint32 below 2**21, of the same shape.

    Returns:
      Where they are now, and bool: whether that is a crossover (with interference it may be the next chromosome's
      start; at the map's end it never is).
    """
    end = _end(walk_map, sex)
    if walk_map.gap is None:
        position = jnp.minimum(place.position + exponential_gap(word), end)
        return place._replace(position=position), position < end
    arms = walk_map.border.shape[1]
    border = take(walk_map.border.reshape(-1), sex * arms + place.arm)
    position = place.position + renewal_gap(word, place.state, walk_map.gap)
    within = position < border
    place = Place(jnp.where(within, position, border), jnp.where(within, place.arm, place.arm + 1), within * 1)
    return place._replace(arm=jnp.minimum(place.arm, arms - 1)), within


def _end(walk_map: WalkMap, sex: Any) -> Array:
    return jnp.where(jnp.asarray(sex) == 1, walk_map.end[1], walk_map.end[0])


def _behind(walk_map: WalkMap, sex: Any, position: Array) -> tuple[Array, Array]:
    """The first slot behind a position, uint32, and the position's chromosome, int32."""
    sub = position.astype(jnp.uint32) >> (UNIT_BITS - walk_map.sub_bits)
    cell = 2 * ((sub >> 5) + jnp.asarray(sex, jnp.uint32) * walk_map.cell.shape[1])
    flat = walk_map.cell.reshape(-1)
    bitmap, head = take(flat, cell), take(flat, cell + 1)
    # Bits up to and including this sub-cell: a locus at the start of the sub-cell lies before the crossover.
    before = bitmap & ((jnp.uint32(2) << (sub & 31)) - 1)
    return (head >> 8) + lax.population_count(before), (head & 0xFF).astype(jnp.int32)


def _phase_at(phases: list[Array], chromosome: Array) -> Array:
    """Start phase of a chromosome: int32, 0 or 1."""
    phase = phases[0]
    for index, other in enumerate(phases[1:], start=1):
        phase = jnp.where(chromosome >> 5 == index, other, phase)
    return (phase >> (chromosome & 31).astype(jnp.uint32)).astype(jnp.int32) & 1


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
      visit: (state, Crossing) -> state. Lanes without a crossover get the last, empty slot.
      state: a pytree of arrays.

    Returns:
      The final state.
    """
    sex = jnp.asarray(_ROW, jnp.int32)
    shape = (2, eggs.shape[0])
    end = jnp.broadcast_to(walk_map.end[:, None], shape)

    def draw(block: Array) -> tuple[Array, Array]:
        return threefry2x32(key, eggs, jnp.asarray(_GAMETE, jnp.uint32) | (jnp.uint32(CROSSOVERS) + block))

    def positions_of(words: tuple[Array, Array], place: Place) -> tuple[list[Array], Place]:
        positions = []
        for word in _three_words(*words):
            place, crossed = _advance(walk_map, sex, place, word)
            positions.append(jnp.where(crossed, place.position, end))
        return positions, place

    def unfinished(carry):  # type: ignore[no-untyped-def]
        return jnp.any(carry[3])

    def step(carry):  # type: ignore[no-untyped-def]
        block, drawn, positions, _, place, chromosome, odd, inner = carry
        next_drawn = draw(block)
        next_positions, next_place = positions_of(drawn, place)
        for position in positions:
            slot, here = _behind(walk_map, sex, position)
            odd = jnp.where(here == chromosome, odd ^ 1, 0)  # crossovers so far on this chromosome, modulo two
            chromosome = here
            inner = visit(inner, Crossing(slot, _phase_at(phases, here) == odd))
        # Positions that are still to be visited keep the loop going.
        return block + 1, next_drawn, next_positions, place.position < end, next_place, chromosome, odd, inner

    zero = jnp.zeros(shape, jnp.int32)
    positions, place = positions_of(draw(jnp.uint32(0)), Place(zero, zero, zero))
    carry = (jnp.uint32(2), draw(jnp.uint32(1)), positions, end > 0, place, zero - 1, zero, state)
    return lax.while_loop(unfinished, step, carry)[-1]


def pair_value(key: Key, eggs: Array, walk_map: WalkMap, phases: list[Array], pair: Array) -> Array:
    """Dominance at loci where both parents are heterozygous: the crossovers of both gametes in one order.

    Whether the gametes carry like haplotypes (both first, both second) changes at every crossover of either. The
    loop draws, for each lane, the next crossover of the gamete that is behind.

    Args:
      key: family key.
      eggs: uint32 (lane,).
      walk_map: the genetic map.
      phases: from `phase_words`.
      pair: int32 (rank, column), from `SuffixTables`.

    Returns:
      int32 (column, lane).
    """
    nobody = jnp.uint32(0xFFFFFFFF)
    unlike_at_start = [word[0] ^ word[1] for word in phases]
    flat, ranks, columns = pair.reshape(-1), walk_map.slot_rank.reshape(-1), pair.shape[1]
    lanes = eggs.shape[0]

    def draw(sex: Array, drawn: Array, place: Place) -> tuple[Array, Place]:
        """The next place of one gamete of each lane: chromosome << 24 | 2 x rank + (is no crossover)."""
        purpose = sex.astype(jnp.uint32) * SIRE + CROSSOVERS + drawn // GAPS_PER_BLOCK
        words = _three_words(*threefry2x32(key, eggs, purpose))
        word = jnp.select([drawn % GAPS_PER_BLOCK == which for which in (0, 1)], words[:2], words[2])
        place, crossed = _advance(walk_map, sex, place, word)
        slot, _ = _behind(walk_map, sex, place.position)
        head = take(ranks, slot + sex.astype(jnp.uint32) * walk_map.slots) + (~crossed).astype(jnp.uint32)
        return jnp.where(place.position < _end(walk_map, sex), head, nobody), place

    def unfinished(carry):  # type: ignore[no-untyped-def]
        return jnp.any(carry[0] != nobody)

    def step(carry):  # type: ignore[no-untyped-def]
        heads, drawn, places, chromosome, odd, values = carry
        sex = (heads[1] < heads[0]).astype(jnp.int32)
        head = jnp.minimum(heads[0], heads[1])
        crossed = (head & 1) == 0
        here = (head >> 24).astype(jnp.int32)
        odd = jnp.where(here == chromosome, odd, 0)
        unlike = _phase_at(unlike_at_start, here) ^ odd
        sign = jnp.where(crossed, 1 - 2 * unlike, 0)
        rank = jnp.where(crossed, (head & 0xFFFFFF) >> 1, 0)
        values = [value + sign * take(flat, rank * columns + c) for c, value in enumerate(values)]
        behind = jnp.where(sex == 1, drawn[1], drawn[0])
        place = Place(*(jnp.where(sex == 1, part[1], part[0]) for part in places))
        new_head, new_place = draw(sex, behind, place)
        mine = sex == jnp.asarray(_ROW, jnp.int32)
        heads = jnp.where(mine, new_head, heads)
        places = Place(*(jnp.where(mine, new, old) for new, old in zip(new_place, places, strict=True)))
        return heads, jnp.where(mine, drawn + 1, drawn), places, here, jnp.where(crossed, odd ^ 1, odd), values

    zero = jnp.zeros(lanes, jnp.int32)
    first = [draw(zero + sex, zero.astype(jnp.uint32), Place(zero, zero, zero)) for sex in (0, 1)]
    heads = jnp.stack([head for head, _ in first])
    places = Place(*(jnp.stack(parts) for parts in zip(*(place for _, place in first), strict=True)))
    starts = _pair_starts(walk_map)
    values = []
    for column in range(columns):
        value = zero
        for chromosome in range(walk_map.chromosomes):
            unlike = (unlike_at_start[chromosome // 32] >> (chromosome % 32)) & jnp.uint32(1)
            value = value + unlike.astype(jnp.int32) * pair[starts[chromosome], column]
        values.append(value)
    drawn = jnp.ones((2, lanes), jnp.uint32)
    return jnp.stack(lax.while_loop(unfinished, step, (heads, drawn, places, zero - 1, zero, values))[-1])


def _pair_starts(walk_map: WalkMap) -> Array:
    """Rank of the first locus of each chromosome, or of its end if it has none: int32 (chromosome,)."""
    return take(walk_map.slot_rank[0], walk_map.chromosome_slot[0]).astype(jnp.int32) >> 1 & 0x7FFFFF


def middle_value(tables: SuffixTables, walk_map: WalkMap) -> Array:
    """Mean value of the family's eggs, each part rounded down: int32 (column,)."""
    middle = tables.start
    for sex in (0, 1):
        middle += jnp.take(tables.jump[sex], walk_map.chromosome_slot[sex], axis=0).sum(0) >> 1
    if tables.pair is not None:
        middle += jnp.take(tables.pair, _pair_starts(walk_map), axis=0).sum(0) >> 1
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
    row = jnp.asarray(_ROW, jnp.uint32) * walk_map.slots

    def visit(values: list[Array], crossing: Crossing) -> list[Array]:
        sign = jnp.where(crossing.forward, 1, -1)
        at = (crossing.slot + row) * columns
        return [value + sign * take(flat, at + column) for column, value in enumerate(values)]

    values = fold_crossovers(key, eggs, walk_map, phases, visit, start_values(tables, walk_map, phases))
    total = jnp.stack([start + value[0] + value[1] for start, value in zip(tables.start, values, strict=True)])
    if tables.pair is not None:
        total += pair_value(key, eggs, walk_map, phases, tables.pair)
    return total
