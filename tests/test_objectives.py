"""Objectives and limits against their definitions in plain NumPy, gradients against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxbreed.course import Course
from jaxbreed.limits import FinalInbreeding, InbreedingRate, Limit, TotalCost, penalty, update
from jaxbreed.objectives import (
    CES,
    CVaR,
    DesiredGains,
    DiscountedGain,
    FinalGain,
    GainWithFloor,
    Tempered,
    compare,
    estimate,
)
from jaxbreed.rules import prices_of
from jaxbreed.scenario import ScenarioError, parse_scenario
from jaxbreed.summary import interval
from jaxbreed.targets import build_limits, build_objective

REPLICATES, ROUNDS = 7, 4


def course(seed=0, replicates=REPLICATES):
    rng = np.random.default_rng(seed)
    gain = np.cumsum(rng.normal(0.6, 0.5, (replicates, ROUNDS + 1, 2)), axis=1)
    gain[:, 0] = 0
    inbreeding = 1 - 0.9 ** np.arange(ROUNDS + 1) * rng.uniform(0.95, 1, (replicates, 1))
    entropy, eggs = rng.uniform(1, 3, (replicates, ROUNDS)), rng.uniform(500, 900, (replicates, ROUNDS))
    arrays = (gain, 0.3 * np.exp(-gain), inbreeding, entropy, eggs, eggs / 10)
    return Course(*(jnp.asarray(x, jnp.float32) for x in arrays))


RUN = course()
G = np.asarray(RUN.gain, np.float64)[:, -1]


def ces(gains, weights, rho, shift):
    w, x = np.array(weights) / np.sum(weights), gains + shift
    return (np.exp(np.log(x) @ w) if rho == 0 else (x**rho @ w) ** (1 / rho)) - shift


def soft(x, sharpness=10.0):
    return -np.log(np.exp(-sharpness * x).mean(-1)) / sharpness


SQUARES = ((G - [2.0, 0.0]) / [2.0, 1.0]) ** 2
DISCOUNT = 1.1 ** -np.arange(1, ROUNDS + 1)
FLOORED = G[:, 0] - 10 * np.maximum(0, 2.5 - G[:, 1]) ** 2
POOLED = G.mean(0)
EXPECTED = {
    "final": (FinalGain((1.0, 0.5)), (G @ [1, 0.5]).mean()),
    "floor": (GainWithFloor(0, 1, 2.5), FLOORED.mean()),
    "floor of the mean": (
        GainWithFloor(0, 1, 2.5, of="mean"),
        POOLED[0] - 10 * np.maximum(0, 2.5 - POOLED[1]) ** 2,
    ),
    "ces": (CES((2.0, 1.0), -2.0, 4.0), ces(G, (2, 1), -2, 4).mean()),
    "ces of the mean": (CES((2.0, 1.0), -2.0, 4.0, of="mean"), ces(POOLED, (2, 1), -2, 4)),
    "geometric": (CES((2.0, 1.0), 0.0, 4.0), ces(G, (2, 1), 0, 4).mean()),
    "additive": (CES((3.0, 1.0), 1.0, 4.0), (G @ [0.75, 0.25]).mean()),
    "least": (DesiredGains((2.0, 1.0)), soft(G / [2, 1]).mean()),
    "least of the mean": (DesiredGains((2.0, 1.0), of="mean"), soft(POOLED / [2, 1])),
    "distance": (DesiredGains((2.0, 0.0), "distance"), -SQUARES.sum(-1).mean()),
    "discounted": (
        DiscountedGain((1.0, 0.5), 0.1),
        ((np.asarray(RUN.gain)[:, 1:] @ [1, 0.5]) @ DISCOUNT / DISCOUNT.sum()).mean(),
    ),
    "tail": (
        CVaR(FinalGain((1.0, 1.0)), 0.5),
        np.sort(G.sum(1))[:4] @ [1, 1, 1, 0.5] / 3.5,
    ),
    "poorest": (CVaR(FinalGain((1.0, 1.0)), 0.01), G.sum(1).min()),
    "everyone": (CVaR(FinalGain((1.0, 1.0)), 1.0), G.sum(1).mean()),
    "tempered": (
        Tempered(FinalGain((1.0, 0.0)), 0.3),
        G[:, 0].mean() + 0.3 * np.asarray(RUN.entropy).sum(1).mean(),
    ),
    "cooling": (
        Tempered(FinalGain((1.0, 0.0)), (0.4, 0.2, 0.1, 0.0)),
        G[:, 0].mean() + (np.asarray(RUN.entropy) @ [0.4, 0.2, 0.1, 0]).mean(),
    ),
    "sum": (
        2 * FinalGain((1.0, 0.0)) - CES((1.0, 1.0), 0.0, 4.0, of="mean") + FinalGain((0.0, 1.0)),
        2 * POOLED[0] - ces(POOLED, (1, 1), 0, 4) + POOLED[1],
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_values_and_gradients(name):
    objective, expected = EXPECTED[name]
    assert float(objective(RUN)) == pytest.approx(expected, rel=2e-5)
    gradient = jax.jit(jax.grad(objective.__call__))(RUN)
    direction = course(seed=5)
    slope = sum(float((a * b).sum()) for a, b in zip(gradient, direction, strict=True))
    step = 3e-3
    ends = [Course(*(x + s * d for x, d in zip(RUN, direction, strict=True))) for s in (step, -step)]
    # float32: 1e-6 of a value of a few SD, over the step
    difference = (float(objective(ends[0])) - float(objective(ends[1]))) / (2 * step)
    assert slope == pytest.approx(difference, rel=0.01, abs=3e-3)


def test_utility_is_as_exact_near_rho_0():
    for rho in (0.0, 2e-6, -2e-6, 1e-4, -9.9e-4, 9.9e-4):
        expected = ces(G, (2, 1), rho, 4).mean()
        assert float(CES((2.0, 1.0), rho, 4.0)(RUN)) == pytest.approx(expected, abs=3e-6), rho
    # The term of second order is seen: without it this would be off by about 1e-4.
    assert ces(G, (2, 1), 9.9e-4, 4).mean() - ces(G, (2, 1), 0, 4).mean() > 3e-5
    for rho in (-1.01e-3, 1.01e-3):  # by the quotient, whose digits begin to be lost
        assert float(CES((2.0, 1.0), rho, 4.0)(RUN)) == pytest.approx(ces(G, (2, 1), rho, 4).mean(), abs=1e-3)


def test_of_the_mean_and_of_the_replicates_differ_as_jensen_says():
    for make in (
        lambda of: CES((1.0, 1.0), -3.0, 3.0, of=of),
        lambda of: DesiredGains((2.0, 1.0), of=of),
        lambda of: GainWithFloor(0, 1, 2.5, of=of),
    ):
        assert float(make("mean")(RUN)) > float(make("replicates")(RUN)) + 0.01


def test_utility_of_no_gain_is_0_and_far_losses_have_a_value():
    zero = Course(*(jnp.zeros_like(x) for x in RUN))
    for rho in (-3.0, 0.0, 0.5):
        utility = CES((0.7, 0.3), rho, 5.0)
        assert float(utility(zero)) == pytest.approx(0, abs=1e-5)
        lost = [float(utility(zero._replace(gain=zero.gain - by))) for by in (4.0, 4.6, 6.0, 9.0)]
        assert lost == sorted(lost, reverse=True)
        assert np.isfinite(lost).all()
        # A trait without weight has no part in it, whatever became of it.
        gone = zero._replace(gain=zero.gain.at[:, :, 1].set(-1e6))
        slope = jax.grad(CES((1.0, 0.0), rho, 5.0))(gone).gain
        assert float(CES((1.0, 0.0), rho, 5.0)(gone)) == pytest.approx(0, abs=1e-5)
        assert np.isfinite(slope).all()


def test_intervals_are_those_of_the_mean_and_pairs_cancel_what_they_share():
    objective = FinalGain((1.0, 1.0))
    assert estimate(objective, RUN) == pytest.approx([float(x) for x in interval(G.sum(1))], rel=1e-4)
    better = RUN._replace(gain=RUN.gain + 0.5)
    value, low, high = compare(objective, RUN, better)
    assert value == pytest.approx(1.0, abs=1e-5)
    assert high - low < 1e-3
    assert np.isnan(estimate(objective, course(replicates=1))[1])
    # Of means, too: the interval of CES of the mean covers at the stated rate what infinitely many replicates give.
    utility = jax.jit(CES((1.0, 1.0), -2.0, 6.0, of="mean").__call__)
    truth = float(utility(course(seed=99, replicates=20_000)))
    inside = [low <= truth <= high for _, low, high in (estimate(utility, course(s, 12)) for s in range(200))]
    assert abs(np.mean(inside) - 0.95) < 5 * np.sqrt(0.95 * 0.05 / 200)


def test_limits():
    f = np.asarray(RUN.inbreeding, np.float64)
    assert float(FinalInbreeding()(RUN)) == pytest.approx(f[:, -1].mean(), rel=1e-5)
    mean = f.mean(0)
    assert float(InbreedingRate()(RUN)) == pytest.approx(1 - ((1 - mean[-1]) / (1 - mean[0])) ** 0.25, rel=1e-4)
    eggs, tests = np.asarray(RUN.eggs).sum(1).mean(), np.asarray(RUN.tests).sum(1).mean()
    assert float(TotalCost(0.5, 3.0)(RUN)) == pytest.approx(0.5 * eggs + 3 * tests, rel=1e-5)
    limit = Limit(FinalInbreeding(), 0.2)
    assert float(limit.excess(RUN)) == pytest.approx(f[:, -1].mean() / 0.2 - 1, rel=1e-4)

    # Minimum of x^2 with x at or above 1, that is 1 - x at or below 0: multiplier 2.
    @jax.jit
    def least(x, multiplier):
        slope = jax.grad(lambda y: y**2 + penalty(1 - y, multiplier, 10.0))
        return jax.lax.fori_loop(0, 200, lambda _, y: y - 0.02 * slope(y), x)

    multiplier, x = 0.0, 0.0
    for _ in range(40):
        x = float(least(x, multiplier))
        multiplier = update(multiplier, 10.0, 1 - x)
    assert (x, multiplier) == (pytest.approx(1, abs=1e-3), pytest.approx(2, abs=1e-2))
    assert float(penalty(jnp.float32(-1.0), 0.0, 10.0)) == 0


TRAITS, WEIGHTS = ("intelligence", "sociability"), (1.0, 0.5)


def parse(**table):
    scenario = parse_scenario({"species": "octopus-maya", **table})
    return build_objective(scenario.objective, TRAITS, WEIGHTS, ROUNDS), build_limits(
        scenario.limits, prices_of(scenario), 2
    )


def test_objectives_of_scenarios():
    assert parse()[0] == FinalGain(WEIGHTS)
    assert parse(objective={"weights": {"sociability": 2.0}})[0] == FinalGain((0.0, 2.0))
    table = {"kind": "gain_with_floor", "trait": "intelligence", "floored": "sociability", "floor": -0.5}
    assert parse(objective=table)[0] == GainWithFloor(0, 1, -0.5)
    table = {"kind": "ces", "rho": -1.0, "of": "mean", "tail": 0.2, "temperature": 0.1}
    assert parse(objective=table)[0] == Tempered(CVaR(CES(WEIGHTS, -1.0, of="mean"), 0.2), 0.1)
    table = {"kind": "desired_gains", "gains": [2.0, 1.0], "measure": "distance"}
    assert parse(objective=table)[0] == DesiredGains((2.0, 1.0), "distance")
    assert parse(objective={"kind": "discounted_gain", "rate": 0.1})[0] == DiscountedGain(WEIGHTS, 0.1)
    limits = parse(
        limits={"inbreeding": 0.2, "inbreeding_rate": 0.02, "cost": 1e4},
        costs={"egg": 0.1, "session": 3.0, "reared": 1.0},
    )[1]
    expected = (FinalInbreeding(), 0.2), (InbreedingRate(), 0.02), (TotalCost(0.1, 7.0), 1e4)
    assert limits == tuple(Limit(*pair) for pair in expected)
    with pytest.raises(ValueError, match=r"costs.breeder is 9; with limits.cost, .* it must be 0"):
        parse(limits={"cost": 1e4}, costs={"egg": 0.1, "breeder": 9.0})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"weights": {"cunning": 1}}, "objective.weights names 'cunning'; the traits are intelligence, sociability"),
        ({"weights": [1.0]}, "objective.weights has 1 values; it must have 2, one for each trait"),
        ({"weights": [0, 0]}, "objective.weights is [0.0, 0.0]; at least one must not be 0"),
        ({"weights": "all"}, "objective.weights is 'all'; it must be a table of numbers by trait, or a list"),
        ({"kind": "gain"}, "objective.kind is 'gain'; it should be 'final_gain'"),
        ({"rho": 0.5}, 'objective.rho is 0.5; an objective of kind "final_gain" takes none'),
        ({"kind": "ces", "rho": 2.0}, "objective.rho is 2.0; it should be less than or equal to 1"),
        ({"kind": "ces", "weights": [1, -1]}, "objective.weights is [1.0, -1.0]; all must be 0 or more"),
        ({"kind": "desired_gains"}, 'objective.gains is missing; an objective of kind "desired_gains" needs it'),
        ({"kind": "desired_gains", "gains": [0, 0]}, "objective.gains is [0.0, 0.0]; at least one must not be 0"),
        (
            {"kind": "gain_with_floor", "trait": "intelligence", "floored": "intelligence"},
            "objective.floored is trait 0; it must be another",
        ),
        ({"temperature": [1.0, 2.0]}, "objective.temperature has 2 values; it must be a number or have 4"),
        ({"tail": 1.5}, "objective.tail is 1.5; it should be less than or equal to 1"),
        ({"wieghts": [1, 1]}, "objective.wieghts is not a known key; did you mean weights?"),
    ],
)
def test_bad_objectives_are_one_sentence(table, message):
    with pytest.raises((ScenarioError, ValueError)) as caught:
        parse(objective=table)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"inbreeding": -0.1}, "limits.inbreeding is -0.1; it should be greater than 0"),
        ({"inbreeding_rate": 1.0}, "limits.inbreeding_rate is 1.0; it should be less than 1"),
        ({"cost": 5.0}, "limits.cost is 5; it needs costs.egg or costs.session above 0"),
        ({"costs": 5.0}, "limits.costs is not a known key; did you mean cost?"),
    ],
)
def test_bad_limits_are_one_sentence(limits, message):
    with pytest.raises((ScenarioError, ValueError)) as caught:
        parse(limits=limits)
    assert str(caught.value).startswith(message)


def test_objectives_of_other_traits_than_the_run_has():
    with pytest.raises(ValueError, match="weights has 3 values; it must have 2, one for each trait"):
        FinalGain((1.0, 1.0, 1.0))(RUN)
    with pytest.raises(ValueError, match="trait is 2; it must be from 0 to 1"):
        GainWithFloor(2, 0)(RUN)
    with pytest.raises(ValueError, match="temperature has 3 values; it must have 1 or 4"):
        Tempered(FinalGain((1.0, 1.0)), (1.0, 1.0, 1.0))(RUN)
