"""Two tests in a row: two-stage truncation (V23)."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from jaxbreed.genomics import Knowledge
from jaxbreed.program import Settings
from jaxbreed.schedule import Decision
from jaxbreed.simulation import first_breeders, first_families
from jaxbreed.stages import Stage
from jaxbreed.staging import run_stages
from jaxbreed.twostage import two_stage_intensities, two_stage_superiority
from jaxbreed.variance import expected_eggs_jit
from jaxbreed.verification.findings import Finding, exact, mean_of
from jaxbreed.verification.registry import Effort, check
from jaxbreed.verification.worlds import build

COCHRAN = "Cochran 1951; Utz 1969; Tallis 1961"


@check("V23", "two-stage truncation gains what the bivariate normal says")
def two_stages(effort: Effort) -> Iterator[Finding]:
    """Of each clutch a tenth goes on to four more sessions, a tenth of these is chosen.

    Wrong: one stage alone; two tests that have nothing in common, or everything.
    """
    clutches, eggs = 24, effort.size(10_000, 60_000)
    tests = (Stage("test", capacity=eggs), Stage("test", capacity=eggs // 10, sessions=4))
    settings = Settings(lineages=clutches, eggs=(eggs, eggs), stages=tests)
    seed = effort.run_seed(23)
    world = build(settings, founders=2 * clutches, h2=(0.3,), permanent=(0.2,), seed=seed)
    population, _, root = first_breeders(world.program, world.founders, 1, seed, False)
    families = first_families(world.program, population, root)
    decision = Decision(jnp.ones(1), jnp.float32(0), jnp.int32(9))
    animals = run_stages(world.program, decision, population, families, Knowledge(), 3).animals
    off, passing = np.zeros(clutches), 0.5 / 0.3
    gained = np.zeros(clutches)
    for lineage in range(clutches):
        clutch = animals.lineage == lineage
        tested = np.flatnonzero(clutch & (animals.sessions == 5))
        best = tested[np.argsort(-animals.score[tested])[: eggs // 100]]
        alone = jnp.zeros((1, clutches, 1), jnp.int32).at[0, lineage].set(1)
        within = float(expected_eggs_jit(world.program, population.haplotypes, alone).within[0, 0, 0])
        lasting = within + 0.2 / 0.3
        first, both = np.sqrt(lasting + passing), np.sqrt(lasting + passing / 5)
        correlation = (lasting + passing / 5) / (first * both)
        predicted = two_stage_superiority(0.1, 0.1, correlation, (within / first, within / both))
        gained[lineage] = animals.genetic[best, 0].mean() - animals.genetic[clutch, 0].mean()
        off[lineage] = predicted
    law = f"superiority of 1 % chosen in two tests, {clutches} clutches of {eggs:,}, genetic SD"
    # Choice is within each sex, of finite numbers.
    yield mean_of(law, gained, off, COCHRAN, allowance=0.01)
    z, w = two_stage_intensities(0.1, 0.2, 0.0)
    yield exact("closed form, two tests that have nothing in common: the first", z, 1.75498, COCHRAN, rounding=2e-5)
    yield exact("closed form, two tests that have nothing in common: the second", w, 1.39981, COCHRAN, rounding=2e-5)
