"""The genetic map as the walk reads it: integer coordinates and one look-up from a map position to a locus.

All chromosomes lie end to end on one line. The line is cut into sub-cells of 2**-b Morgan (b chosen so that a map
has about a quarter of a million); a locus sits at the start of a sub-cell. 32 sub-cells make a cell of two words: a
bitmap of the sub-cells that hold a locus, and the slot of the first locus at or after the cell with the cell's
chromosome. The slot of the first locus behind a crossover is that slot plus a population count, whatever the number
of loci.

A slot is a distinct map position; loci that share a sub-cell share a slot and never recombine. After the slots of
each chromosome comes one empty slot for crossovers behind its last locus.
"""

import dataclasses
import math
import numbers

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.kernels.mutation import Mutation
from jaxbreed.kernels.quantiles import UNIT_BITS, renewal_table

MAX_CHROMOSOMES = 250
MAX_MORGANS = 1000.0
MAX_LOCI = 2**23 - 1 - MAX_CHROMOSOMES
MAX_INTERFERENCE = 24.0


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class WalkMap:
    """Integer genetic map. Leading axis 2 = the dam's gamete (female map), the sire's gamete (male map).

    Attributes:
      cell: uint32 (2, cell, 2), bitmap of 32 sub-cells; slot << 8 | chromosome.
      end: int32 (2,), length of the whole map in units of 2**-20 Morgan.
      border: int32 (2, chromosome + 1), ends of the chromosomes that have a length, in the same units; then `end`.
      first_locus: int32 (2, slot), first locus at or behind the slot.
      chromosome_end: int32 (2, slot), number of the first locus behind the slot's chromosome.
      chromosome_slot: int32 (2, chromosome), first slot of each chromosome.
      locus_slot: int32 (2, locus).
      locus_chromosome: int32 (locus,).
      slot_rank: uint32 (2, slot), chromosome << 24 | 2 x (first locus + chromosome): orders the crossovers of both
        gametes along the genome, though their maps differ.
      gap: int32 (state, side, octave, knot), `quantiles.renewal_table` of the interference, or None without it.
      mutation: de novo mutation, or None without it.
      sub_bits: sub-cells per Morgan, as a power of two.
      chromosomes: number of chromosomes.
    """

    cell: Array
    end: Array
    border: Array
    first_locus: Array
    chromosome_end: Array
    chromosome_slot: Array
    locus_slot: Array
    locus_chromosome: Array
    slot_rank: Array
    gap: Array | None
    mutation: Mutation | None
    sub_bits: int = dataclasses.field(metadata={"static": True})
    chromosomes: int = dataclasses.field(metadata={"static": True})

    @property
    def loci(self) -> int:
        """Number of loci."""
        return int(self.locus_chromosome.shape[0])

    @property
    def slots(self) -> int:
        """Length of one suffix table."""
        return int(self.first_locus.shape[1])

    @property
    def ranks(self) -> int:
        """Length of the table of pairs of heterozygous loci: one place for each locus and each chromosome's end."""
        return self.loci + self.chromosomes


def sub_cell_bits(morgans: float) -> int:
    """Sub-cells per Morgan as a power of two: 2**17 to 2**18 sub-cells a map, so that its tables stay in cache.

    That is 0.012 cM for a map of 30 Morgans: a locus is off by at most half of that, less than any map is known to.
    """
    return min(UNIT_BITS, math.floor(math.log2(2**18 / max(morgans, 1e-3))))


def snapped(position: npt.NDArray[np.float64], length: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Positions as the walk sees them, in Morgans: rounded to whole sub-cells.

    Args:
      position: (2, locus) Morgans.
      length: (2, chromosome) Morgans.

    Returns:
      (2, locus) Morgans.
    """
    bits = sub_cell_bits(float(length.sum(axis=1).max()))
    return np.floor(position * 2.0**bits + 0.5) / 2.0**bits


def build_walk_map(
    chromosome: npt.NDArray[np.int32],
    position: npt.NDArray[np.float64],
    length: npt.NDArray[np.float64],
    interference: float = 1.0,
    mutation: Mutation | None = None,
) -> WalkMap:
    """Builds the integer map.

    Args:
      chromosome: (locus,) 0-based, non-decreasing.
      position: (2, locus) Morgans from the start of the chromosome, female and male map, non-decreasing within it.
      length: (2, chromosome) Morgans; 0 where a sex does not recombine.
      interference: shape of the gamma distribution between the chiasmata of a bivalent; 1 is no interference
        (Haldane), 2 to 16 what has been measured. A whole number is the chi-square model with m = shape - 1.
      mutation: from `build_mutation`, or None for none.

    Returns:
      The map as arrays.

    Raises:
      ValueError: more than 250 chromosomes, more than 1,000 Morgans, more than 8 million loci, interference not
        between 1 and 24, mutation built for another number of loci.
      TypeError: interference is no number.
    """
    chromosomes = length.shape[1]
    if not 1 <= chromosomes <= MAX_CHROMOSOMES:
        raise ValueError(f"the map has {chromosomes} chromosomes; it can have 1 to {MAX_CHROMOSOMES}")
    if chromosome.size > MAX_LOCI:
        raise ValueError(f"the map has {chromosome.size} loci; it can have at most {MAX_LOCI}")
    if isinstance(interference, bool) or not isinstance(interference, numbers.Real):
        raise TypeError(f"interference is {interference!r}; it must be a number")
    if not 1.0 <= interference <= MAX_INTERFERENCE:
        raise ValueError(f"interference is {interference:g}; it must be from 1 (none) to {MAX_INTERFERENCE:g}")
    if length.sum(axis=1).max() > MAX_MORGANS:
        raise ValueError(f"the map is {length.sum(axis=1).max():g} Morgans long; it can have at most {MAX_MORGANS:g}")
    if mutation is not None and mutation.loci != chromosome.size:
        raise ValueError(
            f"mutation was built for {mutation.loci} loci and the map has {chromosome.size}; build_mutation's `site` "
            "tells which sites are loci of the map"
        )
    bits = sub_cell_bits(float(length.sum(axis=1).max()))
    sexes = [_one_sex(chromosome, position[s], length[s], bits) for s in range(2)]
    cells, slots = (max(len(sex[name]) for sex in sexes) for name in ("cell", "first_locus"))

    def stack(name: str, size: int) -> npt.NDArray[np.int64]:
        rows = [(sex[name], [(0, size - len(sex[name]))] + [(0, 0)] * (sex[name].ndim - 1)) for sex in sexes]
        return np.stack([np.pad(row, padding, mode="edge") for row, padding in rows])

    return WalkMap(
        cell=jnp.asarray(stack("cell", cells).astype(np.uint32)),
        end=jnp.asarray(stack("border", chromosomes + 1)[:, -1].astype(np.int32)),
        border=jnp.asarray(stack("border", chromosomes + 1).astype(np.int32)),
        first_locus=jnp.asarray(stack("first_locus", slots).astype(np.int32)),
        chromosome_end=jnp.asarray(stack("chromosome_end", slots).astype(np.int32)),
        chromosome_slot=jnp.asarray(stack("chromosome_slot", chromosomes).astype(np.int32)),
        locus_slot=jnp.asarray(stack("locus_slot", chromosome.size).astype(np.int32)),
        locus_chromosome=jnp.asarray(chromosome, jnp.int32),
        slot_rank=jnp.asarray(stack("slot_rank", slots).astype(np.uint32)),
        gap=None if interference == 1.0 else jnp.asarray(renewal_table(interference)),
        mutation=mutation,
        sub_bits=bits,
        chromosomes=chromosomes,
    )


def _one_sex(
    chromosome: npt.NDArray[np.int32], position: npt.NDArray[np.float64], length: npt.NDArray[np.float64], bits: int
) -> dict[str, npt.NDArray[np.int64]]:
    """Tables of one sex's map; see `WalkMap` for their meaning."""
    chromosomes = length.size
    sub = np.floor(position * 2**bits + 0.5).astype(np.int64)
    locus_start = np.searchsorted(chromosome, np.arange(chromosomes + 1)).astype(np.int64)
    # A chromosome without map length takes no cell: no crossover can fall on it.
    furthest = np.maximum(np.floor(length * 2**bits + 0.5).astype(np.int64), 0)
    cells = np.where(length > 0, furthest // 32 + 1, 0)
    cell_start = np.concatenate([[0], np.cumsum(cells)])

    new = np.ones(chromosome.size, bool)  # first locus of its slot
    new[1:] = (np.diff(sub) > 0) | (np.diff(chromosome) > 0)
    locus_slot = np.cumsum(new) - 1 + chromosome  # one empty slot behind each chromosome before
    distinct = np.bincount(chromosome[new], minlength=chromosomes)
    chromosome_slot = np.concatenate([[0], np.cumsum(distinct + 1)])[:-1]
    slots = int(distinct.sum()) + chromosomes
    first_locus = np.empty(slots, np.int64)
    first_locus[locus_slot[new]] = np.flatnonzero(new)
    first_locus[chromosome_slot + distinct] = locus_start[1:]
    chromosome_end = np.repeat(locus_start[1:], distinct + 1)

    on_line = new & (length[chromosome] > 0)
    line_sub = cell_start[chromosome[on_line]] * 32 + sub[on_line]
    bitmap = np.zeros(cell_start[-1] + 1, np.int64)
    np.bitwise_or.at(bitmap, line_sub >> 5, 1 << (line_sub & 31))
    cell_chromosome = np.append(np.repeat(np.arange(chromosomes), cells), chromosomes)
    occupied = np.concatenate([[0], np.cumsum(np.bincount(line_sub >> 5, minlength=bitmap.size))])[:-1]
    on_line_start = np.concatenate([[0], np.cumsum(np.where(length > 0, distinct, 0))])
    slot = np.append(chromosome_slot, slots - 1)[cell_chromosome] + occupied - on_line_start[cell_chromosome]
    slot[-1] = slots - 1  # behind the map: the empty slot of the last chromosome
    border = cell_start[1:][length > 0] * 32 << (UNIT_BITS - bits)
    slot_chromosome = np.repeat(np.arange(chromosomes), distinct + 1)
    return {
        "cell": np.stack([bitmap, slot << 8 | cell_chromosome], axis=1),
        "border": np.append(border, border[-1] if border.size else 0),
        "first_locus": first_locus,
        "chromosome_end": chromosome_end,
        "chromosome_slot": chromosome_slot,
        "locus_slot": locus_slot,
        "slot_rank": slot_chromosome << 24 | (first_locus + slot_chromosome) << 1,
    }
