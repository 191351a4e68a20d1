"""Laying and testing: the eggs of every family, as numbers, names and sums."""

import functools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jaxbreed.kernels import Assay, Tested, WalkMap, family_key, suffix_tables, survival_threshold, sweep
from jaxbreed.population import Population, sire_places
from jaxbreed.program import Program, Settings
from jaxbreed.traits import Traits

_MOMENT_BITS = 9  # binary logarithm of the largest SD of a tested value in units of the moments


class Families(NamedTuple):
    """The families of one generation. Leading axes (replicate, lineage, sire)."""

    eggs: Array  # int32, eggs laid
    capacity: Array  # int32, most animals tested
    key: Array  # uint32 (..., 2), names the eggs
    dam: Array  # int32, place of the dam among the breeders
    sire: Array  # int32, place of the sire


def lay(settings: Settings, population: Population, key: Array) -> Families:
    """Clutch sizes, sires and paternity.

    Clutch sizes and numbers of sires are uniform over their ranges. Successive sires' shares fall by the factor
    `paternity`; eggs, and the capacity of the test, are divided by these shares, rounded to whole eggs. A male that
    holds several places of a clutch has one family there.

    Args:
      settings: the rules.
      population: the breeders.
      key: typed key (replicate,).

    Returns:
      The families.
    """
    replicates, (fewest, most) = key.shape[0], settings.sires
    lineages = settings.lineages
    keys = jax.vmap(lambda k: jax.random.split(k, 3))(key)
    shape = (lineages,)
    clutch = jax.vmap(lambda k: jax.random.randint(k, shape, settings.eggs[0], settings.eggs[1] + 1))(keys[:, 0])
    sires = jax.vmap(lambda k: jax.random.randint(k, shape, fewest, most + 1))(keys[:, 1])
    words = jax.vmap(lambda k: jax.random.bits(k, (2,), jnp.uint32))(keys[:, 2])

    cumulative = jnp.asarray(cumulative_shares(settings), jnp.float32)[sires]
    tested = clutch if settings.tested is None else jnp.minimum(clutch, settings.tested)
    dam = jnp.broadcast_to(jnp.arange(lineages)[:, None], (replicates, lineages, most))
    sire = jnp.broadcast_to(jnp.asarray(sire_places(settings)), (replicates, lineages, most))
    rows = jnp.arange(replicates)[:, None, None]
    sire_name = population.name[rows, sire]
    return Families(
        eggs=_one_family_a_pair(_divide(clutch, cumulative), sire_name),
        # Shared out as the eggs are; with every survivor tested the eggs themselves are the limit.
        capacity=_one_family_a_pair(_divide(tested, cumulative), sire_name),
        key=family_key(words[:, None, None], population.name[rows, dam], sire_name),
        dam=dam,
        sire=sire,
    )


def _one_family_a_pair(number: Array, sire_name: Array) -> Array:
    """Gives all the eggs of one sire to the first of his places in the clutch.

    An egg is named by dam, sire and number: two families of one pair would hold the same eggs twice.

    Args:
      number: int32 (..., sire), eggs by place.
      sire_name: uint32 (..., sire, 2).

    Returns:
      int32 (..., sire).
    """
    same = (sire_name[..., :, None, :] == sire_name[..., None, :, :]).all(-1)
    first = jnp.argmax(same, axis=-1)  # the first place of the male in each place
    here = first[..., :, None] == jnp.arange(number.shape[-1])
    return (number[..., :, None] * here).sum(-2)


def cumulative_shares(settings: Settings) -> np.ndarray:
    """(number of sires, sire): share of the clutch sired by this sire and those before; row 0 is not used."""
    most = settings.sires[1]
    share = np.array([[settings.paternity**s * (s < count) for s in range(most)] for count in range(most + 1)])
    share[0] = 1.0
    return np.cumsum(share, axis=1) / share.sum(axis=1, keepdims=True)


def _divide(total: Array, cumulative: Array) -> Array:
    """Divides whole eggs by cumulative shares: int32 (..., sire)."""
    upto = jnp.floor(total[..., None].astype(jnp.float32) * cumulative + 0.5).astype(jnp.int32)
    upto = jnp.where(cumulative >= 1.0, total[..., None], jnp.minimum(upto, total[..., None]))
    return jnp.diff(upto, axis=-1, prepend=0)


@functools.partial(jax.jit, static_argnames="kept")
def make_assay(program: Program, weights: Array, kept: int) -> Assay:
    """How this generation is tested and ranked.

    Args:
      program: the programme.
      weights: float32 (trait,), index weights per founder phenotypic SD.
      kept: animals of each sex to remember of each family.

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
        noise=program.noise,
        unit=jnp.maximum(unit, 0),
        survival=jnp.uint32(survival_threshold(program.settings.survival)),
        lanes=program.lanes,
        screened=program.screened,
        kept=kept,
        alternate_sexes=program.settings.sexes == "alternate",
    )


class _Batch(NamedTuple):
    """Families as one flat list."""

    eggs: Array
    capacity: Array
    key: Array
    haplotypes: Array  # uint8 (family, 2, 2, qtl)


def _sweep_one_by_one(devices: int, traits: Traits, qtl_map: WalkMap, assay: Assay, batch: _Batch) -> Tested:
    def test(family: _Batch) -> Tested:
        tables = suffix_tables(traits.effect, family.haplotypes, qtl_map, traits.intercept)
        key = (family.key[0], family.key[1])
        return sweep(tables, qtl_map, key, family.eggs, family.capacity, assay, share=devices)

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
def _as_list(program: Program, population: Population, families: Families) -> _Batch:
    rows = jnp.arange(families.eggs.shape[0])[:, None, None]
    part = population.haplotypes[..., program.traits.qtl]
    haplotypes = jnp.stack([part[rows, families.dam], part[rows, families.sire]], axis=-3)
    fields = (families.eggs, families.capacity, families.key, haplotypes)
    return _Batch(*(x.reshape(-1, *x.shape[3:]) for x in fields))


def sweep_families(
    program: Program,
    assay: Assay,
    population: Population,
    families: Families,
    progress: Callable[[int], None] | None = None,
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

    Returns:
      What is kept of each family, leading axes (replicate, lineage, sire).
    """
    devices = tuple(jax.local_devices())
    run, whole, split = _compiled_sweep(devices)
    flat = jax.tree.map(np.asarray, _as_list(program, population, families))
    fixed = jax.device_put((program.traits, program.qtl_map, assay), whole)
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
