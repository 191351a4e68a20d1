"""Accuracy of genomic prediction: closed forms against quadrature, and against families simulated in plain NumPy."""

from typing import NamedTuple

import numpy as np
import pytest
from scipy import integrate

from jaxbreed.accuracy import accuracy, full_sib_accuracy, full_sib_segments, population_segments, within_family_h2
from jaxbreed.prediction import fit_gblup, predicted_values
from jaxbreed.relationship import genomic_relationship

OCTOPUS = [20 / 30] * 30
# Morgans of the human autosomes, rounded, sex-averaged (Kong et al. 2002, doi:10.1038/ng917).
HUMAN = [2.8, 2.6, 2.2, 2.1, 2.0, 1.9, 1.9, 1.7, 1.7, 1.7, 1.6, 1.7, 1.3, 1.2, 1.3, 1.3, 1.3, 1.2, 1.1, 1.0, 0.6, 0.7]


def recombination(position):
    """Chance of recombining with the locus before, one half at the first (Haldane)."""
    return np.concatenate([[0.5], 0.5 * (1 - np.exp(-2 * np.diff(position)))])


def origins(rng, recombines, gametes):
    """Which haplotype of the parent a gamete has, bool (locus, gamete): it changes wherever two loci recombine."""
    change = rng.random((recombines.size, gametes), dtype=np.float32) < recombines[:, None]
    return np.logical_xor.accumulate(change, axis=0)


def breed(rng, recombines, sibs):
    """Dosages of full sibs, (sib, locus), of parents in linkage equilibrium at frequency one half."""
    dosage = 0
    for parent in rng.integers(0, 2, (2, 2, recombines.size), dtype=np.uint8):
        dosage = dosage + np.where(origins(rng, recombines, sibs), parent[1][:, None], parent[0][:, None])
    return dosage.T


class Realised(NamedTuple):
    """Correlations of predicted and true values over all families, pooled within them, and their standard errors."""

    sibs: float
    sibs_error: float
    unrelated: float
    unrelated_error: float


def realised(lengths, loci, records, h2, families, traits, seed):
    """Accuracy of sibs without records, and of another family of unrelated parents.

    One locus in six is a QTL and not on the panel; so many traits of each family differ in effects and errors.
    """
    recombines = np.concatenate([recombination(np.linspace(0, length, loci)) for length in lengths])
    moments = np.empty((2, families, 3))  # sums of variances of predicted and true values and their covariance
    for number in range(families):
        rng = np.random.default_rng([seed, number])
        sibs, unrelated = breed(rng, recombines, records + 300), breed(rng, recombines, 300)
        qtl = rng.random(recombines.size) < 1 / 6
        panel = sibs[:records, ~qtl]
        relationship = genomic_relationship(panel, np.full(panel.shape[1], 0.5))
        moments[:, number] = 0
        for _ in range(traits):
            effect = rng.normal(size=qtl.sum())
            effect /= np.sqrt((effect**2).sum() / 2)  # base variance 1 at frequency one half
            phenotype = sibs[:records, qtl] @ effect + rng.normal(size=records) * np.sqrt((1 - h2) / h2)
            fit = fit_gblup(relationship, phenotype, h2=h2)
            for which, animals in enumerate((sibs[records:], unrelated)):
                both = np.cov(predicted_values(fit, animals[:, ~qtl]), animals[:, qtl] @ effect)
                moments[which, number] += both[0, 0], both[1, 1], both[0, 1]

    def pooled(sums):
        return sums[..., 2] / np.sqrt(sums[..., 0] * sums[..., 1])

    total = moments.sum(1, keepdims=True)
    left_out = pooled(total - moments)  # jackknife over families
    error = np.sqrt((families - 1) * left_out.var(axis=1))
    return Realised(*np.column_stack([pooled(total[:, 0]), error]).ravel())


def test_accuracy_within_a_full_sib_family():
    # An octopus: 200 sibs tested, h2 0.6. Measured 0.628 with SE 0.005; Daetwyler's form, 0.641, is too high by 0.013.
    # Half and twice the segments, and the heritability among founders or half of it, are further off than 0.05.
    h2, records = 0.6, 200
    within, segments = within_family_h2(h2), full_sib_segments(OCTOPUS)
    found = realised(OCTOPUS, 200, records, h2, families=60, traits=4, seed=1)
    assert found.sibs_error < 0.006
    assert abs(found.sibs - accuracy(records, within, segments)) < 0.025
    assert abs(found.sibs - full_sib_accuracy(records, within, OCTOPUS)) < 0.025
    wrong = [accuracy(records, within, factor * segments) for factor in (0.5, 2)]
    wrong += [accuracy(records, heritability, segments) for heritability in (h2, h2 / 2)]
    assert (np.abs(found.sibs - wrong) > 0.025 + 5 * found.sibs_error).all()
    # No QTL on the panel and parents in linkage equilibrium: nothing is known of another family.
    assert abs(found.unrelated) < 4 * found.unrelated_error < 0.06


def test_accuracy_with_many_records_for_each_segment():
    # 4.2 records a segment: 0.854 measured with SE 0.003; Daetwyler's form says 0.899, waves of unequal weight 0.865
    # (some is lost where no marker is near).
    lengths, h2, records = [0.8] * 12, 0.6, 540
    within = within_family_h2(h2)
    found = realised(lengths, 300, records, h2, families=30, traits=3, seed=2)
    expected = full_sib_accuracy(records, within, lengths)
    assert found.sibs_error < 0.004
    assert abs(found.sibs - expected) < 0.015
    assert accuracy(records, within, full_sib_segments(lengths)) - expected > 0.03
    # Waves that decay as exp(-4 d) or exp(-d), another heritability: all further off.
    wrong = [full_sib_accuracy(records, within, [factor * 0.8] * 12) for factor in (0.5, 2)]
    wrong += [full_sib_accuracy(records, heritability, lengths) for heritability in (h2, h2 / 2)]
    assert (np.abs(found.sibs - wrong) > 0.015 + 5 * found.sibs_error).all()


def test_segments_are_the_variance_of_realised_relationships():
    # Sexes and chromosomes that differ; pairs of sibs by meiosis, not by formula.
    female, male = [3.0, 0.2, 0.2], [1.5, 0.3, 0.0]
    share = (np.array(female) + male) / np.sum(female + male)
    rng = np.random.default_rng(3)
    pairs, loci = 40_000, 60
    place = (np.arange(loci) + 0.5) / loci
    relationship = np.zeros(pairs)
    for lengths in (female, male):
        for s, length in zip(share, lengths, strict=True):
            first, second = (origins(rng, recombination(place * length), pairs) for _ in range(2))
            relationship += s * (1 - 2 * (first != second).mean(0)) / 2
    square = (relationship - relationship.mean()) ** 2
    error = square.std() / np.sqrt(pairs)
    assert error < 0.008 * square.mean()
    assert abs(relationship.mean()) < 5 * np.sqrt(square.mean() / pairs)
    expected = 1 / full_sib_segments(female, male)
    assert abs(square.mean() - expected) < 4 * error

    def decay(length):
        return integrate.dblquad(lambda x, y: np.exp(-4 * length * abs(x - y)), 0, 1, 0, 1, epsabs=1e-6)[0]

    by_quadrature = sum(s**2 * decay(length) for x in (female, male) for s, length in zip(share, x, strict=True)) / 4
    assert expected == pytest.approx(by_quadrature, rel=1e-5)
    # Equal shares of the chromosomes, or a sum of the segments of each, give another figure.
    equal_shares = sum(decay(length) for x in (female, male) for length in x) / 36
    summed = 1 / sum(1 / decay(length) for x in (female, male) for length in x)
    for wrong in (equal_shares, summed):
        assert abs(square.mean() - wrong) > 20 * error


def test_segments_of_species_and_humans():
    # Haldane, equal chromosomes; figures from an independent derivation, and the published SD of sharing in humans.
    assert full_sib_segments(OCTOPUS) == pytest.approx(123, abs=0.5)
    assert full_sib_segments([28 / 46] * 46) == pytest.approx(179, abs=0.5)  # bobtail, cuttlefish
    assert full_sib_segments([7 / 10] * 10) == pytest.approx(42, abs=0.5)  # oyster, short and long map
    assert full_sib_segments([9 / 10] * 10) == pytest.approx(49, abs=0.5)
    assert full_sib_segments([10 / 10] * 10, [8 / 10] * 10) == pytest.approx(49, abs=0.5)
    assert full_sib_segments([30 / 44] * 44) == pytest.approx(183, abs=0.5)  # whiteleg shrimp
    assert full_sib_segments([16 / 23] * 23, [9 / 23] * 23) == pytest.approx(83, abs=0.5)  # cod
    assert 0.5 / np.sqrt(full_sib_segments(HUMAN)) == pytest.approx(0.039, abs=5e-4)
    # Without recombination a parent passes on one haplotype or the other; with very much all loci are apart.
    assert full_sib_segments([0.0, 0.0], [1e-4, 1e-4]) == pytest.approx(4, rel=1e-3)
    assert full_sib_segments([1e-9]) == pytest.approx(2, rel=1e-6)
    assert full_sib_segments([1e6]) == pytest.approx(4e6, rel=1e-3)
    assert full_sib_segments([2.5e-4 * (1 - 1e-9)]) == pytest.approx(full_sib_segments([2.5e-4 * (1 + 1e-9)]), rel=1e-9)


@pytest.mark.parametrize(
    ("h2", "row"),
    [
        (0.1, [0.20, 0.28, 0.42, 0.55, 0.68, 0.83]),
        (0.2, [0.29, 0.39, 0.56, 0.69, 0.80, 0.90]),
        (0.4, [0.41, 0.54, 0.71, 0.82, 0.90, 0.95]),
    ],
)
def test_table_of_accuracies_within_a_family(h2, row):
    within, segments = within_family_h2(h2), full_sib_segments(OCTOPUS)
    records = (100, 200, 500, 1000, 2000, 5000)
    assert [accuracy(n, within, segments) for n in records] == pytest.approx(row, abs=0.0051)
    # The exact one starts the same, falls behind by up to 0.055 and never overtakes.
    exact = [full_sib_accuracy(n, within, OCTOPUS) for n in records]
    behind = np.array([accuracy(n, within, segments) for n in records]) - exact
    assert behind[0] < 0.005
    assert 0.04 < behind.max() < 0.055
    assert behind.min() >= 0


@pytest.mark.parametrize(("records", "h2"), [(50, 0.3), (400, 0.05), (400, 0.8), (5000, 0.99)])
def test_full_sib_accuracy_against_a_grid(records, h2):
    # Eigenvalues of the matrix of 1 - 2 r on a fine grid, and the equation solved by iteration.
    female, male = [1.2, 0.4], [0.0, 0.7]
    share = np.array([1.2, 1.1]) / 2.3
    place = (np.arange(200) + 0.5) / 200
    values = np.concatenate(
        [
            np.linalg.eigvalsh(np.exp(-2 * length * np.abs(place[:, None] - place))) / 200 * s / 2
            for lengths in (female, male)
            for s, length in zip(share, lengths, strict=True)
        ]
    )
    k = 1.0
    for _ in range(3_000):
        error = (k * values / (values + k)).sum()
        k = ((1 - h2) / h2 + error) / records
    assert full_sib_accuracy(records, h2, female, male) == pytest.approx(np.sqrt(1 - error), abs=2e-3)


def test_few_records_know_what_daetwyler_says():
    # To first order in the records the spectrum enters by the sum of its squares, 1 / Me, alone.
    for female, male in ((OCTOPUS, None), ([1.5, 0.5], [0.2, 0.9])):
        exact = full_sib_accuracy(0.001, 0.4, female, male)
        assert exact == pytest.approx(accuracy(0.001, 0.4, full_sib_segments(female, male)), rel=1e-3)
    assert full_sib_accuracy(0, 0.4, OCTOPUS) == accuracy(0, 0.4, 10) == 0


@pytest.mark.parametrize(("effective_size", "length"), [(100, 1.0), (1000, 0.7), (5000, 2.0)])
def test_segments_of_a_population(effective_size, length):
    whole = population_segments(effective_size, [length] * 30)
    assert whole == pytest.approx(2 * effective_size * length * 30 / np.log(effective_size * length), rel=1e-12)
    # The variance of relationships by Sved's r2 = 1 / (1 + 4 Ne d); the logarithm is good to a tenth.
    variance = integrate.quad(lambda x: 2 * (1 - x) / (1 + 4 * effective_size * length * x), 0, 1, limit=200)[0]
    assert whole == pytest.approx(30 / variance, rel=0.1)
    # Unequal chromosomes: the long ones' relationships vary least, but weigh most.
    assert population_segments(effective_size, [1.9 * length, 0.1 * length] * 15) < whole


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"h2 is 0; it must be above 0"):
        within_family_h2(0.0)
    with pytest.raises(ValueError, match=r"h2 is 1\.5; it must be"):
        accuracy(10, 1.5, 30)
    with pytest.raises(ValueError, match=r"segments is 0; it must be above 0"):
        accuracy(10, 0.5, 0)
    with pytest.raises(ValueError, match=r"records is -1; it must be at least 0"):
        full_sib_accuracy(-1, 0.5, OCTOPUS)
    with pytest.raises(ValueError, match=r"the maps have 1 and 2 chromosomes"):
        full_sib_segments([1.0], [1.0, 1.0])
    with pytest.raises(ValueError, match=r"the maps have 0 and 0 chromosomes"):
        full_sib_segments([])
    with pytest.raises(ValueError, match=r"a chromosome has -1 Morgans"):
        full_sib_segments([1.0, -1.0])
    with pytest.raises(ValueError, match=r"all chromosomes have 0 Morgans"):
        full_sib_segments([0.0, 0.0])
    with pytest.raises(ValueError, match=r"effective_size is 5 with a chromosome of 0\.5 Morgans; .* above 2\.718"):
        population_segments(5, [1.0, 0.5])
    with pytest.raises(ValueError, match=r"lengths is empty"):
        population_segments(5, [])
