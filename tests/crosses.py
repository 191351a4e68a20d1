"""Small families with every kind of map, for tests of the kernels against the oracle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from oracle import egg as oracle

from jaxbreed import kernels
from jaxbreed.kernels.walk import Key

Ints = npt.NDArray[np.integer]
KEYS: tuple[tuple[int, int], ...] = ((0x243F6A88, 0x85A308D3), (0, 0xFFFFFFFF))
AWKWARD_EGGS = [0, 1, 63, 64, 399_999, 2**31 - 1, 2**31, 2**31 + 1, 3_000_000_019, 2**32 - 1]


def as_key(key: tuple[int, int]) -> Key:
    return jnp.uint32(key[0]), jnp.uint32(key[1])


def numbers(eggs: Sequence[int]) -> jax.Array:
    return jnp.asarray(np.array(eggs, np.uint32))


@cache
def compiled(name: str, implementation: str | None) -> Callable[..., Any]:
    """A kernel by name, compiled for one implementation."""
    return jax.jit(partial(getattr(kernels, name), implementation=implementation))


@dataclass(frozen=True)
class Cross:
    """A map, two pairs of parents and score columns, drawn at random."""

    chromosome: Ints
    position: npt.NDArray[np.float64]
    length: npt.NDArray[np.float64]
    effects: Ints
    intercept: Ints
    haplotypes: npt.NDArray[np.uint8]  # (family, parent, haplotype, locus)
    dominance: Ints | None = None
    interference: float = 1.0
    mutation_rate: float = 0.0
    site: Ints | None = None  # which of twice as many sites the loci are

    @property
    def loci(self) -> int:
        return len(self.chromosome)

    @property
    def walk_map(self) -> kernels.WalkMap:
        mutation = kernels.build_mutation(self.mutation_rate, 2 * self.loci, self.site)
        return kernels.build_walk_map(self.chromosome, self.position, self.length, self.interference, mutation)

    @property
    def oracle_map(self) -> oracle.GeneticMap:
        walk_map = self.walk_map
        table = None if walk_map.gap is None else np.asarray(walk_map.gap)
        mutation: tuple[list[int], list[int]] = ([], [])
        if walk_map.mutation is not None:
            mutation = np.asarray(walk_map.mutation.threshold).tolist(), np.asarray(walk_map.mutation.locus).tolist()
        return oracle.GeneticMap(self.chromosome, self.position, self.length, walk_map.sub_bits, table, mutation)

    def tables(
        self, walk_map: kernels.WalkMap, family: int, implementation: str | None = "xla"
    ) -> kernels.SuffixTables:
        effects, intercept = jnp.asarray(self.effects, jnp.int32), jnp.asarray(self.intercept, jnp.int32)
        dominance = None if self.dominance is None else jnp.asarray(self.dominance, jnp.int32)
        haplotypes = jnp.asarray(self.haplotypes[family])
        return compiled("suffix_tables", implementation)(effects, haplotypes, walk_map, intercept, dominance)

    def values(self, alleles: Ints) -> Ints:
        """Scores genomes (..., 2, locus) directly: int64 (column, ...)."""
        copies = alleles.astype(np.int64).sum(-2)
        values = copies @ self.effects.T.astype(np.int64) + self.intercept
        if self.dominance is not None:
            values = values + (copies == 1) @ self.dominance.T.astype(np.int64)
        return np.moveaxis(values, -1, 0)


def make_cross(
    seed: int,
    length: npt.ArrayLike,
    loci: Sequence[int],
    columns: int = 1,
    places: int = 0,
    largest: int = 2**20,
    dominance: bool = False,
    interference: float = 1.0,
    mutations: float = 0.0,
) -> Cross:
    """Draws loci (so many a chromosome) on a map of length (2, chromosome); `places` > 0 makes them share places.

    `mutations`: how many a gamete has at the loci and as many other sites together.
    """
    rng = np.random.default_rng(seed)
    morgans = np.asarray(length, np.float64)
    chromosome = np.repeat(np.arange(len(loci)), loci).astype(np.int32)
    fraction = rng.uniform(size=(2, chromosome.size))
    fraction[rng.uniform(size=fraction.shape) < 0.1] = 0.0
    fraction[rng.uniform(size=fraction.shape) < 0.1] = 1.0
    if places:
        fraction = np.rint(fraction * places) / places
    position = np.sort(fraction + chromosome * 2, axis=1) - chromosome * 2
    position = np.clip(position, 0.0, 1.0) * morgans[:, chromosome]
    effects = rng.integers(-largest, largest + 1, (columns, chromosome.size))
    intercept = rng.integers(-largest, largest + 1, columns)
    haplotypes = rng.integers(0, 2, (2, 2, 2, chromosome.size)).astype(np.uint8)
    deviations = rng.integers(-largest, largest + 1, (columns, chromosome.size)) if dominance else None
    site = np.sort(rng.permutation(2 * chromosome.size)[: chromosome.size])
    rate = mutations / (2 * chromosome.size)
    return Cross(chromosome, position, morgans, effects, intercept, haplotypes, deviations, interference, rate, site)


def uneven(seed: int, chromosomes: int, mean: float) -> npt.NDArray[np.float64]:
    """Different female and male lengths."""
    return np.random.default_rng(seed).uniform(0.0, 2.0 * mean, (2, chromosomes))


def some_without_length() -> npt.NDArray[np.float64]:
    """Of 64 chromosomes the first and the last and some between have no length in one sex or both."""
    length = uneven(12, 64, 0.5)
    length[0, [0, 5, 6, 63]] = 0.0
    length[1, [0, 6, 7, 32, 63]] = 0.0
    return length


def many_without_length() -> npt.NDArray[np.float64]:
    """140 short chromosomes, every fifth without length in one sex, every seventh in the other."""
    length = uneven(20, 140, 0.1)
    length[0, ::5] = 0.0
    length[1, ::7] = 0.0
    return length


CROSSES: dict[str, tuple[Cross, int]] = {
    "one egg, one locus, no map length": (make_cross(10, np.zeros((2, 3)), [0, 1, 0]), 1),
    "one long chromosome": (make_cross(11, [[30.0], [12.0]], [300], columns=2), 24),
    "64 chromosomes, some without length, shared positions, int32 extremes": (
        make_cross(12, some_without_length(), [9] * 64, columns=2, places=6, largest=2**31 - 1),
        65,
    ),
    "200 chromosomes, some without loci, 1,000 Morgans": (
        make_cross(13, [[5.0] * 200, [3.0] * 200], [0, 1, 2, 3] * 50),
        3,
    ),
    "dominance, different maps, an empty chromosome": (
        make_cross(14, [[1.5, 0.5, 1.0], [0.7, 1.0, 2.0]], [40, 0, 30], columns=2, dominance=True, places=60),
        40,
    ),
    "dominance, 64 chromosomes, some without length, int32 extremes": (
        make_cross(15, some_without_length(), [5] * 64, places=4, largest=2**31 - 1, dominance=True),
        20,
    ),
    "interference, two columns": (
        make_cross(16, [[2.0, 0.6, 0.0], [1.0, 0.0, 0.3]], [40, 20, 9], columns=2, interference=4.0),
        40,
    ),
    "interference, chromosomes of one length": (make_cross(21, np.full((2, 33), 0.8), [4] * 33, interference=3.0), 20),
    "strong interference, dominance, 40 chromosomes": (
        make_cross(17, uneven(17, 40, 0.7), [4] * 40, columns=3, interference=11.5, dominance=True),
        20,
    ),
    "mutation": (make_cross(18, uneven(18, 3, 1.0), [5, 0, 4], columns=2, mutations=2.5, places=5), 60),
    "mutation, dominance, interference, sites hit again": (
        make_cross(19, uneven(19, 2, 1.5), [3, 2], mutations=6.0, dominance=True, interference=3.0),
        60,
    ),
    "many mutations, 140 chromosomes, some without length, int32 extremes": (
        make_cross(20, many_without_length(), [1] * 140, mutations=31.0, dominance=True, largest=2**31 - 1),
        20,
    ),
}
