"""Central differences with common random numbers, kept seed by seed: they do not depend on the theory."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from estimators import simulated
from problems import Problem

FIRST = 1000  # seed of the first difference; estimators use small ones
SAVED = 8  # seeds after which the file is written


def differences(problem: Problem, seed: int) -> list[float]:
    """Central differences of one seed, (parameter,)."""
    row = []
    for k in range(len(problem.start)):
        up, down = (simulated(problem, problem.start.at[k].add(s * problem.reach), seed) for s in (1, -1))
        row.append(round(float(up - down) / (2 * problem.reach), 6))
    return row


class Truths:
    """The file of differences, which grows seed by seed and goes on where it was stopped."""

    def __init__(self, path: Path) -> None:
        """Reads what is there."""
        self.path = path
        self.rows: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}

    def of(self, problem: Problem, seeds: int, commit: str, only_kept: bool) -> np.ndarray:
        """Differences of a problem, from the file as far as they are there.

        They count only for the very same problem: the same parameters, reach and replicates, and a simulation of the
        start that comes out the same.

        Args:
          problem: a row of the table.
          seeds: how many.
          commit: written beside new ones.
          only_kept: whether to compute none.

        Returns:
          (seed, parameter), at least as many seeds as asked for unless only those kept were wanted.

        Raises:
          SystemExit: only those kept are wanted, and there are none of this problem.
        """
        asked = {
            "start": np.asarray(problem.start, np.float64).round(6).tolist(),
            "reach": problem.reach,
            "replicates": problem.replicates,
            "value": round(float(simulated(problem, problem.start, FIRST)), 5),
        }
        row = self.rows.get(problem.name, {})
        same = all(row.get(name) == asked[name] for name in ("start", "reach", "replicates"))
        same = same and abs(row["value"] - asked["value"]) < 1e-4
        if only_kept and not same:
            kept = {name: row.get(name) for name in asked}
            raise SystemExit(f"{self.path.name} has {kept} for {problem.name}, which is {asked}; compute truth, too")
        if not same:
            row = {**asked, "differences": []}
        known = row["differences"]
        while len(known) < seeds and not only_kept:
            for seed in range(len(known), min(len(known) + SAVED, seeds)):
                known.append(differences(problem, FIRST + seed))
            self.rows[problem.name] = {**row, "commit": commit}
            self._write()
        return np.array(known)

    def _write(self) -> None:
        lines = (f" {json.dumps(name)}: {json.dumps(row)}" for name, row in self.rows.items())
        self.path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
