"""The harness of experiments/schedules: its statistics, its nested spaces, equal numbers of eggs for every search."""

import dataclasses
import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import modules_of
from scipy import stats

import jaxbreed as jb

HERE = Path(__file__).parents[1] / "experiments" / "schedules"
MODULES = ("cases", "panels", "arms", "judge", "report")


@pytest.fixture(scope="module")
def study():
    with modules_of(HERE, MODULES) as modules:
        yield modules


def test_paired_interval_and_equivalence_are_those_of_scipy(study):
    rng = np.random.default_rng(1)
    x, y = rng.normal(0.1, 1, 15), rng.normal(0, 1, 15)
    found = study["judge"].paired(x, y, 0.8)
    interval = stats.ttest_rel(x, y).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    one_sided = [stats.ttest_1samp(x - y, m, alternative=side).pvalue for m, side in ((-0.8, "greater"), (0.8, "less"))]
    assert found.equivalence == pytest.approx(max(one_sided))


def test_arms_that_differ_by_the_margin_are_called_equal_in_one_case_of_twenty(study):
    rng, trials = np.random.default_rng(2), 4000
    equal = [
        study["judge"].paired(rng.normal(1.0, 1.0, 20), np.zeros(20), 1.0).equivalence < 0.05 for _ in range(trials)
    ]
    # At 2.5 % or 10 %, as with the wrong tail, this would be 7 or 14 standard errors off.
    assert np.mean(equal) == pytest.approx(0.05, abs=4.5 * np.sqrt(0.05 * 0.95 / trials))


@pytest.mark.parametrize(
    ("mean", "words"),
    [(0.0, "equal within the margin"), (0.5, "more, within the margin"), (3.0, "more"), (-3.0, "less")],
)
def test_verdicts(study, mean, words):
    noise = np.linspace(-0.3, 0.3, 30)
    assert study["judge"].paired(mean + noise, np.zeros(30), 1.0).words == words
    assert study["judge"].paired(mean + 100 * noise, np.zeros(30), 1.0).words == "not told apart"


def test_constants_at_equal_inbreeding_are_between_those_around(study):
    inbreeding = np.array([[0.2, 0.2], [0.05, 0.15], [0.3, 0.3]])
    worth = np.array([[2.0, 4.0], [1.0, 1.0], [9.0, 9.0]])
    at = study["judge"].at_equal_inbreeding
    assert at(0.15, inbreeding, worth).tolist() == pytest.approx([1.5, 2.5])
    assert at(0.3, inbreeding, worth).tolist() == pytest.approx([9.0, 9.0])
    assert at(0.31, inbreeding, worth) is None
    assert at(0.09, inbreeding, worth) is None


def test_committed_table_says_what_the_committed_numbers_are(study):
    results = json.loads((HERE / "results.json").read_text())
    assert study["report"].table(results["cases"], results["margin"]) == (HERE / "table.md").read_text()


def test_a_broken_limit_is_told_and_no_bar(study):
    report = study["report"]

    def arm(worth, inbreeding):
        return {"worth": [worth] * 5, "inbreeding": [inbreeding - 0.001, inbreeding, inbreeding, inbreeding + 0.001]}

    case = {"limit": 0.1, "arms": {"constant": arm(1.0, 0.1), "constant-by-grid": arm(2.0, 0.2)}}
    assert report.breaks_limit(case, "constant-by-grid")
    assert not report.breaks_limit(case, "constant")
    assert report.bar(case) == "constant"
    assert report.bar(case | {"limit": None}) == "constant-by-grid"


def _start(case):
    tests = None if case.tests is None else float(case.tests)
    start = jb.constant_schedule(6, [1.0, 0.5])
    return dataclasses.replace(
        start,
        males=jnp.full(6, 24.0),
        family_weight=jnp.full(6, 1.0),
        tests=None if tests is None else jnp.full(6, tests),
    )


RULES = jb.Settings(lineages=12, eggs=(80, 80), sires=(2, 2), scope="across")


def test_constant_is_within_linear_within_free_in_every_case(study):
    for case in study["cases"].CASES:
        spaces = [
            jb.build_space(_start(case), case.levers_as(basis), RULES) for basis in ("constant", "linear", "free")
        ]
        theta = {name: jnp.full_like(x, 0.3) for name, x in spaces[0].theta().items()}
        wanted = spaces[0].schedule(theta)
        for larger in spaces[1:]:
            lifted = larger.schedule(spaces[0].lift(theta, larger))
            for lever in case.levers:
                given, right = getattr(lifted, lever.name), getattr(wanted, lever.name)
                assert np.asarray(given) == pytest.approx(np.asarray(right), rel=1e-5)
        assert [space.size for space in spaces] == [k * len(case.levers) for k in (1, 2, 6)]


def test_tests_are_scaled_to_their_mean_within_their_bounds(study):
    case = next(case for case in study["cases"].CASES if case.tests is not None)
    lever = case.levers[0]
    schedule = dataclasses.replace(_start(case), tests=jnp.array([1.0, 2.0, 30.0, 60.0, 90.0, 400.0]))
    tests = np.asarray(study["panels"].within_tests(schedule, case).tests)
    assert tests.mean() == pytest.approx(case.tests, rel=1e-3)
    assert tests.min() >= lever.low - 1e-4
    assert tests.max() <= lever.high + 1e-4
    assert (np.diff(tests) >= 0).all()


@pytest.fixture
def problem(study):
    """A problem whose worth is minus the squared distance of sociability's share from a line over generations."""
    case = study["cases"].CASES[0]
    best = jnp.linspace(0.3, 0.6, 6)

    class Made(study["panels"].Problem):
        def __init__(self):
            self.case, self.budget, self.eggs = dataclasses.replace(case, objective=jb.FinalGain((1.0, 0.0))), 32, 0
            self.search, self.choice = [None] * 3, [None] * 4

        start = property(lambda self: _start(case))

        def space(self, basis):
            return jb.build_space(self.start, self.case.levers_as(basis), RULES)

        def expected(self, schedule):
            w = jnp.abs(schedule.weights)
            off = ((w[:, 1] / w.sum(1) - best) ** 2).sum()
            gain = jnp.zeros((1, 7, 2)).at[:, -1, 0].set(-off)
            none = jnp.zeros((1, 7))
            return jb.Course(gain, gain, none, none[:, 1:], none[:, 1:] + 10, none[:, 1:])

        def simulate(self, choice, ready, seed, *, counted=True):
            self.eggs += 60 * counted
            course = self.expected(choice.schedule)
            luck = np.random.default_rng(seed).normal(0, 0.01)
            return course._replace(gain=course.gain + luck)

    return Made()


def test_every_search_spends_the_same_eggs_and_freedom_pays_where_it_should(study, problem):
    arms = study["arms"]
    pytest.importorskip("cmaes")
    worth, eggs = {}, {}
    for name in ("constant", "linear", "optimised", "constant-by-grid", "random-search", "cma-es", "family-quotas"):
        problem.eggs = 0
        found = problem.choose(arms.ARMS[name](problem))
        eggs[name], worth[name] = problem.eggs, problem.worth(problem.expected(found.schedule))
    assert set(eggs.values()) == {60 * (32 + arms.CANDIDATES * 4)}
    # The best constant share is 0.45, whose squared distances from the line sum to 0.063.
    assert worth["constant"] == pytest.approx(-0.063, abs=0.002)
    assert worth["constant-by-grid"] <= worth["constant"] + 1e-6
    assert min(worth["linear"], worth["optimised"]) > -0.01
    assert worth["random-search"] < worth["cma-es"] <= 0
    for name in arms.WITHOUT_EGGS[:1]:
        problem.eggs = 0
        arms.ARMS[name](problem)
        assert problem.eggs == 0
