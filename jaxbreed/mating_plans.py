"""Mating plans: who sires whose clutch by lineage or by kinship, without chance."""

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array
from scipy.optimize import linear_sum_assignment

from jaxbreed import coancestry
from jaxbreed.clutch import Families
from jaxbreed.mating import in_turn
from jaxbreed.population import Population
from jaxbreed.program import Settings
from jaxbreed.selection import Chosen

PLANS = ("rotational", "maximum_avoidance", "minimum_kinship")


def mate_by_plan(
    settings: Settings,
    population: Population,
    families: Families,
    females: Chosen,
    males: Chosen,
    kept: Array,
    key: Array,
    g: int,
    *,
    placed: bool = False,
) -> tuple[Chosen, Chosen]:
    """Fills the places of dams and sires by the plan in `settings.mating`.

    "rotational": the males of lineage i go to lineage i + 1, in every generation alike (circular pair mating, Kimura &
    Crow 1963, Genet Res 4:399; rotational line crossing, Kincaid 1977, Prog Fish-Cult 39:179). Inbreeding comes sooner
    than with the other plans, and rises more slowly after a hundred generations.

    "maximum_avoidance": the males of lineage i go to lineage i + 1, then i + 2, i + 4, ... and from i + 1 again as
    soon as a step would reach round all lineages (cyclical mating, Cockerham 1970; Nomura & Yonezawa 1996, Genet Sel
    Evol 28:141). Where there are 2^n lineages, mates have no common ancestor in the last n generations, the most that
    is possible (Kimura & Crow 1963).

    "minimum_kinship": the mates' sum of kinships over all places for sires is the least there is (assignment problem).
    Places of equal kinship are filled at random. Within lineages, and with planned contributions, a male keeps his
    place in a clutch, the first, the second and so on, but not the clutch.

    Args:
      settings: the rules.
      population: the breeders of the generation before.
      families: the families that the chosen come from.
      females: chosen females, (replicate, lineage or 1, ...).
      males: chosen males.
      kept: int32 (), see `mate`.
      key: typed key (replicate,).
      g: the generation, 0 for the founders' progeny.
      placed: see `mate`.

    Returns:
      Dams (replicate, lineage) and sires (replicate, lineage, sire place).
    """
    lineages, sires = settings.lineages, settings.sires[1]
    replicates = females.egg.shape[0]
    dams = Chosen(*(x.reshape(replicates, lineages) for x in females))
    males = in_turn(males, kept)
    if settings.mating == "minimum_kinship":
        words = np.asarray(jax.random.key_data(key))
        columns = sires if placed or settings.scope == "within" else 1
        flat = Chosen(*(x.reshape(replicates, -1) for x in males))
        source = np.stack(
            [
                _least_related(_mates_kinship(population, families, dams, flat, r), columns, words[r])
                for r in range(replicates)
            ]
        )
        rows = np.arange(replicates)[:, None, None]
        return dams, Chosen(*(x[rows, source] for x in flat))
    step = 1 if settings.mating == "rotational" else 1 << (g % (lineages - 1).bit_length())
    return dams, Chosen(*(jnp.roll(x, step, axis=1) for x in males))


def _mates_kinship(
    population: Population, families: Families, dams: Chosen, males: Chosen, r: int
) -> npt.NDArray[np.float64]:
    """Kinship of every chosen female with every chosen male of one replicate: (lineage, male)."""
    dam, sire = (np.asarray(x)[r] for x in (families.dam, families.sire))
    kinship = np.asarray(population.kinship[r], np.float64)
    between = coancestry.between_families(kinship, dam.reshape(-1), sire.reshape(-1))
    of_dam, of_male = (np.asarray(x.lineage)[r] * dam.shape[1] + np.asarray(x.sire)[r] for x in (dams, males))
    return between[of_dam[:, None], of_male]


def _least_related(
    kinship: npt.NDArray[np.float64], columns: int, seed: npt.NDArray[np.uint32]
) -> npt.NDArray[np.int64]:
    """(lineage, place) males, those of each column kept to it, with the least sum of kinships.

    Args:
      kinship: (lineage, male); males lineage by lineage.
      columns: into how many kinds of places the males are divided: 1 where any male may fill any place.
      seed: of the choice among equals.
    """
    rng = np.random.default_rng(seed)
    lineages, places = kinship.shape[0], kinship.shape[1] // kinship.shape[0]
    source = np.zeros((lineages, places // columns, columns), np.int64)
    for column in range(columns):
        # Both sides in random order, so that the solver's choice among equals favours none.
        males = rng.permutation(np.arange(column, lineages * places, columns))
        slots = rng.permutation(len(males))
        row, best = linear_sum_assignment(kinship[slots % lineages][:, males])
        source[slots[row] % lineages, slots[row] // lineages, column] = males[best]
    return source.reshape(lineages, places)
