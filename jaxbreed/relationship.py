"""Genomic relationships between animals, from marker dosages."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Dosages = npt.NDArray[np.uint8]

MOST_MARKERS = 2**24
"""Up to here sums of products of -1, 0 and 1 are exact in single precision."""

_BLOCK = 2048  # markers widened to floats at a time: 41 MB for 5,000 animals


@dataclasses.dataclass(frozen=True)
class Relationship:
    """Genomic relationships, and what marker effects need of the genotypes behind them.

    Attributes:
      dosage: uint8 (animal, marker), copies of allele 1.
      matrix: (animal, animal), relationships G = Z Z' / scale with Z = dosage - 2 x frequency.
      frequency: (marker,), allele 1's frequencies in the population that the relationships refer to.
      scale: sum over markers of 2 p (1 - p): genetic variance over variance of marker effects in that population.
    """

    dosage: Dosages
    matrix: Floats
    frequency: Floats
    scale: float


def genomic_relationship(dosage: npt.ArrayLike, frequency: npt.ArrayLike | None = None) -> Relationship:
    """Genomic relationship matrix (VanRaden 2008, doi:10.3168/jds.2007-0980, method 1).

    Dosages less 1 are -1, 0 and 1: their products are summed exactly in single precision and centred afterwards in
    double precision, so that neither the order of the markers nor the coding of their alleles matters.

    Args:
      dosage: uint8 (animal, marker), copies of allele 1: 0, 1 or 2.
      frequency: (marker,), allele 1's frequencies in the base population, whose unrelated animals then have
        relationship 0 and whose heritability is meant later; None for the frequencies among these animals.

    Returns:
      The relationships.

    Raises:
      ValueError: a dosage is not 0, 1 or 2, a frequency not in [0, 1], no marker varies, or there are too many.
    """
    dosage = checked_dosage(dosage)
    animals, markers = dosage.shape
    if markers > MOST_MARKERS:
        raise ValueError(f"dosage has {markers} markers; it can have at most {MOST_MARKERS}")
    if frequency is None:
        # Counted, not averaged: swapping the alleles of a marker then changes the sign of its centre and nothing else.
        centre = np.asarray((dosage.sum(0, dtype=np.int64) - animals) / animals)
    else:
        centre = 2 * _checked_frequency(frequency, markers) - 1
    scale = float((1 - centre**2).sum() / 2)
    if scale == 0:
        raise ValueError(f"all {markers} markers have frequency 0 or 1; at least one must vary")

    products = np.zeros((animals, animals), np.float32)
    with_centre = np.zeros(animals)
    for markers_here, block in signed_blocks(dosage):
        products += block @ block.T
        with_centre += block @ centre[markers_here]
    matrix = products.astype(np.float64)
    matrix -= with_centre[:, None]
    matrix -= with_centre
    matrix += centre @ centre
    matrix /= scale
    return Relationship(dosage, matrix, (centre + 1) / 2, scale)


def signed_blocks(dosage: Dosages) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
    """Dosages less 1, some markers at a time, as floats that BLAS can multiply.

    Args:
      dosage: uint8 (animal, marker).

    Yields:
      Which markers, and float32 (animal, marker) of -1, 0 and 1.
    """
    for first in range(0, dosage.shape[1], _BLOCK):
        here = slice(first, first + _BLOCK)
        block = dosage[:, here].astype(np.float32)
        block -= 1
        yield here, block


def checked_dosage(given: npt.ArrayLike) -> Dosages:
    """Dosages as uint8 (animal, marker).

    Raises:
      ValueError: not two axes, nothing in it, or an entry that is not 0, 1 or 2.
    """
    dosage = np.asarray(given)
    if dosage.ndim != 2 or dosage.size == 0:
        raise ValueError(f"dosage has shape {dosage.shape}; it must be (animal, marker) with at least one of each")
    bad = dosage > 2 if dosage.dtype == np.uint8 else ~((dosage == 0) | (dosage == 1) | (dosage == 2))
    if bad.any():
        animal, marker = (int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
        raise ValueError(
            f"dosage is {dosage[animal, marker]} at animal {animal}, marker {marker}; it must be 0, 1 or 2 everywhere"
        )
    return dosage.astype(np.uint8, copy=False)


def _checked_frequency(given: npt.ArrayLike, markers: int) -> Floats:
    frequency = np.asarray(given, np.float64)
    if frequency.shape != (markers,):
        raise ValueError(f"frequency has shape {frequency.shape}; it must be ({markers},), one for each marker")
    if (bad := ~((frequency >= 0) & (frequency <= 1))).any():
        marker = int(bad.argmax())
        raise ValueError(f"frequency is {frequency[marker]:g} at marker {marker}; it must be from 0 to 1")
    return frequency
