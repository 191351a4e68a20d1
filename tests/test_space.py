"""Spaces of schedules: bases, nesting, bounds, starts."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from jaxbreed.program import Settings
from jaxbreed.schedule import constant_schedule
from jaxbreed.space import Lever, angles_of_weights, build_space, weights_of_angles

ROUNDS = 9
RULES = Settings(lineages=6, eggs=(300, 400), sires=(2, 2), scope="across", survival=0.5)
START = constant_schedule(ROUNDS, [3.0, 4.0], males=7, fraction=0.1, family_weight=0.5, inbreeding_rate=0.02)


def space(*levers, start=START, rules=RULES):
    return build_space(start, levers, rules)


def moved(some, seed=0):
    """Random parameters well inside the boxes."""
    rng = np.random.default_rng(seed)
    return {name: jnp.asarray(rng.uniform(0.3, 0.7, x.shape), jnp.float32) for name, x in some.theta().items()}


@pytest.mark.parametrize("name", ["weights", "fraction", "males", "family_weight", "inbreeding_rate"])
def test_every_basis_starts_at_the_given_schedule(name):
    for basis in ("constant", "linear", "spline", "free"):
        some = space(Lever(name, basis, 4 if basis == "spline" else None))
        schedule = some.schedule(some.theta())
        expected = START.weights / 5 if name == "weights" else getattr(START, name)
        assert np.asarray(getattr(schedule, name)) == pytest.approx(np.asarray(expected), rel=2e-6)
        for other in dataclasses.fields(START):
            if other.name not in (name, "tests"):
                assert getattr(schedule, other.name) is getattr(START, other.name)


def test_constant_within_linear_within_spline_within_free():
    bases = [
        Lever("males", "constant"),
        Lever("males", "linear"),
        Lever("males", "spline", 3),
        Lever("males", "spline", 5),
        Lever("males", "free"),
    ]
    weights = [dataclasses.replace(lever, name="weights") for lever in bases]
    spaces = [space(*pair) for pair in zip(bases, weights, strict=True)]
    for n, small in enumerate(spaces):
        theta = moved(small, n)
        schedule = small.schedule(theta)
        for large in spaces[n:]:
            again = large.schedule(small.lift(theta, large))
            assert np.asarray(again.males) == pytest.approx(np.asarray(schedule.males), rel=3e-6)
            assert np.asarray(again.weights) == pytest.approx(np.asarray(schedule.weights), abs=2e-6)
    with pytest.raises(ValueError, match="lever males of the smaller space is not within the larger"):
        spaces[1].lift(spaces[1].theta(), spaces[0])
    with pytest.raises(ValueError, match="not within"):
        space(Lever("males", "spline", 4)).lift(space(Lever("males", "spline", 4)).theta(), space(bases[3]))
    straight = space(Lever("males", "spline", 3, "straight"))
    with pytest.raises(ValueError, match="not within"):
        straight.lift(straight.theta(), space(bases[3]))


def test_values_between_knots():
    values = jnp.array([0.2, 0.6, 0.3, 0.5])
    for between, course in (
        ("cubic", CubicSpline([0, 8 / 3, 16 / 3, 8], values, bc_type="natural")(np.arange(9))),
        ("straight", np.interp(np.arange(9), [0, 8 / 3, 16 / 3, 8], values)),
    ):
        some = space(Lever("family_weight", "spline", 4, between, low=0.0, high=2.0))
        schedule = some.schedule({"family_weight": values})
        assert np.asarray(schedule.family_weight) == pytest.approx(2 * course, rel=1e-5)
    schedule = space(Lever("males", "linear", low=2, high=8)).schedule({"males": jnp.array([0.0, 1.0])})
    assert np.asarray(schedule.males) == pytest.approx(
        2 * 4 ** (np.arange(9) / 8), rel=1e-5
    )  # straight in the logarithm


def test_angles_and_weights():
    rng = np.random.default_rng(1)
    for traits in (2, 3, 5):
        weights = rng.normal(size=(50, traits))
        angles = angles_of_weights(weights)
        back = np.asarray(weights_of_angles(jnp.asarray(angles, jnp.float32)))
        assert back == pytest.approx(weights / np.linalg.norm(weights, axis=1, keepdims=True), abs=1e-6)
        assert angles_of_weights(7 * weights) == pytest.approx(angles)
        positive = angles_of_weights(np.abs(weights))
        assert (positive >= 0).all()
        assert (positive <= np.pi / 2).all()
    # A negative weight opens the half circle to the search; without one weights stay at 0 or above.
    signed = space(Lever("weights", "free"), start=constant_schedule(ROUNDS, [1.0, -1.0]))
    assert np.asarray(signed.schedule(signed.theta()).weights)[0] == pytest.approx([0.5**0.5, -(0.5**0.5)], rel=1e-5)
    edge = space(Lever("weights", "free")).schedule({"weights": jnp.linspace(-1, 2, 9)[:, None]})
    assert (np.asarray(edge.weights) >= -1e-6).all()


def test_projections_and_cutting_off():
    some = space(Lever("males", "linear"), Lever("weights", "linear", simplex=True))
    theta = {"males": jnp.array([-0.5, 1.5]), "weights": jnp.array([[2.0, 1.0], [0.2, 0.2]])}
    projected = some.project(theta)
    assert projected["males"].tolist() == [0.0, 1.0]
    assert np.asarray(projected["weights"]) == pytest.approx(np.array([[1.0, 0.0], [0.5, 0.5]]))
    schedule = some.schedule(theta)
    assert np.asarray(schedule.males)[[0, -1]] == pytest.approx([1.0, 12.0], rel=1e-5)
    assert np.asarray(some.theta()["weights"]) == pytest.approx(np.array([[3 / 7, 4 / 7]] * 2), rel=1e-6)


def test_schedules_are_differentiable():
    some = space(Lever("males", "spline", 3), Lever("weights", "linear"), Lever("fraction", "free"))
    theta = moved(some)
    rng = np.random.default_rng(2)
    costs = {name: jnp.asarray(rng.normal(size=(ROUNDS, 2) if name == "weights" else ROUNDS)) for name in theta}

    def value(theta):
        schedule = some.schedule(theta)
        return sum((costs[name] * getattr(schedule, name)).sum() for name in theta)

    gradient = jax.jit(jax.grad(value))(theta)
    for name, x in theta.items():
        for entry in np.ndindex(x.shape):
            step = jnp.zeros_like(x).at[entry].set(2e-3)
            ends = [float(value(theta | {name: x + sign * step})) for sign in (1, -1)]
            # float32: 1e-6 of a value of about 30, over the step
            assert float(gradient[name][entry]) == pytest.approx((ends[0] - ends[1]) / 4e-3, rel=0.01, abs=0.02)


def test_tests_are_free_between_what_selection_needs_and_the_living():
    some = space(Lever("tests", "linear"))
    schedule = some.schedule({"tests": jnp.array([0.0, 1.0])})
    assert np.asarray(schedule.tests)[-1] == pytest.approx(150, rel=1e-5)
    assert 4 < float(schedule.tests[0]) < 50
    assert np.asarray(some.schedule(some.theta()).tests) == pytest.approx(150, rel=1e-5)  # left out: every survivor


@pytest.mark.parametrize(
    ("levers", "message"),
    [
        ((), "levers is empty; name at least one"),
        ((Lever("males"), Lever("males", "free")), "levers are males, males; each may be named once"),
        ((Lever("males", "spline", 12),), 'levers.males.basis is "spline" with 12 values; the schedule has 9'),
        ((Lever("males", low=8, high=12),), "levers.males: the schedule to start from has 7.0 in generation 0, which"),
        ((Lever("males", low=5, high=5),), "levers.males: low and high are 5 and 5; low must be below high"),
        ((Lever("fraction", high=1.5),), "levers.fraction: low and high are 0 and 1.5; low must be below high"),
    ],
)
def test_bad_levers_are_one_sentence(levers, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        space(*levers)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "patience"}, "levers names 'patience'; the levers are weights, fraction, males"),
        ({"name": "males", "basis": "spline"}, "levers.males.knots is None; it must be 3 or more for a spline"),
        ({"name": "males", "basis": "spline", "knots": 2}, "levers.males.knots is 2; it must be 3 or more"),
        ({"name": "males", "knots": 4}, 'levers.males.knots is 4; it must be left out, since basis is "linear"'),
        ({"name": "males", "simplex": True}, "levers.males.simplex is true; only weights"),
    ],
)
def test_bad_lever_settings_are_one_sentence(given, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        Lever(**given)
    assert str(caught.value).startswith(message)


def test_levers_that_the_programme_has_not():
    with pytest.raises(ValueError, match="with one trait there is nothing to weigh"):
        space(Lever("weights"), start=constant_schedule(ROUNDS, [1.0]))
    with pytest.raises(ValueError, match=r"levers.inbreeding_rate is free; the schedule to start from must then have"):
        space(Lever("inbreeding_rate"), start=constant_schedule(ROUNDS, [1.0, 1.0]))
