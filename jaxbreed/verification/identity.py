"""The same bits: the sweep and the hatched egg, every implementation, any chunk, and what was recorded (V32 to V34)."""

import dataclasses
import hashlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxbreed import kernels
from jaxbreed.verification.findings import Finding, exact, not_run
from jaxbreed.verification.gametes import compiled
from jaxbreed.verification.registry import Effort, check

SAME = "an egg is its name"
RECORDED = "1a7605aa21f7"


class _Family(NamedTuple):
    """A family with everything on: unlike maps, interference, mutation, dominance, two traits and a load."""

    walk_map: kernels.WalkMap
    effects: np.ndarray
    dominance: np.ndarray | None
    haplotypes: np.ndarray
    noise: kernels.Noise
    key: tuple[int, int]


def _family(words: tuple[int, int], interference: float, seed: int) -> _Family:
    rng, chromosomes, loci = np.random.default_rng(seed), 7, 210
    chromosome = np.repeat(np.arange(chromosomes), loci // chromosomes).astype(np.int32)
    length = np.linspace(0.0, 1.5, chromosomes)
    place = np.tile(np.linspace(0, 1, loci // chromosomes), chromosomes) * length[chromosome]
    both = np.stack([place, place * 0.5])
    mutation = kernels.build_mutation(2e-3, loci)
    walk_map = kernels.build_walk_map(chromosome, both, np.stack([length, length * 0.5]), interference, mutation)
    effects = rng.integers(-(2**15), 2**15, (3, loci)).astype(np.int32)
    effects[2] = np.abs(effects[2]) >> 8  # a load, of which about a tenth of the eggs die
    dominance = rng.integers(-(2**13), 2**13, (3, loci)).astype(np.int32)
    dominance[2] = 0
    noise = kernels.build_noise(np.array([[3e5, 1e5], [-5e4, 4e5]]))
    return _Family(walk_map, effects, dominance, rng.integers(0, 2, (2, 2, loci)).astype(np.uint8), noise, words)


def _tables(family: _Family, implementation: str) -> Any:
    make = compiled("suffix_tables", implementation)
    arrays = (family.effects, family.haplotypes)
    dominance = None if family.dominance is None else jnp.asarray(family.dominance)
    return make(*map(jnp.asarray, arrays), family.walk_map, jnp.zeros(3, jnp.int32), dominance)


def _sweep(family: _Family, implementation: str, eggs: int, lanes: int = 4096) -> list[np.ndarray]:
    assay = kernels.Assay(
        weight=jnp.asarray([10_000, -6_000], jnp.int32),
        noise=family.noise,
        unit=jnp.full(4, 12, jnp.int32),
        survival=jnp.uint32(kernels.survival_threshold(0.7)),
        lanes=lanes,
        screened=kernels.screen_size(0.7, lanes),
        kept=20,
        alternate_sexes=False,
        load=True,
    )
    words = jnp.uint32(family.key[0]), jnp.uint32(family.key[1])
    most = jnp.int32(eggs // 2)
    tested: Any = compiled("sweep", implementation)(
        _tables(family, implementation), family.walk_map, words, jnp.int32(eggs), most, assay
    )
    sums = tested.moments
    return [
        np.asarray(x) for x in (tested.rank, tested.egg, tested.survivors, sums.count, sums.first, sums.high, sums.low)
    ]


def _score(family: _Family, implementation: str, numbers: np.ndarray) -> np.ndarray:
    words = jnp.uint32(family.key[0]), jnp.uint32(family.key[1])
    value = compiled("score", implementation)
    return np.asarray(value(_tables(family, implementation), family.walk_map, words, jnp.asarray(numbers)))


def _hatch(family: _Family, implementation: str, numbers: np.ndarray) -> np.ndarray:
    shape = (numbers.size, 2, family.effects.shape[1])
    dam, sire = (jnp.broadcast_to(jnp.asarray(parent), shape) for parent in family.haplotypes)
    key = jnp.broadcast_to(jnp.asarray(family.key, jnp.uint32), (numbers.size, 2))
    return np.asarray(compiled("hatch", implementation)(family.walk_map, key, jnp.asarray(numbers), dam, sire))


def _differ(first: list[np.ndarray], second: list[np.ndarray]) -> int:
    return int(sum((a != b).sum() for a, b in zip(first, second, strict=True)))


@check("V32", "what the sweep scored is what hatches")
def replay(effort: Effort) -> Iterator[Finding]:
    """Wrong: a crossover a locus off in one of the two, another egg's mutations, dominance of one parent."""
    numbers = effort.numpy(32).integers(0, 2**32, effort.size(4_096, 100_000), dtype=np.uint32)
    for interference in (1.0, 3.0) if effort.full else (3.0,):
        family = _family(effort.words(32), interference, effort.run_seed(32))
        for name in kernels.implementations() if effort.full else kernels.implementations()[:1]:
            assert family.dominance is not None
            young = _hatch(family, name, numbers).astype(np.int64).sum(1)
            worth = young @ family.effects.T.astype(np.int64) + (young == 1) @ family.dominance.T.astype(np.int64)
            wrong = int((_score(family, name, numbers) != worth.T).sum())
            law = (
                f"{numbers.size:,} eggs whose score is not that of their genome, {name}, interference {interference:g}"
            )
            yield exact(law, wrong, 0, SAME)


@check("V33", "any implementation, any number of lanes: the same bits")
def implementations(effort: Effort) -> Iterator[Finding]:
    """Wrong: anything that depends on how eggs are cut into chunks, or on the device."""
    eggs, names = effort.size(20_000, 400_000), kernels.implementations()
    family = _family(effort.words(33), 1.0, effort.run_seed(33))
    if not effort.full:  # XLA takes long to compile what is rarely asked for
        plain = dataclasses.replace(family.walk_map, mutation=None)
        family = family._replace(walk_map=plain, dominance=None)
    first = _sweep(family, names[0], eggs)
    law = f"numbers that differ, sweep of {eggs:,} eggs"
    if len(names) == 1:
        yield not_run(law + ", native against XLA", "the native kernels do not serve here", SAME)
    for name in names[1:]:
        yield exact(f"{law}, {name} against {names[0]}", _differ(first, _sweep(family, name, eggs)), 0, SAME)
    yield exact(f"{law}, 1,000 lanes against 4,096", _differ(first, _sweep(family, names[0], eggs, 1000)), 0, SAME)
    numbers = np.arange(2_000, dtype=np.uint32)
    there, back = (_score(family, names[0], x) for x in (numbers, numbers[::-1].copy()))
    yield exact(
        "eggs whose score depends on the order in which they are asked for", (there != back[:, ::-1]).sum(), 0, SAME
    )


@check("V34", "the bits recorded when this version was made")
def recorded(effort: Effort) -> Iterator[Finding]:
    """The same on every machine and device. Changes with `SPECIFICATION`; it tells that, not what, is different."""
    del effort
    family = _family((0x13198A2E, 0x03707344), 1.0, 34)
    name = kernels.implementations()[0]
    words = kernels.threefry2x32(family.key, 0x243F6A88, 0x85A308D3)
    published = np.array([0xC4923A9C, 0x483DF7A0])
    yield exact("threefry2x32 of the digits of pi", np.array([int(w) for w in words]), published, "Salmon et al. 2011")
    parts = [_hatch(family, name, np.arange(64, dtype=np.uint32)), *_sweep(family, name, 3_000)]
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(x.astype(np.int64)).tobytes() for x in parts)).hexdigest()
    yield exact(
        "a swept and hatched clutch", int(digest[:12], 16), int(RECORDED, 16), "this version, by its C++ kernels"
    )
