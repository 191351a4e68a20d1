"""The problems of the gradient table: programmes, schedules by a few parameters, objectives, all small."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxbreed as jb
from jaxbreed.battery import Battery

TRAITS = ("intelligence", "sociability")


class Problem(NamedTuple):
    """One row of the table."""

    name: str
    program: jb.Program
    founders: jb.Founders
    replicates: int  # of one evaluation
    start: Array  # parameters, real
    schedule: Callable[[Array], jb.Schedule]
    objective: Callable[[jb.Course], Array]
    reach: float  # of finite differences and of perturbations


def soft_minimum(course: jb.Course) -> Array:
    """Both traits are needed: -ln of the mean of exp(-gain); of each replicate, then their mean."""
    return -jnp.log(jnp.exp(-course.gain[:, -1]).mean(-1)).mean()


def first_trait(course: jb.Course) -> Array:
    """Gain of the first trait."""
    return course.gain[:, -1, 0].mean()


def _world(
    replicates: int,
    *,
    loci: int = 48,
    chromosomes: int = 48,
    morgans: float = 0.0,
    h2: tuple[float, float] = (0.5, 0.5),
    correlation: float = -0.3,
    sessions: tuple[float | None, float | None] = (None, None),
    depression: float = 0.0,
    markers: int = 0,
    gating: float = 0.0,
    **settings: Any,
) -> tuple[jb.Program, jb.Founders]:
    genetic_map = jb.GeneticMap.uniform(chromosomes=chromosomes, loci=loci + markers, length_morgan=morgans)
    rules = jb.Settings(**settings)
    panel = rules.animals * replicates
    founders = jb.Founders.from_frequencies(np.full(loci + markers, 0.5), genetic_map, panel, seed=1)
    models = [
        jb.TraitModel(
            name, h2=h, repeatability=r, inbreeding_depression=depression, dominance_sd=0.3 if depression else 0
        )
        for name, h, r in zip(TRAITS, h2, sessions, strict=True)
    ]
    matrix = np.array([[1.0, correlation], [correlation, 1.0]])
    traits = jb.draw_traits(founders.haplotypes, models, matrix, qtl=loci, seed=1)
    battery = None
    if gating:
        battery = Battery((np.inf, np.inf), ((0.0, gating), (0.0, 0.0)), ((0.0, 0.0), (0.0, 0.0)))
    more: dict[str, Any] = {}
    if markers:
        others = np.setdiff1d(np.arange(loci + markers), np.asarray(traits.qtl))
        more = {"markers": others, "frequency": founders.frequencies}
    return jb.make_program(genetic_map, traits, rules, battery=battery, **more), founders


def _turned(rounds: int, **changes: Any) -> Callable[[Array], jb.Schedule]:
    """The parameters are angles between the weights of the two traits."""

    def schedule(angle: Array) -> jb.Schedule:
        weights = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
        return dataclasses.replace(jb.constant_schedule(rounds, [1.0, 1.0], **changes), weights=weights)

    return schedule


def _levered(rounds: int, lever: str, weights: tuple[float, ...] = (1.0, 0.0)) -> Callable[[Array], jb.Schedule]:
    """The parameters are logarithms of one lever."""

    def schedule(log: Array) -> jb.Schedule:
        return dataclasses.replace(jb.constant_schedule(rounds, list(weights)), **{lever: jnp.exp(log)})

    return schedule


def problems(quick: bool, eggs: int = 480) -> dict[str, Callable[[], Problem]]:
    """All rows, each made when it is called for; so many eggs a clutch."""
    few = 12 if quick else 24
    plain: dict[str, Any] = {"lineages": 8, "eggs": (eggs, eggs), "mating": "random"}

    def angles(
        name: str, start: Any, objective: Any = soft_minimum, reach: float = 0.15, replicates: int = few, **world: Any
    ) -> Any:
        def make() -> Problem:
            program, founders = _world(replicates, **(plain | world))
            angle = jnp.asarray(start, jnp.float32)
            return Problem(name, program, founders, replicates, angle, _turned(len(angle)), objective, reach)

        return make

    def lever(name: str, which: str, start: Any, objective: Any, reach: float, **world: Any) -> Any:
        def make() -> Problem:
            program, founders = _world(few, **(plain | world))
            log = jnp.log(jnp.asarray(start, jnp.float32))
            return Problem(name, program, founders, few, log, _levered(len(log), which), objective, reach)

        return make

    def limited(course: jb.Course) -> Array:
        return first_trait(course) - 4.0 * course.inbreeding[:, -1].mean()

    many: dict[str, Any] = {"loci": 500, "chromosomes": 10, "morgans": 1.0, "h2": (0.3, 0.3)}
    across: dict[str, Any] = {"scope": "across", "sires": (2, 2), **many}
    tests: dict[str, Any] = {"stages": (jb.Stage("test", capacity=120),), "lineages": 6}
    genomic: dict[str, Any] = {
        "prediction": jb.PredictionPlan(choose="tested"),
        "stages": (jb.Stage("test", capacity=40),),
        "lineages": 6,
        "scope": "across",
        "markers": 500,
        "h2": (0.3, 0.2),
        "replicates": few // 2,
    }
    gated: dict[str, Any] = {"gating": 0.5, "h2": (0.15, 0.3), "sessions": (0.25, 0.4), "correlation": 0.0}
    rows = {
        "few unlinked loci": angles("few unlinked loci", [0.3] * 4),
        "few unlinked, turning": angles("few unlinked, turning", [0.2, 0.6, 1.0, 1.4]),
        "few linked loci": angles("few linked loci", [0.3] * 4, chromosomes=3, morgans=1.0),
        "few linked, turning back": angles(
            "few linked, turning back", [1.4, 1.0, 0.6, 0.2], chromosomes=3, morgans=1.0
        ),
        "many loci, 2 generations": angles("many loci, 2 generations", [0.3, 0.3], **many),
        "many loci, 10 generations": angles("many loci, 10 generations", [0.4] * 10, reach=0.25, **many),
        "across families": angles("across families", [0.3] * 4, **across),
        "tests gated by tameness": angles("tests gated by tameness", [1.0] * 4, first_trait, 0.25, **tests, **gated),
        "genomic prediction": angles("genomic prediction", [0.3] * 3, **(many | genomic)),
        "inbreeding depression": angles("inbreeding depression", [0.3] * 4, depression=5.0, mating="within_lineage"),
        "males kept, F limited": lever("males kept, F limited", "males", [6.0] * 5, limited, 0.4, **across),
        # On either side of the best family weight, 0.8, where the gradient is 0.
        "family weight 0.4, F limited": lever(
            "family weight 0.4, F limited", "family_weight", [0.4] * 4, limited, 0.4, **across
        ),
        "family weight 2, F limited": lever(
            "family weight 2, F limited", "family_weight", [2.0] * 4, limited, 0.4, **across
        ),
        "animals tested": lever("animals tested", "tests", [60.0] * 4, first_trait, 0.5, **many),
    }
    return rows
