"""What a scenario file says of optimisation: the objective, limits, levers, and how to search."""

from typing import Annotated, Literal

from pydantic import Field

from jaxbreed.tables import Count, Flag, Many, Number, Share, Table

_ByTrait = dict[str, Number] | list[Number]
_AboveZero = Annotated[float, Field(gt=0, strict=True)]
_Bound = Annotated[float, Field(ge=-1e9, le=1e9, strict=True)]
_BelowOne = Annotated[float, Field(gt=0, lt=1, strict=True)]


class ObjectiveTable(Table):
    """What is to be made large. See `jaxbreed.objectives`; keys that its kind does not take must be left out.

    `weights` defaults to those of the traits; `tail` takes the poorest share of the replicates (CVaR) of any kind,
    `temperature` adds that much of the entropy of contributions.
    """

    kind: Literal["final_gain", "gain_with_floor", "ces", "desired_gains", "discounted_gain"] = "final_gain"
    weights: _ByTrait | None = None
    trait: str | None = None
    floored: str | None = None
    floor: Number | None = None
    stiffness: _AboveZero | None = None
    rho: Annotated[float, Field(le=1, strict=True)] | None = None
    shift: _AboveZero | None = None
    gains: _ByTrait | None = None
    measure: Literal["least", "distance"] | None = None
    sharpness: _AboveZero | None = None
    rate: Annotated[float, Field(gt=-1, strict=True)] | None = None
    of: Literal["replicates", "mean"] | None = None
    tail: Share | None = None
    temperature: Number | list[Number] | None = None


class LimitsTable(Table):
    """What a schedule must keep. See `jaxbreed.limits`; `cost` is of one replicate, by `[costs]`."""

    inbreeding: _BelowOne | None = None
    inbreeding_rate: _BelowOne | None = None
    cost: _AboveZero | None = None


class LeverTable(Table):
    """One lever of the schedule. See `jaxbreed.space.Lever`."""

    basis: Literal["constant", "linear", "spline", "free"] = "linear"
    knots: Annotated[int, Field(ge=3, le=1000, strict=True)] | None = None
    between: Literal["cubic", "straight"] = "cubic"
    low: _Bound | None = None
    high: _Bound | None = None
    simplex: Flag = False


class LeversTable(Table):
    """The levers that are free; the others stay as the scenario says."""

    weights: LeverTable | None = None
    fraction: LeverTable | None = None
    males: LeverTable | None = None
    family_weight: LeverTable | None = None
    inbreeding_rate: LeverTable | None = None
    tests: LeverTable | None = None


class OptimizeTable(Table):
    """How the best schedule is searched. `replicates` defaults to the programme's."""

    steps: Count = 100
    replicates: Many | None = None
    gradient: Literal["costate", "theory", "pgpe"] = "costate"
    optimizer: Literal["adam", "sgd", "schedule_free", "prodigy"] = "adam"
    learning_rate: _AboveZero = 0.03
    pairs: Count = 4
    sigma: Annotated[float, Field(gt=0, le=0.5, strict=True)] = 0.05
    control: Flag | Literal["costate"] = True
    warm_start: Flag = False
    held_out: Annotated[int, Field(ge=2, le=100_000, strict=True)] = 8
    levers: LeversTable = LeversTable(weights=LeverTable())
