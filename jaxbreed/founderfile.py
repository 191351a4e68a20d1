"""Founders from files: genotypes, the genetic map they lie on, and a choice of animals, chromosomes and loci."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from jaxbreed.founders import Founders
from jaxbreed.genome import GeneticMap
from jaxbreed.mapfile import map_sites, read_map, uniform_rate
from jaxbreed.sites import Sites
from jaxbreed.variants import Variants, choose_chromosomes, read_numpy, read_trees
from jaxbreed.vcf import read_vcf

Source = Literal["vcf", "trees", "numpy"]
MapPaths = str | Path | tuple[str | Path, str | Path]
ENDINGS: dict[str, Source] = {".vcf": "vcf", ".vcf.gz": "vcf", ".bcf": "vcf", ".trees": "trees"}
ENDINGS |= {".npy": "numpy", ".npz": "numpy"}


def read_founders(
    file: str | Path,
    *,
    genetic_map: MapPaths | GeneticMap | None = None,
    cm_per_mb: float | None = None,
    source: Source | None = None,
    samples: Sequence[str] | None = None,
    chromosomes: Sequence[str] | None = None,
    loci: int | None = None,
    seed: int = 0,
) -> Founders:
    """Reads founders with their names, physical positions and genetic map.

    Just one of `genetic_map` and `cm_per_mb` is needed. Between the points of a map file cM are linear in base pairs;
    before the first and after the last point they go on at the rate of the end interval. "{chromosome}" in a file name
    stands for each of `chromosomes` in turn.

    Args:
        file: phased VCF or BCF, a tree sequence (.trees), or NumPy arrays (.npy, .npz).
        genetic_map: a map file (PLINK or HapMap, see `jaxbreed.mapfile.read_map`) for both sexes, two of them (female,
            male), or a `GeneticMap` of all loci of the file, for arrays without positions.
        cm_per_mb: uniform rate instead of a map, centimorgans a million base pairs.
        source: what the file is; None goes by its ending.
        samples: names of the founders, in the wanted order; None for all.
        chromosomes: names of the chromosomes, in the wanted order; None for all. A tree sequence is one chromosome,
            "1" unless this gives it another name.
        loci: so many are drawn at random, if there are more; None keeps all.
        seed: of that draw.

    Returns:
        The founders; `source` holds the file's name.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: one sentence with file, place, sample and what would be right.
    """
    variants = read_variants(file, source, samples, chromosomes)
    if not isinstance(genetic_map, GeneticMap):
        if variants.sites is None:
            raise ValueError(f"{file} holds no chromosome and position; genetic_map must be a GeneticMap of its loci")
        genetic_map = place(variants.sites, genetic_map, cm_per_mb)
    elif cm_per_mb is not None:
        raise ValueError(f"cm_per_mb is {cm_per_mb:g} and genetic_map is given too; just one of them must be")
    founders = Founders(variants.haplotypes, genetic_map, f"file {file}", variants.samples, variants.sites)
    return founders if loci is None else founders.thin(loci, seed)


def read_variants(
    file: str | Path,
    source: Source | None = None,
    samples: Sequence[str] | None = None,
    chromosomes: Sequence[str] | None = None,
) -> Variants:
    """Reads genotypes, from one file or from one for each chromosome; see `read_founders`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: one sentence with file, place, sample and what would be right.
    """
    kind = source or kind_of(file)
    if "{chromosome}" not in str(file):
        return _read_one(str(file), kind, samples, chromosomes)
    parts = [_read_one(one, kind, samples, [name]) for one, name in per_chromosome(file, chromosomes)]
    if any(part.samples != parts[0].samples for part in parts):
        raise ValueError(f"{file}: the files of the chromosomes have different samples; they must have the same")
    return Variants(np.concatenate([p.haplotypes for p in parts], axis=2), parts[0].samples, _join(parts))


def place(sites: Sites, genetic_map: MapPaths | None, cm_per_mb: float | None) -> GeneticMap:
    """Puts loci on the map of one or two files, or on a uniform one.

    Raises:
        FileNotFoundError: a map file is missing.
        ValueError: one sentence with file and place, or that just one of the two must be given.
    """
    if cm_per_mb is not None and genetic_map is None:
        return uniform_rate(sites, cm_per_mb)
    if cm_per_mb is not None or genetic_map is None:
        raise ValueError("just one of a genetic map (map) and a uniform rate (cm_per_mb) must be given")
    files = genetic_map if isinstance(genetic_map, tuple) else (genetic_map,)
    maps = [read_map(path, sites.chromosome_names) for path in files]
    return map_sites(sites, maps[0], maps[-1])


def per_chromosome(file: str | Path, chromosomes: Sequence[str] | None) -> list[tuple[str, str]]:
    """File and name of each chromosome.

    Raises:
        ValueError: it is not known which chromosomes there are.
    """
    if not chromosomes:
        raise ValueError(f"chromosomes is missing; it must list the names that {{chromosome}} in {file} stands for")
    return [(str(file).replace("{chromosome}", name), name) for name in chromosomes]


def kind_of(file: str | Path) -> Source:
    """What a file is, by its ending.

    Raises:
        ValueError: it has another ending.
    """
    for ending, kind in ENDINGS.items():
        if str(file).endswith(ending):
            return kind
    raise ValueError(f"{file} must end in {', '.join(ENDINGS)}, or source must be given")


def _read_one(file: str, kind: Source, samples: Sequence[str] | None, chromosomes: Sequence[str] | None) -> Variants:
    if kind == "vcf":
        return choose_chromosomes(file, read_vcf(file, samples, chromosomes), chromosomes)
    if kind == "numpy":
        return choose_chromosomes(file, read_numpy(file, samples), chromosomes)
    if chromosomes is not None and len(chromosomes) != 1:
        raise ValueError(
            f"chromosomes is {list(chromosomes)}; a tree sequence is one chromosome, so it must be one name, or the "
            "name of the file must hold {chromosome}"
        )
    return read_trees(file, samples, *(chromosomes or ()))


def _join(parts: list[Variants]) -> Sites:
    sites = [part.sites for part in parts if part.sites is not None]
    alleles = [one.alleles for one in sites if one.alleles is not None]
    return Sites.from_names(
        itertools.chain.from_iterable([one.chromosome_names[0]] * one.position.size for one in sites),
        np.concatenate([one.position for one in sites]),
        np.concatenate(alleles) if alleles else None,
    )
