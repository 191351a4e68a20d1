"""Crossover interference against the chi-square model in closed form, at 400,000 gametes.

Under the chi-square model (Foss et al. 1993; Zhao, Speed & McPeek 1995) every p-th point of a Poisson process of rate
2 p per Morgan is a chiasma, counting from a random start, and each chiasma lies on a given chromatid with chance one
half. With p = 1 that is Haldane's model. All expectations here come from counting Poisson points; the walk draws
quantiles of distances instead.
"""

import math
from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from crosses import compiled
from scipy import stats

from jaxbreed import kernels
from jaxbreed.kernels import quantiles
from jaxbreed.verification.maps import chi_square_recombination, chiasma_counts, crossover_chances

EGGS, PART = 200_000, 20_000
LENGTH = 1.2
LOCI = np.linspace(0.0, LENGTH, 241)  # every half centimorgan
SHAPES = (2, 4, 11)
BOUND, POWER = 4.5, 5.0


@cache
def gametes(shape: float) -> np.ndarray:
    """Which haplotype 400,000 gametes carry at each locus of one chromosome, followed by another of its length."""
    chromosome = np.repeat([0, 1], LOCI.size).astype(np.int32)
    position, length = np.tile(LOCI, (2, 2)), np.full((2, 2), LENGTH)
    walk_map = kernels.build_walk_map(chromosome, position, length, shape)
    parent = np.arange(2, dtype=np.uint8)[None, :, None]
    parents = jnp.asarray(np.broadcast_to(parent, (PART, 2, chromosome.size)))
    key = jnp.broadcast_to(jnp.asarray([0x5EED, 1], jnp.uint32), (PART, 2))
    parts = []
    for first in range(0, EGGS, PART):
        eggs = jnp.arange(first, first + PART, dtype=jnp.uint32)
        young = np.asarray(compiled("hatch", None)(walk_map, key, eggs, parents, parents))
        parts.append(young.reshape(2 * PART, -1))
    return np.concatenate(parts)


def share_law(hits: np.ndarray, expected: float, *wrong: float) -> None:
    observed, error = float(hits.mean()), math.sqrt(expected * (1 - expected) / hits.size)
    assert abs(observed - expected) < BOUND * error, f"z = {(observed - expected) / error:.2f}"
    for other in wrong:
        assert abs(observed - other) > POWER * error, f"{other} is not refuted: z = {(observed - other) / error:.2f}"


@pytest.mark.parametrize("second", [False, True], ids=["first chromosome", "second chromosome"])
@pytest.mark.parametrize("shape", SHAPES)
def test_numbers_of_crossovers(shape: int, second: bool) -> None:
    """Wrong: Haldane's Poisson numbers, and a chromosome that starts as if at a chiasma.

    The second chromosome tells whether the process starts afresh there.
    """
    on = slice(LOCI.size, None) if second else slice(LOCI.size)
    counts = (np.diff(gametes(shape)[:, on], axis=1) != 0).sum(1)
    expected = crossover_chances(shape, LENGTH)
    for number in range(3):
        poisson = float(stats.poisson.pmf(number, LENGTH))
        started = float(crossover_chances(shape, LENGTH, stationary=False)[number])
        wrong = [x for x in (poisson, started) if abs(x - expected[number]) > 0.01]
        assert wrong
        share_law(counts == number, float(expected[number]), *wrong)
    assert abs(counts.mean() - LENGTH) < BOUND * counts.std() / math.sqrt(counts.size)


@pytest.mark.parametrize("shape", SHAPES)
def test_map_function(shape: int) -> None:
    """Recombination fractions at 5, 20 and 60 cM, from the start of the chromosome and from its middle."""
    carried = gametes(shape)
    for steps in (10, 40, 120):
        distance = steps * 0.005
        expected = chi_square_recombination(shape, distance)
        haldane = 0.5 * (1 - math.exp(-2 * distance))
        for first in (0, 60):
            apart = carried[:, first] != carried[:, first + steps]
            share_law(apart, expected, *([haldane] if distance > 0.1 else []))


@pytest.mark.parametrize("shape", SHAPES)
def test_coincidence(shape: int) -> None:
    """Recombination in both of two neighbouring intervals of 10 cM, 20 cM and with 30 cM between.

    Wrong: independence (Haldane).
    """
    carried = gametes(shape)
    for width, gap in ((0.1, 0.0), (0.2, 0.0), (0.1, 0.3)):
        a, b = round(width / 0.005), round(gap / 0.005)
        lengths = (width, gap, width) if gap else (width, width)
        chances = chiasma_counts(shape, lengths, range(shape))
        expected = 0.25 * sum(chance for counts, chance in chances.items() if counts[0] and counts[-1])
        start = 30
        first = carried[:, start] != carried[:, start + a]
        second = carried[:, start + a + b] != carried[:, start + 2 * a + b]
        haldane = (0.5 * (1 - math.exp(-2 * width))) ** 2
        tells = not gap and (width == 0.1 or shape > 2)
        share_law(first & second, expected, *([haldane] if tells else []))


def test_chromosomes_are_independent() -> None:
    carried = gametes(4)
    share_law(carried[:, LOCI.size - 1] != carried[:, LOCI.size], 0.5, 0.45)
    share_law(carried[:, 0] == 1, 0.5, 0.45)


@pytest.mark.parametrize("shape", [1.0, 4.0, 11.5, 24.0])
def test_distances_have_the_right_distribution(shape: float) -> None:
    """All 2**21 distances there are: mean one Morgan from a crossover, never longer for a larger word.

    From a chromosome's start the mean of the stationary distribution is (variance + 1) / 2.
    """
    words = jnp.arange(2**21, dtype=jnp.uint32)
    table = jnp.asarray(quantiles.renewal_table(shape))
    first, later = (
        np.asarray(quantiles.renewal_gap(words, jnp.full(words.shape, state), table)) / 2.0**20 for state in (0, 1)
    )
    # A geometric number of gamma distances: mean 2 x 1/2, variance 2 x 1/(4 shape) + 2 x 1/4.
    variance = 0.5 / shape + 0.5
    assert later.mean() == pytest.approx(1.0, abs=3e-4)
    assert later.var() == pytest.approx(variance, rel=2e-3)
    assert first.mean() == pytest.approx((variance + 1) / 2, abs=3e-4)
    for distances in (first, later):
        assert (np.diff(distances) <= 0).all()
        assert distances.min() >= 0
