"""Closed-form family variances against the double sum over loci, and against realised eggs."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import small_world, trait_effects

from jaxbreed.clutch import lay
from jaxbreed.genome import haldane
from jaxbreed.program import Settings
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.variance import expected_eggs

SETTINGS = Settings(lineages=3, eggs=(50, 90), sires=(2, 2), paternity=0.5)


def double_sum(difference, position, chromosome, flip, recombination):
    """Covariance of gametes from the definition; (trait, trait).

    1/4 sum_ij d_i d_j' (1 - 2 r_ij) before mutation: every pair of loci.
    """
    r = np.where(chromosome[:, None] == chromosome, recombination(np.abs(position[:, None] - position)), 0.5)
    return (1 - 2 * flip) ** 2 * difference @ (1 - 2 * r) @ difference.T / 4


def chi_square_map(distance):
    """Recombination with every fourth of Poisson points a chiasma, as exp(-x) times a polynomial."""
    x = 8 * distance  # points between two loci on average; 0 to 3 of them may go uncounted
    none = np.exp(-x) * sum((1 - k / 4) * x**k / math.factorial(k) for k in range(4))
    return 0.5 * (1 - none)


@pytest.mark.parametrize(("interference", "mutation"), [(1.0, 0.0), (4.0, 0.0), (1.0, 0.01), (4.0, 0.05)])
def test_expected_eggs_against_the_definition(interference, mutation):
    meiosis = {"interference": interference, "mutation": mutation}
    recombination = haldane if interference == 1.0 else chi_square_map
    flip = (1 - math.exp(-2 * mutation)) / 2
    program, founders = small_world(SETTINGS, founders=18, length=(1.2, 0.7), correlation=0.4, **meiosis)
    haplotypes = jnp.asarray(founders.haplotypes.reshape(2, 9, 2, -1))
    eggs = jnp.array([[[30, 20], [60, 30], [40, 10]], [[1, 0], [50, 40], [3, 70]]])
    expected = expected_eggs(program, haplotypes, eggs)
    effects, chromosome = trait_effects(program.traits, 600), founders.map.chromosome
    intercept = np.asarray(program.traits.intercept) * 2.0**-program.traits.scale_bits
    for replicate in range(2):
        h = np.asarray(haplotypes[replicate]).astype(float)
        share = np.asarray(eggs[replicate]) / int(eggs[replicate].sum())
        mean, within, second = np.zeros(2), np.zeros((2, 2)), np.zeros((2, 2))
        frequency = np.zeros(600)
        for dam in range(3):
            for s in range(2):
                sire, w = 3 + 2 * dam + s, share[dam, s]
                # Every allele a of a parent becomes a (1 - flip) + (1 - a) flip on average.
                alleles = [h[parent].mean(0) * (1 - flip) + (1 - h[parent].mean(0)) * flip for parent in (dam, sire)]
                family = intercept + effects @ sum(alleles)
                mean += w * family
                second += w * np.outer(family, family)
                frequency += w * sum(alleles) / 2
                for sex, parent in enumerate((dam, sire)):
                    difference = effects * (h[parent, 1] - h[parent, 0])
                    position = founders.map.position[sex]
                    within += w * double_sum(difference, position, chromosome, flip, recombination)
                    within += w * flip * (1 - flip) * effects @ effects.T
        used = [a for a in range(9) if a < 3 or share[(a - 3) // 2, (a - 3) % 2] > 0]
        fixed = [(h[used].max((0, 1)) == h[used].min((0, 1))).mean()]
        assert np.asarray(expected.mean[replicate]) == pytest.approx(mean, abs=1e-5)
        assert np.asarray(expected.within[replicate]) == pytest.approx(within, rel=2e-4, abs=1e-4)
        assert np.asarray(expected.between[replicate]) == pytest.approx(
            second - np.outer(mean, mean), rel=1e-3, abs=1e-5
        )
        genic = (2 * frequency * (1 - frequency) * effects) @ effects.T
        assert np.asarray(expected.genic[replicate]) == pytest.approx(genic, rel=1e-4, abs=1e-5)
        assert float(expected.fixed[replicate]) == pytest.approx(fixed[0], abs=1e-6)
        assert float(expected.heterozygosity[replicate]) == pytest.approx(
            (2 * frequency * (1 - frequency)).mean(), rel=1e-5
        )


@pytest.mark.parametrize(("interference", "mutation"), [(1.0, 0.0), (6.0, 0.02)])
def test_realised_eggs_agree_with_expectation(interference, mutation):
    # 2 x 3 clutches of 60,000: mean within 5 SE, variance within 5 SE of 2 V^2 / n.
    settings = dataclasses.replace(SETTINGS, eggs=(60_000, 60_000))
    program, founders = small_world(
        settings, founders=18, length=(1.2, 0.7), interference=interference, mutation=mutation
    )
    history = simulate(program, founders, constant_schedule(1, (1.0, 0.5)), replicates=2, seed=5)
    n = history["tests"][:, :1]
    assert (n == 180_000).all()
    variance = history["genetic_variance"][:, 0]
    assert (np.abs(history["tested_mean"][:, 0] - history["trait_mean"][:, 0]) < 5 * np.sqrt(variance / n)).all()
    assert (np.abs(history["tested_variance"][:, 0] - variance) < 5 * variance * np.sqrt(2 / n)).all()
    residual = np.diag(np.asarray(program.traits.residual))
    phenotypic = variance + residual
    assert (np.abs(history["phenotypic_variance"][:, 0] - phenotypic) < 5 * phenotypic * np.sqrt(2 / n)).all()
    # A model that took the sexes' maps for each other, or half the within-family variance, is far outside.
    assert (history["variance_within"][:, 0] > 10 * variance * np.sqrt(2 / n)).all()


def test_paternity_is_divided_by_falling_shares():
    key = jax.random.split(jax.random.key(0), 4)
    program, founders = small_world(SETTINGS, founders=9)
    from jaxbreed.population import choose_founders
    from jaxbreed.simulation import _start

    numbers = choose_founders(9, SETTINGS, 4, shared=True, seed=0)
    population = _start(program, founders.haplotypes[numbers], numbers, jnp.zeros(2, jnp.uint32))
    families = lay(program, population, key)
    eggs = np.asarray(families.eggs)
    assert eggs.sum(2).min() >= 50
    assert eggs.sum(2).max() <= 90
    assert np.abs(eggs[..., 0] / eggs.sum(2) - 2 / 3).max() < 0.5 / 50 + 1e-6
    # Every family has a key of its own.
    assert len({tuple(k) for k in np.asarray(families.key).reshape(-1, 2)}) == eggs.size
