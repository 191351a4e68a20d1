"""Extremes of a clutch: of normal deviates, and of few loci (V7, V8)."""

import functools
import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special, stats

from jaxbreed import kernels
from jaxbreed.kernels import quantiles
from jaxbreed.verification.findings import Finding, chi_square, count_of, exact
from jaxbreed.verification.gametes import heterozygotes, score_family
from jaxbreed.verification.intensity import best_ranks, noise
from jaxbreed.verification.registry import Effort, check

ORDER = "order statistics of the normal distribution"
_UNIT = 14  # binary digits of a deviate behind the point
_BATCH = 200_000


def expected_maximum(count: int) -> tuple[float, float]:
    """Mean and SD of the largest of so many standard normal deviates."""
    x = np.linspace(-4.0, 10.0, 140_001)
    below = np.exp(count * special.log_ndtr(x))
    chance, middle = np.diff(below), (x[1:] + x[:-1]) / 2
    mean = float(chance @ middle)
    return mean, math.sqrt(float(chance @ middle**2) - mean**2)


@jax.jit
def _deviates(key: jax.Array, number: jax.Array) -> jax.Array:
    """200,000 environmental deviations of one trait, SD 1, in units of 2**-14."""
    of_one = kernels.Noise(jnp.full((1, 1), 1 << _UNIT, jnp.int32), jnp.zeros(1, jnp.int32))
    return kernels.environment((key[0], key[1] ^ number), jnp.arange(_BATCH, dtype=jnp.uint32), of_one)[0]


@check("V7", "the best of a clutch is as good as the normal distribution says, far into the tail")
def normal_extremes(effort: Effort) -> Iterator[Finding]:
    """Wrong: uniforms of 23 or 24 bits, which end at 5.2 or 5.4 SD; the quantile at 1/n taken for the mean."""
    batches, key, start = effort.size(60, 600), jnp.asarray(effort.words(7), jnp.uint32), 0
    beyond, furthest = 0, list[tuple[int, int]]()
    for size, share in ((10, 1), (100, 1), (1_000, 2), (10_000, 8), (100_000, 12), (200_000, 36)):
        best = []
        for number in range(start, start + batches * share // 60):
            drawn = np.asarray(_deviates(key, jnp.uint32(number)))
            best.append(drawn.reshape(-1, size).max(1) / 2**_UNIT)
            beyond += int((np.abs(drawn) >= 5 * 2**_UNIT).sum())
            furthest = sorted([*furthest, (int(drawn.max()), number)])[-4:]
        start += batches * share // 60
        maxima = np.concatenate(best)
        mean, spread = expected_maximum(size)
        law = f"mean of the best of {size:,}, {maxima.size:,} clutches"
        # Maxima are skewed: each is turned into the normal deviate of its exact chance, whose sum is normal.
        z = float(special.ndtri_exp(size * special.log_ndtr(maxima)).sum()) / math.sqrt(maxima.size)
        yield Finding(law, mean, float(maxima.mean()), spread / math.sqrt(maxima.size), ORDER, z)
    drawn_in_all = start * _BATCH
    expected = 2 * drawn_in_all * float(special.ndtr(-5.0))
    yield count_of(f"deviates beyond 5 SD among {drawn_in_all:,}", beyond, expected, "normal distribution")
    words = np.concatenate([np.arange(2_000), effort.numpy(7).integers(0, 2**31, 100_000)])
    upper = np.asarray(quantiles.normal_deviate(jnp.asarray(words, jnp.uint32))) / 2**quantiles.UNIT_BITS
    law = "deviate of a random word, the largest error of 102,000"
    yield exact(law, upper + special.ndtri((2 * words + 1) / 2.0**33), 0.0, "normal quantile function", rounding=2e-5)
    # The clutches with the furthest deviates of all, ranked by the sweep, which may be another implementation.
    keys = jnp.stack([key ^ jnp.asarray([0, number], jnp.uint32) for _, number in furthest])
    ranks = np.asarray(best_ranks(200)(keys, jnp.int32(_BATCH)))[..., 0]
    law = f"rank of the best of either sex in the sweep, the {len(furthest)} clutches with the furthest deviates"
    yield exact(law, ranks, np.asarray(_ranks_by_hand(keys)), "definition")


@jax.jit
def _ranks_by_hand(keys: jax.Array) -> jax.Array:
    """Largest rank of the females (even numbers) and males (odd) of clutches of 200,000: (clutch, sex)."""

    def one(key: jax.Array) -> jax.Array:
        phenotype = kernels.environment((key[0], key[1]), jnp.arange(_BATCH, dtype=jnp.uint32), noise())
        index = kernels.selection_index(phenotype, jnp.full(1, 1 << 14, jnp.int32))
        return index.reshape(-1, 2).max(0) + (1 << 30)

    return jax.lax.map(one, keys)


# 100 chromosomes; sets of unlinked loci, one a chromosome. Sets of one size share none: clutches of their own.
_CHROMOSOMES = 100
_SETS = {10: 4, 20: 2, 50: 1, 5: 1}


@functools.lru_cache(1)
def coin_map() -> kernels.WalkMap:
    """A locus at either end of 100 chromosomes; every tenth chromosome has no length."""
    length = np.where(np.arange(_CHROMOSOMES) % 10 == 9, 0.0, 0.02)
    place = np.stack([np.zeros(_CHROMOSOMES), length], axis=1).ravel()
    chromosome = np.repeat(np.arange(_CHROMOSOMES), 2).astype(np.int32)
    return kernels.build_walk_map(chromosome, np.stack([place, place]), np.stack([length, length]))


@check("V8", "few loci are a ceiling: the best of 200,000 sums of 2 L coins")
def ceilings(effort: Effort) -> Iterator[Finding]:
    """Wrong: normal gametes (told apart up to 20 loci); half the coins."""
    clutches, eggs = effort.size(3, 20), 200_000
    rows, shifts = [], []
    start = 0
    for loci, sets in _SETS.items():
        for _ in range(sets):
            row = np.zeros(2 * _CHROMOSOMES, np.int64)
            row[2 * (np.arange(start, start + loci) % _CHROMOSOMES)] = 1
            rows.append(row)
            shifts.append(loci)
            start += loci
    # Two sets to a column: counts of at most 100 fit ten bits.
    columns = np.stack([rows[k] + (rows[k + 1] << 10) for k in range(0, len(rows), 2)])
    best: dict[int, list[int]] = {loci: [] for loci in _SETS}
    first: list[float] = []
    for clutch in range(clutches):
        values = score_family(columns, heterozygotes(2 * _CHROMOSOMES), coin_map(), effort.words(800 + clutch), eggs)
        for k, loci in enumerate(shifts):
            counts = values[k // 2] >> (10 * (k % 2)) & 1023
            best[loci].append(int(counts.max()))
            if loci == 50:
                wanted = eggs * stats.binom.pmf(np.arange(30, 71), 100, 0.5)
                found = np.bincount(counts, minlength=101)[30:71]
                first.append(float(((found - wanted) ** 2 / wanted).sum()))
    for loci in _SETS:
        copies = np.arange(2 * loci + 1)
        chance = np.diff(stats.binom.cdf(copies, 2 * loci, 0.5) ** eggs, prepend=0.0)
        scaled, unit = (copies - loci) / math.sqrt(loci / 2), math.sqrt(loci / 2)
        mean = float(chance @ scaled)
        observed = float(np.mean([(b - loci) / unit for b in best[loci]]))
        law = f"best of {eggs:,} sibs in SD, parents heterozygous at {loci} loci, {len(best[loci])} clutches"
        source = "binomial distribution"
        spread = math.sqrt(max(float(chance @ scaled**2) - mean**2, 0.0) / len(best[loci]))
        if loci == 5:
            yield exact(law + " (the ceiling)", observed, math.sqrt(10), source, rounding=1e-9)
        else:
            yield Finding(law, mean, observed, spread, source, (observed - mean) / spread)
    law = f"distribution of copies at 50 loci, {clutches} clutches"
    yield chi_square(law, sum(first), 41 * clutches, "binomial distribution")
