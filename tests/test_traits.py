"""Traits are what the user asked for, in the founders and in the integer kernels."""

import numpy as np
import pytest
from helpers import small_world, trait_effects

from jaxbreed.effects import additive_traits
from jaxbreed.program import Settings
from jaxbreed.traits import genetic_values, traits_from_effects

SETTINGS = Settings(lineages=4, eggs=(100, 100))


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.8])
def test_founder_variances_h2_and_correlation_are_as_asked(correlation):
    program, founders = small_world(
        SETTINGS, founders=60, correlation=correlation, h2=(0.4, 0.25), residual_correlation=0.3
    )
    traits = program.traits
    values = founders.haplotypes.sum(1) @ trait_effects(traits, 600).T
    covariance = np.cov(values, rowvar=False, ddof=1)
    # Effects are rounded to integers: 1e-5 covers it, and 1/60, the difference between divisors n and n - 1, is not.
    assert covariance == pytest.approx(np.array([[1, correlation], [correlation, 1]]), abs=1e-5)
    residual = np.asarray(traits.residual)
    assert 1 / (1 + np.diag(residual)) == pytest.approx([0.4, 0.25], rel=1e-5)
    assert residual[0, 1] / np.sqrt(residual[0, 0] * residual[1, 1]) == pytest.approx(0.3, rel=1e-5)
    assert np.asarray(traits.sd_phenotypic) == pytest.approx(np.sqrt([1 / 0.4, 1 / 0.25]), rel=1e-5)
    integer = np.asarray(genetic_values(traits, founders.haplotypes)) * 2.0**-traits.scale_bits
    assert integer.mean(0) == pytest.approx([0, 0], abs=1e-4)
    assert np.cov(integer, rowvar=False) == pytest.approx(covariance, abs=1e-6)


def test_effect_sizes_are_gamma_with_random_signs():
    program, _ = small_world(SETTINGS, founders=400, loci=6000, qtl=6000, h2=(0.5,), chromosomes=2)
    effect = np.asarray(program.traits.effect[0], float)
    ratio = np.mean(effect**2) / np.mean(np.abs(effect)) ** 2
    # Gamma of shape 0.4: E x^2 / (E x)^2 = 1 + 1/0.4 = 3.5 (normal effects: 1.57, exponential: 2).
    assert ratio == pytest.approx(3.5, abs=0.4)
    assert abs(np.mean(effect > 0) - 0.5) < 4.5 * 0.5 / np.sqrt(effect.size)


def test_scores_cannot_overflow():
    effect = np.array([[3.0, -2.0, 1.0], [1e-6, 2e-6, -1e-6]])
    traits = traits_from_effects(("a", "b"), np.arange(3), effect, np.array([10.0, 0]), np.diag([4.0, 0.0]), np.ones(2))
    largest = (10 + 2 * 4 + 8 * 2.0) * 2.0**traits.scale_bits
    assert 2**28 < largest < 2**30


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"h2": (1.4, 0.3)}, "h2 of intelligence is 1.4; it must be above 0 and at most 1"),
        ({"h2": (0.4, 0.0)}, "h2 of sociability is 0;"),
        ({"correlation": 1.2}, "genetic correlation is .* it must be positive definite"),
        ({"residual_correlation": -1.0}, "residual correlation is .* it must be positive definite"),
        ({"qtl": 601}, "qtl is 601; it must be above 2, .* at most"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        small_world(SETTINGS, founders=40, **change)


def test_too_few_founders_are_refused():
    haplotypes = np.random.default_rng(0).integers(0, 2, (3, 2, 50)).astype(np.uint8)
    with pytest.raises(ValueError, match="there are 3 founders; scaling 2 traits needs at least 4"):
        additive_traits(haplotypes, ("a", "b"), (0.4, 0.4), np.eye(2), qtl=10)
