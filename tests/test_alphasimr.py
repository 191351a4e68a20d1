"""Agreement with 2 x 60 runs of AlphaSimR 2.1.0 (no interference): same founders, map, effects and scheme."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from jaxbreed.founders import Founders
from jaxbreed.genome import GeneticMap
from jaxbreed.program import Settings, make_program
from jaxbreed.schedule import constant_schedule
from jaxbreed.simulation import simulate
from jaxbreed.traits import traits_from_effects

HERE = Path(__file__).parents[1] / "experiments" / "validation" / "alphasimr"
REPLICATES, GENERATIONS = 60, 12


# Index weights per trait unit, residual variances.
SETS = {"additive": ((0.7, 0.3), (1.5, 2.3333)), "dominance": ((0.6, 0.4), (2.072983, 2.455007))}
COLUMNS = ["mean1", "mean2", "var1", "var2", "cov12", "varp1", "varp2", "smean1", "smean2", "fixed"]


def read_founders(name):
    with gzip.open(HERE / f"{name}_founder_haplotypes.csv.gz", "rt") as file:
        rows = list(csv.reader(file))[1:]
    haplotypes = np.array(rows, np.uint8).reshape(20, 2, -1)
    with open(HERE / f"{name}_loci.csv") as file:
        loci = list(csv.DictReader(file))
    genetic_map = GeneticMap.from_positions(
        np.array([int(x["chr"]) - 1 for x in loci]), np.array([float(x["pos"]) for x in loci])
    )
    effects = np.array([[float(x[a]) for x in loci] for a in ("a1", "a2")])
    # Their genetic value counts a x (dosage - 1); ours counts a x dosage.
    intercept = np.array([float(loci[0][i]) for i in ("intercept1", "intercept2")]) - effects.sum(1)
    dominance = np.array([[float(x[d]) for x in loci] for d in ("d1", "d2")]) if "d1" in loci[0] else None
    return Founders.from_arrays(haplotypes, genetic_map), effects, intercept, dominance


@pytest.fixture(scope="module", params=list(SETS))
def runs(request):
    founders, effects, intercept, dominance = read_founders(request.param)
    weights, residual = SETS[request.param]
    loci = np.arange(effects.shape[1])
    traits = traits_from_effects(
        ("first", "second"), loci, effects, intercept, np.diag(residual), np.ones(2), dominance=dominance
    )
    settings = Settings(lineages=10, eggs=(300, 300), scope="across", mating="random", sexes="alternate")
    program = make_program(founders.map, traits, settings)
    sd = np.asarray(traits.sd_phenotypic)  # weights are per SD here, per unit there
    schedule = constant_schedule(GENERATIONS, (weights[0] * sd[0], weights[1] * sd[1]))
    history = simulate(program, founders, schedule, replicates=REPLICATES, seed=1, shared_founders=True)
    here = slice(0, GENERATIONS)
    ours = {}
    for t in range(2):
        ours[f"mean{t + 1}"] = history["tested_mean"][:, here, t]
        ours[f"var{t + 1}"] = history["tested_variance"][:, here, t]
        ours[f"varp{t + 1}"] = history["phenotypic_variance"][:, here, t]
        ours[f"smean{t + 1}"] = history["selected_mean"][:, here, t]
    ours["cov12"] = history["tested_covariance"][:, here, 0, 1]
    ours["fixed"] = history["loci_fixed"][:, 1:]
    with gzip.open(HERE / f"{request.param}_replicates.csv.gz", "rt") as file:
        table = np.genfromtxt(file, delimiter=",", names=True)
    theirs = {name: table[name].reshape(60, GENERATIONS) for name in ours}
    return ours, theirs


def z_scores(a, b):
    error = np.sqrt(a.var(0, ddof=1) / len(a) + b.var(0, ddof=1) / len(b))
    return (a.mean(0) - b.mean(0)) / error


@pytest.mark.parametrize("column", COLUMNS)
def test_means_and_spreads_agree(runs, column):
    ours, theirs = (x[column] for x in runs)
    z = z_scores(ours, theirs)
    # 120 comparisons, strongly correlated between generations: 3 standard errors for each, 3.5 for the worst of all.
    assert np.abs(z).max() < 3.5, z.round(2)
    assert (np.abs(z) < 3).mean() >= 11 / 12, z.round(2)
    # The spread between replicates agrees too (drift, not only the mean): F test in the last generation.
    f = ours[:, -1].var(ddof=1) / theirs[:, -1].var(ddof=1)
    assert 1e-4 < stats.f.cdf(f, REPLICATES - 1, 59) < 1 - 1e-4


def test_the_comparison_would_notice(runs):
    ours, theirs = runs
    # The index weights exchanged, or a founder generation paired in one fixed order only, move means by many errors.
    assert np.abs(z_scores(ours["mean2"], theirs["mean1"])).max() > 5
    # A generation late.
    assert np.abs(z_scores(ours["mean1"][:, :-1], theirs["mean1"][:, 1:])).max() > 5
    # Variance with a tenth less.
    assert np.abs(z_scores(0.9 * ours["varp1"], theirs["varp1"])).max() > 5
