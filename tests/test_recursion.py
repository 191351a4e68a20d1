"""One generation of theory against order statistics and against animals drawn one by one."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracle import infinitesimal
from scipy import stats

from jaxbreed.covariance import Covariance
from jaxbreed.family_values import values_of
from jaxbreed.moments import Levers, Moments, World, uninformed
from jaxbreed.recursion import step
from jaxbreed.sibs import _limit, chosen
from jaxbreed.theory_index import index_of
from jaxbreed.trajectory import follow
from jaxbreed.truncation import FEWEST_LEFT, selected

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


def world_of(dams, sires, *, h2=(H2,), c2=0.0, across=True, toward=(1.0,)):
    """Many unlinked units of each trait, of unrelated founders; the state of their eggs."""
    h2 = np.asarray(h2)
    traits = len(h2)
    shape, alone = (traits, BLOCKS, traits), 1 - 1 / dams
    nothing, none = np.zeros((traits, traits)), np.zeros(traits)
    world = World(
        effect=np.broadcast_to(np.eye(traits)[:, None], shape),
        heterosis=None,
        kept=np.broadcast_to(np.eye(traits), (2, BLOCKS, traits, traits)),
        residual=np.diag(1 - h2 - c2),
        passing=nothing,
        gating=None,
        lasting=np.ones(traits),
        ceiling=np.full(traits, np.inf),
        clutch=c2 * np.eye(traits),
        depression=none,
        dominance=nothing,
        sires=float(sires),
        share=1 / sires,
        lineages=dams,
        places=sires,
        across=across,
        closed=False,
        loci=False,
    )
    neutral = np.array([0.25 * alone, 0.25 * (1 - 1 / (dams * sires)), 0.5, 0.5])
    if not across:
        neutral[:2] = 0.25 * (1 + 1 / sires) * alone, 0.25 * (1 - 1 / sires)
    near = np.broadcast_to(np.diag(h2 / BLOCKS), (1, BLOCKS, traits, traits))
    parts = [Covariance(x * near, np.zeros((1, *shape))) for x in neutral]
    start = np.zeros((1, BLOCKS, traits))
    return world, Moments(start, *parts, neutral[None], none[None], np.ones(1), none[None], np.ones(1))


def expected(weights, dams, sires, tested, *, males=2.0**30, toward=(1.0,), strength=1.0, **of_world):
    world, start = world_of(dams, sires, **of_world)
    rows = len(weights)
    levers = Levers(
        weights=np.broadcast_to(toward, (rows, len(toward))),
        fraction=np.zeros(rows),
        males=np.full(rows, float(males)),
        family_weight=np.asarray(weights, float),
        tests=np.full(rows, float(tested * sires)),
    )
    with jax.enable_x64(True):
        nothing = jax.tree.map(lambda x: jnp.broadcast_to(x, (rows, *x.shape)), uninformed())
        _, seen = follow(world, start, levers, nothing._replace(strength=jnp.full(rows, strength)))
        return jax.tree.map(lambda x: np.asarray(x)[0], seen)


@pytest.mark.parametrize("weight", [1.0, 2.0, 5.0])
def test_observed_means_of_families_err(weight):
    # Of 20 tested. Taken for true means, response would be 2.6 % and 7 % higher with weights of 2 and 5.
    found = infinitesimal.run([weight], replicates=300, dams=100, sires=1, tested=20, h2=H2, seed=1).gain[:, 1, 0]
    error = found.std(ddof=1) / len(found) ** 0.5
    assert error < 0.006 * found.mean()
    assert abs(expected([weight], 100, 1, 20).gain[1, 0] - found.mean()) < 4 * error + 0.002


@pytest.mark.parametrize(
    ("weight", "changes"),
    [
        (0.3, {}),
        (0.8, {}),
        (3.0, {}),
        (1.0, {"males": 2}),
        (1.0, {"males": 6}),
        (1.0, {"c2": 0.2}),
        (0.6, {"males": 5, "c2": 0.1, "h2": (0.3, 0.1), "toward": (0.7, 0.7)}),
    ],
)
def test_inbreeding_by_choice_of_families_is_that_of_pedigrees(weight, changes):
    # Eight dams, two sires each. With families as if without number and no memory of which of them gave more breeders,
    # F after five rounds was 0.147 for 0.180 at a weight of 0.8, and 0.51 for 0.39 at 3. Half sibs by a sire with
    # several clutches taken for unrelated, it rose by 0.124 from 16 males to 2, for 0.145. Clutches' effects taken for
    # their variance among infinitely many: 7 % too high.
    rounds, changes = [weight] * 5, {"h2": (H2,)} | changes
    drawn = infinitesimal.run(
        rounds, replicates=400, dams=8, sires=2, tested=120, seed=2, **(changes | {"h2": np.array(changes["h2"])})
    )
    theory = expected(rounds, 8, 2, 120, **changes)
    for name, inside in (("inbreeding", 0.05), ("gain", 0.025)):
        each = getattr(drawn, name)[:, 1:]
        mean, error = each.mean(0), each.std(0, ddof=1) / len(each) ** 0.5
        miss = np.abs(getattr(theory, name)[1:] - mean)
        assert (miss < 3 * error + inside * mean).all(), (name, miss / mean)


def test_males_that_fill_several_places_are_fathers_of_half_sibs():
    rounds, drawn, theory = [1.0] * 5, [], []
    for males in (2, 16):
        found = infinitesimal.run(rounds, replicates=1200, dams=8, sires=2, tested=120, h2=H2, seed=3, males=males)
        drawn.append(found.inbreeding[:, -1])
        theory.append(expected(rounds, 8, 2, 120, males=males).inbreeding[-1])
    rise = drawn[0].mean() - drawn[1].mean()
    error = (sum(x.var(ddof=1) for x in drawn) / 1200) ** 0.5
    assert error < 0.03 * rise  # unrelated, 0.14 less
    assert abs(theory[0] - theory[1] - rise) < 3 * error


def test_one_male_has_no_better_families():
    # Between one male in 16 places and two: ties of the one were those of infinitely many, F rose and fell again.
    males = np.array([1.0, 1.02, 1.1, 1.34, 2.0])
    found = np.array([expected([1.0] * 4, 8, 2, 120, males=m).inbreeding[-1] for m in males])
    slope = np.diff(found) / np.diff(males)
    assert (slope < 0).all()
    assert slope[0] == pytest.approx(slope[1], rel=0.1)


def test_clutches_differ_by_less_than_the_variance_of_their_effects():
    with jax.enable_x64(True):
        world, start = world_of(8, 2, c2=0.3)
        state = jax.tree.map(lambda x: jnp.asarray(x[0]), start)
        levers = Levers(*(jnp.asarray(x) for x in (np.ones(1), 0.0, 16.0, 1.0, 240.0)))
        index = index_of(world, state, levers, uninformed())
    between, sires = H2 * 0.25 * 7 / 8, H2 * 0.25 * 15 / 16
    found = np.asarray(index.alike) * float(index.spread) ** 2
    assert found == pytest.approx([between + 0.3 * 7 / 8, sires, 0], abs=1e-9)


@pytest.mark.parametrize("alike", [-0.03, -0.005, 0.0, 0.005])
def test_families_may_be_less_alike_than_strangers(alike):
    # A low family weight takes off more than families differ by: chosen evenly then, and never beyond what is a number.
    with jax.enable_x64(True):
        at = jnp.asarray(24.0), jnp.asarray(alike), jnp.asarray(1.0)
        assert np.isfinite(shared_out(*at)).all()
        assert all(np.isfinite(x).all() for x in slopes_of(*at))


@pytest.mark.parametrize("weight", [0.2, 1.0, 5.0])
def test_one_family_in_a_clutch_cannot_be_weighed(weight):
    # Inside a clutch of one sire all have the same family mean, right or wrong.
    one, plain = (expected([w] * 3, 8, 1, 20, across=False) for w in (weight, 1.0))
    assert one.gain == pytest.approx(plain.gain, rel=1e-9)
    several, plain = (expected([w] * 3, 8, 3, 20, across=False) for w in (weight, 1.0))
    assert weight == 1 or abs(several.gain[-1, 0] / plain.gain[-1, 0] - 1) > 0.02


@pytest.mark.parametrize(
    ("dams", "sires", "across"),
    [
        (8, 1, False),
        pytest.param(1, 2, True, marks=pytest.mark.long),
        pytest.param(1, 1, True, marks=pytest.mark.long),
        pytest.param(8, 1, True, marks=pytest.mark.long),
    ],
)
def test_slopes_are_finite_where_there_is_one_of_a_kind(dams, sires, across):
    with jax.enable_x64(True):
        world, start = world_of(dams, sires, across=across)
        state = jax.tree.map(lambda x: jnp.asarray(x[0]), start)
        levers = Levers(*(jnp.asarray(x) for x in (np.ones(1), 0.0, 1.0, 0.8, 40.0)))

        def all_together(levers, state):
            return sum(x.sum() for x in jax.tree.leaves(step(world, state, levers, uninformed())))

        slopes = jax.jit(jax.grad(all_together, argnums=(0, 1)))(levers, state)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(slopes))


def test_families_are_chosen_less_surely_where_response_is_weaker():
    # What a simulation measures scales what good families pass on. Were F left as it was, it would not differ.
    whole, half = (expected([3.0] * 5, 8, 2, 120, strength=x) for x in (1.0, 0.5))
    assert half.inbreeding[2] == pytest.approx(whole.inbreeding[2], rel=0.1)  # of one round's choice: as it was
    assert half.inbreeding[5] < 0.945 * whole.inbreeding[5]  # ties as strong as in theory: 0.956


limit_of = jax.jit(_limit)


@pytest.mark.parametrize("alike", [(0.3, 0.3, 0.3), (0.6, 0.3, 0.05), (0.1, 0.02, 0.0)])
@pytest.mark.parametrize("share", [0.5, 0.03, 0.9])
def test_so_many_exceed_the_limit(share, alike):
    # Of very alike families it is a step: six of Newton's steps ended 39 % off.
    with jax.enable_x64(True):
        values = values_of(8, 2).at(0)
        parts = jnp.asarray(alike)
        e = values.dam * jnp.sqrt(parts[0]) + values.sire * jnp.sqrt(parts[1]) + values.own * jnp.sqrt(parts[2])
        sd = jnp.sqrt(1 - parts.sum())
        limit = np.asarray(limit_of(jnp.asarray(share), e, sd))
        above = stats.norm.sf((limit[:, None, None] - np.asarray(e)) / float(sd)).mean((1, 2))
    assert above == pytest.approx(share, rel=1e-6)


@jax.jit
def shared_out(count, alike, reuse):
    pool = jnp.minimum(jnp.stack([count, count]), 480.0)
    i, k = selected(pool, jnp.asarray(480.0))
    share = jnp.minimum(pool, 480.0 - FEWEST_LEFT) / 480.0
    found = chosen(share, i, k, alike * jnp.array([0.5, 0.4, 0.1]), reuse, 8, 2)
    return jnp.concatenate([x.reshape(-1) for x in found])


slopes_of = jax.jit(jax.jacfwd(shared_out, argnums=(0, 1, 2)))


@pytest.mark.parametrize("count", [70.0, 479.5, 479.95, 480.0, 500.0])
@pytest.mark.parametrize("alike", [0.2, 0.95, 0.999])
def test_sharing_out_is_smooth_up_to_all(count, alike):
    # Where all are taken slopes by their number were in the thousands; above a likeness of 0.9 there was none by it.
    with jax.enable_x64(True):
        at = [jnp.asarray(x) for x in (count, alike, 1.5)]
        slopes = [np.asarray(x) for x in slopes_of(*at)]
        for number, (slope, step) in enumerate(zip(slopes, (1e-4, 1e-6, 1e-4), strict=True)):
            moved = [[*at] for _ in "+-"]
            moved[0][number], moved[1][number] = at[number] + step, at[number] - step
            found = (np.asarray(shared_out(*moved[0])) - np.asarray(shared_out(*moved[1]))) / (2 * step)
            if number or count != 480:  # where all are taken there is a bend
                assert slope == pytest.approx(found, rel=2e-4, abs=2e-4)
    assert np.abs(slopes[0]).max() < 1
    assert count != 70 or np.abs(slopes[1]).max() > 1e-3


def test_sibs_are_chosen_together_by_likeness_of_predictions():
    # Predictions of any accuracy are as alike among sibs as genes are, whatever the errors of records.
    world, start = world_of(8, 2)
    levers = Levers(np.ones(1), np.array(0.0), np.array(16.0), np.array(1.0), np.array(240.0))

    def neutral(error, accuracy):
        state, measured = jax.tree.map(lambda x: jnp.asarray(x[0]), start), uninformed()
        other = dataclasses.replace(world, residual=np.full((1, 1), error))
        known = measured._replace(accuracy=jnp.asarray(accuracy))
        return np.asarray(jax.jit(step)(other, state, jax.tree.map(jnp.asarray, levers), known).neutral)

    with jax.enable_x64(True):
        predicted, by_records, by_genes = (neutral(*x) for x in ((0.7, 0.5), (0.7, np.nan), (0.0, np.nan)))
    assert predicted == pytest.approx(by_genes, rel=1e-9)
    assert by_records[2] - predicted[2] > 0.02  # taken for records, F would be too low
