"""Crossover interference: the chi-square model in closed form (V26)."""

from collections.abc import Iterator

import numpy as np

from jaxbreed import kernels
from jaxbreed.verification.findings import Finding, chi_square, known_error
from jaxbreed.verification.gametes import hatch_family, heterozygotes
from jaxbreed.verification.maps import chi_square_recombination, chiasma_counts, crossover_chances
from jaxbreed.verification.registry import Effort, check

MODEL = "chi-square model: Foss et al. 1993; Zhao, Speed & McPeek 1995"
_LENGTH, _STEP = 1.2, 0.005
_SHAPE = 4


@check("V26", "with interference crossovers follow the chi-square model")
def interference(effort: Effort) -> Iterator[Finding]:
    """Wrong: Haldane's Poisson numbers and map function; a chromosome that starts as if at a chiasma."""
    eggs = effort.size(40_000, 200_000)
    loci = round(_LENGTH / _STEP) + 1
    place = np.tile(np.linspace(0, _LENGTH, loci), 2)
    chromosome = np.repeat([0, 1], loci).astype(np.int32)
    walk_map = kernels.build_walk_map(chromosome, np.stack([place, place]), np.full((2, 2), _LENGTH), float(_SHAPE))
    counts, apart, both = [], [], []
    for young in hatch_family(heterozygotes(2 * loci), walk_map, effort.words(26), eggs):
        at = young.reshape(-1, 2, loci)  # (gamete x chromosome, ...): rows alternate between the chromosomes
        counts.append((at[..., 1:] != at[..., :-1]).sum(-1))
        apart.append(np.stack([at[..., 40] != at[..., 40 + steps] for steps in (10, 40)], axis=-1).sum((0, 1)))
        first, second = at[..., 40] != at[..., 60], at[..., 60] != at[..., 80]
        both.append((first & second).sum())
    found, gametes = np.concatenate(counts), 4 * eggs
    chances = crossover_chances(_SHAPE, _LENGTH)
    wanted = 2 * eggs * np.append(chances[:5], 1 - chances[:5].sum())
    for c in (0, 1):
        seen = np.bincount(np.minimum(found[:, c], 5), minlength=6)
        statistic = float(((seen - wanted) ** 2 / wanted).sum())
        yield chi_square(f"numbers of crossovers on 1.2 M, shape {_SHAPE}, chromosome {c + 1}", statistic, 5, MODEL)
    for steps, seen in zip((10, 40), np.sum(apart, axis=0), strict=True):
        r = chi_square_recombination(_SHAPE, steps * _STEP)
        law = f"recombination at {steps * _STEP * 100:g} cM, shape {_SHAPE}"
        yield known_error(law, seen / gametes, r, float(np.sqrt(r * (1 - r) / gametes)), MODEL)
    cases = chiasma_counts(_SHAPE, (0.1, 0.1), range(_SHAPE))
    r = 0.25 * sum(chance for numbers, chance in cases.items() if all(numbers))
    law = f"both of two neighbouring 10 cM recombine, shape {_SHAPE}"
    yield known_error(law, np.sum(both) / gametes, r, float(np.sqrt(r * (1 - r) / gametes)), MODEL)
