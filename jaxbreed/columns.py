"""What the sweep scores of an egg: columns of effects over loci."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.genetic_load import Load, as_column
from jaxbreed.traits import Traits


class Columns(NamedTuple):
    """Scores as sums over loci: the traits first, a genetic load last. Leading axes, if any: (replicate,)."""

    effect: Array  # int32 (..., column, locus), value of a copy of allele 1
    intercept: Array  # int32 (..., column)
    dominance: Array | None  # int32 (..., column, locus), value of being heterozygous beside that


def columns_of(traits: Traits, load: Load | None) -> Columns:
    """Columns of genetic values and of the load on viability, at the traits' loci."""
    if load is None:
        return Columns(traits.effect, traits.intercept, traits.dominance)
    intercept, copy, heterozygote = as_column(load.viability)
    dominance = jnp.zeros_like(traits.effect) if traits.dominance is None else traits.dominance
    return Columns(
        jnp.concatenate([traits.effect, copy[None]]),
        jnp.append(traits.intercept, intercept),
        jnp.concatenate([dominance, heterozygote[None]]),
    )


def spread(columns: Columns, at: npt.NDArray[np.int64], loci: int) -> Columns:
    """The same columns over more loci, of which theirs are `at`; the others have no effect."""

    def wide(values: Array) -> Array:
        return jnp.zeros((*values.shape[:-1], loci), values.dtype).at[..., at].set(values)

    dominance = None if columns.dominance is None else wide(columns.dominance)
    return Columns(wide(columns.effect), columns.intercept, dominance)


@jax.jit
def with_predictions(columns: Columns, at: Array, effect: Array, intercept: Array) -> Columns:
    """Puts predicted values before all other columns, each replicate's its own.

    Args:
      columns: the others, over the same loci.
      at: int32 (marker,), which of the loci are markers.
      effect: int32 (replicate, marker), value of a copy of allele 1.
      intercept: int32 (replicate,).

    Returns:
      Columns with a leading axis (replicate,).
    """
    replicates, loci = len(effect), columns.effect.shape[-1]
    first = jnp.zeros((replicates, 1, loci), jnp.int32).at[:, 0, at].set(effect)

    def below(top: Array, rest: Array) -> Array:
        return jnp.concatenate([top, jnp.broadcast_to(rest, (replicates, *rest.shape))], axis=1)

    dominance = columns.dominance
    return Columns(
        below(first, columns.effect),
        below(intercept[:, None], columns.intercept),
        None if dominance is None else below(jnp.zeros_like(first), dominance),
    )
