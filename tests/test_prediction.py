"""GBLUP against Henderson's mixed model equations and brute force, in plain NumPy from the definitions."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest
from scipy import optimize

from jaxbreed.prediction import fit_gblup, predicted_values
from jaxbreed.relationship import genomic_relationship
from jaxbreed.reml import LOWEST_H2, estimate_h2, restricted_likelihood, restricted_spectrum


class World(NamedTuple):
    """Genotyped animals, most of them tested, in groups and with unequal weights."""

    dosage: np.ndarray  # uint8 (animal, marker)
    base: np.ndarray  # (marker,) frequencies of the base population, not those of the animals
    phenotype: np.ndarray  # (animal,), nan where not tested
    group: np.ndarray  # (animal,) labels
    weight: np.ndarray  # (animal,)


def make_world(animals=60, markers=200, seed=0):
    rng = np.random.default_rng(seed)
    frequency = rng.uniform(0.1, 0.9, markers)
    dosage = rng.binomial(2, frequency, (animals, markers)).astype(np.uint8)
    group = rng.permutation(np.arange(animals) % 3) * 10 - 4
    weight = rng.integers(1, 6, animals).astype(float)
    effect = rng.normal(size=markers) / np.sqrt((2 * frequency * (1 - frequency)).sum())
    phenotype = 5 + dosage @ effect + 0.3 * group + rng.normal(size=animals) / np.sqrt(weight)
    phenotype[rng.permutation(animals)[: animals // 6]] = np.nan
    return World(dosage, rng.uniform(0.2, 0.8, markers), phenotype, group, weight)


def definition(dosage, p):
    z = dosage - 2 * p
    return z @ z.T / (2 * p * (1 - p)).sum()


def henderson(design, incidence, precision, phenotype, weight, ratio):
    """Mixed model equations; fixed effects, random effects, inverse of the coefficients over the residual variance.

    design (record, fixed), incidence (record, random), precision of the random effects (random, random) over that of
    the genetic variance, ratio of residual to genetic variance.
    """
    both = np.hstack([design, incidence])
    left = both.T @ (weight[:, None] * both)
    left[design.shape[1] :, design.shape[1] :] += ratio * precision
    inverse = np.linalg.inv(left)
    solution = inverse @ both.T @ (weight * phenotype)
    return solution[: design.shape[1]], solution[design.shape[1] :], inverse


def one_hot(labels):
    return (labels[:, None] == np.unique(labels)).astype(float)


def relative(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize("markers", [7, 5000])  # more than two blocks
def test_relationships_are_van_radens(given, markers):
    world = make_world(markers=markers)
    p = world.base if given else world.dosage.mean(0) / 2
    result = genomic_relationship(world.dosage, p if given else None)
    assert relative(result.matrix, definition(world.dosage, p)) < 1e-13
    assert result.frequency == pytest.approx(p, abs=1e-15)
    assert result.scale == pytest.approx((2 * p * (1 - p)).sum(), rel=1e-13)
    # Centred by their own frequencies all animals' relationships add up to 0; with others they do not.
    assert (np.abs(result.matrix.sum(0)).max() < 1e-9) == (not given)


@pytest.mark.parametrize("markers", [12, 300])
@pytest.mark.parametrize("h2", [0.02, 0.35, 0.9])
def test_dual_solution_is_primal_ridge_regression(markers, h2):
    world = make_world(markers=markers)
    tested = ~np.isnan(world.phenotype)
    p = world.base
    z, design = (world.dosage - 2 * p)[tested], one_hot(world.group[tested])
    scale = (2 * p * (1 - p)).sum()
    relationship = genomic_relationship(world.dosage, p)
    fit = fit_gblup(relationship, world.phenotype, h2=h2, group=world.group, weight=world.weight)

    def ridge(ratio=(1 - h2) / h2, weight=world.weight, design=design):
        return henderson(design, z, scale * np.eye(markers), world.phenotype[tested], weight[tested], ratio)

    fixed, effect, _ = ridge()
    assert relative(fit.effect, effect) < 1e-9
    assert fit.group_mean == pytest.approx(fixed, rel=1e-9)
    mean = (design @ fixed).mean()
    assert fit.value == pytest.approx(mean + (world.dosage - 2 * p) @ effect, rel=1e-9)
    assert fit.h2 == h2
    # The nearest mistakes are far outside.
    wrong = [ridge(ratio=h2 / (1 - h2)), ridge(weight=1 / world.weight), ridge(weight=np.ones(60))]
    wrong += [ridge(design=design[:, :1] * 0 + 1), ridge(ratio=(1 - h2) / h2 / scale)]
    assert all(relative(effect, other[1]) > 1e-3 for other in wrong)


@pytest.mark.parametrize("h2", [0.1, 0.5])
def test_reliability_is_that_of_the_mixed_model_equations(h2):
    world = make_world()
    tested = ~np.isnan(world.phenotype)
    relationship = genomic_relationship(world.dosage, world.base)
    matrix = definition(world.dosage, world.base)
    ratio = (1 - h2) / h2
    design = one_hot(world.group[tested])
    _, value, inverse = henderson(
        design, np.eye(60)[tested], np.linalg.inv(matrix), world.phenotype[tested], world.weight[tested], ratio
    )
    prediction_error = np.diag(inverse)[3:] * ratio  # over the genetic variance
    fit = fit_gblup(relationship, world.phenotype, h2=h2, group=world.group, weight=world.weight, reliability=True)
    assert fit.value - fit.value.mean() == pytest.approx(value - value.mean(), abs=1e-9)
    assert fit.reliability == pytest.approx(1 - prediction_error / np.diag(matrix), abs=1e-9)
    # Without a record of its own an animal is known less well, and groups cost some of it.
    assert fit.reliability[tested].mean() > fit.reliability[~tested].mean() + 0.01
    ungrouped = fit_gblup(relationship, world.phenotype, h2=h2, weight=world.weight, reliability=True)
    assert (ungrouped.reliability >= fit.reliability - 1e-12).all()
    assert (ungrouped.reliability - fit.reliability).max() > 1e-3
    assert np.isnan(fit_gblup(relationship, world.phenotype, h2=h2).reliability).all()


def full_restricted_likelihood(genetic, residual, world):
    """Patterson & Thompson 1971, from the covariance matrix of the records."""
    tested = ~np.isnan(world.phenotype)
    y, design = world.phenotype[tested], one_hot(world.group[tested])
    covariance = genetic * definition(world.dosage, world.base)[np.ix_(tested, tested)]
    covariance += np.diag(residual / world.weight[tested])
    inverse = np.linalg.inv(covariance)
    information = design.T @ inverse @ design
    projected = inverse - inverse @ design @ np.linalg.solve(information, design.T @ inverse)
    logs = np.linalg.slogdet(covariance)[1] + np.linalg.slogdet(information)[1]
    return -0.5 * (logs + y @ projected @ y + (y.size - design.shape[1]) * np.log(2 * np.pi))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_reml_against_the_restricted_likelihood_in_two_dimensions(seed):
    world = make_world(seed=seed)
    found = optimize.minimize(
        lambda x: -full_restricted_likelihood(*np.exp(x), world),
        [0.0, 0.0],
        method="Nelder-Mead",
        options={"xatol": 1e-6, "fatol": 1e-10, "maxiter": 2000},
    )
    genetic, residual = np.exp(found.x)
    relationship = genomic_relationship(world.dosage, world.base)
    fit = fit_gblup(relationship, world.phenotype, group=world.group, weight=world.weight)
    assert 0.05 < fit.h2 < 0.98  # the highest point is no edge
    assert fit.h2 == pytest.approx(genetic / (genetic + residual), abs=1e-5)
    assert fit.genetic_variance == pytest.approx(genetic, rel=1e-4)
    assert fit.residual_variance == pytest.approx(residual, rel=1e-4)

    # The whole curve, too: with the genetic variance at its best for each ratio.
    tested = ~np.isnan(world.phenotype)
    spectrum = restricted_spectrum(
        relationship.matrix[np.ix_(tested, tested)],
        world.phenotype[tested],
        one_hot(world.group[tested]),
        world.weight[tested],
    )
    offset = []
    for h2 in (0.01, 0.2, 0.6, 0.99):
        ratio = (1 - h2) / h2
        at = fit_gblup(relationship, world.phenotype, h2=h2, group=world.group, weight=world.weight)
        brute = full_restricted_likelihood(at.genetic_variance, at.residual_variance, world)
        offset.append(restricted_likelihood(ratio, *spectrum) - brute)
        assert brute > full_restricted_likelihood(1.02 * at.genetic_variance, 1.02 * at.residual_variance, world)
        assert brute > full_restricted_likelihood(0.98 * at.genetic_variance, 0.98 * at.residual_variance, world)
    assert np.ptp(offset) < 1e-8


def test_reml_recovers_the_variances():
    # 25 groups of 4 cost a quarter of the degrees of freedom: likelihood that is not restricted has 0.75 of the
    # residual variance, more than 10 SE off.
    rng = np.random.default_rng(4)
    estimate = []
    for _ in range(100):
        dosage = rng.binomial(2, 0.5, (100, 20)).astype(np.uint8)
        relationship = genomic_relationship(dosage, np.full(20, 0.5))
        sessions = rng.integers(1, 4, 100)
        value = dosage @ rng.normal(size=20) * np.sqrt(2.0 / relationship.scale)
        phenotype = value + rng.normal(size=100) / np.sqrt(sessions) + np.repeat(rng.normal(size=25) * 3, 4)
        fit = fit_gblup(relationship, phenotype, group=np.repeat(np.arange(25), 4), weight=sessions)
        estimate.append((fit.genetic_variance, fit.residual_variance))
    mean, error = np.mean(estimate, 0), np.std(estimate, 0, ddof=1) / 10
    assert (error < [0.1, 0.025]).all()
    assert (np.abs(mean - [2.0, 1.0]) < 5 * error).all()


def test_reml_at_its_bounds():
    rng = np.random.default_rng(5)
    dosage = rng.binomial(2, 0.5, (80, 20)).astype(np.uint8)
    relationship = genomic_relationship(dosage, np.full(20, 0.5))
    value = dosage @ rng.normal(size=20)
    assert fit_gblup(relationship, value).h2 == pytest.approx(1 - LOWEST_H2, rel=1e-6)
    # Residuals of a regression on the markers: nothing is left for relationships to explain.
    noise = rng.normal(size=80)
    columns = np.column_stack([np.ones(80), dosage])
    noise -= columns @ np.linalg.lstsq(columns, noise, rcond=None)[0]
    fit = fit_gblup(relationship, noise)
    assert fit.h2 == pytest.approx(LOWEST_H2, rel=1e-6)
    assert fit.genetic_variance < 1e-3 * noise.var()


def test_reml_finds_the_higher_of_two_peaks():
    # Spectra made by hand: a diagonal matrix, and a last record that the only fixed effect uses up.
    eigenvalue = np.repeat([1000.0, 1.0, 0.0, 0.0], [3, 5, 2, 1])
    design = np.eye(11)[:, [10]]
    logits = np.linspace(-9, 9, 2001)
    side = set()
    for first in (9.5, 11.0, 14.0, 18.0):
        phenotype = np.sqrt(np.repeat([first, 10.0, 0.001, 7.0], [3, 5, 2, 1]))
        curve = [restricted_likelihood(np.exp(-x), eigenvalue[:10], phenotype[:10] ** 2) for x in logits]
        peaks = np.flatnonzero((np.diff(curve)[:-1] > 0) & (np.diff(curve)[1:] < 0)) + 1
        assert len(peaks) == 2
        highest = logits[np.argmax(curve)]
        side.add(highest > 0)
        found = estimate_h2(np.diag(eigenvalue), phenotype, design, np.ones(11))
        assert np.log(found / (1 - found)) == pytest.approx(highest, abs=0.01)
    assert side == {True, False}


def test_swapped_alleles_give_the_same_to_the_bit():
    world = make_world(markers=1500)
    swapped = world.dosage.copy()
    flip = np.random.default_rng(1).random(1500) < 0.5
    swapped[:, flip] = 2 - swapped[:, flip]
    first, second = genomic_relationship(world.dosage), genomic_relationship(swapped)
    assert (first.matrix == second.matrix).all()
    one, two = (fit_gblup(x, world.phenotype, group=world.group) for x in (first, second))
    assert (one.value == two.value).all()
    assert one.h2 == two.h2
    assert (one.effect == np.where(flip, -1, 1) * two.effect).all()
    assert predicted_values(two, swapped) == pytest.approx(predicted_values(one, world.dosage), rel=1e-12)


def test_order_of_animals_and_markers_does_not_matter():
    world = make_world(markers=1500)
    rng = np.random.default_rng(1)
    animal, marker = rng.permutation(60), rng.permutation(1500)
    one = fit_gblup(genomic_relationship(world.dosage), world.phenotype, group=world.group, weight=world.weight)
    two = fit_gblup(
        genomic_relationship(world.dosage[animal][:, marker]),
        world.phenotype[animal],
        group=world.group[animal],
        weight=world.weight[animal],
    )
    assert two.value == pytest.approx(one.value[animal], rel=1e-7)  # as far as the search for h2 goes
    assert relative(two.effect, one.effect[marker]) < 1e-6
    assert two.h2 == pytest.approx(one.h2, rel=1e-6)


def test_centring_does_not_matter_only_what_h2_refers_to():
    # The same variance of marker effects, told as heritabilities of two base populations (Stranden & Christensen 2011).
    world = make_world()
    own, other = genomic_relationship(world.dosage), genomic_relationship(world.dosage, world.base)
    ratio = 1.5
    h2 = [1 / (1 + ratio * own.scale / x.scale) for x in (own, other)]
    one, two = (fit_gblup(x, world.phenotype, h2=h, weight=world.weight) for x, h in zip((own, other), h2, strict=True))
    assert abs(h2[0] - h2[1]) > 0.01
    assert relative(two.effect, one.effect) < 1e-9
    spread = two.value - two.value.mean()
    assert spread == pytest.approx(one.value - one.value.mean(), abs=1e-9)
    assert two.residual_variance == pytest.approx(one.residual_variance, rel=1e-9)


def test_untested_animals_change_nothing():
    world = make_world()
    tested = ~np.isnan(world.phenotype)
    options = {"group": world.group, "weight": world.weight}
    full = fit_gblup(genomic_relationship(world.dosage, world.base), world.phenotype, reliability=True, **options)
    part = fit_gblup(
        genomic_relationship(world.dosage[tested], world.base),
        world.phenotype[tested],
        reliability=True,
        **{key: x[tested] for key, x in options.items()},
    )
    assert part.effect == pytest.approx(full.effect, rel=1e-6, abs=1e-9)
    assert part.value == pytest.approx(full.value[tested], rel=1e-7)
    assert part.reliability == pytest.approx(full.reliability[tested], abs=1e-6)
    assert predicted_values(part, world.dosage[~tested]) == pytest.approx(full.value[~tested], rel=1e-7)
    # A group or a weight of an animal without a record is never looked at.
    options["group"] = np.where(tested, world.group, 99)
    options["weight"] = np.where(tested, world.weight, np.nan)
    again = fit_gblup(genomic_relationship(world.dosage, world.base), world.phenotype, reliability=True, **options)
    assert (again.value == full.value).all()


def test_marker_effects_score_any_genome():
    world = make_world(markers=1500)
    rng = np.random.default_rng(2)
    fit = fit_gblup(genomic_relationship(world.dosage, world.base), world.phenotype, h2=0.5)
    assert predicted_values(fit, world.dosage) == pytest.approx(fit.value, rel=1e-12)
    haplotypes = rng.integers(0, 2, (8, 2, 1500), dtype=np.uint8)
    column = fit.intercept + (haplotypes * fit.effect).sum((1, 2))
    assert predicted_values(fit, haplotypes.sum(1)) == pytest.approx(column, rel=1e-12)
    assert np.ptp(column) > 0.05


def test_a_weight_is_a_number_of_averaged_records():
    # Clones tested once each, or one animal with their mean and their number as weight.
    world = make_world(animals=40)
    rng = np.random.default_rng(3)
    sessions = rng.integers(1, 5, 40)
    animal = np.repeat(np.arange(40), sessions)
    scores = rng.normal(size=animal.size) + world.dosage[animal, 0]
    mean = np.bincount(animal, scores) / sessions
    single = fit_gblup(genomic_relationship(world.dosage, world.base), mean, h2=0.3, weight=sessions)
    clones = fit_gblup(genomic_relationship(world.dosage[animal], world.base), scores, h2=0.3)
    assert single.group_mean == pytest.approx(clones.group_mean, rel=1e-9)
    assert relative(single.effect, clones.effect) < 1e-9


def test_without_error_predictions_are_the_phenotypes():
    world = make_world()
    tested = ~np.isnan(world.phenotype)
    # Centred by their own frequencies, the relationships have no inverse; the mean takes care of that.
    fit = fit_gblup(genomic_relationship(world.dosage[tested]), world.phenotype[tested], h2=1.0)
    assert fit.value == pytest.approx(world.phenotype[tested], rel=1e-9)
    with pytest.raises(ValueError, match=r"h2 is 1, but .* singular"):
        fit_gblup(genomic_relationship(world.dosage[:, :20]), np.arange(60.0), h2=1.0)
    # Twins: whether the last pivot comes out below or above 0 is chance.
    for seed in range(12):
        twins = make_world(seed=seed).dosage
        twins[59] = twins[0]
        with pytest.raises(ValueError, match=r"h2 is 1, but .* singular"):
            fit_gblup(genomic_relationship(twins), np.arange(60.0), h2=1.0)


def test_bad_genotypes_are_named():
    with pytest.raises(ValueError, match=r"dosage is nan at animal 1, marker 2; it must be 0, 1 or 2"):
        genomic_relationship([[0, 1, 2.0], [0, 1, np.nan]])
    with pytest.raises(ValueError, match=r"dosage is 3 at animal 0, marker 1"):
        genomic_relationship(np.array([[0, 3], [1, 1]], np.uint8))
    with pytest.raises(ValueError, match=r"dosage is -1 at"):
        genomic_relationship(np.array([[0, -1], [1, 1]]))
    with pytest.raises(ValueError, match=r"shape \(3,\); it must be \(animal, marker\)"):
        genomic_relationship([0, 1, 2])
    with pytest.raises(ValueError, match=r"all 4 markers have frequency 0 or 1; at least one must vary"):
        genomic_relationship(np.tile(np.array([0, 2, 2, 0], np.uint8), (5, 1)))
    with pytest.raises(ValueError, match=r"frequency is 1\.2 at marker 1; it must be from 0 to 1"):
        genomic_relationship([[0, 1]], [0.5, 1.2])
    with pytest.raises(ValueError, match=r"frequency has shape \(3,\); it must be \(2,\)"):
        genomic_relationship([[0, 1]], [0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match=r"16777217 markers; it can have at most 16777216"):
        genomic_relationship(np.broadcast_to(np.uint8(1), (2, 2**24 + 1)))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"h2": 0.0}, r"h2 is 0; it must be above 0 and at most 1, or None"),
        ({"h2": 1.01}, r"h2 is 1\.01; it must be"),
        ({"h2": np.nan}, r"h2 is nan; it must be"),
        ({"phenotype": np.full(6, np.nan)}, r"phenotype has 0 records; prediction needs at least 2"),
        ({"phenotype": [1.0, *[np.nan] * 5]}, r"phenotype has 1 records; prediction needs at least 2"),
        ({"phenotype": np.full(6, 3.3)}, r"phenotype has no variance within groups in its 6 records"),
        ({"phenotype": [1, 1, 1, 5, 5, 5], "group": [0, 0, 0, 1, 1, 1]}, r"no variance within groups"),
        ({"phenotype": [1, 2, 3, 4, 5, np.inf]}, r"phenotype is inf at animal 5; it must be finite, or nan"),
        ({"phenotype": np.ones((6, 1))}, r"phenotype has shape \(6, 1\); it must be \(6,\)"),
        ({"group": [1, 2]}, r"group has shape \(2,\); it must be \(6,\)"),
        ({"group": np.arange(6)}, r"6 groups of one record each; at least one group needs two"),
        ({"weight": [1, 1, 0, 1, 1, 1]}, r"weight is 0 at animal 2; it must be above 0 and finite"),
        ({"weight": [1, 1, 1, np.nan, 1, 1]}, r"weight is nan at animal 3"),
        ({"phenotype": [1, 2, *[np.nan] * 4], "h2": None}, r"h2 cannot be estimated from 2 records.*give h2"),
    ],
)
def test_bad_records_are_named(change, sentence):
    relationship = genomic_relationship(np.random.default_rng(0).integers(0, 3, (6, 30), dtype=np.uint8))
    arguments = {"phenotype": np.arange(6.0), "h2": 0.5, **change}
    with pytest.raises(ValueError, match=sentence):
        fit_gblup(relationship, arguments.pop("phenotype"), **arguments)


def test_predictions_are_of_their_own_markers():
    world = make_world()
    fit = fit_gblup(genomic_relationship(world.dosage), world.phenotype, h2=0.5)
    with pytest.raises(ValueError, match=r"dosage has 199 markers; the prediction has 200"):
        predicted_values(fit, world.dosage[:, 1:])
    assert dataclasses.is_dataclass(fit)
