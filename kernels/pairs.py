"""Dominance at loci where both parents are heterozygous: the crossovers of both gametes, merged."""

import jax.numpy as jnp
from jax import Array, lax

from jaxbreed.kernels.quantiles import take
from jaxbreed.kernels.threefry import CROSSOVERS, SIRE, threefry2x32
from jaxbreed.kernels.walk import GAPS_PER_BLOCK, Key, Place, advance, behind, map_end, phase_at, three_words
from jaxbreed.kernels.walkmap import WalkMap


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
        words = three_words(*threefry2x32(key, eggs, purpose))
        word = jnp.select([drawn % GAPS_PER_BLOCK == which for which in (0, 1)], words[:2], words[2])
        place, crossed = advance(walk_map, sex, place, word)
        slot, _ = behind(walk_map, sex, place.position)
        head = take(ranks, slot + sex.astype(jnp.uint32) * walk_map.slots) + (~crossed).astype(jnp.uint32)
        return jnp.where(place.position < map_end(walk_map, sex), head, nobody), place

    def unfinished(carry):  # type: ignore[no-untyped-def]
        return jnp.any(carry[0] != nobody)

    def step(carry):  # type: ignore[no-untyped-def]
        heads, drawn, places, chromosome, odd, values = carry
        sex = (heads[1] < heads[0]).astype(jnp.int32)
        head = jnp.minimum(heads[0], heads[1])
        crossed = (head & 1) == 0
        here = (head >> 24).astype(jnp.int32)
        odd = jnp.where(here == chromosome, odd, 0)
        unlike = phase_at(unlike_at_start, here) ^ odd
        sign = jnp.where(crossed, 1 - 2 * unlike, 0)
        rank = jnp.where(crossed, (head & 0xFFFFFF) >> 1, 0)
        values = [value + sign * take(flat, rank * columns + c) for c, value in enumerate(values)]
        behind = jnp.where(sex == 1, drawn[1], drawn[0])
        place = Place(*(jnp.where(sex == 1, part[1], part[0]) for part in places))
        new_head, new_place = draw(sex, behind, place)
        mine = sex == jnp.asarray(((0,), (1,)), jnp.int32)
        heads = jnp.where(mine, new_head, heads)
        places = Place(*(jnp.where(mine, new, old) for new, old in zip(new_place, places, strict=True)))
        return heads, jnp.where(mine, drawn + 1, drawn), places, here, jnp.where(crossed, odd ^ 1, odd), values

    zero = jnp.zeros(lanes, jnp.int32)
    first = [draw(zero + sex, zero.astype(jnp.uint32), Place(zero, zero, zero)) for sex in (0, 1)]
    heads = jnp.stack([head for head, _ in first])
    places = Place(*(jnp.stack(parts) for parts in zip(*(place for _, place in first), strict=True)))
    starts = pair_starts(walk_map)
    values = []
    for column in range(columns):
        value = zero
        for chromosome in range(walk_map.chromosomes):
            unlike = (unlike_at_start[chromosome // 32] >> (chromosome % 32)) & jnp.uint32(1)
            value = value + unlike.astype(jnp.int32) * pair[starts[chromosome], column]
        values.append(value)
    drawn = jnp.ones((2, lanes), jnp.uint32)
    return jnp.stack(lax.while_loop(unfinished, step, (heads, drawn, places, zero - 1, zero, values))[-1])


def pair_starts(walk_map: WalkMap) -> Array:
    """Rank of the first locus of each chromosome, or of its end if it has none: int32 (chromosome,)."""
    return take(walk_map.slot_rank[0], walk_map.chromosome_slot[0]).astype(jnp.int32) >> 1 & 0x7FFFFF
