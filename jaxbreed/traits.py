"""Traits: effects at loci, heritability, genetic correlation, and their integer form for the kernels."""

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
    """Additive traits in score units: integers, 2**scale_bits to one unit of the trait.

    Attributes:
      qtl: int32 (qtl,), which loci have effects.
      effect: int32 (trait, qtl), value of one copy of allele 1.
      intercept: int32 (trait,).
      residual: float32 (trait, trait), environmental covariance, trait units.
      sd_additive: float32 (trait,), genetic SD among founders, trait units.
      sd_phenotypic: float32 (trait,), phenotypic SD among founders, trait units: the unit of reports.
      names: names of the traits.
      scale_bits: binary logarithm of the scale.
    """

    qtl: Array
    effect: Array
    intercept: Array
    residual: Array
    sd_additive: Array
    sd_phenotypic: Array
    names: tuple[str, ...] = dataclasses.field(metadata={"static": True})
    scale_bits: int = dataclasses.field(metadata={"static": True})


def additive_traits(
    haplotypes: npt.NDArray[np.uint8],
    names: Sequence[str],
    h2: Sequence[float],
    correlation: Floats,
    *,
    qtl: int,
    gamma_shape: float = 0.4,
    residual_correlation: Floats | None = None,
    seed: int = 0,
) -> Traits:
    """Draws pleiotropic effects and scales them to the variances asked for in the founders.

    Effect sizes are gamma with a random sign, independent between traits; the traits are then mixed linearly so that
    the covariance matrix of the founders' genetic values (divisor n - 1) is exactly the one asked for: genetic
    variance 1 each, correlations as given. The founders' mean is 0. In a panel of few founders that variance holds
    chance associations between loci that the first meiosis breaks: the variance of their progeny differs from it, by
    about a quarter with 30 founders and a twentieth with 600.

    Args:
      haplotypes: uint8 (founder, 2, locus).
      names: trait names.
      h2: heritability in the founders, in (0, 1].
      correlation: (trait, trait) genetic correlations.
      qtl: number of loci with effects, drawn at random among the loci that segregate in the founders.
      gamma_shape: shape of the gamma distribution of effect sizes (Hayes & Goddard 2001: about 0.4).
      residual_correlation: (trait, trait), default none.
      seed: of the choice of loci and effects.

    Returns:
      The traits, with unit genetic SD in the founders.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    share = np.asarray(h2, np.float64)
    traits = len(names)
    for name, value in zip(names, share, strict=True):
        if not 0.0 < value <= 1.0:
            raise ValueError(f"h2 of {name} is {value:g}; it must be above 0 and at most 1")
    mixing = correlation_root(correlation, "genetic correlation")
    residual_root = correlation_root(
        np.eye(traits) if residual_correlation is None else residual_correlation, "residual correlation"
    )
    dosage = haplotypes.sum(axis=1, dtype=np.int16)
    segregating = np.flatnonzero(dosage.min(axis=0) != dosage.max(axis=0))
    if not traits < qtl <= segregating.size:
        raise ValueError(
            f"qtl is {qtl}; it must be above {traits}, the number of traits, and at most {segregating.size}, the loci "
            "that segregate in the founders"
        )
    if len(dosage) <= traits + 1:
        raise ValueError(f"there are {len(dosage)} founders; scaling {traits} traits needs at least {traits + 2}")
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x7261]))
    chosen = np.sort(rng.choice(segregating, qtl, replace=False))
    raw = rng.gamma(gamma_shape, size=(traits, qtl)) * rng.choice([-1.0, 1.0], size=(traits, qtl))
    spread = np.cov(dosage[:, chosen] @ raw.T, rowvar=False, ddof=1).reshape(traits, traits)
    effect = mixing @ np.linalg.solve(np.linalg.cholesky(spread), raw)
    values = dosage[:, chosen] @ effect.T
    residual_sd = np.sqrt((1 - share) / share)
    root = residual_sd[:, None] * residual_root
    return traits_from_effects(names, chosen, effect, -values.mean(axis=0), root @ root.T, np.ones(traits))


def traits_from_effects(
    names: Sequence[str],
    qtl: npt.NDArray[np.int64],
    effect: Floats,
    intercept: Floats,
    residual: Floats,
    sd_additive: Floats,
) -> Traits:
    """Traits from effects that are known already.

    Args:
      names: trait names.
      qtl: (qtl,) locus numbers, rising.
      effect: (trait, qtl), value of one copy of allele 1, trait units.
      intercept: (trait,), value of a genotype without any allele 1.
      residual: (trait, trait), environmental covariance.
      sd_additive: (trait,), genetic SD among founders.

    Returns:
      The traits on the finest integer scale that cannot overflow.

    Raises:
      ValueError: the residual covariance is not a covariance matrix.
    """
    if not np.allclose(residual, residual.T) or np.linalg.eigvalsh(residual).min() < -1e-9:
        raise ValueError(
            f"residual covariance is {residual.tolist()}; it must be symmetric without negative eigenvalues"
        )
    highest = intercept + 2 * np.clip(effect, 0, None).sum(axis=1)
    lowest = intercept + 2 * np.clip(effect, None, 0).sum(axis=1)
    reach = np.maximum(np.abs(highest), np.abs(lowest)) + _NOISE_REACH * np.sqrt(np.diag(residual))
    # 4: not even traits without any variance need a finer unit.
    bits = math.floor(_VALUE_BITS - math.log2(max(float(reach.max()), 2.0**-4)))
    return Traits(
        qtl=jnp.asarray(qtl, jnp.int32),
        effect=jnp.asarray(np.rint(effect * 2.0**bits), jnp.int32),
        intercept=jnp.asarray(np.rint(intercept * 2.0**bits), jnp.int32),
        residual=jnp.asarray(residual, jnp.float32),
        sd_additive=jnp.asarray(sd_additive, jnp.float32),
        sd_phenotypic=jnp.asarray(np.sqrt(np.asarray(sd_additive) ** 2 + np.diag(residual)), jnp.float32),
        names=tuple(names),
        scale_bits=bits,
    )


def genetic_values(traits: Traits, haplotypes: Array) -> Array:
    """Genetic values from genomes.

    Args:
      traits: the traits.
      haplotypes: uint8 (..., 2, locus).

    Returns:
      int32 (..., trait), score units.
    """
    dosage = haplotypes[..., traits.qtl].sum(-2, dtype=jnp.int32)
    return traits.intercept + (dosage[..., None, :] * traits.effect).sum(-1)


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
