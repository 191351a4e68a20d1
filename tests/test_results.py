"""Results files: what xarray reads is what was simulated, and no kill leaves a broken file."""

import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest
import xarray
from helpers import small_world

from jaxbreed.history import VARIABLES
from jaxbreed.program import Settings
from jaxbreed.results import check_writable, load, save
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulate import simulate


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished run and its file, and the file as it was after the first generation."""
    folder = tmp_path_factory.mktemp("results")
    settings = Settings(lineages=3, eggs=(60, 90), sires=(1, 2))
    program, founders = small_world(settings, founders=27)
    text = 'species = "octopus-vulgaris"\n# größer\n'

    def keep(history):
        save(folder / "run.h5", history, scenario_text=text, seed=4)
        if history.done == 2:
            save(folder / "early.h5", history, scenario_text=text, seed=4)

    schedule = constant_schedule(2, (1.0, 0.5))
    return simulate(program, founders, schedule, replicates=3, seed=4, on_generation=keep), folder, text


def test_xarray_reads_every_variable(runs):
    history, folder, text = runs
    with xarray.open_dataset(folder / "run.h5", engine="h5netcdf") as data:
        for name, (dims, unit, description) in VARIABLES.items():
            assert data[name].dims == ("replicate", "generation", *dims)
            assert data[name].attrs["units"] == unit
            assert data[name].attrs["long_name"] == description
            assert np.array_equal(data[name].values, history[name], equal_nan=True)
        assert data["trait"].values.tolist() == ["intelligence", "sociability"]
        assert (data["haplotypes"].values == np.asarray(history.parents.haplotypes)).all()
        assert data["haplotypes"].dims == ("replicate", "animal", "ploidy", "locus")
        assert data["schedule_weights"].sel(trait="sociability").values.tolist() == [0.5, 0.5]
        assert data.attrs["scenario"] == text
        assert (data.attrs["seed"], data.attrs["finished"], data.attrs["generations_done"]) == (4, 1, 3)
        for name in ("jaxbreed_version", "jax_version", "python_version", "device", "created", "git_commit"):
            assert isinstance(data.attrs[name], str)
        gain = data["gain"].sel(trait="intelligence").isel(generation=-1)
        assert gain.mean() > 0.3
        value = data["genetic_value"].values
        assert value == pytest.approx(np.asarray(history.parents.genetic) * 2.0**-history.scale_bits)


def test_a_run_in_progress_is_a_whole_file(runs):
    _, folder, _ = runs
    early = load(folder / "early.h5")
    assert (early.finished, early.done) == (False, 2)
    assert np.isfinite(early["gain"][:, :2]).all()
    assert np.isnan(early["gain"][:, 2]).all()
    assert "haplotypes" not in early.data
    with xarray.open_dataset(folder / "early.h5", engine="h5netcdf") as data:
        assert data["gain"].dims == ("replicate", "generation", "trait")


def test_load_gives_back_the_history(runs):
    history, folder, text = runs
    result = load(folder / "run.h5")
    assert result.traits == history.traits
    assert result.finished
    assert result.total_eggs == history.total_eggs
    assert result.attributes["scenario"] == text
    assert all(np.array_equal(result[name], history[name], equal_nan=True) for name in VARIABLES)


def test_a_failed_write_leaves_the_old_file(runs, monkeypatch):
    history, folder, _ = runs
    place = folder / "kept.h5"
    save(place, history, seed=1)
    before = place.read_bytes()

    def broken(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("jaxbreed.results.os.fsync", broken)
    with pytest.raises(OSError, match="no space left"):
        save(place, history, seed=2)
    assert place.read_bytes() == before
    assert [path.name for path in folder.glob(".kept*")] == []


def test_a_kill_never_leaves_a_broken_file(runs):
    _, folder, _ = runs
    place = folder / "killed.h5"
    code = (
        "import sys, time, jaxbreed.results as results\n"
        "from tests_pickle import history\n"
        "print('ready', flush=True)\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        f"    results.save({str(place)!r}, history, seed=n)\n"
    )
    (folder / "tests_pickle.py").write_text(
        "import numpy as np\n"
        "from jaxbreed.history import History, VARIABLES\n"
        "from jaxbreed.schedule import constant_schedule\n"
        "size = {'trait': 2, 'other_trait': 2}\n"
        "data = {name: np.random.default_rng(0).random((200, 400, *(size[d] for d in dims)))"
        " for name, (dims, _, _) in VARIABLES.items()}\n"
        "history = History(data, ('a', 'b'), np.ones(2), np.ones(2), constant_schedule(399, (1.0, 1.0)), 20, 400)\n"
    )
    seen = set()
    for wait in (0.05, 0.11, 0.17, 0.26):
        process = subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        while not place.exists():
            time.sleep(0.01)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        result = load(place)
        assert result["gain"].shape == (200, 400, 2)
        seen.add(int(result.attributes["seed"]))
    assert max(seen) > 1


@pytest.mark.parametrize(
    ("name", "force", "kind", "message"),
    [
        ("run.h5", False, FileExistsError, r"run\.h5 exists already; choose another name, or replace it with --force"),
        ("nowhere/run.h5", False, NotADirectoryError, r"nowhere is not a folder that exists"),
        ("run.h5/x.h5", False, NotADirectoryError, r"run\.h5 is not a folder that exists"),
        ("", True, IsADirectoryError, "is a folder; name a file to write"),
    ],
)
def test_outputs_that_cannot_be(runs, name, force, kind, message):
    with pytest.raises(kind, match=message):
        check_writable(runs[1] / name, force)


def test_an_unwritable_folder():
    with pytest.raises(OSError, match=r"/proc/run\.h5 cannot be written: "):
        check_writable("/proc/run.h5", False)


def test_force_and_new_names_are_fine_and_leave_nothing(runs):
    before = sorted(path.name for path in runs[1].iterdir())
    check_writable(runs[1] / "run.h5", True)
    check_writable(runs[1] / "new.h5", False)
    assert sorted(path.name for path in runs[1].iterdir()) == before


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.h5 does not exist"):
        load(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(ValueError, match=r"text\.h5 is not an HDF5 file"):
        load(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(ValueError, match=r"other\.h5: this file holds no jaxbreed results"):
        load(tmp_path / "other.h5")
