"""Expected breeding values of tested animals: own performance and family mean, each for what it is worth."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxbreed.kernels import Assay, Tested
from jaxbreed.kernels.topk import index_of
from jaxbreed.statistics import family_moments
from jaxbreed.traits import Traits

Floats = npt.NDArray[np.float64]


class Components(NamedTuple):
    """Variances of an index of records, in its unit."""

    dam: float  # of breeding values between clutches
    sire: float  # of breeding values between the sires' families of a clutch
    segregating: float  # of breeding values within families
    clutch: float  # of what a clutch shares besides genes
    deviation: float  # of what a family shares of dominance deviations
    within: float  # of records within families


def combined_merit(traits: Traits, assay: Assay, tested: Tested, dominance: Floats | None = None) -> Floats:
    """Expected breeding value, in the index, of every animal that the sweep remembers (Lush 1947, Am Nat 81:241).

    An animal's index is taken apart into its family's mean and its deviation from it. The deviation counts for
    b_w = 1 - V_E / V_w, where V_w is the variance of the index within families and V_E the environmental part of it,
    known from the founders; the family's mean, less that of all families, for b_f = V_f / (V_f + V_w / n), where V_f
    is the variance of the families' true means and n the number of animals tested. With 10^3 sibs tested b_f is 1.

    Neither clutch effects nor dominance deviations are transmitted. Of the dominance variance V_D a quarter lies
    between families and three quarters within (Falconer & Mackay 1996, table 9.3); b_w loses the latter. With either,
    family means count as `family_worth` says, for they do not tell breeding values from what else families share:
    clutch effects have the variance they have among the founders, and breeding values of dams and of sires each half
    the variance that is seen to segregate within families, as with unrelated parents. (Selected parents vary less, by
    up to a half under the hardest selection on the best records.)

    A limit on kinship moves selection from families to deviations within them, of which less is heritable:
    contributions chosen on the index itself gain less than truncation at the same rate of inbreeding.

    Args:
      traits: the traits.
      assay: how they were tested.
      tested: results of the sweep, leading axes (replicate, lineage, sire).
      dominance: (replicate, trait, trait), covariance of dominance deviations, trait units; None without dominance.

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
    deviations = np.zeros(len(count)) if dominance is None else np.einsum("t,rtu,u->r", weight, dominance, weight)
    lost = environmental + 0.75 * deviations[:, None]
    b_w = np.clip(1 - lost / np.where(within > 0, within, np.inf), 0, 1)
    if traits.clutch is None and dominance is None:
        # Variance of true family means: that of the observed ones less their sampling variance.
        families = (count > 0).sum(1, keepdims=True)
        spread = (count * (mean - everybody) ** 2).sum(1, keepdims=True) - (families - 1) * within
        effective = total - (count**2).sum(1, keepdims=True) / total
        between = np.maximum(spread / np.where(effective > 0, effective, np.inf), 0)
        b_f = between / np.maximum(between + within / np.maximum(count, 1), 1e-300)
        expected = everybody + b_f * (mean - everybody)
    else:
        shared = 0.0 if traits.clutch is None else weight @ np.asarray(traits.clutch, np.float64) @ weight
        shape, expected = tested.rank.shape[1:3], np.empty_like(mean)
        for r in range(len(count)):
            records, segregating = float(within[r, 0]), float(within[r, 0] * b_w[r, 0])
            parts = Components(
                segregating / 2, segregating / 2, segregating, float(shared), 0.25 * float(deviations[r]), records
            )
            worth = family_worth(count[r].reshape(shape), (mean[r] - everybody[r]).reshape(shape), parts)
            expected[r] = everybody[r] + worth.reshape(-1)

    def each(x: Floats) -> Floats:
        return x.reshape(*x.shape[:1], *(tested.rank.shape[1:3] if x.shape[1] > 1 else (1, 1)), 1, 1)

    # One unit of the index is 2**15 score units x weight.
    index = np.asarray(index_of(tested.rank), np.float64) * 2.0 ** (15 - traits.scale_bits)
    return each(expected) + each(b_w) * (index - each(mean))


def family_worth(count: Floats, mean: Floats, parts: Components) -> Floats:
    """Expected breeding value of each family's tested animals, from the means of its clutch: b = P^-1 C (Hazel 1943).

    The covariance of families' mean breeding values is C = V_dam + [same family] (V_sire + V_segregating / n), and that
    of their records P = V_dam + V_clutch + [same family] (V_sire + V_deviation + V_within / n).

    Args:
      count: (lineage, sire), animals tested of each family.
      mean: (lineage, sire), means of the index, less that of everybody.
      parts: the variances.

    Returns:
      (lineage, sire), less that of everybody; for a family without tested animals what its clutch says.
    """
    one, alike = np.eye(count.shape[1]), np.ones((count.shape[1],) * 2)
    tested = count > 0
    share = np.where(tested, 1 / np.maximum(count, 1), 0.0)
    # A family without records has an error beyond all others.
    error = np.where(tested, parts.deviation + parts.within * share, 1e12 * (parts.within + parts.clutch))
    genetic = parts.dam * alike + (parts.sire + parts.segregating * share)[..., None] * one
    observed = (parts.dam + parts.clutch) * alike + (parts.sire + np.maximum(error, 1e-30))[..., None] * one
    known = np.where(tested, mean, 0.0)[..., None]
    return np.asarray((genetic @ np.linalg.solve(observed, known))[..., 0])
