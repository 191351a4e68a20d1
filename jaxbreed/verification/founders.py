"""Founders: allele frequencies as asked for, and the coalescent (V28)."""

from collections.abc import Iterator

import numpy as np

from jaxbreed.founders import Founders, coalescent
from jaxbreed.genome import GeneticMap
from jaxbreed.verification.findings import Finding, chi_square, mean_of
from jaxbreed.verification.registry import Effort, check

HARDY_WEINBERG = 2.0
"""Share of heterozygotes over p q."""


@check("V28", "founders: linkage equilibrium at given frequencies; the coalescent's spectrum")
def founders(effort: Effort) -> Iterator[Finding]:
    """Wrong: both haplotypes of an animal the same; sites drawn with equal chance of every frequency."""
    frequency, animals = np.linspace(0.05, 0.95, 50), effort.size(1_000, 10_000)
    genetic_map = GeneticMap.uniform(5, 50, 1.0)
    drawn = Founders.from_frequencies(frequency, genetic_map, animals, effort.run_seed(28)).haplotypes
    spread = frequency * (1 - frequency)
    off = (drawn.mean((0, 1)) - frequency) / np.sqrt(spread / (2 * animals))
    yield chi_square(
        f"frequencies of 50 loci in {animals:,} founders", float((off**2).sum()), 50, "binomial distribution"
    )
    het = (drawn[:, 0] != drawn[:, 1]).mean(0)
    wanted = HARDY_WEINBERG * spread
    off = (het - wanted) / np.sqrt(wanted * (1 - wanted) / animals)
    yield chi_square("heterozygotes, 2 p q, at each", float((off**2).sum()), 50, "Hardy 1908; Weinberg 1908")
    chromosomes, each, people = effort.size(40, 150), 120, 10
    sampled = coalescent(
        individuals=people,
        loci=chromosomes * each,
        length_morgan=np.full((2, chromosomes), 0.5),
        effective_size=200,
        seed=effort.run_seed(28),
    )
    copies = sampled.haplotypes.sum(axis=(0, 1), dtype=int).reshape(chromosomes, each)
    chance = 1 / np.arange(1, 2 * people)
    chance /= chance.sum()
    source = "Fu 1995: 1 / i under neutrality"
    mean = float(chance @ np.arange(1, 2 * people))
    yield mean_of(
        f"mean copies of the mutant at {chromosomes * each:,} sites, {2 * people} haplotypes",
        copies.mean(1),
        mean,
        source,
    )
    yield mean_of("share of singletons", (copies == 1).mean(1), float(chance[0]), source)
