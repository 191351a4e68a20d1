"""Speed and memory of the sweep, with the answer checked beside every time.

    python experiments/benchmarks/sweep.py -o experiments/benchmarks/results/sweep.json

Each case runs in a process of its own (so that peak memory is its own): the eggs of two full-sib clutches are scored,
ranked and summed. Compilation is timed apart. Checks beside every time: the mean number of crossovers in a gamete,
counted on hatched eggs of the same job, and the variance of the sweep's scores against the closed form.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

CHROMOSOMES, MORGANS = 30, 30.0
CASES = [
    {"eggs": 400_000, "loci": 10_000, "columns": 1},
    {"eggs": 400_000, "loci": 10_000, "columns": 2},
    {"eggs": 400_000, "loci": 1_000, "columns": 1},
    {"eggs": 400_000, "loci": 100_000, "columns": 1},
    {"eggs": 400_000, "loci": 1_000_000, "columns": 1},
    {"eggs": 4_000_000, "loci": 10_000, "columns": 1},
]


def measure(eggs: int, loci: int, columns: int, repeats: int, cores: int | None) -> dict[str, Any]:
    """One case, in this process.

    Args:
      eggs: eggs of each of the two clutches; their sum is what is timed.
      loci: loci, all with effects.
      columns: traits.
      repeats: timed repeats.
      cores: CPU cores, None for all.

    Returns:
      Times in seconds, speed, memory in MiB and checks.
    """
    import jaxbreed as jb

    devices = jb.use_cores(cores)
    import jax
    import jax.numpy as jnp
    import numpy as np

    from jaxbreed.clutch import Families, make_assay, sweep_families
    from jaxbreed.kernels import hatch
    from jaxbreed.population import Population
    from jaxbreed.program import Settings, make_program
    from jaxbreed.statistics import sample_moments
    from jaxbreed.traits import traits_from_effects
    from jaxbreed.variance import gametic_covariance

    rng = np.random.default_rng(1)
    clutches = max(2, devices)
    genetic_map = jb.GeneticMap.uniform(CHROMOSOMES, loci, MORGANS / CHROMOSOMES)
    effects = rng.normal(size=(columns, loci)) / np.sqrt(loci)
    traits = traits_from_effects(
        [f"trait {t}" for t in range(columns)],
        np.arange(loci),
        effects,
        np.zeros(columns),
        np.eye(columns),
        np.ones(columns),
    )
    program = make_program(genetic_map, traits, Settings(lineages=clutches, eggs=(eggs, eggs)))
    haplotypes = jnp.asarray(rng.integers(0, 2, (1, 2 * clutches, 2, loci)), jnp.uint8)
    # The sweep reads haplotypes and families only.
    nothing = jnp.zeros((1, 2 * clutches), jnp.int32)
    population = Population(haplotypes, nothing, nothing, nothing, nothing, nothing, nothing)
    number = jnp.full((1, clutches, 1), eggs, jnp.int32)
    dam = jnp.arange(clutches)[None, :, None]
    assay = make_assay(program, jnp.ones(columns), 20)

    def once(seed: int) -> tuple[float, Any, Any]:
        key = jnp.asarray(rng.integers(0, 2**32, (1, clutches, 1, 2)), jnp.uint32)
        families = Families(number, number, key, dam, dam + clutches)
        began = time.perf_counter()
        tested = sweep_families(program, assay, population, families)
        return time.perf_counter() - began, tested, families

    first, _, _ = once(0)
    times = []
    for repeat in range(repeats):
        seconds, tested, families = once(repeat + 1)
        times.append(seconds)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    sample = sample_moments(traits, tested, np.asarray(assay.unit))
    difference = (
        effects[:, None, None]
        * (np.asarray(haplotypes[0, :, 1], float) - np.asarray(haplotypes[0, :, 0]))[None, :, None]
    )
    gametic = gametic_covariance(
        jnp.asarray(difference[:1].transpose(1, 2, 0, 3)[:, 0], jnp.float32),
        jnp.broadcast_to(program.decay[0], (2 * clutches, loci)),
    )[:, 0, 0]
    value = np.asarray(haplotypes[0]).sum(1) @ effects[0]
    family_means = (value[:clutches] + value[clutches:]) / 2
    expected = float(2 * gametic.mean()) + family_means.var()
    crossovers = _crossovers(program.locus_map, jax, jnp, hatch, families.key[0, 0, 0])
    median = sorted(times)[len(times) // 2]
    return {
        "eggs": eggs,
        "clutches": clutches,
        "loci": loci,
        "columns": columns,
        "devices": devices,
        "compile_s": round(first - median, 3),
        "median_s": round(median, 4),
        "range_s": [round(min(times), 4), round(max(times), 4)],
        "million_eggs_per_s": round(clutches * eggs / median / 1e6, 3),
        "peak_mib": round(peak, 1),
        "crossovers_per_gamete": round(crossovers, 3),
        "variance_ratio": round(float(sample.covariance[0, 0, 0]) / expected, 5),
    }


def _crossovers(locus_map: Any, jax: Any, jnp: Any, hatch: Any, key: Any) -> float:
    """Mean crossovers seen in a gamete between parents that differ at every locus (odd numbers between loci only)."""
    count = max(4, min(2000, 20_000_000 // locus_map.loci))
    parent = jnp.broadcast_to(jnp.arange(2, dtype=jnp.uint8)[None, :, None], (count, 2, locus_map.loci))
    keys = jnp.broadcast_to(key, (count, 2))
    young = jax.jit(hatch)(locus_map, keys, jnp.arange(count, dtype=jnp.uint32), parent, parent)
    same_chromosome = jnp.diff(locus_map.locus_chromosome) == 0
    return float(((young[..., 1:] != young[..., :-1]) & same_chromosome).sum() / (2 * count))


def machine() -> dict[str, Any]:
    """Where and with what this was measured."""
    import jax
    import numpy as np

    import jaxbreed

    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
        flags = next((x for x in lines if x.startswith("flags")), "")
        model += " with AVX-512" if "avx512f" in flags else " with AVX2" if "avx2" in flags else ""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "cpu": model,
        "python": platform.python_version(),
        "jax": jax.__version__,
        "numpy": np.__version__,
        "jaxbreed": jaxbreed.__version__,
        "commit": commit.stdout.strip(),
    }


def describe(row: dict[str, Any]) -> str:
    """One case in words."""
    low, high = row["range_s"]
    return (
        f"{row['eggs']:>9,} eggs x {row['clutches']}, {row['loci']:>9,} loci, {row['columns']} column(s): "
        f"{row['million_eggs_per_s']:.2f} million eggs/s ({row['median_s']:.2f} s, {low:.2f}-{high:.2f}), "
        f"compile {row['compile_s']:.1f} s, peak {row['peak_mib']:.0f} MiB; "
        f"{row['crossovers_per_gamete']:.2f} crossovers seen a gamete, variance / theory {row['variance_ratio']:.4f}"
    )


def main() -> None:
    """Runs every case in its own process and writes JSON and a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=None, help="JSON file")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cores", type=int, default=None)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(**json.loads(options.case), repeats=options.repeats, cores=options.cores)))
        return
    rows = []
    for case in CASES:
        arguments = ["--case", json.dumps(case), "--repeats", str(options.repeats)]
        arguments += [] if options.cores is None else ["--cores", str(options.cores)]
        out = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True).stdout
        row = json.loads(out.splitlines()[-1])
        rows.append(row)
        print(describe(row), flush=True)
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps({"machine": machine(), "cases": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
