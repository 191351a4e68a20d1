"""De novo mutation against its closed forms: a site hit by a Poisson number of mutations of mean `rate` carries the
other allele with chance (1 - exp(-2 rate)) / 2, in each gamete by itself."""

import dataclasses
import math
from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
from crosses import KEYS, as_key, compiled, numbers
from scipy import stats

from jaxbreed import kernels
from jaxbreed.kernels.mutation import mutation_counts

SITES, RATE, EGGS = 10, 0.05, 200_000
BOUND, POWER = 4.5, 5.0


def uniform_map(sites: int, mutation: kernels.Mutation | None, chosen: np.ndarray | None = None) -> kernels.WalkMap:
    """Two chromosomes of half a Morgan; `chosen`: the sites that are loci."""
    chromosome = np.repeat([0, 1], sites // 2).astype(np.int32)
    position = np.tile(np.linspace(0.0, 0.5, sites // 2), (2, 2))
    chosen = np.arange(sites) if chosen is None else chosen
    return kernels.build_walk_map(chromosome[chosen], position[:, chosen], np.full((2, 2), 0.5), mutation=mutation)


@cache
def mutated() -> np.ndarray:
    """Which sites of each egg's two gametes are mutated, (egg, 2, site): the parents carry nothing but allele 0."""
    walk_map = uniform_map(SITES, kernels.build_mutation(RATE, SITES))
    parents = jnp.zeros((EGGS, 2, SITES), jnp.uint8)
    key = jnp.broadcast_to(jnp.asarray(KEYS[0], jnp.uint32), (EGGS, 2))
    return np.asarray(compiled("hatch", None)(walk_map, key, jnp.arange(EGGS, dtype=jnp.uint32), parents, parents))


def share_law(hits: np.ndarray, expected: float, *wrong: float) -> None:
    observed, error = float(hits.mean()), math.sqrt(expected * (1 - expected) / hits.size)
    assert abs(observed - expected) < BOUND * error, f"z = {(observed - expected) / error:.2f}"
    for other in wrong:
        assert abs(observed - other) > POWER * error, f"{other} is not refuted: z = {(observed - other) / error:.2f}"


def test_rate() -> None:
    """Wrong: every hit makes an allele 1; the rate of both gametes together; one hit more or less per genome."""
    expected = (1 - math.exp(-2 * RATE)) / 2
    share_law(mutated(), expected, 1 - math.exp(-RATE), RATE, RATE / 2, RATE * (SITES - 1) / SITES)
    for sex in (0, 1):
        share_law(mutated()[:, sex], expected)


def test_all_sites_alike() -> None:
    """Wrong: the first or the last site is left out, or hit twice as often."""
    expected = (1 - math.exp(-2 * RATE)) / 2
    for site in range(SITES):
        share_law(mutated()[:, :, site].ravel(), expected, 0.0, 2 * expected)


def test_numbers_are_poisson_and_gametes_and_sites_independent() -> None:
    """Wrong: at most one mutation a gamete; the dam's gamete like the sire's; neighbours hit together."""
    flips, p = mutated(), (1 - math.exp(-2 * RATE)) / 2
    both = p * p
    share_law(flips[:, 0] & flips[:, 1], both, p, 0.0)
    share_law(flips[:, :, 1:] & flips[:, :, :-1], both, 0.0, 2 * both)
    share_law(flips[1:, 0] & flips[:-1, 0], both, p, 0.0)
    unhit = (flips.sum(-1) == 0).mean()
    expected = (1 - p) ** SITES
    assert abs(unhit - expected) < BOUND * math.sqrt(expected * (1 - expected) / (2 * EGGS))


@pytest.mark.parametrize("mean", [1e-7, 1e-4, 0.3, 4.0, 32.0])
def test_thresholds_are_poisson_chances(mean: float) -> None:
    mutation = kernels.build_mutation(mean / 1000, 1000)
    assert mutation is not None
    thresholds = np.asarray(mutation.threshold).astype(np.float64)
    np.testing.assert_allclose(
        thresholds / 2**32, stats.poisson.cdf(np.arange(thresholds.size), mean), rtol=0, atol=2.0**-32
    )
    assert stats.poisson.sf(thresholds.size, mean) < 2.0**-32
    assert 2**32 - thresholds[0] == pytest.approx(2**32 * -math.expm1(-mean), abs=0.6)


def test_rare_mutations_are_as_rare_as_asked() -> None:
    """One gamete in ten thousand of four million. Wrong: half or double of that."""
    mutation = kernels.build_mutation(1e-8, 10_000)
    assert mutation is not None
    counts = np.asarray(mutation_counts(as_key(KEYS[1]), jnp.arange(2_000_000, dtype=jnp.uint32), mutation))
    share_law(counts > 0, -math.expm1(-1e-4), 5e-5, 2e-4)


def test_mutational_variance() -> None:
    """Parents without variance: the variance of the eggs' values is sum of 2 a^2 p (1 - p), dominance aside.

    Wrong: the variance of one gamete alone, hits that never undo each other, and alleles that only go up.
    """
    effects = np.array([[100, -300, 500, 700, -900, 1100, 50, 0, 2000, 400]], np.int32)
    walk_map = uniform_map(SITES, kernels.build_mutation(RATE, SITES))
    parents = np.array([0, 1, 1, 0, 0, 1, 1, 0, 1, 0], np.uint8)
    tables = compiled("suffix_tables", None)(
        jnp.asarray(effects), jnp.broadcast_to(jnp.asarray(parents), (2, 2, SITES)), walk_map, jnp.zeros(1, jnp.int32)
    )
    values = np.asarray(compiled("score", None)(tables, walk_map, as_key(KEYS[0]), jnp.arange(EGGS, dtype=jnp.uint32)))
    deviations = values[0] - 2.0 * float(effects[0] @ parents)
    p = (1 - math.exp(-2 * RATE)) / 2
    squares = float((effects.astype(np.float64) ** 2).sum())
    drift = 2 * p * float(effects[0] @ (1 - 2.0 * parents))
    expected = 2 * squares * p * (1 - p)
    observed = (deviations - drift) ** 2
    error = observed.std() / math.sqrt(EGGS)
    assert abs(observed.mean() - expected) < BOUND * error
    for wrong in (expected / 2, 2 * squares * RATE * (1 - RATE)):
        assert abs(observed.mean() - wrong) > POWER * error
    assert abs(deviations.mean() - drift) < BOUND * deviations.std() / math.sqrt(EGGS)
    upward = 2 * p * float(effects[0].sum())
    assert abs(deviations.mean() - upward) > POWER * deviations.std() / math.sqrt(EGGS)


@pytest.mark.long
def test_the_sweep_sees_the_mutations_that_hatch(implementation: str) -> None:
    """The map of some loci and the map of all agree on which mutate; scores are those of the hatched eggs."""
    sites, rng, count = 60, np.random.default_rng(4), 2000
    chosen = np.sort(rng.permutation(sites)[:20])
    part = uniform_map(sites, kernels.build_mutation(0.01, sites, chosen), chosen)
    whole = uniform_map(sites, kernels.build_mutation(0.01, sites))
    parents = rng.integers(0, 2, (2, 2, sites)).astype(np.uint8)
    effects = rng.integers(-1000, 1000, (1, 20)).astype(np.int32)
    tables = compiled("suffix_tables", implementation)(
        jnp.asarray(effects), jnp.asarray(parents[:, :, chosen]), part, jnp.zeros(1, jnp.int32)
    )
    eggs = numbers(range(count))
    values = np.asarray(compiled("score", implementation)(tables, part, as_key(KEYS[0]), eggs))
    key = jnp.broadcast_to(jnp.asarray(KEYS[0], jnp.uint32), (count, 2))
    dams, sires = (jnp.broadcast_to(jnp.asarray(parent), (count, 2, sites)) for parent in parents)
    young = np.asarray(compiled("hatch", implementation)(whole, key, eggs, dams, sires))
    np.testing.assert_array_equal(values[0], young[:, :, chosen].astype(np.int64).sum(1) @ effects[0])
    never = np.asarray(compiled("hatch", implementation)(uniform_map(sites, None), key, eggs, dams, sires))
    assert 0.2 < (young != never)[:, :, chosen].any((1, 2)).mean() < 0.5


def test_no_mutation_changes_nothing() -> None:
    assert kernels.build_mutation(0.0, 100) is None


@pytest.mark.parametrize("rate", [-1e-3, float("nan"), 1e-12, 0.4])
def test_rates_out_of_range_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match=r"mutation is .*; with 100 loci it must be 0 or from 1e-09 to 0.32"):
        kernels.build_mutation(rate, 100)


def test_limits_in_the_message_are_themselves_allowed() -> None:
    for sites in (3, 7, 100, 12_345):
        with pytest.raises(ValueError, match="it must be 0 or from") as error:
            kernels.build_mutation(1e9, sites)
        for bound in str(error.value).split("from ")[1].split(" to "):
            assert kernels.build_mutation(float(bound), sites) is not None


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(TypeError, match="mutation is '1e-8'; it must be a number"):
        kernels.build_mutation("1e-8", 100)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"sites is 100\.0; it must be a whole number"):
        kernels.build_mutation(1e-3, 100.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="interference is '4'; it must be a number"):
        kernels.build_walk_map(np.zeros(1, np.int32), np.zeros((2, 1)), np.ones((2, 1)), "4")  # type: ignore[arg-type]


@pytest.mark.parametrize("sites", [0, -5, 2**24])
def test_numbers_of_sites_out_of_range_are_refused(sites: int) -> None:
    with pytest.raises(ValueError, match=rf"sites is {sites}; there can be 1 to 16777215"):
        kernels.build_mutation(1e-7, sites)


@pytest.mark.parametrize("site", [[1.5, 2.0], [True, False], [[1, 2]]])
def test_sites_that_are_no_numbers_are_refused(site: list[float]) -> None:
    with pytest.raises(ValueError, match=r"it must be \(locus,\) whole numbers"):
        kernels.build_mutation(1e-3, 100, site)


def test_mutation_of_another_map_is_refused() -> None:
    """Its numbers of loci would lead beyond the map's tables."""
    for sites in (SITES - 2, SITES + 2, 1000):
        with pytest.raises(ValueError, match=f"mutation was built for {sites} loci and the map has {SITES}"):
            uniform_map(SITES, kernels.build_mutation(1e-3, sites))


def test_a_map_without_loci(implementation: str) -> None:
    """All mutations fall elsewhere."""
    none, eggs = np.zeros(0, np.int32), numbers(range(5))
    mutation = kernels.build_mutation(0.01, 100, none)
    walk_map = kernels.build_walk_map(none, np.zeros((2, 0)), np.ones((2, 1)), mutation=mutation)
    tables = compiled("suffix_tables", implementation)(
        jnp.zeros((1, 0), jnp.int32), jnp.zeros((2, 2, 0), jnp.uint8), walk_map, jnp.asarray([7], jnp.int32)
    )
    values = compiled("score", implementation)(tables, walk_map, as_key(KEYS[0]), eggs)
    np.testing.assert_array_equal(values, [[7] * 5])


@pytest.mark.parametrize("site", [[3, 2], [1, 1], [-1, 2], [5, 100]])
def test_sites_out_of_order_are_refused(site: list[int]) -> None:
    with pytest.raises(ValueError, match="site must increase from at least 0 to at most 99"):
        kernels.build_mutation(1e-3, 100, site)


def test_tables_that_lost_their_dominance_are_refused() -> None:
    walk_map = uniform_map(SITES, kernels.build_mutation(RATE, SITES))
    one, haplotypes = jnp.ones((1, SITES), jnp.int32), jnp.zeros((2, 2, SITES), jnp.uint8)
    tables = kernels.suffix_tables(one, haplotypes, walk_map, jnp.zeros(1, jnp.int32), one)
    assert tables.alleles is not None
    lost = dataclasses.replace(tables, alleles=dataclasses.replace(tables.alleles, dominance=None))
    with pytest.raises(ValueError, match=r"tables.alleles.dominance and tables.pair must both be given or both"):
        kernels.score(lost, walk_map, as_key(KEYS[0]), numbers([1]))


def test_tables_without_alleles_are_refused() -> None:
    """Tables of a map without mutation cannot score on one with it."""
    without, mutating = uniform_map(SITES, None), uniform_map(SITES, kernels.build_mutation(RATE, SITES))
    zeros = jnp.zeros((1, SITES), jnp.int32), jnp.zeros((2, 2, SITES), jnp.uint8)
    tables = kernels.suffix_tables(*zeros, without, jnp.zeros(1, jnp.int32))
    with pytest.raises(ValueError, match="tables were built for a map without mutation"):
        kernels.score(tables, mutating, as_key(KEYS[0]), numbers([1]))
