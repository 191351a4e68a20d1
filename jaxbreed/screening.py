"""Screening: every egg of every clutch scored, by a noisy view of its genes or by genomic prediction."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.clutch import Families
from jaxbreed.genomics import Predictor, egg_score
from jaxbreed.kernels import Assay, Tested, build_noise
from jaxbreed.population import Population
from jaxbreed.program import Program
from jaxbreed.stages import Stage
from jaxbreed.statistics import family_moments, sample_moments
from jaxbreed.testing import make_assay, sweep_families

Floats = npt.NDArray[np.float64]


class Accuracy(NamedTuple):
    """Correlation of a score of every egg with the index of its genetic values, (replicate,); NaN without one."""

    overall: Floats
    within_families: Floats


def screen_eggs(
    program: Program,
    say: Predictor,
    per_unit: Floats,
    population: Population,
    families: Families,
    kept: int,
    progress: Callable[[int], None] | None,
) -> tuple[Tested, Accuracy, float]:
    """Scores every egg by genomic prediction.

    Args:
      program: the programme.
      say: the predicted index.
      per_unit: (trait,), index weights per trait unit.
      population: the breeders.
      families: their eggs.
      kept: the best of each sex of each family to remember.
      progress: called with numbers of eggs finished.

    Returns:
      The best of each family, the accuracy of their scores, and units of the ranks to one unit of the index.
    """
    score, traits = egg_score(program, say), len(program.traits.names)
    plain = make_assay(program, jnp.ones(traits), kept)
    columns = traits + 1
    own = np.append(score.unit, np.asarray(plain.unit)[:traits]).astype(np.int32)
    assay = dataclasses.replace(
        plain,
        weight=jnp.zeros(columns, jnp.int32).at[0].set(2**14),
        noise=build_noise(np.zeros((columns, columns))),
        unit=jnp.asarray(np.concatenate([own, own])),
    )
    every = families._replace(capacity=families.eggs)
    drawn = sweep_families(program, assay, population, every, progress, score.columns)
    true = np.append(0.0, per_unit)
    accuracy = egg_accuracy(program, drawn, np.asarray(assay.unit), np.eye(columns)[0], true)
    return drawn, accuracy, score.scale / 2


def egg_accuracy(program: Program, drawn: Tested, unit: npt.NDArray[np.int32], shown: Floats, true: Floats) -> Accuracy:
    """Correlation of a sum of the sweep's measured columns with a sum of its genetic ones.

    Args:
      program: the programme.
      drawn: the sweep.
      unit: units of its moments.
      shown: (column,), the sum of measured columns.
      true: (column,), the sum of genetic columns.
    """
    size = len(shown)

    def correlation(covariance: Floats) -> Floats:
        both = np.einsum("c,rcd,d->r", true, covariance[:, :size, size:], shown)
        spread = np.einsum("c,rcd,d->r", true, covariance[:, :size, :size], true)
        spread = spread * np.einsum("c,rcd,d->r", shown, covariance[:, size:, size:], shown)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(spread > 0, both / np.sqrt(spread), np.nan)

    count, _, within = family_moments(program.traits, drawn, unit)
    pooled = np.einsum("rf,rfcd->rcd", count / np.maximum(count.sum(1, keepdims=True), 1), within)
    return Accuracy(correlation(sample_moments(program.traits, drawn, unit).covariance), correlation(pooled))


def going_on(stages: tuple[Stage, ...], kept: int) -> int:
    """Eggs of each sex that go on from a screen of all."""
    return kept if len(stages) == 1 else -(-(stages[1].capacity or 0) // 2)


def first_assay(program: Program, weights: Array, kept: int) -> Assay:
    """How the sweep chooses the eggs that are followed.

    Args:
      program: the programme.
      weights: float32 (trait,), index weights per founder phenotypic SD.
      kept: animals of each sex of each family that selection needs.

    Returns:
      A screen of every egg if the first stage is one, else the first survivors, which are a random sample.
    """
    stages = program.settings.stages
    if stages[0].kind == "screen" and stages[0].accuracy is not None:
        return make_assay(program, weights, going_on(stages, kept), program.stage_noise[0])
    # With equal ranks the sweep keeps the eggs that come first. A screen without a model so far does so too.
    number = going_on(stages, kept) if stages[0].kind == "screen" else stages[0].capacity or 0
    assay = make_assay(program, weights, number)
    return dataclasses.replace(assay, weight=jnp.zeros_like(assay.weight))
