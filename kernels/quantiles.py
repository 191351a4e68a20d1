"""Integer quantile tables: exponential gaps and normal deviates without a floating-point operation.

Floats are not associative and not the same on every chip; integers are. Both tables are piecewise linear in the
mantissa of the uniform, one piece of table per octave of tail probability, so that the far tail is as exact as the
middle: gaps reach 15 Morgans, normal deviates 6.3 SD.
"""

import math
from functools import cache
from statistics import NormalDist

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

UNIT_BITS = 20
"""Map positions and normal deviates are integers in units of 2**-20 Morgan and 2**-20 SD."""

GAP_WORD_BITS = 21
_LN2 = round(math.log(2) * 2**UNIT_BITS)
_SLOPE_OFFSET = 2048  # every slope of the gap table is at least this: stored less it, value and slope fit one word
_NORMAL_CELLS = 64


@cache
def gap_table() -> np.ndarray:
    """-ln of the mantissa in [1/2, 1), 257 knots, int64 in units of 2**-20."""
    return np.array([round(-math.log((256 + i) / 512) * 2**UNIT_BITS) for i in range(257)], np.int64)


@cache
def _packed_gap_table() -> np.ndarray:
    knots = gap_table()
    slope = knots[:-1] - knots[1:] - _SLOPE_OFFSET
    return ((knots[:-1] << 12) | slope).astype(np.uint32)


@cache
def normal_table() -> np.ndarray:
    """Upper normal quantile at tail probability 2**-(octave + 1) x (64 + i) / 128.

    Returns:
      int32 (32 octaves, 65 knots), units of 2**-20 SD.
    """
    quantile = NormalDist().inv_cdf
    knots = range(_NORMAL_CELLS, 2 * _NORMAL_CELLS + 1)
    tail = [[2.0 ** -(octave + 1) * knot / (2 * _NORMAL_CELLS) for knot in knots] for octave in range(32)]
    return np.array([[round(-quantile(q) * 2**UNIT_BITS) for q in row] for row in tail], np.int32)


def take(table: Array, index: Array) -> Array:
    """Looks up in-range indices of a flat table; without the checks of `[]` the loop stays a plain load."""
    return table.at[index].get(mode="promise_in_bounds", wrap_negative_indices=False)


def exponential_gap(word: Array) -> Array:
    """-ln u for u = (2 word + 1) / 2**22.

    Args:
      word: uint32 below 2**21.

    Returns:
      int32 of the same shape, units of 2**-20 (of a Morgan: mean 2**20).
    """
    odd = (word << 1) | jnp.uint32(1)
    zeros = lax.clz(odd)
    mantissa = odd << zeros
    cell = ((mantissa >> 23) & jnp.uint32(0xFF)).astype(jnp.int32)
    fraction = ((mantissa >> 11) & jnp.uint32(0xFFF)).astype(jnp.int32)
    entry = take(jnp.asarray(_packed_gap_table()), cell)
    slope = (entry & jnp.uint32(0xFFF)).astype(jnp.int32) + _SLOPE_OFFSET
    octaves = (zeros - jnp.uint32(10)).astype(jnp.int32)  # 10: a 22-bit number in a 32-bit word
    return octaves * _LN2 + (entry >> 12).astype(jnp.int32) - ((slope * fraction) >> 12)


def normal_deviate(word: Array) -> Array:
    """Standard normal quantile: the top bit is the sign, the rest the tail probability (2 v + 1) / 2**33.

    Args:
      word: uint32, any shape.

    Returns:
      int32 of the same shape, units of 2**-20 SD, symmetric about zero, at most 6.4 SD.
    """
    odd = (word << 1) | jnp.uint32(1)
    zeros = lax.clz(odd)
    mantissa = odd << zeros
    cell = ((mantissa >> 25) & jnp.uint32(_NORMAL_CELLS - 1)).astype(jnp.int32)
    fraction = ((mantissa >> 13) & jnp.uint32(0xFFF)).astype(jnp.int32)
    knots = jnp.asarray(normal_table().reshape(-1))
    at = zeros.astype(jnp.int32) * (_NORMAL_CELLS + 1) + cell
    here, there = take(knots, at), take(knots, at + 1)
    size = here - (((here - there) * fraction) >> 12)
    return jnp.where(word >> 31 == 1, -size, size)
