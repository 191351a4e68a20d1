"""De novo mutation: rare events at random sites, drawn apart from the crossovers.

The number of a gamete's mutations is a Poisson quantile of one random word, and each falls on any site with the same
chance; a site that is hit carries the other allele. Sites are those of the whole genome, so that the sweep, which
knows only the loci with effects, and hatching, which knows all, see the same events.
"""

import dataclasses
import math
import numbers
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.kernels.threefry import MUTATIONS, SIRE, threefry2x32

LEAST_MEAN, MOST_MEAN = 1e-7, 32.0
MAX_SITES = 2**24 - 1
_GAMETE = ((0,), (SIRE,))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Mutation:
    """How gametes mutate, as one map sees it.

    Attributes:
      threshold: uint32 (most,), rising: a gamete has as many mutations as there are thresholds at or below its word.
      locus: int32 (site,), which locus of the map each site is, or -1 if it is none.
      loci: number of loci of the map.
    """

    threshold: Array
    locus: Array
    loci: int = dataclasses.field(metadata={"static": True})


def build_mutation(rate: float, sites: int, site: npt.ArrayLike | None = None) -> Mutation | None:
    """Prepares mutation, as one map sees it.

    What the sweep scores is what hatches only if both maps mutate at the same rate over the same sites: build both
    with the same `rate` and `sites`, and tell by `site` which of them are loci of the map.

    Args:
      rate: mutations a site and gamete; sites are hit independently (Poisson), so that a gamete carries the other
        allele with chance (1 - exp(-2 rate)) / 2. 0 for none.
      sites: loci of the whole genome.
      site: (locus,) the sites that are loci of the map, increasing; None if all are.

    Returns:
      The mutation, or None without.

    Raises:
      ValueError: the rate is negative or not a number, or a gamete has fewer than 1e-7 mutations on average (words of
        32 bits cannot tell how many) or more than 32; there are no sites or more than 16 million; `site` does not
        hold increasing numbers of sites.
      TypeError: the rate is no number or `sites` no whole number.
    """
    if isinstance(rate, bool) or not isinstance(rate, numbers.Real):
        raise TypeError(f"mutation is {rate!r}; it must be a number")
    if isinstance(sites, bool) or not isinstance(sites, numbers.Integral):
        raise TypeError(f"sites is {sites!r}; it must be a whole number")
    if not 1 <= sites <= MAX_SITES:
        raise ValueError(f"sites is {sites}; there can be 1 to {MAX_SITES}")
    chosen = np.arange(sites) if site is None else np.asarray(site)
    if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
        raise ValueError(f"site is of {chosen.dtype} with shape {chosen.shape}; it must be (locus,) whole numbers")
    chosen = chosen.astype(np.int64)
    if chosen.size and (chosen[0] < 0 or chosen[-1] >= sites or (np.diff(chosen) <= 0).any()):
        raise ValueError(f"site must increase from at least 0 to at most {sites - 1}")
    mean = rate * sites
    if rate == 0.0:
        return None
    if not LEAST_MEAN <= mean <= MOST_MEAN:
        least, most = _rounded(LEAST_MEAN / sites, math.ceil), _rounded(MOST_MEAN / sites, math.floor)
        raise ValueError(f"mutation is {rate:g}; with {sites} loci it must be 0 or from {least:.3g} to {most:.3g}")
    locus = np.full(sites, -1, np.int32)
    locus[chosen] = np.arange(chosen.size)
    return Mutation(jnp.asarray(_poisson_thresholds(mean)), jnp.asarray(locus), chosen.size)


def _rounded(value: float, whole: Callable[[float], int]) -> float:
    """A number above zero to three digits, up (`math.ceil`) or down (`math.floor`)."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return whole(value / unit) * unit


def _poisson_thresholds(mean: float) -> npt.NDArray[np.uint32]:
    """Words from which on there is one event more: 2**32 x the chances of at most 0, 1, 2, ... events."""
    # Summed from the upper end, where differences are not lost: the chance of more than k events.
    most = math.ceil(mean + 12 * math.sqrt(mean) + 12)
    chances = [math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most)]
    beyond = np.cumsum(chances[::-1])[::-1][1:]
    thresholds = 2**32 - np.rint(beyond * 2.0**32).astype(np.int64)
    return thresholds[thresholds < 2**32].astype(np.uint32)


def mutation_counts(key: tuple[Array, Array], eggs: Array, mutation: Mutation) -> Array:
    """Mutations of the dam's and the sire's gamete at all sites.

    Args:
      key: family key.
      eggs: uint32 (lane,).
      mutation: from `build_mutation`.

    Returns:
      int32 (2, lane).
    """
    words = jnp.stack(threefry2x32(key, eggs, jnp.uint32(MUTATIONS)))
    return (words >= mutation.threshold[:, None, None]).sum(0, dtype=jnp.int32)


def mutated_loci(key: tuple[Array, Array], eggs: Array, mutation: Mutation, number: Array, counts: Array) -> Array:
    """Where one mutation of each gamete falls.

    Args:
      key: family key.
      eggs: uint32 (lane,).
      mutation: from `build_mutation`.
      number: int32 (), which of the gamete's mutations, from 0.
      counts: int32 (2, lane), how many it has.

    Returns:
      int32 (2, lane), a locus of the map; -1 where the gamete has no such mutation or it falls on no locus of the map.
    """
    block = jnp.uint32(MUTATIONS + 1) + (number >> 1).astype(jnp.uint32)
    even, odd = threefry2x32(key, eggs, jnp.asarray(_GAMETE, jnp.uint32) | block)
    site = _share(jnp.where(number & 1 == 1, odd, even), mutation.locus.shape[0])
    return jnp.where(number < counts, mutation.locus[site], -1)


def _share(word: Array, sites: int) -> Array:
    """Upper 32 bits of the product of a word and a number, in pieces of 16 bits."""
    upper, lower = word >> 16, word & 0xFFFF
    sites_upper, sites_lower = jnp.uint32(sites >> 16), jnp.uint32(sites & 0xFFFF)
    middle = upper * sites_lower + (lower * sites_lower >> 16)  # cannot overflow; the next sum could
    carried = (middle & 0xFFFF) + lower * sites_upper
    return upper * sites_upper + (middle >> 16) + (carried >> 16)
