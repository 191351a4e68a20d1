"""Agreement with other programmes: AlphaSimR, msprime and tskit, files, and peers from a package registry.

    python experiments/agreement/run.py            # full, about 8 minutes of one core
    python experiments/agreement/run.py --quick    # few replicates, about a minute

The peers run by themselves (peers.py); here their numbers are read.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
import ancestry
import programme
import roundtrip
from common import publish, quick_asked
from compare import founders, meiosis
from deviates import bonferroni, family, side_by_side, worst
from drawing import draw
from reference import COLUMNS, SETS, Columns, alphasimr
from replicates import Notebook
from tables import table_of

HERE = Path(__file__).parent
SEEDS = {"programme": 100, "founders": 200, "files": 300, "gametes": 400, "permutations": 500}
PEERS = ("chromax", "fwdpy11", "pybrops", "simupop")
VERSIONS = ("msprime", "tskit", "cyvcf2", "pysam")
# Programmes that are wrong or different: what would be seen of them.
CONTROLS: dict[str, dict[str, Any]] = {
    "index weights exchanged": {"weights": (0.3, 0.7)},
    "residual variances a tenth less": {"residual": (0.9 * 1.5, 0.9 * 2.3333)},
    "residual variances 2 % less": {"residual": (0.98 * 1.5, 0.98 * 2.3333)},
    "interference as AlphaSimR's own default, 2.6": {"interference": 2.6},
}


def arrays(of: dict[str, Any]) -> Columns:
    return {column: np.array(of[column], float) for column in COLUMNS}


def compared(asked: Notebook, replicates: int, controls: int) -> tuple[dict[str, Any], Columns]:
    """AlphaSimR's sets: columns side by side, the family of all deviates, the controls; jaxbreed's additive set."""

    def run(name: str, number: int, seed: int, **wrong: Any) -> Columns:
        question = [name, number, seed, wrong]
        return arrays(asked.ask(question, lambda: _lists(programme.run(name, number, seed, **wrong))))

    ours = {name: run(name, replicates, SEEDS["programme"]) for name in SETS}
    theirs = {name: alphasimr(name) for name in SETS}
    out: dict[str, Any] = {"replicates": replicates, "theirs": len(theirs["additive"]["mean1"])}
    out["sets"] = {name: side_by_side(ours[name], theirs[name]) for name in SETS}
    out["family"] = family([(ours[name], theirs[name]) for name in SETS], SEEDS["permutations"])
    out["family"]["bonferroni"] = bonferroni(out["family"]["comparisons"])
    seen = {}
    for label, wrong in CONTROLS.items():
        seen[label] = side_by_side(run("additive", controls, SEEDS["programme"] + 50, **wrong), theirs["additive"])
    late = {c: v[:, :-1] for c, v in ours["additive"].items()}, {c: v[:, 1:] for c, v in theirs["additive"].items()}
    seen["a generation late"] = side_by_side(*late)
    n = programme.PAIRS * programme.EGGS  # of the animals whose variance is taken
    other = {c: v * (n / (n - 1) if c.startswith(("var", "cov")) else 1) for c, v in ours["additive"].items()}
    seen["variances with divisor n - 1"] = side_by_side(other, theirs["additive"])
    out["controls"] = {label: worst(columns) for label, columns in seen.items()}
    return out, ours["additive"]


def _lists(columns: Columns) -> dict[str, Any]:
    return {column: values.round(6).tolist() for column, values in columns.items()}


def ancestries(asked: Notebook, chromosomes: int) -> dict[str, Any]:
    """Rows by history, and how far our two-locus statistics are from tskit's on the same haplotypes."""
    out: dict[str, Any] = {"chromosomes": chromosomes, "histories": {}}
    for number, name in enumerate(ancestry.HISTORIES):
        seed = SEEDS["founders"] + 10 * number

        def rows(name: str = name, seed: int = seed) -> list[dict[str, Any]]:
            return founders(name, ancestry.ours(name, chromosomes, seed), ancestry.plain(name, chromosomes, seed + 1))

        out["histories"][name] = asked.ask(["founders", name, chromosomes, seed], rows)
        if ancestry.HISTORIES[name].step is None:  # approximations: for comparison, not for a test
            about = ancestry.approximate_r2(ancestry.HISTORIES[name].size)
            found = [row for row in out["histories"][name] if row["what"].startswith("mean r2")]
            for b, row in enumerate(found):
                row |= {key: round(float(values[b]), 6) for key, values in about.items()}
    out["same_haplotypes"] = ancestry.same_as_tskit(SEEDS["founders"] + 9)
    for key, threshold in (("z", "threshold"), ("z_theory", "threshold_theory")):
        found = [row[key] for rows in out["histories"].values() for row in rows if key in row]
        out[threshold] = bonferroni(len(found))
        out[f"largest_{key}"], out[f"rows_{key}"] = float(np.abs(found).max()), len(found)
    return out


def peers(asked: Notebook, gametes: int, ours: Columns) -> dict[str, Any]:
    """Gametes and, where there is one, the additive programme of every peer whose numbers are there."""
    counts = {"jaxbreed": asked.ask(["gametes", gametes], lambda: programme.gametes(gametes, SEEDS["gametes"]))}
    out: dict[str, Any] = {"peers": {}}
    for name in PEERS:
        path = HERE / "peers" / f"{name}.json"
        if not path.exists():
            continue
        record = json.loads(path.read_text())
        counts |= {f"{name}, {option}": count for option, count in record["maps"].items()}
        peer = {key: record[key] for key in ("versions", "python", "seed", "sample")}
        if record["programme"] is not None:
            theirs = arrays(record["programme"])
            peer |= {"map": record["programme"]["map"], "replicates": len(theirs["mean1"])}
            peer |= {"columns": side_by_side(ours, theirs), "family": family([(ours, theirs)], SEEDS["permutations"])}
        out["peers"][name] = peer
    out["meiosis"], out["gametes"] = meiosis(counts), {name: count["gametes"] for name, count in counts.items()}
    out["threshold"] = bonferroni(sum(len(rows) for rows in out["meiosis"].values()))
    return out


def main() -> None:
    quick = quick_asked(__doc__)
    replicates, controls, chromosomes, gametes = (20, 10, 10, 20_000) if quick else (600, 150, 300, 400_000)
    asked = Notebook(HERE, quick)
    runs: dict[str, Any] = {}
    runs["alphasimr"], additive = compared(asked, replicates, controls)
    print("AlphaSimR compared", flush=True)
    runs["founders"] = ancestries(asked, chromosomes)
    print("founders compared", flush=True)
    runs["files"] = asked.ask(["files"], lambda: list(roundtrip.compared(SEEDS["files"])))
    runs["peers"] = peers(asked, gametes, additive)
    note = (
        f"{replicates} replicates of jaxbreed, 60 of AlphaSimR; {chromosomes} chromosomes of founders and of plain "
        "msprime runs. Bands and bars: 95 % interval of the mean"
    )
    record = {"seeds": SEEDS, "versions": {name: version(name) for name in VERSIONS}, "runs": runs}
    publish(HERE, quick, record, table_of(runs), draw(runs), note)
    asked.close()


if __name__ == "__main__":
    main()
