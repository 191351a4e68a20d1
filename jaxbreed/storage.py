"""Stored sperm: males of the generation before in the places of males chosen now."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jax import Array

from jaxbreed.clutch import Families
from jaxbreed.mating import TRIES, permuted_places
from jaxbreed.population import Population, Stored, sire_places
from jaxbreed.program import Settings
from jaxbreed.selection import Chosen


def stored_places(settings: Settings, population: Population, families: Families, dams: Chosen, key: Array) -> Array:
    """Which stored male fills each place for a sire.

    With chance `storage` a place is filled by a male that was chosen a generation before, whether he bred then or not.
    Stored males are dealt out as males chosen now are: at random, or to their own lineage, or, to avoid sibs, in that
    of 128 random arrangements whose mates have the least sum of kinships, which keeps them from their daughters.

    Args:
      settings: the rules.
      population: the breeders so far, with the stored males.
      families: the families that the dams come from.
      dams: the next dams, (replicate, lineage).
      key: typed key (replicate,).

    Returns:
      int32 (replicate, lineage, sire), number of the stored male; -1 where a male chosen now keeps the place.
    """
    stored = population.stored
    assert stored is not None
    lineages, sires = settings.lineages, settings.sires[1]
    animals, own = settings.animals, jnp.arange(lineages * sires).reshape(lineages, sires)

    def of_one(key: Array, kinship: Array, mother: Array, father: Array) -> Array:
        for_whether, for_whom = jax.random.split(key)
        if settings.mating == "within_lineage":
            male = own
        elif settings.mating == "random":
            male = permuted_places(settings, for_whom)
        else:
            tries = jax.vmap(functools.partial(permuted_places, settings))(jax.random.split(for_whom, TRIES))
            with_dam = 0.5 * (kinship[:, mother] + kinship[:, father])  # stored male by dam
            male = tries[jnp.argmin(with_dam[tries, jnp.arange(lineages)[:, None]].sum((1, 2)))]
        return jnp.where(jax.random.bernoulli(for_whether, settings.storage, male.shape), male, -1)

    rows = jnp.arange(len(key))[:, None]
    mother, father = (place[rows, dams.lineage, dams.sire] for place in (families.dam, families.sire))
    return jax.vmap(of_one)(key, stored.kinship[:, :, :animals], mother, father)


def with_stored(young: Population, before: Population, places: Array) -> Population:
    """Puts stored males into their places, and stores the males that were chosen now.

    A male keeps his name, genome and records. Kinship with him is exact: with an animal of the next generation it is
    the mean of his kinships with its parents, which are among the breeders that he was stored beside.

    Args:
      young: the dams and sires that were chosen now.
      before: the breeders they come from, with the males stored then.
      places: int32 (replicate, lineage, sire), see `stored_places`.

    Returns:
      The next breeders and the next stored males.
    """
    stored = before.stored
    assert stored is not None
    replicates, animals = young.mother.shape
    rows, males = jnp.arange(replicates)[:, None], places.reshape(replicates, -1)
    dams = animals - males.shape[1]
    chosen = jnp.broadcast_to(jnp.arange(animals), (replicates, animals))
    # Everybody is the young, then the stored; here are those who fill the places, then those who are stored next.
    sires = jnp.where(males < 0, chosen[:, dams:], animals + males)
    who = jnp.concatenate([chosen[:, :dams], sires, chosen[:, dams:]], axis=1)

    def kinship(of_young: Array, of_stored: Array, mother: Array, father: Array, who: Array) -> Array:
        across = 0.5 * (of_stored[:, mother] + of_stored[:, father])  # stored by young
        everybody = jnp.block([[of_young, across.T], [across, of_stored[:, animals:]]])
        return everybody[who][:, who]

    related = jax.vmap(kinship)(young.kinship, stored.kinship, young.mother, young.father, who)
    absent = jnp.full_like(males, -1)
    everybody = {
        "haplotypes": (young.haplotypes, stored.haplotypes),
        "name": (young.name, stored.name),
        "genetic": (young.genetic, stored.genetic),
        "phenotype": (young.phenotype, stored.phenotype),
        "mother": (young.mother, absent),
        "father": (young.father, absent),
    }
    taken = {field: jnp.concatenate(pair, axis=1)[rows, who] for field, pair in everybody.items()}
    breeders = {field: value[:, :animals] for field, value in taken.items()}
    kept = {field: value[:, animals:] for field, value in taken.items()}
    store = Stored(**kept, kinship=related[:, animals:])
    return Population(**breeders, kinship=related[:, :animals, :animals], stored=store)


def first_stored(settings: Settings, founders: Population) -> Population:
    """Founders among whom the sires are stored at the start."""
    place = jnp.asarray(sire_places(settings).reshape(-1))
    kinship = jnp.concatenate([founders.kinship, founders.kinship[:, :, place]], axis=2)[:, place]
    fields = ("haplotypes", "name", "genetic", "phenotype", "mother", "father")
    kept = {field: getattr(founders, field)[:, place] for field in fields}
    return dataclasses.replace(founders, stored=Stored(**kept, kinship=kinship))


with_stored_jit = jax.jit(with_stored)
stored_places_jit = jax.jit(stored_places, static_argnums=0)
