"""Expected breeding values of tested animals: own performance and family mean, each for what it is worth."""

import numpy as np
import numpy.typing as npt

from jaxbreed.kernels import Assay, Tested
from jaxbreed.kernels.topk import index_of
from jaxbreed.statistics import family_moments
from jaxbreed.traits import Traits

Floats = npt.NDArray[np.float64]


def combined_merit(traits: Traits, assay: Assay, tested: Tested) -> Floats:
    """Expected genetic value, in the index, of every animal that the sweep remembers (Lush 1947, Am Nat 81:241).

    An animal's index is taken apart into its family's mean and its deviation from it. The deviation counts for
    b_w = 1 - V_E / V_w, where V_w is the variance of the index within families and V_E the environmental part of it,
    known from the founders; the family's mean, less that of all families, for b_f = V_f / (V_f + V_w / n), where V_f
    is the variance of the families' true means and n the number of animals tested. With 10^3 sibs tested b_f is 1.

    A limit on kinship moves selection from families to deviations within them, of which less is heritable:
    contributions chosen on the index itself gain less than truncation at the same rate of inbreeding.

    Args:
      traits: the traits.
      assay: how they were tested.
      tested: results of the sweep, leading axes (replicate, lineage, sire).

    Returns:
      (replicate, lineage, sire, sex, kept), in units of the index; meaningless where an animal is absent.
    """
    weight = np.asarray(assay.weight, np.float64)
    count, mean, covariance = family_moments(traits, tested, np.asarray(assay.unit))
    own = slice(len(weight), None)  # phenotypes
    mean = mean[..., own] @ weight
    within = np.einsum("t,rftu,u->rf", weight, covariance[..., own, own], weight)
    total = np.maximum(count.sum(1, keepdims=True), 1)
    several = np.maximum((count - 1).clip(0).sum(1, keepdims=True), 1)
    within = (count * within).sum(1, keepdims=True) / several
    everybody = (count * mean).sum(1, keepdims=True) / total
    environmental = weight @ np.asarray(traits.residual, np.float64) @ weight
    b_w = np.clip(1 - environmental / np.where(within > 0, within, np.inf), 0, 1)
    # Variance of true family means: that of the observed ones less their sampling variance.
    families = (count > 0).sum(1, keepdims=True)
    spread = (count * (mean - everybody) ** 2).sum(1, keepdims=True) - (families - 1) * within
    effective = total - (count**2).sum(1, keepdims=True) / total
    between = np.maximum(spread / np.where(effective > 0, effective, np.inf), 0)
    b_f = between / np.maximum(between + within / np.maximum(count, 1), 1e-300)
    expected = everybody + b_f * (mean - everybody)

    def each(x: Floats) -> Floats:
        return x.reshape(*x.shape[:1], *(tested.rank.shape[1:3] if x.shape[1] > 1 else (1, 1)), 1, 1)

    # One unit of the index is 2**15 score units x weight.
    index = np.asarray(index_of(tested.rank), np.float64) * 2.0 ** (15 - traits.scale_bits)
    return each(expected) + each(b_w) * (index - each(mean))
