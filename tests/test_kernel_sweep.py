"""The sweep against brute force: every implementation keeps whom the oracle would keep and sums what it would sum."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crosses import KEYS, Ints, as_key, compiled, make_cross
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from oracle import egg as oracle

from jaxbreed import kernels
from jaxbreed.kernels import topk

TRAITS = 2
MAP = ([[0.9, 0.0, 0.4, 1.2], [0.5, 0.7, 0.0, 1.6]], [9, 4, 5, 8])
FAMILY = make_cross(20, *MAP, columns=TRAITS, places=40)
# A third column, the load: most eggs carry some of it, and mutations.
LOADED = make_cross(25, *MAP, columns=TRAITS + 1, places=40, largest=2**17, dominance=True, mutations=2.0)
KEY = KEYS[0]
BROOD = 2500
MANTISSA, SHIFT = ((21000, -9000), (4000, 17000)), (7, 8)
WEIGHT = (11000, -5000)


@cache
def family_map(load: bool = False) -> kernels.WalkMap:
    return (LOADED if load else FAMILY).walk_map


@cache
def family_tables(load: bool = False) -> kernels.SuffixTables:
    return (LOADED if load else FAMILY).tables(family_map(load), 0)


def make_assay(
    lanes: int,
    screened: int,
    kept: int,
    alternate: bool,
    survival: float = 1.0,
    weight: Sequence[int] = WEIGHT,
    unit: Sequence[int] = (13, 13, 13, 13),
    load: bool = False,
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
        load=load,
    )


def run_sweep(eggs: int, capacity: int, assay: kernels.Assay, implementation: str | None) -> kernels.Tested:
    sweep, tables = compiled("sweep", implementation), family_tables(assay.load)
    return sweep(tables, family_map(assay.load), as_key(KEY), jnp.int32(eggs), jnp.int32(capacity), assay)


@dataclass(frozen=True)
class Brood:
    """What the oracle knows of the eggs 0, 1, 2, ..."""

    genetic: Ints  # (egg, trait)
    phenotype: Ints
    fate: Ints  # (egg,) word of survival
    coin: Ints  # (egg,) sex by a fair coin
    bears: Ints  # (egg,) whether it lives with its load


@cache
def brood(load: bool) -> Brood:
    family = LOADED if load else FAMILY
    oracle_map = family.oracle_map
    eggs = range(BROOD)
    alleles = np.array([oracle.genome(KEY, egg, oracle_map, *family.haplotypes[0]) for egg in eggs])
    values = family.values(alleles).T
    genetic = values[:, :TRAITS]
    bears = [not load or oracle.bears(KEY, egg, int(values[egg, -1])) for egg in eggs]
    noise = np.array([oracle.environment(KEY, egg, MANTISSA, SHIFT) for egg in eggs])
    fate = np.array([oracle.draw(KEY, egg, oracle.FATE)[0] for egg in eggs])
    coin = np.array([oracle.sex(KEY, egg, False) for egg in eggs])
    return Brood(genetic, genetic + noise, fate, coin, np.array(bears))


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
    known, everyone = brood(assay.load), np.arange(eggs)
    living = everyone if not assay.screened else everyone[known.fate[:eggs] <= int(assay.survival)]
    living = living[known.bears[living]]
    tested = living[:capacity]
    sexes = tested % 2 if assay.alternate_sexes else known.coin[tested]
    weight, unit = np.asarray(assay.weight).tolist(), np.asarray(assay.unit).tolist()
    index = [oracle.selection_index(known.phenotype[egg], weight) for egg in tested]
    rank, number = best_of(index, tested.tolist(), sexes.tolist(), assay.kept)
    assert int(result.survivors) == len(living)
    assert int(result.moments.count) == len(tested)
    np.testing.assert_array_equal(result.rank, rank)
    np.testing.assert_array_equal(result.egg, number)
    if assay.load:
        return check_loaded_sums(result, known, tested, unit)
    # Centre: the parents' first haplotypes plus half of what their second ones would change, rounded down.
    dam, sire = FAMILY.haplotypes[0].astype(np.int64)
    middle = [
        int(intercept + effects @ (dam[0] + sire[0]) + (effects @ (dam[1] - dam[0]) >> 1))
        + int(effects @ (sire[1] - sire[0]) >> 1)
        for effects, intercept in zip(FAMILY.effects, FAMILY.intercept, strict=True)
    ]
    assert np.asarray(result.centre).tolist() == 2 * middle
    check_sums(result, known, tested, unit)


def check_loaded_sums(result: kernels.Tested, known: Brood, tested: Ints, unit: Sequence[int]) -> None:
    """With dominance the centre has parts that are rounded down one by one: it must be near the family's mean."""
    centre = np.asarray(result.centre)
    means, spread = known.genetic.mean(0), known.genetic.std(0)
    assert (np.abs(centre[:TRAITS] - means) < 5 * spread / np.sqrt(BROOD) + 4).all()
    np.testing.assert_array_equal(centre[:TRAITS], centre[TRAITS:])
    check_sums(result, known, tested, unit)


def check_sums(result: kernels.Tested, known: Brood, tested: Ints, unit: Sequence[int]) -> None:
    centre = np.asarray(result.centre).tolist()
    first, products = sums_of(np.hstack([known.genetic, known.phenotype])[tested], centre, unit)
    np.testing.assert_array_equal(result.moments.first, first)
    high, low = np.asarray(result.moments.high, np.int64), np.asarray(result.moments.low, np.int64)
    lower = np.tril_indices(len(unit))  # products are summed once for each pair
    np.testing.assert_array_equal((high * 2**14 + low)[lower], products[lower])


UNSCREENED = partial(make_assay, lanes=100, screened=0, kept=20, alternate=True)
WHOLE_BLOCKS = partial(make_assay, lanes=1024, screened=1024, kept=20, alternate=True)
BROKEN_BLOCKS = partial(make_assay, lanes=37, screened=500, kept=50, alternate=False)
ASSAYS = {"unscreened": UNSCREENED, "whole blocks": WHOLE_BLOCKS, "broken blocks": BROKEN_BLOCKS}


@pytest.mark.parametrize("assay", ASSAYS.values(), ids=ASSAYS)
def test_sweep_of_everyone_equals_brute_force(assay: partial[kernels.Assay], implementation: str) -> None:
    """Whole chunks, broken chunks, one egg, no eggs, no capacity; moments that fit and moments that are cut off."""
    for eggs, capacity in ((BROOD, BROOD), (1, 10), (0, 10), (101, 100), (1024, 5000), (9, 0)):
        check_sweep(run_sweep(eggs, capacity, assay(), implementation), eggs, capacity, assay())
    cut_off = assay(unit=(0, 20, 5, 9))
    check_sweep(run_sweep(300, 300, cut_off, implementation), 300, 300, cut_off)


@pytest.mark.parametrize("assay", [WHOLE_BLOCKS, BROKEN_BLOCKS], ids=["whole blocks", "broken blocks"])
@pytest.mark.parametrize("survival", [0.3, 0.01])
@pytest.mark.parametrize("load", [False, pytest.param(True, marks=pytest.mark.long)])
def test_sweep_of_survivors_equals_brute_force(
    assay: partial[kernels.Assay], survival: float, load: bool, implementation: str
) -> None:
    """Capacity ends in the middle of a block or is never reached; survivors count even when nobody tests them."""
    some = assay(survival=survival, load=load)
    for eggs, capacity in ((BROOD, BROOD), (BROOD, 11), (1023, 400), (1, 1), (0, 5), (77, 0)):
        check_sweep(run_sweep(eggs, capacity, some, implementation), eggs, capacity, some)


def test_load_alone_kills(implementation: str) -> None:
    """Without screening: the first `capacity` of those that bear their load, between a fifth and four fifths of all."""
    some = UNSCREENED(load=True)
    assert 0.2 < brood(True).bears.mean() < 0.8
    for eggs, capacity in ((BROOD, BROOD), (BROOD, 300), (1, 1), (0, 5)):
        check_sweep(run_sweep(eggs, capacity, some, implementation), eggs, capacity, some)


@pytest.mark.parametrize("assay", ASSAYS.values(), ids=ASSAYS)
def test_ties_go_to_the_lower_egg_number(assay: partial[kernels.Assay], implementation: str) -> None:
    """With weights of zero all are equal: the first females and males are kept, wherever a chunk ends."""
    level = assay(weight=(0, 0), survival=0.3)
    for eggs in (BROOD, 41):
        check_sweep(run_sweep(eggs, eggs, level, implementation), eggs, eggs, level)
    kept = np.asarray(run_sweep(BROOD, BROOD, level, implementation).egg)
    assert (np.diff(kept.astype(np.int64), axis=1) > 0).all()
    few_levels = assay(weight=(0, 1), survival=0.3)
    check_sweep(run_sweep(BROOD, BROOD, few_levels, implementation), BROOD, BROOD, few_levels)


# 100,000 eggs: what was scored is what hatches


CLUTCH = 100_000


@cache
def clutch_values(implementation: str) -> tuple[Ints, Ints]:
    """Scores of a clutch, and the same eggs hatched and scored directly."""
    walk_map = family_map()
    score, hatch = compiled("score", implementation), compiled("hatch", implementation)
    scored = np.asarray(score(family_tables(), walk_map, as_key(KEY), jnp.arange(CLUTCH, dtype=jnp.uint32)))
    part = CLUTCH // 4
    dams, sires = (jnp.broadcast_to(parent, (part, 2, FAMILY.loci)) for parent in FAMILY.haplotypes[0])
    keys = jnp.broadcast_to(jnp.asarray(KEY, jnp.uint32), (part, 2))
    hatched = [
        FAMILY.values(np.asarray(hatch(walk_map, keys, jnp.arange(first, first + part, dtype=jnp.uint32), dams, sires)))
        for first in range(0, CLUTCH, part)
    ]
    return scored, np.concatenate(hatched, axis=1)


@pytest.mark.parametrize("which", ["xla", None])
def test_eggs_hatch_as_they_were_scored(which: str) -> None:
    scored, hatched = clutch_values(which)
    assert np.unique(hatched[0]).size > 1000  # not a trivial family
    np.testing.assert_array_equal(scored, hatched)


@pytest.mark.parametrize("survival", [1.0, 0.3, 0.01])
def test_sweep_keeps_the_best_that_hatch_whatever_the_chunks(survival: float, implementation: str) -> None:
    _, hatched = clutch_values("xla")
    eggs, key = jnp.arange(CLUTCH, dtype=jnp.uint32), as_key(KEY)
    chosen = ASSAYS.values() if survival == 1.0 else (WHOLE_BLOCKS, BROKEN_BLOCKS)
    assays = [assay(survival=survival) for assay in chosen]
    noise = np.asarray(kernels.environment(key, eggs, assays[0].noise), np.int64)
    index = sum((hatched + noise)[trait] * WEIGHT[trait] // 2**15 for trait in range(TRAITS))
    alive = np.asarray(kernels.survives(key, eggs, assays[0].survival))
    # The same clutch once by parity and once by coin: an assay keeps its own number of each sex.
    for assay in assays:
        sexes = np.asarray(kernels.sex(key, eggs, assay.alternate_sexes))
        result = run_sweep(CLUTCH, CLUTCH, assay, implementation)
        wanted = best_of(*(each[alive].tolist() for each in (index, np.arange(CLUTCH), sexes)), assay.kept)
        np.testing.assert_array_equal(result.rank, wanted[0])
        np.testing.assert_array_equal(result.egg, wanted[1])
        assert int(result.survivors) == alive.sum() == int(result.moments.count)
    for other in assays[1:]:
        for name in ("first", "high", "low"):
            sums = [
                getattr(run_sweep(CLUTCH, CLUTCH, assay, implementation).moments, name) for assay in (assays[0], other)
            ]
            np.testing.assert_array_equal(*sums)


@pytest.mark.parametrize("load", [False, True])
@pytest.mark.parametrize("capacity", [1, 8192, 20_001, 10**6])
def test_tasks_share_the_capacity(load: bool, capacity: int) -> None:
    """The native sweep cuts a clutch into tasks for several threads: it must test whom one loop over all eggs tests."""
    assay = make_assay(4096, 4096, 300, False, survival=0.4, load=load)
    wanted = run_sweep(CLUTCH, capacity, assay, "xla")
    assert int(wanted.moments.count) == min(capacity, int(wanted.survivors))
    for _ in range(3):  # threads may take the tasks in another order
        jax.tree.map(np.testing.assert_array_equal, run_sweep(CLUTCH, capacity, assay, None), wanted)


def test_screen_size_fills_the_lanes() -> None:
    """A power of two times the lanes that leaves between half the lanes and all of them alive; 0 screens nobody."""
    assert kernels.screen_size(1.0, 4096) == 0
    for survival in (0.99, 0.5, 0.3, 0.01):
        assert 0.5 * 1024 < kernels.screen_size(survival, 1024) * survival <= 1024
    assert kernels.screen_size(1e-6, 4096) == 2**18


# Devices


@pytest.mark.parametrize("which", ["xla", None])
def test_one_device_and_two_give_the_same_bits(which: str | None) -> None:
    """Eggs split over two devices inside one call, and families swept side by side."""
    devices = np.array(jax.devices("cpu")[:2])
    assert devices.size == 2
    mesh = Mesh(devices, ("device",))
    split, whole = (NamedSharding(mesh, spec) for spec in (PartitionSpec("device"), PartitionSpec()))
    scored, _ = clutch_values("xla")
    eggs = jax.device_put(np.arange(CLUTCH, dtype=np.uint32), split)
    tables, walk_map, key = jax.device_put((family_tables(), family_map(), as_key(KEY)), whole)
    on_two = compiled("score", "xla")(tables, walk_map, key, eggs)
    assert len(on_two.sharding.device_set) == 2
    np.testing.assert_array_equal(on_two, scored)

    assay = UNSCREENED()

    def sweep_family(tables: kernels.SuffixTables, walk_map: kernels.WalkMap, keys: jax.Array) -> kernels.Tested:
        one = kernels.sweep(
            tables,
            walk_map,
            (keys[0, 0], keys[0, 1]),
            jnp.int32(5000),
            jnp.int32(4000),
            assay,
            implementation=which,
            share=2,
        )
        return jax.tree.map(lambda leaf: leaf[None], one)

    specs = (PartitionSpec(), PartitionSpec(), PartitionSpec("device"))
    sharded = jax.shard_map(sweep_family, mesh=mesh, in_specs=specs, out_specs=PartitionSpec("device"), check_vma=False)
    together = jax.jit(sharded)(tables, walk_map, jax.device_put(np.array(KEYS, np.uint32), split))
    for family, key in enumerate(KEYS):
        alone = compiled("sweep", "xla")(
            family_tables(), family_map(), as_key(key), jnp.int32(5000), jnp.int32(4000), assay
        )
        jax.tree.map(lambda both, one, at=family: np.testing.assert_array_equal(both[at], one), together, alone)
