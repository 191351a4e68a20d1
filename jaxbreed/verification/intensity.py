"""Selection intensity: what the sweep keeps against order statistics, and the closed forms against tables (V9, V10)."""

import functools
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from scipy import special, stats

from jaxbreed import kernels, theory
from jaxbreed.verification.findings import Finding, exact, mean_of
from jaxbreed.verification.registry import Effort, check

ORDER = "order statistics of the normal distribution"
TABLE = "Falconer & Mackay 1996, table A"
BURROWS = "Burrows 1972"
_FEW, _MANY = 2_000, 200_000  # candidates of each sex
_SHIFT = 12  # the SD of a phenotype is 2**26 units, that of the index 2**25


def mean_of_best(selected: int, candidates: int) -> float:
    """Expected mean of the best so many of normal deviates: n / s times the integral of x f(x) P(fewer are better)."""
    x = np.linspace(-8.0, 9.0, 170_001)
    better = special.ndtr(-x)
    integrand = x * stats.norm.pdf(x) * stats.binom.cdf(selected - 1, candidates - 1, better)
    return float(candidates / selected * np.trapezoid(integrand, x))


def noise() -> kernels.Noise:
    """Environment of SD 2**26 score units."""
    return kernels.Noise(jnp.full((1, 1), 1 << 14, jnp.int32), jnp.full(1, _SHIFT, jnp.int32))


@functools.cache
def best_ranks(kept: int) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """Sweeps clutches without genetic variance: keys (clutch, 2), eggs () to ranks (clutch, sex, kept)."""
    none = np.zeros((2, 1))
    walk_map = kernels.build_walk_map(np.zeros(1, np.int32), none, none)
    assay = kernels.Assay(
        weight=jnp.full(1, 1 << 14, jnp.int32),
        noise=noise(),
        unit=jnp.full(2, 17, jnp.int32),
        survival=jnp.uint32(2**32 - 1),
        lanes=4096,
        screened=0,
        kept=kept,
        alternate_sexes=True,
    )

    @jax.jit
    def best(keys: jax.Array, eggs: jax.Array) -> jax.Array:
        zero = jnp.zeros((1, 1), jnp.int32)
        tables = kernels.suffix_tables(zero, jnp.zeros((2, 2, 1), jnp.uint8), walk_map, jnp.zeros(1, jnp.int32))

        def one(key: jax.Array) -> jax.Array:
            return kernels.sweep(tables, walk_map, (key[0], key[1]), eggs, eggs, assay).rank

        return jax.lax.map(one, keys)

    return best


def _row(effort: Effort, stream: int, kept: int, selected: int, candidates: int, clutches: int, law: str) -> Finding:
    low, high = effort.words(stream)
    keys = np.stack([np.full(clutches, low), high ^ np.arange(clutches)], axis=-1).astype(np.uint32)
    ranks = np.asarray(best_ranks(kept)(jnp.asarray(keys), jnp.int32(2 * candidates)))
    best = ((ranks - 2.0**30) / 2.0 ** (14 + _SHIFT - 1))[..., :selected].mean(-1)
    law = f"{law}, {2 * clutches} groups"
    return mean_of(law, best, mean_of_best(selected, candidates), ORDER)


@check("V9", "intensity of selection for a share of a large population")
def shares(effort: Effort) -> Iterator[Finding]:
    """Kept by the sweep, of each sex 2,000 or 200,000. Wrong: the threshold taken for the mean above it."""
    for k, (share, quoted) in enumerate(((0.5, 0.7979), (0.2, 1.3998), (0.1, 1.7550), (0.05, 2.0627), (0.01, 2.6652))):
        law = f"mean of the best {share:g} of {_FEW:,} (of infinitely many {quoted})"
        yield _row(effort, 900 + k, _FEW // 2, round(share * _FEW), _FEW, effort.size(60, 600), law)
    for k, (share, quoted) in enumerate(((1e-3, 3.3671), (1e-4, 3.9585), (1e-5, 4.4787))):
        law = f"mean of the best {share:g} of {_MANY:,} (of infinitely many {quoted})"
        yield _row(effort, 910 + k, 200, round(share * _MANY), _MANY, effort.size(4, 40), law)
    for share, quoted in ((0.5, 0.7979), (0.2, 1.3998), (0.1, 1.7550), (0.01, 2.6652), (1e-3, 3.3671), (1e-5, 4.4787)):
        yield exact(f"closed form i({share:g})", theory.intensity(share), quoted, TABLE, rounding=5.1e-5)


@check("V10", "intensity of selection of the best few of a finite population")
def numbers(effort: Effort) -> Iterator[Finding]:
    """Wrong: the infinite population's; males and females in one list."""
    sizes = [(1, 10, 200, 2000), (10, 100, 200, 1000), (10, _MANY, 6, 40), (100, _MANY, 6, 40)]
    for k, (selected, candidates, quick, full) in enumerate(sizes):
        clutches, kept = effort.size(quick, full), _FEW // 2 if candidates < _FEW else 200
        law = f"mean of the best {selected} of {candidates:,}"
        yield _row(effort, 1000 + k, kept, selected, candidates, clutches, law)
    for selected, candidates, quoted in ((10, 100, 1.7296), (10, _MANY, 4.1093), (100, _MANY, 3.5530)):
        law = f"closed form, best {selected} of {candidates:,}"
        yield exact(law, theory.intensity_of_best(selected, candidates), quoted, BURROWS, rounding=5.1e-5)
    for candidates, quoted in ((10, 1.5388), (1000, 3.2414), (200_000, 4.5333)):
        yield exact(f"closed form, best of {candidates:,}", theory.best_of(candidates), quoted, ORDER, rounding=1e-4)
