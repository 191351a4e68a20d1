"""Genomic prediction of full sibs that were not tested (V31)."""

from collections.abc import Iterator

import numpy as np

from jaxbreed import kernels
from jaxbreed.accuracy import full_sib_accuracy, within_family_h2
from jaxbreed.prediction import fit_gblup, predicted_values
from jaxbreed.relationship import genomic_relationship
from jaxbreed.verification.findings import Finding, mean_of
from jaxbreed.verification.gametes import hatch_each
from jaxbreed.verification.registry import Effort, check

SOURCE = "Dobriban & Wager 2018; Daetwyler et al. 2008"
_CHROMOSOMES, _LOCI, _LENGTH = 12, 120, 0.8


@check("V31", "accuracy of genomic prediction within a full-sib family")
def accuracy(effort: Effort) -> Iterator[Finding]:
    """200 sibs tested, h2 0.6, 300 not. Wrong: half or twice the segments; the heritability among founders."""
    families, tested, others, h2 = effort.size(20, 60), 200, 300, 0.6
    loci = _CHROMOSOMES * _LOCI
    chromosome = np.repeat(np.arange(_CHROMOSOMES), _LOCI).astype(np.int32)
    place = np.tile(np.linspace(0, _LENGTH, _LOCI), _CHROMOSOMES)
    walk_map = kernels.build_walk_map(chromosome, np.stack([place, place]), np.full((2, _CHROMOSOMES), _LENGTH))
    squares = np.zeros((families, 3))
    traits, rng = 4, effort.numpy(31)
    unrelated = np.zeros((families, traits))
    for family in range(families):
        parents = rng.integers(0, 2, (2, 2, loci)).astype(np.uint8)
        dams, sires = (np.broadcast_to(parent, (tested + others, 2, loci)) for parent in parents)
        young = hatch_each(dams, sires, walk_map, effort.words(3100 + family))
        sibs, qtl = young.sum(1, dtype=np.uint8), rng.random(loci) < 1 / 6
        panel = sibs[:tested, ~qtl]
        relationship = genomic_relationship(panel, np.full(panel.shape[1], 0.5))
        strangers = rng.integers(0, 2, (others, 2, loci)).sum(1).astype(np.uint8)
        for t in range(traits):
            effect = rng.normal(size=qtl.sum())
            effect /= np.sqrt((effect**2).sum() / 2)  # VA 1 at frequency one half
            record = sibs[:tested, qtl] @ effect + rng.normal(size=tested) * np.sqrt((1 - h2) / h2)
            fit = fit_gblup(relationship, record, h2=h2)
            both = np.cov(predicted_values(fit, sibs[tested:, ~qtl]), sibs[tested:, qtl] @ effect)
            squares[family] += both[0, 0], both[1, 1], both[0, 1]
            guess = predicted_values(fit, strangers[:, ~qtl])
            unrelated[family, t] = np.corrcoef(guess, strangers[:, qtl] @ effect)[0, 1]
    expected = full_sib_accuracy(tested, within_family_h2(h2), [_LENGTH] * _CHROMOSOMES)
    # The ratio of sums over families, its error by leaving each family out once: pseudo-values.
    total = squares.sum(0)
    whole = total[2] / np.sqrt(total[0] * total[1])
    left = total - squares
    pseudo = families * whole - (families - 1) * left[:, 2] / np.sqrt(left[:, 0] * left[:, 1])
    law = f"accuracy of predicted values of {others} sibs without records, {families} families, {traits} traits"
    yield mean_of(law, pseudo, expected, SOURCE, allowance=0.025)
    yield mean_of(
        "accuracy for animals of no kin, markers in linkage equilibrium with QTL", unrelated.mean(1), 0.0, SOURCE
    )
