"""Clutches of full size, tested as breeders would (rows of V6 with --full)."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np
from scipy import special

from jaxbreed.program import Settings
from jaxbreed.simulation import first_breeders, first_families
from jaxbreed.statistics import family_moments
from jaxbreed.testing import index_scale, make_assay, sweep_families
from jaxbreed.variance import expected_eggs_jit
from jaxbreed.verification.extremes import expected_maximum
from jaxbreed.verification.findings import Finding, chi_square
from jaxbreed.verification.registry import Effort
from jaxbreed.verification.worlds import build

FALCONER = "Falconer & Mackay 1996, ch. 9"


def full_clutches(effort: Effort) -> Iterator[Finding]:
    """Rows of V6 with --full: clutches of a programme, 120,000 to 400,000 eggs each, tested as breeders would."""
    number = 24
    settings = Settings(lineages=number, eggs=(120_000, 400_000), sexes="alternate")
    seed = effort.run_seed(66)
    world = build(settings, founders=2 * number, h2=(0.4,), loci=3000, seed=seed)
    program = world.program
    population, _, root = first_breeders(program, world.founders, 1, seed, False)
    families = first_families(program, population, root)
    assay = make_assay(program, jnp.ones(1), 1)
    tested = sweep_families(program, assay, population, families)
    count, mean, covariance = (x[0] for x in family_moments(program.traits, tested, np.asarray(assay.unit)))
    wanted = np.zeros((number, 2))
    for lineage in range(number):
        alone = jnp.zeros((1, number, 1), jnp.int32).at[0, lineage].set(1)
        expected = expected_eggs_jit(program, population.haplotypes, alone)
        wanted[lineage] = expected.mean[0, 0], expected.within[0, 0, 0]
    eggs, source = f"{int(count.sum()):,} eggs of {number} clutches", "1/4 sum d_i d_j (1 - 2 r_ij)"
    off = (mean[:, 0] - wanted[:, 0]) / np.sqrt(wanted[:, 1] / count)
    yield chi_square(f"means of {eggs}, mid-parent", float((off**2).sum()), number, FALCONER)
    # Sums of many linked loci: kurtosis is near enough that of a normal value, and a twentieth of it does not tell.
    off = (covariance[:, 0, 0] / wanted[:, 1] - 1) / np.sqrt(2 / count)
    yield chi_square(f"variances of {eggs}, exact with linkage", float((off**2).sum()), number, source)
    best = (np.asarray(tested.rank, np.float64)[0, :, 0, :, 0] - 2.0**30) / index_scale(program, jnp.ones(1))
    best = best * float(program.traits.sd_phenotypic[0])
    spread = np.sqrt(wanted[:, 1] + world.residual[0])
    deviate = (best - wanted[:, :1]) / spread[:, None]
    half = count[:, None] / 2
    z = float(special.ndtri_exp(half * special.log_ndtr(deviate)).sum() / np.sqrt(deviate.size))
    expected_best = [expected_maximum(int(n))[0] for n in count / 2]
    law = f"best of either sex of {eggs}, in phenotypic SD of their family"
    error = float(np.std(deviate, ddof=1) / np.sqrt(deviate.size))
    yield Finding(law, float(np.mean(expected_best)), float(deviate.mean()), error, "order statistics", z)
