"""Optimum contributions: kinship against dropped genes, optima against other methods, rates and gains as asked for."""

import dataclasses
import functools
import itertools
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import small_world
from scipy.optimize import minimize

from jaxbreed import coancestry, optimum
from jaxbreed.build import check
from jaxbreed.clutch import Families, lay
from jaxbreed.contributions import Candidates, UnattainableError, least_related, optimum_contributions
from jaxbreed.kernels import Tested as SweepResult
from jaxbreed.kernels import environment, hatch
from jaxbreed.merit import combined_merit
from jaxbreed.places import Places, fill_places
from jaxbreed.population import Population, choose_founders
from jaxbreed.program import Settings
from jaxbreed.scenario import parse_scenario
from jaxbreed.schedule import Schedule, constant_schedule
from jaxbreed.simulation import _start, simulate
from jaxbreed.summary import interval
from jaxbreed.testing import make_assay, sweep_families


def inbred_breeders(rng, animals, generations=3):
    """Kinship of a few generations of random mating among few, by the definition."""
    kinship = 0.5 * np.eye(animals)
    for _ in range(generations):
        mother, father = rng.integers(0, animals, animals), rng.integers(0, animals, animals)
        young = np.zeros_like(kinship)
        for i, j in itertools.product(range(animals), repeat=2):
            pairs = itertools.product((mother[i], father[i]), (mother[j], father[j]))
            young[i, j] = np.mean([kinship[p] for p in pairs])
            if i == j:
                young[i, i] = 0.5 * (1 + kinship[mother[i], father[i]])
        kinship = young
    return kinship


def test_kinship_of_eggs_against_gene_dropping():
    # 200,000 independent loci dropped through a pedigree with inbred, related parents into two eggs of each family.
    rng = np.random.default_rng(3)
    loci, animals = 200_000, 6
    genes = np.arange(2 * animals).reshape(animals, 2, 1) * np.ones((1, 1, loci), np.int32)

    def child(mother, father):
        pick = rng.integers(0, 2, (2, len(mother), 1, loci))
        return np.concatenate([np.take_along_axis(genes[p], pick[i], 1) for i, p in enumerate((mother, father))], 1)

    def identical(a, b):
        return np.mean([(a[i] == b[j]).mean() for i in range(2) for j in range(2)])

    kinship = 0.5 * np.eye(animals)
    for _ in range(3):
        mother, father = rng.integers(0, animals, animals), rng.integers(0, animals, animals)
        old, genes = genes, child(mother, father)
        assert old.shape == genes.shape
        between = coancestry.between_families(kinship, mother, father)
        kinship = np.where(np.eye(animals) == 1, coancestry.with_itself(kinship, mother, father)[:, None], between)
    dam, sire = np.array([0, 0, 1, 2]), np.array([3, 4, 3, 3])
    between, itself = (f(kinship, dam, sire) for f in (coancestry.between_families, coancestry.with_itself))
    one, two = child(dam, sire), child(dam, sire)
    error = 0.5 / np.sqrt(loci)
    for f, g in itertools.product(range(4), repeat=2):
        assert abs(identical(one[f], two[g]) - between[f, g]) < 5 * error
    for f in range(4):
        assert abs(identical(one[f], one[f]) - itself[f]) < 5 * error
    # Sibs without the mates' kinship or their inbreeding would be far off here.
    assert all(kinship[d, s] > 0.1 and kinship[d, d] > 0.52 for d, s in zip(dam, sire, strict=True))


def test_mean_kinship_of_the_gene_pool_counts_every_gene():
    rng = np.random.default_rng(1)
    kinship, dam, sire = inbred_breeders(rng, 6), np.array([0, 0, 1]), np.array([3, 4, 3])
    eggs = np.array([3, 1, 4])
    parents = np.concatenate([np.repeat(dam, eggs), np.repeat(sire, eggs)])  # whose each gene of the eggs is
    brute = np.mean([kinship[a, b] for a, b in itertools.product(parents, repeat=2)])
    assert coancestry.of_gene_pool(kinship, dam, sire, eggs) == pytest.approx(brute, abs=1e-12)


def problem(seed, lineages=6, sires=2, each=4, places=3):
    """Candidates of families with inbred, related parents; a female's contribution is at most one clutch."""
    rng = np.random.default_rng(seed)
    kinship = inbred_breeders(rng, lineages * (1 + sires))
    dam, sire = np.repeat(np.arange(lineages), sires), lineages + np.arange(lineages * sires)
    family, male, _ = (x.reshape(-1) for x in np.indices((lineages * sires, 2, each)))
    merit = rng.normal(size=lineages * sires)[family] + rng.normal(size=len(family)) + 50
    most = np.where(male == 1, places / (2 * lineages * sires), 1 / (2 * lineages))
    between = coancestry.between_families(kinship, dam, sire)
    return Candidates(merit, male == 1, family, most, between, coancestry.with_itself(kinship, dam, sire))


def full_kinship(candidates):
    """Kinship of every two candidates, animal by animal."""
    f = candidates.family
    return np.where(np.eye(len(f)) == 1, candidates.itself[f][:, None], candidates.between[f][:, f])


@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_meets_its_conditions(seed):
    # Karush-Kuhn-Tucker: with slope = merit - 2 mu K c, every c between its bounds has the slope of its sex, those at 0
    # less, those at their most more; mu > 0 and the limit is met.
    candidates = problem(seed, lineages=8, each=10)
    k = full_kinship(candidates)
    least = candidates.mean_kinship(least_related(candidates))
    limit = least + 0.02
    c = optimum_contributions(candidates, limit)
    for sex in (candidates.male, ~candidates.male):
        assert c[sex].sum() == pytest.approx(0.5, abs=1e-6)
    assert c @ k @ c == pytest.approx(limit, abs=1e-7)
    assert candidates.mean_kinship(c) == pytest.approx(c @ k @ c, abs=1e-12)
    near = 1e-5
    free = (c > near) & (c < candidates.most - near)
    assert free.sum() > 6
    assert (c > candidates.most - near).any()
    columns = np.column_stack([2 * k @ c, ~candidates.male, candidates.male])
    price = np.linalg.lstsq(columns[free], candidates.merit[free], rcond=None)[0]
    slope = candidates.merit - columns @ price
    assert price[0] > 0
    assert np.abs(slope[free]).max() < 2e-3
    assert slope[c <= near].max() < 2e-3
    assert slope[c >= candidates.most - near].min() > -2e-3


@pytest.mark.parametrize("seed", range(4))
def test_the_optimum_against_another_solver(seed):
    candidates = problem(seed, lineages=2, sires=1, each=3, places=2)
    k, n = full_kinship(candidates), len(candidates.merit)
    halves = [{"type": "eq", "fun": lambda c, s=s: c[s].sum() - 0.5} for s in (candidates.male, ~candidates.male)]

    def solve(cost, slope, more=()):
        bounds = [(0, most) for most in candidates.most]
        start = np.minimum(np.full(n, 1 / n), candidates.most)
        options = {"maxiter": 1000, "ftol": 1e-12}
        return minimize(cost, start, jac=slope, bounds=bounds, constraints=[*halves, *more], options=options)

    least = solve(lambda c: c @ k @ c, lambda c: 2 * k @ c).fun
    assert candidates.mean_kinship(least_related(candidates)) == pytest.approx(least, abs=1e-6)
    limit = least + 0.02
    within = {"type": "ineq", "fun": lambda c: limit - c @ k @ c, "jac": lambda c: -2 * k @ c}
    merit = candidates.merit - 50
    best = -solve(lambda c: -c @ merit, lambda c: -merit, [within]).fun
    assert optimum_contributions(candidates, limit) @ merit == pytest.approx(best, abs=1e-4)
    with pytest.raises(UnattainableError, match=r"limit is .*; the least mean kinship is") as error:
        optimum_contributions(candidates, least - 1e-4)
    assert error.value.least == pytest.approx(least, abs=1e-6)
    optimum_contributions(candidates, least + 1e-4)


def test_without_a_binding_limit_the_best_take_all():
    candidates = problem(0)
    c = optimum_contributions(candidates, 0.9)
    for male in (False, True):
        order = np.argsort(-np.where(candidates.male == male, candidates.merit, -np.inf))
        filled = round(0.5 / candidates.most[order[0]])
        assert c[order[:filled]] == pytest.approx(candidates.most[order[:filled]], abs=1e-5)


def places_of(lineages, share, most):
    each = np.concatenate([np.ones(lineages), np.tile(share, lineages)]) / (2 * lineages)
    return Places(each, np.arange(len(each)) >= lineages, (1, most))


def test_places_go_by_largest_remainders():
    # Five clutches and places, no limit that matters, equal merit: quotas 2.6, 1.3, 0.7, 0.4 give 3, 1, 1, 0.
    candidates = problem(0, lineages=5, sires=1, each=4)._replace(merit=np.zeros(40))
    contribution = np.zeros(40)
    males = np.flatnonzero(candidates.male)[:4]
    contribution[males] = np.array([2.6, 1.3, 0.7, 0.4]) / 10
    females = np.flatnonzero(~candidates.male)[:6]
    contribution[females] = np.array([1.0, 0.9, 0.8, 0.8, 0.8, 0.7]) / 10
    holder = fill_places(candidates, contribution, places_of(5, [1.0], 5), 1.0)
    assert np.bincount(holder[5:], minlength=40)[males].tolist() == [3, 1, 1, 0]
    assert sorted(holder[:5].tolist()) == females[:5].tolist()
    # At most two places each: the first gives way to the one with the next largest remainder.
    holder = fill_places(candidates, contribution, places_of(5, [1.0], 2), 1.0)
    assert np.bincount(holder[5:], minlength=40)[males].tolist() == [2, 1, 1, 1]


def test_whole_places_against_every_way_to_fill_them():
    # Two clutches of two sires with shares 2/3 and 1/3; 6 females, 6 males: all 15 x 6^4 plans.
    better, missed = [], 0
    for seed in range(12):
        candidates = problem(seed, lineages=2, sires=1, each=3, places=4)
        candidates = candidates._replace(most=np.where(candidates.male, 0.5, 0.25))
        places, k = places_of(2, [2 / 3, 1 / 3], 4), full_kinship(candidates)
        females, males = np.flatnonzero(~candidates.male), np.flatnonzero(candidates.male)
        dams = np.array(list(itertools.combinations(females, 2)))
        sires = np.array(list(itertools.product(males, repeat=4)))
        plan = np.concatenate([np.repeat(dams, len(sires), 0), np.tile(sires, (len(dams), 1))], 1)
        c = np.zeros((len(plan), len(k)))
        for place, share in enumerate(places.share):
            np.add.at(c, (np.arange(len(plan)), plan[:, place]), share)
        kinship, merit = np.einsum("pi,ij,pj->p", c, k, c), c @ candidates.merit
        limit = np.quantile(kinship, 0.1)
        try:
            holder = fill_places(candidates, optimum_contributions(candidates, limit), places, limit)
        except UnattainableError:
            missed += 1
            continue
        given = np.bincount(holder, places.share, len(k))
        assert given @ k @ given <= limit + 1e-12
        assert (candidates.male[holder] == places.male).all()
        assert len(set(holder[:2].tolist())) == 2
        # Changing one place at a time need not end at the best of the plans within the limit, but ends among the best.
        better.append((merit[kinship <= limit] > given @ candidates.merit + 1e-9).mean())
    assert missed <= 1
    assert np.mean(better) < 0.01
    assert max(better) < 0.03
    assert better.count(0.0) >= 4


@pytest.mark.parametrize("seed", range(3))
def test_whole_places_lose_little_against_divided_ones(seed):
    candidates = problem(seed, lineages=20, sires=1, each=8, places=20)
    places = places_of(20, [1.0], 20)
    least = candidates.mean_kinship(least_related(candidates))
    limit = 1 - (1 - least) * (1 - 0.03)
    divided = optimum_contributions(candidates, limit)
    whole = np.bincount(fill_places(candidates, divided, places, limit), places.share, len(divided))
    mean, bound = candidates.merit.mean(), divided @ candidates.merit
    assert candidates.mean_kinship(whole) <= limit
    assert 0.985 < (whole @ candidates.merit - mean) / (bound - mean) <= 1 + 1e-6


@functools.cache
def world(lineages=20, eggs=240, **more):
    settings = Settings(lineages=lineages, eggs=(eggs, eggs), scope="across", mating="random", **more)
    return small_world(settings, founders=60, h2=(0.2,), chromosomes=10)


@functools.cache
def course(replicates=32, generations=6, rate=None, **more):
    program, founders = world(**more)
    plan = constant_schedule(generations, (1.0,), inbreeding_rate=rate)
    return simulate(program, founders, plan, replicates=replicates, seed=5, shared_founders=True)


def rate_of_truncation():
    return round(float(course()["kinship_rate"][:, :6].mean()), 6)


def test_merit_is_the_expected_breeding_value():
    # Every animal of every clutch hatched: its merit, worked out from phenotypes alone in plain NumPy.
    settings = Settings(lineages=8, eggs=(200, 200), sires=(2, 2), scope="across", mating="random")
    program, founders = small_world(settings, founders=24, h2=(0.3, 0.5), correlation=0.3, residual_correlation=-0.2)
    numbers = choose_founders(24, settings, 1, shared=True, seed=1)
    population = _start(program, founders.haplotypes[numbers], numbers, jnp.array([1, 0], jnp.uint32))
    families = lay(program, population, jax.random.split(jax.random.key(1), 1))
    assay = make_assay(program, jnp.array([1.0, 0.5]), 80)
    tested = sweep_families(program, assay, population, families)
    merit, egg = combined_merit(program.traits, assay, tested)[0], np.asarray(tested.egg[0])
    assert (np.asarray(tested.rank) > 0)[..., :30].all()
    unit, weight = 2.0**-program.traits.scale_bits, np.asarray(assay.weight, float)
    effect, base = np.asarray(program.traits.effect, float) * unit, np.asarray(program.traits.intercept) * unit
    number = jnp.tile(jnp.arange(100, dtype=jnp.uint32), 16)
    key = jnp.repeat(families.key.reshape(16, 2), 100, axis=0)
    parents = (
        jnp.repeat(population.haplotypes[0, place.reshape(16)], 100, axis=0) for place in (families.dam, families.sire)
    )
    genes = np.asarray(hatch(program.locus_map, key, number, *parents))[..., np.asarray(program.traits.qtl)]
    value = base + genes.sum(1) @ effect.T
    noise = np.asarray(environment((key[:, 0], key[:, 1]), number, program.noise)).T * unit
    genetic, index = ((x @ weight).reshape(8, 2, 100) for x in (value, value + noise))
    within = (index - index.mean(-1, keepdims=True)).var() * 16 * 100 / (16 * 99)
    residual = weight @ np.asarray(program.traits.residual, float) @ weight
    between = max(index.mean(-1).var(ddof=1) - within / 100, 0)
    b_w, b_f = 1 - residual / within, between / (between + within / 100)
    mean = index.mean(-1, keepdims=True)
    expected = index.mean() + b_f * (mean - index.mean()) + b_w * (index - mean)
    lineage, s, sex, place = np.nonzero(np.asarray(tested.rank[0]) > 0)
    who = lineage, s, egg[lineage, s, sex, place]
    spread = expected[who].std()
    assert np.abs(merit[lineage, s, sex, place] - expected[who]).max() < 2e-3 * spread
    # It is unbiased and tells more than the phenotype.
    slope = np.polyfit(expected.ravel(), genetic.ravel(), 1)[0]
    accuracy = [np.corrcoef(x.ravel(), genetic.ravel())[0, 1] for x in (expected, index)]
    error = np.sqrt((1 / accuracy[0] ** 2 - 1) / expected.size)
    assert abs(slope - 1) < 5 * error + 0.05  # the environment's variance in one sample of 1,600 is a twentieth off
    assert accuracy[0] > accuracy[1] + 0.03
    assert (len(who[0]), genetic.size) == (merit.size - (np.asarray(tested.rank) == 0).sum(), 1600)


def test_the_rate_of_inbreeding_is_the_one_asked_for():
    rate = rate_of_truncation()
    history = course(rate=rate)
    asked, kinship = history["kinship_rate"][:, :6], history["kinship"]
    # No replicate and no generation above it, and none far below: whole clutches leave little of it unused.
    assert (asked <= rate + 1e-6).all()
    assert asked.min() > 0.9 * rate
    assert asked.mean() > 0.985 * rate
    assert 1 - (1 - kinship[:, 1:]) / (1 - kinship[:, :-1]) == pytest.approx(history["kinship_rate"][:, :6], abs=1e-9)
    # Inbreeding follows kinship at the same rate, a generation or two behind.
    outbred = 1 - history["inbreeding"]
    slope = 1 - (outbred[:, 6] / outbred[:, 2]) ** 0.25
    error = slope.std(ddof=1) / np.sqrt(len(slope))
    assert abs(slope.mean() - asked.mean()) < 5 * error
    assert abs(slope.mean() - 2 * rate) > 5 * error
    assert abs(slope.mean() - 0.5 * rate) > 5 * error


UNEQUAL = Settings(lineages=8, eggs=(100, 1500), sires=(1, 4), paternity=0.5, scope="across", mating="random")


def test_how_much_unequal_clutches_add_to_kinship():
    # Clutches of unrelated parents laid 4,000 times: mean kinship less that of their mean contributions is half the
    # sum of the contributions' variances.
    replicates, many = 4000, dataclasses.replace(UNEQUAL, lineages=30)
    names = jnp.stack([jnp.arange(many.animals)] * 2, -1).astype(jnp.uint32)
    animals = jnp.broadcast_to(names, (replicates, *names.shape))
    population = Population(None, animals, None, None, None, None, None)
    program = dataclasses.replace(small_world(UNEQUAL, founders=4)[0], settings=many)
    families = jax.jit(lay)(program, population, jax.random.split(jax.random.key(0), replicates))
    eggs = np.asarray(families.eggs, float)
    of_place = np.concatenate([eggs.sum(2), eggs.reshape(replicates, -1)], 1) / (2 * eggs.sum((1, 2)))[:, None]
    added = 0.5 * ((of_place - optimum._places(many).share) ** 2).sum(1)
    error = added.std(ddof=1) / np.sqrt(replicates)
    # A clutch's share is a ratio: its variance is the squared coefficient of variation within a few hundredths.
    assert abs(added.mean() - 0.5 * optimum._chance(many)) < 5 * error + 0.03 * added.mean()
    assert error < 0.01 * added.mean()
    for other in (dataclasses.replace(many, eggs=(800, 800)), dataclasses.replace(many, sires=(4, 4))):
        assert abs(added.mean() - 0.5 * optimum._chance(other)) > 0.1 * added.mean() + 5 * error
    assert optimum._chance(Settings(lineages=8, eggs=(800, 800), sires=(4, 4))) == pytest.approx(0, abs=1e-15)


def chosen_by_plan(settings, rate, kept=12, seed=0, favourite=0):
    """Parents chosen among made-up animals of inbred, related breeders, and what there was to choose from."""
    rng = np.random.default_rng(seed)
    lineages, sires = settings.lineages, settings.sires[1]
    kinship = inbred_breeders(rng, settings.animals)
    dam, sire = np.indices((lineages, sires))[0], lineages + np.arange(lineages * sires).reshape(lineages, sires)
    eggs = rng.integers(100, 200, (lineages, sires))
    rank = -np.sort(-rng.integers(1, 10**6, (1, lineages, sires, 2, kept)), axis=-1)
    rank[0, 1, 0, 0] += favourite  # females of one family, males of another
    rank[0, -1, 0, 1] += favourite
    egg = rng.permutation(rank.size).reshape(rank.shape)
    population = Population(None, None, kinship[None], None, None, None, None)
    families = Families(eggs[None], None, None, dam[None], sire[None], None)
    tested = SweepResult(rank, egg, None, None, None)
    chosen = optimum.optimum_parents(settings, rate, population, families, tested, rank.astype(float), 0)
    return kinship, families, tested, chosen


@pytest.mark.parametrize("settings", [UNEQUAL, dataclasses.replace(UNEQUAL, eggs=(800, 800), sires=(2, 2), quota=1)])
def test_the_plan_leaves_room_for_unequal_clutches(settings):
    kinship, families, tested, (females, males) = chosen_by_plan(settings, 0.05)
    dam, sire = families.dam[0].ravel(), families.sire[0].ravel()
    now = coancestry.of_gene_pool(kinship, dam, sire, families.eggs[0].ravel())
    limit = 1 - (1 - now) * 0.95
    between, itself = (f(kinship, dam, sire) for f in (coancestry.between_families, coancestry.with_itself))
    room = optimum._chance(settings) * (itself.mean() - limit)
    lineage, of, egg = (np.concatenate([np.ravel(f), np.ravel(m)]) for f, m in zip(females[:3], males[:3], strict=True))
    family = lineage * settings.sires[1] + of
    same = egg[:, None] == egg
    share = optimum._places(settings).share
    planned = share @ np.where(same, itself[family], between[family][:, family]) @ share
    assert limit - room - 0.004 < planned <= limit - room + 1e-9
    assert (room > 0.004) == (settings is UNEQUAL)
    # Eggs that the sweep remembers, of the right sex and family; with a quota only the best of each.
    sex = np.arange(len(egg)) >= settings.lineages
    kept = tested.egg[0, lineage, of, sex.astype(int)]
    assert (kept[:, : settings.quota] == egg[:, None]).any(1).all()


def test_as_many_of_a_family_as_are_of_use():
    # One family's females far above all others and next to no limit: all 20 dams are its best ones.
    settings = Settings(lineages=20, eggs=(200, 200), scope="across", mating="random")
    _, _, tested, (females, males) = chosen_by_plan(settings, 0.9, kept=25, favourite=10**8)
    assert (np.asarray(females.lineage) == 1).all()
    assert (np.asarray(males.lineage) == 19).all()
    assert sorted(np.asarray(females.egg).ravel()) == sorted(tested.egg[0, 1, 0, 0, :20])


def test_a_replicate_without_animals_is_left_unfilled():
    settings = dataclasses.replace(UNEQUAL, sires=(1, 1))
    kinship, families, tested, _ = chosen_by_plan(settings, 0.1)
    poor = tested.rank.copy()
    poor[..., 0, :] = 0
    poor[0, :7, 0, 0, 0] = 5  # seven females for eight places
    both = (np.concatenate([x, x]) for x in (families.eggs, families.dam, families.sire))
    eggs, dam, sire = both
    tested = SweepResult(np.concatenate([tested.rank, poor]), np.concatenate([tested.egg] * 2), None, None, None)
    population = Population(None, None, np.stack([kinship] * 2), None, None, None, None)
    families = Families(eggs, None, None, dam, sire, None)
    females, males = optimum.optimum_parents(settings, 0.1, population, families, tested, tested.rank.astype(float), 0)
    assert np.asarray(females.alive).all((1, 2)).tolist() == [True, False]
    assert np.asarray(males.alive).all((1, 2)).tolist() == [True, False]


def test_more_gain_than_truncation_at_the_same_rate():
    # Truncation with 20 parents of each sex first; then optimum contributions at just its rate, the same founders.
    truncated, best = course(), course(rate=rate_of_truncation())
    assert best["kinship_rate"][:, :6].mean() <= truncated["kinship_rate"][:, :6].mean() + 1e-6
    mean, low, high = interval(best["gain"][:, 6, 0] - truncated["gain"][:, 6, 0])
    # 0.21 +- 0.03 (standard error). On phenotypes instead of expected breeding values it is -0.15 +- 0.04.
    assert mean > 0.05
    assert low > 0
    assert high - low < 0.16


def test_a_limit_acts_in_its_own_generation():
    program, founders = world()
    free = constant_schedule(3, (1.0,))
    limit = dataclasses.replace(free, inbreeding_rate=jnp.array([jnp.inf, 0.01, jnp.inf]))
    never = dataclasses.replace(free, inbreeding_rate=jnp.full(3, jnp.inf))
    without, once, again = (
        simulate(program, founders, s, replicates=32, seed=5, shared_founders=True) for s in (free, limit, never)
    )
    assert (without["gain"][:, :2] == once["gain"][:, :2]).all()
    assert (without["gain"][:, 2] != once["gain"][:, 2]).all()
    assert (once["kinship_rate"][:, 1] <= 0.01 + 1e-6).all()
    assert once["kinship_rate"][:, [0, 2]].mean() > 0.018
    assert all(np.array_equal(again[name], without[name], equal_nan=True) for name in again.data)


@pytest.mark.parametrize("mating", ["random", "minimum_kinship"])
def test_places_and_paternity_are_as_planned(mating):
    # Three sires with shares that halve: kinship is within the limit only if every male keeps his place. No male may
    # hold more than two.
    settings = Settings(
        lineages=8, eggs=(420, 420), sires=(3, 3), paternity=0.5, scope="across", mating=mating, male_places=2
    )
    program, founders = small_world(settings, founders=32, h2=(0.4,))
    plan = constant_schedule(3, (1.0,), inbreeding_rate=0.03)
    history = simulate(program, founders, plan, replicates=6, seed=2, shared_founders=True)
    rate = history["kinship_rate"][:, :3]
    assert (rate <= 0.03 + 1e-6).all()
    assert rate.mean() > 0.985 * 0.03
    names = np.asarray(history.parents.name)[..., 0]
    times = [np.unique(row[8:], return_counts=True)[1] for row in names]
    assert max(t.max() for t in times) == 2
    assert all(len(set(row[:8].tolist())) == 8 for row in names)


def test_a_limit_that_cannot_be_kept_says_the_least():
    program, founders = world()
    run = functools.partial(simulate, program, founders, replicates=32, seed=5, shared_founders=True)
    with pytest.raises(ValueError, match=r"^inbreeding_rate is 0\.001; in generation 0 of replicate 0 the least") as e:
        run(constant_schedule(2, (1.0,), inbreeding_rate=0.001))
    least = float(str(e.value).split()[-1])
    # Each of 20 unrelated pairs is replaced by a daughter and a son: 2 of 40 genes drawn are from the same family,
    # 1 of 40 from the same animal. Sibs have kinship 1/4, animals 1/2 with themselves, founders too.
    now, then = 0.5 / 40, 0.25 / 40 + 0.5 / 40
    assert least == pytest.approx(1 - (1 - then) / (1 - now), rel=0.003)
    run(constant_schedule(1, (1.0,), inbreeding_rate=1.05 * least))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scope": "within"}, 'scope is within; with inbreeding_rate it must be "across"'),
        ({"fraction": 0.1}, "fraction is 0.1; with inbreeding_rate it must be 0"),
        ({"males": 2}, "males is 2; with inbreeding_rate it must be left out"),
        ({"inbreeding_rate": 1.5}, "selection.inbreeding_rate is 1.5; it should be less than 1"),
        ({"inbreeding_rate": 0}, "selection.inbreeding_rate is 0; it should be greater than 0"),
        ({"inbreeding_rate": "low"}, "selection.inbreeding_rate is 'low'; it should be a valid number"),
        ({"male_places": 0}, "selection.male_places is 0; it should be greater than or equal to 1"),
        ({"migration": 1.5}, "selection.migration is 1.5; it should be less than or equal to 1"),
        ({"mating": "rotational"}, 'mating is rotational; it must be used with scope = "within"'),
        ({"mating": "minimal"}, "selection.mating is 'minimal'; it should be 'random', 'avoid_sibs'"),
    ],
)
def test_mistakes_in_a_scenario(change, message):
    table = {"species": "octopus-vulgaris", "clutch": {"eggs": 500, "survival": 1.0}}
    table["selection"] = {"scope": "across", "inbreeding_rate": 0.01} | change
    with pytest.raises(ValueError, match=message):
        check(parse_scenario(table))


def test_mistakes_in_a_schedule(monkeypatch):
    with pytest.raises(ValueError, match="inbreeding_rate is 1; it must be above 0 and below 1, or left out"):
        constant_schedule(2, (1.0,), inbreeding_rate=1.0)
    program, founders = world()
    rows = constant_schedule(2, (1.0,))
    for bad in (-0.1, float("nan")):
        broken = Schedule(rows.weights, rows.fraction, rows.males, None, jnp.array([0.1, bad]))
        with pytest.raises(ValueError, match=f"inbreeding_rate is {bad:g}; it must be above 0 and below 1"):
            simulate(program, founders, broken, shared_founders=True)
    short = dataclasses.replace(rows, inbreeding_rate=jnp.array([0.1]))
    with pytest.raises(ValueError, match="inbreeding_rate has 1 generations; the schedule has 2"):
        simulate(program, founders, short, shared_founders=True)
    monkeypatch.setitem(sys.modules, "clarabel", None)
    with pytest.raises(ValueError, match=r'^inbreeding_rate needs the solver clarabel: pip install "jaxbreed\[ocs\]"$'):
        simulate(program, founders, constant_schedule(2, (1.0,), inbreeding_rate=0.01), shared_founders=True)
