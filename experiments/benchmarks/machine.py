"""Where and with what a benchmark was run."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxbreed
from jaxbreed.kernels import native


def machine() -> dict[str, Any]:
    """Processor, versions, implementation and commit."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=False
    )
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "native": native.instruction_set(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "numpy": np.__version__,
        "jaxbreed": jaxbreed.__version__,
        "commit": commit.stdout.strip() + (" with changes" if changed.stdout.strip() else ""),
    }
