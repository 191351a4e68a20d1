"""Selection over generations against closed forms: Bulmer's equilibrium, Robertson's limit, sibs selected together."""

import jax.numpy as jnp
import numpy as np
from helpers import small_world
from test_dominance import world

from jaxbreed.effects import TraitModel
from jaxbreed.program import Settings
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.statistics import family_moments
from jaxbreed.testing import make_assay, sweep_families, with_clutch_effects
from jaxbreed.theory import bulmer, intensity, variance_reduction


def test_variance_at_bulmers_equilibrium():
    # V12: h2 = 0.5, the best fifth: V falls to 0.749 of what allele frequencies alone leave, in three generations.
    settings = Settings(lineages=60, eggs=(60, 60), scope="across", sexes="alternate")
    program, founders = small_world(settings, founders=120, h2=(0.5,), chromosomes=30, loci=900, qtl=900, length=4.0)
    plan = constant_schedule(5, (1.0,), fraction=0.2)
    history = simulate(program, founders, plan, replicates=12, seed=1, shared_founders=True)
    # Of 60 families the variance between is a sixtieth short; disequilibrium is what is left of V / genic V.
    left = (history["variance_within"] + history["variance_between"] * 60 / 59) / history["genic_variance"]
    # Frequencies drift, and with them h2 falls a little: V_t from the recursion with the genic variance of each run.
    genic = history["genic_variance"][:, :, 0].mean(0)
    residual, k = float(program.traits.residual[0, 0]), variance_reduction(0.2)
    expected = [genic[0]]
    for g in range(5):
        now = expected[-1]
        expected.append(0.5 * now * (1 - k * now / (now + residual)) + 0.5 * genic[g + 1])
    found, error = left[:, 3:, 0].mean(), left[:, 3:, 0].mean(1).std(ddof=1) / np.sqrt(12)
    assert error < 0.012
    assert abs(found - (np.array(expected) / genic)[3:].mean()) < 4.5 * error
    # A model without disequilibrium (1), or in which it is not halved by recombination each generation, is far off.
    unhalved = genic[0] * np.cumprod(np.full(5, 1 - 0.5 * k * 0.45))[2:].mean() / genic[3:].mean()
    assert min(1 - found, found - unhalved) > 5 * error
    # The infinitesimal limit of theory, without drift, is near by.
    assert abs(found - bulmer(0.5, 0.2, 30)[-1][1] / 0.5) < 4.5 * error + 0.02


def test_robertsons_limit():
    # V17: weak selection in a small population: R_t = R_1 (1 - (1 - F')^t) / F', so that all of it is at most 2 Ne R_1
    # and half of that comes by 1.4 Ne generations (Robertson 1960, Proc R Soc B 153:234). F' = 1 / (2 Ne + 1), Ne = 8.
    settings = Settings(lineages=4, eggs=(40, 40), scope="across", sexes="alternate")
    program, founders = small_world(settings, founders=8 * 96, h2=(0.1,), chromosomes=20, loci=200, qtl=200, length=3.0)
    plan = constant_schedule(40, (1.0,), fraction=0.5)
    history = simulate(program, founders, plan, replicates=96, seed=2)
    mean, error = history["gain"][:, :, 0].mean(0), history["gain"][:, :, 0].std(0, ddof=1) / np.sqrt(96)
    # R_1 in founder phenotypic SD, from what segregates among the first eggs: 7/8 of the founders' variance.
    genetic, residual = history["genetic_variance"][:, 0, 0].mean(), float(program.traits.residual[0, 0])
    first = intensity(0.5) * genetic / np.sqrt(genetic + residual) / history.sd_phenotypic[0]
    come = 1 - (1 - 1 / 17) ** np.arange(41)
    bound = first * 17
    assert mean[40] < bound * come[40] + 2.5 * error[40]
    # Sibs selected together and disequilibrium between loci take a sixth of it.
    assert mean[40] > 0.75 * bound * come[40] - 2.5 * error[40]
    course = mean / mean[40] - come / come[40]
    assert (np.abs(course) < 4.5 * error / mean[40] + 0.02).all()
    assert abs(mean[11] / (mean[40] / come[40]) - 0.5) < 0.1
    # Variance that lasts would gain 40 R_1, in a straight line; Ne counted by half, or by the males alone, half of it.
    assert 40 * first - mean[40] > 5 * error[40]
    assert mean[11] / mean[40] - 11 / 40 > 5 * error[11] / mean[40]
    assert mean[40] - 0.5 * bound > 5 * error[40]


def test_sibs_are_selected_together():
    # Robertson 1961 (Genet Res 2:189): two of the selected are sibs more often than by chance, about 1 + i^2 t times,
    # t = h2 / 2; here the exact integral over family means. This is what lowers Ne under selection.
    settings = Settings(lineages=40, eggs=(100, 100), scope="across", sexes="alternate")
    program, founders = small_world(settings, founders=80, h2=(0.5,), loci=600, qtl=600, chromosomes=20)
    sibs = {}
    for fraction in (0.1, 1.0):
        mothers = []
        plan = constant_schedule(1, (1.0,), fraction=fraction)
        options = {"replicates": 24, "seed": 3, "on_families": lambda p, _, seen=mothers: seen.append(p.mother)}
        simulate(program, founders, plan, shared_founders=True, **options)
        mother = np.asarray(mothers[1])[:, :40]
        same = (mother[:, :, None] == mother[:, None, :]).mean((1, 2)) - 1 / 40
        sibs[fraction] = same * 40 / 39
    by_chance = 49 / 1999
    x = np.linspace(-6, 6, 4001)
    density = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) * (x[1] - x[0])
    above = 1 - np.cumsum(density)
    t, limit = 0.25, np.interp(-0.1, -above, x)
    chosen = np.interp((limit - x * np.sqrt(t)) / np.sqrt(1 - t), x, above, 1.0, 0.0)
    together = (density * chosen**2).sum() / (density * chosen).sum() ** 2
    assert abs(together / (1 + intensity(0.1) ** 2 * t) - 1) < 0.1
    error = sibs[0.1].std(ddof=1) / np.sqrt(24)
    # Founders are a sample: the variance between their 40 families is that of the panel within a tenth.
    assert abs(sibs[0.1].mean() - together * by_chance) < 4.5 * error + 0.05 * together * by_chance
    assert sibs[0.1].mean() - by_chance > 5 * error
    assert abs(sibs[1.0].mean() - by_chance) < 4.5 * sibs[1.0].std(ddof=1) / np.sqrt(24)


def test_paternal_half_sibs_share_a_quarter_of_h2_and_no_clutch():
    # V24: each sire has four clutches by different dams.
    model = TraitModel("growth", 0.4, clutch=0.3)
    settings = Settings(lineages=400, eggs=(60, 60), scope="across", mating="random")
    program, founders = world([model], settings, founders=800)
    seen = []
    plan = constant_schedule(1, [1.0], fraction=1.0, males=100)
    simulate(program, founders, plan, seed=4, replicates=2, on_families=lambda *x: seen.append(x), shared_founders=True)
    population, families = seen[1]
    assay = make_assay(program, jnp.array([1.0]), 1)
    tested = with_clutch_effects(sweep_families(program, assay, population, families), families, assay)
    mean = family_moments(program.traits, tested, np.asarray(assay.unit))[1][..., 1]
    mean = mean - mean.mean(1, keepdims=True)
    name = np.asarray(population.name)[:, 400:, 0]
    shared = []
    for r in range(2):
        sires, of = np.unique(name[r], return_inverse=True)
        total, squares, n = (np.bincount(of, w) for w in (mean[r], mean[r] ** 2, np.ones(400)))
        assert len(sires) == 100
        shared.append((total**2 - squares) / (n * (n - 1)))
    shared = np.concatenate(shared) * 0.4  # phenotypic variance 1 / 0.4
    found, error = shared.mean(), shared.std(ddof=1) / np.sqrt(200)
    # Sires are half sibs or sibs themselves now and then, and 400 means lose what their mean takes: within 0.005.
    assert abs(found - 0.1) < 4.5 * error + 0.005
    assert error < 0.02
    assert 0.1 + 0.3 - found > 5 * error  # the clutch's effect shared by sires
    # Sires left out, 0.
    assert found > 5 * error
