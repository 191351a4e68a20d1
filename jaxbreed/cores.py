"""Use every CPU core: one JAX device for each."""

import os

import jax


def available_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def use_cores(count: int | None = None) -> int:
    """Makes JAX see one CPU device for each core, among which clutches are shared out.

    The results do not depend on it; only the speed does. Call it before anything else uses JAX. Without it JAX sees
    one CPU device and splits its small operations over the cores, which is about half as fast.

    Args:
      count: devices wanted; None for one for each core this process may use.

    Returns:
      The number of devices.

    Raises:
      ValueError: count is below 1.
      RuntimeError: JAX has started already.
    """
    count = available_cores() if count is None else count
    if count < 1:
        raise ValueError(f"the number of cores is {count}; it must be at least 1")
    jax.config.update("jax_num_cpu_devices", count)
    return count


def require_devices() -> None:
    """Starts JAX.

    Raises:
      RuntimeError: the platform asked for (JAX_PLATFORMS) has no device here.
    """
    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:
        asked = os.environ.get("JAX_PLATFORMS", "")
        why = f" ({error})" if str(error) else ""
        raise RuntimeError(
            f"JAX_PLATFORMS is {asked!r}, but JAX finds no such device here{why}; unset it, or set it to cpu"
        ) from None
