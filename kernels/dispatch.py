"""Which implementation runs: XLA, the reference, on every device; the native library, in C++, on the CPU.

All return the same bits. With `implementation=None` a computation that XLA places on the CPU uses the native library
if it was built, and everything else the reference; an explicit name never falls back.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import Array, lax
from jax.extend.backend import backends

from jaxbreed.kernels import native
from jaxbreed.kernels.hatch import hatch as reference_hatch
from jaxbreed.kernels.score import score as reference_score
from jaxbreed.kernels.suffix import SuffixTables
from jaxbreed.kernels.suffix import suffix_tables as reference_suffix_tables
from jaxbreed.kernels.sweep import Assay, Tested
from jaxbreed.kernels.sweep import sweep as reference_sweep
from jaxbreed.kernels.walk import Key
from jaxbreed.kernels.walkmap import WalkMap

IMPLEMENTATIONS = ("native", "xla")


def implementations() -> tuple[str, ...]:
    """The implementations that can run on this process's default device, the one used first."""
    return IMPLEMENTATIONS if _native_serves() else ("xla",)


def check_implementation(implementation: str | None) -> None:
    """Checks that an implementation can run here.

    Args:
      implementation: "native", "xla", or None for the best there is.

    Raises:
      ValueError: the name is unknown, or "native" was not built, or the default device is not a CPU.
    """
    if implementation is None or implementation == "xla":
        return
    if implementation not in IMPLEMENTATIONS:
        known = ", ".join(f'"{name}"' for name in IMPLEMENTATIONS)
        raise ValueError(f"implementation is {implementation!r}; it must be {known} or None")
    if native.library() is None:
        raise ValueError('implementation is "native", but the native kernels were not built; see `jaxbreed doctor`')
    if not _native_serves():
        raise ValueError(
            f'implementation is "native", which runs on CPUs, but the default device is a {jax.default_backend()}'
        )


def _native_serves() -> bool:
    return native.library() is not None and jax.default_backend() == "cpu"


def _dispatch(implementation: str | None, reference: Callable[..., Any], fast: Callable[..., Any], *args: Any) -> Any:
    check_implementation(implementation)
    if implementation == "native":
        return fast(*args)
    if implementation == "xla" or native.library() is None:
        return reference(*args)
    if set(backends()) == {"cpu"}:
        return fast(*args)  # nothing else to compile for
    return lax.platform_dependent(*args, cpu=fast, default=reference)


def suffix_tables(
    effects: Array,
    haplotypes: Array,
    walk_map: WalkMap,
    intercept: Array,
    dominance: Array | None = None,
    *,
    implementation: str | None = None,
) -> SuffixTables:
    """Builds the score tables of a family.

    Sums wrap modulo 2**32, which is harmless: an egg's own value is bounded by the caller's choice of scale.

    Args:
      effects: int32 (column, locus), value of one copy of allele 1.
      haplotypes: uint8 (2, 2, locus), dam and sire, first and second haplotype.
      walk_map: the genetic map.
      intercept: int32 (column,).
      dominance: int32 (column, locus), value of being heterozygous beside the copy of allele 1; None for none.
      implementation: "native", "xla", or None for the best there is.

    Returns:
      The tables.

    Raises:
      ValueError: an argument has another shape than this, or the implementation cannot run here.
      TypeError: an argument has another type than this.
    """
    loci = walk_map.loci
    (columns,) = _sized("effects", effects, "int32", (None, loci))
    _sized("haplotypes", haplotypes, "uint8", (2, 2, loci))
    _sized("intercept", intercept, "int32", (columns,))
    if dominance is not None:
        _sized("dominance", dominance, "int32", (columns, loci))
    _columns(columns)
    args = (effects, haplotypes, walk_map, intercept, dominance)
    return _dispatch(implementation, reference_suffix_tables, native.suffix_tables, *args)


def score(
    tables: SuffixTables, walk_map: WalkMap, key: Key, eggs: Array, *, implementation: str | None = None
) -> Array:
    """Genetic values of eggs of one family.

    Args:
      tables: the family's suffix tables.
      walk_map: the genetic map.
      key: the family key, two uint32 words.
      eggs: uint32 (egg,) egg numbers, any, in any order.
      implementation: "native", "xla", or None for the best there is.

    Returns:
      int32 (column, egg).

    Raises:
      ValueError: an argument has another shape than this, or the implementation cannot run here.
      TypeError: an argument has another type than this.
    """
    _check_tables(tables, walk_map, key)
    _sized("eggs", eggs, "uint32", (None,))
    return _dispatch(implementation, reference_score, native.score, tables, walk_map, key, eggs)


def sweep(
    tables: SuffixTables,
    walk_map: WalkMap,
    key: Key,
    eggs: Array,
    capacity: Array,
    assay: Assay,
    *,
    implementation: str | None = None,
    share: int = 1,
) -> Tested:
    """Tests the eggs 0, 1, ..., eggs - 1 of one family: the first `capacity` that survive.

    Egg numbers carry no meaning, so the first survivors are a random sample of the survivors.

    Args:
      tables: the family's suffix tables, one column a trait; with `assay.load` one more, the load.
      walk_map: the genetic map.
      key: the family key, two uint32 words.
      eggs: int32 (), eggs laid.
      capacity: int32 (), how many animals to test at most.
      assay: how they are measured.
      implementation: "native", "xla", or None for the best there is.
      share: native only: how many devices of this process sweep at the same time and share its threads.

    Returns:
      The best of each sex and the sums.

    Raises:
      ValueError: an argument has another shape than this, or the implementation cannot run here.
      TypeError: an argument has another type than this.
    """
    columns = _check_tables(tables, walk_map, key)
    traits = columns - assay.load
    _sized("assay.weight", assay.weight, "int32", (traits,))
    _sized("assay.noise.mantissa", assay.noise.mantissa, "int32", (traits, traits))
    _sized("assay.noise.shift", assay.noise.shift, "int32", (traits,))
    _sized("assay.unit", assay.unit, "int32", (2 * traits,))
    for name, value, dtype in (
        ("assay.survival", assay.survival, "uint32"),
        ("eggs", eggs, "int32"),
        ("capacity", capacity, "int32"),
    ):
        _sized(name, value, dtype, ())

    def fast(t: SuffixTables, m: WalkMap, k: Key, laid: Array, most: Array, a: Assay) -> Tested:
        return native.sweep(t, m, k, laid, most, a, share=share)

    return _dispatch(implementation, reference_sweep, fast, tables, walk_map, key, eggs, capacity, assay)


def hatch(
    walk_map: WalkMap, key: Array, eggs: Array, dams: Array, sires: Array, *, implementation: str | None = None
) -> Array:
    """Rebuilds haplotypes, egg by egg identical to what the sweep scored.

    The sweep's map may have fewer loci than this one; chromosome lengths, interference and, with mutation, its rate
    and sites must be the same.

    Args:
      walk_map: the genetic map.
      key: uint32 (egg, 2), the key of each egg's family.
      eggs: uint32 (egg,), egg numbers.
      dams: uint8 (egg, 2, locus), haplotypes of each egg's dam.
      sires: uint8 (egg, 2, locus).
      implementation: "native", "xla", or None for the best there is.

    Returns:
      uint8 (egg, 2, locus): the dam's gamete, the sire's gamete.

    Raises:
      ValueError: an argument has another shape than this, or the implementation cannot run here.
      TypeError: an argument has another type than this.
    """
    (count,) = _sized("eggs", eggs, "uint32", (None,))
    _sized("key", key, "uint32", (count, 2))
    for name, parents in (("dams", dams), ("sires", sires)):
        _sized(name, parents, "uint8", (count, 2, walk_map.loci))
    return _dispatch(implementation, reference_hatch, native.hatch, walk_map, key, eggs, dams, sires)


def _check_tables(tables: SuffixTables, walk_map: WalkMap, key: Key) -> int:
    """Checks a family's tables and key; returns the number of columns."""
    (columns,) = _sized("tables.start", tables.start, "int32", (None,))
    _columns(columns)
    _sized("tables.jump", tables.jump, "int32", (2, walk_map.slots, columns))
    if tables.pair is not None:
        _sized("tables.pair", tables.pair, "int32", (walk_map.ranks, columns))
    if walk_map.mutation is not None and tables.alleles is None:
        raise ValueError("tables were built for a map without mutation; build them with this map")
    if tables.alleles is not None:
        if (tables.alleles.dominance is None) != (tables.pair is None):
            raise ValueError("tables.alleles.dominance and tables.pair must both be given or both be None")
        _sized("tables.alleles.effects", tables.alleles.effects, "int32", (columns, walk_map.loci))
        _sized("tables.alleles.haplotypes", tables.alleles.haplotypes, "uint8", (2, 2, walk_map.loci))
        if tables.alleles.dominance is not None:
            _sized("tables.alleles.dominance", tables.alleles.dominance, "int32", (columns, walk_map.loci))
    if len(key) != 2:
        raise ValueError(f"key has {len(key)} words; it must have two")
    for word in key:
        _sized("key", word, "uint32", ())
    return columns


def _columns(columns: int) -> None:
    if not 1 <= columns <= 64:
        raise ValueError(f"there are {columns} columns; there can be 1 to 64")


def _sized(name: str, array: Any, dtype: str, shape: tuple[int | None, ...]) -> tuple[int, ...]:
    """Checks an argument's type and shape (None: any size); returns the sizes that could be anything."""
    found = getattr(array, "dtype", None)
    if found is None or str(found) != dtype:
        raise TypeError(f"{name} is {type(array).__name__} of {found}; it must be an array of {dtype}")
    if len(array.shape) != len(shape) or any(
        want is not None and want != size for want, size in zip(shape, array.shape, strict=True)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} has shape {tuple(array.shape)}; it must be ({wanted})")
    return tuple(size for size, want in zip(array.shape, shape, strict=True) if want is None)
