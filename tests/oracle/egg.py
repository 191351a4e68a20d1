"""One egg at a time, one locus at a time, in plain Python integers: what an egg's name means.

Nothing here is fast and nothing is shared with the kernels. Sexes of parents: 0 the dam, 1 the sire.
"""

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np

Key = tuple[int, int]
FATE, IDENTITY, NOISE, PHASES, CROSSOVERS, MUTATIONS = range(6)
DAM, SIRE = 0, 1

UNIT = 2**20  # map positions and normal deviates are whole multiples of 2**-20 Morgan and 2**-20 SD
WORD = 2**32
GAP_BITS = 21


# Random words


def threefry2x32(key: Key, counter: tuple[int, int]) -> tuple[int, int]:
    """Threefry-2x32 of 20 rounds (Salmon et al. 2011): a key schedule word is injected after every fourth round."""
    schedule = (key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDA)
    left, right = (counter[0] + schedule[0]) % WORD, (counter[1] + schedule[1]) % WORD
    for number in range(20):
        turn = (13, 15, 26, 6, 17, 29, 16, 24)[number % 8]
        left = (left + right) % WORD
        right = ((right << turn) % WORD | right >> (32 - turn)) ^ left
        if number % 4 == 3:
            injection = number // 4 + 1
            left = (left + schedule[injection % 3]) % WORD
            right = (right + schedule[(injection + 1) % 3] + injection) % WORD
    return left, right


def draw(key: Key, egg: int, purpose: int, index: int = 0, parent: int = DAM) -> tuple[int, int]:
    """The two words of an egg for a purpose: kind in the top byte, then one bit for the parent, then an index."""
    return threefry2x32(key, (egg, purpose * 2**24 + parent * 2**23 + index))


def family_key(generation: Key, dam: Key, sire: Key) -> Key:
    """Hashes the names of both parents, the dam's first, into the generation's key."""
    return threefry2x32(threefry2x32(generation, dam), sire)


# From words to deviates


def octave_of(odd: int) -> tuple[int, int]:
    """Writes odd / 2**32 as m x 2**-octave, m in [1/2, 1), and returns the octave and m x 2**32."""
    octave = 32 - odd.bit_length()
    return octave, odd << octave


@cache
def gap_knot(number: int) -> int:
    """-ln of (256 + number) / 512."""
    return round(-math.log((256 + number) / 512) * UNIT)


def exponential_gap(word: int) -> int:
    """-ln u, u = (2 word + 1) / 2**22 = m x 2**-octave: the octave times ln 2, and -ln m between two of 257 knots."""
    octave, mantissa = octave_of((2 * word + 1) << (32 - GAP_BITS - 1))
    cell, rest = divmod(mantissa - 2**31, 2**23)
    here, there = gap_knot(cell), gap_knot(cell + 1)
    fraction = rest // 2**11  # in units of 2**-12 cell
    return octave * round(math.log(2) * UNIT) + here - (here - there) * fraction // 2**12


@cache
def normal_knot(tail: float) -> int:
    """The x at which a standard normal variable exceeds x with the given probability, by Newton's method."""
    x = 0.0
    for _ in range(60):
        step = (0.5 * math.erfc(x / math.sqrt(2)) - tail) / (math.exp(-x * x / 2) / math.sqrt(2 * math.pi))
        x += step
        if abs(step) < 1e-15:
            break
    return round(x * UNIT)


def normal_deviate(word: int) -> int:
    """The top bit is the sign; the other 31, v, give the tail (2 v + 1) / 2**33 = m x 2**-(octave + 1)."""
    negative, v = divmod(word, 2**31)
    octave, mantissa = octave_of(2 * v + 1)
    cell, rest = divmod(mantissa - 2**31, 2**25)
    here, there = (normal_knot(2.0 ** -(octave + 1) * (64 + knot) / 128) for knot in (cell, cell + 1))
    size = here - (here - there) * (rest // 2**13) // 2**12
    return -size if negative else size


# Fate


def survives(key: Key, egg: int, threshold: int) -> bool:
    """Lives if its word is at most the threshold."""
    return draw(key, egg, FATE)[0] <= threshold


def sex(key: Key, egg: int, alternate: bool) -> int:
    """0 female, 1 male: the egg number's parity, or a fair coin."""
    return (egg if alternate else draw(key, egg, FATE)[1]) % 2


def identity(key: Key, egg: int) -> tuple[int, int]:
    """The name the egg passes on."""
    return draw(key, egg, IDENTITY)


def environment(key: Key, egg: int, mantissa: Sequence[Sequence[int]], shift: Sequence[int]) -> list[int]:
    """Trait i: 2**(shift_i - 12) x sum over j of mantissa_ij z_j, rounded down, z in whole multiples of 2**-12 SD."""
    z = [normal_deviate(draw(key, egg, NOISE, trait // 2)[trait % 2]) // 2**8 for trait in range(len(shift))]
    deviations = []
    for row, unit in zip(mantissa, shift, strict=True):
        total = sum(int(m) * d for m, d in zip(row, z, strict=True))
        deviations.append(total * 2 ** int(unit) // 2**12 if unit >= 0 else total // 2 ** (12 - int(unit)))
    return deviations


# Meiosis


class GeneticMap:
    """Chromosomes laid end to end on one line for each parent, cut into sub-cells of 2**-bits Morgan."""

    def __init__(
        self,
        chromosome: np.ndarray,
        position: np.ndarray,
        length: np.ndarray,
        bits: int,
        table: np.ndarray | None = None,
        mutation: tuple[list[int], list[int]] = ([], []),
    ) -> None:
        """`table`: distances between crossovers under interference, or None without.

        `mutation`: words at which there is one mutation more; for every site which locus of this map it is, or -1.
        """
        self.table = table
        self.mutation = mutation
        self.chromosome = [int(c) for c in chromosome]
        self.bits = bits
        self.borders: list[list[int]] = []  # [parent][chromosome], first sub-cell; one more for the end of the line
        self.loci: list[list[int]] = []  # [parent][locus], sub-cell
        for parent in (DAM, SIRE):
            border = [0]
            for morgans in length[parent]:
                furthest = math.floor(float(morgans) * 2**self.bits + 0.5)
                border.append(border[-1] + ((furthest // 32 + 1) * 32 if morgans > 0 else 0))
            places = (math.floor(float(x) * 2**self.bits + 0.5) for x in position[parent])
            self.borders.append(border)
            self.loci.append([border[c] + place for c, place in zip(self.chromosome, places, strict=True)])


def crossovers(key: Key, egg: int, parent: int, end: int) -> list[int]:
    """Positions of a gamete's crossovers in map order: exponential gaps from the start of the line until its end.

    A pair of words gives three gaps: the low 21 bits of each, and the 11 + 10 upper bits of both.
    """
    positions: list[int] = []
    last, block = 0, 0
    while True:
        low, high = draw(key, egg, CROSSOVERS, block, parent)
        for word in (low % 2**21, high % 2**21, low // 2**21 + high // 2**22 * 2**11):
            last += exponential_gap(word)
            if last >= end:
                return positions
            positions.append(last)
        block += 1


def renewal_gap(word: int, after_crossover: bool, table: np.ndarray) -> int:
    """The distance at upper tail probability u = (2 word + 1) / 2**22, between two of 33 knots of an octave.

    The table (state, side, octave, knot) is looked up by the smaller of u and 1 - u, which is m x 2**-(octave + 1).
    """
    upper = word < 2**20
    smaller = 2 * word + 1 if upper else 2**22 - (2 * word + 1)
    octave, mantissa = octave_of(smaller << (32 - GAP_BITS))
    cell, rest = divmod(mantissa - 2**31, 2**26)
    knots = table[int(after_crossover), 0 if upper else 1, octave]
    here, there = int(knots[cell]), int(knots[cell + 1])
    return here + (there - here) * (rest // 2**14) // 2**12


def crossovers_with_interference(key: Key, egg: int, parent: int, ends: Sequence[int], table: np.ndarray) -> list[int]:
    """Positions on the line: on each chromosome a first distance from its start, then distances until its end.

    `ends` are the places where the chromosomes that have a length end. The words are those of `crossovers`, one for
    each distance drawn, those that lead beyond a chromosome included.
    """
    positions: list[int] = []
    drawn, start = 0, 0

    def word() -> int:
        nonlocal drawn
        low, high = draw(key, egg, CROSSOVERS, drawn // 3, parent)
        drawn += 1
        return (low % 2**21, high % 2**21, low // 2**21 + high // 2**22 * 2**11)[(drawn - 1) % 3]

    for end in ends:
        last = start + renewal_gap(word(), False, table)
        while last < end:
            positions.append(last)
            last += renewal_gap(word(), True, table)
        start = end
    return positions


def start_haplotype(key: Key, egg: int, parent: int, chromosome: int) -> int:
    """Bit c % 32 of word c // 32 of the phases."""
    word = chromosome // 32
    return draw(key, egg, PHASES, word // 2, parent)[word % 2] >> (chromosome % 32) & 1


def gamete(key: Key, egg: int, parent: int, genetic_map: GeneticMap) -> list[int]:
    """Which of the parent's two haplotypes the gamete carries at each locus."""
    border, shift = genetic_map.borders[parent], 20 - genetic_map.bits
    if genetic_map.table is None:
        positions = crossovers(key, egg, parent, border[-1] << shift)
    else:
        ends = [end << shift for start, end in pairwise(border) if end > start]
        positions = crossovers_with_interference(key, egg, parent, ends, genetic_map.table)
    crossed = [position >> shift for position in positions]
    starts = [start_haplotype(key, egg, parent, c) for c in range(len(border) - 1)]
    carried = []
    for chromosome, locus in zip(genetic_map.chromosome, genetic_map.loci[parent], strict=True):
        # A crossover lies behind every locus whose sub-cell starts at or before it.
        before = sum(border[chromosome] <= crossover < locus for crossover in crossed)
        carried.append((starts[chromosome] + before) % 2)
    return carried


def mutations(key: Key, egg: int, parent: int, mutation: tuple[list[int], list[int]]) -> list[int]:
    """Loci that mutate in a gamete, in order, a locus as often as it is hit.

    The first block of words tells how many sites: a word for each gamete, the dam's first. The following blocks, of
    each gamete's own, have one word a site: the site's share of all words.
    """
    thresholds, locus_of_site = mutation
    count = sum(draw(key, egg, MUTATIONS)[parent] >= threshold for threshold in thresholds)
    words = [draw(key, egg, MUTATIONS, 1 + number // 2, parent)[number % 2] for number in range(count)]
    loci = [locus_of_site[word * len(locus_of_site) // WORD] for word in words]
    return [locus for locus in loci if locus >= 0]


def genome(key: Key, egg: int, genetic_map: GeneticMap, dam: np.ndarray, sire: np.ndarray) -> np.ndarray:
    """Alleles (2, locus) of an egg: the dam's gamete, the sire's gamete. Parents: (2, locus)."""
    gametes = []
    for parent, haplotypes in enumerate((dam, sire)):
        carried = gamete(key, egg, parent, genetic_map)
        alleles = [int(haplotypes[which][locus]) for locus, which in enumerate(carried)]
        for locus in mutations(key, egg, parent, genetic_map.mutation):
            alleles[locus] = 1 - alleles[locus]
        gametes.append(alleles)
    return np.array(gametes, np.uint8).reshape(2, -1)


def genetic_value(
    alleles: np.ndarray, effects: Sequence[int], intercept: int, dominance: Sequence[int] | None = None
) -> int:
    """Intercept + sum of effects x copies of allele 1 + dominance where heterozygous, in as many bits as it takes."""
    total = int(intercept)
    for locus, effect in enumerate(effects):
        dam, sire = int(alleles[0, locus]), int(alleles[1, locus])
        total += int(effect) * (dam + sire)
        if dominance is not None and dam != sire:
            total += int(dominance[locus])
    return total


def bears(key: Key, egg: int, load: int) -> bool:
    """Lives with a genetic load (units of 2**-20) if an exponential variable is at least as large."""
    return exponential_gap(draw(key, egg, FATE)[1] // 2**11) >= load


def as_int32(value: int) -> int:
    """The signed 32-bit integer that is the value modulo 2**32."""
    return (value + 2**31) % WORD - 2**31


def selection_index(phenotypes: Sequence[int], weights: Sequence[int]) -> int:
    """Each trait's weight x phenotype in units of 2**15, rounded down, then added up."""
    return sum(int(w) * int(p) // 2**15 for p, w in zip(phenotypes, weights, strict=True))
