"""Gradients by perturbing parameters: antithetic pairs with common random numbers (Sehnke et al. 2010, PGPE)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

Evaluate = Callable[[Any, int], Any]
"""Takes parameters and a number that stands for everything random; gives a scalar."""
_GUIDES = 4  # antithetic pairs at which the control's smoothed gradient is taken


def perturbation_gradient(
    evaluate: Evaluate,
    point: Any,
    sigma: Any,
    pairs: int,
    seed: int,
    *,
    control: Callable[[Any], Any] | None = None,
    fitted: bool = False,
) -> Any:
    """Unbiased gradient of the smoothed objective, the mean of it over Gaussian perturbations of the parameters.

    Both members of a pair share every random number, and stand on opposite sides of the point.

    Args:
      evaluate: the objective; the pairs' numbers are different, those of one pair's members equal.
      point: parameters, any pytree of real arrays.
      sigma: SD of the perturbations, the same pytree, above 0.
      pairs: antithetic pairs; twice as many evaluations.
      seed: of the perturbations and of the pairs' numbers.
      control: a cheap, differentiable likeness of the objective, such as its theory. Its own estimate from the same
        perturbations is taken off and its smoothed gradient put back, which leaves the mean as it is and takes the
        noise away that the two have in common.
      fitted: whether the control counts by a coefficient, fitted for each pair to all the others, so that the mean
        stays as it is; False: fully.

    Returns:
      The gradient, like `point`, float32.

    Raises:
      ValueError: no pairs, or a sigma that is not above 0.
    """
    if pairs < 1:
        raise ValueError(f"pairs is {pairs}; it must be at least 1")
    flat, rebuild = ravel_pytree(jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), point))
    spread = np.asarray(ravel_pytree(sigma)[0], np.float64)
    if spread.shape != flat.shape or not (spread > 0).all():
        raise ValueError(f"sigma is {spread.tolist()}; it must have {flat.size} numbers above 0")
    centre = np.asarray(flat, np.float64)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x96E]))
    noises, halves, likeness = np.zeros((pairs, centre.size)), np.zeros(pairs), np.zeros(pairs)

    def at(offset: np.ndarray) -> Any:
        return rebuild(jnp.asarray(centre + offset, jnp.float32))

    for pair in range(pairs):
        noise = noises[pair] = rng.normal(size=centre.size)
        number = int(rng.integers(2**31))
        sides = (at(spread * noise), at(-spread * noise))
        halves[pair] = 0.5 * (float(evaluate(sides[0], number)) - float(evaluate(sides[1], number)))
        if control is not None:
            likeness[pair] = 0.5 * (float(control(sides[0])) - float(control(sides[1])))
    coefficient = _coefficients(halves, likeness) if fitted else np.ones(pairs)
    total = (halves - coefficient * likeness) @ noises / spread / pairs
    if control is not None:
        slope = jax.grad(control)
        for _ in range(_GUIDES):
            noise = spread * rng.normal(size=centre.size)
            for side in (noise, -noise):
                of_control = np.asarray(ravel_pytree(slope(at(side)))[0], np.float64)
                total += coefficient.mean() * of_control / (2 * _GUIDES)
    return rebuild(jnp.asarray(total, jnp.float32))


def linear_control(point: Any, gradient: Any) -> Callable[[Any], Any]:
    """A control that rises along a gradient known at a point, such as that of another estimator from other seeds.

    Args:
      point: parameters, any pytree of real arrays.
      gradient: the same pytree.
    """
    flat, slope = (ravel_pytree(x)[0] for x in (point, gradient))
    return lambda x: (ravel_pytree(x)[0] - flat) @ slope


def _coefficients(halves: np.ndarray, likeness: np.ndarray) -> np.ndarray:
    """Regression through 0 of the objective's differences on the control's, (pair,), each from all other pairs.

    Nothing of a pair is in its own coefficient, which therefore biases nothing. One more pair, where the two are equal,
    stands for what is known beforehand.
    """
    others = max(len(halves) - 1, 1)
    products, squares = halves * likeness, likeness**2
    square = squares.sum() - squares
    known = np.maximum(square / others, 1e-30)
    return (products.sum() - products + known) / (square + known)
