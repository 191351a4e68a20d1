"""Genetic maps from files: centimorgans at base pairs, in PLINK's or HapMap's form, and where loci lie on them."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from jaxbreed.genome import FloatArray, GeneticMap
from jaxbreed.sites import Sites

_FORMS = (
    "a genetic map is PLINK's .map (chromosome, id, cM, bp; no header) or HapMap's form (a header such as "
    "Chromosome Position(bp) Rate(cM/Mb) Map(cM))"
)
_CM_PER_MORGAN, _BP_PER_MB = 100.0, 1e6


@dataclass(frozen=True, eq=False)
class MapFile:
    """Points of a genetic map.

    Attributes:
        path: the file, for messages.
        points: by chromosome name: base pairs, rising, and centimorgans, not falling; both (point,), at least two.
    """

    path: str
    points: dict[str, tuple[FloatArray, FloatArray]]

    def morgans(self, name: str, position: npt.NDArray[np.int64]) -> tuple[FloatArray, float]:
        """Where loci of one chromosome lie, linear between the points and beyond them at the rate of the end interval.

        Args:
            name: the chromosome.
            position: (locus,) base pairs, not falling.

        Returns:
            (locus,) Morgans, and the Morgans at which the file's map ends. Loci before the first point may be below 0.

        Raises:
            ValueError: the file lacks the chromosome, or its points have no base pair in common with the loci.
        """
        if name not in self.points:
            raise ValueError(f"{self.path} has no chromosome {name!r}; it has {_some(self.points)}")
        bp, cm = self.points[name]
        if position[-1] < bp[0] or position[0] > bp[-1]:
            raise ValueError(
                f"{self.path} maps chromosome {name!r} from {bp[0]:.0f} to {bp[-1]:.0f} bp, but its loci lie from "
                f"{position[0]} to {position[-1]}; map and loci must be of the same assembly"
            )
        # Two far points let the interpolation go on at the rate of the first and of the last interval.
        rate = (cm[[1, -1]] - cm[[0, -2]]) / (bp[[1, -1]] - bp[[0, -2]])
        ends = np.array([min(bp[0], position[0]) - 1.0, max(bp[-1], position[-1]) + 1.0])
        beyond = cm[[0, -1]] + rate * (ends - bp[[0, -1]])
        at = np.interp(position, np.r_[ends[0], bp, ends[1]], np.r_[beyond[0], cm, beyond[1]])
        return np.asarray(at / _CM_PER_MORGAN), float(cm[-1] / _CM_PER_MORGAN)


def map_sites(sites: Sites, female: MapFile, male: MapFile) -> GeneticMap:
    """Puts loci on genetic maps.

    Morgans are the file's cM / 100. Only where loci before a map's first point would be below 0 is the whole chromosome
    moved up until its first locus lies at 0; distances stay. A chromosome ends where its map or its last locus does.

    Args:
        sites: the loci.
        female: map of the females.
        male: map of the males; the same again if there is one for both.

    Raises:
        ValueError: a map lacks a chromosome, or does not overlap its loci.
    """
    position = np.zeros((2, sites.position.size))
    length = np.zeros((2, len(sites.chromosome_names)))
    for number, name in enumerate(sites.chromosome_names):
        here = sites.chromosome == number
        if not here.any():
            continue
        for sex, file in enumerate((female, male)):
            at, end = file.morgans(name, sites.position[here])
            up = max(0.0, -at[0])
            position[sex, here] = at + up
            length[sex, number] = max(end, at[-1]) + up
    return GeneticMap(sites.chromosome, position, length)


def uniform_rate(sites: Sites, cm_per_mb: float) -> GeneticMap:
    """Puts loci on a map with the same rate everywhere and for both sexes; chromosomes end at their last locus.

    Args:
        sites: the loci.
        cm_per_mb: centimorgans a million base pairs.

    Raises:
        ValueError: the rate is negative or not finite.
    """
    if not (math.isfinite(cm_per_mb) and cm_per_mb >= 0):
        raise ValueError(f"cm_per_mb is {cm_per_mb:g}; it must be finite and at least 0")
    position = sites.position * (cm_per_mb / _BP_PER_MB / _CM_PER_MORGAN)
    length = np.zeros(len(sites.chromosome_names))
    length[sites.chromosome] = position  # of repeated indices the last one stays
    return GeneticMap(sites.chromosome, np.tile(position, (2, 1)), np.tile(length, (2, 1)))


def read_map(path: str | Path, chromosomes: tuple[str, ...] = ()) -> MapFile:
    """Reads a genetic map, whole-genome or of one chromosome, plain or gzip.

    PLINK's form has the columns chromosome, id, cM and bp, without a header. HapMap's has a header and the columns
    chromosome, position (bp), rate (cM/Mb) and map (cM); the rate follows from the map and is not used.

    Args:
        path: the file; with "{chromosome}" in it one file for each chromosome.
        chromosomes: names to put there.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no genetic map, or base pairs or cM go back; one sentence with file, line or place.
    """
    if "{chromosome}" not in str(path):
        return MapFile(str(path), _read_points(str(path)))
    points: dict[str, tuple[FloatArray, FloatArray]] = {}
    for name in chromosomes:
        one = MapFile(of_chromosome := str(path).replace("{chromosome}", name), _read_points(of_chromosome))
        if name not in one.points:
            raise ValueError(f"{one.path} has no chromosome {name!r}; it has {_some(one.points)}")
        points[name] = one.points[name]
    return MapFile(str(path), points)


def _read_points(path: str) -> dict[str, tuple[FloatArray, FloatArray]]:
    rows: dict[str, list[tuple[float, float]]] = {}
    plink = True
    try:
        for number, fields in _fields(path):
            if len(fields) != 4:
                raise ValueError(f"{path}, line {number}: there are {len(fields)} columns, not 4; {_FORMS}")
            if not rows and plink and not (_is_number(fields[2]) and _is_number(fields[3])):
                _check_header(path, fields)
                plink = False
                continue
            cm, bp = (fields[2], fields[3]) if plink else (fields[3], fields[1])
            if not (_is_number(cm) and bp.isdecimal()):
                wrong = f"cM {cm!r} must be a number and bp {bp!r} a whole number from 0 on"
                raise ValueError(f"{path}, line {number}: {wrong}; {_FORMS}")
            rows.setdefault(fields[0], []).append((float(bp), float(cm)))
    except (UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile):
        raise ValueError(f"{path} is not a text file, or a damaged one; {_FORMS}") from None
    if not rows:
        raise ValueError(f"{path} holds no points; {_FORMS}")
    return {name: _rising(path, name, np.array(points), plink) for name, points in rows.items()}


def _fields(path: str) -> Iterator[tuple[int, list[str]]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if fields := line.split():
                yield number, fields


def _check_header(path: str, fields: list[str]) -> None:
    chromosome, position, rate, cm = (field.lower() for field in fields)
    if not (chromosome.startswith("chr") and position.startswith("pos") and "/mb" in rate and "map" in cm):
        raise ValueError(f"{path}: the columns are {', '.join(fields)}; {_FORMS}")


def _rising(path: str, name: str, points: FloatArray, plink: bool) -> tuple[FloatArray, FloatArray]:
    """Base pairs and cM of one chromosome, without repeated points."""
    points = points[np.r_[True, (np.diff(points, axis=0) != 0).any(axis=1)]]
    bp, cm = points.T
    if (back := np.flatnonzero(np.diff(bp) <= 0)).size:
        raise ValueError(
            f"{path}: {name}:{bp[back[0] + 1]:.0f} comes after {name}:{bp[back[0]]:.0f}; the points of a map must be "
            "in order of base pairs, each place once"
        )
    if (back := np.flatnonzero(np.diff(cm) < 0)).size:
        raise ValueError(
            f"{path}: the map falls from {cm[back[0]]:g} to {cm[back[0] + 1]:g} cM at {name}:{bp[back[0] + 1]:.0f}; cM "
            "must not fall along a chromosome"
        )
    if bp.size < 2:
        raise ValueError(f"{path} has one point on chromosome {name!r}; a map needs at least two")
    if plink and not cm.any():
        raise ValueError(
            f"{path} has 0 cM all along chromosome {name!r}, which in PLINK's files means unknown; give a map with cM, "
            "a uniform rate (cm_per_mb), or a file in HapMap's form if there is no recombination"
        )
    return bp, cm


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _some(names: dict[str, tuple[FloatArray, FloatArray]]) -> str:
    """A list of names that stays short."""
    return ", ".join(list(names)[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
