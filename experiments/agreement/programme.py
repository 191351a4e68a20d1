"""What the others ran, in jaxbreed: AlphaSimR's programmes, and gametes on the ruler."""

from typing import Any

import numpy as np
from reference import COLUMNS, EGGS, GENERATIONS, PAIRS, RULER_CHROMOSOME, RULER_MORGAN, SETS, Columns, given, measure

from jaxbreed import kernels
from jaxbreed.clutch import Families
from jaxbreed.founders import Founders
from jaxbreed.genome import GeneticMap
from jaxbreed.population import Population
from jaxbreed.program import Settings, make_program
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.traits import traits_from_effects
from jaxbreed.verification.gametes import hatch_family, heterozygotes

BATCH = 150  # replicates at a time


def run(
    name: str,
    replicates: int,
    seed: int,
    *,
    interference: float = 1.0,
    weights: tuple[float, ...] | None = None,
    residual: tuple[float, ...] | None = None,
) -> Columns:
    """Jaxbreed's replicates of a programme of AlphaSimR's, (replicate, generation) each.

    Args:
      name: of the set.
      replicates: how many.
      seed: of the first batch; the next ones have the next seeds.
      interference: gamma shape of the gaps between crossovers; AlphaSimR's was 1, no interference.
      weights: of the index per trait unit, instead of AlphaSimR's.
      residual: variances, instead of AlphaSimR's.
    """
    of = given(name)
    genetic_map = GeneticMap.from_positions(of.chromosome, of.position)
    variances = np.diag(residual or SETS[name][1])
    loci = np.arange(len(of.position))
    names = ("first", "second")
    traits = traits_from_effects(names, loci, of.effects, of.intercept, variances, np.ones(2), dominance=of.dominance)
    settings = Settings(lineages=PAIRS, eggs=(EGGS, EGGS), scope="across", mating="random", sexes="alternate")
    program = make_program(genetic_map, traits, settings, interference=interference)
    index = np.array(weights or SETS[name][0]) * np.asarray(traits.sd_phenotypic)  # per SD here, per unit there
    schedule = constant_schedule(GENERATIONS, tuple(index))
    founders = Founders.from_arrays(of.haplotypes, genetic_map)
    parts = []
    for number, first in enumerate(range(0, replicates, BATCH)):
        selected: list[np.ndarray] = []

        def look(breeders: Population, laid: Families, selected: list[np.ndarray] = selected) -> None:
            del laid
            selected.append(_heterozygosity(breeders))

        history = simulate(
            program,
            founders,
            schedule,
            replicates=min(BATCH, replicates - first),
            seed=seed + number,
            shared_founders=True,
            on_families=look,
        )
        parts.append(_columns(history, selected))
    return {column: np.concatenate([part[column] for part in parts]) for column in COLUMNS}


def _heterozygosity(breeders: Population) -> np.ndarray:
    """Share of heterozygous loci, mean over the animals: (replicate,)."""
    haplotypes = np.asarray(breeders.haplotypes)
    return (haplotypes[:, :, 0] != haplotypes[:, :, 1]).mean((1, 2))


def _columns(history: Any, selected: list[np.ndarray]) -> Columns:
    here = slice(0, GENERATIONS)
    out = {"cov12": history["tested_covariance"][:, here, 0, 1], "fixed": history["loci_fixed"][:, 1:]}
    out["het"] = np.stack(selected, axis=1)[:, 1:]  # the founders come first
    for t in range(2):
        out[f"mean{t + 1}"] = history["tested_mean"][:, here, t]
        out[f"var{t + 1}"] = history["tested_variance"][:, here, t]
        out[f"varp{t + 1}"] = history["phenotypic_variance"][:, here, t]
        out[f"smean{t + 1}"] = history["selected_mean"][:, here, t]
    return {column: np.asarray(out[column], float) for column in COLUMNS}


def gametes(number: int, seed: int) -> dict[str, Any]:
    """Counts on the ruler, of both parents' gametes."""
    length = np.array([RULER_MORGAN[c == RULER_CHROMOSOME].max() for c in range(RULER_CHROMOSOME.max() + 1)])
    walk_map = kernels.build_walk_map(
        RULER_CHROMOSOME.astype(np.int32), np.stack([RULER_MORGAN, RULER_MORGAN]), np.stack([length, length])
    )
    young = hatch_family(heterozygotes(len(RULER_MORGAN)), walk_map, (seed, 1), number // 2)
    counts = [measure(part.reshape(-1, part.shape[-1])) for part in young]
    return {key: np.sum([count[key] for count in counts], axis=0).tolist() for key in counts[0]}
