"""Named policies: weights from the definitions, gains as the index equations say, families and culling by hand."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from test_dominance import world

from jaxbreed.effects import TraitModel
from jaxbreed.index import desired_gains, family_weight, index_response, smith_hazel
from jaxbreed.policies import POLICIES, Known, schedule_by
from jaxbreed.program import Settings, make_program
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.stages import Stage
from jaxbreed.staging import weigh_families, worst_trait

# V22: the matrices of AlphaSimR's selection index example.
CORRELATION = np.array([[1.0, -0.6, 0.1], [-0.6, 1.0, 0.3], [0.1, 0.3, 1.0]])
H2 = np.array([0.3, 0.5, 0.3])
GENETIC = CORRELATION * np.sqrt(np.outer(H2, H2))
PHENOTYPIC = GENETIC + np.diag(1 - H2)
ECONOMIC = np.array([3.0, -1.0, 1.0])


def known(weights=ECONOMIC, **change):
    return Known(weights, PHENOTYPIC, GENETIC, 0.3, 0.0, 1e6)._replace(**change)


def test_smith_hazel_maximises_the_economic_gain():
    best = smith_hazel(PHENOTYPIC, GENETIC, ECONOMIC)
    gain = ECONOMIC @ index_response(best, PHENOTYPIC, GENETIC, 1.0)
    rng = np.random.default_rng(0)
    others = [ECONOMIC @ index_response(rng.normal(size=3), PHENOTYPIC, GENETIC, 1.0) for _ in range(20_000)]
    assert max(others) < gain
    assert max(others) > 0.995 * gain  # the search comes near: the best is no other's
    # Its accuracy is sqrt(b'Gb... ) of Hazel: gain = i sqrt(a' G P^-1 G a).
    assert gain == pytest.approx(np.sqrt(ECONOMIC @ GENETIC @ np.linalg.solve(PHENOTYPIC, GENETIC @ ECONOMIC)))


def test_desired_gains_are_in_the_proportions_asked_for():
    wanted = np.array([1.0, 2.0, 0.5])
    gains = index_response(desired_gains(GENETIC, wanted), PHENOTYPIC, GENETIC, 2.0)
    assert gains / gains[0] == pytest.approx(wanted)


def test_the_best_family_weight_is_the_best():
    # 1,000 sibs a family, h2 0.2, c2 0.05: accuracy of own deviation + w x family mean, from variances and covariances.
    h2, clutch, n = 0.2, 0.05, 50
    alike = h2 / 2 + clutch

    def accuracy(w):
        within = (1 - alike) * (1 - 1 / n)
        between = alike + (1 - alike) / n
        covariance = h2 / 2 * (1 - 1 / n) + w * (h2 / 2 + h2 / 2 / n)
        return covariance / np.sqrt(h2 * (within + w**2 * between))

    best = family_weight(h2, clutch, n)
    grid = np.linspace(0, 20, 2001)
    assert abs(grid[np.argmax([accuracy(w) for w in grid])] - best) < 0.01
    assert accuracy(best) > 1.01 * accuracy(1.0)


def test_weights_of_each_policy():
    def weights(name, **change):
        return np.asarray(schedule_by(name, known(**change), 8).weights)

    assert (weights("mass") == ECONOMIC).all()
    assert weights("smith_hazel")[3] == pytest.approx(np.linalg.inv(PHENOTYPIC) @ GENETIC @ ECONOMIC, rel=1e-5)
    assert weights("desired_gains")[3] == pytest.approx(np.linalg.inv(GENETIC) @ ECONOMIC, rel=1e-5)
    # 3/5, 1/5, 1/5 of 8 generations: 4.8, 6.4, 8; each generation goes to the trait that has most of its middle.
    assert np.argmax(np.abs(weights("tandem")), axis=1).tolist() == [0, 0, 0, 0, 0, 1, 2, 2]
    assert (np.abs(weights("tandem")).sum(1) == 1).all()
    assert (weights("tandem")[5] == [0, -1, 0]).all()
    assert schedule_by("mass", known(), 3).family_weight is None
    assert (np.asarray(schedule_by("within_family", known(), 3).family_weight) == 0).all()
    assert schedule_by("family_index", known(), 3).family_weight[0] == pytest.approx(family_weight(0.3, 0, 1e6))
    with pytest.raises(ValueError, match="policy is 'magic'; it must be one of mass, smith_hazel, desired_gains"):
        schedule_by("magic", known(), 3)
    assert set(POLICIES) >= {"mass", "tandem", "culling"}


MODELS = [TraitModel("a", 0.3), TraitModel("b", 0.5), TraitModel("c", 0.3)]


def test_realised_gains_are_those_of_the_index():
    # 60 unrelated founders' clutches of 2,000 compete; the best 4 % of each sex breed. Exact G of these very eggs.
    settings = Settings(lineages=60, eggs=(2000, 2000), scope="across")
    genetic_map_founders = world(MODELS, settings, founders=1200, loci=1200, qtl=1000)
    program, founders = genetic_map_founders
    sd = np.asarray(program.traits.sd_phenotypic, float)
    for name in ("smith_hazel", "desired_gains"):
        schedule = schedule_by(name, known(), 1, fraction=0.04)
        history = simulate(program, founders, schedule, replicates=10, seed=3)
        weights = np.asarray(schedule.weights[0], float)
        off, against = [], []
        for r in range(10):
            genetic = history["tested_covariance"][r, 0] / np.outer(sd, sd)
            phenotypic = genetic + np.asarray(program.traits.residual) / np.outer(sd, sd)
            gains = history["response"][r, 0] / sd
            expected = index_response(weights, phenotypic, genetic, history["intensity"][r, 0])
            off.append(gains - expected)
            against.append(gains - index_response(ECONOMIC, phenotypic, genetic, history["intensity"][r, 0]))
        error = np.std(off, axis=0, ddof=1) / np.sqrt(10)
        assert (np.abs(np.mean(off, axis=0)) < 5 * error).all(), (np.mean(off, axis=0), error)
        # Weights taken as index weights of records, without P and G, predict other gains.
        assert (np.abs(np.mean(against, axis=0)) > 5 * error).any()


def test_family_weights_in_the_sweep_and_in_stages():
    settings = Settings(lineages=8, eggs=(400, 400), sires=(2, 2), scope="across", tested=100)
    program, founders = world(MODELS[:2], settings, founders=24)
    by_stage = dataclasses.replace(settings, tested=None, stages=(Stage("test", capacity=100),))
    other = make_program(founders.map, program.traits, by_stage)
    parents = {}
    for weight in (0.0, 1.0, 3.0):
        schedule = constant_schedule(2, (1.0, 0.5), family_weight=weight)
        one, two = (simulate(p, founders, schedule, seed=4) for p in (program, other))
        assert (np.asarray(one.parents.haplotypes) == np.asarray(two.parents.haplotypes)).all(), weight
        parents[weight] = one
    # The more the family counts, the more closely related the parents are.
    kinship = [parents[w]["kinship"][0, 2] for w in (0.0, 1.0, 3.0)]
    assert kinship[0] < kinship[1] < kinship[2], kinship


class Animals:
    replicate = np.array([0, 0, 0, 0, 1, 1])
    clutch = np.array([0, 0, 0, 1, 2, 2])
    sire = np.array([0, 0, 1, 0, 0, 0])
    score = np.array([1.0, 3.0, 5.0, np.nan, 2.0, 4.0])
    sessions = np.array([1, 1, 1, 0, 1, 1])
    record = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [np.nan, np.nan], [0.0, 0.0], [2.0, 1.0]])


def test_family_means_and_worst_traits_by_hand():
    # Families: (1, 3), (5), (2, 4) with means 2, 5, 3; their mean is 10 / 3.
    weighed = weigh_families(Animals, 0.0)
    assert weighed == pytest.approx(np.array([1 - 2, 3 - 2, 5 - 5, np.nan, 2 - 3, 4 - 3]) + 10 / 3, nan_ok=True)
    assert weigh_families(Animals, 1.0) == pytest.approx(Animals.score, nan_ok=True)
    worst = worst_trait(Animals, np.array([1.0, 2.0]))
    far = np.sqrt(1.5)
    assert worst == pytest.approx([-far, 0, -far, np.nan, -1, 1], nan_ok=True)
    assert worst_trait(Animals, np.array([0.0, -1.0]))[:3] == pytest.approx([-far, 0, far])


def test_culling_keeps_animals_good_in_both():
    stages = (Stage("test", capacity=400),)
    settings = Settings(lineages=6, eggs=(400, 400), scope="across", stages=stages)
    program, founders = world(MODELS[:2], settings, founders=12, correlation=-0.5)
    culled = make_program(founders.map, program.traits, dataclasses.replace(settings, combine="worst"))
    lowest = []
    for p in (program, culled):
        history = simulate(p, founders, constant_schedule(1, (1.0, 1.0)), replicates=1, seed=2)
        sd = np.asarray(p.traits.sd_phenotypic)
        lowest.append((np.asarray(history.parents.phenotype[0]) * 2.0**-p.traits.scale_bits / sd).min())
    assert lowest[1] > lowest[0] + 0.3
    with pytest.raises(ValueError, match="combine is worst; culling by every trait needs stages"):
        Settings(lineages=6, eggs=(400, 400), combine="worst")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: smith_hazel(np.zeros((2, 2)), np.eye(2), np.ones(2)), "phenotypic covariance is .* positive definite"),
        (lambda: desired_gains(np.ones((2, 2)), np.ones(2)), "genetic covariance is .* must be positive definite"),
        (lambda: desired_gains(np.eye(2), np.zeros(2)), "gains is .0.0, 0.0.; at least one must not be 0"),
        (lambda: constant_schedule(2, jnp.ones(1), family_weight=-1.0), "family_weight is -1; it must be from 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
