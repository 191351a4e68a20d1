"""`jaxbreed optimize` as a user, a scheduler and a power cut meet it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray

from jaxbreed.checkpoint import FORMAT
from jaxbreed.interrupt import asked_to_stop
from jaxbreed.optimisation_report import _beyond
from jaxbreed.optimize_command import Request, check_request
from jaxbreed.plan import aim_of
from jaxbreed.scenario import parse_scenario

SCENARIO = """
species = "octopus-vulgaris"
title = "Small"
[programme]
generations = 2
lineages = 3
replicates = 2
[clutch]
eggs = 60
sires = 2
survival = 1.0
[genome]
loci = 60
qtl = 40
chromosomes = 5
morgans = 5.0
[founders]
source = "frequencies"
[traits.intelligence]
h2 = 0.4
weight = 1.0
[traits.sociability]
h2 = 0.4
weight = 1.0
[selection]
scope = "across"
[objective]
weights = { intelligence = 1.0, sociability = 0.1 }
[limits]
inbreeding = 0.25
[optimize]
steps = 6
held_out = 4
[optimize.levers.weights]
basis = "linear"
[optimize.levers.males]
basis = "constant"
"""
LONG = SCENARIO.replace("steps = 6", "steps = 100000")


def command(*arguments):
    return [str(Path(sys.executable).parent / "jaxbreed"), "optimize", *map(str, arguments)]


ENVIRONMENT = os.environ | {"COLUMNS": "110", "NO_COLOR": "1", "TERM": "dumb"}


def optimize(*arguments, cwd):
    return subprocess.run(command(*arguments), capture_output=True, text=True, cwd=cwd, env=ENVIRONMENT, timeout=300)


def sentence(result):
    return [line for line in result.stderr.splitlines() if line.startswith("jaxbreed: ")]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("optimize")
    (folder / "small.toml").write_text(SCENARIO)
    return folder, optimize("small.toml", "-o", "out.h5", "--log", "log.jsonl", "-q", cwd=folder)


def test_a_search_prints_tables_and_writes_results_figure_and_log(finished):
    folder, result = finished
    assert result.returncode == 0, result.stderr
    for text in ("Small", "weight of intelligence", "males", "objective", "inbreeding (at most 0.25)", "6 steps"):
        assert text in result.stdout
    assert (folder / "out.png").read_bytes()[:4] == b"\x89PNG"
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["begin", *["step"] * 6, "end"]
    assert [line["step"] for line in lines[1:-1]] == [1, 2, 3, 4, 5, 6]
    with xarray.open_dataset(folder / "out.h5", engine="h5netcdf") as data:
        assert data.attrs["scenario"] == SCENARIO
        assert (data.attrs["seed"], data.attrs["steps"], data.attrs["checkpoint_format"]) == (1, 6, FORMAT)
        assert data.gain_found.dims == ("replicate", "generation", "trait")
        assert data.gain_found.shape == (4, 3, 2)
        assert list(data.trait.values) == ["intelligence", "sociability"]
        assert [line["value"] for line in lines[1:-1]] == pytest.approx(data.value.values.tolist())
        assert data.attrs["eggs"] == lines[-1]["eggs"] == 6 * 2 * 2 * 3 * 60
        weights = data.schedule_weights_found.values
    # From equal weights towards the trait that counts ten times as much.
    assert (weights[:, 0] > weights[:, 1]).all()


def same(first, second):
    with h5py.File(first) as a, h5py.File(second) as b:
        assert set(a) == set(b)
        assert all(np.array_equal(a[name][()], b[name][()]) for name in a), first


def test_killed_at_any_moment_and_resumed_it_is_the_same_to_the_bit(finished):
    folder, _ = finished
    rng, resume, kills = random.Random(7), [], 0
    while kills < 2:
        # Into a file: nobody reads a pipe meanwhile, and a full one would stop the run.
        with (
            open(folder / "said", "w") as said,
            subprocess.Popen(
                command("small.toml", "-o", "cut.h5", "-q", *resume),
                cwd=folder,
                env=ENVIRONMENT,
                stdout=said,
                stderr=subprocess.STDOUT,
            ) as run,
        ):
            checkpoint = folder / "cut.checkpoint"
            written = checkpoint.stat().st_mtime_ns if resume else 0
            deadline = time.monotonic() + 200
            while run.poll() is None:
                assert time.monotonic() < deadline
                if checkpoint.exists() and checkpoint.stat().st_mtime_ns != written:
                    time.sleep(rng.random() * 0.4)
                    run.kill()
                    break
                time.sleep(0.005)
            run.wait(100)
        resume, kills = ["--resume"], kills + 1
        if run.returncode == 0:
            break
        assert run.returncode == -signal.SIGKILL, (folder / "said").read_text()
    assert optimize("small.toml", "-o", "cut.h5", "-q", "--resume", cwd=folder).returncode == 0
    same(folder / "out.h5", folder / "cut.h5")


def test_how_to_go_on_repeats_what_was_asked():
    asked = Request(Path("a.toml"), Path("b.h5"), steps=40, gradient="pgpe", log=Path("c.jsonl"), seed=0)
    assert asked.again == "jaxbreed optimize a.toml -o b.h5 --steps 40 --seed 0 --gradient pgpe --log c.jsonl"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ((0.2, 0.1, 0.3), ""),
        ((0.21, 0.15, 0.27), ", above the limit, perhaps by chance"),
        ((0.3, 0.21, 0.39), ", limit broken"),
    ],
)
def test_a_limit_that_is_not_kept_is_told(value, words):
    assert _beyond(value, 0.2) == words


def test_a_signal_finishes_the_step_and_says_how_to_go_on(tmp_path):
    number = signal.SIGTERM
    (tmp_path / "long.toml").write_text(LONG)
    with (
        open(tmp_path / "said", "w") as said,
        open(tmp_path / "errors", "w") as errors,
        subprocess.Popen(
            command("long.toml", "-o", "out.h5", "-q", "--log", "log.jsonl"),
            cwd=tmp_path,
            env=ENVIRONMENT,
            stdout=said,
            stderr=errors,
        ) as run,
    ):
        log, deadline = tmp_path / "log.jsonl", time.monotonic() + 200
        while not (log.exists() and '"step": 2' in log.read_text()):
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        run.send_signal(number)
        run.wait(100)
    assert run.returncode == 0, (tmp_path / "errors").read_text()
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last["event"], last["signal"]) == ("stopped", number.name)
    assert (tmp_path / "said").read_text().splitlines() == [
        f"stopped by {number.name} after step {last['steps']}; saved, go on with: "
        "jaxbreed optimize long.toml -o out.h5 --log log.jsonl --quiet --resume"
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "errors",
        "log.jsonl",
        "long.toml",
        "out.checkpoint",
        "said",
    ]


def test_signals_are_remembered_and_the_second_stops_at_once():
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with asked_to_stop() as stop:
        stop.at_once = False
        signal.raise_signal(signal.SIGINT)
        assert (stop.asked, stop.name) == (True, "SIGINT")
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    with asked_to_stop() as stop, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (("intelligence = 1.0, soc", "cunning = 1.0, soc"), (), "objective.weights names 'cunning'; the traits are"),
        (("inbreeding = 0.25", "inbreeding = 0.001"), (), "limits.inbreeding is 0.001, but the least that theory"),
        (("", ""), ("--resume",), "out.checkpoint does not exist, so there is nothing to resume; leave --resume out"),
        (("", ""), ("-o", "taken.h5"), "taken.checkpoint exists; use --resume to go on from it or --force to begin"),
        (("", ""), ("-o", "taken.h5", "--resume"), "taken.checkpoint is not a checkpoint of jaxbreed, or a damaged"),
    ],
)
def test_bad_input_gives_one_sentence_and_exit_code_2(tmp_path, change, arguments, message):
    (tmp_path / "bad.toml").write_text(SCENARIO.replace(*change) if change[0] else SCENARIO)
    (tmp_path / "taken.checkpoint").write_text("precious")
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    arguments = arguments if "-o" in arguments else (*arguments, "-o", "out.h5")
    result = optimize("bad.toml", *arguments, "-q", cwd=tmp_path)
    assert result.returncode == 2, result.stderr
    assert message in sentence(result)[0]
    assert len(sentence(result)) == 1
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("{ intelligence = 1.0, sociability = 0.1 }", "[1.0]"), "objective.weights has 1 values; it must have 2"),
        (("inbreeding = 0.25", "inbreeding = -0.1"), "limits.inbreeding is -0.1; it should be greater than 0"),
        (('"constant"', '"steps"'), "optimize.levers.males.basis is 'steps'; it should be 'constant', 'linear'"),
        (('"linear"', '"linear"\nknot = 3'), "optimize.levers.weights.knot is not a known key; did you mean knots"),
        (('"linear"', '"spline"\nknots = 3'), 'optimize.levers.weights.basis is "spline" with 3 values; the sched'),
        (("steps = 6", "steps = 6\nreplicates = 3"), "optimize.replicates is 3; it must be at most programme.repl"),
        (("steps = 6", "step = 6"), "optimize.step is not a known key; did you mean steps?"),
    ],
)
def test_bad_scenarios_are_one_sentence(change, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        aim_of(parse_scenario(tomllib.loads(SCENARIO.replace(*change))))
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gradient": "newton"}, "--gradient is newton; it must be one of costate, theory, pgpe"),
        ({"steps": 0}, "--steps is 0; it must be at least 1"),
        ({"log": Path("out.h5")}, "checkpoint (.checkpoint) and log must be different files"),
        ({"output": Path("out.checkpoint")}, "checkpoint (.checkpoint) and log must be different files"),
        ({"output": Path("missing/out.h5")}, "missing is not a folder that exists"),
    ],
)
def test_bad_requests_are_one_sentence(tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, OSError)) as caught:
        check_request(Request(**{"scenario": Path("a.toml"), "output": Path("out.h5")} | changes))
    assert message in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_of_another_scenario_is_left_alone(finished):
    folder, _ = finished
    content = (folder / "out.checkpoint").read_bytes()
    (folder / "other.toml").write_text(SCENARIO.replace('title = "Small"', 'title = "Other"'))
    result = optimize("other.toml", "-o", "out.h5", "--resume", "-q", cwd=folder)
    assert result.returncode == 2
    assert "out.checkpoint is of another scenario; resume with the scenario file" in sentence(result)[0]
    result = optimize("small.toml", "-o", "out.h5", "--resume", "-q", "--seed", 2, cwd=folder)
    assert "out.checkpoint was begun with seed 1; this run has 2" in sentence(result)[0]
    assert (folder / "out.checkpoint").read_bytes() == content
