"""What the studies share, and that their committed tables say what their committed numbers are."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


@pytest.fixture
def study(monkeypatch):
    """Reads a module of the studies, under a name of its own."""
    monkeypatch.setattr(sys, "path", [str(EXPERIMENTS), *sys.path])

    def read(path):
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
    if name == "sociability":
        return module.table_of(module.collected(results["runs"]))
    if name in ("accuracy", "limits"):
        return module.table_of(*module.collected(results["runs"]))
    if name == "against_nature":
        return module.table_of(results["rows"])
    return module.table_of(results["runs"])


# Studies whose full run is committed.
RUN = ("six_sd", "accuracy", "species", "sociability", "limits", "against_nature")


@pytest.mark.parametrize("name", RUN)
def test_table_says_what_the_numbers_say(study, name):
    folder = EXPERIMENTS / name
    results = json.loads((folder / "results.json").read_text())
    assert tables_of(name, study, results) == (folder / "table.md").read_text()
