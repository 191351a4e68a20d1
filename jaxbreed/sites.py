"""Where loci lie on the physical map: chromosome names, base pairs, and what the two alleles are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Sites:
    """Physical places of loci, in the order of their map. The arrays are copied and made read-only.

    Attributes:
        chromosome_names: (chromosome,) names, each once.
        chromosome: (locus,) int32, 0-based number of the name, non-decreasing.
        position: (locus,) int64 base pairs as the file counts them, non-decreasing within a chromosome.
        alleles: (locus, 2) strings, what alleles 0 and 1 are; None where nobody knows.

    Raises:
        ValueError: a name occurs twice, or loci are out of order; the sentence names chromosome and position.
    """

    chromosome_names: tuple[str, ...]
    chromosome: npt.NDArray[np.int32]
    position: npt.NDArray[np.int64]
    alleles: npt.NDArray[np.object_] | None = None

    def __post_init__(self) -> None:
        """Copy, check and freeze the arrays."""
        chromosome, position = np.array(self.chromosome, np.int32), np.array(self.position, np.int64)
        alleles = None if self.alleles is None else np.array(self.alleles, object)
        if chromosome.ndim != 1 or position.shape != chromosome.shape or not chromosome.size:
            raise ValueError(f"{chromosome.shape=} and {position.shape=} must both be (locus,), at least one locus")
        if alleles is not None and alleles.shape != (chromosome.size, 2):
            raise ValueError(f"{alleles.shape=} must be (locus, 2) = ({chromosome.size}, 2)")
        if chromosome[0] < 0 or (np.diff(chromosome) < 0).any() or chromosome[-1] >= len(self.chromosome_names):
            raise ValueError(f"chromosome must not decrease, from at least 0 to below {len(self.chromosome_names)}")
        if position.min() < 0:
            raise ValueError(f"position {position.min()} must be at least 0 base pairs")
        back = np.flatnonzero((np.diff(position) < 0) & (np.diff(chromosome) == 0))
        if back.size:
            name, before, after = self.chromosome_names[chromosome[back[0]]], *position[back[0] : back[0] + 2]
            raise ValueError(f"site {name}:{after} comes after {name}:{before}; sites must be in order of position")
        names = tuple(map(str, self.chromosome_names))
        if (twice := repeated(names)) is not None:
            raise ValueError(f"chromosome name {twice!r} occurs twice; every chromosome needs a name of its own")
        object.__setattr__(self, "chromosome_names", names)
        for field, array in (("chromosome", chromosome), ("position", position), ("alleles", alleles)):
            if array is not None:
                array.setflags(write=False)
            object.__setattr__(self, field, array)

    @classmethod
    def from_names(
        cls, of_locus: Iterable[str], position: npt.ArrayLike, alleles: npt.ArrayLike | None = None
    ) -> Sites:
        """Number the chromosomes in the order in which their names first occur.

        Args:
            of_locus: (locus,) name of each locus's chromosome.
            position: (locus,) base pairs.
            alleles: (locus, 2) strings.

        Raises:
            ValueError: a chromosome's loci do not stand together, or are out of order.
        """
        number: dict[str, int] = {}
        chromosome = np.array([number.setdefault(name, len(number)) for name in of_locus], np.int32)
        back = np.flatnonzero(np.diff(chromosome) < 0)
        if back.size:
            name = list(number)[chromosome[back[0] + 1]]
            raise ValueError(f"the sites of chromosome {name!r} do not stand together; sites must be in order")
        return cls(
            tuple(number),
            chromosome,
            np.asarray(position, np.int64),
            None if alleles is None else np.asarray(alleles, object),
        )

    def subset(self, loci: npt.NDArray[np.int64]) -> Sites:
        """Keep some loci, given as increasing indices; the chromosomes stay."""
        alleles = None if self.alleles is None else self.alleles[loci]
        return Sites(self.chromosome_names, self.chromosome[loci], self.position[loci], alleles)


def repeated(names: Iterable[str]) -> str | None:
    """The first name that occurs a second time, or None."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
