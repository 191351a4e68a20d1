"""Hatching: rebuild the genomes of chosen eggs from their parents' haplotypes and their names."""

import jax.numpy as jnp
from jax import Array, lax

from jaxbreed.kernels.mutation import Mutation, mutated_loci, mutation_counts
from jaxbreed.kernels.walk import Crossing, Key, fold_crossovers, phase_words
from jaxbreed.kernels.walkmap import WalkMap

_WORKING_BYTES = 1 << 25


def hatch(walk_map: WalkMap, key: Array, eggs: Array, dams: Array, sires: Array) -> Array:
    """Rebuilds haplotypes, egg by egg identical to what the sweep scored.

    Args:
      walk_map: the genetic map.
      key: uint32 (egg, 2), the key of each egg's family.
      eggs: uint32 (egg,), egg numbers.
      dams: uint8 (egg, 2, locus), haplotypes of each egg's dam.
      sires: uint8 (egg, 2, locus).

    Returns:
      uint8 (egg, 2, locus): the dam's gamete, the sire's gamete.
    """
    count = eggs.shape[0]
    group = max(1, min(count, _WORKING_BYTES // (2 * walk_map.slots)))
    padding = -count % group

    def grouped(array: Array) -> Array:
        padded = jnp.pad(array, [(0, padding)] + [(0, 0)] * (array.ndim - 1))
        return padded.reshape(-1, group, *array.shape[1:])

    parts = tuple(grouped(array) for array in (key, eggs, dams, sires))
    young = lax.map(lambda part: _hatch_group(walk_map, *part), parts)
    return young.reshape(-1, *young.shape[2:])[:count]


def _hatch_group(walk_map: WalkMap, key: Array, eggs: Array, dams: Array, sires: Array) -> Array:
    words: Key = (key[:, 0], key[:, 1])
    lanes = jnp.arange(eggs.shape[0])
    phases = phase_words(words, eggs, walk_map.chromosomes)
    offset = jnp.asarray(((0,), (walk_map.slots,)), jnp.uint32)

    def visit(switches: Array, crossing: Crossing) -> Array:
        return switches.at[lanes, crossing.slot + offset].add(jnp.uint8(1))

    none = jnp.zeros((eggs.shape[0], 2 * walk_map.slots), jnp.uint8)
    switches = fold_crossovers(words, eggs, walk_map, phases, visit, none).reshape(-1, 2, walk_map.slots)
    # Switches so far, modulo 256: only parity matters. A chromosome starts afresh: what came before it is taken away.
    so_far = jnp.cumsum(switches, axis=-1, dtype=jnp.uint8)
    before = so_far - switches
    chromosome = walk_map.locus_chromosome
    gametes = []
    for sex, parent in enumerate((dams, sires)):
        slot = walk_map.locus_slot[sex]
        first_slot = walk_map.chromosome_slot[sex][chromosome]
        crossed = so_far[:, sex, slot] - before[:, sex, first_slot]
        phase = jnp.stack([word[sex] for word in phases])[chromosome >> 5].T >> (chromosome & 31).astype(jnp.uint32)
        second = (crossed.astype(jnp.uint32) ^ phase) & 1
        gametes.append(jnp.where(second == 1, parent[:, 1], parent[:, 0]))
    young = jnp.stack(gametes, axis=1)
    return young if walk_map.mutation is None else _mutate(walk_map.mutation, words, eggs, young)


def _mutate(mutation: Mutation, key: Key, eggs: Array, young: Array) -> Array:
    """Gives the mutated loci of the gametes (egg, 2, locus) the other allele."""
    counts = mutation_counts(key, eggs, mutation)
    lanes = jnp.arange(eggs.shape[0])[:, None]

    def mutate(number: Array, young: Array) -> Array:
        locus = mutated_loci(key, eggs, mutation, number, counts).T
        hit = (locus >= 0).astype(jnp.uint8)
        at = (lanes, jnp.arange(2), jnp.maximum(locus, 0))
        return young.at[at].set(young[at] ^ hit)

    return lax.fori_loop(0, jnp.max(counts, initial=0), mutate, young)
