"""The runner of `jaxbreed verify`: what turns it red, what it says, what it writes."""

import csv
import json
import math
import re

import h5py
import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from jaxbreed import cli, theory
from jaxbreed.verification import extremes, founders, intensity, maps, mutation
from jaxbreed.verification.drift import expected_inbreeding
from jaxbreed.verification.figure import plot_report, quantiles
from jaxbreed.verification.file import save_report
from jaxbreed.verification.findings import (
    chi_square,
    count_of,
    exact,
    known_error,
    mean_of,
    normal_variance,
    not_run,
    share_of,
)
from jaxbreed.verification.registry import Check, Effort, all_checks, choose
from jaxbreed.verification.runner import FAMILY_ERROR, critical_deviate, run_checks
from jaxbreed.verification.selection import share_of_response


@pytest.fixture
def verify(monkeypatch):
    monkeypatch.setattr("jaxbreed.cores.use_cores", lambda count=None: count)
    return lambda *options: CliRunner().invoke(cli.app, ["verify", "-q", *options])


def rows(*findings, name="V1"):
    return run_checks([Check(name, "title", lambda effort: iter(findings))], Effort())


def test_deviates_are_standard_normal_under_the_law():
    rng = np.random.default_rng(1)
    kinds = {
        "t of 5": [mean_of("", rng.normal(3, 2, 5), 3.0, "").z for _ in range(2000)],
        "paired": [mean_of("", x, x - rng.normal(0, 2, 5), "").z for x in rng.normal(9, 50, (2000, 5))],
        "share": [share_of("", rng.random(5000) < 0.3, 0.3, "").z for _ in range(2000)],
        "variance of 8": [normal_variance("", rng.normal(0, 3, 8), 9.0, "").z for _ in range(2000)],
        "chi-square of 3": [chi_square("", x, 3, "").z for x in rng.chisquare(3, 2000)],
    }
    for name, z in kinds.items():
        assert stats.kstest(z, "norm").pvalue > 1e-5, name
    # Taken for normal, means of five would fail far too often.
    assert np.mean(np.abs(kinds["t of 5"]) > 3.5) < 5 / 2000
    assert abs(count_of("", 7, 6.9, "").z) < 0.2
    assert count_of("", 40, 6.9, "").z > 7


def test_the_error_of_the_whole_family_is_stated_and_kept():
    limit = critical_deviate(130)
    assert 130 * 2 * stats.norm.sf(limit) == pytest.approx(FAMILY_ERROR)
    good, bad = (known_error("", z, 0.0, 1.0, "") for z in (0.99 * limit, 1.01 * limit))
    assert good.holds(limit)
    assert not bad.holds(limit)
    off = known_error("", 1.0, 0.0, 0.1, "", allowance=0.8)  # the law may be off by 0.8
    assert off.kind == "approximate"
    assert off.holds(2.1)
    assert not off.holds(1.9)


def test_few_values_are_no_excuse_for_laws_that_are_approximations():
    """Taken for normal, means of five values would fail at a limit of one in a hundred six times as often."""
    rng, limit = np.random.default_rng(2), -stats.norm.ppf(0.005)
    rows_seen = [mean_of("", rng.normal(3, 2, 5), 3.0, "", allowance=1e-9) for _ in range(4000)]
    assert {row.kind for row in rows_seen} == {"approximate"}
    assert stats.binomtest(sum(row.holds(limit) is False for row in rows_seen), 4000, 0.01).pvalue > 1e-5


def test_part_of_a_response_counts_the_luck_of_the_whole():
    """Part and whole drift together: deviates of their ratio are standard normal, those of the part alone are not."""
    rng, share = np.random.default_rng(3), 0.5
    drift = rng.normal(0, 0.3, (2000, 48, 2))
    part, whole = 1 + drift[..., 0], 2 + drift.sum(-1)
    z = [share_of_response("", a, b, share, "", 0.0).z for a, b in zip(part, whole, strict=True)]
    assert stats.kstest(z, "norm").pvalue > 1e-5
    naive = [mean_of("", a / b.mean(), share, "").z for a, b in zip(part, whole, strict=True)]
    assert stats.kstest(naive, "norm").pvalue < 1e-10


def test_what_turns_a_report_red():
    fine = exact("half", 0.5, 0.5 + 1e-9, "", rounding=1e-8)
    assert rows(fine).good
    assert not rows(fine, exact("half", [0.5, 0.6], 0.5, "")).good
    assert not rows(fine, exact("half", math.nan, 0.5, "")).good
    assert not rows(fine, known_error("", 9.0, 0.0, 1.0, "")).good
    assert not rows(fine, mean_of("no spread, and off", [1.0, 1.0, 1.0], 0.0, "")).good
    assert not rows().good  # a check that looked at nothing
    # A law that was not run is neither; if nothing was run, nothing is good.
    assert rows(fine, not_run("later", "why", "")).good
    assert not rows(not_run("later", "why", "")).good

    def stops(effort):
        yield fine
        raise ZeroDivisionError("division by zero")

    report = run_checks([Check("V1", "", stops), Check("V2", "", lambda effort: iter([fine]))], Effort())
    assert [f.check for f in report.wrong] == ["V1"]
    assert "ZeroDivisionError: division by zero" in report.wrong[0].law
    assert len(report.findings) == 3


def test_a_wrong_law_gives_exit_code_1(verify, monkeypatch, tmp_path):
    path = tmp_path / "report.json"
    result = verify("--only", "V16,v28", "-o", str(path))
    assert result.exit_code == 0, result.output
    assert "all laws hold" in result.output
    assert "not run" in result.output
    assert "fails any of 4 with chance 0.0001" in re.sub(r"\s+", " ", result.output)
    written = json.loads(path.read_text())
    assert written["good"] is True
    assert written["seed"] == 1
    assert {row["check"] for row in written["rows"]} == {"V16", "V28"}
    assert path.with_suffix(".png").stat().st_size > 10_000
    # Genotypes expected without Hardy and Weinberg.
    monkeypatch.setattr(founders, "HARDY_WEINBERG", 1.0)
    result = verify("--only", "V28", "-o", str(path), "--force")
    assert result.exit_code == 1
    assert "WRONG: V28" in result.output
    assert json.loads(path.read_text())["good"] is False


def test_mutation_at_another_rate_is_noticed(monkeypatch):
    effort = Effort(seed=3)
    (check,) = choose("V27")
    assert run_checks([check], effort).good
    build = mutation.kernels.build_mutation
    monkeypatch.setattr(mutation.kernels, "build_mutation", lambda rate, sites: build(0.9 * rate, sites))
    assert not run_checks([check], effort).good


def test_bad_input_gives_one_sentence(verify, tmp_path):
    for options, sentence in (
        (["--only", "V99"], "--only names 'V99'; there are V1 to V34"),
        (["--only", "haldane"], "--only names 'HALDANE'; there are V1 to V34"),
        (["-o", str(tmp_path / "report.txt")], "must end in .json, .csv or .h5"),
    ):
        result = verify(*options)
        assert result.exit_code == 2
        assert sentence in result.output
        assert len(result.output.strip().splitlines()) == 1
    (tmp_path / "there.csv").write_text("mine")
    result = verify("-o", str(tmp_path / "there.csv"))
    assert result.exit_code == 2
    assert "--force" in result.output
    assert (tmp_path / "there.csv").read_text() == "mine"


def test_every_check_of_the_list_is_there():
    names = [c.name for c in all_checks()]
    assert names == [f"V{n}" for n in range(1, 35)]
    assert all(c.title for c in all_checks())
    assert [c.name for c in choose(" v3, V1")] == ["V1", "V3"]


def test_files_hold_the_rows(tmp_path):
    findings = (
        known_error("law, with a comma", 1.25, 1.0, 0.5, "source"),
        not_run("later", "why", "s"),
        exact("a", 1, 1, ""),
    )
    report = rows(*findings)
    for ending in ("csv", "h5", "json"):
        save_report(tmp_path / f"r.{ending}", report)
    table = list(csv.DictReader((tmp_path / "r.csv").read_text().splitlines()))
    assert [row["verdict"] for row in table] == ["ok", "not run", "ok"]
    assert table[0]["law"] == "law, with a comma"
    with h5py.File(tmp_path / "r.h5") as file:
        assert file["z"][0] == 0.5
        assert file["reason"].asstr()[1] == "why"
        assert file.attrs["critical"] == pytest.approx(critical_deviate(1))
        assert file.attrs["kernels"] in ("native", "xla")
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["rows"][1]["expected"] is None
    assert written["jax_version"]


def test_quantiles_of_the_figure():
    seen, expected, (low, high) = quantiles([0.3, -1.0, 2.0, 0.1, -0.2])
    assert seen.tolist() == [-1.0, -0.2, 0.1, 0.3, 2.0]
    assert expected == pytest.approx(stats.norm.ppf([0.1, 0.3, 0.5, 0.7, 0.9]))
    drawn = np.sort(np.random.default_rng(2).normal(size=(40_000, 5)), axis=1)
    assert ((drawn < low).mean(0)) == pytest.approx(0.025, abs=0.004)
    assert ((drawn > high).mean(0)) == pytest.approx(0.025, abs=0.004)
    figure = plot_report(rows(*(known_error("", z, 0.0, 1.0, "") for z in (0.1, -40.0))))
    points = figure.axes[0].lines[1].get_ydata()
    assert points.min() > -20  # drawn at the edge, not out of sight
    assert "standard errors" in figure.axes[0].get_ylabel()


def test_expectations_of_the_checks():
    # Each against another way to it.
    assert maps.switch_chances([0.1, 0.3])[:3] == pytest.approx([0.63, 0.34, 0.03])
    assert maps.crossover_chances(1, 0.7)[:4] == pytest.approx(stats.poisson.pmf(range(4), 0.7), abs=1e-9)
    assert maps.chi_square_recombination(1, 0.3) == pytest.approx(float(maps.haldane(0.3)))
    assert extremes.expected_maximum(1000)[0] == pytest.approx(theory.best_of(1000), abs=1e-6)
    assert intensity.mean_of_best(1, 1000) == pytest.approx(theory.best_of(1000), abs=1e-6)
    assert intensity.mean_of_best(500, 1000) == pytest.approx(theory.intensity_of_best(500, 1000), abs=1e-4)
    # One dam and one sire a generation: full-sib mating.
    assert expected_inbreeding(1, 1, 200, 4) == pytest.approx([0, 0.25, 0.375, 0.5, 0.59375])
    course = expected_inbreeding(40, 10, 10**6, 30)
    rate = 1 - (1 - course[-1]) / (1 - course[-2])
    assert rate == pytest.approx(1 / (2 * 32 + 1), rel=0.02)  # Ne = 4 x 10 x 40 / 50
