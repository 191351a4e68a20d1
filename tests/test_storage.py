"""Stored sperm: names and genomes across generations, kinship against the pedigree, gain over the mean interval."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import small_world

import jaxbreed as jb
from jaxbreed.build import check
from jaxbreed.program import Settings
from jaxbreed.scenario import parse_scenario
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate

PARTS = ("name", "kinship", "mother", "father", "haplotypes", "genetic", "phenotype")


def followed(settings, generations, replicates, **schedule):
    """The breeders and stored males of every generation as NumPy arrays, and the history."""
    program, founders = small_world(settings, founders=settings.animals, h2=(0.4,), loci=120, qtl=60, chromosomes=4)
    course = []

    def keep(population, families):
        course.append([{p: np.asarray(getattr(x, p)) for p in PARTS} for x in (population, population.stored)])

    plan = constant_schedule(generations, (1.0,), **schedule)
    options = {"replicates": replicates, "seed": 3, "shared_founders": True, "on_families": keep}
    return course, simulate(program, founders, plan, **options)


def named(group, r):
    return [tuple(name) for name in group["name"][r].tolist()]


@functools.cache
def mixed(mating="avoid_sibs", scope="across"):
    settings = Settings(lineages=5, eggs=(40, 40), sires=(2, 2), scope=scope, mating=mating, storage=0.5)
    return followed(settings, 5, 20)[0]


@pytest.mark.parametrize(("mating", "scope"), [("avoid_sibs", "across"), ("within_lineage", "within")])
def test_kinship_is_that_of_the_whole_pedigree(mating, scope):
    # By the definition, animal by animal over all generations, from who is whose child.
    for r in range(3):
        parents, order, relation = {}, [], {}
        for g, (breeders, stored) in enumerate(mixed(mating, scope)):
            for group in (breeders, stored):
                for animal, m, f in zip(named(group, r), group["mother"][r], group["father"][r], strict=True):
                    if animal not in parents:
                        assert (m < 0) == (g == 0)
                        before = named(mixed(mating, scope)[g - 1][0], r)
                        parents[animal] = None if g == 0 else (before[m], before[f])
                        order.append(animal)
        for n, a in enumerate(order):
            for b in order[:n]:  # b is older, or as old: a's parents are older than either
                value = 0.0 if parents[a] is None else 0.5 * sum(relation[b, p] for p in parents[a])
                relation[a, b] = relation[b, a] = value
            relation[a, a] = 0.5 * (1 + (0.0 if parents[a] is None else relation[parents[a]]))
        for breeders, stored in mixed(mating, scope):
            who = named(breeders, r) + named(stored, r)
            exact = np.array([[relation[a, b] for b in who] for a in who])
            animals = breeders["name"].shape[1]
            assert breeders["kinship"][r] == pytest.approx(exact[:animals, :animals], abs=1e-6)
            assert stored["kinship"][r] == pytest.approx(exact[animals:], abs=1e-6)
        # Were a stored male unrelated to later animals, or his own son, some would be far off.
        assert exact[animals:, :animals].max() > 0.3


def test_a_male_keeps_his_name_genome_and_record():
    used, waiting = 0, 0
    for r in range(20):
        known = {}
        for g, (breeders, stored) in enumerate(mixed()):
            for group in (breeders, stored):
                for place, animal in enumerate(named(group, r)):
                    own = [group[part][r, place].tobytes() for part in ("haplotypes", "genetic", "phenotype")]
                    assert known.setdefault(animal, own) == own
            if g:
                # Every sire was chosen now, and is stored now, or was stored a generation before.
                sires, before = named(breeders, r)[5:], named(mixed()[g - 1][1], r)
                assert all(sire in before or sire == now for sire, now in zip(sires, named(stored, r), strict=True))
                old = [sire in before for sire in sires]
                assert ((breeders["mother"][r, 5:] < 0) == old).all()
                used, waiting = used + sum(old), waiting + 10
                # A child has one allele of either parent.
                for part, side in (("mother", 0), ("father", 1)):
                    child, of = stored["haplotypes"][r, :, side], mixed()[g - 1][0]["haplotypes"][r, stored[part][r]]
                    assert ((child == of[:, 0]) | (child == of[:, 1])).all()
    assert abs(used - 0.5 * waiting) < 4.5 * np.sqrt(0.25 * waiting)


def test_daughters_are_kept_from_their_fathers():
    mated, by_chance = [], []
    for (before, _), (breeders, _) in zip(mixed()[:-1], mixed()[1:], strict=True):
        for r in range(20):
            father = np.array([named(before, r)[f] for f in breeders["father"][r, :5]])
            his = (father[:, None] == np.array(named(breeders, r)[5:])).all(-1)  # dam by place for a sire
            by_chance.append(his.mean())
            mated.append(his[np.arange(10) // 2, np.arange(10)].mean())
    assert np.mean(by_chance) > 0.02
    assert np.mean(mated) < 0.2 * np.mean(by_chance)


def test_gain_is_that_of_the_mean_generation_interval():
    # (S_m + S_f) / (L_m + L_f) a generation of females (Rendel & Robertson 1950, J Genet 50:1): L_m = 2, L_f = 1.
    gain = {}
    for storage in (0.0, 1.0):
        settings = Settings(lineages=20, eggs=(60, 60), scope="across", sexes="alternate", storage=storage)
        program, founders = small_world(settings, founders=40, h2=(0.3,))
        plan, best = constant_schedule(9, (1.0,), fraction=0.4), []

        def keep(population, families, best=best):
            if population.stored is not None:
                best.append([np.asarray(x)[..., 0] for x in (population.genetic[:, :20], population.stored.genetic)])

        options = {"replicates": 16, "seed": 3, "shared_founders": True, "on_families": keep}
        history = simulate(program, founders, plan, **options)
        gain[storage] = (history["gain"][:, 9, 0] - history["gain"][:, 3, 0]) / 6
    # With the superiorities of these very females and males: what is left is chance in clutches and the first years.
    chosen = np.array(best[1:]).mean(-1) * 2.0**-history.scale_bits  # (generation, sex, replicate)
    superior = (chosen.sum(1).T - 2 * history["tested_mean"][:, :9, 0])[:, 2:].mean(1) / history.sd_phenotypic
    ratio = gain[1.0] / superior
    error = ratio.std(ddof=1) / 4
    assert error < 0.02
    assert abs(ratio.mean() - 1 / 3) < 4.5 * error
    # And two thirds of the gain without storage. Stored for both sexes it were a half.
    ratio = gain[1.0].mean() / gain[0.0].mean()
    error = np.sqrt(sum(gain[s].var(ddof=1) / 16 * w for s, w in ((0.0, ratio**2), (1.0, 1.0)))) / gain[0.0].mean()
    assert error < 0.033
    assert abs(ratio - 2 / 3) < 4.5 * error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"storage": 1.5}, "selection.storage is 1.5; it should be less than or equal to 1"),
        ({"storage": 0.5, "mating": "minimum_kinship"}, "storage is 0.5; it must be 0 unless mating is one of random"),
        ({"storage": 0.5, "mating": "rotational"}, "storage is 0.5; it must be 0 unless mating is one of random"),
        (
            {"storage": 0.5, "mating": "within_lineage", "migration": 0.1},
            "storage is 0.5; it must be 0 unless mating is one of random, .* without migration",
        ),
        (
            {"storage": 0.5, "scope": "across", "inbreeding_rate": 0.02},
            "storage is 0.5; with inbreeding_rate it must be 0",
        ),
    ],
)
def test_mistakes_are_named(change, message):
    table = {"species": "octopus-vulgaris", "clutch": {"eggs": 500, "survival": 1.0}, "selection": change}
    with pytest.raises(ValueError, match=message):
        check(parse_scenario(table))
    assert check(parse_scenario(table | {"selection": {"storage": 0.5}})) is None


def test_theory_knows_no_stored_males():
    settings = Settings(lineages=4, eggs=(60, 60), storage=0.5)
    program, founders = small_world(settings, founders=8)
    with pytest.raises(ValueError, match=r"storage is 0\.5; it must be 0: the theory has generations"):
        jb.expected_course(program, founders, constant_schedule(1, jnp.ones(2)))
