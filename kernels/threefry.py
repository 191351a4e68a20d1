"""Counter-based random words: an egg's luck is a function of its name, not of when or where it is simulated.

`threefry2x32` (Salmon et al. 2011, doi:10.1145/2063384.2063405, 20 rounds) maps a family key and a counter
(egg number, purpose) to 64 random bits. The rounds are written out rather than looped over, so that the whole
hash is one vectorised expression.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array

# What a block of random words is for: the upper bits of the second counter word. Bit 23 tells the dam's gamete (0)
# from the sire's (1); the bits below it are an index (of a trait pair, of a word of phases, of a block of crossovers).
FATE, IDENTITY, NOISE, PHASES, CROSSOVERS, MUTATIONS = (kind << 24 for kind in range(6))
SIRE = 1 << 23

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA


def _rotate_left(word: Array, bits: int) -> Array:
    return (word << jnp.uint32(bits)) | (word >> jnp.uint32(32 - bits))


def threefry2x32(key: tuple[Any, Any], counter0: Any, counter1: Any) -> tuple[Array, Array]:
    """Hashes counters under a key.

    Args:
      key: two uint32 words, any shapes that broadcast with the counters.
      counter0: uint32, any shape; for eggs the egg number.
      counter1: uint32, any shape; for eggs the purpose.

    Returns:
      Two uint32 arrays of random words in the broadcast shape.
    """
    k0, k1 = jnp.asarray(key[0], jnp.uint32), jnp.asarray(key[1], jnp.uint32)
    schedule = (k0, k1, k0 ^ k1 ^ jnp.uint32(_PARITY))
    a = jnp.asarray(counter0, jnp.uint32) + schedule[0]
    b = jnp.asarray(counter1, jnp.uint32) + schedule[1]
    for group in range(5):
        for bits in _ROTATIONS[group % 2]:
            a = a + b
            b = _rotate_left(b, bits) ^ a
        a = a + schedule[(group + 1) % 3]
        b = b + schedule[(group + 2) % 3] + jnp.uint32(group + 1)
    return a, b
