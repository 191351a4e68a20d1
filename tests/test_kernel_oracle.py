"""The XLA kernels return the oracle's integers, to the bit, whatever the map, the chunking and the device."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from oracle import egg as oracle

from jaxbreed import kernels
from jaxbreed.kernels import quantiles, topk
from jaxbreed.kernels.walk import Key

Ints = npt.NDArray[np.integer]
KEYS: tuple[tuple[int, int], ...] = ((0x243F6A88, 0x85A308D3), (0, 0xFFFFFFFF))
AWKWARD_EGGS = [0, 1, 63, 64, 399_999, 2**31 - 1, 2**31, 2**31 + 1, 3_000_000_019, 2**32 - 1]

suffix_tables = jax.jit(kernels.suffix_tables)
score = jax.jit(kernels.score)
hatch = jax.jit(kernels.hatch)
sweep = jax.jit(kernels.sweep)


def as_key(key: tuple[int, int]) -> Key:
    return jnp.uint32(key[0]), jnp.uint32(key[1])


def numbers(eggs: Sequence[int]) -> jax.Array:
    return jnp.asarray(np.array(eggs, np.uint32))


# Words and deviates


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_published_words(
    key: tuple[int, int], counter: tuple[int, int], words: tuple[int, int]
) -> None:
    """Known-answer vectors of Random123 (kat_vectors, threefry2x32 20 rounds), for oracle and kernel."""
    assert oracle.threefry2x32(key, counter) == words
    assert tuple(int(word) for word in kernels.threefry2x32(key, *map(jnp.uint32, counter))) == words


def test_threefry_equals_the_oracle() -> None:
    words = np.random.default_rng(1).integers(0, 2**32, (4, 300), dtype=np.uint64)
    found = kernels.threefry2x32(*((numbers(words[0]), numbers(words[1])), numbers(words[2]), numbers(words[3])))
    wanted = [oracle.threefry2x32((int(a), int(b)), (int(c), int(d))) for a, b, c, d in words.T]
    np.testing.assert_array_equal(np.stack(found, -1), wanted)


def edges(bits: int) -> list[int]:
    """Words whose octave, cell or fraction is about to change, and random ones."""
    powers = [2**bit + step for bit in range(bits) for step in (-1, 0, 1)]
    cells = [(2**bits - 1) * part // 512 + step for part in range(513) for step in (-1, 0, 1)]
    chance = np.random.default_rng(2).integers(0, 2**bits, 3000).tolist()
    return [int(word) for word in powers + cells + chance if 0 <= word < 2**bits]


def test_gaps_equal_the_oracle() -> None:
    words = edges(21)
    assert 2**21 - 1 in words
    found = quantiles.exponential_gap(numbers(words))
    np.testing.assert_array_equal(found, [oracle.exponential_gap(word) for word in words])


def test_normal_deviates_equal_the_oracle() -> None:
    words = edges(32) + [word + 2**31 for word in edges(31)]
    assert {0, 2**31 - 1, 2**31, 2**32 - 1} <= set(words)
    found = quantiles.normal_deviate(numbers(words))
    np.testing.assert_array_equal(found, [oracle.normal_deviate(word) for word in words])


# Fate


@pytest.mark.parametrize("key", KEYS)
def test_fate_equals_the_oracle(key: tuple[int, int]) -> None:
    eggs = AWKWARD_EGGS + list(range(500, 700))
    words, place = numbers(eggs), as_key(key)
    for survival in (1.0, 0.3, 0.01, 0.0):
        threshold = kernels.survival_threshold(survival)
        assert threshold + 1 == max(1, round(survival * 2**32))  # the chance of survival, never quite none
        alive = kernels.survives(place, words, jnp.uint32(threshold))
        np.testing.assert_array_equal(alive, [oracle.survives(key, egg, threshold) for egg in eggs])
    for alternate in (True, False):
        sexes = kernels.sex(place, words, alternate)
        np.testing.assert_array_equal(sexes, [oracle.sex(key, egg, alternate) for egg in eggs])
    np.testing.assert_array_equal(kernels.identity(place, words), [oracle.identity(key, egg) for egg in eggs])


def test_family_keys_equal_the_oracle_and_hang_on_every_name() -> None:
    names = np.random.default_rng(3).integers(0, 2**32, (3, 20, 2), dtype=np.uint32)
    generation, dam, sire = names.tolist()
    found = np.asarray(kernels.family_key(*map(jnp.asarray, names)))
    wanted = [oracle.family_key(tuple(g), tuple(d), tuple(s)) for g, d, s in zip(generation, dam, sire, strict=True)]
    np.testing.assert_array_equal(found, wanted)
    swapped = kernels.family_key(*(jnp.asarray(names[which]) for which in (0, 2, 1)))
    assert not (found == np.asarray(swapped)).all(-1).any()  # dam x sire is not sire x dam


@pytest.mark.parametrize("traits", [1, 2, 5])
def test_environment_equals_the_oracle(traits: int) -> None:
    """Odd numbers of traits leave half a word pair; shifts from the smallest to 2**30 score units."""
    rng = np.random.default_rng(traits)
    eggs = AWKWARD_EGGS + rng.integers(0, 2**32, 90).tolist()
    mantissa = rng.integers(-(2**15 // traits) + 1, 2**15 // traits, (traits, traits)).astype(np.int32)
    mantissa[0] = 0
    mantissa[0, -1] = 2**15 - 1  # the largest there is
    for shift in ([-12, 0, 11, 12, 13], [12, 5, -3, 1, 0]):
        noise = kernels.Noise(jnp.asarray(mantissa), jnp.asarray(shift[:traits], jnp.int32))
        found = kernels.environment(as_key(KEYS[0]), numbers(eggs), noise)
        wanted = [oracle.environment(KEYS[0], egg, mantissa.tolist(), shift[:traits]) for egg in eggs]
        np.testing.assert_array_equal(found, np.transpose(wanted))


def test_noise_is_the_root_of_the_covariance_to_one_part_in_2_14() -> None:
    rng = np.random.default_rng(5)
    for scale in (1.0, 300.0, 2.0**24):
        root = np.tril(rng.normal(size=(4, 4))) * scale
        root[2] = 0.0  # a trait without noise
        noise = kernels.build_noise(root)
        mantissa, unit = np.asarray(noise.mantissa, np.int64), 2.0 ** np.asarray(noise.shift, np.float64)
        total = np.abs(root).sum(1, keepdims=True)
        assert (np.abs(mantissa * unit[:, None] - root) <= np.maximum(total * 2.0**-14, 2.0**-13)).all()
        assert (np.abs(mantissa).sum(1) < 2**15).all()
        assert not mantissa[2].any()


def test_selection_index_is_exact() -> None:
    """int32 products would overflow: compared with Python's own integers at the largest values allowed."""
    rng = np.random.default_rng(6)
    for weight in ([2**14], [-(2**14)], [1], [0, 0], [2**13, -(2**13)], [9000, -7383, 1], [-1, -1, -16382]):
        phenotypes = rng.integers(-(2**30) + 1, 2**30, (len(weight), 400))
        phenotypes[:, :4] = np.array([2**30 - 1, -(2**30) + 1, -1, 0])
        phenotypes[:, 4:50] >>= 20
        found = kernels.selection_index(jnp.asarray(phenotypes, jnp.int32), jnp.asarray(weight, jnp.int32))
        wanted = [oracle.selection_index(column, weight) for column in phenotypes.T]
        np.testing.assert_array_equal(found, wanted)
        rank = topk.rank_of(found, jnp.ones(400, bool))
        np.testing.assert_array_equal(topk.index_of(rank), wanted)
        as_float = np.asarray(rank).view(np.float32)
        assert np.isfinite(as_float).all()
        assert (as_float >= np.finfo(np.float32).tiny).all()
        np.testing.assert_array_equal(np.argsort(as_float, kind="stable"), np.argsort(wanted, kind="stable"))


# Genomes and genetic values


@dataclass(frozen=True)
class Cross:
    """A map, two pairs of parents and score columns, drawn at random."""

    chromosome: Ints
    position: npt.NDArray[np.float64]
    length: npt.NDArray[np.float64]
    effects: Ints
    intercept: Ints
    haplotypes: npt.NDArray[np.uint8]  # (family, parent, haplotype, locus)

    @property
    def loci(self) -> int:
        return len(self.chromosome)

    @property
    def walk_map(self) -> kernels.WalkMap:
        return kernels.build_walk_map(self.chromosome, self.position, self.length)

    @property
    def oracle_map(self) -> oracle.GeneticMap:
        return oracle.GeneticMap(self.chromosome, self.position, self.length, self.walk_map.sub_bits)

    def tables(self, walk_map: kernels.WalkMap, family: int) -> kernels.SuffixTables:
        effects, intercept = jnp.asarray(self.effects, jnp.int32), jnp.asarray(self.intercept, jnp.int32)
        return suffix_tables(effects, jnp.asarray(self.haplotypes[family]), walk_map, intercept)

    def values(self, alleles: Ints) -> Ints:
        """Scores genomes (..., 2, locus) directly: int64 (column, ...)."""
        copies = alleles.astype(np.int64).sum(-2)
        return np.moveaxis(copies @ self.effects.T.astype(np.int64) + self.intercept, -1, 0)


def make_cross(
    seed: int,
    length: npt.ArrayLike,
    loci: Sequence[int],
    columns: int = 1,
    places: int = 0,
    largest: int = 2**20,
) -> Cross:
    """Draws loci (so many a chromosome) on a map of length (2, chromosome); `places` > 0 makes them share places."""
    rng = np.random.default_rng(seed)
    morgans = np.asarray(length, np.float64)
    chromosome = np.repeat(np.arange(len(loci)), loci).astype(np.int32)
    fraction = rng.uniform(size=(2, chromosome.size))
    fraction[rng.uniform(size=fraction.shape) < 0.1] = 0.0
    fraction[rng.uniform(size=fraction.shape) < 0.1] = 1.0
    if places:
        fraction = np.rint(fraction * places) / places
    position = np.sort(fraction + chromosome * 2, axis=1) - chromosome * 2
    position = np.clip(position, 0.0, 1.0) * morgans[:, chromosome]
    effects = rng.integers(-largest, largest + 1, (columns, chromosome.size))
    intercept = rng.integers(-largest, largest + 1, columns)
    haplotypes = rng.integers(0, 2, (2, 2, 2, chromosome.size)).astype(np.uint8)
    return Cross(chromosome, position, morgans, effects, intercept, haplotypes)


def uneven(seed: int, chromosomes: int, mean: float) -> npt.NDArray[np.float64]:
    """Different female and male lengths."""
    return np.random.default_rng(seed).uniform(0.0, 2.0 * mean, (2, chromosomes))


def some_without_length() -> npt.NDArray[np.float64]:
    """Of 64 chromosomes the first and the last and some between have no length in one sex or both."""
    length = uneven(12, 64, 0.5)
    length[0, [0, 5, 6, 63]] = 0.0
    length[1, [0, 6, 7, 32, 63]] = 0.0
    return length


CROSSES: dict[str, tuple[Cross, int]] = {
    "one egg, one locus, no map length": (make_cross(10, np.zeros((2, 3)), [0, 1, 0]), 1),
    "one long chromosome": (make_cross(11, [[30.0], [12.0]], [300], columns=2), 24),
    "64 chromosomes, some without length, shared positions, int32 extremes": (
        make_cross(12, some_without_length(), [9] * 64, columns=2, places=6, largest=2**31 - 1),
        65,
    ),
    "200 chromosomes, some without loci, 1,000 Morgans": (
        make_cross(13, [[5.0] * 200, [3.0] * 200], [0, 1, 2, 3] * 50),
        3,
    ),
}


@pytest.mark.parametrize("name", CROSSES)
def test_score_and_hatch_equal_the_oracle(name: str) -> None:
    """Two families at once, so that a key or a parent taken from the wrong family fails."""
    cross, count = CROSSES[name]
    rng = np.random.default_rng(len(name))
    eggs = [*AWKWARD_EGGS, *range(7, 13), *rng.integers(0, 2**32, 60).tolist()][-count:]
    walk_map, oracle_map = cross.walk_map, cross.oracle_map
    wanted = np.array(
        [
            [oracle.genome(key, egg, oracle_map, *cross.haplotypes[family]) for egg in eggs]
            for family, key in enumerate(KEYS)
        ]
    )
    for family, key in enumerate(KEYS):
        found = score(cross.tables(walk_map, family), walk_map, as_key(key), numbers(eggs))
        values = [
            [oracle.as_int32(oracle.genetic_value(alleles, effects, intercept)) for alleles in wanted[family]]
            for effects, intercept in zip(cross.effects, cross.intercept, strict=True)
        ]
        np.testing.assert_array_equal(found, values)
    family = np.repeat([0, 1], count)
    order = rng.permutation(2 * count)
    keys, parents = np.array(KEYS, np.uint32)[family][order], cross.haplotypes[family][order]
    young = hatch(
        walk_map,
        jnp.asarray(keys),
        jnp.tile(numbers(eggs), 2)[order],
        jnp.asarray(parents[:, 0]),
        jnp.asarray(parents[:, 1]),
    )
    np.testing.assert_array_equal(young, wanted.reshape(2 * count, 2, cross.loci)[order])


def test_hatching_no_eggs_gives_none() -> None:
    cross, _ = CROSSES["one egg, one locus, no map length"]
    parents = jnp.zeros((0, 2, cross.loci), jnp.uint8)
    none = hatch(cross.walk_map, jnp.zeros((0, 2), jnp.uint32), jnp.zeros(0, jnp.uint32), parents, parents)
    assert none.shape == (0, 2, cross.loci)


@pytest.mark.parametrize(("morgans", "finest"), [(0.0, 2.0**-20), (1.0, 2e-6), (30.0, 6.2e-5), (1000.0, 2e-3)])
def test_sub_cells_are_finer_than_any_map_is_known(morgans: float, finest: float) -> None:
    """In Morgans; positions have 20 bits, so nothing can be finer than that."""
    walk_map = kernels.build_walk_map(np.zeros(1, np.int32), np.zeros((2, 1)), np.full((2, 1), morgans))
    assert 2.0**-20 <= 2.0**-walk_map.sub_bits <= finest


def test_maps_beyond_the_integers_are_refused() -> None:
    one = np.zeros(1, np.int32), np.zeros((2, 1))
    with pytest.raises(ValueError, match="251 chromosomes"):
        kernels.build_walk_map(*one, np.ones((2, 251)))
    with pytest.raises(ValueError, match=r"1000\.5 Morgans"):
        kernels.build_walk_map(*one, np.full((2, 1), 1000.5))


# The sweep against brute force

TRAITS = 2
FAMILY = make_cross(20, [[0.9, 0.0, 0.4, 1.2], [0.5, 0.7, 0.0, 1.6]], [9, 4, 5, 8], columns=TRAITS, places=40)
KEY = KEYS[0]
BROOD = 2500
MANTISSA, SHIFT = ((21000, -9000), (4000, 17000)), (7, 8)
WEIGHT = (11000, -5000)


@cache
def family_map() -> kernels.WalkMap:
    return FAMILY.walk_map


@cache
def family_tables() -> kernels.SuffixTables:
    return FAMILY.tables(family_map(), 0)


def make_assay(
    lanes: int,
    screened: int,
    kept: int,
    alternate: bool,
    survival: float = 1.0,
    weight: Sequence[int] = WEIGHT,
    unit: Sequence[int] = (13, 13, 13, 13),
) -> kernels.Assay:
    return kernels.Assay(
        weight=jnp.asarray(weight, jnp.int32),
        noise=kernels.Noise(jnp.asarray(MANTISSA, jnp.int32), jnp.asarray(SHIFT, jnp.int32)),
        unit=jnp.asarray(unit, jnp.int32),
        survival=jnp.uint32(kernels.survival_threshold(survival)),
        lanes=lanes,
        screened=screened,
        kept=kept,
        alternate_sexes=alternate,
    )


def run_sweep(eggs: int, capacity: int, assay: kernels.Assay) -> kernels.Tested:
    return sweep(family_tables(), family_map(), as_key(KEY), jnp.int32(eggs), jnp.int32(capacity), assay)


@dataclass(frozen=True)
class Brood:
    """What the oracle knows of the eggs 0, 1, 2, ..."""

    genetic: Ints  # (egg, trait)
    phenotype: Ints
    fate: Ints  # (egg,) word of survival
    coin: Ints  # (egg,) sex by a fair coin


@cache
def brood() -> Brood:
    oracle_map = FAMILY.oracle_map
    eggs = range(BROOD)
    alleles = np.array([oracle.genome(KEY, egg, oracle_map, *FAMILY.haplotypes[0]) for egg in eggs])
    genetic = FAMILY.values(alleles).T
    noise = np.array([oracle.environment(KEY, egg, MANTISSA, SHIFT) for egg in eggs])
    fate = np.array([oracle.draw(KEY, egg, oracle.FATE)[0] for egg in eggs])
    return Brood(genetic, genetic + noise, fate, np.array([oracle.sex(KEY, egg, False) for egg in eggs]))


def best_of(index: Sequence[int], eggs: Sequence[int], sexes: Sequence[int], kept: int) -> tuple[Ints, Ints]:
    """The best of each sex, ties to the lower egg number; places nobody takes are empty."""
    rank, number = np.full((2, kept), topk.ABSENT), np.zeros((2, kept), np.int64)
    for which in (0, 1):
        ordered = sorted((-i, egg) for i, egg, sex in zip(index, eggs, sexes, strict=True) if sex == which)[:kept]
        for place, (worst, egg) in enumerate(ordered):
            rank[which, place], number[which, place] = 2**30 - worst, egg
    return rank, number


def sums_of(values: Ints, centre: Sequence[int], unit: Sequence[int]) -> tuple[Ints, Ints]:
    """Sums of q and of products, q = (value - centre) / 2**unit rounded half up and cut off at 2**14 - 1."""
    q = np.clip(np.floor((values - np.array(centre)) / 2.0 ** np.array(unit) + 0.5), -16383, 16383).astype(np.int64)
    return q.sum(0), q.T @ q


def check_sweep(result: kernels.Tested, eggs: int, capacity: int, assay: kernels.Assay) -> None:
    known, everyone = brood(), np.arange(eggs)
    living = everyone if not assay.screened else everyone[known.fate[:eggs] <= int(assay.survival)]
    tested = living[:capacity]
    sexes = tested % 2 if assay.alternate_sexes else known.coin[tested]
    weight, unit = np.asarray(assay.weight).tolist(), np.asarray(assay.unit).tolist()
    index = [oracle.selection_index(known.phenotype[egg], weight) for egg in tested]
    rank, number = best_of(index, tested.tolist(), sexes.tolist(), assay.kept)
    assert int(result.survivors) == len(living)
    assert int(result.moments.count) == len(tested)
    np.testing.assert_array_equal(result.rank, rank)
    np.testing.assert_array_equal(result.egg, number)
    # Centre: the parents' first haplotypes plus half of what their second ones would change, rounded down.
    dam, sire = FAMILY.haplotypes[0].astype(np.int64)
    middle = [
        int(intercept + effects @ (dam[0] + sire[0]) + (effects @ (dam[1] - dam[0]) >> 1))
        + int(effects @ (sire[1] - sire[0]) >> 1)
        for effects, intercept in zip(FAMILY.effects, FAMILY.intercept, strict=True)
    ]
    assert np.asarray(result.centre).tolist() == 2 * middle
    first, products = sums_of(np.hstack([known.genetic, known.phenotype])[tested], 2 * middle, unit)
    np.testing.assert_array_equal(result.moments.first, first)
    high, low = np.asarray(result.moments.high, np.int64), np.asarray(result.moments.low, np.int64)
    lower = np.tril_indices(len(unit))  # products are summed once for each pair
    np.testing.assert_array_equal((high * 2**14 + low)[lower], products[lower])


UNSCREENED = partial(make_assay, lanes=100, screened=0, kept=20, alternate=True)
WHOLE_BLOCKS = partial(make_assay, lanes=1024, screened=1024, kept=20, alternate=True)
BROKEN_BLOCKS = partial(make_assay, lanes=37, screened=500, kept=50, alternate=False)
ASSAYS = {"unscreened": UNSCREENED, "whole blocks": WHOLE_BLOCKS, "broken blocks": BROKEN_BLOCKS}


@pytest.mark.parametrize("assay", ASSAYS.values(), ids=ASSAYS)
def test_sweep_of_everyone_equals_brute_force(assay: partial[kernels.Assay]) -> None:
    """Whole chunks, broken chunks, one egg, no eggs, no capacity; moments that fit and moments that are cut off."""
    for eggs, capacity in ((BROOD, BROOD), (1, 10), (0, 10), (101, 100), (1024, 5000), (9, 0)):
        check_sweep(run_sweep(eggs, capacity, assay()), eggs, capacity, assay())
    cut_off = assay(unit=(0, 20, 5, 9))
    check_sweep(run_sweep(300, 300, cut_off), 300, 300, cut_off)


@pytest.mark.parametrize("assay", [WHOLE_BLOCKS, BROKEN_BLOCKS], ids=["whole blocks", "broken blocks"])
@pytest.mark.parametrize("survival", [0.3, 0.01])
def test_sweep_of_survivors_equals_brute_force(assay: partial[kernels.Assay], survival: float) -> None:
    """Capacity ends in the middle of a block or is never reached; survivors count even when nobody tests them."""
    some = assay(survival=survival)
    for eggs, capacity in ((BROOD, BROOD), (BROOD, 11), (1023, 400), (1, 1), (0, 5), (77, 0)):
        check_sweep(run_sweep(eggs, capacity, some), eggs, capacity, some)


@pytest.mark.parametrize("assay", ASSAYS.values(), ids=ASSAYS)
def test_ties_go_to_the_lower_egg_number(assay: partial[kernels.Assay]) -> None:
    """With weights of zero all are equal: the first females and males are kept, wherever a chunk ends."""
    level = assay(weight=(0, 0), survival=0.3)
    for eggs in (BROOD, 41):
        check_sweep(run_sweep(eggs, eggs, level), eggs, eggs, level)
    kept = np.asarray(run_sweep(BROOD, BROOD, level).egg)
    assert (np.diff(kept.astype(np.int64), axis=1) > 0).all()
    few_levels = assay(weight=(0, 1), survival=0.3)
    check_sweep(run_sweep(BROOD, BROOD, few_levels), BROOD, BROOD, few_levels)


# 100,000 eggs: what was scored is what hatches


CLUTCH = 100_000


@cache
def clutch_values() -> tuple[Ints, Ints]:
    """Scores of a clutch, and the same eggs hatched and scored directly."""
    walk_map = family_map()
    scored = np.asarray(score(family_tables(), walk_map, as_key(KEY), jnp.arange(CLUTCH, dtype=jnp.uint32)))
    part = CLUTCH // 4
    dams, sires = (jnp.broadcast_to(parent, (part, 2, FAMILY.loci)) for parent in FAMILY.haplotypes[0])
    keys = jnp.broadcast_to(jnp.asarray(KEY, jnp.uint32), (part, 2))
    hatched = [
        FAMILY.values(np.asarray(hatch(walk_map, keys, jnp.arange(first, first + part, dtype=jnp.uint32), dams, sires)))
        for first in range(0, CLUTCH, part)
    ]
    return scored, np.concatenate(hatched, axis=1)


def test_eggs_hatch_as_they_were_scored() -> None:
    scored, hatched = clutch_values()
    assert np.unique(hatched[0]).size > 1000  # not a trivial family
    np.testing.assert_array_equal(scored, hatched)


@pytest.mark.parametrize("survival", [1.0, 0.3, 0.01])
def test_sweep_keeps_the_best_that_hatch_whatever_the_chunks(survival: float) -> None:
    _, hatched = clutch_values()
    eggs, key = jnp.arange(CLUTCH, dtype=jnp.uint32), as_key(KEY)
    chosen = ASSAYS.values() if survival == 1.0 else (WHOLE_BLOCKS, BROKEN_BLOCKS)
    assays = [assay(survival=survival) for assay in chosen]
    noise = np.asarray(kernels.environment(key, eggs, assays[0].noise), np.int64)
    index = sum((hatched + noise)[trait] * WEIGHT[trait] // 2**15 for trait in range(TRAITS))
    alive = np.asarray(kernels.survives(key, eggs, assays[0].survival))
    # The same clutch once by parity and once by coin: an assay keeps its own number of each sex.
    for assay in assays:
        sexes = np.asarray(kernels.sex(key, eggs, assay.alternate_sexes))
        result = run_sweep(CLUTCH, CLUTCH, assay)
        wanted = best_of(*(each[alive].tolist() for each in (index, np.arange(CLUTCH), sexes)), assay.kept)
        np.testing.assert_array_equal(result.rank, wanted[0])
        np.testing.assert_array_equal(result.egg, wanted[1])
        assert int(result.survivors) == alive.sum() == int(result.moments.count)
    for other in assays[1:]:
        for name in ("first", "high", "low"):
            sums = [getattr(run_sweep(CLUTCH, CLUTCH, assay).moments, name) for assay in (assays[0], other)]
            np.testing.assert_array_equal(*sums)


def test_screen_size_fills_the_lanes() -> None:
    """A power of two times the lanes that leaves between half the lanes and all of them alive; 0 screens nobody."""
    assert kernels.screen_size(1.0, 4096) == 0
    for survival in (0.99, 0.5, 0.3, 0.01):
        assert 0.5 * 1024 < kernels.screen_size(survival, 1024) * survival <= 1024
    assert kernels.screen_size(1e-6, 4096) == 2**18


# Devices


def test_one_device_and_two_give_the_same_bits() -> None:
    """Eggs split over two devices inside one call, and families swept side by side."""
    devices = np.array(jax.devices("cpu")[:2])
    assert devices.size == 2
    mesh = Mesh(devices, ("device",))
    split, whole = (NamedSharding(mesh, spec) for spec in (PartitionSpec("device"), PartitionSpec()))
    scored, _ = clutch_values()
    eggs = jax.device_put(np.arange(CLUTCH, dtype=np.uint32), split)
    tables, walk_map, key = jax.device_put((family_tables(), family_map(), as_key(KEY)), whole)
    on_two = score(tables, walk_map, key, eggs)
    assert len(on_two.sharding.device_set) == 2
    np.testing.assert_array_equal(on_two, scored)

    assay = UNSCREENED()

    def sweep_family(tables: kernels.SuffixTables, walk_map: kernels.WalkMap, keys: jax.Array) -> kernels.Tested:
        one = kernels.sweep(tables, walk_map, (keys[0, 0], keys[0, 1]), jnp.int32(5000), jnp.int32(4000), assay)
        return jax.tree.map(lambda leaf: leaf[None], one)

    specs = (PartitionSpec(), PartitionSpec(), PartitionSpec("device"))
    sharded = jax.shard_map(sweep_family, mesh=mesh, in_specs=specs, out_specs=PartitionSpec("device"), check_vma=False)
    together = jax.jit(sharded)(tables, walk_map, jax.device_put(np.array(KEYS, np.uint32), split))
    for family, key in enumerate(KEYS):
        alone = sweep(family_tables(), family_map(), as_key(key), jnp.int32(5000), jnp.int32(4000), assay)
        jax.tree.map(lambda both, one, at=family: np.testing.assert_array_equal(both[at], one), together, alone)
