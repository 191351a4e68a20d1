"""Arms share founders and luck, differences are paired, policies are what they are called, and files hold it all."""

import copy
import dataclasses
import json
import re

import h5py
import numpy as np
import pytest
import xarray
from typer.testing import CliRunner

import jaxbreed.cores
from jaxbreed.arms import NAMES, policy_arms, read_arms
from jaxbreed.build import prepare, run
from jaxbreed.cli import app
from jaxbreed.comparison import Arm, Comparison, arm_scenarios, compare
from jaxbreed.comparison_figure import plot_comparison
from jaxbreed.comparison_file import load_comparison, save_comparison
from jaxbreed.comparison_table import comparison_table
from jaxbreed.population import choose_founders
from jaxbreed.results import load, save, whole_file
from jaxbreed.rules import settings_of
from jaxbreed.scenario import parse_scenario, read_scenario
from jaxbreed.summary import interval, t_quantile

GOOD = {
    "species": "octopus-vulgaris",
    "programme": {"generations": 2, "lineages": 3, "replicates": 3},
    "clutch": {"eggs": [60, 90], "survival": 1.0},
    "genome": {"loci": 300, "qtl": 100},
    "founders": {"source": "frequencies"},
    "traits": {"intelligence": {"h2": 0.4, "weight": 1.0}, "sociability": {"h2": 0.2, "weight": 0.5}},
}
STAGES = [{"kind": "rear", "capacity": 40}, {"kind": "test"}]
ARMS = (
    Arm("mass", {}),
    Arm("sociable", {"traits": {"intelligence": {"weight": 0.0}}}),
    Arm("wide", {"programme": {"lineages": 4}, "selection": {"family_weight": None}}),
)


def scenario(**tables):
    return parse_scenario(copy.deepcopy(GOOD) | tables)


@pytest.fixture(scope="module")
def seen():
    return []


@pytest.fixture(scope="module")
def comparison(seen):
    said = {"on_arm": lambda *a: seen.append(a), "on_finished": lambda c: seen.append(c.names)}
    return compare(GOOD, ARMS, **said)


def test_arms_start_from_the_same_founders_and_are_paired(comparison, seen):
    mass, sociable, wide = (comparison[name] for name in comparison.names)
    assert mass.founders is sociable.founders is wide.founders
    assert wide.founders.individuals == 3 * 4 * 5  # drawn once, for the arm that needs most
    assert (mass.founder_numbers == sociable.founder_numbers).all()
    first = [h.data["trait_mean"][:, 0] for h in (mass, sociable)]
    assert (first[0] == first[1]).all()
    assert (mass["eggs"][:, :2] == sociable["eggs"][:, :2]).all()  # clutch sizes are luck, and the same luck
    index = [h["gain"] @ [1.0, 0.5] for h in (mass, sociable)]  # the scenario's weights, whatever the arm's
    assert (comparison.values("sociable") == index[1]).all()
    mean, low, high = comparison.paired("sociable")
    by_hand = (index[1] - index[0])[:, -1]
    assert mean == pytest.approx(by_hand.mean())
    half = 4.302653 * by_hand.std(ddof=1) / np.sqrt(3)  # Student's t, 2 degrees of freedom
    assert (low, high) == pytest.approx((mean - half, mean + half))
    assert comparison.paired("mass")[0] == 0
    assert comparison.difference("sociable", "gain").shape == (3, 3, 2)
    assert seen == [
        ("mass", 1, 3),
        ("mass",),
        ("sociable", 2, 3),
        ("mass", "sociable"),
        ("wide", 3, 3),
        ("mass", "sociable", "wide"),
    ]


def test_replicates_of_smaller_arms_start_from_founders_of_the_widest(comparison):
    mass, wide = (comparison[name].founder_numbers for name in ("mass", "wide"))
    assert (mass.shape, wide.shape) == ((3, 15), (3, 20))
    for small, large in zip(mass, wide, strict=True):
        assert len(set(small)) == 15
        assert set(small) <= set(large)
    assert np.unique(wide).size == 60  # and no founder is in two replicates
    settings = settings_of(scenario())
    alone = choose_founders(60, settings, 3, shared=False, seed=1)
    assert (choose_founders(60, settings, 3, shared=False, seed=1, dealt=15) == alone).all()
    for dealt in (14, 21):
        with pytest.raises(ValueError, match=f"dealt is {dealt}; it must be from 15, the breeders, to 20"):
            choose_founders(60, settings, 3, shared=False, seed=1, dealt=dealt)


def test_arms_from_other_founders_are_not_paired(tmp_path):
    arms = (Arm("a", {}), Arm("b", {"founders": {"frequency": 0.3}}), Arm("c", {"selection": {"fraction": 1.0}}))
    seen = []
    three = compare(GOOD, arms, on_finished=lambda so_far: seen.append(so_far.apart))
    assert seen == [(), ("b",), ("b",)]
    assert three.apart == ("b",)
    for refused in (three.difference, three.paired):
        with pytest.raises(
            ValueError, match="arm b started from other founders than arm a; their replicates are no pairs"
        ):
            refused("b")
    assert three.contrast("c") == three.paired("c")
    first, other = (three.values(name)[:, -1] for name in ("a", "b"))
    mean, low, high = three.contrast("b")
    assert mean == pytest.approx(other.mean() - first.mean())
    errors = np.array([x.var(ddof=1) / 3 for x in (first, other)])
    degrees = int(errors.sum() ** 2 / (errors**2 / 2).sum())
    half = t_quantile(degrees) * np.sqrt(errors.sum())
    assert (low, high) == pytest.approx((mean - half, mean + half))
    save_comparison(tmp_path / "out.h5", three, scenario_text="", seed=1)
    assert load_comparison(tmp_path / "out.h5").contrast("b") == three.contrast("b")
    table = comparison_table(three)
    assert "replicate by replicate, but for b: from other founders, unpaired (Welch)" in table.caption
    cells = next(list(column.cells) for column in table.columns if column.header == "less\na")
    assert cells[1] == f"{mean:+.2f} ± {half:.2f}"
    assert "same founders and seeds (other founders: b)" in plot_comparison(three).get_supxlabel()
    two = Comparison({name: three[name] for name in "ab"}, three.weights, ("b",))
    assert (
        "difference of the index, unpaired (Welch), as b started from other founders." in comparison_table(two).caption
    )
    assert "replicate by replicate" not in comparison_table(two).caption


def test_an_arm_is_the_run_of_its_scenario():
    arms = (Arm("a", {}), Arm("b", {"traits": {"intelligence": {"weight": 0.0}}}))
    both = compare(scenario(), arms)
    for name, other in arm_scenarios(scenario(), arms).items():
        alone = run(other)
        assert (np.asarray(alone.parents.haplotypes) == np.asarray(both[name].parents.haplotypes)).all()
        assert (alone["gain"] == both[name]["gain"]).all()


def test_founders_are_drawn_anew_only_where_an_arm_changes_them(monkeypatch):
    drawn = []
    monkeypatch.setattr("jaxbreed.comparison.run_prepared", lambda scenario, ready, **_: drawn.append(ready))
    changes = ({}, {"traits": {"intelligence": {"h2": 0.3}}}, {"founders": {"frequency": 0.3}}, {"genome": {"qtl": 50}})
    compare(GOOD, [Arm(str(n), change) for n, change in enumerate(changes)])
    a, b, c, d = drawn
    assert a.founders is b.founders is d.founders
    assert c.founders is not a.founders
    assert (np.asarray(a.program.traits.qtl) == np.asarray(b.program.traits.qtl)).all()
    assert (np.asarray(a.program.traits.effect) == np.asarray(b.program.traits.effect)).all()
    assert d.program.traits.qtl.size == 50


@pytest.mark.parametrize(
    ("arms", "message"),
    [
        ([], "no arms are given; a comparison needs two or more"),
        ([Arm("a", {})], "one arm is given; a comparison needs two or more"),
        ([Arm("a", {}), Arm("a", {"clutch": {"eggs": 5}})], "a is given twice; every arm needs a name of its own"),
        ([Arm("a", {}), Arm("b/c", {})], "an arm is named 'b/c'; a name must not be empty, hold a / or"),
        ([Arm("a", {}), Arm("b", {"clutch": {"egs": 5}})], "arm b: clutch.egs is not a known key; did you mean eggs?"),
        ([Arm("a", {}), Arm("b", {"clutch": {"sires": 60}})], "arm b: 1 females and 60 males are to be selected"),
        (
            [Arm("a", {}), Arm("b", {"programme": {"generations": 3}})],
            "generations of arm b is 3; it must be 2, as in arm a",
        ),
        (
            [Arm("a", {}), Arm("b", {"programme": {"replicates": 2}})],
            "programme.replicates of arm b is 2; it must be 3",
        ),
        ([Arm("a", {}), Arm("b", {"programme": {"seed": 2}})], "programme.seed of arm b is 2; it must be 1, as in arm"),
        (
            [Arm("a", {}), Arm("b", {"traits": {"speed": {"h2": 0.1}}})],
            "traits of arm b is intelligence, sociability, speed; it must be intelligence, sociability, as in arm a",
        ),
        (
            [Arm("a", {}), Arm("b", {"costs": {"egg": 1}}), Arm("c", {"costs": {"egg": 1, "currency": "NOK"}})],
            "costs.currency of arm c is NOK; it must be EUR, as in arm b",
        ),
    ],
)
def test_arms_that_cannot_be_compared(arms, message):
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        compare(GOOD, arms)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_the_fate_of_an_arm_names_it(monkeypatch):
    def die(scenario, ready, **_):
        raise RuntimeError("replicate 0 died out in generation 1")

    monkeypatch.setattr("jaxbreed.comparison.run_prepared", die)
    with pytest.raises(RuntimeError, match=r"^arm mass: replicate 0 died out in generation 1$"):
        compare(GOOD, ARMS)


def test_policies_that_a_scenario_allows():
    plain = policy_arms(scenario())
    names = [arm.name for arm in plain.arms]
    assert names == ["mass", "smith_hazel", "desired_gains", "tandem", "within_family", "family_index"]
    assert set(names) | set(plain.left_out) == set(NAMES)
    assert plain.left_out["culling"] == "it needs [[stages]], at least one of them a test"
    assert plain.left_out["rarity"] == "it needs a table [prediction]"
    assert plain.left_out["optimum"].startswith("it needs selection.inbreeding_rate")
    limited = scenario(selection={"inbreeding_rate": 0.1})
    assert (
        policy_arms(limited).left_out["optimum"] == 'selection.scope is "within"; optimum contributions need "across"'
    )
    across = {"scope": "across", "inbreeding_rate": 0.1, "fraction": 0.2, "male_places": 2}
    assert policy_arms(scenario(selection=across)).left_out["optimum"].startswith("fraction is 0.2; with inbreeding")
    one = scenario(traits={"intelligence": {"h2": 0.4, "weight": 1.0}}, clutch=GOOD["clutch"] | {"sires": 1})
    assert [arm.name for arm in policy_arms(one).arms] == ["mass"]
    assert policy_arms(one).left_out["within_family"] == "inside a clutch of one sire it is mass selection"


def test_policies_change_what_they_are_called_after():
    full = scenario(
        stages=STAGES,
        prediction={"markers": 50, "rarity": 0.25},
        selection={"scope": "across", "inbreeding_rate": 0.1, "policy": "tandem"},
    )
    arms, left_out = policy_arms(full)
    assert [arm.name for arm in arms] == list(NAMES)
    assert left_out == {}
    by_name = arm_scenarios(full, arms)
    for name, each in by_name.items():
        assert each.selection.inbreeding_rate == (0.1 if name == "optimum" else None)
        assert (each.prediction is None) == (name not in ("genomic", "rarity", "optimum"))
        assert each.selection.policy == ("mass" if name in ("genomic", "rarity", "optimum") else name)
    assert (by_name["genomic"].prediction.rarity, by_name["rarity"].prediction.rarity) == (0.0, 0.25)
    usual = scenario(stages=STAGES, prediction={"markers": 50})
    assert arm_scenarios(usual, policy_arms(usual).arms)["rarity"].prediction.rarity == 0.5
    # A family weight of the scenario is the scenario's own; policies have theirs.
    weighed = scenario(selection={"family_weight": 3.0})
    arms = policy_arms(weighed, ["mass", "within_family"]).arms
    schedules = [prepare(each).schedule for each in arm_scenarios(weighed, arms).values()]
    assert schedules[0].family_weight is None
    assert (np.asarray(schedules[1].family_weight) == 0).all()
    # Screens by prediction leave nothing to select on by records.
    screened = scenario(
        stages=[{"kind": "screen"}, {"kind": "test", "capacity": 40}], prediction={"markers": 50, "choose": "eggs"}
    )
    assert [arm.name for arm in policy_arms(screened).arms] == ["genomic", "rarity"]
    assert policy_arms(screened).left_out["mass"] == "it selects on records, and stages.1 screens by genomic prediction"


def test_a_file_has_a_group_for_each_arm(comparison, tmp_path):
    path = tmp_path / "out.h5"
    path.write_text("older")
    save_comparison(path, comparison, scenario_text="text", seed=1, arms=ARMS)
    back = load_comparison(path)
    assert back.names == comparison.names
    assert (back.weights == [1.0, 0.5]).all()
    for name in back.names:
        assert (back[name]["gain"] == comparison[name]["gain"]).all()
        assert back[name].finished
        with xarray.open_dataset(path, engine="h5netcdf", group=name) as group:
            assert group.gain.dims == ("replicate", "generation", "trait")
            assert (group.gain.sel(trait="sociability").values == comparison[name]["gain"][..., 1]).all()
    with h5py.File(path) as file:
        assert file.attrs["scenario"] == "text"
        assert json.loads(file["sociable"].attrs["changes"]) == ARMS[1].changes
        assert file.attrs["jax_version"]
    assert (back.difference("wide") == comparison.difference("wide")).all()
    with pytest.raises(ValueError, match="holds a comparison; read it with load_comparison"):
        load(path)
    with pytest.raises(ZeroDivisionError), whole_file(path) as file:
        file.attrs["a"] = 1 / 0
    assert load_comparison(path).names == back.names  # the old file stays whole
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.h5"]
    save(tmp_path / "one.h5", comparison["mass"], scenario_text="", seed=1)
    with pytest.raises(ValueError, match="holds no comparison of jaxbreed"):
        load_comparison(tmp_path / "one.h5")


def test_the_table_holds_means_intervals_and_paired_differences(comparison):
    table = comparison_table(comparison)
    columns = {str(column.header): list(column.cells) for column in table.columns}
    assert columns["arm"] == ["mass", "sociable", "wide"]
    mean, low, _ = interval(comparison["wide"]["gain"][:, -1, 1])
    assert columns["sociability"][2] == f"{mean:.2f} ± {mean - low:.2f}"
    mean, low, _ = comparison.paired("sociable")
    assert columns["less\nmass"][:2] == ["-", f"{mean:+.2f} ± {mean - low:.2f}"]
    tests = comparison["mass"]["tests"].sum() / 3
    assert columns["tests"][0] == f"{tests:,.0f}"
    assert "cost" not in columns


@pytest.mark.parametrize("first", ["mass", "sociable"])
def test_the_table_has_costs_where_they_are_known(comparison, first):
    run = comparison["mass"]
    priced = dataclasses.replace(run, data=run.data | {"cost": np.array([[10.0, 20.0, np.nan]] * 3)})
    order = (first, *({"mass", "sociable"} - {first}))
    runs = {"mass": priced, "sociable": comparison["sociable"]}
    table = comparison_table(Comparison({name: runs[name] for name in order}, comparison.weights))
    costs = next(list(column.cells) for column in table.columns if column.header == "cost")
    assert dict(zip(order, costs, strict=True)) == {"mass": "30", "sociable": "-"}
    assert "cost: of a replicate" in table.caption


def test_the_figure_shows_every_arm(comparison, tmp_path):
    figure = plot_comparison(comparison, tmp_path / "a.png", title="Three arms")
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    index, first, second, ends = figure.axes
    assert index.get_ylabel().startswith("index: intelligence + 0.5 sociability")
    assert second.get_ylabel() == "sociability: gain\n(founder phenotypic SD)"
    assert ends.get_xlabel() == "inbreeding coefficient F of the eggs, at the end"
    for axes, values in ((index, comparison.values), (first, lambda n: comparison.values(n, "gain")[..., 0])):
        for name in comparison.names:
            (line,) = [line for line in axes.get_lines() if line.get_label() == name]
            np.testing.assert_allclose(line.get_ydata(), values(name).mean(0))
    assert index.get_xticks().tolist() == [0, 1, 2]
    # Intervals of the last generation: bars from low to high.
    bars = [bar.get_segments()[0][:, 1] for bar in index.collections]
    for name, bar in zip(comparison.names, bars, strict=True):
        np.testing.assert_allclose(bar, interval(comparison.values(name)[:, -1])[1:])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["mass", "sociable", "wide"]
    looks = {
        (line.get_color(), line.get_marker()) for line in index.get_lines() if line.get_label() in comparison.names
    }
    assert len(looks) == 3
    # Ten arms, the most that there are policies, can be told apart.
    ten = Comparison({name: comparison["mass"] for name in NAMES}, comparison.weights)
    lines = [line for line in plot_comparison(ten).axes[0].get_lines() if line.get_label() in NAMES]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 10


TEXT = """
species = "octopus-vulgaris"
programme = {generations = 2, lineages = 3, replicates = 3}
clutch = {eggs = [60, 90], survival = 1.0}
genome = {loci = 300, qtl = 100}
founders = {source = "frequencies"}
traits = {intelligence = {h2 = 0.4, weight = 1.0}, sociability = {h2 = 0.2, weight = 0.5}}
"""


@pytest.fixture
def command(tmp_path, monkeypatch):
    # In this process, whose devices are there already.
    monkeypatch.setattr(jaxbreed.cores, "use_cores", lambda count: count)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(TEXT)
    (tmp_path / "arms.toml").write_text("[base]\n[wide.programme]\nlineages = 4\n")
    (tmp_path / "bad.toml").write_text("base = 3\n")
    (tmp_path / "taken.h5").write_text("precious")
    return lambda *arguments: CliRunner().invoke(app, ["compare", "small.toml", *arguments])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--policies", "mass,tandm"), "'tandm' is not a known policy; did you mean tandem?"),
        (("--policies", "mass,qqqq"), "'qqqq' is not a known policy; known are mass, smith_hazel"),
        (("--policies", "mass"), "one arm is given; a comparison needs two or more"),
        (("--policies", "mass,tandem,mass"), "mass is given twice; every arm needs a name of its own"),
        (("--policies", "mass,culling"), "policy culling cannot be had: it needs [[stages]], at least one of them a"),
        (("--policies", "mass,rarity"), "policy rarity cannot be had: it needs a table [prediction]"),
        (("--policies", "mass,optimum"), "policy optimum cannot be had: it needs selection.inbreeding_rate"),
        (("--policies", "mass,tandem", "--arms", "arms.toml"), "--policies and --arms are both given"),
        (("--arms", "none.toml"), "none.toml cannot be read: No such file or directory"),
        (("--arms", "bad.toml"), "bad.toml: base is 3; it must be a table, an arm of the comparison"),
        (("-o", "taken.h5"), "taken.h5 exists; use --force to replace it"),
        (("--arms", "arms.toml", "-o", "arms.toml"), "--output is arms.toml; it must be another file than the"),
        (("--replicates", "0"), "programme.replicates is 0; it should be greater than or equal to 1"),
    ],
)
def test_bad_input_gives_one_sentence_and_exit_code_2(command, tmp_path, arguments, message):
    before = {path: path.read_text() for path in tmp_path.iterdir()}
    result = command(*arguments, *(() if "-o" in arguments else ("-o", "out.h5")))
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""
    assert {path: path.read_text() for path in tmp_path.iterdir()} == before


def test_the_command_compares(command, tmp_path):
    result = command("--arms", "arms.toml", "-o", "out.h5", "-q")
    assert result.exit_code == 0, result.output
    for text in ("2 arms", "base", "wide", "less", "results: out.h5", "figure:  out.png"):
        assert text in result.stdout
    back = load_comparison(tmp_path / "out.h5")
    assert back["wide"]["eggs"].shape == (3, 3)
    assert (tmp_path / "out.png").read_bytes()[:4] == b"\x89PNG"
    again = compare(read_scenario(tmp_path / "small.toml").scenario, read_arms(tmp_path / "arms.toml"))
    assert (again.difference("wide") == back.difference("wide")).all()


def test_paths_of_arms_start_from_their_file(tmp_path):
    text = '[a.founders]\nsource = "vcf"\nfile = "x.vcf"\nmap = ["f.txt", "m.txt"]\n[b]\n'
    (tmp_path / "arms.toml").write_text(text)
    a, b = read_arms(tmp_path / "arms.toml")
    assert a.changes["founders"]["file"] == str(tmp_path / "x.vcf")
    assert a.changes["founders"]["map"] == [str(tmp_path / "f.txt"), str(tmp_path / "m.txt")]
    assert b == Arm("b", {})
