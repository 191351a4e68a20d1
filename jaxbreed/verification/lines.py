"""Closed full-sib lines without selection: inbreeding, variance within and between them, depression (V13, V14, V21)."""

from collections.abc import Iterator

import numpy as np

from jaxbreed.history import History
from jaxbreed.program import Settings
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.verification.drift import heterozygosity_of_herds, inbreeding_of_herds
from jaxbreed.verification.findings import Finding, exact, mean_of
from jaxbreed.verification.registry import Effort, check, shared
from jaxbreed.verification.worlds import World, build

WRIGHT = "Wright 1921; Falconer & Mackay 1996, table 5.1"
FALCONER = "Falconer & Mackay 1996, ch. 15"
SIBS = (0.0, 0.25, 0.375, 0.5, 0.59375)
_LINES = 25


@shared
def run_lines(effort: Effort) -> tuple[World, History]:
    """Many lines, each one dam and one sire chosen at random from the clutch, mated to each other."""
    replicates = effort.size(24, 200)
    settings = Settings(lineages=_LINES, eggs=(16, 16), mating="within_lineage", sexes="alternate")
    seed = effort.run_seed(13)
    world = build(settings, founders=2 * _LINES * replicates, h2=(0.4, 0.3), dominance=(0.0, 0.4), loci=300, seed=seed)
    plan = constant_schedule(len(SIBS) - 1, (1.0, 1.0), fraction=1.0)
    return world, simulate(world.program, world.founders, plan, replicates=replicates, seed=seed)


@check("V13", "inbreeding: full-sib lines, and unequal numbers of the sexes")
def inbreeding(effort: Effort) -> Iterator[Finding]:
    """Wrong: a generation late; kinship of an animal with itself left out; Ne = Nm + Nf."""
    _, history = run_lines(effort)
    law = f"F of full-sib mating in {len(SIBS) - 1} generations, by pedigree"
    yield exact(law, history["inbreeding"], np.array(SIBS), WRIGHT, rounding=1e-6)
    assert history.parents is not None
    parents = np.asarray(history.parents.haplotypes)
    heterozygous = (parents[:, :, 0] != parents[:, :, 1]).mean((1, 2))
    law = f"heterozygosity of the parents of generation {len(SIBS) - 1}, 2 p q (1 - F), {heterozygous.size} herds"
    yield mean_of(law, heterozygous, 0.5 * (1 - SIBS[-2]), WRIGHT)
    yield from inbreeding_of_herds(effort)


@check("V14", "drift: variance within lines, between lines, and heterozygosity left")
def variances(effort: Effort) -> Iterator[Finding]:
    """Wrong: VA untouched by inbreeding; lines that do not drift apart; pool of genes without its own kinship."""
    world, history = run_lines(effort)
    va, before = float(world.additive[0]), (0.0, *SIBS)
    for g in (0, 2, 4):
        law = f"additive variance within clutches, generation {g}, 1/2 VA (1 - F of the parents)"
        yield mean_of(law, history["variance_within"][:, g, 0], within_expected(world, g), FALCONER)
    for g in (2, 4):
        # Mid-parents: 1/2 VA (1 + F of the parents) + VA x kinship of the two, and 25 lines for a mean.
        law = f"variance between lines, generation {g}, 1/2 VA (1 + F of the parents) + F VA"
        expected = va * (0.5 * (1 + before[g]) + SIBS[g]) * (1 - 1 / _LINES)
        yield mean_of(law, history["variance_between"][:, g, 0], expected, FALCONER)
    yield from heterozygosity_of_herds(effort)


@check("V21", "inbreeding depression: the mean falls by 2 F sum d p q")
def depression(effort: Effort) -> Iterator[Finding]:
    """Wrong: none; half of it; F of the generation before."""
    world, history = run_lines(effort)
    mean = history["trait_mean"][:, :, 1]
    for g in (1, 2, 4):
        law = f"fall of the mean at F = {SIBS[g]:g}, generation {g}, phenotypic SD"
        sd = float(history.sd_phenotypic[1])
        expected = -SIBS[g] * float(world.depression[1]) / sd
        yield mean_of(law, (mean[:, g] - mean[:, 0]) / sd, expected, "Falconer & Mackay 1996, eq. 14.3")


def within_expected(world: World, g: int) -> float:
    """Additive variance within clutches of generation g."""
    return 0.5 * float(world.additive[0]) * (1 - ((0.0, *SIBS)[g]))
