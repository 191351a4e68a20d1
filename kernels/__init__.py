"""Kernels: arrays in, arrays out; they know meiosis and ranking but no breeding.

An egg is its name: every random word it needs is a hash of its family's key, its number and a purpose, so its genome
and phenotype can be found again at any time, in any order, on any device, and a clutch is never stored.
"""

if __name__ != "jaxbreed.kernels":
    raise ImportError("the folder `kernels` is part of jaxbreed: import it as `jaxbreed.kernels`")

from jaxbreed.kernels.dispatch import (
    IMPLEMENTATIONS,
    check_implementation,
    hatch,
    implementations,
    score,
    suffix_tables,
    sweep,
)
from jaxbreed.kernels.fate import (
    Noise,
    build_noise,
    environment,
    family_key,
    identity,
    sex,
    survival_threshold,
    survives,
)
from jaxbreed.kernels.moments import Moments
from jaxbreed.kernels.mutation import Mutation, build_mutation, mutation_counts
from jaxbreed.kernels.suffix import Alleles, SuffixTables
from jaxbreed.kernels.sweep import Assay, Tested, screen_size, selection_index
from jaxbreed.kernels.threefry import threefry2x32
from jaxbreed.kernels.walkmap import WalkMap, build_walk_map

__all__ = [
    "IMPLEMENTATIONS",
    "Alleles",
    "Assay",
    "Moments",
    "Mutation",
    "Noise",
    "SuffixTables",
    "Tested",
    "WalkMap",
    "build_mutation",
    "build_noise",
    "build_walk_map",
    "check_implementation",
    "environment",
    "family_key",
    "hatch",
    "identity",
    "implementations",
    "mutation_counts",
    "score",
    "screen_size",
    "selection_index",
    "sex",
    "suffix_tables",
    "survival_threshold",
    "survives",
    "sweep",
    "threefry2x32",
]
