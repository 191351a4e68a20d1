"""Drawing traits: effects at loci, scaled so that the founders vary as asked."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from jaxbreed.checks import require
from jaxbreed.traits import Floats, Traits, correlation_root, traits_from_effects

_ROUNDS = 200  # of fitting dominance and correlations to each other


@dataclasses.dataclass(frozen=True)
class TraitModel:
    """What is known of one trait among the founders. Shares are of the phenotypic variance of one record.

    Attributes:
      name: its name.
      h2: share of the breeding values (narrow-sense heritability), in (0, 1].
      clutch: share of what all eggs of a clutch have in common besides genes (c2).
      repeatability: share of all that lasts: genes, clutch and permanent environment; None for no permanent
        environment.
      inbreeding_depression: percent of the founders' mean that is lost with every 10 % of inbreeding.
      dominance_sd: SD of the dominance degrees d / |a| between loci.
      cv: phenotypic coefficient of variation, which turns percent of the mean into SD.
    """

    name: str
    h2: float
    clutch: float = 0.0
    repeatability: float | None = None
    inbreeding_depression: float = 0.0
    dominance_sd: float = 0.0
    cv: float = 0.3

    def __post_init__(self) -> None:
        """Checks every field.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        of = f" of {self.name}"
        total = self.h2 + self.clutch
        require(
            (0.0 < self.h2 <= 1.0, "h2" + of, self.h2, "above 0 and at most 1"),
            (0.0 <= self.clutch < 1.0, "clutch" + of, self.clutch, "at least 0 and below 1"),
            (
                self.repeatability is None or total <= self.repeatability + 1e-12 <= 1.0 + 1e-12,
                "repeatability" + of,
                self.repeatability,
                f"from h2 + clutch, {total:g}, to 1",
            ),
            (total <= 1.0 + 1e-12, "h2 + clutch" + of, total, "at most 1, the variance of the records"),
            (self.dominance_sd >= 0.0, "dominance_sd" + of, self.dominance_sd, "at least 0"),
            (self.cv > 0.0, "cv" + of, self.cv, "above 0"),
        )

    @property
    def dominant(self) -> bool:
        """Whether heterozygotes differ from the mean of the homozygotes."""
        return self.dominance_sd > 0.0 or self.inbreeding_depression != 0.0

    @property
    def loss(self) -> float:
        """Loss of the mean at full inbreeding, in additive SD of the founders."""
        return self.inbreeding_depression / 10 / self.cv / self.h2**0.5


def additive_traits(
    haplotypes: npt.NDArray[np.uint8],
    names: Sequence[str],
    h2: Sequence[float],
    correlation: Floats,
    *,
    qtl: int,
    gamma_shape: float = 0.4,
    residual_correlation: Floats | None = None,
    seed: int = 0,
) -> Traits:
    """Draws additive traits: `draw_traits` with nothing but heritabilities.

    Args:
      haplotypes: uint8 (founder, 2, locus).
      names: trait names.
      h2: heritability in the founders, in (0, 1].
      correlation: (trait, trait) genetic correlations.
      qtl: number of loci with effects.
      gamma_shape: shape of the gamma distribution of effect sizes.
      residual_correlation: (trait, trait), default none.
      seed: of the choice of loci and effects.

    Returns:
      The traits, with unit genetic SD in the founders.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    models = [TraitModel(name, float(share)) for name, share in zip(names, h2, strict=True)]
    return draw_traits(
        haplotypes,
        models,
        correlation,
        qtl=qtl,
        gamma_shape=gamma_shape,
        residual_correlation=residual_correlation,
        seed=seed,
    )


def draw_traits(
    haplotypes: npt.NDArray[np.uint8],
    models: Sequence[TraitModel],
    correlation: Floats,
    *,
    qtl: int,
    gamma_shape: float = 0.4,
    residual_correlation: Floats | None = None,
    clutch_correlation: Floats | None = None,
    sessions: int = 1,
    seed: int = 0,
) -> Traits:
    """Draws pleiotropic effects and scales them to the variances asked for in the founders.

    Effect sizes are gamma with a random sign, independent between traits; the traits are then mixed linearly so that
    the covariance matrix of the founders' breeding values (divisor n - 1) is exactly the one asked for: additive
    variance 1 each, correlations as given. The founders' mean is 0. In a panel of few founders that variance holds
    chance associations between loci that the first meiosis breaks: the variance of their progeny differs from it, by
    about a quarter with 30 founders and a twentieth with 600.

    Dominance degrees d / |a| are normal. Their mean is set so that the mean falls by exactly the inbreeding depression
    asked for at the founders' allele frequencies: 2 sum(p q d) for complete inbreeding. Breeding values
    count the average effects a + d (1 - 2 p) of allele 1, of frequency p (Falconer & Mackay 1996, chapter 7).

    The record of an animal is the mean of its test sessions: what lasts, and a part of what does not.

    Args:
      haplotypes: uint8 (founder, 2, locus).
      models: the traits.
      correlation: (trait, trait) correlations of breeding values.
      qtl: number of loci with effects, drawn at random among the loci that segregate in the founders.
      gamma_shape: shape of the gamma distribution of effect sizes (Hayes & Goddard 2001: about 0.4).
      residual_correlation: (trait, trait), of permanent and temporary environment alike; default none.
      clutch_correlation: (trait, trait), of the clutch effects; default none.
      sessions: how often an animal is tested.
      seed: of the choice of loci and effects.

    Returns:
      The traits, with unit additive SD in the founders; reports are in phenotypic SD of one session.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    traits = len(models)
    h2 = np.array([model.h2 for model in models], np.float64)
    none = np.eye(traits)
    mixing = correlation_root(correlation, "genetic correlation")
    residual = none if residual_correlation is None else residual_correlation
    residual_root = correlation_root(residual, "residual correlation")
    clutch_root = correlation_root(none if clutch_correlation is None else clutch_correlation, "clutch correlation")
    if sessions < 1:
        raise ValueError(f"sessions is {sessions}; it must be at least 1")
    dosage = haplotypes.sum(axis=1, dtype=np.int16)
    segregating = np.flatnonzero(dosage.min(axis=0) != dosage.max(axis=0))
    if not traits < qtl <= segregating.size:
        raise ValueError(
            f"qtl is {qtl}; it must be above {traits}, the number of traits, and at most {segregating.size}, the loci "
            "that segregate in the founders"
        )
    if len(dosage) <= traits + 1:
        raise ValueError(f"there are {len(dosage)} founders; scaling {traits} traits needs at least {traits + 2}")
    stream = np.random.SeedSequence([seed, 0x7261])
    rng = np.random.default_rng(stream)
    chosen = np.sort(rng.choice(segregating, qtl, replace=False))
    raw = rng.gamma(gamma_shape, size=(traits, qtl)) * rng.choice([-1.0, 1.0], size=(traits, qtl))
    copies = dosage[:, chosen]
    effect = mixing @ np.linalg.solve(np.linalg.cholesky(_covariance(copies @ raw.T)), raw)
    values, dominance = copies @ effect.T, None
    if any(model.dominant for model in models):
        degree = np.random.default_rng(stream.spawn(1)[0]).standard_normal((traits, qtl))
        effect, dominance = _with_dominance(models, mixing, copies, effect, degree)
        values = copies @ effect.T + (copies == 1) @ dominance.T

    # In units of the additive variance.
    total = 1 / h2
    frequency = copies.mean(axis=0) / 2
    of_dominance = 0.0 if dominance is None else ((2 * frequency * (1 - frequency) * dominance) ** 2).sum(axis=1)
    of_clutch = np.array([model.clutch for model in models]) * total
    environment = (1 - h2) / h2 - of_dominance - of_clutch
    permanent = np.array(
        [0.0 if m.repeatability is None else m.repeatability * v for m, v in zip(models, total, strict=True)]
    )
    permanent = np.where(permanent > 0, permanent - 1 - of_dominance - of_clutch, 0.0)
    for model, left, lasting in zip(models, environment, permanent, strict=True):
        if min(left, lasting) < -1e-9 / model.h2:
            what = "the environment" if left < 0 else "the permanent environment"
            raise ValueError(
                f"dominance of {model.name} takes so much of its variance that {what} is left {min(left, lasting):.3g} "
                "additive variances; it must be 0 or more: ask for less inbreeding depression, dominance_sd or h2, or "
                "for more qtl"
            )
    lasting_root = np.sqrt(np.maximum(permanent, 0))[:, None] * residual_root
    passing_root = np.sqrt(np.maximum(environment - permanent, 0))[:, None] * residual_root
    shared_root = np.sqrt(of_clutch)[:, None] * clutch_root
    return traits_from_effects(
        [model.name for model in models],
        chosen,
        effect,
        -values.mean(axis=0),
        lasting_root @ lasting_root.T + passing_root @ passing_root.T / sessions,
        np.ones(traits),
        dominance=dominance,
        clutch=shared_root @ shared_root.T,
        permanent=lasting_root @ lasting_root.T,
        correlation=np.asarray(correlation, np.float64),
        sd_phenotypic=np.sqrt(total),
    )


def _with_dominance(
    models: Sequence[TraitModel], mixing: Floats, copies: npt.NDArray[np.int16], effect: Floats, degree: Floats
) -> tuple[Floats, Floats]:
    """Draws dominance and scales both kinds of effects until breeding values vary and covary as asked.

    Args:
      models: the traits.
      mixing: Cholesky root of the genetic correlations.
      copies: (founder, qtl), copies of allele 1.
      effect: (trait, qtl), additive effects scaled without dominance.
      degree: (trait, qtl), standard normal.

    Returns:
      Additive and dominance effects, (trait, qtl).
    """
    frequency = copies.mean(axis=0) / 2
    heterozygosity = 2 * frequency * (1 - frequency)
    spread = np.array([model.dominance_sd for model in models])
    loss = np.array([model.loss for model in models])
    least = 1e-3 * np.abs(effect) @ heterozygosity
    for _ in range(_ROUNDS):
        size = np.abs(effect)
        if (size @ heterozygosity < least).any():
            break  # dominance alone would make more variance than there is to be
        around = spread[:, None] * degree
        mean = (loss - (size * around) @ heterozygosity) / (size @ heterozygosity)
        dominance = size * (mean[:, None] + around)
        covariance = _covariance(copies @ (effect + dominance * (1 - 2 * frequency)).T)
        if np.abs(covariance - mixing @ mixing.T).max() < 1e-9:
            return effect, dominance
        effect = mixing @ np.linalg.solve(np.linalg.cholesky(covariance), effect)
    strongest = max(models, key=lambda model: abs(model.loss) + model.dominance_sd)
    raise ValueError(
        f"inbreeding_depression of {strongest.name} is {strongest.inbreeding_depression:g} % and dominance_sd "
        f"{strongest.dominance_sd:g}; no effects at {copies.shape[1]} loci have these and the correlations asked "
        "for: ask for less of either, or for more qtl"
    )


def _covariance(values: Floats) -> Floats:
    """Covariance matrix of columns, divisor n - 1."""
    return np.cov(values, rowvar=False, ddof=1).reshape(values.shape[1], values.shape[1])
