"""The experiments with real animals: what was done, as a scenario, and what was seen.

What the reports leave open, the number of loci and at times heritability or the number of founders, is varied: every
combination is a world, and all worlds count alike in the prediction. Sources stand beside the numbers. Scenarios name a
species because they must; everything that its preset would say is overridden.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

import jaxbreed as jb

SEED = 2026
LOCI = (30, 100, 300, 1000)  # QTL; effects gamma 0.4
FLY = {"chromosomes": 3, "morgans": (2.85, 0.0)}  # no crossing over in males: text-book map of Drosophila melanogaster
MOUSE = {"chromosomes": 20, "morgans": (16.0, 14.0)}  # text-book map of the mouse
FOX = {"chromosomes": 17, "morgans": (20.0, 18.0)}  # 17 pairs; length as in other carnivores, not measured here
OYSTER = {"chromosomes": 10, "morgans": (8.9, 7.8)}  # as the preset
MAIZE = {"chromosomes": 10, "morgans": 17.0}  # text-book map of maize


class Seen(NamedTuple):
    """One number of an experiment."""

    what: str
    observed: tuple[float, float]  # lowest and highest reading of what was published
    of: Callable[[dict[str, Any]], np.ndarray]  # from the runs of one world: (replicate,)


class Trial(NamedTuple):
    """One experiment."""

    name: str
    source: str
    worlds: Callable[[bool], Iterator[dict[str, dict[str, Any]]]]  # quick -> scenario tables by name, one dict a world
    seen: tuple[Seen, ...]
    open: str  # what was varied, in words
    run: Callable[[dict[str, Any]], jb.History | None] = lambda table: jb.run(jb.Scenario.model_validate(table))


def scenario(
    *, generations: int, pairs: int, eggs: int, h2: float, qtl: int, genome: dict[str, Any], quick: bool, **more: Any
) -> dict[str, Any]:
    """A closed population of single pairs, the best of all chosen, founders from a large outbred population."""
    table: dict[str, Any] = {
        "species": "octopus-vulgaris",
        "programme": {"generations": generations, "lineages": pairs, "replicates": 2 if quick else 6, "seed": SEED},
        "clutch": {"eggs": eggs, "sires": 1, "survival": 1.0, "sexes": "alternate"},
        "genome": {"loci": max(qtl, 200), "qtl": qtl, **genome},
        "founders": {"effective_size": 1_000},
        "traits": {"score": {"h2": h2, "weight": 1.0}},
        "selection": {"scope": "across", "mating": "random"},
    }
    for key, value in more.items():
        table[key] = table[key] | value if key in table else value
    return table


def _final_in_genetic_sd(history: jb.History, generation: int = -1) -> np.ndarray:
    gain = history["trait_mean"][..., 0] / history.sd_additive[0]
    return np.asarray(gain[:, generation] - gain[:, 0])


def _final_in_phenotypic_sd(history: jb.History, generation: int = -1) -> np.ndarray:
    return np.asarray(history["gain"][:, generation, 0])


# Fly bristles. Yoo 1980, Genet. Res.: six lines of 50 pairs, the best 20 % of each sex, 86-89 generations: more than 36
# additive SD, 51 times the response of the first generation; h2 0.25 is what that response implies. Mutation: 0.001 of
# the environmental variance a generation (Weber & Diggins 1990 measured 0.0009).
def _flies(quick: bool) -> Iterator[dict[str, dict[str, Any]]]:
    rounds = 20 if quick else 88
    for qtl in LOCI[1:2] if quick else LOCI:
        for mutation in (0.0, 4e-4):
            yield {
                "line": scenario(
                    generations=rounds, pairs=50, eggs=10, h2=0.25, qtl=qtl, quick=quick,
                    genome=FLY | {"mutation": mutation},
                )
            }  # fmt: skip


YOO = Trial(
    "fly bristles, 88 generations",
    "Yoo 1980, Genet. Res.",
    _flies,
    (
        Seen("response, additive SD of the founders", (36.0, 36.0), lambda run: _final_in_genetic_sd(run["line"])),
        Seen(
            "response / that of the first generation",
            (51.0, 51.0),
            # The first generation's own response is noisy: the mean of all replicates of a world is taken.
            lambda run: _final_in_genetic_sd(run["line"]) / _final_in_genetic_sd(run["line"], 1).mean(),
        ),
    ),
    "30-1,000 QTL; mutation none, or as much as 0.001 of the environmental variance a generation",
)


# Ethanol tolerance of flies. Weber & Diggins 1990, Genetics 125:585: 160 or 1,600 parents, i about 0.55 (two of three),
# 65 generations; 19.4 and 27.9 minutes against 5.0 of the controls. The ratio of the responses has no unit.
def _tolerance(quick: bool) -> Iterator[dict[str, dict[str, Any]]]:
    rounds = 10 if quick else 65
    for qtl in LOCI[1:2] if quick else LOCI:
        for h2 in (0.3,):
            common: dict[str, Any] = {"generations": rounds, "eggs": 3, "h2": h2, "qtl": qtl, "genome": FLY}
            few = {"programme": {"generations": rounds, "replicates": 2, "seed": SEED, "lineages": 800}}
            yield {
                "large": scenario(pairs=800, quick=quick, **common) | few,
                "small": scenario(pairs=80, quick=quick, **common),
            }


WEBER = Trial(
    "ethanol tolerance of flies, 65 generations",
    "Weber & Diggins 1990, Genetics 125:585",
    _tolerance,
    (
        Seen(
            "response of 1,600 parents / of 160",
            (1.59, 1.59),
            lambda run: _final_in_genetic_sd(run["large"]).mean() / _final_in_genetic_sd(run["small"]),
        ),
    ),
    "30-1,000 QTL; h2 0.3; no mutation",
)


# Dummerstorf mice, body weight: 80 pairs, half of the young selected within full-sib families, 50 generations: mean
# + 96 %, 11.5 phenotypic SD, h2 0.30 at first; half of the response was reached after 0.17 Ne generations.
def _mice(quick: bool) -> Iterator[dict[str, dict[str, Any]]]:
    for qtl in LOCI[1:2] if quick else LOCI:
        # Half of the young: two of four; or the best of four of each sex, where the report means half of the families.
        for young in (4, 8):
            yield {
                "line": scenario(
                    generations=10 if quick else 50, pairs=80, eggs=young, h2=0.3, qtl=qtl, genome=MOUSE, quick=quick,
                    selection={"quota": 1, "family_weight": 0.0},
                )
            }  # fmt: skip


MICE = Trial(
    "body weight of mice, 50 generations",
    "Dummerstorf long-term selection, WCGALP 1990",
    _mice,
    (
        Seen(
            "response, phenotypic SD of the founders",
            (11.5, 11.5),
            lambda run: _final_in_phenotypic_sd(run["line"]),
        ),
        Seen(
            "the same on the logarithmic scale (ln 1.96 / 8.3 % CV)",
            (8.1, 8.1),
            lambda run: _final_in_phenotypic_sd(run["line"]),
        ),
    ),
    "30-1,000 QTL; the best of two or of four of each sex in every family",
)


# Pacific oysters and the herpes virus OsHV-1. Degremont et al. 2015, Aquaculture 446:111: survivors of an outbreak
# bred, four generations: 34.5 % survived against 12.3 % of controls (G1), 69.0 against 7.3 % (G4). As a threshold on a
# normal liability: + 0.76 and + 1.95 SD. The heritabilities are of other stocks (0.25-0.47), not of this experiment.
def _oysters(quick: bool) -> Iterator[dict[str, dict[str, Any]]]:
    for h2 in (0.37,) if quick else (0.25, 0.37, 0.47):
        for pairs in (20,) if quick else (10, 40):
            yield {
                "line": scenario(
                    generations=4, pairs=pairs, eggs=2_000 if quick else 5_000, h2=h2, qtl=300, genome=OYSTER,
                    quick=quick,
                )
            }  # fmt: skip


def _outbreaks(table: dict[str, Any]) -> jb.History:
    """Survivors breed: the share that survives follows from how far the line has come."""
    from dataclasses import replace

    from jax import numpy as jnp
    from scipy.stats import norm

    parsed = jb.Scenario.model_validate(table)
    ready = jb.prepare(parsed)
    survival = [0.123] * parsed.generations
    for _ in range(parsed.generations):  # each pass makes one more generation right
        schedule = replace(ready.schedule, fraction=jnp.asarray(survival, jnp.float32))
        programme = parsed.programme
        history = jb.simulate(
            ready.program, ready.founders, schedule, replicates=programme.replicates, seed=programme.seed
        )
        survival = [float(norm.sf(norm.isf(0.123) - history["gain"][:, g, 0]).mean()) for g in range(len(survival))]
    return history


OYSTERS = Trial(
    "survival of oysters, 4 generations",
    "Degremont et al. 2015, Aquaculture 446:111",
    _oysters,
    (
        Seen("liability after 1 generation, SD", (0.76, 0.76), lambda run: _final_in_phenotypic_sd(run["line"], 1)),
        Seen("liability after 4 generations, SD", (1.95, 1.95), lambda run: _final_in_phenotypic_sd(run["line"])),
    ),
    "h2 of liability 0.25, 0.37 or 0.47; 10 or 40 females",
    _outbreaks,
)


# Silver foxes selected for tameness: 30 males and 100 vixens; 4-5 % of males and 20 % of females kept (Trut 1999, from
# memory); elite tame cubs 1.8 % (from memory), 18, 35 and 70-80 % in generations 6, 10, 20 and 30-35: on a liability
# 0.30 SD a generation from 6 to 10, 0.05 from 10 to 20, 0.07-0.09 from 20 to 33. h2 0.22 (Finnish farms), 0.35 (Trut).
def _foxes(quick: bool) -> Iterator[dict[str, dict[str, Any]]]:
    for qtl in LOCI[1:2] if quick else LOCI[1:]:
        for h2 in (0.22, 0.35):
            yield {
                "line": scenario(
                    generations=10 if quick else 33, pairs=100, eggs=10, h2=h2, qtl=qtl, genome=FOX, quick=quick,
                    selection={"males": 25},
                )
            }  # fmt: skip


def _rate(first: int, last: int) -> Callable[[dict[str, jb.History]], np.ndarray]:
    def rate(run: dict[str, jb.History]) -> np.ndarray:
        gain = run["line"]["gain"][..., 0]
        end = min(last, gain.shape[1] - 1)
        return np.asarray((gain[:, end] - gain[:, min(first, end - 1)]) / max(end - first, 1))

    return rate


FOXES = Trial(
    "tameness of silver foxes, 33 generations",
    "Trut 1999, Am. Sci. 87:160, as quoted",
    _foxes,
    (
        Seen("SD a generation, 6 to 10", (0.30, 0.30), _rate(6, 10)),
        Seen("SD a generation, 10 to 20", (0.05, 0.05), _rate(10, 20)),
        Seen("SD a generation, 20 to 33", (0.07, 0.09), _rate(20, 33)),
    ),
    "h2 0.22 or 0.35; 100-1,000 QTL; 1,000 cubs a generation, half of each sex",
)


# The closed line of common cuttlefish: fertilisation fell below 10 % and the line died out in generation 7 (Forsythe et
# al. 1994, doi:10.1111/j.1469-7998.1994.tb08582.x). The number of founders is not stated in what we could read. Loads
# on fertility: the presets' 1.5 haploid lethal equivalents (inferred), and 4, as oysters have.
def _cuttlefish(quick: bool) -> Iterator[dict[str, dict[str, Any]]]:
    for females in (2,) if quick else (2, 5, 15):
        for load in (1.5, 4.0):
            # Replicates apart: one that dies out would end them all.
            yield {
                f"line {seed}": scenario(
                    generations=7, pairs=females, eggs=400, h2=0.2, qtl=100, quick=quick,
                    genome={"chromosomes": 46, "morgans": 28.0, "loci": 1_000},
                    clutch={"sires": (2, 4), "tested": 20, "sexes": "random"}, load={"fertility": load},
                    founders={"effective_size": 300},
                    programme={"replicates": 1, "seed": SEED + seed},
                )
                for seed in range(2 if quick else 4)
            }  # fmt: skip


def _alive(table: dict[str, Any]) -> jb.History | None:
    """A line that may die out: None where it does."""
    try:
        return jb.run(jb.Scenario.model_validate(table))
    except RuntimeError as error:
        if "died out" not in str(error):
            raise
        return None


def _eggs_left(run: dict[str, jb.History | None]) -> np.ndarray:
    eggs = [None if line is None else line["eggs"][0].astype(float) for line in run.values()]
    return np.array([0.0 if line is None else line[-1] / line[0] for line in eggs])


CUTTLEFISH = Trial(
    "fertility of a closed line of cuttlefish, 7 generations",
    "Forsythe et al. 1994, J. Zool.",
    _cuttlefish,
    (Seen("fertile eggs, share of the first generation's", (0.0, 0.10), _eggs_left),),
    "2, 5 or 15 females with 2-4 males each; 1.5 or 4 haploid lethal equivalents on fertility",
    _alive,
)


# Oil of Illinois maize: 24 ears of 120 a generation, chosen for their own oil, pollinated by whatever plants stood
# there: 4.70 % to 7.37 % in 10 generations (Univ. Illinois Bulletin 128), about 20 % after 106, which is 22-26 additive
# SD (Dudley & Lambert 2004 and after, from memory). Only mothers are selected, which a schedule cannot say: both sexes
# are drawn from their best 57 % instead, at half of the mothers' intensity (0.70 for 1.40), 24 dams by two sires each.
def _maize(quick: bool) -> Iterator[dict[str, dict[str, Any]]]:
    rounds = 20 if quick else 106
    for qtl in LOCI[1:2] if quick else LOCI:
        for h2 in (0.3,) if quick else (0.2, 0.4):
            for mutation in (0.0, 4e-4):
                yield {
                    "line": scenario(
                        generations=rounds, pairs=24, eggs=10, h2=h2, qtl=qtl, quick=quick,
                        genome=MAIZE | {"mutation": mutation}, clutch={"sires": 2}, selection={"fraction": 0.57},
                    )
                }  # fmt: skip


MAIZE_OIL = Trial(
    "oil of Illinois maize, 106 generations",
    "Bulletin 128; Dudley & Lambert 2004, as quoted",
    _maize,
    (
        Seen("response, additive SD of the founders", (22.0, 26.0), lambda run: _final_in_genetic_sd(run["line"])),
        Seen(
            "response / that of the first 10 generations",
            (5.7, 5.7),
            lambda run: _final_in_genetic_sd(run["line"]) / _final_in_genetic_sd(run["line"], 10).mean(),
        ),
    ),
    "30-1,000 QTL; h2 0.2 or 0.4; mutation none, or as much as for the flies",
)


TRIALS = (YOO, WEBER, MICE, OYSTERS, FOXES, CUTTLEFISH, MAIZE_OIL)
