"""Assay presets: how behaviour is tested, how well a session repeats, and where each number comes from.

A preset is one TOML file beside this module, named by its key (`visual-discrimination.toml`). Every number in it is a
table `{value, source, evidence}` as in `jaxbreed.species`.

    >>> load("tameness").traits
    ('tameness', 'sociability')
"""

import difflib
import functools
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from jaxbreed.species import Quantity

__all__ = ["Assay", "available", "averaged_h2", "averaged_repeatability", "load", "parse"]

Share = Annotated[float, Field(gt=0, le=1)]


class Assay(BaseModel):
    """One preset. Defaults for a scenario, every one of which the scenario may override.

    Attributes:
        key: file name and name in scenarios.
        title: what is done with the animals.
        subjects: who was tested in the study that the assay is modelled on.
        note: caveats.
        hypothetical: true where no repeatability or heritability of this test was found for any cephalopod, so that
            those of other animals or tests stand in.
        traits: names of the traits whose sessions repeat as said here.
        sessions: of one animal.
        repeatability: of one session: share of all that lasts of an animal in the variance.
        h2: heritability of one session; not above `repeatability`.
        staff_hours: work for one animal, all its sessions together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    key: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")]
    title: Annotated[str, Field(min_length=1)]
    subjects: Annotated[str, Field(min_length=1)]
    note: Annotated[str, Field(min_length=1)]
    hypothetical: bool
    traits: Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
    sessions: Quantity[PositiveInt]
    repeatability: Quantity[Share]
    h2: Quantity[Share] | None = None
    staff_hours: Quantity[PositiveFloat]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.h2 is not None and self.h2.value > self.repeatability.value + 1e-9:
            raise ValueError(f"h2 must not exceed repeatability, got {self.h2.value} > {self.repeatability.value}")
        return self


def averaged_h2(h2: float, repeatability: float, sessions: int) -> float:
    """Heritability of the mean of several sessions, n h2 / (1 + (n - 1) R) (Falconer & Mackay 1996, chapter 8).

    Args:
        h2: of one session.
        repeatability: R, of one session.
        sessions: n.

    Returns:
        The share of the mean's variance that is additive; it rises with n to h2 / R.
    """
    return sessions * h2 / (1 + (sessions - 1) * repeatability)


def averaged_repeatability(repeatability: float, sessions: int) -> float:
    """Repeatability of the mean of several sessions, n R / (1 + (n - 1) R): Spearman & Brown's law."""
    return averaged_h2(repeatability, repeatability, sessions)


def parse(table: Mapping[str, Any]) -> Assay:
    """Checks a table read from TOML.

    Raises:
        ValueError: (pydantic's) naming each field that is missing, unknown or out of range, and its value.
    """
    return Assay.model_validate(table)


@functools.cache
def available() -> tuple[str, ...]:
    """Returns the keys of all presets, sorted."""
    names = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load(key: str) -> Assay:
    """Returns a preset by key, in any case and with spaces or underscores for hyphens.

    Raises:
        ValueError: if no preset has that name.
    """
    name = re.sub(r"[\s_-]+", "-", key.strip().casefold())
    if name in available():
        return _read(name)
    near = difflib.get_close_matches(name, available(), n=3, cutoff=0.5)
    hint = f"the nearest are {', '.join(near)}; " if near else ""
    raise ValueError(f"unknown assay {key!r}: {hint}`jaxbreed assays` lists all")


@functools.cache
def _read(key: str) -> Assay:
    return parse(tomllib.loads(resources.files(__name__).joinpath(f"{key}.toml").read_text("utf-8")))
