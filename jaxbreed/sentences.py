"""Faults of a scenario file in one plain sentence each."""

import difflib
from typing import Any

from pydantic import BaseModel, ValidationError

from jaxbreed.aims import LeversTable, LeverTable, LimitsTable, ObjectiveTable, OptimizeTable
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
)

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

# The same for the kinds of fault that pydantic names by its own types.
_TABLES = ("model_type", "model_attributes_type", "dict_type")
_PLAIN = {
    **dict.fromkeys(_TABLES, "must be a table"),
    "list_type": "must be a list",
    "tuple_type": "must be a list of names",
    "string_type": "must be text, in quotes",
    "string_too_short": "must not be empty",
    "bool_type": "must be true or false",
    "too_short": "must hold at least one name",
}


def sentence(error: ValidationError, given: dict[str, Any], root: type[BaseModel]) -> str:
    """One sentence for the first fault that pydantic found.

    Args:
      error: what it found.
      given: the scenario as a table.
      root: the scenario's model.

    Returns:
      The sentence; items of lists are counted from 1.
    """
    # An unknown key is the likeliest cause of any other fault, so it comes first.
    fault = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    kind, value = fault["type"], fault["input"]
    location = _keys(fault["loc"], given, missing=kind == "missing")
    place = ".".join(location)
    if kind == "extra_forbidden":
        known = _siblings(location[:-1], root)
        near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        return f"{place} is not a known key; {hint}"
    if kind == "missing":
        return f"{place} is missing{'' if place in root.model_fields else ' and has no default'}"
    if (either := ".".join(location[:2])) in _EITHER:
        return f"{either} is {given[location[0]][location[1]]!r}; it must be {_EITHER[either]}"
    if location[0] == "stages" and kind in ("list_type", *_TABLES):
        return f"{place} is {value!r}; it must be a table for each stage: write [[stages]]"
    if kind in _PLAIN:
        return f"{place} is {value!r}; it {_PLAIN[kind]}"
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{place} is {value!r}; it {message[0].lower()}{message[1:]}"


def _keys(location: tuple[int | str, ...], given: Any, *, missing: bool) -> list[str]:
    """Keys of the file on the way to a fault, without the names that pydantic gives to alternative types."""
    keys, here = list[str](), given
    for part in location:
        if isinstance(part, int):
            keys.append(str(part + 1))
            here = here[part] if isinstance(here, list | tuple) and part < len(here) else None
        elif isinstance(here, dict) and part in here:
            keys.append(part)
            here = here[part]
    return [*keys, str(location[-1])] if missing else keys


def _siblings(parents: list[str], root: type[BaseModel]) -> list[str]:
    """Keys that a table may hold, by the table's own key."""
    tables: dict[str, type[BaseModel]] = {
        "": root,
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
