"""Space mapping against gradient steps: how far each comes, and from how many eggs.

    python experiments/gradients/mapping.py     # about three minutes on two cores
    python experiments/gradients/mapping.py --seeds 2     # one search of each kind; the others stay

Four lineages of 240 eggs, 48 loci, three rounds; the start weighs the first trait nearly alone, the objective both.
Every search is judged on 96 replicates that none has seen, the same for all: differences are paired.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxbreed as jb
from jaxbreed.objectives import compare, estimate

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
SEEDS, STEPS, REPLICATES = (1, 2, 3), (10, 40), 4


def worth(course: jb.Course) -> Array:
    """Soft minimum of both traits' final gains."""
    return -jnp.log(jnp.exp(-jnp.asarray(course.gain)[:, -1]).mean(-1)).mean()


def main() -> None:
    from machine import machine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="*", type=int, default=SEEDS, help="of the searches")
    seeds = parser.parse_args().seeds
    jb.use_cores()
    genetic_map = jb.GeneticMap.uniform(chromosomes=6, loci=48, length_morgan=0.5)
    settings = jb.Settings(lineages=4, eggs=(240, 240), sires=(2, 2), scope="across")
    founders = jb.Founders.from_frequencies(np.full(48, 0.5), genetic_map, settings.animals * 12, seed=2)
    correlation = np.array([[1.0, -0.3], [-0.3, 1.0]])
    traits = jb.additive_traits(founders.haplotypes, ["a", "b"], [0.5, 0.3], correlation, qtl=48)
    program = jb.make_program(genetic_map, traits, settings)
    start = jb.constant_schedule(3, [1.0, 0.15], males=8)
    space = jb.build_space(start, (jb.Lever("weights", "free"),), settings)

    def judge(schedule: jb.Schedule) -> jb.Course:
        runs = [jb.simulate_course(program, founders, schedule, replicates=12, seed=1000 + k) for k in range(8)]
        return jb.Course(*(np.concatenate([np.asarray(x) for x in parts]) for parts in zip(*runs, strict=True)))

    path = HERE / "mapping.json"
    known = json.loads(path.read_text())["rows"] if path.exists() else []
    result: dict[str, Any] = {"machine": machine(), "start": estimate(worth, judge(space.start))}
    result["rows"] = [row for row in known if row["seed"] not in seeds]
    for seed in seeds:
        began = time.perf_counter()
        mapped = jb.optimize_by_mapping(program, founders, worth, space, replicates=REPLICATES, seed=seed)
        seconds, found = time.perf_counter() - began, judge(mapped.schedule)
        row: dict[str, Any] = {"seed": seed}
        row["mapping"] = {"simulations": len(mapped.steps), "eggs": mapped.eggs, "seconds": round(seconds, 1)}
        row["mapping"]["value"] = estimate(worth, found)
        for steps in STEPS:
            began = time.perf_counter()
            other = jb.optimize(program, founders, worth, space, replicates=REPLICATES, steps=steps, seed=seed)
            seconds, reached = time.perf_counter() - began, judge(other.schedule)
            row[f"adam {steps}"] = {
                "eggs": other.eggs,
                "seconds": round(seconds, 1),
                "value": estimate(worth, reached),
                "mapping less this": compare(worth, reached, found),
            }
        result["rows"].append(row)
        print(json.dumps(row), flush=True)
        path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
