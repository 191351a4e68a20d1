"""Space mapping: as good as gradient steps, from fewer eggs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import small_world

import jaxbreed as jb
from jaxbreed.course import calibrated_course, expected_courses
from jaxbreed.objectives import compare
from jaxbreed.space_mapping import _agreeing, optimize_by_mapping

SETTINGS = jb.Settings(lineages=4, eggs=(120, 120), sires=(2, 2), scope="across")


def worth(course):
    return -jnp.log(jnp.exp(-jnp.asarray(course.gain)[:, -1]).mean(-1)).mean()


@pytest.fixture(scope="module")
def world():
    program, founders = small_world(SETTINGS, founders=48, chromosomes=6, loci=48, qtl=48, h2=(0.5, 0.3))
    start = jb.constant_schedule(2, [1.0, 0.15], males=8)
    return program, founders, jb.build_space(start, (jb.Lever("weights", "linear"),), SETTINGS)


def judge(world, schedule):
    """Runs that no search has seen."""
    program, founders, _ = world
    runs = [jb.simulate_course(program, founders, schedule, replicates=4, seed=900 + k) for k in range(10)]
    return jb.Course(*(np.concatenate([np.asarray(x) for x in parts]) for parts in zip(*runs, strict=True)))


@pytest.mark.long
def test_it_comes_as_far_as_gradient_steps_from_fewer_eggs(world):
    program, founders, space = world
    mapped = optimize_by_mapping(program, founders, worth, space, simulations=5, seed=3)
    stepped = jb.optimize(program, founders, worth, space, steps=24, seed=3)
    start, after, other = (judge(world, s) for s in (space.start, mapped.schedule, stepped.schedule))
    assert 4 * mapped.eggs < stepped.eggs
    rise, low, _ = compare(worth, start, after)
    assert low > 0.1  # there was somewhere to go
    assert compare(worth, other, after)[2] > 0  # and it came as far,
    assert compare(worth, other, after)[1] > -0.25 * rise  # to within a quarter of the way
    best = max(step.merit for step in mapped.steps)
    assert [step for step in mapped.steps if step.accepted][-1].merit == best


@pytest.mark.long
def test_the_model_agrees_with_the_simulation_where_it_was_run(world):
    program, founders, space = world
    options, theta = {"replicates": 4, "seed": 5}, space.theta()
    known = calibrated_course(program, founders, space.schedule(theta), **options)
    model = expected_courses(program, founders, **options, calibration=known.measured)
    agreeing = _agreeing(worth, model, known, space, theta)

    def simulated(theta):
        return worth(jb.simulate_course(program, founders, space.schedule(theta), **options))

    value, slope = jax.value_and_grad(simulated)(theta)
    assert float(agreeing(theta)) == pytest.approx(float(value), abs=1e-5)
    assert np.asarray(jax.grad(agreeing)(theta)["weights"]) == pytest.approx(np.asarray(slope["weights"]), rel=1e-3)
    plain = jax.grad(lambda t: worth(model(space.schedule(t))))(theta)["weights"]
    assert np.abs(np.asarray(plain - slope["weights"])).max() > 0.02  # without the tilt it would not


def test_bad_input_is_one_sentence(world):
    program, founders, space = world
    with pytest.raises(ValueError, match="simulations is 1; it must be at least 2"):
        optimize_by_mapping(program, founders, worth, space, simulations=1)
    with pytest.raises(ValueError, match="radius is 0; it must be above 0"):
        optimize_by_mapping(program, founders, worth, space, radius=0)
