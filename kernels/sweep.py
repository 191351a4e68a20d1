"""The sweep: test every egg of a family, keep the best, remember sums, store nothing else."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxbreed.kernels.fate import Noise, bears, environment, sex, survives
from jaxbreed.kernels.moments import Moments, add_moments, no_moments
from jaxbreed.kernels.score import middle_value, score
from jaxbreed.kernels.suffix import SuffixTables
from jaxbreed.kernels.topk import keep_best, rank_of
from jaxbreed.kernels.walk import Key
from jaxbreed.kernels.walkmap import WalkMap

WEIGHT_BITS = 14


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Assay:
    """How animals are measured and ranked.

    Attributes:
      weight: int32 (trait,), index weights; absolute values add up to at most 2**14.
      noise: environmental deviations.
      unit: int32 (2 x trait,), binary logarithm of the unit of the moments, 0 to 30: genetic values, then phenotypes.
      survival: uint32 (), from `survival_threshold`.
      lanes: eggs scored side by side.
      screened: eggs whose fate is drawn at a time; the living are then scored `lanes` at a time. 0: all live.
      kept: how many of each sex to keep.
      alternate_sexes: see `fate.sex`.
      load: True makes the last column of the tables a genetic load, in units of 2**-20: an egg that carries L of it
        lives with chance exp(-L), and one with none or less always.
    """

    weight: Array
    noise: Noise
    unit: Array
    survival: Array
    lanes: int = dataclasses.field(metadata={"static": True})
    screened: int = dataclasses.field(metadata={"static": True})
    kept: int = dataclasses.field(metadata={"static": True})
    alternate_sexes: bool = dataclasses.field(metadata={"static": True})
    load: bool = dataclasses.field(default=False, metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Tested:
    """What is known of a family after the sweep.

    Attributes:
      rank: int32 (2, kept), best females and males by index, falling; `topk.ABSENT` where there are fewer.
      egg: uint32 (2, kept), their numbers.
      centre: int32 (2 x trait,), centre of the moments.
      moments: sums over tested eggs of genetic values and phenotypes.
      survivors: int32 (), eggs alive at testing.
    """

    rank: Array
    egg: Array
    centre: Array
    moments: Moments
    survivors: Array


def selection_index(phenotypes: Array, weight: Array) -> Array:
    """Weighted sum of phenotypes in units of 2**15 score units x weight.

    Args:
      phenotypes: int32 (trait, egg), absolute values below 2**30.
      weight: int32 (trait,), absolute values adding up to at most 2**14.

    Returns:
      int32 (egg,), absolute value at most 2**29 + number of traits.
    """
    w = weight[:, None]
    # Products of 30 and 15 bits do not fit 32: the upper and the lower 15 bits of the phenotype go separately.
    return ((phenotypes >> 15) * w + (((phenotypes & 0x7FFF) * w) >> 15)).sum(0)


def screen_size(survival: float, lanes: int) -> int:
    """How many eggs to draw fates for at a time so that the living about fill the lanes; 0 if all live."""
    if survival >= 1.0:
        return 0
    return min(lanes << max(0, math.floor(math.log2(1.0 / survival))), 1 << 18)


def sweep(tables: SuffixTables, walk_map: WalkMap, key: Key, eggs: Array, capacity: Array, assay: Assay) -> Tested:
    """Tests the eggs 0, 1, ..., eggs - 1 of one family: the first `capacity` that survive.

    Egg numbers carry no meaning, so the first survivors are a random sample of the survivors.

    Args:
      tables: the family's suffix tables, one column a trait; with `assay.load` one more, the load.
      walk_map: the genetic map.
      key: the family key.
      eggs: int32 (), eggs laid.
      capacity: int32 (), how many animals to test at most.
      assay: how they are measured.

    Returns:
      The best of each sex and the sums. The result does not depend on `lanes` or `screened`.
    """
    traits = tables.start.shape[0] - assay.load
    middle = middle_value(tables, walk_map)[:traits]
    centre = jnp.concatenate([middle, middle])
    empty = jnp.zeros((2, assay.kept), jnp.int32)
    nothing = Tested(empty, empty.astype(jnp.uint32), centre, no_moments(2 * traits), jnp.int32(0))

    def test(so_far: Tested, numbers: Array, valid: Array) -> Tested:
        values = score(tables, walk_map, key, numbers)
        genetic = values[:traits]
        if assay.load:
            alive = valid & bears(key, numbers, values[traits])
            valid = alive & (jnp.cumsum(alive) <= capacity - so_far.moments.count)
            so_far = dataclasses.replace(so_far, survivors=so_far.survivors + alive.sum(dtype=jnp.int32))
        phenotype = genetic + environment(key, numbers, assay.noise)
        index = selection_index(phenotype, assay.weight)
        sexes = sex(key, numbers, assay.alternate_sexes)
        rank = rank_of(index, valid & (sexes == jnp.arange(2)[:, None]))
        best = keep_best(so_far.rank, so_far.egg, rank, jnp.broadcast_to(numbers, rank.shape))
        moments = add_moments(so_far.moments, [*genetic, *phenotype], centre, assay.unit, valid)
        return dataclasses.replace(so_far, rank=best[0], egg=best[1], moments=moments)

    lane = jnp.arange(assay.lanes, dtype=jnp.int32)
    if not assay.screened:
        # Who dies of load is known only after scoring: then every egg is scored, and all survivors are counted.
        scored = eggs if assay.load else jnp.minimum(eggs, capacity)

        def chunk(number: Array, so_far: Tested) -> Tested:
            numbers = number * assay.lanes + lane
            return test(so_far, numbers.astype(jnp.uint32), numbers < scored)

        result = lax.fori_loop(0, -(-scored // assay.lanes), chunk, nothing)
        return result if assay.load else dataclasses.replace(result, survivors=eggs)

    draw = jnp.arange(assay.screened, dtype=jnp.int32)

    def block(number: Array, so_far: Tested) -> Tested:
        numbers = number * assay.screened + draw
        alive = survives(key, numbers.astype(jnp.uint32), assay.survival) & (numbers < eggs)
        where = jnp.nonzero(alive, size=assay.screened, fill_value=0)[0].astype(jnp.int32)
        count = alive.sum(dtype=jnp.int32)
        wanted = count if assay.load else jnp.minimum(count, capacity - so_far.moments.count)

        def chunk(part: Array, inner: Tested) -> Tested:
            place = part * assay.lanes + lane
            chosen = numbers[jnp.take(where, place, mode="clip")]
            return test(inner, chosen.astype(jnp.uint32), place < wanted)

        result = lax.fori_loop(0, -(-wanted // assay.lanes), chunk, so_far)
        return result if assay.load else dataclasses.replace(result, survivors=so_far.survivors + count)

    return lax.fori_loop(0, -(-eggs // assay.screened), block, nothing)
