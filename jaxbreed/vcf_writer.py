"""Founders to phased VCF and BCF."""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from jaxbreed.founders import Founders
from jaxbreed.sites import Sites
from jaxbreed.vcf import cyvcf2

_MODES = {".vcf": "w", ".vcf.gz": "wz", ".bcf": "wb"}
_GENOTYPES = np.array(["0|0", "0|1", "1|0", "1|1"], object)
_BP_PER_MORGAN_AT_1_CM_PER_MB = 1e8


def write_vcf(founders: Founders, path: str | Path, *, cm_per_mb: float | None = None) -> None:
    """Writes founders as phased VCF 4.2, plain (.vcf) or in bgzip's compression (.vcf.gz), or as BCF (.bcf).

    Founders without names are called founder_0, founder_1, ... Where nobody knows what the alleles are, allele 0 is
    written A and allele 1 is written T, and the header says so.

    Args:
        founders: what to write.
        path: the file; an older one is replaced. Compressed ones need cyvcf2 (the extra `vcf`).
        cm_per_mb: rate at which sex-averaged Morgans are turned into base pairs, where founders have no physical
            positions; chromosomes are then called 1, 2, ... Positions are rounded to whole base pairs from 1 on.

    Raises:
        ValueError: the file name has another ending, base pairs cannot be known or written, or cyvcf2 is missing.
        OSError: the file cannot be written.
    """
    ending = next((end for end in _MODES if str(path).endswith(end)), None)
    if ending is None:
        raise ValueError(f"{path} must end in {', '.join(_MODES)}")
    sites = _sites(founders, cm_per_mb)
    names = founders.samples or tuple(f"founder_{number}" for number in range(founders.individuals))
    for name in (*names, *sites.chromosome_names):
        if not name or any(mark in name for mark in "\t\r\n") or (name in sites.chromosome_names and " " in name):
            raise ValueError(f"name {name!r} cannot be written to VCF; it must be without tabs, line ends and blanks")
    if sites.position.min() < 1:
        raise ValueError("a site lies at 0 base pairs; VCF counts from 1")
    header = "".join(f"{line}\n" for line in _header(sites, names))
    if ending == ".vcf":
        with open(path, "w", encoding="utf-8", newline="\n") as file:
            file.write(header)
            file.writelines(f"{line}\n" for line in _lines(founders, sites))
        return
    writer = cyvcf2().Writer.from_string(str(path), header, mode=_MODES[ending])
    for line in _lines(founders, sites):
        writer.write_record(writer.variant_from_string(line))
    writer.close()


def _sites(founders: Founders, cm_per_mb: float | None) -> Sites:
    if founders.sites is not None:
        if cm_per_mb is not None:
            raise ValueError(f"cm_per_mb is {cm_per_mb:g}, but these founders have base-pair positions; leave it out")
        return founders.sites
    if cm_per_mb is None or not (math.isfinite(cm_per_mb) and cm_per_mb > 0):
        raise ValueError(
            f"cm_per_mb is {cm_per_mb}; these founders have no base-pair positions, so it must be a rate above 0"
        )
    genetic_map = founders.map
    bp = np.rint(genetic_map.position.mean(axis=0) * (_BP_PER_MORGAN_AT_1_CM_PER_MB / cm_per_mb)).astype(np.int64)
    names = tuple(str(number + 1) for number in range(genetic_map.chromosomes))
    return Sites(names, genetic_map.chromosome, np.maximum(bp, 1))


def _header(sites: Sites, names: tuple[str, ...]) -> Iterator[str]:
    yield "##fileformat=VCFv4.2"
    yield f"##source=jaxbreed {version('jaxbreed')}"
    if sites.alleles is None:
        yield "##alleles=unknown; allele 0 is written A and allele 1 is written T"
    yield from (f"##contig=<ID={name}>" for name in sites.chromosome_names)
    yield '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype, phased">'
    yield "\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *names])


def _lines(founders: Founders, sites: Sites) -> Iterator[str]:
    for locus, (number, bp) in enumerate(zip(sites.chromosome, sites.position, strict=True)):
        zero, one = ("A", "T") if sites.alleles is None else sites.alleles[locus]
        pair = founders.haplotypes[:, :, locus]
        genotypes = "\t".join(_GENOTYPES[2 * pair[:, 0] + pair[:, 1]])
        yield f"{sites.chromosome_names[number]}\t{bp}\t.\t{zero}\t{one}\t.\tPASS\t.\tGT\t{genotypes}"
