"""Streaming choice of the best: keep the top k of everything seen so far."""

import jax.numpy as jnp
from jax import Array, lax

ABSENT = 0
"""Rank of a place that no candidate has taken."""
_LIFT = 1 << 30


def rank_of(index: Array, valid: Array) -> Array:
    """Turns a selection index into a rank that a float sort orders exactly.

    Positive floats order as their bit patterns do, and compilers have a fast selection for floats only.

    Args:
      index: int32, absolute value at most 2**29 + 2**15.
      valid: bool of the same shape; False ranks below everything.

    Returns:
      int32 bit patterns of positive normal floats, or `ABSENT`.
    """
    return jnp.where(valid, index + _LIFT, ABSENT)


def index_of(rank: Array) -> Array:
    """The selection index behind a rank (meaningless where the rank is `ABSENT`)."""
    return rank - _LIFT


def keep_best(rank: Array, egg: Array, new_rank: Array, new_egg: Array) -> tuple[Array, Array]:
    """Merges new candidates into the best so far.

    Ties go to the candidate seen first; the sweep sees eggs in rising number, so ties go to the lower egg number
    however the eggs were cut into chunks.

    Args:
      rank: int32 (..., k), falling.
      egg: uint32 (..., k).
      new_rank: int32 (..., lane).
      new_egg: uint32 (..., lane).

    Returns:
      The best k ranks, falling, and their eggs.
    """
    ranks, eggs = jnp.concatenate([rank, new_rank], -1), jnp.concatenate([egg, new_egg], -1)
    best, where = lax.top_k(lax.bitcast_convert_type(ranks, jnp.float32), rank.shape[-1])
    return lax.bitcast_convert_type(best, jnp.int32), jnp.take_along_axis(eggs, where, -1)
