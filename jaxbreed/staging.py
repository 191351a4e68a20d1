"""The stages of a generation: eggs are screened, animals reared and tested, the best go on."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxbreed.battery import error_scale, group_means
from jaxbreed.candidates import Bools, Candidates, Floats, Ints, follow, place_within, without
from jaxbreed.clutch import Families
from jaxbreed.genomics import Knowledge, genotype, learn, predictor
from jaxbreed.kernels import Tested
from jaxbreed.kernels.topk import ABSENT
from jaxbreed.population import Population
from jaxbreed.program import Program
from jaxbreed.schedule import Decision
from jaxbreed.screening import Accuracy, egg_accuracy, first_assay, going_on, screen_eggs
from jaxbreed.stages import Stage
from jaxbreed.testing import score_families, sweep_families


class Staged(NamedTuple):
    """What the stages showed.

    Attributes:
      animals: the animals that were followed, scored by the index of what was last learned of them.
      drawn: the sweep that chose them, or the one that chose among all eggs afterwards.
      entered: int (replicate, stage), eggs or animals that entered each stage.
      genotyped: int (replicate,), eggs or animals whose markers were read, each counted once.
      screen: accuracy of the score that every egg was given.
      knowledge: what is known for genomic prediction from now on.
      scale: units of the ranks in `drawn` to one unit of the index, if parents are chosen among all eggs; else None.
    """

    animals: Candidates
    drawn: Tested
    entered: Ints
    genotyped: Ints
    screen: Accuracy
    knowledge: Knowledge
    scale: float | None


def run_stages(
    program: Program,
    decision: Decision,
    population: Population,
    families: Families,
    knowledge: Knowledge,
    kept: int,
    progress: Callable[[int], None] | None = None,
) -> Staged:
    """Takes the eggs of a generation through all stages.

    Args:
      program: the programme.
      decision: this generation's row of the schedule.
      population: the breeders.
      families: the eggs they lay.
      knowledge: what is known for genomic prediction.
      kept: animals of each sex of each family that selection needs.
      progress: called with numbers of eggs finished.

    Returns:
      What they showed.
    """
    stages, plan = program.settings.stages, program.settings.prediction
    replicates = families.eggs.shape[0]
    per_unit = np.asarray(decision.weights, np.float64) / np.asarray(program.traits.sd_phenotypic, np.float64)
    nothing = np.full(replicates, np.nan)
    entered, accuracy, scale = np.zeros((replicates, len(stages)), np.int64), Accuracy(nothing, nothing), None
    say = predictor(program, knowledge, per_unit)
    # The sweep screens every egg, or takes the first survivors, which are a random sample.
    screens = stages[0].kind == "screen"
    if screens and stages[0].accuracy is None and say is not None:
        drawn, accuracy, _ = screen_eggs(program, say, per_unit, population, families, going_on(stages, kept), progress)
    else:
        assay = first_assay(program, decision.weights, kept)
        drawn = sweep_families(program, assay, population, families, progress)
        if screens and stages[0].accuracy is not None:
            accuracy = egg_accuracy(program, drawn, np.asarray(assay.unit), per_unit, per_unit)
    animals = follow(program, families, drawn, score_families(program, population, families, drawn.egg))
    # Whose markers are read: of no egg where a screen is by prediction and there is no model yet.
    every_egg, read = screens and (stages[0].accuracy is not None or say is not None), np.zeros(animals.egg.size, bool)
    died = np.zeros(animals.egg.size, bool)
    for number, stage in enumerate(stages):
        if number == 0 and screens:
            entered[:, 0] = np.asarray(drawn.survivors).sum((1, 2))
        else:
            enters = admit(animals, stage.capacity)
            entered[:, number] = np.bincount(animals.replicate[enters], minlength=replicates)
            animals.alive = enters & (animals.luck[number] < stage.survival)
            died |= enters & ~animals.alive
        if stage.kind == "test":
            conduct(program, animals, stage, number, animals.alive)
            animals.score = np.where(animals.sessions > 0, animals.record @ per_unit, np.nan)
        elif stage.kind == "screen" and stage.accuracy is not None:
            read |= animals.alive
            animals.score = (animals.genetic + animals.error[number]) @ per_unit
        elif stage.kind == "screen" and say is not None:
            read |= animals.alive
            animals.score[animals.alive] = say(
                animals.replicate[animals.alive],
                genotype(program, population, families, animals, animals.alive),
            )
    if plan is not None:
        known = animals.alive | (animals.sessions > 0)
        read |= known
        dosage = genotype(program, population, families, animals, known)
        tested = animals.sessions[known] > 0
        knowledge = learn(program, knowledge, animals, dosage[tested], decision.generation, replicates)
        say = predictor(program, knowledge, per_unit)
        if say is not None and plan.choose == "tested":
            animals.score[:] = np.nan
            animals.score[known] = say(animals.replicate[known], dosage)
        elif say is not None:
            more = _most_in_a_family(animals, died)
            drawn, accuracy, scale = screen_eggs(program, say, per_unit, population, families, kept + more, progress)
            # Eggs that nobody followed are taken to live; a sib that died in a stage cannot breed.
            drawn, every_egg = without(drawn, animals, died, kept), True
    genotyped = np.bincount(animals.replicate[read], minlength=replicates)
    if every_egg:  # those that are followed are among them, and not genotyped again
        genotyped = np.asarray(drawn.survivors, np.int64).sum((1, 2))
    if knowledge.model is not None and not knowledge.model.known.all():
        # Too few were tested for a model: nobody can be chosen by prediction.
        animals.alive &= knowledge.model.known[animals.replicate]
        drawn = _without_replicates(drawn, ~knowledge.model.known)
    return Staged(animals, drawn, entered, genotyped, accuracy, knowledge, scale)


def _most_in_a_family(animals: Candidates, died: Bools) -> int:
    """Most animals of one sex of a family that died, rounded up to a power of two, so that few numbers are compiled."""
    if not died.any():
        return 0
    rows = np.stack([animals.clutch[died], animals.sire[died], animals.sex[died]])
    return 1 << int(np.unique(rows, axis=1, return_counts=True)[1].max() - 1).bit_length()


def _without_replicates(drawn: Tested, gone: Bools) -> Tested:
    """Leaves nobody of some replicates to choose from."""
    where = gone[:, None, None]
    count = np.where(where, 0, np.asarray(drawn.moments.count))
    rank = np.where(where[..., None, None], ABSENT, np.asarray(drawn.rank))
    moments = dataclasses.replace(drawn.moments, count=jnp.asarray(count))
    return dataclasses.replace(drawn, rank=jnp.asarray(rank), moments=moments)


def admit(animals: Candidates, capacity: int | None) -> Bools:
    """Who enters a stage: of each clutch the best so far, half of either sex, while there is room.

    Where nothing is known of an animal it comes after those of whom something is; ties go to the lower row.

    Args:
      animals: the animals.
      capacity: most of a clutch; None for all.

    Returns:
      bool (animal,).
    """
    if capacity is None or not animals.alive.any():
        return animals.alive.copy()
    known = np.where(np.isnan(animals.score), -np.inf, animals.score)
    group = animals.clutch * 2 + animals.sex
    order = np.lexsort((np.arange(known.size), -known, group, ~animals.alive))
    order = order[: int(animals.alive.sum())]
    place = place_within(group[order])
    enters = np.zeros(known.size, bool)
    room = np.where(animals.sex[order] == 0, -(-capacity // 2), capacity // 2)
    enters[order] = place < room
    return _fill(animals, enters, order, capacity)


def _fill(animals: Candidates, enters: Bools, order: Ints, capacity: int) -> Bools:
    """Gives room that one sex leaves to the other."""
    entered = np.bincount(animals.clutch[enters], minlength=int(animals.clutch.max()) + 1)
    waiting = order[~enters[order]]
    place = place_within(animals.clutch[waiting][np.argsort(animals.clutch[waiting], kind="stable")])
    waiting = waiting[np.argsort(animals.clutch[waiting], kind="stable")]
    enters[waiting] = place < capacity - entered[animals.clutch[waiting]]
    return enters


def conduct(program: Program, animals: Candidates, stage: Stage, number: int, entered: Bools) -> None:
    """Conducts a test: each animal gets the mean of all its sessions so far as its record.

    Args:
      program: the programme.
      animals: the animals; their records and numbers of sessions change.
      stage: the test.
      number: which stage it is.
      entered: bool (animal,), who is tested.
    """
    scale, battery = np.asarray(program.traits.sd_phenotypic, np.float64), program.battery
    error = animals.error[number, entered] / np.sqrt(stage.sessions)
    shown = animals.lasting[entered]
    if battery is not None:
        lasting = animals.lasting[entered] / scale
        error = error * error_scale(lasting, program.lasting_variance, np.array(battery.gating))
        social = np.array(battery.social)
        if social.any():
            mates = group_means(lasting, _groups(animals.clutch[entered], battery.group))
            shown = shown + mates @ social.T * scale
    before = animals.sessions[entered][:, None]
    so_far = np.where(before > 0, animals.record[entered], 0.0) * before
    animals.record[entered] = (so_far + (shown + error) * stage.sessions) / (before + stage.sessions)
    animals.sessions[entered] += stage.sessions


def _groups(clutch: Ints, size: int) -> Ints:
    """Numbers of test groups: animals of a clutch as they come, which is at random."""
    _, number = np.unique(clutch, return_inverse=True)
    place = place_within(number)
    return np.asarray(number * (place.max(initial=0) + 1) + place // size, np.int64)


def weigh_families(animals: Candidates, weight: float) -> Floats:
    """Weighs the mean score of a family by another factor than an animal's deviation from it.

    Args:
      animals: the animals; those without a score do not count.
      weight: of the family's mean; 1 changes nothing.

    Returns:
      (animal,) scores.
    """
    known = np.flatnonzero(~np.isnan(animals.score))
    _, family = np.unique(np.stack([animals.clutch[known], animals.sire[known]]), axis=1, return_inverse=True)
    mean = np.bincount(family, animals.score[known]) / np.bincount(family)
    score = animals.score.copy()
    score[known] += (weight - 1) * (mean[family] - mean.mean())
    return score


def worst_trait(animals: Candidates, weights: Floats) -> Floats:
    """Scores for independent culling: how an animal stands in its worst trait, in SD of the tested of its replicate.

    Taking the best by it is culling at one level for all traits, set so that just enough are left.

    Args:
      animals: the animals.
      weights: (trait,), traits with weight 0 do not count, those below 0 are selected downwards.

    Returns:
      (animal,) scores, NaN for animals not tested.
    """
    score = np.full(animals.score.shape, np.nan)
    for replicate in np.unique(animals.replicate):
        here = np.flatnonzero((animals.replicate == replicate) & (animals.sessions > 0))
        record = animals.record[here][:, weights != 0] * np.sign(weights[weights != 0])
        spread = np.maximum(record.std(0), 1e-30)
        score[here] = ((record - record.mean(0)) / spread).min(1)
    return score
