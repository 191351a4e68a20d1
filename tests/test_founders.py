import os
import re
from itertools import product
from math import comb

import numpy as np
import pytest
from scipy.linalg import expm

from jaxbreed.founders import Founders, coalescent
from jaxbreed.genome import GeneticMap

# Chromosomes are independent, so standard errors come from the spread between them: sites of one are linked.


def z_score(values, expected):
    """Standard errors from the expectation to the mean of independent values."""
    values = np.asarray(values, dtype=float)
    return (values.mean() - expected) / (values.std(ddof=1) / np.sqrt(len(values)))


def draw(individuals, chromosomes, loci_each, length, size, seed, **options):
    return coalescent(
        individuals=individuals,
        loci=chromosomes * loci_each,
        length_morgan=np.tile(np.reshape(length, (-1, 1)), (2 // np.size(length), chromosomes)),
        effective_size=size,
        seed=seed,
        **options,
    )


def mutant_copies(founders):
    """(chromosome, locus of the chromosome) copies of allele 1."""
    return founders.haplotypes.sum(axis=(0, 1), dtype=int).reshape(founders.map.chromosomes, -1)


def spectrum(haplotypes, since=0.0, recent=1.0, before=1.0):
    """Expected share of sites with 1, 2, ... mutant copies after a step in size ``since`` generations ago (Fu 1995)."""
    lineages = np.arange(haplotypes, 1, -1)
    rate = lineages * (lineages - 1) / 2
    generator = np.diag(-rate) + np.diag(rate[:-1], 1)  # lineages at the end of one coalescence, time in 2 Ne
    start = np.eye(len(rate))[0]
    left = start @ expm(generator * since / (2 * recent))
    duration = -np.linalg.solve(generator.T, recent * (start - left) + before * left)
    descendants = [
        [comb(haplotypes - i - 1, k - 2) / comb(haplotypes - 1, k - 1) for i in range(1, haplotypes)] for k in lineages
    ]
    total = (lineages * duration) @ np.array(descendants)
    return total / total.sum()


def linkage_moments(first, second):
    """Unbiased D^2 and p(1-p)q(1-q) of every pair of loci from (haplotype, locus) alleles.

    A product of four haplotype frequencies is estimated by its share among draws of four different haplotypes.
    """
    n, first, second = len(first), first.astype(float), second.astype(float)
    count = {(1, 1): first.T @ second}
    count[1, 0] = first.sum(axis=0)[:, None] - count[1, 1]
    count[0, 1] = second.sum(axis=0)[None, :] - count[1, 1]
    count[0, 0] = n - count[1, 1] - count[1, 0] - count[0, 1]

    def share(*kinds):
        draws = [count[kind] - kinds[:place].count(kind) for place, kind in enumerate(kinds)]
        return np.prod(draws, axis=0) / (n * (n - 1) * (n - 2) * (n - 3))

    square = share((1, 1), (1, 1), (0, 0), (0, 0)) + share((1, 0), (1, 0), (0, 1), (0, 1))
    square -= 2 * share((1, 1), (0, 0), (1, 0), (0, 1))
    return square, sum(share((1, i), (0, j), (k, 1), (m, 0)) for i, j, k, m in product((0, 1), repeat=4))


@pytest.fixture(scope="module")
def linked():
    """90 chromosomes of 50 loci; 4 Ne times the sex-averaged length is 1,000 and both maps differ."""
    return draw(10, 90, 50, (0.25, 0.75), 500, seed=1)


def test_spectrum_of_a_constant_population():
    # Trees of equal weight, instead of weight by length, are 5 to 7 SE off in the mean and 3 to 5 in the singletons.
    founders = draw(10, 70, 250, 0.5, 200, seed=1)
    copies, expected = mutant_copies(founders), spectrum(20)
    np.testing.assert_allclose(expected, 1 / np.arange(1, 20) / (1 / np.arange(1, 20)).sum())
    assert abs(z_score(copies.mean(axis=1), expected @ np.arange(1, 20))) < 4
    for i in (1, 2, 5):
        assert abs(z_score((copies == i).mean(axis=1), expected[i - 1])) < 4
    assert copies.min() == 1
    assert copies.max() == 19


def test_spectrum_with_a_least_count():
    copies = mutant_copies(draw(10, 30, 50, 0.5, 200, seed=2, minor_allele_count=4))
    expected = spectrum(20)[3:16] / spectrum(20)[3:16].sum()
    assert set(np.unique(copies)) == set(range(4, 17))
    # Uniform over the classes would be 12 SE off.
    assert abs(z_score(copies.mean(axis=1), expected @ np.arange(4, 17))) < 4


def test_spectrum_after_a_bottleneck():
    # In the mean, twice or half the drift is 6 to 11 SE off, no bottleneck 15, the two sizes swapped 30.
    copies = mutant_copies(draw(4, 80, 50, 0.6, 400, seed=1, bottleneck=(10, 20)))
    expected = spectrum(8, 10, 20, 400)
    assert abs(z_score(copies.mean(axis=1), expected @ np.arange(1, 8))) < 4
    assert abs(z_score((copies == 1).mean(axis=1), expected[0])) < 4


def test_linkage_decays_as_theory_says(linked):
    """E[D^2] / E[p(1-p)q(1-q)] = (10 + rho) / ((2 + rho)(11 + rho)) with rho = 4 Ne c (Ohta and Kimura 1971)."""
    haplotypes = linked.haplotypes.reshape(20, 90, 50)
    position = linked.map.position.mean(axis=0).reshape(90, 50)
    row, column = np.triu_indices(50, 1)
    excess = np.empty((90, 4))
    for chromosome in range(90):
        rho = 4 * 500 * (position[chromosome, column] - position[chromosome, row])
        alleles = haplotypes[:, chromosome]
        square, variance = (pairs[row, column] for pairs in linkage_moments(alleles, alleles))
        residual = square - (10 + rho) / ((2 + rho) * (11 + rho)) * variance
        bins = np.digitize(rho, (2, 6, 16, 60))
        excess[chromosome] = [residual[bins == index].sum() for index in range(4)]
    # The first bin is 5 to 9 SE off if each gap has its neighbour's rate, each of the others 4 to 11 SE if Ne or the
    # map is half or twice as large.
    for index in range(4):
        assert abs(z_score(excess[:, index], 0)) < 4


def test_chromosomes_are_independent(linked):
    haplotypes = linked.haplotypes.reshape(20, 90, 50)
    moments = [linkage_moments(haplotypes[:, k], haplotypes[:, k + 1]) for k in range(0, 90, 2)]
    assert abs(z_score([square.sum() for square, _ in moments], 0)) < 4
    # With one history for both, the unbiased D^2 of the pairs would be that within a chromosome, 20 to 30 SE above 0.
    within = [linkage_moments(haplotypes[:, k], haplotypes[:, k])[0].sum() for k in range(0, 90, 2)]
    assert z_score(within, 0) > 12


def test_each_sex_has_its_own_positions():
    length = np.array([[1.0, 0.0, 0.5, 0.0], [0.25, 1.0, 0.5, 0.0]])
    founders = coalescent(individuals=5, loci=400, length_morgan=length, effective_size=100, seed=3)
    chromosome, position = founders.map.chromosome, founders.map.position
    np.testing.assert_array_equal(founders.map.length, length)
    np.testing.assert_allclose(position[0, chromosome == 0], 4 * position[1, chromosome == 0])
    assert position[0, chromosome == 0].max() > 0.9
    np.testing.assert_array_equal(position[0, chromosome == 1], 0)
    assert 0.9 < position[1, chromosome == 1].max() <= 1.0
    np.testing.assert_array_equal(position[0, chromosome == 2], position[1, chromosome == 2])
    # Sex-averaged lengths are 0.625, 0.5, 0.5 and 0; the last still gets a locus, from the chromosome with most.
    assert np.bincount(chromosome).tolist() == [153, 123, 123, 1]


def test_without_recombination_there_is_one_tree():
    founders = coalescent(individuals=8, loci=60, length_morgan=np.zeros((2, 2)), effective_size=100, seed=4)
    assert np.bincount(founders.map.chromosome).tolist() == [30, 30]

    def four_gametes(first, second):
        pairs = 2 * first.reshape(16, -1, 1) + second.reshape(16, 1, -1)
        return np.all([(pairs == kind).any(axis=0) for kind in range(4)], axis=0).any()

    first, second = founders.haplotypes[..., :30], founders.haplotypes[..., 30:]
    assert not four_gametes(first, first)
    assert not four_gametes(second, second)
    assert four_gametes(first, second)


def test_loci_are_shared_by_length():
    def counts(loci, *length):
        founders = coalescent(
            individuals=2, loci=loci, length_morgan=np.array([length, length]), effective_size=10, seed=5
        )
        return np.bincount(founders.map.chromosome, minlength=len(length)).tolist()

    assert counts(10, 1.0, 1.0, 2.0) == [3, 2, 5]
    assert counts(10, 0.62, 0.31, 0.07) == [6, 3, 1]
    assert counts(10, 1.0, 0.01, 0.0) == [8, 1, 1]
    assert counts(2, 1.0, 2.0, 0.1) == [1, 1, 0]
    assert counts(1, 0.1, 2.0, 1.0) == [0, 1, 0]


def test_same_seed_same_founders_whatever_the_processors(monkeypatch):
    results = []
    for seed, processors in ((7, 1), (7, 4), (8, 4)):
        monkeypatch.setattr(os, "cpu_count", lambda processors=processors: processors)
        results.append(draw(6, 5, 20, 0.5, 100, seed))
    first, again, other = results
    np.testing.assert_array_equal(first.haplotypes, again.haplotypes)
    np.testing.assert_array_equal(first.map.position, again.map.position)
    assert not np.array_equal(first.haplotypes, other.haplotypes)
    assert not np.array_equal(first.map.position, other.map.position)
    assert "seed=7" in first.source


def test_progress_counts_chromosomes_and_may_stop_it():
    calls = []
    draw(2, 4, 5, 0.5, 10, seed=1, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw(2, 4, 5, 0.5, 10, seed=1, progress=stop)


def test_one_founder():
    founders = draw(1, 2, 10, 0.5, 50, seed=1)
    assert (founders.individuals, founders.haplotypes.dtype, founders.haplotypes.shape) == (1, np.uint8, (1, 2, 20))
    np.testing.assert_array_equal(founders.frequencies, 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"individuals": 0}, "minor_allele_count=1 must be at least 1, the latter not above individuals=0"),
        ({"loci": 0}, "loci=0 and minor_allele_count=1 must be at least 1"),
        ({"minor_allele_count": 5}, "minor_allele_count=5 must be at least 1, the latter not above individuals=4"),
        ({"effective_size": 0.0}, "effective_size=0.0 and both of bottleneck=None must be finite and above 0"),
        ({"bottleneck": (10.0, -2.0)}, "bottleneck=(10.0, -2.0) must be finite and above 0"),
        ({"length_morgan": np.ones(2)}, "length_morgan=[1.0, 1.0] must be (2, chromosome), finite and at least 0"),
        ({"length_morgan": -np.ones((2, 1))}, "length_morgan=[[-1.0], [-1.0]] must be (2, chromosome), finite"),
    ],
)
def test_coalescent_refusals(change, message):
    arguments = {"individuals": 4, "loci": 10, "length_morgan": np.ones((2, 1)), "effective_size": 50.0, "seed": 1}
    with pytest.raises(ValueError, match=re.escape(message)):
        coalescent(**(arguments | change))


def test_too_few_sites_are_refused(monkeypatch):
    asked = []

    def none_common(trees, minor_allele_count, rng):
        asked.append(trees.sequence_length)
        return np.empty(0, int), np.empty((8, 0), np.uint8)

    monkeypatch.setattr("jaxbreed.founders._mutate", none_common)
    with pytest.raises(ValueError, match=r"minor_allele_count=4 leaves fewer than loci=10 of \d+ sites"):
        draw(4, 1, 10, 0.1, 10, seed=1, minor_allele_count=4)
    assert np.ptp(np.array(asked) / 2 ** np.arange(6)) == 0


def test_from_frequencies_draws_every_allele_on_its_own():
    n, probability = 500, np.linspace(0.05, 0.95, 80)
    founders = Founders.from_frequencies(probability, GeneticMap.uniform(2, 80, 1.0), n, seed=1)
    standard = (founders.frequencies - probability) / np.sqrt(probability * (1 - probability) / (2 * n))
    # A sum of 80 squares has SD sqrt(160): 4 SD are 51; one draw for both alleles of a founder would give 160.
    assert abs((standard**2).sum() - 80) < 51
    scaled = (founders.haplotypes - probability) / np.sqrt(probability * (1 - probability))
    assert abs((scaled[:, 0] * scaled[:, 1]).mean()) < 4 / np.sqrt(n * 80)
    between = np.einsum("hj,hk->jk", scaled.reshape(2 * n, 80), scaled.reshape(2 * n, 80))[np.triu_indices(80, 1)]
    # Squares of 3,160 nearly independent covariances, each 1 / 2n with relative SD sqrt(2).
    assert abs((between**2).mean() / (2 * n) - 1) < 4 * np.sqrt(2 / 3160)
    again = Founders.from_frequencies(probability, founders.map, n, seed=1)
    np.testing.assert_array_equal(founders.haplotypes, again.haplotypes)
    other = Founders.from_frequencies(probability, founders.map, n, seed=2)
    assert not np.array_equal(founders.haplotypes, other.haplotypes)


def test_from_frequencies_at_the_ends():
    founders = Founders.from_frequencies([0.0, 1.0], GeneticMap.uniform(1, 2, 1.0), 1000, seed=1)
    np.testing.assert_array_equal(founders.frequencies, [0, 1])


def test_from_arrays_copies_and_freezes():
    haplotypes = np.array([[[0, 1, 1], [0, 0, 1]], [[0, 1, 1], [0, 1, 1]]])
    founders = Founders.from_arrays(haplotypes, GeneticMap.uniform(1, 3, 1.0))
    haplotypes[:] = 0
    np.testing.assert_array_equal(founders.frequencies, [0, 0.75, 1])
    assert (founders.individuals, founders.haplotypes.dtype) == (2, np.uint8)
    with pytest.raises(ValueError, match="read-only"):
        founders.haplotypes[:] = 0


@pytest.mark.parametrize(
    ("haplotypes", "message"),
    [
        (np.zeros((2, 3)), "haplotypes: given.shape=(2, 3) must be (individual, 2, locus) = (>= 1, 2, 3)"),
        (np.zeros((4, 2, 5)), "haplotypes: given.shape=(4, 2, 5) must be (individual, 2, locus) = (>= 1, 2, 3)"),
        (np.zeros((0, 2, 3)), "haplotypes: given.shape=(0, 2, 3) must be"),
        (np.eye(6).reshape(2, 3, 6)[:, :2, :3] * 2, "haplotypes[0, 0, 0]=2.0 must be allele 0 or 1"),
        (np.full((1, 2, 3), -1), "haplotypes[0, 0, 0]=-1 must be allele 0 or 1"),
    ],
)
def test_founder_refusals(haplotypes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Founders.from_arrays(haplotypes, GeneticMap.uniform(1, 3, 1.0))


@pytest.mark.parametrize(
    ("frequencies", "individuals", "message"),
    [
        ([0.5, 0.5], 2, "frequencies: probability.shape=(2,) must be (locus,) = (3,)"),
        ([0.5, 1.5, 0.5], 2, "frequencies[1]=1.5 must lie in [0, 1]"),
        ([0.5, 0.5, np.nan], 2, "frequencies[2]=nan must lie in [0, 1]"),
        ([0.5, 0.5, 0.5], 0, "individuals=0 must be at least 1"),
    ],
)
def test_from_frequencies_refusals(frequencies, individuals, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Founders.from_frequencies(frequencies, GeneticMap.uniform(1, 3, 1.0), individuals, seed=1)
