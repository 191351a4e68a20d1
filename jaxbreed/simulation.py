"""A whole programme: founders, then generation after generation, in many replicates side by side."""

import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.budget import check_budget
from jaxbreed.clutch import Families, lay
from jaxbreed.costs import Prices
from jaxbreed.founders import Founders
from jaxbreed.generation import Decision, Round, first_incomplete, generation
from jaxbreed.genomics import Knowledge
from jaxbreed.history import History, count_breeders, empty_history, record_costs, record_eggs, record_round
from jaxbreed.optimum import check_limits
from jaxbreed.pedigree import founder_kinship
from jaxbreed.population import Population, choose_founders, founder_names
from jaxbreed.program import Program
from jaxbreed.schedule import Schedule
from jaxbreed.selection import candidates_kept, check_families, check_tests
from jaxbreed.storage import first_stored
from jaxbreed.traits import genetic_values
from jaxbreed.variance import expected_eggs_jit

_lay = jax.jit(lay)


def simulate(
    program: Program,
    founders: Founders,
    schedule: Schedule,
    *,
    replicates: int = 1,
    seed: int = 0,
    shared_founders: bool = False,
    dealt_founders: int | None = None,
    prices: Prices | None = None,
    on_generation: Callable[[History], None] | None = None,
    on_eggs: Callable[[int], None] | None = None,
    on_families: Callable[[Population, Families], None] | None = None,
) -> History:
    """Runs a programme.

    The same seed and founders give the same animals on any number of devices.

    Args:
      program: the programme.
      founders: unrelated, outbred founders.
      schedule: the breeder's decisions; its length sets the number of rounds.
      replicates: independent repeats.
      seed: of everything random, 0 to 2**63 - 1.
      shared_founders: True starts all replicates from the same founders, False gives each its own.
      dealt_founders: founders dealt to each replicate, see `jaxbreed.population.choose_founders`; None for as many as
        breed.
      prices: what things cost, to have costs in the history and keep to a budget; None for no account of costs.
      on_generation: called after each generation with the history so far, for example to save it.
      on_eggs: called with numbers of eggs finished, for a progress bar.
      on_families: called in each generation with the breeders and the eggs they lay.

    Returns:
      The history; generation 0 is the founders' progeny, and the last generation's eggs are expected, not laid out.

    Raises:
      ValueError: the founders do not fit the programme, the schedule its traits, or a limit on inbreeding cannot be
        kept or the solver for it is not installed, or a generation would cost more than the budget.
      RuntimeError: a lineage died out (too few survivors to fill the places of parents).
    """
    settings = program.settings
    if founders.haplotypes.shape[-1] != program.locus_map.loci:
        raise ValueError(
            f"founders have {founders.haplotypes.shape[-1]} loci; the programme's map has {program.locus_map.loci}"
        )
    if schedule.weights.shape[1] != len(program.traits.names):
        raise ValueError(
            f"the schedule weighs {schedule.weights.shape[1]} traits; the programme has {len(program.traits.names)}"
        )
    silent = np.flatnonzero(~np.asarray(schedule.weights).any(axis=1))
    if silent.size:
        raise ValueError(f"the schedule weighs no trait in generation {silent[0]}; at least one weight must not be 0")
    check_limits(settings, schedule)
    check_families(settings, schedule)
    check_tests(settings, schedule)
    most_tests = None if schedule.tests is None else int(np.asarray(schedule.tests).max())
    check_budget(settings, prices, males=int(np.asarray(schedule.males).max()), tests=most_tests)
    limits = schedule.inbreeding_rate
    rates = [math.inf] * schedule.generations if limits is None else np.asarray(limits, np.float64).tolist()
    population, numbers, root = first_breeders(program, founders, replicates, seed, shared_founders, dealt_founders)
    history = empty_history(program, schedule, replicates, prices)
    history.founders, history.founder_numbers = founders, numbers
    kept = candidates_kept(settings, float(np.asarray(schedule.fraction).max()), most_tests)
    knowledge: Knowledge | None = None
    for g in range(schedule.generations + 1):
        key_lay, key_breed = _keys(root, replicates, g)
        families = _lay(program, population, key_lay, tests_of(schedule, g))
        if on_families is not None:
            on_families(population, families)
        record_eggs(history, g, expected_eggs_jit(program, population.haplotypes, families.eggs), families, population)
        if g < schedule.generations:
            decision, parents = _row(schedule, rates, g), population
            population, round_ = generation(
                program, decision, parents, families, key_breed, kept=kept, knowledge=knowledge, progress=on_eggs
            )
            knowledge = None if round_.staged is None else round_.staged.knowledge
            record_round(history, g, round_, settings.sessions)
            if prices is not None:
                record_costs(history, g, round_, settings.stages, count_breeders(parents, families))
            _check_alive(round_, g)
        else:
            history.parents = population
        if on_generation is not None:
            on_generation(history)
    return history


def first_breeders(
    program: Program,
    founders: Founders,
    replicates: int,
    seed: int,
    shared_founders: bool,
    dealt_founders: int | None = None,
) -> tuple[Population, npt.NDArray[np.int64], Array]:
    """Deals out the founders.

    Returns:
      The first breeders, their numbers in the panel (replicate, animal), and the key of everything random.
    """
    panel, settings = founders.individuals, program.settings
    numbers = choose_founders(panel, settings, replicates, shared=shared_founders, seed=seed, dealt=dealt_founders)
    low, high = seed & 0xFFFFFFFF, seed >> 32
    seed_words = jnp.array([low, high], jnp.uint32)
    # Without 64-bit integers jax.random.key takes the lower word only.
    root = jax.random.key(low) if high == 0 else jax.random.fold_in(jax.random.key(low), high)
    return _start(program, founders.haplotypes[numbers], numbers, seed_words), numbers, root


def first_families(program: Program, population: Population, root: Array, tests: Array | None = None) -> Families:
    """The eggs that the first breeders lay: those of generation 0."""
    return _lay(program, population, _keys(root, len(population.name), 0)[0], tests)


def tests_of(schedule: Schedule, g: int) -> Array | None:
    """Most animals tested of a clutch in generation g; the last generation's eggs are only expected."""
    return None if schedule.tests is None else schedule.tests[min(g, schedule.generations - 1)]


def _row(schedule: Schedule, rates: list[float], g: int) -> Decision:
    weight = schedule.family_weight
    plain = (schedule.weights[g], schedule.fraction[g], schedule.males[g])
    return Decision(*plain, None if weight is None else weight[g], rates[g], g)


@jax.jit
def _start(program: Program, haplotypes: Array, numbers: Array, seed: Array) -> Population:
    genetic = genetic_values(program.traits, haplotypes)
    kinship = founder_kinship(numbers.shape[1])
    population = Population(
        haplotypes=haplotypes,
        name=founder_names(seed, numbers),
        kinship=jnp.broadcast_to(kinship, (len(numbers), *kinship.shape)),
        mother=jnp.full(numbers.shape, -1, jnp.int32),
        father=jnp.full(numbers.shape, -1, jnp.int32),
        genetic=genetic,
        phenotype=genetic,
    )
    return population if program.settings.storage == 0 else first_stored(program.settings, population)


@functools.partial(jax.jit, static_argnums=1)
def _keys(key: Array, replicates: int, g: Array) -> tuple[Array, Array]:
    """Keys of generation g of every replicate, (replicate,): for laying, for breeding."""
    of_replicate = jax.vmap(lambda r: jax.random.split(jax.random.fold_in(jax.random.fold_in(key, r), g)))
    keys = of_replicate(jnp.arange(replicates))
    return keys[:, 0], keys[:, 1]


def _check_alive(round_: Round, g: int) -> None:
    failed = first_incomplete(round_)
    if failed is not None:
        fewest = int(np.asarray(round_.tested.moments.count).sum(-1)[failed].min())
        raise RuntimeError(
            f"replicate {failed} died out in generation {g}: its poorest clutch left {fewest} tested animals, too few "
            "for the parents to be selected; raise survival, eggs or tested, ask for fewer sires, or select across "
            "lineages"
        )


__all__ = ["simulate"]
