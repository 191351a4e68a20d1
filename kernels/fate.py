"""What befalls an egg besides its genes: survival, sex, its identity and the environment's share of its phenotype."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.kernels.quantiles import GAP_WORD_BITS, exponential_gap, normal_deviate
from jaxbreed.kernels.threefry import FATE, IDENTITY, NOISE, threefry2x32
from jaxbreed.kernels.walk import Key

FEMALE, MALE = 0, 1


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Noise:
    """Environmental deviations as integers: row i of a square root of the residual covariance matrix.

    Attributes:
      mantissa: int32 (trait, trait); the absolute values of a row add up to less than 2**15.
      shift: int32 (trait,), -12 to 43; trait i deviates by 2**(shift_i - 12) x sum_j mantissa_ij x z_j, z in units of
        2**-12 SD.
    """

    mantissa: Array
    shift: Array


def build_noise(root: npt.NDArray[np.float64]) -> Noise:
    """Scales a square root of the residual covariance matrix to integers.

    Args:
      root: (trait, trait) with root @ root.T the covariance, in score units.

    Returns:
      The integer rows, each right to one part in 2**14.
    """
    total = np.maximum(np.abs(root).sum(axis=1), 1e-30)
    # The mantissas of a row add up to at most 2**15 less a rounding of one half for each.
    shift = np.ceil(np.log2(total / (2.0**15 - root.shape[0]))).astype(np.int64)
    shift = np.maximum(shift, -12)
    return Noise(
        jnp.asarray(np.rint(root / 2.0 ** shift[:, None]), jnp.int32), jnp.asarray(shift.astype(np.int32), jnp.int32)
    )


def environment(key: Key, eggs: Array, noise: Noise) -> Array:
    """Environmental deviations.

    Args:
      key: family key.
      eggs: uint32 (egg,).
      noise: integer rows of the residual covariance's root.

    Returns:
      int32 (trait, egg), score units.
    """
    traits = noise.shift.shape[0]
    words: list[Array] = []
    for block in range((traits + 1) // 2):
        words += threefry2x32(key, eggs, jnp.uint32(NOISE + block))
    deviates = [normal_deviate(word) >> 8 for word in words[:traits]]
    rows = []
    for trait in range(traits):
        total = jnp.zeros(eggs.shape, jnp.int32)
        for other, deviate in enumerate(deviates):
            total = total + noise.mantissa[trait, other] * deviate
        left, right = jnp.maximum(noise.shift[trait] - 12, 0), jnp.maximum(12 - noise.shift[trait], 0)
        rows.append((total << left) >> right)
    return jnp.stack(rows)


def survival_threshold(survival: float) -> int:
    """Largest uint32 that survives: the chance of survival in units of 2**-32, less one."""
    return min(max(round(survival * 2**32), 1), 2**32) - 1


def survives(key: Key, eggs: Array, threshold: Array) -> Array:
    """Whether each egg lives to be tested: bool (egg,)."""
    return threefry2x32(key, eggs, jnp.uint32(FATE))[0] <= threshold


def bears(key: Key, eggs: Array, load: Array) -> Array:
    """Whether each egg lives with its genetic load L, with chance exp(-L): bool (egg,).

    Args:
      key: family key.
      eggs: uint32 (egg,).
      load: int32 (egg,), units of 2**-20; none or less never kills.
    """
    # The word's lowest bit tells the sex.
    word = threefry2x32(key, eggs, jnp.uint32(FATE))[1] >> (32 - GAP_WORD_BITS)
    return exponential_gap(word) >= load


def sex(key: Key, eggs: Array, alternate: bool) -> Array:
    """Sex of each egg, 0 female, 1 male: int32 (egg,).

    Args:
      key: family key.
      eggs: uint32 (egg,).
      alternate: True makes even egg numbers female and odd ones male (exactly half of each); False draws fairly.
    """
    word = eggs if alternate else threefry2x32(key, eggs, jnp.uint32(FATE))[1]
    return (word & jnp.uint32(1)).astype(jnp.int32)


def identity(key: Key, eggs: Array) -> Array:
    """The 64-bit name an egg passes on, from its family's key and its number: uint32 (egg, 2)."""
    return jnp.stack(threefry2x32(key, eggs, jnp.uint32(IDENTITY)), axis=-1)


def family_key(generation_key: Array, dam: Array, sire: Array) -> Array:
    """The key of a family: a hash of the generation's key and the two parents' names.

    Names are inherited, not slots, so exchanging one parent gives new eggs to its own family only.

    Args:
      generation_key: uint32 (..., 2).
      dam: uint32 (..., 2), the dam's identity.
      sire: uint32 (..., 2).

    Returns:
      uint32 (..., 2).
    """
    key = (generation_key[..., 0], generation_key[..., 1])
    for name in (dam, sire):
        key = threefry2x32(key, name[..., 0], name[..., 1])
    return jnp.stack(key, axis=-1)
