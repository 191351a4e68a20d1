"""Programmes whose founders come from files: the same numbers, names and places in the results, and every refusal."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray
from founderfiles import at_rate, drawn, vcf, write_hapmap

from jaxbreed.build import check, prepare, run
from jaxbreed.effects import additive_traits
from jaxbreed.founderfile import read_founders
from jaxbreed.founders import Founders
from jaxbreed.genome import GeneticMap
from jaxbreed.population import choose_founders
from jaxbreed.program import Settings, make_program
from jaxbreed.results import load, save
from jaxbreed.rules import settings_of
from jaxbreed.scenario import parse_scenario, read_scenario
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.vcf_writer import write_vcf

# Those of the scenario, so that both share one compilation.
SETTINGS = Settings(lineages=3, eggs=(40, 60), paternity=0.6, mating="avoid_sibs")
SCENARIO = """
species = "octopus-vulgaris"
[programme]
generations = 2
lineages = 3
replicates = 2
seed = 8
[clutch]
eggs = [40, 60]
sires = 1
survival = 1.0
[genome]
qtl = 30
[founders]
source = "vcf"
file = "data/founders.bcf"
map = ["data/female.txt", "data/male.txt"]
[traits.growth]
h2 = 0.4
weight = 1.0
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A scenario and, in a folder beside it, its founders and their maps."""
    folder, founders = tmp_path_factory.mktemp("own"), drawn()
    (folder / "data").mkdir()
    write_vcf(founders, folder / "data" / "founders.bcf")
    for sex, name in enumerate(("female", "male")):
        write_hapmap(folder / "data" / f"{name}.txt", founders, sex)
    (folder / "own.toml").write_text(SCENARIO)
    return folder


@pytest.fixture(scope="module")
def finished(folder):
    history = run(read_scenario(folder / "own.toml").scenario)
    save(folder / "own.h5", history, scenario_text=SCENARIO, seed=8)
    return history


def simulated(founders):
    traits = additive_traits(founders.haplotypes, ["growth"], [0.4], np.eye(1), qtl=30, seed=2)
    program = make_program(founders.map, traits, SETTINGS)
    return simulate(program, founders, constant_schedule(2, [1.0]), replicates=2, seed=4)


def equal(one, other):
    return all(np.array_equal(one[name], other[name], equal_nan=True) for name in one.data) and np.array_equal(
        one.parents.haplotypes, other.parents.haplotypes
    )


def test_founders_read_back_give_the_same_numbers(folder, tmp_path):
    founders = drawn()
    original = simulated(founders)
    maps = folder / "data" / "female.txt", folder / "data" / "male.txt"
    assert equal(original, simulated(read_founders(folder / "data" / "founders.bcf", genetic_map=maps)))
    # Sexes swapped, or one map for both, are other programmes: the test would see them.
    for wrong in (maps[::-1], maps[0]):
        assert not equal(original, simulated(read_founders(folder / "data" / "founders.bcf", genetic_map=wrong)))
    write_vcf(founders, tmp_path / "x.vcf")
    assert equal(simulated(at_rate(founders, 2.0)), simulated(read_founders(tmp_path / "x.vcf", cm_per_mb=2.0)))


def test_a_scenario_finds_its_files_and_makes_the_same_programme(folder, finished, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # paths start from the scenario's folder, not from here
    scenario = read_scenario(folder / "own.toml").scenario
    assert settings_of(scenario) == SETTINGS
    program, founders, _ = prepare(scenario)
    original = drawn()
    np.testing.assert_array_equal(founders.haplotypes, original.haplotypes)
    np.testing.assert_allclose(founders.map.position, original.map.position, rtol=1e-14)
    np.testing.assert_allclose(founders.map.length, original.map.length, rtol=1e-14)
    assert (founders.samples, founders.sites.chromosome_names) == (original.samples, ("7", "LG2", "chrZ"))
    assert program.locus_map.loci == 90
    again = run(scenario)
    assert equal(finished, again)


def test_names_and_places_are_in_the_results(folder, finished):
    original, sites = drawn(), drawn().sites
    numbers = choose_founders(14, SETTINGS, 2, shared=False, seed=8)
    with xarray.open_dataset(folder / "own.h5", engine="h5netcdf") as data:
        assert data.founder.dims == data.founder_sample.dims == ("replicate", "animal")
        np.testing.assert_array_equal(data.founder, numbers)
        assert data.founder_sample.values.tolist() == [[original.samples[i] for i in row] for row in numbers]
        # The first breeders had these genomes: what was fixed among them says so.
        fixed = [np.ptp(original.haplotypes[row].reshape(12, -1), axis=0) == 0 for row in numbers]
        np.testing.assert_allclose(data.loci_fixed[:, 0], np.mean(fixed, axis=1), rtol=1e-6)
        assert len({tuple(row) for row in fixed}) == 2
        assert data.chromosome.values.tolist() == ["7", "LG2", "chrZ"]
        names = data.chromosome[data.locus_chromosome].values.tolist()
        assert names == [sites.chromosome_names[i] for i in sites.chromosome]
        np.testing.assert_array_equal(data.locus_position, sites.position)
        assert data.locus_position.attrs["units"] == "bp"
        for sex, name in enumerate(("female", "male")):
            assert data[f"locus_morgan_{name}"].dims == ("locus",)
            np.testing.assert_allclose(data[f"locus_morgan_{name}"], original.map.position[sex], rtol=1e-14)
            np.testing.assert_allclose(data[f"chromosome_morgan_{name}"], original.map.length[sex], rtol=1e-14)
        assert data.sizes["locus"] == data.haplotypes.sizes["locus"] == 90
    result = load(folder / "own.h5")
    assert result["founder_sample"][1, 2] == original.samples[numbers[1, 2]]
    assert result["chromosome"].tolist() == ["7", "LG2", "chrZ"]


def test_founders_without_names_have_numbers(tmp_path):
    founders = drawn()
    history = simulated(Founders.from_arrays(founders.haplotypes, founders.map))
    save(tmp_path / "x.h5", history, scenario_text="", seed=4)
    with xarray.open_dataset(tmp_path / "x.h5", engine="h5netcdf") as data:
        np.testing.assert_array_equal(data.founder, choose_founders(14, SETTINGS, 2, shared=False, seed=4))
        assert data.chromosome.values.tolist() == [0, 1, 2]
        np.testing.assert_array_equal(data.locus_morgan_male, founders.map.position[1])
        assert not {"founder_sample", "locus_position"} & set(data)


def table(**founders):
    """The scenario as a table, founders changed; a value None takes a key away."""
    return {
        "species": "octopus-vulgaris",
        "programme": {"generations": 1, "lineages": 3, "replicates": 2},
        "clutch": {"eggs": 50, "sires": 1, "survival": 1.0},
        "genome": {"qtl": 30},
        "founders": {key: value for key, value in founders.items() if value is not None},
    }


def test_loci_are_those_of_the_file_unless_fewer_are_asked_for(folder):
    def loci(**genome):
        own = table(source="vcf", file=str(folder / "data" / "founders.bcf"), cm_per_mb=1.0)
        return prepare(parse_scenario(own | {"genome": genome})).founders

    assert loci(qtl=30).map.loci == 90
    assert loci(qtl=30, loci=90).map.loci == 90
    less = loci(qtl=30, loci=60)
    assert less.map.loci == 60
    np.testing.assert_array_equal(less.sites.position, drawn().thin(60, seed=1).sites.position)
    np.save(folder / "wide.npy", np.random.default_rng(1).integers(0, 2, (12, 2, 12_000), np.uint8))
    wide = prepare(parse_scenario(table(source="numpy", file=str(folder / "wide.npy")))).founders
    assert wide.map.loci == 12_000  # the default of genome.loci, 10,000, is not asked for
    for genome, message in (
        ({"qtl": 91}, "genome.qtl is 91; it must be above the 2 traits and at most the loci of the founders, 90"),
        (
            {"qtl": 61, "loci": 60},
            "genome.qtl is 61; it must be above the 2 traits and at most the loci of the founders",
        ),
        ({"qtl": 30, "loci": 91}, "genome.loci is 91; it must be at most 90, the loci of the founders' file"),
        ({"qtl": 30, "mutation": 1e-14}, "genome.mutation is 1e-14; with 90 loci it must be"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            loci(**genome)


def test_arrays_without_positions_lie_evenly_on_the_species_chromosomes(tmp_path):
    founders = drawn()
    np.save(tmp_path / "x.npy", founders.haplotypes)
    read = prepare(parse_scenario(table(source="numpy", file=str(tmp_path / "x.npy")))).founders
    np.testing.assert_array_equal(read.haplotypes, founders.haplotypes)
    assert read.map.chromosomes == 30
    preset = parse_scenario({"species": "octopus-vulgaris"}).preset
    lengths = [preset.map_morgans_female.value, preset.map_morgans_male.value]
    np.testing.assert_allclose(read.map.morgans, lengths)
    even = GeneticMap.uniform(30, 90, np.array(lengths) / 30)
    np.testing.assert_array_equal(read.map.position, even.position)
    for key, value in (("cm_per_mb", 1.0), ("map", "x.map")):
        with pytest.raises(ValueError, match=r"x\.npy holds no chromosome and position, so map and cm_per_mb must be"):
            check(parse_scenario(table(source="numpy", file=str(tmp_path / "x.npy"), **{key: value})))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "none.vcf"}, "founders: {folder}/none.vcf cannot be read: No such file or directory"),
        ({"map": "none.map"}, "founders: {folder}/none.map cannot be read: No such file or directory"),
        ({"map": "falls.map"}, "falls.map: the map falls from 5 to 1 cM at 1:9; cM must not fall"),
        ({"map": None}, "founders: neither of map and cm_per_mb is given; just one of them must be"),
        ({"cm_per_mb": 1.0}, "founders: both of map and cm_per_mb is given; just one of them must be"),
        ({"file": None}, 'founders.file is missing; founders.source = "vcf" needs one'),
        ({"samples": ["s0", "s99"]}, "good.vcf has no sample 's99'; it has s0, s1"),
        ({"samples": ["s0", "s1", "s2"]}, "there are 3 founders; 12 are needed (6 breeders for each of 2 replicates)"),
        ({"samples": ["s0", "s1", "s2"], "shared": True}, "there are 3 founders; 6 are needed (6 breeders)"),
        ({"effective_size": 500.0}, 'founders.effective_size is given; it does not go with founders.source = "vcf"'),
        ({"frequency": 0.5}, 'founders.frequency is given; it does not go with founders.source = "vcf"'),
        ({"source": "coalescent"}, 'founders.file is given; it does not go with founders.source = "coalescent"'),
        ({"source": "trees"}, "good.vcf is not a tree sequence (.trees) of tskit's, or a damaged one"),
        ({"file": "{chromosome}.vcf"}, "founders: chromosomes is missing; it must list the names that {chromosome} in"),
        ({"file": "{chromosome}.vcf", "chromosomes": ["8"]}, "founders: {folder}/8.vcf cannot be read: No such file"),
    ],
)
def test_refused_before_the_sites_are_read(change, message, tmp_path):
    # Without any site: whatever is refused here was refused before the sites were looked at.
    vcf(tmp_path / "good.vcf", samples=" ".join(f"s{i}" for i in range(12)))
    (tmp_path / "falls.map").write_text("1 a 0 2\n1 b 5 7\n1 c 1 9\n")
    (tmp_path / "good.map").write_text("1 a 0 2\n1 b 5 7\n")
    own = table(**({"source": "vcf", "file": "good.vcf", "map": "good.map"} | change))
    scenario = parse_scenario(own)
    scenario = scenario.model_copy(update={"founders": scenario.founders.beside(tmp_path)})
    with pytest.raises(ValueError, match=re.escape(message.replace("{folder}", str(tmp_path)))) as caught:
        check(scenario)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("genome", "founders", "message"),
    [
        ({"chromosomes": 3}, {}, "genome.chromosomes is given; chromosomes and their lengths come from founders.file"),
        ({"morgans": 9.0}, {}, "genome.morgans is given; chromosomes and their lengths come from founders.file"),
        ({}, {"map": 3}, "founders.map is 3; it must be the name of a file, or two of them, female and male"),
        (
            {},
            {"map": ["a", "b", "c"]},
            "founders.map is ['a', 'b', 'c']; it must be the name of a file, or two of them",
        ),
        ({}, {"cm_per_mb": 0}, "founders.cm_per_mb is 0; it should be greater than 0"),
        ({}, {"samples": []}, "founders.samples is []; it"),
        ({}, {"chromosomes": [1]}, "founders.chromosomes.1 is 1; it must be text, in quotes"),
        ({}, {"source": "plink"}, "founders.source is 'plink'; it should be 'coalescent', 'frequencies', 'vcf'"),
    ],
)
def test_refused_keys(genome, founders, message):
    own = table(source="vcf", file="x.vcf") | {"genome": genome}
    own["founders"] |= founders
    with pytest.raises(ValueError, match=re.escape(message)):
        check(parse_scenario(own))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("founders.bcf", "none.bcf"), "founders: data/none.bcf cannot be read: No such file or directory"),
        (("founders.bcf", "unphased.vcf"), "unphased.vcf, site 7:20, sample b: genotype 0/1 is not phased; it must be"),
        (
            ("data/male.txt", "data/falls.txt"),
            "falls.txt: the map falls from 3 to 2.5 cM at 7:3000; cM must not fall along",
        ),
    ],
)
def test_the_command_line_says_one_sentence_and_writes_nothing(change, message, folder, tmp_path):
    (tmp_path / "data").mkdir()
    for path in (folder / "data").iterdir():
        (tmp_path / "data" / path.name).write_bytes(path.read_bytes())
    names = " ".join("abcdefghijkl")
    good = "7 10 A C " + "0|1 " * 12
    vcf(tmp_path / "data" / "unphased.vcf", good, "7 20 A C 0|0 0/1 " + "0|1 " * 10, samples=names)
    (tmp_path / "data" / "falls.txt").write_text("Chromosome Position(bp) Rate(cM/Mb) Map(cM)\n7 9 1 3\n7 3000 1 2.5\n")
    (tmp_path / "own.toml").write_text(SCENARIO.replace(*change))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    command = [str(Path(sys.executable).parent / "jaxbreed"), "run", "own.toml", "-o", "out.h5"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=os.environ, timeout=300)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.startswith("jaxbreed: ")
    assert len(result.stderr.strip().splitlines()) == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
