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
RENEWAL_CELLS = 32
RENEWAL_OCTAVES = 21


@cache
def gap_table() -> np.ndarray:
    """-ln of the mantissa in [1/2, 1), 257 knots, int64 in units of 2**-20."""
    return np.array([round(-math.log((256 + i) / 512) * 2**UNIT_BITS) for i in range(257)], np.int64)


@cache
def packed_gap_table() -> np.ndarray:
    """The gap table as the kernels read it: value << 12 | slope, uint32 (256,)."""
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


@cache
def renewal_table(shape: float) -> np.ndarray:
    """Quantiles of the distance to the next crossover of a gamete under chiasma interference.

    Chiasmata of a bivalent are a stationary renewal process of rate 2 per Morgan with gamma distances of the given
    shape (Cobbs 1978; Stam 1979; the chi-square model of Foss et al. 1993 for whole shapes); each lies on a given
    chromatid with chance one half (no chromatid interference), so that a gamete's own crossovers are a renewal
    process too, of rate 1 per Morgan.

    Between knots the quantiles are interpolated: for shapes to 12 they are right to 1e-4 Morgan, for 24 to 5e-4, the
    mean number of crossovers to 1e-4.

    Args:
      shape: 1 to 24 (1 gives exponential distances).

    Returns:
      int32 (2 states, 2 sides, 21 octaves, 33 knots), units of 2**-20 Morgan. States: 0 from the start of a chromosome,
      1 from a crossover. Sides: 0 the upper tail probability, 1 the lower, is 2**-(octave + 1) x (32 + knot) / 64.
    """
    from scipy.special import gammainc

    # Farther than 16 Morgans nothing is asked: the least tail probability is 2**-22.
    distance = np.concatenate([[0.0], np.geomspace(1e-9, 1e-3, 20_000), np.linspace(1e-3, 40.0, 400_001)[1:]])
    chance = np.zeros_like(distance)
    for chiasma in range(1, 200):
        part = gammainc(chiasma * shape, 2.0 * shape * distance)
        chance += 0.5**chiasma * part
        if 0.5**chiasma < 2.0**-60:
            break
    beyond = np.clip(1.0 - chance, 0.0, 1.0)
    steps = np.diff(distance) * (beyond[1:] + beyond[:-1]) / 2
    first_beyond = np.append(np.cumsum(steps[::-1])[::-1], 0.0) / steps.sum()  # mean distance is 1 Morgan
    table = np.empty((2, 2, RENEWAL_OCTAVES, RENEWAL_CELLS + 1))
    knots = np.arange(RENEWAL_CELLS, 2 * RENEWAL_CELLS + 1) / (2 * RENEWAL_CELLS)
    tail = 2.0 ** -(np.arange(RENEWAL_OCTAVES)[:, None] + 1.0) * knots
    for state, survival in enumerate((first_beyond, beyond)):
        table[state, 0] = np.interp(-np.log(tail), -np.log(np.maximum(survival, 1e-30)), distance)
        table[state, 1] = np.interp(tail, (chance if state else 1.0 - first_beyond), distance)
    return np.rint(table * 2**UNIT_BITS).astype(np.int32)


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
    entry = take(jnp.asarray(packed_gap_table()), cell)
    slope = (entry & jnp.uint32(0xFFF)).astype(jnp.int32) + _SLOPE_OFFSET
    octaves = (zeros - jnp.uint32(10)).astype(jnp.int32)  # 10: a 22-bit number in a 32-bit word
    return octaves * _LN2 + (entry >> 12).astype(jnp.int32) - ((slope * fraction) >> 12)


def renewal_gap(word: Array, state: Array, table: Array) -> Array:
    """Distance to the next crossover under interference, at upper tail probability u = (2 word + 1) / 2**22.

    Args:
      word: uint32 below 2**21.
      state: int32 of the same shape, 0 from the start of a chromosome, 1 from a crossover.
      table: from `renewal_table`.

    Returns:
      int32 of the same shape, units of 2**-20 Morgan.
    """
    side = word >> (GAP_WORD_BITS - 1)  # 1: u above one half, looked up from the lower end
    rest = jnp.where(side == 1, ~word, word) & jnp.uint32((1 << (GAP_WORD_BITS - 1)) - 1)
    odd = (rest << 1) | jnp.uint32(1)
    zeros = lax.clz(odd)
    mantissa = odd << zeros
    cell = ((mantissa >> 26) & jnp.uint32(RENEWAL_CELLS - 1)).astype(jnp.int32)
    fraction = ((mantissa >> 14) & jnp.uint32(0xFFF)).astype(jnp.int32)
    octave = (zeros - jnp.uint32(32 - GAP_WORD_BITS)).astype(jnp.int32)
    at = ((state * 2 + side.astype(jnp.int32)) * RENEWAL_OCTAVES + octave) * (RENEWAL_CELLS + 1) + cell
    flat = table.reshape(-1)
    here, there = take(flat, at), take(flat, at + 1)
    return here + (((there - here) * fraction) >> 12)


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
