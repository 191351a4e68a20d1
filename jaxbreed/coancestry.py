"""Kinship among eggs of families, expected from that of their parents (Malécot 1948)."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.integer]


def between_families(kinship: Floats, dam: Places, sire: Places) -> Floats:
    """Kinship of two different eggs, by their families.

    It is the mean over the four pairs of parents; for two eggs of one family (k_dd + k_ss + 2 k_ds) / 4, where k_dd
    and k_ss are self-kinships.

    Args:
      kinship: (animal, animal) of the parents, self-kinship (1 + F) / 2 on the diagonal.
      dam: (family,), place of each family's dam among the animals.
      sire: (family,), place of its sire.

    Returns:
      (family, family).
    """
    with_animal = 0.5 * (kinship[dam] + kinship[sire])
    return 0.5 * (with_animal[:, dam] + with_animal[:, sire])


def with_itself(kinship: Floats, dam: Places, sire: Places) -> Floats:
    """Self-kinship (1 + F) / 2 of an egg of each family, F being the kinship of its parents: (family,).

    Args:
      kinship: (animal, animal) of the parents.
      dam: (family,), see `between_families`.
      sire: (family,).
    """
    return 0.5 * (1.0 + kinship[dam, sire])


def of_gene_pool(kinship: Floats, dam: Places, sire: Places, eggs: npt.NDArray[np.integer]) -> float:
    """Mean kinship of the genes of all eggs: c'Kc, c being the parents' contributions.

    Args:
      kinship: (animal, animal) of the parents.
      dam: (family,), see `between_families`.
      sire: (family,).
      eggs: (family,), eggs of each family.

    Returns:
      The probability that two genes, drawn at random with replacement from the parents by their contributions, are
      identical by descent.
    """
    contribution = np.zeros(len(kinship))
    for place in (dam, sire):
        np.add.at(contribution, place, 0.5 * eggs / eggs.sum())
    return float(contribution @ kinship @ contribution)
