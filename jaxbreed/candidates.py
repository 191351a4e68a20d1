"""Animals that are followed one by one, from the sweep to selection. Plain arrays on the host."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.battery import performance
from jaxbreed.clutch import Families
from jaxbreed.kernels import Tested, environment, identity, threefry2x32
from jaxbreed.kernels.topk import ABSENT
from jaxbreed.program import Program

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.integer[Any]]
_PERMANENT, _LUCK = 0xE57A, 0x11FE  # what an animal's name is hashed for


@dataclasses.dataclass
class Candidates:
    """All followed animals of all replicates, one row each. Values in trait units.

    Attributes:
      replicate, lineage, sire, sex: (animal,), where they come from.
      egg: (animal,), egg number.
      genetic: (animal, trait), genetic values.
      performance: (animal, trait), genetic values under the ceiling.
      lasting: (animal, trait), performance, clutch and permanent environment.
      error: (stage, animal, trait), error of one session in each stage.
      luck: (stage, animal), uniform.
      alive: (animal,), still in the programme.
      score: (animal,), best known worth, or NaN.
      sessions: (animal,), test sessions so far.
      record: (animal, trait), mean of the sessions, NaN before the first.
    """

    replicate: Ints
    lineage: Ints
    sire: Ints
    sex: Ints
    egg: npt.NDArray[np.uint32]
    genetic: Floats
    performance: Floats
    lasting: Floats
    error: Floats
    luck: Floats
    alive: Bools
    score: Floats
    sessions: Ints
    record: Floats

    @property
    def clutch(self) -> Ints:
        """Number of each animal's clutch, rising with replicate and lineage."""
        return self.replicate * (int(self.lineage.max(initial=0)) + 1) + self.lineage


class _Draws(NamedTuple):
    """What chance gives to each animal. Leading axes (replicate, lineage, sire, sex, animal)."""

    permanent: Array  # int32 (..., trait), score units
    error: Array  # int32 (stage, ..., trait)
    luck: Array  # uint32 (stage, ...)


@jax.jit
def _draw(program: Program, families: Families, egg: Array) -> _Draws:
    """Deviations of the environment and luck of every animal, from its name.

    The first measurement's error is the one that the sweep gives to a tested egg, so that a programme with stages
    tests the same animals with the same results as one without.
    """
    family = families.key[..., None, None, :]
    key = (jnp.broadcast_to(family[..., 0], egg.shape), jnp.broadcast_to(family[..., 1], egg.shape))
    name = identity(key, egg)
    own = (name[..., 0], name[..., 1])

    def of_name(number: int, noise: Any) -> Array:
        return jnp.moveaxis(environment(own, jnp.full(egg.shape, number, jnp.uint32), noise), 0, -1)

    shape = (*egg.shape, len(program.traits.names))
    permanent = jnp.zeros(shape, jnp.int32)
    if program.permanent is not None:
        permanent = of_name(_PERMANENT, program.permanent)
    error, measured = [], False
    for number, noise in enumerate(program.stage_noise):
        if noise is None:
            error.append(jnp.zeros(shape, jnp.int32))
        elif measured:
            error.append(of_name(number, noise))
        else:
            error.append(jnp.moveaxis(environment(key, egg, noise), 0, -1))
            measured = True
    luck = [threefry2x32(own, jnp.uint32(number), jnp.uint32(_LUCK))[0] for number in range(len(error))]
    return _Draws(permanent, jnp.stack(error), jnp.stack(luck))


def follow(program: Program, families: Families, drawn: Tested, genetic: Array) -> Candidates:
    """Makes rows of the eggs that a sweep kept.

    Args:
      program: the programme.
      families: their families.
      drawn: what the sweep kept, leading axes (replicate, lineage, sire).
      genetic: int32 (replicate, lineage, sire, sex, animal, trait), their genetic values, score units.

    Returns:
      The animals, in the order of replicate, lineage, sire, egg.
    """
    there = np.nonzero(np.asarray(drawn.rank) != ABSENT)
    egg = np.asarray(drawn.egg)[there]
    order = np.lexsort((egg, there[2], there[1], there[0]))
    rows = tuple(axis[order] for axis in there)
    replicate, lineage, sire, sex, _ = rows
    draws = jax.tree.map(np.asarray, _draw(program, families, jnp.asarray(drawn.egg)))
    unit = 2.0**-program.traits.scale_bits
    value = np.asarray(genetic)[rows] * unit
    scale, battery = np.asarray(program.traits.sd_phenotypic, np.float64), program.battery
    performed = value if battery is None else performance(value, np.array(battery.ceiling) * scale)
    shared = np.asarray(families.clutch)[replicate, lineage, sire] * unit
    animals = len(replicate)
    return Candidates(
        replicate=replicate,
        lineage=lineage,
        sire=sire,
        sex=sex,
        egg=egg[order],
        genetic=value,
        performance=performed,
        lasting=performed + shared + draws.permanent[rows] * unit,
        error=draws.error[(slice(None), *rows)] * unit,
        luck=(draws.luck[(slice(None), *rows)] + 0.5) * 2.0**-32,
        alive=np.ones(animals, bool),
        score=np.full(animals, np.nan),
        sessions=np.zeros(animals, np.int64),
        record=np.full((animals, value.shape[1]), np.nan),
    )


def place_within(group: Ints) -> Ints:
    """Place of each element among those of its group; equal numbers must stand together."""
    first = np.flatnonzero(np.diff(group, prepend=-1))
    return np.arange(group.size) - np.repeat(first, np.diff(np.append(first, group.size)))


def as_tested(animals: Candidates, families: Families, drawn: Tested, scale: float, kept: int) -> Tested:
    """Gives what is known of the animals the form in which the sweep reports it.

    Args:
      animals: the animals, with their final scores.
      families: their families.
      drawn: the sweep that they come from.
      scale: units of the index to one of the score.
      kept: the best of each sex of each family to report.

    Returns:
      Ranks and eggs, leading axes (replicate, lineage, sire); counts of the animals scored.
    """
    shape = np.asarray(families.eggs).shape
    rank = np.full((*shape, 2, kept), ABSENT, np.int32)
    egg = np.zeros((*shape, 2, kept), np.uint32)
    there = np.flatnonzero(animals.alive & ~np.isnan(animals.score))
    index = np.rint(animals.score[there] * scale).astype(np.int64) + (1 << 30)
    where = tuple(x[there] for x in (animals.replicate, animals.lineage, animals.sire, animals.sex))
    family = np.ravel_multi_index(where, (*shape, 2))
    order = np.lexsort((animals.egg[there], -index, family))
    group = family[order]
    place = place_within(group)
    best = order[place < kept]
    target = (*(x[best] for x in where), place[place < kept])
    rank[target], egg[target] = np.clip(index[best], 1, 2**31 - 1), animals.egg[there][best]
    count = np.zeros(shape, np.int32)
    np.add.at(count, where[:3], 1)
    moments = dataclasses.replace(drawn.moments, count=jnp.asarray(count))
    return dataclasses.replace(drawn, rank=jnp.asarray(rank), egg=jnp.asarray(egg), moments=moments)


def without(drawn: Tested, animals: Candidates, gone: Bools, kept: int) -> Tested:
    """Takes animals out of what a sweep remembers, and leaves the best of the others.

    Args:
      drawn: the sweep.
      animals: the animals that were followed.
      gone: bool (animal,), which of them to take out.
      kept: of each sex of each family to leave.

    Returns:
      The sweep with fewer ranks and eggs.
    """
    rank, egg = np.asarray(drawn.rank), np.asarray(drawn.egg)
    shape = rank.shape[:3]
    replicate, lineage, sire = (np.expand_dims(place, (-1, -2)) for place in np.indices(shape))
    names = _numbers(shape, replicate, lineage, sire, egg)
    dead = _numbers(shape, animals.replicate[gone], animals.lineage[gone], animals.sire[gone], animals.egg[gone])
    rank = np.where(np.isin(names, dead), ABSENT, rank)
    order = np.argsort(-rank, axis=-1, kind="stable")[..., :kept]
    rank, egg = (np.take_along_axis(x, order, -1) for x in (rank, egg))
    return dataclasses.replace(drawn, rank=jnp.asarray(rank), egg=jnp.asarray(egg))


def _numbers(
    shape: tuple[int, ...], replicate: Numbers, lineage: Numbers, sire: Numbers, egg: Numbers
) -> npt.NDArray[np.uint64]:
    """One number for each egg of all families, (replicate, lineage, sire) of `shape`."""
    family = (replicate * shape[1] + lineage) * shape[2] + sire
    return family.astype(np.uint64) << np.uint64(32) | egg.astype(np.uint64)


def records_of(animals: Candidates, families: Families, lineage: Numbers, sire: Numbers, egg: Numbers) -> Floats:
    """Records of animals by where they come from.

    Args:
      animals: the animals.
      families: their families.
      lineage: (replicate, place).
      sire: (replicate, place).
      egg: (replicate, place).

    Returns:
      (replicate, place, trait); NaN for animals that are not among them or were not tested.
    """
    shape = np.asarray(families.eggs).shape
    known = _numbers(shape, animals.replicate, animals.lineage, animals.sire, animals.egg)
    wanted = _numbers(shape, np.arange(len(lineage))[:, None], lineage, sire, egg)
    if known.size == 0:
        return np.full((*wanted.shape, animals.record.shape[1]), np.nan)
    place = np.minimum(np.searchsorted(known, wanted), known.size - 1)
    return np.where((known[place] == wanted)[..., None], animals.record[place], np.nan)
