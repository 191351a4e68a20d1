"""The cases: what the breeder wants, and which decisions are free. All on the common octopus with few, short tests."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import jaxbreed as jb
from jaxbreed.objectives import Objective

SCENARIO = Path(__file__).parents[1] / "scenarios" / "common-octopus.toml"
DAMS, SIRES, TESTED, GENERATIONS, REPLICATES = 12, 2, 40, 6, 8
LOCI = 120


@dataclasses.dataclass(frozen=True)
class Case:
    """One comparison.

    Attributes:
      name: of its files and rows.
      title: in the figure.
      objective: what is made large, founder phenotypic SD.
      levers: what is free, each generation for itself; simpler schedules take the same levers constant or linear.
      economic: what a founder phenotypic SD of each trait is worth at the start, for Smith and Hazel's index.
      desired: proportions of gains for the desired-gains index.
      changes: of the common scenario, a table.
      limit: on F of the last eggs; None for none.
      tests: animals tested of a clutch, mean over generations, that every schedule must keep; None where not free.
      gain_expected: whether theory lets a schedule beat the tuned constant.
    """

    name: str
    title: str
    objective: Objective
    levers: tuple[jb.Lever, ...]
    economic: tuple[float, float]
    desired: tuple[float, float]
    changes: dict[str, Any] = dataclasses.field(default_factory=dict)
    limit: float | None = None
    tests: int | None = None
    gain_expected: bool = True

    @property
    def limits(self) -> tuple[jb.Limit, ...]:
        """The limit as `jaxbreed.optimize` takes it."""
        return () if self.limit is None else (jb.Limit(jb.FinalInbreeding(), self.limit),)

    def levers_as(self, basis: str) -> tuple[jb.Lever, ...]:
        """The levers with a simpler basis."""
        return tuple(dataclasses.replace(lever, basis=basis) for lever in self.levers)

    def scenario(self, seed: int) -> jb.Scenario:
        """The scenario of one panel: the seed decides founders and effects."""
        return jb.Scenario.model_validate(_merged(_base(seed), self.changes))


def _base(seed: int) -> dict[str, Any]:
    table = jb.read_scenario(SCENARIO).scenario.model_dump(exclude_unset=True)
    table["programme"] = {
        "generations": GENERATIONS,
        "lineages": DAMS,
        "replicates": REPLICATES,
        "seed": seed,
    }
    # Only tested animals are selected: eggs beyond twice their number would change nothing but the time it takes.
    table["clutch"] = {"eggs": [2 * TESTED] * 2, "sires": SIRES, "paternity": 1.0, "survival": 1.0, "tested": TESTED}
    table["genome"] = {"loci": LOCI, "qtl": LOCI}
    table["test"] = {"sessions": 3}
    # Repeatabilities: Cauchoix et al. 2018 (cognition), Bell et al. 2009 (behaviour), as in `experiments/waterfall`.
    table["traits"] = {
        "intelligence": {"h2": 0.13, "repeatability": 0.25, "weight": 1.0},
        "sociability": {"h2": 0.2, "repeatability": 0.37, "weight": 1.0},
    }
    table["correlations"] = {"genetic": -0.3}
    table["selection"] = {"scope": "across", "mating": "avoid_sibs"}
    return table


def _merged(table: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(table)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        else:
            inner = result.get(key)
            both = isinstance(value, dict) and isinstance(inner, dict)
            result[key] = _merged(inner, value) if both else copy.deepcopy(value)
    return result


_INDEX = jb.FinalGain((1.0, 0.5))
_PARENTS = (jb.Lever("males", "free", low=2.0), jb.Lever("family_weight", "free", high=5.0))
CASES = (
    Case(
        "constant-g",
        "a: final utility, weights free",
        jb.CES((1.0, 1.0), rho=-4.0, shift=2.0),
        (jb.Lever("weights", "free"),),
        economic=(1.0, 1.0),
        desired=(1.0, 1.0),
        gain_expected=False,
    ),
    Case(
        "limit-on-f",
        "b: F at most 0.10, parents free",
        _INDEX,
        _PARENTS,
        economic=(1.0, 0.5),
        desired=(2.0, 1.0),
        limit=0.10,
    ),
    Case(
        "gated-tests",
        "d: tameness gates tests, weights free",
        jb.FinalGain((1.0, 0.0)),
        (jb.Lever("weights", "free"),),
        economic=(1.0, 0.0),
        desired=(2.0, 1.0),
        # Hypothetical: a session's error halves with each SD of tameness (exp(-0.7) = 0.5). No genetic correlation:
        # signed mean near 0 (Dougherty & Guillette 2018, doi:10.1098/rstb.2017.0282).
        changes={
            "traits": {"intelligence": {"gated_by": {"sociability": 0.7}}},
            "correlations": {"genetic": 0.0},
            "stages": [{"kind": "test", "capacity": TESTED, "sessions": 3}],
            "clutch": {"tested": None},
            "test": None,
        },
    ),
    Case(
        "number-of-parents",
        "c: number of parents free",
        _INDEX,
        _PARENTS,
        economic=(1.0, 0.5),
        desired=(2.0, 1.0),
    ),
    Case(
        "budget-split",
        "e: 30 tests a clutch, split over generations",
        _INDEX,
        (jb.Lever("tests", "free", low=12.0, high=80.0),),
        economic=(1.0, 0.5),
        desired=(2.0, 1.0),
        changes={"clutch": {"tested": None}},
        tests=30,
    ),
)
