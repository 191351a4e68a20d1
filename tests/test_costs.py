"""Costs against counts by hand, and a budget that is held before anything runs."""

import dataclasses

import jax
import numpy as np
import pytest
import xarray
from test_genomics import MODELS, genomic

from jaxbreed.budget import check_budget, expected_cost
from jaxbreed.build import check, prepare, run
from jaxbreed.costs import ITEMS, Cost, Prices
from jaxbreed.history import WITH_PRICES
from jaxbreed.markers import PredictionPlan
from jaxbreed.program import Settings
from jaxbreed.results import load, save
from jaxbreed.rules import prices_of, settings_of
from jaxbreed.scenario import ScenarioError, parse_scenario
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.stages import Stage
from jaxbreed.summary import closing_table

PRICES = Prices(egg=2, genotype=5, reared=7, session=11, breeder=13, currency="NOK")
TABLE = {"egg": 2, "genotype": 5, "reared": 7, "session": 11, "breeder": 13, "currency": "NOK"}
SCENARIO = {
    "species": "octopus-maya",
    "programme": {"generations": 2, "lineages": 3, "replicates": 2},
    "clutch": {"eggs": 60, "sires": 2, "survival": 1.0, "tested": 20},
    "genome": {"loci": 60, "qtl": 30},
    "founders": {"source": "frequencies"},
    "test": {"sessions": 4},
    "selection": {"males": 1, "mating": "random"},
    "costs": TABLE,
}


@pytest.fixture(scope="module")
def plain():
    return run(parse_scenario(SCENARIO))


def test_a_run_without_stages_by_hand(plain):
    # 3 clutches of 60 eggs, of each of which 20 are raised and tested four times. Founders: 3 dams and 6 sires;
    # later each lineage keeps one male, which fills both places.
    assert plain["paid_for"].tolist() == [[[180, 0, 60, 240, 9], [180, 0, 60, 240, 6], [0] * 5]] * 2
    assert plain["cost_of"][0, :2].tolist() == [[360, 0, 420, 2640, 117], [360, 0, 420, 2640, 78]]
    assert plain["cost"][:, :2].tolist() == [[3537, 3498]] * 2
    assert np.isnan(plain["cost"][:, 2]).all()  # the last generation's eggs are only expected
    assert plain["sessions"][:, :2].tolist() == [[240, 240]] * 2


def test_prices_change_neither_the_animals_nor_what_is_compiled(plain):
    ready = prepare(parse_scenario(SCENARIO))
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(lambda name, *_, **__: compiled.append(name))
    options = {"replicates": 2, "seed": 1}
    without = simulate(*ready, **options)
    dearer = simulate(*ready, prices=dataclasses.replace(PRICES, session=12.5), **options)
    assert not [name for name in compiled if "backend_compile" in name]
    assert set(plain.data) - set(without.data) == set(WITH_PRICES)
    for name in without.data:
        assert np.array_equal(without[name], plain[name], equal_nan=True), name
        assert np.array_equal(without[name], dearer[name], equal_nan=True), name
    assert (np.asarray(without.parents.haplotypes) == np.asarray(plain.parents.haplotypes)).all()
    assert (dearer["cost"] - plain["cost"])[:, :2].tolist() == [[360, 360]] * 2


def test_the_file_says_what_was_paid_for(plain, tmp_path):
    save(tmp_path / "run.h5", plain, scenario_text="", seed=1)
    with xarray.open_dataset(tmp_path / "run.h5", engine="h5netcdf") as opened:
        assert opened.attrs["currency"] == "NOK"
        assert opened.cost.dims == ("replicate", "generation")
        assert opened.cost.attrs["units"] == opened.cost_of.attrs["units"] == opened.price.attrs["units"] == "NOK"
        assert opened.cost_of.dims == ("replicate", "generation", "item")
        assert tuple(opened.item.values) == ITEMS
        assert opened.cost_of.sel(item="session").values[1, :2].tolist() == [2640, 2640]
        assert opened.paid_for.sel(item="breeder").values[0].tolist() == [9, 6, 0]
        assert opened.price.values.tolist() == [2, 5, 7, 11, 13]
    table = closing_table(load(tmp_path / "run.h5"))
    for same in (table, closing_table(plain)):
        assert same.columns[-1].header == "cost\nNOK"
        assert list(same.columns[-1].cells) == ["3,537", "3,498", "-"]
        assert "egg 10.2 %, reared 11.9 %, session 75.1 %, breeder 2.77 %." in same.caption
    without = dataclasses.replace(plain, data={k: v for k, v in plain.data.items() if k not in WITH_PRICES})
    assert closing_table(without).columns[-1].header == "eggs"
    assert "cost" not in closing_table(without).caption


SCREEN_FIRST = (Stage("screen"), Stage("rear", capacity=60), Stage("test", capacity=40, sessions=2))
STAGED = Settings(
    lineages=3, eggs=(200, 200), stages=SCREEN_FIRST, scope="across", prediction=PredictionPlan(group="clutch")
)


def followed(settings):
    program, founders = genomic(MODELS, settings, founders=6, loci=120, qtl=40, markers=60)
    return program, simulate(program, founders, constant_schedule(2, (1.0, 0.5)), prices=PRICES)


def test_a_run_with_a_genomic_screen_by_hand():
    # Generation 0 has no model: nothing is screened, the 120 tested are genotyped to train one. From then on all 600
    # eggs are, the tested among them not again.
    program, history = followed(STAGED)
    assert history["paid_for"][0, :2].tolist() == [[600, 120, 180, 240, 6], [600, 600, 180, 240, 6]]
    assert history["cost"][0, :2].tolist() == [
        1200 + 600 + 1260 + 2640 + 78,
        1200 + 3000 + 1260 + 2640 + 78,
    ]
    assert expected_cost(program, PRICES) == (1200, 3000, 1260, 2640, 78)
    assert expected_cost(program, PRICES).total == history["cost"][0, 1]


def test_eggs_chosen_after_the_test_are_genotyped_if_they_live_and_losses_are_not_tested():
    stages = (Stage("rear", capacity=60, survival=0.5), Stage("test", capacity=40, survival=0.8))
    plan = PredictionPlan(choose="eggs", group="clutch")
    program, history = followed(dataclasses.replace(STAGED, stages=stages, prediction=plan, survival=0.7))
    eggs, genotypes, reared, sessions, _ = history["paid_for"][0, :2].T
    assert (eggs == 600).all()
    assert (genotypes == history["survivors"][0, :2]).all()
    assert (abs(genotypes - 420) < 5 * np.sqrt(600 * 0.21)).all()
    assert (reared == 180).all()  # those that enter
    assert (sessions == history["tests"][0, :2]).all()
    assert (sessions < history["entered"][0, :2, 1]).all()  # who dies in the test is not tested
    assert expected_cost(program, PRICES) == pytest.approx((1200, 2100, 1260, 11 * 3 * 30 * 0.8, 78))


REAR = Stage("rear", capacity=50, survival=0.8)
TEST = Stage("test", capacity=20, sessions=3)


@pytest.mark.parametrize(
    ("change", "units"),
    [
        # The largest clutch counts; half of it lives, and all of these are raised and tested.
        ({"eggs": (100, 200), "survival": 0.5}, (800, 0, 400, 400, 8)),
        ({"eggs": (100, 200), "survival": 0.5, "tested": 30, "sessions": 2}, (800, 0, 120, 240, 8)),
        ({"tested": 300}, (400, 0, 400, 400, 8)),
        ({"sires": (1, 3)}, (400, 0, 400, 400, 16)),
        ({"stages": (REAR, TEST)}, (400, 0, 200, 240, 8)),
        ({"stages": (TEST,)}, (400, 0, 80, 240, 8)),
        ({"stages": (REAR, Stage("test"))}, (400, 0, 200, 160, 8)),
        ({"stages": (TEST, Stage("rear", capacity=9), Stage("test", sessions=2))}, (400, 0, 36, 312, 8)),
        # A screen reads whom it scores; with prediction the tested are read too, but nobody twice.
        ({"stages": (Stage("screen", accuracy=0.5),), "survival": 0.9}, (400, 360, 0, 0, 8)),
        ({"stages": (REAR, Stage("screen", accuracy=0.5), TEST)}, (400, 160, 200, 240, 8)),
        ({"stages": (REAR, TEST), "prediction": PredictionPlan()}, (400, 80, 200, 240, 8)),
        ({"stages": (REAR, TEST, Stage("screen", capacity=5)), "prediction": PredictionPlan()}, (400, 80, 200, 240, 8)),
        ({"stages": (REAR, TEST), "prediction": PredictionPlan(choose="eggs")}, (400, 400, 200, 240, 8)),
    ],
)
def test_expected_numbers_by_hand(change, units):
    settings = Settings(**({"lineages": 4, "eggs": (100, 100)} | change))
    ones = Prices(*(1,) * 5)
    assert expected_cost(settings, ones) == pytest.approx(units)
    cost = expected_cost(settings, PRICES)
    assert cost == pytest.approx(np.array(units) * PRICES.each)
    assert cost.total == pytest.approx(sum(cost))


def test_males_and_tests_of_a_schedule_count():
    settings, ones = Settings(lineages=4, eggs=(100, 100), sires=(2, 2), scope="across"), Prices(*(1,) * 5)
    assert expected_cost(settings, ones, males=3).breeder == 4 + 3
    assert expected_cost(settings, ones, males=30).breeder == 4 + 8
    within = dataclasses.replace(settings, scope="within")
    assert expected_cost(within, ones, males=1).breeder == 4 + 4
    assert expected_cost(settings, ones, tests=25)[2:4] == (100, 100)
    stored = dataclasses.replace(settings, storage=0.5)
    assert [expected_cost(stored, ones, males=m).breeder for m in (3, 5, None)] == [4 + 6, 4 + 8, 4 + 8]


def test_a_budget_is_held_against_the_founders_and_stored_males_too():
    # One male is kept, but founders fill all places, the first males stored are founders, later males are of two ages.
    settings = Settings(
        lineages=6, eggs=(60, 60), tested=20, sires=(2, 2), scope="across", mating="random", storage=0.5
    )
    program, founders = genomic(MODELS, settings, founders=18, loci=120, qtl=40, markers=60)
    ones = Prices(*(1,) * 5)
    history = simulate(program, founders, constant_schedule(6, (1.0, 0.5), males=1), prices=ones)
    breeders, dearest = history["paid_for"][0, :-1, 4].tolist(), np.nanmax(history["cost"])
    assert breeders[0] == 18
    assert max(breeders[2:]) == expected_cost(settings, ones, males=1).breeder == 8 < breeders[1]
    check_budget(settings, dataclasses.replace(ones, budget=dearest), males=1)
    with pytest.raises(ValueError, match=r"costs\.budget is "):
        check_budget(settings, dataclasses.replace(ones, budget=dearest - 1), males=1)


def test_generation_0_has_no_model_to_read_eggs_for():
    # Founders are dear, genotypes cheap: generation 0 with all its founders and 120 genotypes, against later ones.
    prices = dataclasses.replace(PRICES, genotype=0.1, breeder=100)
    settings = dataclasses.replace(STAGED, sires=(2, 2))
    zero, later = 1200 + 12 + 1260 + 2640 + 900, 1200 + 60 + 1260 + 2640 + 400
    assert expected_cost(settings, prices, males=1).total == pytest.approx(later)
    check_budget(settings, dataclasses.replace(prices, budget=zero), males=1)
    with pytest.raises(ValueError, match=f"would cost {zero:,} NOK"):
        check_budget(settings, dataclasses.replace(prices, budget=zero - 1), males=1)


def test_a_schedule_of_tests_is_named_where_it_decides():
    settings = Settings(lineages=4, eggs=(100, 100), tested=90)
    prices = Prices(session=1, budget=200)
    with pytest.raises(ValueError, match=r"schedule\.tests is 60, at most 50 would fit"):
        check_budget(settings, prices, tests=60)
    with pytest.raises(ValueError, match=r"clutch\.tested is 90, at most 50 would fit"):
        check_budget(settings, prices)


BUDGETED = Settings(
    lineages=5,
    eggs=(300, 400),
    survival=0.8,
    stages=(REAR, Stage("screen", capacity=30, accuracy=0.5), TEST),
)


@pytest.mark.parametrize(
    ("settings", "item", "field", "turned"),
    [
        (BUDGETED, "egg", "clutch.eggs is 400", lambda v: {"eggs": (v, v)}),
        (BUDGETED, "breeder", "programme.lineages is 5", lambda v: {"lineages": v}),
        (BUDGETED, "reared", "stages.1.capacity is 50", lambda v: {"stages": at(BUDGETED.stages, 0, v)}),
        (BUDGETED, "genotype", "stages.2.capacity is 30", lambda v: {"stages": at(BUDGETED.stages, 1, v)}),
        (BUDGETED, "session", "stages.3.capacity is 20", lambda v: {"stages": at(BUDGETED.stages, 2, v)}),
        (Settings(lineages=5, eggs=(400, 400)), "session", "clutch.tested is no limit", lambda v: {"tested": v}),
        (Settings(lineages=5, eggs=(400, 400), tested=90), "reared", "clutch.tested is 90", lambda v: {"tested": v}),
        (STAGED, "genotype", "clutch.eggs is 200", lambda v: {"eggs": (v, v)}),
    ],
)
def test_a_budget_is_kept_and_the_advice_is_right(settings, item, field, turned):
    prices = dataclasses.replace(PRICES, **{item: 10_000.0})
    full = expected_cost(settings, prices)
    exact = dataclasses.replace(prices, budget=full.total)
    check_budget(settings, exact)
    with pytest.raises(ValueError, match=r"costs\.budget is "):
        check_budget(settings, dataclasses.replace(exact, budget=full.total * (1 - 1e-6)))
    budget = 0.62 * full.total
    with pytest.raises(ValueError, match=r"would fit$") as error:
        check_budget(settings, dataclasses.replace(exact, budget=budget))
    said = str(error.value)
    assert (
        f"costs.budget is {budget:,.12g}, but a generation of one replicate would cost {full.total:,.12g} NOK" in said
    )
    assert f"of which {getattr(full, item):,.12g} for {getattr(full, item) / 1e4:,.12g} " in said
    assert f"; {field}, at most " in said
    most = int(said.split("at most ")[1].split()[0])

    def total(value):
        return expected_cost(dataclasses.replace(settings, **turned(value)), prices).total

    assert total(most) <= budget < total(most + 1)


def at(stages, number, capacity):
    """Stages with another capacity of one, and no more room after it."""
    changed = [dataclasses.replace(s, capacity=capacity) if n == number else s for n, s in enumerate(stages)]
    later = [dataclasses.replace(s, capacity=min(s.capacity, capacity)) for s in changed[number + 1 :]]
    return (*changed[: number + 1], *later)


def test_a_budget_below_everything_else():
    prices = Prices(egg=1, session=3, budget=900)
    with pytest.raises(ValueError, match=r"clutch\.tested is no limit, no number of them would fit"):
        check_budget(Settings(lineages=2, eggs=(500, 500)), prices)
    check_budget(Settings(lineages=2, eggs=(500, 500)), None)
    check_budget(Settings(lineages=2, eggs=(500, 500)), Prices(egg=1))


def test_scenarios_and_programmes_refuse_what_is_too_dear():
    dear = SCENARIO | {"costs": TABLE | {"budget": 3537}}
    check(parse_scenario(dear))  # generation 0, of 9 founders, whatever males are kept: 3537 exactly
    with pytest.raises(ValueError, match=r"3,537 NOK .* of which 2,640 for 240 test sessions; clutch.tested is 20, at"):
        check(parse_scenario(SCENARIO | {"costs": TABLE | {"budget": 3536.99}}))
    ready = prepare(parse_scenario(SCENARIO))
    with pytest.raises(ValueError, match=r"costs\.budget is 3,000, but"):
        simulate(*ready, prices=dataclasses.replace(PRICES, budget=3000))
    assert settings_of(parse_scenario(dear)) == settings_of(parse_scenario(SCENARIO))
    assert prices_of(parse_scenario(dear)) == dataclasses.replace(PRICES, budget=3537)
    assert prices_of(parse_scenario({"species": "octopus-maya"})) is None


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ({"egg": -1}, "costs.egg is -1; it should be greater than or equal to 0"),
        ({"sesion": 1}, "costs.sesion is not a known key; did you mean session?"),
        ({"budget": "much"}, "costs.budget is 'much'; it should be a valid number"),
        ({"currency": 5}, "costs.currency is 5; it must be text, in quotes"),
    ],
)
def test_bad_costs_in_a_file_are_named(costs, message):
    with pytest.raises(ScenarioError) as error:
        parse_scenario({"species": "octopus-maya", "costs": costs})
    assert message in str(error.value)


@pytest.mark.parametrize("change", [{"egg": -0.5}, {"breeder": float("nan")}, {"budget": float("inf")}])
def test_bad_prices_are_named(change):
    (field,) = change
    with pytest.raises(ValueError, match=f"costs.{field} is .*; it must be at least 0"):
        Prices(**change)


def test_sessions_are_said_once():
    with pytest.raises(ValueError, match="sessions is 2; it must be 1 where stages say it"):
        Settings(lineages=2, eggs=(100, 100), stages=(TEST,), sessions=2)
    with pytest.raises(ValueError, match="sessions is 0; it must be at least 1"):
        Settings(lineages=2, eggs=(100, 100), sessions=0)


def test_a_total_is_that_of_its_items():
    assert Cost(0.1, 0.2, 0.3, 0.4, 0.5).total == 1.5
    assert PRICES.of(Cost(1, 2, 3, 4, 5)) == (2, 10, 21, 44, 65)
