"""Families with dominance, in closed form: their means and the variance within them, exact with linkage."""

import jax.numpy as jnp
from jax import Array

from jaxbreed.linkage import Linkage, linked_products


def family_moments(
    effect: Array, dominance: Array, haplotypes: Array, linkage: Linkage, lineages: int, flip: float
) -> tuple[Array, Array]:
    """Mean and covariance of the genetic values of every family.

    With x and y the alleles (0 or 1) of the two gametes, an egg's value is the sum over loci of
    (a + d) (x + y) - 2 d x y. Each allele is its mean and a deviation; sums of the dam's deviations, of the sire's, and
    of their products at each locus are uncorrelated, so that the variance is three sums over pairs of loci: along
    the female map, along the male one, and with 1 - 2 r of both maps multiplied.

    Args:
      effect: float32 (trait, locus), a.
      dominance: float32 (trait, locus), d.
      haplotypes: uint8 (replicate, animal, 2, locus), dams first, then sires lineage by lineage.
      linkage: between the loci.
      lineages: how many of the animals are dams.
      flip: chance that mutation gives a gamete the other allele at a locus.

    Returns:
      Means less that of a genotype without any allele 1, float32 (replicate, lineage, sire, trait); covariances within
      families, float32 (replicate, lineage, sire, trait, trait).
    """
    kept = 1 - 2 * flip
    first, second = (haplotypes[:, :, h].astype(jnp.float32) for h in (0, 1))
    mean, half = flip + kept * 0.5 * (first + second), kept * 0.5 * (second - first)
    replicates, loci = len(haplotypes), haplotypes.shape[-1]

    def by_family(x: Array) -> tuple[Array, Array]:
        """Values of dams and sires, (replicate, family, 1, locus), families lineage by lineage."""
        sire = x[:, lineages:].reshape(replicates, lineages, -1, loci)
        dam = jnp.broadcast_to(x[:, :lineages, None], sire.shape)
        return dam.reshape(replicates, -1, 1, loci), sire.reshape(replicates, -1, 1, loci)

    (mean_dam, mean_sire), (half_dam, half_sire) = by_family(mean), by_family(half)
    one = effect + dominance
    value = (one * (mean_dam + mean_sire) - 2 * dominance * mean_dam * mean_sire).sum(-1)
    # What changing the allele of one gamete is worth, on average over the other.
    of_dam, of_sire = one - 2 * dominance * mean_sire, one - 2 * dominance * mean_dam
    within = (
        linked_products(of_dam * half_dam, linkage, (0,))
        + linked_products(of_sire * half_sire, linkage, (1,))
        + linked_products(-2 * dominance * half_dam * half_sire, linkage, (0, 1))
    )
    if flip > 0:
        # A mutation adds to the variance of an allele, not to its covariance with other loci.
        new = flip * (1 - flip)
        both = (half_dam**2 + new) * (half_sire**2 + new) - half_dam**2 * half_sire**2
        within += new * sum(jnp.einsum("rftl,rful->rftu", x, x) for x in (of_dam, of_sire))
        within += 4 * jnp.einsum("tl,ul,rfl->rftu", dominance, dominance, both[:, :, 0])
    shape = (replicates, lineages, -1)
    return value.reshape(*shape, len(effect)), within.reshape(*shape, len(effect), len(effect))


def average_effect(effect: Array, dominance: Array, frequency: Array) -> Array:
    """Average effect of allele 1, a + d (1 - 2 p), under random mating (Falconer & Mackay 1996, eq. 7.5).

    Args:
      effect: (trait, locus), a.
      dominance: (trait, locus), d.
      frequency: (..., locus), p of allele 1.

    Returns:
      (..., trait, locus).
    """
    return effect + dominance * (1 - 2 * frequency[..., None, :])
