"""Traits: effects at loci, environmental variances, and their integer form for the kernels."""

import dataclasses
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

Floats = npt.NDArray[np.float64]
_VALUE_BITS = 29.9  # phenotypes must stay below 2**30 score units
_NOISE_REACH = 8.0  # residual SDs that must fit; the noise stream ends at 6.4


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Traits:
    """Traits in score units: integers, 2**scale_bits to one unit of the trait.

    Attributes:
      qtl: int32 (qtl,), which loci have effects.
      effect: int32 (trait, qtl), value of one copy of allele 1.
      intercept: int32 (trait,).
      residual: float32 (trait, trait), environmental covariance of an animal's record, trait units.
      additive: float32 (trait, trait), covariance of breeding values among founders, trait units.
      sd_additive: float32 (trait,), its SDs.
      sd_phenotypic: float32 (trait,), phenotypic SD among founders, trait units: the unit of reports.
      names: names of the traits.
      scale_bits: binary logarithm of the scale.
      dominance: int32 (trait, qtl), value of a heterozygote beyond the mean of the homozygotes; None without.
      clutch: float32 (trait, trait), covariance of what all eggs of a clutch share besides genes; None without.
      permanent: float32 (trait, trait), the part of the residual that all sessions of an animal share; None without.
    """

    qtl: Array
    effect: Array
    intercept: Array
    residual: Array
    additive: Array
    sd_additive: Array
    sd_phenotypic: Array
    names: tuple[str, ...] = dataclasses.field(metadata={"static": True})
    scale_bits: int = dataclasses.field(metadata={"static": True})
    dominance: Array | None = None
    clutch: Array | None = None
    permanent: Array | None = None


def traits_from_effects(
    names: Sequence[str],
    qtl: npt.NDArray[np.int64],
    effect: Floats,
    intercept: Floats,
    residual: Floats,
    sd_additive: Floats,
    *,
    dominance: Floats | None = None,
    clutch: Floats | None = None,
    permanent: Floats | None = None,
    correlation: Floats | None = None,
    sd_phenotypic: Floats | None = None,
) -> Traits:
    """Traits from effects that are known already.

    Args:
      names: trait names.
      qtl: (qtl,) locus numbers, rising.
      effect: (trait, qtl), value of one copy of allele 1, trait units.
      intercept: (trait,), value of a genotype without any allele 1.
      residual: (trait, trait), environmental covariance of a record.
      sd_additive: (trait,), SD of breeding values among founders.
      dominance: (trait, qtl), value of a heterozygote beyond the mean of the homozygotes; none if left out.
      clutch: (trait, trait), covariance of the effects common to a clutch; none if left out.
      permanent: (trait, trait), the part of the residual that all sessions share; none if left out.
      correlation: (trait, trait), of breeding values among founders; none if left out.
      sd_phenotypic: (trait,), the unit of reports; left out: the root of the additive, residual and clutch variances.

    Returns:
      The traits on the finest integer scale that cannot overflow.

    Raises:
      ValueError: the residual or the clutch covariance is not a covariance matrix.
    """
    _check_covariance(residual, "residual")
    shared = np.zeros_like(residual)
    if clutch is not None and np.any(clutch):
        _check_covariance(clutch, "clutch")
        shared = clutch
    if permanent is not None and not np.any(permanent):
        permanent = None
    if permanent is not None:
        _check_covariance(permanent, "permanent")
        _check_covariance(residual - permanent, "temporary")
    if correlation is None:
        correlation = np.eye(len(names))
    heterozygote = effect if dominance is None else effect + dominance
    highest = intercept + np.maximum(np.maximum(2 * effect, heterozygote), 0).sum(axis=1)
    lowest = intercept + np.minimum(np.minimum(2 * effect, heterozygote), 0).sum(axis=1)
    environment = np.sqrt(np.diag(residual)) + np.sqrt(np.diag(shared))
    reach = np.maximum(np.abs(highest), np.abs(lowest)) + _NOISE_REACH * environment
    # 4: not even traits without any variance need a finer unit.
    bits = math.floor(_VALUE_BITS - math.log2(max(float(reach.max()), 2.0**-4)))
    if sd_phenotypic is None:
        sd_phenotypic = np.sqrt(np.asarray(sd_additive) ** 2 + np.diag(residual) + np.diag(shared))
    scaled = None if dominance is None else jnp.asarray(np.rint(dominance * 2.0**bits), jnp.int32)
    return Traits(
        qtl=jnp.asarray(qtl, jnp.int32),
        effect=jnp.asarray(np.rint(effect * 2.0**bits), jnp.int32),
        intercept=jnp.asarray(np.rint(intercept * 2.0**bits), jnp.int32),
        residual=jnp.asarray(residual, jnp.float32),
        additive=jnp.asarray(np.outer(sd_additive, sd_additive) * correlation, jnp.float32),
        sd_additive=jnp.asarray(sd_additive, jnp.float32),
        sd_phenotypic=jnp.asarray(sd_phenotypic, jnp.float32),
        names=tuple(names),
        scale_bits=bits,
        dominance=scaled,
        clutch=jnp.asarray(shared, jnp.float32) if shared.any() else None,
        permanent=None if permanent is None else jnp.asarray(permanent, jnp.float32),
    )


def _check_covariance(covariance: Floats, what: str) -> None:
    if not np.allclose(covariance, covariance.T) or np.linalg.eigvalsh(covariance).min() < -1e-9:
        raise ValueError(
            f"{what} covariance is {covariance.tolist()}; it must be symmetric without negative eigenvalues"
        )


def genetic_values(traits: Traits, haplotypes: Array) -> Array:
    """Genetic values from genomes.

    Args:
      traits: the traits.
      haplotypes: uint8 (..., 2, locus).

    Returns:
      int32 (..., trait), score units.
    """
    part = haplotypes[..., traits.qtl]
    dosage = part.sum(-2, dtype=jnp.int32)
    value = traits.intercept + (dosage[..., None, :] * traits.effect).sum(-1)
    if traits.dominance is None:
        return value
    return value + ((dosage == 1)[..., None, :] * traits.dominance).sum(-1)


def correlation_root(correlation: Floats, field: str) -> Floats:
    """Cholesky root of a correlation matrix.

    Args:
      correlation: (trait, trait).
      field: its name, for the error message.

    Returns:
      (trait, trait) lower triangle.

    Raises:
      ValueError: not symmetric, diagonal not 1, or not positive definite.
    """
    matrix = np.asarray(correlation, np.float64)
    if not np.allclose(matrix, matrix.T) or not np.allclose(np.diag(matrix), 1.0):
        raise ValueError(f"{field} is {matrix.tolist()}; it must be symmetric with 1 on the diagonal")
    if np.linalg.eigvalsh(matrix).min() <= 1e-9:
        raise ValueError(
            f"{field} is {matrix.tolist()}; it must be positive definite (the correlations contradict each other)"
        )
    return np.asarray(np.linalg.cholesky(matrix), np.float64)
