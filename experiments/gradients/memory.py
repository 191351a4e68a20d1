"""Memory and time of one gradient at full size: 24 lineages x 400,000 eggs, 10 generations (under five minutes).

Run as `python experiments/gradients/memory.py`; `--eggs 20000` to see that it runs.
"""

import argparse
import dataclasses
import json
import resource
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxbreed as jb

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "benchmarks"))
LINEAGES, GENERATIONS, CHROMOSOMES, LOCI, QTL = 24, 10, 30, 10_000, 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eggs", type=int, default=400_000)
    args = parser.parse_args()
    from machine import machine

    jb.use_cores()
    genetic_map = jb.GeneticMap.uniform(chromosomes=CHROMOSOMES, loci=LOCI, length_morgan=1.0)
    settings = jb.Settings(lineages=LINEAGES, eggs=(args.eggs, args.eggs))
    founders = jb.Founders.from_frequencies(np.full(LOCI, 0.5), genetic_map, settings.animals, seed=1)
    correlation = np.array([[1.0, -0.2], [-0.2, 1.0]])
    traits = jb.additive_traits(founders.haplotypes, ["intelligence", "sociability"], [0.4, 0.2], correlation, qtl=QTL)
    program = jb.make_program(genetic_map, traits, settings)
    plain = jb.constant_schedule(GENERATIONS, [1.0, 1.0])

    def value(angle: jax.Array, seed: int) -> jax.Array:
        weights = jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
        course = jb.simulate_course(program, founders, dataclasses.replace(plain, weights=weights), seed=seed)
        return course.gain[:, -1].min(-1).mean()

    angle, seconds = jnp.full(GENERATIONS, 0.6), {}
    jax.value_and_grad(value)(angle, 0)  # compiles
    for name, work in (("forward", value), ("with gradient", jax.value_and_grad(value))):
        began = time.perf_counter()
        result = jax.tree.map(np.asarray, work(angle, 1))
        seconds[name] = round(time.perf_counter() - began, 2)
    assert np.isfinite(result[1]).all()
    assert np.abs(result[1]).max() > 0
    out = {
        "eggs": LINEAGES * GENERATIONS * args.eggs,
        "seconds": seconds,
        "ratio": round(seconds["with gradient"] / seconds["forward"], 3),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "gradient": np.asarray(result[1]).round(4).tolist(),
        "machine": machine(),
    }
    print(json.dumps(out, indent=1))
    if args.eggs == 400_000:
        (HERE / "memory.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
