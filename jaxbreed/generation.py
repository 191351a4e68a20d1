"""One generation: lay, test, select, mate, hatch. The readable heart of the programme."""

import dataclasses
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxbreed.candidates import records_of
from jaxbreed.clutch import Families, lay
from jaxbreed.genomics import Knowledge
from jaxbreed.kernels import Tested, environment, hatch, identity
from jaxbreed.mating import mate
from jaxbreed.mating_plans import PLANS, mate_by_plan
from jaxbreed.measuring import Measured, measure
from jaxbreed.optimum import optimum_parents
from jaxbreed.pedigree import next_kinship
from jaxbreed.population import Population
from jaxbreed.program import Program, Settings
from jaxbreed.schedule import Decision
from jaxbreed.selection import Chosen, select
from jaxbreed.staging import Staged
from jaxbreed.statistics import Sample
from jaxbreed.storage import stored_places_jit, with_stored_jit
from jaxbreed.traits import genetic_values

FEMALE, MALE = 0, 1


class Round(NamedTuple):
    """What happened in one generation."""

    tested: Tested  # leading axes (replicate, lineage, sire)
    sample: Sample  # moments of the tested animals
    complete: Array  # bool (replicate,): every place for a parent was filled
    staged: Staged | None  # animals followed one by one, in programmes with stages


def generation(
    program: Program,
    decision: Decision,
    population: Population,
    families: Families,
    key: Array,
    *,
    kept: int,
    knowledge: Knowledge | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Population, Round]:
    """Takes a population from one set of breeders to the next.

    Args:
      program: the programme.
      decision: this generation's row of the schedule.
      population: the breeders.
      families: the eggs they lay, from `lay`.
      key: typed key (replicate,), of this generation.
      kept: animals of each sex the sweep remembers of each family, from `candidates_kept`.
      knowledge: what earlier generations taught genomic prediction; None for nothing.
      progress: called with numbers of eggs finished.

    Returns:
      The next breeders and what happened.
    """
    # Every egg of every clutch meets its fate; those that live are measured, stage by stage or in one test of all.
    measured = measure(program, decision, population, families, knowledge or Knowledge(), kept, progress)
    # The best of each sex, by their own worth and their family's, become dams and sires of the next clutches.
    females, males, dams, sires = choose_parents(program.settings, decision, population, families, measured, key)
    # Only they are raised: their genomes are rebuilt from their parents' and their names.
    young = raise_parents(program, population, families, dams, sires)
    if measured.staged is not None:
        young = with_records(program, young, measured.staged, families, dams, sires)
    # Some places of sires may go to males chosen a generation before, whose sperm was stored.
    if program.settings.storage > 0:
        places = stored_places_jit(program.settings, population, families, dams, _key_of_storage(key))
        young = with_stored_jit(young, population, places)
    complete = females.alive.all((1, 2)) & males.alive.all((1, 2))
    return young, Round(measured.tested, measured.sample, complete, measured.staged)


def choose_parents(
    settings: Settings,
    decision: Decision,
    population: Population,
    families: Families,
    measured: Measured,
    key: Array,
) -> tuple[Chosen, Chosen, Chosen, Chosen]:
    """Selects parents of each sex, by truncation or by optimum contributions, and pairs them.

    Returns:
      The chosen females and males, then the dams (replicate, lineage) and sires (replicate, lineage, sire) in place.
    """
    for_females, for_males, for_mating = _keys(key)
    tested, limited = measured.tested, math.isfinite(decision.inbreeding_rate)
    if measured.merit is not None and limited:
        rate, g = decision.inbreeding_rate, decision.generation
        females, males = optimum_parents(settings, rate, population, families, tested, measured.merit, g)
    else:
        females = _select(settings, tested, FEMALE, decision.fraction, for_females)
        males = _select(settings, tested, MALE, decision.fraction, for_males)
    if settings.mating in PLANS:
        plan = (population, families, females, males, decision.males, for_mating, decision.generation)
        return females, males, *mate_by_plan(settings, *plan, placed=limited)
    father_name = population.name[jnp.arange(len(key))[:, None, None], families.sire, 0]
    return females, males, *_mate(settings, females, males, father_name, decision.males, for_mating, placed=limited)


_select = jax.jit(select, static_argnums=(0, 2))
_mate = jax.jit(mate, static_argnums=0, static_argnames="placed")
_keys = jax.jit(lambda key: tuple(jax.vmap(lambda k: jax.random.split(k, 3))(key).T))


# Apart from the others, which are those of a programme that stores nothing.
_key_of_storage = jax.jit(jax.vmap(lambda key: jax.random.fold_in(key, 3)))


@jax.jit
def raise_parents(
    program: Program, population: Population, families: Families, dams: Chosen, sires: Chosen
) -> Population:
    """Hatches the chosen eggs and records who they are.

    Args:
      program: the programme.
      population: their parents.
      families: the families they come from.
      dams: (replicate, lineage).
      sires: (replicate, lineage, sire).

    Returns:
      The new breeders.
    """
    replicates = len(population.name)
    rows = jnp.arange(replicates)[:, None]
    chosen = Chosen(*(jnp.concatenate([d, s.reshape(replicates, -1)], 1) for d, s in zip(dams, sires, strict=True)))
    mother, father = (place[rows, chosen.lineage, chosen.sire] for place in (families.dam, families.sire))
    family_key = families.key[rows, chosen.lineage, chosen.sire]

    def flat(x: Array) -> Array:
        return x.reshape(-1, *x.shape[2:])

    key, egg = flat(family_key), flat(chosen.egg)
    parents = (flat(population.haplotypes[rows, place]) for place in (mother, father))
    haplotypes = hatch(program.locus_map, key, egg, *parents).reshape(*mother.shape, 2, -1)
    name = identity((key[:, 0], key[:, 1]), egg).reshape(*mother.shape, 2)
    genetic = genetic_values(program.traits, haplotypes)
    deviation = environment((key[:, 0], key[:, 1]), egg, program.noise)
    return Population(
        haplotypes=haplotypes,
        name=name,
        kinship=jax.vmap(next_kinship)(population.kinship, mother, father, name),
        mother=mother,
        father=father,
        genetic=genetic,
        phenotype=genetic + deviation.T.reshape(genetic.shape) + families.clutch[rows, chosen.lineage, chosen.sire],
    )


def with_records(
    program: Program, young: Population, staged: Staged, families: Families, dams: Chosen, sires: Chosen
) -> Population:
    """Gives the new breeders the records they were tested with; those never tested keep what one test would show."""

    def places(of_dams: Array, of_sires: Array) -> np.ndarray:
        return np.concatenate([of_dams, np.reshape(of_sires, (len(of_dams), -1))], axis=1)

    where = (places(d, s) for d, s in zip(dams[:3], sires[:3], strict=True))
    record = records_of(staged.animals, families, *where)
    known = np.rint(record * 2.0**program.traits.scale_bits)
    phenotype = np.where(np.isnan(known), np.asarray(young.phenotype), known).astype(np.int32)
    return dataclasses.replace(young, phenotype=jnp.asarray(phenotype))


def first_incomplete(round_: Round) -> int | None:
    """The first replicate in which not every place for a parent could be filled, or None."""
    failed = np.flatnonzero(~np.asarray(round_.complete))
    return int(failed[0]) if failed.size else None


__all__ = ["Decision", "Round", "choose_parents", "first_incomplete", "generation", "lay", "raise_parents"]
