"""Rows of the page: founders beside plain msprime runs, and gametes of all programmes on the ruler."""

from typing import Any

import numpy as np
from ancestry import EDGES, HAPLOTYPES, HISTORIES, Measured, ratio, spectrum
from deviates import standard_error, z_scores
from reference import DENSE, PAIRS_MORGAN, haldane

CONSTANT = tuple(name for name, past in HISTORIES.items() if past.step is None)


def founders(name: str, ours: Measured, plain: Measured) -> list[dict[str, Any]]:
    """Statistics of one history: ours, the plain runs', theory's where there is one, and deviates from both."""
    share = spectrum(HISTORIES[name].least)
    copies = np.arange(HAPLOTYPES + 1)
    differ = float(share @ (2 * copies * (HAPLOTYPES - copies) / (HAPLOTYPES * (HAPLOTYPES - 1))))
    known = name in CONSTANT
    rows = [
        _row("haplotypes that differ at a locus", ours.diversity, plain.diversity, differ if known else None),
        _row("heterozygous genotypes", ours.observed, plain.observed, differ if known else None),
        _row("FST of the first ten animals and the others", ours.fst, plain.fst, 0.0),
    ]
    for i in np.flatnonzero(share):
        of = [measured.spectrum[:, i] for measured in (ours, plain)]
        rows.append(_row(f"share of loci, copies of the mutant: {i}", *of, float(share[i]) if known else None))
    # Ohta and Kimura's ratio holds for loci of any frequency in a population of constant size.
    return rows + _linkage(ours, plain, name)


def _row(what: str, ours: np.ndarray, plain: np.ndarray, theory: float | None) -> dict[str, Any]:
    row = {"what": what, "ours": ours.mean(), "ours_se": standard_error(ours)}
    row |= {"plain": plain.mean(), "plain_se": standard_error(plain), "z": z_scores(ours[:, None], plain[:, None])[0]}
    if theory is not None:
        row |= {"theory": theory, "z_theory": _mean_z(ours - theory), "z_plain_theory": _mean_z(plain - theory)}
    return _plain(row)


def _linkage(ours: Measured, plain: Measured, name: str) -> list[dict[str, Any]]:
    rows = []
    known = name in CONSTANT and HISTORIES[name].least == 1
    ratios = [ratio(of.square, of.product) for of in (ours, plain)]
    means = [ratio(of.correlation, of.pairs) for of in (ours, plain)]
    for b in range(len(EDGES) - 1):
        where = f"{100 * EDGES[b]:g} to {100 * EDGES[b + 1]:g} cM"
        row = _pair(f"sum of D2 / sum of pqrs, {where}", ratios, b)
        if known:
            row["theory"] = ours.expected[:, b].sum() / ours.product[:, b].sum()
            for key, of in (("z_theory", ours), ("z_plain_theory", plain)):
                row[key] = _mean_z(of.square[:, b] - of.expected[:, b])
            row["z_half_map"] = _mean_z(ours.square[:, b] - ours.halved[:, b])
        rows.append(_plain(row))
    for b in range(len(EDGES) - 1):
        row = _pair(f"mean r2, {100 * EDGES[b]:g} to {100 * EDGES[b + 1]:g} cM", means, b)
        rows.append(_plain(row))
    return rows


def _pair(what: str, values: list[tuple[np.ndarray, np.ndarray]], b: int) -> dict[str, Any]:
    (one, one_se), (other, other_se) = values
    row = {"what": what, "ours": one[b], "ours_se": one_se[b], "plain": other[b], "plain_se": other_se[b]}
    return row | {"z": (one[b] - other[b]) / np.hypot(one_se[b], other_se[b])}


def _mean_z(of: np.ndarray) -> float:
    error = standard_error(of)
    return float(of.mean() / error) if error > 0 else 0.0  # few chromosomes may all be without a rare class


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value if isinstance(value, str) else round(float(value), 6) for key, value in row.items()}


def meiosis(counts: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Of each programme: recombination fractions and crossovers beside jaxbreed's and Haldane's.

    Args:
      counts: by programme and map; jaxbreed's under "jaxbreed".
    """
    return {name: _meiosis(of, counts["jaxbreed"]) for name, of in counts.items()}


def _meiosis(of: dict[str, Any], jaxbreed: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for place, morgan in enumerate(PAIRS_MORGAN):
        shares = [(one["recombined"][place] / one["gametes"], one["gametes"]) for one in (of, jaxbreed)]
        rows.append(_shares(f"recombined at {100 * morgan:g} cM", shares, float(haldane(np.array(morgan)))))
    ends = len(PAIRS_MORGAN) - 1
    shares = [(one["unlinked"] / (ends * one["gametes"]), ends * one["gametes"]) for one in (of, jaxbreed)]
    rows.append(_shares("recombined between chromosomes", shares, 0.5))
    r = float(haldane(np.array(1 / (DENSE - 1))))
    mean, variance = (DENSE - 1) * r, (DENSE - 1) * r * (1 - r)
    seen = [_moments(one["crossovers"]) for one in (of, jaxbreed)]
    rows.append(_row_of("crossovers on 1 Morgan, mean", [(m, se) for m, se, _, _ in seen], mean))
    rows.append(_row_of("crossovers on 1 Morgan, variance", [(v, se) for _, _, v, se in seen], variance))
    return rows


def _shares(what: str, shares: list[tuple[float, int]], expected: float) -> dict[str, Any]:
    error = np.sqrt(expected * (1 - expected))
    return _row_of(what, [(share, error / np.sqrt(n)) for share, n in shares], expected)


def _row_of(what: str, values: list[tuple[float, float]], expected: float) -> dict[str, Any]:
    (one, one_se), (other, other_se) = values
    row = {"what": what, "seen": one, "se": one_se, "jaxbreed": other, "haldane": expected}
    row |= {"z": (one - other) / np.hypot(one_se, other_se), "z_haldane": (one - expected) / one_se}
    return _plain(row)


def _moments(histogram: list[int]) -> tuple[float, float, float, float]:
    """Mean and its standard error, variance and its standard error."""
    values = np.repeat(np.arange(len(histogram)), histogram).astype(float)
    n, variance = len(values), values.var(ddof=1)
    fourth = ((values - values.mean()) ** 4).mean()
    return (
        float(values.mean()),
        float(np.sqrt(variance / n)),
        float(variance),
        float(np.sqrt((fourth - variance**2) / n)),
    )
