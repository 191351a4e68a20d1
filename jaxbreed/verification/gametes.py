"""Clutches scored or hatched for the checks of meiosis, through whichever implementation runs here."""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxbreed import kernels

Ints = npt.NDArray[np.integer]
Alleles = npt.NDArray[np.uint8]
LANES = 20_000

_score = jax.jit(kernels.score)
_suffix_tables = jax.jit(kernels.suffix_tables)
_hatch = jax.jit(kernels.hatch)


def score_family(effects: Ints, haplotypes: Ints, walk_map: kernels.WalkMap, key: tuple[int, int], eggs: int) -> Ints:
    """Values of a full-sib family's eggs 0, 1, ...

    Args:
      effects: (column, locus), value of one copy of allele 1.
      haplotypes: (parent, haplotype, locus).
      walk_map: the genetic map.
      key: two words.
      eggs: how many.

    Returns:
      (column, egg).
    """
    tables = _suffix_tables(
        jnp.asarray(effects, jnp.int32),
        jnp.asarray(haplotypes, jnp.uint8),
        walk_map,
        jnp.zeros(len(effects), jnp.int32),
    )
    words = jnp.uint32(key[0]), jnp.uint32(key[1])
    parts = [np.asarray(_score(tables, walk_map, words, numbers)) for numbers in _numbers(eggs)]
    return np.concatenate(parts, axis=1)[:, :eggs]


def hatch_family(haplotypes: Alleles, walk_map: kernels.WalkMap, key: tuple[int, int], eggs: int) -> Iterator[Alleles]:
    """Genomes of a full-sib family's eggs, up to 20,000 at a time: (egg, 2, locus), the dam's gamete first."""
    words = jnp.broadcast_to(jnp.asarray(key, jnp.uint32), (LANES, 2))
    dam, sire = (jnp.broadcast_to(jnp.asarray(parent), (LANES, *parent.shape)) for parent in haplotypes)
    for first, numbers in zip(range(0, eggs, LANES), _numbers(eggs), strict=True):
        yield np.asarray(_hatch(walk_map, words, numbers, dam, sire))[: eggs - first]


def hatch_each(
    dams: Alleles, sires: Alleles, walk_map: kernels.WalkMap, key: tuple[int, int], first: int = 0
) -> Alleles:
    """One egg of each pair, numbered from `first` on: parents and young are (egg, 2, locus)."""
    words = jnp.broadcast_to(jnp.asarray(key, jnp.uint32), (len(dams), 2))
    numbers = jnp.arange(first, first + len(dams), dtype=jnp.uint32)
    return np.asarray(_hatch(walk_map, words, numbers, jnp.asarray(dams), jnp.asarray(sires)))


def heterozygotes(loci: int) -> Alleles:
    """Both parents with allele 0 everywhere on the first haplotype and allele 1 on the second."""
    parents = np.zeros((2, 2, loci), np.uint8)
    parents[:, 1] = 1
    return parents


def _numbers(eggs: int) -> Iterator[jax.Array]:
    for first in range(0, eggs, LANES):
        yield jnp.arange(first, first + LANES, dtype=jnp.uint32)


@functools.cache
def compiled(name: str, implementation: str) -> Callable[..., object]:
    """A kernel by name, compiled for one implementation."""
    return jax.jit(functools.partial(getattr(kernels, name), implementation=implementation))
