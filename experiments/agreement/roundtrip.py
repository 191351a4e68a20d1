"""Founders through files: a tree sequence and VCF, against what tskit, cyvcf2 and pysam read, to the bit."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cyvcf2
import msprime
import numpy as np
import pysam
import tskit

import jaxbreed as jb
from jaxbreed.founderfile import read_founders
from jaxbreed.founders import Founders
from jaxbreed.vcf_writer import write_vcf

ANIMALS, LENGTH, RATE = 24, 2e7, 5.0  # base pairs, cM/Mb: one chromosome of 1 Morgan
ENDINGS = (".vcf", ".vcf.gz", ".bcf")


def trees(seed: int) -> tskit.TreeSequence:
    """A history with biallelic sites, mutations at whole base pairs; sites hit twice are left out."""
    found = msprime.sim_ancestry(
        ANIMALS, population_size=1_000, sequence_length=LENGTH, recombination_rate=1e-8, random_seed=seed
    )
    found = msprime.sim_mutations(found, rate=1e-8, random_seed=seed)
    return found.delete_sites([site.id for site in found.sites() if len(site.mutations) != 1 or site.position < 1])


def compared(seed: int) -> Iterator[tuple[str, int, int]]:
    """What was compared, how many values, how many differ."""
    original = trees(seed)
    wanted = original.genotype_matrix().T.reshape(ANIMALS, 2, -1)  # (animal, haplotype, site)
    with TemporaryDirectory() as name:
        folder = Path(name)
        original.dump(folder / "wild.trees")
        with open(folder / "tskit.vcf", "w") as file:
            original.write_vcf(file, allow_position_zero=True)
        founders = {"trees": read_founders(folder / "wild.trees", cm_per_mb=RATE)}
        yield "founders from .trees: alleles against tskit's genotype matrix", *_count(wanted, founders["trees"])
        place = original.sites_position.astype(int)
        assert founders["trees"].sites is not None
        yield "their base pairs", place.size, int((founders["trees"].sites.position != place).sum())
        founders["vcf"] = read_founders(folder / "tskit.vcf", cm_per_mb=RATE)
        yield "founders from the VCF that tskit writes: alleles", *_count(wanted, founders["vcf"])
        for ending in ENDINGS:
            path = folder / f"ours{ending}"
            write_vcf(founders["trees"], path)
            for reader in (_cyvcf2, _pysam):
                alleles, base = reader(path)
                wrong = int((alleles != wanted).sum() + (base != place).sum())
                yield f"{ending} that jaxbreed writes, read by {reader.__name__[1:]}", wanted.size + place.size, wrong
            founders[ending] = read_founders(path, cm_per_mb=RATE)
            yield f"{ending} read back", *_count(wanted, founders[ending])
        np.savez(folder / "plain.npz", haplotypes=wanted, chromosome=np.full(place.size, "1"), position=place)
        runs = {kind: _run(folder / file, kind) for kind, file in FILES.items()}
        for kind in ("vcf", "numpy"):
            yield f"a run of 5 generations on .trees against one on {FILES[kind]}", *_differ(runs["trees"], runs[kind])
        # The comparison must be able to see one allele.
        other = wanted.copy()
        other[0, 0, 0] ^= 1
        assert _count(other, founders["trees"]) == (wanted.size, 1)


FILES = {"trees": "wild.trees", "vcf": "tskit.vcf", "numpy": "plain.npz"}


def _count(wanted: np.ndarray, founders: Founders) -> tuple[int, int]:
    assert founders.haplotypes.shape == wanted.shape
    return wanted.size, int((founders.haplotypes != wanted).sum())


def _run(path: Path, kind: str) -> jb.History:
    table = {
        "species": "octopus-vulgaris",
        "programme": {"generations": 5, "lineages": 6, "replicates": 4, "seed": 3},
        "clutch": {"eggs": [200, 200], "sires": 1, "survival": 1.0},
        "genome": {"qtl": 200},
        "founders": {"source": kind, "file": str(path), "cm_per_mb": RATE, "shared": True},
        "traits": {"intelligence": {"h2": 0.4, "weight": 1.0}},
    }
    return jb.run(jb.Scenario.model_validate(table))


def _differ(one: jb.History, other: jb.History) -> tuple[int, int]:
    """Values of all variables of two runs, and how many differ in any bit."""
    pairs: list[tuple[Any, Any]] = [(one[key], other[key]) for key in one.data]
    assert one.parents is not None
    assert other.parents is not None
    pairs.append((np.asarray(one.parents.haplotypes), np.asarray(other.parents.haplotypes)))
    return sum(a.size for a, _ in pairs), sum(int(((a != b) & ~((a != a) & (b != b))).sum()) for a, b in pairs)


def _cyvcf2(path: Path) -> tuple[np.ndarray, np.ndarray]:
    records = list(cyvcf2.VCF(str(path)))
    alleles = np.array([record.genotype.array()[:, :2] for record in records])
    return alleles.transpose(1, 2, 0), np.array([record.POS for record in records])


def _pysam(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with pysam.VariantFile(str(path)) as file:
        records = [([sample["GT"] for sample in record.samples.values()], record.pos) for record in file]
    return np.array([genotypes for genotypes, _ in records]).transpose(1, 2, 0), np.array([base for _, base in records])
