"""What every programme is given: AlphaSimR's sets (../validation/alphasimr), and a ruler for meiosis. NumPy alone."""

import csv
import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np

REFERENCE = Path(__file__).parents[1] / "validation" / "alphasimr"
GENERATIONS, FOUNDERS, PAIRS, EGGS = 12, 20, 10, 300
# Index weights per trait unit, residual variances.
SETS = {"additive": ((0.7, 0.3), (1.5, 2.3333)), "dominance": ((0.6, 0.4), (2.072983, 2.455007))}
COLUMNS = ("mean1", "mean2", "var1", "var2", "cov12", "varp1", "varp2", "smean1", "smean2", "het", "fixed")
Columns = dict[str, np.ndarray]

# The ruler: a pair of loci on each of five chromosomes, and a chromosome of 1 Morgan with a locus every centimorgan.
PAIRS_MORGAN = (0.01, 0.05, 0.2, 0.5, 1.0)
DENSE = 101
RULER_CHROMOSOME = np.concatenate([np.repeat(np.arange(len(PAIRS_MORGAN)), 2), np.full(DENSE, len(PAIRS_MORGAN))])
RULER_MORGAN = np.concatenate([*([0.0, d] for d in PAIRS_MORGAN), np.linspace(0, 1, DENSE)])


class Given(NamedTuple):
    """A set: founders, map, effects."""

    haplotypes: np.ndarray  # (founder, 2, locus) uint8
    chromosome: np.ndarray  # (locus,) from 0
    position: np.ndarray  # (locus,) Morgans
    effects: np.ndarray  # (trait, locus), value of a copy of allele 1
    intercept: np.ndarray  # (trait,)
    dominance: np.ndarray | None  # (trait, locus), value of being heterozygous


def given(name: str) -> Given:
    """What a set starts from."""
    with gzip.open(REFERENCE / f"{name}_founder_haplotypes.csv.gz", "rt") as file:
        haplotypes = np.array(list(csv.reader(file))[1:], np.uint8).reshape(FOUNDERS, 2, -1)
    with open(REFERENCE / f"{name}_loci.csv") as file:
        loci = list(csv.DictReader(file))
    effects = np.array([[float(x[a]) for x in loci] for a in ("a1", "a2")])
    # Their genetic value counts a x (dosage - 1); here it is a x dosage.
    intercept = np.array([float(loci[0][i]) for i in ("intercept1", "intercept2")]) - effects.sum(1)
    dominance = np.array([[float(x[d]) for x in loci] for d in ("d1", "d2")]) if "d1" in loci[0] else None
    chromosome = np.array([int(x["chr"]) - 1 for x in loci])
    return Given(haplotypes, chromosome, np.array([float(x["pos"]) for x in loci]), effects, intercept, dominance)


def alphasimr(name: str) -> Columns:
    """AlphaSimR's 60 replicates, (replicate, generation) each."""
    with gzip.open(REFERENCE / f"{name}_replicates.csv.gz", "rt") as file:
        table = np.genfromtxt(file, delimiter=",", names=True)
    return {column: table[column].reshape(-1, GENERATIONS) for column in COLUMNS}


def haldane(morgan: np.ndarray) -> np.ndarray:
    """Recombination fraction without interference."""
    return 0.5 * (1 - np.exp(-2 * np.asarray(morgan, float)))


def kosambi(morgan: np.ndarray) -> np.ndarray:
    """Recombination fraction with Kosambi's interference."""
    return 0.5 * np.tanh(2 * np.asarray(morgan, float))


def rates(chromosome: np.ndarray, morgan: np.ndarray) -> np.ndarray:
    """Haldane's recombination fraction between each locus and the next, (locus,); 0.5 after a chromosome's last."""
    r = np.full(len(morgan), 0.5)
    same = chromosome[1:] == chromosome[:-1]
    r[:-1][same] = haldane(np.diff(morgan)[same])
    return r


def measure(gametes: np.ndarray) -> dict[str, int | list[int]]:
    """Counts on the ruler of gametes (gamete, locus) of a parent with allele 0 on one haplotype and 1 on the other."""
    here = len(PAIRS_MORGAN) * 2
    recombined = gametes[:, 0:here:2] != gametes[:, 1:here:2]
    switches = (gametes[:, here + 1 :] != gametes[:, here:-1]).sum(1)
    apart = gametes[:, 2:here:2] != gametes[:, 1 : here - 1 : 2]  # of one chromosome's end and the next one's start
    return {
        "gametes": len(gametes),
        "recombined": recombined.sum(0).tolist(),
        "unlinked": int(apart.sum()),
        "crossovers": np.bincount(switches, minlength=16)[:16].tolist(),
    }
