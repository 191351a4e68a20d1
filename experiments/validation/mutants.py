"""Deliberate faults, one at a time: does `jaxbreed verify`, or else a test, turn red?

    python experiments/validation/mutants.py [NAME ...] [--list]    # results are added to mutants.json
    python experiments/validation/mutants.py --full [NAME ...]      # so are those of `jaxbreed verify --full`
    python experiments/validation/mutants.py --table                # writes mutants.md from them

Each fault is one replacement in a copy of the package. With a fault in the kernels the copy runs those of XLA, which
are the specification, and the checks of kernels; otherwise the C++ kernels and the checks of programmes. Faults of the
C++ kernels are compiled. `none`, without a fault, must be green: it runs all checks with the XLA kernels.

With `--full` a fault is held against the checks that saw it when quick; one that none saw, against the same again.
"""

import argparse
import dataclasses
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from faults import FAULTS, OF_KERNELS, OF_NATIVE, OF_PROGRAMMES, Fault

from jaxbreed.kernels import native
from jaxbreed.verification.findings import Finding

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
RESULTS = HERE / "mutants.json"
# What all checks found in the package as it is, quick and full; JSON.
REPORT = {full: json.loads((HERE / f"verify-{'full' if full else 'quick'}.json").read_text()) for full in (False, True)}
# The editable install's finder goes before any path: without it the copy is what is imported.
START = """
import sys
sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != "ScikitBuildRedirectingFinder"]
sys.path.insert(0, {copy!r})
import jaxbreed.kernels.native as native
assert native.__file__.startswith({copy!r})
if {kind!r} == "xla":
    native._find = lambda: None
"""
VERIFY = START + "import jaxbreed.cli\nsys.argv = ['jaxbreed', *{arguments!r}]\njaxbreed.cli.main()\n"
TEST = START + "import pytest\nsys.exit(pytest.main(['-q', '-x', '-p', 'no:cacheprovider', *{tests!r}]))\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--full", action="store_true")
    asked = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if asked.list:
        print("\n".join(f"{fault.name}{'' if fault.name not in results else ' (done)'}" for fault in FAULTS))
        return 0
    if asked.table:
        (HERE / "mutants.md").write_text(table(results))
        return 0
    known = {fault.name: fault for fault in FAULTS}
    for name in set(asked.names) - set(known):
        parser.error(f"there is no fault {name!r}; --list shows them")
    done = [name for name, found in results.items() if not asked.full or "full" in found or name == "none"]
    for name in asked.names or [fault.name for fault in FAULTS if fault.name not in done]:
        if asked.full:
            found = results[name]["full"] = examine_in_full(known[name], results[name])
        else:
            found = results[name] = examine(known[name])
        RESULTS.write_text(json.dumps({f.name: results[f.name] for f in FAULTS if f.name in results}, indent=1) + "\n")
        print(f"{name}: {found['verdict']} in {found['seconds']} s; {caught_by(found)}", flush=True)
    return 0


def examine(fault: Fault) -> dict[str, Any]:
    """Applies a fault and runs what should see it."""
    with tempfile.TemporaryDirectory() as folder:
        apply(fault, Path(folder))
        found = verify(fault, Path(folder), fault.only, full=False)
        if fault.tests and found["verdict"] == "green":
            test = python(Path(folder), TEST.format(copy=folder, kind=fault.kind, tests=list(fault.tests)))
            failed = [line.split(" - ")[0][7:] for line in test.stdout.splitlines() if line.startswith("FAILED ")]
            found |= {"test_exit_code": test.returncode, "failed": failed}
            if failed:
                found["verdict"] = "caught"
    found["as it should be"] = (found["verdict"] == "caught") != (fault.name == "none")
    return found


def examine_in_full(fault: Fault, quick: dict[str, Any]) -> dict[str, Any]:
    """Applies a fault and runs `jaxbreed verify --full` with the checks that saw it when quick."""
    saw = ",".join(row["check"] for row in quick["rows"])
    with tempfile.TemporaryDirectory() as folder:
        apply(fault, Path(folder))
        return verify(fault, Path(folder), saw or fault.only, full=True)


def verify(fault: Fault, copy: Path, only: str, *, full: bool) -> dict[str, Any]:
    """Runs `jaxbreed verify` in a copy: the checks named, or all, and the rows that are wrong among all rows."""
    report, began = copy / "report.json", time.perf_counter()
    arguments = ["verify", "-q", "-o", str(report), *(["--full"] if full else []), *(["--only", only] if only else [])]
    run = python(copy, VERIFY.format(copy=str(copy), kind=fault.kind, arguments=arguments))
    found: dict[str, Any] = {"commit": commit(), "only": only, "seconds": round(time.perf_counter() - began)}
    found["exit_code"] = run.returncode
    if report.exists():
        content = json.loads(report.read_text())
        # Few checks are held to fewer standard errors than all together are: count what all would see.
        critical = REPORT[full]["critical"]
        wrong = [row for row in content["rows"] if row["verdict"] == "wrong" and beyond(row, critical)]
        found |= {"kernels": content["kernels"], "jax_version": content["jax_version"], "critical": critical}
        found |= {"wrong_rows": len(wrong), "rows": strongest(wrong)}
    else:
        found |= {"rows": [], "error": (run.stderr.strip().splitlines() or ["no report"])[-1][:200]}
    found["verdict"] = "caught" if found["rows"] or "error" in found else "green"
    return found


def commit() -> str:
    """The commit, and whether the package differs from it."""
    asked = (["git", "rev-parse", "--short", "HEAD"], ["git", "status", "--porcelain", "--", "jaxbreed", "kernels"])
    head, changes = (subprocess.run(c, cwd=ROOT, capture_output=True, text=True, check=True).stdout for c in asked)
    return head.strip() + (" with changes" if changes else "")


def beyond(row: dict[str, Any], critical: float) -> bool:
    """Whether a row would be wrong among all rows, too."""
    if row["kind"] == "exact":
        return True
    if row["kind"] == "stochastic":
        return row["z"] is None or abs(row["z"]) > critical
    if row["observed"] is None:
        return True
    finding = Finding(**{f.name: row[f.name] for f in dataclasses.fields(Finding) if f.name in row})
    if row["degrees"] is None:  # JSON has no infinity
        finding = dataclasses.replace(finding, degrees=math.inf)
    return finding.holds(critical) is False


def strongest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each check the row that is farthest off; exact ones first."""
    worst: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: -abs(row["z"] or 1e9)):
        worst.setdefault(row["check"], {k: row[k] for k in ("check", "law", "expected", "observed", "z", "kind")})
    return [worst[check] for check in sorted(worst, key=lambda name: int(name[1:]))]


def apply(fault: Fault, copy: Path) -> None:
    """A copy of the package and its tests with the fault in it.

    Raises:
      ValueError: the text to be replaced is not there just once.
    """
    ignore = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(ROOT / "jaxbreed", copy / "jaxbreed", ignore=ignore)
    shutil.copytree(ROOT / "kernels", copy / "jaxbreed" / "kernels", ignore=ignore)
    shutil.copytree(ROOT / "tests", copy / "tests", ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", copy)
    if fault.file:
        inside = "jaxbreed/" + fault.file if fault.file.startswith("kernels/") else fault.file
        text = (copy / inside).read_text()
        if text.count(fault.old) != 1:
            raise ValueError(f"{fault.name}: {fault.old!r} is {text.count(fault.old)} times in {fault.file}")
        (copy / inside).write_text(text.replace(fault.old, fault.new))
    if fault.kind == "compiled":
        build(copy / "jaxbreed" / "kernels")
    elif fault.kind == "native":
        where = native._find()
        if where is None:
            raise RuntimeError("the native kernels were not built; faults in programmes are tried with them")
        shutil.copy(where, copy / "jaxbreed" / "kernels")


def build(kernels: Path) -> None:
    """Compiles the C++ kernels, for the baseline instruction set alone."""
    include = subprocess.run(
        [sys.executable, "-c", "import jaxlib, pathlib; print(pathlib.Path(jaxlib.__file__).parent / 'include')"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    sources = [str(kernels / "cpp" / name) for name in ("ffi.cc", "choose.cc", "partial.cc", "kernels.cc")]
    options = ["-std=c++17", "-O2", "-fwrapv", "-w", "-fPIC", "-shared", "-pthread", "-isystem", include]
    subprocess.run(["c++", *options, *sources, "-o", str(kernels / "libjaxbreed_native.so")], check=True)


def python(copy: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NO_COLOR": "1", "TERM": "dumb"}
    return subprocess.run([sys.executable, "-c", code], cwd=copy, env=environment, capture_output=True, text=True)


def caught_by(found: dict[str, Any]) -> str:
    """The checks that were wrong, each with its strongest row."""
    parts = []
    for row in found["rows"]:
        z = "exact" if row["kind"] == "exact" else "no number" if row["z"] is None else f"z {row['z']:.3g}"
        parts.append(f"{row['check']} ({'stopped' if row['law'].startswith('stopped') else z})")
    return ", ".join(parts + found.get("failed", []) + ([found["error"]] if "error" in found else [])) or "nothing"


def table(results: dict[str, Any]) -> str:
    """The table of faults and what saw them."""
    rows = [(fault, results[fault.name]) for fault in FAULTS if fault.name in results and fault.name != "none"]
    quick, full = [found for _, found in rows], [found["full"] for _, found in rows if "full" in found]
    none = results.get("none", {})
    by_tests = sum(bool(found.get("failed")) for found in quick)
    laws = sum(bool({row["check"] for row in found["rows"]} - {"V33", "V34"}) for found in quick)
    lines = [
        "# Mutants",
        "",
        f"{len(rows)} deliberate faults, one at a time, in a copy of the package: `jaxbreed verify` (quick, seed 1) "
        f"turns red for {reds(quick)}, `jaxbreed verify --full` for {reds(full)} of the {len(full)} tried, and a test "
        f"for {by_tests} that quick verification does not see. {laws} are seen by a law when quick; V33 and V34 "
        "compare bits, and see any change in the kernels. Made by `mutants.py`; what the rows were is in "
        "`mutants.json`.",
        "",
        f"To save time a fault is held against the checks that can see it: in the kernels {OF_KERNELS}, in C++ "
        f"{OF_NATIVE}, elsewhere {OF_PROGRAMMES}, or the few that `faults.py` names for it; with `--full` against all "
        "those that saw it when quick, or the same again if none did. A row counts if it would be wrong among the rows "
        f"of all checks, too: beyond {REPORT[False]['critical']:.2f} standard errors quick, "
        f"{REPORT[True]['critical']:.2f} full.",
        "",
        f"Quick runs took {took(quick)}, of commit {commits(quick)}; full ones {took(full)}, of commit "
        f"{commits(full)}. Without a fault the copy is {none.get('verdict', 'not run')} quick and "
        f"{none.get('full', {}).get('verdict', 'not run')} with `--full`.",
        "",
        "| fault | what it breaks | file | seen by, quick (strongest deviate of each check) | seen by, `--full` |",
        "|---|---|---|---|---|",
    ]
    for fault, found in rows:
        both = (caught_by(found), caught_by(found["full"]) if "full" in found else "not run")
        lines.append(f"| {fault.name} | {fault.breaks} | `{fault.file}` | {both[0]} | {both[1]} |")
    return "\n".join(lines) + "\n"


def reds(found: list[dict[str, Any]]) -> int:
    """For how many faults a check was wrong."""
    return sum(bool(one["rows"]) for one in found)


def took(found: list[dict[str, Any]]) -> str:
    seconds = [one["seconds"] for one in found]
    return f"{min(seconds)} to {max(seconds)} s ({sum(seconds) / 60:.0f} min together)" if seconds else "no time"


def commits(found: list[dict[str, Any]]) -> str:
    return " and ".join(sorted({one["commit"] for one in found})) or "none"


if __name__ == "__main__":
    sys.exit(main())
