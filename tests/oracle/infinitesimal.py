"""Selection across families on the infinitesimal model, animal by animal with its pedigree, in plain NumPy."""

from typing import NamedTuple

import numpy as np


class Run(NamedTuple):
    """Leading axis (replicate,); then (generation + 1,)."""

    gain: np.ndarray  # (..., trait)
    inbreeding: np.ndarray
    between: np.ndarray  # (..., trait), variance between full-sib families


def run(weights, *, replicates, dams, sires, tested, h2, seed, males=None, c2=0.0, toward=(1.0,)):
    """Founders are unrelated; independent traits of phenotypic variance 1 among their outbred offspring.

    Args:
      weights: (generation,), of a family's observed mean relative to an animal's deviation from it.
      replicates: independent populations.
      dams: females chosen in each generation.
      sires: places for males of each dam.
      tested: of each full-sib family, half of each sex.
      h2: heritability of each trait.
      seed: of all draws.
      males: that are chosen, to fill places in turn; None for as many as places.
      c2: share of the phenotypic variance that a clutch has in common, all sires' families of it.
      toward: (trait,), what the index weighs traits by.
    """
    rng, row, toward = np.random.default_rng(seed), np.arange(replicates)[:, None], np.asarray(toward)
    families, half, traits = dams * sires, tested // 2, len(toward)
    breeders, chosen_males = dams + families, families if males is None else males
    value = np.sqrt(h2) * rng.normal(size=(replicates, breeders, traits))
    kinship = np.broadcast_to(0.5 * np.eye(breeders), (replicates, breeders, breeders))
    dam = np.broadcast_to(np.arange(dams).repeat(sires), (replicates, families))
    seen = []
    for weight in [*weights, None]:
        sire = dams + np.argsort(rng.random((replicates, families)), axis=1)
        family, inbred = 0.5 * (value[row, dam] + value[row, sire]), kinship[row, dam, sire]
        seen.append((family.mean(1), inbred.mean(1), family.var(1)))
        if weight is None:
            break
        own = 2 * np.einsum("rii->ri", kinship) - 1
        segregating = 0.5 * h2 * (1 - 0.5 * (own[row, dam] + own[row, sire]))[..., None]
        shape = (replicates, families, tested, traits)
        genetic = family[:, :, None] + np.sqrt(segregating)[:, :, None] * rng.normal(size=shape)
        clutch = (np.sqrt(c2) * rng.normal(size=(replicates, dams, traits))).repeat(sires, axis=1)[:, :, None]
        record = (genetic + clutch + np.sqrt(1 - h2 - c2) * rng.normal(size=shape)) @ toward
        mean = record.mean(2, keepdims=True)
        index = weight * mean + record - mean
        place, chosen = [], []
        for number, sex in ((dams, slice(half)), (chosen_males, slice(half, None))):
            best = np.argsort(-index[..., sex].reshape(replicates, -1), axis=1)[:, :number]
            place.append(best // half)
            chosen.append(genetic[:, :, sex].reshape(replicates, -1, traits)[row, best])
        turn = np.concatenate([np.arange(dams), dams + np.arange(families) % chosen_males])
        of, value = np.concatenate(place, axis=1)[:, turn], np.concatenate(chosen, axis=1)[:, turn]
        parents = np.stack([dam, sire], axis=-1)
        between = kinship[row[..., None, None, None], parents[:, :, None, :, None], parents[:, None, :, None, :]]
        kinship = between.mean((3, 4))[row[..., None], of[:, :, None], of[:, None, :]]
        same = turn[:, None] == turn
        kinship = np.where(same, 0.5 * (1 + inbred[row, of])[:, :, None], kinship)
    gain, inbreeding, between = (np.stack(x, axis=1) for x in zip(*seen, strict=True))
    return Run(gain - gain[:, :1], inbreeding, between)
