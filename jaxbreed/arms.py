"""The arms of a comparison: named policies, or overrides from a file."""

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxbreed.comparison import Arm, changed
from jaxbreed.policies import POLICIES
from jaxbreed.rules import settings_of
from jaxbreed.scenario import Scenario, ScenarioError

_ON_PREDICTIONS = ("genomic", "rarity")
NAMES = ("mass", *(name for name in POLICIES if name != "mass"), *_ON_PREDICTIONS, "optimum")
"""Policies that can be compared: those of `jaxbreed.policies`, on records; genomic predictions, plain and with rare
favourable alleles weighed more; optimum contributions."""


class PolicyArms(NamedTuple):
    """Policies as arms.

    Attributes:
      arms: those that the scenario allows.
      left_out: the others, and why.
    """

    arms: tuple[Arm, ...]
    left_out: dict[str, str]


def policy_arms(scenario: Scenario, names: Sequence[str] | None = None) -> PolicyArms:
    """Arms that select by named policies and leave all else as the scenario says.

    Policies of `jaxbreed.policies` select on records: without the scenario's prediction, family weight and limit on
    inbreeding. "genomic" and "rarity" are the scenario's prediction, plain or with effects divided by the square root
    (or the scenario's own power) of the frequency of the favourable allele. "optimum" is the scenario's limit on
    inbreeding, on predictions where it has them.

    Args:
      scenario: what is compared in.
      names: of `NAMES`, in the order wanted; None for all that the scenario allows and that differ in it.

    Returns:
      The arms, and with None what was left out.

    Raises:
      ValueError: a name is unknown, or names a policy that the scenario does not allow; one sentence.
    """
    arms, left_out = [], {}
    for name in NAMES if names is None else names:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(NAMES)}"
            raise ValueError(f"{name!r} is not a known policy; {hint}")
        arm = Arm(name, _changes(scenario, name))
        reason = _lacking(scenario, name) or (_same_as_mass(scenario, name) if names is None else None)
        if reason is None:
            try:
                changed(scenario, arm)
            except ScenarioError as error:
                reason = str(error).removeprefix(f"arm {name}: ")
        if reason is None:
            arms.append(arm)
        elif names is None:
            left_out[name] = reason
        else:
            raise ValueError(f"policy {name} cannot be had: {reason}")
    return PolicyArms(tuple(arms), left_out)


def _changes(scenario: Scenario, name: str) -> dict[str, Any]:
    selection: dict[str, Any] = {"policy": name if name in POLICIES else "mass", "family_weight": None}
    if name == "optimum":
        return {"selection": selection}
    selection |= {"inbreeding_rate": None, "male_places": None}
    if name not in _ON_PREDICTIONS:
        return {"selection": selection, "prediction": None}
    given = 0.0 if scenario.prediction is None else scenario.prediction.rarity
    return {"selection": selection, "prediction": {"rarity": (given or 0.5) if name == "rarity" else 0.0}}


def _lacking(scenario: Scenario, name: str) -> str | None:
    """What a policy needs and the scenario lacks, in words of the scenario."""
    if name in _ON_PREDICTIONS:
        return None if scenario.prediction is not None else "it needs a table [prediction]"
    if name == "optimum":
        if scenario.selection.inbreeding_rate is None:
            return 'it needs selection.inbreeding_rate (and selection.scope = "across")'
        if scenario.selection.scope != "across":
            return f'selection.scope is "{scenario.selection.scope}"; optimum contributions need "across"'
        return None
    screens = [n for n, stage in enumerate(scenario.stages, 1) if stage.kind == "screen" and stage.accuracy is None]
    if screens:
        return f"it selects on records, and stages.{screens[0]} screens by genomic prediction"
    if name == "culling" and not any(stage.kind == "test" for stage in scenario.stages):
        return "it needs [[stages]], at least one of them a test"
    return None


def _same_as_mass(scenario: Scenario, name: str) -> str | None:
    """Why a policy would only repeat mass selection, if it would."""
    traits = scenario.trait_tables.values()
    if name in ("smith_hazel", "desired_gains") and len(traits) == 1:
        return "with one trait it is mass selection"
    if name in ("tandem", "culling") and sum(table.weight != 0 for table in traits) == 1:
        return "with one trait that counts it is mass selection"
    one_family = scenario.selection.scope == "within" and settings_of(scenario).sires[1] == 1
    if name in ("within_family", "family_index") and one_family:
        return "inside a clutch of one sire it is mass selection"
    return None


def read_arms(path: str | Path) -> tuple[Arm, ...]:
    """Reads arms from a file: each of its tables is an arm, and holds what that arm changes in the scenario.

    Args:
      path: a TOML file; paths to founders in it start from its folder.

    Returns:
      The arms, in the order of the file.

    Raises:
      ScenarioError: it cannot be read, is not TOML, or holds something else than tables; one sentence.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ScenarioError(f"{path} cannot be read: {reason}") from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path} is not a TOML file: {error}") from None
    for name, changes in table.items():
        if not isinstance(changes, dict):
            raise ScenarioError(f"{path}: {name} is {changes!r}; it must be a table, an arm of the comparison")
    return tuple(Arm(name, _beside(Path(path).parent, changes)) for name, changes in table.items())


def _beside(folder: Path, changes: dict[str, Any]) -> dict[str, Any]:
    """The same changes with paths to founders taken to start from a folder."""
    founders = changes.get("founders")
    if not isinstance(founders, dict):
        return changes

    def place(value: Any) -> Any:
        return [place(each) for each in value] if isinstance(value, list) else str(folder / value)

    paths = {key: place(founders[key]) for key in ("file", "map") if isinstance(founders.get(key), str | list)}
    return changes | {"founders": founders | paths}
