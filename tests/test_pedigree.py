"""Pedigree kinship against textbook inbreeding coefficients and against gene dropping."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxbreed.pedigree import founder_kinship, next_kinship


def names(count, start):
    return jnp.stack([jnp.arange(start, start + count), jnp.zeros(count)], -1).astype(jnp.uint32)


def test_full_sib_mating():
    # Falconer & Mackay table 5.1: F of full-sib mating.
    kinship, f = founder_kinship(2), []
    for generation in range(7):
        f.append(float(kinship[0, 1]))
        kinship = next_kinship(kinship, jnp.array([0, 0]), jnp.array([1, 1]), names(2, 10 * generation))
    assert f == pytest.approx([0, 0.25, 0.375, 0.5, 0.59375, 0.671875, 0.734375])


def test_half_sibs_cousins_and_double_places():
    founders = founder_kinship(4)
    # Dams 0 and 1 by sire 2: half sibs; places 2 and 3 hold one animal, son of dam 0.
    mother, father = jnp.array([0, 1, 0, 0]), jnp.array([2, 2, 2, 2])
    young = next_kinship(founders, mother, father, jnp.array([[1, 0], [2, 0], [3, 0], [3, 0]], jnp.uint32))
    assert float(young[0, 1]) == 0.125
    assert float(young[0, 2]) == 0.25
    assert float(young[2, 3]) == float(young[2, 2]) == 0.5
    # Same first word of the name only: two different full sibs.
    other = next_kinship(founders, mother, father, jnp.array([[1, 0], [2, 0], [3, 0], [3, 1]], jnp.uint32))
    assert float(other[2, 3]) == 0.25


def test_against_gene_dropping():
    # An independent oracle: drop 200,000 independent loci through a random pedigree of 4 generations.
    rng = np.random.default_rng(4)
    loci, animals = 200_000, 6
    genes = np.arange(2 * animals).reshape(animals, 2, 1) * np.ones((1, 1, loci), int)
    kinship = founder_kinship(animals)
    for generation in range(4):
        mother, father = rng.integers(0, animals, animals), rng.integers(0, animals, animals)
        pick = rng.integers(0, 2, (2, animals, loci))
        genes = np.stack(
            [np.take_along_axis(genes[p], pick[i][:, None], 1)[:, 0] for i, p in enumerate((mother, father))], 1
        )
        kinship = next_kinship(kinship, jnp.asarray(mother), jnp.asarray(father), names(animals, 100 * generation))
    for i in range(animals):
        for j in range(animals):
            same = np.mean([(genes[i, a] == genes[j, b]).mean() for a in range(2) for b in range(2)])
            error = 0.5 / np.sqrt(loci)
            assert abs(same - float(kinship[i, j])) < 4.5 * error
