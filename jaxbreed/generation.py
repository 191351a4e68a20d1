"""One generation: lay, test, select, mate, hatch. The readable heart of the programme."""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxbreed.candidates import as_tested, records_of
from jaxbreed.clutch import Families, lay
from jaxbreed.kernels import Tested, environment, hatch, identity
from jaxbreed.mating import mate
from jaxbreed.pedigree import next_kinship
from jaxbreed.population import Population
from jaxbreed.program import Program, Settings
from jaxbreed.selection import Chosen, select
from jaxbreed.staging import Staged, run_stages, weigh_families, worst_trait
from jaxbreed.statistics import Sample, animal_moments, sample_moments
from jaxbreed.testing import index_scale, make_assay, sweep_families, with_clutch_effects, with_family_weight
from jaxbreed.traits import genetic_values

FEMALE, MALE = 0, 1


class Decision(NamedTuple):
    """The schedule's row for one generation."""

    weights: Array  # float32 (trait,), per founder phenotypic SD
    fraction: Array  # float32 ()
    males: Array  # int32 ()
    family_weight: Array | None = None  # float32 (); None: 1


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
      progress: called with numbers of eggs finished.

    Returns:
      The next breeders and what happened.
    """
    # Every egg of every clutch meets its fate; those that live are measured, stage by stage or in one test of all.
    measure = measure_in_stages if program.settings.stages else measure_all
    measured = measure(program, decision, population, families, kept, progress)
    # The best of each sex, by their own worth and their family's, become dams and sires of the next clutches.
    females, males, dams, sires = choose_parents(program.settings, decision, population, families, measured.tested, key)
    # Only they are raised: their genomes are rebuilt from their parents' and their names.
    young = raise_parents(program, population, families, dams, sires)
    if measured.staged is not None:
        young = with_records(program, young, measured.staged, families, dams, sires)
    complete = females.alive.all((1, 2)) & males.alive.all((1, 2))
    return young, Round(measured.tested, measured.sample, complete, measured.staged)


class Measured(NamedTuple):
    """What is known of a generation's eggs before parents are chosen."""

    tested: Tested  # leading axes (replicate, lineage, sire)
    sample: Sample  # of the tested animals
    staged: Staged | None = None


def measure_all(
    program: Program,
    decision: Decision,
    population: Population,
    families: Families,
    kept: int,
    progress: Callable[[int], None] | None = None,
) -> Measured:
    """Tests every survivor once, up to the capacity of the test: the sweep does it all."""
    assay = make_assay(program, decision.weights, kept)
    tested = sweep_families(program, assay, population, families, progress)
    if program.clutch is not None:
        tested = with_clutch_effects(tested, families, assay)
    if decision.family_weight is not None:
        tested = with_family_weight(tested, assay, decision.family_weight)
    return Measured(tested, sample_moments(program.traits, tested, np.asarray(assay.unit)))


def measure_in_stages(
    program: Program,
    decision: Decision,
    population: Population,
    families: Families,
    kept: int,
    progress: Callable[[int], None] | None = None,
) -> Measured:
    """Takes the eggs through the stages; the animals that are left are ranked by what was last learned of them."""
    staged = run_stages(program, decision.weights, population, families, kept, progress)
    animals = staged.animals
    shown = animals.sessions > 0
    values = np.concatenate([animals.genetic[shown], animals.record[shown]], axis=1)
    sample = animal_moments(animals.replicate[shown], values, len(staged.entered))
    scale = index_scale(program, decision.weights)
    if program.settings.combine == "worst":
        animals.score = worst_trait(animals, np.asarray(decision.weights))
    if decision.family_weight is not None:
        animals.score = weigh_families(animals, float(decision.family_weight))
    return Measured(as_tested(animals, families, staged.drawn, scale, kept), sample, staged)


@functools.partial(jax.jit, static_argnums=0)
def choose_parents(
    settings: Settings, decision: Decision, population: Population, families: Families, tested: Tested, key: Array
) -> tuple[Chosen, Chosen, Chosen, Chosen]:
    """Selects parents of each sex and pairs them.

    Returns:
      The chosen females and males, then the dams (replicate, lineage) and sires (replicate, lineage, sire) in place.
    """
    for_females, for_males, for_mating = jax.vmap(lambda k: jax.random.split(k, 3))(key).T
    females = select(settings, tested, FEMALE, decision.fraction, for_females)
    males = select(settings, tested, MALE, decision.fraction, for_males)
    father_name = population.name[jnp.arange(len(key))[:, None, None], families.sire, 0]
    dams, sires = mate(settings, females, males, father_name, decision.males, for_mating)
    return females, males, dams, sires


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
