"""Gradients with respect to the schedule: the theory against finite differences of itself, and of simulations."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxbreed as jb
import jaxbreed.units as units_module
from jaxbreed import covariance
from jaxbreed.battery import Battery
from jaxbreed.covariance import of_traits
from jaxbreed.levers import levers_of, whole_numbers
from jaxbreed.moments import Measured, value
from jaxbreed.trajectory import follow
from jaxbreed.units import build_units, moments_of

GENERATIONS, REPLICATES = 3, 12


def programme(lineages=4, eggs=240, h2=(0.5, 0.3), **changes):
    genetic_map = jb.GeneticMap.uniform(chromosomes=6, loci=48, length_morgan=0.5)
    settings = jb.Settings(lineages=lineages, eggs=(eggs, eggs), **changes)
    founders = jb.Founders.from_frequencies(np.full(48, 0.5), genetic_map, settings.animals * REPLICATES, seed=2)
    correlation = np.array([[1.0, -0.3], [-0.3, 1.0]])
    traits = jb.additive_traits(founders.haplotypes, ["a", "b"], list(h2), correlation, qtl=48)
    return jb.make_program(genetic_map, traits, settings), founders


@pytest.fixture(scope="module")
def small():
    return programme(sires=(2, 2), scope="across")


def schedule(angle, **changes):
    plain = jb.constant_schedule(GENERATIONS, [1.0, 1.0])
    weights = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
    return dataclasses.replace(plain, weights=weights, **changes)


def of_each(units, part):
    """Covariances of traits, (replicate, trait, trait)."""
    with jax.enable_x64(True):
        return np.asarray(jax.vmap(lambda one: of_traits(units.world.effect, one))(part))


def soft_minimum(course):
    return -jnp.log(jnp.exp(-course.gain[:, -1]).mean(-1)).mean()


def test_gradients_of_theory_are_its_finite_differences(small):
    program, founders = small

    def value(angle, males, tests, family_weight, fraction):
        plan = schedule(angle, males=males, tests=tests, family_weight=family_weight, fraction=fraction)
        course = jb.expected_course(program, founders, plan, replicates=2, seed=1)
        return (
            soft_minimum(course)
            - 2 * course.inbreeding[:, -1].mean()
            + 0.1 * course.entropy.sum(1).mean()
            + (0.2 * course.variance[:, 1:].sum((1, 2)).mean() + 1e-3 * course.tests.mean())
        )

    rows = jnp.arange(GENERATIONS)
    point = (0.4 + 0.2 * rows, 5.0 + rows, 100.0 + 5 * rows, 0.8 + 0.1 * rows, 0.05 + 0.01 * rows)
    gradient = jax.grad(value, argnums=range(5))(*(x.astype(jnp.float32) for x in point))
    # In double precision, through the same recursion.
    units = build_units(program, founders.frequencies)
    with jax.enable_x64(True):
        start = first_moments(program, founders, units, 2)
        nothing = Measured(np.ones(GENERATIONS), np.full(GENERATIONS, np.nan))
        followed = jax.jit(lambda levers: follow(units.world, start, levers, nothing)[1])

        def exact(point):
            names = ("males", "tests", "family_weight", "fraction")
            plan = schedule(point[0], **dict(zip(names, point[1:], strict=True)))
            levers = levers_of(program, jax.tree.map(np.asarray, plan))
            seen = followed(levers)
            gain = np.asarray(seen.gain)[:, -1]
            return (
                -np.log(np.exp(-gain).mean(-1)).mean()
                - 2 * np.asarray(seen.inbreeding)[:, -1].mean()
                + 0.1 * np.asarray(seen.entropy).sum(1).mean()
                + 0.2 * np.asarray(seen.variance)[:, 1:].sum((1, 2)).mean()
                + 1e-3 * program.settings.lineages * np.asarray(point[2]).mean()
            )

        base = [np.asarray(x, np.float64) for x in point]
        for lever, values in enumerate(base):
            for g in range(GENERATIONS):
                step = 1e-4 * max(1.0, abs(values[g]))
                sides = []
                for sign in (1, -1):
                    moved = [x.copy() for x in base]
                    moved[lever][g] += sign * step
                    sides.append(exact([jnp.asarray(x) for x in moved]))
                difference = (sides[0] - sides[1]) / (2 * step)
                assert gradient[lever][g] == pytest.approx(difference, rel=2e-4, abs=2e-6), (lever, g)


def first_moments(program, founders, units, replicates):
    from jaxbreed.simulation import first_breeders, first_families

    population, _, root = first_breeders(program, founders, replicates, 1, False)
    return moments_of(program, units, population, first_families(program, population, root, jnp.int32(100)))


def test_value_is_that_of_the_simulation(small):
    program, founders = small
    plan = schedule(jnp.full(GENERATIONS, 0.3))
    course = jb.simulate_course(program, founders, plan, replicates=REPLICATES, seed=3)
    history = jb.simulate(program, founders, plan, replicates=REPLICATES, seed=3)
    assert np.allclose(course.gain, history["gain"], atol=1e-6)
    assert np.allclose(course.inbreeding, history["inbreeding"], atol=1e-6)
    # Four dams with a quarter of the eggs each, eight places for sires with an eighth: all parents different.
    assert np.asarray(course.entropy) == pytest.approx(-np.log(0.25 * (1 / 4 + 1 / 8)), abs=0.2)
    assert (np.asarray(course.tests) == np.asarray(course.eggs)).all()
    # One male in every place: half of all genes are his.
    alone = dataclasses.replace(plan, males=jnp.array([8, 1, 8]))
    course = jb.simulate_course(program, founders, alone, replicates=2, seed=3)
    assert np.asarray(course.entropy[:, 1]) == pytest.approx(-np.log(0.25 * (1 / 4 + 1)), abs=1e-5)
    expected = jb.expected_course(program, founders, alone, replicates=2, seed=3)
    assert np.allclose(course.entropy, expected.entropy, atol=1e-5)


@pytest.mark.parametrize("interference", [1.0, 3.0])
def test_covariances_of_units_are_those_of_families(interference):
    # Female and male maps far apart, dominance: the sexes swapped, or a locus linked to the wrong one, would show.
    genetic_map = jb.GeneticMap.uniform(chromosomes=3, loci=30, length_morgan=(2.0, 0.1))
    settings = jb.Settings(lineages=3, eggs=(300, 500), sires=(1, 3), scope="across")
    founders = jb.Founders.from_frequencies(np.full(30, 0.4), genetic_map, settings.animals, seed=4)
    traits = jb.additive_traits(founders.haplotypes, ["a", "b"], [0.5, 0.3], np.eye(2), qtl=30)
    program = jb.make_program(genetic_map, traits, settings, interference=interference)
    units, found = build_units(program, founders.frequencies), []
    history = jb.simulate(
        program,
        founders,
        jb.constant_schedule(2, [1.0, 0.5], males=4),
        seed=3,
        on_families=lambda population, families: found.append(moments_of(program, units, population, families)),
    )
    sd = history.sd_phenotypic
    for g, state in enumerate(found):
        of_traits = {
            name: np.diagonal(of_each(units, getattr(state, name)), axis1=1, axis2=2) * sd**2
            for name in ("between", "mixed", "within")
        }
        assert of_traits["within"] == pytest.approx(history["variance_within"][:, g], rel=1e-5)
        assert of_traits["between"] + of_traits["mixed"] == pytest.approx(history["variance_between"][:, g], rel=1e-4)
        assert 1 - state.neutral[:, 2] - state.neutral[:, 3] == pytest.approx(history["inbreeding"][:, g], abs=1e-6)
        pool = 1 - 0.5 * (state.neutral.sum(1) + state.neutral[:, 3])  # kinship of the gene pool
        assert pool == pytest.approx(history["kinship"][:, g], abs=1e-6)


def test_covariances_by_block_are_those_of_the_whole_matrix():
    rng = np.random.default_rng(6)
    shape, traits = (3, 4), 2
    effect, kept = rng.normal(size=(traits, *shape)), rng.uniform(size=(3, 4, 4))
    values, weights = rng.normal(size=(5, *shape)), np.array([0.7, -0.4])
    flat, of_unit = effect.reshape(traits, -1), weights @ effect.reshape(traits, -1)
    with jax.enable_x64(True):
        whole = jax.tree.map(lambda *x: sum(x), *(covariance.outer(effect, jnp.asarray(x)) for x in values))
        matrix = np.einsum("fk,fl->kl", values.reshape(5, -1), values.reshape(5, -1))
        inside = np.zeros_like(matrix)
        for b in range(3):
            part = slice(4 * b, 4 * b + 4)
            inside[part, part] = kept[b] * matrix[part, part]
        for found, dense in (
            (whole, matrix),
            (covariance.linked(whole, kept), inside),
            (2.5 * whole - whole, 1.5 * matrix),
            (covariance.scaled(whole, jnp.full(shape, 1.3), jnp.full(traits, 1.3)), 1.69 * matrix),
        ):
            index = np.asarray(covariance.toward(effect, found, weights)).reshape(-1)
            assert index == pytest.approx(dense @ of_unit, rel=1e-12)
            assert np.asarray(covariance.of_traits(effect, found)) == pytest.approx(flat @ dense @ flat.T, rel=1e-12)


@pytest.mark.long
def test_more_stretches_change_gradients_little(monkeypatch):
    genetic_map = jb.GeneticMap.uniform(chromosomes=4, loci=300, length_morgan=1.0)
    settings = jb.Settings(lineages=4, eggs=(240, 240), scope="across")
    founders = jb.Founders.from_frequencies(np.full(300, 0.5), genetic_map, settings.animals, seed=2)
    traits = jb.additive_traits(founders.haplotypes, ["a", "b"], [0.5, 0.3], np.eye(2), qtl=280)
    program = jb.make_program(genetic_map, traits, settings)

    def gradient():
        angle, sides = jnp.array([0.2, 0.7, 1.2]), []
        for step in np.concatenate([np.eye(3), -np.eye(3)]) * 0.2:
            course = jb.expected_course(program, founders, schedule(angle + step), seed=1)
            sides.append(float(soft_minimum(course)))
        return np.array(sides[:3]) - np.array(sides[3:])

    coarse = gradient()
    monkeypatch.setattr(units_module, "STRETCHES", 3 * units_module.STRETCHES)
    assert np.linalg.norm(gradient() - coarse) < 0.025 * np.linalg.norm(coarse)  # 0.018


def test_dominance_bends_the_response_as_theory_says():
    # Heterozygotes are the best of a clutch and breed worse than they are. Over three rounds response is 0.63 of theory
    # without third moments, 0.87 (0.02) with them: families differ in variance (0.95), and an index as skewed as this
    # is followed to the first order only.
    genetic_map = jb.GeneticMap.uniform(chromosomes=48, loci=48, length_morgan=0.0)
    settings = jb.Settings(lineages=8, eggs=(480, 480), mating="within_lineage")
    founders = jb.Founders.from_frequencies(np.full(48, 0.5), genetic_map, settings.animals * REPLICATES, seed=1)
    models = [jb.TraitModel(name, h2=0.5, inbreeding_depression=5.0, dominance_sd=0.3) for name in "ab"]
    traits = jb.draw_traits(founders.haplotypes, models, np.array([[1.0, -0.3], [-0.3, 1.0]]), qtl=48, seed=1)
    program, found = jb.make_program(genetic_map, traits, settings), []
    units = build_units(program, founders.frequencies)

    def look(population, families):
        found.append(moments_of(program, units, population, families, found[0].origin if found else None))

    plan = schedule(jnp.full(GENERATIONS, 0.3))
    history = jb.simulate(program, founders, plan, replicates=REPLICATES, seed=3, on_families=look)
    for g, state in enumerate(found):
        with jax.enable_x64(True):
            assert np.asarray(value(units.world, state) - state.origin) == pytest.approx(
                history["gain"][:, g], abs=1e-5
            )
    seeds = range(3, 7)
    strength = [jb.calibrate(program, founders, plan, replicates=REPLICATES, seed=s)[1].strength for s in seeds]
    assert (np.abs(np.mean(strength, axis=0) - 1) < 0.22).all()


def test_drift_costs_what_heterozygotes_exceed():
    # Parents at random: the pool drifts, and with it goes heterozygosity. Taken at expected frequencies it would rise.
    genetic_map = jb.GeneticMap.uniform(chromosomes=48, loci=48, length_morgan=0.0)
    settings = jb.Settings(lineages=4, eggs=(40, 40), sires=(2, 2), scope="across", sexes="alternate")
    founders = jb.Founders.from_frequencies(np.full(48, 0.5), genetic_map, settings.animals * 200, seed=1)
    traits = jb.draw_traits(
        founders.haplotypes, [jb.TraitModel("a", h2=0.5, inbreeding_depression=5.0)], np.eye(1), qtl=48, seed=1
    )
    program = jb.make_program(genetic_map, traits, settings)
    plan = jb.constant_schedule(4, [1.0], fraction=1.0)
    gain = np.asarray(jb.simulate_course(program, founders, plan, replicates=200, seed=3).gain)[:, 1:, 0]
    theory = np.asarray(jb.expected_course(program, founders, plan, replicates=200, seed=3).gain)[:, 1:, 0].mean(0)
    error = gain.std(0, ddof=1) / 200**0.5
    assert gain.mean(0)[-1] < -6 * error[-1]
    assert (np.abs(theory - gain.mean(0)) < 4 * error).all(), (theory, gain.mean(0), error)


def large_effects():
    genetic_map = jb.GeneticMap.uniform(chromosomes=10, loci=300, length_morgan=1.0)
    settings = jb.Settings(lineages=8, eggs=(240, 240), sires=(2, 2), scope="across")
    founders = jb.Founders.from_frequencies(np.full(300, 0.5), genetic_map, settings.animals * 12, seed=1)
    models = [jb.TraitModel(name, h2=0.4) for name in "ab"]
    traits = jb.draw_traits(founders.haplotypes, models, np.eye(2), qtl=300, seed=1)
    program = jb.make_program(genetic_map, traits, settings)
    return program, founders, jb.constant_schedule(4, [1.0, 0.0])


def test_large_effects_take_their_variance_along():
    # Of more loci than are followed one by one. With frequencies as they were, variance would be a fifth too high.
    program, founders, plan = large_effects()
    runs = [jb.simulate_course(program, founders, plan, replicates=12, seed=s) for s in range(4)]
    theory = jb.expected_course(program, founders, plan, replicates=12, seed=5)
    for name, inside in (("variance", 0.07), ("gain", 0.03)):
        drawn = np.concatenate([np.asarray(getattr(run, name))[:, -1] for run in runs])
        found = np.asarray(getattr(theory, name))[:, -1].mean(0)
        error = drawn.std(0, ddof=1) / len(drawn) ** 0.5
        assert (np.abs(found - drawn.mean(0)) < inside * np.abs(drawn.mean(0)) + 3 * error).all(), (
            name,
            found,
            drawn.mean(0),
            error,
        )


@pytest.mark.long
def test_stretches_are_as_single_loci(monkeypatch):
    program, founders, plan = large_effects()
    theory = jb.expected_course(program, founders, plan, replicates=12, seed=5)
    monkeypatch.setattr(units_module, "MOST_LOCI", 300)
    single = jb.expected_course(program, founders, plan, replicates=12, seed=5)
    for name in ("variance", "gain"):
        found, other = (np.asarray(getattr(x, name)).mean(0) for x in (theory, single))
        assert found == pytest.approx(other, rel=0.04, abs=0.002)


def test_gated_errors_bend_the_response_as_theory_says():
    # The wild err most and reach the top: taken for normal, records would have 0.63 of theory's response.
    genetic_map = jb.GeneticMap.uniform(chromosomes=48, loci=48, length_morgan=0.0)
    settings = jb.Settings(lineages=6, eggs=(480, 480), mating="random", stages=(jb.Stage("test", capacity=120),))
    founders = jb.Founders.from_frequencies(np.full(48, 0.5), genetic_map, settings.animals * 24, seed=1)
    models = [jb.TraitModel("a", h2=0.15, repeatability=0.25), jb.TraitModel("b", h2=0.3, repeatability=0.4)]
    traits = jb.draw_traits(founders.haplotypes, models, np.eye(2), qtl=48, seed=1)
    battery = Battery((np.inf, np.inf), ((0.0, 0.5), (0.0, 0.0)), ((0.0, 0.0), (0.0, 0.0)))
    program = jb.make_program(genetic_map, traits, settings, battery=battery)
    plan = jb.constant_schedule(1, [0.8, 0.6])
    strength = [jb.calibrate(program, founders, plan, replicates=24, seed=s)[1].strength[0] for s in range(4)]
    assert 0.8 < np.mean(strength) < 1.25


@pytest.mark.parametrize(
    ("males", "setting"),
    [
        (1, {"mating": "within_lineage", "sires": (2, 2)}),
        (2, {"mating": "within_lineage", "sires": (2, 2)}),
        (3, {"scope": "across", "sires": (2, 2)}),
    ],
)
def test_theory_of_inbreeding_is_that_of_pedigrees(males, setting):
    # No trait is heritable enough to matter: kinship by drift alone. The closed lineage with one male is exact:
    # full sibs after one round, F 1/4 (1/2 + 1/2 + 2 x 3/16) after two.
    program, founders = programme(lineages=4, eggs=60, h2=(0.01, 0.01), **setting)
    plan = dataclasses.replace(jb.constant_schedule(GENERATIONS, [1.0, 1.0]), males=jnp.full(GENERATIONS, males))
    runs = [jb.simulate_course(program, founders, plan, replicates=REPLICATES, seed=seed) for seed in range(8)]
    course = np.concatenate([np.asarray(run.inbreeding) for run in runs])
    expected = np.asarray(jb.expected_course(program, founders, plan, replicates=REPLICATES, seed=1).inbreeding)
    error = course.std(0, ddof=1) / len(course) ** 0.5
    assert (np.abs(course.mean(0) - expected.mean(0)) < 4.5 * error + 0.012).all(), (course.mean(0), expected.mean(0))
    if setting.get("mating") and males == 1:
        assert expected[:, 2] == pytest.approx(0.34375, abs=0.004)


def test_theory_refuses_what_it_does_not_know(small):
    program, founders = small
    limited = jb.constant_schedule(GENERATIONS, [1.0, 1.0], inbreeding_rate=0.05)
    with pytest.raises(ValueError, match=r"inbreeding_rate is 0\.05; the theory knows truncation only"):
        jb.expected_course(program, founders, limited)


@pytest.mark.parametrize(
    "setting",
    [
        {"scope": "across", "sires": (2, 2)},
        pytest.param({"scope": "within", "mating": "random"}, marks=pytest.mark.long),
    ],
)
def test_costate_points_where_the_simulation_climbs(setting):
    program, founders = programme(lineages=8, **setting)
    angle = jnp.array([0.2, 0.7, 1.2])  # turned the wrong way: sensitivities of both signs

    def value(angle, seed):
        return soft_minimum(
            jb.simulate_course(program, founders, schedule(angle), replicates=REPLICATES // 2, seed=seed)
        )

    seeds, reach = range(12), 0.25
    costate = np.mean([jax.grad(value)(angle, seed) for seed in seeds], axis=0)
    differences = np.array(
        [
            [(value(angle.at[g].add(reach), s) - value(angle.at[g].add(-reach), s)) / (2 * reach) for s in seeds]
            for g in range(GENERATIONS)
        ]
    )
    slope, error = differences.mean(1), differences.std(1) / len(seeds) ** 0.5
    cosine = costate @ slope / np.linalg.norm(costate) / np.linalg.norm(slope)
    assert np.linalg.norm(slope) > 8 * error.max()  # there is something to point at
    assert cosine > 0.95
    assert 0.75 < np.linalg.norm(costate) / np.linalg.norm(slope) < 1.35


def test_real_numbers_are_rounded_at_random_without_bias():
    plan = dataclasses.replace(
        jb.constant_schedule(2, [1.0]), males=jnp.array([2.25, 7.0]), tests=jnp.array([10.5, 20.0])
    )
    drawn = [whole_numbers(plan, seed) for seed in range(4000)]
    males, tests = (np.array([getattr(x, name) for x in drawn]) for name in ("males", "tests"))
    assert set(np.unique(males[:, 0])) == {2, 3}
    assert males.mean(0)[0] == pytest.approx(2.25, abs=5 * np.sqrt(0.25 * 0.75 / 4000))
    assert tests.mean(0)[0] == pytest.approx(10.5, abs=5 * 0.5 / np.sqrt(4000))
    assert (males[:, 1] == 7).all()
    assert (tests[:, 1] == 20).all()
    # More is never fewer, with the same seed: differences keep their sign.
    more = dataclasses.replace(plan, males=plan.males + 0.3)
    assert all((np.asarray(whole_numbers(more, s).males) >= males[s]).all() for s in range(200))


def test_a_schedule_that_is_being_compiled_is_refused(small):
    program, founders = small
    with pytest.raises(ValueError, match="without jax"):
        jax.jit(lambda x: jb.expected_course(program, founders, schedule(x)).gain)(jnp.zeros(GENERATIONS))


def test_numbers_of_tests_bind_and_bad_ones_are_refused(small):
    program, founders = small
    plan = dataclasses.replace(schedule(jnp.zeros(GENERATIONS)), tests=jnp.array([50, 240, 100]))
    history = jb.simulate(program, founders, plan, replicates=2, seed=3)
    assert history["tests"][:, :GENERATIONS].tolist() == [[200, 960, 400]] * 2
    with pytest.raises(ValueError, match="tests is 1; it must be at least"):
        jb.simulate(program, founders, dataclasses.replace(plan, tests=jnp.array([50, 1, 9])))
    with pytest.raises(ValueError, match="tests has 2 generations; the schedule has 3"):
        jb.simulate(program, founders, dataclasses.replace(plan, tests=jnp.array([50, 50])))
