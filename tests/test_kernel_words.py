"""Random words, deviates, fate and ranks: the kernels return the oracle's integers."""

import jax.numpy as jnp
import numpy as np
import pytest
from crosses import AWKWARD_EGGS, KEYS, as_key, numbers
from oracle import egg as oracle

from jaxbreed import kernels
from jaxbreed.kernels import quantiles, topk

# Words and deviates


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_published_words(
    key: tuple[int, int], counter: tuple[int, int], words: tuple[int, int]
) -> None:
    """Known-answer vectors of Random123 (kat_vectors, threefry2x32 20 rounds), for oracle and kernel."""
    assert oracle.threefry2x32(key, counter) == words
    assert tuple(int(word) for word in kernels.threefry2x32(key, *map(jnp.uint32, counter))) == words


def test_threefry_equals_the_oracle() -> None:
    words = np.random.default_rng(1).integers(0, 2**32, (4, 300), dtype=np.uint64)
    found = kernels.threefry2x32(*((numbers(words[0]), numbers(words[1])), numbers(words[2]), numbers(words[3])))
    wanted = [oracle.threefry2x32((int(a), int(b)), (int(c), int(d))) for a, b, c, d in words.T]
    np.testing.assert_array_equal(np.stack(found, -1), wanted)


def edges(bits: int) -> list[int]:
    """Words whose octave, cell or fraction is about to change, and random ones."""
    powers = [2**bit + step for bit in range(bits) for step in (-1, 0, 1)]
    cells = [(2**bits - 1) * part // 512 + step for part in range(513) for step in (-1, 0, 1)]
    chance = np.random.default_rng(2).integers(0, 2**bits, 3000).tolist()
    return [int(word) for word in powers + cells + chance if 0 <= word < 2**bits]


def test_gaps_equal_the_oracle() -> None:
    words = edges(21)
    assert 2**21 - 1 in words
    found = quantiles.exponential_gap(numbers(words))
    np.testing.assert_array_equal(found, [oracle.exponential_gap(word) for word in words])


def test_normal_deviates_equal_the_oracle() -> None:
    words = edges(32) + [word + 2**31 for word in edges(31)]
    assert {0, 2**31 - 1, 2**31, 2**32 - 1} <= set(words)
    found = quantiles.normal_deviate(numbers(words))
    np.testing.assert_array_equal(found, [oracle.normal_deviate(word) for word in words])


# Fate


@pytest.mark.parametrize("key", KEYS)
def test_fate_equals_the_oracle(key: tuple[int, int]) -> None:
    eggs = AWKWARD_EGGS + list(range(500, 700))
    words, place = numbers(eggs), as_key(key)
    for survival in (1.0, 0.3, 0.01, 0.0):
        threshold = kernels.survival_threshold(survival)
        assert threshold + 1 == max(1, round(survival * 2**32))  # the chance of survival, never quite none
        alive = kernels.survives(place, words, jnp.uint32(threshold))
        np.testing.assert_array_equal(alive, [oracle.survives(key, egg, threshold) for egg in eggs])
    for alternate in (True, False):
        sexes = kernels.sex(place, words, alternate)
        np.testing.assert_array_equal(sexes, [oracle.sex(key, egg, alternate) for egg in eggs])
    np.testing.assert_array_equal(kernels.identity(place, words), [oracle.identity(key, egg) for egg in eggs])


def test_family_keys_equal_the_oracle_and_hang_on_every_name() -> None:
    names = np.random.default_rng(3).integers(0, 2**32, (3, 20, 2), dtype=np.uint32)
    generation, dam, sire = names.tolist()
    found = np.asarray(kernels.family_key(*map(jnp.asarray, names)))
    wanted = [oracle.family_key(tuple(g), tuple(d), tuple(s)) for g, d, s in zip(generation, dam, sire, strict=True)]
    np.testing.assert_array_equal(found, wanted)
    swapped = kernels.family_key(*(jnp.asarray(names[which]) for which in (0, 2, 1)))
    assert not (found == np.asarray(swapped)).all(-1).any()  # dam x sire is not sire x dam


@pytest.mark.parametrize("traits", [1, 2, 5])
def test_environment_equals_the_oracle(traits: int) -> None:
    """Odd numbers of traits leave half a word pair; shifts from the smallest to 2**30 score units."""
    rng = np.random.default_rng(traits)
    eggs = AWKWARD_EGGS + rng.integers(0, 2**32, 90).tolist()
    mantissa = rng.integers(-(2**15 // traits) + 1, 2**15 // traits, (traits, traits)).astype(np.int32)
    mantissa[0] = 0
    mantissa[0, -1] = 2**15 - 1  # the largest there is
    for shift in ([-12, 0, 11, 12, 13], [12, 5, -3, 1, 0]):
        noise = kernels.Noise(jnp.asarray(mantissa), jnp.asarray(shift[:traits], jnp.int32))
        found = kernels.environment(as_key(KEYS[0]), numbers(eggs), noise)
        wanted = [oracle.environment(KEYS[0], egg, mantissa.tolist(), shift[:traits]) for egg in eggs]
        np.testing.assert_array_equal(found, np.transpose(wanted))


def test_noise_is_the_root_of_the_covariance_to_one_part_in_2_14() -> None:
    rng = np.random.default_rng(5)
    for scale in (1.0, 300.0, 2.0**24):
        root = np.tril(rng.normal(size=(4, 4))) * scale
        root[2] = 0.0  # a trait without noise
        noise = kernels.build_noise(root)
        mantissa, unit = np.asarray(noise.mantissa, np.int64), 2.0 ** np.asarray(noise.shift, np.float64)
        total = np.abs(root).sum(1, keepdims=True)
        assert (np.abs(mantissa * unit[:, None] - root) <= np.maximum(total * 2.0**-14, 2.0**-13)).all()
        assert (np.abs(mantissa).sum(1) < 2**15).all()
        assert not mantissa[2].any()


def test_selection_index_is_exact() -> None:
    """int32 products would overflow: compared with Python's own integers at the largest values allowed."""
    rng = np.random.default_rng(6)
    for weight in ([2**14], [-(2**14)], [1], [0, 0], [2**13, -(2**13)], [9000, -7383, 1], [-1, -1, -16382]):
        phenotypes = rng.integers(-(2**30) + 1, 2**30, (len(weight), 400))
        phenotypes[:, :4] = np.array([2**30 - 1, -(2**30) + 1, -1, 0])
        phenotypes[:, 4:50] >>= 20
        found = kernels.selection_index(jnp.asarray(phenotypes, jnp.int32), jnp.asarray(weight, jnp.int32))
        wanted = [oracle.selection_index(column, weight) for column in phenotypes.T]
        np.testing.assert_array_equal(found, wanted)
        rank = topk.rank_of(found, jnp.ones(400, bool))
        np.testing.assert_array_equal(topk.index_of(rank), wanted)
        as_float = np.asarray(rank).view(np.float32)
        assert np.isfinite(as_float).all()
        assert (as_float >= np.finfo(np.float32).tiny).all()
        np.testing.assert_array_equal(np.argsort(as_float, kind="stable"), np.argsort(wanted, kind="stable"))
