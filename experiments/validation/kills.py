"""Kills a search at random moments, resumes it each time, and holds its end against one without a break.

    python experiments/validation/kills.py SCENARIO.toml [--kills 20] [--seed 1]

It prints one line for each kill and fails if a file cannot be read or a bit of the results differs.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [str(Path(sys.executable).parent / "jaxbreed"), "optimize", str(asked.scenario.resolve()), "-q", "-o"]
        began = time.perf_counter()
        subprocess.run([*command, folder / "whole.h5"], check=True, stdout=subprocess.DEVNULL)
        whole = time.perf_counter() - began
        kills, resume = 0, []
        while kills < asked.kills:
            before = step_of(folder / "cut.checkpoint")
            with subprocess.Popen([*command, folder / "cut.h5", *resume], stdout=subprocess.DEVNULL) as run:
                if kills % 4 == 0:  # anywhere, while compiling too
                    time.sleep(rng.uniform(0.0, 0.5) * whole)
                else:  # while it steps and saves
                    written = stamp(folder / "cut.checkpoint")
                    while run.poll() is None and stamp(folder / "cut.checkpoint") == written:
                        time.sleep(0.002)
                    time.sleep(rng.uniform(0.0, 2.0))
                finished = run.poll() is not None
                run.kill()
            after = step_of(folder / "cut.checkpoint")  # unreadable raises
            if (folder / "cut.h5").exists():
                h5py.File(folder / "cut.h5").close()
            if after is not None:
                resume = ["--resume"]
            kills += 1
            print(f"kill {kills}: step {before} to {after}{', had finished' if finished else ''}", flush=True)
            if finished or after == step_of(folder / "whole.checkpoint"):  # at the end: begin again
                same(folder)
                (folder / "cut.checkpoint").unlink()
                (folder / "cut.h5").unlink(missing_ok=True)
                resume = []
        subprocess.run([*command, folder / "cut.h5", *resume], check=True, stdout=subprocess.DEVNULL)
        same(folder)
    print(f"{kills} kills: every file opened, the same results to the bit")
    return 0


def stamp(path: Path) -> int:
    """When a file was last written; 0 if it is not there."""
    return path.stat().st_mtime_ns if path.exists() else 0


def step_of(checkpoint: Path) -> int | None:
    """Steps that a checkpoint holds."""
    if not checkpoint.exists():
        return None
    with np.load(checkpoint) as file:
        return len(file["trail"]) - 1


def same(folder: Path) -> None:
    """The state at the end, and the results where there are any, are those of the search without a break."""
    with np.load(folder / "whole.checkpoint") as a, np.load(folder / "cut.checkpoint") as b:
        if len(a["trail"]) == len(b["trail"]):
            assert set(a) == set(b)
            assert all(np.array_equal(a[name], b[name]) for name in a)
    if (folder / "cut.h5").exists():
        with h5py.File(folder / "whole.h5") as a, h5py.File(folder / "cut.h5") as b:
            assert set(a) == set(b)
            assert all(np.array_equal(a[name][()], b[name][()]) for name in a)


if __name__ == "__main__":
    sys.exit(main())
