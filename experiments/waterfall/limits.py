"""What each limit is set to, and on whose authority. Arms of `jaxbreed.compare`, each with all limits before it."""

import copy
from pathlib import Path
from typing import Any, NamedTuple

import jaxbreed as jb
from jaxbreed.rules import settings_of

SCENARIOS = Path(__file__).parents[1] / "scenarios"
H2, FRACTION, NAIVE = 0.4, 0.001, 1.2
# Hypothetical: no ceiling of any animal's cognition is known. In SD of the naive figure above the founders.
CEILING = 4.0
H2_SESSION = 0.13  # 0.52 (additive share, Dochtermann et al. 2015) x repeatability 0.25; ten sessions have h2 0.40
# One egg in ten is simulated: the best 0.1 % of them are as good as the best 0.1 % of all, a test of 1,000 has room for
# none of the others, and a tenth of the eggs with ten times the survival leave as many animals. It saves nine tenths of
# the time and changes nothing else.
THINNED = 10
SESSION_SD = (H2 / H2_SESSION) ** 0.5  # phenotypic SD of one session, in SD of the naive figure


class Animal(NamedTuple):
    """One of the two octopuses."""

    title: str
    scenario: str
    generations: int
    generation_years: float
    capacity: int  # animals of a clutch that can be tested: hypothetical, above any octopus laboratory
    survival: float


ANIMALS = (
    # Survival: hypothetical, five times the preset's, which would leave 12-40 animals of a clutch, too few for 4 sires
    # of each in every lineage; nobody has raised this animal at any scale.
    Animal("Giant Pacific octopus", "giant-pacific-octopus.toml", 4, 4.0, 1_000, 5e-4),
    # Survival: the preset's, 2 % settled (from memory) x 0.7 per 3 months in cages (Rodriguez et al. 2006).
    Animal("Common octopus", "common-octopus.toml", 10, 1.6, 2_000, 0.007),
)

LIMITS: tuple[tuple[str, dict[str, Any]], ...] = (
    # Repeatability of one cognitive test 0.15-0.28 (Cauchoix et al. 2018, doi:10.1098/rstb.2017.0281).
    ("one test session instead of ten", {"traits": {"intelligence": {"h2": H2_SESSION, "repeatability": 0.25}}}),
    ("room to test {capacity:,} of a clutch", {"stages": [{"kind": "test", "capacity": "capacity"}]}),
    # Sociability: h2 0.2 (squid boldness, mink, fox: presets), repeatability 0.37 (Bell et al. 2009). Hypothetical: it
    # counts half as much as intelligence; r_g -0.3 is the low end of a range around 0 (Dougherty & Guillette 2018,
    # doi:10.1098/rstb.2017.0282: signed mean near 0).
    (
        "sociability counts too, r_g -0.3",
        {
            "traits": {"sociability": {"weight": 0.5, "repeatability": 0.37}},
            "correlations": {"genetic": -0.3},
        },
    ),
    # Hypothetical: a fearful animal tests badly; no cephalopod value exists.
    ("fear makes tests noisier", {"traits": {"intelligence": {"gated_by": {"sociability": 0.3}}}}),
    (f"physiological ceiling at {CEILING:g} SD", {"traits": {"intelligence": {"ceiling": CEILING / SESSION_SD}}}),
    # 3 % of the mean per 10 % F: shrimp growth 2.2-3.9 % (de los Rios-Perez et al. 2015; Moss et al. 2007).
    ("inbreeding depression", {"traits": {"intelligence": {"inbreeding_depression": 3.0}}}),
    # 1.5 haploid lethal equivalents, between trout and oyster: a closed cuttlefish line died out (Forsythe 1994).
    # 500 loci of each kind, none of them lethal by itself: with 100, a homozygous female now and then ends her lineage.
    ("recessive load", {"load": {"viability": 1.5, "fertility": 1.5, "loci": 500}}),
    # c2 0.08: cod 0.03-0.12 (Gjerde et al. 2004; Bangera et al. 2011).
    ("clutch effects", {"traits": {"intelligence": {"clutch": 0.08}, "sociability": {"clutch": 0.08}}}),
    ("survival {survival:g}", {"clutch": {"survival": "thinned"}}),
)
# Hypothetical prices, EUR. A session: 1-10 staff-hours an animal (an estimate). A budget for each year of a generation.
PRICES = {"egg": 0.0001 * THINNED, "reared": 50.0, "session": 100.0, "breeder": 200.0}
BUDGET_A_YEAR = 200_000.0


def base_of(animal: Animal, seed: int, quick: bool) -> dict[str, Any]:
    """The naive figure's inputs in the animal's scenario: every egg lives and is tested, h2 0.4, the best 0.1 %."""
    table = jb.read_scenario(SCENARIOS / animal.scenario).scenario.model_dump(exclude_unset=True)
    table["programme"] = {
        "generations": animal.generations,
        "lineages": 6 if quick else table["programme"]["lineages"],
        "replicates": 2 if quick else 6,
        "seed": seed,
    }
    # A tenth of a clutch while all eggs are tested: the best 0.1 % of it are as good, and it takes a tenth of the time.
    table["clutch"] = {
        "eggs": [number // 10 for number in table["clutch"]["eggs"]],
        "sires": [2, 4],
        "paternity": 0.6,
        "survival": 1.0,
    }
    table["traits"] = {"intelligence": {"h2": H2, "weight": 1.0}, "sociability": {"h2": 0.2, "weight": 0.0}}
    table["selection"] = {"scope": "within", "fraction": FRACTION, "mating": "avoid_sibs"}
    return table


def arms_of(animal: Animal, seed: int, quick: bool) -> tuple[dict[str, Any], list[jb.Arm]]:
    """The scenario, and an arm for every number of limits."""
    table = base_of(animal, seed, quick)
    lineages = table["programme"]["lineages"]
    arms, changes = [jb.Arm(f"{lineages} lineages, real chromosomes", {})], {}
    capacity = 200 if quick else animal.capacity
    values = {"capacity": capacity, "survival": animal.survival, "thinned": THINNED * animal.survival}
    for name, change in LIMITS:
        changes = merged(changes, filled(change, values))
        arms.append(jb.Arm(name.format(**values), changes))
    whole = jb.read_scenario(SCENARIOS / animal.scenario).scenario.programme.lineages
    budget = BUDGET_A_YEAR * animal.generation_years * lineages / whole
    paid_for = affordable(merged(table, changes), capacity, budget)
    paid = {"stages": [{"kind": "test", "capacity": paid_for}], "costs": {**PRICES, "budget": budget}}
    arms.append(jb.Arm(f"money: {BUDGET_A_YEAR:,.0f} EUR a year", merged(changes, paid)))
    return table, arms


def affordable(table: dict[str, Any], most: int, budget: float) -> int:
    """The most animals of a clutch that a budget for one generation tests, at most as many as there is room for."""
    prices = jb.Prices(**PRICES)
    low, high = 20, most  # fewer would not give four sires of every clutch
    while low < high:
        middle = (low + high + 1) // 2
        rules = jb.Scenario.model_validate(merged(table, {"stages": [{"kind": "test", "capacity": middle}]}))
        fits = jb.expected_cost(settings_of(rules), prices).total <= budget
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def filled(change: Any, values: dict[str, Any]) -> Any:
    """A change with the animal's values in their places."""
    if isinstance(change, dict):
        return {key: filled(value, values) for key, value in change.items()}
    if isinstance(change, list):
        return [filled(value, values) for value in change]
    return values[change] if isinstance(change, str) and change in values else change


def merged(table: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy of a table with changes in it, tables within tables."""
    result = copy.deepcopy(table)
    for key, value in changes.items():
        inner = result.get(key)
        both = isinstance(value, dict) and isinstance(inner, dict)
        result[key] = merged(inner, value) if both else copy.deepcopy(value)
    return result
