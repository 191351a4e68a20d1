"""The presets load, every number in them has a source, and bad ones are refused."""

import copy
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from jaxbreed import species
from jaxbreed.species import Quantity, Species

KEYS = (
    "crassostrea-gigas",
    "enteroctopus-dofleini",
    "euprymna-berryi",
    "gadus-morhua",
    "octopus-bimaculoides",
    "octopus-maya",
    "octopus-vulgaris",
    "penaeus-vannamei",
    "sepia-officinalis",
    "sparus-aurata",
)
PROSE = {"key", "latin", "common", "note", "hypothetical", "anchors", "description"}


def table(key: str = "enteroctopus-dofleini") -> dict[str, Any]:
    return tomllib.loads(resources.files("jaxbreed.species").joinpath(f"{key}.toml").read_text("utf-8"))


def entries(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every leaf table of the raw file, found without the model under test."""
    for name, child in node.items():
        if name in PROSE:
            continue
        assert isinstance(child, dict), f"{path}{name} is a bare value without a source"
        if any(isinstance(grandchild, dict) for grandchild in child.values()):
            yield from entries(child, f"{path}{name}.")
        else:
            yield f"{path}{name}", child


def quantities(model: BaseModel) -> Iterator[Quantity[Any]]:
    for name in type(model).model_fields:
        child = getattr(model, name)
        if isinstance(child, Quantity):
            yield child
        elif isinstance(child, BaseModel):
            yield from quantities(child)


def test_the_ten_presets_are_listed_in_order() -> None:
    assert species.available() == KEYS


@pytest.mark.parametrize("key", KEYS)
def test_preset_loads_under_its_own_name(key: str) -> None:
    preset = species.load(key)
    assert preset.key == key
    assert species.load(key) is preset
    assert hash(preset) == hash(species.parse(table(key)))


@pytest.mark.parametrize("key", KEYS)
def test_every_number_has_a_source_a_reader_can_follow(key: str) -> None:
    leaves = dict(entries(table(key)))
    assert len(leaves) == len(list(quantities(species.load(key)))) >= 18
    for path, entry in leaves.items():
        assert set(entry) == {"value", "source", "evidence"}, path
        assert len(entry["source"].strip()) > 10, path
        assert not entry["source"].startswith("/"), path
        if entry["evidence"] == "sourced":
            assert re.search(r"(19|20)\d\d", entry["source"]) or re.search(r"\w\.(edu|org|fr)\b", entry["source"]), path


@pytest.mark.parametrize("key", KEYS)
def test_numbers_are_possible(key: str) -> None:
    preset = species.load(key)
    low, high = preset.eggs.value
    assert 0 < low <= high
    assert preset.survival_captive.value * high >= 2, "one clutch could not replace a pair"
    if preset.survival_wild is not None:
        assert preset.survival_wild.value < preset.survival_captive.value
    assert preset.h2_cognition.value + preset.clutch_variance.value <= preset.repeatability.value
    assert preset.h2_sociability.value + preset.clutch_variance.value <= preset.repeatability_sociability.value
    assert 1_000 <= preset.demography.effective_size.value <= 10_000


@pytest.mark.parametrize(
    ("key", "field", "value", "evidence"),
    [
        ("enteroctopus-dofleini", "eggs", (41_600, 239_000), "sourced"),
        ("enteroctopus-dofleini", "mean_eggs", 106_800, "sourced"),
        ("enteroctopus-dofleini", "sires", (2, 4), "sourced"),
        ("enteroctopus-dofleini", "chromosomes", 30, "inferred"),
        ("enteroctopus-dofleini", "generation_years", 4.0, "derived"),
        ("enteroctopus-dofleini", "survival_wild", 1.9e-5, "derived"),
        ("enteroctopus-dofleini", "h2_cognition", 0.13, "inferred"),
        ("enteroctopus-dofleini", "inbreeding_survival_B", 1.5, "inferred"),
        ("octopus-vulgaris", "genome_gb", 2.8, "sourced"),
        ("octopus-maya", "mean_eggs", 700, "sourced"),
        ("euprymna-berryi", "survival_captive", 0.9, "inferred"),
        ("euprymna-berryi", "map_morgans_female", 28.0, "inferred"),
        ("sepia-officinalis", "survival_captive", 0.5, "sourced"),
        ("sepia-officinalis", "parity", "terminal", "unverified"),
        ("crassostrea-gigas", "eggs", (10_000_000, 50_000_000), "unverified"),
        ("crassostrea-gigas", "map_morgans_female", 10.0, "derived"),
        ("crassostrea-gigas", "map_morgans_male", 8.0, "derived"),
        ("crassostrea-gigas", "inbreeding_survival_B", 4.0, "inferred"),
        ("penaeus-vannamei", "chromosomes", 44, "sourced"),
        ("penaeus-vannamei", "inbreeding_trait_percent", 2.2, "sourced"),
        ("gadus-morhua", "map_morgans_female", 16.0, "derived"),
        ("gadus-morhua", "map_morgans_male", 9.0, "derived"),
        ("gadus-morhua", "h2_growth", 0.28, "sourced"),
        ("sparus-aurata", "map_morgans_male", 13.0, "derived"),
        ("sparus-aurata", "inbreeding_survival_B", 0.5, "inferred"),
    ],
)
def test_published_numbers(key: str, field: str, value: object, evidence: str) -> None:
    quantity = getattr(species.load(key), field)
    assert (quantity.value, quantity.evidence) == (value, evidence)


def test_numbers_computed_from_others_follow_from_them() -> None:
    octopus, cod, bream = (species.load(key) for key in ("enteroctopus-dofleini", "gadus-morhua", "sparus-aurata"))
    assert octopus.mean_eggs is not None
    assert octopus.survival_wild is not None
    assert octopus.survival_wild.value == pytest.approx(2 / octopus.mean_eggs.value, rel=0.03)
    assert cod.survival_wild is not None
    assert cod.survival_wild.value == pytest.approx(120 / 18e6, rel=0.03)
    mean, ratio = 12.25, 1.78
    assert cod.map_morgans_female.value == pytest.approx(2 * mean * ratio / (1 + ratio), rel=0.03)
    assert cod.map_morgans_male.value == pytest.approx(2 * mean / (1 + ratio), rel=0.03)
    assert bream.demography.bottleneck is not None
    assert bream.demography.bottleneck.effective_size.value == (14 + 18) / 2


def test_unclosed_life_cycles_are_called_hypothetical() -> None:
    marked = {key for key in KEYS if species.load(key).hypothetical}
    assert marked == {"enteroctopus-dofleini", "octopus-vulgaris"}
    assert all("hypothetical" in species.load(key).note.lower() for key in marked)
    note = species.load("enteroctopus-dofleini").note
    assert all(phrase in note for phrase in ("in an aquarium once", "very few adults", "41,600-239,000", "106,800"))
    assert species.load("enteroctopus-dofleini").survival_captive.value <= 1e-4


@pytest.mark.parametrize(
    "name",
    [
        "enteroctopus-dofleini",
        "Enteroctopus dofleini",
        "ENTEROCTOPUS_DOFLEINI",
        "giant Pacific octopus",
        " Giant pacific  octopus ",
    ],
)
def test_lookup_by_any_name(name: str) -> None:
    assert species.load(name).key == "enteroctopus-dofleini"


@pytest.mark.parametrize("key", KEYS)
def test_lookup_by_common_name(key: str) -> None:
    assert species.load(species.load(key).common.upper()).key == key


def test_unknown_name_points_to_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"'octopus vulgariz'.*octopus-vulgaris.*`jaxbreed species`") as error:
        species.load("octopus vulgariz")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"'Atlantic codd'.*gadus-morhua"):
        species.load("Atlantic codd")


def test_name_like_nothing_gets_no_guess() -> None:
    with pytest.raises(ValueError, match=r"^unknown species 'qqqq': `jaxbreed species` lists all$"):
        species.load("qqqq")


def _set(*path: str, to: object) -> Callable[[dict[str, Any]], None]:
    def change(node: dict[str, Any]) -> None:
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda t: t.pop("repeatability"), "repeatability"),
        (lambda t: t["eggs"].pop("source"), "eggs.source"),
        (_set("favourite_food", to="crab"), "favourite_food"),
        (_set("eggs", to=[1, 2]), "eggs"),
        (_set("eggs", "value", to=[239_000, 41_600]), "low <= high"),
        (_set("eggs", "value", to=[0, 41_600]), "eggs.value"),
        (_set("eggs", "source", to="short"), "eggs.source"),
        (_set("eggs", "evidence", to="certain"), "eggs.evidence"),
        (_set("eggs", "unit", to="eggs"), "eggs.unit"),
        (_set("mean_eggs", "value", to=400_000), "mean_eggs must lie"),
        (_set("sires", "value", to=[2, 3, 4]), "sires.value"),
        (_set("parity", "value", to="twice"), "parity.value"),
        (_set("survival_captive", "value", to=0.0), "survival_captive.value"),
        (_set("survival_captive", "value", to=1.01), "survival_captive.value"),
        (_set("survival_captive", "value", to="0.5"), "survival_captive.value"),
        (_set("chromosomes", "value", to=30.5), "chromosomes.value"),
        (_set("map_morgans_male", "value", to=-1.0), "map_morgans_male.value"),
        (_set("map_morgans_male", "value", to=float("inf")), "map_morgans_male.value"),
        (_set("h2_sociability", "value", to=0.0), "h2_sociability.value"),
        (_set("h2_cognition", "value", to=0.2), "h2_cognition . clutch_variance"),
        (_set("h2_sociability", "value", to=0.3), "h2_sociability . clutch_variance"),
        (_set("genetic_correlation", "value", to=-1.1), "genetic_correlation.value"),
        (_set("inbreeding_survival_B", "value", to=-0.5), "inbreeding_survival_B.value"),
        (_set("demography", "effective_size", "value", to=0.0), "demography.effective_size.value"),
        (_set("key", to="octopus-dofleini"), "key must be 'enteroctopus-dofleini'"),
        (_set("hypothetical", to="yes"), "hypothetical"),
    ],
)
def test_bad_preset_is_refused_by_name(change: Callable[[dict[str, Any]], object], where: str) -> None:
    bad = copy.deepcopy(table())
    species.parse(bad)
    change(bad)
    with pytest.raises(ValidationError, match=where):
        species.parse(bad)


def test_preset_cannot_be_changed() -> None:
    preset: Species = species.load("octopus-maya")
    with pytest.raises(ValidationError, match="frozen"):
        preset.hypothetical = True
    with pytest.raises(ValidationError, match="frozen"):
        preset.eggs.value = (1, 2)


def test_reading_a_preset_needs_no_array_library() -> None:
    code = (
        "import sys, jaxbreed; before = set(sys.modules); from jaxbreed import species;"
        "assert species._read.cache_info().currsize == 0;"
        "species.load('octopus-maya'); assert species._read.cache_info().currsize == 1;"
        "sys.exit(' '.join({'jax', 'numpy', 'msprime'} & (set(sys.modules) - before)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
