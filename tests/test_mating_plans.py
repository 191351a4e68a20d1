"""Mating plans: inbreeding against exact pedigrees and closed forms, assignments against every arrangement there is."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import small_world

from jaxbreed.clutch import Families
from jaxbreed.mating import mate
from jaxbreed.mating_plans import PLANS, mate_by_plan
from jaxbreed.pedigree import founder_kinship, next_kinship
from jaxbreed.population import Population
from jaxbreed.program import Settings
from jaxbreed.schedule import constant_schedule
from jaxbreed.selection import Chosen
from jaxbreed.simulation import simulate


def simulated(settings, generations, replicates=1, seed=1, **schedule):
    """(replicate, generation) F of the eggs; the pedigree is all that matters, so eggs and loci are few."""
    program, founders = small_world(settings, founders=settings.animals, qtl=8, loci=60, chromosomes=2, h2=(0.3,))
    plan = constant_schedule(generations, (1.0,), **schedule)
    return simulate(program, founders, plan, replicates=replicates, seed=seed, shared_founders=True)["inbreeding"]


def inbreeding(settings, generations, replicates=1, seed=1):
    """The same without eggs: one female and one male of every lineage, whichever, mated by the plan."""
    lineages = settings.lineages
    kinship = jnp.broadcast_to(founder_kinship(2 * lineages), (replicates, 2 * lineages, 2 * lineages))
    each = jnp.broadcast_to(jnp.arange(lineages)[:, None], (replicates, lineages, 1))
    nothing = jnp.zeros((replicates, 1))
    families = Families(None, None, None, each, each + lineages, None)
    females, males = (Chosen(each, 0 * each, each + sex * lineages, each >= 0) for sex in (0, 1))
    course = []
    for g in range(generations + 1):
        course.append(np.asarray(kinship[:, jnp.arange(lineages), lineages + jnp.arange(lineages)]).mean(1))
        keys = jax.random.split(jax.random.key(1000 * seed + g), replicates)
        if settings.mating in PLANS:
            population = Population(nothing, nothing, kinship, nothing, nothing, nothing, nothing)
            dams, sires = mate_by_plan(settings, population, families, females, males, jnp.int32(9), keys, g)
        else:
            dams, sires = jit_mate(settings, females, males, jnp.zeros(each.shape, jnp.uint32), jnp.int32(9), keys)
        young = jnp.concatenate([dams.lineage, sires.lineage[..., 0]], 1)
        name = jnp.concatenate([dams.egg, sires.egg[..., 0]], 1).astype(jnp.uint32)
        name = jnp.stack([name, jnp.full_like(name, g)], -1)
        kinship = descend(kinship, young, young + lineages, name)
    return np.stack(course, 1)


jit_mate, descend = jax.jit(mate, static_argnums=0), jax.jit(jax.vmap(next_kinship))


@pytest.mark.parametrize(("lineages", "terms"), [(1, 2), (2, 3), (4, 4), (8, 5)])
def test_maximum_avoidance_is_that_of_wright_and_of_kimura_and_crow(lineages, terms):
    # Heterozygosity with 2, 4, 8, 16 parents (Wright 1921; Kimura & Crow 1963): H = H'/2 + H''/4 + ..., log2(N) + 1
    # terms. Sibs, double first cousins, quadruple second cousins.
    mating = "within_lineage" if lineages == 1 else "maximum_avoidance"
    f = inbreeding(Settings(lineages=lineages, eggs=(16, 16), mating=mating), 14)[0]
    h = [1.0] * terms  # of the founders and of the first generations of eggs
    for _ in range(14):
        h.append(sum(0.5**i * h[-i] for i in range(1, terms + 1)))
    assert f == pytest.approx(1 - np.array(h[1:16]), abs=1e-6)
    assert f[terms - 2] == 0 < f[terms - 1]


def pedigree_inbreeding(lineages, steps):
    """F of the eggs of each generation, by Malécot's definition, where lineage l's sires come from l - step."""

    @functools.cache
    def kinship(a, b):
        if a == b:
            return 0.5 if a[0] == 0 else 0.5 * (1 + kinship(*parents(*a[:2])))
        if a[0] == b[0] == 0:
            return 0.0
        if a[0] < b[0]:
            return kinship(b, a)
        return 0.5 * sum(kinship(parent, b) for parent in parents(*a[:2]))  # of the younger of the two

    def parents(generation, lineage):
        source = lineage if generation == 1 else (lineage - steps[generation - 2]) % lineages
        return (generation - 1, lineage, "dam"), (generation - 1, source, "sire")

    ages = range(1, len(steps) + 2)  # founders pair as they stand
    return [np.mean([kinship(*parents(age, lineage)) for lineage in range(lineages)]) for age in ages]


@pytest.mark.parametrize("lineages", [2, 3, 5, 8])
def test_rotation_against_the_pedigree(lineages):
    f = inbreeding(Settings(lineages=lineages, eggs=(16, 16), mating="rotational"), 10)[0]
    assert f == pytest.approx(pedigree_inbreeding(lineages, [1] * 10), abs=1e-6)
    if lineages > 3:  # with 3, a step of 2 is one of 1 the other way round
        assert max(abs(f - np.array(pedigree_inbreeding(lineages, [1, 2] * 5)))) > 0.01


@pytest.mark.parametrize("lineages", [5, 6])
def test_avoidance_steps_double_and_begin_again(lineages):
    f = inbreeding(Settings(lineages=lineages, eggs=(16, 16), mating="maximum_avoidance"), 9)[0]
    assert f == pytest.approx(pedigree_inbreeding(lineages, [1, 2, 4] * 3), abs=1e-6)
    for other in ([1, 2] * 4 + [1], [2, 4, 1] * 3, [1, 2, 3] * 3):
        assert max(abs(f - np.array(pedigree_inbreeding(lineages, other)))) > 0.001


def test_rates_of_inbreeding_in_the_long_run():
    # 32 parents in pairs. Rotation: nearly pi^2 / (N + 12)^2 (Kimura & Crow 1963). Maximum avoidance: the largest root
    # of its recursion, near 1 - 1 / (4 N).
    root = max(np.roots([1, *(-(0.5**i) for i in range(1, 7))]).real)
    assert 1 - root == pytest.approx(1 / (4 * 32), rel=0.06)
    courses = {}
    for mating, rate, share in (("rotational", np.pi**2 / 44**2, 0.07), ("maximum_avoidance", 1 - root, 0.003)):
        f = courses[mating] = inbreeding(Settings(lineages=16, eggs=(16, 16), mating=mating), 150)[0].astype(float)
        assert 1 - ((1 - f[150]) / (1 - f[100])) ** 0.02 == pytest.approx(rate, rel=share)
    sooner, later = courses.values()
    assert (sooner[3:50] > later[3:50] + 0.01).all()


def test_a_whole_programme_follows_the_plan():
    settings = Settings(lineages=5, eggs=(16, 16), mating="maximum_avoidance")
    assert simulated(settings, 6)[0] == pytest.approx(pedigree_inbreeding(5, [1, 2, 4] * 2), abs=1e-6)


def test_every_male_of_a_lineage_goes_where_the_plan_sends_him():
    lineage, place = np.meshgrid(np.arange(4), np.arange(3), indexing="ij")
    males = Chosen(*(jnp.asarray(x[None]) for x in (lineage, place * 0, place + 10 * lineage, place >= 0)))
    females = Chosen(*(x[:, :, :1] for x in males))
    keys = jax.random.split(jax.random.key(0), 1)
    for mating, g, step in (("rotational", 0, 1), ("rotational", 1, 1), ("maximum_avoidance", 1, 2)):
        settings = Settings(lineages=4, eggs=(60, 60), sires=(3, 3), mating=mating)
        dams, sires = mate_by_plan(settings, None, None, females, males, jnp.int32(2), keys, g)
        assert (np.asarray(dams.lineage[0]) == np.arange(4)).all()
        source = (np.arange(4)[:, None] - step) % 4
        assert (np.asarray(sires.egg[0]) == 10 * source + np.array([0, 1, 0])).all()  # two males in turn


def relatives(rng, lineages, sires):
    """A population of random kinship, its families, and one chosen female and some males of any of them."""
    animals = lineages * (1 + sires)
    genes = rng.random((animals, 6))
    kinship = jnp.asarray((genes @ genes.T / 12)[None], jnp.float32)
    dam = np.repeat(np.arange(lineages), sires).reshape(1, lineages, sires)
    sire = lineages + np.arange(lineages * sires).reshape(1, lineages, sires)
    nothing = jnp.zeros((1, animals))
    population = Population(nothing, nothing, kinship, nothing, nothing, nothing, nothing)
    return population, Families(None, None, None, jnp.asarray(dam), jnp.asarray(sire), None)


def pick(rng, shape, lineages, sires):
    count = int(np.prod(shape))
    return Chosen(
        jnp.asarray(rng.integers(0, lineages, shape)),
        jnp.asarray(rng.integers(0, sires, shape)),
        jnp.asarray(np.arange(count).reshape(shape)),
        jnp.ones(shape, bool),
    )


@pytest.mark.parametrize(("scope", "placed"), [("within", False), ("across", False), ("across", True)])
def test_minimum_kinship_against_every_arrangement(scope, placed):
    lineages, sires = 3, 2
    settings = Settings(lineages=lineages, eggs=(60, 60), sires=(sires, sires), scope=scope, mating="minimum_kinship")
    for seed in range(8):
        rng = np.random.default_rng(seed)
        population, families = relatives(rng, lineages, sires)
        males = pick(rng, (1, lineages, sires) if placed or scope == "within" else (1, 1, 6), lineages, sires)
        females = pick(rng, (1, lineages, 1) if scope == "within" else (1, 1, lineages), lineages, sires)
        keys = jax.random.split(jax.random.key(seed), 1)
        dams, mates = mate_by_plan(
            settings, population, families, females, males, jnp.int32(99), keys, 0, placed=placed
        )
        k, dam, sire = np.asarray(population.kinship[0], float), families.dam[0], families.sire[0]

        def kinship(a, b, k=k, dam=dam, sire=sire):
            return np.mean([k[i, j] for i in (dam[a], sire[a]) for j in (dam[b], sire[b])])

        def of(chosen):
            flat = [np.asarray(x).reshape(-1) for x in chosen]
            return [(int(i), int(s)) for i, s in zip(flat[0], flat[1], strict=True)]

        female, male = of(females), of(males)
        table = np.array([[kinship(a, b) for b in male] for a in female])
        if placed or scope == "within":
            # One permutation of the lineages for the first places of the clutches, one for the second.
            least = sum(
                min(sum(table[i, sires * p[i] + c] for i in range(3)) for p in itertools.permutations(range(3)))
                for c in range(sires)
            )
            assert (np.asarray(mates.egg[0]) % sires == np.arange(sires)).all()
        else:
            least = min(sum(table[i // 2, p[i]] for i in range(6)) for p in itertools.permutations(range(6)))
        egg = np.asarray(mates.egg[0])
        assert sorted(egg.reshape(-1).tolist()) == list(range(6))
        assert table[np.arange(3)[:, None], egg].sum() == pytest.approx(least, abs=1e-6)
        assert (np.asarray(dams.egg).reshape(-1) == np.arange(3)).all()


def test_places_of_equal_kinship_are_filled_at_random():
    # Males all of one family: every arrangement is as good, and none may be favoured.
    settings = Settings(lineages=3, eggs=(60, 60), scope="across", mating="minimum_kinship")
    population, families = relatives(np.random.default_rng(0), 3, 1)
    rng = np.random.default_rng(1)
    females, males = pick(rng, (1, 1, 3), 3, 1), pick(rng, (1, 1, 3), 1, 1)
    tries = 600  # as so many replicates

    def repeat(x):
        return None if x is None else jnp.repeat(x, tries, axis=0)

    everything = jax.tree.map(repeat, (population, families, females, males))
    keys = jax.random.split(jax.random.key(2), tries)
    _, mates = mate_by_plan(settings, *everything, jnp.int32(99), keys, 0)
    first = np.asarray(mates.egg[:, 0, 0])
    expected, error = tries / 3, np.sqrt(tries * 2 / 9)
    assert np.abs(np.bincount(first, minlength=3) - expected).max() < 5 * error


def test_minimum_kinship_puts_inbreeding_off():
    # 8 lineages, mated at random, by kinship and by lineage: F of generations 1 to 5.
    random, least, avoided = (
        inbreeding(Settings(lineages=8, eggs=(24, 24), mating=mating), 5, replicates=60)
        for mating in ("random", "minimum_kinship", "maximum_avoidance")
    )
    saved = (random - least).mean(1)
    assert saved.mean() - 5 * saved.std(ddof=1) / np.sqrt(60) > 0.01
    # Nobody need mate a relative before generation 4. Looking one generation ahead reaches generation 3, nearly 4.
    assert (least[:, :3] == 0).all()
    assert (avoided[:, :4] == 0).all()
    assert 0 < (least - avoided)[:, 1:].mean() < 0.25 * saved.mean()


def island_model(lineages, migration, generations):
    """Expected F of the eggs with one pair in each lineage: recursion of kinships within and between lineages.

    Within is between sibs, dam and male of one lineage; a migrant replaces the sire.
    """
    m, n = migration, lineages
    f, within, between, self_dam = 0.0, 0.0, 0.0, 0.5  # founders: F of their eggs, kinships among the parents
    course = [f]
    for _ in range(generations):
        # Eggs of generation t, laid by dams and by sires of which `other` says what is expected of two lineages.
        if len(course) == 1:
            of_sires, of_dam_and_sire = 0.0, 0.0  # unrelated founders
        else:
            one = m / (n - 1)
            same_source = 2 * (1 - m) * one + (n - 2) * one**2  # sires of two lineages that are one animal
            of_sires = same_source * self_dam + (1 - same_source) * between
            of_dam_and_sire = one * within + (1 - one) * between
        sibs = 0.25 * (2 * self_dam + 2 * f)
        between = 0.25 * (between + of_sires + 2 * of_dam_and_sire)
        self_dam = 0.5 * (1 + f)
        within = sibs
        f = (1 - m) * within + m * between
        course.append(f)
    return np.array(course)


@pytest.mark.parametrize("migration", [0.25, 1.0])
def test_migration_is_the_island_model(migration):
    settings = Settings(lineages=4, eggs=(16, 16), mating="within_lineage", migration=migration)
    f = inbreeding(settings, 5, replicates=300)
    expected = island_model(4, migration, 5)
    error = np.maximum(f.std(0, ddof=1) / np.sqrt(len(f)), 1e-6)
    assert (np.abs(f.mean(0) - expected) < 5 * error).all()
    # Migration of half or twice as much, and males from anywhere, one's own lineage included.
    for other in (0.5 * migration, min(2 * migration, 1.0) if migration < 1 else 0.75):
        assert (np.abs(f.mean(0) - island_model(4, other, 5))[2:] > 5 * error[2:]).all()


def test_migrants_keep_their_place_and_come_from_everywhere():
    lineages, sires, replicates = 4, 2, 2000
    settings = Settings(lineages=lineages, eggs=(60, 60), sires=(sires, sires), mating="within_lineage", migration=0.3)
    shape = (replicates, lineages, sires)
    lineage, place = (jnp.broadcast_to(x, shape) for x in (jnp.arange(lineages)[:, None], jnp.arange(sires)))
    males = Chosen(lineage, place, place, jnp.ones(shape, bool))
    females = Chosen(*(x[:, :, :1] for x in males))
    keys = jax.random.split(jax.random.key(5), replicates)
    _, mates = mate(settings, females, males, jnp.zeros(shape, jnp.uint32), jnp.int32(99), keys)
    assert (np.asarray(mates.sire) == np.arange(sires)).all()
    away = (np.asarray(mates.lineage) - np.arange(lineages)[:, None]) % lineages
    counts = np.stack([(away == d).sum(0) for d in range(lineages)])  # (distance, lineage, place)
    share = np.array([0.7, 0.1, 0.1, 0.1])[:, None, None]
    assert (np.abs(counts - replicates * share) < 5 * np.sqrt(replicates * share * (1 - share))).all()


@pytest.mark.parametrize("males", [2, 10])
def test_effective_size_with_unequal_numbers_of_the_sexes(males):
    # V13: parents drawn at random from all eggs, Nf dams and Nm sires: Ne = 4 Nm Nf / (Nm + Nf) (Wright 1931).
    dams, generations, replicates = 10, 10, 60
    settings = Settings(lineages=dams, eggs=(200, 200), scope="across", mating="random")
    f = simulated(settings, generations, replicates=replicates, fraction=1.0, males=males)
    theta, inbred, course = 0.0, 0.0, [0.0]
    eggs = 200
    for g in range(generations):
        # Kinship of two animals: they share the dam, or the sire, or both, as two of all eggs do. Founders' progeny
        # have a sire each; their sons' sons are `males`.
        sires = dams if g == 0 else males
        clutch, of_sire = (eggs - 1) / (dams * eggs - 1), (dams // sires * eggs - 1) / (dams * eggs - 1)
        itself = 0.5 * (1 + inbred)
        theta_next = 0.25 * ((clutch + of_sire) * itself + (4 - clutch - of_sire) * theta)
        inbred, theta = theta, theta_next
        course.append(theta)
    error = f.std(0, ddof=1)[2:] / np.sqrt(replicates)
    assert (np.abs(f.mean(0) - course)[2:] < 5 * error).all()
    ne = 4 * males * dams / (males + dams)
    rate = 1 - ((1 - course[-1]) / (1 - course[-2]))
    assert rate == pytest.approx(1 / (2 * ne + 1), rel=0.03)  # Wright's 1 / (2 Ne + 1) for separate sexes
    # Males counted like females, or Ne = Nm + Nf, are far off when males are few.
    if males == 2:
        assert abs(f.mean(0)[-1] - (1 - (1 - 1 / (2 * (males + dams))) ** 9)) > 5 * error[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mating": "nearest"}, "mating is nearest; it must be one of random, avoid_sibs, within_lineage, rotational"),
        ({"mating": "rotational", "scope": "across"}, 'mating is rotational; it must be used with scope = "within"'),
        ({"mating": "rotational", "lineages": 1}, "mating is rotational; it must be used with 2 lineages or more"),
        (
            {"mating": "maximum_avoidance", "scope": "across"},
            'mating is maximum_avoidance; it must be used with scope = "within"',
        ),
        ({"migration": 1.5, "mating": "within_lineage"}, "migration is 1.5; it must be from 0 to 1"),
        ({"migration": 0.1}, 'migration is 0.1; it must be 0 unless mating is "within_lineage"'),
        (
            {"migration": 0.1, "mating": "within_lineage", "lineages": 1},
            "migration is 0.1; it must be 0 unless mating is .* and there are 2 lineages or more",
        ),
        ({"male_places": 0}, "male_places is 0; it must be at least 1, or left out"),
    ],
)
def test_bad_settings_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        Settings(**{"lineages": 4, "eggs": (100, 100)} | change)
