"""Programmes whose law is known: effects drawn apart from the founders, frequencies known, linkage equilibrium.

With alleles of frequency p drawn independently of each other, expectations over founders are exact whatever the
linkage between loci: VA = sum 2 p q alpha^2.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jaxbreed.founders import Founders
from jaxbreed.genome import GeneticMap
from jaxbreed.program import Program, Settings, make_program
from jaxbreed.traits import traits_from_effects

Floats = npt.NDArray[np.float64]
FREQUENCY = 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class World:
    """A programme, its founders and what is known of them.

    Attributes:
      program: the programme.
      founders: enough for every replicate to have its own.
      additive: (trait,), VA of the population from which the founders were drawn, trait units.
      depression: (trait,), sum of 2 p q d: what full inbreeding takes from the mean.
      residual: (trait,), environmental variance.
      clutch: (trait,), variance of what a clutch shares.
    """

    program: Program
    founders: Founders
    additive: Floats
    depression: Floats
    residual: Floats
    clutch: Floats


def build(
    settings: Settings,
    *,
    founders: int,
    h2: Sequence[float],
    clutch: Sequence[float] = (),
    permanent: Sequence[float] = (),
    dominance: Sequence[float] = (),
    scale: Sequence[float] = (1.0, 1.0),
    correlation: float = 0.0,
    chromosomes: int = 30,
    loci: int = 600,
    length: float | tuple[float, float] = 1.0,
    mutation: float = 0.0,
    seed: int = 0,
) -> World:
    """Builds a world of additive traits, with dominance if asked for.

    Args:
      settings: the rules.
      founders: how many.
      h2: heritability of each trait.
      clutch: share of the variance that a clutch has in common; left out: none.
      permanent: share of it that all tests of an animal have in common besides genes; left out: none.
      dominance: mean of d / |a| of each trait, with an SD of 0.3 between loci unless it is 0; left out: none.
      scale: additive SD of each trait, in trait units.
      correlation: genetic, between all traits.
      chromosomes: how many.
      loci: all have effects.
      length: Morgans of a chromosome, or of the female and male map.
      mutation: a locus and gamete.
      seed: of effects and founders.
    """
    rng, traits = np.random.default_rng(np.random.SeedSequence([seed, 0x0E])), len(h2)
    genetic_map = GeneticMap.uniform(chromosomes, loci, length)
    panel = Founders.from_frequencies(np.full(loci, FREQUENCY), genetic_map, founders, seed)
    mixing = np.linalg.cholesky(np.where(np.eye(traits) == 1, 1.0, correlation))
    raw = rng.gamma(2.0, size=(traits, loci)) * rng.choice([-1.0, 1.0], (traits, loci))
    raw /= np.sqrt(2 * FREQUENCY * (1 - FREQUENCY) * (raw**2).sum(1, keepdims=True))
    effect = mixing @ raw
    # Average effects are a at p = 1/2, dominance or not.
    size = np.asarray(scale, np.float64)[:traits]
    effect *= size[:, None]
    mean = np.asarray(dominance or np.zeros(traits))[:, None]
    degree = mean + rng.normal(0.0, 0.3, (traits, loci)) * (mean != 0)
    deviation = np.abs(effect) * degree if dominance else np.zeros_like(effect)
    additive = 2 * FREQUENCY * (1 - FREQUENCY) * (effect**2).sum(1)
    of_dominance = ((2 * FREQUENCY * (1 - FREQUENCY) * deviation) ** 2).sum(1)
    total = additive / np.asarray(h2)
    shared = total * np.asarray(clutch or np.zeros(traits))
    lasting = total * np.asarray(permanent or np.zeros(traits))
    residual = total - additive - of_dominance - shared
    made = traits_from_effects(
        ("growth", "boldness")[:traits],
        np.arange(loci),
        effect,
        np.zeros(traits),
        np.diag(residual),
        np.sqrt(additive),
        dominance=deviation if dominance else None,
        clutch=np.diag(shared) if clutch else None,
        permanent=np.diag(lasting) if permanent else None,
        sd_phenotypic=np.sqrt(total),
    )
    program = make_program(genetic_map, made, settings, mutation=mutation)
    depression = 2 * FREQUENCY * (1 - FREQUENCY) * deviation.sum(1)
    return World(program, panel, additive, depression, residual, shared)
