"""Linkage between loci with effects, for variances in closed form: 1 - 2 r for every pair, exactly."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxbreed.genome import GeneticMap, recombination
from jaxbreed.kernels.walkmap import snapped

MAX_ENTRIES = 2**28
"""Most pairs of loci that are tabulated under interference, both sexes together."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Intervals:
    """Linkage without interference: 1 - 2 r is a product over the intervals between two loci.

    Attributes:
      decay: float32 (2, locus), 1 - 2 r with the locus before on the female and the male map; 0 at the first of a
        chromosome.
    """

    decay: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Pairs:
    """Linkage with interference: 1 - 2 r of every pair.

    Attributes:
      member: int32 (chromosome, most), the loci of each chromosome; the number of loci where there are no more.
      kept: float32 (2, chromosome, most, most), 1 - 2 r on the female and the male map, 0 where there are no more.
    """

    member: Array
    kept: Array


Linkage = Intervals | Pairs


def build_linkage(genetic_map: GeneticMap, interference: float) -> Linkage:
    """Tabulates linkage at the positions that the walk sees.

    Args:
      genetic_map: the loci with effects.
      interference: gamma shape, 1 for none.

    Returns:
      The linkage.

    Raises:
      ValueError: with interference, more pairs of loci than fit memory.
    """
    chromosome, position = genetic_map.chromosome, snapped(genetic_map.position, genetic_map.length)
    if interference == 1.0:
        decay = np.exp(-2 * np.diff(position, axis=1, prepend=0.0))
        decay[:, np.diff(chromosome, prepend=-1) != 0] = 0.0
        return Intervals(jnp.asarray(decay, jnp.float32))
    counts = np.bincount(chromosome, minlength=genetic_map.chromosomes)
    most = int(counts.max())
    if 2 * counts.size * most**2 > MAX_ENTRIES:
        raise ValueError(
            f"interference is {interference:g} with up to {most} loci with effects on a chromosome; their closed-form "
            f"variances need {2 * counts.size * most**2:.2g} pairs and there can be {MAX_ENTRIES:.2g}: ask for fewer "
            "loci with effects, or for interference 1"
        )
    member = np.full((counts.size, most), chromosome.size, np.int32)
    kept = np.zeros((2, counts.size, most, most), np.float32)
    for number, count in enumerate(counts):
        loci = np.flatnonzero(chromosome == number)
        member[number, :count] = loci
        for sex in range(2):
            apart = np.abs(position[sex, loci, None] - position[sex, loci])
            kept[sex, number, :count, :count] = 1 - 2 * recombination(apart, interference)
    return Pairs(jnp.asarray(member), jnp.asarray(kept))


def gametic_covariance(difference: Array, linkage: Linkage, dams: int) -> Array:
    """Covariance matrices of the values of parents' gametes.

    1/4 sum over pairs of loci of d_i d_j' (1 - 2 r_ij), d = effect x (difference of the haplotypes).

    Args:
      difference: float32 (replicate, animal, trait, locus), effect x (second - first haplotype); dams first.
      linkage: between the loci.
      dams: how many of the animals are dams: their gametes follow the female map, the others' the male one.

    Returns:
      float32 (replicate, animal, trait, trait).
    """
    if isinstance(linkage, Pairs):
        of_dams, of_sires = difference[:, :dams], difference[:, dams:]
        return 0.25 * jnp.concatenate(
            [linked_products(of_dams, linkage, (0,)), linked_products(of_sires, linkage, (1,))], axis=1
        )
    female = jnp.arange(difference.shape[1]) < dams
    decay = jnp.where(female[:, None], linkage.decay[0], linkage.decay[1])
    return 0.25 * _in_one_pass(difference, jnp.broadcast_to(decay, (len(difference), *decay.shape)))


def linked_products(difference: Array, linkage: Linkage, sexes: tuple[int, ...]) -> Array:
    """Sums over pairs of loci of d_i d_j' (1 - 2 r_ij).

    Args:
      difference: float32 (replicate, animal, trait, locus), d.
      linkage: between the loci.
      sexes: whose maps 1 - 2 r is taken from, 0 female, 1 male; with both, the product of the two.

    Returns:
      float32 (replicate, animal, trait, trait).
    """
    if isinstance(linkage, Pairs):
        return _by_pairs(difference, linkage, jnp.prod(linkage.kept[jnp.array(sexes)], axis=0))
    decay = jnp.prod(linkage.decay[jnp.array(sexes)], axis=0)
    return _in_one_pass(difference, jnp.broadcast_to(decay, (*difference.shape[:2], decay.size)))


def _by_pairs(difference: Array, pairs: Pairs, kept: Array) -> Array:
    """Every pair of loci of a chromosome, from the table."""
    padded = jnp.pad(difference, [(0, 0)] * (difference.ndim - 1) + [(0, 1)])
    d = padded[..., pairs.member]  # (replicate, animal, trait, chromosome, most)
    # At full precision: covariances of traits nearly cancel.
    highest = lax.Precision.HIGHEST
    linked = jnp.einsum("ratci,cij->ratcj", d, kept, precision=highest)
    return jnp.einsum("ratcj,raucj->ratu", linked, d, precision=highest)


def _in_one_pass(difference: Array, decay: Array) -> Array:
    """Without interference one pass along the map suffices.

    Args:
      difference: float32 (..., trait, locus).
      decay: float32 (..., locus).

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
    return lax.scan(step, (zero, square), loci)[0][1]
