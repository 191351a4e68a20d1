"""How each peer is given a map and makes gametes: a function (haplotypes, dams, sires, eggs a pair) -> young.

Its own package is imported where it is used: each peer has an environment of its own.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from reference import rates


class Peer(NamedTuple):
    """A simulator: what to report the version of, its ways to be given a map, the one its programme runs with."""

    packages: tuple[str, ...]
    maps: dict[str, Callable[..., Any]]
    programme: str | None
    sample: Callable[[int], dict[str, Any]] | None = None  # crossovers on the map that it brings along


def pairs(dams: np.ndarray, sires: np.ndarray, eggs: int) -> tuple[np.ndarray, np.ndarray]:
    """Parents of every egg."""
    return np.repeat(dams, eggs), np.repeat(sires, eggs)


def chromax(column: str) -> Callable[..., Any]:
    """ChromaX, given recombination rates or centimorgans."""

    def make(chromosome: np.ndarray, morgan: np.ndarray, seed: int) -> Any:
        import chromax as cx
        import pandas as pd

        values = rates(chromosome, morgan) if column == "RecombRate" else 100 * morgan
        table = pd.DataFrame({"CHR.PHYS": chromosome, column: values.astype(np.float32), "trait": 1.0})
        simulator = cx.Simulator(genetic_map=table, trait_names=["trait"], seed=seed)

        def cross(herd: np.ndarray, dams: np.ndarray, sires: np.ndarray, eggs: int) -> np.ndarray:
            dam, sire = pairs(dams, sires, eggs)
            genome = herd.transpose(0, 2, 1).astype(bool)  # (animal, locus, haplotype)
            young = simulator.cross(np.stack([genome[dam], genome[sire]], axis=1))
            return np.asarray(young).transpose(0, 2, 1).astype(np.uint8)

        return cross

    return make


def chromax_sample(seed: int, young: int = 1_000) -> dict[str, Any]:
    """Crossovers of a gamete on ChromaX's own sample map, in centimorgans as its documentation has it, and Morgans."""
    import chromax as cx
    import pandas as pd
    from chromax import sample_data

    table = pd.read_table(sample_data.genetic_map, sep="\t")
    simulator = cx.Simulator(genetic_map=sample_data.genetic_map, seed=seed)
    parents = np.zeros((young, 2, len(table), 2), bool)
    parents[..., 1] = True
    gametes = np.moveaxis(np.asarray(simulator.cross(parents)), -1, 1).reshape(2 * young, -1)
    together = table["CHR.PHYS"].to_numpy()[1:] == table["CHR.PHYS"].to_numpy()[:-1]
    seen = ((gametes[:, 1:] != gametes[:, :-1]) & together).sum(1)
    length = table.groupby("CHR.PHYS", sort=False)["cM"].agg(lambda x: x.max() - x.min()) / 100
    first = (gametes[:, 1:] != gametes[:, :-1])[:, (table["CHR.PHYS"] == length.index[0]).to_numpy()[1:] & together]
    return {
        "gametes": 2 * young,
        "chromosomes": len(length),
        "morgans": float(length.sum()),
        "mean": float(seen.mean()),
        "se": float(seen.std(ddof=1) / np.sqrt(len(seen))),
        "first_morgans": float(length.iloc[0]),
        "first_mean": float(first.sum(1).mean()),
    }


def pybrops(function: str) -> Callable[..., Any]:
    """PyBrOpS, given Morgans and one of its map functions."""

    def make(chromosome: np.ndarray, morgan: np.ndarray, seed: int) -> Any:
        from pybrops.breed.prot.mate.TwoWayCross import TwoWayCross
        from pybrops.popgen.gmap.HaldaneMapFunction import HaldaneMapFunction
        from pybrops.popgen.gmap.KosambiMapFunction import KosambiMapFunction
        from pybrops.popgen.gmap.StandardGeneticMap import StandardGeneticMap
        from pybrops.popgen.gmat.DensePhasedGenotypeMatrix import DensePhasedGenotypeMatrix

        place = np.rint(morgan * 1e8).astype(np.int64) + 1
        groups = chromosome.astype(np.int64) + 1
        map_ = StandardGeneticMap(groups, place, morgan, vrnt_genpos_units="M")
        chosen = HaldaneMapFunction() if function == "Haldane" else KosambiMapFunction()
        protocol = TwoWayCross(rng=np.random.default_rng(seed))

        def cross(herd: np.ndarray, dams: np.ndarray, sires: np.ndarray, eggs: int) -> np.ndarray:
            genome = np.ascontiguousarray(herd.transpose(1, 0, 2)).astype(np.int8)  # (haplotype, animal, locus)
            animals = DensePhasedGenotypeMatrix(genome, vrnt_chrgrp=groups, vrnt_phypos=place)
            animals.group_vrnt()
            animals.interp_xoprob(map_, chosen)
            young = protocol.mate(animals, np.stack([dams, sires], axis=1), 1, eggs)
            return young.mat.transpose(1, 0, 2).astype(np.uint8)

        return cross

    return make


def simupop(given: str) -> Callable[..., Any]:
    """simuPOP, given recombination rates, or Morgans and an intensity of 1."""

    def make(chromosome: np.ndarray, morgan: np.ndarray, seed: int) -> Any:
        import simuOpt

        simuOpt.setOptions(optimized=True, quiet=True, numThreads=1)
        import simuPOP as sim  # noqa: N813

        sim.setRNG(seed=seed)
        loci = np.bincount(chromosome).tolist()
        if given == "rates":
            recombine = sim.Recombinator(rates=rates(chromosome, morgan).tolist(), loci=list(range(len(morgan))))
        else:
            recombine = sim.Recombinator(intensity=1.0)

        def cross(herd: np.ndarray, dams: np.ndarray, sires: np.ndarray, eggs: int) -> np.ndarray:
            population = sim.Population(size=len(herd), loci=loci, lociPos=morgan.tolist())
            population.setGenotype(herd.reshape(-1).tolist())
            for animal in population.individuals():
                animal.setSex(sim.MALE)
            for dam in dams:
                population.individual(int(dam)).setSex(sim.FEMALE)

            def choose(pop: Any) -> Any:  # simuPOP goes by the name of the argument
                del pop
                for dam, sire in zip(dams, sires, strict=True):
                    yield int(sire), int(dam)

            population.evolve(
                matingScheme=sim.HomoMating(
                    sim.PyParentsChooser(choose),
                    sim.OffspringGenerator(ops=recombine, numOffspring=eggs),
                    subPopSize=len(dams) * eggs,
                ),
                gen=1,
            )
            # Which haplotype is whose does not matter here: both parents have the same map.
            alleles = np.frombuffer(bytes(population.genotype().tolist()), np.uint8)
            return alleles.reshape(len(dams) * eggs, 2, -1)

        return cross

    return make


def fwdpy11(chromosome: np.ndarray, morgan: np.ndarray, seed: int) -> Any:
    """fwdpy11, given intervals in Morgans; one generation of its own mating, gametes read from its edges.

    The genome is one line: each chromosome has a stretch of its own, with a point of rate 0.5 between two.
    """
    import fwdpy11 as fp

    counts = iter(range(1_000_000))
    start = np.array([0.0, *np.cumsum([morgan[chromosome == c].max() + 0.5 for c in range(chromosome.max())])])
    length = np.array([morgan[chromosome == c].max() for c in range(chromosome.max() + 1)])
    place = start[chromosome] + morgan
    regions: list[Any] = [fp.PoissonInterval(a, a + d, d) for a, d in zip(start, length, strict=True)]
    regions += [fp.BinomialPoint(a + d + 0.25, 0.5) for a, d in zip(start[:-1], length[:-1], strict=True)]
    total = float(start[-1] + length[-1] + 0.25)

    def cross(herd: np.ndarray, dams: np.ndarray, sires: np.ndarray, eggs: int) -> np.ndarray:
        del herd, dams, sires  # everybody is heterozygous everywhere: the first haplotype 0, the second 1
        population = fp.DiploidPopulation(eggs, total)
        parameters = fp.ModelParams(
            rates=(0.0, 0.0, None),
            gvalue=fp.Additive(2.0),
            nregions=[],
            sregions=[],
            recregions=regions,
            simlen=1,
            prune_selected=False,
            demography=fp.ForwardDemesGraph.tubes([eggs], burnin=1, burnin_is_exact=True),
        )
        rng = fp.GSLrng(seed + next(counts))
        fp.evolvets(rng, population, parameters, 100, preserve_first_generation=True)
        edges = population.tables.edges
        left, right, parent, child = np.array([(e.left, e.right, e.parent, e.child) for e in edges]).T
        node = np.unique(child)  # of the young; the parents' nodes come before them
        gametes = np.full((len(node), len(place)), 255, np.uint8)
        row = np.searchsorted(node, child)
        for locus, x in enumerate(place):
            here = (left <= x) & (x < right)
            gametes[row[here], locus] = parent[here] % 2
        return gametes.reshape(-1, 2, len(place))

    return cross


PEERS = {
    "chromax": Peer(
        ("chromax", "jax", "jaxlib", "pandas"),
        {"RecombRate": chromax("RecombRate"), "cM": chromax("cM")},
        "RecombRate",
        chromax_sample,
    ),
    "pybrops": Peer(("pybrops",), {"Haldane": pybrops("Haldane"), "Kosambi": pybrops("Kosambi")}, "Haldane"),
    "simupop": Peer(("simuPOP",), {"rates": simupop("rates"), "intensity": simupop("intensity")}, "rates"),
    "fwdpy11": Peer(("fwdpy11", "tskit"), {"PoissonInterval": fwdpy11}, None),
}
