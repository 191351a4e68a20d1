"""Cutting numbers off at the edges of what is allowed, for gradients that start on an edge."""

import jax.numpy as jnp
from jax import Array
from jax.lax import stop_gradient
from jax.typing import ArrayLike


def cut(values: Array, low: ArrayLike, high: ArrayLike) -> Array:
    """Values within bounds.

    The gradient is 1 inside and on an edge, where that of `jnp.clip` would be a half, and 0 beyond. A value counts as
    on an edge to one part in a million, since single precision puts some of them a whisker beyond it.

    Args:
      values: any shape.
      low: lower bounds.
      high: upper bounds.
    """
    kept = jnp.clip(values, low, high)
    beyond = stop_gradient(kept - values)
    return jnp.where(jnp.abs(beyond) <= 1e-6 * jnp.maximum(jnp.abs(kept), 1.0), values + beyond, stop_gradient(kept))
