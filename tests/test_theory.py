"""Closed forms against published tables and against SciPy."""

import numpy as np
import pytest
from scipy import integrate, stats

from jaxbreed import theory


@pytest.mark.parametrize(
    ("fraction", "i"),
    [
        (0.5, 0.7979),
        (0.2, 1.3998),
        (0.1, 1.7550),
        (0.05, 2.0627),
        (0.01, 2.6652),
        (1e-3, 3.3671),
        (1e-4, 3.9585),
        (1e-5, 4.4787),
    ],
)
def test_intensity_table(fraction, i):
    assert theory.intensity(fraction) == pytest.approx(i, abs=6e-5)


@pytest.mark.parametrize(
    ("selected", "candidates", "i"),
    [(1, 10, 1.5219), (10, 100, 1.7296), (10, 200_000, 4.1093), (100, 200_000, 3.5530), (2000, 200_000, 2.6651)],
)
def test_burrows_table(selected, candidates, i):
    assert theory.intensity_of_best(selected, candidates) == pytest.approx(i, abs=6e-5)


@pytest.mark.parametrize(
    ("h2", "fraction", "variance", "equilibrium_h2"),
    [
        (0.5, 0.5, 0.7817, 0.4387),
        (0.5, 0.1, 0.7390, 0.4250),
        (0.5, 1e-3, 0.7194, 0.4184),
        (0.2, 0.1, 0.8707, 0.1788),
        (0.8, 0.1, 0.6273, 0.7150),
        (1.0, 0.05, 0.5371, 1.0),
    ],
)
def test_bulmer_equilibrium(h2, fraction, variance, equilibrium_h2):
    genetic = theory.bulmer(h2, fraction, 60)[-1][1]
    assert genetic / h2 == pytest.approx(variance, abs=1e-4)
    assert genetic / (genetic + 1 - h2) == pytest.approx(equilibrium_h2, abs=1e-4)


@pytest.mark.parametrize("n", [2, 10, 1000, 200_000, 4_000_000])
def test_best_of_matches_quadrature(n):
    exact = integrate.quad(
        lambda x: x * n * np.exp((n - 1) * stats.norm.logcdf(x)) * stats.norm.pdf(x), -8, 12, limit=400
    )[0]
    assert theory.best_of(n) == pytest.approx(exact, abs=1e-7)


def test_within_family_response_of_the_octopus_question():
    # Best 0.1 % inside one full-sib clutch at h2 0.4: 0.75 SD, not 1.35.
    assert theory.within_family_response(0.4, 1e-3) == pytest.approx(0.753, abs=1e-3)
    assert 0.4 * theory.intensity(1e-3) == pytest.approx(1.347, abs=1e-3)
    shares = [theory.within_family_response(1.0, 1e-3, m) ** 2 / theory.intensity(1e-3) ** 2 for m in (1, 2, 3, 4)]
    assert shares == pytest.approx([0.5, 0.625, 2 / 3, 0.6875])


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"fraction is 0; it must be above 0"):
        theory.intensity(0)
    with pytest.raises(ValueError, match=r"selected is 5; it must be from 1 .* 4"):
        theory.intensity_of_best(5, 4)
    with pytest.raises(ValueError, match=r"h2 is 1\.2"):
        theory.bulmer(1.2, 0.1, 3)
