"""Small founders with names and places, and files of them, for tests."""

import gzip
from pathlib import Path

import msprime
import numpy as np
import tskit

from jaxbreed.founders import Founders, coalescent
from jaxbreed.genome import GeneticMap
from jaxbreed.mapfile import uniform_rate
from jaxbreed.sites import Sites

HEADER = "##fileformat=VCFv4.2\n##contig=<ID=1>\n##contig=<ID=2>\n##FORMAT=<ID=GT,Number=1,Type=String,Description=g>\n"


def drawn(individuals: int = 14, loci: int = 90) -> Founders:
    """Coalescent founders on three chromosomes, the female maps longer, at base pairs of 1 cM/Mb of the mean map."""
    length = np.array([[1.0, 0.6, 0.9], [0.5, 0.4, 0.1]])
    founders = coalescent(individuals=individuals, loci=loci, length_morgan=length, effective_size=200, seed=3)
    bp = np.rint(founders.map.position.mean(0) * 1e8).astype(int) + 1
    alleles = np.array([["A", "C"], ["GT", "G"], ["T", "<DEL>"]], object)[np.arange(loci) % 3]
    sites = Sites(("7", "LG2", "chrZ"), founders.map.chromosome, bp, alleles)
    names = tuple(f"wild-{chr(97 + (5 * i) % 26)}" for i in range(individuals))
    return Founders(founders.haplotypes, founders.map, "drawn", names, sites)


def at_rate(founders: Founders, cm_per_mb: float) -> Founders:
    """The same founders on the uniform map of their base pairs."""
    assert founders.sites is not None
    on_map = uniform_rate(founders.sites, cm_per_mb)
    return Founders(founders.haplotypes, on_map, founders.source, founders.samples, founders.sites)


def write_hapmap(path: Path, founders: Founders, sex: int) -> None:
    """The founders' own map as a file: one point for each place that has loci, and the ends of the chromosomes."""
    sites, genetic_map = founders.sites, founders.map
    lines = ["Chromosome\tPosition(bp)\tRate(cM/Mb)\tMap(cM)"]
    for number, name in enumerate(sites.chromosome_names):
        here = np.flatnonzero(sites.chromosome == number)
        points = {int(sites.position[i]): float(genetic_map.position[sex, i]) * 100 for i in here}
        points[int(sites.position[here[-1]]) + 10**7] = float(genetic_map.length[sex, number]) * 100
        lines += [f"{name}\t{bp}\t0\t{cm!r}" for bp, cm in points.items()]
    path.write_text("\n".join(lines) + "\n")


def vcf(path: Path, *records: str, samples: str = "ann bob cy", header: str = HEADER) -> Path:
    """A VCF of records `chromosome position ref alt genotype genotype ...`."""
    columns = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *samples.split()]
    rows = []
    for record in records:
        chromosome, position, ref, alt, *genotypes = record.split()
        rows.append("\t".join([chromosome, position, ".", ref, alt, ".", ".", ".", "GT", *genotypes]) + "\n")
    text = header + "\t".join(columns) + "\n" + "".join(rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def history_of_a_population(individuals: int = 6, *, mixed: bool = True, seed: int = 5) -> tskit.TreeSequence:
    """A tree sequence with biallelic sites; mixed: an individual's genomes are far apart, 0 and 6, 1 and 7, ..."""
    trees = msprime.sim_ancestry(
        individuals, sequence_length=1e6, population_size=500, recombination_rate=1e-8, random_seed=seed
    )
    trees = msprime.sim_mutations(trees, rate=2e-8, random_seed=seed)
    tables = trees.dump_tables()
    if mixed:
        individual = tables.nodes.individual
        individual[: 2 * individuals] = np.arange(2 * individuals) % individuals
        tables.nodes.individual = individual
    return tables.tree_sequence()


def uniform(loci: int) -> GeneticMap:
    return GeneticMap.uniform(2, loci, 1.0)
