"""What the theory knows of a population and of a programme, and what follows from it without selection."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxbreed.covariance import Covariance, Real


class Moments(NamedTuple):
    """What is known of the eggs of one generation. Copies of a unit an egg carries: `dosage`.

    A neutral locus of variance 1 among the founders follows the last axis of `neutral`: between, mixed, apart, within.
    The better families descend from those that gave more breeders and are more related to all others, `ties`: so
    inbreeding by selection grows over generations (Robertson 1961, Genet Res 2:189; Wray & Thompson 1990, 55:41).
    """

    mean: Real  # (block, n), of one gamete
    between: Covariance  # of the mean dosages of clutches; if all clutches compete, of the dams' halves of families
    mixed: Covariance  # of full-sib families within clutches; if all compete, of the sires' halves
    apart: Covariance  # mean square of half the difference between mates
    within: Covariance  # of dosages within full-sib families
    neutral: Real  # (4,)
    ties: Real  # (trait,), covariance of families' values with their covariance with all eggs at the neutral locus
    reuse: Real  # (), places for sires that each of their fathers filled, if all compete
    origin: Real  # (trait,), the mean value of the eggs of generation 0
    pool: Real = 1.0  # (), heterozygosity of a neutral locus's pool when `mean` was known; drift has taken the rest
    frequency: Real = None  # (block, locus), of allele 1, where units are stretches


class Levers(NamedTuple):
    """The breeder's decisions of one generation, as real numbers."""

    weights: Real  # (trait,), per founder phenotypic SD
    fraction: Real  # (), share of the tested from which breeders are drawn
    males: Real  # (), different males: in each lineage (within) or altogether (across)
    family_weight: Real  # (), of a family's mean relative to the deviation from it
    tests: Real  # (), animals tested of a clutch


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class World:
    """What does not change from generation to generation. Traits in founder phenotypic SD.

    Attributes:
      effect: (trait, block, n), of one copy; a of loci with dominance.
      heterosis: (trait, block, n), what heterozygotes exceed the mean of homozygotes by, d; None unless units are loci
        with dominance.
      kept: (2, block, n, n), 1 - 2 r between units on the female and the male map; 0 between blocks.
      residual: (trait, trait), environmental covariance of a record, at the founders' tameness.
      passing: (trait, trait), the part of it that tameness scales.
      gating: (trait, trait), see `jaxbreed.battery.Battery`; None for none.
      lasting: (trait,), variance of what lasts of an animal among the founders.
      ceiling: (trait,), see `jaxbreed.battery.Battery`.
      clutch: (trait, trait), covariance of what a clutch shares.
      depression: (trait,), loss of the mean with complete inbreeding, where units are stretches.
      dominance: (trait, trait), dominance covariance among the founders.
      sires: mean number of sires of a clutch.
      share: expected sum of the squared shares of a clutch's sires.
      lineages: clutches.
      places: most sires of a clutch.
      across: whether all clutches compete.
      closed: whether lineages mate with their own males.
      loci: whether units are loci with two alleles, all in one block.
      content: (block, locus, n), what one copy of allele 1 adds to a unit, where units are stretches.
    """

    effect: Real
    heterosis: Real
    kept: Real
    residual: Real
    passing: Real
    gating: Real
    lasting: Real
    ceiling: Real
    clutch: Real
    depression: Real
    dominance: Real
    sires: float = dataclasses.field(metadata={"static": True})
    share: float = dataclasses.field(metadata={"static": True})
    lineages: int = dataclasses.field(metadata={"static": True})
    places: int = dataclasses.field(metadata={"static": True})
    across: bool = dataclasses.field(metadata={"static": True})
    closed: bool = dataclasses.field(metadata={"static": True})
    loci: bool = dataclasses.field(metadata={"static": True})
    content: Real = None


class Measured(NamedTuple):
    """What a simulation tells the theory about one generation; ones and NaN tell it nothing."""

    strength: Real  # (), realised response to the selection / the theory's
    accuracy: Real  # (), of the index among the candidates; NaN: that of a record


def uninformed() -> Measured:
    """Nothing has been measured."""
    return Measured(jnp.ones(()), jnp.full((), jnp.nan))


def inbreeding(state: Moments) -> Real:
    """Of the eggs, (...,)."""
    return 1 - state.neutral[..., 2] - state.neutral[..., 3]


def pooled(state: Moments) -> Real:
    """Heterozygosity of a neutral locus in all parents' gametes put together, (...,); 1 among founders."""
    return 0.5 * (state.neutral.sum(-1) + state.neutral[..., 3])


def undrifted(state: Moments) -> Real:
    """Share of p (1 - p) that drift has left since frequencies were known: `mean` is where they are expected."""
    return pooled(state) / jnp.maximum(state.pool, 1e-9)


def value(world: World, state: Moments) -> Real:
    """Mean value of the eggs, (..., trait); exact where there is no dominance or units are loci."""
    additive = 2 * (world.effect * state.mean[..., None, :, :]).sum((-2, -1))
    if world.heterosis is None:
        return additive - world.depression * inbreeding(state)[..., None]
    # A dosage of two alleles varies by 2 p q plus twice the covariance of the two, heterozygotes are 2 p q less that.
    number, p = np.arange(world.effect.shape[-1]), state.mean[..., 0, :]
    total = (state.between.near + state.mixed.near + state.within.near)[..., 0, number, number]
    square = p * (1 - p) * jnp.asarray(undrifted(state))[..., None]
    return additive + (world.heterosis[:, 0] * (4 * square - total)[..., None, :]).sum(-1)


def average_effects(world: World, state: Moments) -> Array:
    """Of one copy of a unit among these eggs, (trait, block, n); a + d (1 - 2 p) under dominance."""
    if world.heterosis is None:
        return jnp.asarray(world.effect)
    return jnp.asarray(world.effect + world.heterosis * (1 - 2 * state.mean))
