"""What skewed indexes and dominance do to one generation of theory, against animals drawn in plain NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbreed.battery import error_scale
from jaxbreed.covariance import Covariance
from jaxbreed.deviations import deviations
from jaxbreed.moments import Levers, Moments, World, uninformed
from jaxbreed.recursion import step
from jaxbreed.theory_index import passing_now

SHARE, DRAWN = 0.05, 2_000_000


def world_of(traits, units, **changes):
    """One clutch after another; nothing but genes and errors."""
    nothing = np.zeros((traits, traits))
    plain = {
        "effect": np.eye(traits)[:, None],
        "heterosis": None,
        "kept": np.broadcast_to(np.eye(units), (2, 1, units, units)),
        "residual": np.eye(traits),
        "passing": nothing,
        "gating": None,
        "lasting": np.ones(traits),
        "ceiling": np.full(traits, np.inf),
        "clutch": nothing,
        "depression": np.zeros(traits),
        "dominance": nothing,
        "sires": 1.0,
        "share": 1.0,
        "lineages": 4000,
        "places": 1,
        "across": False,
        "closed": False,
        "loci": False,
    }
    return World(**(plain | changes))


def state_of(world, mean, within, neutral=(0.5, 0.0, 0.5, 0.5)):
    units = world.effect.shape[-1]
    none = Covariance(np.zeros((1, units, units)), np.zeros((len(world.effect), 1, units)))
    inside = Covariance(within[None], none.far)
    traits = len(world.effect)
    return Moments(
        mean[None], none, none, none, inside, np.array(neutral), np.zeros(traits), np.ones(()), np.zeros(traits)
    )


def response(world, state, weights, tests=40_000):
    """Mean dosages of the chosen, as deviations, by theory: gametes have half of them."""
    many = Levers(np.asarray(weights), SHARE, np.array(1.0), np.array(1.0), np.array(float(tests)))
    with jax.enable_x64(True):
        levers = Levers(*(jnp.asarray(x) for x in many))
        after = step(world, jax.tree.map(jnp.asarray, state), levers, uninformed())
        return 2 * np.asarray(after.mean - state.mean)[0]


def chosen(index, values):
    """Mean of values of the best, and its standard error."""
    best = values[index >= np.quantile(index, 1 - SHARE)]
    return best.mean(0), best.std(0) / len(best) ** 0.5


def test_response_to_gated_tests():
    # Trait a is seen through errors that tameness b scales. Wrong: third moments of the genes alone, 0.964 of
    # this. Being of the first order, theory is 5 % too high with twice the gating.
    rng, weights = np.random.default_rng(1), np.array([0.8, 0.6])
    genes, passing, rest = np.diag([0.075, 0.15]), np.diag([0.75, 0.6]), np.diag([0.1, 0.1])
    gating, founders = np.array([[0.0, 0.25], [0.0, 0.0]]), np.array([0.25, 0.4])
    value = rng.normal(size=(DRAWN, 2)) * np.sqrt(np.diag(genes))
    lasting = value + rng.normal(size=value.shape) * np.sqrt(np.diag(rest))
    error = rng.normal(size=value.shape) * np.sqrt(np.diag(passing)) * error_scale(lasting, founders, gating)
    mean, deviation = chosen((lasting + error) @ weights, value @ weights)
    world = world_of(2, 2, residual=passing + rest, passing=passing, gating=gating, lasting=founders)
    theory = weights @ response(world, state_of(world, np.zeros(2), genes), weights)
    assert deviation < 0.006 * mean
    assert abs(theory / mean - 1) < 0.025


@pytest.mark.parametrize("gain", [0.0, 0.8])
def test_errors_of_gated_tests(gain):
    # Less tameness varies among these eggs than among the founders: errors are smaller by that, too.
    rng = np.random.default_rng(2)
    gating, founders = np.array([[0.5, 0.3], [0.0, 0.4]]), np.array([0.7, 0.9])
    genes, rest, passing = np.array([[0.25, 0.1], [0.1, 0.3]]), np.diag([0.2, 0.1]), np.array([[1.0, 0.3], [0.3, 0.8]])
    world = world_of(2, 2, residual=passing + rest, passing=passing, gating=gating, lasting=founders)
    state = state_of(world, np.array([0.5 * gain, 0.0]), genes)
    lasting = rng.multivariate_normal([gain, 0], genes + rest, size=400_000)
    scale = error_scale(lasting, founders, gating)
    drawn = scale.T @ scale / len(scale) * passing
    with jax.enable_x64(True):
        found = np.asarray(passing_now(world, jax.tree.map(jnp.asarray, state)))
    assert found == pytest.approx(drawn, rel=0.01)
    as_founders = np.exp(-gain * (gating[:, 0] * 2)) * np.diag(passing)
    assert abs(as_founders / np.diag(drawn) - 1).min() > 0.05


def test_response_to_directional_dominance():
    # A family of two parents that are heterozygous everywhere, with all dominance variance in it, not three quarters.
    # Wrong: third moments of the genes alone, 0.968 of this.
    rng, loci = np.random.default_rng(3), 48
    a, d = 0.2 * rng.normal(size=loci), np.full(loci, 0.2)
    dosage = rng.binomial(2, 0.5, size=(600_000, loci)).astype(np.int8)
    index = (dosage @ a + (dosage == 1) @ d + rng.normal(size=len(dosage))).astype(np.float64)
    mean, deviation = chosen(index, (dosage - 1.0) @ a)
    residual = np.full((1, 1), 1 + 0.25 * (0.25 * d**2).sum())
    world = world_of(1, loci, effect=a[None, None], heterosis=d[None, None], residual=residual, loci=True)
    theory = a @ response(world, state_of(world, np.full(loci, 0.5), 0.5 * np.eye(loci)), [1.0])
    assert deviation < 0.006 * mean
    assert abs(theory / mean - 1) < 0.018


@pytest.mark.parametrize("frequency", [0.5, 0.2])
def test_variance_of_dominance_deviations(frequency):
    # Lines of full sibs: as they become inbred less of it is left inside families and more lies between them. Taken
    # for three quarters of the whole, what is inside would be 0.95, 2.6 and 4.5 times too much (p = 0.5).
    rng, shape = np.random.default_rng(4), (6000, 40)
    dam, sire = (rng.random((*shape, 2)) < frequency for _ in "fm")
    world = world_of(1, 1, heterosis=np.ones((1, 1, 1)), loci=True, closed=True)
    for _ in range(9):
        of_dam, of_sire = dam.mean(2), sire.mean(2)
        p = 0.5 * (of_dam.mean() + of_sire.mean())
        u, v = of_dam - p, of_sire - p
        segregating = [0.25 * (x[..., 0] != x[..., 1]) for x in (dam, sire)]
        state = state_of(world, np.array([p]), np.array([[sum(segregating).mean()]]))
        families, apart = (Covariance(np.full((1, 1, 1), (x**2).mean()), np.zeros((1, 1, 1))) for x in (u + v, u - v))
        state = state._replace(between=families, apart=apart)
        with jax.enable_x64(True):
            found = jax.tree.map(np.asarray, deviations(world, jax.tree.map(jnp.asarray, state)))
        inside = 4 * (u**2 * segregating[1] + v**2 * segregating[0] + segregating[0] * segregating[1]).mean()
        assert float(found.within[0, 0]) == pytest.approx(inside, rel=0.1)
        # Together exact: variance of -2 x y, and its covariance with x + y.
        alleles = [np.where(rng.random(shape) < 0.5, x[..., 0], x[..., 1]) - p for x in (dam, sire)]
        deviation = -2 * alleles[0] * alleles[1]
        assert float((found.within + found.between)[0, 0]) == pytest.approx(deviation.var(), rel=0.02)
        onto = (deviation * (alleles[0] + alleles[1])).mean() - deviation.mean() * (alleles[0] + alleles[1]).mean()
        assert float(found.onto_within.sum() + found.onto_between.sum()) == pytest.approx(onto, abs=0.004)
        onto_within = -2 * (u * segregating[1] + v * segregating[0]).mean()
        assert float(found.onto_within.sum()) == pytest.approx(onto_within, rel=0.25, abs=0.002)
        of_gametes = [[np.where(rng.random(shape) < 0.5, x[..., 0], x[..., 1]) for x in (dam, sire)] for _ in "fm"]
        dam, sire = (np.stack(pair, axis=-1) for pair in of_gametes)
