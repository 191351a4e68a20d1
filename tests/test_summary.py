"""Intervals against scipy, and the closing table recomputed from the history."""

import io
import math

import numpy as np
import pytest
from helpers import small_world
from rich.console import Console
from scipy import stats

from jaxbreed.program import Settings
from jaxbreed.results import Result, load, save
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.summary import closing_table, effective_size, interval, share_left, t_quantile, unpaired_interval


@pytest.fixture(scope="module")
def history():
    program, founders = small_world(Settings(lineages=2, eggs=(60, 100)), founders=12, chromosomes=2, loci=40, qtl=20)
    return simulate(program, founders, constant_schedule(2, (1.0, 0.5), fraction=0.25, males=3), replicates=3)


def made_up(replicates: int = 5, generations: int = 11, traits=("intelligence", "sociability")) -> Result:
    """Large numbers, such as a long run of large clutches gives."""
    rng = np.random.default_rng(0)
    t = np.arange(generations)[:, None]
    shape = (replicates, generations, len(traits))
    data = {
        "gain": rng.normal(t * 1.3, 0.2, shape) * np.array([1.0, -1.0, 0.5])[: len(traits)],
        "genetic_variance": rng.normal(0.4 * 0.9**t, 0.01, shape),
        "inbreeding": rng.normal(1 - 0.98**t, 0.001, shape)[..., 0],
        "intensity": rng.normal(2.9, 0.05, shape)[..., 0],
        "accuracy": rng.normal(0.63, 0.01, shape)[..., 0],
        "loci_fixed": np.broadcast_to(0.04 * t[:, 0], shape[:2]),
        "eggs": np.full(shape[:2], 24 * 400_000),
    }
    return Result(data, {}, traits, np.ones(len(traits)), generations, True)


def cells(table) -> dict[str, list[str]]:
    return {
        str(column.header).replace("\n", " ") + f"#{i}": list(column.cells) for i, column in enumerate(table.columns)
    }


@pytest.mark.parametrize("degrees", [*range(1, 60), 99, 100, 999, 10_000, 100_001])
def test_t_quantile(degrees):
    assert t_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=1e-9)


def test_t_quantile_where_it_has_a_formula():
    assert t_quantile(1) == pytest.approx(math.tan(0.475 * math.pi), rel=1e-12)
    assert t_quantile(2) == pytest.approx(0.95 * math.sqrt(2 / (1 - 0.95**2)), rel=1e-12)


def test_interval_is_students():
    values = np.random.default_rng(1).normal(size=(7, 4, 2))
    for axis in (0, 1, 2, -1):
        low, high = stats.t.interval(0.95, values.shape[axis] - 1, values.mean(axis), stats.sem(values, axis))
        got = interval(values, axis)
        np.testing.assert_allclose(got, (values.mean(axis), low, high), rtol=1e-9, atol=1e-12)


def test_interval_leaves_out_what_is_missing():
    values = np.random.default_rng(2).normal(size=(6, 4))
    values[0, 1] = values[:5, 2] = values[:, 3] = np.nan
    mean, low, high = interval(values)
    for column, replicates in ((0, slice(0, 6)), (1, slice(1, 6))):
        expected = interval(values[replicates, column])
        np.testing.assert_allclose((mean[column], low[column], high[column]), expected, rtol=1e-12)
    assert mean[2] == values[5, 2]
    assert np.isnan([mean[3], *low[2:], *high[2:]]).all()


def test_interval_of_one_replicate_has_no_bounds():
    mean, low, high = interval([[1, 2, 3]])
    assert mean.tolist() == [1, 2, 3]
    assert np.isnan([low, high]).all()


def test_effective_size_is_that_of_the_mean_course():
    inbreeding = np.array([[0.0, 0.0, 0.1, 0.1], [0.0, 0.1, 0.2, 0.1]])  # means 0, 0.05, 0.15, 0.1
    np.testing.assert_allclose(effective_size(inbreeding), [1 / (2 * 0.05), 0.95 / (2 * 0.1), np.nan], rtol=1e-12)
    # An ideal population: F_t = 1 - (1 - 1/2N)^t.
    ideal = 1 - (1 - 1 / 40) ** np.arange(30)
    np.testing.assert_allclose(effective_size(ideal[None]), 20, rtol=1e-9)


def test_share_left_is_relative_to_the_same_replicate():
    variance = np.array([[2.0, 1.0], [4.0, 6.0], [0.0, 0.0]])
    np.testing.assert_allclose(share_left(variance), [[100, 50], [100, 150], [np.nan, np.nan]])


def test_table_holds_the_numbers_of_the_history(history):
    table = closing_table(history, generation_years=1.5)
    columns = list(cells(table).values())
    assert [len(column) for column in columns] == [3] * 12
    by_row = list(zip(*columns, strict=True))
    quantile = stats.t.ppf(0.975, 2)
    inbreeding = history["inbreeding"].mean(0)
    for g, row in enumerate(by_row):
        expected = [str(g), ("0", "1.5", "3")[g]]
        for t in range(2):
            gain = history["gain"][:, g, t]
            half = quantile * gain.std(ddof=1) / math.sqrt(3)
            left = history["genetic_variance"][:, g, t] / history["genetic_variance"][:, 0, t]
            expected += [f"{gain.mean():.2f} ± {half:.2f}", f"{100 * left.mean():.0f}"]
        expected.append(f"{inbreeding[g]:.3f}")
        if g < 2:
            step = inbreeding[g + 1] - inbreeding[g]
            expected.append(f"{(1 - inbreeding[g]) / (2 * step):.1f}" if step > 0 else "-")
            expected += [f"{history[name][:, g].mean():.2f}" for name in ("intensity", "accuracy")]
        else:
            expected += ["-", "-", "-"]
        expected.append(f"{100 * history['loci_fixed'][:, g].mean():.1f}")
        expected.append(str(history["eggs"][:, g].sum()) if g < 2 else "-")
        assert list(row) == expected
    assert list(cells(closing_table(history)))[1].startswith("intelligence gain (sP)")


def test_table_of_a_file_and_of_an_unfinished_run(history, tmp_path):
    save(tmp_path / "run.h5", history, scenario_text="", seed=0)
    assert cells(closing_table(load(tmp_path / "run.h5"))) == cells(closing_table(history))
    columns = cells(closing_table(Result(history.data, {}, history.traits, history.sd_phenotypic, 2, False)))
    whole = cells(closing_table(history))
    for name, column in columns.items():
        assert len(column) == 2
        assert column[0] == whole[name][0]
    assert [column[1] for column in columns.values()][-6:][1] == "-"  # Ne: generation 2 is not known yet
    assert [column[1] for column in columns.values()][-1] == "-"


@pytest.mark.parametrize(("traits", "width"), [(1, 80), (2, 80), (3, 100)])
@pytest.mark.parametrize("years", [None, 3.75])
def test_table_fits_its_width(traits, width, years):
    names = ("intelligence", "a_name_of_twenty_six_letters", "growth")[:traits]
    run = made_up(traits=names)
    console = Console(width=width, file=io.StringIO())
    console.print(closing_table(run, generation_years=years))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if line.split()[:1] == ["10"]]
    assert len(rows) == 1
    assert f"{run['gain'][:, 10, 0].mean():.2f} ±" in rows[0]
    text = "\n".join(lines)
    assert "…" not in text
    assert "48.0 M" in text
    for word in ("founder phenotypic SD", "95 %", "5 replicates", "generation 0"):
        assert word in " ".join(text.split())


def test_table_of_one_replicate_has_no_intervals():
    table = closing_table(made_up(replicates=1))
    text = "".join(cell for column in cells(table).values() for cell in column)
    assert "±" not in text
    assert "nan" not in text
    assert "One replicate." in table.caption
    assert "interval" not in table.caption


def test_unpaired_intervals_are_those_of_welch():
    # Degrees of freedom by Welch's formula, 3.42 here, rounded down to 3; Student's t for them from a table.
    a, b = np.array([1.0, 2.0, 3.0, 6.0]), np.array([4.0, 4.5, 5.0])
    errors = np.array([14 / 3 / 4, 0.25 / 3])
    assert errors.sum() ** 2 / (errors**2 / [3, 2]).sum() == pytest.approx(3.42, abs=0.01)
    half = 3.182446 * np.sqrt(errors.sum())
    assert unpaired_interval(a, b) == pytest.approx((-1.5, -1.5 - half, -1.5 + half))
    # Gaps are left out, element by element; where nothing varies the interval is 0, one value has none.
    wide = np.stack([np.append(a, np.nan), np.full(5, 2.0)], axis=1)
    mean, low, high = unpaired_interval(wide, np.stack([b, np.full(3, 2.0)], axis=1))
    assert (mean[0], low[0], high[0]) == pytest.approx((-1.5, -1.5 - half, -1.5 + half))
    assert (mean[1], low[1], high[1]) == (0, 0, 0)
    assert np.isnan(unpaired_interval(a[:1], b)[1:]).all()
