"""Genomic prediction in programmes: predictions of eggs are those of their genomes, accuracy, gain, decay."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_dominance import world

from jaxbreed.accuracy import full_sib_accuracy, full_sib_segments, within_family_h2
from jaxbreed.clutch import lay
from jaxbreed.effects import TraitModel
from jaxbreed.genomics import Knowledge, Predictor, genotype, predictor
from jaxbreed.markers import PredictionPlan, choose_markers
from jaxbreed.population import choose_founders
from jaxbreed.program import Settings, make_program
from jaxbreed.schedule import Decision, constant_schedule
from jaxbreed.screening import screen_eggs
from jaxbreed.simulation import _start, simulate
from jaxbreed.stages import Stage
from jaxbreed.staging import run_stages

MODELS = [TraitModel("growth", 0.4), TraitModel("boldness", 0.3, clutch=0.1)]
STAGES = (Stage("test", capacity=150),)
SETTINGS = Settings(
    lineages=3, eggs=(3000, 3000), sires=(1, 1), stages=STAGES, prediction=PredictionPlan(choose="eggs", group="clutch")
)


def genomic(models, settings, *, founders, loci=600, qtl=200, markers=300, **options):
    program, base = world(models, settings_without(settings), founders=founders, loci=loci, qtl=qtl, **options)
    panel = choose_markers(base.haplotypes, markers, taken=np.asarray(program.traits.qtl), seed=1)
    more = {"markers": panel, "frequency": base.frequencies}
    return make_program(base.map, program.traits, settings, **more), base


def settings_without(settings):
    return dataclasses.replace(settings, prediction=None, stages=())


@pytest.fixture(scope="module")
def trained():
    """One generation of two replicates: the eggs are scored by a model of 150 tested sibs a clutch."""
    program, founders = genomic(MODELS, SETTINGS, founders=200)
    numbers = choose_founders(founders.individuals, SETTINGS, 2, shared=False, seed=7)
    population = _start(program, founders.haplotypes[numbers], numbers, jnp.array([7, 0], jnp.uint32))
    families = lay(program, population, jax.random.split(jax.random.key(1), 2))
    decision = Decision(jnp.array([1.0, 0.5]), jnp.float32(0), jnp.int32(9))
    return program, population, families, run_stages(program, decision, population, families, Knowledge(), 5)


def test_the_best_eggs_by_prediction_are_the_best_of_all_genomes(trained):
    # Every egg of a clutch hatched: its predicted index from its markers is what the sweep ranked it by.
    program, population, families, staged = trained
    per_unit = np.array([1.0, 0.5]) / np.asarray(program.traits.sd_phenotypic, float)
    say = predictor(program, staged.knowledge, per_unit)
    drawn, _, scale = screen_eggs(program, say, per_unit, population, families, 3000, None)
    for replicate, lineage in ((0, 2), (1, 0)):
        rank, egg = (np.asarray(x)[replicate, lineage, 0] for x in (drawn.rank, drawn.egg))
        there = rank.ravel() > 0
        eggs = egg.ravel()[there]
        everyone = dataclasses.replace(
            staged.animals,
            replicate=np.full(3000, replicate),
            lineage=np.full(3000, lineage),
            sire=np.zeros(3000, int),
            egg=eggs,
        )
        dosage = genotype(program, population, families, everyone, np.ones(3000, bool))
        index = say(everyone.replicate, dosage)
        assert (rank.ravel()[there] - 2**30) / scale == pytest.approx(index, abs=2e-6 * np.abs(index).max())
        # Parents were chosen from the best five of either sex.
        assert (np.asarray(staged.drawn.egg)[replicate, lineage, 0] == egg[:, :5]).all()
        # The panel has none of the loci with effects.
        assert not np.intersect1d(program.markers.locus, program.traits.qtl).size
    assert staged.scale == scale


def test_another_replicates_model_is_another(trained):
    program, population, families, staged = trained
    per_unit = np.array([1.0, 0.5]) / np.asarray(program.traits.sd_phenotypic, float)
    say = predictor(program, staged.knowledge, per_unit)
    assert say.effect.shape == (2, 300)
    swapped = Predictor(say.effect[::-1], say.intercept[::-1])
    right, wrong = (screen_eggs(program, s, per_unit, population, families, 5, None)[1] for s in (say, swapped))
    assert (right.within_families > 0.45).all()
    assert (wrong.within_families < 0.25).all()


def test_accuracy_within_families_is_as_theory_says():
    # 24 clutches of full sibs, 400 tested in each; every clutch trains its own model.
    plan = PredictionPlan(choose="eggs", group="clutch")
    settings = Settings(lineages=1, eggs=(2000, 2000), stages=(Stage("test", capacity=400),), prediction=plan)
    program, founders = genomic([MODELS[0]], settings, founders=400, loci=1800, qtl=600, markers=1000)
    history = simulate(program, founders, constant_schedule(1, (1.0,)), replicates=24, seed=3)
    # What this family's heritability is worth: its exact variance within.
    within = history["variance_within"][:, 0, 0]
    h2 = within / (within + 1.5)
    lengths = ([1.2] * 6, [0.8] * 6)
    expected = np.array([full_sib_accuracy(400, float(x), *lengths) for x in h2])
    found = history["screen_accuracy_within"][:, 0]
    off = found - expected
    error = off.std(ddof=1) / np.sqrt(24)
    # Normal theory of few large effects: within a few hundredths.
    assert abs(off.mean()) < 4.5 * error + 0.02, (found.mean(), expected.mean(), error)
    # Half the records, or all the variance taken to lie within families, would be seen.
    half = np.array([full_sib_accuracy(200, float(x), *lengths) for x in h2])
    assert (found - half).mean() > 5 * error
    assert full_sib_segments(*lengths) > 10
    assert within_family_h2(0.4) == pytest.approx(0.25)


def test_predictions_beat_records_and_decay_without_retraining():
    # Equal numbers of tests: 40 a clutch. Selection among all eggs by prediction, with and without retraining.
    stages = (Stage("test", capacity=40),)
    base = Settings(lineages=10, eggs=(1000, 1000), scope="across", stages=stages)
    plan = PredictionPlan(choose="eggs", memory=2)
    once = dataclasses.replace(base, prediction=dataclasses.replace(plan, retrain=0))
    every, founders = genomic([MODELS[0]], dataclasses.replace(base, prediction=plan), founders=60)
    never = make_program(founders.map, every.traits, once, markers=every.markers.locus, frequency=founders.frequencies)
    records = make_program(founders.map, every.traits, base)
    schedule = constant_schedule(4, (1.0,))
    runs = [simulate(p, founders, schedule, replicates=3, seed=2) for p in (every, never, records)]
    gain = [run["gain"][:, 4, 0].mean() for run in runs]
    assert gain[0] > gain[2] + 0.3
    accuracy = [run["screen_accuracy"].mean(0)[:4] for run in runs]
    assert accuracy[0][0] == pytest.approx(accuracy[1][0])
    assert accuracy[1][3] < accuracy[1][0] - 0.2
    assert accuracy[1][3] < accuracy[0][3] - 0.1
    assert np.isnan(accuracy[2]).all()


def test_a_screen_before_the_test_uses_the_generation_before():
    stages = (Stage("screen"), Stage("test", capacity=150))
    settings = Settings(lineages=6, eggs=(1500, 1500), scope="across", stages=stages, prediction=PredictionPlan())
    program, founders = world([MODELS[0]], settings_without(settings), founders=24, loci=600, qtl=200)
    # Founders in linkage equilibrium: from one generation to the next only the loci with effects themselves tell.
    program = make_program(
        founders.map, program.traits, settings, markers=program.traits.qtl, frequency=founders.frequencies
    )
    history = simulate(program, founders, constant_schedule(3, (1.0,)), replicates=2, seed=2)
    accuracy = history["screen_accuracy"]
    assert np.isnan(accuracy[:, 0]).all()  # nothing is known yet: a random sample is tested
    assert (accuracy[:, 1:3] > 0.5).all()
    assert (history["entered"][:, :3] == [9000, 900]).all()
    # From then on the tested are better than the eggs they come from.
    ahead = history["tested_mean"][:, :3, 0] - history["trait_mean"][:, :3, 0]
    assert (np.abs(ahead[:, 0]) < 0.3).all()
    assert (ahead[:, 1:] > 0.5).all()


def test_the_dead_do_not_breed_where_all_eggs_may():
    # Every egg of a clutch is followed and half of them die in the test: parents are the best predicted of the others.
    stages = (Stage("test", capacity=200, survival=0.5),)
    settings = Settings(lineages=3, eggs=(200, 200), stages=stages, prediction=PredictionPlan(choose="eggs"))
    program, founders = genomic([MODELS[0]], settings, founders=12, loci=120, qtl=40, markers=60)
    numbers = choose_founders(founders.individuals, settings, 2, shared=True, seed=7)
    population = _start(program, founders.haplotypes[numbers], numbers, jnp.array([7, 0], jnp.uint32))
    families = lay(program, population, jax.random.split(jax.random.key(1), 2))
    decision = Decision(jnp.array([1.0]), jnp.float32(0), jnp.int32(9))
    staged = run_stages(program, decision, population, families, Knowledge(), 5)
    animals = staged.animals
    assert (animals.sessions > 0).tolist() == (animals.luck[0] < 0.5).tolist()
    say = predictor(program, staged.knowledge, 1 / np.asarray(program.traits.sd_phenotypic, float))
    everyone = np.ones(animals.egg.size, bool)
    index = say(animals.replicate, genotype(program, population, families, animals, everyone))
    for r, lineage, sex in np.ndindex(2, 3, 2):
        here = (animals.replicate == r) & (animals.lineage == lineage) & (animals.sex == sex)
        best = [animals.egg[rows][np.argsort(-index[rows])[:5]] for rows in (here & animals.alive, here)]
        found = np.asarray(staged.drawn.egg)[r, lineage, 0, sex]
        assert (found == best[0]).all()
        assert not np.isin(found, animals.egg[here & ~animals.alive]).any()
        assert (best[0] != best[1]).any()  # with the dead others would breed


@pytest.mark.parametrize("choose", ["tested", "eggs"])
def test_without_a_model_a_replicate_has_died_out(choose):
    stages = (Stage("rear", capacity=40, survival=0.9), Stage("test", capacity=6, survival=0.5))
    plan = PredictionPlan(choose=choose)
    settings = Settings(lineages=1, eggs=(200, 200), stages=stages, prediction=plan)
    program, founders = genomic([MODELS[0]], settings, founders=60, loci=120, qtl=40, markers=60)
    schedule = constant_schedule(1, (1.0,))
    # About one in nine replicates has no more than one record. Of several, all of one sex, none is lost to all eggs.
    few = "[01]" if choose == "eggs" else "[0-6]"
    with pytest.raises(
        RuntimeError, match=rf"replicate \d+ died out in generation 0: its poorest clutch left {few} te"
    ):
        simulate(program, founders, schedule, replicates=30, seed=1)
    if choose == "eggs":  # nobody at all is left of any replicate
        lethal = dataclasses.replace(settings, stages=(Stage("test", capacity=6, survival=1e-9),))
        program = dataclasses.replace(program, settings=lethal, stage_noise=program.stage_noise[1:])
        with pytest.raises(
            RuntimeError, match="replicate 0 died out in generation 0: its poorest clutch left 0 tested"
        ):
            simulate(program, founders, schedule, replicates=2, seed=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"choose": "all"}, 'choose is all; it must be "tested" or "eggs"'),
        ({"training": 5}, "training is 5; it must be from 10 to 20,000 animals"),
        ({"memory": 0}, "memory is 0; it must be at least 1"),
        ({"rarity": 2.0}, "rarity is 2; it must be from 0 to 1"),
    ],
)
def test_bad_plans_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        PredictionPlan(**change)


def test_what_prediction_needs():
    with pytest.raises(ValueError, match="prediction needs stages, at least one of them a test"):
        Settings(lineages=3, eggs=(100, 100), prediction=PredictionPlan())
    with pytest.raises(ValueError, match=r"stages.1.accuracy is left out; a screen without one needs prediction"):
        Settings(lineages=3, eggs=(100, 100), stages=(Stage("screen"), Stage("test", capacity=20)))
    program, founders = world(MODELS, settings_without(SETTINGS), founders=12)
    with pytest.raises(ValueError, match="markers and frequency are left out; prediction needs both"):
        make_program(founders.map, program.traits, SETTINGS)
    with pytest.raises(ValueError, match="combine is worst; with prediction it must be sum"):
        dataclasses.replace(SETTINGS, combine="worst")
    program, founders = genomic(MODELS, SETTINGS, founders=12)
    with pytest.raises(ValueError, match="family_weight is 3; it must be left out where prediction chooses among all"):
        simulate(program, founders, constant_schedule(2, (1.0, 0.5), family_weight=3.0))
    with pytest.raises(ValueError, match="markers is 900; it must be from 1 to"):
        choose_markers(founders.haplotypes, 900, taken=np.asarray(program.traits.qtl), seed=1)
