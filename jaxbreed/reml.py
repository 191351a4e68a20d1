"""Heritability by restricted maximum likelihood: one eigendecomposition, then a search along one axis."""

import math

import numpy as np
import numpy.typing as npt
import scipy.linalg
from scipy.optimize import minimize_scalar

Floats = npt.NDArray[np.float64]

LOWEST_H2 = 1e-4
"""Estimates lie between this and 1 minus this."""

_GRID = 81  # points on the logit scale: the likelihood can have more than one peak


def estimate_h2(matrix: Floats, phenotype: Floats, design: Floats, weight: Floats) -> float:
    """REML estimate of the heritability (Kang et al. 2008, doi:10.1534/genetics.107.080101, EMMA).

    y = X b + g + e, var(g) = G sg2, var(e) = se2 / weight, h2 = sg2 / (sg2 + se2). Records are multiplied by the root
    of their weights, which makes all residual variances equal. What fixed effects leave of the genetic covariance is
    decomposed once; the restricted likelihood of any ratio is then a sum over its eigenvalues.

    Args:
      matrix: (record, record), relationships G; overwritten.
      phenotype: (record,).
      design: (record, fixed effect), X, of full rank.
      weight: (record,), above 0.

    Returns:
      h2, no closer to 0 or 1 than `LOWEST_H2`.

    Raises:
      ValueError: the likelihood is the same for every h2.
    """
    eigenvalue, square = restricted_spectrum(matrix, phenotype, design, weight)
    if np.ptp(eigenvalue) <= 1e-9 * eigenvalue.max():
        raise ValueError(
            f"h2 cannot be estimated from {phenotype.size} records: all the tested are equally related; give h2"
        )
    edge = math.log((1 - LOWEST_H2) / LOWEST_H2)
    grid = np.linspace(-edge, edge, _GRID)
    height = [restricted_likelihood(_ratio(x), eigenvalue, square) for x in grid]
    best = int(np.argmax(height))
    around = grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]
    found = minimize_scalar(
        lambda x: -restricted_likelihood(_ratio(x), eigenvalue, square),
        bounds=around,
        method="bounded",
        options={"xatol": 1e-7},
    )
    return float(1 / (1 + _ratio(found.x)))


def restricted_spectrum(matrix: Floats, phenotype: Floats, design: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Eigenvalues of the genetic covariance of error contrasts, and squares of the contrasts along its eigenvectors.

    Args:
      matrix: (record, record), relationships; overwritten.
      phenotype: (record,).
      design: (record, fixed effect), of full rank.
      weight: (record,).

    Returns:
      Two arrays (record - fixed effects,).
    """
    root = np.sqrt(weight)
    fixed = np.linalg.qr(root[:, None] * design)[0]
    # With 1 added to every eigenvalue those of the fixed effects, 0, are the lowest and are left out.
    matrix *= root[:, None]
    matrix *= root
    matrix[np.diag_indices_from(matrix)] += 1
    matrix -= fixed @ (fixed.T @ matrix)
    matrix -= (matrix @ fixed) @ fixed.T
    # Divide and conquer: three times as fast as the other drivers with 5,000 records.
    value, vector = scipy.linalg.eigh(matrix.T, driver="evd", overwrite_a=True, check_finite=False)
    kept = slice(fixed.shape[1], None)
    return np.maximum(value[kept] - 1, 0), np.asarray((vector[:, kept].T @ (root * phenotype)) ** 2)


def restricted_likelihood(ratio: float, eigenvalue: Floats, square: Floats) -> float:
    """Restricted log-likelihood at its highest over the genetic variance (Kang et al. 2008, eq. 7).

    Args:
      ratio: residual over genetic variance.
      eigenvalue: (contrast,), from `restricted_spectrum`.
      square: (contrast,), likewise.

    Returns:
      The log-likelihood of the error contrasts; constant terms of the weights and fixed effects are left out.
    """
    contrasts = eigenvalue.size
    total = eigenvalue + ratio
    genetic = (square / total).sum() / contrasts
    return float(-0.5 * (contrasts * (math.log(2 * math.pi * genetic) + 1) + np.log(total).sum()))


def _ratio(logit: float) -> float:
    return math.exp(-logit)
