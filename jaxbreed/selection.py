"""Selection: truncation on the index, within or across lineages."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxbreed.kernels import Tested
from jaxbreed.program import Settings
from jaxbreed.schedule import Schedule


class Chosen(NamedTuple):
    """Selected animals of one sex: leading axes (replicate, group), group = lineage (within) or 1 (across)."""

    lineage: Array  # int32 (..., place), lineage the animal comes from
    sire: Array  # int32 (..., place), which of the clutch's sires fathered it
    egg: Array  # uint32 (..., place)
    alive: Array  # bool (..., place); False where there was no animal left to choose


def candidates_kept(settings: Settings, fraction: float, tests: int | None = None) -> int:
    """How many animals of each sex the sweep must remember of each family.

    Args:
      settings: the rules.
      fraction: the largest selected fraction of the schedule.
      tests: the most animals of a clutch that the schedule tests; None for as many as the programme says.

    Returns:
      Enough for the places to fill and, when breeders are drawn from a selected fraction, for that whole fraction
      to come from one family.
    """
    needed = max(settings.parents_needed)
    groups = 1 if settings.scope == "within" else settings.lineages
    if settings.chosen_among_eggs:  # however few are tested
        tested = settings.eggs[1]
    else:
        tested = settings.most_tested if tests is None else min(tests, settings.eggs[1])
    pool = int(fraction * tested / 2 * groups) + 1
    # A family has about half its animals of each sex; 6 SD more than half cannot happen.
    most = int(tested / 2 + 3 * tested**0.5) + 1
    return max(1, min(max(needed, pool), most))


def check_families(settings: Settings, schedule: Schedule) -> None:
    """What else a weight of family means asks for.

    Raises:
      ValueError: parents are chosen among all eggs by prediction, which weighs families itself.
    """
    if schedule.family_weight is not None and settings.chosen_among_eggs:
        weight = float(np.asarray(schedule.family_weight)[0])
        raise ValueError(
            f'family_weight is {weight:g}; it must be left out where prediction chooses among all "eggs", since a '
            "prediction weighs families by itself"
        )


def check_tests(settings: Settings, schedule: Schedule) -> None:
    """What else numbers of tests ask for.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    if schedule.tests is None:
        return
    tests = np.asarray(schedule.tests)
    if settings.stages:
        raise ValueError(f"tests is {tests[0]}; it must be left out where stages say who is tested")
    if tests.shape != (schedule.generations,):
        raise ValueError(f"tests has {tests.size} generations; the schedule has {schedule.generations}")
    groups = 1 if settings.scope == "within" else settings.lineages
    fewest = -(-2 * max(settings.parents_needed) // groups)
    if tests.min() < fewest:
        raise ValueError(
            f"tests is {tests.min()}; it must be at least {fewest} of each clutch, for parents of either sex"
        )


def select(settings: Settings, tested: Tested, sex: int, fraction: Array, key: Array) -> Chosen:
    """Chooses the parents of one sex.

    Truncation takes the best by index. With a fraction, the best `fraction` of half the tested animals in
    each group form a pool (never smaller than the places to fill), and parents are drawn from it at random without
    replacement. A quota leaves only the best so many of each family to choose from. Ties go to the lower lineage,
    sire and egg number.

    Args:
      settings: the rules.
      tested: results of the sweep, leading axes (replicate, lineage, sire).
      sex: 0 females, 1 males.
      fraction: float32 (), 0 for plain truncation.
      key: typed key (replicate,), of the random draw.

    Returns:
      The chosen, in falling order of choice.
    """
    rank, egg = tested.rank[..., sex, :], tested.egg[..., sex, :]
    replicates, lineages, sires, kept = rank.shape
    groups = lineages if settings.scope == "within" else 1
    places = settings.parents_needed[sex]
    family = jnp.arange(lineages * sires).reshape(groups, -1)

    if settings.quota is not None:  # ranks fall within a family: its best come first
        rank = jnp.where(jnp.arange(kept) < settings.quota, rank, 0)
    order = rank.reshape(replicates, groups, -1)
    sorted_rank = -jnp.sort(-order, axis=-1)
    animals = tested.moments.count.reshape(replicates, groups, -1).astype(jnp.float32).sum(-1) / 2
    pool = jnp.maximum(jnp.round(fraction * animals).astype(jnp.int32), places)
    pool = jnp.minimum(pool, order.shape[-1])
    limit = jnp.take_along_axis(sorted_rank, pool[..., None] - 1, axis=-1)
    luck = jax.vmap(lambda k: jax.random.bits(k, order.shape[1:], jnp.uint32))(key)
    # 31 bits, above 0: 0 marks an absent animal in either kind of order.
    lucky = (luck >> 1).astype(jnp.int32) | 1
    order = jnp.where(fraction > 0, jnp.where((order >= limit) & (order > 0), lucky, 0), order)

    best = jnp.argsort(-order, axis=-1, stable=True)[..., :places]
    where = jnp.take_along_axis(
        jnp.broadcast_to(family[:, :, None], (groups, family.shape[1], kept)).reshape(1, groups, -1), best, -1
    )
    return Chosen(
        lineage=where // sires,
        sire=where % sires,
        egg=jnp.take_along_axis(egg.reshape(order.shape), best, -1),
        alive=jnp.take_along_axis(order, best, -1) > 0,
    )
