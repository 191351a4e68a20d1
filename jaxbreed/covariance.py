"""Covariances between the units of a genome: in full within blocks, summed over each trait between them."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

Real = Any
"""Arrays of JAX or NumPy, float64."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Covariance:
    """A symmetric matrix of units, block by block; all operations are linear.

    Of pairs in different blocks only what selection on traits needs is kept, so that many chromosomes cost no more
    than the sum of each.

    Attributes:
      near: (..., block, n, n), between units of one block.
      far: (..., trait, block, n), between a unit and a trait's sum over the units of all other blocks.
    """

    near: Real
    far: Real

    __array_ufunc__ = None  # numbers of NumPy leave multiplication to this class

    def __add__(self, other: "Covariance") -> "Covariance":
        return Covariance(self.near + other.near, self.far + other.far)

    def __sub__(self, other: "Covariance") -> "Covariance":
        return Covariance(self.near - other.near, self.far - other.far)

    def __mul__(self, factor: Real) -> "Covariance":
        return Covariance(factor * self.near, factor * self.far)

    __rmul__ = __mul__


def outer(effect: Array, values: Array) -> Covariance:
    """The covariance that units have if they only vary together, in proportion to values.

    Args:
      effect: (trait, block, n), of a unit on a trait.
      values: (block, n).

    Returns:
      Their outer product.
    """
    of_blocks = jnp.einsum("tbn,bn->tb", effect, values)
    others = of_blocks.sum(1, keepdims=True) - of_blocks
    return Covariance(values[:, :, None] * values[:, None], others[:, :, None] * values)


def toward(effect: Array, covariance: Covariance, weights: Array) -> Array:
    """Covariance of every unit with a weighted sum of traits.

    Args:
      effect: (trait, block, n).
      covariance: of the units.
      weights: (trait,).

    Returns:
      (block, n).
    """
    index = jnp.einsum("t,tbn->bn", weights, effect)
    return jnp.einsum("bnm,bm->bn", covariance.near, index) + jnp.einsum("t,tbn->bn", weights, covariance.far)


def linked(covariance: Covariance, kept: Real) -> Covariance:
    """What Mendelian sampling leaves of a covariance: 1 - 2 r of it within blocks, nothing between.

    Args:
      covariance: of the units.
      kept: (block, n, n), 1 - 2 r.

    Returns:
      The product.
    """
    return Covariance(kept * covariance.near, 0.0 * covariance.far)


def scaled(covariance: Covariance, factor: Array, of_sums: Array | float = 1.0) -> Covariance:
    """Each unit multiplied by a factor.

    Args:
      covariance: of the units.
      factor: (block, n).
      of_sums: (trait,), of a trait's sum over other blocks, as far as it has one factor.

    Returns:
      The covariance of the products.
    """
    far = covariance.far * factor * jnp.reshape(of_sums, (-1, 1, 1))
    return Covariance(covariance.near * factor[:, :, None] * factor[:, None], far)


def of_traits(effect: Real, covariance: Covariance) -> Array:
    """Covariance of the traits, (trait, trait)."""
    near = jnp.einsum("tbn,bnm,ubm->tu", effect, covariance.near, effect)
    return near + jnp.einsum("tbn,ubn->tu", effect, covariance.far)
