"""What mutations change: the value of the few eggs that carry one at a locus with effects."""

import jax.numpy as jnp
from jax import Array, lax

from jaxbreed.kernels.mutation import Mutation, mutated_loci, mutation_counts
from jaxbreed.kernels.suffix import Alleles, SuffixTables
from jaxbreed.kernels.walk import Crossing, Key, fold_crossovers, phase_at, phase_words
from jaxbreed.kernels.walkmap import WalkMap

_TOGETHER = 128  # mutants whose mutations are followed up side by side


def mutation_value(tables: SuffixTables, walk_map: WalkMap, key: Key, eggs: Array) -> Array:
    """By how much an egg's mutations change its value.

    Args:
      tables: the family's tables, with `alleles`.
      walk_map: the genetic map, with `mutation`.
      key: the family key.
      eggs: uint32 (lane,).

    Returns:
      int32 (column, lane), zero for most.
    """
    mutation, alleles = walk_map.mutation, tables.alleles
    if mutation is None or alleles is None:
        raise ValueError("the map or the tables know no mutation")
    none = jnp.zeros((tables.start.shape[0], eggs.shape[0]), jnp.int32)
    together = min(_TOGETHER, eggs.shape[0])
    if together == 0 or walk_map.loci == 0:
        return none
    mutant = _hit_any_locus(key, eggs, mutation)
    where = jnp.nonzero(mutant, size=eggs.shape[0], fill_value=0)[0]
    total = mutant.sum(dtype=jnp.int32)

    def group(number: Array, values: Array) -> Array:
        place = number * together + jnp.arange(together, dtype=jnp.int32)
        lanes = jnp.take(where, place, mode="clip")
        change = _change(alleles, walk_map, mutation, key, eggs[lanes])
        return values.at[:, lanes].add(jnp.where(place < total, change, 0))

    return lax.fori_loop(0, -(-total // together), group, none)


def _hit_any_locus(key: Key, eggs: Array, mutation: Mutation) -> Array:
    """Which eggs have a mutation at a locus of the map: bool (lane,)."""
    counts = mutation_counts(key, eggs, mutation)

    def look(number: Array, hit: Array) -> Array:
        return hit | (mutated_loci(key, eggs, mutation, number, counts) >= 0).any(0)

    return lax.fori_loop(0, jnp.max(counts, initial=0), look, jnp.zeros(eggs.shape, bool))


def _change(alleles: Alleles, walk_map: WalkMap, mutation: Mutation, key: Key, eggs: Array) -> Array:
    """The change of some eggs, mutation by mutation: the dam's gamete first, then the sire's. int32 (column, lane)."""
    counts = mutation_counts(key, eggs, mutation)
    most = jnp.max(counts, initial=0)
    phases = phase_words(key, eggs, walk_map.chromosomes)

    def hits_so_far(locus: Array, sex: int, number: Array) -> list[Array]:
        """How often each gamete has been hit at a locus before this mutation: two int32 (lane,)."""

        def look(earlier: Array, hits: Array) -> Array:
            here = mutated_loci(key, eggs, mutation, earlier, counts) == locus
            before = jnp.stack([earlier < number, False]) if sex == 0 else jnp.stack([True, earlier < number])
            return hits + (here & before[:, None])

        return list(lax.fori_loop(0, most, look, jnp.zeros(counts.shape, jnp.int32)))

    def of_gamete(sex: int, change: Array) -> Array:
        def mutate(number: Array, change: Array) -> Array:
            locus = mutated_loci(key, eggs, mutation, number, counts)[sex]
            at = jnp.maximum(locus, 0)
            carried = _carried(walk_map, key, eggs, phases, at)
            hits = hits_so_far(locus, sex, number)
            allele = [alleles.haplotypes[g, carried[g], at].astype(jnp.int32) ^ (hits[g] & 1) for g in (0, 1)]
            # The gamete's allele becomes the other one; so does homozygous or heterozygous.
            step = alleles.effects[:, at] * (1 - 2 * allele[sex])
            if alleles.dominance is not None:
                step += alleles.dominance[:, at] * (1 - 2 * (allele[0] ^ allele[1]))
            return change + jnp.where(locus >= 0, step, 0)

        return lax.fori_loop(0, most, mutate, change)

    none = jnp.zeros((alleles.effects.shape[0], eggs.shape[0]), jnp.int32)
    return of_gamete(1, of_gamete(0, none))


def _carried(walk_map: WalkMap, key: Key, eggs: Array, phases: list[Array], locus: Array) -> Array:
    """Which of its parent's haplotypes each gamete carries at a locus, mutations apart: int32 (2, lane)."""
    chromosome = walk_map.locus_chromosome[locus]
    rank = ((chromosome << 24) + ((locus + chromosome) << 1)).astype(jnp.uint32)
    ranks, row = walk_map.slot_rank.reshape(-1), jnp.asarray(((0,), (walk_map.slots,)), jnp.uint32)

    def visit(crossed: Array, crossing: Crossing) -> Array:
        # A crossover lies before the locus if the first locus behind it is on the same chromosome and not farther on.
        first_behind = ranks[crossing.slot + row]
        return crossed ^ ((first_behind >> 24 == rank >> 24) & (first_behind <= rank))

    crossed = fold_crossovers(key, eggs, walk_map, phases, visit, jnp.zeros((2, eggs.shape[0]), bool))
    return phase_at(phases, jnp.broadcast_to(chromosome, crossed.shape)) ^ crossed
