"""The theory of one closed lineage of two loci without environment, in plain NumPy, and derivatives by differences.

Written from the formulas that `jaxbreed.recursion` cites, for one dam and one sire: infinitesimal model with linkage
(Bulmer 1971), loci's variances by allele frequencies. A state is (mean of gametes, covariance of dosages within the
family, mean square of half the difference between mates).
"""

import functools
import itertools

import numpy as np
from scipy.stats import norm

from oracle.lineage import DOSAGE, Lineage

STEP = 1e-5


@functools.cache
def best_of(number):
    """Mean and variance of the largest of so many normal deviates."""
    x = np.linspace(-9, 9, 20_001)
    density = number * norm.pdf(x) * norm.cdf(x) ** (number - 1)
    mean = np.trapezoid(x * density, x)
    return mean, np.trapezoid((x - mean) ** 2 * density, x)


def state_of(lineage: Lineage, dam, sire):
    """The state of a pair's eggs, exactly, over its enumerated eggs."""
    chance = lineage.eggs(dam, sire)
    mean = chance @ DOSAGE
    centred = DOSAGE - mean
    half = 0.5 * (DOSAGE[dam] - DOSAGE[sire])
    return np.concatenate([0.5 * mean, (centred.T @ (chance[:, None] * centred)).ravel(), np.outer(half, half).ravel()])


def varies(lineage: Lineage, state, angle):
    """Whether the index differs between eggs."""
    alpha = np.array([np.cos(angle), np.sin(angle)]) @ np.array(lineage.effect)
    return alpha @ state[2:6].reshape(2, 2) @ alpha > 1e-12


def step(lineage: Lineage, state, angle, strength):
    """The state of the eggs of the best dam and the best sire."""
    mean, within, apart = state[:2], state[2:6].reshape(2, 2), state[6:].reshape(2, 2)
    intensity, left = best_of(lineage.each)
    lost = 1 - left
    alpha = np.array([np.cos(angle), np.sin(angle)]) @ np.array(lineage.effect)
    toward = within @ alpha / np.sqrt(alpha @ within @ alpha)
    after = mean + 0.5 * strength * intensity * toward
    kept = np.array([[1.0, 1 - 2 * lineage.recombination], [1 - 2 * lineage.recombination, 1.0]])
    next_within, next_apart = 0.5 * kept * (within + apart), 0.5 * (within - lost * np.outer(toward, toward))
    p, change = np.clip(mean, 1e-6, 1 - 1e-6), np.clip(after, 1e-6, 1 - 1e-6) - np.clip(mean, 1e-6, 1 - 1e-6)
    true = np.maximum(p * (1 - p) + change * (1 - 2 * p) - change**2, 1e-9)
    gaussian = np.maximum(p * (1 - p) - 0.25 * lost * toward**2, 0.1 * p * (1 - p))
    shape = np.sqrt(np.clip(true / gaussian, 0, 4))
    next_within, next_apart = (x * np.outer(shape, shape) for x in (next_within, next_apart))
    return np.concatenate([after, next_within.ravel(), next_apart.ravel()])


def gain(lineage: Lineage, state, origin):
    """Gain over the first eggs, (trait,)."""
    return 2 * np.array(lineage.effect) @ (state[:2] - origin[:2])


def gain_of_theory(lineage: Lineage, angles):
    """Final gain of the recursion from the founders' own eggs."""
    state = origin = state_of(lineage, *lineage.founders)
    for angle in angles:
        state = step(lineage, state, angle, 1.0)
    return gain(lineage, state, origin)


def differences(function, at):
    """Central differences of a function of a vector, (input, ...)."""
    offsets = STEP * np.eye(len(at))
    return np.array([(function(at + d) - function(at - d)) / (2 * STEP) for d in offsets])


def measured_strength(lineage: Lineage, now, then, angle):
    """Real response along the index over that of the theory, between its bounds."""
    alpha = np.array([np.cos(angle), np.sin(angle)]) @ np.array(lineage.effect)
    there = (step(lineage, now, angle, 1.0) - now)[:2] @ alpha
    return np.clip((then - now)[:2] @ alpha / there, 0.1, 2.0) if there > 0 else 1.0


def costate(lineage: Lineage, pairs, angles, utility):
    """Gradient along one trajectory: the theory's derivatives at real states, with measured strengths, forward.

    Args:
      lineage: the lineage.
      pairs: genomes of dam and sire of each generation, one more than angles.
      angles: of the rounds.
      utility: of the final gain.
    """
    states = [state_of(lineage, *pair) for pair in pairs]
    slope = differences(utility, gain(lineage, states[-1], states[0]))
    strengths = [measured_strength(lineage, *states[g : g + 2], angles[g]) for g in range(len(angles))]
    gradient = np.zeros(len(angles))
    for g, angle in enumerate(angles):
        sides = [step(lineage, states[g], angle + d, strengths[g]) for d in (STEP, -STEP)]
        moved = (sides[0] - sides[1]) / (2 * STEP)
        for later in range(g + 1, len(angles)):
            real, then = states[later], (angles[later], strengths[later])
            sides = [step(lineage, real + d * moved, *then) for d in (STEP, -STEP)]
            moved = (sides[0] - sides[1]) / (2 * STEP)
        gradient[g] = slope @ (2 * np.array(lineage.effect) @ moved[:2])
    return gradient


def expected_costate(lineage: Lineage, angles, utility):
    """Its mean over all trajectories of two rounds, each with its chance, and the chance of what is left out.

    Left out is where the parents of the second round have no variance in the index: the response goes with its root,
    which has no derivative there.
    """
    total, seen, left_out = np.zeros(2), {}, 0.0
    first = lineage.pairs(*lineage.founders, angles[0])
    for dam, sire in np.argwhere(first > 0):
        if not varies(lineage, state_of(lineage, dam, sire), angles[1]):
            left_out += first[dam, sire]
            continue
        best = lineage.best(lineage.families[dam, sire], angles[1])
        for mother, father in itertools.product(np.flatnonzero(best > 0), repeat=2):
            # Which parent a haplotype came from, and who is dam and who sire, changes nothing.
            key = tuple(sorted(map(_unordered, (dam, sire)))), tuple(DOSAGE[mother] + DOSAGE[father])
            if key not in seen:
                pairs = [lineage.founders, (dam, sire), (mother, father)]
                seen[key] = costate(lineage, pairs, angles, utility)
            total += first[dam, sire] * best[mother] * best[father] * seen[key]
    return total / (1 - left_out), left_out


def _unordered(genome):
    return tuple(sorted(divmod(int(genome), 4)))
