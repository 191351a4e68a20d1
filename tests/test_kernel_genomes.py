"""Genomes and genetic values: every implementation returns the oracle's integers, to the bit, whatever the map."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from crosses import AWKWARD_EGGS, CROSSES, KEYS, Ints, as_key, compiled, numbers
from oracle import egg as oracle

from jaxbreed import kernels


def eggs_of(name: str) -> list[int]:
    count = CROSSES[name][1]
    chance = np.random.default_rng(len(name)).integers(0, 2**32, 60).tolist()
    return [*AWKWARD_EGGS, *range(7, 13), *chance][-count:]


@cache
def genomes(name: str) -> Ints:
    """Alleles (family, egg, 2, locus) by the oracle."""
    cross, _ = CROSSES[name]
    oracle_map = cross.oracle_map
    return np.array(
        [
            [oracle.genome(key, egg, oracle_map, *cross.haplotypes[family]) for egg in eggs_of(name)]
            for family, key in enumerate(KEYS)
        ]
    )


@pytest.mark.parametrize("name", CROSSES)
def test_score_and_hatch_equal_the_oracle(name: str, implementation: str) -> None:
    """Two families at once, so that a key or a parent taken from the wrong family fails."""
    cross, _ = CROSSES[name]
    eggs, wanted, walk_map = eggs_of(name), genomes(name), cross.walk_map
    for family, key in enumerate(KEYS):
        tables = cross.tables(walk_map, family, implementation)
        found = compiled("score", implementation)(tables, walk_map, as_key(key), numbers(eggs))
        dominance = [None] * len(cross.effects) if cross.dominance is None else cross.dominance
        values = [
            [oracle.as_int32(oracle.genetic_value(alleles, effects, base, deviations)) for alleles in wanted[family]]
            for effects, base, deviations in zip(cross.effects, cross.intercept, dominance, strict=True)
        ]
        np.testing.assert_array_equal(found, values)
    count = len(eggs)
    family = np.repeat([0, 1], count)
    order = np.random.default_rng(1).permutation(2 * count)
    keys, parents = np.array(KEYS, np.uint32)[family][order], cross.haplotypes[family][order]
    young = compiled("hatch", implementation)(
        walk_map,
        jnp.asarray(keys),
        jnp.tile(numbers(eggs), 2)[order],
        jnp.asarray(parents[:, 0]),
        jnp.asarray(parents[:, 1]),
    )
    np.testing.assert_array_equal(young, wanted.reshape(2 * count, 2, cross.loci)[order])


@pytest.mark.parametrize("name", CROSSES)
def test_suffix_tables_are_the_same(name: str, implementation: str) -> None:
    cross, _ = CROSSES[name]
    walk_map = cross.walk_map
    for family in (0, 1):
        reference, found = (cross.tables(walk_map, family, which) for which in ("xla", implementation))
        jax.tree.map(np.testing.assert_array_equal, reference, found)
        assert jax.tree.structure(reference) == jax.tree.structure(found)


@pytest.mark.parametrize(
    "name", ["strong interference, dominance, 40 chromosomes", "interference, chromosomes of one length"]
)
@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 255, 257, 9000])
def test_any_number_of_eggs_in_any_order(count: int, name: str, implementation: str) -> None:
    """Batches, vectors and tasks end in the middle; an egg's value does not depend on its neighbours."""
    if implementation == "xla" and count not in (0, 33):
        pytest.skip("every number of eggs is compiled anew, and eggs are independent by construction")
    cross, _ = CROSSES[name]
    walk_map, rng = cross.walk_map, np.random.default_rng(count)
    tables = cross.tables(walk_map, 0)
    eggs = rng.integers(0, 2**32, count, dtype=np.uint32)
    values = np.asarray(compiled("score", implementation)(tables, walk_map, as_key(KEYS[0]), jnp.asarray(eggs)))
    assert values.shape == (len(cross.effects), count)
    order = rng.permutation(count)[:200]
    again = compiled("score", "xla")(tables, walk_map, as_key(KEYS[0]), jnp.asarray(np.resize(eggs[order], 200)))
    np.testing.assert_array_equal(values[:, order], np.asarray(again)[:, : len(order)])


@pytest.mark.long
@pytest.mark.parametrize(
    "name", ["dominance, different maps, an empty chromosome", "mutation, dominance, interference, sites hit again"]
)
def test_vmap_over_families(name: str, implementation: str) -> None:
    cross, _ = CROSSES[name]
    walk_map, eggs = cross.walk_map, numbers(range(50))
    tables = [cross.tables(walk_map, family) for family in (0, 1)]
    both = jax.tree.map(lambda *leaves: jnp.stack(leaves), *tables)
    keys = jnp.asarray(KEYS, jnp.uint32)

    def one(family: kernels.SuffixTables, key: jax.Array) -> jax.Array:
        return kernels.score(family, walk_map, (key[0], key[1]), eggs, implementation=implementation)

    together = jax.jit(jax.vmap(one))(both, keys)
    for family, key in enumerate(KEYS):
        alone = compiled("score", "xla")(tables[family], walk_map, as_key(key), eggs)
        np.testing.assert_array_equal(together[family], alone)


def test_hatching_no_eggs_gives_none(implementation: str) -> None:
    cross, _ = CROSSES["one egg, one locus, no map length"]
    parents = jnp.zeros((0, 2, cross.loci), jnp.uint8)
    hatch = compiled("hatch", implementation)
    none = hatch(cross.walk_map, jnp.zeros((0, 2), jnp.uint32), jnp.zeros(0, jnp.uint32), parents, parents)
    assert none.shape == (0, 2, cross.loci)


@pytest.mark.parametrize(("morgans", "finest"), [(0.0, 2.0**-20), (1.0, 4e-6), (30.0, 1.23e-4), (1000.0, 4e-3)])
def test_sub_cells_are_finer_than_any_map_is_known(morgans: float, finest: float) -> None:
    """In Morgans; positions have 20 bits, so nothing can be finer than that."""
    walk_map = kernels.build_walk_map(np.zeros(1, np.int32), np.zeros((2, 1)), np.full((2, 1), morgans))
    assert 2.0**-20 <= 2.0**-walk_map.sub_bits <= finest


def test_maps_beyond_the_integers_are_refused() -> None:
    one = np.zeros(1, np.int32), np.zeros((2, 1))
    with pytest.raises(ValueError, match="251 chromosomes"):
        kernels.build_walk_map(*one, np.ones((2, 251)))
    with pytest.raises(ValueError, match=r"1000\.5 Morgans"):
        kernels.build_walk_map(*one, np.full((2, 1), 1000.5))


def test_interference_out_of_range_is_refused() -> None:
    for interference in (0.5, 24.5, float("nan")):
        with pytest.raises(ValueError, match="interference is"):
            kernels.build_walk_map(np.zeros(1, np.int32), np.zeros((2, 1)), np.ones((2, 1)), interference)
