"""Optimised schedules against every other way to choose one, on founders and effects that no search has seen.

    python experiments/schedules/run.py                         # five cases, thirteen arms: about an hour
    python experiments/schedules/run.py --arms constant linear  # these anew, the others as committed
    python experiments/schedules/run.py --quick                 # one case, few simulations, a few minutes

Every search may simulate the same number of eggs. What it finds is judged on panels that have founders and effects of
their own, the same panels and luck for all arms. Searches by gradients are made several times, with other luck: an arm
is worth the mean over its searches. A run that is stopped goes on where it was (`parts/`, by arm; remove it after a
change of the code). The margin within which two arms count as equal was fixed before the panels of judgement were
opened.
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
from report import draw, table

HERE = Path(__file__).parent
MARGIN = 0.02
"""Founder phenotypic SD, about 1.3 % of the gain: schedules that differ by less are the same to a breeder."""
IN_DEPTH = ("constant", "optimised", "flattened", "linear", "theory", *FRONTIER)
"""Arms that are judged on all panels; the others on the first of them."""
SEARCHED_AGAIN = ("constant", "optimised", "flattened")
"""Arms of which several searches are made."""


class Size(NamedTuple):
    """How much is simulated."""

    budget: int  # simulations of a search
    search: int  # panels
    choice: int
    all: int  # of judgement
    others: int  # of them, for arms that are not IN_DEPTH
    slow: int  # of them, for optimum contributions
    searches: int  # of the arms that are SEARCHED_AGAIN


FULL, QUICK = Size(80, 8, 8, 100, 40, 16, 2), Size(16, 2, 2, 4, 4, 4, 1)


def entry(problem: Problem, name: str, arm: Arm, size: Size) -> dict[str, Any]:
    """Searches, chooses, judges: everything that is recorded of an arm."""
    panels = size.slow if name == "optimum-contributions" else size.all if name in IN_DEPTH else size.others
    searches = [
        _search(problem, number, name, arm, panels) for number in range(size.searches if name in SEARCHED_AGAIN else 1)
    ]
    judged = {what: np.mean([each.pop(what) for each in searches], axis=0) for what in ("worth", "inbreeding", "gain")}
    first = searches[0]
    return {
        "eggs": first["eggs"],
        "search_seconds": first["search_seconds"],
        "schedule": first["schedule"],
        **{what: values.round(5).tolist() for what, values in judged.items()},
        "searches": searches,
    }


def _search(problem: Problem, number: int, name: str, arm: Arm, panels: int) -> dict[str, Any]:
    """One search of an arm, judged panel by panel."""
    problem.number, problem.eggs, began = number, 0, time.perf_counter()
    choices = arm(problem)
    found = problem.choose(choices) if len(choices) > 1 else choices[0]
    searched = time.perf_counter() - began
    courses = problem.judge(found, panels)
    worth = [float(problem.case.objective(course)) for course in courses]
    inbreeding = [float(np.asarray(course.inbreeding)[:, -1].mean()) for course in courses]
    spent = time.perf_counter() - began - searched
    print(f"  {name}, search {number}: {np.mean(worth):.3f}, {searched:.0f} + {spent:.0f} s", flush=True)
    return {
        "eggs": problem.eggs,
        "search_seconds": round(searched, 1),
        "schedule": schedule_of(found, problem.case),
        "mean_worth": round(float(np.mean(worth)), 5),
        "mean_inbreeding": round(float(np.mean(inbreeding)), 5),
        "worth": worth,
        "inbreeding": inbreeding,
        "gain": [np.asarray(course.gain)[:, -1].mean(0) for course in courses],
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


def compare(case: Case, panels: Panels, size: Size, parts: Path, kept: dict[str, Any]) -> dict[str, Any]:
    """All arms of a case; those that are kept or that an earlier run has finished are not run again."""
    arms = ARMS | (FRONTIER if case.limit is not None else {})
    identity = repr((case, size, MARGIN, SEED))
    problem, entries = None, {}
    print(case.title, flush=True)
    for name, arm in arms.items():
        part = parts / f"{case.name}-{name}.json"
        before = json.loads(part.read_text()) if part.exists() else {}
        if name in kept:
            entries[name] = kept[name]
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
    parser.add_argument("--only", nargs="*", default=[], choices=[case.name for case in CASES], help="some cases anew")
    parser.add_argument("--arms", nargs="*", default=[], choices=[*ARMS, *FRONTIER], help="some arms anew")
    asked = parser.parse_args()
    quick = asked.quick
    jb.use_cores()
    maintained_cma()  # tell at once if it is missing
    size = QUICK if quick else FULL
    parts = HERE / ("quick-parts" if quick else "parts")
    parts.mkdir(exist_ok=True)
    panels = Panels(size.search, size.choice, size.all, parts)
    committed = {} if quick or not (asked.only or asked.arms) else json.loads((HERE / "results.json").read_text())
    results = dict(committed.get("cases", {}))
    for case in CASES[:1] if quick else CASES:
        if asked.only and case.name not in asked.only:
            continue
        arms = results.get(case.name, {}).get("arms", {})
        kept = {name: each for name, each in arms.items() if asked.arms and name not in asked.arms}
        results[case.name] = compare(case, panels, size, parts, kept)
        record = {"jaxbreed": jb.__version__, "seed": SEED, "margin": MARGIN, "size": size._asdict(), "cases": results}
        note = f"{size.all} panels ({size.others} for some arms), 8 replicates each; bars: 95 % intervals. Hypothetical"
        publish(HERE, quick, record, table(results, MARGIN), draw(results, MARGIN), note)


if __name__ == "__main__":
    main()
