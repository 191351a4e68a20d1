"""Dominance: Falconer's example of dwarf mice, and families whose eggs are counted (V20)."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from jaxbreed.dominance import average_effect
from jaxbreed.traits import genetic_values, traits_from_effects
from jaxbreed.verification.findings import Finding, exact, mean_of, normal_variance
from jaxbreed.verification.lines import run_lines
from jaxbreed.verification.registry import Effort, check

FALCONER = "Falconer & Mackay 1996, ch. 7 and 8"
_MEAN, _A, _D = 10.0, 4.0, 2.0
# q of the recessive allele, F: mean, average effect under random mating, VA and VD (F = 0), VG.
_CASES = (
    (0.1, 0.0, 13.56, 2.4, 1.0368, 0.1296, 1.1664),
    (0.4, 0.0, 11.76, 3.6, 6.2208, 0.9216, 7.1424),
    (0.4, 0.75, 11.04, 3.6, None, None, 13.4784),
)


@check("V20", "variance components with dominance")
def components(effort: Effort) -> Iterator[Finding]:
    """Wrong: average effects without dominance, or with the other allele's frequency; heterozygotes counted twice."""
    one = np.ones((1, 1))
    traits = traits_from_effects(
        ["weight"], np.array([0]), _A * one, np.array([_MEAN - _A]), one, np.ones(1), dominance=_D * one
    )
    genotypes = np.array([[[0], [0]], [[0], [1]], [[1], [1]]], np.uint8)
    value = np.asarray(genetic_values(traits, jnp.asarray(genotypes)), np.float64)[:, 0] * 2.0**-traits.scale_bits
    for q, f, mean, alpha, additive, of_dominance, total in _CASES:
        p = 1 - q
        chance = np.array([q * q + p * q * f, 2 * p * q * (1 - f), p * p + p * q * f])
        name = f"q = {q:g}, F = {f:g}"
        seen = chance @ value
        yield exact(f"population mean, {name}", seen, mean, FALCONER, rounding=1e-6)
        yield exact(f"genotypic variance, {name}", chance @ (value - seen) ** 2, total, FALCONER, rounding=1e-5)
        if additive is None or of_dominance is None:
            continue
        average = float(average_effect(jnp.asarray(_A * one), jnp.asarray(_D * one), jnp.asarray([p]))[0, 0])
        yield exact(f"average effect, {name}", average, alpha, FALCONER, rounding=1e-5)
        yield exact(f"additive variance, {name}", 2 * p * q * average**2, additive, FALCONER, rounding=1e-5)
        yield exact(
            f"dominance variance, {name}",
            chance @ (value - seen) ** 2 - 2 * p * q * average**2,
            of_dominance,
            FALCONER,
            rounding=1e-5,
        )
    _, history = run_lines(effort)
    lines, eggs = 25, 16
    rounds = slice(0, 4)
    within = history["variance_within"][:, rounds, 1]
    deviate = (history["tested_mean"][:, rounds, 1] - history["trait_mean"][:, rounds, 1]) / np.sqrt(
        within / (lines * eggs)
    )
    law = "mean of realised eggs about its closed form, with dominance and inbreeding: "
    yield mean_of(law + "errors", deviate, 0.0, FALCONER)
    yield normal_variance(law + "squared errors", deviate, 1.0, FALCONER)
    between, realised = (history[f"{kind}_variance"][:, rounds, 1] for kind in ("genetic", "tested"))
    # Of realised eggs, whose families' means vary by a sixteenth of what varies within.
    expected = between - within / (lines * eggs)
    yield mean_of(
        "realised variance of eggs less its closed form, with dominance, over it",
        ((realised - expected) / between).mean(1),
        0.0,
        FALCONER,
    )
