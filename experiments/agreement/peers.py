"""The same meiosis and the same programme in other simulators, each in an environment of its own.

    python experiments/agreement/peers.py chromax|pybrops|simupop|fwdpy11 [--quick]

Needs NumPy and the peer alone, not jaxbreed. Writes peers/NAME.json, which run.py reads. Gametes come from the peer, on
a map given in its own way; founders, traits, tests and choice of AlphaSimR's additive programme are in NumPy, so that
what is compared is meiosis and inheritance over twelve generations.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from meioses import PEERS
from reference import (
    COLUMNS,
    EGGS,
    FOUNDERS,
    GENERATIONS,
    PAIRS,
    RULER_CHROMOSOME,
    RULER_MORGAN,
    SETS,
    Columns,
    given,
    measure,
)

HERE = Path(__file__).parent
SEED, GAMETES, BATCH = 4_000, 100_000, 5_000
# (haplotypes (animal, 2, locus), dams, sires (pair,), eggs of a pair) -> young (pair x egg, 2, locus)
Cross = Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


def count(cross: Cross, gametes: int) -> dict[str, Any]:
    """Counts on the ruler of both parents' gametes."""
    parents = np.zeros((2, 2, len(RULER_MORGAN)), np.uint8)
    parents[:, 1] = 1
    counts = []
    for _ in range(0, gametes // 2, BATCH):
        young = cross(parents, np.array([0]), np.array([1]), BATCH)
        counts.append(measure(young.reshape(-1, young.shape[-1])))
    return {key: np.sum([one[key] for one in counts], axis=0).tolist() for key in counts[0]}


def programme(cross: Cross, replicates: int, seed: int) -> Columns:
    """AlphaSimR's additive programme, (replicate, generation) each."""
    of, (weights, residual) = given("additive"), SETS["additive"]
    out = {column: np.empty((replicates, GENERATIONS)) for column in COLUMNS}
    for r in range(replicates):
        rng = np.random.default_rng([seed, r])
        herd = of.haplotypes
        dams, sires = np.arange(FOUNDERS // 2), rng.permutation(np.arange(FOUNDERS // 2, FOUNDERS))
        for g in range(GENERATIONS):
            young = cross(herd, dams, sires, EGGS)
            value = young.sum(1, dtype=np.int64) @ of.effects.T + of.intercept
            record = value + rng.normal(size=value.shape) * np.sqrt(residual)
            female = np.arange(len(young)) % 2 == 0  # half of each family
            order = np.argsort(-(record @ np.array(weights)), kind="stable")
            dams, sires = (rng.permutation(order[female[order] == sex][:PAIRS]) for sex in (True, False))
            chosen = np.concatenate([dams, sires])
            herd = young[chosen]
            spread = np.cov(value.T, ddof=0)
            row = {"mean1": value[:, 0].mean(), "mean2": value[:, 1].mean(), "cov12": spread[0, 1]}
            row |= {"var1": spread[0, 0], "var2": spread[1, 1]}
            row |= {"varp1": record[:, 0].var(), "varp2": record[:, 1].var()}
            row |= {"smean1": value[chosen, 0].mean(), "smean2": value[chosen, 1].mean()}
            row["het"] = (herd[:, 0] != herd[:, 1]).mean()
            row["fixed"] = (np.ptp(herd.reshape(-1, herd.shape[-1]), axis=0) == 0).mean()
            for column in COLUMNS:
                out[column][r, g] = row[column]
            dams, sires = np.arange(PAIRS), np.arange(PAIRS, 2 * PAIRS)
    return out


def version_of(package: str) -> str:
    """Of an installed package, or of a module that was built and lies on the path."""
    try:
        return version(package)
    except PackageNotFoundError:
        return str(import_module(package).__version__)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", choices=sorted(PEERS))
    parser.add_argument("--quick", action="store_true", help="few gametes and replicates; writes quick-peer-NAME.json")
    parser.add_argument("--replicates", type=int, default=10)
    asked = parser.parse_args()
    peer = PEERS[asked.peer]
    gametes, replicates = (10_000, 2) if asked.quick else (GAMETES, asked.replicates)
    record: dict[str, Any] = {"python": platform.python_version(), "seed": SEED, "maps": {}, "programme": None}
    for option, make in peer.maps.items():
        began = time.perf_counter()
        record["maps"][option] = count(make(RULER_CHROMOSOME, RULER_MORGAN, SEED), gametes)
        print(asked.peer, option, record["maps"][option], f"{time.perf_counter() - began:.1f} s", flush=True)
    record["sample"] = None if peer.sample is None else peer.sample(SEED + 3)
    if peer.programme is not None and replicates:
        of, began = given("additive"), time.perf_counter()
        columns = programme(peer.maps[peer.programme](of.chromosome, of.position, SEED + 1), replicates, SEED + 2)
        record["programme"] = {"map": peer.programme} | {k: v.round(6).tolist() for k, v in columns.items()}
        print(asked.peer, f"{replicates} replicates in {time.perf_counter() - began:.1f} s", flush=True)
    record["versions"] = {name: version_of(name) for name in ("numpy", *peer.packages)}
    path = HERE / f"quick-peer-{asked.peer}.json" if asked.quick else HERE / "peers" / f"{asked.peer}.json"
    path.write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
