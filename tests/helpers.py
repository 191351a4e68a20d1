"""Small programmes for tests, and the modules of studies."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from jaxbreed.effects import additive_traits
from jaxbreed.founders import Founders
from jaxbreed.genome import GeneticMap
from jaxbreed.program import Program, Settings, make_program
from jaxbreed.traits import Traits


def small_world(
    settings: Settings,
    *,
    founders: int,
    chromosomes: int = 6,
    loci: int = 600,
    qtl: int = 300,
    length=1.0,
    h2=(0.4, 0.3),
    correlation: float = 0.0,
    residual_correlation: float = 0.0,
    seed: int = 0,
    interference: float = 1.0,
    mutation: float = 0.0,
) -> tuple[Program, Founders]:
    """Founders in linkage equilibrium at frequency 0.5 and a programme with one or two traits."""
    genetic_map = GeneticMap.uniform(chromosomes, loci, length)
    base = Founders.from_frequencies(np.full(loci, 0.5), genetic_map, founders, seed)
    names = ("intelligence", "sociability")[: len(h2)]
    matrices = [np.where(np.eye(len(h2)) == 1, 1.0, r) for r in (correlation, residual_correlation)]
    traits = additive_traits(
        base.haplotypes, names, h2, matrices[0], qtl=qtl, residual_correlation=matrices[1], seed=seed
    )
    program = make_program(genetic_map, traits, settings, interference=interference, mutation=mutation)
    return program, base


def trait_effects(traits: Traits, loci: int) -> np.ndarray:
    """Effects at all loci, trait units, (trait, locus)."""
    effects = np.zeros((len(traits.names), loci))
    effects[:, np.asarray(traits.qtl)] = np.asarray(traits.effect) * 2.0**-traits.scale_bits
    return effects


@contextlib.contextmanager
def modules_of(folder: Path, names: Sequence[str]) -> Iterator[dict[str, ModuleType]]:
    """Modules of a study, by name, whose short names must not stay behind for other tests."""
    sys.path.insert(0, str(folder))
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    try:
        yield {name: __import__(name) for name in names}
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)
