"""The rules of a scenario: settings, prices, trait models, correlations, what a test shows."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxbreed.battery import Battery
from jaxbreed.costs import Prices
from jaxbreed.effects import TraitModel
from jaxbreed.markers import PredictionPlan
from jaxbreed.program import Settings
from jaxbreed.scenario import Scenario
from jaxbreed.scenario_tables import Correlation, sessions_of
from jaxbreed.stages import Stage

_BEHAVIOUR = ("ceiling", "gated_by", "changed_by")  # what a test shows of a trait
_FIELDS = tuple(field.name for field in dataclasses.fields(TraitModel))


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
        stages=_stages(scenario),
        prediction=_prediction(scenario),
        combine="worst" if selection.policy == "culling" else "sum",
        migration=selection.migration,
        male_places=selection.male_places,
        sessions=scenario.sessions,
        storage=selection.storage,
    )


def prices_of(scenario: Scenario) -> Prices | None:
    """What things cost, or None where the scenario does not say."""
    return None if scenario.costs is None else Prices(**scenario.costs.model_dump())


class Correlations(NamedTuple):
    """Correlations between traits, (trait, trait)."""

    genetic: npt.NDArray[np.float64]
    residual: npt.NDArray[np.float64]
    clutch: npt.NDArray[np.float64]


def correlations_of(scenario: Scenario) -> Correlations:
    """Correlations of all kinds, with the species' genetic one where the scenario is silent.

    Raises:
      ValueError: a matrix has another shape than the traits ask for.
    """
    given, traits = scenario.correlations, len(scenario.trait_tables)
    genetic = scenario.preset.genetic_correlation.value if given.genetic is None else given.genetic
    kinds = {"genetic": genetic, "residual": given.residual, "clutch": given.clutch}
    return Correlations(*(_matrix(value, traits, f"correlations.{kind}") for kind, value in kinds.items()))


def trait_models(scenario: Scenario) -> list[TraitModel]:
    """The traits' targets, without what a test shows of them.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    tables = scenario.trait_tables
    with of_traits(tables):
        return [TraitModel(name, **table.model_dump(exclude={"weight", *_BEHAVIOUR})) for name, table in tables.items()]


@contextmanager
def of_traits(names: Iterable[str]) -> Iterator[None]:
    """Names fields of traits as the file has them: traits.NAME.h2 instead of h2 of NAME."""
    try:
        yield
    except ValueError as error:
        sentence = str(error)
        for name in names:
            sentence = sentence.replace(f"dominance of {name} takes", f"traits.{name}: dominance takes")
            for field in ("h2 + clutch", *_FIELDS):
                head = f"{field} of {name} is"
                if sentence.startswith(head):
                    sentence = f"traits.{name}.{field} is{sentence.removeprefix(head)}"
        raise ValueError(sentence) from None


def _prediction(scenario: Scenario) -> PredictionPlan | None:
    table = scenario.prediction
    if table is None:
        return None
    if not scenario.founders.from_files and table.markers > scenario.genome.loci - scenario.genome.qtl:
        most = scenario.genome.loci - scenario.genome.qtl
        raise ValueError(
            f"prediction.markers is {table.markers}; it must be at most {most}, genome.loci less genome.qtl"
        )
    return PredictionPlan(**table.model_dump(exclude={"markers"}))


def _stages(scenario: Scenario) -> tuple[Stage, ...]:
    stages = []
    for number, table in enumerate(scenario.stages, start=1):
        try:
            if table.assay is not None and table.kind != "test":
                raise ValueError(f'assay is {table.assay}; it must be left out unless kind is "test"')
            sessions = sessions_of(table, scenario.assays.get(f"stages.{number}.assay"))
            stages.append(Stage(**table.model_dump(exclude={"assay", "sessions"}), sessions=sessions))
        except ValueError as error:
            raise ValueError(f"stages.{number}.{error}") from None
    if stages and scenario.test.assay is not None:
        raise ValueError(f"test.assay is {scenario.test.assay}; with stages, say it in the stages that test")
    if stages and scenario.test.sessions > 1:
        raise ValueError(f"test.sessions is {scenario.test.sessions}; with stages, say it in the stages that test")
    return tuple(stages)


def battery_of(scenario: Scenario) -> Battery | None:
    """What a test shows, or None if it shows animals as they are."""
    tables = scenario.trait_tables
    if not any(getattr(table, field) for table in tables.values() for field in _BEHAVIOUR):
        return None
    if not scenario.stages:
        name, field = next((n, f) for n, t in tables.items() for f in _BEHAVIOUR if getattr(t, f))
        raise ValueError(f"traits.{name}.{field} needs animals that are followed one by one: say stages, one a test")

    def matrix(field: str) -> tuple[tuple[float, ...], ...]:
        for name, table in tables.items():
            for other in getattr(table, field):
                if other not in tables:
                    raise ValueError(f"traits.{name}.{field} names {other}; it must name one of {', '.join(tables)}")
        return tuple(tuple(getattr(table, field).get(other, 0.0) for other in tables) for table in tables.values())

    ceiling = tuple(math.inf if table.ceiling is None else table.ceiling for table in tables.values())
    return Battery(ceiling, matrix("gated_by"), matrix("changed_by"), scenario.test.group)


def _range(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def _matrix(correlation: Correlation, traits: int, field: str) -> npt.NDArray[np.float64]:
    if isinstance(correlation, list):
        lengths = [len(row) for row in correlation]
        if lengths != [traits] * traits:
            raise ValueError(
                f"{field} has rows of {', '.join(map(str, lengths)) or 'no'} numbers; it must have {traits} rows of "
                f"{traits}, a row for each trait"
            )
        return np.array(correlation, np.float64)
    return np.where(np.eye(traits) == 1, 1.0, correlation)
