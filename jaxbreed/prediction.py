"""Genomic prediction: breeding values and marker effects from tested, genotyped animals (GBLUP)."""

import dataclasses

import numpy as np
import numpy.typing as npt
import scipy.linalg

from jaxbreed.relationship import Relationship, checked_dosage, signed_blocks
from jaxbreed.reml import estimate_h2

Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What the tested animals say of one trait, trait units.

    Attributes:
      effect: (marker,), value of one copy of allele 1.
      intercept: predicted value of an animal without any allele 1; intercept + dosage @ effect for any animal.
      value: (animal,), predicted values of the animals that the relationships are of, tested or not.
      group_mean: (group,), estimates of the fixed means, groups in rising order of their labels.
      h2: heritability used or estimated.
      genetic_variance: estimate given h2, in the population that the relationships refer to.
      residual_variance: likewise, of a record of weight 1.
      reliability: (animal,), squared accuracies of the predicted values, nan where not asked for.
    """

    effect: Floats
    intercept: float
    value: Floats
    group_mean: Floats
    h2: float
    genetic_variance: float
    residual_variance: float
    reliability: Floats


@dataclasses.dataclass(frozen=True)
class _Records:
    """The records of the tested animals."""

    animal: npt.NDArray[np.int64]  # (record,)
    phenotype: Floats  # (record,)
    design: Floats  # (record, group), 1 where the record is of the group
    weight: Floats  # (record,)


def fit_gblup(
    relationship: Relationship,
    phenotype: npt.ArrayLike,
    *,
    h2: float | None = None,
    group: npt.ArrayLike | None = None,
    weight: npt.ArrayLike | None = None,
    reliability: bool = False,
) -> Prediction:
    """Best linear unbiased prediction of one trait from genomic relationships.

    y = mean of the group + g + e, var(g) = G sg2, var(e) = se2 / weight, h2 = sg2 / (sg2 + se2). One system with an
    equation for each record is solved; its solution also gives the effects that ridge regression on all markers has,
    with variance sg2 / scale each (VanRaden 2008; Stranden & Garrick 2009, doi:10.3168/jds.2008-1929). Predicted
    values refer to the mean of the groups' means, each weighted by its records; what the groups differ by is taken
    for environment, but for what the markers explain.

    Args:
      relationship: of the tested animals and any others; several traits can share it.
      phenotype: (animal,), nan where the animal has no record of the trait.
      h2: heritability in the population that the relationships refer to, of a record of weight 1, in (0, 1]; None to
        estimate it by REML.
      group: (animal,), labels of groups with a fixed mean each (clutches, generations); None for one group.
      weight: (animal,), above 0: residual variances are divided by it (test sessions averaged, if sessions differ
        by error only); None for 1.
      reliability: whether to compute reliabilities, 1 - prediction error variance / (relationship with itself x sg2);
        takes about as long again as relationships do.

    Returns:
      The prediction.

    Raises:
      ValueError: wrong shapes, fewer than 2 records or none to spare, no variance, h2 or weight out of range, a
        singular system.
    """
    if h2 is not None and not 0 < h2 <= 1:
        raise ValueError(f"h2 is {h2:g}; it must be above 0 and at most 1, or None to estimate it")
    animals = len(relationship.matrix)
    records = _records(animals, phenotype, group, weight)
    animal, design = records.animal, records.design
    if h2 is None:
        within = relationship.matrix[np.ix_(animal, animal)]
        h2 = estimate_h2(within, records.phenotype, design, records.weight)
    ratio = (1 - h2) / h2
    root = _cholesky(relationship.matrix[np.ix_(animal, animal)], records, ratio)

    solved = scipy.linalg.cho_solve((root, True), np.column_stack([design, records.phenotype]), check_finite=False)
    information = design.T @ solved[:, :-1]
    group_mean = np.linalg.solve(information, design.T @ solved[:, -1])
    residual = solved[:, -1] - solved[:, :-1] @ group_mean
    genetic = float(records.phenotype @ residual) / (animal.size - group_mean.size)

    dual = np.zeros(animals)
    dual[animal] = residual
    # The dual solution adds up to 0 within every group: the genotypes need no centring.
    effect = np.empty(relationship.dosage.shape[1])
    for markers_here, block in signed_blocks(relationship.dosage):
        effect[markers_here] = dual @ block / relationship.scale
    mean = float((design @ group_mean).mean())
    known = np.full(animals, np.nan)
    if reliability:
        between = relationship.matrix[:, animal].T  # (record, animal), in LAPACK's order as well
        lost = solved[:, :-1].T @ between
        half = scipy.linalg.solve_triangular(root, between, lower=True, overwrite_b=True, check_finite=False)
        explained = np.einsum("ra,ra->a", half, half) - (lost * np.linalg.solve(information, lost)).sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            known = explained / np.diag(relationship.matrix)
    return Prediction(
        effect=effect,
        intercept=mean - float(2 * relationship.frequency @ effect),
        value=mean + relationship.matrix @ dual,
        group_mean=group_mean,
        h2=float(h2),
        genetic_variance=genetic,
        residual_variance=ratio * genetic,
        reliability=known,
    )


def predicted_values(prediction: Prediction, dosage: npt.ArrayLike) -> Floats:
    """Predicted values of any animals: intercept + dosage @ effect, without widening all genotypes at once.

    Args:
      prediction: of a trait.
      dosage: uint8 (animal, marker), the same markers and alleles.

    Returns:
      (animal,), trait units.

    Raises:
      ValueError: other markers than the prediction's, or dosages that are not 0, 1 or 2.
    """
    genotypes = checked_dosage(dosage)
    if genotypes.shape[1] != prediction.effect.size:
        raise ValueError(f"dosage has {genotypes.shape[1]} markers; the prediction has {prediction.effect.size}")
    value = np.full(len(genotypes), prediction.intercept + prediction.effect.sum())
    for markers_here, block in signed_blocks(genotypes):
        value += block @ prediction.effect[markers_here]
    return value


def _cholesky(covariance: Floats, records: _Records, ratio: float) -> Floats:
    """Lower Cholesky root of the records' covariance over the genetic variance, the groups' means as if random.

    Any covariance of fixed effects may be added: neither their estimates nor predictions change (Rao 1971). It keeps
    the matrix regular where relationships are centred by the animals' own frequencies.

    Args:
      covariance: (record, record), relationships, overwritten.
      records: the records.
      ratio: residual over genetic variance.

    Returns:
      (record, record), of which only the lower triangle counts.

    Raises:
      ValueError: the matrix is singular.
    """
    group = records.design.argmax(1)
    covariance += group[:, None] == group
    covariance[np.diag_indices_from(covariance)] += ratio / records.weight
    try:
        # Transposed, that is in the order that LAPACK works in place on.
        root = scipy.linalg.cholesky(covariance.T, lower=True, overwrite_a=True, check_finite=False)
        singular = np.diag(root).min() < 1e-6 * np.diag(root).max()
    except np.linalg.LinAlgError:
        singular = True
    if singular:
        raise ValueError(
            f"h2 is {1 / (1 + ratio):g}, but relationships of the tested are singular (animals with the same "
            "genotypes, or more animals than markers), which needs more residual variance; give a lower h2"
        )
    return np.asarray(root)


def _records(
    animals: int, phenotype: npt.ArrayLike, group: npt.ArrayLike | None, weight: npt.ArrayLike | None
) -> _Records:
    """The records with their groups and weights, checked."""
    everyone = np.asarray(phenotype, np.float64)
    labels = np.zeros(animals, np.int64) if group is None else np.asarray(group)
    weights = np.ones(animals) if weight is None else np.asarray(weight, np.float64)
    for name, array in (("phenotype", everyone), ("group", labels), ("weight", weights)):
        if array.shape != (animals,):
            raise ValueError(f"{name} has shape {array.shape}; it must be ({animals},), one for each animal")
    animal = np.flatnonzero(~np.isnan(everyone))
    if animal.size < 2:
        raise ValueError(f"phenotype has {animal.size} records; prediction needs at least 2")
    y, w = everyone[animal], weights[animal]
    if (bad := ~np.isfinite(y)).any():
        where = int(bad.argmax())
        raise ValueError(f"phenotype is {y[where]} at animal {animal[where]}; it must be finite, or nan if not tested")
    if (bad := ~(np.isfinite(w) & (w > 0))).any():
        where = int(bad.argmax())
        raise ValueError(f"weight is {w[where]:g} at animal {animal[where]}; it must be above 0 and finite")
    member = np.unique(labels[animal], return_inverse=True)[1]
    size = np.bincount(member)
    if size.size == animal.size:
        raise ValueError(f"group has {size.size} groups of one record each; at least one group needs two records")
    if np.abs(y - (np.bincount(member, y) / size)[member]).max() <= 1e-12 * np.abs(y).max():
        raise ValueError(f"phenotype has no variance within groups in its {animal.size} records; prediction needs some")
    return _Records(animal, y, (member[:, None] == np.arange(size.size)).astype(np.float64), w)
