"""Every estimator of gradients against the exact gradient of its own objective, in worlds small enough to enumerate."""

import dataclasses
import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import clutch, lineage_theory
from oracle.lineage import Lineage
from scipy.stats import chi2

import jaxbreed as jb
from jaxbreed import pgpe
from jaxbreed.traits import traits_from_effects

LENGTH = 0.1  # Morgan between the loci
WORLD = Lineage(((1.0, 0.3), (-0.5, 0.8)), 0.5 * (1 - np.exp(-2 * LENGTH)), (12, 9), 4)
ANGLES, SIGMA, PAIRS, REPLICATES = np.array([1.4, 1.4]), 0.5, 140, 4


def utility(gain):
    return -np.log(np.exp(-gain).mean(-1))


def build(settings, founders):
    genetic_map = jb.GeneticMap.uniform(chromosomes=1, loci=2, length_morgan=LENGTH)
    nothing, one = np.zeros((2, 2)), np.ones(2)
    traits = traits_from_effects(
        ["a", "b"], np.arange(2), np.array(WORLD.effect), np.zeros(2), nothing, one, sd_phenotypic=one
    )
    panel = jb.Founders.from_frequencies(np.full(2, 0.5), genetic_map, len(founders), seed=1)
    bits = [[[h >> 1, h & 1] for h in divmod(genome, 4)] for genome in founders]
    return jb.make_program(genetic_map, traits, settings), dataclasses.replace(
        panel, haplotypes=np.array(bits, np.uint8)
    )


@pytest.fixture(scope="module")
def world():
    settings = jb.Settings(lineages=1, eggs=(8, 8), mating="within_lineage", sexes="alternate")
    return build(settings, WORLD.founders)


def schedule(angles):
    weights = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
    return dataclasses.replace(jb.constant_schedule(2, [1.0, 1.0]), weights=weights)


def simulated(world, angles, seed, replicates):
    return jb.simulate_course(*world, schedule(angles), replicates=replicates, seed=seed, shared_founders=True)


def worth(course):
    return -jnp.log(jnp.exp(-course.gain[:, -1]).mean(-1)).mean()


def test_the_simulation_is_what_is_enumerated(world):
    # Outcomes one by one: with unlinked loci, or one egg fewer, they would have other chances.
    number = 800
    gain = np.asarray(simulated(world, jnp.array(ANGLES), 5, number).gain)[:, -1]

    def misfit(lineage):
        kinds, exact = lineage.outcomes(ANGLES)
        seen = (np.abs(gain[:, None] - kinds) < 1e-4).all(-1).sum(0)
        assert seen.sum() == number
        exact = np.maximum(exact, 1e-12)
        return 2 * (seen * np.log(np.maximum(seen, 1) / (number * exact))).sum(), len(kinds) - 1

    right, freedom = misfit(WORLD)
    assert right < chi2.isf(1e-4, freedom)
    for wrong in ({"recombination": 0.5}, {"each": 3}):
        assert misfit(dataclasses.replace(WORLD, **wrong))[0] > chi2.isf(6e-7, freedom)


@pytest.fixture(scope="module")
def evaluate(world):
    """Every perturbed simulation once, whichever estimator asks."""

    @functools.cache
    def at(angles, seed):
        return float(worth(simulated(world, jnp.array(angles), seed, REPLICATES)))

    return lambda point, seed: at(tuple(np.asarray(point).tolist()), seed)


def draws(estimator, evaluate, control=None, point=ANGLES, sigma=SIGMA, pairs=PAIRS, **options):
    """(draw, parameter): pairs by fours."""
    point, sigma = jnp.array(point, jnp.float32), np.broadcast_to(sigma, 2)
    rows = [estimator(evaluate, point, sigma, 4, seed, control=control, **options) for seed in range(pairs // 4)]
    return np.array(rows, np.float64)


def away(estimates, exact):
    """Standard errors by which the mean of estimates misses, (parameter,)."""
    return np.abs(estimates.mean(0) - exact) / (estimates.std(0, ddof=1) / len(estimates) ** 0.5)


def refutes(estimates, wrong):
    """Whether both parameters together (Hotelling) are as far from a wrong value as one is by 5 standard errors."""
    miss = estimates.mean(0) - wrong
    return len(estimates) * miss @ np.linalg.solve(np.cov(estimates.T), miss) > chi2.isf(5.7e-7, 2)


def likeness():
    return pgpe.linear_control(jnp.array(ANGLES, jnp.float32), jnp.array([-0.45, -0.15]))


@pytest.mark.parametrize("options", [{}, {"control": likeness()}, {"control": likeness(), "fitted": True}])
def test_perturbations_have_the_gradient_of_the_smoothed_objective(evaluate, options):
    exact, _ = WORLD.smoothed_gradient(ANGLES, SIGMA, utility)
    estimates = draws(pgpe.perturbation_gradient, evaluate, **options)
    assert (away(estimates, exact) < 4).all()
    assert refutes(estimates, 0 * exact)  # there is something to be found


MUTANTS = {
    "turned round": ("(sides[0], number)) - float(evaluate(sides[1]", "(sides[1], number)) - float(evaluate(sides[0]"),
    "without the half of a difference": ("halves[pair] = 0.5 *", "halves[pair] ="),
    "without the scale": ("@ noises / spread / pairs", "@ noises / pairs"),
    "scaled twice": ("@ noises / spread / pairs", "@ noises / spread**2 / pairs"),
    "control not put back": ("total += coefficient", "total += 0 * coefficient"),
    "control put back twice": ("total += coefficient", "total += 2 * coefficient"),
}


def mutant(old, new):
    source = inspect.getsource(pgpe)
    assert source.count(old) == 1
    namespace = {}
    exec(compile(source.replace(old, new), "mutant", "exec"), namespace)
    return namespace["perturbation_gradient"]


@pytest.mark.parametrize("name", MUTANTS)
def test_wrong_perturbations_are_told_apart(evaluate, name):
    exact, _ = WORLD.smoothed_gradient(ANGLES, SIGMA, utility)
    control = likeness() if "control" in name else None
    assert refutes(draws(mutant(*MUTANTS[name]), evaluate, control), exact)


def test_both_sides_of_a_pair_share_every_number(world, evaluate):
    # Where nothing changes between the sides of a pair, common numbers leave nothing of it, and others chance.
    point, sigma = np.array([1.3, 1.3]), 0.02
    assert min(np.abs(WORLD.pieces(1.3, 1.0) - 1.3)) > 7 * sigma

    def at(point, seed):
        return float(worth(simulated(world, point, seed, REPLICATES)))

    assert not np.any(pgpe.perturbation_gradient(at, jnp.array(point), np.full(2, sigma), 2, 1))
    apart = mutant("float(evaluate(sides[1], number))", "float(evaluate(sides[1], number + 1))")
    assert np.any(apart(at, jnp.array(point), np.full(2, sigma), 2, 1))


def test_a_coefficient_knows_nothing_of_its_own_pair():
    rng = np.random.default_rng(1)
    control = rng.normal(size=6)
    halves = 0.4 * control + 0.01 * rng.normal(size=6)
    coefficient = pgpe._coefficients(halves, control)
    others = np.delete(halves, 2), np.delete(control, 2)
    known = (others[1] ** 2).mean()  # one more pair with coefficient 1
    assert coefficient[2] == pytest.approx((others[0] @ others[1] + known) / (others[1] @ others[1] + known))
    halves[2] += 100.0
    moved = pgpe._coefficients(halves, control)
    assert moved[2] == pytest.approx(coefficient[2])
    assert (np.abs(np.delete(moved - coefficient, 2)) > 1).all()
    assert pgpe._coefficients(halves[:1], control[:1]) == pytest.approx(1.0)


SIRES, LAID, ROUNDED, SPREAD = (9, 6), 6, (1.5, 5.5), (0.15, 0.15)


def test_numbers_rounded_at_random_have_the_gradient_of_their_enumerated_expectation():
    settings = jb.Settings(lineages=1, eggs=(LAID, LAID), sires=(2, 2), mating="within_lineage", sexes="alternate")
    world = build(settings, (WORLD.founders[0], *SIRES))
    plain = jb.constant_schedule(1, [np.cos(1.2), np.sin(1.2)])

    @functools.cache
    def at(numbers, seed):
        of = dataclasses.replace(plain, males=jnp.array(numbers[:1]), tests=jnp.array(numbers[1:]))
        course = jb.simulate_course(*world, of, replicates=6, seed=seed, shared_founders=True)
        return float(worth(course) + (course.entropy - 0.3 * course.tests).sum(1).mean())

    rows = clutch.table(WORLD, SIRES, LAID, 1.2, lambda gain, entropy: utility(gain) + entropy)
    rows = rows - 0.3 * np.arange(4, LAID + 1)
    exact = clutch.smoothed_gradient(rows, (1, 4), ROUNDED, SPREAD)

    def evaluate(point, seed):
        return at(tuple(np.asarray(point).tolist()), seed)

    estimates = draws(pgpe.perturbation_gradient, evaluate, None, ROUNDED, SPREAD, pairs=100)
    assert (away(estimates, exact) < 4).all()
    # Rounded to the nearest instead: steps at halves, where both numbers stand.
    nearest = clutch.smoothed_gradient(rows, (1, 4), ROUNDED, SPREAD, at_random=False)
    assert refutes(estimates, nearest)
    assert refutes(estimates, -exact)


def test_theory_has_the_gradient_of_its_own_recursion(world):
    # What it maximises is the recursion's final gain; here written down again, and differentiated by differences.
    def value(angles):
        return worth(jb.expected_course(*world, schedule(angles), replicates=1, shared_founders=True))

    exact = lineage_theory.differences(lambda a: utility(lineage_theory.gain_of_theory(WORLD, a)), ANGLES)
    assert np.asarray(jax.grad(value)(jnp.array(ANGLES))) == pytest.approx(exact, rel=1e-4)


def test_costate_has_the_gradient_of_its_own_chain(world):
    # What it differentiates are the theory's steps at the real states, each as strong as selection really was.
    rows = []
    for seed in range(30):
        pairs = simulated_pairs(world, seed)
        if not lineage_theory.varies(WORLD, lineage_theory.state_of(WORLD, *pairs[1]), ANGLES[1]):
            continue
        rows.append(jax.grad(lambda a, seed=seed: worth(simulated(world, a, seed, 1)))(jnp.array(ANGLES)))
        exact = lineage_theory.costate(WORLD, pairs, ANGLES, utility)
        assert np.asarray(rows[-1]) == pytest.approx(exact, rel=2e-4, abs=1e-5)
    expectation, left_out = lineage_theory.expected_costate(WORLD, ANGLES, utility)
    assert left_out < 0.02
    assert (away(np.array(rows, np.float64), expectation) < 4).all()
    theory = lineage_theory.differences(lambda a: utility(lineage_theory.gain_of_theory(WORLD, a)), ANGLES)
    assert refutes(np.array(rows, np.float64), theory)  # strength and real states count


def simulated_pairs(world, seed):
    """Genomes of each generation's parents."""
    pairs = []

    def look(population, families):
        bits = np.asarray(population.haplotypes)[0] @ np.array([2, 1])
        pairs.append(tuple(int(4 * mother + father) for mother, father in bits))

    options = {"replicates": 1, "seed": seed, "shared_founders": True, "on_families": look}
    jb.simulate(*world, schedule(jnp.array(ANGLES)), **options)
    return pairs
