"""What the studies share, and that their committed tables say what their committed numbers are."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest, norm

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


@pytest.fixture
def study(monkeypatch):
    """Reads a module of the studies, under a name of its own."""
    monkeypatch.setattr(sys, "path", [str(EXPERIMENTS), *sys.path])

    def read(path):
        monkeypatch.setattr(sys, "path", [str((EXPERIMENTS / path).parent), *sys.path])  # for its neighbours
        spec = importlib.util.spec_from_file_location(f"study_{path.replace('/', '_')}", EXPERIMENTS / f"{path}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return read


@pytest.mark.parametrize(("hits", "of"), [(0, 16), (1, 16), (8, 16), (15, 16), (16, 16), (3, 7)])
def test_interval_of_a_probability_is_wilsons(study, hits, of):
    right = binomtest(hits, of).proportion_ci(method="wilson")
    np.testing.assert_allclose(study("replicates").wilson(hits, of), (right.low, right.high), atol=1e-6)


def test_notebook_goes_on_after_a_kill(study, tmp_path):
    notebook = study("replicates").Notebook
    asked = []

    def compute(answer):
        asked.append(answer)
        return answer

    first = notebook(tmp_path, quick=True)
    assert first.ask(["a", 1], lambda: compute([1.5])) == [1.5]
    with first.path.open("a") as file:
        file.write('["half a li')  # killed while it wrote
    second = notebook(tmp_path, quick=True)
    assert second.ask(["a", 1], lambda: compute([2.5])) == [1.5]  # known
    assert second.ask(["a", 2], lambda: compute([3.5])) == [3.5]  # another question
    assert asked == [[1.5], [3.5]]
    assert notebook(tmp_path, quick=True).ask(["a", 2], lambda: compute([0.0])) == [3.5]
    second.close()
    assert not list(tmp_path.iterdir())


def tables_of(name, study, results):
    """The table of a study, written anew from its numbers."""
    module = study(f"{name}/run")
    if name == "six_sd":
        return module.table_of(results["runs"], module.ANIMALS)
    if name == "clutch_size":
        return module.table_of(*module.collected(results["runs"]), results["total"], results["rounds"])
    if name == "sociability":
        return module.table_of(module.collected(results["runs"]))
    if name in ("accuracy", "limits"):
        return module.table_of(*module.collected(results["runs"]))
    if name == "back_of_the_envelope":
        gains = {arm: np.array(of["gain"]) for arm, of in results["simulated"].items()}
        return module.table_of(results["theory"], gains)
    if name == "against_nature":
        return module.table_of(results["rows"])
    return module.table_of(results["runs"])


# Studies whose full run is committed.
RUN = (
    "six_sd",
    "accuracy",
    "species",
    "clutch_size",
    "sociability",
    "limits",
    "back_of_the_envelope",
    "against_nature",
    "agreement",
)


@pytest.mark.parametrize("name", RUN)
def test_table_says_what_the_numbers_say(study, name):
    folder = EXPERIMENTS / name
    results = json.loads((folder / "results.json").read_text())
    assert tables_of(name, study, results) == (folder / "table.md").read_text()


def test_the_largest_of_many_deviates_is_judged_as_permutations_say(study):
    deviates = study("agreement/deviates")
    rng = np.random.default_rng(1)

    def columns(replicates, shift=0.0):
        # One value for all generations: 11 independent deviates, not 132.
        return {c: np.repeat(rng.normal(shift, 1, (replicates, 1)), 12, axis=1) for c in deviates.COLUMNS}

    alike, off = (deviates.family([(columns(90), columns(60, shift))], 2) for shift in (0.0, 1.0))
    right = norm.isf((1 - 0.95 ** (1 / 11)) / 2)  # of 11; of 132 it would be 3.5
    assert alike["comparisons"] == 132
    assert abs(alike["threshold"] - right) < 0.2
    assert off["largest"] > 4 > alike["threshold"]
    assert off["p"] < 0.001 < alike["p"]


def test_two_locus_statistics_are_tskits(study):
    assert study("agreement/ancestry").same_as_tskit(4) < 1e-12
