"""Means and variances of families in closed form, from the parents' haplotypes, exact with linkage."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxbreed.dominance import average_effect, family_moments
from jaxbreed.genetic_load import UNIT
from jaxbreed.linkage import gametic_covariance
from jaxbreed.program import Program
from jaxbreed.traits import genetic_values


class Expected(NamedTuple):
    """What the eggs of a generation are expected to be, for each replicate. Trait units."""

    mean: Array  # float32 (replicate, trait)
    within: Array  # float32 (replicate, trait, trait): mean covariance within families
    between: Array  # float32 (replicate, trait, trait): covariance of family means
    genic: Array  # float32 (replicate, trait, trait): sum of 2 p q times average effects, no linkage disequilibrium
    dominance: Array  # float32 (replicate, trait, trait): sum of (2 p q)^2 d d', the same for dominance
    fixed: Array  # float32 (replicate,): share of all loci fixed in the parents
    heterozygosity: Array  # float32 (replicate,): expected 2 p q of the eggs' gene pool, mean over all loci
    load: Array  # float32 (replicate,): mean load of the eggs on their viability


def expected_eggs(program: Program, haplotypes: Array, eggs: Array) -> Expected:
    """Closed-form statistics of the eggs that the breeders lay.

    Args:
      program: the programme.
      haplotypes: uint8 (replicate, animal, 2, locus), dams first, then sires.
      eggs: int32 (replicate, lineage, sire), eggs of each family.

    Returns:
      Expectations over Mendelian sampling.
    """
    traits = program.traits
    unit = 2.0**-traits.scale_bits
    effect = traits.effect.astype(jnp.float32) * unit
    laid = eggs.astype(jnp.float32)  # many large clutches together exceed 32-bit integers
    share = laid / laid.sum((1, 2), keepdims=True)
    # Contribution of each animal to the eggs' genes: half for each parent.
    of_dams, of_sires = share.sum(2), share.reshape(len(share), -1)
    contribution = 0.5 * jnp.concatenate([of_dams, of_sires], axis=1)
    part = haplotypes[..., traits.qtl]
    if traits.dominance is None:
        mean, within, between = _additive(program, haplotypes, effect, share, contribution)
    else:
        dominance = traits.dominance.astype(jnp.float32) * unit
        mean, within, between = _dominant(program, part, effect, dominance, share)
    flip = program.flip  # chance that a gamete carries the other allele

    dosage = haplotypes.sum(2, dtype=jnp.uint8).astype(jnp.float32)
    # A product of floats at full precision: allele frequencies near 0 and 1 matter.
    frequency = 0.5 * jnp.einsum("ra,ral->rl", contribution, dosage, precision=lax.Precision.HIGHEST)
    if flip > 0:
        frequency = flip + (1 - 2 * flip) * frequency
    used = jnp.where(contribution[..., None] > 0, dosage, jnp.nan)
    fixed = (jnp.nanmax(used, 1) == 0) | (jnp.nanmin(used, 1) == 2)
    at_qtl = frequency[:, traits.qtl]
    heterozygosity = 2 * at_qtl * (1 - at_qtl)
    if traits.dominance is None:
        genic = jnp.einsum("rl,tl,ul->rtu", heterozygosity, effect, effect)
        of_dominance = jnp.zeros_like(genic)
    else:
        average = average_effect(effect, dominance, at_qtl)
        genic = jnp.einsum("rl,rtl,rul->rtu", heterozygosity, average, average)
        of_dominance = jnp.einsum("rl,tl,ul->rtu", heterozygosity**2, dominance, dominance)
    load = jnp.zeros(len(share)) if program.load is None else _mean_load(program, program.load.viability, part, share)
    diversity = (2 * frequency * (1 - frequency)).mean(1)
    return Expected(mean, within, between, genic, of_dominance, fixed.mean(1), diversity, load)


def _additive(
    program: Program, haplotypes: Array, effect: Array, share: Array, contribution: Array
) -> tuple[Array, Array, Array]:
    """Mean, covariance within families and between them; parents count each on their own."""
    traits, lineages, flip = program.traits, program.settings.lineages, program.flip
    unit = 2.0**-traits.scale_bits
    part = haplotypes[..., traits.qtl]
    difference = effect * (part[:, :, 1].astype(jnp.float32) - part[:, :, 0])[:, :, None]
    gametic = gametic_covariance(difference, program.linkage, lineages)
    within = 2.0 * jnp.einsum("ra,ratu->rtu", contribution, gametic)

    value = genetic_values(traits, haplotypes).astype(jnp.float32) * unit
    dam, sire = value[:, :lineages, None], value[:, lineages:].reshape(len(share), lineages, -1, value.shape[-1])
    mean, between = _over_families(0.5 * (dam + sire), share)
    if flip > 0:
        # An allele that is 1 with chance m is so with chance flip + (1 - 2 flip) m afterwards.
        base = traits.intercept.astype(jnp.float32) * unit
        mean = base + (1 - 2 * flip) * (mean - base) + 2 * flip * effect.sum(-1)
        within = (1 - 2 * flip) ** 2 * within + 2 * flip * (1 - flip) * effect @ effect.T
        between = (1 - 2 * flip) ** 2 * between
    return mean, within, between


def _dominant(
    program: Program, part: Array, effect: Array, dominance: Array, share: Array
) -> tuple[Array, Array, Array]:
    """The same with dominance: what a gamete is worth depends on its mate."""
    traits, unit = program.traits, 2.0**-program.traits.scale_bits
    family, covariance = family_moments(
        effect, dominance, part, program.linkage, program.settings.lineages, program.flip
    )
    mean, between = _over_families(family + traits.intercept.astype(jnp.float32) * unit, share)
    return mean, jnp.einsum("rls,rlstu->rtu", share, covariance), between


def _over_families(family: Array, share: Array) -> tuple[Array, Array]:
    """Mean and covariance of family means (replicate, lineage, sire, trait)."""
    mean = jnp.einsum("rls,rlst->rt", share, family)
    deviation = family - mean[:, None, None]
    return mean, jnp.einsum("rls,rlst,rlsu->rtu", share, deviation, deviation)


def _mean_load(program: Program, viability: Array, part: Array, share: Array) -> Array:
    """Mean load of the eggs on their viability."""
    lineages, flip = program.settings.lineages, program.flip
    none, one, two = viability.astype(jnp.float32) * UNIT
    chance = flip + (1 - 2 * flip) * part.astype(jnp.float32).mean(2)
    dam, sire = chance[:, :lineages, None], chance[:, lineages:].reshape(*share.shape, -1)
    family = none * (1 - dam) * (1 - sire) + one * (dam + sire - 2 * dam * sire) + two * dam * sire
    return jnp.einsum("rls,rlsq->r", share, family)


expected_eggs_jit = jax.jit(expected_eggs)
