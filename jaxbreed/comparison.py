"""Arms of one scenario side by side: the same founders, the same seeds, differences replicate by replicate."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from jaxbreed.build import check, draw_panel, panel_size, prepare, run_prepared
from jaxbreed.founders import Founders
from jaxbreed.history import History
from jaxbreed.rules import prices_of, settings_of
from jaxbreed.scenario import Scenario, ScenarioError, parse_scenario
from jaxbreed.summary import Run, interval, unpaired_interval

Floats = npt.NDArray[np.float64]
INDEX = "index"
"""Name of the weighted sum of the gains in all traits, beside the variables of a history."""


@dataclasses.dataclass(frozen=True)
class Arm:
    """One of the programmes that are compared.

    Attributes:
      name: its name in tables, figures and files.
      changes: what it changes in the scenario, tables within tables as in the scenario's file; None takes a key out,
        so that its default holds.
    """

    name: str
    changes: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Runs that differ in their arms alone.

    Attributes:
      runs: by arm, in order; a history each, or a result read back.
      weights: (trait,), what a founder phenotypic SD of each trait is worth in the index: the weights of the scenario
        itself, for all arms.
      apart: arms that started from other founders than the first, as their genome, founders or species are others;
        their replicates have no pairs in it.
    """

    runs: Mapping[str, Run]
    weights: Floats
    apart: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Run:
        """The run of one arm."""
        return self.runs[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The arms, in order."""
        return tuple(self.runs)

    @property
    def traits(self) -> tuple[str, ...]:
        """Names of the traits."""
        return self.runs[self.names[0]].traits

    def values(self, name: str, variable: str = INDEX) -> Floats:
        """One variable of one arm.

        Args:
          name: the arm.
          variable: one of `jaxbreed.history.VARIABLES`, or "index", the gains weighed and added up.

        Returns:
          (replicate, generation, ...).
        """
        run = self.runs[name]
        if variable == INDEX:
            return np.asarray(run["gain"] @ self.weights, np.float64)
        return np.asarray(run[variable], np.float64)

    def difference(self, name: str, variable: str = INDEX) -> Floats:
        """An arm less the first arm, replicate by replicate: (replicate, generation, ...).

        Both started from the same founders with the same seed, so that what luck has done to both cancels. Of arms that
        need different numbers of founders, the replicate of the smaller starts from some of the larger's.

        Raises:
          ValueError: the arm started from other founders.
        """
        if name in self.apart:
            raise ValueError(
                f"arm {name} started from other founders than arm {self.names[0]}; their replicates are no pairs, use "
                "contrast"
            )
        return self.values(name, variable) - self.values(self.names[0], variable)

    def paired(self, name: str, variable: str = INDEX, generation: int = -1) -> tuple[Floats, Floats, Floats]:
        """Mean of `difference` in one generation, and its 95 % interval (Student's t).

        Raises:
          ValueError: the arm started from other founders.
        """
        return interval(self.difference(name, variable)[:, generation])

    def contrast(self, name: str, variable: str = INDEX, generation: int = -1) -> tuple[Floats, Floats, Floats]:
        """An arm less the first arm in one generation: difference of the means, and its 95 % interval.

        It is `paired` where both started from the same founders, and unpaired (Welch) where they did not.
        """
        if name not in self.apart:
            return self.paired(name, variable, generation)
        mine, first = (self.values(arm, variable)[:, generation] for arm in (name, self.names[0]))
        return unpaired_interval(mine, first)


def arm_scenarios(scenario: Scenario | Mapping[str, Any], arms: Sequence[Arm]) -> dict[str, Scenario]:
    """Checks arms before anything is drawn or run.

    Args:
      scenario: what the arms change, parsed or as a table.
      arms: two at least.

    Returns:
      The scenario of each arm, by its name.

    Raises:
      ValueError: an arm that cannot be run, or that cannot be compared with the first; one sentence.
    """
    base = scenario if isinstance(scenario, Scenario) else parse_scenario(dict(scenario))
    names = [arm.name for arm in arms]
    if len(arms) < 2:
        raise ValueError(f"{'one arm is' if arms else 'no arms are'} given; a comparison needs two or more")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"{twice} is given twice; every arm needs a name of its own")
    if bad := next((name for name in names if not name or "/" in name or name.startswith(".")), None):
        raise ValueError(f"an arm is named {bad!r}; a name must not be empty, hold a / or begin with a full stop")
    scenarios = {arm.name: changed(base, arm) for arm in arms}
    first = scenarios[names[0]]
    for name, other in scenarios.items():
        for field, value, right in (
            ("generations", other.generations, first.generations),
            ("programme.replicates", other.programme.replicates, first.programme.replicates),
            ("programme.seed", other.programme.seed, first.programme.seed),
            ("traits", ", ".join(other.trait_tables), ", ".join(first.trait_tables)),
        ):
            if value != right:
                raise ValueError(f"{field} of arm {name} is {value}; it must be {right}, as in arm {names[0]}")
    currencies = {name: prices.currency for name, each in scenarios.items() if (prices := prices_of(each)) is not None}
    for name, currency in currencies.items():
        priced, right = next(iter(currencies.items()))
        if currency != right:
            raise ValueError(f"costs.currency of arm {name} is {currency}; it must be {right}, as in arm {priced}")
    return scenarios


def changed(scenario: Scenario, arm: Arm) -> Scenario:
    """The scenario of an arm, checked as far as it can be before founders are drawn.

    Raises:
      ValueError: naming the arm, the field, its value and what would be right.
    """
    try:
        result = parse_scenario(_merged(scenario.model_dump(exclude_unset=True), arm.changes))
        check(result)
    except ValueError as error:
        raise ScenarioError(f"arm {arm.name}: {error}") from None
    return result


def _merged(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A table with its keys replaced; tables are merged, None takes a key out."""
    result = dict(table)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            inner = result.get(key)
            result[key] = _merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def compare(
    scenario: Scenario | Mapping[str, Any],
    arms: Sequence[Arm],
    *,
    on_founders: Callable[[int, int], None] | None = None,
    on_arm: Callable[[str, int, int], None] | None = None,
    on_generation: Callable[[History], None] | None = None,
    on_eggs: Callable[[int], None] | None = None,
    on_finished: Callable[[Comparison], None] | None = None,
) -> Comparison:
    """Runs every arm of a scenario from the same founders with the same seed.

    Every arm is checked and prepared before the first runs. Founders are drawn once for all arms that leave the
    genome, the founders and the species as they are; where such arms need different numbers of founders, each
    replicate is dealt as many as the largest needs, and the others start from the first of them. Traits
    follow from founders and seed, and are the same wherever their tables are.

    Args:
      scenario: what the arms change, parsed or as a table.
      arms: two at least; the first is what the others are compared with.
      on_founders: called with (chromosomes drawn, chromosomes in all).
      on_arm: called with (name, its number from 1, arms in all) before an arm runs.
      on_generation: called after each generation with the history so far.
      on_eggs: called with numbers of eggs finished.
      on_finished: called after each arm with the comparison so far, for example to save it.

    Returns:
      The comparison.

    Raises:
      ValueError: an arm that cannot be run, or that cannot be compared with the first.
      RuntimeError: a lineage died out; the sentence begins with the arm.
    """
    base = scenario if isinstance(scenario, Scenario) else parse_scenario(dict(scenario))
    scenarios = arm_scenarios(base, arms)
    needed, dealt = Counter[Any](), Counter[Any]()
    for each in scenarios.values():
        needed[_origin(each)] = max(needed[_origin(each)], panel_size(each))
        dealt[_origin(each)] = max(dealt[_origin(each)], settings_of(each).animals)
    panels: dict[Any, Founders] = {}
    ready = {}
    for name, each in scenarios.items():
        origin = _origin(each)
        if origin not in panels:
            panels[origin] = draw_panel(each, on_founders, needed[origin])
        try:
            ready[name] = prepare(each, founders=panels[origin])
        except ValueError as error:
            raise ValueError(f"arm {name}: {error}") from None
    weights = np.array([table.weight for table in base.trait_tables.values()], np.float64)
    first = _origin(scenarios[arms[0].name])
    apart = tuple(name for name, each in scenarios.items() if _origin(each) != first)
    runs: dict[str, Run] = {}
    for number, (name, each) in enumerate(scenarios.items(), start=1):
        if on_arm is not None:
            on_arm(name, number, len(scenarios))
        try:
            runs[name] = run_prepared(
                each,
                ready.pop(name),
                dealt_founders=dealt[_origin(each)],
                on_generation=on_generation,
                on_eggs=on_eggs,
            )
        except RuntimeError as error:
            raise RuntimeError(f"arm {name}: {error}") from error
        if on_finished is not None:
            on_finished(Comparison(dict(runs), weights, tuple(name for name in apart if name in runs)))
    return Comparison(runs, weights, apart)


def _origin(scenario: Scenario) -> tuple[Any, ...]:
    """All that a panel of founders depends on, but for its size."""
    genome = scenario.genome
    every_locus = scenario.founders.from_files and "loci" not in genome.model_fields_set
    parts = (genome.chromosomes, genome.morgans, None if every_locus else genome.loci)
    return (scenario.species, scenario.founders, *parts, scenario.programme.seed)
