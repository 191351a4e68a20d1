"""The tables of a scenario file, and what an assay tells of them."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from jaxbreed.assays import Assay
from jaxbreed.tables import Count, Flag, Many, Number, Share, Whole
from jaxbreed.tables import Table as _Table

Morgans = Annotated[float, Field(ge=0, le=1000, strict=True)]
Money = Annotated[float, Field(ge=0, le=1e12, strict=True)]
# Their bounds are those of `jaxbreed.program.Settings`.
_AnyCount = Annotated[int, Field(ge=1, strict=True)]
Correlation = Number | list[list[Number]]


class ProgrammeTable(_Table):
    """How long and how often. `generations` defaults to the whole generations in `years`."""

    years: Annotated[float, Field(gt=0, strict=True)] = 15.0
    generations: Annotated[int, Field(ge=1, le=1000, strict=True)] | None = None
    lineages: Many = 24
    replicates: Many = 5
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = 1


class ClutchTable(_Table):
    """What a female lays and what becomes of it. Defaults come from the species."""

    eggs: _AnyCount | tuple[Whole, Whole] | None = None
    sires: _AnyCount | tuple[Whole, Whole] | None = None
    paternity: Share = 0.6
    survival: Share | None = None
    tested: Count | None = None
    sexes: Literal["random", "alternate"] = "random"


class GenomeTable(_Table):
    """Chromosomes and loci. Chromosome number and map length default to the species'."""

    loci: Annotated[int, Field(ge=1, le=8_000_000, strict=True)] = 10_000
    qtl: Count = 1_000
    effect_shape: Annotated[float, Field(ge=0.01, le=1000, strict=True)] = 0.4
    chromosomes: Annotated[int, Field(ge=1, le=250, strict=True)] | None = None
    morgans: Morgans | tuple[Morgans, Morgans] | None = None
    interference: Annotated[float, Field(ge=1, le=24, strict=True)] = 1.0
    mutation: Annotated[float, Field(ge=0, le=1, strict=True)] = 0.0


class FoundersTable(_Table):
    """Where the first breeders come from. `effective_size` defaults to the species'.

    `file`, `map`, `cm_per_mb`, `samples` and `chromosomes` are those of `jaxbreed.founderfile.read_founders`.
    """

    source: Literal["coalescent", "frequencies", "vcf", "trees", "numpy"] = "coalescent"
    file: str | None = None
    map: str | tuple[str, str] | None = None
    cm_per_mb: Annotated[float, Field(gt=0, le=1e6, strict=True)] | None = None
    samples: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    chromosomes: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    effective_size: Annotated[float, Field(ge=1, le=1e9, strict=True)] | None = None
    frequency: Annotated[float, Field(gt=0, lt=1, strict=True)] = 0.5
    shared: Flag = False

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

    h2: Annotated[float, Field(ge=1e-6, le=1, strict=True)]
    weight: Number = 0.0
    clutch: Annotated[float, Field(ge=0, lt=1, strict=True)] = 0.0
    repeatability: Share | None = None
    inbreeding_depression: Annotated[float, Field(ge=-1000, le=1000, strict=True)] = 0.0
    dominance_sd: Annotated[float, Field(ge=0, le=100, strict=True)] = 0.0
    cv: Annotated[float, Field(ge=0.001, le=1000, strict=True)] = 0.3
    ceiling: Annotated[float, Field(gt=0, le=1000, strict=True)] | None = None
    gated_by: dict[str, Annotated[float, Field(ge=0, le=2, strict=True)]] = Field(default_factory=dict)
    changed_by: dict[str, Annotated[float, Field(ge=-10, le=10, strict=True)]] = Field(default_factory=dict)


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
    group: Annotated[int, Field(ge=2, le=10_000_000, strict=True)] = 2


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
    retrain: Annotated[int, Field(ge=0, le=10_000_000, strict=True)] = 1
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
