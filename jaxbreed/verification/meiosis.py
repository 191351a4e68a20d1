"""Meiosis without interference: recombination, crossovers, segregation, independence (V1 to V4)."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxbreed import kernels
from jaxbreed.mapfile import MapFile
from jaxbreed.verification.findings import Finding, chi_square, exact, known_error, mean_of, variance_of
from jaxbreed.verification.gametes import hatch_each, hatch_family, heterozygotes
from jaxbreed.verification.maps import haldane, switch_chances
from jaxbreed.verification.registry import Effort, check, shared

HALDANE = "Haldane 1919"
MENDEL = "Mendel 1866"
_SEX = ("dam", "sire")
_RULER = np.array([0.01, 0.05, 0.1, 0.2, 0.5, 1.0])  # one chromosome each; the male map has them in reverse
_DENSE, _STILL = _RULER.size, _RULER.size + 1  # a chromosome full of loci; one without male map length
_DENSE_LOCI, _DENSE_LENGTH = 201, np.array([1.0, 0.5])
_COUNTS = np.concatenate([np.repeat(2, _RULER.size), [_DENSE_LOCI, 21]])
_FIRST = np.concatenate([[0], np.cumsum(_COUNTS)])


class _Seen(NamedTuple):
    """What was counted while the gametes went by; axis 0 of most: dam, sire."""

    eggs: int
    recombined: npt.NDArray[np.int64]  # (2, ruler)
    switches: npt.NDArray[np.int64]  # (2, egg), on the dense chromosome
    adjacent: npt.NDArray[np.int64]  # (2,), both of two neighbouring stretches of 10 cM recombined
    ones: npt.NDArray[np.int64]  # (2, chromosome), second haplotype at the first locus
    copies: npt.NDArray[np.int64]  # (chromosome, 3), of allele 1 there
    carried_on: npt.NDArray[np.int64]  # (2, chromosome - 1), a chromosome starts as the one before ended
    alike: npt.NDArray[np.int64]  # (chromosome,), dam's and sire's gamete the same at the first locus
    both: int  # dam's and sire's gamete recombined on the chromosomes of 50 and 5 cM
    still: npt.NDArray[np.int64]  # (2,), gametes that recombine where the male map has no length


def _walk_map() -> kernels.WalkMap:
    chromosome = np.repeat(np.arange(_COUNTS.size), _COUNTS).astype(np.int32)
    length = np.stack([np.concatenate([_RULER, [1.0, 1.0]]), np.concatenate([_RULER[::-1], [0.5, 0.0]])])
    fraction = np.concatenate([np.linspace(0, 1, count) for count in _COUNTS])
    return kernels.build_walk_map(chromosome, fraction * length[:, chromosome], length)


@shared
def _count(effort: Effort) -> _Seen:
    eggs = effort.size(100_000, 400_000)
    walk_map = _walk_map()
    parts, switches = [], []
    stretch = np.array([[40, 60, 80], [80, 120, 160]]) // 2 * 2  # 20, 30, 40 cM on either map
    begin = _FIRST[_DENSE]
    for young in hatch_family(heterozygotes(int(_FIRST[-1])), walk_map, effort.words(1), eggs):
        at = young.transpose(1, 2, 0)  # (sex, locus, egg)
        first, last = at[:, _FIRST[:-1]], at[:, _FIRST[1:] - 1]
        dense = at[:, begin : _FIRST[_DENSE + 1]]
        switches.append((dense[:, 1:] != dense[:, :-1]).sum(1))
        here = np.stack([dense[s, stretch[s]] for s in (0, 1)])
        recombined = first != last
        parts.append(
            (
                recombined[:, : _RULER.size].sum(-1),
                ((here[:, 0] != here[:, 1]) & (here[:, 1] != here[:, 2])).sum(-1),
                first.sum(-1, dtype=np.int64),
                np.stack([(first.sum(0) == n).sum(-1) for n in range(3)], axis=-1),
                (first[:, 1:] == last[:, :-1]).sum(-1),
                (first[0] == first[1]).sum(-1),
                (recombined[0, 4] & recombined[1, 4]).sum(),
                (at[:, _FIRST[_STILL] :] != at[:, _FIRST[_STILL], None]).any(1).sum(-1),
            )
        )
    recombined, adjacent, ones, copies, carried, alike, both, still = (
        np.sum(part, axis=0) for part in zip(*parts, strict=True)
    )
    counts = np.concatenate(switches, axis=1)
    return _Seen(eggs, recombined, counts, adjacent, ones, copies, carried, alike, int(both), still)


def _share(law: str, count: float, total: int, expected: float, source: str) -> Finding:
    return known_error(law, count / total, expected, float(np.sqrt(expected * (1 - expected) / total)), source)


@check("V1", "recombination fractions follow Haldane's map function, on the map of each sex")
def recombination(effort: Effort) -> Iterator[Finding]:
    """Wrong: r = d, Kosambi's function (told apart from 5 cM on), the other sex's map, a crossover a locus off.

    The map files' centimorgans taken for another unit.
    """
    seen = _count(effort)
    for s, sex in enumerate(_SEX):
        for c, distance in enumerate(_RULER if s == 0 else _RULER[::-1]):
            law = f"recombination at {100 * distance:g} cM, {sex}, {seen.eggs:,} gametes"
            yield _share(law, seen.recombined[s, c], seen.eggs, float(haldane(distance)), HALDANE)
    bp = (_RULER * 1e8).astype(np.int64)
    file = MapFile("a map of two points", {"1": (np.array([0.0, 1e8]), np.array([0.0, 100.0]))})
    law = f"loci at {100 * _RULER[0]:g} to {100 * _RULER[-1]:g} cM of a map file, Morgans"
    yield exact(law, file.morgans("1", bp)[0], _RULER, "definition", rounding=1e-9)


@check("V2", "numbers of crossovers are Poisson; neighbouring intervals recombine independently")
def crossovers(effort: Effort) -> Iterator[Finding]:
    """Wrong: one crossover a bivalent at least, a binomial number, interference, the other sex's map.

    Seen at 201 loci, an interval with two crossovers looks like one with none: the expectation is that of so many
    intervals which recombine independently, which is Poisson in the limit.
    """
    seen = _count(effort)
    for s, sex in enumerate(_SEX):
        length = float(_DENSE_LENGTH[s])
        r = np.full(_DENSE_LOCI - 1, float(haldane(length / (_DENSE_LOCI - 1))))
        counts, name = seen.switches[s], f"crossovers on {length:g} M, {sex}, {seen.eggs:,} gametes"
        spread = float((r * (1 - r)).sum())
        yield known_error(
            f"mean number of {name}", counts.mean(), r.sum(), float(np.sqrt(spread / counts.size)), HALDANE
        )
        yield variance_of(f"variance of the number of {name}", counts, spread, HALDANE)
        chances = switch_chances(r)[:7]
        wanted = counts.size * np.append(chances, 1 - chances.sum())
        wanted = wanted[wanted > 20]
        wanted[-1] += counts.size - wanted.sum()
        found = np.bincount(np.minimum(counts, wanted.size - 1), minlength=wanted.size)
        statistic = float(((found - wanted) ** 2 / wanted).sum())
        yield chi_square(f"distribution of {name}", statistic, wanted.size - 1, HALDANE)
        both = float(haldane(0.1)) ** 2
        law = f"both of two neighbouring 10 cM recombine, {sex}"
        yield _share(law, seen.adjacent[s], seen.eggs, both, HALDANE + ": no interference")


@check("V3", "alleles segregate 1:1 and genotypes 1:2:1")
def segregation(effort: Effort) -> Iterator[Finding]:
    """Wrong: one haplotype preferred; the same gamete from both parents (1:0:1)."""
    seen = _count(effort)
    for s, sex in enumerate(_SEX):
        total = seen.ones[s].size * seen.eggs
        law = f"second haplotype of the {sex}, first loci of {seen.ones[s].size} chromosomes"
        yield _share(law, seen.ones[s].sum(), total, 0.5, MENDEL)
        off = (seen.ones[s] - seen.eggs / 2) / np.sqrt(seen.eggs / 4)
        yield chi_square(f"1:1 on each chromosome, {sex}", float((off**2).sum()), off.size, MENDEL)
    wanted = seen.eggs * np.array([0.25, 0.5, 0.25])
    statistic = float(((seen.copies - wanted) ** 2 / wanted).sum())
    yield chi_square("1:2:1 on each chromosome", statistic, 2 * len(seen.copies), MENDEL)


@check("V4", "chromosomes and parents are independent; without map length nothing recombines")
def independence(effort: Effort) -> Iterator[Finding]:
    """Wrong: a chromosome linked to the end of the one before; one gamete, or its crossovers, for both parents."""
    seen = _count(effort)
    for s, sex in enumerate(_SEX):
        total = seen.carried_on[s].size * seen.eggs
        law = f"a chromosome starts on the haplotype on which the one before ended, {sex}"
        yield _share(law, seen.carried_on[s].sum(), total, 0.5, MENDEL)
    yield _share(
        "dam's and sire's gamete carry the same haplotype", seen.alike.sum(), seen.alike.size * seen.eggs, 0.5, MENDEL
    )
    r = float(haldane(_RULER[4]) * haldane(_RULER[1]))
    yield _share("dam's and sire's gamete recombine on one chromosome (50 cM, 5 cM)", seen.both, seen.eggs, r, HALDANE)
    yield exact("sires' gametes that recombine where the male map has no length", seen.still[1], 0, "definition")
    r = 1 - float(1 - haldane(1 / 20)) ** 20
    yield _share("dams' gametes that recombine there (1 M, 21 loci)", seen.still[0], seen.eggs, r, HALDANE)


@check("V15", "linkage disequilibrium decays by 1 - c a generation")
def disequilibrium(effort: Effort) -> Iterator[Finding]:
    """Random mating, every animal one mate and two young. Wrong: no decay; 1 - d; recombination between sibs only."""
    animals, generations, pairs = effort.size(4_000, 20_000), 10, 24
    distance = -0.5 * np.log(1 - 2 * 0.1)  # c = 0.1
    chromosome = np.repeat(np.arange(pairs), 2).astype(np.int32)
    place = np.tile([0.0, distance], pairs)
    walk_map = kernels.build_walk_map(chromosome, np.stack([place, place]), np.full((2, pairs), distance))
    rng = effort.numpy(15)
    allele = rng.integers(0, 2, (animals, 2, pairs)).astype(np.uint8)
    herd = np.repeat(allele, 2, axis=-1)  # both loci of a pair carry the same allele
    for generation in range(generations):
        order = rng.permutation(animals).reshape(2, -1)
        young = [
            hatch_each(herd[order[0]], herd[order[1]], walk_map, effort.words(1500 + generation), n * animals)
            for n in (0, 1)
        ]
        herd = np.concatenate(young)
    haplotypes = herd.reshape(-1, pairs, 2).astype(np.float64)
    d = (haplotypes.prod(-1)).mean(0) - haplotypes[..., 0].mean(0) * haplotypes[..., 1].mean(0)
    # Of 2 N gene copies, two are drawn from the same animal now and then: (1 - 1 / 2 N) a generation.
    expected = 0.25 * (1 - 0.1) ** generations * (1 - 1 / (2 * animals)) ** (generations + 1)
    law = f"D after {generations} generations with c = 0.1, {pairs} pairs of loci, {animals:,} animals"
    yield mean_of(law, d, expected, "Hill & Robertson 1968; Crow & Kimura 1970, 2.6")
