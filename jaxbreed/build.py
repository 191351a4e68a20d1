"""From a scenario to a programme ready to run, and the run itself."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxbreed.agreement import check_keys
from jaxbreed.budget import check_budget
from jaxbreed.effects import draw_traits
from jaxbreed.founders import Founders, coalescent
from jaxbreed.genetic_load import Load, draw_load
from jaxbreed.genome import GeneticMap
from jaxbreed.history import History
from jaxbreed.index import within_share
from jaxbreed.kernels import build_mutation
from jaxbreed.markers import choose_markers
from jaxbreed.optimum import check_limits
from jaxbreed.panel import check_panel, read_panel
from jaxbreed.policies import Known, schedule_by
from jaxbreed.population import check_founders
from jaxbreed.program import Program, make_program
from jaxbreed.rules import battery_of, correlations_of, of_traits, prices_of, settings_of, trait_models
from jaxbreed.scenario import Scenario
from jaxbreed.schedule import Schedule
from jaxbreed.selection import check_families
from jaxbreed.simulation import simulate
from jaxbreed.traits import correlation_root, genetic_values


class Ready(NamedTuple):
    """A scenario with its founders drawn and its traits scaled."""

    program: Program
    founders: Founders
    schedule: Schedule


def check(scenario: Scenario) -> None:
    """Everything that can be known to be wrong before founders are drawn.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    check_keys(scenario)
    settings = settings_of(scenario)
    tables = scenario.trait_tables
    trait_models(scenario)
    battery_of(scenario)
    identity = np.eye(len(tables))
    weights = np.array([table.weight for table in tables.values()])
    if not np.any(weights.astype(np.float32)):
        raise ValueError(
            f"weights of {', '.join(tables)} are 0, or left out, which is the same; at least one trait needs "
            "traits.NAME.weight other than 0"
        )
    schedule = _named(scenario, Known(weights, identity, identity, 0.5, 0.0, 1.0))
    check_limits(settings, schedule)
    check_budget(settings, prices_of(scenario), males=scenario.selection.males)
    check_families(settings, schedule)
    for kind, matrix in correlations_of(scenario)._asdict().items():
        correlation_root(matrix, f"correlations.{kind}")
    panel = check_panel(scenario)
    if panel is None:
        panel = panel_size(scenario)
        _check_loci(scenario, scenario.genome.loci, "genome.loci")
    try:
        check_founders(panel, settings, scenario.programme.replicates, shared=scenario.founders.shared)
    except ValueError as error:
        if panel < settings.animals:
            raise
        raise ValueError(f"{error}, or {settings.animals} with founders.shared = true") from None
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


def draw_panel(
    scenario: Scenario, progress: Callable[[int, int], None] | None = None, individuals: int | None = None
) -> Founders:
    """Draws or reads the founders of a scenario.

    Args:
      scenario: one that `check` has let pass.
      progress: called with (chromosomes drawn, chromosomes in all).
      individuals: how many to draw; None for as many as the scenario needs. Files give all that they hold.

    Returns:
      The founders.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    if scenario.founders.from_files:
        return read_panel(scenario)
    return _draw_founders(scenario, panel_size(scenario) if individuals is None else individuals, progress)


def prepare(
    scenario: Scenario, progress: Callable[[int, int], None] | None = None, founders: Founders | None = None
) -> Ready:
    """Draws founders, chooses loci and effects, builds the programme.

    Args:
      scenario: what to run.
      progress: called with (chromosomes drawn, chromosomes in all).
      founders: from `draw_panel`, to be used instead of drawing them again.

    Returns:
      The programme, its founders and its schedule.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    check(scenario)
    settings = settings_of(scenario)
    if founders is None:
        founders = draw_panel(scenario, progress)
    if scenario.founders.from_files:
        _check_loci(scenario, founders.map.loci, "the loci of the founders")
    genome, correlations, seed = scenario.genome, correlations_of(scenario), scenario.programme.seed
    models = trait_models(scenario)
    with of_traits(model.name for model in models):
        traits = draw_traits(
            founders.haplotypes,
            models,
            correlations.genetic,
            qtl=genome.qtl,
            gamma_shape=genome.effect_shape,
            residual_correlation=correlations.residual,
            clutch_correlation=correlations.clutch,
            sessions=scenario.sessions,
            seed=seed,
        )
    load = _draw_load(scenario, founders, np.asarray(traits.qtl))
    markers = None
    if scenario.prediction is not None:
        taken = np.asarray(traits.qtl) if load is None else np.union1d(traits.qtl, load.locus)
        markers = choose_markers(founders.haplotypes, scenario.prediction.markers, taken=taken, seed=seed)
    program = make_program(
        founders.map,
        traits,
        settings,
        interference=genome.interference,
        mutation=genome.mutation,
        load=load,
        battery=battery_of(scenario),
        markers=markers,
        frequency=founders.frequencies,
    )
    return Ready(program, founders, _schedule(scenario, program, founders))


def _schedule(scenario: Scenario, program: Program, founders: Founders) -> Schedule:
    """The schedule of the scenario's policy."""
    traits, settings = program.traits, program.settings
    total = np.cov(np.asarray(genetic_values(traits, jnp.asarray(founders.haplotypes)), np.float64), rowvar=False)
    genetic = total.reshape(traits.additive.shape) * 4.0**-traits.scale_bits
    sd = np.asarray(traits.sd_phenotypic, np.float64)
    clutch = np.zeros_like(genetic) if traits.clutch is None else np.asarray(traits.clutch, np.float64)
    environment = np.asarray(traits.residual, np.float64)
    sires = sum(settings.sires) / 2
    # Inside a clutch only a part of the genetic variance competes, and what the clutch shares not at all.
    share = within_share(sires) if settings.scope == "within" else 1.0
    records = share * genetic + (clutch if settings.scope == "across" else 0) + environment
    weights = np.array([table.weight for table in scenario.trait_tables.values()])
    index = weights / sd
    spread = index @ (genetic + clutch + environment) @ index
    known = Known(
        weights=weights,
        phenotypic=records / np.outer(sd, sd),
        genetic=share * np.asarray(traits.additive, np.float64) / np.outer(sd, sd),
        heritability=float(index @ genetic @ index / spread),
        clutch=float(index @ clutch @ index / spread),
        size=settings.most_tested / sires,
    )
    return _named(scenario, known)


def _named(scenario: Scenario, known: Known) -> Schedule:
    selection = scenario.selection
    males = 2**30 if selection.males is None else selection.males
    schedule = schedule_by(
        selection.policy,
        known,
        scenario.generations,
        fraction=selection.fraction,
        males=males,
        inbreeding_rate=selection.inbreeding_rate,
    )
    if selection.family_weight is None:
        return schedule
    weight = jnp.full(scenario.generations, selection.family_weight, jnp.float32)
    return dataclasses.replace(schedule, family_weight=weight)


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
    return run_prepared(scenario, prepare(scenario, on_founders), on_generation=on_generation, on_eggs=on_eggs)


def run_prepared(
    scenario: Scenario,
    ready: Ready,
    *,
    dealt_founders: int | None = None,
    on_generation: Callable[[History], None] | None = None,
    on_eggs: Callable[[int], None] | None = None,
) -> History:
    """Runs a scenario whose founders and programme are ready: the rest of `run`.

    Args:
      scenario: what to run.
      ready: from `prepare`.
      dealt_founders: founders dealt to each replicate, see `jaxbreed.population.choose_founders`.
      on_generation: called after each generation with the history so far.
      on_eggs: called with numbers of eggs finished.

    Returns:
      The history.

    Raises:
      RuntimeError: a lineage died out.
    """
    return simulate(
        *ready,
        replicates=scenario.programme.replicates,
        seed=scenario.programme.seed,
        shared_founders=scenario.founders.shared,
        dealt_founders=dealt_founders,
        prices=prices_of(scenario),
        on_generation=on_generation,
        on_eggs=on_eggs,
    )


def expected_total_eggs(scenario: Scenario) -> int:
    """Eggs that the whole run will lay, on average."""
    settings, programme = settings_of(scenario), scenario.programme
    clutches = programme.replicates * programme.lineages * scenario.generations
    return int(clutches * sum(settings.eggs) / 2)


def panel_size(scenario: Scenario) -> int:
    """How many founders a scenario needs."""
    return settings_of(scenario).animals * (1 if scenario.founders.shared else scenario.programme.replicates)


def _draw_load(scenario: Scenario, founders: Founders, taken: npt.NDArray[np.int64]) -> Load | None:
    table = scenario.load
    if not (table.viability or table.fertility):
        return None
    try:
        return draw_load(founders.haplotypes, taken=taken, seed=scenario.programme.seed, **table.model_dump())
    except ValueError as error:
        raise ValueError(f"load.{error}") from None


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
