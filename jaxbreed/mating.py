"""Mating: which of the selected males sire which clutch."""

import functools

import jax
import jax.numpy as jnp
from jax import Array

from jaxbreed.program import Settings
from jaxbreed.selection import Chosen

TRIES = 128
"""Random arrangements of which the best is taken."""


def mate(
    settings: Settings,
    females: Chosen,
    males: Chosen,
    father_name: Array,
    kept: Array,
    key: Array,
    *,
    placed: bool = False,
) -> tuple[Chosen, Chosen]:
    """Fills the places of dams and sires.

    Females go to lineages in order of choice (across) or stay in their own (within). Males fill the places for
    sires by a random permutation (across), or each lineage sends its first male to the first place of one clutch, its
    second to the second place of another, and so on (within): with unequal paternity better males have more
    offspring. To avoid sib matings the best of 128 random arrangements is taken, by the number of pairs that share a
    dam or a sire; a few such pairs can remain.

    Mated within their lineages, each place takes with chance `migration` the male of the same place of another lineage,
    all others equally likely, instead of its own (the island model, Wright 1931, Genetics 16:97).

    Args:
      settings: the rules.
      females: chosen females.
      males: chosen males.
      father_name: uint32 (replicate, lineage, sire), first word of the name of the sire of each family they come from.
      kept: int32 (), different males used, in each lineage (within) or altogether (across).
      key: typed key (replicate,).
      placed: whether males are given by lineage and place of the clutch, as optimum contributions plan them: they keep
        the place, as they do within lineages.

    Returns:
      Dams (replicate, lineage) and sires (replicate, lineage, sire place).
    """
    lineages = settings.lineages
    replicates = females.egg.shape[0]
    dams = Chosen(*(x.reshape(replicates, lineages) for x in females))
    males = in_turn(males, kept)
    if settings.mating == "within_lineage":
        return dams, males if settings.migration == 0 else jax.vmap(functools.partial(_migrate, settings))(key, males)

    permuted = functools.partial(permuted_places, settings, placed=placed)

    def arrange(key: Array, dam: Chosen, male: Chosen, father_name: Array) -> Chosen:
        flat = Chosen(*(x.reshape(-1) for x in male))
        if settings.mating == "random":
            return Chosen(*(x[permuted(key)] for x in flat))
        tries = jax.vmap(permuted)(jax.random.split(key, TRIES))
        same_dam = flat.lineage[tries] == dam.lineage[:, None]
        father = father_name[flat.lineage, flat.sire][tries]
        same_sire = father == father_name[dam.lineage, dam.sire][:, None]
        best = tries[jnp.argmin((same_dam | same_sire).sum((1, 2)))]
        return Chosen(*(x[best] for x in flat))

    return dams, jax.vmap(arrange)(key, dams, males, father_name)


def permuted_places(settings: Settings, key: Array, *, placed: bool = False) -> Array:
    """A random arrangement of males: int32 (lineage, sire place), numbers in a list of them lineage by lineage.

    Args:
      settings: the rules.
      key: of the draw.
      placed: see `mate`.
    """
    lineages, sires = settings.lineages, settings.sires[1]
    if settings.scope == "across" and not placed:
        return jax.random.permutation(key, lineages * sires).reshape(lineages, sires)
    # Each lineage sends one male to each column of places.
    column = jax.vmap(lambda k: jax.random.permutation(k, lineages))(jax.random.split(key, sires))
    return column.T * sires + jnp.arange(sires)


def in_turn(males: Chosen, kept: Array) -> Chosen:
    """Fills the places with the first so many males, over and over."""
    places = males.egg.shape[-1]
    turn = jnp.arange(places) % jnp.clip(kept, 1, places)
    return Chosen(*(x[..., turn] for x in males))


def _migrate(settings: Settings, key: Array, males: Chosen) -> Chosen:
    """One replicate's males (lineage, place), some places filled from another lineage."""
    lineages, places = males.egg.shape
    for_whether, for_whence = jax.random.split(key)
    comes = jax.random.bernoulli(for_whether, settings.migration, (lineages, places))
    away = jnp.where(comes, jax.random.randint(for_whence, (lineages, places), 1, lineages), 0)
    source = (jnp.arange(lineages)[:, None] + away) % lineages
    return Chosen(*(x[source, jnp.arange(places)] for x in males))
