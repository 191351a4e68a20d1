"""What a run remembers: one array for each quantity, over replicates and generations."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from jaxbreed.clutch import Families
from jaxbreed.costs import ITEMS, Prices
from jaxbreed.founders import Founders
from jaxbreed.generation import Round
from jaxbreed.population import Population
from jaxbreed.program import Program
from jaxbreed.schedule import Schedule
from jaxbreed.stages import Stage
from jaxbreed.statistics import index_statistics
from jaxbreed.variance import Expected

Floats = npt.NDArray[np.float64]

_STORED = "; with stored sperm some sires are of the generation before, so that two ages are mixed"

# name: (extra dimensions, unit, description). Generation 0 is the founders' progeny; what selection did to a
# generation stands with that generation, so the last one has none (NaN, or 0 for counts).
VARIABLES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "gain": (("trait",), "founder phenotypic SD", "expected mean of the eggs, less that of generation 0"),
    "trait_mean": (("trait",), "trait unit", "expected mean genetic value of the eggs laid"),
    "genetic_variance": (
        ("trait",),
        "trait unit^2",
        "expected genetic variance of the eggs: within + between families",
    ),
    "genetic_correlation": (
        ("trait", "other_trait"),
        "1",
        "genetic correlation of the eggs, from the same covariances",
    ),
    "variance_within": (("trait",), "trait unit^2", "mean genetic variance within families, exact with linkage"),
    "variance_between": (("trait",), "trait unit^2", "variance of family means"),
    "genic_variance": (
        ("trait",),
        "trait unit^2",
        "additive variance without linkage disequilibrium: sum of 2pq alpha^2",
    ),
    "dominance_variance": (("trait",), "trait unit^2", "dominance variance in linkage equilibrium, sum of (2pq d)^2"),
    "load": ((), "1", "mean load of the eggs on their viability: minus the logarithm of the chance to live"),
    "inbreeding": ((), "1", "mean pedigree inbreeding coefficient of the eggs"),
    "kinship": ((), "1", "mean pedigree kinship of the eggs' gene pool (parents weighted by contribution)"),
    "effective_size": ((), "animals", "1 / (2 x rate of inbreeding) over the step to the next generation"),
    "loci_fixed": ((), "1", "share of all loci fixed in the parents of the eggs"),
    "heterozygosity": ((), "1", "expected heterozygosity 2pq of the eggs' gene pool, mean over loci"),
    "tested_mean": (("trait",), "trait unit", "realised mean genetic value of the tested animals"),
    "tested_variance": (("trait",), "trait unit^2", "realised genetic variance of the tested animals, divisor n"),
    "tested_covariance": (("trait", "other_trait"), "trait unit^2", "realised genetic covariance, divisor n"),
    "phenotypic_variance": (("trait",), "trait unit^2", "realised phenotypic variance of the tested animals"),
    "heritability": (("trait",), "1", "realised genetic / phenotypic variance of the tested animals"),
    "accuracy": ((), "1", "correlation of the index with the same index of genetic values, among the tested"),
    "intensity": (
        (),
        "1",
        "selection differential of the index / its phenotypic SD (parents weighted by their eggs)" + _STORED,
    ),
    "selection_differential": (
        ("trait",),
        "trait unit",
        "S: phenotypic superiority of the next generation's parents over the tested of this one" + _STORED,
    ),
    "selected_mean": (
        ("trait",),
        "trait unit",
        "mean genetic value of the next generation's parents, chosen from this one" + _STORED,
    ),
    "response": (("trait",), "trait unit", "R: expected mean of the next generation less that of this one"),
    "realised_heritability": (("trait",), "1", "R / S" + _STORED),
    "performance": (
        ("trait",),
        "trait unit",
        "mean genetic performance of the tested, under a ceiling if any",
    ),
    "screen_accuracy": ((), "1", "correlation of the score given to every egg with the index of genetic values"),
    "screen_accuracy_within": ((), "1", "the same within full-sib families"),
    "kinship_rate": ((), "1", "1 - (1 - K') / (1 - K), K and K' kinship of this generation and the next"),
    "eggs": ((), "eggs", "eggs laid"),
    "survivors": ((), "animals", "animals alive at testing"),
    "tests": ((), "animals", "animals tested"),
    "sessions": ((), "sessions", "test sessions"),
    "entered": (("stage",), "animals", "eggs or animals that entered each stage"),
    "cost": ((), "currency", "cost of what was done in a generation"),
    "cost_of": (("item",), "currency", "cost of what was done in a generation, by what was paid for"),
    "paid_for": (("item",), "1", "what was paid for: eggs, genotypes, animals reared, test sessions, parents"),
}
_COUNTS = ("eggs", "survivors", "tests", "sessions", "entered", "paid_for")
WITH_PRICES = ("cost", "cost_of", "paid_for")
"""Variables that are there where prices are known."""


@dataclasses.dataclass
class History:
    """Results of a run.

    Attributes:
      data: one array for each of `VARIABLES`, axes (replicate, generation, ...); generations 0 .. rounds.
      traits: names of the traits.
      sd_phenotypic: (trait,) founder phenotypic SD, in trait units.
      sd_additive: (trait,) founder genetic SD.
      schedule: the decisions.
      scale_bits: binary logarithm of score units to one trait unit.
      done: generations recorded so far.
      parents: the last breeders, or None before the end.
      founders: the panel that the run started from.
      founder_numbers: (replicate, animal) int64, which of the panel each first breeder was.
      prices: what things cost, or None.
    """

    data: dict[str, npt.NDArray[Any]]
    traits: tuple[str, ...]
    sd_phenotypic: Floats
    sd_additive: Floats
    schedule: Schedule
    scale_bits: int
    done: int = 0
    parents: Population | None = None
    founders: Founders | None = None
    founder_numbers: npt.NDArray[np.int64] | None = None
    prices: Prices | None = None

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """One variable by name, axes (replicate, generation, ...)."""
        return self.data[name]

    @property
    def replicates(self) -> int:
        """Independent repeats."""
        return int(self.data["eggs"].shape[0])

    @property
    def total_eggs(self) -> int:
        """Eggs laid and simulated so far in all replicates (the last generation's eggs are only expected)."""
        return int(self.data["eggs"][:, : max(self.done - 1, 0)].sum())


def empty_history(program: Program, schedule: Schedule, replicates: int, prices: Prices | None = None) -> History:
    """A history with room for every generation."""
    traits, stages = len(program.traits.names), len(program.settings.stages)
    size = {"trait": traits, "other_trait": traits, "stage": stages, "item": len(ITEMS)}
    data: dict[str, npt.NDArray[Any]] = {}
    for name, (dims, _, _) in VARIABLES.items():
        shape = (replicates, schedule.generations + 1, *(size[d] for d in dims))
        if 0 in shape or (prices is None and name in WITH_PRICES):
            continue  # no stages, or no prices
        data[name] = np.zeros(shape, np.int64) if name in _COUNTS else np.full(shape, np.nan)
    sds = _double(program.traits.sd_phenotypic), _double(program.traits.sd_additive)
    return History(data, program.traits.names, *sds, schedule, program.traits.scale_bits, prices=prices)


def _double(x: object) -> Floats:
    return np.asarray(x, np.float64)


def record_eggs(history: History, g: int, expected: Expected, families: Families, population: Population) -> None:
    """Enters what is known of generation g from its parents alone."""
    data = history.data
    eggs = np.asarray(families.eggs, np.int64)
    share = eggs / eggs.sum((1, 2), keepdims=True)
    kinship = _double(population.kinship)
    rows = np.arange(len(eggs))[:, None, None]
    contribution = 0.5 * np.concatenate([share.sum(2), share.reshape(len(share), -1)], axis=1)
    total = _double(expected.within) + _double(expected.between)
    sd = np.sqrt(np.einsum("rtt->rt", total))
    data["trait_mean"][:, g] = expected.mean
    data["gain"][:, g] = (data["trait_mean"][:, g] - data["trait_mean"][:, 0]) / history.sd_phenotypic
    data["genetic_variance"][:, g] = sd**2
    with np.errstate(invalid="ignore", divide="ignore"):
        data["genetic_correlation"][:, g] = total / (sd[:, :, None] * sd[:, None, :])
    for name in ("within", "between"):
        data[f"variance_{name}"][:, g] = np.einsum("rtt->rt", _double(getattr(expected, name)))
    data["genic_variance"][:, g] = np.einsum("rtt->rt", _double(expected.genic))
    data["dominance_variance"][:, g] = np.einsum("rtt->rt", _double(expected.dominance))
    data["load"][:, g] = expected.load
    data["inbreeding"][:, g] = (share * kinship[rows, np.asarray(families.dam), np.asarray(families.sire)]).sum((1, 2))
    data["kinship"][:, g] = np.einsum("ra,rab,rb->r", contribution, kinship, contribution)
    data["loci_fixed"][:, g], data["heterozygosity"][:, g] = expected.fixed, expected.heterozygosity
    data["eggs"][:, g] = eggs.sum((1, 2))
    history.done = g + 1
    if g > 0:
        _record_step(history, g - 1, share, population)


def record_round(history: History, g: int, round_: Round, sessions: int = 1) -> None:
    """Enters what testing generation g showed; without stages every animal had so many sessions."""
    data, traits = history.data, len(history.traits)
    sample, staged = round_.sample, round_.staged
    variance = np.einsum("rtt->rt", sample.covariance)
    data["tested_mean"][:, g] = sample.mean[:, :traits]
    data["tested_covariance"][:, g] = sample.covariance[:, :traits, :traits]
    data["tested_variance"][:, g], data["phenotypic_variance"][:, g] = variance[:, :traits], variance[:, traits:]
    with np.errstate(invalid="ignore", divide="ignore"):
        data["heritability"][:, g] = variance[:, :traits] / variance[:, traits:]
    weights = _double(history.schedule.weights)[g] / history.sd_phenotypic
    spread, _, data["accuracy"][:, g] = index_statistics(sample, weights)
    data["tests"][:, g] = sample.tested
    data["survivors"][:, g] = np.asarray(round_.tested.survivors, np.int64).sum((1, 2))
    if staged is None:
        data["performance"][:, g] = sample.mean[:, :traits]
        data["sessions"][:, g] = sample.tested * sessions
    else:
        animals = staged.animals
        tested = animals.sessions > 0
        for r in range(len(sample.tested)):
            here = tested & (animals.replicate == r)
            data["performance"][r, g] = animals.performance[here].mean(0) if here.any() else np.nan
            data["sessions"][r, g] = animals.sessions[here].sum()
        data["entered"][:, g] = staged.entered
        data["screen_accuracy"][:, g], data["screen_accuracy_within"][:, g] = staged.screen
    # Until the next clutches are laid, when the parents' weights are known, these hold what they are compared with.
    data["selection_differential"][:, g] = -sample.mean[:, traits:]
    with np.errstate(divide="ignore"):
        data["intensity"][:, g] = 1.0 / spread


def count_breeders(population: Population, families: Families) -> npt.NDArray[np.int64]:
    """Different animals among the dams and the sires that have eggs, (replicate,)."""
    name = np.asarray(population.name).astype(np.uint64)
    whole = name[..., 0] << np.uint64(32) | name[..., 1]
    dam, sire, eggs = (np.asarray(x).reshape(len(name), -1) for x in (families.dam, families.sire, families.eggs))
    rows = zip(whole, dam, sire, eggs > 0, strict=True)
    return np.array([np.unique(w[np.append(d, s[has])]).size for w, d, s, has in rows], np.int64)


def record_costs(
    history: History, g: int, round_: Round, stages: tuple[Stage, ...], breeders: npt.NDArray[np.int64]
) -> None:
    """Enters what generation g cost, of what has been entered of it already.

    Args:
      history: the history, with prices.
      g: the generation.
      round_: what happened in it.
      stages: of the programme.
      breeders: (replicate,), from `count_breeders`.
    """
    data, staged = history.data, round_.staged
    assert history.prices is not None
    genotyped, reared = np.zeros_like(breeders), data["tests"][:, g]
    if staged is not None:
        kinds = [stage.kind for stage in stages]
        first = kinds.index("rear") if "rear" in kinds else kinds.index("test") if "test" in kinds else None
        genotyped = staged.genotyped
        reared = np.zeros_like(breeders) if first is None else staged.entered[:, first]
    units = {"egg": data["eggs"][:, g], "genotype": genotyped, "reared": reared}
    units |= {"session": data["sessions"][:, g], "breeder": breeders}
    data["paid_for"][:, g] = np.stack([units[item] for item in ITEMS], axis=-1)
    data["cost_of"][:, g] = data["paid_for"][:, g] * history.prices.each
    data["cost"][:, g] = data["cost_of"][:, g].sum(-1)


def _record_step(history: History, g: int, share: Floats, parents: Population) -> None:
    """Completes generation g once its selected parents have laid: weights are the shares of the eggs."""
    data, lineages = history.data, share.shape[1]
    unit = 2.0**-history.scale_bits

    def weighted(value: object) -> Floats:
        v = _double(value) * unit
        of_dams = np.einsum("rl,rlt->rt", share.sum(2), v[:, :lineages])
        of_sires = np.einsum("ra,rat->rt", share.reshape(len(share), -1), v[:, lineages:])
        return 0.5 * (of_dams + of_sires)

    weights = _double(history.schedule.weights)[g] / history.sd_phenotypic
    data["selection_differential"][:, g] += weighted(parents.phenotype)
    with np.errstate(invalid="ignore"):  # an index without variance has no intensity
        data["intensity"][:, g] *= data["selection_differential"][:, g] @ weights
    data["selected_mean"][:, g] = weighted(parents.genetic)
    data["response"][:, g] = data["trait_mean"][:, g + 1] - data["trait_mean"][:, g]
    with np.errstate(invalid="ignore", divide="ignore"):
        data["realised_heritability"][:, g] = data["response"][:, g] / data["selection_differential"][:, g]
        data["kinship_rate"][:, g] = 1 - (1 - data["kinship"][:, g + 1]) / (1 - data["kinship"][:, g])
        step = data["inbreeding"][:, g + 1] - data["inbreeding"][:, g]
        data["effective_size"][:, g] = (1 - data["inbreeding"][:, g]) / (2 * step)
