"""Testing: the eggs of every family scored, ranked and summed, shared out over devices."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxbreed.clutch import Families
from jaxbreed.columns import Columns, columns_of
from jaxbreed.kernels import (
    Assay,
    Noise,
    SuffixTables,
    Tested,
    WalkMap,
    score,
    selection_index,
    suffix_tables,
    survival_threshold,
    sweep,
)
from jaxbreed.kernels.topk import ABSENT
from jaxbreed.population import Population
from jaxbreed.program import Program

_MOMENT_BITS = 9  # binary logarithm of the largest SD of a tested value in units of the moments


@functools.partial(jax.jit, static_argnames="kept")
def make_assay(program: Program, weights: Array, kept: int, noise: Noise | None = None) -> Assay:
    """How this generation is tested and ranked.

    Args:
      program: the programme.
      weights: float32 (trait,), index weights per founder phenotypic SD.
      kept: animals of each sex to remember of each family.
      noise: of what is measured; None for that of a test.

    Returns:
      The assay, in integers.
    """
    traits = program.traits
    per_unit = weights / traits.sd_phenotypic
    # Absolute values add up to 2**14 at most, roundings included, so that the index fits 32 bits.
    weight = jnp.round(per_unit / jnp.abs(per_unit).sum() * (2**14 - len(traits.names))).astype(jnp.int32)
    spread = jnp.concatenate([traits.sd_additive, traits.sd_phenotypic])
    unit = jnp.ceil(jnp.log2(spread)).astype(jnp.int32) + traits.scale_bits - _MOMENT_BITS
    return Assay(
        weight=weight,
        noise=program.noise if noise is None else noise,
        unit=jnp.maximum(unit, 0),
        survival=jnp.uint32(survival_threshold(program.settings.survival)),
        lanes=program.lanes,
        screened=program.screened,
        kept=kept,
        alternate_sexes=program.settings.sexes == "alternate",
        load=program.load is not None,
    )


def index_scale(program: Program, weights: Array) -> float:
    """Units of the sweep's index to one unit of the index of records in founder phenotypic SD x weight."""
    traits = program.traits
    per_unit = np.asarray(weights, np.float64) / np.asarray(traits.sd_phenotypic, np.float64)
    return float(2.0 ** (traits.scale_bits - 15) * (2**14 - len(traits.names)) / np.abs(per_unit).sum())


class _Batch(NamedTuple):
    """Families as one flat list."""

    eggs: Array
    capacity: Array
    key: Array
    haplotypes: Array  # uint8 (family, 2, 2, locus)
    replicate: Array


def _tables(columns: Columns, walk_map: WalkMap, family: _Batch) -> SuffixTables:
    """Score tables of one family; columns are those of its replicate, or one set for all."""
    own = jax.tree.map(lambda x: x[jnp.minimum(family.replicate, len(x) - 1)], columns)
    return suffix_tables(own.effect, family.haplotypes, walk_map, own.intercept, own.dominance)


def _sweep_one_by_one(devices: int, columns: Columns, walk_map: WalkMap, assay: Assay, batch: _Batch) -> Tested:
    def test(family: _Batch) -> Tested:
        key = (family.key[0], family.key[1])
        tables = _tables(columns, walk_map, family)
        return sweep(tables, walk_map, key, family.eggs, family.capacity, assay, share=devices)

    return lax.map(test, batch)


@functools.cache
def _compiled_sweep(devices: tuple[jax.Device, ...]) -> tuple[Any, NamedSharding, NamedSharding]:
    """The sweep of many families, shared out over devices; each device takes its families one after the other."""
    mesh = jax.make_mesh((len(devices),), ("family",), axis_types=(AxisType.Auto,), devices=devices)
    split, whole = PartitionSpec("family"), PartitionSpec()
    shared = jax.shard_map(
        functools.partial(_sweep_one_by_one, len(devices)),
        mesh=mesh,
        in_specs=(whole, whole, whole, split),
        out_specs=split,
        check_vma=False,
    )
    # One core a device: the many small operations of the walk are too short to share out again.
    one_core = devices[0].platform == "cpu" and len(devices) > 1
    options = {"xla_cpu_multi_thread_eigen": False} if one_core else None
    return jax.jit(shared, compiler_options=options), NamedSharding(mesh, whole), NamedSharding(mesh, split)


@jax.jit
def _as_list(loci: Array, population: Population, families: Families) -> _Batch:
    rows = jnp.arange(families.eggs.shape[0])[:, None, None]
    part = population.haplotypes[..., loci]
    haplotypes = jnp.stack([part[rows, families.dam], part[rows, families.sire]], axis=-3)
    replicate = jnp.broadcast_to(rows, families.eggs.shape)
    fields = (families.eggs, families.capacity, families.key, haplotypes, replicate)
    return _Batch(*(x.reshape(-1, *x.shape[3:]) for x in fields))


def sweep_families(
    program: Program,
    assay: Assay,
    population: Population,
    families: Families,
    progress: Callable[[int], None] | None = None,
    predicted: Columns | None = None,
) -> Tested:
    """Tests the eggs of all families of a generation.

    Families are dealt to the devices largest first, so that all devices finish together; the result does not depend
    on how many there are.

    Args:
      program: the programme.
      assay: how to test.
      population: the breeders.
      families: their families.
      progress: called with the number of eggs laid by the families finished since the last call.
      predicted: columns over the loci scored with markers, instead of those of the traits.

    Returns:
      What is kept of each family, leading axes (replicate, lineage, sire).
    """
    devices = tuple(jax.local_devices())
    run, whole, split = _compiled_sweep(devices)
    loci, walk_map, columns = program.traits.qtl, program.qtl_map, _columns(program)
    if predicted is not None and program.markers is not None:
        loci, walk_map, columns = program.markers.scored, program.markers.walk_map, predicted
    flat = jax.tree.map(np.asarray, _as_list(loci, population, families))
    fixed = jax.device_put((columns, walk_map, assay), whole)
    order, parts = np.argsort(-flat.eggs, kind="stable"), []
    for places in _rounds(order, int(flat.eggs.sum()), len(devices)):
        real = places >= 0
        batch = _Batch(*(x[places] for x in flat))
        batch = batch._replace(eggs=jnp.where(real, batch.eggs, 0))
        result = run(*fixed, jax.device_put(batch, split))
        parts.append(jax.tree.map(lambda x, real=real: np.asarray(x)[real], result))
        if progress is not None:
            progress(int(batch.eggs.sum()))
    places = np.concatenate(list(_rounds(order, int(flat.eggs.sum()), len(devices))))
    back = np.argsort(places[places >= 0], kind="stable")

    def join(*arrays: np.ndarray) -> np.ndarray:
        joined = np.concatenate(arrays)[back]
        return joined.reshape(*families.eggs.shape, *joined.shape[1:])

    return jax.tree.map(join, *parts)


@jax.jit
def _columns(program: Program) -> Columns:
    """One set of columns for all replicates."""
    return jax.tree.map(lambda x: x[None], columns_of(program.traits, program.load))


def _score_one_by_one(columns: Columns, walk_map: WalkMap, batch: _Batch, egg: Array) -> Array:
    def appraise(family: tuple[_Batch, Array]) -> Array:
        parents, wanted = family
        return score(_tables(columns, walk_map, parents), walk_map, (parents.key[0], parents.key[1]), wanted)

    return lax.map(appraise, (batch, egg))


_score = jax.jit(_score_one_by_one)


def score_families(program: Program, population: Population, families: Families, egg: Array) -> Array:
    """Genetic values of chosen eggs.

    Args:
      program: the programme.
      population: the breeders.
      families: their families.
      egg: uint32 (replicate, lineage, sire, sex, animal), egg numbers.

    Returns:
      int32 (replicate, lineage, sire, sex, animal, trait), score units.
    """
    traits = len(program.traits.names)
    wanted = egg.reshape(-1, egg.shape[-2] * egg.shape[-1])
    columns = jax.tree.map(lambda x: x[:, :traits], _columns(program))
    value = _score(columns, program.qtl_map, _as_list(program.traits.qtl, population, families), wanted)
    return jnp.moveaxis(value, 1, -1).reshape(*egg.shape, traits)


@jax.jit
def with_clutch_effects(tested: Tested, families: Families, assay: Assay) -> Tested:
    """Adds what a clutch shares to its animals' records: to their ranks and to the mean of their phenotypes.

    Inside a clutch it changes nothing, which is why the sweep need not know of it.

    Args:
      tested: results of the sweep, leading axes (replicate, lineage, sire).
      families: the families.
      assay: how they were tested.

    Returns:
      The same with the clutch effects in them.
    """
    traits = families.clutch.shape[-1]
    index = selection_index(families.clutch.reshape(-1, traits).T, assay.weight).reshape(families.eggs.shape)
    rank = jnp.where(tested.rank == ABSENT, ABSENT, tested.rank + index[..., None, None])
    centre = tested.centre.at[..., traits:].add(families.clutch)
    return dataclasses.replace(tested, rank=rank, centre=centre)


@jax.jit
def with_family_weight(tested: Tested, assay: Assay, weight: Array) -> Tested:
    """Weighs the mean index of a family by another factor than an animal's deviation from it.

    Args:
      tested: results of the sweep, leading axes (replicate, lineage, sire).
      assay: how they were tested.
      weight: float32 (), of the family's mean; 1 changes nothing.

    Returns:
      The same with other ranks.
    """
    traits = assay.weight.shape[0]
    count = jnp.maximum(tested.moments.count, 1)[..., None]
    above_centre = tested.moments.first[..., traits:] / count * 2.0 ** assay.unit[traits:]
    mean = tested.centre[..., traits:] + jnp.round(above_centre).astype(jnp.int32)
    index = selection_index(mean.reshape(-1, traits).T, assay.weight).reshape(tested.survivors.shape)
    # Only differences between families matter: from their middle, so that large weights do not overflow.
    middle = (index.max((1, 2), keepdims=True) + index.min((1, 2), keepdims=True)) // 2
    shift = jnp.round((weight - 1) * (index - middle).astype(jnp.float32)).astype(jnp.int32)
    # Half of 2**30 on either side leaves room for the animals' own index.
    shift = jnp.clip(shift, -(2**29), 2**29 - 1)[..., None, None]
    rank = jnp.where(tested.rank == ABSENT, ABSENT, jnp.maximum(tested.rank + shift, 1))
    return dataclasses.replace(tested, rank=rank)


def _rounds(order: np.ndarray, eggs: int, devices: int) -> Iterator[np.ndarray]:
    """Cuts a list of families into equal rounds of about four million eggs, so that progress shows.

    Args:
      order: families, largest first.
      eggs: eggs of all of them.
      devices: how many devices share a round.

    Yields:
      Families in the order in which the devices hold them, device by device, -1 for none.
    """
    rounds = max(1, min(len(order) // devices, round(eggs / 4e6)))
    size = -(-len(order) // (rounds * devices)) * devices
    padded = np.concatenate([order, np.full(-len(order) % size, -1)])
    for start in range(0, len(padded), size):
        # Every device takes each n-th family: neighbours in size go to different devices.
        yield padded[start : start + size].reshape(-1, devices).T.reshape(-1)
