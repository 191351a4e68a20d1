"""Selection across families on the infinitesimal model, animal by animal with its pedigree, in plain NumPy."""

from typing import NamedTuple

import numpy as np


class Run(NamedTuple):
    """Leading axis (replicate,); then (generation + 1,)."""

    gain: np.ndarray
    inbreeding: np.ndarray
    between: np.ndarray  # variance between full-sib families


def run(weights, *, replicates, dams, sires, tested, h2, seed):
    """Founders are unrelated; one trait of phenotypic variance 1 among their outbred offspring.

    Args:
      weights: (generation,), of a family's observed mean relative to an animal's deviation from it.
      replicates: independent populations.
      dams: females chosen in each generation.
      sires: males of each dam, all different.
      tested: of each full-sib family, half of each sex.
      h2: heritability.
      seed: of all draws.
    """
    rng, row = np.random.default_rng(seed), np.arange(replicates)[:, None]
    families, half = dams * sires, tested // 2
    breeders = dams + families
    value = np.sqrt(h2) * rng.normal(size=(replicates, breeders))
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
        segregating = 0.5 * h2 * (1 - 0.5 * (own[row, dam] + own[row, sire]))
        genetic = family[..., None] + np.sqrt(segregating)[..., None] * rng.normal(size=(replicates, families, tested))
        record = genetic + np.sqrt(1 - h2) * rng.normal(size=genetic.shape)
        mean = record.mean(2, keepdims=True)
        index = weight * mean + record - mean
        place, chosen = [], []
        for number, sex in ((dams, slice(half)), (families, slice(half, None))):
            best = np.argsort(-index[..., sex].reshape(replicates, -1), axis=1)[:, :number]
            place.append(best // half)
            chosen.append(genetic[..., sex].reshape(replicates, -1)[row, best])
        of, value = np.concatenate(place, axis=1), np.concatenate(chosen, axis=1)
        parents = np.stack([dam, sire], axis=-1)
        between = kinship[row[..., None, None, None], parents[:, :, None, :, None], parents[:, None, :, None, :]]
        kinship = between.mean((3, 4))[row[..., None], of[:, :, None], of[:, None, :]]
        kinship[:, np.arange(breeders), np.arange(breeders)] = 0.5 * (1 + inbred[row, of])
    gain, inbreeding, between = (np.stack(x, axis=1) for x in zip(*seen, strict=True))
    return Run(gain - gain[:, :1], inbreeding, between)
