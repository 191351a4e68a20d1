"""Founders from phased VCF and BCF."""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from jaxbreed.sites import Sites
from jaxbreed.variants import Variants, choose

_BLOCK = 4096
# The empty block that ends every file in BGZF, the compression of bgzip and BCF (SAM specification, section 4.1.2).
_BGZF_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_MISSING, _ABSENT = -1, -2  # alleles as htslib gives them: "." and beyond the sample's ploidy


def read_vcf(
    path: str | Path, samples: Sequence[str] | None = None, chromosomes: Sequence[str] | None = None
) -> Variants:
    """Reads phased genotypes of diploids at biallelic sites, indels included, with cyvcf2 (the extra `vcf`).

    A homozygote may be written with a slash; nothing else is guessed.

    Args:
        path: VCF, plain or compressed, or BCF; no index is needed.
        samples: names of the wanted animals, in the wanted order; None for all. Others may hold anything.
        chromosomes: names of the wanted chromosomes; None for all. Others are passed over.

    Returns:
        The genotypes; sites are in the order of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such file, a site or genotype cannot be used, or cyvcf2 is not installed; one sentence with
            file, place and sample.
    """
    names = read_samples(path)
    chosen = choose(str(path), samples, names, "sample")
    animals = [names[number] for number in chosen]
    of_locus: list[str] = []
    position: list[int] = []
    alleles: list[tuple[str, str]] = []
    blocks: list[npt.NDArray[np.uint8]] = []
    rows: list[npt.NDArray[np.int16]] = []
    everyone = chosen == list(range(len(names)))
    for record in _records(path):
        name = record.CHROM
        if chromosomes is not None and name not in chromosomes:
            continue
        genotypes = _genotypes(path, record)
        called = genotypes if everyone else genotypes[chosen]
        rows.append(called)
        of_locus.append(name)
        position.append(record.POS)
        alleles.append((record.REF, record.ALT[0]))
        # Sites are checked many at a time, which takes half the time of one by one.
        if len(rows) == _BLOCK or called.shape[1] != 3:
            blocks.append(_block(path, animals, rows, of_locus, position))
            rows = []
    if rows:
        blocks.append(_block(path, animals, rows, of_locus, position))
    if not blocks:
        raise ValueError(f"{path} has no sites{'' if chromosomes is None else ' on ' + ', '.join(chromosomes)}")
    try:
        sites = Sites.from_names(of_locus, position, alleles)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return Variants(np.concatenate(blocks, axis=2), tuple(animals), sites)


def read_samples(path: str | Path) -> list[str]:
    """Names of a VCF's or BCF's samples, from its header alone; needs no library.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is neither, it is cut short, or it has no samples.
    """
    try:
        columns = _columns(path)
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError):
        columns = None
    if columns is None:
        raise ValueError(f"{path} is not a VCF or BCF file, or a damaged one")
    if len(columns) < 10:
        raise ValueError(f"{path} has no samples; founders need genotypes")
    return columns[9:]


def _columns(path: str | Path) -> list[str] | None:
    """Headings of the table, or None if there are none."""
    with open(path, "rb") as file:
        start = file.read(18)
        if start[12:14] == b"BC":
            file.seek(-min(file.seek(0, 2), len(_BGZF_END)), 2)
            if file.read() != _BGZF_END:
                raise ValueError(f"{path} is cut short: the block that ends a compressed file is missing")
        file.seek(0)
        stream: IO[bytes] = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if start[:2] == b"\x1f\x8b" else file
        first = stream.read(9)
        if first[:3] == b"BCF":
            lines: Iterator[bytes] = iter(stream.read(int.from_bytes(first[5:], "little")).splitlines())
        elif first == b"##filefor":
            lines = itertools.chain([first + stream.readline()], stream)
        else:
            return None
        for line in lines:
            if line.startswith(b"#CHROM"):
                return line.decode().rstrip("\r\n\0").split("\t")
            if not line.startswith(b"##"):
                break
    return None


def _records(path: str | Path) -> Iterator[Any]:
    """The file's records; the library's own complaints become one sentence."""
    library = cyvcf2()
    library.cyvcf2.set_htslib_log_level(0)
    last = "the header"
    try:
        reader = library.VCF(str(path))
        while (record := next(reader, None)) is not None:
            last = f"{record.CHROM}:{record.POS}"
            yield record
    except Exception:  # the library knows no narrower one
        raise ValueError(f"{path}: what comes after {last} is damaged and cannot be read") from None
    finally:
        library.cyvcf2.set_htslib_log_level(3)  # htslib's default


def _genotypes(path: str | Path, record: Any) -> npt.NDArray[np.int16]:
    """(sample, ploidy + 1) allele numbers and whether they are phased."""
    place = f"{path}, site {record.CHROM}:{record.POS}"
    if len(record.ALT) != 1:
        raise ValueError(
            f"{place}: the number of alleles is {1 + len(record.ALT)}; it must be 2 (`bcftools view -m2 -M2` keeps "
            "such sites)"
        )
    try:
        return np.asarray(record.genotype.array())
    except Exception:  # the library knows no narrower one
        raise ValueError(f"{place}: there are no genotypes (GT); every site needs them") from None


def _block(
    path: str | Path, animals: list[str], rows: list[npt.NDArray[np.int16]], of_locus: list[str], position: list[int]
) -> npt.NDArray[np.uint8]:
    """(individual, 2, site) from the genotypes of the latest sites, if they can be used."""
    if rows[-1].shape[1] == 3 and _are_usable(together := np.stack(rows)):
        return together[:, :, :2].astype(np.uint8).transpose(1, 2, 0)
    bad = next(row for row, called in enumerate(rows) if not _are_usable(called))
    at = len(position) - len(rows) + bad
    raise ValueError(f"{path}, site {of_locus[at]}:{position[at]}, {_fault(animals, rows[bad])}")


def _are_usable(called: npt.NDArray[np.int16]) -> bool:
    """Whether genotypes (..., sample, ploidy + 1) are phased, without a gap, of diploids and biallelic."""
    if called.shape[-1] != 3:
        return False
    first, second, phased = np.moveaxis(called, -1, 0)
    return bool((first | second).max() <= 1 and (first | second).min() >= 0 and (phased | (first == second)).all())


def _fault(animals: list[str], called: npt.NDArray[np.int16]) -> str:
    """What is wrong with the genotypes of a site: the sample, what it has, what would be right."""
    alleles = called[:, :-1]
    faults = (
        ((alleles == _MISSING).any(axis=1), "is missing; impute it, or leave out the site or the sample"),
        ((alleles != _ABSENT).sum(axis=1) != 2, "is not of a diploid; every founder needs two alleles"),
        (alleles.max(axis=1) > 1, "has an allele that the site does not have; alleles must be 0 and 1"),
        ((called[:, 0] != called[:, 1]) & (called[:, -1] == 0), "is not phased; it must be written 0|1 or 1|0"),
    )
    wrong, why = next((wrong, why) for wrong, why in faults if wrong.any())
    at = int(np.argmax(wrong))
    shown = ("|" if called[at, -1] else "/").join("." if a == _MISSING else str(a) for a in alleles[at] if a != _ABSENT)
    return f"sample {animals[at]}: genotype {shown} {why}"


def cyvcf2() -> Any:
    """The library.

    Raises:
      ValueError: it is not installed.
    """
    try:
        import cyvcf2
    except ModuleNotFoundError:
        raise ValueError('VCF and BCF need cyvcf2, which is not installed: pip install "jaxbreed[vcf]"') from None
    return cyvcf2
