"""One closed lineage of two loci, enumerated: every genome, gamete and outcome of selection, in plain NumPy.

A haplotype is a number 0 to 3, its bits the alleles of the two loci; a genome is 4 x maternal + paternal, 0 to 15. A
value without environment decides, the best of each sex breed, ties go to the lower egg number. Nothing is shared with
the simulator.
"""

import dataclasses
import itertools
from functools import cached_property

import numpy as np
from scipy.stats import norm

ALLELES = np.array([[h >> 1 & 1, h & 1] for h in range(4)])
DOSAGE = (ALLELES[:, None] + ALLELES[None]).reshape(16, 2)


@dataclasses.dataclass(frozen=True)
class Lineage:
    """One dam, one sire, so many eggs of each sex, best of each sex the next parents.

    Attributes:
      effect: ((a, a), (b, b)), of one copy at each locus on each trait.
      recombination: between the loci.
      founders: genomes of the dam and the sire.
      each: eggs of each sex.
    """

    effect: tuple
    recombination: float
    founders: tuple
    each: int

    @cached_property
    def values(self):
        """Genetic values (genome, trait)."""
        return DOSAGE @ np.array(self.effect).T

    def gametes(self, genome):
        """Chance of each haplotype among the gametes of a genome."""
        chance = np.zeros(4)
        strands = divmod(genome, 4)
        for first, second in itertools.product(range(2), range(2)):
            of_strands = 0.5 * (1 - self.recombination if first == second else self.recombination)
            chance[2 * (strands[first] >> 1 & 1) + (strands[second] & 1)] += of_strands
        return chance

    def eggs(self, dam, sire):
        """Chance of each genome among the eggs of a pair."""
        return np.outer(self.gametes(dam), self.gametes(sire)).reshape(16)

    @cached_property
    def families(self):
        """(dam, sire, genome)."""
        return np.array([[self.eggs(dam, sire) for sire in range(16)] for dam in range(16)])

    def index(self, angle):
        """Index of each genome; equal values are equal to the last digit."""
        return np.round(self.values @ [np.cos(angle), np.sin(angle)], 9)

    def best(self, eggs, angle):
        """Chance of each genome to be the best of `each` eggs: ties fall on eggs in order, so on genomes by share."""
        index = self.index(angle)
        below = (eggs[..., None, :] * (index[None, :] < index[:, None])).sum(-1)
        same = (eggs[..., None, :] * (index[None, :] == index[:, None])).sum(-1)
        return eggs * ((below + same) ** self.each - below**self.each) / np.where(same > 0, same, 1.0)

    def pairs(self, dam, sire, angle):
        """Chance of each (dam, sire) of the next generation."""
        best = self.best(self.families[dam, sire], angle)
        return np.outer(best, best)

    @cached_property
    def gains(self):
        """Gain of the eggs of each pair over those of the founders, (dam, sire, trait)."""
        mean = 0.5 * (self.values[:, None] + self.values[None])
        return mean - mean[self.founders]

    def outcomes(self, angles):
        """Final gains (outcome, trait) of two rounds and their chances."""
        best = self.best(self.families, angles[1])
        last = np.einsum("ds,dsx,dsy->xy", self.pairs(*self.founders, angles[0]), best, best, optimize=True)
        kinds, where = np.unique(np.round(self.gains.reshape(-1, 2), 9), axis=0, return_inverse=True)
        return kinds, np.bincount(where.ravel(), last.ravel())

    def pieces(self, angle, reach):
        """Angles at which two genomes are equal, within reach: between them nothing changes."""
        steps = np.array([d for d in itertools.product(range(-2, 3), repeat=2) if any(d)]) @ np.array(self.effect).T
        turns = np.arctan2(steps[:, 1], steps[:, 0]) + np.pi / 2
        turns = (turns[:, None] + 2 * np.pi * np.arange(-3, 4)).ravel()
        return np.unique(np.round(turns[np.abs(turns - angle) < reach], 9))

    def objective(self, angles, utility):
        """Expected utility of two rounds: `utility` takes gains (..., trait)."""
        later = self.after_first(angles[1], utility)
        return float((self.pairs(*self.founders, angles[0]) * later).sum())

    def after_first(self, angle, utility):
        """Expected utility of the eggs of the next parents of each pair, (dam, sire)."""
        best = self.best(self.families, angle)
        return np.einsum("dsx,dsy,xy->ds", best, best, utility(self.gains), optimize=True)

    def smoothed_gradient(self, angles, sigma, utility):
        """Of the mean of the objective over normal perturbations of both angles, exactly; and that mean."""
        chances, slopes, middles = [], [], []
        for angle in angles:
            cuts = np.concatenate([[-np.inf], self.pieces(angle, 7 * sigma), [np.inf]])
            z = (cuts - angle) / sigma
            chances.append(np.diff(norm.cdf(z)))
            slopes.append(-np.diff(norm.pdf(z)) / sigma)
            inner = np.clip(cuts, cuts[1] - 1e-3, cuts[-2] + 1e-3)
            middles.append(0.5 * (inner[1:] + inner[:-1]))
        first = np.array([self.pairs(*self.founders, angle) for angle in middles[0]])
        second = np.array([self.after_first(angle, utility) for angle in middles[1]])
        table = np.einsum("iab,jab->ij", first, second)
        gradient = np.array([slopes[0] @ table @ chances[1], chances[0] @ table @ slopes[1]])
        return gradient, float(chances[0] @ table @ chances[1])
