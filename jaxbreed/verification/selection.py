"""Response to selection: the breeder's equation, Bulmer, limits, reversal, the index (V11, V12, V17, V18, V22)."""

from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxbreed.history import History
from jaxbreed.index import desired_gains, index_response, smith_hazel
from jaxbreed.kernels import environment
from jaxbreed.schedule import Schedule, constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.testing import score_families
from jaxbreed.theory import bulmer, variance_reduction
from jaxbreed.verification.drift import DAMS, EGGS, Seen, build_herd, herd_replicates
from jaxbreed.verification.findings import Finding, Floats, exact, mean_of
from jaxbreed.verification.registry import Effort, check, shared
from jaxbreed.verification.worlds import World

BREEDER = "Lush 1937; Falconer & Mackay 1996, eq. 11.2"
BULMER = "Bulmer 1971"


def _simulate(effort: Effort, world: World, plan: Schedule, stream: int) -> History:
    seed = effort.run_seed(stream)
    return simulate(world.program, world.founders, plan, replicates=herd_replicates(effort), seed=seed)


@shared
def run_truncation(effort: Effort) -> tuple[World, History, Seen]:
    """Two rounds of truncation on the first trait alone; the second has clutch effects and goes along."""
    world = build_herd(effort, 11, correlation=0.3, clutch=(1e-9, 0.2))
    seen = Seen()
    history = simulate(
        world.program,
        world.founders,
        constant_schedule(2, (1.0, 0.0)),
        replicates=herd_replicates(effort),
        seed=effort.run_seed(11),
        on_families=lambda population, families: seen.append((population, families)) if len(seen) < 2 else None,
    )
    return world, history, seen


def not_the_best(world: World, seen: Seen) -> int:
    """Breeders of generation 1 that are not the best of generation 0, counted by looking at every egg.

    Args:
      world: selected on the first trait alone.
      seen: breeders and families of generations 0 and 1.
    """
    (population, families), (chosen, _) = seen
    replicates = len(population.name)
    number = np.arange(EGGS, dtype=np.uint32).reshape(-1, 2).T  # females are even
    eggs = jnp.asarray(np.broadcast_to(number, (replicates, DAMS, 1, *number.shape)))
    genetic = np.asarray(score_families(world.program, population, families, eggs))[..., 0].astype(np.int64)
    keys = jnp.moveaxis(families.key, -1, 0)[..., None, None]
    luck = environment((keys[0], keys[1]), eggs, world.program.noise)[0]
    record = genetic + np.asarray(luck) + np.asarray(families.clutch)[..., None, None, 0]
    wrong = 0
    for sex, bred in enumerate((slice(0, DAMS), slice(DAMS, 2 * DAMS))):
        best = np.sort(record[:, :, 0, sex].reshape(replicates, -1), axis=1)[:, -DAMS:]
        wrong += int((best != np.sort(np.asarray(chosen.phenotype)[:, bred, 0], axis=1)).sum())
    return wrong


@check("V11", "the breeder's equation: R = h2 S, and parents hand on their breeding values, no more")
def breeders_equation(effort: Effort) -> Iterator[Finding]:
    """Wrong: S on genetic values (R / S = 1); response against the selected; selection at random."""
    world, history, seen = run_truncation(effort)
    law = f"breeders of {len(history['eggs'])} herds that are not the best {DAMS} of either sex, every egg scored"
    yield exact(law, not_the_best(world, seen), 0, "truncation")
    s, r = history["selection_differential"][:, 0, 0], history["response"][:, 0, 0]
    law = f"R / S of {DAMS * 2} parents of {DAMS * 100:,} tested, h2 of these"
    yield mean_of(law, r / s, history["heritability"][:, 0, 0], BREEDER)
    law = "S in phenotypic SD, intensity times the SD of the tested"
    sd = np.sqrt(history["phenotypic_variance"][:, 0, 0])
    yield exact(law, s / sd, history["intensity"][:, 0], "definition", rounding=1e-5)
    for t, trait in enumerate(history.traits):
        handed = history["selected_mean"][:, :2, t] - history["trait_mean"][:, 1:3, t]
        law = f"mean of the next eggs less that of their parents' breeding values, {trait}"
        yield exact(law, handed, 0.0, "additive inheritance", rounding=2e-5 * float(history.sd_phenotypic[t]))
        law = f"realised mean of the next {DAMS * 100:,} eggs less that of their parents' breeding values, {trait}"
        yield mean_of(law, history["tested_mean"][:, 1, t] - history["selected_mean"][:, 0, t], 0.0, BREEDER)
    correlated = history["tested_covariance"][:, 0, 0, 1] / history["tested_variance"][:, 0, 0]
    law = f"correlated response of {history.traits[1]} over the response of {history.traits[0]}"
    yield mean_of(law, history["response"][:, 0, 1] - correlated * r, 0.0, "Falconer & Mackay 1996, eq. 19.5")


@check("V12", "selection hides variance: Bulmer's equilibrium")
def disequilibrium(effort: Effort) -> Iterator[Finding]:
    """Wrong: no disequilibrium; disequilibrium that recombination does not halve."""
    world = build_herd(effort, 12, h2=(0.5, 0.25))
    rounds, share = 5, 0.2
    history = _simulate(effort, world, constant_schedule(rounds, (1.0, 0.0), fraction=share), 12)
    within, between = (history[f"variance_{part}"][:, :, 0] for part in ("within", "between"))
    total, genic = within + between * DAMS / (DAMS - 1), history["genic_variance"][:, :, 0]
    residual, k = float(world.residual[0]), variance_reduction(share)
    # Frequencies drift: V' = 1/2 V (1 - k h2) + 1/2 of the genic variance of each replicate's own next generation.
    expected = genic[:, :1]
    for g in range(rounds):
        now = expected[:, -1]
        step = 0.5 * now * (1 - k * now / (now + residual)) + 0.5 * genic[:, g + 1]
        expected = np.concatenate([expected, step[:, None]], axis=1)
    for g in (1, 3, 5):
        law = f"genetic over genic variance after {g} rounds, the best {share:g}, h2 0.5 (to become 0.749)"
        # The recursion is the infinitesimal model's, of families that are many.
        yield mean_of(law, (total / genic)[:, g], (expected / genic)[:, g], BULMER, allowance=0.02)
    for h2, fraction, quoted in ((0.5, 0.1, 0.7390), (0.2, 0.1, 0.8707), (0.8, 0.1, 0.6273), (1.0, 0.05, 0.5371)):
        law = f"closed form, V of equilibrium over V0, h2 {h2:g}, best {fraction:g}"
        yield exact(law, bulmer(h2, fraction, 60)[-1][1] / h2, quoted, BULMER, rounding=1e-4)


@check("V17", "selection has a limit: half of the response comes in 1.4 Ne generations")
def limit(effort: Effort) -> Iterator[Finding]:
    """Wrong: variance that lasts; Ne of males counted like females."""
    rounds, males = 24, 1
    world = build_herd(effort, 17, h2=(0.4, 0.25))
    history = _simulate(effort, world, constant_schedule(rounds, (1.0, 0.0), fraction=0.5, males=males), 17)
    left = 1 - history["kinship"].mean(0)
    come = np.append(0.0, np.cumsum(left[:-1]))
    ne = 4 * males * DAMS / (males + DAMS)
    at = round(1.4 * ne)
    law = f"share of the response of {rounds} generations that came in {at}, Ne = {ne:.2g}"
    gain = history["gain"][..., 0]
    yield share_of_response(law, gain[:, at], gain[:, -1], come[at] / come[-1], "Robertson 1960", 0.06)


def share_of_response(law: str, part: Floats, whole: Floats, expected: float, source: str, allowance: float) -> Finding:
    """A part of a response over the whole, means over replicates; its error is that of a ratio of means.

    Args:
      law: in words.
      part: (replicate,), any unit.
      whole: (replicate,), the same unit; drift has moved both.
      expected: part over whole, by the law.
      source: where the law comes from.
      allowance: how far the law may be off.
    """
    share = float(part.mean() / whole.mean())
    return mean_of(law, share + (part - share * whole) / whole.mean(), expected, source, allowance=allowance)


@check("V18", "forward, then back: what returns of a response is 1 - F of it")
def reversal(effort: Effort) -> Iterator[Finding]:
    """Selection for 6 generations, then against. Wrong: all of it returns."""
    rounds = 6
    world = build_herd(effort, 18, h2=(0.4, 0.25))
    weights = np.concatenate([np.tile([1.0, 0.0], (rounds, 1)), np.tile([-1.0, 0.0], (rounds, 1))])
    history = _simulate(effort, world, constant_schedule(2 * rounds, weights, fraction=0.2, males=2), 18)
    there = history["gain"][:, rounds, 0]
    back = there - history["gain"][:, 2 * rounds, 0]
    f = float(1 - (1 - history["kinship"][:, rounds]).mean() / (1 - history["kinship"][:, 0]).mean())
    law = f"response back over response forward, {rounds} generations each, F = {f:.3f}"
    yield share_of_response(law, back, there, 1 - f, "drift of the genic variance, V (1 - F)", 0.08)


@check("V22", "index selection: Smith-Hazel and desired gains gain i G b / sqrt(b'Pb)")
def index(effort: Effort) -> Iterator[Finding]:
    """Wrong: weights per unit taken for weights per SD; P left out; traits exchanged."""
    world = build_herd(effort, 22, correlation=-0.4)
    sd = np.sqrt(world.additive / np.array([0.4, 0.25]))
    genetic = np.array([[1.0, -0.4], [-0.4, 1.0]]) * np.sqrt(np.outer([0.4, 0.25], [0.4, 0.25]))
    phenotypic = genetic + np.diag([0.6, 0.75])
    policies: dict[str, Any] = {
        "Smith-Hazel": smith_hazel(phenotypic, genetic, np.array([1.0, 2.0])),
        "desired gains": desired_gains(genetic, np.array([1.0, 1.0])),
    }
    for k, (name, weights) in enumerate(policies.items()):
        history = _simulate(effort, world, constant_schedule(1, weights), 220 + k)
        unit = np.outer(sd, sd)
        off = np.zeros((herd_replicates(effort), 2))
        for r in range(len(off)):
            among = history["tested_covariance"][r, 0] / unit
            gains = history["response"][r, 0] / sd
            noise = np.diag(world.residual / sd**2)
            off[r] = gains - index_response(weights, among + noise, among, history["intensity"][r, 0])
        for t, trait in enumerate(history.traits):
            law = f"gain of {trait} by {name} less that of the equations, phenotypic SD"
            yield mean_of(law, off[:, t], 0.0, "Smith 1936; Hazel 1943; Pesek & Baker 1969")
