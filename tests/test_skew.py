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


def families_of(parents, p):
    """What varies in families of two parents (family, locus, 2), with d = 1 and x and y the alleles less p.

    Returns:
      State of theory; variance of -2 x y inside and in all, its covariance with x + y inside and in all.
    """
    u, v = (x.mean(2) - p for x in parents)
    segregating = [0.25 * (x[..., 0] != x[..., 1]) for x in parents]
    inside = 4 * (u**2 * segregating[1] + v**2 * segregating[0] + segregating[0] * segregating[1]).mean()
    between = 4 * (u * v).var()
    onto_inside = -2 * (u * segregating[1] + v * segregating[0]).mean()
    onto_between = -2 * (u * v * (u + v)).mean()
    world = world_of(1, 1, heterosis=np.ones((1, 1, 1)), loci=True, closed=True)
    state = state_of(world, np.array([p]), np.array([[sum(segregating).mean()]]))
    families, apart = (Covariance(np.full((1, 1, 1), (x**2).mean()), np.zeros((1, 1, 1))) for x in (u + v, u - v))
    return state._replace(between=families, apart=apart), (inside, between, onto_inside, onto_between)


deviations_of = jax.jit(deviations)


def of_theory(state, closed):
    world = world_of(1, 1, heterosis=np.ones((1, 1, 1)), loci=True, closed=closed)
    with jax.enable_x64(True):
        return jax.tree.map(lambda x: float(x.sum()), deviations_of(world, jax.tree.map(jnp.asarray, state)))


@pytest.mark.parametrize("frequency", [0.5, 0.2])
def test_variance_of_dominance_deviations(frequency):
    # Lines of full sibs: as they become inbred less of it is left inside families and more lies between them. Taken
    # for three quarters of the whole, what is inside would be 0.95, 2.6 and 4.5 times too much (p = 0.5).
    rng, shape = np.random.default_rng(4), (6000, 40)
    parents = [rng.random((*shape, 2)) < frequency for _ in "fm"]
    for _ in range(9):
        p = 0.5 * (parents[0].mean() + parents[1].mean())
        state, (inside, between, onto_inside, onto_between) = families_of(parents, p)
        found = of_theory(state, True)
        assert found.within == pytest.approx(inside, rel=0.1)
        assert found.within + found.between == pytest.approx(inside + between, rel=0.02)
        assert found.onto_within == pytest.approx(onto_inside, rel=0.25, abs=0.002)
        assert found.onto_within + found.onto_between == pytest.approx(onto_inside + onto_between, abs=0.004)
        # Half sibs of a clutch, by a second brother: what differs is -2 U (V - V').
        brother = np.stack([np.where(rng.random(shape) < 0.5, x[..., 0], x[..., 1]) for x in parents], axis=-1)
        sibs = [np.stack([np.where(rng.random(shape) < 0.5, x[..., 0], x[..., 1]) for x in parents], -1) for _ in "fm"]
        of_sibs = families_of(sibs, p)[0]
        dam, sires = sibs[0].mean(2) - p, [sibs[1].mean(2) - p, brother.mean(2) - p]
        mixed = 2 * (dam**2 * (sires[0] - sires[1]) ** 2).mean()  # (-2 U (V - V'))^2 / 2
        assert of_theory(of_sibs, True).mixed == pytest.approx(mixed, rel=0.16)
        parents = sibs


def test_dominance_in_a_small_open_population():
    # Eight dams, two sires each: chance departures from p and from random mating are no lines.
    rng = np.random.default_rng(5)
    seen, theory = [], []
    for _ in range(400):
        dams, sires = (rng.random((n, 40, 2)) < 0.3 for n in (8, 16))
        parents, p = (dams.repeat(2, axis=0), sires), 0.5 * (dams.mean((0, 2)) + sires.mean((0, 2)))
        for locus in range(0, 40, 8):
            if 0 < p[locus] < 1:
                state, of_families = families_of([x[:, [locus]] for x in parents], p[locus])
                found = of_theory(state, False)
                seen.append(of_families)
                theory.append((found.within, found.between, found.onto_within, found.onto_between))
    seen, theory = np.mean(seen, 0), np.mean(theory, 0)
    assert theory[:2] == pytest.approx(seen[:2], rel=0.1)
    assert theory[2:].sum() == pytest.approx(seen[2:].sum(), abs=0.002)
