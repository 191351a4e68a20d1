"""What sibs share: covariances of full and half sibs, and a clutch effect that is nobody's gene (V24, V30)."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from jaxbreed.program import Settings
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import first_breeders, first_families, simulate
from jaxbreed.verification.drift import DAMS, EGGS, build_herd, family_means, herd_replicates, run_herds
from jaxbreed.verification.findings import Finding, exact, mean_of
from jaxbreed.verification.registry import Effort, check
from jaxbreed.verification.worlds import World, build

FALCONER = "Falconer & Mackay 1996, table 9.4"


def base_mean(world: World) -> np.ndarray:
    """Mean of the population from which founders were drawn, trait units: half of all alleles are 1."""
    effect = np.asarray(world.program.traits.effect, np.float64)
    return np.asarray(effect.sum(1) * 2.0**-world.program.traits.scale_bits)


@check("V24", "covariances of sibs: 1/2 VA + VC of full sibs, 1/4 VA + VC in a clutch, 1/4 VA of one sire")
def sibs(effort: Effort) -> Iterator[Finding]:
    """Wrong: a clutch effect for each sire's family, or for each animal; sires that share a clutch effect.

    Later sires with the larger shares of a clutch.
    """
    size, clutches, replicates = 40, 100, effort.size(12, 60)
    settings = Settings(lineages=clutches, eggs=(size, size), sires=(2, 2), sexes="alternate")
    shares = {"h2": (0.4, 0.3), "clutch": (0.2, 1e-9)}
    seed = effort.run_seed(24)
    world = build(settings, founders=3 * clutches * replicates, loci=300, seed=seed, **shares)  # type: ignore[arg-type]
    population, _, root = first_breeders(world.program, world.founders, replicates, seed, False)
    families = first_families(world.program, population, root)
    mean, variance = family_means(world, (population, families))
    apart = (mean - base_mean(world)).reshape(replicates, clutches, 2, 2)
    inside = variance.reshape(apart.shape) / (size / 2 - 1)  # what a mean of so few animals varies by besides
    for t, name in enumerate(world.program.traits.names):
        va, vc = float(world.additive[t]), float(world.clutch[t])
        note = f"{replicates * clutches:,} clutches, h2 {shares['h2'][t]:g}, c2 {shares['clutch'][t]:.1g}"
        full = (apart[..., t] ** 2 - inside[..., t]).mean(-1)
        yield mean_of(f"covariance of full sibs, 1/2 VA + VC, {name}, {note}", full, va / 2 + vc, FALCONER)
        half = apart[:, :, 0, t] * apart[:, :, 1, t]
        yield mean_of(f"covariance of half sibs of one dam, 1/4 VA + VC, {name}, {note}", half, va / 4 + vc, FALCONER)
    uneven = dataclasses.replace(world.program, settings=dataclasses.replace(settings, paternity=0.6))
    eggs = np.asarray(first_families(uneven, population, root).eggs)
    law = f"eggs of the first and of the second sire, paternity 0.6, of clutches of {size}"
    yield exact(law, eggs, size * np.array([1, 0.6]) / 1.6, "definition")
    yield from _paternal(effort)


def _paternal(effort: Effort) -> Iterator[Finding]:
    """Clutches that share a sire: covariances as kinship says, and nothing of the clutch."""
    world, _, seen = run_herds(effort)
    population, families = seen[1]
    mean = family_means(world, seen[1])[0] - base_mean(world)
    name, kinship = np.asarray(population.name), np.asarray(population.kinship, np.float64)
    sire, dam = np.asarray(families.sire)[..., 0], np.asarray(families.dam)[..., 0]
    replicates = len(name)
    products, expected = np.zeros((2, replicates)), np.zeros((2, replicates))
    for r in range(replicates):
        own = name[r, sire[r], 0]
        pairs = np.argwhere(np.triu(own[:, None] == own, 1)).T
        k = kinship[r]
        d, s = dam[r][pairs], sire[r][pairs]
        theta = 0.25 * (k[d[0], d[1]] + k[s[0], s[1]] + k[d[0], s[1]] + k[s[0], d[1]])
        for t in (0, 1):
            products[t, r] = (mean[r, pairs[0], t] * mean[r, pairs[1], t]).mean()
            expected[t, r] = 2 * theta.mean() * world.additive[t]
    for t, trait in enumerate(world.program.traits.names):
        note = f"{trait}, c2 {(1e-9, 0.2)[t]:.1g}"
        law = f"covariance between clutches of one sire, 2 VA x kinship of the eggs, {note}"
        yield mean_of(law, products[t], expected[t], FALCONER)


@check("V30", "what a clutch shares is selected and not inherited")
def not_inherited(effort: Effort) -> Iterator[Finding]:
    """Wrong: a clutch effect that leaks into breeding values; none at all."""
    world = build_herd(effort, 30, h2=(0.4, 0.25), clutch=(1e-9, 0.3))
    plan = constant_schedule(1, (0.0, 1.0))
    history = simulate(
        world.program, world.founders, plan, replicates=herd_replicates(effort), seed=effort.run_seed(30)
    )
    r, s = history["response"][:, 0, 1], history["selection_differential"][:, 0, 1]
    genetic, phenotypic = (history[f"{kind}_variance"][:, 0, 1] for kind in ("tested", "phenotypic"))
    law = "R / S of a trait with c2 0.3: clutches' luck is selected, and Vg / Vp of S is inherited"
    yield mean_of(law, r / s, genetic / phenotypic, "Falconer & Mackay 1996, ch. 13", allowance=0.01)
    # Of 20 clutches the variance between is a twentieth short; of all animals theirs is.
    n = DAMS * EGGS
    expected = genetic + world.residual[1] * (1 - 1 / n) + world.clutch[1] * (1 - 1 / DAMS)
    yield mean_of("phenotypic variance of the tested, Vg + VC + VE", phenotypic, expected, FALCONER)
    parents = history.parents
    assert parents is not None
    copies = np.asarray(parents.haplotypes)[..., np.asarray(world.program.traits.qtl)].astype(np.int64).sum(-2)
    worth = np.asarray(world.program.traits.intercept) + copies @ np.asarray(world.program.traits.effect).T
    law = "breeding values of parents less those of their genomes, score units"
    yield exact(law, np.asarray(parents.genetic) - worth, 0, "definition")
