"""From eggs to ranks: one test of every survivor, or stage by stage."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxbreed.candidates import as_tested
from jaxbreed.clutch import Families
from jaxbreed.genomics import Knowledge
from jaxbreed.kernels import Tested
from jaxbreed.kernels.topk import index_of
from jaxbreed.merit import combined_merit
from jaxbreed.population import Population
from jaxbreed.program import Program
from jaxbreed.schedule import Decision
from jaxbreed.staging import Staged, run_stages, weigh_families, worst_trait
from jaxbreed.statistics import Sample, animal_moments, sample_moments
from jaxbreed.testing import index_scale, make_assay, sweep_families, with_clutch_effects, with_family_weight
from jaxbreed.variance import expected_eggs_jit

Floats = npt.NDArray[np.float64]


class Measured(NamedTuple):
    """What is known of a generation's eggs before parents are chosen."""

    tested: Tested  # leading axes (replicate, lineage, sire)
    sample: Sample  # of the tested animals
    merit: Floats | None = None  # expected worth of the remembered, where inbreeding is limited
    staged: Staged | None = None


def measure(
    program: Program,
    decision: Decision,
    population: Population,
    families: Families,
    knowledge: Knowledge,
    kept: int,
    progress: Callable[[int], None] | None = None,
) -> Measured:
    """Measures the eggs of a generation: stage by stage, or in one test of all.

    Args:
      program: the programme.
      decision: this generation's row of the schedule.
      population: the breeders.
      families: the eggs they lay.
      knowledge: what is known for genomic prediction.
      kept: animals of each sex of each family that selection needs.
      progress: called with numbers of eggs finished.

    Returns:
      Ranks of the best, and moments of the tested.
    """
    if program.settings.stages:
        return _in_stages(program, decision, population, families, knowledge, kept, progress)
    return _all_at_once(program, decision, population, families, kept, progress)


def _all_at_once(
    program: Program,
    decision: Decision,
    population: Population,
    families: Families,
    kept: int,
    progress: Callable[[int], None] | None,
) -> Measured:
    """Tests every survivor once, up to the capacity of the test: the sweep does it all."""
    assay = make_assay(program, decision.weights, kept)
    tested = sweep_families(program, assay, population, families, progress)
    if program.clutch is not None:
        tested = with_clutch_effects(tested, families, assay)
    merit = None
    if math.isfinite(decision.inbreeding_rate):
        dominance = None
        if program.traits.dominance is not None:
            dominance = np.asarray(
                expected_eggs_jit(program, population.haplotypes, families.eggs).dominance, np.float64
            )
        merit = combined_merit(program.traits, assay, tested, dominance)
    if decision.family_weight is not None:
        tested = with_family_weight(tested, assay, decision.family_weight)
    return Measured(tested, sample_moments(program.traits, tested, np.asarray(assay.unit)), merit)


def _in_stages(
    program: Program,
    decision: Decision,
    population: Population,
    families: Families,
    knowledge: Knowledge,
    kept: int,
    progress: Callable[[int], None] | None,
) -> Measured:
    """Takes the eggs through the stages; the animals that are left are ranked by what was last learned of them."""
    staged = run_stages(program, decision, population, families, knowledge, kept, progress)
    animals = staged.animals
    shown = animals.sessions > 0
    values = np.concatenate([animals.genetic[shown], animals.record[shown]], axis=1)
    sample = animal_moments(animals.replicate[shown], values, len(staged.entered))
    if staged.scale is not None:  # chosen among all eggs
        merit = np.asarray(index_of(staged.drawn.rank), np.float64) / staged.scale
        return Measured(staged.drawn, sample, merit, staged)
    scale = index_scale(program, decision.weights)
    if program.settings.combine == "worst":
        animals.score = worst_trait(animals, np.asarray(decision.weights))
    if decision.family_weight is not None:
        animals.score = weigh_families(animals, float(decision.family_weight))
    tested = as_tested(animals, families, staged.drawn, scale, kept)
    merit = np.asarray(index_of(tested.rank), np.float64) / scale
    return Measured(tested, sample, merit, staged)
