"""Founders from jaxbreed's coalescent beside plain msprime runs, measured by tskit, and beside closed forms."""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import msprime
import numpy as np
import tskit

from jaxbreed.founders import Founders, coalescent

ANIMALS, LOCI, MORGAN = 20, 80, 0.5  # of a chromosome
HAPLOTYPES = 2 * ANIMALS
GROUPS = (range(HAPLOTYPES // 2), range(HAPLOTYPES // 2, HAPLOTYPES))  # the first ten animals and the others
EDGES = np.array([0.0, 0.001, 0.003, 0.01, 0.03, 0.1])  # distances in Morgans, upper end excluded
RARE = 4


class History(NamedTuple):
    """Of a population, and how loci are chosen."""

    size: float
    step: tuple[float, float] | None  # generations ago, size since then
    least: int  # copies of the rarer allele
    density: float  # mutations a Morgan and generation in the plain runs: enough to choose from


HISTORIES = {
    "constant": History(500, None, 1, 0.06),
    f"at least {RARE} copies": History(500, None, RARE, 0.1),
    "bottleneck": History(1_000, (30, 100), 1, 0.15),
    "constant, other seeds": History(500, None, 1, 0.06),  # added when one class of the first differed
}


class Measured(NamedTuple):
    """Of chromosomes, the first axis of each."""

    diversity: np.ndarray  # (chromosome,) chance that two haplotypes differ at a locus
    observed: np.ndarray  # (chromosome,) share of heterozygous genotypes
    fst: np.ndarray  # (chromosome,) between the first half of the animals and the second
    spectrum: np.ndarray  # (chromosome, copies 0 .. n) share of loci
    square: np.ndarray  # (chromosome, bin) sum over pairs of loci, D^2
    product: np.ndarray  # (chromosome, bin) p (1 - p) q (1 - q)
    expected: np.ndarray  # (chromosome, bin) the same times E[D^2] / E[p (1 - p) q (1 - q)] of theory
    halved: np.ndarray  # (chromosome, bin) the same with half the map or half the effective size
    correlation: np.ndarray  # (chromosome, bin) r^2
    pairs: np.ndarray  # (chromosome, bin) how many


def ohta_kimura(rho: np.ndarray) -> np.ndarray:
    """E[D^2] / E[p(1-p)q(1-q)] with rho = 4 Ne c at mutation-drift balance (Ohta and Kimura 1971)."""
    return (10 + rho) / ((2 + rho) * (11 + rho))


def hill_weir(rho: np.ndarray, haplotypes: int) -> np.ndarray:
    """Approximate E[r^2] in a sample, common alleles (Hill and Weir 1988)."""
    by_size = 1 + (3 + rho) * (12 + 12 * rho + rho**2) / (haplotypes * (2 + rho) * (11 + rho))
    return ohta_kimura(rho) * by_size


def sved(rho: np.ndarray, haplotypes: int) -> np.ndarray:
    """Approximate E[r^2] in a sample (Sved 1971)."""
    return 1 / (1 + rho) + 1 / haplotypes


def approximate_r2(size: float) -> dict[str, np.ndarray]:
    """What Hill and Weir, and Sved, say of mean r^2 in each interval of distances; loci are spread evenly."""
    out: dict[str, list[float]] = {"hill_weir": [], "sved": []}
    for low, high in itertools.pairwise(EDGES):
        distance = np.linspace(low, high, 2_001)
        weight = MORGAN - distance  # so many places for a pair
        for name, say in (("hill_weir", hill_weir), ("sved", sved)):
            out[name].append(float(weight @ say(4 * size * distance, HAPLOTYPES) / weight.sum()))
    return {name: np.array(values) for name, values in out.items()}


def spectrum(least: int) -> np.ndarray:
    """Expected share of loci with 0 .. n copies of the mutant: 1/i where the rarer allele has enough (Fu 1995)."""
    copies = np.arange(HAPLOTYPES + 1)
    kept = np.minimum(copies, HAPLOTYPES - copies) >= least
    chance = np.where(kept, 1 / np.maximum(copies, 1), 0)
    return chance / chance.sum()


def ours(name: str, chromosomes: int, seed: int) -> Measured:
    """Jaxbreed's founders."""
    past = HISTORIES[name]
    founders = coalescent(
        individuals=ANIMALS,
        loci=LOCI * chromosomes,
        length_morgan=np.full((2, chromosomes), MORGAN),
        effective_size=past.size,
        bottleneck=past.step,
        minor_allele_count=past.least,
        seed=seed,
    )
    return _stack([_by_numpy(founders, chromosome, past.size) for chromosome in range(chromosomes)])


def plain(name: str, chromosomes: int, seed: int) -> Measured:
    """Whole chromosomes by msprime, loci drawn from all mutations that may be used, measured by tskit."""
    past = HISTORIES[name]
    demography = msprime.Demography.isolated_model([past.step[1] if past.step else past.size])
    if past.step:
        demography.add_population_parameters_change(time=past.step[0], initial_size=past.size)
    rng = np.random.default_rng(seed)
    out = []
    for word in rng.integers(1, 2**31, (chromosomes, 2)):
        trees = msprime.sim_ancestry(
            ANIMALS,
            demography=demography,
            sequence_length=MORGAN,
            recombination_rate=1.0,
            discrete_genome=False,
            random_seed=int(word[0]),
        )
        trees = msprime.sim_mutations(trees, rate=past.density, discrete_genome=False, random_seed=int(word[1]))
        copies = trees.genotype_matrix().sum(1)
        usable = np.flatnonzero(np.minimum(copies, HAPLOTYPES - copies) >= past.least)
        kept = rng.choice(usable, LOCI, replace=False)
        out.append(_by_tskit(trees.delete_sites(np.setdiff1d(np.arange(trees.num_sites), kept)), past.size))
    return _stack(out)


def _stack(rows: list[Measured]) -> Measured:
    return Measured(*(np.array(values) for values in zip(*rows, strict=True)))


def _by_tskit(trees: tskit.TreeSequence, size: float) -> Measured:
    halves = [list(group) for group in GROUPS]
    animals = [trees.individual(i).nodes for i in range(ANIMALS)]
    one = trees.diversity(animals, span_normalise=False)  # of two haplotypes: whether they differ
    pairs = [trees.ld_matrix(stat=stat) for stat in ("D2_unbiased", "pi2_unbiased", "r2")]
    return Measured(
        trees.diversity(span_normalise=False) / LOCI,
        one.mean() / LOCI,
        trees.Fst(halves),
        trees.allele_frequency_spectrum(polarised=True, span_normalise=False) / LOCI,
        *_binned(trees.sites_position, size, *pairs),
    )


def _by_numpy(founders: Founders, chromosome: int, size: float) -> Measured:
    here = founders.map.chromosome == chromosome
    alleles = founders.haplotypes[:, :, here].reshape(HAPLOTYPES, -1).astype(float)
    n, copies = HAPLOTYPES, alleles.sum(0)
    diversity = (2 * copies * (n - copies) / (n * (n - 1))).mean()
    within, shares = [], []
    for group in GROUPS:
        k, m = alleles[group].sum(0), len(group)
        within.append((2 * k * (m - k) / (m * (m - 1))).sum())
        shares.append(k / m)
    between = (shares[0] * (1 - shares[1]) + shares[1] * (1 - shares[0])).sum()
    fst = 1 - 2 * sum(within) / (sum(within) + 2 * between)
    observed = (founders.haplotypes[:, 0, here] != founders.haplotypes[:, 1, here]).mean()
    share = np.bincount(copies.astype(int), minlength=n + 1) / len(copies)
    place = founders.map.position[0, here]
    return Measured(diversity, observed, fst, share, *_binned(place, size, *two_loci(alleles)))


def two_loci(alleles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Unbiased D^2 and p(1-p)q(1-q), and r^2, of all pairs of loci from (haplotype, locus) alleles.

    A product of four haplotype frequencies is estimated by its share among draws of four different haplotypes.
    """
    n = len(alleles)
    count = {(1, 1): alleles.T @ alleles}
    one = alleles.sum(0)
    count[1, 0] = one[:, None] - count[1, 1]
    count[0, 1] = one[None, :] - count[1, 1]
    count[0, 0] = n - count[1, 1] - count[1, 0] - count[0, 1]

    def share(*kinds: tuple[int, int]) -> np.ndarray:
        draws = [count[kind] - kinds[:place].count(kind) for place, kind in enumerate(kinds)]
        return np.prod(draws, axis=0) / (n * (n - 1) * (n - 2) * (n - 3))

    square = share((1, 1), (1, 1), (0, 0), (0, 0)) + share((1, 0), (1, 0), (0, 1), (0, 1))
    square -= 2 * share((1, 1), (0, 0), (1, 0), (0, 1))
    cells = itertools.product((0, 1), repeat=4)
    product = np.sum([share((1, i), (0, j), (k, 1), (m, 0)) for i, j, k, m in cells], axis=0)
    return square, product, np.corrcoef(alleles.T) ** 2


def _binned(
    place: np.ndarray, size: float, square: np.ndarray, product: np.ndarray, r2: np.ndarray
) -> list[np.ndarray]:
    """Sums over pairs of loci by distance, of theory too (which is for a constant size)."""
    row, column = np.triu_indices(len(place), 1)
    distance = place[column] - place[row]
    where = np.digitize(distance, EDGES) - 1
    d2, pq, r = (x[row, column] for x in (square, product, r2))
    rho = 4 * size * distance
    values = (d2, pq, pq * ohta_kimura(rho), pq * ohta_kimura(rho / 2), r, np.ones_like(r))
    inside = where < len(EDGES) - 1
    return [np.bincount(where[inside], value[inside], minlength=len(EDGES) - 1) for value in values]


def same_as_tskit(seed: int) -> float:
    """Largest difference between our two-locus statistics and tskit's on the same haplotypes."""
    trees = msprime.sim_ancestry(
        ANIMALS,
        population_size=500,
        sequence_length=0.2,
        recombination_rate=1.0,
        discrete_genome=False,
        random_seed=seed,
    )
    trees = msprime.sim_mutations(trees, rate=0.4, discrete_genome=False, random_seed=seed)
    found = two_loci(trees.genotype_matrix().T.astype(float))
    off = ~np.eye(trees.num_sites, dtype=bool)
    stats = ("D2_unbiased", "pi2_unbiased", "r2")
    return max(float(np.abs(trees.ld_matrix(stat=s) - f)[off].max()) for s, f in zip(stats, found, strict=True))


def ratio(part: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ratio of sums over chromosomes and its standard error from the spread between them: (bin,) each."""
    value = part.sum(0) / whole.sum(0)
    off = (part - value * whole) / whole.mean(0)
    return value, off.std(0, ddof=1) / np.sqrt(len(part))


def both(name: str, chromosomes: int, seed: int) -> dict[str, Measured]:
    """Founders and plain runs of a history."""
    makers: dict[str, Callable[..., Any]] = {"ours": ours, "plain": plain}
    return {who: make(name, chromosomes, seed + k) for k, (who, make) in enumerate(makers.items())}
