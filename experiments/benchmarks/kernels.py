"""Speed and memory of the sweep: one command, with the answer checked beside every time.

    python experiments/benchmarks/kernels.py -o experiments/benchmarks/results/kernels

writes kernels.json, kernels.md and kernels.png. All jobs take turns in one process, round after round, so that a
machine whose speed drifts treats them alike; each runs once untimed before it is timed; a time is the median of the
rounds. Compilation is timed apart. Memory
is measured in a process of its own for each clutch size. Beside every time: scores equal to hatched eggs, and the
crossovers counted in hatched gametes. The floor is the time to draw the random words of the crossovers and nothing
else. ChromaX takes part where it is installed (`pip install --group bench`).
"""

import argparse
import datetime
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import chromax_job
from jobs import Job, Prepared, expected_crossovers, floor_runner
from machine import machine
from report import draw, table

from jaxbreed.kernels import native

STANDARD = Job("standard: 30 x 1 Morgan, 10,000 loci, one column")
MEMORY_EGGS = (400_000, 4_000_000)
CHROMAX_OFFSPRING = (50, 400)


def jobs(quick: bool) -> list[Job]:
    """What is measured."""
    if quick:
        names = {"eggs": 40_000}
        return [
            Job("standard", **names),
            Job("two columns", columns=2, **names),
            Job("dominance", dominance=True, **names),
            Job("interference 4", interference=4.0, **names),
            Job("mutation", mutation=1e-5, **names),
        ]
    rest = [
        Job("two columns", columns=2),
        Job("four columns", columns=4),
        Job("dominance", dominance=True),
        Job("interference 4", interference=4.0),
        Job("mutation, 1e-8 a locus", mutation=1e-8),
        Job("mutation, 1e-5 a locus", mutation=1e-5),
        *(Job(f"{loci:,} loci", loci=loci) for loci in (1_000, 100_000, 1_000_000)),
        *(Job(f"{eggs:,} eggs", eggs=eggs) for eggs in (10_000, 4_000_000)),
        Job("one chromosome of 1 Morgan", chromosomes=1, morgans=1.0, loci=333),
        Job("10 x 1 Morgan", chromosomes=10, morgans=10.0),
        Job("200 x 0.5 Morgan", chromosomes=200, morgans=100.0),
    ]
    for instructions in ("avx512", "avx2", "baseline"):
        if can_use(instructions):
            rest.append(Job(f"native, {instructions}", instructions=instructions))
    rest.append(Job("XLA", implementation="xla"))
    return [STANDARD, *rest]


def can_use(instructions: str) -> bool:
    """Whether this processor has an instruction set."""
    try:
        native.use_instruction_set(instructions)
    except ValueError:
        return False
    native.use_instruction_set(None)
    return True


def timed(run: Any, number: int) -> float:
    """Seconds of one run."""
    began = time.perf_counter()
    run(number)
    return time.perf_counter() - began


def measure(quick: bool, rounds: int) -> list[dict[str, Any]]:
    """Times all jobs in turns.

    Returns:
      A row for each job: eggs, eggs per second (median, lowest, highest), compilation and checks.
    """
    rows, runners = [], []
    for job in jobs(quick):
        prepared = Prepared(job)
        rows.append(
            {
                "name": job.name,
                "job": {k: v for k, v in vars(job).items() if k != "name"},
                "eggs": job.eggs,
                "first_s": prepared.first_s,
                "expected_crossovers": round(expected_crossovers(job), 3),
                **prepared.check(),
            }
        )
        runners.append(prepared.once)
        print(f"ready: {job.name}", flush=True)
    standard = jobs(quick)[0]
    if native.library() is not None:
        rows.append({"name": "floor: random words only", "eggs": standard.eggs, "first_s": None})
        runners.append(floor_runner(standard))
    if chromax_job.available():
        for offspring in CHROMAX_OFFSPRING:
            began = time.perf_counter()
            run, checks = chromax_job.runner(offspring, standard.loci, standard.chromosomes, standard.morgans)
            run(0)
            rows.append(
                {
                    "name": f"ChromaX, {offspring} at a time",
                    "eggs": offspring,
                    "first_s": time.perf_counter() - began,
                    "expected_crossovers": round(expected_crossovers(standard), 3),
                    **checks,
                }
            )
            runners.append(run)
            print(f"ready: {rows[-1]['name']}", flush=True)
    times: list[list[float]] = [[] for _ in rows]
    began = time.perf_counter()
    for turn in range(rounds):
        for index, run in enumerate(runners):
            run(turn + 1)  # once untimed: another job has just had the caches
            times[index].append(timed(run, turn + rounds + 1))
        left = (time.perf_counter() - began) / (turn + 1) * (rounds - turn - 1)
        print(f"round {turn + 1} of {rounds}, about {left:.0f} s left", flush=True)
    for row, seconds in zip(rows, times, strict=True):
        median = float(np.median(seconds))
        row["median_s"] = median
        row["range_s"] = [min(seconds), max(seconds)]
        row["eggs_per_s"] = row["eggs"] / median
        # Round by round against the standard job: what drifts hits both alike.
        paired = np.array(seconds) / row["eggs"] / (np.array(times[0]) / rows[0]["eggs"])
        row["time_over_standard"] = float(np.median(paired))
        row["compile_s"] = None if row["first_s"] is None else max(0.0, row.pop("first_s") - median)
        row.pop("first_s", None)
    return rows


def memory(eggs: int) -> dict[str, Any]:
    """Peak memory of this process after sweeping clutches of one size."""
    prepared = Prepared(Job("memory", eggs=eggs))
    for number in range(3):
        prepared.once(number)
    return {"eggs": eggs, "peak_mib": peak_mib()}


def peak_mib() -> float:
    """Peak resident memory of this process; where Linux tells, without what its parent had at the fork."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def memory_in_its_own_process(eggs: int) -> dict[str, Any]:
    """Runs `memory` in a fresh process."""
    out = subprocess.run([sys.executable, __file__, "--memory", str(eggs)], check=True, capture_output=True, text=True)
    return json.loads(out.stdout.splitlines()[-1])


def main() -> None:
    """Measures everything and writes JSON, a table and a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, help="name without ending of the files to write")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="small clutches, few jobs: does it run at all?")
    parser.add_argument("--memory", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        print(json.dumps(memory(options.memory)))
        return
    rows = measure(options.quick, 3 if options.quick else options.rounds)
    peaks = [memory_in_its_own_process(eggs // (10 if options.quick else 1)) for eggs in MEMORY_EGGS]
    result = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "devices": [f"{device.platform} {device.device_kind}" for device in jax.devices()],
        "rounds": options.rounds,
        "jobs": rows,
        "memory": peaks,
    }
    print(table(result))
    wrong = [row["name"] for row in rows if row.get("scores_equal_hatched") is False]
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
        options.output.with_suffix(".md").write_text(table(result) + "\n")
        draw(result, options.output.with_suffix(".png"))
    if wrong:
        raise SystemExit(f"scores and hatched eggs differ: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
