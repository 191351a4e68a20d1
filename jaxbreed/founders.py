"""Founder haplotypes: from arrays, from allele frequencies, or from a simulated population history."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from jaxbreed.genome import FloatArray, GeneticMap
from jaxbreed.sites import Sites, repeated

UInt8Array = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Founders:
    """The animals a programme starts from. The haplotypes are copied and made read-only.

    Attributes:
        haplotypes: (individual, 2, locus) uint8, alleles 0 or 1.
        map: where the loci lie.
        source: where the haplotypes come from, in words for reports.
        samples: (individual,) names of the founders, each once; None where they have none.
        sites: physical places of the loci; None where they have none.

    Raises:
        ValueError: the shape does not fit the map, an allele is neither 0 nor 1, or names or sites do not fit.
    """

    haplotypes: UInt8Array
    map: GeneticMap
    source: str
    samples: tuple[str, ...] | None = None
    sites: Sites | None = None

    def __post_init__(self) -> None:
        """Copy, check and freeze the haplotypes."""
        given = np.asarray(self.haplotypes)
        if given.ndim != 3 or given.shape[0] == 0 or given.shape[1:] != (2, self.map.loci):
            raise ValueError(f"haplotypes: {given.shape=} must be (individual, 2, locus) = (>= 1, 2, {self.map.loci})")
        if (bad := (given != 0) & (given != 1)).any():
            raise ValueError(f"haplotypes{np.argwhere(bad)[0].tolist()}={given[bad][0]} must be allele 0 or 1")
        object.__setattr__(self, "haplotypes", given.astype(np.uint8))
        self.haplotypes.setflags(write=False)
        if self.samples is not None:
            if len(self.samples) != self.individuals:
                raise ValueError(f"samples: there are {len(self.samples)} names for {self.individuals} founders")
            if (twice := repeated(self.samples)) is not None:
                raise ValueError(f"sample {twice!r} occurs twice; every founder needs a name of its own")
        if self.sites is not None and not np.array_equal(self.sites.chromosome, self.map.chromosome):
            raise ValueError("sites and map must have the same loci on the same chromosomes")

    @property
    def individuals(self) -> int:
        """Number of founders."""
        return int(self.haplotypes.shape[0])

    @property
    def frequencies(self) -> FloatArray:
        """Frequency of allele 1 among the founders, (locus,)."""
        return np.asarray(self.haplotypes.mean(axis=(0, 1), dtype=np.float64))

    def thin(self, loci: int, seed: int) -> Founders:
        """Keep so many loci, drawn at random from all; all of them if there are no more. The map's lengths stay."""
        if loci >= self.map.loci:
            return self
        rng = np.random.default_rng(np.random.SeedSequence([seed, 0x7417]))
        kept = np.sort(rng.choice(self.map.loci, loci, replace=False))
        sites = None if self.sites is None else self.sites.subset(kept)
        return Founders(self.haplotypes[:, :, kept], self.map.subset(kept), self.source, self.samples, sites)

    @classmethod
    def from_arrays(cls, haplotypes: npt.ArrayLike, map: GeneticMap) -> Founders:
        """Take known haplotypes, (individual, 2, locus) of alleles 0 and 1."""
        return cls(np.asarray(haplotypes), map, "arrays")

    @classmethod
    def from_frequencies(cls, frequencies: npt.ArrayLike, map: GeneticMap, individuals: int, seed: int) -> Founders:
        """Draw each allele on its own, 1 with probability ``frequencies`` (locus,): linkage equilibrium."""
        probability = np.asarray(frequencies, dtype=np.float64)
        if probability.shape != (map.loci,):
            raise ValueError(f"frequencies: {probability.shape=} must be (locus,) = ({map.loci},)")
        if (bad := ~((probability >= 0) & (probability <= 1))).any():
            raise ValueError(f"frequencies[{np.argmax(bad)}]={probability[bad][0]} must lie in [0, 1]")
        if individuals < 1:
            raise ValueError(f"{individuals=} must be at least 1")
        rng = np.random.default_rng(seed)
        haplotypes = np.empty((individuals, 2, map.loci), np.uint8)
        for pair in haplotypes:  # one founder at a time: float64 draws for all would take eight times the result
            pair[:] = rng.random(pair.shape) < probability
        return cls(haplotypes, map, f"allele frequencies, {seed=}")


def coalescent(
    *,
    individuals: int,
    loci: int,
    length_morgan: npt.ArrayLike,
    effective_size: float,
    seed: int,
    bottleneck: tuple[float, float] | None = None,
    minor_allele_count: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Founders:
    """Sample founders from a random-mating population at mutation-drift balance.

    Each chromosome has its own history: Hudson's (1983) coalescent, recombining at the sex-averaged map length, by
    msprime (Baumdicker et al. 2022). Loci are a uniform sample of the sites that infinitely-many-sites mutation leaves
    segregating; allele 1 is the mutant. The effective size should not be far below the number of haplotypes sampled.

    Args:
        individuals: number of founders, at least 1; haplotypes 2i and 2i + 1 of the sample make founder i.
        loci: number in all, shared out by sex-averaged length; if there are enough, no chromosome goes without.
        length_morgan: (2, chromosome) Morgans, female and male; 0 where a sex does not recombine.
        effective_size: diploid effective number of the population.
        seed: non-negative integer; the same seed gives the same founders, whatever the number of processors.
        bottleneck: (generations ago, effective size): a step in size; from then until the founders are sampled the
            population has this size, before that ``effective_size``.
        minor_allele_count: least number of copies of the rarer allele among the founders, 1 to ``individuals``.
        progress: called with (chromosomes done, chromosomes in all).

    Raises:
        ValueError: an argument has the wrong shape or range, or too few sites have ``minor_allele_count``.
    """
    import msprime  # here, because it takes a quarter of a second

    length = np.asarray(length_morgan, dtype=np.float64)
    if length.ndim != 2 or length.shape[0] != 2 or not length.size or not np.all(np.isfinite(length) & (length >= 0)):
        raise ValueError(f"length_morgan={length.tolist()} must be (2, chromosome), finite and at least 0 Morgan")
    if loci < 1 or not 1 <= minor_allele_count <= individuals:
        raise ValueError(f"{loci=} and {minor_allele_count=} must be at least 1, the latter not above {individuals=}")
    if not all(math.isfinite(number) and number > 0 for number in (effective_size, *(bottleneck or ()))):
        raise ValueError(f"{effective_size=} and both of {bottleneck=} must be finite and above 0")
    demography = msprime.Demography.isolated_model([bottleneck[1] if bottleneck else effective_size])
    if bottleneck:
        demography.add_population_parameters_change(time=bottleneck[0], initial_size=effective_size)
    shared = (individuals, minor_allele_count, demography)
    counts = _share_out(loci, length.mean(axis=0))
    tasks = zip(counts, length.mean(axis=0), np.random.SeedSequence(seed).spawn(len(counts)), strict=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # msprime releases the interpreter lock
        jobs = [pool.submit(_draw_chromosome, *shared, *task) for task in tasks if task[0]]
        try:
            for done, job in enumerate(as_completed(jobs), start=1):
                job.result()
                if progress is not None:
                    progress(done, len(jobs))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    chromosome = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    position = np.concatenate([job.result()[0] for job in jobs]) * length[:, chromosome]
    alleles = np.concatenate([job.result()[1] for job in jobs], axis=1)
    source = f"coalescent, {effective_size=}, {bottleneck=}, {minor_allele_count=}, {seed=}"
    return Founders(alleles.reshape(individuals, 2, loci), GeneticMap(chromosome, position, length), source)


def _share_out(loci: int, weight: FloatArray) -> list[int]:
    quota = loci * (weight / weight.sum() if weight.any() else np.full(weight.size, 1 / weight.size))
    counts = np.floor(quota).astype(int)
    counts[np.argsort(counts - quota, kind="stable")[: loci - counts.sum()]] += 1  # the largest remainders
    while loci >= counts.size and not counts.all():
        counts[[np.argmin(counts), np.argmax(counts)]] += [1, -1]
    return [int(count) for count in counts]


def _draw_chromosome(
    individuals: int, minor_allele_count: int, demography: Any, loci: int, morgan: float, stream: np.random.SeedSequence
) -> tuple[FloatArray, UInt8Array]:
    """Return where the loci lie, (locus,) as sorted fractions of the chromosome, and (haplotype, locus) alleles.

    Candidate places are drawn first, the ancestry of these alone is simulated, and mutations are put on it afterwards:
    the same law as choosing among the mutations of a whole chromosome, several times faster.
    """
    import msprime

    rng = np.random.default_rng(stream)
    # Branches above i samples have mean length ~ 1/i; that of the tree has mean ~ sum(1/i), variance ~ sum(1/i^2).
    branch = 1.0 / np.arange(1, 2 * individuals)
    usable = branch[minor_allele_count - 1 : 2 * individuals - minor_allele_count].sum() / branch.sum()
    longest = 1.0 + 5.0 * math.sqrt((branch**2).sum()) / branch.sum()
    candidates = math.ceil((1.1 * loci + 4.0 * math.sqrt(loci)) * longest / usable)
    for _ in range(6):
        place = np.sort(rng.random(candidates))
        # One base for each place. The rate of an interval acts between its base and the base before.
        rate = msprime.RateMap(position=np.arange(candidates + 1), rate=np.diff(place, prepend=place[0]) * morgan)
        word = int(rng.integers(1, 2**32))
        trees = msprime.sim_ancestry(
            individuals, demography=demography, recombination_rate=rate, random_seed=word, record_provenance=False
        )
        base, alleles = _mutate(trees, minor_allele_count, rng)
        if base.size >= loci:
            chosen = np.sort(rng.choice(base.size, loci, replace=False))
            return place[base[chosen]], alleles[:, chosen]
        candidates *= 2
    raise ValueError(f"{minor_allele_count=} leaves fewer than {loci=} of {candidates // 2} sites: it must be smaller")


def _mutate(trees: Any, minor_allele_count: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], UInt8Array]:
    """Put at most one mutation on a base; return the (site,) bases and (haplotype, site) alleles of the common ones."""
    # With infinitely many sites, mutations are as dense as trees are long, and uniform over the branches of each.
    total = np.concatenate([np.full(int(tree.span), tree.total_branch_length) for tree in trees.trees()])
    mutant = np.flatnonzero(rng.random(total.size) * total.max() < total)
    alleles = np.zeros((trees.num_samples, mutant.size), np.uint8)
    for tree in trees.trees():
        for site in range(*np.searchsorted(mutant, tree.interval)):
            node = tree.preorder()[1:]  # without the root
            reach = np.cumsum(trees.nodes_time[tree.parent_array[node]] - trees.nodes_time[node])
            below = node[np.searchsorted(reach[:-1], rng.random() * reach[-1], side="right")]
            subtree = tree.preorder(below)
            alleles[subtree[subtree < trees.num_samples], site] = 1
    copies = alleles.sum(axis=0, dtype=np.int64)
    common = np.minimum(copies, trees.num_samples - copies) >= minor_allele_count
    return mutant[common], alleles[:, common]
