"""Mating: which of the selected males sire which clutch."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxbreed.program import Settings
from jaxbreed.selection import Chosen

_TRIES = 128


def mate(
    settings: Settings, females: Chosen, males: Chosen, father_name: Array, kept: Array, key: Array
) -> tuple[Chosen, Chosen]:
    """Fills the places of dams and sires.

    Females go to lineages in order of choice (across) or stay in their own (within). Males fill the places for
    sires by a random permutation (across), or each lineage sends its first male to the first place of one clutch, its
    second to the second place of another, and so on (within): with unequal paternity better males have more
    offspring. To avoid sib matings the best of 128 random arrangements is taken, by the number of pairs that share a
    dam or a sire; a few such pairs can remain.

    Args:
      settings: the rules.
      females: chosen females.
      males: chosen males.
      father_name: uint32 (replicate, lineage, sire), first word of the name of the sire of each family they come from.
      kept: int32 (), different males used, in each lineage (within) or altogether (across).
      key: typed key (replicate,).

    Returns:
      Dams (replicate, lineage) and sires (replicate, lineage, sire place).
    """
    lineages, sires = settings.lineages, settings.sires[1]
    replicates = females.egg.shape[0]
    dams = Chosen(*(x.reshape(replicates, lineages) for x in females))
    places = males.egg.shape[-1]
    in_turn = jnp.arange(places) % jnp.clip(kept, 1, places)
    males = Chosen(*(x[..., in_turn] for x in males))
    if settings.mating == "within_lineage":
        return dams, males

    def permuted(key: Array) -> Array:
        if settings.scope == "across":
            return jax.random.permutation(key, lineages * sires).reshape(lineages, sires)
        # Each lineage sends one male to each column of places: (lineage, sire) numbers of a flat list.
        column = jax.vmap(lambda k: jax.random.permutation(k, lineages))(jax.random.split(key, sires))
        return column.T * sires + jnp.arange(sires)

    def arrange(key: Array, dam: Chosen, male: Chosen, father_name: Array) -> Chosen:
        flat = Chosen(*(x.reshape(-1) for x in male))
        if settings.mating == "random":
            return Chosen(*(x[permuted(key)] for x in flat))
        tries = jax.vmap(permuted)(jax.random.split(key, _TRIES))
        same_dam = flat.lineage[tries] == dam.lineage[:, None]
        father = father_name[flat.lineage, flat.sire][tries]
        same_sire = father == father_name[dam.lineage, dam.sire][:, None]
        best = tries[jnp.argmin((same_dam | same_sire).sum((1, 2)))]
        return Chosen(*(x[best] for x in flat))

    return dams, jax.vmap(arrange)(key, dams, males, father_name)
