"""What a clutch shares: correlations of sibs, and that it is no part of what is inherited."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_dominance import world

from jaxbreed.clutch import lay
from jaxbreed.effects import TraitModel
from jaxbreed.generation import Decision, generation
from jaxbreed.genetic_load import draw_load
from jaxbreed.kernels import selection_index
from jaxbreed.population import choose_founders
from jaxbreed.program import Settings, make_program
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import _start, simulate
from jaxbreed.testing import make_assay, sweep_families, with_clutch_effects

SETTINGS = Settings(lineages=300, eggs=(80, 80), sires=(2, 2))


def founded(program, founders, replicates):
    numbers = choose_founders(founders.individuals, program.settings, replicates, shared=True, seed=7)
    return _start(program, founders.haplotypes[numbers], numbers, jnp.array([7, 0], jnp.uint32))


def family_phenotypes(program, founders, replicates):
    """Mean phenotype of each family, score units to trait units: (replicate, lineage, sire, trait)."""
    population = founded(program, founders, replicates)
    families = lay(program, population, jax.random.split(jax.random.key(1), replicates))
    assay = make_assay(program, jnp.array([1.0, 0.5]), 1)
    tested = with_clutch_effects(sweep_families(program, assay, population, families), families, assay)
    traits = len(program.traits.names)
    first = tested.moments.first * 2.0 ** np.asarray(assay.unit)
    mean = tested.centre + first / np.asarray(tested.moments.count)[..., None]
    return np.asarray(mean, np.float64)[..., traits:] * 2.0**-program.traits.scale_bits


def test_correlations_of_sibs_hold_half_or_a_quarter_of_h2_and_c2():
    # V24: full sibs h2 / 2 + c2; half sibs by the dam, who share the clutch, h2 / 4 + c2; 3 x 300 clutches.
    models = [TraitModel("growth", 0.4, clutch=0.2), TraitModel("boldness", 0.3, clutch=0.1)]
    program, founders = world(models, SETTINGS, founders=900, clutch_correlation=np.array([[1, 0.5], [0.5, 1]]))
    mean = family_phenotypes(program, founders, 3)
    mean = mean - mean.mean((1, 2), keepdims=True)
    n, total = 900, np.array([1 / 0.4, 1 / 0.3])
    # 40 full sibs a family: what is left of them in its mean.
    full = (mean**2).mean((0, 1, 2)) / total - (1 - np.array([0.4 / 2 + 0.2, 0.3 / 2 + 0.1])) / 40
    half = (mean[:, :, 0] * mean[:, :, 1]).mean((0, 1)) / total
    error = np.sqrt(2 / n) * np.array([0.4, 0.3])
    assert (np.abs(full - [0.4, 0.25]) < 4.5 * error).all(), full
    assert (np.abs(half - [0.3, 0.175]) < 4.5 * error).all(), half
    # Without the clutch, or with one effect for each sire's family, half sibs would be far less alike.
    assert (half - np.array([0.1, 0.075]) > 5 * error).all()
    across = (mean[:, :, 0, 0] * mean[:, :, 1, 1]).mean() / np.sqrt(total.prod())
    assert abs(across - 0.5 * np.sqrt(0.2 * 0.1)) < 4.5 * np.sqrt(0.3 * 0.18 / n)


def test_it_changes_records_but_no_genes():
    model = TraitModel("growth", 0.3, clutch=0.3)
    settings = Settings(lineages=4, eggs=(300, 300), scope="within")
    program, founders = world([model], settings, founders=8)
    without = dataclasses.replace(program, clutch=None)
    schedule = constant_schedule(3, [1.0])
    with_, plain = (simulate(p, founders, schedule, seed=1) for p in (program, without))
    # Inside a clutch all share it: the same animals breed, and what is measured of genes is the same.
    assert (np.asarray(with_.parents.haplotypes) == np.asarray(plain.parents.haplotypes)).all()
    for name in ("gain", "tested_mean", "tested_variance", "genetic_variance", "selected_mean", "response"):
        assert with_[name] == pytest.approx(plain[name], nan_ok=True), name
    more = with_["phenotypic_variance"][:, :3] - plain["phenotypic_variance"][:, :3]
    assert more.mean() > 0.3  # 4 clutches: about 3/4 of the 1.0 that c2 0.3 is
    shift = np.asarray(with_.parents.phenotype) - np.asarray(plain.parents.phenotype)
    assert (shift != 0).all()
    # Across lineages clutches compete, and luck of the clutch is selected: another outcome.
    across = dataclasses.replace(settings, scope="across")
    with_, plain = (
        simulate(dataclasses.replace(p, settings=across), founders, schedule, seed=1) for p in (program, without)
    )
    assert (np.asarray(with_.parents.haplotypes) != np.asarray(plain.parents.haplotypes)).any()
    assert with_["accuracy"][:, 0] < plain["accuracy"][:, 0]


def test_the_swept_egg_is_the_hatched_animal_with_everything_on():
    # Dominance, clutch effects and load: the rank that chose an animal is that of its genome and environment.
    models = [TraitModel("a", 0.4, clutch=0.2, inbreeding_depression=2.0, dominance_sd=0.2), TraitModel("b", 0.3)]
    settings = Settings(lineages=5, eggs=(400, 400), sires=(2, 2))
    program, founders = world(models, settings, founders=15)
    load = draw_load(founders.haplotypes, loci=20, viability=1.0, fertility=0.5, taken=np.asarray(program.traits.qtl))
    program = make_program(founders.map, program.traits, settings, load=load)
    population = founded(program, founders, 2)
    families = lay(program, population, jax.random.split(jax.random.key(1), 2))
    decision = Decision(jnp.array([1.0, 0.5]), jnp.float32(0), jnp.int32(9))
    young, round_ = generation(program, decision, population, families, jax.random.split(jax.random.key(2), 2), kept=3)
    index = jax.vmap(lambda p: selection_index(p.T, make_assay(program, decision.weights, 3).weight))(young.phenotype)
    best = np.asarray(round_.tested.rank)[..., 0, 0].max(-1) - 2**30
    # The index is cut to whole units for each trait, of the clutch's part and of the rest: 2 traits, 2 parts.
    assert np.abs(np.asarray(index)[:, :5] - best).max() <= 4
    assert np.asarray(round_.tested.survivors).sum() < 0.9 * np.asarray(families.eggs).sum()
