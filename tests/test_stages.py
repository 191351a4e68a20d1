"""Stages: the same animals as without, who enters and lives, two-stage selection, reliability, ceilings, company."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_clutch_effects import founded
from test_dominance import world

from jaxbreed.battery import Battery, error_scale, group_means, performance
from jaxbreed.candidates import Candidates
from jaxbreed.clutch import lay
from jaxbreed.effects import TraitModel
from jaxbreed.genomics import Knowledge
from jaxbreed.program import Settings, make_program
from jaxbreed.schedule import Decision, constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.stages import Stage
from jaxbreed.staging import admit, conduct, run_stages
from jaxbreed.twostage import two_stage_superiority
from jaxbreed.variance import expected_eggs_jit

MODELS = [TraitModel("growth", 0.3, repeatability=0.5), TraitModel("tameness", 0.4, repeatability=0.6)]


def staged(program, founders, replicates=1, weights=(1.0, 0.5), kept=3):
    population = founded(program, founders, replicates)
    families = lay(program, population, jax.random.split(jax.random.key(1), replicates))
    decision = Decision(jnp.asarray(weights), jnp.float32(0), jnp.int32(9))
    result = run_stages(program, decision, population, families, Knowledge(), kept)
    return result, expected_eggs_jit(program, population.haplotypes, families.eggs), population


def test_one_test_of_a_sample_is_what_the_sweep_does():
    # Followed one by one, the same animals are tested with the same results, and the same ones breed.
    models = [TraitModel("growth", 0.4, clutch=0.1, dominance_sd=0.2), TraitModel("boldness", 0.3)]
    settings = Settings(lineages=5, eggs=(500, 700), sires=(1, 3), survival=0.6, tested=150, scope="across")
    program, founders = world(models, settings, founders=20)
    by_stage = dataclasses.replace(settings, tested=None, stages=(Stage("test", capacity=150),))
    other = make_program(founders.map, program.traits, by_stage)
    schedule = constant_schedule(3, (1.0, 0.5))
    one, two = (simulate(p, founders, schedule, seed=4) for p in (program, other))
    assert (np.asarray(one.parents.haplotypes) == np.asarray(two.parents.haplotypes)).all()
    for name in one.data:
        if name in ("entered", "screen_accuracy", "screen_accuracy_within"):
            continue
        # The sweep sums in units of 2**-9 SD.
        assert two[name] == pytest.approx(one[name], rel=2e-4, abs=1e-4, nan_ok=True), name
    assert (two["entered"][:, :3, 0] == 750).all()
    # Not so if another egg's error were taken: another seed breeds others.
    third = simulate(other, founders, schedule, seed=5)
    assert (np.asarray(one.parents.haplotypes) != np.asarray(third.parents.haplotypes)).any()


STAGES = (
    Stage("rear", capacity=400, survival=0.7),
    Stage("test", capacity=201),
    Stage("test", capacity=40, sessions=3),
)


@pytest.fixture(scope="module")
def followed():
    settings = Settings(lineages=6, eggs=(2000, 2000), sires=(2, 2), stages=STAGES)
    program, founders = world(MODELS, settings, founders=400)
    return program, staged(program, founders)[0]


def afresh(animals, rows=slice(None)):
    """The same animals as they were before any test."""
    fields = {field.name: getattr(animals, field.name) for field in dataclasses.fields(animals)}
    fields |= {"sessions": np.zeros_like(animals.sessions), "record": np.full_like(animals.record, np.nan)}
    part = {name: x[:, rows] if name in ("error", "luck") else x[rows] for name, x in fields.items()}
    return Candidates(**{name: x.copy() for name, x in part.items()})


def test_who_enters_and_who_lives(followed):
    program, result = followed
    animals = result.animals
    assert (result.entered == [[6 * 400, 6 * 201, 6 * 40]]).all()
    tested = animals.sessions > 0
    assert (np.bincount(animals.lineage[tested], minlength=6) == 201).all()
    assert abs((animals.luck[0] < 0.7).sum() - 0.7 * 2400) < 5 * np.sqrt(2400 * 0.21)
    assert (animals.luck[0][tested] < 0.7).all()
    final = animals.sessions == 4
    # They are the best by the first test of their sex and clutch.
    first = (animals.lasting + animals.error[1]) @ (
        np.array([1.0, 0.5]) / np.asarray(program.traits.sd_phenotypic, float)
    )
    for lineage in range(6):
        for sex in range(2):
            here = (animals.lineage == lineage) & (animals.sex == sex)
            assert (here & final).sum() == 20
            assert first[here & final].min() >= first[here & tested & ~final].max()
    # Half of either sex, and one more female where the room is odd.
    assert (np.bincount(animals.lineage[tested & (animals.sex == 0)]) == 101).all()
    # The record is the mean of all four sessions.
    record = (animals.lasting + animals.error[1] + 3 * (animals.lasting + animals.error[2] / np.sqrt(3))) / 4
    assert animals.record[final] == pytest.approx(record[final])


def test_room_that_one_sex_leaves_goes_to_the_other(followed):
    animals = afresh(followed[1].animals)
    animals.alive = (animals.sex == 0) | (np.arange(animals.sex.size) % 71 == 0)
    enters = admit(animals, 16)
    for lineage in range(6):
        here = animals.alive & (animals.lineage == lineage)
        males = (here & (animals.sex == 1)).sum()
        assert (enters & here).sum() == 16
        assert (enters & here & (animals.sex == 1)).sum() == min(8, males) < 8


def test_two_stages_respond_as_the_bivariate_normal_says():
    # V23: 12 clutches of 20,000, of which 10 % go on to a second test of 4 sessions and 10 % of these are chosen.
    stages = (Stage("test", capacity=20_000), Stage("test", capacity=2_000, sessions=4))
    settings = Settings(lineages=12, eggs=(20_000, 20_000), stages=stages)
    program, founders = world([MODELS[0]], settings, founders=400, loci=2000, qtl=1500)
    result, _, population = staged(program, founders, weights=(1.0,))
    animals, session = result.animals, 0.5 / 0.3
    gained = np.zeros((12, 4))
    for lineage in range(12):
        here = np.flatnonzero((animals.lineage == lineage) & (animals.sessions == 5))
        best = here[np.argsort(-animals.score[here])[:200]]
        clutch = animals.lineage == lineage
        eggs = jnp.zeros((1, 12, 1), jnp.int32).at[0, lineage].set(1)
        within = float(expected_eggs_jit(program, population.haplotypes, eggs).within[0, 0, 0])
        lasting = within + 0.2 / 0.3  # permanent environment: 0.5 - 0.3 of the phenotypic variance 1 / 0.3
        first, both = np.sqrt(lasting + session), np.sqrt(lasting + session / 5)
        correlation = (lasting + session / 5) / (first * both)
        predicted = two_stage_superiority(0.1, 0.1, correlation, (within / first, within / both))
        mean = animals.genetic[best, 0].mean() - animals.genetic[clutch, 0].mean()
        apart = two_stage_superiority(0.1, 0.1, 0.0, (within / first, within / both))
        gained[lineage] = mean, predicted, 2.665 * within / first, apart
    off = gained[:, 0] - gained[:, 1]
    error = off.std(ddof=1) / np.sqrt(12)
    assert abs(off.mean()) < 4.5 * error, (gained.mean(0), error)
    # One stage of 1 % on the first test alone would gain less, two tests that have nothing in common more.
    assert (gained[:, 1] - gained[:, 2]).mean() > 5 * error
    assert (gained[:, 3] - gained[:, 1]).mean() > 5 * error


def test_a_screen_of_stated_accuracy_has_it():
    stages = (Stage("screen", accuracy=0.6), Stage("test", capacity=200))
    settings = Settings(lineages=10, eggs=(20_000, 20_000), stages=stages)
    program, founders = world(MODELS, settings, founders=400, loci=1000, qtl=800, correlation=0.3)
    result, expected, _ = staged(program, founders)
    total = np.asarray(expected.within + expected.between)[0]
    per_unit = np.array([1.0, 0.5]) / np.asarray(program.traits.sd_phenotypic, float)
    genetic, founder = per_unit @ total @ per_unit, per_unit @ np.asarray(program.traits.additive) @ per_unit
    accuracy = np.sqrt(genetic / (genetic + founder * (1 / 0.36 - 1)))
    assert result.entered[0, 0] == 200_000
    assert abs(result.screen.overall[0] - accuracy) < 5 * (1 - accuracy**2) / np.sqrt(200_000)
    assert abs(accuracy - 0.6) < 0.05
    # The best of 20,000 by the screen, 1 %, are better by i r SD of genetic values, and their tests err on their own.
    animals = result.animals
    index = animals.genetic @ per_unit
    mean = float(np.asarray(expected.mean)[0] @ per_unit)
    within = per_unit @ np.asarray(expected.within)[0] @ per_unit
    gained = 2.665 * within / np.sqrt(within + founder * (1 / 0.36 - 1))
    assert index.mean() - mean == pytest.approx(gained, rel=0.1)
    own = animals.error[1] @ per_unit
    screen = animals.error[0] @ per_unit
    assert screen.mean() > 1.0 * np.sqrt(founder)  # selected on its own luck too
    assert abs(own.mean()) < 5 * own.std() / np.sqrt(own.size)


def battery(**options):
    none = ((0.0, 0.0), (0.0, 0.0))
    return Battery(**({"ceiling": (np.inf, np.inf), "gating": none, "social": none} | options))


def test_tameness_gates_reliability_and_keeps_it_as_stated_among_founders(followed):
    program, result = followed
    gated = dataclasses.replace(program, battery=battery(gating=((0.0, 0.4), (0.0, 0.0))))
    animals = afresh(result.animals)
    conduct(gated, animals, STAGES[1], 1, animals.alive)
    sd = np.asarray(program.traits.sd_phenotypic, float)
    tested = animals.sessions > 0
    tame = animals.lasting[tested, 1] / sd[1]
    error = (animals.record - animals.lasting)[tested]
    assert error[:, 1] == pytest.approx(animals.error[1, tested, 1])
    # ln of the factor falls by 0.4 with every SD of tameness, from minus 0.4^2 x 0.6 at the founders' mean.
    factor = np.log(error[:, 0] / animals.error[1, tested, 0])
    assert factor == pytest.approx(-0.4 * tame - 0.16 * 0.6, abs=1e-6)


def test_error_scale_has_mean_square_one():
    rng = np.random.default_rng(0)
    tame = rng.normal(0, np.sqrt([0.5, 0.6]), (400_000, 2))
    scale = error_scale(tame, np.array([0.5, 0.6]), np.array([[0.0, 0.5], [0.2, 0.0]]))
    assert (scale**2).mean(0) == pytest.approx([1, 1], rel=0.01)


def test_performance_levels_off_at_the_ceiling():
    x = np.array([[-3.0], [0.0], [1.0], [4.0], [40.0]])
    shown = performance(x, np.array([4.0]))[:, 0]
    assert shown[-1] == pytest.approx(4.0, abs=1e-9)
    assert shown[:2] == pytest.approx([-3, 0], abs=0.02)
    assert (np.diff(shown) > 0).all()
    assert 0.5 < shown[2] < 1.0
    assert (performance(x, np.array([np.inf])) == x).all()
    # Selected far, genes go on and performance does not.
    settings = Settings(lineages=6, eggs=(400, 400), stages=(Stage("test", capacity=400),))
    program, founders = world([MODELS[0]], settings, founders=12)
    limited = Battery(ceiling=(0.8,), gating=((0.0,),), social=((0.0,),))
    capped = make_program(founders.map, program.traits, settings, battery=limited)
    schedule = constant_schedule(8, (1.0,))
    free, under = (simulate(p, founders, schedule, seed=1) for p in (program, capped))
    sd = float(program.traits.sd_phenotypic[0])
    assert (free["performance"][:, :8] == free["tested_mean"][:, :8]).all()
    assert (under["performance"][:, 7] < 0.8 * sd).all()
    assert (under["gain"][:, 8] > 0.8).all()
    assert (free["gain"][:, 8] > under["gain"][:, 8] + 0.3).all()


def test_company_changes_records(followed):
    program, result = followed
    social = dataclasses.replace(program, battery=battery(social=((0.0, 0.3), (0.0, 0.0)), group=5))
    chosen = np.concatenate([np.flatnonzero(result.animals.lineage == lineage)[:50] for lineage in (0, 3)])
    animals = afresh(result.animals, chosen)
    conduct(social, animals, STAGES[1], 1, np.ones(100, bool))
    sd = np.asarray(program.traits.sd_phenotypic, float)
    tame = animals.lasting[:, 1] / sd[1]
    added = (animals.record - animals.lasting - animals.error[1]) / sd
    assert added[:, 1] == pytest.approx(np.zeros(100), abs=1e-9)
    for start in range(0, 100, 5):  # 50 a clutch, five by five
        mates = tame[start : start + 5]
        assert added[start : start + 5, 0] == pytest.approx(0.3 * (mates.sum() - mates) / 4, abs=1e-9)
    assert (group_means(np.ones((1, 2)), np.array([0])) == 0).all()  # nobody else there


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ((Stage("rear", capacity=50),), 'stages measure nothing; at least one must have kind "screen" or "test"'),
        ((Stage("test"),), "stages.1.capacity is left out; a first stage that is no screen must say"),
        ((Stage("screen", accuracy=0.5, capacity=9),), "stages.1.capacity is 9; it must be left out"),
        ((Stage("screen", accuracy=0.5, survival=0.5),), "stages.1.survival is 0.5; it must be left out"),
        ((Stage("screen", accuracy=0.5), Stage("test")), "stages.2.capacity is left out; it must say how many"),
        ((Stage("test", capacity=50), Stage("test", capacity=60)), "stages.2.capacity is 60; it must be at most 50"),
        ((Stage("test", capacity=4),), "smallest clutch leaves about 2 tested animals of each sex"),
        ((Stage("test", capacity=40), Stage("test", capacity=20, survival=0.2)), "leaves about 2 tested animals"),
    ],
)
def test_stages_that_cannot_follow_each_other(stages, message):
    with pytest.raises(ValueError, match=message):
        Settings(lineages=2, eggs=(100, 100), sires=(3, 3), stages=stages)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "play"}, 'kind is play; it must be "rear", "screen" or "test"'),
        ({"capacity": 1}, "capacity is 1; it must be from 2 to 100,000, or left out"),
        ({"survival": 0.0}, "survival is 0; it must be above 0 and at most 1"),
        ({"sessions": 0}, "sessions is 0; it must be at least 1"),
        ({"kind": "rear", "sessions": 2}, 'sessions is 2; it must be left out unless kind is "test"'),
        ({"accuracy": 0.4}, 'accuracy is 0.4; it must be left out unless kind is "screen"'),
        ({"kind": "screen", "accuracy": 1.2}, "accuracy is 1.2; it must be above 0 and at most 1"),
    ],
)
def test_bad_stages_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        Stage(**({"kind": "test"} | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ceiling": (0.0, 1.0)}, "ceiling is 0; it must be above 0 founder phenotypic SD"),
        ({"gating": ((0.0, 3.0), (0.0, 0.0))}, "gating is 3; it must be from 0 to 2"),
        ({"social": ((0.0,),)}, "social is .* it must be a table with a row and a column for each of 2 traits"),
        ({"group": 1}, "group is 1; it must be at least 2"),
    ],
)
def test_bad_batteries_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        battery(**change)


def test_a_battery_needs_stages_and_stages_say_who_is_tested():
    settings = Settings(lineages=3, eggs=(60, 60))
    program, founders = world(MODELS, settings, founders=6)
    with pytest.raises(ValueError, match="ceiling, gating and social need animals that are followed one by one"):
        make_program(founders.map, program.traits, settings, battery=battery())
    with pytest.raises(ValueError, match="tested is 9; it must be left out where stages say who is tested"):
        dataclasses.replace(settings, tested=9, stages=(Stage("test", capacity=20),))
