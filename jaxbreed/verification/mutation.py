"""De novo mutation (V27)."""

import math
from collections.abc import Iterator

import numpy as np

from jaxbreed import kernels
from jaxbreed.verification.findings import Finding, chi_square, known_error, variance_of
from jaxbreed.verification.gametes import hatch_family, score_family
from jaxbreed.verification.registry import Effort, check

POISSON = "(1 - exp(-2 u)) / 2 after a Poisson number of hits"
_SITES, _RATE = 10, 0.05


@check("V27", "mutation: hits are Poisson, sites alike, gametes independent; the variance they make")
def mutation(effort: Effort) -> Iterator[Finding]:
    """Wrong: hits that never undo each other; alleles that only go up; the first or the last site left out."""
    eggs = effort.size(60_000, 400_000)
    chromosome = np.repeat([0, 1], _SITES // 2).astype(np.int32)
    place = np.tile(np.linspace(0.0, 0.5, _SITES // 2), (2, 2))
    hits = kernels.build_mutation(_RATE, _SITES)
    walk_map = kernels.build_walk_map(chromosome, place, np.full((2, 2), 0.5), mutation=hits)
    flips = np.concatenate(
        list(hatch_family(np.zeros((2, 2, _SITES), np.uint8), walk_map, effort.words(27), eggs))
    ).astype(bool)
    p = (1 - math.exp(-2 * _RATE)) / 2

    def share(law: str, seen: np.ndarray | np.bool_, expected: float) -> Finding:
        error = math.sqrt(expected * (1 - expected) / seen.size)
        return known_error(law, float(seen.mean()), expected, error, POISSON)

    yield share(f"sites that carry the other allele, u = {_RATE:g}, {2 * eggs:,} gametes", flips, p)
    off = (flips.sum((0, 1)) - 2 * eggs * p) / math.sqrt(2 * eggs * p * (1 - p))
    yield chi_square("each site alike", float((off**2).sum()), _SITES, POISSON)
    yield share("both gametes of an egg, one site", flips[:, 0] & flips[:, 1], p * p)
    yield share("gametes without any", ~flips.any(-1), (1 - p) ** _SITES)
    effects = np.array([[100, -300, 500, 700, -900, 1100, 50, 0, 2000, 400]])
    parents = np.broadcast_to(np.array([0, 1, 1, 0, 0, 1, 1, 0, 1, 0], np.uint8), (2, 2, _SITES))
    values = score_family(effects, parents, walk_map, effort.words(270), eggs)[0]
    squares = float((effects.astype(float) ** 2).sum())
    yield variance_of(
        "variance that mutation makes in one generation, sum 2 a^2 p (1 - p)",
        values,
        2 * squares * p * (1 - p),
        POISSON,
    )
