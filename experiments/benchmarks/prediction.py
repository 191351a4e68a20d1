"""Genomic prediction of 1,000 to 5,000 tested sibs with 20,000 markers: time, memory, and accuracy against theory.

    python experiments/benchmarks/prediction.py -o experiments/benchmarks/results/prediction.json

A full-sib family of an octopus (30 chromosomes, 20 Morgans) with 3,000 QTL beside the panel; some sibs are tested, 500
more are predicted, five traits share the relationships. Each size runs in a process of its own, for its peak memory.
Before anything is timed, processor seconds are predicted from operations counted and from the speed of matrix products
here. On a machine that does other work as well, set OPENBLAS_NUM_THREADS=1 and look at processor seconds: threads of
linear algebra wait for the slowest.
"""

import argparse
import datetime
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from jaxbreed.accuracy import accuracy, full_sib_accuracy, full_sib_segments, within_family_h2
from jaxbreed.prediction import fit_gblup, predicted_values
from jaxbreed.relationship import genomic_relationship

sys.path.insert(0, str(Path(__file__).parent))

CHROMOSOMES, LENGTH, MARKERS, QTL = 30, 20 / 30, 20_000, 3_000
CANDIDATES, TRAITS, H2, ROUNDS = 500, 5, 0.4, 3


def sibs(rng: np.random.Generator, animals: int) -> tuple[np.ndarray, np.ndarray]:
    """Dosages of full sibs at markers and at QTL, parents in linkage equilibrium at frequency one half."""
    loci = (MARKERS + QTL) // CHROMOSOMES + 1
    recombines = np.full(loci, 0.5 * (1 - np.exp(-2 * LENGTH / (loci - 1))))
    recombines[0] = 0.5
    parts = []
    for _ in range(CHROMOSOMES):
        dosage = np.zeros((loci, animals), np.uint8)
        for parent in rng.integers(0, 2, (2, 2, loci), dtype=np.uint8):
            change = rng.random((loci, animals), dtype=np.float32) < recombines[:, None]
            dosage += np.where(np.logical_xor.accumulate(change, axis=0), parent[1][:, None], parent[0][:, None])
        parts.append(dosage)
    every = np.concatenate(parts)
    order = rng.permutation(len(every))
    marker, qtl = np.sort(order[:MARKERS]), np.sort(order[MARKERS : MARKERS + QTL])
    return np.ascontiguousarray(every[marker].T), np.ascontiguousarray(every[qtl].T)


def processor_seconds(job: Callable[[], Any]) -> float:
    """Least of five runs, all threads together."""
    spent = []
    for _ in range(5):
        began = time.process_time()
        job()
        spent.append(time.process_time() - began)
    return min(spent)


def speed(dtype: type) -> float:
    """Floating-point operations a processor second of a matrix product."""
    a = np.random.default_rng(0).random((3000, 1024)).astype(dtype)
    b = a.copy()
    return 2 * 3000**2 * 1024 / processor_seconds(lambda: a @ b.T)


def bandwidth() -> float:
    """Bytes read and written a processor second by a copy."""
    a = np.ones(2**24)
    b = np.empty_like(a)
    return 2 * a.nbytes / processor_seconds(lambda: np.copyto(b, a))


def peak_mib() -> float:
    """Most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def one_size(tested: int) -> dict[str, Any]:
    """All jobs with so many tested animals."""
    single, double = speed(np.float32), speed(np.float64)
    # A symmetric product is half a product, a Cholesky root n^3 / 3; an eigendecomposition is reduction, division and
    # return, 5 n^3, half of it bound by memory and so at half the speed. Widening a genotype to single and to double
    # precision moves some 33 bytes.
    passes = tested * MARKERS * 33 / bandwidth()
    predicted = {
        "relationship": tested**2 * MARKERS / single + passes,
        "fit, h2 given": tested**3 / 3 / double + passes,
        "fit, h2 by REML": (7.5 + 1 / 3) * tested**3 / double + passes,
    }
    rng = np.random.default_rng(tested)
    markers, qtl = sibs(rng, tested + CANDIDATES)
    before = peak_mib()
    own, others = markers[:tested], markers[tested:]
    base = np.full(MARKERS, 0.5)

    times: dict[str, list[float]] = {}
    busy: dict[str, list[float]] = {}
    peaks: dict[str, float] = {}

    def timed(name: str, job: Callable[[], Any]) -> Any:
        began, began_processor = time.perf_counter(), time.process_time()
        result = job()
        times.setdefault(name, []).append(time.perf_counter() - began)
        busy.setdefault(name, []).append(time.process_time() - began_processor)
        peaks.setdefault(name, peak_mib())
        return result

    moments = np.zeros(3)
    estimates = []
    relationship: Any = None
    for _ in range(ROUNDS):
        relationship = None  # lets go of the last before the next
        relationship = timed("relationship", lambda: genomic_relationship(own, base))
    for _ in range(TRAITS):
        effect = rng.normal(size=QTL)
        effect /= np.sqrt((effect**2).sum() / 2)
        value = qtl @ effect
        phenotype = value[:tested] + rng.normal(size=tested) * np.sqrt((1 - H2) / H2)
        fit = timed("fit, h2 given", lambda y=phenotype: fit_gblup(relationship, y, h2=H2))
        scores = timed("predict 500 others", lambda f=fit: predicted_values(f, others))
        both = np.cov(scores, value[tested:])
        moments += both[0, 0], both[1, 1], both[0, 1]
    for _ in range(ROUNDS):
        estimates.append(timed("fit, h2 by REML", lambda: fit_gblup(relationship, phenotype)).h2)
    for _ in range(ROUNDS):
        known = timed("fit, reliabilities", lambda: fit_gblup(relationship, phenotype, h2=H2, reliability=True))
        assert np.array_equal(known.effect, fit.effect)
    found = moments[2] / np.sqrt(moments[0] * moments[1])
    within = within_family_h2(H2)
    theory = full_sib_accuracy(tested, within, [LENGTH] * CHROMOSOMES)
    # Five traits of one family: the standard error is about 0.05 x (1 - accuracy^2).
    assert abs(found - theory) < 0.25 * (1 - theory**2), (found, theory)
    assert abs(estimates[0] - H2) < 0.2, estimates
    return {
        "tested": tested,
        "markers": MARKERS,
        "gflops_measured": {"single": single / 1e9, "double": double / 1e9},
        "predicted_processor_s": predicted,
        "median_s": {name: statistics.median(x) for name, x in times.items()},
        "median_processor_s": {name: statistics.median(x) for name, x in busy.items()},
        "range_s": {name: [min(x), max(x)] for name, x in times.items()},
        "peak_mib_before": before,
        "peak_mib_after": peaks,
        "accuracy": {
            "found": found,
            "full_sib_accuracy": theory,
            "daetwyler": accuracy(tested, within, full_sib_segments([LENGTH] * CHROMOSOMES)),
        },
        "h2": {"true_in_base": H2, "reml": estimates[0]},
        "load_average": os.getloadavg()[0],
        "blas_threads": os.environ.get("OPENBLAS_NUM_THREADS", "all cores"),
    }


def main() -> None:
    """Runs every size and writes what came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--tested", type=int, nargs="+", default=[1000, 2000, 5000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_size(options.one)))
        return
    from machine import machine

    runs = []
    for tested in options.tested:
        command = [sys.executable, __file__, "--one", str(tested)]
        run = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        runs.append(run)
        print(f"{tested} tested, {MARKERS} markers; accuracy {run['accuracy']['found']:.3f}", end="")
        print(f" (theory {run['accuracy']['full_sib_accuracy']:.3f})")
        for name, median in run["median_s"].items():
            guess = run["predicted_processor_s"].get(name)
            told = "" if guess is None else f", predicted {guess:.2f}"
            print(f"  {name}: {median:.2f} s; of processors {run['median_processor_s'][name]:.2f}{told}", end="")
            print(f"; peak so far {run['peak_mib_after'][name]:.0f} MiB")
    if options.output:
        result = {
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": machine() | {"scipy": scipy.__version__},
            "runs": runs,
        }
        options.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
