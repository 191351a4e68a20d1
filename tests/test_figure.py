"""The figure shows the data, says what its axes are, and survives unfinished and single runs."""

import dataclasses

import numpy as np
import pytest
from helpers import small_world
from matplotlib.image import imread

from jaxbreed.figure import plot
from jaxbreed.program import Settings
from jaxbreed.results import Result
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.summary import interval


@pytest.fixture(scope="module")
def history():
    program, founders = small_world(Settings(lineages=2, eggs=(60, 100)), founders=12, chromosomes=2, loci=40, qtl=20)
    return simulate(program, founders, constant_schedule(2, (1.0, 0.5), fraction=0.25, males=3), replicates=3)


def line(axes, label):
    (found,) = [line for line in axes.get_lines() if line.get_label() == label]
    return found


def replicate_lines(axes):
    return [line for line in axes.get_lines() if line.get_linewidth() == 0.5]


def texts(figure):
    return figure.get_suptitle(), figure.get_supxlabel()


def test_lines_are_the_data(history):
    gain, variance, inbreeding = plot(history, title="").axes
    for t, trait in enumerate(history.traits):
        np.testing.assert_array_equal(line(gain, trait).get_xdata(), [0, 1, 2])
        np.testing.assert_allclose(line(gain, trait).get_ydata(), history["gain"][..., t].mean(0))
        for kind, style in (("genetic", "-"), ("genic", "--")):
            values = history[f"{kind}_variance"][..., t]
            drawn = line(variance, f"{trait}, {kind}")
            np.testing.assert_allclose(drawn.get_ydata(), (100 * values / values[:, :1]).mean(0))
            assert drawn.get_linestyle() == style
            assert drawn.get_color() == line(gain, trait).get_color()
    np.testing.assert_allclose(line(inbreeding, "mean").get_ydata(), history["inbreeding"].mean(0))
    assert line(gain, "intelligence").get_color() != line(gain, "sociability").get_color()


def test_bands_and_thin_lines_are_the_replicates(history):
    gain, variance, inbreeding = plot(history, title="").axes
    assert [len(axes.collections) for axes in (gain, variance, inbreeding)] == [2, 2, 1]
    for t in range(2):
        _, low, high = interval(history["gain"][..., t])
        heights = gain.collections[t].get_paths()[0].vertices[:, 1]
        assert {*low, *high} <= set(heights)
    drawn = np.array([line.get_ydata() for line in replicate_lines(gain)])
    np.testing.assert_array_equal(drawn, history["gain"].transpose(2, 0, 1).reshape(6, 3))
    np.testing.assert_array_equal([line.get_ydata() for line in replicate_lines(inbreeding)], history["inbreeding"])


def test_axes_have_names_units_and_whole_generations(history):
    figure = plot(history, title="Tiny $ run", generation_years=1.5)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == [
        "gain (founder phenotypic SD)",
        "variance left (% of generation 0)",
        "inbreeding coefficient F of the eggs",
    ]
    for axes in figure.axes:
        assert axes.get_xlabel() == "generation"
        assert all(tick == round(tick) for tick in axes.get_xticks())
        (years,) = axes.child_axes
        assert years.get_xlabel() == "year"
        figure.draw_without_rendering()
        np.testing.assert_allclose(years.get_xlim(), 1.5 * np.array(axes.get_xlim()))
    assert not any(axes.child_axes for axes in plot(history, title="").axes)
    words = [[text.get_text() for text in axes.get_legend().get_texts()] for axes in figure.axes[:2]]
    assert words == [["intelligence", "sociability"], ["intelligence", "sociability", "genetic", "genic"]]
    title, note = texts(figure)
    assert title == "Tiny $ run"
    assert note.startswith(f"3 replicates, {history['eggs'][:, :2].sum():,} eggs simulated; bands: 95 % interval")


def test_saved_as_png(history, tmp_path):
    path = tmp_path / "figure.png"
    plot(history, path, title="Größe", generation_years=1.5)
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    pixels = imread(path)
    assert pixels.shape == (660, 1800, 4)  # 12 x 4.4 inches at 150 dpi
    assert pixels[..., :3].std() > 0.05
    plot(history, str(tmp_path / "figure.pdf"), title="")
    assert (tmp_path / "figure.pdf").read_bytes()[:5] == b"%PDF-"


def test_one_replicate_has_no_bands(history, tmp_path):
    data = {name: values[:1] for name, values in history.data.items()}
    figure = plot(dataclasses.replace(history, data=data), tmp_path / "one.png", title="")
    assert not any(axes.collections for axes in figure.axes)
    assert not any(replicate_lines(axes) for axes in figure.axes)
    np.testing.assert_array_equal(line(figure.axes[0], "intelligence").get_ydata(), history["gain"][0, :, 0])
    assert texts(figure)[1] == f"1 replicate, {history['eggs'][0, :2].sum():,} eggs simulated"


@pytest.mark.parametrize("done", [1, 2])
def test_an_unfinished_run_is_drawn_as_far_as_it_has_come(done, history, tmp_path):
    run = Result(history.data, {}, history.traits, history.sd_phenotypic, done, False)
    figure = plot(run, tmp_path / "part.png", title="", generation_years=2)
    for axes in figure.axes:
        assert axes.get_xlim()[1] > 2
        assert all(len(line.get_xdata()) == done for line in axes.get_lines() if line.get_marker() != "None")
    assert f"{history['eggs'][:, : done - 1].sum():,} eggs" in texts(figure)[1]


def test_a_trait_without_variance_is_drawn_without_its_share(history, tmp_path):
    data = dict(history.data)
    data["genetic_variance"] = data["genetic_variance"] * [1.0, 0.0]
    figure = plot(dataclasses.replace(history, data=data), tmp_path / "none.png", title="")
    assert np.isnan(line(figure.axes[1], "sociability, genetic").get_ydata()).all()
