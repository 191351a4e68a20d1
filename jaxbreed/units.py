"""What theory sees of a genome: its loci, or where they are many, stretches of chromosome with one unit a trait."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt

from jaxbreed.clutch import Families, cumulative_shares
from jaxbreed.covariance import Covariance
from jaxbreed.linkage import Intervals
from jaxbreed.moments import Moments, World, pooled, value
from jaxbreed.population import Population
from jaxbreed.program import Program

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
MOST_LOCI = 256
STRETCHES, FEWEST = 60, 6
"""Of the genome, and of a chromosome: gradients of 280 loci on 4 Morgans change by 1.8 % with three times as many."""


class Units(NamedTuple):
    """How genomes are read.

    Attributes:
      members: (block, most), the loci of each block among those with effects.
      content: (block, most, n), what one copy of allele 1 adds to a unit; 0 where a block has fewer loci.
      world: the theory's constants.
    """

    members: Whole
    content: Floats
    world: World


def build_units(program: Program, frequency: Floats) -> Units:
    """Chooses units and works out everything of a programme that theory needs.

    Args:
      program: the programme.
      frequency: (locus,), frequencies of allele 1 among the founders, for average effects under dominance.

    Returns:
      The units.

    Raises:
      ValueError: the programme stores males, of which theory knows nothing.
    """
    traits, settings = program.traits, program.settings
    if settings.storage > 0:
        raise ValueError(
            f"storage is {settings.storage:g}; it must be 0: the theory has generations that do not overlap"
        )
    sd = np.asarray(traits.sd_phenotypic, np.float64)
    scale = 2.0**-traits.scale_bits / sd[:, None]
    effect = np.asarray(traits.effect, np.float64) * scale
    loci = effect.shape[1] <= MOST_LOCI
    depression, deviations, heterosis = np.zeros(len(sd)), np.zeros((len(sd), len(sd))), None
    at_qtl = np.asarray(frequency, np.float64)[np.asarray(traits.qtl)]
    if traits.dominance is not None:
        dominance = np.asarray(traits.dominance, np.float64) * scale
        heterozygosity = 2 * at_qtl * (1 - at_qtl)
        deviations = heterozygosity**2 * dominance @ dominance.T
        if loci:
            heterosis = dominance[:, None]
        else:
            depression = (heterozygosity * dominance).sum(1)
            effect = effect + dominance * (1 - 2 * at_qtl)  # average effects, `jaxbreed.dominance.average_effect`
    chromosome, position = _places(program)
    if loci:
        members, content, effects = np.arange(effect.shape[1])[None], np.eye(effect.shape[1])[None], effect[:, None]
        kept = _kept_by_linkage(program, chromosome, position)[:, None]
    else:
        members, content, effects, kept = _cut(effect, chromosome, position)
    battery, sessions = program.battery, sum(stage.sessions for stage in settings.stages if stage.kind == "test")
    permanent, passing = _environment(program, sd, max(sessions, 1))
    share = np.diff(cumulative_shares(settings)[settings.sires[0] :], axis=1, prepend=0.0)
    world = World(
        effect=effects,
        heterosis=heterosis,
        kept=kept,
        residual=permanent + passing,
        passing=passing,
        gating=None if battery is None or not np.any(battery.gating) else np.array(battery.gating),
        lasting=program.lasting_variance,
        ceiling=np.full(len(sd), np.inf) if battery is None else np.array(battery.ceiling),
        clutch=np.zeros((len(sd), len(sd))) if traits.clutch is None else np.asarray(traits.clutch) / np.outer(sd, sd),
        depression=depression,
        dominance=deviations,
        sires=sum(settings.sires) / 2,
        share=float((share**2).sum(1).mean()),
        lineages=settings.lineages,
        places=settings.sires[1],
        across=settings.scope == "across",
        closed=settings.mating == "within_lineage",
        loci=loci,
        content=None if loci else content,
    )
    return Units(members, content, world)


def _environment(program: Program, sd: Floats, sessions: int) -> tuple[Floats, Floats]:
    """Environmental covariances of a record: of what lasts of an animal, and of its sessions. Squared founder SD."""
    traits = program.traits
    residual = np.asarray(traits.residual, np.float64) / np.outer(sd, sd)
    if not program.settings.stages:
        return np.zeros_like(residual), residual
    permanent = np.zeros_like(residual)
    if traits.permanent is not None:
        permanent = np.asarray(traits.permanent, np.float64) / np.outer(sd, sd)
    return permanent, (residual - permanent) / sessions


def _places(program: Program) -> tuple[npt.NDArray[np.int64], Floats]:
    """Chromosome and positions in Morgans, (2, qtl), of the loci with effects, as linkage knows them."""
    linkage = program.linkage
    if isinstance(linkage, Intervals):
        decay = np.asarray(linkage.decay, np.float64)
        chromosome = np.cumsum((decay == 0).all(0)) - 1
        with np.errstate(divide="ignore"):
            apart = np.where(decay > 0, -0.5 * np.log(decay), 0.0)
        return chromosome, np.cumsum(apart, axis=1)
    member, kept = np.asarray(linkage.member), np.asarray(linkage.kept, np.float64)
    position = np.zeros((2, program.traits.qtl.shape[0]))
    chromosome = np.zeros(position.shape[1], np.int64)
    for number, loci in enumerate(member):
        here = loci[loci < position.shape[1]]
        chromosome[here] = number
        for sex in range(2):
            near = kept[sex, number][np.arange(1, here.size), np.arange(here.size - 1)]
            position[sex, here[1:]] = np.cumsum(-0.5 * np.log(np.clip(near, 1e-6, 1.0)))
    return chromosome, position


def _kept_by_linkage(program: Program, chromosome: npt.NDArray[np.int64], position: Floats) -> Floats:
    """1 - 2 r between all pairs of loci, (2, qtl, qtl), on both maps; exact under interference too."""
    linkage, number = program.linkage, len(chromosome)
    if isinstance(linkage, Intervals):
        return np.stack([_kept(chromosome, place) for place in position])
    kept = np.zeros((2, number, number))
    for member, block in zip(np.asarray(linkage.member), np.swapaxes(np.asarray(linkage.kept), 0, 1), strict=True):
        here = member < number
        loci = member[here]
        kept[:, loci[:, None], loci] = block[:, here][:, :, here]
    return kept


def _kept(chromosome: Whole, position: Floats) -> Floats:
    """1 - 2 r between all pairs, Haldane."""
    same = chromosome[:, None] == chromosome
    return np.where(same, np.exp(-2 * np.abs(position[:, None] - position)), 0.0)


def _cut(effect: Floats, chromosome: Whole, position: Floats) -> tuple[Whole, Floats, Floats, Floats]:
    """Cuts chromosomes into equal stretches, of which each trait makes one unit.

    Args:
      effect: (trait, qtl).
      chromosome: (qtl,).
      position: (2, qtl), Morgans on both maps.

    Returns:
      Members and contents of blocks, the effects of units, 1 - 2 r between them.
    """
    traits, blocks = len(effect), int(chromosome.max()) + 1
    parts = max(FEWEST, STRETCHES // blocks)
    counts = np.bincount(chromosome)
    members = np.zeros((blocks, counts.max()), np.int64)
    content = np.zeros((blocks, counts.max(), traits, parts))
    kept = np.zeros((2, blocks, traits * parts, traits * parts))
    for block in range(blocks):
        loci = np.flatnonzero(chromosome == block)
        place = position[:, loci]
        along = place.mean(0) - place.mean(0).min()
        part = np.minimum((along / max(along.max(), 1e-12) * parts).astype(np.int64), parts - 1)
        members[block, : loci.size] = loci
        content[block, np.arange(loci.size), :, part] = effect[:, loci].T
        # A stretch lies where its effects do; an empty one has no effects, wherever it lies.
        weight = np.abs(effect[:, loci]).sum(0) + 1e-300
        heavy = np.maximum(np.bincount(part, weight, parts), 1e-300)
        for sex in range(2):
            centre = np.bincount(part, weight * place[sex], parts) / heavy
            kept[sex, block] = np.tile(_kept(np.zeros(parts, np.int64), centre), (traits, traits))
    effects = np.repeat(np.eye(traits), parts, axis=1)
    return (
        members,
        content.reshape(blocks, -1, traits * parts),
        np.repeat(effects[:, None], blocks, axis=1),
        kept,
    )


def moments_of(
    program: Program, units: Units, population: Population, families: Families, origin: Floats | None = None
) -> Moments:
    """The theory's description of the eggs that real parents lay, exact for these parents.

    Args:
      program: the programme.
      units: how genomes are read.
      population: the breeders.
      families: the eggs they lay.
      origin: (replicate, trait), values of generation 0; None where this is it.

    Returns:
      float64, leading axis (replicate,).
    """
    # Only loci with effects leave the device.
    here = jnp.asarray(program.traits.qtl)[units.members]
    haplotypes = np.asarray(population.haplotypes[..., here], np.float64)  # (replicate, animal, 2, block, locus)
    replicates, animals = haplotypes.shape[:2]
    by_block = np.moveaxis(haplotypes, 3, 0).reshape(len(here), -1, here.shape[1])
    copies = np.moveaxis((by_block @ units.content).reshape(len(here), replicates, animals, 2, -1), 0, 3)
    eggs = np.asarray(families.eggs, np.float64)
    share = eggs / eggs.sum((1, 2), keepdims=True)
    dam, sire = np.asarray(families.dam), np.asarray(families.sire)
    mean, between, mixed, apart, within = _genes(units.world, copies, share, dam, sire)
    kinship = np.asarray(population.kinship, np.float64)
    neutral = _neutral(units.world, kinship, share, dam, sire)
    bent = 0.0 if units.world.heterosis is None else units.world.heterosis * (1 - 2 * mean[:, None])
    effect = np.broadcast_to(units.world.effect + bent, (len(mean), *units.world.effect.shape))
    ties = _ties(effect, copies, kinship, share, dam, sire)
    reuse = _reuse(np.asarray(population.name), share, sire) if units.world.across else np.ones(len(mean))
    frequency = None
    if not units.world.loci:
        frequency = _frequency(haplotypes.mean(2), share, dam, sire)
    state = Moments(mean, between, mixed, apart, within, neutral, ties, reuse, origin, frequency=frequency)
    state = state._replace(pool=pooled(state))
    return state if origin is not None else state._replace(origin=value(units.world, state))


def _genes(world: World, copies: Floats, share: Floats, dam: Whole, sire: Whole) -> tuple[Any, ...]:
    """Mean and covariances of units, of the places of dams and sires: (replicate, lineage, sire)."""
    replicates, lineages, places = share.shape
    rows = np.arange(replicates)[:, None]
    dosage, difference = copies.sum(2), copies[:, :, 1] - copies[:, :, 0]
    of_dams, of_sires = share.sum(2), share.reshape(replicates, -1)
    mothers, fathers = dam[:, :, 0], sire.reshape(replicates, -1)
    mother, father = dosage[rows, mothers].repeat(places, 1), dosage[rows, fathers]
    family = 0.5 * (mother + father)
    mean = _sum(of_sires, family)
    inside = share / np.where(of_dams > 0, of_dams, 1.0)[:, :, None]
    clutch = (inside[..., None, None] * family.reshape(replicates, lineages, places, *mean.shape[1:])).sum(2)

    def spread(weight: Floats, values: Floats) -> Covariance:
        return _spread(world.effect, weight, values)

    if world.across:
        whole = spread(of_sires, family - mean[:, None])
        of_mothers, of_fathers = (spread(of_sires, 0.5 * (x - _sum(of_sires, x)[:, None])) for x in (mother, father))
        # What mates happen to have in common goes to both.
        between, mixed = (x + 0.5 * (whole - of_mothers - of_fathers) for x in (of_mothers, of_fathers))
    else:
        between = spread(of_dams, clutch - mean[:, None])
        mixed = spread(of_sires, family - clutch.repeat(places, 1))
    apart = spread(of_sires, 0.5 * (mother - father))
    female, male = spread(of_dams, difference[rows, mothers]), spread(of_sires, difference[rows, fathers])
    near = 0.25 * (world.kept[0] * female.near + world.kept[1] * male.near)
    return 0.5 * mean, between, mixed, apart, Covariance(near, 0.0 * female.far)


def _sum(weight: Floats, values: Floats) -> Floats:
    """Weighted sum over the second axis."""
    return np.asarray((weight[..., None, None] * values).sum(1))


def _frequency(own: Floats, share: Floats, dam: Whole, sire: Whole) -> Floats:
    """Of allele 1 among the eggs, (replicate, block, locus); own: that of each animal, (replicate, animal, ...)."""
    animal = np.zeros(own.shape[:2])
    rows = np.arange(len(own))[:, None]
    for parent in (dam, sire):
        np.add.at(animal, (rows, parent.reshape(len(own), -1)), 0.5 * share.reshape(len(own), -1))
    return np.asarray(np.einsum("ra,rabl->rbl", animal, own))


def _spread(effect: Floats, weight: Floats, values: Floats) -> Covariance:
    """Weighted mean square, weight (replicate, family), values (replicate, family, block, n)."""
    by_block = np.moveaxis(values, 1, 2)  # (replicate, block, family, n)
    weighed = np.swapaxes(by_block * weight[:, None, :, None], 2, 3)
    of_blocks = by_block @ np.moveaxis(effect, 0, 2)  # (replicate, block, family, trait)
    others = of_blocks.sum(1, keepdims=True) - of_blocks
    return Covariance(weighed @ by_block, np.moveaxis(weighed @ others, 3, 1))


def _ties(effect: Floats, copies: Floats, kinship: Floats, share: Floats, dam: Whole, sire: Whole) -> Floats:
    """Covariance of families' values with their relationship to all eggs: (replicate, trait).

    Args:
      effect: (replicate, trait, block, n), average effects.
      copies: (replicate, animal, 2, block, n).
      kinship: (replicate, animal, animal).
      share: (replicate, lineage, sire), of the eggs.
      dam: places of the dams.
      sire: places of the sires.
    """
    replicates, animals = kinship.shape[:2]
    row, family = np.arange(replicates)[:, None], np.arange(share[0].size)
    animal = np.zeros((replicates, family.size, animals))  # contribution of each animal to each family
    for parent in (dam, sire):
        animal[row, family, parent.reshape(replicates, -1)] += 0.5
    weight = share.reshape(replicates, 1, -1)
    related = 2 * (animal @ (kinship @ np.swapaxes(weight @ animal, 1, 2)))  # (replicate, family, 1)
    value = animal @ np.einsum("rtbn,rabn->rat", effect, copies.sum(2))
    return np.asarray((weight @ (related * (value - weight @ value)))[:, 0])


def _reuse(name: Floats, share: Floats, sire: Whole) -> Floats:
    """Places that a male fills, the mean over places by their eggs, (replicate,): he has a row for each."""
    weight = share.reshape(len(share), -1)
    of_place = np.take_along_axis(name, sire.reshape(len(share), -1, 1), 1)
    same = (of_place[:, :, None] == of_place[:, None]).all(-1)
    return np.asarray(np.einsum("rp,rpq,rq->r", weight, same, weight) / (weight**2).sum(1))


def _neutral(world: World, kinship: Floats, share: Floats, dam: Whole, sire: Whole) -> Floats:
    """The four covariances of a neutral locus, from pedigree kinship: (replicate, 4)."""
    replicates, lineages = share.shape[:2]
    row, lineage = np.arange(replicates)[:, None], np.arange(lineages)
    of_clutch = share.sum(2)
    inside = share / np.where(of_clutch > 0, of_clutch, 1.0)[:, :, None]
    animal = np.zeros((replicates, lineages, kinship.shape[1]))  # contribution of each animal to each clutch
    animal[row, lineage, dam[:, :, 0]] += 0.5
    np.add.at(animal, (row[..., None], lineage[:, None], sire), 0.5 * inside)
    pool = np.einsum("rl,rla->ra", of_clutch, animal)
    everywhere = ((pool[:, None] @ kinship)[:, 0] * pool).sum(1)
    in_clutch = (of_clutch * ((animal @ kinship) * animal).sum(2)).sum(1)
    d, s = dam.reshape(replicates, -1), sire.reshape(replicates, -1)
    weight, own, mates = share.reshape(replicates, -1), np.diagonal(kinship, axis1=1, axis2=2), kinship[row, d, s]
    own_d, own_s = own[row, d], own[row, s]
    in_family = (weight * 0.25 * (own_d + own_s + 2 * mates)).sum(1)
    inbreeding = (weight * mates).sum(1)
    within = (weight * 0.5 * (2 - own_d - own_s)).sum(1)  # 1 - F = 2 (1 - self-kinship)
    between, mixed = 2 * (in_clutch - everywhere), 2 * (in_family - in_clutch)
    if world.across:
        all_d, all_s = np.zeros((2, replicates, kinship.shape[1]))
        np.add.at(all_d, (row, d), weight)
        np.add.at(all_s, (row, s), weight)
        among = [(x * (kinship @ x[..., None])[..., 0]).sum(1) for x in (all_d, all_s)]
        of_dams, of_sires = ((weight * own).sum(1) - x for own, x in zip((own_d, own_s), among, strict=True))
        between, mixed = (0.5 * (between + mixed) + sign * 0.25 * (of_dams - of_sires) for sign in (1, -1))
    return np.stack([between, mixed, 1 - inbreeding - within, within], axis=1)
