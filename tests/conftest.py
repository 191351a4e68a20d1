"""Two CPU devices, so that runs can compare one with two, and compiled programmes kept for the next test and run."""

import os
from pathlib import Path

# Set before jax is imported, and inherited by the processes that tests start.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")
# Test files share the cores out among processes: threads of linear algebra would only wait for each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax
import pytest

jax.config.update("jax_num_cpu_devices", 2)


@pytest.fixture(params=["xla", "native-avx512", "native-avx2", "native-baseline"])
def implementation(request):
    """Every implementation that this machine can run, the native kernels with each of their instruction sets."""
    from jaxbreed.kernels import native

    name, _, instructions = request.param.partition("-")
    if not instructions:
        yield name
        return
    if native.library() is None:
        pytest.skip("the native kernels were not built")
    try:
        native.use_instruction_set(instructions)
    except ValueError:
        pytest.skip(f"this processor has no {instructions}")
    yield name
    native.use_instruction_set(None)
