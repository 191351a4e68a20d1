"""The objective and the limits of a scenario."""

from collections.abc import Callable, Sequence
from typing import Any

from jaxbreed.aims import LimitsTable, ObjectiveTable
from jaxbreed.costs import Prices
from jaxbreed.limits import FinalInbreeding, InbreedingRate, Limit, TotalCost
from jaxbreed.objectives import (
    CES,
    CVaR,
    DesiredGains,
    DiscountedGain,
    FinalGain,
    GainWithFloor,
    Objective,
    Tempered,
    trait_number,
    trait_values,
)

# What each kind takes, beside tail and temperature.
_TAKES = {
    "final_gain": {"weights"},
    "gain_with_floor": {"trait", "floored", "floor", "stiffness", "of"},
    "ces": {"weights", "rho", "shift", "of"},
    "desired_gains": {"gains", "measure", "sharpness", "of"},
    "discounted_gain": {"weights", "rate"},
}
_NEEDS = {"gain_with_floor": ("trait", "floored"), "desired_gains": ("gains",)}


def build_objective(table: ObjectiveTable, traits: Sequence[str], weights: Sequence[float], rounds: int) -> Objective:
    """The objective of a scenario.

    Args:
      table: what the file says.
      traits: names of the traits.
      weights: (trait,), of the scenario's traits: the default.
      rounds: generations of selection.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    given = {name: value for name, value in table.model_dump(exclude={"kind", "tail", "temperature"}).items()}
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in _TAKES[table.kind]:
            raise ValueError(f'objective.{name} is {given[name]!r}; an objective of kind "{table.kind}" takes none')
    for name in _NEEDS.get(table.kind, ()):
        if name not in given:
            raise ValueError(f'objective.{name} is missing; an objective of kind "{table.kind}" needs it')
    for name in ("weights", "gains"):
        if name in given:
            given[name] = trait_values(given[name], traits, f"objective.{name}")
    for name in ("trait", "floored"):
        if name in given:
            given[name] = trait_number(given[name], traits, f"objective.{name}")
    if "weights" in _TAKES[table.kind]:
        given.setdefault("weights", tuple(weights))
        if not any(given["weights"]):
            raise ValueError(f"objective.weights is {list(given['weights'])}; at least one must not be 0")
    try:
        objective = _of_kind(table.kind, given)
        if table.tail is not None:
            objective = CVaR(objective, table.tail)
    except ValueError as error:
        raise ValueError(f"objective.{error}") from None
    if (temperature := table.temperature) is None:
        return objective
    if isinstance(temperature, list) and len(temperature) != rounds:
        raise ValueError(
            f"objective.temperature has {len(temperature)} values; it must be a number or have {rounds}, "
            "one for each generation"
        )
    return Tempered(objective, tuple(temperature) if isinstance(temperature, list) else temperature)


def _of_kind(kind: str, given: dict[str, Any]) -> Objective:
    kinds: dict[str, Callable[..., Objective]] = {
        "final_gain": FinalGain,
        "gain_with_floor": GainWithFloor,
        "ces": CES,
        "desired_gains": DesiredGains,
        "discounted_gain": DiscountedGain,
    }
    return kinds[kind](**given)


def build_limits(
    table: LimitsTable, prices: Prices | None, sessions: int, *, staged: bool = False
) -> tuple[Limit, ...]:
    """The limits of a scenario.

    Args:
      table: what the file says.
      prices: of what is bought; None where the file has none.
      sessions: of one animal's test.
      staged: whether animals go through stages.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    limits = []
    if table.inbreeding is not None:
        limits.append(Limit(FinalInbreeding(), table.inbreeding))
    if table.inbreeding_rate is not None:
        limits.append(Limit(InbreedingRate(), table.inbreeding_rate))
    if table.cost is not None:
        if prices is None or prices.egg + prices.session == 0:
            raise ValueError(f"limits.cost is {table.cost:g}; it needs costs.egg or costs.session above 0")
        # A course counts eggs and animals tested, and nothing else.
        if staged:
            raise ValueError(f"limits.cost is {table.cost:g}; it must be left out in a programme with stages")
        for item in ("genotype", "breeder"):
            if (price := getattr(prices, item)) > 0:
                raise ValueError(
                    f"costs.{item} is {price:g}; with limits.cost, which counts eggs and animals tested, it must be 0"
                )
        limits.append(Limit(TotalCost(prices.egg, prices.session * sessions + prices.reared), table.cost))
    return tuple(limits)
