"""The kernels in C++, as XLA custom calls: bit for bit what the functions of the same names in XLA return.

The library is a plain shared object next to this package, without any tie to the Python version. It is built at
installation if there is a C++ compiler; its absence is not an error until somebody asks for it by name.
"""

import ctypes
import dataclasses
import sys
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxbreed.kernels.moments import Moments
from jaxbreed.kernels.mutation import Mutation
from jaxbreed.kernels.quantiles import normal_table, packed_gap_table
from jaxbreed.kernels.score import middle_value
from jaxbreed.kernels.suffix import SuffixTables, alleles_for
from jaxbreed.kernels.sweep import Assay, Tested
from jaxbreed.kernels.walk import Key
from jaxbreed.kernels.walkmap import WalkMap

_LIBRARY = "libjaxbreed_native"
_CALLS = ("suffix", "score", "sweep", "hatch", "draw_words")
SPECIFICATION = 3
"""Counts up whenever these modules change what the kernels return; the library says which it follows."""
INSTRUCTION_SETS = ("avx512", "avx2", "baseline")


@cache
def library() -> ctypes.CDLL | None:
    """The shared library, its calls made known to XLA; None if it was not built.

    Raises:
      RuntimeError: it was built from other sources than these.
    """
    path = _find()
    if path is None:
        return None
    found = ctypes.CDLL(str(path))
    follows = found.jaxbreed_specification() if hasattr(found, "jaxbreed_specification") else 1
    if follows != SPECIFICATION:
        raise RuntimeError(
            f"the native kernels in {path} follow specification {follows}, this jaxbreed {SPECIFICATION}: "
            "install jaxbreed again to build them anew"
        )
    found.jaxbreed_instruction_set.restype = ctypes.c_char_p
    found.jaxbreed_use_instruction_set.argtypes = [ctypes.c_char_p]
    for call in _CALLS:
        handler = jax.ffi.pycapsule(getattr(found, f"jaxbreed_{call}"))
        jax.ffi.register_ffi_target(f"jaxbreed_{call}", handler, platform="cpu")
    return found


def _find() -> Path | None:
    """Where the library is: beside this module, or, in an editable install, where the package would be."""
    places = [Path(__file__).parent]
    places += [Path(entry) / "jaxbreed" / "kernels" for entry in sys.path if entry]
    for place in places:
        for path in sorted(place.glob(f"{_LIBRARY}.*")):
            return path
    return None


def instruction_set() -> str | None:
    """The instruction set in use: avx512, avx2 or baseline; None without the library."""
    found = library()
    return None if found is None else found.jaxbreed_instruction_set().decode()


def use_instruction_set(name: str | None) -> None:
    """Makes the kernels use this instruction set.

    Args:
      name: one of `INSTRUCTION_SETS`, or None for the best that this processor has.

    Raises:
      ValueError: the library was not built, the name is unknown or this processor does not have it.
    """
    found = library()
    if found is None:
        raise ValueError(f"instruction set is {name!r}, but the native kernels were not built; see `jaxbreed doctor`")
    if name is not None and name not in INSTRUCTION_SETS:
        raise ValueError(f"instruction set is {name!r}; it must be one of {', '.join(INSTRUCTION_SETS)}")
    if not found.jaxbreed_use_instruction_set((name or "").encode()):
        raise ValueError(f"instruction set is {name!r}; this processor does not have it")


def _map_arguments(walk_map: WalkMap) -> list[Array]:
    gap = jnp.zeros((0, 0, 0, 0), jnp.int32) if walk_map.gap is None else walk_map.gap
    mutation = walk_map.mutation or Mutation(jnp.zeros(0, jnp.uint32), jnp.zeros(0, jnp.int32), walk_map.loci)
    return [
        jnp.asarray(packed_gap_table()),
        jnp.asarray(normal_table()),
        walk_map.cell,
        walk_map.end,
        walk_map.border,
        walk_map.chromosome_slot,
        walk_map.locus_slot,
        walk_map.locus_chromosome,
        walk_map.slot_rank,
        gap,
        mutation.threshold,
        mutation.locus,
    ]


def _table_arguments(tables: SuffixTables) -> list[Array]:
    none = jnp.zeros((0, 0), jnp.int32)
    pair = none if tables.pair is None else tables.pair
    if tables.alleles is None:
        return [tables.start, tables.jump, pair, none, none, jnp.zeros((0, 0, 0), jnp.uint8)]
    dominance = none if tables.alleles.dominance is None else tables.alleles.dominance
    return [tables.start, tables.jump, pair, tables.alleles.effects, dominance, tables.alleles.haplotypes]


def _call(name: str, results, walk_map: WalkMap, share: int, *arguments: Array, **attributes):  # type: ignore[no-untyped-def]
    call = jax.ffi.ffi_call(f"jaxbreed_{name}", results, vmap_method="sequential")
    sub_shift = np.int64(20 - walk_map.sub_bits)
    return call(*_map_arguments(walk_map), *arguments, sub_shift=sub_shift, share=np.int64(share), **attributes)


def _struct(shape: tuple[int, ...], dtype: type) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)


def suffix_tables(
    effects: Array, haplotypes: Array, walk_map: WalkMap, intercept: Array, dominance: Array | None = None
) -> SuffixTables:
    """See `suffix.suffix_tables`."""
    columns = effects.shape[0]
    given = jnp.zeros((0, walk_map.loci), jnp.int32) if dominance is None else dominance
    results = (
        _struct((columns,), jnp.int32),
        _struct((2, walk_map.slots, columns), jnp.int32),
        _struct((0, 0) if dominance is None else (walk_map.ranks, columns), jnp.int32),
    )
    start, jump, pair = _call("suffix", results, walk_map, 1, intercept, effects, haplotypes, given)
    alleles = alleles_for(walk_map, effects, dominance, haplotypes)
    return SuffixTables(start, jump, None if dominance is None else pair, alleles)


def score(tables: SuffixTables, walk_map: WalkMap, key: Key, eggs: Array) -> Array:
    """See `score.score`."""
    out = _struct((tables.start.shape[0], eggs.shape[0]), jnp.int32)
    return _call("score", out, walk_map, 1, *_table_arguments(tables), jnp.stack(key), eggs)


def sweep(
    tables: SuffixTables, walk_map: WalkMap, key: Key, eggs: Array, capacity: Array, assay: Assay, share: int = 1
) -> Tested:
    """See `sweep.sweep`. `share`: how many devices share the threads of the process."""
    traits = tables.start.shape[0] - assay.load
    variables = 2 * traits
    middle = middle_value(tables, walk_map)[:traits]
    centre = jnp.concatenate([middle, middle])
    square = _struct((variables, variables), jnp.int32)
    results = (
        _struct((2, assay.kept), jnp.int32),
        _struct((2, assay.kept), jnp.uint32),
        _struct((), jnp.int32),
        _struct((variables,), jnp.int32),
        square,
        square,
        _struct((), jnp.int32),
    )
    arguments = [
        *_table_arguments(tables),
        jnp.stack(key),
        assay.weight,
        assay.noise.mantissa,
        assay.noise.shift,
        assay.unit,
        centre,
        assay.survival,
        eggs,
        capacity,
    ]
    rank, egg, count, first, high, low, survivors = _call(
        "sweep",
        results,
        walk_map,
        share,
        *arguments,
        screened=bool(assay.screened),
        alternate_sexes=assay.alternate_sexes,
        load=assay.load,
    )
    return Tested(rank, egg, centre, Moments(count, first, high, low), survivors)


def hatch(walk_map: WalkMap, key: Array, eggs: Array, dams: Array, sires: Array) -> Array:
    """See `hatch.hatch`."""
    out = _struct((eggs.shape[0], 2, walk_map.loci), jnp.uint8)
    return _call("hatch", out, walk_map, 1, key, eggs, dams, sires)


def draw_words(walk_map: WalkMap, key: Key, eggs: Array) -> Array:
    """Draws the random words of the eggs' crossovers and nothing else: the least work that a walk can be.

    Args:
      walk_map: the genetic map.
      key: the family key.
      eggs: uint32 (egg,).

    Returns:
      uint32 (), a sum of the words, so that they are really drawn.
    """
    return _call("draw_words", _struct((), jnp.uint32), walk_map, 1, jnp.stack(key), eggs)


@dataclasses.dataclass(frozen=True)
class Library:
    """What is known of the native library."""

    built: bool
    path: str
    instruction_set: str


def describe() -> Library:
    """Whether the library is there, where, and which instruction set it uses."""
    found, path = library(), _find()
    return Library(found is not None, str(path or ""), instruction_set() or "")
