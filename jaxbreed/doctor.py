"""A look at this machine: versions, devices, and a small proof that the kernels compute what they should."""

import functools
import platform
from collections.abc import Iterator
from importlib.metadata import version

import jax
import jax.numpy as jnp
import numpy as np

from jaxbreed.cores import available_cores
from jaxbreed.genome import GeneticMap
from jaxbreed.kernels import build_walk_map, hatch, implementations, native, score, suffix_tables, threefry2x32

_EGGS = 4096


def examine() -> Iterator[tuple[bool, str]]:
    """Examines the machine.

    Yields:
      Whether a point is as it should be, and a line that says what was found.
    """
    yield True, f"jaxbreed {version('jaxbreed')}, Python {platform.python_version()}, numpy {np.__version__}"
    # 0.10.2 miscompiles vmapped matrix-vector products followed by a reduction on CPU (jax issue 39103).
    yield jax.__version__ != "0.10.2", f"jax {jax.__version__} (0.10.2 miscompiles on CPU and is refused)"
    devices = jax.devices()
    kinds = ", ".join(sorted({device.device_kind for device in devices}))
    yield (
        True,
        f"devices: {len(devices)} x {devices[0].platform} ({kinds}); {available_cores()} CPU cores for this process",
    )
    yield True, _kernels()
    a, b = threefry2x32((0x13198A2E, 0x03707344), 0x243F6A88, 0x85A308D3)
    good = (int(a), int(b)) == (0xC4923A9C, 0x483DF7A0)
    yield good, "random stream: threefry2x32 gives the published test vector"
    for implementation in implementations():
        yield (
            _sweep_equals_hatch(implementation),
            f"sweep ({implementation}): {_EGGS} eggs scored by their crossovers equal the same eggs hatched and summed",
        )


def _kernels() -> str:
    """Which implementation runs, and why not another."""
    library = native.describe()
    if not library.built:
        return (
            "kernels: XLA (the reference, about a fifth of the speed of the native ones on a CPU); the native kernels "
            "were not built: install a C++ compiler, then jaxbreed again"
        )
    if implementations()[0] == "xla":
        return (
            f"kernels: XLA on the {jax.default_backend()}; native ones ({library.instruction_set}) for CPUs are built"
        )
    return f"kernels: native, instruction set {library.instruction_set}; XLA (the reference) besides"


def _sweep_equals_hatch(implementation: str) -> bool:
    """Scores eggs both ways; integers, so equal means equal."""
    rng = np.random.default_rng(0)
    genetic_map = GeneticMap.uniform(5, 250, (1.0, 1.5))
    walk_map = build_walk_map(genetic_map.chromosome, genetic_map.position, genetic_map.length)
    effect = rng.integers(-(2**16), 2**16, (2, 250)).astype(np.int32)
    haplotypes = rng.integers(0, 2, (2, 2, 250)).astype(np.uint8)
    key, eggs = jnp.asarray([1, 2], jnp.uint32), jnp.arange(_EGGS, dtype=jnp.uint32)
    make, value, rebuild = (
        jax.jit(functools.partial(kernel, implementation=implementation)) for kernel in (suffix_tables, score, hatch)
    )
    tables = make(jnp.asarray(effect), jnp.asarray(haplotypes), walk_map, jnp.zeros(2, jnp.int32))
    scores = value(tables, walk_map, (key[0], key[1]), eggs)
    parents = (jnp.broadcast_to(parent, (_EGGS, 2, 250)) for parent in haplotypes)
    young = rebuild(walk_map, jnp.broadcast_to(key, (_EGGS, 2)), eggs, *parents)
    return bool((np.asarray(young).sum(1) @ effect.T.astype(np.int64) == np.asarray(scores).T).all())
