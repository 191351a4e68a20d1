"""One generation of theory against order statistics and against animals drawn one by one."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import infinitesimal
from scipy import stats

from jaxbreed.covariance import Covariance
from jaxbreed.moments import Levers, Moments, World, uninformed
from jaxbreed.recursion import step
from jaxbreed.trajectory import follow
from jaxbreed.truncation import selected

H2, BLOCKS = 0.3, 24


def of_best(count, candidates):
    """Mean and mean square of the best so many of normal deviates, by the chance that fewer are better."""
    x = np.linspace(-9, 9.5, 40_001)
    density = stats.norm.pdf(x) * stats.binom.cdf(count - 1, candidates - 1, stats.norm.sf(x)) * candidates / count
    return np.trapezoid(x * density, x), np.trapezoid(x**2 * density, x)


@pytest.mark.parametrize(
    ("count", "candidates", "left"),
    [
        (1, 240, 0.155),
        (1, 20, 0.276),
        (3, 60, 0.194),
        (1, 20_000, 0.086),
        (3, 4, 0.698),
        (16, 960, 0.116),
        (999, 1000, 0.990),
        (1000, 10**7, 0.052),
    ],
)
def test_mean_and_variance_of_the_best_are_those_of_order_statistics(count, candidates, left):
    # Wrong: variance among infinitely many, 0.05 to 0.36 lower where one is chosen; Burrows' mean, 0.02 off there.
    with jax.enable_x64(True):
        numbers = jnp.asarray(float(count)), jnp.asarray(float(candidates))
        i, k = selected(*numbers)
        slopes = jax.jacobian(selected, argnums=(0, 1))(*numbers)
        around = [np.array(selected(numbers[0] + d, numbers[1])) for d in (1e-4, -1e-4)]
    mean, square = of_best(count, candidates)
    assert (float(i), 1 - float(k)) == pytest.approx((mean, square - mean**2), abs=2e-5)
    assert 1 - float(k) == pytest.approx(left, abs=6e-4)
    assert [float(x[0]) for x in slopes] == pytest.approx((around[0] - around[1]) / 2e-4, rel=2e-4, abs=1e-9)


def test_all_taken_is_no_selection():
    with jax.enable_x64(True):
        found = [selected(jnp.asarray(n), jnp.asarray(20.0)) for n in (19.99, 20.0, 25.0)]
        slope = jax.jacobian(selected)(jnp.asarray(20.0), jnp.asarray(20.0))
    assert np.array(found[0]) == pytest.approx(0, abs=0.02)
    assert not np.any(found[1:])
    assert np.isfinite(slope).all()


def world_of(dams, sires):
    """Many unlinked units of one trait, of unrelated founders; the state of their eggs."""
    shape, each = (1, BLOCKS, 1), np.ones((1, BLOCKS, 1))
    nothing, alone = np.zeros((1, 1)), 1 - 1 / dams
    world = World(
        effect=each,
        heterosis=None,
        kept=np.ones((2, BLOCKS, 1, 1)),
        residual=np.full((1, 1), 1 - H2),
        passing=nothing,
        gating=None,
        lasting=np.ones(1),
        ceiling=np.full(1, np.inf),
        clutch=nothing,
        depression=np.zeros(1),
        dominance=nothing,
        sires=float(sires),
        share=1 / sires,
        lineages=dams,
        places=sires,
        across=True,
        closed=False,
        loci=False,
    )
    neutral = np.array([0.25 * (1 + 1 / sires) * alone, 0.25 * (1 - 1 / sires), 0.5, 0.5])
    parts = [Covariance(np.full((1, BLOCKS, 1, 1), x * H2 / BLOCKS), np.zeros((1, *shape))) for x in neutral]
    return world, Moments(np.zeros((1, BLOCKS, 1)), *parts, neutral[None], np.zeros((1, 1)), np.zeros((1, 1)))


def expected(weights, dams, sires, tested):
    world, start = world_of(dams, sires)
    rows = len(weights)
    levers = Levers(
        weights=np.ones((rows, 1)),
        fraction=np.zeros(rows),
        males=np.full(rows, 2.0**30),
        family_weight=np.asarray(weights, float),
        tests=np.full(rows, float(tested * sires)),
    )
    with jax.enable_x64(True):
        nothing = jax.tree.map(lambda x: jnp.broadcast_to(x, (rows, *x.shape)), uninformed())
        _, seen = follow(world, start, levers, nothing)
        return jax.tree.map(lambda x: np.asarray(x)[0], seen)


@pytest.mark.parametrize("weight", [1.0, 2.0, 5.0])
def test_observed_means_of_families_err(weight):
    # Of 20 tested. Taken for true means, response would be 2.6 % and 7 % higher with weights of 2 and 5.
    found = infinitesimal.run([weight], replicates=300, dams=100, sires=1, tested=20, h2=H2, seed=1).gain[:, 1]
    error = found.std(ddof=1) / len(found) ** 0.5
    assert error < 0.006 * found.mean()
    assert abs(expected([weight], 100, 1, 20).gain[1, 0] - found.mean()) < 4 * error + 0.002


@pytest.mark.parametrize("weight", [0.3, 0.8, 3.0])
def test_inbreeding_by_choice_of_families_is_that_of_pedigrees(weight):
    # Eight dams, two sires each. With families as if without number and no memory of which of them gave more breeders,
    # F after five rounds was 0.147 for 0.180 at a weight of 0.8, and 0.51 for 0.39 at 3.
    rounds = [weight] * 5
    found = infinitesimal.run(rounds, replicates=400, dams=8, sires=2, tested=120, h2=H2, seed=2)
    theory = expected(rounds, 8, 2, 120)
    for name, inside in (("inbreeding", 0.1), ("gain", 0.03)):
        drawn = getattr(found, name)[:, 1:]
        mean, error = drawn.mean(0), drawn.std(0, ddof=1) / len(drawn) ** 0.5
        miss = np.abs(getattr(theory, name).reshape(6)[1:] - mean)
        assert (miss < 3 * error + inside * mean).all(), (name, miss / mean)


def test_sibs_are_chosen_together_by_likeness_of_predictions():
    # Predictions of any accuracy are as alike among sibs as genes are, whatever the errors of records.
    world, start = world_of(8, 2)
    levers = Levers(np.ones(1), np.array(0.0), np.array(16.0), np.array(1.0), np.array(240.0))

    def neutral(error, accuracy):
        state, measured = jax.tree.map(lambda x: jnp.asarray(x[0]), start), uninformed()
        other = dataclasses.replace(world, residual=np.full((1, 1), error))
        known = measured._replace(accuracy=jnp.asarray(accuracy))
        return np.asarray(step(other, state, jax.tree.map(jnp.asarray, levers), known).neutral)

    with jax.enable_x64(True):
        predicted, by_records, by_genes = (neutral(*x) for x in ((0.7, 0.5), (0.7, np.nan), (0.0, np.nan)))
    assert predicted == pytest.approx(by_genes, rel=1e-9)
    assert by_records[2] - predicted[2] > 0.02  # taken for records, F would be too low
