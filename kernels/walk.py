"""The walk: the crossovers of an egg's two gametes, in order along the map.

Each gamete starts every chromosome on a random haplotype. Without interference its crossovers are a Poisson process
of rate one per Morgan along the concatenated map (Haldane 1919), drawn as exponential gaps in order; with interference
they are a renewal process that starts afresh on every chromosome. At each crossover the rest of its chromosome changes
haplotype.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax

from jaxbreed.kernels.quantiles import GAP_WORD_BITS, UNIT_BITS, exponential_gap, renewal_gap, take
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


def three_words(low: Array, high: Array) -> tuple[Array, Array, Array]:
    """Three words of 21 bits out of the 64 of a block."""
    mask = jnp.uint32((1 << GAP_WORD_BITS) - 1)
    return low & mask, high & mask, (low >> GAP_WORD_BITS) | ((high >> 22) << 11)


def advance(walk_map: WalkMap, sex: Any, place: Place, word: Array) -> tuple[Place, Array]:
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
    end = map_end(walk_map, sex)
    if walk_map.gap is None:
        position = jnp.minimum(place.position + exponential_gap(word), end)
        return place._replace(position=position), position < end
    arms = walk_map.border.shape[1]
    border = take(walk_map.border.reshape(-1), sex * arms + place.arm)
    position = place.position + renewal_gap(word, place.state, walk_map.gap)
    within = position < border
    place = Place(jnp.where(within, position, border), jnp.where(within, place.arm, place.arm + 1), within * 1)
    return place._replace(arm=jnp.minimum(place.arm, arms - 1)), within


def map_end(walk_map: WalkMap, sex: Any) -> Array:
    """Where a sex's map ends, for each element of `sex`: int32, units of 2**-20 Morgan."""
    return jnp.where(jnp.asarray(sex) == 1, walk_map.end[1], walk_map.end[0])


def behind(walk_map: WalkMap, sex: Any, position: Array) -> tuple[Array, Array]:
    """The first slot behind a position, uint32, and the position's chromosome, int32."""
    sub = position.astype(jnp.uint32) >> (UNIT_BITS - walk_map.sub_bits)
    cell = 2 * ((sub >> 5) + jnp.asarray(sex, jnp.uint32) * walk_map.cell.shape[1])
    flat = walk_map.cell.reshape(-1)
    bitmap, head = take(flat, cell), take(flat, cell + 1)
    # Bits up to and including this sub-cell: a locus at the start of the sub-cell lies before the crossover.
    before = bitmap & ((jnp.uint32(2) << (sub & 31)) - 1)
    return (head >> 8) + lax.population_count(before), (head & 0xFF).astype(jnp.int32)


def phase_at(phases: list[Array], chromosome: Array) -> Array:
    """Start phase of a chromosome: int32, 0 or 1."""
    phase = phases[0]
    for index, other in enumerate(phases[1:], start=1):
        phase = jnp.where(chromosome >> 5 == index, other, phase)
    return (phase >> (chromosome & 31).astype(jnp.uint32)).astype(jnp.int32) & 1


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
        for word in three_words(*words):
            place, crossed = advance(walk_map, sex, place, word)
            positions.append(jnp.where(crossed, place.position, end))
        return positions, place

    def unfinished(carry):  # type: ignore[no-untyped-def]
        return jnp.any(carry[3])

    def step(carry):  # type: ignore[no-untyped-def]
        block, drawn, positions, _, place, chromosome, odd, inner = carry
        next_drawn = draw(block)
        next_positions, next_place = positions_of(drawn, place)
        for position in positions:
            slot, here = behind(walk_map, sex, position)
            odd = jnp.where(here == chromosome, odd ^ 1, 0)  # crossovers so far on this chromosome, modulo two
            chromosome = here
            inner = visit(inner, Crossing(slot, phase_at(phases, here) == odd))
        # Positions that are still to be visited keep the loop going.
        return block + 1, next_drawn, next_positions, place.position < end, next_place, chromosome, odd, inner

    zero = jnp.zeros(shape, jnp.int32)
    positions, place = positions_of(draw(jnp.uint32(0)), Place(zero, zero, zero))
    carry = (jnp.uint32(2), draw(jnp.uint32(1)), positions, end > 0, place, zero - 1, zero, state)
    return lax.while_loop(unfinished, step, carry)[-1]
