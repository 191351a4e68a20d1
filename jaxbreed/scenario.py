"""Scenario files: a programme, its founders and its schedule as one TOML file, checked before anything runs."""

import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import Field, ValidationError

from jaxbreed.aims import LimitsTable, ObjectiveTable, OptimizeTable
from jaxbreed.assays import Assay
from jaxbreed.assays import load as load_assay
from jaxbreed.scenario_tables import (
    ClutchTable,
    CorrelationsTable,
    CostsTable,
    FoundersTable,
    GenomeTable,
    LoadTable,
    PredictionTable,
    ProgrammeTable,
    SelectionTable,
    StageTable,
    TestTable,
    TraitTable,
    sessions_of,
    with_assays,
)
from jaxbreed.sentences import sentence
from jaxbreed.species import Species, load
from jaxbreed.tables import Table as _Table

_MOST_GENERATIONS = 1000


class Scenario(_Table):
    """Everything a run needs. The shortest scenario is a species."""

    species: str
    title: str = ""
    note: str = ""
    programme: ProgrammeTable = ProgrammeTable()
    clutch: ClutchTable = ClutchTable()
    genome: GenomeTable = GenomeTable()
    founders: FoundersTable = FoundersTable()
    traits: Annotated[dict[str, TraitTable], Field(min_length=1)] | None = None
    correlations: CorrelationsTable = CorrelationsTable()
    load: LoadTable = LoadTable()
    test: TestTable = TestTable()
    stages: list[StageTable] = Field(default_factory=list)
    prediction: PredictionTable | None = None
    selection: SelectionTable = SelectionTable()
    costs: CostsTable | None = None
    objective: ObjectiveTable = ObjectiveTable()
    limits: LimitsTable = LimitsTable()
    optimize: OptimizeTable = OptimizeTable()

    @property
    def preset(self) -> Species:
        """The species' preset."""
        return load(self.species)

    @property
    def generations(self) -> int:
        """Rounds of selection.

        Raises:
          ValueError: `programme.years` makes too many.
        """
        if self.programme.generations is not None:
            return self.programme.generations
        # A whisker more than the quotient: 15 years of 0.3 are 50 generations, not 49.
        rounds = self.programme.years / self.preset.generation_years.value + 1e-9
        if rounds >= _MOST_GENERATIONS + 1:
            raise ValueError(
                f"programme.years is {self.programme.years:g}, which makes {rounds:.4g} generations; it must make at "
                f"most {_MOST_GENERATIONS}, {_MOST_GENERATIONS * self.preset.generation_years.value:g} years"
            )
        return max(1, math.floor(rounds))

    @property
    def assays(self) -> dict[str, Assay]:
        """Assay presets, by the field that names them.

        Raises:
          ValueError: there is no such preset.
        """
        named = {"test.assay": self.test.assay}
        named |= {f"stages.{number}.assay": stage.assay for number, stage in enumerate(self.stages, start=1)}
        found: dict[str, Assay] = {}
        for field, name in named.items():
            try:
                found |= {} if name is None else {field: load_assay(name)}
            except ValueError as error:
                raise ValueError(f"{field}: {error}") from None
        return found

    @property
    def trait_tables(self) -> dict[str, TraitTable]:
        """Traits by name, with the assays' repeatabilities where they have none.

        The default pair takes heritabilities of one session from its assay, or else from the species.

        Raises:
          ValueError: an assay does not fit the traits.
        """
        if self.traits is not None:
            return with_assays(self.traits, self.assays)
        preset = self.preset
        h2 = {"intelligence": preset.h2_cognition.value, "sociability": preset.h2_sociability.value}
        for assay in self.assays.values():
            h2 |= {name: assay.h2.value for name in h2 if assay.h2 is not None and name in assay.traits}
        return with_assays({name: TraitTable(h2=value, weight=1.0) for name, value in h2.items()}, self.assays)

    @property
    def sessions(self) -> int:
        """Test sessions of an animal, where no stages say them."""
        return sessions_of(self.test, self.assays.get("test.assay"))


class ScenarioError(ValueError):
    """A scenario that cannot be run, in one sentence."""


class Loaded(NamedTuple):
    """A scenario and the text it came from."""

    scenario: Scenario
    text: str


def read_scenario(path: str | Path, **override: int | None) -> Loaded:
    """Reads and checks a scenario file.

    Args:
      path: a TOML file; paths in it start from its folder.
      override: values for the table `programme` (seed, replicates); None keeps the file's.

    Returns:
      The scenario and the file's text.

    Raises:
      ScenarioError: the file is missing, is not TOML, or holds a value that cannot be; one sentence.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ScenarioError(f"{path} cannot be read: {reason}") from None
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{path} is not a TOML file: {error}") from None
    given = {key: value for key, value in override.items() if value is not None}
    if given and isinstance(table.get("programme", {}), dict):
        table["programme"] = table.get("programme", {}) | given
    try:
        scenario = parse_scenario(table)
        founders = scenario.founders.beside(Path(path).parent)
        return Loaded(scenario.model_copy(update={"founders": founders}), text)
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from None


def parse_scenario(table: dict[str, Any]) -> Scenario:
    """Checks a scenario given as a table.

    Args:
      table: as read from TOML.

    Returns:
      The scenario.

    Raises:
      ScenarioError: one sentence on the first value that cannot be.
    """
    try:
        scenario = Scenario.model_validate(table)
        _ = scenario.preset
    except ValidationError as error:
        raise ScenarioError(sentence(error, table, Scenario)) from None
    except ValueError as error:
        raise ScenarioError(f"species: {error}") from None
    try:
        _ = scenario.generations, scenario.trait_tables
    except ValueError as error:
        raise ScenarioError(str(error)) from None
    return scenario
