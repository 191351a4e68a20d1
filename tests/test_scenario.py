"""Scenario files: defaults from the species, and one clear sentence for every mistake."""

import copy
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
        ("traits.intelligence.h2", 0, "traits.intelligence.h2 is 0; it should be greater than 0"),
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
        ("correlations.genetic", [[1.0]], r"correlations.genetic is a matrix of \(1, 1\); it must have 2 rows"),
        ("correlations.genetic", [[1.0, 0.2], [0.1, 1.0]], "correlations.genetic is .* it must be symmetric"),
        ("correlations.residual", -1.2, "correlations.residual is .*; it must be positive definite"),
        ("genome.qtl", 301, "genome.qtl is 301; it must be above the 2 traits and at most genome.loci, 300"),
        (
            "genome.mutation",
            1e-14,
            r"genome.mutation is 1e-14; with 300 loci it must be 0 or from 3\.34e-10 to 0\.106",
        ),
        ("traits.intelligence.weight", 0.0, "weights is .* at least one trait needs a weight"),
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
