"""Merit with clutch effects and dominance: the selection index from its covariances, unbiased, and worth its gain."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_clutch_effects import founded
from test_dominance import world

from jaxbreed import measuring
from jaxbreed.clutch import lay
from jaxbreed.effects import TraitModel
from jaxbreed.kernels import hatch
from jaxbreed.merit import Components, combined_merit, family_worth
from jaxbreed.program import Settings
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.testing import make_assay, sweep_families, with_clutch_effects
from jaxbreed.variance import expected_eggs_jit


def test_weights_are_those_of_the_selection_index():
    # b = P^-1 C written out for every animal of a clutch of 4 + 2 + 0 + 3 sibs: families and deviations from them.
    parts = Components(dam=0.11, sire=0.07, segregating=0.27, clutch=0.4, deviation=0.05, within=0.9)
    count = np.array([[4, 2, 0, 3]])
    family = np.repeat(np.arange(4), count[0])
    same = family[:, None] == family
    bred = parts.dam + parts.sire * same  # covariances of breeding values with each other, oneself apart
    genetic = bred + parts.segregating * np.eye(9)
    records = bred + parts.clutch + parts.deviation * same + parts.within * np.eye(9)
    record = np.random.default_rng(1).normal(size=9)
    exact = genetic @ np.linalg.solve(records, record)
    mean = np.bincount(family, record, 4) / np.maximum(count[0], 1)
    ours = family_worth(count.astype(float), mean[None], parts)[0]
    b_w = parts.segregating / parts.within
    assert ours[family] + b_w * (record - mean[family]) == pytest.approx(exact, abs=1e-12)
    # The family without records is as good as its clutch says.
    untested = parts.dam * np.linalg.solve(records, record).sum()
    assert ours[2] == pytest.approx(untested, abs=1e-9)
    # The clutch effect taken for breeding value, or sires' families for clutches of their own, gives another index.
    for wrong in (parts._replace(dam=0.51, clutch=0.0), parts._replace(dam=0.0, sire=0.18)):
        assert np.abs(family_worth(count.astype(float), mean[None], wrong)[0] - ours).max() > 0.05


CLUTCHES = TraitModel("growth", 0.2, clutch=0.4)


@pytest.mark.parametrize(
    "model", [CLUTCHES, TraitModel("growth", 0.2, clutch=0.2, inbreeding_depression=3.0, dominance_sd=0.4)]
)
def test_merit_is_unbiased(model):
    # Every animal hatched: breeding values, from average effects, on merit. Face value is off, with clutches far off.
    settings = Settings(lineages=200, eggs=(40, 40), sires=(2, 2), scope="across", sexes="alternate")
    program, founders = world([model], settings, founders=600)
    population = founded(program, founders, 1)
    families = lay(program, population, jax.random.split(jax.random.key(1), 1))
    assay = make_assay(program, jnp.array([1.0]), 20)
    tested = with_clutch_effects(sweep_families(program, assay, population, families), families, assay)
    dominance = None
    if program.traits.dominance is not None:
        dominance = np.asarray(expected_eggs_jit(program, population.haplotypes, families.eggs).dominance, float)
    unit = 2.0**-program.traits.scale_bits * 2.0**14
    rows = [np.repeat(np.arange(200), 40), np.tile(np.repeat(np.arange(2), 20), 200), np.tile(np.arange(20), 400)]
    key = families.key[0, rows[0], rows[1]]
    parents = (
        population.haplotypes[0, np.asarray(place)[0, rows[0], rows[1]]] for place in (families.dam, families.sire)
    )
    egg = jnp.asarray(rows[2], jnp.uint32)
    copies = np.asarray(hatch(program.locus_map, key, egg, *parents))[..., np.asarray(program.traits.qtl)].sum(1)
    effect, p = np.asarray(program.traits.effect[0], float), copies.mean(0) / 2
    if dominance is not None:
        effect = effect + np.asarray(program.traits.dominance[0], float) * (1 - 2 * p)
    bred = np.zeros((200, 2, 20))
    bred[tuple(rows)] = copies @ effect * unit
    lineage, s, sex, place = np.nonzero(np.asarray(tested.rank[0]) > 0)
    true = bred[lineage, s, np.asarray(tested.egg)[0, lineage, s, sex, place]]

    def slope(traits, dominance):
        merit = combined_merit(traits, assay, tested, dominance)[0, lineage, s, sex, place]
        clutch = np.array([np.polyfit(merit[lineage % 20 != k], true[lineage % 20 != k], 1)[0] for k in range(20)])
        return np.polyfit(merit, true, 1)[0], np.sqrt(19 / 20 * ((clutch - clutch.mean()) ** 2).sum())

    assert true.size == 8000
    right, error = slope(program.traits, dominance)
    wrong, _ = slope(dataclasses.replace(program.traits, clutch=None), None)
    assert abs(right - 1) < 4.5 * error
    assert right - wrong > 5 * error


def test_contributions_gain_more_if_clutches_are_not_taken_for_genes(monkeypatch):
    # With a laxer limit and larger c2 than usual: at c2 0.4 and a rate of 0.04 the limit leaves families no say.
    settings = Settings(lineages=16, eggs=(80, 80), scope="across", mating="random")
    program, founders = world([TraitModel("growth", 0.3, clutch=0.6)], settings, founders=32)
    plan = constant_schedule(3, (1.0,), inbreeding_rate=0.08)
    run = functools.partial(simulate, program, founders, plan, replicates=32, seed=5, shared_founders=True)
    right = run()["gain"][:, 3, 0]

    def face_value(traits, assay, tested, dominance):
        return combined_merit(dataclasses.replace(traits, clutch=None), assay, tested, dominance)

    monkeypatch.setattr(measuring, "combined_merit", face_value)
    more = right - run()["gain"][:, 3, 0]
    # 0.2 of 2.3 founder phenotypic SD; if merit did not look at clutch effects, exactly 0.
    assert more.mean() > 0.1
    assert more.mean() > 2.5 * more.std(ddof=1) / np.sqrt(32)
