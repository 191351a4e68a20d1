"""A generation as a breeder sees it: the breeder's equation, inbreeding, and results that depend on the seed alone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import small_world

from jaxbreed.clutch import lay
from jaxbreed.generation import Decision, generation
from jaxbreed.kernels import selection_index
from jaxbreed.population import choose_founders
from jaxbreed.program import Settings
from jaxbreed.schedule import Schedule, constant_schedule
from jaxbreed.simulation import _start, simulate
from jaxbreed.testing import make_assay
from jaxbreed.theory import intensity_of_best
from jaxbreed.variance import expected_eggs


def test_breeders_equation_across_families():
    # One round, many replicates, one trait: R = h2 S, with S on phenotypes and h2 the tested animals' own.
    settings = Settings(lineages=20, eggs=(200, 200), scope="across", mating="random")
    program, founders = small_world(settings, founders=40, h2=(0.4,))
    history = simulate(program, founders, constant_schedule(1, (1.0,)), replicates=80, seed=2, shared_founders=True)
    s, r = history["selection_differential"][:, 0, 0], history["response"][:, 0, 0]
    h2 = history["heritability"][:, 0, 0]
    ratio, error = np.mean(r / s - h2), np.std(r / s - h2, ddof=1) / np.sqrt(80)
    assert abs(ratio) < 4.5 * error
    # Mutants: S on genetic values would give R / S = 1; a clutch's own h2 (half the variance) is far off too.
    assert min(abs(np.mean(r / s) - 1), abs(np.mean(r / s) - 0.25)) > 5 * error
    # Intensity: 20 of 2,000 of each sex; sibs alike lower it a little.
    i, e = history["intensity"][:, 0].mean(), history["intensity"][:, 0].std() / np.sqrt(80)
    assert intensity_of_best(20, 2000) - 0.08 < i < intensity_of_best(20, 2000) + 4.5 * e
    accuracy = history["accuracy"][:, 0]
    assert np.abs(accuracy**2 - h2).max() < 4.5 * 2 / np.sqrt(4000)


def test_breeders_equation_within_families():
    # Selection inside full-sib clutches: R = i Vw / sqrt(Vw + VE), Vw the within-family variance of these parents.
    settings = Settings(lineages=12, eggs=(500, 500), scope="within", mating="random", sexes="alternate")
    program, founders = small_world(settings, founders=24, h2=(0.4,))
    history = simulate(program, founders, constant_schedule(1, (1.0,)), replicates=60, seed=3, shared_founders=True)
    within = history["variance_within"][:, 0, 0]
    residual = float(program.traits.residual[0, 0])
    # The mean over families of V / sqrt(V + VE) is less than that of the mean V by under 1 %.
    predicted = intensity_of_best(1, 250) * within / np.sqrt(within + residual)
    r = history["response"][:, 0, 0]
    difference, error = np.mean(r - predicted), np.std(r - predicted, ddof=1) / np.sqrt(60)
    # Burrows is 0.5 % low at one of 250; allow it and the spread of family variances.
    assert abs(difference) < 4.5 * error + 0.015 * predicted.mean()
    total = history["genetic_variance"][:, 0, 0]
    across = intensity_of_best(1, 250) * total / np.sqrt(total + residual)
    assert np.mean(across - r) > 5 * error


def test_opposite_weights_give_opposite_responses():
    settings = Settings(lineages=8, eggs=(300, 300), scope="across")
    program, founders = small_world(settings, founders=16, h2=(0.5, 0.5))
    up = simulate(program, founders, constant_schedule(1, (1.0, 0.0)), replicates=20, seed=4, shared_founders=True)
    down = simulate(program, founders, constant_schedule(1, (-1.0, 0.0)), replicates=20, seed=4, shared_founders=True)
    other = simulate(program, founders, constant_schedule(1, (0.0, 1.0)), replicates=20, seed=4, shared_founders=True)
    assert (up["response"][:, 0, 0] > 0).all()
    assert (down["response"][:, 0, 0] < 0).all()
    assert (other["response"][:, 0, 1] > 0).all()
    assert abs(other["response"][:, 0, 0].mean()) < 0.5 * up["response"][:, 0, 0].mean()
    # The same eggs in all three: only which of them breed differs.
    assert (up["tested_mean"][:, 0] == down["tested_mean"][:, 0]).all()


@pytest.fixture(scope="module")
def base_run():
    settings = Settings(lineages=4, eggs=(300, 600), sires=(1, 3), paternity=0.5, survival=0.6, tested=200)
    program, founders = small_world(settings, founders=16)
    history = simulate(program, founders, constant_schedule(3, (1.0, 0.5)), replicates=3, seed=7, shared_founders=True)
    return program, founders, history


def same(a, b, replicates=slice(None)):
    return all(np.array_equal(a[name][replicates], b[name][replicates], equal_nan=True) for name in a.data)


def test_counts(base_run):
    _, _, history = base_run
    eggs, survivors, tests = (history[name][:, :3] for name in ("eggs", "survivors", "tests"))
    assert (eggs >= 4 * 300).all()
    assert (eggs <= 4 * 600).all()
    assert (np.abs(survivors - 0.6 * eggs) < 5 * np.sqrt(0.24 * eggs)).all()
    # 200 of each clutch at most; a family short of survivors tests fewer.
    assert (tests <= 4 * 200).all()
    assert (tests > 4 * 160).all()


def test_seed_decides_everything(base_run):
    program, founders, history = base_run
    schedule = constant_schedule(3, (1.0, 0.5))
    again = simulate(program, founders, schedule, replicates=3, seed=7, shared_founders=True)
    assert same(history, again)
    assert (np.asarray(history.parents.haplotypes) == np.asarray(again.parents.haplotypes)).all()
    other = simulate(program, founders, schedule, replicates=3, seed=8, shared_founders=True)
    assert not same(history, other)


def test_a_replicate_is_the_same_alone_and_among_others(base_run):
    program, founders, history = base_run
    two = simulate(program, founders, constant_schedule(3, (1.0, 0.5)), replicates=2, seed=7, shared_founders=True)
    for name in two.data:
        assert np.allclose(two[name], history[name][:2], rtol=1e-5, atol=1e-5, equal_nan=True), name
    assert (np.asarray(two.parents.haplotypes) == np.asarray(history.parents.haplotypes[:2])).all()


def test_devices_do_not_matter(base_run, monkeypatch):
    program, founders, history = base_run
    assert jax.device_count() == 2
    monkeypatch.setattr(jax, "local_devices", lambda: jax.devices()[:1])
    alone = simulate(program, founders, constant_schedule(3, (1.0, 0.5)), replicates=3, seed=7, shared_founders=True)
    assert same(history, alone)


def test_lanes_do_not_matter(base_run, monkeypatch):
    program, founders, history = base_run
    monkeypatch.setattr("jaxbreed.program.LANES", 64)
    assert program.lanes == 64
    narrow = simulate(program, founders, constant_schedule(3, (1.0, 0.5)), replicates=3, seed=7, shared_founders=True)
    assert same(history, narrow)


def test_parents_phenotypes_and_genomes_agree(base_run):
    program, _, history = base_run
    parents = history.parents
    values = np.asarray(parents.haplotypes)[..., np.asarray(program.traits.qtl)].sum(-2)
    genetic = np.asarray(program.traits.intercept) + values @ np.asarray(program.traits.effect).T
    assert (genetic == np.asarray(parents.genetic)).all()
    # They were chosen on their phenotypes, so their environments are better than average too.
    deviation = (np.asarray(parents.phenotype) - np.asarray(parents.genetic)) * 2.0**-program.traits.scale_bits
    sd = np.sqrt(np.diag(np.asarray(program.traits.residual)))
    assert deviation.mean((0, 1))[0] > 1.0 * sd[0]


def test_the_swept_egg_is_the_hatched_animal(base_run):
    # The index that chose an animal in the sweep is that of the genome and environment it is raised with, to the bit.
    program, founders, _ = base_run
    settings, replicates = program.settings, 3
    numbers = choose_founders(founders.individuals, settings, replicates, shared=True, seed=7)
    population = _start(program, founders.haplotypes[numbers], numbers, jnp.array([7, 0], jnp.uint32))
    families = lay(program, population, jax.random.split(jax.random.key(1), replicates))
    decision = Decision(jnp.array([1.0, 0.5]), jnp.float32(0), jnp.int32(9))
    young, round_ = generation(
        program, decision, population, families, jax.random.split(jax.random.key(2), replicates), kept=3
    )
    assay = make_assay(program, decision.weights, 3)
    index = jax.vmap(lambda p: selection_index(p.T, assay.weight))(young.phenotype)
    best = np.asarray(round_.tested.rank) - 2**30
    for r in range(replicates):
        for lineage in range(settings.lineages):
            assert int(index[r, lineage]) == best[r, lineage, :, 0].max()
            assert int(young.mother[r, lineage]) == lineage
        chosen = np.sort(np.asarray(index[r, settings.lineages :]))
        expected = np.sort(np.concatenate([np.sort(best[r, k, :, 1].ravel())[-3:] for k in range(settings.lineages)]))
        assert (chosen == expected).all()
    # Every breeder has a name of its own, and dams' sires are never taken for dams.
    assert (
        len({tuple(n) for n in np.asarray(young.name).reshape(-1, 2).tolist()})
        == young.name.shape[0] * young.name.shape[1]
    )
    assert (np.asarray(young.mother) < settings.lineages).all()
    assert (np.asarray(young.father) >= settings.lineages).all()


def test_inbreeding_is_the_kinship_of_mates_and_matches_homozygosity():
    # Full-sib mating: F = 0, .25, .375; heterozygosity of neutral loci falls with it.
    settings = Settings(lineages=6, eggs=(60, 60), mating="within_lineage")
    program, founders = small_world(settings, founders=12 * 40, qtl=4, h2=(0.05,), loci=600, chromosomes=30)
    history = simulate(program, founders, constant_schedule(3, (1.0,)), replicates=40, seed=1)
    # Generation 0 eggs are outbred, their sibs mate to give generation 1 with F = 1/4.
    assert history["inbreeding"].mean(0) == pytest.approx([0, 0.25, 0.375, 0.5])
    parents = np.asarray(history.parents.haplotypes)  # animals of generation 2, F = .375
    het = (parents[:, :, 0] != parents[:, :, 1]).mean((1, 2))
    error = het.std(ddof=1) / np.sqrt(40)
    assert abs(het.mean() - 0.5 * (1 - 0.375)) < 4.5 * error
    assert abs(het.mean() - 0.5 * (1 - 0.25)) > 5 * error


def test_a_schedule_row_acts_in_its_own_generation():
    settings = Settings(lineages=6, eggs=(300, 300), scope="across")
    program, founders = small_world(settings, founders=12, h2=(0.5, 0.5))
    constant = constant_schedule(2, (1.0, 0.0))
    switched = Schedule(constant.weights.at[1].set(np.array([0.0, 1.0])), constant.fraction, constant.males)
    runs = [simulate(program, founders, s, replicates=8, seed=1, shared_founders=True) for s in (constant, switched)]
    assert (runs[0]["response"][:, 0] == runs[1]["response"][:, 0]).all()
    assert (runs[0]["response"][:, 1, 0] > runs[1]["response"][:, 1, 0]).mean() > 0.8
    assert (runs[0]["response"][:, 1, 1] < runs[1]["response"][:, 1, 1]).mean() > 0.8


@pytest.mark.parametrize(("scope", "mating"), [("within", "within_lineage"), ("across", "random")])
def test_a_male_in_several_places_sires_one_family(scope, mating):
    # Eggs are named by dam, sire and number: two families of one pair would be the same eggs twice.
    settings = Settings(lineages=4, eggs=(200, 200), sires=(4, 4), paternity=0.7, scope=scope, mating=mating)
    program, founders = small_world(settings, founders=20)
    schedule = constant_schedule(2, (1.0, 0.5), males=1)
    history = simulate(program, founders, schedule, replicates=6, seed=1, shared_founders=True)
    assert (history["eggs"] == 800).all()
    parents = history.parents
    dams = np.asarray(parents.name)[:, :4]
    assert all(len({tuple(name) for name in row.tolist()}) == 4 for row in dams)
    key_lay = jax.random.split(jax.random.key(0), 6)
    families = lay(program, parents, key_lay)
    eggs, keys = np.asarray(families.eggs), np.asarray(families.key)
    assert (eggs.sum(2) == 200).all()
    for r in range(6):
        used = [tuple(k) for k in keys[r][eggs[r] > 0].tolist()]
        assert len(used) == len(set(used))


def test_many_large_clutches_do_not_overflow():
    settings = Settings(lineages=30, eggs=(10**8, 10**8))
    program, founders = small_world(settings, founders=60, h2=(0.4,))
    haplotypes = jnp.asarray(founders.haplotypes[None])
    few, many = (expected_eggs(program, haplotypes, jnp.full((1, 30, 1), n, jnp.int32)) for n in (10, 10**8))
    assert np.asarray(many.within) == pytest.approx(np.asarray(few.within), rel=1e-5)
    assert np.asarray(many.mean) == pytest.approx(np.asarray(few.mean), abs=1e-5)


def test_both_words_of_the_seed_count():
    settings = Settings(lineages=4, eggs=(100, 900))
    program, founders = small_world(settings, founders=8)
    schedule = constant_schedule(1, (1.0, 0.5))
    runs = [simulate(program, founders, schedule, seed=s, shared_founders=True) for s in (1, 1 + 2**32)]
    assert runs[0]["eggs"][0, 0] != runs[1]["eggs"][0, 0]


def test_dying_out_says_what_to_do():
    settings = Settings(lineages=2, eggs=(40, 40), survival=0.1)
    program, founders = small_world(settings, founders=4, h2=(0.4,))
    with pytest.raises(
        RuntimeError, match=r"replicate \d+ died out in generation \d+: .* raise survival, eggs or tested"
    ):
        simulate(program, founders, constant_schedule(60, (1.0,)), replicates=20, seed=1, shared_founders=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eggs": (-5, 10)}, r"eggs is \(-5, 10\); it must be two numbers from 1"),
        ({"survival": 1.5}, "survival is 1.5; it must be above 0 and at most 1"),
        ({"sires": (3, 2)}, r"sires is \(3, 2\)"),
        ({"sires": (1, 60)}, "1 females and 60 males are to be selected within lineages, but the smallest clutch"),
        (
            {"scope": "across", "mating": "within_lineage"},
            'mating is within_lineage; it must be used with scope = "within"',
        ),
        ({"quota": 0}, "quota is 0"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(Settings(lineages=4, eggs=(100, 100)), **change)


def test_bad_schedules_and_founders_are_named():
    with pytest.raises(ValueError, match=r"weights is \[0\.0, 0\.0\]; at least one trait"):
        constant_schedule(3, (0.0, 0.0))
    with pytest.raises(ValueError, match="fraction is 2"):
        constant_schedule(3, (1.0,), fraction=2)
    settings = Settings(lineages=4, eggs=(100, 100))
    program, founders = small_world(settings, founders=8)
    with pytest.raises(ValueError, match="there are 8 founders; 24 are needed"):
        simulate(program, founders, constant_schedule(1, (1.0, 0.0)), replicates=3)
    gap = constant_schedule(2, (1.0, 0.0))
    gap = dataclasses.replace(gap, weights=gap.weights.at[1].set(0.0))
    with pytest.raises(ValueError, match="the schedule weighs no trait in generation 1"):
        simulate(program, founders, gap)
    with pytest.raises(ValueError, match="the schedule weighs 1 traits; the programme has 2"):
        simulate(program, founders, constant_schedule(1, (1.0,)))
