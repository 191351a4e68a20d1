"""The harness of experiments/gradients: noise is no length, differences are kept, the table says what numbers say."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import modules_of

HERE = Path(__file__).parents[1] / "experiments" / "gradients"
MODULES = ("problems", "estimators", "judging", "truth", "run")


@pytest.fixture(scope="module")
def study():
    with modules_of(HERE, MODULES) as modules:
        yield modules


def test_noise_does_not_lengthen_a_gradient(study):
    """Squared length is unbiased; with noise of 0.6 in 8 draws of 4 parameters left in it would be 1.18 times that."""
    rng, gradient = np.random.default_rng(3), np.array([0.5, -0.5, 0.5, 0.5])
    draws = gradient + 0.6 * rng.normal(size=(20_000, 8, 4))
    squares = np.array([study["judging"].length(some) ** 2 for some in draws])
    error = squares.std() / np.sqrt(len(squares))
    assert abs(squares.mean() - 1) < 5 * error
    assert 1 + 4 * 0.6**2 / 8 - squares.mean() > 5 * error


def test_length_is_the_mean_product_of_different_draws(study):
    draws = np.array([0.5, -0.5, 0.5]) + 0.1 * np.random.default_rng(4).normal(size=(6, 3))
    products = draws @ draws.T
    other = products[~np.eye(6, dtype=bool)].mean()
    assert study["judging"].length(draws) == pytest.approx(np.sqrt(other), rel=1e-12)


def test_judgement_of_a_known_estimator(study):
    """An estimator of half the length, turned by an angle of cosine 0.8, both as noisy as in the table."""
    rng = np.random.default_rng(5)
    truth = np.array([1.0, 0.0]) + 0.2 * rng.normal(size=(400, 2))
    said = study["judging"].judge(0.5 * np.array([0.8, 0.6]) + 0.1 * rng.normal(size=(400, 2)), truth)
    assert said["cosine"] == pytest.approx(0.8, abs=5 * said["cosine_se"])
    assert said["ratio"] == pytest.approx(0.5, abs=5 * np.hypot(said["ratio_se"], 0.5 * 0.2 / 20))
    assert 0.004 < said["cosine_se"] < 0.012  # 0.6 of the SD of the angle, 0.1 / 0.5 / 20
    assert (said["signs_wrong"], said["signs_sure"]) == (0, 1)


@pytest.fixture
def parabola(study, monkeypatch):
    """A problem that is no simulation: differences of -x^2 from 1, noisy, the same noise on both sides."""
    asked = []

    def value(problem, point, seed):
        asked.append(seed)
        return problem.objective(point) + 0.1 * np.random.default_rng(seed).normal()

    monkeypatch.setattr(study["truth"], "simulated", value)

    def make(scale=1.0):
        objective = lambda x: -scale * float((x**2).sum())  # noqa: E731
        return study["problems"].Problem("row", None, None, 3, jnp.ones(2), None, objective, 0.5)

    return make, asked


def test_differences_go_on_where_they_were(study, parabola, tmp_path):
    make, asked = parabola
    path = tmp_path / "truth.json"
    first = study["truth"].Truths(path).of(make(), 3, "one", only_kept=False)
    np.testing.assert_allclose(first, np.full((3, 2), -2.0), atol=1e-5)
    asked.clear()
    more = study["truth"].Truths(path).of(make(), 5, "two", only_kept=False)
    assert sorted(set(asked)) == [1000, 1003, 1004]  # the start once, and the new seeds
    np.testing.assert_array_equal(more[:3], first)
    asked.clear()
    np.testing.assert_array_equal(study["truth"].Truths(path).of(make(), 99, "three", only_kept=True), more)
    assert asked == [1000]


def test_differences_of_another_problem_are_not_taken(study, parabola, tmp_path):
    make, _ = parabola
    truths = study["truth"].Truths(tmp_path / "truth.json")
    truths.of(make(), 3, "one", only_kept=False)
    with pytest.raises(SystemExit, match=r"truth\.json has .* for row, which is .*'value'"):
        truths.of(make(2.0), 3, "two", only_kept=True)
    np.testing.assert_allclose(truths.of(make(2.0), 2, "two", only_kept=False), np.full((2, 2), -4.0), atol=1e-5)


def test_table_says_what_the_numbers_say(study):
    results = json.loads((HERE / "results.json").read_text())
    assert study["run"].table(results["rows"]) == (HERE / "table.md").read_text()
    truths = json.loads((HERE / "truth.json").read_text())
    for row in results["rows"]:
        kept = np.array(truths[row["name"]]["differences"])
        assert len(kept) == row["seeds"]
        np.testing.assert_allclose(kept.mean(0), row["differences"], atol=6e-6)
