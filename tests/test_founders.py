import os
import re
from itertools import product

import numpy as np
import pytest

from jaxbreed.founders import Founders, coalescent
from jaxbreed.genome import GeneticMap


def z_score(values, expected=0.0):
    """Standard errors between the mean of independent values and what it should be."""
    values = np.asarray(values, dtype=float)
    return (values.mean() - expected) / (values.std(ddof=1) / np.sqrt(len(values)))


def mutant_copies(founders):
    """(chromosome, locus of the chromosome) copies of allele 1; every chromosome has as many loci."""
    return founders.haplotypes.sum(axis=(0, 1), dtype=int).reshape(founders.map.chromosomes, -1)


def linkage_moments(first, second):
    """Unbiased D^2 and p(1-p)q(1-q) of every pair of loci from (haplotype, locus) alleles.

    A product of four haplotype frequencies is estimated by its share among draws of four different haplotypes.
    """
    n, first, second = len(first), first.astype(float), second.astype(float)
    count = {(1, 1): first.T @ second}
    count[1, 0] = first.sum(axis=0)[:, None] - count[1, 1]
    count[0, 1] = second.sum(axis=0)[None, :] - count[1, 1]
    count[0, 0] = n - count[1, 1] - count[1, 0] - count[0, 1]

    def share(*kinds):
        draws = [count[kind] - kinds[:place].count(kind) for place, kind in enumerate(kinds)]
        return np.prod(draws, axis=0) / (n * (n - 1) * (n - 2) * (n - 3))

    square = share((1, 1), (1, 1), (0, 0), (0, 0)) + share((1, 0), (1, 0), (0, 1), (0, 1))
    square -= 2 * share((1, 1), (0, 0), (1, 0), (0, 1))
    return square, sum(share((1, i), (0, j), (k, 1), (m, 0)) for i, j, k, m in product((0, 1), repeat=4))


def spectrum_after_step(haplotypes, before, recent, since):
    """Expected share of each class of sites when the size changed from ``before`` to ``recent``.

    The number of lineages is a death process; the SFS follows from the mean time with k lineages (Fu 1995).
    """
    lineages = np.arange(haplotypes, 1, -1)
    rate = lineages * (lineages - 1) / 2
    generator = np.diag(-rate) + np.diag(rate[:-1], 1)  # a unit of time is 2 Ne generations
    from scipy.linalg import expm

    left = expm(generator * since / (2 * recent))[0]
    start = np.eye(len(rate))[0]
    solve = -np.linalg.inv(generator)
    time = 2 * recent * (start - left) @ solve + 2 * before * left @ solve
    total = np.zeros(haplotypes - 1)
    for k, t in zip(lineages, time, strict=True):
        carriers = np.arange(1, haplotypes - k + 2)
        chance = np.ones(len(carriers))  # that one of k lineages has so many descendants: a Polya urn
        for index, i in enumerate(carriers):
            ways = [comb(haplotypes - i - 1, k - 2), comb(haplotypes - 1, k - 1)]
            chance[index] = ways[0] / ways[1]
        total[: len(carriers)] += k * t * chance
    return total / total.sum()
