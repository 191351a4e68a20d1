"""Selection and mating against brute force."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbreed.kernels import Tested as SweepResult
from jaxbreed.kernels.moments import no_moments
from jaxbreed.markers import PredictionPlan
from jaxbreed.mating import mate
from jaxbreed.program import Settings
from jaxbreed.selection import Chosen, candidates_kept, select
from jaxbreed.stages import Stage

LINEAGES, SIRES, KEPT, REPLICATES = 5, 2, 40, 3
BASE = 1 << 30


def sweep_result(seed=0, tested=400, spread=10_000):
    """Ranks as a sweep leaves them: falling, each animal with its own egg number."""
    rng = np.random.default_rng(seed)
    shape = (REPLICATES, LINEAGES, SIRES, 2, KEPT)
    rank = -np.sort(-(BASE + rng.integers(-spread, spread, shape)), axis=-1)
    egg = np.argsort(rng.random((*shape[:-1], 2 * KEPT)), axis=-1)[..., :KEPT]
    moments = jax.tree.map(lambda x: jnp.broadcast_to(x, (REPLICATES, LINEAGES, SIRES, *x.shape)), no_moments(2))
    moments = moments.__class__(jnp.full(shape[:3], tested, jnp.int32), moments.first, moments.high, moments.low)
    none = jnp.zeros(shape[:3], jnp.int32)
    return SweepResult(
        jnp.asarray(rank, jnp.int32), jnp.asarray(egg, jnp.uint32), jnp.zeros((*shape[:3], 2)), moments, none
    )


def chosen_ranks(tested, chosen, sex):
    """(replicate, group, place) ranks of the chosen, found by egg number."""
    out = np.zeros(chosen.egg.shape, int)
    for place in np.ndindex(out.shape):
        r, lineage, sire = place[0], int(chosen.lineage[place]), int(chosen.sire[place])
        where = np.flatnonzero(np.asarray(tested.egg[r, lineage, sire, sex]) == int(chosen.egg[place]))
        out[place] = int(tested.rank[r, lineage, sire, sex, where[0]])
    return out


KEY = jax.random.split(jax.random.key(3), REPLICATES)


@pytest.mark.parametrize("sex", [0, 1])
@pytest.mark.parametrize("scope", ["within", "across"])
def test_truncation_takes_the_best(scope, sex):
    settings = Settings(lineages=LINEAGES, eggs=(400, 400), sires=(SIRES, SIRES), scope=scope)
    tested = sweep_result()
    chosen = select(settings, tested, sex, jnp.float32(0), KEY)
    rank = np.asarray(tested.rank[..., sex, :])
    groups = LINEAGES if scope == "within" else 1
    pools = -np.sort(-rank.reshape(REPLICATES, groups, -1), axis=-1)
    assert (chosen_ranks(tested, chosen, sex) == pools[..., : settings.parents_needed[sex]]).all()
    assert bool(chosen.alive.all())
    if scope == "within":
        assert (np.asarray(chosen.lineage) == np.arange(LINEAGES)[:, None]).all()


def test_fraction_draws_at_random_from_the_pool():
    settings = Settings(lineages=LINEAGES, eggs=(400, 400), sires=(SIRES, SIRES))
    tested = sweep_result(tested=400)  # 2 sires x 400 tested, half of each sex: 400 a clutch and sex
    pool = round(0.05 * 400)
    standing = []
    for seed in range(300):
        chosen = select(settings, tested, 1, jnp.float32(0.05), jax.random.split(jax.random.key(seed), REPLICATES))
        ranks = chosen_ranks(tested, chosen, 1)
        pools = -np.sort(-np.asarray(tested.rank[..., 1, :]).reshape(REPLICATES, LINEAGES, -1), axis=-1)
        standing += [np.flatnonzero(pools[p[:2]] == ranks[p])[0] for p in np.ndindex(ranks.shape)]
        assert len({tuple(x) for x in np.stack([chosen.sire[0, 0], chosen.egg[0, 0]], -1).tolist()}) == SIRES
    standing = np.array(standing)
    assert standing.max() < pool
    # Uniform over the pool: mean standing (pool - 1) / 2. Truncation would give 0.5.
    error = np.sqrt((pool**2 - 1) / 12 / standing.size)
    assert abs(standing.mean() - (pool - 1) / 2) < 4.5 * error


def test_quota_limits_each_family():
    settings = Settings(lineages=LINEAGES, eggs=(400, 400), sires=(SIRES, SIRES), scope="across", quota=1)
    tested = sweep_result()
    # One family is far better than all others; without a quota it would fill every place.
    rank = tested.rank.at[:, 2, 1].add(100_000)
    better = SweepResult(rank, tested.egg, tested.centre, tested.moments, tested.survivors)
    chosen = select(settings, better, 1, jnp.float32(0), KEY)
    families = np.asarray(chosen.lineage * SIRES + chosen.sire)[:, 0]
    assert all(len(set(row)) == row.size for row in families)
    best_of_family = np.sort(np.asarray(rank[..., 1, 0]).reshape(REPLICATES, -1))[:, ::-1]
    assert (np.sort(chosen_ranks(better, chosen, 1)[:, 0])[:, ::-1] == best_of_family).all()
    free = Settings(lineages=LINEAGES, eggs=(400, 400), sires=(SIRES, SIRES), scope="across")
    crowded = select(free, better, 1, jnp.float32(0), KEY)
    assert (np.asarray(crowded.lineage * SIRES + crowded.sire) == 2 * SIRES + 1).all()


def test_quota_and_fraction_together():
    settings = Settings(lineages=LINEAGES, eggs=(400, 400), sires=(SIRES, SIRES), scope="across", quota=2)
    tested = sweep_result()
    crowd = SweepResult(
        tested.rank.at[:, 2, 1].add(100_000), tested.egg, tested.centre, tested.moments, tested.survivors
    )
    for seed in range(20):
        key = jax.random.split(jax.random.key(seed), REPLICATES)
        chosen = select(settings, crowd, 1, jnp.float32(0.002), key)
        assert bool(chosen.alive.all())
        families = np.asarray(chosen.lineage * SIRES + chosen.sire)[:, 0]
        assert max(np.bincount(row).max() for row in families) <= 2


def test_ties_go_to_the_lower_lineage_sire_and_egg():
    settings = Settings(lineages=LINEAGES, eggs=(400, 400), sires=(SIRES, SIRES), scope="across")
    tested = sweep_result(spread=1)
    tested = SweepResult(jnp.full_like(tested.rank, BASE), tested.egg, tested.centre, tested.moments, tested.survivors)
    chosen = select(settings, tested, 0, jnp.float32(0), KEY)
    assert (np.asarray(chosen.lineage) == 0).all()
    assert (np.asarray(chosen.sire) == 0).all()


def test_absent_animals_are_reported():
    settings = Settings(lineages=LINEAGES, eggs=(400, 400), sires=(SIRES, SIRES))
    tested = sweep_result()
    empty = SweepResult(tested.rank.at[1, 3].set(0), tested.egg, tested.centre, tested.moments, tested.survivors)
    alive = np.asarray(select(settings, empty, 1, jnp.float32(0), KEY).alive)
    assert not alive[1, 3].any()
    assert alive.sum() == alive.size - SIRES


def test_enough_candidates_are_kept():
    settings = Settings(lineages=24, eggs=(120_000, 400_000), sires=(2, 4))
    assert candidates_kept(settings, 0.0) == 4
    assert candidates_kept(settings, 0.001) == 201
    across = Settings(lineages=24, eggs=(1000, 1000), scope="across")
    assert candidates_kept(across, 0.0) == 24
    assert candidates_kept(across, 0.9) < 600


def test_few_tests_do_not_limit_what_is_kept_of_all_eggs():
    rules = {"lineages": 24, "eggs": (1000, 1000), "scope": "across", "stages": (Stage("test", capacity=10),)}
    tested = Settings(**rules, prediction=PredictionPlan(choose="tested"))
    every = Settings(**rules, prediction=PredictionPlan(choose="eggs"))
    assert candidates_kept(tested, 0.0) == 15  # of ten tested more than 15 of one sex cannot be
    assert candidates_kept(every, 0.0) == 24
    assert candidates_kept(every, 0.01, tests=10) == 121


def pairs(settings, seed, kept=2**30):
    tested = sweep_result(seed)
    females, males = (select(settings, tested, sex, jnp.float32(0), KEY) for sex in (0, 1))
    father = jnp.arange(REPLICATES * LINEAGES * SIRES, dtype=jnp.uint32).reshape(REPLICATES, LINEAGES, SIRES)
    key = jax.random.split(jax.random.key(seed), REPLICATES)
    return females, males, *mate(settings, females, males, father, jnp.int32(kept), key)


@pytest.mark.parametrize("scope", ["within", "across"])
def test_random_mating_uses_every_male_once(scope):
    settings = Settings(lineages=LINEAGES, eggs=(400, 400), sires=(SIRES, SIRES), scope=scope)
    places = []
    for seed in range(40):
        females, males, dams, sires = pairs(settings, seed)
        assert (np.asarray(dams.egg).reshape(-1) == np.asarray(females.egg).reshape(-1)).all()
        for r in range(REPLICATES):
            wanted = sorted(zip(*(np.asarray(x[r]).reshape(-1).tolist() for x in males[:3]), strict=True))
            given = sorted(zip(*(np.asarray(x[r]).reshape(-1).tolist() for x in sires[:3]), strict=True))
            assert wanted == given
            places.append(np.asarray(sires.lineage[r])[0, 0] == 0)
    if scope == "within":
        # A lineage's own male comes to it with probability 1/5 (never, if sibs were avoided; always, if kept apart).
        assert abs(np.mean(places) - 0.2) < 4.5 * np.sqrt(0.16 / len(places))


def test_sibs_are_avoided_and_lineages_can_stay_closed():
    settings = Settings(lineages=LINEAGES, eggs=(400, 400), sires=(SIRES, SIRES), mating="avoid_sibs")
    closed = Settings(lineages=LINEAGES, eggs=(400, 400), sires=(SIRES, SIRES), mating="within_lineage")
    for seed in range(20):
        _, _, dams, sires = pairs(settings, seed)
        assert (np.asarray(sires.lineage) != np.asarray(dams.lineage)[:, :, None]).all()
        _, _, dams, sires = pairs(closed, seed)
        assert (np.asarray(sires.lineage) == np.asarray(dams.lineage)[:, :, None]).all()


def test_half_sibs_by_the_sire_are_avoided_too():
    # Two lineages share their sire: with three lineages there is one pairing without half sibs for each column.
    settings = Settings(lineages=3, eggs=(400, 400), mating="avoid_sibs")
    lineage = jnp.arange(3)[None, :, None]
    animal = Chosen(lineage, jnp.zeros_like(lineage), lineage.astype(jnp.uint32), jnp.ones((1, 3, 1), bool))
    father = jnp.array([[[7], [7], [8]]], jnp.uint32)
    _, sires = mate(settings, animal, animal, father, jnp.int32(9), jax.random.split(jax.random.key(0), 1))
    of = np.asarray(sires.lineage)[0, :, 0]
    related = sum(int(father[0, m, 0] == father[0, f, 0]) for f, m in enumerate(of))
    assert related == 1  # three males of two fathers: one such pair cannot be avoided, two can
    assert (of != np.arange(3)).sum() >= 2


def test_few_males_fill_all_places_in_turn():
    settings = Settings(lineages=LINEAGES, eggs=(400, 400), sires=(SIRES, SIRES), scope="across")
    _, males, _, sires = pairs(settings, 1, kept=3)
    best = set(np.asarray(males.egg[0, 0, :3]).tolist())
    used, times = np.unique(np.asarray(sires.egg[0]), return_counts=True)
    assert set(used.tolist()) == best
    assert sorted(times.tolist()) == [3, 3, 4]
