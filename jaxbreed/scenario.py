"""Scenario files: a programme, its founders and its schedule as one TOML file, checked before anything runs."""

import difflib
import math
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from jaxbreed.aims import LeversTable, LeverTable, LimitsTable, ObjectiveTable, OptimizeTable
from jaxbreed.assays import Assay
from jaxbreed.assays import load as load_assay
from jaxbreed.species import Species, load
from jaxbreed.tables import Count, Number, Share, Whole
from jaxbreed.tables import Table as _Table

Morgans = Annotated[float, Field(ge=0, le=1000, strict=True)]
Money = Annotated[float, Field(ge=0, strict=True)]
Correlation = Number | list[list[Number]]


class ProgrammeTable(_Table):
    """How long and how often. `generations` defaults to the whole generations in `years`."""

    years: Annotated[float, Field(gt=0, strict=True)] = 15.0
    generations: Annotated[int, Field(ge=1, le=1000, strict=True)] | None = None
    lineages: Count = 24
    replicates: Count = 5
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = 1


class ClutchTable(_Table):
    """What a female lays and what becomes of it. Defaults come from the species."""

    eggs: Count | tuple[Whole, Whole] | None = None
    sires: Count | tuple[Whole, Whole] | None = None
    paternity: Share = 0.6
    survival: Share | None = None
    tested: Count | None = None
    sexes: Literal["random", "alternate"] = "random"


class GenomeTable(_Table):
    """Chromosomes and loci. Chromosome number and map length default to the species'."""

    loci: Annotated[int, Field(ge=1, le=8_000_000, strict=True)] = 10_000
    qtl: Count = 1_000
    effect_shape: Annotated[float, Field(gt=0, strict=True)] = 0.4
    chromosomes: Annotated[int, Field(ge=1, le=250, strict=True)] | None = None
    morgans: Morgans | tuple[Morgans, Morgans] | None = None
    interference: Annotated[float, Field(ge=1, le=24, strict=True)] = 1.0
    mutation: Annotated[float, Field(ge=0, strict=True)] = 0.0


class FoundersTable(_Table):
    """Where the first breeders come from. `effective_size` defaults to the species'.

    `file`, `map`, `cm_per_mb`, `samples` and `chromosomes` are those of `jaxbreed.founderfile.read_founders`.
    """

    source: Literal["coalescent", "frequencies", "vcf", "trees", "numpy"] = "coalescent"
    file: str | None = None
    map: str | tuple[str, str] | None = None
    cm_per_mb: Annotated[float, Field(gt=0, strict=True)] | None = None
    samples: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    chromosomes: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    effective_size: Annotated[float, Field(gt=0, strict=True)] | None = None
    frequency: Annotated[float, Field(gt=0, lt=1, strict=True)] = 0.5
    shared: bool = False

    @property
    def from_files(self) -> bool:
        """Whether founders are read rather than drawn."""
        return self.source in ("vcf", "trees", "numpy")

    def beside(self, folder: Path) -> "FoundersTable":
        """The same table with its paths taken to start from a folder."""
        pair = (self.map,) if isinstance(self.map, str) else self.map or ()
        paths = tuple(str(folder / path) for path in pair)
        changes: dict[str, Any] = {"map": paths[0] if isinstance(self.map, str) else paths} if paths else {}
        if self.file is not None:
            changes["file"] = str(folder / self.file)
        return self.model_copy(update=changes)


class TraitTable(_Table):
    """One trait: weight in the index per founder phenotypic SD, and what `jaxbreed.effects.TraitModel` says."""

    h2: Share
    weight: Number = 0.0
    clutch: Annotated[float, Field(ge=0, lt=1, strict=True)] = 0.0
    repeatability: Share | None = None
    inbreeding_depression: Number = 0.0
    dominance_sd: Annotated[float, Field(ge=0, strict=True)] = 0.0
    cv: Annotated[float, Field(gt=0, strict=True)] = 0.3
    ceiling: Annotated[float, Field(gt=0, strict=True)] | None = None
    gated_by: dict[str, Annotated[float, Field(ge=0, le=2, strict=True)]] = Field(default_factory=dict)
    changed_by: dict[str, Number] = Field(default_factory=dict)


class CorrelationsTable(_Table):
    """Correlations between traits: one number for all pairs, or a matrix."""

    genetic: Correlation | None = None
    residual: Correlation = 0.0
    clutch: Correlation = 0.0


class LoadTable(_Table):
    """Recessive load, in haploid lethal equivalents. See `jaxbreed.genetic_load.draw_load`."""

    loci: Count = 100
    viability: Annotated[float, Field(ge=0, le=50, strict=True)] = 0.0
    fertility: Annotated[float, Field(ge=0, le=50, strict=True)] = 0.0
    dominance: Annotated[float, Field(ge=0, lt=0.5, strict=True)] = 0.0


class TestTable(_Table):
    """How an animal is tested: the mean of so many sessions is its record. `assay` names a preset."""

    assay: str | None = None
    sessions: Count = 1
    group: Annotated[int, Field(ge=2, strict=True)] = 2


class StageTable(_Table):
    """One stage between laying and selection. See `jaxbreed.stages.Stage`."""

    kind: Literal["rear", "screen", "test"]
    capacity: Annotated[int, Field(ge=2, le=100_000, strict=True)] | None = None
    survival: Share = 1.0
    assay: str | None = None
    sessions: Count = 1
    accuracy: Share | None = None


class PredictionTable(_Table):
    """Genomic prediction. See `jaxbreed.markers.PredictionPlan`."""

    markers: Count = 2000
    choose: Literal["tested", "eggs"] = "tested"
    retrain: Annotated[int, Field(ge=0, strict=True)] = 1
    memory: Count = 2
    training: Annotated[int, Field(ge=10, le=20_000, strict=True)] = 5000
    group: Literal["generation", "clutch"] = "generation"
    h2: Literal["known", "reml"] = "known"
    rarity: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.0


class SelectionTable(_Table):
    """Who breeds. See `jaxbreed.program.Settings` and `jaxbreed.schedule.Schedule`."""

    scope: Literal["within", "across"] = "within"
    fraction: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.0
    males: Count | None = None
    quota: Count | None = None
    mating: Literal["random", "avoid_sibs", "within_lineage", "rotational", "maximum_avoidance", "minimum_kinship"] = (
        "avoid_sibs"
    )
    migration: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.0
    storage: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.0
    inbreeding_rate: Annotated[float, Field(gt=0, lt=1, strict=True)] | None = None
    male_places: Count | None = None
    policy: str = "mass"
    family_weight: Annotated[float, Field(ge=0, le=1000, strict=True)] | None = None


class CostsTable(_Table):
    """Prices of one, and the most that one generation of one replicate may cost. See `jaxbreed.costs.Prices`."""

    egg: Money = 0.0
    genotype: Money = 0.0
    reared: Money = 0.0
    session: Money = 0.0
    breeder: Money = 0.0
    currency: Annotated[str, Field(min_length=1, strict=True)] = "EUR"
    budget: Money | None = None


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
        """Rounds of selection."""
        if self.programme.generations is not None:
            return self.programme.generations
        # A whisker more than the quotient: 15 years of 0.3 are 50 generations, not 49.
        return max(1, math.floor(self.programme.years / self.preset.generation_years.value + 1e-9))

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


def sessions_of(table: TestTable | StageTable, assay: Assay | None) -> int:
    """Sessions that a table asks for, or else its assay."""
    silent = assay is not None and "sessions" not in table.model_fields_set
    return assay.sessions.value if silent and assay is not None else table.sessions


def with_assays(tables: dict[str, TraitTable], assays: dict[str, Assay]) -> dict[str, TraitTable]:
    """Traits whose repeatability is left out get that of the assay that names them.

    Args:
      tables: traits by name.
      assays: by the field that names them.

    Raises:
      ValueError: an assay names none of the traits, or repeats less well than the trait is heritable, or two differ.
    """
    result, source = dict(tables), dict[str, str]()
    for field, assay in assays.items():
        known = assay.repeatability.value
        if not set(assay.traits) & set(tables):
            raise ValueError(
                f"{field} is {assay.key}, which measures {' or '.join(assay.traits)}; no trait has such a name"
            )
        for name in set(assay.traits) & {name for name, table in tables.items() if table.repeatability is None}:
            table = tables[name]
            if table.h2 + table.clutch > known + 1e-12:
                raise ValueError(
                    f"{field} is {assay.key}, of which a session repeats with {known:g}; h2 + clutch of traits.{name}, "
                    f"{table.h2 + table.clutch:g}, must be at most that, or traits.{name}.repeatability be given"
                )
            if result[name].repeatability not in (None, known):
                raise ValueError(
                    f"{field} is {assay.key}, which repeats otherwise than {source[name]}; traits.{name}.repeatability "
                    "must be given"
                )
            result[name], source[name] = table.model_copy(update={"repeatability": known}), field
    return result


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
        raise ScenarioError(_sentence(error, table)) from None
    except ValueError as error:
        raise ScenarioError(f"species: {error}") from None
    try:
        _ = scenario.trait_tables
    except ValueError as error:
        raise ScenarioError(str(error)) from None
    return scenario


# Fields that take one of several types: what to say when none of them fits.
_EITHER = {
    "clutch.eggs": "a whole number above 0, or two of them, the smaller first",
    "clutch.sires": "a whole number above 0, or two of them, the smaller first",
    "genome.morgans": "a number from 0 to 1000, or two of them, female and male",
    "founders.map": "the name of a file, or two of them, female and male",
    "correlations.genetic": "a number, or a matrix with a row for each trait",
    "correlations.residual": "a number, or a matrix with a row for each trait",
    "correlations.clutch": "a number, or a matrix with a row for each trait",
    "objective.weights": "a table of numbers by trait, or a list with one for each trait",
    "objective.gains": "a table of numbers by trait, or a list with one for each trait",
    "objective.temperature": "a number, or a list with one for each generation",
}


def _sentence(error: ValidationError, given: dict[str, Any]) -> str:
    """One sentence for the first fault that pydantic found."""
    # An unknown key is the likeliest cause of any other fault, so it comes first.
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    fault = faults[0]
    known = Scenario.model_fields
    location = [str(part) for part in fault["loc"] if str(part).isdigit() or _is_key(str(part))]
    place = ".".join(location)
    value = fault["input"]
    if (either := ".".join(location[:2])) in _EITHER:
        place, value = either, given[location[0]][location[1]]
    if fault["type"] == "extra_forbidden":
        near = difflib.get_close_matches(location[-1], _siblings(location[:-1]), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_siblings(location[:-1]))}"
        return f"{place} is not a known key; {hint}"
    if fault["type"] == "missing":
        return f"{place} is missing{'' if place in known else ' and has no default'}"
    if place in _EITHER:
        return f"{place} is {value!r}; it must be {_EITHER[place]}"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    message = message[0].lower() + message[1:]
    return f"{place} is {value!r}; it {message}"


def _is_key(part: str) -> bool:
    """Whether part of a fault's place is a key of the file rather than the name of an alternative type."""
    return not any(mark in part for mark in "[(") and part not in {"int", "float", "constrained-int"}


def _siblings(parents: list[str]) -> list[str]:
    """Keys that a table may hold, by the table's own key."""
    tables: dict[str, type[BaseModel]] = {
        "": Scenario,
        "programme": ProgrammeTable,
        "clutch": ClutchTable,
        "genome": GenomeTable,
        "founders": FoundersTable,
        "traits": TraitTable,
        "correlations": CorrelationsTable,
        "load": LoadTable,
        "test": TestTable,
        "stages": StageTable,
        "prediction": PredictionTable,
        "selection": SelectionTable,
        "costs": CostsTable,
        "objective": ObjectiveTable,
        "limits": LimitsTable,
        "optimize": OptimizeTable,
    }
    if parents[:2] == ["optimize", "levers"]:
        return list((LeversTable if len(parents) == 2 else LeverTable).model_fields)
    return list(tables[parents[0] if parents else ""].model_fields)
