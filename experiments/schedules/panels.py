"""Panels: founders and effects of their own. Some to search on, some to choose by, the others to be judged by."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from cases import Case
from jax import Array

import jaxbreed as jb
from jaxbreed.build import Ready, draw_panel
from jaxbreed.index import smith_hazel
from jaxbreed.optimisation import Courses, derived_seed
from jaxbreed.program import Program
from jaxbreed.schedule import Schedule

Floats = npt.NDArray[np.float64]
SEED = 2026
_KINDS = ("search", "choice", "judgement")
_FEW = 2  # replicates and panels of the theory, which has no luck


class Choice(NamedTuple):
    """What an arm may do: a schedule, under the programme's rules or with a quota a family."""

    schedule: Schedule
    quota: int | None = None


class Panels:
    """Founders, drawn once for all cases."""

    def __init__(self, search: int, choice: int, judgement: int, store: Path | None = None) -> None:
        """Only counts; founders are drawn when first asked for, and kept in the store for a later run."""
        self.number, self.store = dict(zip(_KINDS, (search, choice, judgement), strict=True)), store
        self._founders: dict[int, jb.Founders] = {}

    def of(self, case: Case, kind: str) -> list[Ready]:
        """The panels of one kind, with the case's traits and rules."""
        return [self._ready(case, kind, number) for number in range(self.number[kind])]

    def _ready(self, case: Case, kind: str, number: int) -> Ready:
        # Founders' seeds are 32-bit numbers.
        seed = derived_seed(SEED, _KINDS.index(kind), number) % 2**31
        scenario = case.scenario(seed)
        if seed not in self._founders:
            self._founders[seed] = self._kept(seed) or self._drawn(scenario, seed)
        return jb.prepare(scenario, founders=self._founders[seed])

    def _drawn(self, scenario: jb.Scenario, seed: int) -> jb.Founders:
        founders = draw_panel(scenario)
        if self.store is not None:
            of = founders.map
            np.savez_compressed(
                self.store / f"founders-{seed}.npz",
                haplotypes=founders.haplotypes,
                chromosome=of.chromosome,
                position=of.position,
                length=of.length,
            )
        return founders

    def _kept(self, seed: int) -> jb.Founders | None:
        file = None if self.store is None else self.store / f"founders-{seed}.npz"
        if file is None or not file.exists():
            return None
        with np.load(file) as kept:
            genetic_map = jb.GeneticMap(kept["chromosome"], kept["position"], kept["length"])
            return jb.Founders(kept["haplotypes"], genetic_map, "coalescent")


class Problem:
    """A case on its panels.

    Attributes:
      case: the case.
      budget: simulations that every search may spend before its candidates are compared.
      eggs: counted so far.
      number: of the search now; searches of one arm differ in luck alone, panels are the same.
      known: entries of other arms, by name.
    """

    number = 0

    def __init__(self, case: Case, panels: Panels, budget: int) -> None:
        """Draws what the search needs; see the attributes."""
        self.case, self.budget, self.eggs = case, budget, 0
        self.known: dict[str, dict[str, Any]] = {}
        self.search, self.choice = panels.of(case, "search"), panels.of(case, "choice")
        self._judgement = panels, "judgement"

    @cached_property
    def judgement(self) -> list[Ready]:
        """Panels that no search has seen."""
        panels, kind = self._judgement
        return panels.of(self.case, kind)

    @cached_property
    def start(self) -> Schedule:
        """Smith and Hazel's index at the projected final means, and nothing else: all males, tests in equal parts."""
        return self.constant(_index_at_final_means(self))

    def constant(self, weights: npt.ArrayLike) -> Schedule:
        """The programme's defaults with other weights."""
        tests = self.case.tests
        schedule = jb.constant_schedule(self.search[0].schedule.generations, weights, tests=tests)
        free = {lever.name for lever in self.case.levers}
        places = jnp.full(schedule.generations, float(self.search[0].program.settings.parents_needed[1]))
        more = {"males": places} if "males" in free else {}
        if "family_weight" in free:
            more["family_weight"] = jnp.ones(schedule.generations)
        if tests is not None:
            more["tests"] = jnp.full(schedule.generations, float(tests))
        return dataclasses.replace(schedule, **more)

    def space(self, basis: str) -> jb.Space:
        """Schedules around the start."""
        return jb.build_space(self.start, self.case.levers_as(basis), self.search[0].program.settings)

    @property
    def seed(self) -> int:
        """Of the search now."""
        return SEED if self.number == 0 else derived_seed(SEED, 2**22, self.number)

    @property
    def courses(self) -> Courses:
        """For `jaxbreed.optimisation`: every seed has its panel."""

        def simulated(schedule: Schedule, seed: int) -> jb.Course:
            return self.simulate(Choice(schedule), self.search[seed % len(self.search)], seed)

        return Courses(simulated, lambda schedule, seed: self.expected(schedule))

    def simulate(self, choice: Choice, ready: Ready, seed: int, *, counted: bool = True) -> jb.Course:
        """One simulation on one panel."""
        program, replicates = ready.program, len(ready.founders.haplotypes) // ready.program.settings.animals
        if choice.quota is not None:
            program = with_quota(program, choice.quota)
        schedule = within_tests(choice.schedule, self.case)
        course = jb.simulate_course(program, ready.founders, schedule, replicates=replicates, seed=seed)
        if counted:
            self.eggs += int(np.asarray(jax.lax.stop_gradient(course.eggs), np.float64).sum())
        return course

    def expected(self, schedule: Schedule) -> jb.Course:
        """By theory, of a few panels together."""
        schedule = within_tests(schedule, self.case)
        few = [
            jb.expected_course(ready.program, ready.founders, schedule, replicates=_FEW, seed=SEED)
            for ready in self.search[:_FEW]
        ]
        return jb.Course(*(jnp.concatenate([jnp.asarray(x) for x in parts]) for parts in zip(*few, strict=True)))

    def worth(self, course: jb.Course, limits: Sequence[jb.Limit] | None = None) -> float:
        """The objective, less a penalty where F exceeds the limit by more than the objective could gain from it."""
        limits = self.case.limits if limits is None else limits
        beyond = sum(max(0.0, float(limit.excess(course))) for limit in limits)
        return float(self.case.objective(course)) - beyond

    def mean_worth(self, choice: Choice, numbers: range) -> float:
        """Mean over simulations of the search: number n has the same panel and luck for all."""
        seeds = [derived_seed(self.seed, n) for n in numbers]
        try:
            return self._pooled([self.simulate(choice, self.search[s % len(self.search)], s) for s in seeds])
        except RuntimeError as error:
            if "died out" not in str(error):
                raise
            return -np.inf  # nothing is worse than a lineage that dies out, as quotas of few animals may let it

    def choose(self, choices: list[Choice], limits: Sequence[jb.Limit] | None = None) -> Choice:
        """The best of some candidates on panels that the search has not seen, within the case's limits or others."""

        def on_others(choice: Choice) -> float:
            seeds = [derived_seed(self.seed, 2**20, n) for n in range(len(self.choice))]
            courses = [self.simulate(choice, *pair) for pair in zip(self.choice, seeds, strict=True)]
            return self._pooled(courses, limits)

        return max(choices, key=on_others)

    def judge(self, choice: Choice, most: int) -> list[jb.Course]:
        """Simulations on the first panels of judgement, with the same luck for every arm."""
        return [
            self.simulate(choice, ready, derived_seed(SEED, 2**21, n), counted=False)
            for n, ready in enumerate(self.judgement[:most])
        ]

    def _pooled(self, courses: list[jb.Course], limits: Sequence[jb.Limit] | None = None) -> float:
        """Limits hold for the mean over panels."""
        pooled = jb.Course(*(np.concatenate([np.asarray(x) for x in parts]) for parts in zip(*courses, strict=True)))
        return self.worth(pooled, limits)


def with_quota(program: Program, quota: int) -> Program:
    """The programme with at most so many animals of each sex from a family."""
    return dataclasses.replace(program, settings=dataclasses.replace(program.settings, quota=quota))


def within_tests(schedule: Schedule, case: Case) -> Schedule:
    """Scales numbers of tests until their mean over generations is what the case allows."""
    if case.tests is None or schedule.tests is None:
        return schedule
    lever = case.levers[0]
    tests = jnp.asarray(schedule.tests, jnp.float32)
    for _ in range(20):  # numbers at a bound stay there; the others take up the rest
        tests = jnp.clip(tests * (case.tests / tests.mean()), lever.low, lever.high)
    return dataclasses.replace(schedule, tests=tests)


def covariances(program: Program) -> tuple[Floats, Floats]:
    """Of records and of breeding values among all founders' offspring, in founder phenotypic SD: (trait, trait)."""
    traits, stages = program.traits, program.settings.stages
    additive, residual = (np.asarray(x, np.float64) for x in (traits.additive, traits.residual))
    sessions = sum(stage.sessions for stage in stages if stage.kind == "test")
    lasting = np.zeros_like(residual) if traits.permanent is None else np.asarray(traits.permanent, np.float64)
    environment = lasting + (residual - lasting) / sessions if stages else residual
    clutch = np.zeros_like(additive) if traits.clutch is None else np.asarray(traits.clutch, np.float64)
    sd = np.asarray(traits.sd_phenotypic, np.float64)
    return (additive + clutch + environment) / np.outer(sd, sd), additive / np.outer(sd, sd)


def marginal_worth(objective: Callable[[jb.Course], Array], gain: npt.ArrayLike) -> Floats:
    """What a little more of each trait is worth at given final gains: (trait,)."""

    def worth(final: Array) -> Array:
        path = jnp.stack([jnp.zeros_like(final), final])[None]
        nothing = jnp.zeros((1, 2))
        return objective(jb.Course(path, path, nothing, nothing[:, :1], nothing[:, :1], nothing[:, :1]))

    return np.asarray(jax.grad(worth)(jnp.asarray(gain, jnp.float32)), np.float64)


def _index_at_final_means(problem: Problem) -> Floats:
    """B = P^-1 G a with a = dU/dmean at the final means that theory projects for b itself.

    Repeated with the mean of all a so far, since the plain repetition swings where the poorer trait counts most.
    """
    phenotypic, genetic = covariances(problem.search[0].program)
    economic = np.array(problem.case.economic) / sum(problem.case.economic)
    for rounds in range(1, 16):
        weights = smith_hazel(phenotypic, genetic, economic)
        final = np.asarray(problem.expected(problem.constant(weights)).gain)[:, -1].mean(0)
        now = marginal_worth(problem.case.objective, final)
        economic = economic + (now / np.abs(now).sum() - economic) / (rounds + 1)
    return weights
