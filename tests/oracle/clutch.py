"""One clutch of two sires, one round of selection, every outcome in plain NumPy: for whole numbers of males and tests.

Genomes as in `oracle.lineage`. Even eggs are female. Of the tested the best female and the best males breed; ties go to
the first sire, then to the lower egg number.
"""

import itertools

import numpy as np
from scipy.stats import norm

from oracle.lineage import Lineage


def outcomes(lineage: Lineage, sires, eggs, males, angle):
    """Gains and entropies of the next clutch with their chances.

    Args:
      lineage: effects, recombination and, first of its founders, the dam.
      sires: genomes of the two sires, in order of their places.
      eggs: tested of each sire's family.
      males: kept, 1 or 2.
      angle: of the index.

    Returns:
      Gains (outcome, trait), entropies (outcome,), chances (outcome,).
    """
    dam = lineage.founders[0]
    families = [lineage.eggs(dam, sire) for sire in sires]
    index, values = lineage.index(angle), lineage.values
    origin = 0.5 * values[dam] + 0.25 * values[list(sires)].sum(0)

    def best(count, places):
        """Genomes of the best so many, (outcome, place), and chances: every set of eggs, sorted with ties in order."""
        chances = [families[f] for f, number in enumerate(count) for _ in range(number)]
        genomes = np.array(list(itertools.product(*(np.flatnonzero(c) for c in chances))))
        chance = np.prod([c[genomes[:, k]] for k, c in enumerate(chances)], axis=0)
        order = np.argsort(-index[genomes], axis=1, kind="stable")[:, :places]
        chosen, where = np.unique(np.take_along_axis(genomes, order, 1), axis=0, return_inverse=True)
        return chosen, np.bincount(where.ravel(), chance)

    females, of_females = best([(n + 1) // 2 for n in eggs], 1)
    fathers, of_fathers = best([n // 2 for n in eggs], males)
    mean = 0.5 * (values[females[:, None, 0]] + values[fathers].mean(1)[None])
    entropy = -np.log(0.25 * (1 + 1 / males))
    chance = np.outer(of_females, of_fathers).ravel()
    return mean.reshape(-1, 2) - origin, np.full(chance.size, entropy), chance


def table(lineage: Lineage, sires, laid, angle, utility):
    """Expected utility for 1 and 2 males and every number of tests from 4 to all: (males, tests)."""
    rows = np.zeros((2, laid - 3))
    for males, tests in itertools.product((1, 2), range(4, laid + 1)):
        first = int(tests / 2 + 0.5)
        for order in (sires, sires[::-1]):
            gain, entropy, chance = outcomes(lineage, order, (first, tests - first), males, angle)
            rows[males - 1, tests - 4] += 0.5 * chance @ utility(gain, entropy)
    return rows


def smoothed_gradient(rows, lowest, at, sigma, at_random=True):
    """Gradient at real numbers of a table's expectation under random rounding and normal perturbations.

    Rounding up or down with the right mean goes straight from one whole number to the next; beyond the table's ends
    nothing changes.

    Args:
      rows: (males, tests).
      lowest: whole numbers of the first row and the first column.
      at: real numbers of males and tests.
      sigma: SD of the perturbations of each.
      at_random: False rounds to the nearest whole number instead.
    """
    weights, slopes = [], []
    for size, low, x, s in zip(rows.shape, lowest, at, sigma, strict=True):
        whole = np.arange(size) + low
        # Between neighbours: the chance to be there, and the mean of the distance beyond the lower one.
        z = (whole - x) / s
        inside = np.diff(norm.cdf(z))
        beyond = (x - whole[:-1]) * inside - s * np.diff(norm.pdf(z))
        if not at_random:
            steps = norm.pdf((whole[:-1] + 0.5 - x) / s) / s
            weights.append(np.diff(np.concatenate([[0], norm.cdf((whole[:-1] + 0.5 - x) / s), [1]])))
            slopes.append(np.concatenate([[0], steps]) - np.concatenate([steps, [0]]))
            continue
        weight = np.zeros(size)
        weight[0] += norm.cdf(z[0])
        weight[-1] += norm.sf(z[-1])
        weight[:-1] += inside - beyond
        weight[1:] += beyond
        weights.append(weight)
        slope = np.zeros(size)
        slope[:-1] -= inside
        slope[1:] += inside
        slopes.append(slope)
    return np.array([slopes[0] @ rows @ weights[1], weights[0] @ rows @ slopes[1]])
