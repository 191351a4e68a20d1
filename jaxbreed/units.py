"""What theory sees of a genome: its loci, or where they are many, stretches of chromosome with one unit a trait."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jaxbreed.clutch import Families, cumulative_shares
from jaxbreed.linkage import Intervals
from jaxbreed.population import Population
from jaxbreed.program import Program
from jaxbreed.recursion import Moments, World

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
MOST_LOCI, MOST_UNITS = 256, 360


class Units(NamedTuple):
    """How genomes are read.

    Attributes:
      content: (qtl, unit), what one copy of allele 1 adds to a unit.
      world: the theory's constants.
    """

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
    depression, deviations = np.zeros(len(sd)), np.zeros((len(sd), len(sd)))
    at_qtl = np.asarray(frequency, np.float64)[np.asarray(traits.qtl)]
    if traits.dominance is not None:
        dominance = np.asarray(traits.dominance, np.float64) * scale
        heterozygosity = 2 * at_qtl * (1 - at_qtl)
        depression = (heterozygosity * dominance).sum(1)
        deviations = heterozygosity**2 * dominance @ dominance.T
        effect = effect + dominance * (1 - 2 * at_qtl)  # average effects, `jaxbreed.dominance.average_effect`
    chromosome, position = _places(program)
    loci = effect.shape[1] <= MOST_LOCI
    if loci:
        content, effects = np.eye(effect.shape[1]), effect
        kept = _kept_by_linkage(program, chromosome, position)
    else:
        stretch = _stretches(chromosome, position.mean(0), MOST_UNITS // len(sd))
        count, number = int(stretch.max()) + 1, np.arange(effect.shape[1])
        content = np.zeros((effect.shape[1], len(sd), count))
        content[number, :, stretch] = effect.T
        content = content.reshape(effect.shape[1], -1)
        effects = np.repeat(np.eye(len(sd)), count, axis=1)
        weight = np.abs(effect).sum(0) + 1e-300
        of = np.bincount(stretch, weight)
        centre = np.stack([np.bincount(stretch, weight * place) / of for place in position])
        first = np.zeros(count, np.int64)
        first[stretch] = chromosome
        kept = np.stack([np.tile(_kept(first, place), (len(sd), len(sd))) for place in centre])
    battery, sessions = program.battery, sum(stage.sessions for stage in settings.stages if stage.kind == "test")
    permanent, passing = _environment(program, sd, max(sessions, 1))
    share = np.diff(cumulative_shares(settings)[settings.sires[0] :], axis=1, prepend=0.0)
    world = World(
        effect=effects,
        kept=kept,
        residual=permanent + passing,
        passing=passing,
        gating=np.zeros((len(sd), len(sd))) if battery is None else np.array(battery.gating),
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
    )
    return Units(content, world)


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


def _kept(chromosome: npt.NDArray[np.int64], position: Floats) -> Floats:
    """1 - 2 r between all pairs, Haldane."""
    same = chromosome[:, None] == chromosome
    return np.where(same, np.exp(-2 * np.abs(position[:, None] - position)), 0.0)


def _stretches(chromosome: npt.NDArray[np.int64], position: Floats, most: int) -> npt.NDArray[np.int64]:
    """Number of the stretch of each locus: chromosomes cut into equal parts, rising without gaps."""
    chromosomes = int(chromosome.max()) + 1
    parts = max(1, most // chromosomes)
    length = np.zeros(chromosomes)
    np.maximum.at(length, chromosome, position)
    low = np.full(chromosomes, np.inf)
    np.minimum.at(low, chromosome, position)
    relative = (position - low[chromosome]) / np.maximum(length - low, 1e-12)[chromosome]
    part = np.minimum((relative * parts).astype(np.int64), parts - 1)
    _, number = np.unique(chromosome * parts + part, return_inverse=True)
    return np.asarray(number, np.int64)


def moments_of(
    program: Program, units: Units, population: Population, families: Families, origin: Floats | None = None
) -> Moments:
    """The theory's description of the eggs that real parents lay, exact for these parents.

    Args:
      program: the programme.
      units: how genomes are read.
      population: the breeders.
      families: the eggs they lay.
      origin: (replicate, unit), means of generation 0; None where this is it.

    Returns:
      float64, leading axis (replicate,).
    """
    haplotypes = np.asarray(population.haplotypes[..., program.traits.qtl])
    kinship = np.asarray(population.kinship, np.float64)
    eggs, dam, sire = (np.asarray(x) for x in (families.eggs, families.dam, families.sire))
    of_each = []
    for r in range(len(haplotypes)):
        copies = haplotypes[r].astype(np.float64) @ units.content
        share = eggs[r] / eggs[r].sum()
        genes = _genes(units.world, copies, share, dam[r], sire[r])
        of_each.append(
            (*genes, _neutral(kinship[r], share, dam[r], sire[r]), genes[0] if origin is None else origin[r])
        )
    return Moments(*(np.stack(part) for part in zip(*of_each, strict=True)))


def _genes(world: World, copies: Floats, share: Floats, dam: Whole, sire: Whole) -> tuple[Floats, ...]:
    dosage, difference = copies.sum(1), copies[:, 1] - copies[:, 0]
    of_dams, of_sires = share.sum(1), share.reshape(-1)
    first, second = dosage[dam[:, 0]], dosage[sire.reshape(-1)]
    mother = first.repeat(share.shape[1], 0)
    family = 0.5 * (mother + second)
    mean = of_sires @ family
    inside = np.where(of_dams > 0, of_dams, 1.0)
    clutch = np.einsum("ls,lsk->lk", share, family.reshape(*share.shape, -1)) / inside[:, None]
    between = _spread(of_dams, clutch - mean)
    mixed = _spread(of_sires, family - clutch.repeat(share.shape[1], 0))
    apart = _spread(of_sires, 0.5 * (mother - second))
    female, male = np.asarray(world.kept)
    within = 0.25 * (
        female * _spread(of_dams, difference[dam[:, 0]]) + male * _spread(of_sires, difference[sire.reshape(-1)])
    )
    return 0.5 * mean, between, mixed, apart, within


def _spread(weight: Floats, values: Floats) -> Floats:
    return (values * weight[:, None]).T @ values


def _neutral(kinship: Floats, share: Floats, dam: Whole, sire: Whole) -> Floats:
    """The four covariances of a neutral locus, from pedigree kinship."""
    lineages = len(share)
    animal = np.zeros((lineages, len(kinship)))  # contribution of each animal to each clutch
    rows = np.arange(lineages)
    of_clutch = share.sum(1)
    inside = share / np.where(of_clutch > 0, of_clutch, 1.0)[:, None]
    animal[rows, dam[:, 0]] += 0.5
    np.add.at(animal, (np.broadcast_to(rows[:, None], sire.shape), sire), 0.5 * inside)
    pool = of_clutch @ animal
    everywhere = pool @ kinship @ pool
    in_clutch = of_clutch @ np.einsum("la,ab,lb->l", animal, kinship, animal)
    d, s = dam.reshape(-1), sire.reshape(-1)
    weight, own = share.reshape(-1), np.diag(kinship)
    in_family = weight @ (0.25 * (own[d] + own[s] + 2 * kinship[d, s]))
    inbreeding = weight @ kinship[d, s]
    within = weight @ (0.25 * (2 * (1 - own[d]) + 2 * (1 - own[s])))  # 1 - F = 2 (1 - self-kinship)
    return np.array([2 * (in_clutch - everywhere), 2 * (in_family - in_clutch), 1 - inbreeding - within, within])
