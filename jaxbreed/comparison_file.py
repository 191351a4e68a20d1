"""One HDF5 file for a comparison: a group for each arm, readable by xarray."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from jaxbreed.comparison import Arm, Comparison
from jaxbreed.history import History
from jaxbreed.results import provenance, read_history, whole_file, write_history


def save_comparison(
    path: str | Path, comparison: Comparison, *, scenario_text: str, seed: int, arms: Sequence[Arm] = ()
) -> None:
    """Writes a comparison, whole or as far as it has come; see `jaxbreed.results.whole_file`.

    Args:
      path: the file; an older one is replaced.
      comparison: what to write; its runs must be histories.
      scenario_text: text of the scenario that the arms change.
      seed: the runs' seed.
      arms: what each arm changes, to be recorded as JSON in the attribute `changes` of its group.

    Raises:
      OSError: the file cannot be written; the older one is still there.
    """
    changes: Mapping[str, str] = {arm.name: json.dumps(arm.changes) for arm in arms}
    with whole_file(path) as file:
        title = {"title": "Results of a jaxbreed comparison", "scenario": scenario_text, "seed": seed}
        file.attrs.update(provenance() | title)
        file.attrs["arms"] = np.array(comparison.names, h5py.string_dtype())
        file.attrs["arms_from_other_founders"] = np.array(comparison.apart, h5py.string_dtype())
        file.attrs["index_weights"] = comparison.weights
        for name, run in comparison.runs.items():
            assert isinstance(run, History)
            group = file.create_group(name)
            group.attrs["changes"] = changes.get(name, "")
            write_history(group, run)


def load_comparison(path: str | Path) -> Comparison:
    """Reads a comparison.

    Args:
      path: a file written by `save_comparison`.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it is not a comparison of jaxbreed, or it is damaged.
    """
    open(path, "rb").close()  # what the system has against it, in its own words
    try:
        with h5py.File(path) as file:
            if "arms" not in file.attrs:
                raise ValueError(f"{path} is an HDF5 file, but holds no comparison of jaxbreed")
            runs = {str(name): read_history(file[name]) for name in file.attrs["arms"]}
            apart = tuple(str(name) for name in file.attrs["arms_from_other_founders"])
            return Comparison(runs, np.asarray(file.attrs["index_weights"], np.float64), apart)
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{path} is not an HDF5 file, or a damaged one ({error})") from None
