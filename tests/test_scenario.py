"""Scenario files: defaults from the species, and one clear sentence for every mistake."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest

from jaxbreed.build import check, expected_total_eggs, prepare, run
from jaxbreed.rules import settings_of
from jaxbreed.scenario import ScenarioError, parse_scenario, read_scenario

SCENARIOS = Path(__file__).parents[1] / "experiments" / "scenarios"
GOOD = {
    "species": "octopus-vulgaris",
    "programme": {"generations": 2, "lineages": 3, "replicates": 2},
    "clutch": {"eggs": [60, 90], "survival": 1.0},
    "genome": {"loci": 300, "qtl": 100},
    "founders": {"source": "frequencies"},
    "traits": {"intelligence": {"h2": 0.4, "weight": 1.0}, "sociability": {"h2": 0.2}},
}


def changed(path, value):
    table = copy.deepcopy(GOOD)
    place = table
    *parents, last = path.split(".")
    for key in parents:
        place = place.setdefault(key, {})
    place[last] = value
    return table


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("clutch.egs", 5, "clutch.egs is not a known key; did you mean eggs?"),
        ("xyz", "red", "xyz is not a known key; known are species, title"),
        ("traits.intelligence.h2", 1.4, "traits.intelligence.h2 is 1.4; it should be less than or equal to 1"),
        ("traits.intelligence.h2", 0, "traits.intelligence.h2 is 0; it should be greater than or equal to 0.000001"),
        ("traits.intelligence.hh", 0.2, "traits.intelligence.hh is not a known key; did you mean h2?"),
        ("programme.lineages", 0, "programme.lineages is 0; it should be greater than or equal to 1"),
        ("programme.lineages", "many", "programme.lineages is 'many'; it should be a valid integer"),
        ("clutch.survival", 1.5, "clutch.survival is 1.5; it should be less than or equal to 1"),
        ("clutch.eggs", -3, "clutch.eggs is -3; it must be a whole number above 0, or two of them"),
        ("clutch.eggs", "many", "clutch.eggs is 'many'; it must be a whole number above 0, or two of them"),
        ("clutch.eggs", [10, 20, 30], "clutch.eggs is [10, 20, 30]; it must be a whole number above 0, or two of them"),
        ("genome.morgans", -1, "genome.morgans is -1; it must be a number from 0 to 1000, or two of them"),
        ("genome.interference", 0.5, "genome.interference is 0.5; it should be greater than or equal to 1"),
        ("genome.loci", 10**12, "genome.loci is 1000000000000; it should be less than or equal to 8000000"),
        ("genome.interference", True, "genome.interference is True; it should be a valid number"),
        ("genome.mutation", "1e-8", "genome.mutation is '1e-8'; it should be a valid number"),
        ("programme.lineages", "300", "programme.lineages is '300'; it should be a valid integer"),
        ("programme.lineages", 3.0, "programme.lineages is 3.0; it should be a valid integer"),
        ("traits.intelligence.weight", True, "traits.intelligence.weight is True; it should be a valid number"),
        ("genome.morgans", [-1, 5], "genome.morgans is [-1, 5]; it must be a number from 0 to 1000, or two of them"),
        ("genome.mutation", -1e-8, "genome.mutation is -1e-08; it should be greater than or equal to 0"),
        ("correlations.genetic", "high", "correlations.genetic is 'high'; it must be a number, or a matrix"),
        ("selection.scope", "sideways", "selection.scope is 'sideways'; it should be 'within' or 'across'"),
        ("species", "Homo sapiens", "species: unknown species 'Homo sapiens'"),
    ],
)
def test_mistakes_in_the_file(path, value, message):
    with pytest.raises(ScenarioError) as error:
        parse_scenario(changed(path, value))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("clutch.eggs", [-5, 10], r"eggs is \(-5, 10\); it must be two numbers from 1"),
        ("clutch.eggs", [90, 60], r"eggs is \(90, 60\); it must be"),
        ("clutch.sires", [1, 64], "1 females and 64 males are to be selected within lineages"),
        ("correlations.genetic", 1.0, "correlations.genetic is .*; it must be positive definite"),
        ("correlations.genetic", [[1.0]], "correlations.genetic has rows of 1 numbers; it must have 2 rows of 2"),
        ("correlations.genetic", [[1.0, 0.2], [0.1, 1.0]], "correlations.genetic is .* it must be symmetric"),
        ("correlations.residual", -1.2, "correlations.residual is .*; it must be positive definite"),
        ("genome.qtl", 301, "genome.qtl is 301; it must be above the 2 traits and at most genome.loci, 300"),
        (
            "genome.mutation",
            1e-14,
            r"genome.mutation is 1e-14; with 300 loci it must be 0 or from 3\.34e-10 to 0\.106",
        ),
        ("traits.intelligence.weight", 0.0, r"at least one trait needs traits\.NAME\.weight other than 0"),
        (
            "selection.quota",
            1,
            "quota is 1; as few as 2 families must give 1 females and 4 males, so it must be at least 2",
        ),
        ("selection.mating", "within_lineage", None),
    ],
)
def test_mistakes_found_before_anything_runs(path, value, message):
    scenario = parse_scenario(changed(path, value))
    if message is None:
        check(scenario)
        return
    with pytest.raises(ValueError, match=message):
        check(scenario)


def test_contradicting_correlations_of_three_traits():
    table = changed("correlations.genetic", [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    table["traits"]["growth"] = {"h2": 0.3}
    with pytest.raises(ValueError, match="the correlations contradict each other"):
        check(parse_scenario(table))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ScenarioError, match=r"nowhere\.toml cannot be read: No such file"):
        read_scenario(tmp_path / "nowhere.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("species = octopus\n")
    with pytest.raises(ScenarioError, match=r"broken\.toml is not a TOML file: .*line 1"):
        read_scenario(broken)
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match="it is not UTF-8 text"):
        read_scenario(broken)


@pytest.mark.parametrize("species", ["octopus-maya", "Pacific oyster", "Sparus aurata", "octopus-vulgaris"])
def test_a_species_is_enough(species):
    scenario = parse_scenario({"species": species})
    settings, preset = settings_of(scenario), scenario.preset
    check(scenario)
    assert settings.eggs == preset.eggs.value
    assert settings.sires == preset.sires.value
    assert settings.survival == preset.survival_captive.value
    assert list(scenario.trait_tables) == ["intelligence", "sociability"]
    assert scenario.generations == int(15 / preset.generation_years.value)


def test_an_animal_that_cannot_be_raised_is_not_bred():
    # Its preset leaves 4 of 41,600 eggs alive: no programme can run unless a scenario says otherwise.
    with pytest.raises(ValueError, match=r"the smallest clutch leaves about 2\.08 tested animals of each sex"):
        check(parse_scenario({"species": "giant Pacific octopus"}))


def test_years_that_are_whole_generations_count_fully():
    assert parse_scenario({"species": "euprymna-berryi", "programme": {"years": 1.2}}).generations == 3


def test_override_and_total():
    scenario, text = read_scenario(SCENARIOS / "giant-pacific-octopus.toml", seed=9, replicates=2)
    assert (scenario.programme.seed, scenario.programme.replicates) == (9, 2)
    assert "seed = 2026" in text
    assert expected_total_eggs(scenario) == 2 * 24 * 4 * 260_000


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_scenarios_are_sound(path):
    check(read_scenario(path).scenario)


def test_the_giant_pacific_octopus_scenario_asks_the_question():
    scenario = read_scenario(SCENARIOS / "giant-pacific-octopus.toml").scenario
    settings = settings_of(scenario)
    assert settings.eggs == (120_000, 400_000)
    assert (scenario.generations, settings.lineages, scenario.programme.replicates) == (4, 24, 5)
    assert scenario.selection.fraction == 0.001
    assert scenario.trait_tables["intelligence"].h2 == 0.4


def test_prepare_builds_what_the_scenario_says():
    scenario = parse_scenario(changed("correlations.genetic", 0.5))
    program, founders, schedule = prepare(scenario)
    assert founders.haplotypes.shape == (2 * program.settings.animals, 2, 300)
    assert program.locus_map.chromosomes == 30
    assert program.traits.qtl.shape == (100,)
    values = founders.haplotypes[..., np.asarray(program.traits.qtl)].sum(1) @ np.asarray(program.traits.effect).T
    assert np.corrcoef(values.T)[0, 1] == pytest.approx(0.5, abs=1e-4)
    assert schedule.generations == 2


def test_run_reports_progress():
    laid, generations = [], []
    history = run(parse_scenario(GOOD), on_eggs=laid.append, on_generation=lambda h: generations.append(h.done))
    assert sum(laid) == history.total_eggs == history["eggs"][:, :2].sum()
    assert generations == [1, 2, 3]


STAGED = [{"kind": "rear", "capacity": 50}, {"kind": "test", "survival": 1.0}]
LIMITED = {"scope": "across", "inbreeding_rate": 0.05}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("programme.lineages", 100_001),
        ("programme.replicates", 2**70),
        ("clutch.tested", 2**70),
        ("genome.qtl", 2**70),
        ("genome.effect_shape", 1e-3),
        ("founders.effective_size", 1e300),
        ("traits.intelligence.h2", 1e-7),
        ("traits.intelligence.weight", -1e7),
        ("traits.intelligence.inbreeding_depression", 1e4),
        ("traits.intelligence.cv", 1e-9),
        ("traits.intelligence.ceiling", 1001.0),
        ("traits.intelligence.changed_by", {"sociability": 11.0}),
        ("load.loci", 2**70),
        ("test.sessions", 2**70),
        ("test.group", 2**70),
        ("prediction.retrain", 2**70),
        ("prediction.memory", 2**70),
        ("selection.males", 2**31),
        ("selection.quota", 2**70),
        ("selection.male_places", 2**70),
        ("costs.egg", 1e300),
        ("optimize.held_out", 2**70),
    ],
)
def test_numbers_have_bounds(path, value):
    place = path + (".sociability" if path.endswith("changed_by") else "")
    with pytest.raises(ScenarioError, match=rf"^{place} is .*; it should be (less|greater) than or equal to"):
        parse_scenario(changed(path, value))


@pytest.mark.parametrize("years", [1e12, 1e308, 1601.7])
def test_years_that_make_too_many_generations(years):
    with pytest.raises(
        ScenarioError, match=r"programme.years is .* generations; it must make at most 1000, 1600 years"
    ):
        parse_scenario({"species": "octopus-vulgaris", "programme": {"years": years}})
    assert parse_scenario({"species": "octopus-vulgaris", "programme": {"years": 1601.5}}).generations == 1000


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("programme", 5, "programme is 5; it must be a table"),
        ("traits", {}, "traits is {}; it must hold at least one name"),
        ("traits.int", 5, "traits.int is 5; it must be a table"),
        ("founders.samples", [], "founders.samples is []; it must hold at least one name"),
        ("founders.samples", "wild", "founders.samples is 'wild'; it must be a list of names"),
        ("founders.samples", ["wild", 5], "founders.samples.2 is 5; it must be text, in quotes"),
        ("founders.shared", 1, "founders.shared is 1; it must be true or false"),
        ("optimize.control", "yes", "optimize.control is 'yes'; it must be true or false"),
        ("title", 5, "title is 5; it must be text, in quotes"),
        ("costs.currency", "", "costs.currency is ''; it must not be empty"),
        ("stages", {"kind": "test"}, "stages is {'kind': 'test'}; it must be a table for each stage: write [[stages]]"),
        ("stages", [STAGED[0], 5], "stages.2 is 5; it must be a table for each stage: write [[stages]]"),
        ("stages", [STAGED[0], {"kind": "tset"}], "stages.2.kind is 'tset'; it should be 'rear', 'screen' or 'test'"),
        ("stages", [{"kind": "rear", "capcity": 5}], "stages.1.capcity is not a known key; did you mean capacity?"),
        ("stages", [{"capacity": 5}], "stages.1.kind is missing and has no default"),
    ],
)
def test_faults_in_plain_words(path, value, message):
    with pytest.raises(ScenarioError) as error:
        parse_scenario(changed(path, value))
    assert str(error.value) == message


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("policy", ["mass", "tandem", "desired_gains", "smith_hazel", "within_family"])
@pytest.mark.parametrize("weight", [0.0, 1e-300])
def test_weights_of_nothing_whatever_the_policy(policy, weight):
    table = changed("traits.intelligence.weight", weight)
    table["selection"] = {"policy": policy}
    with pytest.raises(ValueError, match=r"one trait needs traits\.NAME\.weight other than 0") as error:
        check(parse_scenario(table))
    assert "[" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"correlations": {"genetic": [[1.0, 0.2], [0.2]]}},
            "correlations.genetic has rows of 2, 1 numbers; it must have 2 rows of 2",
        ),
        ({"correlations": {"clutch": []}}, "correlations.clutch has rows of no numbers"),
        ({"traits": {"a": {"h2": 0.4, "clutch": 0.7, "weight": 1.0}}}, "traits.a.h2 + clutch is 1.1; it must be at"),
        (
            {"traits": {"a": {"h2": 0.4, "repeatability": 0.3, "weight": 1.0}}},
            "traits.a.repeatability is 0.3; it must be from h2 + clutch, 0.4, to 1",
        ),
        ({"selection": {"male_places": 2}}, "selection.male_places is 2; it must be left out unless inbreeding_rate"),
        ({"selection": LIMITED | {"policy": "within_family"}}, "selection.policy is 'within_family'; with inbreeding"),
        ({"selection": LIMITED | {"policy": "family_index"}}, "selection.policy is 'family_index'; with inbreeding"),
        (
            {"selection": LIMITED | {"policy": "culling"}, "stages": STAGED},
            "selection.policy is 'culling'; with inbreeding_rate it must be another",
        ),
        ({"selection": LIMITED | {"family_weight": 2.0}}, "selection.family_weight is 2; with inbreeding_rate it must"),
        (
            {"selection": {"policy": "within_family", "family_weight": 2.0}},
            "selection.family_weight is 2; it must be left out, since policy within_family sets it",
        ),
        (
            {"selection": {"policy": "smith_hazel"}, "stages": STAGED, "prediction": {"markers": 50}},
            "selection.policy is 'smith_hazel'; its weights are for records",
        ),
        (
            {"selection": {"policy": "desired_gains"}, "stages": STAGED, "prediction": {"markers": 50}},
            "selection.policy is 'desired_gains'; its weights are for records",
        ),
        ({"selection": {"policy": "magic"}}, "selection.policy is 'magic'; it must be one of mass, smith_hazel"),
        ({"selection": {"policy": "genomic"}}, "is 'genomic'; as a scenario it is \"mass\" with a table [prediction]"),
        ({"selection": {"policy": "rarity"}}, "with a table [prediction] and prediction.rarity above 0"),
        ({"selection": {"policy": "optimum"}}, 'it is "mass" with selection.inbreeding_rate'),
        (
            {"founders": {"source": "frequencies", "effective_size": 100.0}},
            'founders.effective_size is given; it does not go with founders.source = "frequencies"',
        ),
        (
            {"founders": {"source": "coalescent", "frequency": 0.5}},
            'founders.frequency is given; it does not go with founders.source = "coalescent"',
        ),
        ({"test": {"group": 4}}, "test.group is 4; it must be left out unless a trait has changed_by"),
        ({"load": {"loci": 10}}, "load.loci is 10; it must be left out where load.viability and fertility are 0"),
        ({"load": {"dominance": 0.1}}, "load.dominance is 0.1; it must be left out where"),
    ],
)
def test_what_a_check_refuses(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        check(parse_scenario(copy.deepcopy(GOOD) | changes))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"selection": LIMITED | {"male_places": 4}},
        {"selection": {"policy": "family_index"}, "stages": STAGED, "prediction": {"markers": 50}},
        {"selection": {"family_weight": 2.0}, "stages": STAGED, "prediction": {"markers": 50}},
        {"load": {"loci": 10, "viability": 1.0}},
        {"founders": {"source": "coalescent", "effective_size": 100.0}},
        {"founders": {"source": "frequencies", "frequency": 0.3}},
        {"traits": {"a": {"h2": 0.4, "clutch": 0.6, "weight": 1.0}}},
    ],
)
def test_what_a_check_lets_pass(changes):
    check(parse_scenario(copy.deepcopy(GOOD) | changes))


def test_few_founders_may_be_shared_and_loci_are_those_of_the_file(tmp_path):
    needed = settings_of(parse_scenario(GOOD)).animals
    np.save(tmp_path / "few.npy", np.random.default_rng(1).integers(0, 2, (needed, 2, 300), dtype=np.uint8))
    few = {"source": "numpy", "file": str(tmp_path / "few.npy")}
    with pytest.raises(ValueError, match=rf"there are {needed} founders; .* or {needed} with founders.shared = true$"):
        check(parse_scenario(GOOD | {"founders": few}))
    check(parse_scenario(GOOD | {"founders": few | {"shared": True}}))
    wide = GOOD | {"founders": few | {"shared": True}, "genome": {"loci": 301, "qtl": 100}}
    with pytest.raises(ValueError, match=r"genome.loci is 301; it must be at most 300, the loci of the founders' file"):
        check(parse_scenario(wide))
