"""What an objective sees of a run, simulated or expected by theory, with gradients with respect to the schedule."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxbreed.clutch import Families
from jaxbreed.covariance import Real
from jaxbreed.founders import Founders
from jaxbreed.levers import check_known, levers_of, tested_in_stages, whole_numbers
from jaxbreed.moments import Levers, Measured, Moments
from jaxbreed.population import Population
from jaxbreed.program import Program
from jaxbreed.schedule import Schedule
from jaxbreed.simulation import first_breeders, first_families, simulate
from jaxbreed.trajectory import Followed, backward, follow, measure_response
from jaxbreed.units import Units, build_units, moments_of

Floats = npt.NDArray[np.float64]
Look = Callable[[Population, Families], None]


class Course(NamedTuple):
    """A run as an objective sees it. Leading axis (replicate,)."""

    gain: Real  # (replicate, generation + 1, trait), founder phenotypic SD; 0 in generation 0
    variance: Real  # (replicate, generation + 1, trait), genetic variance of the eggs, squared founder phenotypic SD
    inbreeding: Real  # (replicate, generation + 1), F of the eggs
    entropy: Real  # (replicate, generation), of order 2 of the parents' contributions: -ln sum c^2
    eggs: Real  # (replicate, generation), laid
    tests: Real  # (replicate, generation), animals tested


def simulate_course(
    program: Program,
    founders: Founders,
    schedule: Schedule,
    *,
    replicates: int = 1,
    seed: int = 0,
    shared_founders: bool = False,
) -> Course:
    """Simulates a programme; `jax.grad` with respect to the schedule works.

    The value is that of the simulation, with hard truncation. The gradient goes back through the Jacobians of the
    theory of one generation (`jaxbreed.recursion`), taken along the simulated trajectory: means and covariances of the
    genes that the real parents carry, their kinship, and the response that selection really had. It costs no more
    memory for larger clutches. The theory knows random mating and mating within lineages; quotas, other mating plans,
    migration, load and mutation it sees only in the response that selection had with them. Numbers of males and tests
    may be real: they are rounded up or down at random, the same way for the same seed.

    Args:
      program: the programme.
      founders: its founders.
      schedule: the decisions; real arrays where a gradient is wanted.
      replicates: see `jaxbreed.simulate`.
      seed: see `jaxbreed.simulate`.
      shared_founders: see `jaxbreed.simulate`.

    Returns:
      The course, float32.

    Raises:
      ValueError: see `jaxbreed.simulate`; or the function is being compiled (`jax.jit`), which it cannot be.
      RuntimeError: a lineage died out.
    """
    return _course(schedule, _Simulated(program, founders, replicates, seed, shared_founders))


def expected_course(
    program: Program,
    founders: Founders,
    schedule: Schedule,
    *,
    replicates: int = 1,
    seed: int = 0,
    shared_founders: bool = False,
    calibration: Measured | None = None,
) -> Course:
    """The same by theory: a recursion of means and covariances from the same founders, without eggs.

    Args:
      program: the programme.
      founders: its founders.
      schedule: the decisions.
      replicates: see `jaxbreed.simulate`.
      seed: see `jaxbreed.simulate`.
      shared_founders: see `jaxbreed.simulate`.
      calibration: what a simulation told, from `calibrate`, leading axes (generation,); None for nothing.

    Returns:
      The course, float32; `jax.grad` with respect to the schedule is that of the theory, in double precision.
    """
    options: dict[str, Any] = {"replicates": replicates, "seed": seed, "shared_founders": shared_founders}
    return expected_courses(program, founders, **options, calibration=calibration)(schedule)


def expected_courses(
    program: Program,
    founders: Founders,
    *,
    replicates: int = 1,
    seed: int = 0,
    shared_founders: bool = False,
    calibration: Measured | None = None,
) -> Callable[[Schedule], Course]:
    """`expected_course` of many schedules, for which what the founders lay is worked out once."""
    run = _Expected(program, founders, replicates, seed, shared_founders, calibration)
    return lambda schedule: _course(schedule, run)


def calibrate(
    program: Program,
    founders: Founders,
    schedule: Schedule,
    *,
    replicates: int = 1,
    seed: int = 0,
    shared_founders: bool = False,
) -> tuple[Course, Measured]:
    """Simulates, and measures by how much selection moves real eggs more or less than theory says.

    Returns:
      The simulated course, and what to give to `expected_course`.
    """
    options: dict[str, Any] = {"replicates": replicates, "seed": seed, "shared_founders": shared_founders}
    return calibrated_course(program, founders, schedule, **options)[:2]


class Calibrated(NamedTuple):
    """One simulation, and all that it tells."""

    course: Course
    measured: Measured  # what to give to `expected_course`
    slope: Callable[[Course], Schedule]  # from sensitivities to the course those to the schedule, as `jax.grad` gives


def calibrated_course(
    program: Program,
    founders: Founders,
    schedule: Schedule,
    *,
    replicates: int = 1,
    seed: int = 0,
    shared_founders: bool = False,
) -> Calibrated:
    """Simulates once for the value, the calibration of the theory, and gradients of as many functions as wanted."""
    run = _Simulated(program, founders, replicates, seed, shared_founders)
    course, kept = run.forward(_concrete(schedule))
    return Calibrated(course, kept.measured, functools.partial(run.backward, kept))


class _Kept(NamedTuple):
    """What the way back needs."""

    schedule: Schedule
    units: Units
    states: Moments  # leading axes (generation + 1, replicate)
    levers: Levers  # leading axis (generation,)
    measured: Measured  # leading axis (generation,)


@jax.tree_util.register_static
class _Opaque:
    """Carries anything from the way there to the way back, untouched."""

    def __init__(self, kept: _Kept) -> None:
        self.kept = kept


@dataclasses.dataclass(frozen=True, eq=False)
class _Simulated:
    program: Program
    founders: Founders
    replicates: int
    seed: int
    shared: bool

    def course(self, schedule: Schedule, look: Look | None = None) -> Course:
        entropies: list[Floats] = []

        def on_families(population: Population, families: Families) -> None:
            entropies.append(_entropy(population, families))
            if look is not None:
                look(population, families)

        whole = whole_numbers(schedule, self.seed)
        history = simulate(
            self.program,
            self.founders,
            whole,
            replicates=self.replicates,
            seed=self.seed,
            shared_founders=self.shared,
            on_families=on_families,
        )
        rounds = schedule.generations
        return _single(
            gain=history["gain"],
            variance=history["genetic_variance"] / history.sd_phenotypic**2,
            inbreeding=history["inbreeding"],
            entropy=np.stack(entropies[1:], axis=1),
            eggs=history["eggs"][:, :rounds],
            tests=history["tests"][:, :rounds],
        )

    def forward(self, schedule: Schedule) -> tuple[Course, _Kept]:
        check_known(self.program, schedule)
        units = build_units(self.program, self.founders.frequencies)
        states: list[Moments] = []

        def look(population: Population, families: Families) -> None:
            origin = states[0].origin if states else None
            states.append(moments_of(self.program, units, population, families, origin))

        course = self.course(schedule, look)
        path = jax.tree.map(lambda *parts: np.stack(parts), *states)
        levers = levers_of(self.program, schedule)
        with jax.enable_x64(True):
            measured = measure_response(units.world, path, levers, self.program.settings.prediction is not None)
        return course, _Kept(schedule, units, path, levers, measured)

    def backward(self, kept: _Kept, cotangent: Course) -> Schedule:
        return _schedule_cotangent(self.program, kept, cotangent)


@dataclasses.dataclass(frozen=True, eq=False)
class _Expected:
    program: Program
    founders: Founders
    replicates: int
    seed: int
    shared: bool
    calibration: Measured | None

    def course(self, schedule: Schedule) -> Course:
        return self.forward(schedule)[0]

    @functools.cached_property
    def _start(self) -> tuple[Units, Moments]:
        """What is the same for all schedules: units, and the eggs that the founders lay."""
        program = self.program
        units = build_units(program, self.founders.frequencies)
        population, _, root = first_breeders(program, self.founders, self.replicates, self.seed, self.shared)
        return units, moments_of(program, units, population, first_families(program, population, root))

    def forward(self, schedule: Schedule) -> tuple[Course, _Kept]:
        program, rounds = self.program, schedule.generations
        check_known(program, schedule)
        units, start = self._start
        levers = levers_of(program, schedule)
        with jax.enable_x64(True):
            measured = self.calibration
            if measured is None:
                measured = Measured(np.ones(rounds), np.full(rounds, np.nan))
            states, seen = follow(units.world, start, levers, measured)
            path, seen = jax.tree.map(np.asarray, (states, seen))
        laid = program.settings.lineages * sum(program.settings.eggs) / 2
        shape = (self.replicates, rounds)
        tested = levers.tests if not program.settings.stages else tested_in_stages(program)
        tests = np.broadcast_to(tested * program.settings.lineages, shape)
        course = _single(**seen._asdict(), eggs=np.full(shape, laid), tests=tests)
        return course, _Kept(schedule, units, path, levers, measured)

    def backward(self, kept: _Kept, cotangent: Course) -> Schedule:
        return _schedule_cotangent(self.program, kept, cotangent)


_Run = _Simulated | _Expected


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _course(schedule: Schedule, run: _Run) -> Course:
    return run.course(_concrete(schedule))


def _forward(schedule: Schedule, run: _Run) -> tuple[Course, _Opaque]:
    course, kept = run.forward(_concrete(schedule))
    return course, _Opaque(kept)


def _backward(run: _Run, kept: _Opaque, cotangent: Course) -> tuple[Schedule]:
    return (run.backward(kept.kept, cotangent),)


_course.defvjp(_forward, _backward)


def _concrete(schedule: Schedule) -> Schedule:
    try:
        return jax.tree.map(np.asarray, schedule)
    except jax.errors.TracerArrayConversionError:
        raise ValueError(
            "the schedule is being compiled; call the gradient of a simulation as it is, without jax.jit or jax.vmap"
        ) from None


def _single(**seen: Real) -> Course:
    return Course(**{name: jnp.asarray(np.asarray(x), jnp.float32) for name, x in seen.items()})


def _entropy(population: Population, families: Families) -> Floats:
    """Entropy of order 2 of the parents' contributions to the eggs, (replicate,)."""
    eggs, sire = np.asarray(families.eggs, np.float64), np.asarray(families.sire)
    name = np.asarray(population.name)
    share = eggs / eggs.sum((1, 2), keepdims=True)
    squares = (share.sum(2) ** 2).sum(1)
    for r in range(len(share)):
        # One male may hold several places: his contributions are one animal's.
        _, male = np.unique(name[r, sire[r].reshape(-1)], axis=0, return_inverse=True)
        squares[r] += (np.bincount(male.reshape(-1), share[r].reshape(-1)) ** 2).sum()
    return np.asarray(-np.log(squares / 4))


def _schedule_cotangent(program: Program, kept: _Kept, cotangent: Course) -> Schedule:
    with jax.enable_x64(True):
        seen = (cotangent.gain, cotangent.variance, cotangent.inbreeding, cotangent.entropy)
        double = Followed(*(np.asarray(x, np.float64) for x in seen))
        of = backward(kept.units.world, kept.states, kept.levers, kept.measured, double)
        of = jax.tree.map(np.asarray, of)
    # Tests are counted, too: a clutch more or less of them.
    survivors = sum(program.settings.eggs) / 2 * program.settings.survival
    of = of._replace(tests=of.tests + program.settings.lineages * np.asarray(cotangent.tests, np.float64).sum(0))
    if kept.schedule.tests is not None:
        # All survivors tested: one fewer is what the gradient is of (the schedule is float32).
        inside = np.asarray(kept.schedule.tests, np.float64) <= survivors * (1 + 1e-6)
        of = of._replace(tests=np.where(inside, of.tests, 0.0))

    def like(name: str, value: Floats | None) -> Any:
        leaf = getattr(kept.schedule, name)
        if leaf is None or not np.issubdtype(np.asarray(leaf).dtype, np.floating):
            return None
        return jnp.zeros_like(leaf) if value is None else jnp.asarray(value, leaf.dtype)

    return Schedule(
        weights=like("weights", of.weights),
        fraction=like("fraction", of.fraction),
        males=like("males", of.males),
        family_weight=like("family_weight", of.family_weight),
        inbreeding_rate=like("inbreeding_rate", None),
        tests=like("tests", of.tests),
    )
