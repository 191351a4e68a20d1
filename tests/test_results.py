"""The file of a run: whole, self-describing, and never spoilt by a failure or a kill."""

import dataclasses
import os
import pickle
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import h5py
import jax
import numpy as np
import pytest
import xarray
from helpers import small_world, trait_effects

from jaxbreed import results
from jaxbreed.history import VARIABLES, WITH_PRICES, History
from jaxbreed.program import Program, Settings
from jaxbreed.results import check_writable, load, save
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate

SCENARIO = 'title = "Kraken – größer"\n\n[programme]\nyears = 3\n'
SEED = 2**63 - 1
SIZES = {"replicate": 3, "generation": 3, "trait": 2, "other_trait": 2, "round": 2}
SIZES |= {"animal": 4, "other_animal": 4, "ploidy": 2, "locus": 40, "chromosome": 2}


class Run(NamedTuple):
    program: Program
    history: History
    folder: Path  # 1.h5, 2.h5, 3.h5: saved after each generation


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    program, founders = small_world(Settings(lineages=2, eggs=(60, 100)), founders=12, chromosomes=2, loci=40, qtl=20)

    def on_generation(history):
        save(folder / f"{history.done}.h5", history, scenario_text=SCENARIO, seed=SEED, extra_attributes={"extra": 2.5})

    schedule = constant_schedule(2, (1.0, 0.5), fraction=0.25, males=3)
    history = simulate(program, founders, schedule, replicates=3, seed=SEED, on_generation=on_generation)
    return Run(program, history, folder)


@pytest.fixture
def dataset(run):
    with xarray.open_dataset(run.folder / "3.h5", engine="h5netcdf") as opened:
        yield opened


# Animals that entered each stage are there in programmes with stages, costs where prices are known.
STORED = [name for name in VARIABLES if name not in ("entered", *WITH_PRICES)]


@pytest.mark.parametrize("name", STORED)
def test_xarray_reads_every_variable(name, run, dataset):
    dims, unit, text = VARIABLES[name]
    variable = dataset[name]
    assert variable.dims == ("replicate", "generation", *dims)
    assert variable.dtype == run.history[name].dtype
    np.testing.assert_array_equal(variable.values, run.history[name])
    assert variable.attrs == {"units": unit, "long_name": text}


def test_dimensions_have_coordinates_that_say_what_they_are(dataset):
    assert dict(dataset.sizes) == SIZES
    assert set(dataset.coords) == set(SIZES)
    for name, size in SIZES.items():
        if name not in ("trait", "other_trait"):
            np.testing.assert_array_equal(dataset[name], np.arange(size))
    for name in ("trait", "other_trait"):
        assert dataset[name].values.tolist() == ["intelligence", "sociability"]
        assert all(type(label) is str for label in dataset[name].values.tolist())
    assert dataset["gain"].sel(trait="sociability", generation=1).shape == (3,)
    assert set(dataset.data_vars) >= {"sd_phenotypic", "sd_additive", "schedule_weights", "haplotypes"}
    for variable in dataset.data_vars.values():
        assert set(variable.attrs) == {"units", "long_name"}


def test_schedule_scales_and_parents(run, dataset):
    history, parents = run.history, run.history.parents
    expected = {
        "schedule_weights": (("round", "trait"), history.schedule.weights),
        "schedule_fraction": (("round",), history.schedule.fraction),
        "schedule_males": (("round",), history.schedule.males),
        "sd_phenotypic": (("trait",), history.sd_phenotypic),
        "sd_additive": (("trait",), history.sd_additive),
        "haplotypes": (("replicate", "animal", "ploidy", "locus"), parents.haplotypes),
        "parent_kinship": (("replicate", "animal", "other_animal"), parents.kinship),
    }
    for name, (dims, values) in expected.items():
        assert dataset[name].dims == dims
        np.testing.assert_array_equal(dataset[name].values, np.asarray(values))
    assert dataset["haplotypes"].dtype == np.uint8
    with h5py.File(run.folder / "3.h5") as file:
        assert file["haplotypes"].compression == "gzip"


def test_numbers_of_tests_are_written_where_the_schedule_has_them(run, dataset, tmp_path):
    assert "schedule_tests" not in dataset
    schedule = dataclasses.replace(run.history.schedule, tests=np.array([40, 30], np.int32))
    save(tmp_path / "a.h5", dataclasses.replace(run.history, schedule=schedule), scenario_text="", seed=1)
    assert load(tmp_path / "a.h5")["schedule_tests"].tolist() == [40, 30]
    with xarray.open_dataset(tmp_path / "a.h5", engine="h5netcdf") as opened:
        assert opened["schedule_tests"].dims == ("round",)
        assert opened["schedule_tests"].attrs["units"] == "animals"


def test_genetic_values_of_the_parents_are_those_of_their_genomes(run, dataset):
    traits = run.program.traits
    dosage = dataset["haplotypes"].sum("ploidy").values.astype(float)
    of_genomes = dosage @ trait_effects(traits, 40).T + np.asarray(traits.intercept) * 2.0**-traits.scale_bits
    assert dataset["parent_genetic_value"].dims == ("replicate", "animal", "trait")
    np.testing.assert_allclose(dataset["parent_genetic_value"].values, of_genomes, rtol=1e-12, atol=1e-12)
    # Everyone was chosen by what was measured, so what was measured cannot be the genetic value itself.
    differences = dataset["parent_phenotype"] - dataset["parent_genetic_value"]
    residual = np.diag(np.asarray(traits.residual))
    assert differences.dims == ("replicate", "animal", "trait")
    assert (np.abs(differences.values) < 6 * np.sqrt(residual)).all()
    assert (differences.values != 0).all()


def test_attributes_say_where_the_numbers_come_from(dataset):
    attributes = dataset.attrs
    assert attributes["scenario"] == SCENARIO
    assert int(attributes["seed"]) == SEED
    assert attributes["extra"] == 2.5
    assert (attributes["generations_done"], attributes["finished"]) == (3, 1)
    assert attributes["jax_version"] == jax.__version__
    assert attributes["numpy_version"] == np.__version__
    assert attributes["python_version"] == ".".join(map(str, sys.version_info[:3]))
    assert attributes["device"].startswith(f"{len(jax.devices())} x {jax.devices()[0].platform} (")
    assert np.datetime64(attributes["created"].removesuffix("+00:00")) > np.datetime64("2024-01-01")
    assert {"jaxbreed_version", "git_commit", "title"} <= set(attributes)


def test_a_file_of_an_unfinished_run_is_whole(run):
    path = run.folder / "2.h5"
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        assert dataset.sizes["generation"] == 3
        assert (dataset.attrs["generations_done"], dataset.attrs["finished"]) == (2, 0)
        assert "haplotypes" not in dataset
        np.testing.assert_array_equal(dataset["gain"][:, :2], run.history["gain"][:, :2])
        assert np.isnan(dataset["gain"][:, 2]).all()
        assert (dataset["eggs"][:, 2] == 0).all()
    result = load(path)
    assert (result.done, result.finished) == (2, False)
    assert result.total_eggs == run.history["eggs"][:, 0].sum()


def test_load_gives_back_what_was_saved(run):
    history, result = run.history, load(str(run.folder / "3.h5"))
    assert result.traits == history.traits
    assert (result.done, result.finished) == (history.done, True)
    assert (result.replicates, result.total_eggs) == (history.replicates, history.total_eggs)
    assert result.attributes["scenario"] == SCENARIO
    np.testing.assert_array_equal(result.sd_phenotypic, history.sd_phenotypic)
    for name in STORED:
        np.testing.assert_array_equal(result[name], history[name])
    np.testing.assert_array_equal(result["haplotypes"], np.asarray(history.parents.haplotypes))


def test_load_refuses_everything_else(run, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.h5"):
        load(tmp_path / "none.h5")
    with pytest.raises(OSError, match=str(tmp_path)):
        load(tmp_path)
    text = tmp_path / "text.h5"
    text.write_text("generation,gain\n")
    with pytest.raises(ValueError, match=r"text\.h5 is not an HDF5 file"):
        load(text)
    whole = (run.folder / "3.h5").read_bytes()
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"damaged\.h5 .*damaged one"):
        load(damaged)
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["gain"] = 1.0
    with pytest.raises(ValueError, match=r"other\.h5 .*no results of jaxbreed"):
        load(other)


def test_trait_names_may_be_in_any_language(run, tmp_path):
    history = pickle.loads(pickle.dumps(run.history))
    history.traits = ("知能", "größe")
    path = tmp_path / "file.h5"
    save(path, history, scenario_text="", seed=0)
    assert load(path).traits == history.traits
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        assert tuple(dataset["other_trait"].values) == history.traits
        assert dataset.attrs["scenario"] == ""


@pytest.mark.parametrize("place", ["write_history", "_flush", "os.replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(place, run, tmp_path, monkeypatch):
    path = tmp_path / "out.h5"
    save(path, run.history, scenario_text="old", seed=1)
    before = path.read_bytes()

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"jaxbreed.results.{place}", fail)
    with pytest.raises(KeyboardInterrupt):
        save(path, run.history, scenario_text="new", seed=2)
    assert os.listdir(tmp_path) == ["out.h5"]
    assert path.read_bytes() == before


def test_a_full_disk_is_an_oserror_and_leaves_the_old_file(run, tmp_path):
    path = tmp_path / "out.h5"
    save(path, run.history, scenario_text="old", seed=1)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # a disk that takes no more than this
    try:
        with pytest.raises(OSError, match="File too large"):
            save(path, run.history, scenario_text="new", seed=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(tmp_path) == ["out.h5"]
    assert load(path).attributes["scenario"] == "old"


KILLED = """
import os, pickle, random, signal, sys, time
from jaxbreed.results import load, save

path, pickled = sys.argv[1:]
with open(pickled, "rb") as stream:
    history = pickle.load(stream)
for seed in (0, 0):  # the first is slower
    began = time.monotonic()
    save(path, history, scenario_text="", seed=seed)
lasts = time.monotonic() - began
random.seed(1)
seeds = []
for attempt in range(40):
    child = os.fork()
    if child == 0:
        for number in range(10**6):
            save(path, history, scenario_text="", seed=1000 * attempt + number)
    time.sleep(random.uniform(0.2, 3) * lasts)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    result = load(path)
    assert result.finished and len(result.data) > 30
    seeds.append(int(result.attributes["seed"]))
print(len(set(seeds)))
"""


def test_a_kill_at_any_moment_leaves_a_file_that_opens(run, tmp_path):
    path, pickled = tmp_path / "out.h5", tmp_path / "history"
    # Without jax arrays, whose threads a fork would not have.
    plain = dataclasses.replace(
        run.history,
        schedule=jax.tree.map(np.asarray, run.history.schedule),
        parents=jax.tree.map(np.asarray, run.history.parents),
    )
    pickled.write_bytes(pickle.dumps(plain))
    command = [sys.executable, "-c", KILLED, str(path), str(pickled)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5  # different saves were the last ones before a kill
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        np.testing.assert_array_equal(dataset["gain"], run.history["gain"])
    left = set(os.listdir(tmp_path)) - {"out.h5", "history"}
    assert all(name.startswith(".out.h5.") and name.endswith(".partial") for name in left)


def test_a_link_stays_a_link_and_permissions_are_the_users(run, tmp_path):
    folder = tmp_path / "large disk"
    folder.mkdir()
    link = tmp_path / "out.h5"
    link.symlink_to(folder / "real.h5")
    umask = os.umask(0o027)
    try:
        save(link, run.history, scenario_text="", seed=0)
    finally:
        os.umask(umask)
    assert link.is_symlink()
    assert load(link).finished
    assert (folder / "real.h5").stat().st_mode & 0o777 == 0o640


def test_nothing_is_overwritten_unless_asked(tmp_path):
    path = tmp_path / "out.h5"
    check_writable(path, force=False)
    assert os.listdir(tmp_path) == []
    path.write_text("precious")
    with pytest.raises(FileExistsError) as caught:
        check_writable(path, force=False)
    assert str(caught.value) == f"{path} exists; use --force to replace it"
    check_writable(str(path), force=True)
    assert os.listdir(tmp_path) == ["out.h5"]
    assert path.read_text() == "precious"


def test_places_that_cannot_be_written_are_named(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    bad = {
        tmp_path / "no" / "out.h5": (NotADirectoryError, "is not a folder that exists"),
        file / "out.h5": (NotADirectoryError, "is not a folder that exists"),
        tmp_path: (OSError, "is a folder or a device"),
        Path("/dev/null"): (OSError, "is a folder or a device"),
        Path("/proc/out.h5"): (OSError, "its folder takes no new files"),
    }
    for path, (kind, reason) in bad.items():
        with pytest.raises(kind, match=reason) as caught:
            check_writable(path, force=True)
        message = str(caught.value)
        assert message.startswith(f"{path} ")
        assert "\n" not in message
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_is_that_of_the_checkout(tmp_path, monkeypatch):
    commit = results._git_commit.__wrapped__
    module = tmp_path / "jaxbreed" / "results.py"
    monkeypatch.setattr(results, "__file__", str(module))
    assert commit() == ""
    module.parent.mkdir()
    module.write_text("one = 1\n")
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]

    def run(*words):
        return subprocess.run([*git, *words], check=True, capture_output=True, text=True).stdout.strip()

    run("init", "--quiet")
    run("add", ".")
    run("commit", "--quiet", "-m", "first")
    run("tag", "-m", "a release", "v1")
    head = run("rev-parse", "HEAD")
    assert commit() == head
    module.write_text("two = 2\n")
    assert commit() == f"{head}+"
