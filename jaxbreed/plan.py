"""A scenario made ready to be optimised: programme, objective, limits, space of schedules."""

from typing import NamedTuple

import optax

from jaxbreed.build import Ready, prepare
from jaxbreed.limits import Limit
from jaxbreed.objectives import Objective
from jaxbreed.rules import prices_of, settings_of
from jaxbreed.scenario import Scenario
from jaxbreed.space import Lever, Space, build_space
from jaxbreed.targets import build_limits, build_objective


class Aim(NamedTuple):
    """What a scenario asks of its schedule, known before founders are drawn."""

    objective: Objective
    limits: tuple[Limit, ...]
    levers: tuple[Lever, ...]
    replicates: int
    held_out: int


def aim_of(scenario: Scenario) -> Aim:
    """Reads the tables `objective`, `limits` and `optimize`.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    tables, optimize = scenario.trait_tables, scenario.optimize
    weights = [table.weight for table in tables.values()]
    objective = build_objective(scenario.objective, list(tables), weights, scenario.generations)
    settings = settings_of(scenario)
    sessions = sum(stage.sessions for stage in settings.stages if stage.kind == "test") or scenario.test.sessions
    limits = build_limits(scenario.limits, prices_of(scenario), sessions, staged=bool(settings.stages))
    named = optimize.levers.model_dump(exclude_none=True)
    try:
        levers = tuple(Lever(name, **table) for name, table in named.items())
        for lever in levers:
            lever.places(scenario.generations)
    except ValueError as error:
        raise ValueError(f"optimize.{error}") from None
    if not levers:
        raise ValueError("optimize.levers is empty; name at least one lever to be free")
    most = scenario.programme.replicates
    replicates = most if optimize.replicates is None else optimize.replicates
    if replicates > most and not scenario.founders.shared:
        raise ValueError(
            f"optimize.replicates is {replicates}; it must be at most programme.replicates, {most}, for which founders "
            "are drawn, or founders.shared must be true"
        )
    return Aim(objective, limits, levers, replicates, optimize.held_out)


def ready_space(scenario: Scenario, levers: tuple[Lever, ...]) -> tuple[Ready, Space]:
    """Draws founders, and opens the space around the scenario's own schedule.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    ready = prepare(scenario)
    try:
        return ready, build_space(ready.schedule, levers, ready.program.settings)
    except ValueError as error:
        raise ValueError(f"optimize.{error}") from None


def optimizer_of(scenario: Scenario) -> optax.GradientTransformation:
    """The optax optimiser that a scenario names."""
    rate = scenario.optimize.learning_rate
    match scenario.optimize.optimizer:
        case "sgd":
            return optax.sgd(rate, momentum=0.9)
        case "schedule_free":
            return optax.contrib.schedule_free_adamw(rate, warmup_steps=5)
        case "prodigy":
            return optax.contrib.prodigy(rate)
        case _:
            return optax.adam(rate)
