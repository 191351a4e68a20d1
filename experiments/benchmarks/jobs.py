"""The jobs of the benchmark: a clutch to score, rank and sum, and the checks that its answer is right."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxbreed as jb
from jaxbreed import kernels
from jaxbreed.kernels import native

KEPT = 20
CHECKED = 1000  # eggs hatched to check a job


@dataclasses.dataclass(frozen=True)
class Job:
    """One clutch of full sibs whose every egg is scored, given its environment, ranked and summed."""

    name: str
    eggs: int = 400_000
    loci: int = 10_000
    chromosomes: int = 30
    morgans: float = 30.0
    columns: int = 1
    dominance: bool = False
    interference: float = 1.0
    mutation: float = 0.0  # mutations a locus and gamete
    implementation: str | None = None
    instructions: str | None = None  # native only: the instruction set, None for the best


class Prepared:
    """A job with its map, parents and effects, compiled."""

    def __init__(self, job: Job) -> None:
        self.job, rng = job, np.random.default_rng(1)
        genetic_map = jb.GeneticMap.uniform(job.chromosomes, job.loci, job.morgans / job.chromosomes)
        chromosomes = genetic_map.chromosome, genetic_map.position, genetic_map.length, job.interference
        self.walk_map = kernels.build_walk_map(*chromosomes, kernels.build_mutation(job.mutation, job.loci))
        self.without_mutation = kernels.build_walk_map(*chromosomes)
        # Values of about 2**18 units, so that nothing overflows and roundings do not show.
        scale = 2.0**18 / np.sqrt(job.loci)
        self.effects = np.rint(rng.normal(size=(job.columns, job.loci)) * scale).astype(np.int32)
        self.dominance = np.abs(self.effects) // 2 if job.dominance else None
        self.haplotypes = rng.integers(0, 2, (2, 2, job.loci)).astype(np.uint8)
        spread = np.eye(job.columns) * 2.0**18
        self.assay = kernels.Assay(
            weight=jnp.full(job.columns, 2**14 // job.columns - 1, jnp.int32),
            noise=kernels.build_noise(spread),
            unit=jnp.full(2 * job.columns, 10, jnp.int32),
            survival=jnp.uint32(kernels.survival_threshold(1.0)),
            lanes=4096 if jax.default_backend() == "cpu" else 1 << 16,
            screened=0,
            kept=KEPT,
            alternate_sexes=False,
        )

        def clutch(haplotypes: jax.Array, effects: jax.Array, dominance: jax.Array | None, key: jax.Array) -> Any:
            which, columns = job.implementation, jnp.zeros(job.columns, jnp.int32)
            tables = kernels.suffix_tables(effects, haplotypes, self.walk_map, columns, dominance, implementation=which)
            eggs = jnp.int32(job.eggs)
            return kernels.sweep(tables, self.walk_map, (key[0], key[1]), eggs, eggs, self.assay, implementation=which)

        self._clutch = jax.jit(clutch)
        self._arguments = jax.device_put((self.haplotypes, self.effects, self.dominance))
        began = time.perf_counter()
        self.once(0)
        self.first_s = time.perf_counter() - began  # compilation and one run

    def once(self, number: int) -> Any:
        """Sweeps a clutch of its own key."""
        if self.job.implementation != "xla" and native.library() is not None:
            native.use_instruction_set(self.job.instructions)
        key = jnp.asarray([0x9E3779B9, number], jnp.uint32)
        return jax.block_until_ready(self._clutch(*self._arguments, key))

    def check(self) -> dict[str, Any]:
        """Hatches some eggs of the job and holds them against their scores, and counts their crossovers."""
        job, loci = self.job, self.job.loci
        count = max(4, min(CHECKED, 20_000_000 // loci))
        tables = kernels.suffix_tables(
            jnp.asarray(self.effects),
            jnp.asarray(self.haplotypes),
            self.walk_map,
            jnp.zeros(job.columns, jnp.int32),
            None if self.dominance is None else jnp.asarray(self.dominance),
        )
        key, eggs = jnp.asarray([1, 2], jnp.uint32), jnp.arange(count, dtype=jnp.uint32)
        if self.walk_map.mutation is not None:  # half of the eggs are mutants
            many = jnp.arange(4_000_000, dtype=jnp.uint32)
            mutants = kernels.mutation_counts((key[0], key[1]), many, self.walk_map.mutation).any(0)
            eggs = jnp.concatenate([many[mutants][: count // 2], eggs])[:count]
        score = jax.jit(
            lambda t: kernels.score(t, self.walk_map, (key[0], key[1]), eggs, implementation=job.implementation)
        )
        scores = np.asarray(score(tables))
        with jax.default_device(jax.devices("cpu")[0]):
            on_cpu = jax.device_put(tables, jax.devices("cpu")[0])
            same = bool((np.asarray(score(on_cpu)) == scores).all())
        keys = jnp.broadcast_to(key, (count, 2))

        def hatched(walk_map: kernels.WalkMap, parents: np.ndarray) -> np.ndarray:
            dams, sires = (jnp.broadcast_to(parent, (count, 2, loci)) for parent in parents)
            return np.asarray(kernels.hatch(walk_map, keys, eggs, dams, sires))

        copies = hatched(self.walk_map, self.haplotypes).sum(1)
        values = copies @ self.effects.T.astype(np.int64)
        if self.dominance is not None:
            values += (copies == 1) @ self.dominance.T.astype(np.int64)
        # Parents that differ at every locus show a crossover wherever there is an odd number between two loci.
        gametes = hatched(self.without_mutation, np.broadcast_to(np.arange(2, dtype=np.uint8)[:, None], (2, 2, loci)))
        together = np.diff(np.asarray(self.walk_map.locus_chromosome)) == 0
        seen = ((gametes[..., 1:] != gametes[..., :-1]) & together).sum(-1)
        return {
            "scores_equal_hatched": bool((values == scores.T).all()) and same,  # and those of the CPU
            "crossovers_per_gamete": round(float(seen.mean()), 3),
            "crossovers_se": round(float(seen.std() / np.sqrt(seen.size)), 3),
        }


def expected_crossovers(job: Job) -> float:
    """Crossovers to be seen between neighbouring loci (Haldane); under interference as many or a little more."""
    each = job.loci // job.chromosomes
    distance = job.morgans / job.chromosomes / max(each - 1, 1)
    return float(job.chromosomes * (each - 1) * 0.5 * (1 - np.exp(-2 * distance)))


def floor_runner(job: Job) -> Callable[[int], Any]:
    """Draws the random words that the crossovers of a clutch need, and nothing else."""
    genetic_map = jb.GeneticMap.uniform(job.chromosomes, job.chromosomes, job.morgans / job.chromosomes)
    walk_map = kernels.build_walk_map(genetic_map.chromosome, genetic_map.position, genetic_map.length)
    eggs = jnp.arange(job.eggs, dtype=jnp.uint32)
    draw = jax.jit(lambda key: native.draw_words(walk_map, (key[0], key[1]), eggs))

    def once(number: int) -> Any:
        native.use_instruction_set(job.instructions)
        return jax.block_until_ready(draw(jnp.asarray([1, number], jnp.uint32)))

    return once
