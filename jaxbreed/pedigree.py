"""Pedigree kinship, exact (Malécot 1948): carried forward one generation at a time."""

import jax.numpy as jnp
from jax import Array


def founder_kinship(animals: int) -> Array:
    """Kinship of unrelated, outbred founders: float32 (animal, animal), 1/2 on the diagonal."""
    return 0.5 * jnp.eye(animals, dtype=jnp.float32)


def next_kinship(kinship: Array, mother: Array, father: Array, name: Array) -> Array:
    """Kinship among the chosen from the kinship among their parents.

    Kinship with another animal is the mean over the four pairs of parents; with oneself it is (1 + F) / 2, where
    F is the kinship of one's parents. Two places held by the same animal have its self-kinship.

    Args:
      kinship: float32 (animal, animal) of the parents' generation.
      mother: int32 (animal,), place of each new animal's dam.
      father: int32 (animal,), place of its sire.
      name: uint32 (animal, 2), identities of the new animals.

    Returns:
      float32 (animal, animal).
    """
    with_parent = 0.5 * (kinship[:, mother] + kinship[:, father])  # old animal by new animal
    between = 0.5 * (with_parent[mother] + with_parent[father])
    inbreeding = kinship[mother, father]
    same = (name[:, None] == name[None]).all(-1)
    return jnp.where(same, 0.5 * (1.0 + inbreeding)[:, None], between)
