"""Closed forms of the accuracy of genomic prediction: what a simulation is held against. Plain floats."""

import math
from collections.abc import Sequence


def accuracy(records: float, h2: float, segments: float) -> float:
    """Accuracy of genomic predictions of animals without records.

    Args:
      records: tested animals, at least 0.
      h2: heritability of a record among the tested, in (0, 1]; within a family, `within_family_h2`.
      segments: effective number of chromosome segments Me, above 0.

    Returns:
      sqrt(N h2 / (N h2 + Me)), the correlation of predicted and true values (Daetwyler et al. 2008,
      doi:10.1371/journal.pone.0003395). All segments count alike here and the residual of one is not reduced by the
      others; within full sibs it is up to 0.06 too high (see `full_sib_accuracy`).

    Raises:
      ValueError: an argument is out of range.

    Example:
      >>> round(accuracy(1000, within_family_h2(0.2), full_sib_segments([20 / 30] * 30)), 2)
      0.69
    """
    _check_records(records, h2)
    if not segments > 0.0:
        raise ValueError(f"segments is {segments:g}; it must be above 0")
    return math.sqrt(records * h2 / (records * h2 + segments))


def within_family_h2(h2: float) -> float:
    """Heritability of differences between full sibs of unrelated, outbred parents.

    Args:
      h2: heritability in the population, in (0, 1].

    Returns:
      (h2 / 2) / (1 - h2 / 2): half the additive variance lies within families, all of the residual.

    Raises:
      ValueError: h2 outside (0, 1].
    """
    if not 0.0 < h2 <= 1.0:
        raise ValueError(f"h2 is {h2:g}; it must be above 0 and at most 1")
    return 0.5 * h2 / (1.0 - 0.5 * h2)


def full_sib_segments(female: Sequence[float], male: Sequence[float] | None = None) -> float:
    """Effective number of segments Me within a full-sib family.

    Me = 1 / variance between pairs of their realised relationship, in units of the variance within the family
    (Goddard et al. 2011, doi:10.1111/j.1439-0388.2011.00964.x). Two sibs got the same allele of a parent at a locus
    (+1) or not (-1); under Haldane the product of this at distance d has mean exp(-4 d). A parent's part of the
    relationship is its average over the genome, with variance V = sum over chromosomes of share^2 x mean of
    exp(-4 d); the whole is the mean of the parents' parts, which are independent: Me = 4 / (V_dam + V_sire). With
    equal chromosomes and sexes this is the sum of 1 / mean exp(-4 d) over both parents' chromosomes. The standard
    deviation of the share of the genome identical by descent is 1 / (2 sqrt(Me)) (Visscher et al. 2006, 0.039 in
    humans, doi:10.1371/journal.pgen.0020041).

    Args:
      female: (chromosome,), Morgans, at least 0.
      male: likewise, in the same order; None for the female map. A chromosome's share of the genetic variance is
        its share of both maps together.

    Returns:
      Me.

    Raises:
      ValueError: no chromosomes, different numbers of them, or a length below 0.

    Example:
      >>> round(full_sib_segments([20 / 30] * 30))  # octopus
      123
    """
    share, maps = _shares(female, male)
    parts = (s**2 * _mean_decay(4.0 * length) for map_ in maps for s, length in zip(share, map_, strict=True))
    return 4.0 / sum(parts)


def full_sib_accuracy(records: float, h2: float, female: Sequence[float], male: Sequence[float] | None = None) -> float:
    """Accuracy of genomic predictions of full sibs without records, segments of unequal weight.

    The variance within the family falls on the eigenvectors of exp(-2 d) along each parent's chromosomes: slow waves
    carry most and are learnt first. With eigenvalues l that add up to 1, the prediction error variance is
    E = sum of k l / (l + k), where N k = (1 - h2) / h2 + E (Dobriban & Wager 2018, doi:10.1214/17-AOS1549: ridge
    regression with many random effects). In small families this is `accuracy` with Me of `full_sib_segments`.

    Args:
      records: tested sibs, above 0.
      h2: heritability within the family, in (0, 1]: `within_family_h2`.
      female: (chromosome,), Morgans, at least 0.
      male: likewise; None for the female map.

    Returns:
      The correlation of predicted and true values, for markers and QTL that are dense on the map.

    Raises:
      ValueError: an argument is out of range.

    Example:
      >>> round(full_sib_accuracy(1000, within_family_h2(0.2), [20 / 30] * 30), 2)
      0.66
    """
    _check_records(records, h2)
    if records == 0:
        return 0.0
    share, maps = _shares(female, male)
    values = [0.5 * s * wave for map_ in maps for s, length in zip(share, map_, strict=True) for wave in _waves(length)]
    rest = max(1.0 - sum(values), 0.0)  # waves too fast to be learnt
    residual = (1.0 - h2) / h2

    def error(k: float) -> float:
        return rest + sum(k * value / (value + k) for value in values)

    low, high = 0.0, (residual + 1.0) / records
    for _ in range(60):
        k = 0.5 * (low + high)
        low, high = (k, high) if k * records < residual + error(k) else (low, k)
    return math.sqrt(max(1.0 - error(high), 0.0))


def population_segments(effective_size: float, lengths: Sequence[float]) -> float:
    """Effective number of segments Me in a population of unrelated animals.

    2 Ne l / ln(Ne l) for a chromosome of l Morgans (Goddard et al. 2011). Chromosomes of equal length add up to
    2 Ne L k / ln(Ne L); otherwise the variances of relationship do: Me = 1 / sum of share^2 / Me_chromosome.

    Args:
      effective_size: Ne.
      lengths: (chromosome,), Morgans, averaged over the sexes.

    Returns:
      Me.

    Raises:
      ValueError: no chromosomes, or Ne l of one is not above e = 2.718, below which the formula turns round.

    Example:
      >>> round(population_segments(1000, [1.0] * 30))
      8686
    """
    if not lengths:
        raise ValueError("lengths is empty; there must be at least one chromosome")
    if not effective_size * min(lengths) > math.e:
        raise ValueError(
            f"effective_size is {effective_size:g} with a chromosome of {min(lengths):g} Morgans; their product must "
            f"be above {math.e:.3f}"
        )
    whole = sum(lengths)
    variance = (
        (length / whole) ** 2 * math.log(effective_size * length) / (2.0 * effective_size * length)
        for length in lengths
    )
    return 1.0 / sum(variance)


def _mean_decay(a: float) -> float:
    """Mean of exp(-a |x - y|) over x and y uniform in [0, 1]: 2 (a - 1 + exp(-a)) / a^2."""
    # The closed form cancels where the series is exact.
    return 2.0 * (a + math.expm1(-a)) / a**2 if a > 1e-3 else 1.0 - a / 3.0 + a**2 / 12.0


def _waves(length: float, most: int = 60) -> list[float]:
    """Largest eigenvalues of exp(-2 |x - y|) on a chromosome, as shares of their sum.

    With w the frequency times the length and c = 2 x length they are 2 c / (c^2 + w^2), w = j pi + 2 atan(c / w).
    """
    if length == 0.0:
        return [1.0]
    c, values = 2.0 * length, []
    for j in range(most):
        low, high = j * math.pi, (j + 1) * math.pi
        for _ in range(60):
            w = 0.5 * (low + high)
            low, high = (w, high) if w < j * math.pi + 2.0 * math.atan(c / w) else (low, w)
        values.append(2.0 * c / (c**2 + high**2))
    return values


def _shares(female: Sequence[float], male: Sequence[float] | None) -> tuple[list[float], tuple[Sequence[float], ...]]:
    """Each chromosome's share of the variance, and the maps of both sexes."""
    male = female if male is None else male
    if not female or len(female) != len(male):
        raise ValueError(
            f"the maps have {len(female)} and {len(male)} chromosomes; both need the same number, at least 1"
        )
    for length in (*female, *male):
        if not 0.0 <= length < math.inf:
            raise ValueError(f"a chromosome has {length:g} Morgans; it must be at least 0 and finite")
    both = [f + m for f, m in zip(female, male, strict=True)]
    whole = sum(both)
    if whole == 0.0:
        raise ValueError("all chromosomes have 0 Morgans; at least one must recombine in one sex")
    return [length / whole for length in both], (female, male)


def _check_records(records: float, h2: float) -> None:
    if not records >= 0:
        raise ValueError(f"records is {records:g}; it must be at least 0")
    if not 0.0 < h2 <= 1.0:
        raise ValueError(f"h2 is {h2:g}; it must be above 0 and at most 1")
