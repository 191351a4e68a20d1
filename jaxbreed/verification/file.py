"""A report in a file: JSON, CSV or HDF5, by its name's end."""

import contextlib
import csv
import dataclasses
import io
import json
import math
import platform
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from jaxbreed.cores import available_cores
from jaxbreed.kernels import implementations, native
from jaxbreed.results import provenance, whole_file, write_whole
from jaxbreed.verification.runner import FAMILY_ERROR, Report
from jaxbreed.verification.table import verdict

ENDINGS = (".json", ".csv", ".h5")
_COLUMNS = (
    "check",
    "law",
    "expected",
    "observed",
    "error",
    "z",
    "allowance",
    "degrees",
    "kind",
    "verdict",
    "source",
    "reason",
    "seconds",
)


def check_ending(path: Path) -> None:
    """Checks that a report can be written under a name.

    Raises:
      ValueError: it ends in anything else.
    """
    if path.suffix not in ENDINGS:
        raise ValueError(f"--output is {path}; it must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")


def machine() -> dict[str, str]:
    """Versions, device, implementation of the kernels, commit and time."""
    about = provenance()
    del about["title"]
    about |= {"processor": _processor(), "cores": str(available_cores())}
    return about | {"kernels": implementations()[0], "instruction_set": native.instruction_set() or "none"}


def _processor() -> str:
    """Name of the processor where the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def rows_of(report: Report) -> list[dict[str, Any]]:
    """The rows as plain values."""
    rows = []
    for f in report.findings:
        row = dataclasses.asdict(f) | {"kind": f.kind, "verdict": verdict(f, report.critical)}
        rows.append({name: row[name] for name in _COLUMNS})
    return rows


def save_report(path: str | Path, report: Report) -> None:
    """Writes a report with the machine it is about; the older file is there until the new one is complete.

    Args:
      path: the file, by its end JSON, CSV (rows only) or HDF5 (one dataset a column).
      report: what to write.

    Raises:
      ValueError: the name ends otherwise.
      OSError: the file cannot be written.
    """
    target, rows = Path(path), rows_of(report)
    check_ending(target)
    about: dict[str, Any] = {
        "title": "Report of jaxbreed verify",
        "good": report.good,
        "full": report.effort.full,
        "seed": report.effort.seed,
        "critical": report.critical,
        "family_error": FAMILY_ERROR,
        "seconds": round(report.seconds, 1),
    }
    about |= machine()
    if target.suffix == ".h5":
        with whole_file(target) as file:
            file.attrs.update(about)
            for name in _COLUMNS:
                values = [row[name] for row in rows]
                text = values and isinstance(values[0], str)
                file[name] = np.array(values, h5py.string_dtype() if text else np.float64)
        return
    text_out = io.StringIO()
    if target.suffix == ".csv":
        writer = csv.DictWriter(text_out, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    else:
        plain = [{k: _plain(v) for k, v in row.items()} for row in rows]
        json.dump(about | {"checks": report.titles, "rows": plain}, text_out, indent=1)
        text_out.write("\n")
    write_whole(target, text_out.getvalue().encode())


def _plain(value: Any) -> Any:
    """JSON has no NaN; numbers to nine digits."""
    if not isinstance(value, float):
        return value
    return None if not math.isfinite(value) else float(f"{value:.9g}")
