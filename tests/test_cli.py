"""The command line as a user meets it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from jaxbreed.interrupt import noticed
from jaxbreed.kernels import native
from jaxbreed.results import load

SCENARIO = """
species = "octopus-vulgaris"
title = "Small"
[programme]
generations = 2
lineages = 3
replicates = 2
[clutch]
eggs = [60, 90]
survival = 1.0
[genome]
loci = 300
qtl = 100
[founders]
effective_size = 100
[traits.intelligence]
h2 = 0.4
weight = 1.0
[traits.sociability]
h2 = 0.2
"""


def jaxbreed(*arguments, cwd=None):
    command = [str(Path(sys.executable).parent / "jaxbreed"), *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=300)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "small.toml").write_text(SCENARIO)
    return folder, jaxbreed("run", "small.toml", "-o", "out.h5", cwd=folder)


def test_run_prints_a_table_and_writes_results_and_figure(finished):
    folder, result = finished
    assert result.returncode == 0, result.stderr
    for text in ("Small", "intelligence", "sociability", "eggs/s", "peak memory", "out.h5", "out.png"):
        assert text in result.stdout
    assert (folder / "out.png").read_bytes()[:4] == b"\x89PNG"
    run = load(folder / "out.h5")
    assert run.finished
    assert run.attributes["scenario"] == SCENARIO
    assert run["gain"].shape == (2, 3, 2)


@pytest.mark.long
def test_the_same_on_one_core_and_another_seed_differs(finished):
    folder, _ = finished
    assert jaxbreed("run", "small.toml", "-o", "one.h5", "--cores", 1, "-q", cwd=folder).returncode == 0
    assert (
        jaxbreed("run", "small.toml", "-o", "seed.h5", "--seed", 2, "--replicates", 1, "-q", cwd=folder).returncode == 0
    )
    first, one, seed = (load(folder / name) for name in ("out.h5", "one.h5", "seed.h5"))
    assert (first["haplotypes"] == one["haplotypes"]).all()
    assert (first["gain"] == one["gain"]).all()
    assert seed["gain"].shape == (1, 3, 2)
    assert (seed["eggs"][0] != first["eggs"][0]).any()
    assert seed.attributes["seed"] == 2


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (("[clutch]", "[clutch]\negs = 5"), (), "clutch.egs is not a known key; did you mean eggs?"),
        (("h2 = 0.4", "h2 = 1.4"), (), "traits.intelligence.h2 is 1.4; it should be less than or equal to 1"),
        (("[traits.int", "[correlations]\ngenetic = 1.5\n[traits.int"), (), "it must be positive definite"),
        (("survival = 1.0", "survival = 1.0\nsires = 50"), (), "1 females and 50 males are to be selected"),
        (
            ("[clutch]", "[costs]\nsession = 10\nbudget = 2699\n[clutch]"),
            (),
            "costs.budget is 2,699, but a generation of one replicate would cost 2,700 EUR",
        ),
        (("[60, 90]", "-60"), (), "clutch.eggs is -60; it must be a whole number above 0, or two of them"),
        (
            ("octopus-vulgaris", "octopus-vulgarus"),
            (),
            "unknown species 'octopus-vulgarus': the nearest are octopus-vulgaris",
        ),
        (("species =", "species"), (), "is not a TOML file"),
        (("", ""), ("-o", "missing/out.h5"), "missing is not a folder that exists"),
        (("", ""), ("-o", "/proc/out.h5"), "/proc/out.h5 cannot be written"),
        (("", ""), ("-o", "taken.h5"), "taken.h5 exists; use --force to replace it"),
        (("", ""), ("--replicates", "0"), "programme.replicates is 0; it should be greater than or equal to 1"),
        (("", ""), ("-o", "."), ". is a folder or a device; name a file to write"),
        (("", ""), ("-o", "bad.toml", "--force"), "--output is bad.toml; it must be another file than the scenario"),
        (("", ""), ("-o", "out.png"), "--output is out.png; it must be another file than the scenario"),
        (("", ""), ("--cores", "0"), "the number of cores is 0; it must be at least 1"),
    ],
)
def test_bad_input_gives_one_sentence_and_exit_code_2(tmp_path, change, arguments, message):
    (tmp_path / "bad.toml").write_text(SCENARIO.replace(*change) if change[0] else SCENARIO)
    (tmp_path / "taken.h5").write_text("precious")
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    arguments = arguments if "-o" in arguments else (*arguments, "-o", "out.h5")
    result = jaxbreed("run", "bad.toml", *arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.startswith("jaxbreed: ")
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before


def test_a_missing_scenario(tmp_path):
    result = jaxbreed("run", "none.toml", "-o", "out.h5", cwd=tmp_path)
    assert (result.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "none.toml cannot be read: No such file or directory" in result.stderr


def test_dying_out_is_exit_code_1(tmp_path):
    text = SCENARIO.replace("survival = 1.0", "survival = 0.1\nsires = 1").replace(
        "generations = 2", "generations = 40"
    )
    (tmp_path / "poor.toml").write_text(text.replace("effective_size = 100", 'source = "frequencies"'))
    result = jaxbreed("run", "poor.toml", "-o", "out.h5", "-q", cwd=tmp_path)
    assert result.returncode == 1
    assert "died out in generation" in result.stderr
    assert not load(tmp_path / "out.h5").finished  # what was done is kept


def test_species_lists_ten_with_sources():
    listing = jaxbreed("species")
    assert listing.returncode == 0
    assert listing.stdout.count("-") > 10
    for key in ("enteroctopus-dofleini", "crassostrea-gigas", "sparus-aurata"):
        assert key in listing.stdout
    one = jaxbreed("species", "giant Pacific octopus")
    assert "10.7755/FB.112.4.2" in one.stdout.replace("\n", "")
    assert "Hypothetical in captivity" in one.stdout
    assert jaxbreed("species", "unicorn").returncode == 2


def test_doctor_finds_this_machine_well():
    result = jaxbreed("doctor")
    assert result.returncode == 0, result.stdout
    assert "wrong" not in result.stdout
    assert "threefry2x32" in result.stdout
    text = " ".join(result.stdout.split())  # lines are broken where the terminal ends
    built = native.library() is not None
    assert ("kernels: native, instruction set" in text) == built
    assert ("the native kernels were not built: install a C++ compiler" in text) == (not built)


def test_help_lists_the_commands():
    text = jaxbreed("--help").stdout
    assert all(command in text for command in ("run", "species", "doctor"))


def test_ctrl_c_says_what_is_left(tmp_path):
    """The file holds the generations that were done, and opens."""
    (tmp_path / "long.toml").write_text(SCENARIO.replace("generations = 2", "generations = 900"))
    command = [str(Path(sys.executable).parent / "jaxbreed"), "run", "long.toml", "-o", "out.h5", "-q"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as run:
        deadline = time.monotonic() + 200
        while not (tmp_path / "out.h5").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=100)
    assert run.returncode == 130, said
    assert said.splitlines()[-1] == "jaxbreed: stopped; out.h5 holds the generations so far"
    done = np.isfinite(load(tmp_path / "out.h5")["gain"]).all((0, 2)).sum()
    assert 1 <= done < 901


def test_ctrl_c_inside_a_destructor_is_not_lost(monkeypatch):
    """Python throws the exception away there; the next look finds it."""

    class Falls:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    lost = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: lost.append(what.exc_type))
    before = signal.getsignal(signal.SIGINT)
    with noticed() as ctrl_c:
        ctrl_c.check()
        Falls()
        assert lost == [KeyboardInterrupt]
        with pytest.raises(KeyboardInterrupt):
            ctrl_c.check()
    assert signal.getsignal(signal.SIGINT) is before
