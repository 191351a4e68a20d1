"""Herds that mate at random without selection: effective size, heterozygosity, spread of replicates (V13, V14, V19)."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxbreed.clutch import Families
from jaxbreed.history import History
from jaxbreed.population import Population
from jaxbreed.program import Settings
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.statistics import family_moments
from jaxbreed.testing import make_assay, sweep_families, with_clutch_effects
from jaxbreed.verification.findings import Finding, exact, mean_of, normal_variance
from jaxbreed.verification.maps import gamete_variance
from jaxbreed.verification.registry import Effort, check, shared
from jaxbreed.verification.worlds import World, build

WRIGHT = "Wright 1931"
DAMS, EGGS, MALES, ROUNDS = 20, 100, 5, 8
HERD = Settings(lineages=DAMS, eggs=(EGGS, EGGS), scope="across", mating="random", sexes="alternate")
Seen = list[tuple[Population, Families]]


def herd_replicates(effort: Effort) -> int:
    """Replicates of every run of a herd: the same number, so that all share one compilation."""
    return effort.size(48, 192)


def build_herd(effort: Effort, stream: int, **options: Any) -> World:
    """A world for herds; `options` of `build` whose values can change without another compilation."""
    given: dict[str, Any] = {"h2": (0.4, 0.25), "clutch": (1e-9, 1e-9), "scale": (1.0, 2.0), "length": 2.0} | options
    return build(HERD, founders=2 * DAMS * herd_replicates(effort), seed=effort.run_seed(stream), **given)


@shared
def run_herds(effort: Effort) -> tuple[World, History, Seen]:
    """Breeders drawn at random, 20 dams and 5 sires from generation 1 on."""
    world, seen = build_herd(effort, 14, clutch=(1e-9, 0.2)), Seen()
    plan = constant_schedule(ROUNDS, (1.0, 1.0), fraction=1.0, males=MALES)
    history = simulate(
        world.program,
        world.founders,
        plan,
        replicates=herd_replicates(effort),
        seed=effort.run_seed(14),
        on_families=lambda population, families: seen.append((population, families)) if len(seen) < 2 else None,
    )
    return world, history, seen


def expected_inbreeding(dams: int, males: int, eggs: int, generations: int) -> list[float]:
    """F of the eggs of generations 0, 1, ... when breeders are drawn at random from all clutches together.

    Kinship between breeders of unlike and of like sex, exactly: two of like sex are drawn without replacement from
    the half of each clutch; founders have a mate each, later each male sires the same number of clutches.
    """
    half = eggs // 2
    alike = (half - 1) / (dams * half - 1)  # two of one sex come from one clutch
    unlike, like, inbred = 0.0, 0.0, 0.0  # kinship of breeders; F of the breeders themselves
    course = [0.0]
    for g in range(generations):
        sires = dams if g == 0 else males
        same_sire = (dams / sires - 1) / max(dams - 1, 1)  # of two different clutches
        oneself = 0.5 * (1 + inbred)
        sibs = 0.25 * (2 * oneself + 2 * unlike)
        others = 0.25 * (like + same_sire * oneself + (1 - same_sire) * like + 2 * unlike)
        inbred = unlike
        unlike, like = (q * sibs + (1 - q) * others for q in (1 / dams, alike))
        course.append(unlike)
    return course


def within_by_definition(world: World, population: Population, replicates: int) -> npt.NDArray[np.float64]:
    """Mean variance within the first clutches of some replicates, pair of loci by pair: (replicate, trait)."""
    genetic_map, effect = world.founders.map, np.asarray(world.program.traits.effect, np.float64)
    effect = effect * 2.0**-world.program.traits.scale_bits
    haplotypes = np.asarray(population.haplotypes[:replicates], np.float64)
    difference = haplotypes[:, :, 1] - haplotypes[:, :, 0]
    total = np.zeros((replicates, len(effect)))
    for r in range(replicates):
        for animal in range(2 * DAMS):  # dams, then their mates
            place = genetic_map.position[animal // DAMS]
            for t, a in enumerate(effect):
                total[r, t] += gamete_variance(a * difference[r, animal], place, genetic_map.chromosome) / DAMS
    return total


def inbreeding_of_herds(effort: Effort) -> Iterator[Finding]:
    """Rows of V13."""
    _, history, _ = run_herds(effort)
    course = expected_inbreeding(DAMS, MALES, EGGS, ROUNDS)
    ne = 4 * MALES * DAMS / (MALES + DAMS)
    for g in (3, ROUNDS):
        law = f"F in generation {g}, {DAMS} dams and {MALES} sires (Ne = 4 Nm Nf / (Nm + Nf) = {ne:g})"
        yield mean_of(law, history["inbreeding"][:, g], course[g], WRIGHT)


def heterozygosity_of_herds(effort: Effort) -> Iterator[Finding]:
    """Rows of V14."""
    world, history, seen = run_herds(effort)
    law = f"closed form of the variance within clutches, {DAMS} pairs of given parents, over the sum over pairs of loci"
    over = history["variance_within"][:3, 0] / within_by_definition(world, seen[0][0], 3)
    yield exact(law, over, 1.0, "1/4 sum d_i d_j (1 - 2 r_ij)", rounding=5e-3)
    for g in (1, ROUNDS):
        law = f"heterozygosity of the gene pool, generation {g}, 2 p q (1 - kinship of the pool)"
        yield mean_of(law, history["heterozygosity"][:, g], 0.5 * (1 - history["kinship"][:, g]), WRIGHT)


@check("V19", "replicates spread as drift and sampling say")
def spread(effort: Effort) -> Iterator[Finding]:
    """Wrong: replicates that share founders or luck; drift of half the variance."""
    world, history, _ = run_herds(effort)
    source = "Hill 1977; Falconer & Mackay 1996, ch. 15"
    kinship = history["kinship"].mean(0)
    for t, trait in enumerate(history.traits):
        expected = 2 * float(world.additive[t]) * float(kinship[ROUNDS])
        law = f"variance between replicates of the mean of {trait}, generation {ROUNDS}, 2 VA x kinship"
        yield normal_variance(law, history["trait_mean"][:, ROUNDS, t], expected, source)
        # Without selection the mean is a martingale: what generations add to it is uncorrelated.
        steps = np.diff(history["trait_mean"][..., t]) / np.sqrt(2 * float(world.additive[t]) * np.diff(kinship))
        law = f"variance of the {steps.shape[1]} steps of the mean of {trait}, over 2 VA x the rise of kinship"
        yield normal_variance(law, steps, 1.0, source)
    tested, wanted = history["tested_mean"][:, :ROUNDS], history["trait_mean"][:, :ROUNDS]
    within = history["variance_within"][:, :ROUNDS]
    deviate = (tested - wanted) / np.sqrt(within / (DAMS * EGGS))
    for t, trait in enumerate(history.traits):
        law = f"mean of {DAMS * EGGS:,} tested eggs about its expectation, {trait}: squared errors of M animals"
        yield normal_variance(law, deviate[..., t], 1.0, source)
        yield mean_of(law.replace("squared errors", "errors"), deviate[..., t], 0.0, source)


def family_means(world: World, seen: tuple[Population, Families]) -> npt.NDArray[np.float64]:
    """Mean phenotype of every family, trait units, and its variance: (2, replicate, family, trait)."""
    population, families = seen
    traits = len(world.program.traits.names)
    assay = make_assay(world.program, jnp.ones(traits), 1)
    tested = with_clutch_effects(sweep_families(world.program, assay, population, families), families, assay)
    _, mean, covariance = family_moments(world.program.traits, tested, np.asarray(assay.unit))
    return np.stack([mean[..., traits:], np.diagonal(covariance, axis1=-2, axis2=-1)[..., traits:]])
