"""Keys of a scenario that exclude each other: what one of them would leave without effect is refused."""

from collections.abc import Iterator

from jaxbreed.policies import POLICIES
from jaxbreed.scenario import Scenario

_ELSEWHERE = {
    "genomic": 'it is "mass" with a table [prediction]',
    "rarity": 'it is "mass" with a table [prediction] and prediction.rarity above 0',
    "optimum": 'it is "mass" with selection.inbreeding_rate and selection.scope = "across"',
}
_OF_FAMILIES = ("within_family", "family_index")
_OF_RECORDS = ("smith_hazel", "desired_gains")


def check_keys(scenario: Scenario) -> None:
    """What tables of a scenario must not say together.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    for faults in (_of_policy, _of_selection, _of_idle):
        for fault in faults(scenario):
            raise ValueError(fault)


def _of_policy(scenario: Scenario) -> Iterator[str]:
    policy = scenario.selection.policy
    given = f"selection.policy is {policy!r}"
    if policy in _ELSEWHERE:
        yield f"{given}; as a scenario {_ELSEWHERE[policy]}"
    if policy not in POLICIES:
        yield f"{given}; it must be one of {', '.join(POLICIES)}"
    if policy in _OF_RECORDS and scenario.prediction is not None:
        yield f"{given}; its weights are for records, so that there must be no [prediction]"


def _of_selection(scenario: Scenario) -> Iterator[str]:
    table = scenario.selection
    policy, weight = table.policy, table.family_weight
    if weight is not None and policy in _OF_FAMILIES:
        yield f"selection.family_weight is {weight:g}; it must be left out, since policy {policy} sets it"
    if table.inbreeding_rate is not None:
        if policy in (*_OF_FAMILIES, "culling"):
            yield (
                f"selection.policy is {policy!r}; with inbreeding_rate it must be another: optimum contributions go by "
                "expected breeding values"
            )
        if weight is not None:
            yield (
                f"selection.family_weight is {weight:g}; with inbreeding_rate it must be left out: optimum "
                "contributions weigh families themselves"
            )
    elif table.male_places is not None and scenario.optimize.levers.inbreeding_rate is None:
        yield f"selection.male_places is {table.male_places}; it must be left out unless inbreeding_rate is given"


def _of_idle(scenario: Scenario) -> Iterator[str]:
    test, load = scenario.test, scenario.load
    if "group" in test.model_fields_set and not any(table.changed_by for table in scenario.trait_tables.values()):
        yield f"test.group is {test.group}; it must be left out unless a trait has changed_by"
    if not (load.viability or load.fertility):
        for key in sorted({"loci", "dominance"} & load.model_fields_set):
            yield f"load.{key} is {getattr(load, key)}; it must be left out where load.viability and fertility are 0"
