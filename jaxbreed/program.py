"""The programme: everything that is fixed before the first egg is laid."""

import dataclasses
import math
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax import Array

from jaxbreed.battery import Battery
from jaxbreed.checks import require
from jaxbreed.columns import columns_of, spread
from jaxbreed.genetic_load import Load, join
from jaxbreed.genome import GeneticMap
from jaxbreed.kernels import Noise, WalkMap, build_mutation, build_noise, build_walk_map, screen_size
from jaxbreed.linkage import Linkage, build_linkage
from jaxbreed.markers import Markers, PredictionPlan
from jaxbreed.stages import Stage, check_order
from jaxbreed.traits import Traits

Scope = Literal["within", "across"]
Mating = Literal["random", "avoid_sibs", "within_lineage", "rotational", "maximum_avoidance", "minimum_kinship"]
Sexes = Literal["random", "alternate"]
STORED: tuple[Mating, ...] = ("random", "avoid_sibs", "within_lineage")
"""How stored males can be mated."""
Combine = Literal["sum", "worst"]
LANES = 4096
"""Eggs scored side by side by the XLA kernels: on a CPU so many that their state stays in the cache."""
ACCELERATOR_LANES = 1 << 16
"""On other devices as many as the sums of the moments allow."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """The rules of the programme; hashable, so that equal rules share one compilation.

    Attributes:
      lineages: breeding females in each generation, one clutch each.
      eggs: smallest and largest clutch; sizes are drawn uniformly between.
      sires: fewest and most sires of a clutch; the number is drawn uniformly between.
      paternity: share of each next sire relative to the one before; 1 shares equally.
      survival: chance of an egg to live until testing.
      tested: animals tested of each clutch, shared out among its sires as the eggs are; None for every survivor.
      scope: "within" each lineage selects from its own clutch; "across" all clutches compete.
      quota: most animals of each sex selected from one family (dam and sire), None for any number.
      mating: "random", "avoid_sibs" (the fewest sib pairs among 128 random arrangements), "within_lineage" (a
        lineage's own males), "minimum_kinship" (the least related), or, within lineages, "rotational" (males go to the
        next lineage) or "maximum_avoidance" (to lineages ever further away). See `jaxbreed.mating_plans`.
      sexes: "random" or "alternate" (half of every full-sib family; of an odd number one more is female).
      stages: what lies between hatching and selection; none: every survivor, or the first `tested`, is tested once.
      combine: "sum" ranks by the weighted sum of the traits, "worst" by the worst of them (independent culling).
      prediction: how genomic predictions are made, in programmes with stages; None for none.
      migration: chance of each place for a sire to be filled from another lineage, when mating is "within_lineage".
      storage: chance of each place for a sire to be filled, instead of by a male chosen now, by one chosen a generation
        before, whose sperm was stored.
      male_places: most places for sires of one male when inbreeding is limited; None for any number.
      sessions: of an animal's test, where no stages say it; they are counted only, the traits hold what they teach.
    """

    lineages: int
    eggs: tuple[int, int]
    sires: tuple[int, int] = (1, 1)
    paternity: float = 1.0
    survival: float = 1.0
    tested: int | None = None
    scope: Scope = "within"
    quota: int | None = None
    mating: Mating = "random"
    sexes: Sexes = "random"
    stages: tuple[Stage, ...] = ()
    combine: Combine = "sum"
    prediction: PredictionPlan | None = None
    migration: float = 0.0
    male_places: int | None = None
    sessions: int = 1
    storage: float = 0.0

    def __post_init__(self) -> None:
        """Checks every field.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        require(
            (self.lineages >= 1, "lineages", self.lineages, "at least 1"),
            (
                1 <= self.eggs[0] <= self.eggs[1] <= 10**8,
                "eggs",
                self.eggs,
                "two numbers from 1 to 100,000,000, the smaller first",
            ),
            (
                1 <= self.sires[0] <= self.sires[1] <= 64,
                "sires",
                self.sires,
                "two numbers from 1 to 64, the smaller first",
            ),
            (0.0 < self.paternity <= 1.0, "paternity", self.paternity, "above 0 and at most 1"),
            (0.0 < self.survival <= 1.0, "survival", self.survival, "above 0 and at most 1"),
            (
                self.tested is None or self.tested >= 1,
                "tested",
                self.tested,
                "at least 1, or left out to test every survivor",
            ),
            (self.quota is None or self.quota >= 1, "quota", self.quota, "at least 1, or left out"),
            (self.scope in ("within", "across"), "scope", self.scope, '"within" or "across"'),
            (self.mating in get_args(Mating), "mating", self.mating, "one of " + ", ".join(get_args(Mating))),
            (self.sexes in ("random", "alternate"), "sexes", self.sexes, '"random" or "alternate"'),
            (
                self.mating not in ("within_lineage", "rotational", "maximum_avoidance") or self.scope == "within",
                "mating",
                self.mating,
                'used with scope = "within"',
            ),
            (
                self.mating not in ("rotational", "maximum_avoidance") or self.lineages >= 2,
                "mating",
                self.mating,
                "used with 2 lineages or more",
            ),
            (0.0 <= self.migration <= 1.0, "migration", self.migration, "from 0 to 1"),
            (
                self.migration == 0 or (self.mating == "within_lineage" and self.lineages >= 2),
                "migration",
                self.migration,
                '0 unless mating is "within_lineage" and there are 2 lineages or more',
            ),
            (
                self.male_places is None or self.male_places >= 1,
                "male_places",
                self.male_places,
                "at least 1, or left out",
            ),
            (self.sessions >= 1, "sessions", self.sessions, "at least 1"),
            (self.sessions == 1 or not self.stages, "sessions", self.sessions, "1 where stages say it"),
            (0.0 <= self.storage <= 1.0, "storage", self.storage, "from 0 to 1"),
            (
                self.storage == 0 or (self.mating in STORED and self.migration == 0),
                "storage",
                self.storage,
                f"0 unless mating is one of {', '.join(STORED)}, without migration: plans are for males chosen now",
            ),
            (self.combine in ("sum", "worst"), "combine", self.combine, '"sum" or "worst"'),
        )
        if self.combine == "worst" and not any(stage.kind == "test" for stage in self.stages):
            raise ValueError("combine is worst; culling by every trait needs stages, at least one of them a test")
        self._check_prediction()
        check_order(self.stages)
        if self.stages and self.tested is not None:
            raise ValueError(f"tested is {self.tested}; it must be left out where stages say who is tested")
        females, males = self.parents_needed
        families = self.sires[0] * (self.lineages if self.scope == "across" else 1)
        if self.quota is not None and self.quota * families < max(females, males):
            raise ValueError(
                f"quota is {self.quota}; as few as {families} families must give {females} females and {males} males, "
                f"so it must be at least {-(-max(females, males) // families)}"
            )
        living = self.eggs[0] * self.survival if self.tested is None else min(self.eggs[0] * self.survival, self.tested)
        for stage in () if self.chosen_among_eggs else self.stages:
            living = min(living, stage.capacity or living) * stage.survival
        pool = living / 2 * (self.lineages if self.scope == "across" else 1)
        if max(females, males) > pool:
            raise ValueError(
                f"{females} females and {males} males are to be selected {self.scope} lineages, but the smallest "
                f"clutch leaves about {pool:.3g} tested animals of each sex; ask for fewer sires or test more eggs"
            )

    def _check_prediction(self) -> None:
        tests = any(stage.kind == "test" for stage in self.stages)
        if self.prediction is not None and not tests:
            raise ValueError("prediction needs stages, at least one of them a test, whose records train it")
        if self.prediction is not None and self.combine == "worst":
            raise ValueError(
                "combine is worst; with prediction it must be sum: culling goes by records, not predictions"
            )
        unknown = [n for n, s in enumerate(self.stages, start=1) if s.kind == "screen" and s.accuracy is None]
        if unknown and self.prediction is None:
            raise ValueError(f"stages.{unknown[0]}.accuracy is left out; a screen without one needs prediction")

    @property
    def chosen_among_eggs(self) -> bool:
        """Whether parents are chosen by prediction among all eggs, tested or not."""
        return self.prediction is not None and self.prediction.choose == "eggs"

    @property
    def parents_needed(self) -> tuple[int, int]:
        """Females and males selected: of each clutch (scope within), or of all (across)."""
        groups = 1 if self.scope == "within" else self.lineages
        return groups, groups * self.sires[1]

    @property
    def animals(self) -> int:
        """Breeding animals of one generation: dams, then the places for sires, lineage by lineage."""
        return self.lineages * (1 + self.sires[1])

    @property
    def most_tested(self) -> int:
        """Most animals of one clutch among which parents are chosen."""
        return min([self.eggs[1], *(room for room in (self.tested, *(s.capacity for s in self.stages)) if room)])

    @property
    def entering(self) -> int | None:
        """Most eggs of one clutch that the sweep scores; None for all that live."""
        return self.stages[0].capacity if self.stages else self.tested


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Program:
    """A programme ready to run.

    Attributes:
      settings: the rules.
      traits: the traits.
      qtl_map: integer map of the loci with effects: what the sweep walks.
      locus_map: integer map of all loci: what hatching rebuilds.
      linkage: between the QTL, for variances in closed form.
      noise: integer form of the residual covariance.
      clutch: integer form of the covariance of clutch effects; None without.
      load: genetic load, at the same loci as the traits; None without.
      permanent: integer form of the permanent environment's covariance; None without stages.
      stage_noise: for each stage the noise of one session or of a screen; None where there is none.
      battery: how lasting values become records; None: as they are.
      markers: of genomic prediction; None without.
      flip: chance that mutation gives a gamete the other allele at a locus.
    """

    traits: Traits
    qtl_map: WalkMap
    locus_map: WalkMap
    linkage: Linkage
    noise: Noise
    settings: Settings = dataclasses.field(metadata={"static": True})
    flip: float = dataclasses.field(default=0.0, metadata={"static": True})
    clutch: Noise | None = None
    load: Load | None = None
    permanent: Noise | None = None
    stage_noise: tuple[Noise | None, ...] = ()
    markers: Markers | None = None
    battery: Battery | None = dataclasses.field(default=None, metadata={"static": True})

    @property
    def lanes(self) -> int:
        """Eggs scored side by side: small clutches need fewer."""
        most = LANES if jax.default_backend() == "cpu" else ACCELERATOR_LANES
        return min(most, 1 << max(6, (self.settings.most_tested - 1).bit_length()))

    @property
    def screened(self) -> int:
        """Eggs whose fate is drawn at a time; 0 when all survive."""
        return screen_size(self.settings.survival, self.lanes)

    @property
    def lasting_variance(self) -> np.ndarray:
        """Variance among founders of what lasts of an animal: genes, clutch, permanent environment; (trait,), sP^2."""
        traits = self.traits
        passing = traits.residual if traits.permanent is None else traits.residual - traits.permanent
        return np.asarray(1 - np.diag(passing) / np.asarray(traits.sd_phenotypic, np.float64) ** 2)


def make_program(
    genetic_map: GeneticMap,
    traits: Traits,
    settings: Settings,
    *,
    interference: float = 1.0,
    mutation: float = 0.0,
    load: Load | None = None,
    battery: Battery | None = None,
    markers: npt.ArrayLike | None = None,
    frequency: npt.ArrayLike | None = None,
) -> Program:
    """Prepares a programme.

    Args:
      genetic_map: chromosomes, loci, female and male positions.
      traits: effects at some of its loci.
      settings: the rules.
      interference: gamma shape of the distances between the chiasmata of a bivalent, 1 (none, Haldane's map) to 24;
        2 to 16 have been measured in animals. Map lengths stay as they are.
      mutation: mutations a locus and gamete, each to the other allele; 0 for none.
      load: genetic load; None for none.
      battery: how lasting values become records, in programmes with stages; None: as they are.
      markers: (marker,), loci of the markers of genomic prediction, rising.
      frequency: (locus,), frequencies of allele 1 among the founders, for genomic prediction.

    Returns:
      The programme.

    Raises:
      ValueError: interference or mutation out of range; a battery without stages.
    """
    if battery is not None and not settings.stages:
        raise ValueError(
            "ceiling, gating and social need animals that are followed one by one: say stages, one of them a test"
        )
    if settings.prediction is not None and (markers is None or frequency is None):
        raise ValueError("markers and frequency are left out; prediction needs both")
    if load is not None:
        traits, load = join(traits, load)
    qtl = np.asarray(traits.qtl)
    part = genetic_map.subset(qtl)

    def noise(covariance: Array) -> Noise:
        return build_noise(_square_root(np.asarray(covariance, np.float64)) * 2.0**traits.scale_bits)

    temporary = traits.residual if traits.permanent is None else traits.residual - traits.permanent

    def stage_noise(stage: Stage) -> Noise | None:
        if stage.kind == "test":
            return noise(temporary)
        if stage.accuracy is None:
            return None
        return noise(traits.additive * (1 / stage.accuracy**2 - 1))

    def walk_map(some: GeneticMap, site: np.ndarray | None) -> WalkMap:
        hits = build_mutation(mutation, genetic_map.loci, site)
        return build_walk_map(some.chromosome, some.position, some.length, interference, hits)

    panel = None
    if settings.prediction is not None:
        locus = np.asarray(markers, np.int64)
        scored = np.union1d(qtl, locus)
        columns = spread(columns_of(traits, load), np.searchsorted(scored, qtl), scored.size)
        panel = Markers(
            locus=jnp.asarray(locus, jnp.int32),
            frequency=jnp.asarray(np.asarray(frequency)[locus], jnp.float32),
            scored=jnp.asarray(scored, jnp.int32),
            at=jnp.asarray(np.searchsorted(scored, locus), jnp.int32),
            walk_map=walk_map(genetic_map.subset(scored), scored),
            columns=columns,
        )
    return Program(
        traits=traits,
        qtl_map=walk_map(part, qtl),
        locus_map=walk_map(genetic_map, None),
        linkage=build_linkage(part, interference),
        noise=noise(traits.residual),
        clutch=None if traits.clutch is None else noise(traits.clutch),
        load=load,
        permanent=noise(traits.permanent) if settings.stages and traits.permanent is not None else None,
        stage_noise=tuple(map(stage_noise, settings.stages)),
        battery=battery,
        markers=panel,
        settings=settings,
        flip=-math.expm1(-2.0 * mutation) / 2,
    )


def _square_root(covariance: np.ndarray) -> np.ndarray:
    """Symmetric square root; unlike Cholesky's it exists for traits without residual variance too."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
