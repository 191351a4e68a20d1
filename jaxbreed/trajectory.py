"""The theory over many generations: there, what is seen on the way, and back. Double precision throughout."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array, lax

from jaxbreed.covariance import Real, of_traits
from jaxbreed.deviations import deviations
from jaxbreed.edges import cut
from jaxbreed.moments import (
    Levers,
    Measured,
    Moments,
    World,
    average_effects,
    inbreeding,
    uninformed,
    value,
)
from jaxbreed.recursion import concentration, step

Floats = npt.NDArray[np.float64]


class Seen(NamedTuple):
    """What is seen of generations."""

    gain: Real  # (..., trait), founder phenotypic SD
    variance: Real  # (..., trait), genetic variance of the eggs
    inbreeding: Real  # (...), of the eggs


class Followed(NamedTuple):
    """What is seen of a run. Leading axis (replicate,)."""

    gain: Real  # (replicate, generation + 1, trait)
    variance: Real  # (replicate, generation + 1, trait)
    inbreeding: Real  # (replicate, generation + 1)
    entropy: Real  # (replicate, generation)


def see(world: World, state: Moments) -> Seen:
    """Gain, variance and inbreeding of the eggs of one generation."""
    effect, dominance = average_effects(world, state), deviations(world, state)
    variance = jnp.diag(of_traits(effect, state.between + state.mixed + state.within))
    variance += jnp.diag(dominance.within + dominance.between)
    variance += 2 * (effect * (dominance.onto_within + dominance.onto_between)).sum((-2, -1))
    return Seen(value(world, state) - state.origin, variance, inbreeding(state))


def entropy_of(world: World, levers: Levers) -> Array:
    """Entropy of order 2 of the contributions of the parents chosen."""
    groups = 1 if world.across else world.lineages
    males = cut(levers.males, 1.0, world.places * world.lineages / groups) * groups
    return -jnp.log(0.25 * (1 / world.lineages + concentration(world, males)))


@jax.jit
def follow(world: World, start: Moments, levers: Levers, measured: Measured) -> tuple[Moments, Followed]:
    """The theory from generation 0 to the last.

    Args:
      world: what is fixed.
      start: eggs of generation 0, leading axis (replicate,).
      levers: leading axis (generation,).
      measured: leading axis (generation,).

    Returns:
      Eggs of every generation, leading axes (generation + 1, replicate); what is seen of them.
    """
    step_all = jax.vmap(step, in_axes=(None, 0, None, None))

    def forward(state: Moments, row: tuple[Levers, Measured]) -> tuple[Moments, Moments]:
        following = step_all(world, state, *row)
        return following, following

    _, later = lax.scan(forward, start, (levers, measured))
    states = jax.tree.map(lambda first, rest: jnp.concatenate([first[None], rest]), start, later)
    seen = jax.vmap(jax.vmap(functools.partial(see, world)))(states)
    entropy = jax.vmap(functools.partial(entropy_of, world))(levers)
    replicates = start.mean.shape[0]
    gain, variance, inbreeding = (jnp.swapaxes(x, 0, 1) for x in seen)
    entropies = jnp.broadcast_to(entropy, (replicates, *entropy.shape))
    return states, Followed(gain, variance, inbreeding, entropies)


def measure_response(world: World, states: Moments, levers: Levers, predicted: bool) -> Measured:
    """Compares the response of real eggs with the theory's, generation by generation, all replicates together.

    Args:
      world: what is fixed.
      states: the simulated eggs, leading axes (generation + 1, replicate).
      levers: leading axis (generation,).
      predicted: whether animals were chosen by predictions, whose accuracy theory does not know.

    Returns:
      Leading axis (generation,).
    """
    plain = uninformed()
    base = plain._replace(accuracy=jnp.ones(())) if predicted else plain
    expected, realised = (np.asarray(x) for x in _responses(world, states, levers, base))
    share = np.where(expected > 0, realised / np.where(expected > 0, expected, 1.0), 1.0)
    nothing = np.full(len(share), np.nan)
    if predicted:
        return Measured(np.ones(len(share)), np.clip(share, 0.02, 1.0))
    return Measured(np.clip(share, 0.1, 2.0), nothing)


@jax.jit
def _responses(world: World, states: Moments, levers: Levers, measured: Measured) -> tuple[Array, Array]:
    """Responses along the weights, summed over replicates, of theory and of a simulation: (generation,) each."""

    def one(now: Moments, then: Moments, row: Levers) -> tuple[Array, Array]:
        along = jnp.einsum("t,tbn->bn", row.weights, average_effects(world, now))
        expected = step(world, now, row, measured).mean
        return (along * (expected - now.mean)).sum(), (along * (then.mean - now.mean)).sum()

    now, then = jax.tree.map(lambda x: x[:-1], states), jax.tree.map(lambda x: x[1:], states)
    responses = jax.vmap(jax.vmap(one, in_axes=(0, 0, None)))(now, then, levers)
    return responses[0].sum(1), responses[1].sum(1)


@jax.jit
def backward(world: World, states: Moments, levers: Levers, measured: Measured, cotangent: Followed) -> Levers:
    """Sensitivities of an objective to the levers, by the theory's Jacobians along a trajectory.

    Args:
      world: what is fixed.
      states: the trajectory, leading axes (generation + 1, replicate).
      levers: leading axis (generation,).
      measured: leading axis (generation,).
      cotangent: the objective's sensitivities.

    Returns:
      Leading axis (generation,).
    """
    seen = Seen(*(jnp.swapaxes(x, 0, 1) for x in cotangent[:3]))
    looked = jax.vmap(jax.vmap(lambda s, c: jax.vjp(functools.partial(see, world), s)[1](c)[0]))(states, seen)

    def back(later: Moments, row: tuple[Moments, Moments, Levers, Measured]) -> tuple[Moments, Levers]:
        state, of_seen, chosen, known = row

        def one(state: Moments, later: Moments) -> tuple[Moments, Levers]:
            return jax.vjp(lambda s, x: step(world, s, x, known), state, chosen)[1](later)

        of_state, of_levers = jax.vmap(one)(state, later)
        return jax.tree.map(jnp.add, of_state, of_seen), jax.tree.map(lambda x: x.sum(0), of_levers)

    first, last = (jax.tree.map(lambda x, part=part: x[part], looked) for part in (slice(-1), -1))
    before = jax.tree.map(lambda x: x[:-1], states)
    _, of_steps = lax.scan(back, last, (before, first, levers, measured), reverse=True)
    entropy = jax.vmap(functools.partial(entropy_of, world))
    of_entropy = jax.vjp(entropy, levers)[1](cotangent.entropy.sum(0))[0]
    return jax.tree.map(jnp.add, of_steps, of_entropy)
