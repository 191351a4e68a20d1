"""The theory over many generations: there, what is seen on the way, and back. Double precision throughout."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array, lax

from jaxbreed.recursion import Levers, Measured, Moments, Real, World, concentration, step, uninformed

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
    inbreeding = 1 - state.neutral[2] - state.neutral[3]
    gain = 2 * world.effect @ (state.mean - state.origin) - world.depression * inbreeding
    total = state.between + state.mixed + state.within
    additive = jnp.einsum("tk,kl,tl->t", world.effect, total, world.effect)
    return Seen(gain, additive + (1 - inbreeding) * jnp.diag(world.dominance), inbreeding)


def entropy_of(world: World, levers: Levers) -> Array:
    """Entropy of order 2 of the contributions of the parents chosen."""
    groups = 1 if world.across else world.lineages
    males = jnp.clip(levers.males, 1.0, world.places * world.lineages / groups) * groups
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
    rounds = len(levers.fraction)
    plain = uninformed()
    strength, accuracy = np.ones(rounds), np.full(rounds, np.nan)
    for g in range(rounds):
        row = jax.tree.map(lambda x, g=g: jnp.asarray(x[g]), levers)
        now, then = (jax.tree.map(lambda x, h=h: jnp.asarray(x[h]), states) for h in (g, g + 1))
        base = plain._replace(accuracy=jnp.ones(())) if predicted else plain
        expected = _mean_after(world, now, row, base) - now.mean
        toward = row.weights @ world.effect
        there = float((expected @ toward).sum())
        share = float(((then.mean - now.mean) @ toward).sum()) / there if there > 0 else 1.0
        if predicted:
            accuracy[g] = min(max(share, 0.02), 1.0)
        else:
            strength[g] = min(max(share, 0.1), 2.0)
    return Measured(strength, accuracy)


@jax.jit
def _mean_after(world: World, states: Moments, levers: Levers, measured: Measured) -> Array:
    return jax.vmap(lambda state: step(world, state, levers, measured).mean)(states)


@jax.jit
def _back(
    world: World, state: Moments, levers: Levers, measured: Measured, later: Moments, seen: Seen
) -> tuple[Moments, Levers]:
    """Takes sensitivities to the next eggs and to what is seen of these eggs back to these eggs and the levers.

    Args:
      world: what is fixed.
      state: these eggs, leading axis (replicate,), as `later` and `seen`.
      levers: what was decided.
      measured: what is known of the selection.
      later: sensitivities to the next generation's eggs.
      seen: sensitivities to what is seen of these.

    Returns:
      Sensitivities to these eggs, and to the levers, summed over replicates.
    """

    def one(state: Moments, later: Moments, seen: Seen) -> tuple[Moments, Levers]:
        _, back = jax.vjp(lambda s, x: step(world, s, x, measured), state, levers)
        of_state, of_levers = back(later)
        _, look = jax.vjp(functools.partial(see, world), state)
        return jax.tree.map(jnp.add, of_state, look(seen)[0]), of_levers

    of_state, of_levers = jax.vmap(one)(state, later, seen)
    return of_state, jax.tree.map(lambda x: x.sum(0), of_levers)


@jax.jit
def _look(world: World, state: Moments, seen: Seen) -> Moments:
    return jax.vmap(lambda s, c: jax.vjp(functools.partial(see, world), s)[1](c)[0])(state, seen)


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
    rounds = len(levers.fraction)

    def at(g: int) -> tuple[Moments, Seen]:
        seen = Seen(*(jnp.asarray(x[:, g]) for x in (cotangent.gain, cotangent.variance, cotangent.inbreeding)))
        return jax.tree.map(lambda x: jnp.asarray(x[g]), states), seen

    later = _look(world, *at(rounds))
    rows = []
    for g in reversed(range(rounds)):
        row = jax.tree.map(lambda x, g=g: jnp.asarray(x[g]), (levers, measured))
        state, seen = at(g)
        later, of_levers = _back(world, state, *row, later, seen)
        spread = jnp.asarray(cotangent.entropy[:, g].sum())
        of_entropy = jax.vjp(functools.partial(entropy_of, world), row[0])[1](spread)[0]
        rows.append(jax.tree.map(jnp.add, of_levers, of_entropy))
    return jax.tree.map(lambda *x: jnp.stack(x[::-1]), *rows)
