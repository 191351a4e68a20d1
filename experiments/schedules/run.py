"""Optimised schedules against every other way to choose one, on founders and effects that no search has seen.

    python experiments/schedules/run.py            # five cases, thirteen arms: 45 minutes of processor time
    python experiments/schedules/run.py --quick    # one case, few simulations, a few minutes

Every search may simulate the same number of eggs. What it finds is judged on panels that have founders and effects of
their own, the same panels and luck for all arms. A run that is stopped goes on where it was (`parts/`, by arm).
The margin within which two arms count as equal was fixed before the panels of judgement were opened.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import jaxbreed as jb

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from arms import ARMS, FRONTIER, Arm, maintained_cma
from cases import CASES, Case
from common import MACHINE, publish
from panels import SEED, Choice, Panels, Problem, within_tests
from report import LINES, draw, table

HERE = Path(__file__).parent
MARGIN = 0.02
"""Founder phenotypic SD, about 1.3 % of the gain: schedules that differ by less are the same to a breeder."""
IN_DEPTH = ("constant", "optimised", "flattened", "linear", "theory", *FRONTIER)
"""Arms that are judged on all panels; the others on the first of them."""


class Size(NamedTuple):
    """How much is simulated."""

    budget: int  # simulations of a search
    search: int  # panels
    choice: int
    all: int  # of judgement
    others: int  # of them, for arms that are not IN_DEPTH
    slow: int  # of them, for optimum contributions


FULL, QUICK = Size(80, 8, 8, 100, 40, 16), Size(16, 2, 2, 4, 4, 4)


def entry(problem: Problem, name: str, arm: Arm, size: Size) -> dict[str, Any]:
    """Searches, chooses, judges: everything that is recorded of an arm."""
    problem.eggs, began = 0, time.perf_counter()
    choices = arm(problem)
    found = problem.choose(choices) if len(choices) > 1 else choices[0]
    searched = time.perf_counter() - began
    panels = size.slow if name == "optimum-contributions" else size.all if name in IN_DEPTH else size.others
    courses = problem.judge(found, panels)
    gain = np.array([np.asarray(course.gain)[:, -1].mean(0) for course in courses])
    worth = [float(problem.case.objective(course)) for course in courses]
    inbreeding = [float(np.asarray(course.inbreeding)[:, -1].mean()) for course in courses]
    print(
        f"  {name}: {np.mean(worth):.3f}, {searched:.0f} + {time.perf_counter() - began - searched:.0f} s", flush=True
    )
    return {
        "eggs": problem.eggs,
        "search_seconds": round(searched, 1),
        "schedule": schedule_of(found, problem.case),
        "worth": np.round(worth, 5).tolist(),
        "inbreeding": np.round(inbreeding, 5).tolist(),
        "gain": gain.round(4).tolist(),
    }


def schedule_of(choice: Choice, case: Case) -> dict[str, Any]:
    """The decisions, by name."""
    schedule = within_tests(choice.schedule, case)
    values = {
        name: np.asarray(value, np.float64).round(4).tolist()
        for name in ("weights", "males", "family_weight", "inbreeding_rate", "tests")
        if (value := getattr(schedule, name)) is not None
    }
    return values | ({} if choice.quota is None else {"quota": choice.quota})


def compare(case: Case, panels: Panels, size: Size, parts: Path, report: bool = False) -> dict[str, Any]:
    """All arms of a case; those that an earlier run has finished are read, and none else for a report."""
    arms = ARMS | (FRONTIER if case.limit is not None else {})
    identity = repr((case, size, MARGIN, SEED))
    problem, entries = None, {}
    print(case.title, flush=True)
    for name, arm in arms.items():
        part = parts / f"{case.name}-{name}.json"
        before = json.loads(part.read_text()) if part.exists() else {}
        if before.get("identity") != identity and report:
            continue
        if before.get("identity") != identity:
            problem = problem or Problem(case, panels, size.budget)
            problem.known = entries
            before = {"identity": identity, "commit": MACHINE["commit"], "entry": entry(problem, name, arm, size)}
            part.write_text(json.dumps(before))
        entries[name] = before["entry"] | {"commit": before["commit"]}
    return {"title": case.title, "limit": case.limit, "gain_expected": case.gain_expected, "arms": entries}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one case, few simulations")
    parser.add_argument("--only", nargs="*", default=[], choices=[case.name for case in CASES], help="some cases")
    parser.add_argument("--report", action="store_true", help="run nothing: publish what earlier runs have finished")
    asked = parser.parse_args()
    quick = asked.quick
    jb.use_cores()
    maintained_cma()  # tell at once if it is missing
    size = QUICK if quick else FULL
    parts = HERE / ("quick-parts" if quick else "parts")
    parts.mkdir(exist_ok=True)
    panels = Panels(size.search, size.choice, size.all, parts)
    cases = [case for case in (CASES[:1] if quick else CASES) if not asked.only or case.name in asked.only]
    results = {case.name: compare(case, panels, size, parts, asked.report) for case in cases}
    results = {name: case for name, case in results.items() if set(LINES) <= set(case["arms"])}
    record = {"jaxbreed": jb.__version__, "seed": SEED, "margin": MARGIN, "size": size._asdict(), "cases": results}
    note = f"{size.all} panels ({size.others} for some arms), 8 replicates each; bars: 95 % intervals. Hypothetical"
    publish(HERE, quick, record, table(results, MARGIN), draw(results, MARGIN), note)


if __name__ == "__main__":
    main()
