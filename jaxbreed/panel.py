"""The founders of a scenario that come from its files."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np

from jaxbreed.founderfile import Source, per_chromosome, place, read_variants
from jaxbreed.founders import Founders
from jaxbreed.genome import GeneticMap
from jaxbreed.mapfile import read_map
from jaxbreed.scenario import Scenario
from jaxbreed.variants import Variants, choose
from jaxbreed.vcf import cyvcf2, read_samples

_OF_FILES = ("file", "map", "cm_per_mb", "samples", "chromosomes")
_OF_DRAWS = ("effective_size", "frequency")
_FOREIGN = {"coalescent": (*_OF_FILES, "frequency"), "frequencies": (*_OF_FILES, "effective_size")}


def check_panel(scenario: Scenario) -> int | None:
    """Everything about a scenario's files that can be known before the sites of a VCF are read.

    Args:
      scenario: any.

    Returns:
      Number of founders in the files; None where founders are drawn instead.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    table, genome = scenario.founders, scenario.genome
    foreign = _FOREIGN.get(table.source, _OF_DRAWS)
    if wrong := [key for key in foreign if key in table.model_fields_set]:
        raise ValueError(f'founders.{wrong[0]} is given; it does not go with founders.source = "{table.source}"')
    if not table.from_files:
        return None
    if table.file is None:
        raise ValueError(f'founders.file is missing; founders.source = "{table.source}" needs one')
    for key in ("chromosomes", "morgans"):
        if getattr(genome, key) is not None:
            raise ValueError(f"genome.{key} is given; chromosomes and their lengths come from founders.file")
    if table.source != "vcf":
        return read_panel(scenario).individuals
    with _plain_words():
        cyvcf2()
        files = [table.file]
        if "{chromosome}" in table.file:
            files = [file for file, _ in per_chromosome(table.file, table.chromosomes)]
        individuals = [len(choose(file, table.samples, read_samples(file), "sample")) for file in files]
        _check_map_given(scenario)
        for path in _map_files(scenario):
            read_map(path, table.chromosomes or ())
    return individuals[0]


def read_panel(scenario: Scenario) -> Founders:
    """Reads founders, puts them on their map, and thins their loci to `genome.loci` if that is given.

    Loci of arrays without positions are spaced evenly over the species' chromosomes.

    Args:
      scenario: one whose founders come from files.

    Returns:
      The founders.

    Raises:
      ValueError: naming the field, its value and what would be right.
    """
    table = scenario.founders
    file, source = cast(str, table.file), cast(Source, table.source)
    with _plain_words():
        variants = read_variants(file, source, table.samples, table.chromosomes)
        genetic_map = _map_of(scenario, variants)
        founders = Founders(variants.haplotypes, genetic_map, f"file {file}", variants.samples, variants.sites)
    if "loci" not in scenario.genome.model_fields_set:
        return founders
    if scenario.genome.loci > founders.map.loci:
        raise ValueError(
            f"genome.loci is {scenario.genome.loci}; it must be at most {founders.map.loci}, the loci of the founders' "
            "file, or left out for all of them"
        )
    return founders.thin(scenario.genome.loci, scenario.programme.seed)


def _map_of(scenario: Scenario, variants: Variants) -> GeneticMap:
    table, preset = scenario.founders, scenario.preset
    if variants.sites is not None:
        _check_map_given(scenario)
        return place(variants.sites, table.map, table.cm_per_mb)
    if table.map is not None or table.cm_per_mb is not None:
        raise ValueError(f"{table.file} holds no chromosome and position, so map and cm_per_mb must be left out")
    chromosomes = preset.chromosomes.value
    total = np.array([preset.map_morgans_female.value, preset.map_morgans_male.value])
    return GeneticMap.uniform(chromosomes, variants.loci, total / chromosomes)


def _check_map_given(scenario: Scenario) -> None:
    table = scenario.founders
    if (table.map is None) == (table.cm_per_mb is None):
        count = "neither" if table.map is None else "both"
        raise ValueError(f"{count} of map and cm_per_mb is given; just one of them must be")


def _map_files(scenario: Scenario) -> tuple[str, ...]:
    given = scenario.founders.map
    return () if given is None else (given,) if isinstance(given, str) else given


@contextmanager
def _plain_words() -> Iterator[None]:
    """Says which table of the scenario a fault of its files belongs to."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"founders: {error.filename} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"founders: {error}") from None
