"""Assay presets: every number has a source, sessions average as the law says, and a scenario has the last word."""

import re
import tomllib
from importlib import resources

import numpy as np
import pytest
from pydantic import ValidationError
from rich.console import Console
from typer.testing import CliRunner

from jaxbreed import assays
from jaxbreed.build import check, prepare
from jaxbreed.cli import app
from jaxbreed.listing import show_caveats
from jaxbreed.rules import settings_of
from jaxbreed.scenario import parse_scenario

KEYS = (
    "delay-maintenance",
    "episodic-personality",
    "feeding-boldness",
    "startle-battery",
    "tameness",
    "threat-boldness",
    "three-test-composite",
    "visual-discrimination",
)
PROSE = {"key", "title", "subjects", "note", "hypothetical", "traits"}
GOOD = {
    "species": "octopus-vulgaris",
    "programme": {"generations": 1, "lineages": 6, "replicates": 2},
    "clutch": {"eggs": [60, 90], "survival": 1.0},
    "genome": {"loci": 300, "qtl": 100},
    "founders": {"source": "frequencies"},
    "traits": {"intelligence": {"h2": 0.13, "weight": 1.0}, "sociability": {"h2": 0.2}},
}
TEST = [{"kind": "test", "capacity": 40}]


def scenario(**tables):
    return parse_scenario(GOOD | tables)


def raw(key):
    return tomllib.loads(resources.files("jaxbreed.assays").joinpath(f"{key}.toml").read_text("utf-8"))


def test_presets_are_listed_and_every_number_has_a_source():
    assert assays.available() == KEYS
    for key in KEYS:
        assert assays.load(key).key == key
        numbers = {name: entry for name, entry in raw(key).items() if name not in PROSE}
        assert set(numbers) >= {"sessions", "repeatability", "staff_hours"}
        for name, entry in numbers.items():
            assert set(entry) == {"value", "source", "evidence"}, (key, name)
            assert len(entry["source"]) > 10, (key, name)
            if entry["evidence"] == "sourced":
                assert re.search(r"(19|20)\d\d|\w\.life", entry["source"]), (key, name)
            if entry["evidence"] == "assumed":
                assert not re.search(r"doi", entry["source"]), (key, name)


@pytest.mark.parametrize(
    ("key", "repeatability", "h2", "hypothetical"),
    [
        ("visual-discrimination", 0.25, 0.13, True),
        ("three-test-composite", 0.25, 0.13, True),
        ("threat-boldness", 0.37, 0.2, False),
        ("feeding-boldness", 0.37, 0.065, False),
        ("tameness", 0.37, 0.19, True),
        ("startle-battery", 0.37, None, True),
        ("episodic-personality", 0.02, 0.01, False),
    ],
)
def test_published_numbers(key, repeatability, h2, hypothetical):
    preset = assays.load(key)
    assert preset.repeatability.value == repeatability
    assert (None if preset.h2 is None else preset.h2.value) == h2
    assert preset.hypothetical == hypothetical


def test_numbers_computed_from_others_follow_from_them():
    # A composite of three tests over three days repeats with 0.5; ten sessions of discrimination give 0.40.
    composite, visual, feeding = (assays.load(k) for k in ("three-test-composite", KEYS[-1], "feeding-boldness"))
    assert assays.averaged_repeatability(composite.repeatability.value, composite.sessions.value) == pytest.approx(0.5)
    assert assays.averaged_h2(visual.h2.value, visual.repeatability.value, 10) == pytest.approx(0.4)
    assert feeding.h2.value == pytest.approx((0.05 + 0.08) / 2)
    assert visual.h2.value == pytest.approx(0.52 * visual.repeatability.value)


def test_the_mean_of_sessions_is_as_heritable_as_the_law_says():
    # Animals one by one: a genetic value, a permanent environment, an error in every session.
    rng, animals, h2, repeats = np.random.default_rng(1), 400_000, 0.13, 0.25
    genetic = rng.normal(size=animals) * h2**0.5
    lasting = genetic + rng.normal(size=animals) * (repeats - h2) ** 0.5
    for sessions in (1, 4, 10):
        record = lasting + rng.normal(size=(sessions, animals)).mean(0) * (1 - repeats) ** 0.5
        slope = np.cov(genetic, record)[0, 1] / record.var()  # regression on the record: its heritability
        error = (h2 * (1 - h2) / record.var() / animals) ** 0.5
        assert abs(slope - assays.averaged_h2(h2, repeats, sessions)) < 5 * error
        if sessions > 1:  # all environment averaged: another law
            assert abs(slope - sessions * h2 / (1 + (sessions - 1) * h2)) > 5 * error


@pytest.mark.parametrize(("name", "sessions"), [("three-test-composite", 3), ("visual-discrimination", 10)])
def test_records_of_a_programme_are_as_heritable_as_the_law_says(name, sessions):
    program = prepare(scenario(test={"assay": name})).program
    assert program.settings.sessions == sessions
    h2 = 1 / (1 + np.diag(program.traits.residual))  # additive variances are 1
    assert h2[0] == pytest.approx(assays.averaged_h2(0.13, 0.25, sessions), rel=1e-6)
    # No permanent environment is known of the other trait: its sessions share genes alone.
    assert h2[1] == pytest.approx(assays.averaged_h2(0.2, 0.2, sessions), rel=1e-6)


def test_an_assay_is_what_it_stands_for():
    named = prepare(scenario(stages=[TEST[0] | {"assay": "three-test-composite"}])).program
    spelt = {**GOOD["traits"], "intelligence": {"h2": 0.13, "weight": 1.0, "repeatability": 0.25}}
    plain = prepare(scenario(traits=spelt, stages=[TEST[0] | {"sessions": 3}])).program
    assert named.settings == plain.settings
    for field in ("effect", "residual", "permanent"):
        assert (np.asarray(getattr(named.traits, field)) == np.asarray(getattr(plain.traits, field))).all()


def test_a_scenario_has_the_last_word():
    given = {"intelligence": {"h2": 0.13, "weight": 1.0, "repeatability": 0.4}, "sociability": {"h2": 0.2}}
    own = scenario(traits=given, test={"assay": "visual-discrimination", "sessions": 1})
    assert own.sessions == 1
    assert own.trait_tables["intelligence"].repeatability == 0.4
    assert own.trait_tables["sociability"].repeatability is None
    staged = scenario(stages=[TEST[0] | {"assay": "visual-discrimination", "sessions": 2}])
    assert settings_of(staged).stages[0].sessions == 2
    # The species' pair takes its heritabilities from the assay that names them.
    pair = {key: value for key, value in GOOD.items() if key != "traits"}
    poor = parse_scenario(pair | {"test": {"assay": "episodic personality"}}).trait_tables
    assert (poor["sociability"].h2, poor["sociability"].repeatability) == (0.01, 0.02)
    assert (poor["intelligence"].h2, poor["intelligence"].repeatability) == (0.13, None)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"test": {"assay": "visual"}}, "test.assay: unknown assay 'visual'"),
        ({"test": {"assay": "tamenes"}}, "test.assay: unknown assay 'tamenes': the nearest are tameness; `jaxbreed as"),
        (
            {"stages": [TEST[0] | {"assay": "qqqq"}]},
            "stages.1.assay: unknown assay 'qqqq': `jaxbreed assays` lists all",
        ),
        (
            {"test": {"assay": "threat-boldness"}},
            "test.assay is threat-boldness, which measures boldness or threat_boldness; no trait has such a name",
        ),
        (
            {"test": {"assay": "episodic-personality"}},
            "test.assay is episodic-personality, of which a session repeats with 0.02; h2 + clutch of "
            "traits.sociability, 0.2, must be at most that, or traits.sociability.repeatability be given",
        ),
        (
            {
                "stages": [TEST[0] | {"assay": "tameness"}, {"kind": "test", "assay": "episodic-personality"}],
                "traits": {"sociability": {"h2": 0.01, "weight": 1.0}},
            },
            "stages.2.assay is episodic-personality, which repeats otherwise than stages.1.assay; "
            "traits.sociability.repeatability must be given",
        ),
        ({"test": {"assay": "tameness"}, "stages": TEST}, "test.assay is tameness; with stages, say it in the stages"),
        (
            {"stages": [{"kind": "rear", "capacity": 50, "assay": "tameness"}, TEST[0]]},
            'stages.1.assay is tameness; it must be left out unless kind is "test"',
        ),
        ({"test": {"assay": 3}}, "test.assay is 3; it must be text, in quotes"),
    ],
)
def test_mistakes_give_one_sentence(tables, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        check(scenario(**tables))
    assert "\n" not in str(error.value)


def test_presets_that_cannot_be_are_refused():
    with pytest.raises(ValidationError, match=r"h2 must not exceed repeatability, got 0\.3 > 0\.25"):
        assays.parse(
            raw("visual-discrimination") | {"h2": {"value": 0.3, "source": "made up here", "evidence": "weak"}}
        )
    bare = raw("tameness")
    del bare["repeatability"]["source"]
    with pytest.raises(ValidationError, match=r"repeatability\.source"):
        assays.parse(bare)


def test_caveats_name_the_animal_and_the_assay():
    console = Console(record=True, width=300)
    show_caveats(console, scenario(test={"assay": "visual-discrimination"}))
    said = console.export_text().splitlines()
    assert said[0].startswith("Hypothetical. Hypothetical at scale")
    assert any(line.startswith("Hypothetical. test.assay visual-discrimination: The reliability") for line in said)
    show_caveats(console, parse_scenario({"species": "octopus-maya"}))
    assert console.export_text() == ""


def test_the_command_lists_them():
    listing = CliRunner().invoke(app, ["assays"], env={"COLUMNS": "120"})
    assert listing.exit_code == 0
    assert all(key in listing.stdout for key in KEYS)
    one = CliRunner().invoke(app, ["assays", "Visual discrimination"], env={"COLUMNS": "200"})
    assert "10.1098/rstb.2017.0281" in one.stdout
    assert "0.40" in one.stdout  # the heritability of ten sessions' mean
    unknown = CliRunner().invoke(app, ["assays", "unicorn"])
    assert unknown.exit_code == 2
    assert unknown.stderr == "jaxbreed: unknown assay 'unicorn': `jaxbreed assays` lists all\n"
