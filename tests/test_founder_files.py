"""Founders from files and to files: read by others, read back, and one clear sentence for everything else."""

import gzip
import re
import sys

import msprime
import numpy as np
import pysam
import pytest
import tskit
from founderfiles import HEADER, at_rate, drawn, history_of_a_population, uniform, vcf

from jaxbreed.founderfile import read_founders
from jaxbreed.founders import Founders
from jaxbreed.genome import GeneticMap
from jaxbreed.sites import Sites
from jaxbreed.vcf import read_samples
from jaxbreed.vcf_writer import write_vcf


@pytest.fixture(scope="module")
def founders():
    return drawn()


def same(one, other):
    np.testing.assert_array_equal(one.haplotypes, other.haplotypes)
    assert one.samples == other.samples
    assert one.sites.chromosome_names == other.sites.chromosome_names
    for field in ("chromosome", "position", "alleles"):
        np.testing.assert_array_equal(getattr(one.sites, field), getattr(other.sites, field))
    for field in ("chromosome", "position", "length"):
        np.testing.assert_array_equal(getattr(one.map, field), getattr(other.map, field))


def plain_text(path):
    """A VCF taken apart by hand: samples, places, alleles, haplotypes (individual, 2, locus)."""
    text = path.read_bytes()
    text = (gzip.decompress(text) if path.name.endswith(".gz") else text).decode()
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("##")]
    genotypes = [[[int(allele) for allele in cell.split("|")] for cell in line[9:]] for line in lines[1:]]
    places = [(line[0], int(line[1])) for line in lines[1:]]
    return lines[0][9:], places, [line[3:5] for line in lines[1:]], np.array(genotypes).transpose(1, 2, 0)


def by_htslib(path):
    """The same through pysam."""
    with pysam.VariantFile(str(path)) as file:
        records = list(file)
        names = list(file.header.samples)
    assert all(record.samples[name].phased for record in records for name in names)
    genotypes = np.array([[record.samples[name]["GT"] for name in names] for record in records])
    places = [(record.chrom, record.pos) for record in records]
    return names, places, [list(record.alleles) for record in records], genotypes.transpose(1, 2, 0)


@pytest.mark.parametrize(
    ("ending", "reader"),
    [(".vcf", plain_text), (".vcf.gz", plain_text), (".vcf", by_htslib), (".vcf.gz", by_htslib), (".bcf", by_htslib)],
)
def test_others_read_what_is_written(ending, reader, founders, tmp_path):
    path = tmp_path / f"founders{ending}"
    write_vcf(founders, path)
    samples, places, alleles, haplotypes = reader(path)
    np.testing.assert_array_equal(haplotypes, founders.haplotypes)
    assert (haplotypes[:, 0] != haplotypes[:, 1]).any(axis=1).all()  # so that swapped phases would show
    assert samples == list(founders.samples)
    sites = founders.sites
    assert places == [(sites.chromosome_names[c], bp) for c, bp in zip(sites.chromosome, sites.position, strict=True)]
    assert alleles == sites.alleles.tolist()


@pytest.mark.parametrize("ending", [".vcf", ".vcf.gz", ".bcf"])
def test_what_is_written_is_read_back(ending, founders, tmp_path):
    path = tmp_path / f"founders{ending}"
    write_vcf(founders, path)
    back = read_founders(path, cm_per_mb=1.7)
    same(back, at_rate(founders, 1.7))
    assert back.source == f"file {path}"
    assert read_samples(path) == list(founders.samples)


def test_a_bgzipped_file_can_be_indexed(founders, tmp_path):
    write_vcf(founders, tmp_path / "founders.vcf.gz")
    pysam.tabix_index(str(tmp_path / "founders.vcf.gz"), preset="vcf")
    with pysam.VariantFile(str(tmp_path / "founders.vcf.gz")) as file:
        assert len(list(file.fetch("LG2"))) == (founders.sites.chromosome == 1).sum()


def test_more_sites_than_a_block(tmp_path):
    rng = np.random.default_rng(2)
    sites = Sites(("1",), np.zeros(9000, int), np.arange(1, 9001))
    many = Founders(rng.integers(0, 2, (3, 2, 9000)), GeneticMap.uniform(1, 9000, 1.0), "", None, sites)
    write_vcf(many, tmp_path / "many.bcf")
    back = read_founders(tmp_path / "many.bcf", cm_per_mb=1.0)
    np.testing.assert_array_equal(back.haplotypes, many.haplotypes)
    assert back.samples == ("founder_0", "founder_1", "founder_2")
    assert "allele 0 is written A and allele 1 is written T" in gzip.decompress(
        (tmp_path / "many.bcf").read_bytes()
    ).decode(errors="replace")
    assert (back.sites.alleles == ["A", "T"]).all()
    write_vcf(many, tmp_path / "many.vcf")
    lines = (tmp_path / "many.vcf").read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("1\t5000\t"))
    lines[at] = "\t".join([*lines[at].split("\t")[:9], "0|1", "0/0", "1/0"])
    (tmp_path / "many.vcf").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match="site 1:5000, sample founder_2: genotype 1/0 is not phased"):
        read_founders(tmp_path / "many.vcf", cm_per_mb=1.0)


def test_founders_without_base_pairs_are_written_at_a_rate(tmp_path):
    # Sex means of 0.1 and 0.9 Morgan: at 2 cM/Mb they are 5 and 45 Mb. The first locus of VCF is base pair 1.
    on_map = GeneticMap.from_positions([0, 0, 0, 1], [[0, 0.15, 1.0, 0.4], [0, 0.05, 0.8, 0.4]])
    bare = Founders.from_arrays([[[0, 1, 1, 0], [0, 0, 1, 1]]], on_map)
    write_vcf(bare, tmp_path / "bare.vcf", cm_per_mb=2.0)
    back = read_founders(tmp_path / "bare.vcf", cm_per_mb=2.0)
    assert back.sites.position.tolist() == [1, 5_000_000, 45_000_000, 20_000_000]
    assert back.sites.chromosome_names == ("1", "2")
    np.testing.assert_allclose(back.map.position[1], [0, 0.1, 0.9, 0.4], atol=1e-7)
    np.testing.assert_array_equal(back.haplotypes, bare.haplotypes)


def test_writer_refusals(founders, tmp_path):
    bare = Founders.from_arrays(founders.haplotypes, founders.map)
    zero = Founders(np.ones((1, 2, 1), int), uniform(1), "", None, Sites(("1", "2"), [0], [0]))
    tab = Founders(np.ones((1, 2, 1), int), uniform(1), "", ("a\tb",), Sites(("1", "2"), [0], [5]))
    for who, name, rate, message in (
        (founders, "x.txt", None, "x.txt must end in .vcf, .vcf.gz, .bcf"),
        (founders, "x.vcf", 1.0, "cm_per_mb is 1, but these founders have base-pair positions; leave it out"),
        (bare, "x.vcf", None, "cm_per_mb is None; these founders have no base-pair positions, so it must be a rate"),
        (bare, "x.vcf", 0.0, "cm_per_mb is 0.0; these founders have no base-pair positions"),
        (zero, "x.vcf", None, "a site lies at 0 base pairs; VCF counts from 1"),
        (tab, "x.vcf", None, "name 'a\\tb' cannot be written to VCF"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            write_vcf(who, tmp_path / name, cm_per_mb=rate)
    assert list(tmp_path.iterdir()) == []


# Choices


def test_samples_and_chromosomes_come_in_the_order_wanted(founders, tmp_path):
    write_vcf(founders, tmp_path / "f.bcf")
    wanted = [founders.samples[i] for i in (9, 0, 4)]
    part = read_founders(tmp_path / "f.bcf", cm_per_mb=1.0, samples=wanted, chromosomes=["chrZ", "7"])
    first, last = (np.flatnonzero(founders.sites.chromosome == number) for number in (0, 2))
    np.testing.assert_array_equal(part.haplotypes, founders.haplotypes[[9, 0, 4]][:, :, np.r_[last, first]])
    assert part.samples == tuple(wanted)
    assert part.sites.chromosome_names == ("chrZ", "7")
    np.testing.assert_array_equal(part.sites.position, founders.sites.position[np.r_[last, first]])
    assert part.map.chromosome.tolist() == [0] * last.size + [1] * first.size


def test_a_file_for_each_chromosome(founders, tmp_path):
    for number, name in enumerate(founders.sites.chromosome_names):
        here = np.flatnonzero(founders.sites.chromosome == number)
        sites = Sites.from_names([name] * here.size, founders.sites.position[here], founders.sites.alleles[here])
        on_map = GeneticMap.uniform(1, here.size, 1.0)
        write_vcf(
            Founders(founders.haplotypes[:, :, here], on_map, "", founders.samples, sites), tmp_path / f"{name}.vcf"
        )
        # A map of each: half a cM every 1,000 bp.
        (tmp_path / f"{name}.map").write_text(f"{name} a 0 0\n{name} b 50000 100000000\n")
    back = read_founders(
        tmp_path / "{chromosome}.vcf", genetic_map=tmp_path / "{chromosome}.map", chromosomes=["7", "LG2", "chrZ"]
    )
    np.testing.assert_array_equal(back.haplotypes, founders.haplotypes)
    np.testing.assert_array_equal(back.sites.position, founders.sites.position)
    np.testing.assert_array_equal(back.sites.alleles, founders.sites.alleles)
    np.testing.assert_allclose(back.map.position, np.tile(founders.sites.position * 0.5e-3 / 100, (2, 1)))
    vcf(tmp_path / "LG2.vcf", "LG2 5 A C 0|1", samples="stranger")
    with pytest.raises(ValueError, match="different samples; they must have the same"):
        read_founders(tmp_path / "{chromosome}.vcf", cm_per_mb=1, chromosomes=["7", "LG2"])
    with pytest.raises(ValueError, match=r"chromosomes is missing; it must list the names that \{chromosome\} in"):
        read_founders(tmp_path / "{chromosome}.vcf", cm_per_mb=1)


def test_thinning_keeps_whole_loci(founders):
    less = founders.thin(31, seed=4)
    # Every site of these founders lies elsewhere, so that its place tells which locus it was.
    place = list(zip(founders.sites.chromosome, founders.sites.position, strict=True))
    assert len(set(place)) == 90
    kept = [place.index(at) for at in zip(less.sites.chromosome, less.sites.position, strict=True)]
    assert kept == sorted(set(kept))
    assert len(kept) == 31
    np.testing.assert_array_equal(less.haplotypes, founders.haplotypes[:, :, kept])
    np.testing.assert_array_equal(less.map.position, founders.map.position[:, kept])
    np.testing.assert_array_equal(less.map.length, founders.map.length)
    np.testing.assert_array_equal(less.sites.alleles, founders.sites.alleles[kept])
    assert less.samples == founders.samples
    np.testing.assert_array_equal(founders.thin(31, seed=4).haplotypes, less.haplotypes)
    assert not np.array_equal(founders.thin(31, seed=5).sites.position, less.sites.position)
    assert founders.thin(90, seed=4) is founders


def test_every_locus_may_be_kept(founders):
    times = sum(np.isin(founders.sites.position, founders.thin(30, seed).sites.position) for seed in range(90))
    # Binomial with 90 draws of chance 1/3: SD 4.5. The first or last locus is never out, none is always in.
    assert times.min() > 30 - 27
    assert times.max() < 30 + 27


# VCF


def test_a_homozygote_may_have_a_slash_and_unwanted_samples_anything(tmp_path):
    path = vcf(
        tmp_path / "x.vcf.gz", "1 5 A C 0/0 1|0 ./.", "1 5 A AT 1/1 0|1 0/1", "2 7 GC G 0|1 1/1 1", "3 9 A . .|. 0 1"
    )
    read = read_founders(path, cm_per_mb=1.0, samples=["bob", "ann"], chromosomes=["1", "2"])
    assert read.haplotypes.tolist() == [[[1, 0, 1], [0, 1, 1]], [[0, 1, 0], [0, 1, 1]]]
    assert read.sites.alleles.tolist() == [["A", "C"], ["A", "AT"], ["GC", "G"]]
    np.testing.assert_allclose(read.map.position[0], [5e-8, 5e-8, 7e-8])


@pytest.mark.parametrize(
    ("records", "message"),
    [
        (["1 5 A C 0|1 0|1 0|1", "1 6 A C 0|0 0/1 1|1"], "1:6, sample bob: genotype 0/1 is not phased; it must be"),
        (["1 6 A C 1/0 0|0 1/1"], "1:6, sample ann: genotype 1/0 is not phased; it must be written 0|1 or 1|0"),
        (["2 8 A C 0|1 0|1 .|."], "2:8, sample cy: genotype .|. is missing; impute it, or leave out the site or the"),
        (["2 8 A C 0|1 .|1 0|1"], "2:8, sample bob: genotype .|1 is missing"),
        (["2 8 A C 0|1 . 0|1"], "2:8, sample bob: genotype . is missing"),
        (["2 8 A C 0|1 1 0|1"], "2:8, sample bob: genotype 1 is not of a diploid; every founder needs two alleles"),
        (["2 8 A C 0 1 0"], "2:8, sample ann: genotype 0 is not of a diploid"),
        (["2 8 A C 0|1 0|1|1 0|1"], "2:8, sample bob: genotype 0|1|1 is not of a diploid"),
        (["2 8 A C 0|1 0|2 0|1"], "2:8, sample bob: genotype 0|2 has an allele that the site does not have"),
        (["2 8 A C,G 0|1 0|1 0|1"], "site 2:8: the number of alleles is 3; it must be 2 (`bcftools view -m2 -M2`"),
        (["2 8 A . 0|0 0|0 0|0"], "site 2:8: the number of alleles is 1; it must be 2"),
        (
            ["1 9 A C 0|1 0|1 0|1", "1 8 A C 0|1 0|1 0|1"],
            "site 1:8 comes after 1:9; sites must be in order of position",
        ),
        (
            ["1 5 A C 0|1 0|1 0|1", "2 5 A C 0|1 0|1 0|1", "1 6 A C 0|1 0|1 0|1"],
            "the sites of chromosome '1' do not stand together; sites must be in order",
        ),
        ([], "has no sites"),
        (["1 5 A C 0|1 0|1 0|1", "1 x A C 0|1"], "what comes after 1:5 is damaged and cannot be read"),
    ],
)
def test_bad_vcf(records, message, tmp_path, capfd):
    path = vcf(tmp_path / "bad.vcf", *records)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_founders(path, cm_per_mb=1.0)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")  # htslib says nothing of its own


def test_bad_vcf_files(tmp_path, founders, monkeypatch):
    def refused(path, message, kind=ValueError, **choice):
        with pytest.raises(kind, match=re.escape(message)):
            read_founders(path, cm_per_mb=1.0, **choice)

    good = vcf(tmp_path / "good.vcf", "1 5 A C 0|1 0|1 0|1")
    refused(tmp_path / "none.vcf", "No such file", FileNotFoundError)
    refused(vcf(tmp_path / "x.vcf", samples="ann bob ann"), "sample 'ann' occurs twice; every sample needs a name")
    refused(vcf(tmp_path / "x.vcf", samples=""), "x.vcf has no samples; founders need genotypes")
    refused(good, "good.vcf has no sample 'dan'; it has ann, bob, cy", samples=["ann", "dan"])
    refused(good, "samples names 'ann' twice; each sample can be chosen once", samples=["ann", "ann"])
    refused(good, "samples is empty", samples=[])
    refused(good, "good.vcf has no sites on 2", chromosomes=["2"])
    refused(good, "good.vcf has no chromosome '2'; it has 1", chromosomes=["1", "2"])
    refused(good, "is not a tree sequence (.trees) of tskit's, or a damaged one", source="trees")
    (tmp_path / "x.vcf").write_text("chromosome,position\n")
    refused(tmp_path / "x.vcf", "x.vcf is not a VCF or BCF file, or a damaged one")
    (tmp_path / "x.vcf").write_text(HEADER)
    refused(tmp_path / "x.vcf", "x.vcf is not a VCF or BCF file, or a damaged one")
    (tmp_path / "x.vcf").write_text(good.read_text().replace("GT", "DP"))
    refused(tmp_path / "x.vcf", "site 1:5: there are no genotypes (GT); every site needs them")
    write_vcf(founders, tmp_path / "whole.vcf.gz")
    whole = (tmp_path / "whole.vcf.gz").read_bytes()
    (tmp_path / "x.vcf.gz").write_bytes(whole[:-28])
    refused(tmp_path / "x.vcf.gz", "is cut short: the block that ends a compressed file is missing")
    (tmp_path / "x.vcf.gz").write_bytes(gzip.compress(good.read_bytes())[:-40])
    refused(tmp_path / "x.vcf.gz", "x.vcf.gz is not a VCF or BCF file, or a damaged one")
    refused(tmp_path / "x.txt", "x.txt must end in .vcf, .vcf.gz, .bcf, .trees, .npy, .npz, or source must be given")
    for choice in ({}, {"genetic_map": "a.map", "cm_per_mb": 1.0}):
        with pytest.raises(ValueError, match=r"just one of a genetic map \(map\) and a uniform rate"):
            read_founders(good, **choice)
    monkeypatch.setitem(sys.modules, "cyvcf2", None)
    refused(good, 'VCF and BCF need cyvcf2, which is not installed: pip install "jaxbreed[vcf]"')


# Tree sequences


def test_trees_are_what_tskit_says(tmp_path):
    trees = history_of_a_population()
    trees.dump(tmp_path / "x.trees")
    read = read_founders(tmp_path / "x.trees", cm_per_mb=3.0)
    genotypes = trees.genotype_matrix()  # (site, genome)
    assert genotypes.shape[0] > 100
    for animal in trees.individuals():
        np.testing.assert_array_equal(read.haplotypes[animal.id], genotypes[:, animal.nodes].T)
        assert animal.nodes.tolist() == [animal.id, animal.id + 6]
    assert read.samples == tuple(f"tsk_{i}" for i in range(6))
    assert read.sites.position.tolist() == trees.sites_position.tolist()
    assert read.sites.alleles.tolist() == [
        [site.ancestral_state, site.mutations[0].derived_state] for site in trees.sites()
    ]
    np.testing.assert_allclose(read.map.position, np.tile(trees.sites_position * 3e-8, (2, 1)))
    part = read_founders(tmp_path / "x.trees", cm_per_mb=3.0, samples=["tsk_4", "tsk_1"], chromosomes=["X"])
    np.testing.assert_array_equal(part.haplotypes, read.haplotypes[[4, 1]])
    assert part.sites.chromosome_names == ("X",)


@pytest.mark.parametrize("ending", [".vcf", ".vcf.gz", ".bcf"])
def test_vcf_that_tskit_writes(ending, tmp_path):
    trees = history_of_a_population()
    trees.dump(tmp_path / "x.trees")
    with open(tmp_path / "x.vcf", "w") as file:
        trees.write_vcf(file)
    path = tmp_path / f"x{ending}"
    if ending == ".vcf.gz":
        pysam.tabix_compress(str(tmp_path / "x.vcf"), str(path))
    if ending == ".bcf":
        with (
            pysam.VariantFile(str(tmp_path / "x.vcf")) as text,
            pysam.VariantFile(str(path), "wb", header=text.header) as out,
        ):
            for record in text:
                out.write(record)
    same(read_founders(path, cm_per_mb=3.0), read_founders(tmp_path / "x.trees", cm_per_mb=3.0))


def test_bad_trees(tmp_path):
    def refused(trees, message, **choice):
        trees.dump(tmp_path / "x.trees")
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            read_founders(tmp_path / "x.trees", cm_per_mb=1.0, **choice)
        assert "\n" not in str(caught.value)

    ancestry = {"population_size": 500, "sequence_length": 1e5, "random_seed": 1}
    good = history_of_a_population()
    refused(msprime.sim_ancestry(3, **ancestry), "has no sites; put mutations on its trees first")
    haploid = msprime.sim_mutations(msprime.sim_ancestry(3, ploidy=1, **ancestry), 1e-7, random_seed=1)
    refused(haploid, "sample tsk_0 has 1 sampled genomes; every founder must be diploid")
    refused(good.simplify(range(11)), "sample tsk_5 has 1 sampled genomes; every founder must be diploid")
    tables = good.dump_tables()
    tables.nodes.flags = np.where(np.arange(tables.nodes.num_rows) < 11, tskit.NODE_IS_SAMPLE, 0).astype(np.uint32)
    refused(tables.tree_sequence(), "sample tsk_5 has 1 sampled genomes; every founder must be diploid")
    tables = good.dump_tables()
    tables.nodes.individual = np.full(tables.nodes.num_rows, tskit.NULL, np.int32)
    refused(tables.tree_sequence(), "has sampled genomes that belong to no individual; every founder must be diploid")
    many = msprime.sim_mutations(msprime.sim_ancestry(3, **ancestry), 1e-3, random_seed=1)
    refused(many, "alleles; it must have two (see tskit's delete_sites)")
    between = msprime.sim_mutations(msprime.sim_ancestry(3, **ancestry), 1e-7, random_seed=1, discrete_genome=False)
    refused(between, "lies between base pairs; positions must be whole numbers")
    tables = good.dump_tables()
    tables.edges.set_columns(
        **{
            field: getattr(tables.edges, field)[tables.edges.child != 3]
            for field in ("left", "right", "parent", "child")
        }
    )
    tables.mutations.clear()
    tables.mutations.add_row(site=0, node=0, derived_state="T")
    refused(tables.tree_sequence(), f"sample tsk_3 has no allele at site 1:{good.site(0).position:.0f}; every founder")
    refused(good, "chromosomes is ['1', '2']; a tree sequence is one chromosome", chromosomes=["1", "2"])
    refused(good, "x.trees has no sample 'tsk_9'; it has tsk_0, tsk_1", samples=["tsk_9"])


# NumPy


def test_numpy_files(founders, tmp_path):
    np.save(tmp_path / "x.npy", founders.haplotypes.astype(float))
    read = read_founders(tmp_path / "x.npy", genetic_map=founders.map)
    np.testing.assert_array_equal(read.haplotypes, founders.haplotypes)
    assert (read.map, read.samples, read.sites) == (founders.map, None, None)
    names = np.array(founders.sites.chromosome_names)[founders.sites.chromosome]
    np.savez_compressed(
        tmp_path / "x.npz",
        haplotypes=founders.haplotypes,
        chromosome=names,
        position=founders.sites.position,
        samples=np.array(founders.samples),
    )
    read = read_founders(tmp_path / "x.npz", cm_per_mb=2.0, samples=founders.samples[3:5], chromosomes=["LG2"])
    here = founders.sites.chromosome == 1
    np.testing.assert_array_equal(read.haplotypes, founders.haplotypes[3:5][:, :, here])
    assert read.samples == founders.samples[3:5]
    np.testing.assert_array_equal(read.sites.position, founders.sites.position[here])


def test_bad_numpy_files(tmp_path):
    alleles = np.arange(24).reshape(2, 2, 6) % 2
    places = {"chromosome": np.repeat([1, 2], 3), "position": np.array([1, 5, 9, 2, 3, 3])}
    mixed = {"chromosome": np.array([1, 2, 1, 2, 1, 2]), "position": np.arange(6)}
    for arrays, message in (
        ({"genotypes": alleles}, "holds the arrays genotypes; it must hold haplotypes (individual, 2, locus)"),
        ({"haplotypes": alleles, "map": alleles}, "holds the arrays haplotypes, map; it must hold"),
        ({"haplotypes": alleles[0]}, "haplotypes has shape (2, 6); it must be (individual, 2, locus)"),
        ({"haplotypes": alleles.transpose(0, 2, 1)}, "haplotypes has shape (2, 6, 2); it must be"),
        ({"haplotypes": alleles.astype(str)}, "haplotypes is of <U21; it must hold alleles 0 and 1"),
        ({"haplotypes": alleles + np.eye(2, dtype=int)[:, :, None]}, "individual 0 has allele 2 at locus 1; it must"),
        ({"haplotypes": np.where(alleles, np.nan, 0)}, "individual 0 has allele nan at locus 1; it must be 0 or 1"),
        ({"haplotypes": alleles, "position": np.arange(6)}, "has chromosome or position without the other"),
        ({"haplotypes": alleles, "samples": ["a"]}, "samples has shape (1,); it must be (2,)"),
        ({"haplotypes": alleles, "samples": ["a", "a"]} | places, "sample 'a' occurs twice"),
        ({"haplotypes": alleles} | places | {"position": np.arange(6) / 2}, "must hold whole numbers of base pairs"),
        ({"haplotypes": alleles} | places | {"position": np.arange(6)[::-1]}, "site 1:4 comes after 1:5; sites must"),
        ({"haplotypes": alleles} | mixed, "the sites of chromosome '1' do not stand together"),
        ({"haplotypes": alleles} | places | {"position": np.arange(6) - 1}, "position -1 must be at least 0"),
        ({"haplotypes": alleles}, "holds no chromosome and position; genetic_map must be a GeneticMap of its loci"),
        ({"haplotypes": np.array([None])}, "is not a .npy or .npz file of numbers and names, or a damaged one"),
    ):
        np.savez(tmp_path / "x.npz", **arrays)
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            read_founders(tmp_path / "x.npz", cm_per_mb=1.0)
        assert str(caught.value).startswith(str(tmp_path / "x.npz"))
        assert "\n" not in str(caught.value)
    np.savez(tmp_path / "x.npz", haplotypes=alleles)
    for choice in ({"samples": ["a"]}, {"chromosomes": ["1"]}):
        with pytest.raises(ValueError, match="names to choose from; it must hold haplotypes"):
            read_founders(tmp_path / "x.npz", cm_per_mb=1.0, **choice)
    with pytest.raises(ValueError, match="cm_per_mb is 1 and genetic_map is given too; just one of them must be"):
        read_founders(tmp_path / "x.npz", cm_per_mb=1.0, genetic_map=uniform(6))
    for text in (b"0 1 1", b"", b"PK\x03\x04", b"\x93NUMPY\x01"):
        (tmp_path / "x.npy").write_bytes(text)
        with pytest.raises(ValueError, match=r"x\.npy is not a \.npy or \.npz file"):
            read_founders(tmp_path / "x.npy", genetic_map=uniform(6))


# Founders themselves


def test_names_and_sites_must_fit():
    sites = Sites(("a", "b"), [0, 0, 1], [5, 9, 2])
    on_map = GeneticMap.from_positions([0, 0, 1], [0.0, 0.5, 0.1])
    alleles = np.zeros((2, 2, 3), int)
    for samples, where, message in (
        (("x",), sites, "samples: there are 1 names for 2 founders"),
        (("x", "x"), sites, "sample 'x' occurs twice; every founder needs a name of its own"),
        (
            None,
            Sites(("a", "b"), [0, 1, 1], [5, 9, 12]),
            "sites and map must have the same loci on the same chromosomes",
        ),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            Founders(alleles, on_map, "", samples, where)
    for arguments, message in (
        ((("a", "a"), [0, 0], [1, 2]), "chromosome name 'a' occurs twice"),
        ((("a",), [0, 1], [1, 2]), "chromosome must not decrease, from at least 0 to below 1"),
        ((("a",), [0, 0], [1]), "must both be (locus,), at least one locus"),
        ((("a",), [0, 0], [1, 2], [["A", "C"]]), "alleles.shape=(1, 2) must be (locus, 2) = (2, 2)"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            Sites(*arguments)
    with pytest.raises(ValueError, match="read-only"):
        sites.position[0] = 3
