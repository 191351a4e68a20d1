"""The laws of meiosis and of large clutches, at 400,000 gametes, each with the nearest wrong model that must fail.

Keys are fixed. A right model stays within `BOUND` standard errors under practically every key; every wrong
expectation named must lie more than `POWER` standard errors from what was seen.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import pytest
from scipy import special, stats

from jaxbreed import kernels
from jaxbreed.kernels import quantiles
from jaxbreed.kernels.walk import Crossing, Key, fold_crossovers, phase_words
from jaxbreed.verification.extremes import expected_maximum
from jaxbreed.verification.maps import haldane, kosambi, linear

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float64]
BOUND, POWER = 4.5, 5.0
EGGS, LANES = 400_000, 20_000
CLUTCH = 200_000

score = jax.jit(kernels.score)
suffix_tables = jax.jit(kernels.suffix_tables)
hatch = jax.jit(kernels.hatch)


def law(observed: float, expected: float, error: float, *wrong: float) -> None:
    """Within the bound of the expectation, far from every wrong one."""
    assert abs(observed - expected) < BOUND * error, f"z = {(observed - expected) / error:.2f}"
    for other in wrong:
        assert abs(observed - other) > POWER * error, f"{other} is not refuted: z = {(observed - other) / error:.2f}"


def share_law(hits: npt.NDArray[np.bool_], expected: float, *wrong: float) -> None:
    law(float(hits.mean()), expected, math.sqrt(expected * (1 - expected) / hits.size), *wrong)


def variance_law(values: npt.NDArray[np.number], expected: float, *wrong: float) -> None:
    deviation = values - values.mean()
    variance = float((deviation**2).mean())
    law(variance, expected, math.sqrt((float((deviation**4).mean()) - variance**2) / values.size), *wrong)


# Scoring: counts of allele 1 over sets of loci


class Tally:
    """Effects that count allele 1 over named sets of loci, as many sets to an int32 column as fit."""

    def __init__(self, sets: Mapping[str, Sequence[int]], loci: int) -> None:
        self.place: dict[str, tuple[int, int, int]] = {}
        column = used = 0
        for name, members in sets.items():
            bits = (2 * len(members)).bit_length()
            if used + bits > 31:
                column, used = column + 1, 0
            self.place[name] = (column, used, (1 << bits) - 1)
            used += bits
        self.effects = np.zeros((column + 1, loci), np.int64)
        for name, members in sets.items():
            column, shift, _ = self.place[name]
            self.effects[column, np.asarray(members)] += 1 << shift

    def read(self, values: Ints, name: str) -> Ints:
        column, shift, mask = self.place[name]
        return values[column] >> shift & mask


def score_family(effects: Ints, haplotypes: Ints, walk_map: kernels.WalkMap, key: int, eggs: int) -> Ints:
    """Values (column, egg); haplotypes (parent, haplotype, locus)."""
    columns = jnp.asarray(effects, jnp.int32)
    intercept = jnp.zeros(len(effects), jnp.int32)
    tables = suffix_tables(columns, jnp.asarray(haplotypes, jnp.uint8), walk_map, intercept)
    place = family_key(key)
    parts = (jnp.arange(first, first + LANES, dtype=jnp.uint32) for first in range(0, eggs, LANES))
    return np.concatenate([np.asarray(score(tables, walk_map, place, part)) for part in parts], axis=1)


def family_key(number: int) -> Key:
    return jnp.uint32(0x9E3779B9), jnp.uint32(number)


# A map with linkage: a ruler, and two chromosomes of 100 loci evenly spaced that differ between the sexes

RULER = np.array([0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0])
LENGTH = np.array([[1.0, 1.0, 2.0], [1.0, 0.5, 0.0]])  # the male map of the third has no length
CHROMOSOME = np.repeat([0, 1, 2], [RULER.size, 100, 100]).astype(np.int32)
POSITION = np.stack([np.concatenate([RULER, *np.linspace(0, length[1:], 100).T]) for length in LENGTH])
MIXED = np.random.default_rng(7).integers(-1000, 1001, CHROMOSOME.size)  # effects drawn at random
MIXED_PARENTS = np.random.default_rng(8).integers(0, 2, (2, 2, CHROMOSOME.size))
LINKED = Tally(
    {f"ruler {locus}": [locus] for locus in range(RULER.size)}
    | {
        f"chromosome {c}, loci {part}": np.flatnonzero(c == CHROMOSOME)[part::2].tolist()
        for c in (1, 2)
        for part in (0, 1)
    },
    CHROMOSOME.size,
)


@cache
def linkage_map() -> kernels.WalkMap:
    return kernels.build_walk_map(CHROMOSOME, POSITION, LENGTH)


@cache
def linked_values(dam: bool, sire: bool) -> Ints:
    """One clutch, the parents named heterozygous everywhere in coupling and the other without allele 1."""
    haplotypes = np.zeros((2, 2, CHROMOSOME.size), np.int64)
    haplotypes[:, 1] = np.array([[dam], [sire]])
    effects = np.vstack([LINKED.effects, MIXED])
    return score_family(effects, haplotypes, linkage_map(), 1, EGGS)


@cache
def ruler(parent: int) -> npt.NDArray[np.bool_]:
    """Which haplotype the dam's (0) or the sire's (1) gamete carries: (locus, egg)."""
    values = linked_values(parent == 0, parent == 1)
    return np.stack([LINKED.read(values, f"ruler {locus}") for locus in range(RULER.size)]).astype(bool)


@cache
def both_rulers() -> npt.NDArray[np.bool_]:
    return np.concatenate([ruler(0), ruler(1)], axis=1)


@pytest.mark.parametrize("locus", range(1, RULER.size))
def test_recombination_follows_haldane(locus: int) -> None:
    """V1. Wrong: r = d and Kosambi's function (told apart from 5 cM on), and crossovers one interval off."""
    carried, distance = both_rulers(), float(RULER[locus])
    quoted = {0.01: 0.00990, 0.05: 0.04758, 0.1: 0.09063, 0.2: 0.16484, 0.5: 0.31606, 1.0: 0.43233}
    assert haldane(distance) == pytest.approx(quoted[distance], abs=5.1e-6)
    other_functions = (linear(distance), kosambi(distance)) if distance >= 0.05 else ()
    share_law(carried[0] ^ carried[locus], float(haldane(distance)), *map(float, other_functions))
    steps = haldane(np.diff(RULER))
    neighbours = [float(steps[at]) for at in (locus - 2, locus) if 0 <= at < steps.size]
    share_law(carried[locus - 1] ^ carried[locus], float(steps[locus - 1]), *neighbours)


def test_crossovers_do_not_interfere() -> None:
    """V1, V2. Adjacent intervals recombine independently. Wrong: Kosambi's coincidence 2 r, and none at all."""
    carried = both_rulers()
    for locus in range(3, RULER.size - 1):
        left, right = (haldane(RULER[at + 1] - RULER[at]) for at in (locus - 1, locus))
        both = (carried[locus - 1] ^ carried[locus]) & (carried[locus] ^ carried[locus + 1])
        whole = kosambi(RULER[locus + 1] - RULER[locus - 1])
        share_law(both, float(left * right), float(left * right * 2 * whole), 0.0)


def test_gaps_are_exponential() -> None:
    """V2. All 2**21 gaps there are: mean and variance 1, -ln u to 2e-5. Wrong: a base-2 logarithm, 24 bits more."""
    words = np.arange(2**21)
    gaps = np.asarray(quantiles.exponential_gap(jnp.asarray(words, jnp.uint32))) / 2**20
    exact = -np.log((2 * words + 1) / 2**22)
    assert np.abs(gaps - exact).max() < 2e-5
    assert gaps.mean() == pytest.approx(1.0, abs=2e-6)
    assert gaps.var() == pytest.approx(1.0, abs=2e-5)
    assert (np.diff(gaps) <= 0).all()
    assert gaps.max() > 15.0


@cache
def crossover_counts() -> Ints:
    """Crossovers (parent, chromosome, egg) on the chromosomes of the linkage map, the last of them excepted."""
    walk_map = linkage_map()
    border = walk_map.chromosome_slot

    def visit(counts: jax.Array, crossing: Crossing) -> jax.Array:
        chromosome = (crossing.slot[:, None] >= border[:, 1:, None]).sum(1)  # 0, 1, or 2 for all that is behind
        return counts + (chromosome[:, None] == jnp.arange(2)[:, None])

    @jax.jit
    def count(eggs: jax.Array) -> jax.Array:
        key, none = family_key(2), jnp.zeros((2, 2, eggs.size), jnp.int32)
        return fold_crossovers(key, eggs, walk_map, phase_words(key, eggs, walk_map.chromosomes), visit, none)

    parts = (jnp.arange(first, first + LANES, dtype=jnp.uint32) for first in range(0, EGGS, LANES))
    return np.concatenate([np.asarray(count(part)) for part in parts], axis=-1)


@pytest.mark.parametrize(("parent", "chromosome"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_crossover_counts_are_poisson(parent: int, chromosome: int) -> None:
    """V2. Mean and variance are the length. Wrong: the other sex's map, and one crossover at most an interval.

    Of the 10 intervals of 10 cM a walk from locus to locus would cross each with chance r: a binomial count, of lower
    mean and under-dispersed. An obligate crossover would leave no gamete without any.
    """
    counts, length = crossover_counts()[parent, chromosome], float(LENGTH[parent, chromosome])
    chance = float(haldane(0.1))
    intervals = length / 0.1
    other = [float(LENGTH[1 - parent, chromosome])] if chromosome else []
    law(float(counts.mean()), length, math.sqrt(length / EGGS), intervals * chance, *other)
    # The variance of a Poisson sample's variance: fourth central moment L + 3 L**2.
    error = math.sqrt((length + 2 * length**2) / EGGS)
    law(float(counts.var()), length, error, intervals * 0.1 * 0.9, intervals * chance * (1 - chance), *other)
    share_law(counts == 0, math.exp(-length), 0.9**intervals, 0.0)
    several = np.bincount(np.minimum(counts, 6), minlength=7)
    chances = stats.poisson.pmf(range(6), length)
    chi_square = stats.chisquare(several, EGGS * np.append(chances, 1 - chances.sum()))
    assert chi_square.pvalue > 1e-6


def test_alleles_segregate_one_to_one_and_one_to_two_to_one() -> None:
    """V3. Wrong: 51 % for one haplotype; the same gamete from both parents (1:0:1); 1:1:1."""
    for carried in (ruler(0), ruler(1)):
        for locus in carried:
            share_law(locus, 0.5, 0.49, 0.51)
    both = linked_values(True, True)
    for locus in range(RULER.size):
        copies = LINKED.read(both, f"ruler {locus}")
        share_law(copies == 1, 0.5, 0.0, 1 / 3)
        for homozygous in (0, 2):
            share_law(copies == homozygous, 0.25, 0.5, 1 / 3)
    assert (both[:-1] == linked_values(True, False)[:-1] + linked_values(False, True)[:-1]).all()


def test_gametes_of_dam_and_sire_are_independent() -> None:
    """V4. Wrong: one gamete, or one set of crossovers, for both parents."""
    dam, sire = ruler(0), ruler(1)
    for locus in range(RULER.size):
        share_law(dam[locus] ^ sire[locus], 0.5, 0.0, 1.0)
        recombinant = dam[0] ^ dam[locus], sire[0] ^ sire[locus]
        r = float(haldane(RULER[locus]))
        if locus:
            share_law(recombinant[0] & recombinant[1], r * r, r)


VARIANCES = {  # length in Morgans: coupling, repulsion
    0.5: (1834.2, 0.206),
    1.0: (1412.5, 0.361),
    2.0: (936.8, 0.628),
}


@pytest.mark.parametrize(("parent", "chromosome"), [(0, 1), (0, 2), (1, 1)])
def test_gamete_variance_shows_linkage(parent: int, chromosome: int) -> None:
    """V5. 1/4 sum_ij d_i d_j (1 - 2 r_ij), 100 equal loci. Wrong: unlinked (25), other map functions, the other sex.

    Kosambi's function and Haldane's give repulsion variances too close to tell apart on two Morgans.
    """
    values = linked_values(parent == 0, parent == 1)
    even, odd = (LINKED.read(values, f"chromosome {chromosome}, loci {part}") for part in (0, 1))
    place = POSITION[:, chromosome == CHROMOSOME]
    sign = np.resize([1, -1], 100)

    def variance(effects: Ints, function: Callable[[Floats], Floats], sex: int = parent) -> float:
        distance = np.abs(place[sex][:, None] - place[sex])
        return float(effects @ (1 - 2 * function(distance)) @ effects) / 4

    coupling, repulsion = VARIANCES[float(LENGTH[parent, chromosome])]
    one = np.ones(100, np.int64)
    assert variance(one, haldane) == pytest.approx(coupling, abs=0.051)
    assert variance(sign, haldane) == pytest.approx(repulsion, abs=5.1e-4)
    law(float((even + odd).mean()), 50.0, math.sqrt(coupling / EGGS), 49.0)
    others = (variance(one, kosambi), variance(one, linear), variance(one, haldane, 1 - parent), 25.0)
    variance_law(even + odd, variance(one, haldane), *others)
    functions = (linear,) if chromosome == 2 else (linear, kosambi)
    others = (*(variance(sign, function) for function in functions), variance(sign, haldane, 1 - parent), 25.0)
    variance_law(even - odd, variance(sign, haldane), *others)


def test_no_recombination_where_the_male_map_has_no_length() -> None:
    """V4. All loci of such a chromosome go together. Wrong: the dam's map used for the sire."""
    values = linked_values(False, True)
    even, odd = (LINKED.read(values, f"chromosome 2, loci {part}") for part in (0, 1))
    assert (even == odd).all()
    assert set(np.unique(even)) == {0, 50}
    share_law(even == 50, 0.5, 0.49)
    dams = LINKED.read(linked_values(True, False), "chromosome 2, loci 0")
    share_law((dams > 0) & (dams < 50), 1 - float(1 - haldane(4 / 99)) ** 49, 0.0)


def test_a_given_family_has_the_mean_and_variance_of_its_parents() -> None:
    """V6. Random effects and haplotypes. Wrong: no linkage, each parent on the other's map, one parent only."""
    effects = np.vstack([np.zeros_like(LINKED.effects), MIXED])
    values = score_family(effects, MIXED_PARENTS, linkage_map(), 3, EGGS)[-1]
    parents = (MIXED_PARENTS @ MIXED).sum(1)
    difference = MIXED * (MIXED_PARENTS[:, 1] - MIXED_PARENTS[:, 0])  # (parent, locus)
    same = CHROMOSOME[:, None] == CHROMOSOME
    correlation = [same * (1 - 2 * haldane(np.abs(place[:, None] - place))) for place in POSITION]
    part = [[float(d @ c @ d) / 4 for c in correlation] for d in difference]  # [parent][map]
    expected = part[0][0] + part[1][1]
    law(float(values.mean()), float(parents.mean()), math.sqrt(expected / EGGS), *map(float, parents))
    unlinked = float((difference**2).sum()) / 4
    variance_law(values, expected, unlinked, part[0][1] + part[1][0], part[0][0], part[1][1])


# A map of 100 chromosomes with a locus at each end; every tenth chromosome has no length

SMALL = 100
SMALL_LENGTH = np.where(np.arange(SMALL) % 10 == 9, 0.0, 0.02)
ENDS = np.repeat(np.arange(SMALL), 2).astype(np.int32)
# Sets of unlinked loci, one a chromosome; sets of the same size share no locus and so are clutches of their own.
UNLINKED_SETS = {
    f"{size} loci, set {number}": range(2 * size * number, 2 * size * (number + 1), 2)
    for size, sets in ((5, 1), (10, 6), (20, 5), (50, 2), (100, 1))
    for number in range(sets)
}
UNLINKED = Tally(UNLINKED_SETS, 2 * SMALL)


@cache
def small_map() -> kernels.WalkMap:
    place = np.stack([np.zeros(SMALL), SMALL_LENGTH], axis=1).reshape(-1)
    return kernels.build_walk_map(ENDS, np.stack([place, place]), np.stack([SMALL_LENGTH, SMALL_LENGTH]))


def test_chromosomes_assort_independently() -> None:
    """V4. All pairs of loci of both gametes, hatched. Wrong: a chromosome linked to the end of the one before.

    With 400 loci there are 80,000 pairs, so each has a bound of six standard errors. A phase bit used twice, for two
    chromosomes or for both parents, would show as a pair that never recombines.
    """
    part, eggs = 25_000, EGGS // 2
    parent = jnp.broadcast_to(jnp.arange(2, dtype=jnp.uint8)[:, None], (part, 2, 2 * SMALL))
    keys = jnp.broadcast_to(jnp.stack(family_key(4)), (part, 2))
    parts = (jnp.arange(first, first + part, dtype=jnp.uint32) for first in range(0, eggs, part))
    young = [np.asarray(hatch(small_map(), keys, numbers, parent, parent)).reshape(part, -1).T for numbers in parts]
    alleles = np.ascontiguousarray(np.concatenate(young, axis=1))  # (locus of the dam's gamete, then the sire's; egg)
    carried = np.packbits(alleles, axis=1).view(np.uint64)
    recombined = np.stack([np.bitwise_count(carried ^ locus).sum(1, dtype=np.int64) for locus in carried]) / eggs
    expected = 0.5 * (1 - np.kron(np.eye(2 * SMALL), np.ones((2, 2))))
    first, last = np.arange(0, 4 * SMALL, 2), np.arange(1, 4 * SMALL, 2)
    expected[first, last] = expected[last, first] = np.tile(haldane(SMALL_LENGTH), 2)
    error = np.sqrt(expected * (1 - expected) / eggs)
    assert (np.abs(recombined - expected) <= 6 * error).all()  # and exactly none without length
    previous = recombined[last[:-1], first[1:]]  # the last locus of a chromosome and the first of the next
    for wrong in (0.0, 0.49):
        assert (np.abs(previous - wrong) > POWER * math.sqrt(0.25 / eggs)).all()
    some = np.flatnonzero(expected[first, last])
    assert (recombined[first, last][some] > POWER * error[first, last][some]).all()  # wrong: none on any chromosome


@cache
def families() -> tuple[Floats, Floats, float]:
    """Means and variances of 100 families of parents drawn in linkage equilibrium, and the founders' VA."""
    rng = np.random.default_rng(11)
    effects, frequency = rng.integers(-1000, 1001, 2 * SMALL), rng.uniform(0.1, 0.9, 2 * SMALL)
    columns = np.zeros_like(UNLINKED.effects)
    columns[0] = effects
    values = [
        score_family(columns, rng.uniform(size=(2, 2, 2 * SMALL)) < frequency, small_map(), 100 + family, LANES)[0]
        for family in range(100)
    ]
    additive = float((2 * frequency * (1 - frequency) * effects.astype(np.float64) ** 2).sum())
    return np.array([v.mean() for v in values]), np.array([v.var() for v in values]), additive


def test_full_sibs_show_half_the_additive_variance() -> None:
    """V6. Half of VA within families, half between. Wrong: all of it, or one parent's quarter."""
    means, variances, additive = families()
    error = float(variances.std(ddof=1)) / math.sqrt(variances.size)
    law(float(variances.mean()), additive / 2, error, additive, additive / 4)
    error = additive / 2 * math.sqrt(2 / (means.size - 1))
    law(float(means.var(ddof=1)), additive / 2, error, additive, 0.0)


# Extremes


def test_clutch_extreme_of_normal_deviates() -> None:
    """V7. 1,200 clutches of 200,000. Wrong: 120,000 eggs, or the quantile at 1/n for the mean of the maximum.

    The deviates beyond 5 and 5.1 SD are counted as well: uniforms of few bits have none.
    """
    noise = kernels.Noise(jnp.eye(2, dtype=jnp.int32) << 14, jnp.zeros(2, jnp.int32))  # units of 2**-14 SD
    limits = (5.0, 5.1)

    @jax.jit
    def extremes(numbers: jax.Array) -> tuple[jax.Array, jax.Array]:
        def one(number: jax.Array) -> tuple[jax.Array, jax.Array]:
            key = jnp.uint32(5), number
            deviate = kernels.environment(key, jnp.arange(CLUTCH, dtype=jnp.uint32), noise)
            beyond = [(jnp.abs(deviate) >= round(limit * 2**14)).sum() for limit in limits]
            return deviate.max(-1), jnp.stack(beyond)

        return jax.lax.map(one, numbers)

    largest, beyond = (np.asarray(found) for found in extremes(jnp.arange(600, dtype=jnp.uint32)))
    maxima = largest.reshape(-1) / 2**14
    mean, deviation = expected_maximum(CLUTCH)
    assert mean == pytest.approx(4.5335, abs=5e-4)
    quantile = -float(special.ndtri(1 / CLUTCH))
    law(float(maxima.mean()), mean, deviation / math.sqrt(maxima.size), expected_maximum(120_000)[0], quantile)
    for limit, seen in zip(limits, beyond.sum(0), strict=True):
        wanted = 2 * maxima.size * CLUTCH * float(special.ndtr(-limit))
        law(float(seen), wanted, math.sqrt(wanted), 0.0)


def test_normal_deviates_are_exact_in_the_far_tail() -> None:
    """V7. Every deviate beyond 5 SD, and a sample of the rest. Wrong: 24-bit uniforms, which end at 5.4 SD."""
    sample = np.random.default_rng(12).integers(0, 2**31, 200_000)
    for v in (np.arange(1400), sample):
        upper = np.asarray(quantiles.normal_deviate(jnp.asarray(v, jnp.uint32))) / 2**20
        lower = np.asarray(quantiles.normal_deviate(jnp.asarray(v + 2**31, jnp.uint32))) / 2**20
        np.testing.assert_array_equal(lower, -upper)
        assert np.abs(upper + special.ndtri((2 * v + 1) / 2**33)).max() < 2e-5
    furthest = float(quantiles.normal_deviate(jnp.uint32(0))) / 2**20
    assert furthest == pytest.approx(-special.ndtri(2.0**-33), abs=1e-5)
    assert furthest > -special.ndtri(2.0**-25) + 0.5


@cache
def coin_clutches() -> Ints:
    """Clutches of 200,000 eggs of parents heterozygous everywhere: (clutch, column, egg)."""
    parents = np.zeros((2, 2, 2 * SMALL), np.int64)
    parents[:, 1] = 1
    clutches = range(1000, 1015)
    return np.stack([score_family(UNLINKED.effects, parents, small_map(), clutch, CLUTCH) for clutch in clutches])


@pytest.mark.parametrize(("loci", "quoted"), [(5, 3.162), (10, 4.094), (20, 4.333), (50, 4.457), (100, 4.496)])
def test_few_loci_are_a_ceiling(loci: int, quoted: float) -> None:
    """V8. The best of 200,000 sums of 2 L fair coins. Wrong: normal gametes; half the coins.

    With 50 loci and more the normal value is too near to be told apart by so few clutches. Five loci and 200,000 eggs
    reach the ceiling in every clutch.
    """
    copies = np.arange(2 * loci + 1)
    chance = np.diff(stats.binom.cdf(copies, 2 * loci, 0.5) ** CLUTCH, prepend=0.0)
    scaled = (copies - loci) / math.sqrt(loci / 2)
    mean = float(chance @ scaled)
    deviation = math.sqrt(max(float(chance @ scaled**2) - mean**2, 0.0))
    assert mean == pytest.approx(quoted, abs=5.1e-4)
    values = coin_clutches()
    sets = [name for name in UNLINKED_SETS if name.startswith(f"{loci} loci")]
    best = np.array([[UNLINKED.read(clutch, name).max() for name in sets] for clutch in values])
    observed = float(((best - loci) / math.sqrt(loci / 2)).mean())
    if loci == 5:
        assert (best == 10).all()
        return
    halved = np.diff(stats.binom.cdf(np.arange(loci + 1), loci, 0.5) ** CLUTCH, prepend=0.0)
    one_parent = float(halved @ (np.arange(loci + 1) - loci / 2)) / math.sqrt(loci / 2)
    normal = [expected_maximum(CLUTCH)[0]] if loci <= 20 else []
    law(observed, mean, deviation / math.sqrt(best.size), one_parent, *normal)
