"""Whole clutches and whole places for sires from optimum contributions."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxbreed.contributions import Candidates, UnattainableError

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


_ROUNDING = 1e-12  # kinships nearer than this are equal


class Places(NamedTuple):
    """The places that parents fill: the dams' clutches first, then the places for sires."""

    share: Floats  # (place,), contribution that goes with the place; all add up to 1
    male: npt.NDArray[np.bool_]  # (place,)
    most: tuple[int, int]  # most places of one female, of one male


def fill_places(candidates: Candidates, contribution: Floats, places: Places, limit: float) -> Whole:
    """Who fills which place, so that contributions are near the optimum and mean kinship is within the limit.

    Places are filled by largest remainders: each, the largest first, goes to the candidate that has furthest to go to
    its contribution. What rounding spoils is then mended one place at a time: while mean kinship is above the limit
    the change is made that gains the most of it for the merit lost; after that every change that gains merit within
    the limit, the best first.

    Args:
      candidates: see `optimum_contributions`.
      contribution: (candidate,), what it found.
      places: what is to be filled.
      limit: largest mean kinship.

    Returns:
      (place,) candidates.

    Raises:
      UnattainableError: no single change brings mean kinship down to the limit; says how low it came.
    """
    holder = _largest_remainders(candidates, contribution, places)
    smallest = 1e-12 * float(np.ptp(candidates.merit))
    while True:
        change, merit, kinship = _changes(candidates, holder, places)
        here = candidates.mean_kinship(_contributions(holder, places, len(contribution)))
        if here > limit:
            better = kinship < -_ROUNDING
            if not better.any():
                raise UnattainableError(f"limit is {limit:.6g}; the least mean kinship found is {here:.6g}", here)
            free = better & (merit >= 0)  # costs nothing
            price = np.where(better, merit, -np.inf) / np.where(better, -kinship, 1.0)
            best = int(np.argmin(np.where(free, kinship, 0.0))) if free.any() else int(np.argmax(price))
        else:
            gain = np.where(here + kinship <= limit - _ROUNDING, merit, 0.0)
            best = int(np.argmax(gain)) if len(gain) else -1
            if best < 0 or gain[best] <= smallest:
                return holder
        holder[change[0][best]] = change[1][best]


def _contributions(holder: Whole, places: Places, candidates: int) -> Floats:
    return np.asarray(np.bincount(holder, places.share, candidates), np.float64)


def _largest_remainders(candidates: Candidates, contribution: Floats, places: Places) -> Whole:
    left, held = contribution.copy(), np.zeros(len(contribution), np.int64)
    holder = np.zeros(len(places.share), np.int64)
    for place in np.argsort(-places.share, kind="stable"):
        male = bool(places.male[place])
        free = (candidates.male == male) & (held < places.most[male])
        taker = int(np.argmax(np.where(free, left, -np.inf)))
        holder[place] = taker
        held[taker] += 1
        left[taker] -= places.share[place]
    return holder


def _changes(candidates: Candidates, holder: Whole, places: Places) -> tuple[tuple[Whole, Whole], Floats, Floats]:
    """Changes of one place: (place, new holder), and by how much they change the mean merit and the mean kinship."""
    n = len(candidates.merit)
    c = _contributions(holder, places, n)
    held = np.bincount(holder, minlength=n)
    family, own = candidates.family, candidates.own_excess
    of_family = candidates.between @ np.bincount(family, c, len(candidates.itself))
    slope = 2 * (of_family[family] + own * c)
    most = np.where(candidates.male, places.most[1], places.most[0])
    # Sibs of one sex have the same kinships: of those without a place only the best can be worth one.
    of_sex = 2 * family + candidates.male
    order = np.lexsort((-candidates.merit, of_sex))
    idle = order[held[order] == 0]
    worth = held > 0
    worth[idle[np.unique(of_sex[idle], return_index=True)[1]]] = True
    some = np.flatnonzero(worth & (held < most))
    # Places of equal share with the same holder offer the same changes.
    _, one = np.unique(np.stack([holder, places.share]), axis=1, return_index=True)
    row, column = np.nonzero((candidates.male[some] == places.male[one, None]) & (some != holder[one, None]))
    place, new = one[row], some[column]
    old, w = holder[place], places.share[place]
    distance = candidates.itself[family[old]] + candidates.itself[family[new]]
    distance = distance - 2 * candidates.between[family[old], family[new]]
    kinship = w * (slope[new] - slope[old]) + w**2 * distance
    return (place, new), w * (candidates.merit[new] - candidates.merit[old]), kinship
