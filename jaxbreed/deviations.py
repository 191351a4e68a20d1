"""Dominance deviations: what of a genotype's value its average effects leave over, within and between families."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxbreed.covariance import Real
from jaxbreed.moments import Moments, World, pooled, undrifted


class Deviations(NamedTuple):
    """Of the eggs of one generation. Their covariances with dosages are those per copy, of loci alone."""

    within: Real  # (trait, trait), covariance inside full-sib families
    mixed: Real  # (trait, trait), between families of one dam by different sires
    between: Real  # (trait, trait), between all families
    onto_within: Real  # (trait, block, n), covariance with dosages inside families
    onto_mixed: Real  # (trait, block, n)
    onto_between: Real  # (trait, block, n)


def deviations(world: World, state: Moments) -> Deviations:
    """Covariances of the dominance deviations of these eggs.

    Of loci whose frequencies are not followed it is their first term, as if all were of frequency 1/2 and drift had
    taken the same share of each variance.
    """
    if world.heterosis is None:
        between, mixed, apart, within = 0.5 * jnp.moveaxis(jnp.asarray(state.neutral), -1, 0)
        pq = 0.25 * jnp.clip(pooled(state), 1e-6, 1.0)
        squares, _ = _squares(0.5, pq, between + mixed, apart, within, world.closed)
        none = jnp.zeros(jnp.shape(world.effect))
        inside, mixed, outside = (4 * square * world.dominance for square in squares)
        return Deviations(inside, mixed, outside, none, none, none)
    number, p = np.arange(world.effect.shape[-1]), state.mean
    parts = state.between + state.mixed, state.apart, state.within
    families, apart, within = (part.near[:, number, number] for part in parts)
    pq = jnp.clip(p * (1 - p) * undrifted(state), 1e-9, 0.25)
    squares, onto = _squares(p, pq, families, apart, within, world.closed)
    products = [jnp.einsum("tbn,bn,ubn->tu", world.heterosis, square, world.heterosis) for square in squares]
    return Deviations(*products, *(world.heterosis * x for x in onto))


def _squares(
    p: Real, pq: Real, families: Real, apart: Real, within: Real, closed: bool
) -> tuple[tuple[Real, ...], tuple[Real, ...]]:
    """Variances of a locus of d = 1 inside families, between those of a dam, and between all; covariances with dosage.

    With x and y the alleles of an egg, less p, its deviation is -2 d x y. Where f of the heterozygotes expected of the
    eggs' own frequencies are missing, it varies by (1 - f^2) (2 p q d)^2 + 4 f p q (1 - 4 p q) d^2 and has a covariance
    of -4 f p q (1 - 2 p) d with the dosage. With U and V the parents' mean alleles, and u and v what segregation adds,
    what varies inside a family is U v + V u + u v, and of one dam U V. In closed lineages f is there because lines
    differ in frequency: taken as beta (Balding & Nichols 1995, Genetica 96:3), with the variance f p q.

    Args:
      p: frequency.
      pq: p (1 - p).
      families: variance of the mean dosages of families.
      apart: mean square of half the difference between mates.
      within: variance of dosages inside families.
      closed: whether mates are of one line.
    """
    missing = jnp.clip(0.5 * (families + within) / pq - 1, -1.0, 1.0)
    f = jnp.clip(missing, 0.0, 0.999) if closed else 0.0
    # Of lines weighed by their heterozygosity: how far their frequency is from p, and its variance.
    shift = f * (1 - 2 * p) / (1 + f)
    varied = (pq + shift * (1 - 2 * p) - shift**2) / (1 + 2 * f)
    line = shift**2 + f * varied
    square = (1 + f) * varied / (pq * (1 - f))  # mean square of the lines' heterozygosity, over the squared mean
    inside = 4 * (within * line + (0.5 * apart * within + 0.25 * within**2) * square)
    mixed = 4 * (0.5 * apart * line + 0.25 * apart**2 * square)
    total = 4 * ((1 - missing**2) * pq**2 + missing * pq * (1 - 4 * pq))
    onto_inside, onto = -2 * within * shift, -4 * missing * pq * (1 - 2 * p)
    return (inside, mixed, jnp.maximum(total - inside, 0.0)), (onto_inside, -apart * shift, onto - onto_inside)
