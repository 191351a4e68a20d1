"""Parents by optimum contributions: from the animals that the sweep remembers to the places they fill."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxbreed import coancestry
from jaxbreed.clutch import Families, cumulative_shares
from jaxbreed.contributions import Candidates, UnattainableError, least_related, optimum_contributions, solver
from jaxbreed.kernels import Tested
from jaxbreed.places import Places, fill_places
from jaxbreed.population import Population
from jaxbreed.program import Settings
from jaxbreed.schedule import Schedule
from jaxbreed.selection import Chosen

Whole = npt.NDArray[np.int64]
_FIRST = 8  # animals of each family and sex considered at first; more as soon as the last of them is of use


class _Animals(NamedTuple):
    """Who the candidates are, (candidate,)."""

    lineage: Whole
    sire: Whole
    male: npt.NDArray[np.bool_]
    standing: Whole  # among its sex in its family, 0 the best


def check_limits(settings: Settings, schedule: Schedule) -> None:
    """What else limits on inbreeding ask for.

    Raises:
      ValueError: naming the field, its value and what would be right; or the solver is not installed.
    """
    if schedule.inbreeding_rate is None:
        return
    rate = np.asarray(schedule.inbreeding_rate, np.float64)
    limited = np.isfinite(rate)
    if rate.shape != (schedule.generations,):
        raise ValueError(f"inbreeding_rate has {rate.size} generations; the schedule has {schedule.generations}")
    if wrong := rate[np.isnan(rate) | (limited & ((rate <= 0) | (rate >= 1)))].tolist():
        raise ValueError(f"inbreeding_rate is {wrong[0]:g}; it must be above 0 and below 1, or left out")
    if not limited.any():
        return
    if settings.scope != "across":
        raise ValueError(f'scope is {settings.scope}; with inbreeding_rate it must be "across"')
    if (np.asarray(schedule.fraction)[limited] > 0).any():
        raise ValueError(
            f"fraction is {float(np.asarray(schedule.fraction)[limited].max()):g}; with inbreeding_rate it must be 0"
        )
    if (males := int(np.asarray(schedule.males)[limited].min())) < settings.parents_needed[1]:
        raise ValueError(
            f"males is {males}; with inbreeding_rate it must be left out: the limit decides how many males are used"
        )
    if settings.storage > 0:
        raise ValueError(f"storage is {settings.storage:g}; with inbreeding_rate it must be 0: places are planned")
    solver()


def optimum_parents(
    settings: Settings,
    rate: float,
    population: Population,
    families: Families,
    tested: Tested,
    merit: npt.NDArray[np.float64],
    g: int,
) -> tuple[Chosen, Chosen]:
    """Chooses parents for the most gain at a limited rate of inbreeding.

    Mean kinship K of the parents, weighted by contributions, may rise to 1 - (1 - K)(1 - rate). Contributions are
    those expected before the next clutches are laid: a dam's is half a clutch of mean size, a sire's what his places
    bring. Clutches that then differ in size and in numbers of sires add to the kinship of the eggs; what they are
    expected to add, the parents being as much related to their mates as to others, is left free for them.

    Args:
      settings: the rules.
      rate: largest rate of inbreeding, a generation.
      population: the breeders.
      families: the families they have.
      tested: results of the sweep, leading axes (replicate, lineage, sire).
      merit: (replicate, lineage, sire, sex, kept), what the animals it remembers are expected to transmit, any unit.
      g: the generation.

    Returns:
      Females (replicate, 1, lineage) and males (replicate, lineage, sire place).

    Raises:
      ValueError: no choice has so low a rate; says the least one.
    """
    lineages, sires = settings.lineages, settings.sires[1]
    places, chance = _places(settings), _chance(settings)
    kinship = np.asarray(population.kinship, np.float64)
    rank, egg = np.asarray(tested.rank)[..., : settings.quota], np.asarray(tested.egg)
    shape = (len(kinship), len(places.share))
    parts = Chosen(*(np.zeros(shape, kind) for kind in (np.int32, np.int32, np.uint32, bool)))  # type: ignore[arg-type]
    for r in range(shape[0]):
        dam, sire, eggs = (np.asarray(x)[r].reshape(-1) for x in (families.dam, families.sire, families.eggs))
        now = coancestry.of_gene_pool(kinship[r], dam, sire, eggs.astype(np.int64))
        relations = coancestry.between_families(kinship[r], dam, sire), coancestry.with_itself(kinship[r], dam, sire)
        if not _enough(rank[r], places):
            continue  # nobody is alive in its places, which the caller reports
        limit = 1 - (1 - now) * (1 - rate)
        try:
            who, holder = _fill(places, rank[r], merit[r], relations, limit - chance * (relations[1].mean() - limit))
        except UnattainableError as error:
            least = 1 - (1 - (error.least + chance * relations[1].mean()) / (1 + chance)) / (1 - now)
            raise ValueError(
                f"inbreeding_rate is {rate:g}; in generation {g} of replicate {r} the least rate that {lineages} "
                f"clutches by {sires} sires allow is {least:.3g}"
            ) from None
        lineage, of_sire, male, standing = (x[holder] for x in who)
        parts.lineage[r], parts.sire[r], parts.alive[r] = lineage, of_sire, True
        parts.egg[r] = egg[r, lineage, of_sire, male.astype(int), standing]
    females = Chosen(*(jnp.asarray(x[:, None, :lineages]) for x in parts))
    return females, Chosen(*(jnp.asarray(x[:, lineages:].reshape(-1, lineages, sires)) for x in parts))


def _places(settings: Settings) -> Places:
    lineages, (fewest, most) = settings.lineages, settings.sires
    # Of a clutch, by place, in the mean over the numbers of sires it may have.
    share = np.diff(cumulative_shares(settings)[fewest:], axis=1, prepend=0.0).mean(0)
    each = np.concatenate([np.ones(lineages), np.tile(share, lineages)]) / (2 * lineages)
    male = np.arange(len(each)) >= lineages
    return Places(each, male, (1, settings.male_places or lineages * most))


def _chance(settings: Settings) -> float:
    """Variance of contributions by clutch sizes and numbers of sires, summed over places: an animal holds c^2 of it."""
    lineages, (low, high) = settings.lineages, settings.eggs
    # Squared coefficient of variation, of a share of all eggs.
    of_size = ((high - low + 1) ** 2 - 1) / 12 / ((low + high) / 2) ** 2 * (1 - 1 / lineages)
    share = np.diff(cumulative_shares(settings)[settings.sires[0] :], axis=1, prepend=0.0)
    of_sires = ((1 + of_size) * (share**2).mean(0) - share.mean(0) ** 2).sum()
    return float((of_size + of_sires) / (4 * lineages))


def _enough(rank: npt.NDArray[np.int32], places: Places) -> bool:
    animals = (rank > 0).sum((0, 1, 3))
    needed = np.bincount(places.male)
    return bool((animals * np.array(places.most) >= needed).all())


def _fill(
    places: Places,
    rank: npt.NDArray[np.int32],
    merit: npt.NDArray[np.float64],
    relations: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    limit: float,
) -> tuple[_Animals, Whole]:
    """Candidates of one replicate and which of them fill the places."""
    male_share = np.sort(places.share[places.male])[::-1][: places.most[1]].sum()
    depth, all_kept = _FIRST, rank.shape[-1]
    while not _enough(rank[..., :depth], places):
        depth *= 2
    while True:
        # The best of each family: sibs share their kinships, so a worse one is of use only after a better one.
        lineage, sire, sex, standing = np.nonzero(rank[..., :depth] > 0)
        who = _Animals(lineage, sire, sex == 1, standing)
        most = np.where(who.male, male_share, places.share[0])
        value = merit[lineage, sire, sex, standing]
        candidates = Candidates(value, who.male, lineage * rank.shape[1] + sire, most, *relations)
        try:
            contribution = optimum_contributions(candidates, limit)
            holder = fill_places(candidates, contribution, places, limit)
        except UnattainableError:
            # From the best start there is; it says how low whole places come. More sibs would not lower that.
            return who, fill_places(candidates, least_related(candidates), places, limit)
        used = (contribution > 1e-6 * places.share[0]) | np.isin(np.arange(len(value)), holder)
        if depth >= all_kept or not (used & (standing == depth - 1)).any():
            return who, holder
        depth *= 2
