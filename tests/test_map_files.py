"""Genetic maps from files, by hand-computed interpolation, and what eggs make of them."""

import gzip
import re

import jax.numpy as jnp
import numpy as np
import pytest
from founderfiles import vcf

from jaxbreed.founderfile import read_founders
from jaxbreed.kernels import build_walk_map, hatch
from jaxbreed.mapfile import map_sites, read_map, uniform_rate
from jaxbreed.sites import Sites

# 1 cM over the first 1,000 bp of chromosome 1, a half over the next 2,000; 4 cM over 2,000 bp of Z, from 50 cM on.
POINTS = [("1", 1000, 0.0), ("1", 2000, 1.0), ("1", 4000, 1.5), ("Z", 100, 50.0), ("Z", 2100, 54.0)]
SITES = Sites(("1", "Z"), [0, 0, 0, 0, 0, 1, 1, 1], [500, 1000, 1500, 3000, 5000, 100, 600, 2000])


def plink(path, points=POINTS):
    path.write_text("".join(f"{name} snp{bp} {cm} {bp}\n" for name, bp, cm in points))
    return path


def hapmap(path, points=POINTS, header="Chromosome\tPosition(bp)\tRate(cM/Mb)\tMap(cM)"):
    # The rate is wrong on purpose: the map decides.
    text = header + "\n" + "".join(f"{name}\t{bp}\t77\t{cm}\n" for name, bp, cm in points)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize(
    ("write", "name"), [(plink, "x.map"), (hapmap, "x.txt"), (hapmap, "x.txt.gz")], ids=["plink", "hapmap", "gzip"]
)
def test_linear_between_the_points_and_beyond_them(write, name, tmp_path):
    file = read_map(write(tmp_path / name))
    on_map = map_sites(SITES, file, file)
    # 500 bp before the first point is -0.5 cM: all of chromosome 1 moves up by that, to 0. Beyond the last point
    # 1,000 bp are 0.25 cM. Z keeps the file's cM, 2 a thousand bp, and ends where its map does.
    expected = np.array([0, 0.5, 1.0, 1.75, 2.25, 50, 51, 53.8]) / 100
    np.testing.assert_allclose(on_map.position, [expected, expected], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(on_map.length, [[0.0225, 0.54]] * 2, rtol=1e-12)
    assert on_map.chromosome.tolist() == SITES.chromosome.tolist()


def test_two_files_are_female_and_male(tmp_path):
    longer = [(name, bp, 3 * cm) for name, bp, cm in POINTS]
    female, male = read_map(plink(tmp_path / "f.map", longer)), read_map(hapmap(tmp_path / "m.txt"))
    on_map = map_sites(SITES, female, male)
    np.testing.assert_allclose(on_map.position[0], 3 * on_map.position[1], atol=1e-15)
    assert on_map.position[1, -1] == pytest.approx(0.538)
    file = vcf(tmp_path / "x.vcf", *(f"Z {bp} A C 0|1" for bp in (100, 600)), samples="a")
    read = read_founders(file, genetic_map=(tmp_path / "f.map", tmp_path / "m.txt"))
    np.testing.assert_allclose(read.map.position, [[1.5, 1.53], [0.5, 0.51]], atol=1e-15)


def test_other_headers_and_repeated_points(tmp_path):
    repeated = [*POINTS[:2], POINTS[1], *POINTS[2:]]
    header = "chr position COMBINED_rate(cM/Mb) Genetic_Map(cM)"
    file, once = read_map(hapmap(tmp_path / "a", repeated, header)), read_map(plink(tmp_path / "b"))
    assert file.points.keys() == once.points.keys() == {"1", "Z"}
    for name in once.points:
        np.testing.assert_array_equal(file.points[name], once.points[name])
    # A sex without recombination is possible in this form, where 0 cM is not a mark for unknown.
    none = read_map(hapmap(tmp_path / "c", [(name, bp, 0) for name, bp, _ in POINTS]))
    np.testing.assert_array_equal(map_sites(SITES, once, none).position[1], 0)


def test_a_uniform_rate():
    on_map = uniform_rate(SITES, 2.5)
    np.testing.assert_allclose(on_map.position, np.tile(SITES.position * 2.5e-8, (2, 1)), rtol=1e-12)
    np.testing.assert_allclose(on_map.length, [[5000 * 2.5e-8, 2000 * 2.5e-8]] * 2, rtol=1e-12)
    with pytest.raises(ValueError, match="cm_per_mb is -1; it must be finite and at least 0"):
        uniform_rate(SITES, -1.0)


def test_gametes_recombine_as_the_files_say(tmp_path):
    """10 cM in females and 30 in males give (1 - exp(-2 d)) / 2 = 0.0906 and 0.2256 recombinants.

    cM taken for Morgans would give 0.5, Morgans for cM 0.001, no map function 0.1 and 0.3. The standard errors of
    100,000 gametes are 0.0009 and 0.0013.
    """
    female = plink(tmp_path / "f.map", [("1", 1, 0.0), ("1", 2_000_001, 20.0)])
    male = hapmap(tmp_path / "m.txt", [("1", 1, 0.0), ("1", 2_000_001, 60.0)])
    file = vcf(tmp_path / "x.vcf", "1 500001 A C 0|1", "1 1500001 A C 0|1", samples="a")
    founders = read_founders(file, genetic_map=(female, male))
    walk_map = build_walk_map(founders.map.chromosome, founders.map.position, founders.map.length)
    eggs = 100_000
    parents = jnp.broadcast_to(jnp.asarray(founders.haplotypes[0]), (eggs, 2, 2))
    key = jnp.broadcast_to(jnp.array([7, 11], jnp.uint32), (eggs, 2))
    young = np.asarray(hatch(walk_map, key, jnp.arange(eggs, dtype=jnp.uint32), parents, parents))
    share = (young[..., 0] != young[..., 1]).mean(0)
    expected = (1 - np.exp(-2 * np.array([0.1, 0.3]))) / 2
    assert (np.abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / eggs)).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 a 0 5\n1 b 2 9\n1 c 1 20\n", "the map falls from 2 to 1 cM at 1:20; cM must not fall along a chromosome"),
        ("1 a 0 5\n1 b 2 9\n1 c 3 7\n", "1:7 comes after 1:9; the points of a map must be in order of base pairs"),
        ("1 a 0 5\n1 b 2 9\n1 c 3 9\n", "1:9 comes after 1:9; the points of a map must be in order of base pairs"),
        ("2 a 0 5\n2 b 2 9\n", "has no chromosome '1'; it has 2"),
        (
            "1 a 0 500\n1 b 2 900\n",
            "maps chromosome '1' from 500 to 900 bp, but its loci lie from 6 to 30; map and loci",
        ),
        (
            "1 a 0 1\n1 b 2 5\n",
            "maps chromosome '1' from 1 to 5 bp, but its loci lie from 6 to 30; map and loci must be",
        ),
        ("1 a 3 7\n", "has one point on chromosome '1'; a map needs at least two"),
        ("1 a 0 5\n1 b 0 9\n", "has 0 cM all along chromosome '1', which in PLINK's files means unknown; give a map"),
        (
            "1 a 5\n1 b 9\n",
            "line 1: there are 3 columns, not 4; a genetic map is PLINK's .map (chromosome, id, cM, bp;",
        ),
        ("1 a 0 5\n\n1 b 2 9 0\n", "line 3: there are 5 columns, not 4; a genetic map is"),
        ("1 a 0 5\n1 b x 9\n", "line 2: cM 'x' must be a number and bp '9' a whole number from 0 on; a genetic map"),
        ("1 a 0 5\n1 b nan 9\n", "line 2: cM 'nan' must be a number"),
        ("1 a 0 5\n1 b 2 -9\n", "line 2: cM '2' must be a number and bp '-9' a whole number from 0 on"),
        ("1 5 0 0\n1 9 0.5 0.01\n", "line 2: cM '0.5' must be a number and bp '0.01' a whole number from 0 on"),
        ("chr id pos cM\n1 a 5 0\n", "the columns are chr, id, pos, cM; a genetic map is PLINK's .map"),
        ("Chromosome Position(bp) Rate(cM/Mb) Map(cM)\n", "holds no points; a genetic map is PLINK's"),
        ("", "holds no points"),
        (b"\xff\xfe\x00", "is not a text file, or a damaged one"),
    ],
)
def test_bad_maps(text, message, tmp_path):
    path = tmp_path / "x.map"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    file = vcf(tmp_path / "x.vcf", "1 6 A C 0|1", "1 30 A C 0|1", samples="a")
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_founders(file, genetic_map=path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_and_damaged_maps(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.map"):
        read_map(tmp_path / "none.map")
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"1 a 0 5\n" * 1000)[:-20])
    with pytest.raises(ValueError, match=r"x\.gz is not a text file, or a damaged one"):
        read_map(tmp_path / "x.gz")
    plink(tmp_path / "1.map", [("2", 5, 0.0), ("2", 9, 1.0)])
    with pytest.raises(ValueError, match=r"1\.map has no chromosome '1'; it has 2"):
        read_map(tmp_path / "{chromosome}.map", ("1",))
