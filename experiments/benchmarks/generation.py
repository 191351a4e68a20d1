"""What a generation spends outside the sweep: 24 lineages, one clutch of 250,000 eggs each, two traits.

    python experiments/benchmarks/generation.py -o experiments/benchmarks/results/generation.json

The programme runs three times; the first includes compilation. Families, closed-form expectations, choice, mating,
hatching and statistics are timed by themselves. The sweep's own time includes its suffix tables, ranking and sums.
"""

import argparse
import datetime
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

import jaxbreed as jb

sys.path.insert(0, str(Path(__file__).parent))

PARTS = {
    "generation": ("make_assay", "sweep_families", "choose_parents", "raise_parents"),
    "simulation": ("_start", "_keys", "_lay", "expected_eggs_jit", "record_eggs", "record_round"),
}


def with_stopwatch(seconds: dict[str, float], name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, adding the time it takes to `seconds[name]`."""

    def timed(*args: Any, **kwargs: Any) -> Any:
        began = time.perf_counter()
        result = jax.block_until_ready(function(*args, **kwargs))
        seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began
        return result

    return timed


def main() -> None:
    """Runs the programme and says where the time went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--eggs", type=int, default=250_000)
    options = parser.parse_args()
    jb.use_cores()
    from importlib import import_module

    from machine import machine

    seconds: dict[str, float] = {}
    for module, names in PARTS.items():
        home = import_module(f"jaxbreed.{module}")
        for name in names:
            setattr(home, name, with_stopwatch(seconds, name, getattr(home, name)))
    scenario = jb.Scenario(
        species="enteroctopus-dofleini",
        programme={"years": 16, "generations": 4, "lineages": 24, "replicates": 1, "seed": 1},
        clutch={"eggs": options.eggs, "survival": 1.0, "sires": 1},
        genome={"loci": 10_000, "qtl": 1_000},
        founders={"effective_size": 1_000},
        traits={"intelligence": {"h2": 0.4, "weight": 1.0}, "sociability": {"h2": 0.2, "weight": 0.0}},
    )
    began = time.perf_counter()
    prepared = jb.prepare(scenario)
    founders_s = time.perf_counter() - began
    runs = []
    for seed in range(3):
        seconds.clear()
        began = time.perf_counter()
        history = jb.simulate(prepared.program, prepared.founders, prepared.schedule, replicates=1, seed=seed)
        total = time.perf_counter() - began
        eggs = int(history["eggs"][:, :-1].sum())
        assert eggs == 4 * 24 * options.eggs, eggs
        assert float(history["gain"][0, -1, 0]) > 1.0, "four generations of selection must show"
        outside = total - seconds["sweep_families"]
        runs.append(
            {
                "total_s": total,
                "outside_the_sweep": outside / total,
                "million_eggs_per_s": eggs / total / 1e6,
                "parts_s": dict(seconds),
            }
        )
        print(
            f"{'with compilation' if seed == 0 else 'compiled'}: {total:.2f} s, "
            f"{eggs / total / 1e6:.2f} million eggs/s, {100 * outside / total:.1f} % outside the sweep"
        )
    print(f"founders: {founders_s:.1f} s, once")
    if options.output:
        result = {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": machine(),
            "founders_s": founders_s,
            "runs": runs,
        }
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
