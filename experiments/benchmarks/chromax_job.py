"""The same job in ChromaX (https://github.com/kora-labs/chromax): offspring of one pair, and their breeding values.

Its map is fed as recombination rates: its centimorgan path leaves most of the genome without crossovers.
"""

import importlib.util
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np


def available() -> bool:
    """Whether ChromaX is installed."""
    return importlib.util.find_spec("chromax") is not None


def runner(offspring: int, loci: int, chromosomes: int, morgans: float) -> tuple[Callable[[int], Any], dict[str, Any]]:
    """Prepares a clutch.

    Args:
      offspring: eggs a call; ChromaX stores them, so a large clutch comes in parts.
      loci: markers, all with effects.
      chromosomes: how many.
      morgans: length of the whole map.

    Returns:
      A function that makes and scores one part, and the checked crossovers of a gamete.
    """
    import chromax
    import jax
    import pandas as pd

    each = loci // chromosomes
    distance = morgans / chromosomes / (each - 1)
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "CHR.PHYS": np.repeat(np.arange(chromosomes), each),
            "RecombRate": np.full(each * chromosomes, 0.5 * (1 - np.exp(-2 * distance)), np.float32),
            "trait": rng.normal(size=each * chromosomes),
        }
    )
    simulator = chromax.Simulator(genetic_map=table, trait_names=["trait"], seed=1)
    parents = rng.integers(0, 2, (2, each * chromosomes, 2)).astype(bool)
    # (offspring, parent, marker, haplotype)
    pairs = np.broadcast_to(parents, (offspring, *parents.shape))
    effects = simulator.GEBV_model

    def once(number: int) -> Any:
        del number  # its own generator moves on by itself
        return jax.block_until_ready(effects(simulator.cross(pairs)))

    differing = np.zeros((1, 2, each * chromosomes, 2), bool)
    differing[..., 1] = True
    young = np.asarray(simulator.cross(np.broadcast_to(differing, (500, *differing.shape[1:]))))
    gametes = np.moveaxis(young, -1, 1)
    together = np.diff(table["CHR.PHYS"].to_numpy()) == 0
    seen = ((gametes[..., 1:] != gametes[..., :-1]) & together).sum(-1)
    checks = {
        "crossovers_per_gamete": round(float(seen.mean()), 3),
        "crossovers_se": round(float(seen.std() / np.sqrt(seen.size)), 3),
        "version": version("chromax"),
    }
    return once, checks
