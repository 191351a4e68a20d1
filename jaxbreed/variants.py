"""What a file holds of founders, before a genetic map is known; NumPy files and tree sequences."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jaxbreed.founders import UInt8Array
from jaxbreed.sites import Sites, repeated

_ARRAYS = (
    "haplotypes (individual, 2, locus), and if they are known chromosome (locus,), position (locus,) in base pairs "
    "and samples (individual,)"
)


@dataclass(frozen=True, eq=False)
class Variants:
    """Phased genotypes at biallelic sites.

    Attributes:
        haplotypes: (individual, 2, locus) uint8, alleles 0 or 1.
        samples: (individual,) names; None where the file has none.
        sites: where the loci lie; None where the file does not say.
    """

    haplotypes: UInt8Array
    samples: tuple[str, ...] | None
    sites: Sites | None

    @property
    def loci(self) -> int:
        """Number of loci."""
        return int(self.haplotypes.shape[2])


def choose(path: str, wanted: Sequence[str] | None, there: Sequence[str], what: str) -> list[int]:
    """Places of the wanted names among those that a file has, in the order wanted; all of them for None.

    Args:
        path: the file, for messages.
        wanted: names, each once.
        there: the file's names.
        what: "sample" or "chromosome".

    Raises:
        ValueError: a name occurs twice, or the file does not have it.
    """
    if (twice := repeated(there)) is not None:
        raise ValueError(f"{path}: {what} {twice!r} occurs twice; every {what} needs a name of its own")
    if wanted is None:
        return list(range(len(there)))
    if not wanted:
        raise ValueError(f"{what}s is empty; it must name at least one {what}, or be left out for all")
    if (twice := repeated(wanted)) is not None:
        raise ValueError(f"{what}s names {twice!r} twice; each {what} can be chosen once")
    place = {name: number for number, name in enumerate(there)}
    if missing := [name for name in wanted if name not in place]:
        some = ", ".join(list(there)[:8]) + (f" and {len(there) - 8} more" if len(there) > 8 else "")
        raise ValueError(f"{path} has no {what} {missing[0]!r}; it has {some}")
    return [place[name] for name in wanted]


def choose_chromosomes(path: str, variants: Variants, wanted: Sequence[str] | None) -> Variants:
    """Keep the wanted chromosomes, in the order wanted; all of them for None.

    Raises:
        ValueError: a chromosome is not in the file, or the file does not name its chromosomes.
    """
    if wanted is None:
        return variants
    sites = variants.sites
    if sites is None:
        raise ValueError(f"{path} has no chromosome names to choose from; it must hold {_ARRAYS}")
    numbers = choose(path, wanted, sites.chromosome_names, "chromosome")
    if numbers == list(range(len(sites.chromosome_names))):
        return variants
    kept = np.concatenate([np.flatnonzero(sites.chromosome == number) for number in numbers])
    of_locus = [sites.chromosome_names[number] for number in sites.chromosome[kept]]
    alleles = None if sites.alleles is None else sites.alleles[kept]
    return Variants(
        variants.haplotypes[:, :, kept], variants.samples, Sites.from_names(of_locus, sites.position[kept], alleles)
    )


def read_numpy(path: str | Path, samples: Sequence[str] | None = None) -> Variants:
    """Reads haplotypes from .npy, or haplotypes, chromosome, position and samples from .npz.

    Args:
        path: the file; its haplotypes are (individual, 2, locus), alleles 0 and 1.
        samples: names of the wanted animals, in the wanted order; None for all.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no such file, or an array has the wrong name, shape or content; one sentence.
    """
    try:
        with open(path, "rb") as stream:
            loaded = np.load(stream, allow_pickle=False)
            arrays = {"haplotypes": loaded} if isinstance(loaded, np.ndarray) else dict(loaded)
    except (ValueError, EOFError, zlib.error, zipfile.BadZipFile):
        raise ValueError(f"{path} is not a .npy or .npz file of numbers and names, or a damaged one") from None
    known = {"haplotypes", "chromosome", "position", "samples"}
    if not {"haplotypes"} <= set(arrays) <= known:
        raise ValueError(f"{path} holds the arrays {', '.join(sorted(arrays)) or 'none'}; it must hold {_ARRAYS}")
    haplotypes = arrays["haplotypes"]
    if haplotypes.ndim != 3 or haplotypes.shape[1] != 2 or not haplotypes.size:
        raise ValueError(f"{path}: haplotypes has shape {haplotypes.shape}; it must be (individual, 2, locus)")
    if haplotypes.dtype.kind not in "biuf":
        raise ValueError(f"{path}: haplotypes is of {haplotypes.dtype}; it must hold alleles 0 and 1")
    if (bad := (haplotypes != 0) & (haplotypes != 1)).any():
        animal, _, locus = np.argwhere(bad)[0]
        raise ValueError(
            f"{path}: individual {animal} has allele {haplotypes[bad][0]} at locus {locus}; it must be 0 or 1"
        )
    individuals, _, loci = haplotypes.shape
    for name, size in (("chromosome", loci), ("position", loci), ("samples", individuals)):
        if name in arrays and arrays[name].shape != (size,):
            raise ValueError(f"{path}: {name} has shape {arrays[name].shape}; it must be ({size},)")
    names = None if "samples" not in arrays else tuple(map(str, arrays["samples"]))
    if names is None and samples is not None:
        raise ValueError(f"{path} has no sample names to choose from; it must hold {_ARRAYS}")
    chosen = choose(str(path), samples, names or [str(n) for n in range(individuals)], "sample")
    return Variants(
        haplotypes[chosen].astype(np.uint8),
        None if names is None else tuple(names[number] for number in chosen),
        _numpy_sites(path, arrays),
    )


def _numpy_sites(path: str | Path, arrays: dict[str, npt.NDArray[np.generic]]) -> Sites | None:
    if ("chromosome" in arrays) != ("position" in arrays):
        raise ValueError(f"{path} has chromosome or position without the other; it must hold both or neither")
    if "position" not in arrays:
        return None
    position = arrays["position"]
    whole = position.dtype.kind in "iu" or (position.dtype.kind == "f" and bool((position == np.rint(position)).all()))
    if not whole:
        raise ValueError(f"{path}: position must hold whole numbers of base pairs")
    try:
        return Sites.from_names(map(str, arrays["chromosome"]), position)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def read_trees(path: str | Path, samples: Sequence[str] | None = None, chromosome: str = "1") -> Variants:
    """Reads a tree sequence of one chromosome (tskit; Kelleher et al. 2016, doi:10.1371/journal.pcbi.1004842).

    Animals are the individuals with two sample nodes, the first node's alleles first. Allele 0 is the ancestral one.
    Names and positions are those of tskit's own `write_vcf`: tsk_0, tsk_1, ... by individual, positions as they are.

    Args:
        path: a .trees file.
        samples: names of the wanted animals, in the wanted order; None for all.
        chromosome: what to call the chromosome; tree sequences do not say.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no tree sequence, or holds what cannot be founders; one sentence.
    """
    import tskit  # here, because it takes a fifth of a second

    try:
        trees = tskit.load(path)
    except (tskit.FileFormatError, tskit.LibraryError, EOFError):
        raise ValueError(f"{path} is not a tree sequence (.trees) of tskit's, or a damaged one") from None
    nodes = {
        f"tsk_{animal.id}": animal.nodes for animal in trees.individuals() if trees.nodes_flags[animal.nodes].any()
    }
    for name, pair in nodes.items():
        sampled = int((trees.nodes_flags[pair] & tskit.NODE_IS_SAMPLE != 0).sum())
        if len(pair) != 2 or sampled != 2:
            raise ValueError(f"{path}: sample {name} has {sampled} sampled genomes; every founder must be diploid")
    if 2 * len(nodes) != trees.num_samples:
        raise ValueError(f"{path} has sampled genomes that belong to no individual; every founder must be diploid")
    if not trees.num_sites:
        raise ValueError(f"{path} has no sites; put mutations on its trees first")
    names = list(nodes)
    chosen = [names[number] for number in choose(str(path), samples, names, "sample")]
    alleles = np.empty((2 * len(chosen), trees.num_sites), np.uint8)
    states = np.empty((trees.num_sites, 2), object)
    for variant in trees.variants(samples=np.concatenate([nodes[name] for name in chosen])):
        place, locus = f"{chromosome}:{variant.site.position:.12g}", variant.site.id
        if variant.has_missing_data:
            animal = chosen[int(np.argmax(variant.genotypes == tskit.MISSING_DATA)) // 2]
            raise ValueError(f"{path}: sample {animal} has no allele at site {place}; every founder needs both alleles")
        if len(variant.alleles) != 2:
            raise ValueError(
                f"{path}: site {place} has {len(variant.alleles)} alleles; it must have two (see tskit's delete_sites)"
            )
        if variant.site.position != int(variant.site.position):
            raise ValueError(f"{path}: site {place} lies between base pairs; positions must be whole numbers")
        alleles[:, locus], states[locus] = variant.genotypes, variant.alleles
    sites = Sites((chromosome,), np.zeros(trees.num_sites, np.int32), trees.sites_position, states)
    return Variants(alleles.reshape(len(chosen), 2, -1), tuple(chosen), sites)
