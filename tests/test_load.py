"""Genetic load: stated strength, survival of real eggs against the exact product, closed form, fewer eggs."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_clutch_effects import founded

from jaxbreed.clutch import lay
from jaxbreed.effects import additive_traits
from jaxbreed.founders import Founders
from jaxbreed.genetic_load import UNIT, Load, carried, draw_load
from jaxbreed.genome import GeneticMap
from jaxbreed.program import Settings, make_program
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate


def base(founders=40, loci=400, chromosomes=4):
    genetic_map = GeneticMap.uniform(chromosomes, loci, 1.0)
    frequency = np.random.default_rng(5).uniform(0.02, 0.98, loci)
    return Founders.from_frequencies(frequency, genetic_map, founders, 5)


def by_inbreeding(table, frequency, inbreeding):
    """Mean load at given allele frequencies and inbreeding, summed over genotypes."""
    p, q = frequency, 1 - frequency
    chance = np.stack([q * q + p * q * inbreeding, 2 * p * q * (1 - inbreeding), p * p + p * q * inbreeding])
    return (chance * np.asarray(table) * UNIT).sum()


@pytest.mark.parametrize("dominance", [0.0, 0.1])
def test_the_load_is_as_many_lethal_equivalents_as_asked(dominance):
    founders = base()
    load = draw_load(founders.haplotypes, loci=60, viability=1.5, fertility=0.7, dominance=dominance, seed=3)
    frequency = founders.frequencies[np.asarray(load.locus)]
    for table, wanted in ((load.viability, 1.5), (load.fertility, 0.7)):
        fall = by_inbreeding(table, frequency, 1.0) - by_inbreeding(table, frequency, 0.0)
        assert fall == pytest.approx(wanted, abs=60 * UNIT)
        here = np.asarray(table).any(0)
        assert here.sum() == 60
        # The rarer allele is the bad one, and heterozygotes carry the stated part.
        bad = np.where(frequency[here] <= 0.5, np.asarray(table)[2, here], np.asarray(table)[0, here])
        good = np.where(frequency[here] <= 0.5, np.asarray(table)[0, here], np.asarray(table)[2, here])
        assert (good == 0).all()
        assert np.asarray(table)[1, here] == pytest.approx(dominance * bad, abs=1)
    assert not (np.asarray(load.viability).any(0) & np.asarray(load.fertility).any(0)).any()


def unlinked(eggs):
    """A programme with one load locus on each chromosome: survival is a product over them."""
    rng = np.random.default_rng(2)
    genetic_map = GeneticMap.uniform(24, 24 * 3, 0.5)
    haplotypes = rng.integers(0, 2, (8, 2, 72)).astype(np.uint8)
    founders = Founders.from_arrays(haplotypes, genetic_map)
    settings = Settings(lineages=4, eggs=(eggs, eggs), survival=0.8)
    traits = additive_traits(haplotypes, ["growth"], [0.4], np.eye(1), qtl=24)
    locus = np.arange(1, 72, 3)
    table = np.zeros((3, 24))
    table[2], table[1] = rng.exponential(0.15, 24), 0.02
    table[:, ::3] = table[::-1, ::3]  # the bad allele is 0 here
    load = Load(*(jnp.asarray(x, jnp.int32) for x in (locus, np.rint(table / UNIT), np.zeros((3, 24)))))
    return make_program(genetic_map, traits, settings, load=load), founders, table, locus


def test_real_eggs_survive_as_the_product_over_loci_says():
    eggs = 200_000
    program, founders, table, locus = unlinked(eggs)
    numbers = founded(program, founders, 1)
    history = simulate(program, founders, constant_schedule(1, [1.0]), seed=7, shared_founders=True)
    haplotypes = np.asarray(numbers.haplotypes[0])[..., locus]
    expected, mean_load = np.zeros(4), np.zeros(4)
    for lineage in range(4):
        dam, sire = haplotypes[lineage].mean(0), haplotypes[4 + lineage].mean(0)
        chance = np.stack([(1 - dam) * (1 - sire), dam * (1 - sire) + sire * (1 - dam), dam * sire])
        expected[lineage] = 0.8 * (chance * np.exp(-table)).sum(0).prod()
        mean_load[lineage] = (chance * table).sum()
    # The sires are in the order taken here.
    families = lay(program, numbers, jax.random.split(jax.random.key(0), 1))
    assert (np.asarray(families.sire)[0, :, 0] == np.arange(4, 8)).all()
    survivors = history["survivors"][0, 0]
    deviation = survivors - eggs * expected.sum()
    assert abs(deviation) < 5 * np.sqrt(eggs * (expected * (1 - expected)).sum()), deviation
    # Load taken at its mean (Jensen), or heterozygotes' load left out, is many standard errors away.
    assert eggs * (0.8 * np.exp(-mean_load)).sum() < eggs * expected.sum() - 10 * math.sqrt(eggs)
    assert history["load"][0, 0] == pytest.approx(mean_load.mean(), abs=1e-4)


def test_tested_animals_are_survivors_and_selection_purges():
    founders = base(loci=400)
    settings = Settings(lineages=6, eggs=(3000, 3000), tested=200, mating="within_lineage")
    traits = additive_traits(founders.haplotypes, ["growth"], [0.4], np.eye(1), qtl=100)
    load = draw_load(founders.haplotypes, loci=80, viability=3.0, taken=np.asarray(traits.qtl))
    program = make_program(founders.map, traits, settings, load=load)
    history = simulate(program, founders, constant_schedule(4, [1.0]), replicates=2, seed=1)
    assert (history["tests"][:, :4] == 1200).all()
    assert (history["survivors"][:, :4] < history["eggs"][:, :4]).all()
    # Full-sib mating: load appears with inbreeding, but selection takes part of it away (3 F would be expected else).
    rise = history["load"] - history["load"][:, :1]
    assert (rise[:, 1:].mean(0) > 0.1).all()
    assert (rise[:, 4] < 3.0 * history["inbreeding"][:, 4]).all()


def test_a_female_with_load_lays_fewer_eggs():
    founders = base()
    settings = Settings(lineages=10, eggs=(10_000, 10_000))
    traits = additive_traits(founders.haplotypes, ["growth"], [0.4], np.eye(1), qtl=100)
    load = draw_load(founders.haplotypes, loci=60, fertility=4.0, dominance=0.1, taken=np.asarray(traits.qtl))
    program = make_program(founders.map, traits, settings, load=load)
    population = founded(program, founders, 2)
    eggs = np.asarray(lay(program, population, jax.random.split(jax.random.key(0), 2)).eggs).sum(-1)
    table, locus = np.asarray(load.fertility) * UNIT, np.asarray(load.locus)
    for r in range(2):
        for dam in range(10):
            copies = np.asarray(population.haplotypes)[r, dam][:, locus].sum(0)
            assert abs(eggs[r, dam] - 10_000 * np.exp(-table[copies, np.arange(60)].sum())) <= 1
    assert eggs.std() > 100
    assert float(carried(load.fertility, jnp.zeros(60, jnp.int32))) == pytest.approx(table[0].sum(), rel=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"viability": -1.0}, "viability is -1; it must be from 0 to 50 haploid lethal equivalents"),
        ({"viability": 1.0, "dominance": 0.5}, "dominance is 0.5; it must be at least 0 and below 0.5"),
        ({"viability": 1.0, "loci": 401}, "loci is 401; it must be at least 1, and 401 must be at most"),
        ({"viability": 1.0, "fertility": 1.0, "loci": 300}, "loci is 300; .* and 600 must be at most"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        draw_load(base().haplotypes, **({"loci": 50} | change))
