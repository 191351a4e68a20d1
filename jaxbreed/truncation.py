"""Truncation in finite numbers: the mean and the variance of the best so many of so many."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtri
from jax.scipy.stats import norm

_NODES = np.arange(-12.0, 16.0, 0.2)  # in SD of the log odds: errors below 2e-5
FEWEST_LEFT = 0.1
"""Of the candidates, however many are taken: intensity is still smooth there."""


def selected(count: Array, candidates: Array) -> tuple[Array, Array]:
    """Intensity i of the best `count` of so many, and the share k of variance that is lost.

    Those chosen are all that exceed the best of those left behind, and independent of each other given that one. The
    share u of the normal distribution above it follows a beta distribution (David & Nagaraja 2003, Order Statistics,
    2.5), over which mean i(u) and mean square 1 + i(u) x(u) of what exceeds x(u) are averaged. 1 - k is the variance of
    one of the chosen, taken at random, around its expectation: over draws as well as inside the group.

    Args:
      count: (...,), real, at least 1.
      candidates: (), real.

    Returns:
      i and k, (...,): exact in whole numbers, smooth between them; both 0 where all are taken.
    """
    left = jnp.maximum(candidates - count, FEWEST_LEFT)
    mode = jnp.log((count + 1) / left)
    width = jnp.sqrt((count + 1 + left) / ((count + 1) * left))
    # Where the nodes lie does not matter: only their weights depend on the numbers.
    odds = jax.lax.stop_gradient(mode[..., None] + width[..., None] * _NODES)
    above, below = jax.nn.log_sigmoid(odds), jax.nn.log_sigmoid(-odds)
    weight = jax.nn.softmax((count + 1)[..., None] * above + left[..., None] * below, axis=-1)
    smaller = ndtri(jnp.exp(jnp.minimum(above, below)))
    x = jnp.where(odds < 0, -smaller, smaller)
    mean = jnp.exp(norm.logpdf(x) - above)
    i = (weight * mean).sum(-1)
    k = i**2 - (weight * mean * x).sum(-1)
    chosen = jnp.clip((candidates - count) / FEWEST_LEFT, 0.0, 1.0)
    return chosen * i, chosen * k


def pool_size(needed: Array, fraction: Array, candidates: Array) -> Array:
    """Animals from which parents are drawn at random: never fewer than are needed, never more than there are."""
    return jnp.minimum(jnp.maximum(needed, fraction * candidates), candidates)
