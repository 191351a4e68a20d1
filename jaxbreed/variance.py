"""Means and variances of families in closed form, from the parents' haplotypes, exact with linkage."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxbreed.program import Program
from jaxbreed.traits import genetic_values


class Expected(NamedTuple):
    """What the eggs of a generation are expected to be, for each replicate. Trait units."""

    mean: Array  # float32 (replicate, trait)
    within: Array  # float32 (replicate, trait, trait): mean covariance within families
    between: Array  # float32 (replicate, trait, trait): covariance of family means
    genic: Array  # float32 (replicate, trait, trait): sum of 2 p q a a', no linkage disequilibrium
    fixed: Array  # float32 (replicate,): share of all loci fixed in the parents
    heterozygosity: Array  # float32 (replicate,): expected 2 p q of the eggs' gene pool, mean over all loci


def gametic_covariance(difference: Array, decay: Array) -> Array:
    """Covariance matrix of the values of one parent's gametes.

    1/4 sum over pairs of loci of d_i d_j' (1 - 2 r_ij), d = effect x (difference of the haplotypes); with Haldane's
    map 1 - 2 r is a product over the intervals between, so that one pass along the map suffices.

    Args:
      difference: float32 (..., trait, locus), effect x (second - first haplotype).
      decay: float32 (..., locus), 1 - 2 r with the locus before, 0 at the start of a chromosome.

    Returns:
      float32 (..., trait, trait).
    """

    def step(carry: tuple[Array, Array], locus: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        before, total = carry  # sum of d_i (1 - 2 r_ij) over the loci i before j; the covariance so far
        d, kept = locus
        before = before * kept[..., None]
        cross = d[..., :, None] * before[..., None, :]
        total = total + d[..., :, None] * d[..., None, :] + cross + jnp.swapaxes(cross, -1, -2)
        return (before + d, total), None

    loci = (jnp.moveaxis(difference, -1, 0), jnp.moveaxis(decay, -1, 0))
    zero = jnp.zeros(difference.shape[:-1], jnp.float32)
    square = jnp.zeros((*zero.shape, zero.shape[-1]), jnp.float32)
    return 0.25 * lax.scan(step, (zero, square), loci)[0][1]


def expected_eggs(program: Program, haplotypes: Array, eggs: Array) -> Expected:
    """Closed-form statistics of the eggs that the breeders lay.

    Args:
      program: the programme.
      haplotypes: uint8 (replicate, animal, 2, locus), dams first, then sires.
      eggs: int32 (replicate, lineage, sire), eggs of each family.

    Returns:
      Expectations over Mendelian sampling.
    """
    traits, lineages = program.traits, program.settings.lineages
    unit = 2.0**-traits.scale_bits
    effect = traits.effect.astype(jnp.float32) * unit
    laid = eggs.astype(jnp.float32)  # many large clutches together exceed 32-bit integers
    share = laid / laid.sum((1, 2), keepdims=True)
    animals = haplotypes.shape[1]
    # Contribution of each animal to the eggs' genes: half for each parent.
    of_dams, of_sires = share.sum(2), share.reshape(len(share), -1)
    contribution = 0.5 * jnp.concatenate([of_dams, of_sires], axis=1)

    part = haplotypes[..., traits.qtl]
    difference = effect * (part[:, :, 1].astype(jnp.float32) - part[:, :, 0])[:, :, None]
    female = jnp.arange(animals) < lineages
    decay = jnp.where(female[:, None], program.decay[0], program.decay[1])
    gametic = gametic_covariance(difference, jnp.broadcast_to(decay, (len(share), *decay.shape)))
    within = 2.0 * jnp.einsum("ra,ratu->rtu", contribution, gametic)

    value = genetic_values(traits, haplotypes).astype(jnp.float32) * unit
    dam, sire = value[:, :lineages, None], value[:, lineages:].reshape(len(share), lineages, -1, value.shape[-1])
    family = 0.5 * (dam + sire)
    mean = jnp.einsum("rls,rlst->rt", share, family)
    deviation = family - mean[:, None, None]
    between = jnp.einsum("rls,rlst,rlsu->rtu", share, deviation, deviation)

    dosage = haplotypes.sum(2, dtype=jnp.uint8).astype(jnp.float32)
    # A product of floats at full precision: allele frequencies near 0 and 1 matter.
    frequency = 0.5 * jnp.einsum("ra,ral->rl", contribution, dosage, precision=lax.Precision.HIGHEST)
    used = jnp.where(contribution[..., None] > 0, dosage, jnp.nan)
    fixed = (jnp.nanmax(used, 1) == 0) | (jnp.nanmin(used, 1) == 2)
    at_qtl = frequency[:, traits.qtl]
    genic = jnp.einsum("rl,tl,ul->rtu", 2 * at_qtl * (1 - at_qtl), effect, effect)
    return Expected(mean, within, between, genic, fixed.mean(1), (2 * frequency * (1 - frequency)).mean(1))


expected_eggs_jit = jax.jit(expected_eggs)
