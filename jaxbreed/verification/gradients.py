"""Gradients of the objective: the theory against its own differences and an analytic derivative (V25)."""

import dataclasses
from collections.abc import Iterator
from statistics import NormalDist

import jax
import jax.numpy as jnp
import numpy as np

from jaxbreed.course import expected_course, simulate_course
from jaxbreed.program import Settings
from jaxbreed.schedule import Schedule, constant_schedule
from jaxbreed.theory import intensity
from jaxbreed.truncation import selected
from jaxbreed.verification.findings import Finding, exact, mean_of, not_run
from jaxbreed.verification.registry import Effort, check
from jaxbreed.verification.worlds import build

CENTRAL = "central differences"
PAIRED = "central differences, common random numbers"
_ROUNDS, _REPLICATES = 3, 6


@check("V25", "gradients with respect to the schedule")
def gradients(effort: Effort) -> Iterator[Finding]:
    """Wrong: gradients of a generation's own gain only; of the wrong sign; of another lever."""
    share = 0.1
    with jax.enable_x64(True):
        slope = float(jax.grad(lambda n: selected(n, jnp.asarray(1e7))[0])(jnp.asarray(share * 1e7))) * 1e7
    # i = f(x) / p with p = 1 - Phi(x): di / dp = (x - i) / p.
    analytic = (NormalDist().inv_cdf(1 - share) - intensity(share)) / share
    yield exact(f"di / dp at p = {share:g}", slope, analytic, "derivative of f(x) / p", rounding=2e-3)
    of_theory = f"theory's gradient of gain after {_ROUNDS} rounds by weights, radians"
    of_runs = "the simulation's gradient (costate) against differences of simulations: slope along it"
    if not effort.full:
        yield not_run(of_theory, "needs --full: its compilation takes long", CENTRAL)
        yield not_run(of_runs, "needs --full: 24 pairs of simulations and their gradients", PAIRED)
        return
    settings = Settings(lineages=8, eggs=(240, 240), scope="across", sexes="alternate")
    seed = effort.run_seed(25)
    world = build(
        settings,
        founders=16 * _REPLICATES,
        h2=(0.5, 0.3),
        chromosomes=6,
        loci=48,
        correlation=-0.3,
        length=0.5,
        seed=seed,
    )

    def plan(angle: jax.Array) -> Schedule:
        plain = constant_schedule(_ROUNDS, [1.0, 1.0])
        return dataclasses.replace(plain, weights=jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1))

    def theory(angle: jax.Array) -> jax.Array:
        return expected_course(world.program, world.founders, plan(angle), replicates=2, seed=seed).gain[
            :, -1
        ] @ jnp.array([0.3, 1.0])

    def worth(angle: jax.Array) -> jax.Array:
        return theory(angle).mean()

    angle, reach = jnp.array([0.2, 0.7, 1.2]), 0.05
    gradient = np.asarray(jax.grad(worth)(angle), np.float64)
    steps = [
        float(worth(angle.at[g].add(reach)) - worth(angle.at[g].add(-reach))) / (2 * reach) for g in range(_ROUNDS)
    ]
    yield exact(of_theory, gradient, np.array(steps), CENTRAL, rounding=5e-3 * float(np.abs(gradient).max()))

    def simulated(angle: jax.Array, run: int) -> jax.Array:
        course = simulate_course(world.program, world.founders, plan(angle), replicates=_REPLICATES, seed=run)
        return (course.gain[:, -1] @ jnp.array([0.3, 1.0])).mean()

    runs, wide = range(24), 0.25
    costate = np.mean([np.asarray(jax.grad(simulated)(angle, run), np.float64) for run in runs], axis=0)
    along = costate / np.linalg.norm(costate)
    there, back = (angle + side * wide * jnp.asarray(along, jnp.float32) for side in (1, -1))
    slopes = [float(simulated(there, run) - simulated(back, run)) / (2 * wide) for run in runs]
    # A theory's Jacobians on a simulated trajectory: the gradient table of the project has ratios from 0.8 to 1.4.
    expected = float(np.linalg.norm(costate))
    yield mean_of(of_runs, slopes, expected, PAIRED, allowance=0.35 * expected)
