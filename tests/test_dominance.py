"""Dominance: closed forms against sums over genotypes from the definition, inbreeding depression, realised eggs."""

import dataclasses
import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from jaxbreed.dominance import average_effect, family_moments
from jaxbreed.effects import TraitModel, draw_traits
from jaxbreed.founders import Founders
from jaxbreed.genome import GeneticMap, recombination
from jaxbreed.linkage import build_linkage
from jaxbreed.program import Settings, make_program
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.traits import genetic_values

PAIR = np.array([[0.3, -0.2, 0.5, 0.1, -0.4, 0.2], [0.1, 0.4, -0.1, 0.3, 0.2, -0.6]])


def gametes(parent, r, flip):
    """Chances of the four gametes at two loci, (2, 2): parent (2 haplotypes, 2 loci), recombination fraction r."""
    chance = np.zeros((2, 2))
    for first, second in itertools.product((0, 1), repeat=2):
        chance[parent[first, 0], parent[second, 1]] += 0.5 * (r if first != second else 1 - r)
    mutate = np.array([[1 - flip, flip], [flip, 1 - flip]])
    return mutate @ chance @ mutate.T


def by_enumeration(effect, dominance, dam, sire, r, flip):
    """Mean and covariance of a family, locus pair by locus pair, over all zygotes."""
    traits, loci = effect.shape
    value = np.stack([np.zeros_like(effect), effect + dominance, 2 * effect])  # by copies of allele 1
    mean, covariance = np.zeros(traits), np.zeros((traits, traits))
    for i, j in itertools.product(range(loci), repeat=2):
        pair = [i, j]
        both = gametes(dam[:, pair], r[0][i, j], flip), gametes(sire[:, pair], r[1][i, j], flip)
        if i == j:  # one locus: a gamete carries the same allele twice
            both = tuple(np.diag(chance.sum(1)) for chance in both)
        expected, product = np.zeros((2, traits)), np.zeros((traits, traits))
        for x, y in itertools.product(itertools.product((0, 1), repeat=2), repeat=2):
            chance = both[0][x] * both[1][y]
            at_i, at_j = value[x[0] + y[0], :, i], value[x[1] + y[1], :, j]
            expected += chance * np.stack([at_i, at_j])
            product += chance * np.outer(at_i, at_j)
        covariance += product - np.outer(*expected)
        mean += expected[0] / loci
    return mean, covariance


@pytest.mark.parametrize(("interference", "flip"), [(1.0, 0.0), (4.0, 0.0), (1.0, 0.03)])
def test_families_against_all_genotypes(interference, flip):
    rng = np.random.default_rng(7)
    chromosome = np.array([0, 0, 0, 0, 1, 1])
    position = np.array([[0.0, 0.1, 0.35, 0.9, 0.2, 0.5], [0.0, 0.05, 0.2, 0.5, 0.1, 0.3]])
    genetic_map = GeneticMap(chromosome, position, np.array([[1.0, 1.0], [0.6, 0.6]]))
    dominance = rng.normal(0, 0.4, PAIR.shape)
    haplotypes = rng.integers(0, 2, (1, 6, 2, 6)).astype(np.uint8)
    haplotypes[0, 2, 0] = haplotypes[0, 0, 1]  # a relative
    haplotypes[0, 5] = haplotypes[0, 1]  # the same genotype
    effect, dominance = jnp.asarray(PAIR, jnp.float32), jnp.asarray(dominance, jnp.float32)
    linkage = build_linkage(genetic_map, interference)
    mean, within = family_moments(effect, dominance, jnp.asarray(haplotypes), linkage, 2, flip)
    apart = np.abs(position[:, :, None] - position[:, None])
    r = np.where(chromosome[:, None] == chromosome, recombination(apart, interference), 0.5)
    for lineage, place in itertools.product(range(2), range(2)):
        dam, sire = haplotypes[0, lineage], haplotypes[0, 2 + 2 * lineage + place]
        expected = by_enumeration(np.float64(effect), np.float64(dominance), dam, sire, r, flip)
        assert np.asarray(mean[0, lineage, place]) == pytest.approx(expected[0], abs=1e-5)
        assert np.asarray(within[0, lineage, place]) == pytest.approx(expected[1], abs=1e-5)
        # The maps of the sexes exchanged would be seen.
        exchanged = by_enumeration(np.float64(effect), np.float64(dominance), dam, sire, r[::-1], flip)[1]
        assert (lineage, place) == (1, 1) or np.abs(exchanged - expected[1]).max() > 1e-3


def test_average_effects_are_falconers():
    # Falconer & Mackay 1996, example 7.3 ff. (dwarfing in mice): a = 4, d = 2, q the recessive allele's frequency.
    effect, dominance = jnp.array([[4.0]]), jnp.array([[2.0]])
    for q, alpha, additive, deviation in ((0.1, 2.4, 1.0368, 0.1296), (0.4, 3.6, 6.2208, 0.9216)):
        average = float(average_effect(effect, dominance, jnp.array([1 - q]))[0, 0])
        assert average == pytest.approx(alpha, rel=1e-6)
        assert 2 * q * (1 - q) * average**2 == pytest.approx(additive, rel=1e-6)
        assert (2 * q * (1 - q) * 2.0) ** 2 == pytest.approx(deviation, rel=1e-6)


def world(models, settings, *, founders, loci=300, qtl=200, seed=3, correlation=0.0, **options):
    genetic_map = GeneticMap.uniform(6, loci, (1.2, 0.8))
    frequency = np.random.default_rng(seed).uniform(0.05, 0.95, loci)
    base = Founders.from_frequencies(frequency, genetic_map, founders, seed)
    matrix = np.where(np.eye(len(models)) == 1, 1.0, correlation)
    traits = draw_traits(base.haplotypes, models, matrix, qtl=qtl, seed=seed, **options)
    return make_program(genetic_map, traits, settings), base


MODELS = (
    TraitModel("growth", 0.4, inbreeding_depression=3.0, dominance_sd=0.3, cv=0.25),
    TraitModel("boldness", 0.3, dominance_sd=0.2),
)
SETTINGS = Settings(lineages=3, eggs=(60_000, 60_000), sires=(2, 2), paternity=0.5)


def test_founders_have_the_variances_and_the_depression_asked_for():
    program, founders = world(MODELS, SETTINGS, founders=80, correlation=-0.4)
    traits = program.traits
    unit = 2.0**-traits.scale_bits
    effect, dominance = np.asarray(traits.effect) * unit, np.asarray(traits.dominance) * unit
    copies = founders.haplotypes[..., np.asarray(traits.qtl)].sum(1)
    p = copies.mean(0) / 2
    breeding = copies @ (effect + dominance * (1 - 2 * p)).T
    assert np.cov(breeding, rowvar=False) == pytest.approx(np.array([[1, -0.4], [-0.4, 1]]), abs=1e-5)
    # 3 % of the mean with 10 % inbreeding; the mean is 1 / cv phenotypic SD; the second trait loses nothing.
    lost = (dominance * 2 * p * (1 - p)).sum(1) * 0.1 / np.asarray(traits.sd_phenotypic)
    assert lost == pytest.approx([0.03 / 0.25, 0.0], abs=1e-6)
    of_dominance = ((2 * p * (1 - p) * dominance) ** 2).sum(1)
    assert (of_dominance > 0.01).all()
    total = 1 + of_dominance + np.diag(np.asarray(traits.residual))
    assert total == pytest.approx([1 / 0.4, 1 / 0.3], rel=1e-5)
    assert np.asarray(traits.sd_phenotypic) ** 2 == pytest.approx(total, rel=1e-5)
    assert np.asarray(genetic_values(traits, founders.haplotypes)).mean(0) * unit == pytest.approx([0, 0], abs=1e-4)


def test_realised_eggs_agree_with_expectation():
    program, founders = world(MODELS, SETTINGS, founders=18)
    history = simulate(program, founders, constant_schedule(1, (1.0, 0.5)), replicates=2, seed=5)
    n, variance = history["tests"][:, :1], history["genetic_variance"][:, 0]
    assert (n == 360_000 / 2).all()
    off = np.abs(history["tested_mean"][:, 0] - history["trait_mean"][:, 0])
    assert (off < 5 * np.sqrt(variance / n)).all()
    assert (np.abs(history["tested_variance"][:, 0] - variance) < 5 * variance * np.sqrt(2 / n)).all()
    # Without dominance in the closed form, both would be far outside.
    plain = dataclasses.replace(program, traits=dataclasses.replace(program.traits, dominance=None))
    other = simulate(plain, founders, constant_schedule(1, (1.0, 0.5)), replicates=2, seed=5)
    assert (np.abs(other["trait_mean"] - history["trait_mean"])[:, 0, 0] > 10 * np.sqrt(variance / n)[:, 0]).all()
    assert (np.abs(other["genetic_variance"][:, 0] - variance) > 10 * variance * np.sqrt(2 / n)).any()
    # Hatched parents are worth what the sweep said of them: the same selection from genomes.
    parents, traits = history.parents, program.traits
    copies = np.asarray(parents.haplotypes)[..., np.asarray(traits.qtl)].astype(np.int64).sum(-2)
    value = np.asarray(traits.intercept) + copies @ np.asarray(traits.effect).T
    value += (copies == 1) @ np.asarray(traits.dominance).T
    assert (np.asarray(parents.genetic) == value).all()


def test_full_sib_lines_lose_what_inbreeding_depression_says():
    # 24 x 50 lines without selection: breeders are drawn from all of either sex.
    model = TraitModel("growth", 0.4, inbreeding_depression=3.0, dominance_sd=0.1, cv=0.2)
    settings = Settings(lineages=50, eggs=(8, 8), mating="within_lineage", sexes="alternate")
    program, founders = world([model], settings, founders=100, loci=200, qtl=150)
    schedule = constant_schedule(4, [1.0], fraction=1.0)
    history = simulate(program, founders, schedule, replicates=24, seed=2, shared_founders=True)
    inbreeding = history["inbreeding"].mean(0)
    assert inbreeding == pytest.approx([0, 0.25, 0.375, 0.5, 0.59375])
    fall = history["gain"][:, :, 0]  # founder phenotypic SD
    slope = fall[:, 1:] / inbreeding[1:]
    error = slope.std(0, ddof=1) / np.sqrt(24)
    # 3 % of the mean with 10 %: 1.5 SD at complete inbreeding.
    assert (np.abs(slope.mean(0) + 1.5) < 4.5 * error).all(), (slope.mean(0), error)
    assert (error < 0.1).all()
    # Inbreeding counted a generation late, or half of it, would be seen.
    late = fall[:, 2:] / inbreeding[1:-1]
    assert (np.abs(late.mean(0) + 1.5) > 3 * late.std(0, ddof=1) / np.sqrt(24)).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"h2": 0.4, "clutch": 1.0}, "clutch of growth is 1; it must be at least 0 and below 1"),
        (
            {"h2": 0.4, "clutch": 0.2, "repeatability": 0.5},
            "repeatability of growth is 0.5; .* from h2 . clutch, 0.6",
        ),
        ({"h2": 0.4, "cv": 0.0}, "cv of growth is 0; it must be above 0"),
        ({"h2": 0.4, "dominance_sd": -1.0}, "dominance_sd of growth is -1; it must be at least 0"),
        ({"h2": 0.95, "dominance_sd": 1.0}, "dominance of growth takes so much of its variance that the environment"),
        (
            {"h2": 0.3, "repeatability": 0.31, "dominance_sd": 1.0},
            "dominance of growth takes so much of its variance that the permanent environment",
        ),
        ({"h2": 0.4, "inbreeding_depression": 900.0}, "inbreeding_depression of growth is 900 % .* ask for less"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        world([TraitModel("growth", **change)], SETTINGS, founders=30)
