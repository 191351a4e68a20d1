"""Laying: who mates whom, how many eggs of whom, what a clutch shares."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxbreed.genetic_load import carried
from jaxbreed.kernels import environment, family_key
from jaxbreed.population import Population, sire_places
from jaxbreed.program import Program, Settings


class Families(NamedTuple):
    """The families of one generation. Leading axes (replicate, lineage, sire)."""

    eggs: Array  # int32, eggs laid
    capacity: Array  # int32, most animals tested
    key: Array  # uint32 (..., 2), names the eggs
    dam: Array  # int32, place of the dam among the breeders
    sire: Array  # int32, place of the sire
    clutch: Array  # int32 (..., trait), effect of the clutch on its phenotypes, score units; one for all sires


def lay(program: Program, population: Population, key: Array, tests: Array | None = None) -> Families:
    """Clutch sizes, sires, paternity and what a clutch shares.

    Clutch sizes and numbers of sires are uniform over their ranges. Successive sires' shares fall by the factor
    `paternity`; eggs, and the capacity of the test, are divided by these shares, rounded to whole eggs. A female with
    a load on fertility lays fewer. A male that
    holds several places of a clutch has one family there.

    Args:
      program: the programme.
      population: the breeders.
      key: typed key (replicate,).
      tests: int32 (), most animals tested of a clutch; None for as many as the programme says.

    Returns:
      The families.
    """
    settings = program.settings
    replicates, (fewest, most) = key.shape[0], settings.sires
    lineages = settings.lineages
    keys = jax.vmap(lambda k: jax.random.split(k, 3))(key)
    shape = (lineages,)
    clutch = jax.vmap(lambda k: jax.random.randint(k, shape, settings.eggs[0], settings.eggs[1] + 1))(keys[:, 0])
    sires = jax.vmap(lambda k: jax.random.randint(k, shape, fewest, most + 1))(keys[:, 1])
    words = jax.vmap(lambda k: jax.random.bits(k, (2,), jnp.uint32))(keys[:, 2])
    if program.load is not None:
        copies = population.haplotypes[:, :lineages, :, program.traits.qtl].sum(-2)
        laid = clutch * jnp.exp(-carried(program.load.fertility, copies))
        clutch = jnp.round(laid).astype(jnp.int32)

    cumulative = jnp.asarray(cumulative_shares(settings), jnp.float32)[sires]
    entering = settings.entering if tests is None else tests
    tested = clutch if entering is None else jnp.minimum(clutch, entering)
    dam = jnp.broadcast_to(jnp.arange(lineages)[:, None], (replicates, lineages, most))
    sire = jnp.broadcast_to(jnp.asarray(sire_places(settings)), (replicates, lineages, most))
    rows = jnp.arange(replicates)[:, None, None]
    dam_name, sire_name = population.name[rows, dam], population.name[rows, sire]
    return Families(
        eggs=_one_family_a_pair(_divide(clutch, cumulative), sire_name),
        # Shared out as the eggs are; with every survivor tested the eggs themselves are the limit.
        capacity=_one_family_a_pair(_divide(tested, cumulative), sire_name),
        key=family_key(words[:, None, None], dam_name, sire_name),
        dam=dam,
        sire=sire,
        clutch=_clutch_effect(program, family_key(words[:, None, None], dam_name, dam_name)),
    )


def _clutch_effect(program: Program, key: Array) -> Array:
    """What all eggs of a clutch share besides genes, whoever their sire: int32 (..., trait).

    Args:
      program: the programme.
      key: uint32 (..., 2), names the clutch.
    """
    shape = (*key.shape[:-1], len(program.traits.names))
    if program.clutch is None:
        return jnp.zeros(shape, jnp.int32)
    effect = environment((key[..., 0], key[..., 1]), jnp.zeros(key.shape[:-1], jnp.uint32), program.clutch)
    return jnp.moveaxis(effect, 0, -1)


def _one_family_a_pair(number: Array, sire_name: Array) -> Array:
    """Gives all the eggs of one sire to the first of his places in the clutch.

    An egg is named by dam, sire and number: two families of one pair would hold the same eggs twice.

    Args:
      number: int32 (..., sire), eggs by place.
      sire_name: uint32 (..., sire, 2).

    Returns:
      int32 (..., sire).
    """
    same = (sire_name[..., :, None, :] == sire_name[..., None, :, :]).all(-1)
    first = jnp.argmax(same, axis=-1)  # the first place of the male in each place
    here = first[..., :, None] == jnp.arange(number.shape[-1])
    return (number[..., :, None] * here).sum(-2)


def cumulative_shares(settings: Settings) -> np.ndarray:
    """(number of sires, sire): share of the clutch sired by this sire and those before; row 0 is not used."""
    most = settings.sires[1]
    share = np.array([[settings.paternity**s * (s < count) for s in range(most)] for count in range(most + 1)])
    share[0] = 1.0
    return np.cumsum(share, axis=1) / share.sum(axis=1, keepdims=True)


def _divide(total: Array, cumulative: Array) -> Array:
    """Divides whole eggs by cumulative shares: int32 (..., sire)."""
    upto = jnp.floor(total[..., None].astype(jnp.float32) * cumulative + 0.5).astype(jnp.int32)
    upto = jnp.where(cumulative >= 1.0, total[..., None], jnp.minimum(upto, total[..., None]))
    return jnp.diff(upto, axis=-1, prepend=0)
