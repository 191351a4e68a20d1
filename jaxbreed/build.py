"""From a scenario to a programme ready to run, and the run itself."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxbreed.founders import Founders, coalescent
from jaxbreed.genome import GeneticMap
from jaxbreed.history import History
from jaxbreed.kernels import build_mutation
from jaxbreed.panel import check_panel, read_panel
from jaxbreed.population import check_founders
from jaxbreed.program import Program, Settings, make_program
from jaxbreed.scenario import Correlation, Scenario
from jaxbreed.schedule import Schedule, constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.traits import additive_traits, correlation_root


class Ready(NamedTuple):
    """A scenario with its founders drawn and its traits scaled."""

    program: Program
    founders: Founders
    schedule: Schedule


def settings_of(scenario: Scenario) -> Settings:
    """The rules of a scenario, with the species' values where the scenario is silent.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    preset, clutch, selection = scenario.preset, scenario.clutch, scenario.selection
    return Settings(
        lineages=scenario.programme.lineages,
        eggs=_range(preset.eggs.value if clutch.eggs is None else clutch.eggs),
        sires=_range(preset.sires.value if clutch.sires is None else clutch.sires),
        paternity=clutch.paternity,
        survival=preset.survival_captive.value if clutch.survival is None else clutch.survival,
        tested=clutch.tested,
        scope=selection.scope,
        quota=selection.quota,
        mating=selection.mating,
        sexes=clutch.sexes,
    )


def check(scenario: Scenario) -> None:
    """Everything that can be known to be wrong before founders are drawn.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    settings = settings_of(scenario)
    schedule_of(scenario)
    tables = scenario.trait_tables
    genetic, residual = _correlations(scenario)
    for field, matrix in (("correlations.genetic", genetic), ("correlations.residual", residual)):
        if matrix.shape != (len(tables), len(tables)):
            raise ValueError(f"{field} is a matrix of {matrix.shape}; it must have {len(tables)} rows and columns")
        correlation_root(matrix, field)
    panel = check_panel(scenario)
    if panel is None:
        panel = _panel_size(scenario, settings)
        _check_loci(scenario, scenario.genome.loci, "genome.loci")
    check_founders(panel, settings, scenario.programme.replicates, shared=scenario.founders.shared)
    if panel <= len(tables) + 1:
        raise ValueError(
            f"programme.lineages is {settings.lineages}, which makes {panel} founders; scaling {len(tables)} traits "
            f"needs at least {len(tables) + 2}"
        )


def _check_loci(scenario: Scenario, loci: int, whose: str) -> None:
    """What depends on the number of loci, which only the founders' file may tell."""
    qtl, traits = scenario.genome.qtl, len(scenario.trait_tables)
    if not traits < qtl <= loci:
        raise ValueError(f"genome.qtl is {qtl}; it must be above the {traits} traits and at most {whose}, {loci}")
    try:
        build_mutation(scenario.genome.mutation, loci)
    except ValueError as error:
        raise ValueError(f"genome.{error}") from None


def prepare(scenario: Scenario, progress: Callable[[int, int], None] | None = None) -> Ready:
    """Draws founders, chooses loci and effects, builds the programme.

    Args:
      scenario: what to run.
      progress: called with (chromosomes drawn, chromosomes in all).

    Returns:
      The programme, its founders and its schedule.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    check(scenario)
    settings, tables = settings_of(scenario), scenario.trait_tables
    if scenario.founders.from_files:
        founders = read_panel(scenario)
        _check_loci(scenario, founders.map.loci, "the loci of the founders")
    else:
        founders = _draw_founders(scenario, _panel_size(scenario, settings), progress)
    genetic, residual = _correlations(scenario)
    traits = additive_traits(
        founders.haplotypes,
        list(tables),
        [table.h2 for table in tables.values()],
        genetic,
        qtl=scenario.genome.qtl,
        gamma_shape=scenario.genome.effect_shape,
        residual_correlation=residual,
        seed=scenario.programme.seed,
    )
    genome = scenario.genome
    program = make_program(founders.map, traits, settings, interference=genome.interference, mutation=genome.mutation)
    return Ready(program, founders, schedule_of(scenario))


def schedule_of(scenario: Scenario) -> Schedule:
    """The scenario's constant schedule."""
    selection = scenario.selection
    weights = [table.weight for table in scenario.trait_tables.values()]
    males = 2**30 if selection.males is None else selection.males
    return constant_schedule(scenario.generations, weights, fraction=selection.fraction, males=males)


def run(
    scenario: Scenario,
    *,
    on_founders: Callable[[int, int], None] | None = None,
    on_generation: Callable[[History], None] | None = None,
    on_eggs: Callable[[int], None] | None = None,
) -> History:
    """Runs a scenario from founders to the last generation.

    Args:
      scenario: what to run.
      on_founders: called with (chromosomes drawn, chromosomes in all).
      on_generation: called after each generation with the history so far.
      on_eggs: called with numbers of eggs finished.

    Returns:
      The history.

    Raises:
      ValueError: naming the field, its value and what would be right.
      RuntimeError: a lineage died out.
    """
    program, founders, schedule = prepare(scenario, on_founders)
    return simulate(
        program,
        founders,
        schedule,
        replicates=scenario.programme.replicates,
        seed=scenario.programme.seed,
        shared_founders=scenario.founders.shared,
        on_generation=on_generation,
        on_eggs=on_eggs,
    )


def expected_total_eggs(scenario: Scenario) -> int:
    """Eggs that the whole run will lay, on average."""
    settings, programme = settings_of(scenario), scenario.programme
    clutches = programme.replicates * programme.lineages * scenario.generations
    return int(clutches * sum(settings.eggs) / 2)


def _range(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _panel_size(scenario: Scenario, settings: Settings) -> int:
    return settings.animals * (1 if scenario.founders.shared else scenario.programme.replicates)


def _correlations(scenario: Scenario) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Genetic and residual correlation matrices."""
    genetic = scenario.correlations.genetic
    if genetic is None:
        genetic = scenario.preset.genetic_correlation.value
    return _matrix(genetic, len(scenario.trait_tables)), _matrix(
        scenario.correlations.residual, len(scenario.trait_tables)
    )


def _matrix(correlation: Correlation, traits: int) -> npt.NDArray[np.float64]:
    if isinstance(correlation, list):
        return np.array(correlation, np.float64)
    return np.where(np.eye(traits) == 1, 1.0, correlation)


def _draw_founders(scenario: Scenario, panel: int, progress: Callable[[int, int], None] | None) -> Founders:
    preset, genome, table = scenario.preset, scenario.genome, scenario.founders
    chromosomes = preset.chromosomes.value if genome.chromosomes is None else genome.chromosomes
    morgans = genome.morgans
    if morgans is None:
        morgans = (preset.map_morgans_female.value, preset.map_morgans_male.value)
    # Lengths of single chromosomes are not known in these species: all are taken to be equal.
    total = np.broadcast_to(np.asarray(morgans, np.float64), 2)
    length = np.repeat(total[:, None] / chromosomes, chromosomes, axis=1)
    if table.source == "frequencies":
        genetic_map = GeneticMap.uniform(chromosomes, genome.loci, length)
        return Founders.from_frequencies(
            np.full(genome.loci, table.frequency), genetic_map, panel, scenario.programme.seed
        )
    demography = preset.demography
    narrow = demography.bottleneck
    return coalescent(
        individuals=panel,
        loci=genome.loci,
        length_morgan=length,
        effective_size=demography.effective_size.value if table.effective_size is None else table.effective_size,
        bottleneck=None if narrow is None else (narrow.generations_ago.value, narrow.effective_size.value),
        seed=scenario.programme.seed,
        progress=progress,
    )
