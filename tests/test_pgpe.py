"""Perturbation gradients against the exact gradient of the smoothed objective."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxbreed.pgpe import perturbation_gradient

SIGMA = {"a": np.array([0.5, 0.2]), "b": np.array([0.3])}
POINT = {"a": jnp.array([0.4, -0.6]), "b": jnp.array([1.0])}


def objective(point, number):
    """A step, a wave and noise that both members of a pair share: no derivative, or the wrong one."""
    noise = np.random.default_rng(number).normal()
    step = float(point["a"][0] > 0.3)
    return step + np.sin(2.0 * float(point["a"][1])) + 0.5 * float(point["b"][0]) ** 2 + 3.0 * noise


def exact():
    """E f(x + s e): a normal distribution function, a damped wave, a parabola; their derivatives."""
    s, t = SIGMA["a"]
    z = (0.3 - 0.4) / s
    density = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) / s
    return np.array([density, 2.0 * np.cos(2.0 * -0.6) * np.exp(-0.5 * (2 * t) ** 2), 1.0])


def likeness(point):
    return 0.8 * jnp.sin(1.8 * point["a"][1]) + 0.6 * point["b"][0] ** 2 + 0.7 * point["a"][0]


def draws(control, pairs=4, number=160):
    rows = [perturbation_gradient(objective, POINT, SIGMA, pairs, seed, control=control) for seed in range(number)]
    return np.array([np.concatenate([row["a"], row["b"]]) for row in rows], np.float64)


@pytest.mark.long
def test_the_mean_is_the_smoothed_gradient_with_and_without_control():
    # Wrong by a factor sigma, one-sided (the noise of 3 would swamp it), or the control left in: all far outside.
    plain, guided = draws(None), draws(likeness)
    for estimates in (plain, guided):
        error = estimates.std(0, ddof=1) / len(estimates) ** 0.5
        assert (np.abs(estimates.mean(0) - exact()) < 4 * error).all()
        assert (error < 0.2).all()
    assert (guided.std(0) < 0.8 * plain.std(0)).all()


def test_bad_input_is_one_sentence():
    with pytest.raises(ValueError, match="pairs is 0; it must be at least 1"):
        perturbation_gradient(objective, POINT, SIGMA, 0, 1)
    with pytest.raises(ValueError, match="numbers above 0"):
        perturbation_gradient(objective, POINT, {"a": np.zeros(2), "b": np.ones(1)}, 1, 1)
