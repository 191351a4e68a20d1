"""Fronts whose shape is known, their file, figure and table; and the command line's sentences."""

import io
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
from rich.console import Console
from test_optimisation import COURSES, RULES, START, expected

from jaxbreed import front_command
from jaxbreed.front import shortfall, trace_front
from jaxbreed.front_report import plot_front, save_front
from jaxbreed.optimisation import Courses
from jaxbreed.scenario import Loaded, parse_scenario
from jaxbreed.space import Lever, build_space

NAMES = ("intelligence", "sociability")
SCENARIO = """
species = "octopus-vulgaris"
title = "Toy"
[programme]
generations = 5
replicates = 2
[traits.intelligence]
h2 = 0.4
weight = 1.0
[traits.sociability]
h2 = 0.4
weight = 1.0
"""


SPACE = build_space(START, (Lever("weights", "linear"),), RULES)


def traced(**options):
    return trace_front(COURSES, SPACE, seed=4, **options)


def test_a_front_is_simulated_point_by_point():
    told = []
    front = traced(points=4, constant=3, callback=lambda front, done, steps: told.append((front, done, steps)))
    assert [done for _, done, _ in told] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10, 11]
    assert {steps for _, _, steps in told} == {11}
    assert told[3][0] is None
    partly = told[7][0]
    assert [point.course is not None for point in partly.points] == [True, True, True, False]
    # With constant G nothing beats constant weights: every point of the front is on their curve, i G b / sqrt(b'Gb).
    genetic = np.array([[1.0, -0.3], [-0.3, 0.5]])
    high = 5 * (2.0 - 0.25 * np.log(6.0)) * np.sqrt(np.diag(genetic))
    gains = np.array([point.expected for point in front.points])
    assert np.einsum("pt,tu,pu->p", gains, np.linalg.inv(genetic), gains) == pytest.approx(
        np.full(4, high[0] ** 2), rel=2e-3
    )
    assert gains[0, 0] == pytest.approx(high[0], rel=1e-3)
    assert gains[-1, 1] == pytest.approx(high[1], rel=1e-3)
    # Constant weights: the first trait alone, both alike, the second alone.
    assert [point.course is not None for point in front.constant] == [True, *[False, False, False, True] * 2]
    weights = np.array([point.schedule.weights[0] for point in front.constant[::4]])
    assert weights / weights.sum(1, keepdims=True) == pytest.approx(np.array([[1, 0], [0.5, 0.5], [0, 1]]), abs=1e-6)
    # All simulations share one seed, and so one luck, which is all that theory misses.
    difference, error = shortfall(front)
    assert difference == pytest.approx(np.broadcast_to(difference[0, 0], (4, 2)), abs=1e-4)
    assert np.abs(difference).max() > 0.01
    luck = np.random.default_rng(4).normal(scale=0.5, size=2)
    assert error[0, 0] == pytest.approx(luck.std(ddof=1) / np.sqrt(2), rel=1e-4)


def test_a_front_is_searched_by_its_guide():
    def half(schedule, seed):
        return expected(schedule)._replace(gain=expected(schedule).gain * 0.5)

    told = traced(points=3, constant=2, guide=half)
    plain = traced(points=3, constant=2)
    # Half of everything has the same front, and what is reported is by the whole.
    gains = [np.array([point.expected for point in front.points]) for front in (told, plain)]
    assert gains[0] == pytest.approx(gains[1], rel=2e-2)
    with pytest.raises(ValueError, match="constant is 1; constant weights need at least"):
        traced(points=3, constant=1)


def test_file_and_figure_hold_what_was_simulated(tmp_path):
    fronts = []
    traced(points=3, constant=2, callback=lambda front, *_: fronts.append(front))
    for number, front in ((3, fronts[3]), (4, fronts[4]), (-1, fronts[-1])):
        path = tmp_path / f"front{number}.h5"
        save_front(path, front, NAMES, attributes={"seed": 4})
        with xarray.open_dataset(path, engine="h5netcdf") as data:
            assert data.gain_front.dims == ("front_point", "replicate", "generation", "trait")
            known = [point.course is not None for point in front.points]
            assert (~np.isnan(data.gain_front.values)).all((1, 2, 3)).tolist() == known
            assert data.gain_expected_front.values == pytest.approx(np.array([p.expected for p in front.points]))
            assert data.schedule_weights_constant.shape == (5, 5, 2)
            assert data.attrs["simulated"] == sum(known) + sum(p.course is not None for p in front.constant)
    axes = plot_front(fronts[-1], NAMES, tmp_path / "front.png").axes[0]
    assert "founder phenotypic SD" in axes.get_xlabel() + axes.get_ylabel()
    lines = {line.get_label(): line for line in axes.lines}
    expected_gains = np.array([point.expected for point in fronts[-1].points])
    assert np.asarray(lines["schedules of the front, theory"].get_xydata()) == pytest.approx(expected_gains)
    bars = next(bar for bar in axes.containers if bar.get_label() == "schedules of the front, simulated")
    simulated_gains = np.array([point.gain.mean(0) for point in fronts[-1].points])
    assert np.asarray(bars.lines[0].get_xydata()) == pytest.approx(simulated_gains)


def test_the_command_prints_a_table_and_writes_files(tmp_path, monkeypatch):
    class Ready:
        program = founders = None

    monkeypatch.setattr(front_command, "ready_space", lambda scenario, levers: (Ready, SPACE))
    monkeypatch.setattr(front_command, "courses_of", lambda *_, **__: Courses(*COURSES))
    loaded = Loaded(parse_scenario(tomllib.loads(SCENARIO)), SCENARIO)
    console, output = Console(record=True, width=110, file=io.StringIO()), tmp_path / "out.h5"
    numbers = front_command.check_front(loaded.scenario, "sociability, intelligence", 3, 2, "chebyshev")
    assert numbers == (1, 0)
    front_command.front_and_report(loaded, numbers, 3, 2, "chebyshev", output, console, True)
    said = console.export_text()
    for text in ("Toy", "front 3", "constant 2", "simulated less theory: sociability", "2 replicates", "50,000 eggs"):
        assert text in said
    assert Path(tmp_path / "out.png").read_bytes()[:4] == b"\x89PNG"
    with h5py.File(output) as file:
        assert file.attrs["scenario"] == SCENARIO
        assert list(file.attrs["traits_of_front"]) == ["sociability", "intelligence"]
        assert (file.attrs["simulated"], file.attrs["method"]) == (5, "chebyshev")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("speed", 15, 5, "epsilon"), "--traits is speed; a front needs two traits, by comma, of intelligence, socia"),
        (("speed,intelligence", 15, 5, "epsilon"), "--traits names 'speed'; the traits are intelligence, sociability"),
        ((None, 2, 5, "epsilon"), "--points is 2; it must be from 3 to 1000"),
        ((None, 15, 1, "epsilon"), "--constant is 1; it must be from 2 to 1000"),
        ((None, 15, 5, "best"), "--method is best; it must be one of chebyshev, epsilon"),
    ],
)
def test_bad_options_are_one_sentence(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        front_command.check_front(parse_scenario(tomllib.loads(SCENARIO)), *arguments)
