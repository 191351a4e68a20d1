"""Selection indexes in closed form: what to weigh records by, and what comes of it."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def smith_hazel(phenotypic: Floats, genetic: Floats, economic: Floats) -> Floats:
    """Weights of records that improve the economic sum of breeding values fastest: b = P^-1 G a.

    Args:
      phenotypic: (trait, trait), covariance P of the records.
      genetic: (trait, trait), covariance G of the breeding values.
      economic: (trait,), what a unit of each trait is worth.

    Returns:
      (trait,) weights (Smith 1936; Hazel 1943, doi:10.1093/genetics/28.6.476).

    Raises:
      ValueError: P is not positive definite.

    Example:
      >>> smith_hazel(np.eye(2), np.diag([0.4, 0.2]), np.array([1.0, 1.0])).tolist()
      [0.4, 0.2]
    """
    return np.asarray(np.linalg.solve(_definite(phenotypic, "phenotypic covariance"), genetic @ economic))


def desired_gains(genetic: Floats, gains: Floats) -> Floats:
    """Weights of records that move all traits in stated proportions: b = G^-1 d.

    Args:
      genetic: (trait, trait), covariance G of the breeding values.
      gains: (trait,), proportions d in which traits shall gain.

    Returns:
      (trait,) weights (Pesek & Baker 1969, doi:10.4141/cjps69-137).

    Raises:
      ValueError: G is not positive definite, or no gain is asked for.

    Example:
      >>> desired_gains(np.diag([0.4, 0.2]), np.array([1.0, 1.0])).tolist()
      [2.5, 5.0]
    """
    if not np.any(gains):
        raise ValueError(f"gains is {np.asarray(gains).tolist()}; at least one must not be 0")
    return np.asarray(np.linalg.solve(_definite(genetic, "genetic covariance"), gains))


def index_response(weights: Floats, phenotypic: Floats, genetic: Floats, intensity: float) -> Floats:
    """Gain of each trait from one round of truncation on an index: i G b / sqrt(b' P b).

    Args:
      weights: (trait,), b.
      phenotypic: (trait, trait), P.
      genetic: (trait, trait), G.
      intensity: i.

    Returns:
      (trait,) gains (Falconer & Mackay 1996, eq. 19.9 ff.).
    """
    return np.asarray(intensity * genetic @ weights / np.sqrt(weights @ phenotypic @ weights))


def family_weight(h2: float, clutch: float, size: float) -> float:
    """Best weight of a full-sib family's mean relative to an animal's deviation from it (Lush 1947).

    Args:
      h2: heritability of the record.
      clutch: share of the clutch effect, c2.
      size: tested animals of a family.

    Returns:
      (1 + (n - 1) r) (1 - t) / ((1 + (n - 1) t) (1 - r)), with r = 1/2 and t = h2 / 2 + c2 (Falconer & Mackay 1996,
      table 13.4).

    Example:
      >>> round(family_weight(0.4, 0.0, 1e9), 6)
      4.0
    """
    alike = h2 / 2 + clutch
    return (1 + (size - 1) / 2) * (1 - alike) / ((1 + (size - 1) * alike) / 2)


def within_share(sires: float) -> float:
    """Share of the additive variance that segregates inside a clutch of unrelated parents: 3/4 - 1 / (4 sires)."""
    return 0.75 - 0.25 / sires


def _definite(matrix: Floats, what: str) -> Floats:
    values = np.asarray(matrix, np.float64)
    if np.linalg.eigvalsh(values).min() <= 1e-12 * np.abs(values).max():
        raise ValueError(f"{what} is {values.tolist()}; it must be positive definite")
    return values
