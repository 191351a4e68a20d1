"""Statistics of one generation, in double precision on the host."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxbreed.kernels import Tested
from jaxbreed.kernels.moments import LIMB_BITS
from jaxbreed.traits import Traits

Floats = npt.NDArray[np.float64]


class Sample(NamedTuple):
    """Realised moments of the tested animals of each replicate, trait units, divisor n."""

    tested: npt.NDArray[np.int64]  # (replicate,)
    mean: Floats  # (replicate, 2 x trait): genetic values, then phenotypes
    covariance: Floats  # (replicate, 2 x trait, 2 x trait)


def sample_moments(traits: Traits, tested: Tested, unit: npt.NDArray[np.int32]) -> Sample:
    """Joins the families' integer sums.

    Args:
      traits: the traits.
      tested: results of the sweep, leading axes (replicate, lineage, sire).
      unit: int32 (2 x trait,), binary logarithm of the moments' units.

    Returns:
      Moments over all tested animals of each replicate.
    """
    count, centre, per_egg, products = _sums(traits, tested, unit)
    total = count.sum(1)
    weight = count / np.maximum(total, 1)[:, None]
    mean = ((centre + per_egg) * weight[..., None]).sum(1)
    shift = centre - mean[:, None]
    outer = per_egg[..., :, None] * shift[..., None, :]
    products = products + outer + np.swapaxes(outer, -1, -2) + shift[..., :, None] * shift[..., None, :]
    return Sample(total.astype(np.int64), mean, (products * weight[..., None, None]).sum(1))


def family_moments(traits: Traits, tested: Tested, unit: npt.NDArray[np.int32]) -> tuple[Floats, Floats, Floats]:
    """Realised moments of each family, trait units, divisor n.

    Args:
      traits: the traits.
      tested: results of the sweep, leading axes (replicate, lineage, sire).
      unit: int32 (2 x trait,), binary logarithm of the moments' units.

    Returns:
      Animals tested (replicate, family), mean (replicate, family, 2 x trait) of genetic values and then phenotypes, and
      their covariance.
    """
    count, centre, per_egg, products = _sums(traits, tested, unit)
    return count, centre + per_egg, products - per_egg[..., :, None] * per_egg[..., None, :]


def _sums(traits: Traits, tested: Tested, unit: npt.NDArray[np.int32]) -> tuple[Floats, Floats, Floats, Floats]:
    """Number of each family, its centre, and means of deviations from the centre and of their products."""
    scale = 2.0 ** (np.asarray(unit, np.float64) - traits.scale_bits)
    replicates = tested.survivors.shape[0]

    def flat(x: object) -> npt.NDArray[np.float64]:
        array = np.asarray(x)
        return array.reshape(replicates, -1, *array.shape[3:]).astype(np.float64)

    count = flat(tested.moments.count)
    centre = flat(tested.centre) * 2.0**-traits.scale_bits
    first = flat(tested.moments.first) * scale
    lower = (flat(tested.moments.high) * 2.0**LIMB_BITS + flat(tested.moments.low)) * scale[:, None] * scale
    second = lower + np.swapaxes(np.tril(lower, -1), -1, -2)  # the sweep fills the lower triangle
    per_egg = first / np.maximum(count, 1)[..., None]
    return count, centre, per_egg, second / np.maximum(count, 1)[..., None, None]


def animal_moments(replicate: npt.NDArray[np.int64], values: Floats, replicates: int) -> Sample:
    """Moments of animals that are known one by one.

    Args:
      replicate: (animal,).
      values: (animal, 2 x trait), genetic values, then phenotypes, trait units.
      replicates: how many there are.

    Returns:
      Moments over the animals of each replicate; NaN where there is none.
    """
    count = np.bincount(replicate, minlength=replicates)
    mean = np.full((replicates, values.shape[1]), np.nan)
    covariance = np.full((replicates, values.shape[1], values.shape[1]), np.nan)
    for r in np.flatnonzero(count):
        here = values[replicate == r]
        mean[r] = here.mean(0)
        covariance[r] = (here - mean[r]).T @ (here - mean[r]) / count[r]
    return Sample(count, mean, covariance)


def index_statistics(sample: Sample, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Phenotypic SD, genetic SD and accuracy of the index among the tested.

    Accuracy is the correlation between an animal's index (of phenotypes) and the same index of its genetic values.

    Args:
      sample: realised moments.
      weights: (trait,) index weights per trait unit.

    Returns:
      Three arrays (replicate,).
    """
    traits = weights.size
    phenotypic = np.einsum("t,rtu,u->r", weights, sample.covariance[:, traits:, traits:], weights)
    genetic = np.einsum("t,rtu,u->r", weights, sample.covariance[:, :traits, :traits], weights)
    both = np.einsum("t,rtu,u->r", weights, sample.covariance[:, :traits, traits:], weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = np.where(genetic > 0, both / np.sqrt(genetic * phenotypic), np.nan)
    return np.sqrt(phenotypic), np.sqrt(np.maximum(genetic, 0)), accuracy
