"""Species presets: what is known of an animal, and where each number comes from.

A preset is one TOML file beside this module, named by its key (`octopus-vulgaris.toml`). Every number in it is a
table `{value, source, evidence}`, so that no figure can be used without its provenance. Files are read on demand.

    >>> load("giant Pacific octopus").chromosomes.value
    30
"""

import difflib
import functools
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

__all__ = ["Bottleneck", "Demography", "Evidence", "Quantity", "Species", "available", "load", "parse"]

Evidence = Literal["sourced", "weak", "unverified", "derived", "inferred", "assumed"]
"""How far to trust a number; a number built from several inputs carries the tag of its weakest.

`sourced`: in the abstract or page cited; `weak`: a wiki, news item or hobby site; `unverified`: from memory, not
checked; `derived`: calculated from cited inputs; `inferred`: from relatives or other animals; `assumed`: nothing was
found, and the source says why this value stands in.
"""


def _ordered(pair: tuple[int, int]) -> tuple[int, int]:
    low, high = pair
    if low > high:
        raise ValueError(f"range must be [low, high] with low <= high, got [{low}, {high}]")
    return pair


Range = Annotated[tuple[PositiveInt, PositiveInt], Field(strict=False), AfterValidator(_ordered)]
Share = Annotated[float, Field(gt=0, le=1)]
ShareOrZero = Annotated[float, Field(ge=0, lt=1)]
Correlation = Annotated[float, Field(ge=-1, le=1)]
Load = Annotated[float, Field(ge=0)]
Percent = Annotated[float, Field(ge=0, le=100)]
Parity = Literal["semelparous", "iteroparous", "terminal"]
T = TypeVar("T")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Quantity(_Model, Generic[T]):
    """A value with its citation and the kind of evidence behind it."""

    value: T
    source: Annotated[str, Field(min_length=11)]
    evidence: Evidence


class Bottleneck(_Model):
    """A smaller population (diploid Ne) from `generations_ago` to the present, as in hatchery stocks."""

    generations_ago: Quantity[PositiveInt]
    effective_size: Quantity[PositiveFloat]


class Demography(_Model):
    """The founders' history: a Wright-Fisher population of constant diploid Ne, then perhaps a bottleneck."""

    description: Annotated[str, Field(min_length=1)]
    effective_size: Quantity[PositiveFloat]
    bottleneck: Bottleneck | None = None


class Species(_Model):
    """One preset. Defaults for a scenario, every one of which the scenario may override.

    Attributes:
        key: file name and command-line name, the latin name in lower case with a hyphen.
        latin: binomial.
        common: English name.
        note: caveats to show beside every result.
        hypothetical: true where culture through the whole life cycle has at most been shown in isolated trials.
        eggs: fewest and most eggs of one female in one spawning (a season of batches, a life of terminal ones).
        mean_eggs: mean of the same.
        generation_years: from egg to egg.
        parity: `semelparous` (one brood, then death), `terminal` (several clutches, then death) or `iteroparous`.
        sires: fewest and most sires of one clutch.
        survival_captive: egg to adult in culture, a fraction.
        survival_wild: egg to adult in the wild, a fraction.
        chromosomes: haploid number.
        map_morgans_female: length of the whole female map, Morgans.
        map_morgans_male: length of the whole male map, Morgans.
        genome_gb: haploid genome, gigabases.
        h2_cognition: heritability of one session of a cognitive test.
        h2_sociability: heritability of one session of a sociability (tameness, boldness) test.
        h2_growth: heritability of size at age.
        repeatability: of one session of a cognitive test; not below `h2_cognition` + `clutch_variance`.
        repeatability_sociability: of one session of a sociability test, with the same bound.
        clutch_variance: common environment of a clutch, share of phenotypic variance (c2).
        genetic_correlation: between intelligence and sociability.
        inbreeding_survival_B: haploid lethal equivalents; survival falls as exp(-B F).
        inbreeding_trait_percent: loss of the trait mean, per cent for each 10 % of inbreeding.
        demography: history of the founders.
        anchors: published facts to compare a simulation with.
    """

    key: Annotated[str, Field(pattern=r"^[a-z]+-[a-z]+$")]
    latin: Annotated[str, Field(pattern=r"^[A-Z][a-z]+ [a-z]+$")]
    common: Annotated[str, Field(min_length=1)]
    note: Annotated[str, Field(min_length=1)]
    hypothetical: bool
    eggs: Quantity[Range]
    mean_eggs: Quantity[PositiveInt] | None = None
    generation_years: Quantity[PositiveFloat]
    parity: Quantity[Parity]
    sires: Quantity[Range]
    survival_captive: Quantity[Share]
    survival_wild: Quantity[Share] | None = None
    chromosomes: Quantity[PositiveInt]
    map_morgans_female: Quantity[PositiveFloat]
    map_morgans_male: Quantity[PositiveFloat]
    genome_gb: Quantity[PositiveFloat] | None = None
    h2_cognition: Quantity[Share]
    h2_sociability: Quantity[Share]
    h2_growth: Quantity[Share] | None = None
    repeatability: Quantity[Share]
    repeatability_sociability: Quantity[Share]
    clutch_variance: Quantity[ShareOrZero]
    genetic_correlation: Quantity[Correlation]
    inbreeding_survival_B: Quantity[Load]  # noqa: N815 (B is the field's symbol)
    inbreeding_trait_percent: Quantity[Percent]
    demography: Demography
    anchors: Annotated[tuple[str, ...], Field(strict=False)] = ()

    @model_validator(mode="after")
    def _agree(self) -> Self:
        expected = self.latin.lower().replace(" ", "-")
        if self.key != expected:
            raise ValueError(f"key must be {expected!r} for latin name {self.latin!r}, got {self.key!r}")
        low, high = self.eggs.value
        if self.mean_eggs is not None and not low <= self.mean_eggs.value <= high:
            raise ValueError(f"mean_eggs must lie in the range of eggs, {low} to {high}, got {self.mean_eggs.value}")
        c2 = self.clutch_variance.value
        for test, h2, r in (
            ("cognition", self.h2_cognition.value, self.repeatability.value),
            ("sociability", self.h2_sociability.value, self.repeatability_sociability.value),
        ):
            if h2 + c2 > r + 1e-9:
                raise ValueError(f"h2_{test} + clutch_variance must not exceed repeatability, got {h2} + {c2} > {r}")
        return self


def parse(table: Mapping[str, Any]) -> Species:
    """Checks a table read from TOML.

    Raises:
        ValueError: (pydantic's) naming each field that is missing, unknown or out of range, and its value.
    """
    return Species.model_validate(table)


@functools.cache
def available() -> tuple[str, ...]:
    """Returns the keys of all presets, sorted."""
    names = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load(key: str) -> Species:
    """Returns a preset by key, latin name or common name, in any case.

    Raises:
        ValueError: if no preset has that name.
    """
    name = _plain(key)
    if name in available():
        return _read(name)
    names = _names()
    if name in names:
        return _read(names[name])
    near = dict.fromkeys(names[match] for match in difflib.get_close_matches(name, names, n=3, cutoff=0.5))
    hint = f"the nearest are {', '.join(near)}; " if near else ""
    raise ValueError(f"unknown species {key!r}: {hint}`jaxbreed species` lists all")


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().casefold())


@functools.cache
def _read(key: str) -> Species:
    return parse(tomllib.loads(resources.files(__name__).joinpath(f"{key}.toml").read_text("utf-8")))


@functools.cache
def _names() -> dict[str, str]:
    """Plain common names and keys (plain latin names) to keys; reads every preset."""
    return {key: key for key in available()} | {_plain(_read(key).common): key for key in available()}
