"""Genomic prediction inside a programme: who trains the model, when, and what it says of animals and eggs."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.candidates import Bools, Candidates, Floats, Ints
from jaxbreed.clutch import Families
from jaxbreed.columns import Columns, with_predictions
from jaxbreed.kernels import hatch
from jaxbreed.population import Population
from jaxbreed.prediction import fit_gblup
from jaxbreed.program import Program
from jaxbreed.relationship import genomic_relationship

_AT_A_TIME = 1024  # animals hatched together
_VALUE_BITS = 29.5  # predictions of eggs must stay below 2**30


class Model(NamedTuple):
    """Marker effects of each replicate, trait units: value = intercept + copies of allele 1 @ effect."""

    effect: Floats  # (replicate, trait, marker)
    intercept: Floats  # (replicate, trait)
    known: Bools  # (replicate,), False where there were no records to train it: effects are then 0


class Records(NamedTuple):
    """Animals that can train a model, of all replicates."""

    replicate: Ints
    generation: Ints
    clutch: Ints
    dosage: npt.NDArray[np.uint8]  # (animal, marker)
    record: Floats  # (animal, trait)
    sessions: Ints


@dataclasses.dataclass(frozen=True)
class Knowledge:
    """What is carried from one generation to the next.

    Attributes:
      model: the latest, None before the first.
      records: of the last generations, None before the first.
    """

    model: Model | None = None
    records: Records | None = None


@jax.jit
def _genotypes(program: Program, locus: Array, key: Array, egg: Array, dams: Array, sires: Array) -> Array:
    young = hatch(program.locus_map, key, egg, dams, sires)
    return young[..., locus].sum(1, dtype=jnp.uint8)


def genotype(
    program: Program, population: Population, families: Families, animals: Candidates, who: Bools
) -> npt.NDArray[np.uint8]:
    """Hatches animals and reads their markers.

    Args:
      program: the programme.
      population: their parents.
      families: their families.
      animals: the animals.
      who: bool (animal,), which of them.

    Returns:
      uint8 (animal, marker), copies of allele 1.
    """
    assert program.markers is not None
    locus, rows = program.markers.locus, np.flatnonzero(who)
    family = (animals.replicate[rows], animals.lineage[rows], animals.sire[rows])
    key, egg = np.asarray(families.key)[family], animals.egg[rows]
    dam, sire = (np.asarray(place)[family] for place in (families.dam, families.sire))
    haplotypes = np.asarray(population.haplotypes)
    out = np.empty((rows.size, locus.size), np.uint8)
    for start in range(0, rows.size, _AT_A_TIME):
        here = np.arange(start, start + _AT_A_TIME) % rows.size  # always as many, to compile once
        parents = (haplotypes[family[0][here], place[here]] for place in (dam, sire))
        part = np.asarray(_genotypes(program, locus, key[here], egg[here], *parents))
        out[start : start + _AT_A_TIME] = part[: rows.size - start]
    return out


def learn(
    program: Program,
    knowledge: Knowledge,
    animals: Candidates,
    dosage: npt.NDArray[np.uint8],
    generation: int,
    replicates: int,
) -> Knowledge:
    """Adds this generation's records, forgets old ones, and trains the model anew if it is time.

    A replicate without two records keeps the model it has, if any.

    Args:
      program: the programme.
      knowledge: so far.
      animals: this generation's, of which the tested have sessions.
      dosage: uint8 (tested animal, marker).
      generation: its number.
      replicates: how many there are.

    Returns:
      What is known now.
    """
    plan = program.settings.prediction
    assert plan is not None
    tested = np.flatnonzero(animals.sessions > 0)
    new = Records(
        animals.replicate[tested],
        np.full(tested.size, generation),
        animals.clutch[tested] + (generation << 32),
        dosage,
        animals.record[tested],
        animals.sessions[tested],
    )
    records = new
    if (old := knowledge.records) is not None:
        kept = old.generation > generation - plan.memory
        records = Records(*(np.concatenate([np.asarray(a)[kept], b]) for a, b in zip(old, new, strict=True)))
    due = generation == 0 if plan.retrain == 0 else generation % plan.retrain == 0
    if knowledge.model is not None and not due:
        return Knowledge(knowledge.model, records)
    assert program.markers is not None
    traits, markers = len(program.traits.names), program.markers.locus.size
    model = Model(np.zeros((replicates, traits, markers)), np.zeros((replicates, traits)), np.zeros(replicates, bool))
    if (last := knowledge.model) is not None:
        model = Model(last.effect.copy(), last.intercept.copy(), last.known.copy())
    for replicate in np.flatnonzero(np.bincount(records.replicate, minlength=replicates) > 1):
        model.effect[replicate], model.intercept[replicate] = _fit(program, records, int(replicate))
        model.known[replicate] = True
    return Knowledge(model, records)


def _fit(program: Program, records: Records, replicate: int) -> tuple[Floats, Floats]:
    """Effects (trait, marker) and intercepts (trait,) from the records of one replicate."""
    plan, traits, markers = program.settings.prediction, program.traits, program.markers
    assert plan is not None
    assert markers is not None
    mine = np.flatnonzero(records.replicate == replicate)
    # The latest first; of one generation every n-th, so that all clutches are there.
    order = np.lexsort((_shuffled(mine.size), -records.generation[mine]))
    mine = np.sort(mine[order[: plan.training]])
    dosage = records.dosage[mine]
    relationship = genomic_relationship(dosage, np.asarray(markers.frequency, np.float64))
    group = records.generation[mine] if plan.group == "generation" else records.clutch[mine]
    effect, intercept = [], []
    for trait in range(len(traits.names)):
        h2, weight = _known(program, trait, records.sessions[mine])
        fit = fit_gblup(
            relationship,
            records.record[mine, trait],
            h2=h2 if plan.h2 == "known" else None,
            group=group,
            weight=weight,
        )
        effect.append(fit.effect)
        intercept.append(fit.intercept)
    return np.stack(effect), np.array(intercept)


def _shuffled(animals: int) -> Ints:
    """A fixed order without order."""
    return np.random.default_rng(0).permutation(animals)


def _known(program: Program, trait: int, sessions: Ints) -> tuple[float, Floats]:
    """Heritability of one session among the founders, and the weight of records of several."""
    traits, plan = program.traits, program.settings.prediction

    def of(covariance: Array | None) -> float:
        return 0.0 if covariance is None else float(np.asarray(covariance)[trait, trait])

    genetic, total = of(traits.additive), float(np.asarray(traits.sd_phenotypic)[trait]) ** 2
    if plan is not None and plan.group == "clutch":
        total -= of(traits.clutch)
    passing = of(traits.residual) - of(traits.permanent)
    rest = max(total - genetic, 1e-9 * total)
    return genetic / (genetic + rest), rest / np.maximum(rest - passing + passing / sessions, 1e-12)


class Predictor(NamedTuple):
    """The predicted index of each replicate: intercept + copies of allele 1 @ effect."""

    effect: Floats  # (replicate, marker)
    intercept: Floats  # (replicate,)

    def __call__(self, replicate: Ints, dosage: npt.NDArray[np.uint8]) -> Floats:
        """Predicted index of genotyped animals, (animal,)."""
        value = np.empty(len(replicate))
        for r in np.unique(replicate):
            here = replicate == r
            value[here] = self.intercept[r] + dosage[here] @ self.effect[r]
        return value


def predictor(program: Program, knowledge: Knowledge, per_unit: Floats) -> Predictor | None:
    """What the latest model says of the index; None before there is one.

    Args:
      program: the programme.
      knowledge: the model, and the records whose allele frequencies rarity refers to.
      per_unit: (trait,), index weights per trait unit.
    """
    plan, model, records = program.settings.prediction, knowledge.model, knowledge.records
    if plan is None or model is None or records is None:
        return None
    effect = np.einsum("t,rtm->rm", per_unit, model.effect)
    if plan.rarity > 0:
        effect = effect * _rarity(records, effect, plan.rarity)
    return Predictor(effect, model.intercept @ per_unit)


class EggScore(NamedTuple):
    """Predictions as the sweep scores them."""

    columns: Columns  # (replicate,): the predicted index first
    scale: float  # units of the score to one unit of the index
    unit: int  # binary logarithm of its unit in moments


def egg_score(program: Program, say: Predictor) -> EggScore:
    """The predicted index as a column over loci.

    Args:
      program: the programme.
      say: the predicted index.

    Returns:
      The columns.
    """
    assert program.markers is not None
    reach = np.abs(say.intercept) + 2 * np.abs(say.effect).sum(1)
    scale = 2.0 ** np.floor(_VALUE_BITS - np.log2(max(float(reach.max()), 1e-30)))
    # Spread among unrelated founders; a quarter as much or four times as much does as well for the moments.
    p = np.asarray(program.markers.frequency, np.float64)
    sd = np.sqrt((2 * p * (1 - p) * say.effect**2).sum(1).max()) * scale
    integers = (jnp.asarray(np.rint(x * scale), jnp.int32) for x in say)
    columns = with_predictions(program.markers.columns, program.markers.at, *integers)
    return EggScore(columns, float(scale), max(0, int(np.ceil(np.log2(max(sd, 1.0)))) - 9))


def _rarity(records: Records, effect: Floats, power: float) -> Floats:
    """By how much markers count more as their favourable allele is rarer: (replicate, marker)."""
    latest = records.generation == records.generation.max(initial=0)
    factor = np.empty_like(effect)
    for r in range(len(effect)):
        dosage = records.dosage[latest & (records.replicate == r)]
        frequency = dosage.sum(0) / (2 * max(len(dosage), 1))
        favourable = np.where(effect[r] > 0, frequency, 1 - frequency)
        factor[r] = np.maximum(favourable, 0.5 / max(len(dosage), 1)) ** -power
    return factor
