"""Searches on courses whose best schedule is known, limits, checkpoints to the bit."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxbreed.checkpoint import digest
from jaxbreed.course import Course
from jaxbreed.limits import FinalInbreeding, Limit, TotalCost
from jaxbreed.objectives import FinalGain
from jaxbreed.optimisation import Courses, derived_seed, optimize_course
from jaxbreed.program import Settings
from jaxbreed.schedule import constant_schedule
from jaxbreed.space import Lever, build_space
from jaxbreed.theory_search import check_possible, pareto_front, search

ROUNDS = 5
RULES = Settings(lineages=6, eggs=(300, 300), sires=(4, 4), scope="across")
START = constant_schedule(ROUNDS, [1.0, 1.0], males=6)


@jax.jit
def ellipse(weights, males, luck):
    """Gains of a constant ellipse, R = G b / sqrt(b'Gb), more with fewer males, which cost F; and a run's luck."""
    genetic = jnp.array([[1.0, -0.3], [-0.3, 0.5]])
    response = weights @ genetic
    response /= jnp.sqrt((response * weights).sum(-1, keepdims=True))
    intensity = 2.0 - 0.25 * jnp.log(males)
    gain = jnp.concatenate([jnp.zeros((1, 2)), jnp.cumsum(response * intensity[:, None], axis=0)])
    outbred = jnp.concatenate([jnp.ones(1), jnp.cumprod(1 - 0.125 / males)])
    return Course(
        gain=gain[None] + luck,
        variance=jnp.ones((2, ROUNDS + 1, 2)),
        inbreeding=jnp.broadcast_to(1 - outbred, (2, ROUNDS + 1)),
        entropy=jnp.broadcast_to(jnp.log(males), (2, ROUNDS)),
        eggs=jnp.full((2, ROUNDS), 1000.0),
        tests=jnp.full((2, ROUNDS), 100.0),
    )


def expected(schedule, seed=0):
    return ellipse(schedule.weights, jnp.asarray(schedule.males, jnp.float32), jnp.zeros((2, 1, 1)))


def simulated(schedule, seed):
    luck = np.random.default_rng(seed).normal(scale=0.5, size=(2, 1, 1)).astype(np.float32)
    return ellipse(schedule.weights, jnp.asarray(schedule.males, jnp.float32), luck)


COURSES = Courses(simulated, expected)
ANGLES = build_space(START, (Lever("weights", "free"),), RULES)
BOTH = build_space(START, (Lever("weights", "linear"), Lever("males", "spline", 3)), RULES)
OBJECTIVE = FinalGain((1.0, 0.4))


def test_every_gradient_finds_the_theorems_weights():
    """With constant G and a final index the best weights are the economic ones in every generation."""
    ways = (("costate", False, 60, 1), ("theory", False, 60, 0), ("pgpe", False, 40, 12), ("pgpe", "costate", 40, 13))
    for gradient, control, steps, runs in ways:
        found = optimize_course(
            COURSES,
            OBJECTIVE,
            ANGLES,
            optimizer=optax.adam(0.05),
            gradient=gradient,
            steps=steps,
            seed=3,
            pairs=6,
            control=control,
        )
        weights = np.asarray(found.schedule.weights)
        angle = np.arctan2(weights[:, 1], weights[:, 0]) - np.arctan2(0.4, 1.0)
        assert abs(angle.mean()) < 0.08, gradient
        assert (np.abs(angle) < 0.2).all(), gradient  # it started at 0.4
        assert found.eggs == runs * steps * 10_000
    # An optimiser that is shown the opposite loses.
    start = float(OBJECTIVE(expected(START)))
    lost = optimize_course(COURSES, -1.0 * OBJECTIVE, ANGLES, steps=40, seed=3)
    assert float(OBJECTIVE(expected(lost.schedule))) < start < float(OBJECTIVE(expected(found.schedule)))


def test_the_result_is_the_mean_of_the_last_half_and_luck_is_of_the_step():
    seeds = []

    def watched(schedule, seed):
        seeds.append(seed)
        return simulated(schedule, seed)

    found = optimize_course(Courses(watched, expected), OBJECTIVE, ANGLES, steps=8, seed=4)
    assert seeds == [derived_seed(4, step) for step in range(8)]
    assert found.trail.shape == (9, ROUNDS)
    assert np.asarray(found.theta["weights"])[:, 0] == pytest.approx(found.trail[5:].mean(0), rel=1e-5)
    assert np.asarray(found.best["weights"])[:, 0] == pytest.approx(found.trail[np.argmax(found.history["value"])])
    seeds.clear()
    optimize_course(
        Courses(watched, expected), OBJECTIVE, ANGLES, steps=1, gradient="pgpe", pairs=5, control=False, seed=4
    )
    pairs = np.reshape(seeds, (5, 2))
    assert (pairs[:, 0] == pairs[:, 1]).all()
    assert len(set(pairs[:, 0])) == 5
    assert len({derived_seed(s, n) for s in range(40) for n in range(40)}) == 1600


def test_limits_are_kept():
    """More males than gain alone would have, so many as the limit on F asks for."""
    limit = Limit(FinalInbreeding(), 0.1)
    space = build_space(START, (Lever("males", "constant"),), RULES)
    # 1 - (1 - 1 / (8 m))^5 = 0.1
    males = 0.125 / (1 - 0.9 ** (1 / ROUNDS))
    found = optimize_course(
        COURSES,
        OBJECTIVE,
        space,
        optimizer=optax.adam(0.02),
        steps=200,
        limits=(limit,),
        seed=2,
    )
    assert float(found.schedule.males[0]) == pytest.approx(males, rel=0.02)
    # The multiplier is what a limit one limit wider would be worth: dU/dm / (de/dm).
    slope = jax.grad(lambda m: OBJECTIVE(expected(dataclasses.replace(START, males=jnp.full(ROUNDS, m)))))(males)
    excess = jax.grad(lambda m: limit.excess(expected(dataclasses.replace(START, males=jnp.full(ROUNDS, m)))))(males)
    assert found.multipliers[0] == pytest.approx(float(slope / excess), rel=0.05)
    free = optimize_course(COURSES, OBJECTIVE, space, steps=60, seed=2, optimizer=optax.adam(0.02))
    assert float(free.schedule.males[0]) < 0.7 * males


def same(first, second):
    assert (first.trail == second.trail).all()
    assert first.history.keys() == second.history.keys()
    for name in first.history:
        assert np.array_equal(first.history[name], second.history[name]), name
    assert all((first.theta[name] == second.theta[name]).all() for name in first.theta)


@pytest.mark.parametrize(
    ("gradient", "optimizer"), [("costate", optax.contrib.schedule_free_adamw(0.05)), ("pgpe", optax.adam(0.03))]
)
def test_a_search_that_goes_on_is_the_same_to_the_bit(tmp_path, gradient, optimizer):
    settings = {
        "gradient": gradient,
        "seed": 5,
        "limits": (Limit(FinalInbreeding(), 0.1),),
        "identity": {"scenario": digest("x")},
        "pairs": 1,
    }
    path = tmp_path / "a.checkpoint"
    whole = optimize_course(COURSES, OBJECTIVE, BOTH, None, optimizer, steps=7, **settings)
    for stop in (3, 6, 99):
        part = optimize_course(
            COURSES,
            OBJECTIVE,
            BOTH,
            None,
            optimizer,
            steps=7,
            checkpoint=path,
            resume=stop != 3,
            callback=lambda told, stop=stop: told.step >= stop,
            **settings,
        )
        assert (part.steps, part.finished) == ((stop, False) if stop < 7 else (7, True))
    same(part, whole)
    # More steps may be asked for; and a search that was done stays as it is.
    longer = optimize_course(
        COURSES, OBJECTIVE, BOTH, None, optimizer, steps=8, checkpoint=path, resume=True, **settings
    )
    same(longer, optimize_course(COURSES, OBJECTIVE, BOTH, None, optimizer, steps=8, **settings))
    again = optimize_course(
        COURSES, OBJECTIVE, BOTH, None, optimizer, steps=8, checkpoint=path, resume=True, **settings
    )
    same(again, longer)


def test_other_checkpoints_are_refused_in_one_sentence(tmp_path):
    path = tmp_path / "a.checkpoint"

    def go(objective=OBJECTIVE, space=ANGLES, optimizer=None, resume=True, scenario="one", **changes):
        settings = {"steps": 2, "seed": 1, "identity": {"scenario": digest(scenario)}} | changes
        return optimize_course(COURSES, objective, space, None, optimizer, checkpoint=path, resume=resume, **settings)

    with pytest.raises(FileNotFoundError, match="does not exist, so there is nothing to resume"):
        go()
    go(resume=False)
    content = path.read_bytes()
    for changes, message in (
        ({"scenario": "two"}, "is of another scenario"),
        ({"seed": 2}, "was begun with seed 1; this run has 2"),
        ({"gradient": "theory"}, "was begun with gradient costate; this run has theory"),
        ({"objective": FinalGain((1.0, 1.0))}, "was begun with objective FinalGain"),
        ({"space": BOTH}, "was begun with levers"),
        ({"limits": (Limit(TotalCost(), 9.0),)}, "was begun with limits"),
        ({"optimizer": optax.sgd(0.1)}, "holds the state of another optimiser"),
    ):
        with pytest.raises(ValueError, match=message):
            go(**changes)
        assert path.read_bytes() == content
    for broken in (b"", b"nonsense", content[: len(content) // 2], content[:-40] + b"\0" * 40):
        path.write_bytes(broken)
        with pytest.raises(ValueError, match="checkpoint"):
            go()
    path.write_bytes(content)
    assert go().steps == 2


def test_settings_that_cannot_be_are_one_sentence():
    rates = build_space(constant_schedule(ROUNDS, [1.0, 1.0], inbreeding_rate=0.02), (Lever("inbreeding_rate"),), RULES)
    for changes, message in (
        ({"control": "adam"}, 'control is adam; it must be True, False or "costate"'),
        ({"gradient": "newton"}, "gradient is newton; it must be one of costate, theory, pgpe"),
        ({"steps": 0}, "steps is 0 and pairs 4; both must be at least 1"),
        ({"sigma": {"males": 0.1}}, "sigma is .*; it must be above 0 and at most 0.5, one for each of weights"),
        ({"sigma": 0.7}, "sigma is 0.7; it must be above 0 and at most 0.5"),
        ({"resume": True}, "resume is true; it needs a checkpoint"),
        ({"space": rates}, 'with the lever inbreeding_rate it must be "pgpe"'),
    ):
        with pytest.raises(ValueError, match=message):
            optimize_course(**{"courses": COURSES, "objective": OBJECTIVE, "space": ANGLES, "steps": 1} | changes)
    with pytest.raises(RuntimeError, match="the gradient of step 1 is not finite"):
        optimize_course(COURSES, lambda course: jnp.sqrt(course.gain[0, -1, 0] * 0 - 1), ANGLES, steps=1)


def test_searches_on_the_theory_and_what_is_impossible():
    found = search(expected, OBJECTIVE, BOTH, BOTH.theta(), limits=(Limit(FinalInbreeding(), 0.1),))
    assert float(FinalInbreeding()(expected(BOTH.schedule(found.theta)))) == pytest.approx(0.1, rel=0.01)
    assert found.value > float(OBJECTIVE(expected(START)))
    weights = np.asarray(BOTH.schedule(found.theta).weights)
    assert weights[:, 1] / weights[:, 0] == pytest.approx(0.4, abs=0.02)
    simplex = build_space(START, (Lever("weights", "linear", simplex=True),), RULES)
    weights = np.asarray(simplex.schedule(search(expected, OBJECTIVE, simplex, simplex.theta()).theta).weights)
    assert weights.sum(1) == pytest.approx(1, abs=1e-5)
    assert weights[:, 1] / weights[:, 0] == pytest.approx(0.4, abs=0.02)
    # All 24 places with another male: F = 1 - (1 - 1 / 192)^5 = 0.0258.
    check_possible(expected, (Limit(FinalInbreeding(), 0.03),), BOTH, BOTH.theta())
    with pytest.raises(
        ValueError, match=r"limits.inbreeding is 0.015, but the least that theory finds with these levers"
    ):
        check_possible(expected, (Limit(FinalInbreeding(), 0.015),), BOTH, BOTH.theta())
    with pytest.raises(ValueError, match=r"limits.cost is 400, but the least"):
        check_possible(expected, (Limit(TotalCost(), 400.0),), BOTH, BOTH.theta())


@pytest.mark.parametrize("method", ["chebyshev", pytest.param("epsilon", marks=pytest.mark.long)])
def test_pareto_fronts_lie_on_the_ellipse(method):
    """The front of constant G is the arc T i G b / sqrt(b'Gb) between the two ends, reached by constant weights."""
    space = build_space(START, (Lever("weights", "linear"),), RULES)
    front = pareto_front(expected, space, points=5 if method == "epsilon" else 7, method=method)
    intensity = ROUNDS * (2.0 - 0.25 * np.log(6.0))
    # g' G^-1 g = (T i)^2 on the ellipse
    inverse = np.linalg.inv([[1.0, -0.3], [-0.3, 0.5]])
    radius = np.sqrt(np.einsum("pi,ij,pj->p", front.gain, inverse, front.gain)) / intensity
    assert radius == pytest.approx(1, abs=2e-3)
    assert front.best.all()
    assert (np.diff(front.gain[:, 0]) < -0.05).all()
    assert (np.diff(front.gain[:, 1]) > 0.05).all()
    with pytest.raises(ValueError, match="points is 1"):
        pareto_front(expected, space, points=1)
    with pytest.raises(ValueError, match="a front needs two"):
        pareto_front(expected, space, traits=(1, 1))
