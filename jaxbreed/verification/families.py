"""Families: gamete variance with linkage, what a clutch of given parents shows, halves of the variance (V5, V6)."""

from collections.abc import Iterator

import numpy as np

from jaxbreed import kernels
from jaxbreed.verification.findings import Finding, known_error, mean_of, normal_variance, variance_of
from jaxbreed.verification.full_clutches import full_clutches
from jaxbreed.verification.gametes import score_family
from jaxbreed.verification.maps import gamete_variance
from jaxbreed.verification.registry import Effort, check

LINKED = "1/4 sum d_i d_j (1 - 2 r_ij)"
FALCONER = "Falconer & Mackay 1996, ch. 9"
_LENGTH = np.array([[0.5, 1.0, 2.0], [2.0, 1.0, 0.5]])
_CHROMOSOME = np.repeat(np.arange(3), 100).astype(np.int32)
_POSITION = np.stack([np.linspace(0, length, 100).T.ravel() for length in _LENGTH])
_COLUMNS = 7  # coupling and repulsion on each chromosome; effects drawn at random


def _walk_map() -> kernels.WalkMap:
    return kernels.build_walk_map(_CHROMOSOME, _POSITION, _LENGTH)


def _effects(effort: Effort) -> np.ndarray:
    rows = [np.where(c == _CHROMOSOME, pattern, 0) for c in range(3) for pattern in (1, np.resize([1, -1], 300))]
    return np.stack([*rows, effort.numpy(5).integers(-1000, 1001, 300)])


@check("V5", "gamete variance shows linkage, in coupling and in repulsion")
def gametes(effort: Effort) -> Iterator[Finding]:
    """100 equal loci a chromosome. Wrong: unlinked loci (25), other map functions, the other sex's map."""
    eggs, effects, walk_map = effort.size(100_000, 400_000), _effects(effort), _walk_map()
    for s, sex in enumerate(("dam", "sire")):
        parents = np.zeros((2, 2, 300), np.uint8)
        parents[s, 1] = 1
        values = score_family(effects, parents, walk_map, effort.words(50 + s), eggs)
        for column in range(6):
            c, kind = divmod(column, 2)
            name = f"{('coupling', 'repulsion')[kind]}, {_LENGTH[s, c]:g} M, {sex}"
            expected = gamete_variance(effects[column].astype(float), _POSITION[s], _CHROMOSOME)
            yield variance_of(f"variance of {eggs:,} gametes, {name}", values[column], expected, LINKED)


@check("V6", "a full-sib family has its parents' mean; half of VA lies within families, half between")
def families(effort: Effort) -> Iterator[Finding]:
    """Wrong: no linkage, each parent on the other's map, one parent only; all of VA within; a quarter."""
    eggs, effects, walk_map = effort.size(100_000, 400_000), _effects(effort), _walk_map()
    rng = effort.numpy(6)
    mixed = effects[-1].astype(float)
    parents = rng.integers(0, 2, (2, 2, 300)).astype(np.uint8)
    values = score_family(effects, parents, walk_map, effort.words(60), eggs)[-1]
    expected = sum(
        gamete_variance(mixed * np.diff(parents[s].astype(float), axis=0)[0], _POSITION[s], _CHROMOSOME) for s in (0, 1)
    )
    middle = float((parents @ mixed).sum(1).mean())
    yield known_error(
        f"mean of {eggs:,} full sibs, mid-parent", values.mean(), middle, float(np.sqrt(expected / eggs)), FALCONER
    )
    yield variance_of(f"variance of {eggs:,} full sibs of given parents", values, expected, LINKED)
    frequency, number, size = rng.uniform(0.1, 0.9, 300), effort.size(40, 200), 20_000
    means, within = [], []
    for family in range(number):
        drawn = (rng.uniform(size=(2, 2, 300)) < frequency).astype(np.uint8)
        seen = score_family(effects, drawn, walk_map, effort.words(600 + family), size)[-1]
        means.append(seen.mean())
        within.append(seen.var(ddof=1))
    additive = float((2 * frequency * (1 - frequency) * mixed**2).sum())
    yield mean_of(f"variance within {number} families, 1/2 VA", within, additive / 2, FALCONER)
    between = additive / 2 * (1 + 1 / size)
    yield normal_variance(f"variance between {number} families, 1/2 VA", means, between, FALCONER)
    if effort.full:
        yield from full_clutches(effort)
