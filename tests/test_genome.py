import re

import numpy as np
import pytest

from jaxbreed.genome import GeneticMap, haldane, inverse_haldane, recombination


@pytest.mark.parametrize(
    ("centimorgan", "fraction"),
    [(0, 0.0), (1, 0.00990), (5, 0.04758), (10, 0.09063), (20, 0.16484), (50, 0.31606), (100, 0.43233)],
)
def test_haldane_table(centimorgan, fraction):
    assert haldane(centimorgan / 100) == pytest.approx(fraction, abs=5e-6)


def test_haldane_keeps_precision_at_both_ends():
    assert haldane(1e-12) == pytest.approx(1e-12, rel=1e-9)
    assert haldane(np.inf) == 0.5
    assert inverse_haldane(0.5) == np.inf
    distance = np.array([[0.0, 1e-10], [0.3, 4.0]])
    np.testing.assert_allclose(inverse_haldane(haldane(distance)), distance, rtol=1e-9)


def test_haldane_is_the_chance_of_an_odd_poisson_count():
    distance, n = 0.35, 400_000
    odd = np.random.default_rng(1).poisson(distance, n) % 2
    expected = float(haldane(distance))
    # 5 SD are 0.0040; Kosambi's map would be 0.05 away.
    assert odd.mean() == pytest.approx(expected, abs=5 * np.sqrt(expected * (1 - expected) / n))


@pytest.mark.parametrize("value", [-0.1, np.nan])
def test_haldane_refuses(value):
    with pytest.raises(ValueError, match=f"distance_morgan={value} must be at least 0"):
        haldane([0.1, value])


@pytest.mark.parametrize("value", [-0.01, 0.51, np.nan])
def test_inverse_haldane_refuses(value):
    with pytest.raises(ValueError, match=re.escape(f"recomb_frac={value} must lie in [0, 0.5]")):
        inverse_haldane([0.1, value])


def test_uniform_splits_and_spaces_evenly():
    genetic_map = GeneticMap.uniform(3, 8, (1.0, 0.5))
    assert genetic_map.chromosome.tolist() == [0, 0, 0, 1, 1, 1, 2, 2]
    np.testing.assert_array_equal(genetic_map.position[0], [0, 0.5, 1, 0, 0.5, 1, 0, 1])
    np.testing.assert_array_equal(genetic_map.position[1], [0, 0.25, 0.5, 0, 0.25, 0.5, 0, 0.5])
    np.testing.assert_array_equal(genetic_map.morgans, [3.0, 1.5])
    assert (genetic_map.loci, genetic_map.chromosomes) == (8, 3)
    assert (genetic_map.chromosome.dtype, genetic_map.position.dtype) == (np.int32, np.float64)


def test_uniform_edges():
    single = GeneticMap.uniform(2, 2, 1.0)
    np.testing.assert_array_equal(single.position, np.zeros((2, 2)))
    sparse = GeneticMap.uniform(4, 2, 0.7)
    assert (sparse.chromosome.tolist(), sparse.chromosomes) == ([0, 1], 4)
    length = np.array([[0.0, 1.1, 0.3], [0.2, 0.7, 0.0]])
    uneven = GeneticMap.uniform(3, 300, length)
    np.testing.assert_array_equal(uneven.position[:, [99, 199, 299]], length)
    np.testing.assert_array_equal(uneven.position[0, :100], 0)


def test_from_positions():
    for_both = GeneticMap.from_positions([0, 0, 2], [0.1, 0.4, 0.2])
    np.testing.assert_array_equal(for_both.length, [[0.4, 0, 0.2]] * 2)
    np.testing.assert_array_equal(for_both.position[0], for_both.position[1])
    by_sex = GeneticMap.from_positions([0, 0, 1], [[0.1, 0.1, 0.2], [0, 0, 0]], (1.0, 0.0))
    np.testing.assert_array_equal(by_sex.length, [[1, 1], [0, 0]])
    longer = GeneticMap.from_positions([0, 0, 1], [0.1, 0.1, 0.2], np.full((2, 5), 0.5))
    assert longer.chromosomes == 5


def test_subset_keeps_chromosomes_and_lengths():
    genetic_map = GeneticMap.uniform(3, 9, 1.0)
    for chosen in ([0, 2, 4], np.isin(np.arange(9), [0, 2, 4])):
        part = genetic_map.subset(chosen)
        assert part.chromosome.tolist() == [0, 0, 1]
        np.testing.assert_array_equal(part.position[0], [0, 1, 0.5])
        np.testing.assert_array_equal(part.length, genetic_map.length)


def test_arrays_are_private_and_read_only():
    position = np.array([[0.0, 0.5], [0.0, 0.5]])
    length = np.ones((2, 1))
    genetic_map = GeneticMap(np.array([0, 0], np.int32), position, length)
    position[:] = length[:] = 9
    assert genetic_map.position.max() == 0.5
    for array in (genetic_map.chromosome, genetic_map.position, genetic_map.length):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


@pytest.mark.parametrize(
    ("chromosome", "position", "length", "message"),
    [
        ([], [], 1.0, "chromosome.shape=(0,) of float64 must be (locus,) integers, at least one locus"),
        ([0.0, 1.0], [0, 0], 1.0, "chromosome.shape=(2,) of float64 must be (locus,) integers"),
        ([-1, 0], [0, 0], 1.0, "chromosome=-1 at locus=0 must be at least 0 and not decrease"),
        ([0, 2, 1], [0, 0, 0], 1.0, "chromosome=1 at locus=2 must be at least 0 and not decrease"),
        (np.array([1, 0], np.uint8), [0, 0], 1.0, "chromosome=0 at locus=1 must be at least 0 and not decrease"),
        ([0, 0], [0, 0, 0], 1.0, "position.shape=(3,) must be (2,) or (2, 2), one for each locus"),
        ([0, 0, 0, 0], [0, 0.4, 0.3, 0.2], 1.0, "position=0.3 at locus=2 of the female map must lie between 0.4"),
        ([0, 0], [[0, 0.2], [0.4, 0.3]], 1.0, "position=0.3 at locus=1 of the male map must lie between 0.4"),
        ([0, 1], [0.5, -0.1], 1.0, "position=-0.1 at locus=1 of the female map must lie between 0.0"),
        ([0, 0], [0.5, np.nan], 1.0, "position=nan at locus=1 of the female map"),
        ([0, 0], [0.5, 1.2], (1.3, 1.0), "position=1.2 at locus=1 of the male map must lie between 0.5 (the locus bef"),
        ([0, 1], [0, 0], [1.0, 2.0, 3.0], "length.shape=(3,) must be a number, a (female, male) pair or (2, 2)"),
        ([0, 1], [0, 0], np.ones((2, 1)), "length.shape=(2, 1) must be (2, chromosome) with at least 2 chromosomes"),
        ([0, 1], [0, 0], -1.0, "length=-1.0 must be finite and at least 0 Morgan"),
        ([0, 1], [0, 0], np.inf, "length=inf must be finite and at least 0 Morgan"),
    ],
)
def test_refusals_name_field_and_value(chromosome, position, length, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        GeneticMap.from_positions(chromosome, position, length)


def test_other_refusals():
    with pytest.raises(ValueError, match=re.escape("position.shape=(1, 2) must be (2, locus) = (2, 2)")):
        GeneticMap(np.array([0, 0], np.int32), np.zeros((1, 2)), np.ones((2, 1)))
    for chromosomes, loci in ((0, 5), (5, 0)):
        with pytest.raises(ValueError, match=f"{chromosomes=} and {loci=} must both be at least 1"):
            GeneticMap.uniform(chromosomes, loci, 1.0)
    with pytest.raises(ValueError, match="at locus=1 of the female map"):
        GeneticMap.uniform(1, 3, 1.0).subset([2, 0])


@pytest.mark.parametrize("shape", [2, 4, 11])
def test_recombination_under_interference_counts_chiasmata(shape):
    """Every `shape`-th point of a Poisson process is a chiasma, counting from a random start (chi-square model)."""
    rng, n, distance = np.random.default_rng(shape), 400_000, 0.3
    points = rng.integers(0, shape, n) + rng.poisson(2 * shape * distance, n)
    expected = float(recombination(distance, shape))
    some = (points >= shape).mean() / 2
    assert some == pytest.approx(expected, abs=5 * np.sqrt(expected * (1 - 2 * expected) / (2 * n)))
    assert abs(some - float(haldane(distance))) > 5 * np.sqrt(0.25 / n)


def test_recombination_without_interference_is_haldane():
    distance = np.array([0.0, 1e-6, 0.1, 3.0])
    np.testing.assert_array_equal(recombination(distance), haldane(distance))
    np.testing.assert_allclose(recombination(distance, 1 + 1e-12), haldane(distance), rtol=1e-8)


def test_recombination_refuses():
    with pytest.raises(ValueError, match=r"distance_morgan=-0\.1 must be at least 0"):
        recombination([-0.1], 4.0)
    with pytest.raises(ValueError, match=r"interference=0\.5 must be at least 1"):
        recombination(0.1, 0.5)
