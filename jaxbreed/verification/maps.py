"""Map functions and what follows from them: expectations of the checks of meiosis."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]


def haldane(morgans: npt.ArrayLike) -> Floats:
    """Recombination fraction without interference, 1/2 (1 - exp(-2 d)).

    Written out once more: what is verified must not supply its own expectation.
    """
    return np.asarray(0.5 * (1 - np.exp(-2 * np.asarray(morgans, np.float64))))


def kosambi(morgans: npt.ArrayLike) -> Floats:
    """Kosambi's map function, 1/2 tanh(2 d): the nearest wrong model."""
    return np.asarray(0.5 * np.tanh(2 * np.asarray(morgans, np.float64)))


def linear(morgans: npt.ArrayLike) -> Floats:
    """No map function at all, r = d: another."""
    return np.minimum(0.5, np.asarray(morgans, np.float64))


def gamete_variance(
    effects: Floats,
    position: Floats,
    chromosome: npt.NDArray[np.integer],
    function: Callable[[Floats], Floats] = haldane,
) -> float:
    """Variance among the gametes of one parent: 1/4 sum over pairs of loci of d_i d_j (1 - 2 r_ij).

    Args:
      effects: (locus,), differences d between the values of the parent's two haplotypes.
      position: (locus,), Morgans.
      chromosome: (locus,).
      function: from Morgans to recombination fractions.
    """
    apart = np.abs(position[:, None] - position)
    kept = np.where(chromosome[:, None] == chromosome, 1 - 2 * function(apart), 0.0)
    return float(effects @ kept @ effects) / 4


def switch_chances(fractions: npt.ArrayLike) -> Floats:
    """Chances of 0, 1, 2, ... recombined intervals of many that recombine independently."""
    chances = np.ones(1)
    for r in np.asarray(fractions, np.float64).ravel():
        chances = np.convolve(chances, [1 - r, r])[:40]
    return chances


def chiasma_counts(p: int, lengths: Sequence[float], starts: range) -> dict[tuple[int, ...], float]:
    """Chances of the numbers of chiasmata in successive intervals under the chi-square model.

    Every p-th point of a Poisson process of rate 2 p per Morgan is a chiasma (Foss et al. 1993; Zhao, Speed & McPeek
    1995); each lies on a given chromatid with chance one half. With p = 1 that is Haldane's model.

    Args:
      p: shape of the gamma distances.
      lengths: of the intervals, Morgans.
      starts: points already counted at the start, all equally likely; `range(p)` for a stationary start.
    """
    states: dict[tuple[tuple[int, ...], int], float] = {((), start): 1.0 / len(starts) for start in starts}
    for length in lengths:
        mean = 2 * p * length
        pmf = stats.poisson.pmf(np.arange(int(stats.poisson.isf(1e-13, mean)) + 2), mean)
        after: dict[tuple[tuple[int, ...], int], float] = {}
        for ((counts, phase), chance), (points, more) in itertools.product(states.items(), enumerate(pmf)):
            state = ((*counts, (phase + points) // p), (phase + points) % p)
            after[state] = after.get(state, 0.0) + chance * float(more)
        states = after
    chances: dict[tuple[int, ...], float] = {}
    for (counts, _), chance in states.items():
        chances[counts] = chances.get(counts, 0.0) + chance
    return chances


def crossover_chances(p: int, length: float, stationary: bool = True) -> Floats:
    """Chances of 0, 1, 2, ... crossovers of a gamete under the chi-square model."""
    chances = np.zeros(40)
    for (chiasmata,), chance in chiasma_counts(p, (length,), range(p if stationary else 1)).items():
        chances[: chiasmata + 1] += chance * stats.binom.pmf(np.arange(chiasmata + 1), chiasmata, 0.5)
    return chances


def chi_square_recombination(p: int, distance: float) -> float:
    """Recombination fraction under the chi-square model: half the chance of at least one chiasma (Mather 1936)."""
    return 0.5 * sum(chance for (n,), chance in chiasma_counts(p, (distance,), range(p)).items() if n)
