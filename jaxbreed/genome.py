"""The genetic map: where the loci lie, on which chromosome, in Morgans (expected crossovers a gamete), for each sex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def haldane(distance_morgan: npt.ArrayLike) -> FloatArray:
    """Return the recombination fraction ``(1 - exp(-2 d)) / 2``: no interference (Haldane 1919).

    Args:
        distance_morgan: any shape, at least 0.

    Raises:
        ValueError: a distance is negative or not a number.

    Example:
        >>> round(float(haldane(0.10)), 5)
        0.09063
    """
    distance = np.asarray(distance_morgan, dtype=np.float64)
    if (bad := ~(distance >= 0)).any():
        raise ValueError(f"distance_morgan={distance[bad][0]} must be at least 0 Morgan")
    return np.asarray(-0.5 * np.expm1(-2.0 * distance))


def inverse_haldane(recomb_frac: npt.ArrayLike) -> FloatArray:
    """Return ``-log(1 - 2 r) / 2`` Morgans for fractions of any shape in [0, 0.5]; 0.5 gives infinity.

    Raises:
        ValueError: a fraction lies outside [0, 0.5] or is not a number.
    """
    fraction = np.asarray(recomb_frac, dtype=np.float64)
    if (bad := ~((fraction >= 0) & (fraction <= 0.5))).any():
        raise ValueError(f"recomb_frac={fraction[bad][0]} must lie in [0, 0.5]")
    with np.errstate(divide="ignore"):
        return np.asarray(-0.5 * np.log1p(-2.0 * fraction))


def recombination(distance_morgan: npt.ArrayLike, interference: float = 1.0) -> FloatArray:
    """Return the recombination fraction when chiasmata interfere.

    Chiasmata of a bivalent are a stationary renewal process of two a Morgan with gamma distances; a gamete recombines
    between two loci with chance one half if there is at least one between them (Mather 1936; Zhao & Speed 1996,
    doi:10.1093/genetics/142.4.1369).

    Args:
        distance_morgan: any shape, at least 0.
        interference: gamma shape, at least 1; 1 is no interference (Haldane).

    Raises:
        ValueError: a distance is negative or not a number, or interference is below 1.

    Example:
        >>> round(float(recombination(0.10, 4.0)), 5)
        0.0998
    """
    if interference == 1.0:
        return haldane(distance_morgan)
    from scipy.special import gammaincc

    distance = np.asarray(distance_morgan, dtype=np.float64)
    if (bad := ~(distance >= 0)).any():
        raise ValueError(f"distance_morgan={distance[bad][0]} must be at least 0 Morgan")
    if not interference > 1.0:
        raise ValueError(f"{interference=} must be at least 1")
    scaled = 2 * interference * distance
    # No chiasma: the mean of what the distance between two leaves beyond, over the mean distance.
    none = gammaincc(interference + 1, scaled) - 2 * distance * gammaincc(interference, scaled)
    return np.asarray(0.5 * (1 - none))


@dataclass(frozen=True, eq=False)
class GeneticMap:
    """Loci in map order, with one map for each sex. The arrays are copied and made read-only.

    Attributes:
        chromosome: (locus,) int32, 0-based, non-decreasing.
        position: (2, locus) float64, Morgans from the start of the locus's chromosome, non-decreasing within a
            chromosome (ties allowed); row 0 female, row 1 male.
        length: (2, chromosome) float64, Morgans, at least the last position; 0 where a sex does not recombine.

    Raises:
        ValueError: an array has the wrong shape, order or range.
    """

    chromosome: npt.NDArray[np.int32]
    position: FloatArray
    length: FloatArray

    def __post_init__(self) -> None:
        """Copy, check and freeze the arrays."""
        chromosome = _sorted_chromosome(self.chromosome)
        position, length = np.array(self.position, dtype=np.float64), np.array(self.length, dtype=np.float64)
        least = int(chromosome[-1]) + 1
        if length.ndim != 2 or length.shape[0] != 2 or length.shape[1] < least:
            raise ValueError(f"{length.shape=} must be (2, chromosome) with at least {least} chromosomes")
        if (bad := ~(np.isfinite(length) & (length >= 0))).any():
            raise ValueError(f"length={length[bad][0]} must be finite and at least 0 Morgan")
        if position.shape != (2, chromosome.size):
            raise ValueError(f"{position.shape=} must be (2, locus) = (2, {chromosome.size})")
        _check_positions(chromosome, position, length)
        for name, array in (("chromosome", chromosome), ("position", position), ("length", length)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def loci(self) -> int:
        """Number of loci."""
        return int(self.chromosome.size)

    @property
    def chromosomes(self) -> int:
        """Number of chromosomes, with or without loci."""
        return int(self.length.shape[1])

    @property
    def morgans(self) -> FloatArray:
        """Total map length, (2,) Morgans: female, male."""
        return np.asarray(self.length.sum(axis=1))

    @classmethod
    def uniform(cls, chromosomes: int, loci: int, length_morgan: npt.ArrayLike) -> GeneticMap:
        """Space loci evenly, the first at 0 and the last at the end of each chromosome; a single locus sits at 0.

        Args:
            chromosomes: how many, at least 1.
            loci: how many in all, at least 1, split over the chromosomes as evenly as possible.
            length_morgan: Morgans; one number for all, a (female, male) pair, or (2, chromosome).

        Example:
            >>> GeneticMap.uniform(2, 5, 1.0).position[0].tolist()
            [0.0, 0.5, 1.0, 0.0, 1.0]
        """
        if chromosomes < 1 or loci < 1:
            raise ValueError(f"{chromosomes=} and {loci=} must both be at least 1")
        length = _lengths(length_morgan, chromosomes)
        counts = [loci // chromosomes + (index < loci % chromosomes) for index in range(chromosomes)]
        chromosome = np.repeat(np.arange(chromosomes, dtype=np.int32), counts)
        fraction = np.concatenate([np.linspace(0.0, 1.0, count) for count in counts])
        return cls(chromosome, fraction * length[:, chromosome], length)

    @classmethod
    def from_positions(
        cls, chromosome: npt.ArrayLike, position_morgan: npt.ArrayLike, length_morgan: npt.ArrayLike | None = None
    ) -> GeneticMap:
        """Build a map from known positions.

        Args:
            chromosome: (locus,) 0-based integers, non-decreasing.
            position_morgan: Morgans; (locus,) for both sexes, or (2, locus).
            length_morgan: Morgans; one number, a (female, male) pair, or (2, chromosome). Without it each chromosome
                ends at its last locus.
        """
        index = _sorted_chromosome(chromosome)
        position = np.asarray(position_morgan, dtype=np.float64)
        if position.shape == index.shape:
            position = np.broadcast_to(position, (2, index.size))
        if position.shape != (2, index.size):
            raise ValueError(f"{position.shape=} must be ({index.size},) or (2, {index.size}), one for each locus")
        if length_morgan is None:
            length_morgan = np.zeros((2, int(index[-1]) + 1))
            length_morgan[:, index] = position  # of repeated indices the last one stays
        chromosomes = np.shape(length_morgan)[1] if np.ndim(length_morgan) == 2 else int(index[-1]) + 1
        return cls(index, position, _lengths(length_morgan, chromosomes))

    def subset(self, loci: npt.ArrayLike) -> GeneticMap:
        """Keep some loci, given as increasing indices or a (locus,) mask; chromosome count and lengths stay."""
        chosen = np.asarray(loci)
        return GeneticMap(self.chromosome[chosen], self.position[:, chosen], self.length)


def _lengths(length_morgan: npt.ArrayLike, chromosomes: int) -> FloatArray:
    length = np.asarray(length_morgan, dtype=np.float64)
    if length.shape not in ((), (2,), (2, chromosomes)):
        raise ValueError(f"{length.shape=} must be a number, a (female, male) pair or (2, {chromosomes})")
    return np.broadcast_to(length[:, np.newaxis] if length.ndim == 1 else length, (2, chromosomes))


def _sorted_chromosome(given: npt.ArrayLike) -> npt.NDArray[np.int32]:
    chromosome = np.asarray(given)
    if chromosome.ndim != 1 or chromosome.size == 0 or chromosome.dtype.kind not in "iu":
        raise ValueError(f"{chromosome.shape=} of {chromosome.dtype} must be (locus,) integers, at least one locus")
    if (back := np.flatnonzero(np.diff(chromosome.astype(np.int64), prepend=0) < 0)).size:
        raise ValueError(f"chromosome={chromosome[back[0]]} at locus={back[0]} must be at least 0 and not decrease")
    return chromosome.astype(np.int32)


def _check_positions(chromosome: npt.NDArray[np.int32], position: FloatArray, length: FloatArray) -> None:
    floor = np.where(np.diff(chromosome, prepend=-1) == 0, np.roll(position, 1, axis=1), 0.0)
    bad = ~((position >= floor) & (position <= length[:, chromosome]))
    if bad.any():
        sex, locus = (int(index) for index in np.argwhere(bad)[0])
        raise ValueError(
            f"position={position[sex, locus]} at {locus=} of the {('female', 'male')[sex]} map must lie between "
            f"{floor[sex, locus]} (the locus before, or 0) and the chromosome's {length[sex, chromosome[locus]]} Morgan"
        )
