"""Intervals, the closing table and the figure, from numbers that can be checked by hand."""

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from jaxbreed.figure import plot
from jaxbreed.history import VARIABLES, History
from jaxbreed.schedule import constant_schedule
from jaxbreed.summary import closing_table, effective_size, interval, t_quantile


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 5, 10, 29, 30, 59, 200])
def test_t_quantile(degrees):
    assert t_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-9)


def test_interval_is_students():
    values = np.random.default_rng(0).normal(size=(7, 3))
    mean, low, high = interval(values)
    expected = stats.t.interval(0.95, 6, values.mean(0), stats.sem(values))
    assert mean == pytest.approx(values.mean(0))
    assert low == pytest.approx(expected[0])
    assert high == pytest.approx(expected[1])
    assert np.isnan(interval(values[:1])[1]).all()


def test_effective_size_from_means():
    # F rises as 1 - (1 - 1/2N)^t with N = 10; means over replicates, not means of ratios.
    f = 1 - (1 - 1 / 20) ** np.arange(6)
    assert effective_size(np.stack([f, f])) == pytest.approx(np.full(5, 10.0))
    assert np.isnan(effective_size(np.array([[0.1, 0.1, 0.05]]))).all()


@pytest.fixture
def history():
    rng = np.random.default_rng(1)
    size = {"trait": 2, "other_trait": 2}
    data = {name: rng.random((4, 4, *(size[d] for d in dims))) for name, (dims, _, _) in VARIABLES.items()}
    data["gain"] = np.cumsum(rng.normal(1, 0.1, (4, 4, 2)), axis=1)
    data["gain"][:, 0] = 0
    data["genetic_variance"][:, 0] = 1.0
    data["genetic_variance"][:, 1] = 0.8
    data["inbreeding"] = np.tile([0, 0.05, 0.0975, 0.142625], (4, 1))
    data["eggs"] = np.full((4, 4), 250_000)
    return History(data, ("intelligence", "sociability"), np.ones(2), np.ones(2), constant_schedule(3, (1, 1)), 20, 4)


def lines(history, **options):
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(closing_table(history, **options))
    console.file.close()
    return console.export_text().splitlines()


def test_table_says_what_was_simulated(history):
    text = lines(history, generation_years=4.0)
    row = next(line for line in text if line.split()[:2] == ["1", "4"]).split()
    mean, low, _ = interval(history["gain"][:, 1, 0])
    assert row[2:5] == [f"{mean:.2f}", "±", f"{mean - low:.2f}"]
    assert row[5] == "80"
    assert row[10:12] == ["0.050", "10"]
    assert row[-1] == "1"
    # It fits a terminal of 80 columns: nothing is cut short.
    assert not any("…" in line for line in text)
    assert any("fixed" in line for line in text)
    last = next(line for line in text if line.split()[:2] == ["3", "12"]).split()
    assert last[-1] == "-"


def test_a_run_in_progress_has_a_table_and_a_figure(history, tmp_path):
    history.done = 2
    assert not any(line.split()[:1] == ["2"] for line in lines(history))
    figure = plot(history, tmp_path / "early.png")
    assert len(figure.axes[0].lines[-1].get_xdata()) == 2
    assert (tmp_path / "early.png").stat().st_size > 10_000


def test_figure_draws_the_data_with_labelled_axes(history):
    figure = plot(history, title="Octopus", generation_years=4.0)
    gain, variance, inbreeding = figure.axes
    assert gain.get_ylabel() == "gain (founder phenotypic SD)"
    assert "%" in variance.get_ylabel()
    assert "F" in inbreeding.get_ylabel()
    assert all(axes.get_xlabel() == "generation" for axes in figure.axes)
    drawn = {line.get_label(): line.get_ydata() for line in gain.lines}
    assert drawn["sociability"] == pytest.approx(history["gain"][..., 1].mean(0))
    percent = {line.get_label(): line.get_ydata() for line in variance.lines}
    assert percent["intelligence, genetic"][:2] == pytest.approx([100, 80])
    assert "intelligence, genic" in percent
    assert len(gain.collections) == 2  # one band a trait
    assert "4 replicates, 3,000,000 eggs" in figure.get_supxlabel()


def test_one_replicate_has_no_band(history):
    history.data = {name: values[:1] for name, values in history.data.items()}
    figure = plot(history)
    assert all(not axes.collections for axes in figure.axes)
    assert "one replicate" in figure.get_supxlabel()
    assert not any("±" in line for line in lines(history) if line.split()[:1] == ["1"])
