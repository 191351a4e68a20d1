"""One HDF5 file for each run, readable by xarray, that a kill at any moment cannot spoil."""

import contextlib
import dataclasses
import datetime
import functools
import io
import os
import platform
import secrets
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import jax
import numpy as np
import numpy.typing as npt

from jaxbreed.costs import ITEMS
from jaxbreed.history import VARIABLES, History


@dataclasses.dataclass(frozen=True)
class Result:
    """A run read back from its file.

    Attributes:
      data: variables and dimension scales by name; those of `jaxbreed.history.VARIABLES` have axes (replicate,
        generation, ...).
      attributes: scenario text, seed, versions, device, git commit.
      traits: names of the traits.
      sd_phenotypic: (trait,) founder phenotypic SD, trait units.
      done: generations recorded.
      finished: whether the run came to its end.
    """

    data: dict[str, npt.NDArray[Any]]
    attributes: dict[str, Any]
    traits: tuple[str, ...]
    sd_phenotypic: npt.NDArray[np.float64]
    done: int
    finished: bool

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """One variable by name."""
        return self.data[name]

    @property
    def replicates(self) -> int:
        """Independent repeats."""
        return int(self.data["eggs"].shape[0])

    @property
    def total_eggs(self) -> int:
        """Eggs laid and simulated in all replicates (the last generation's eggs are only expected)."""
        return int(self.data["eggs"][:, : max(self.done - 1, 0)].sum())


def check_writable(path: str | Path, force: bool) -> None:
    """Makes sure that a file can be written before anything is simulated.

    Args:
      path: the file to be.
      force: whether an existing file may be replaced.

    Raises:
      FileExistsError: it exists and may not be replaced.
      OSError: it is no ordinary file, or its folder is missing or takes no new files; one sentence.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OSError(f"{path} is a folder or a device; name a file to write")
    if target.exists() and not force:
        raise FileExistsError(f"{path} exists; use --force to replace it")
    if not target.parent.is_dir():
        raise NotADirectoryError(f"{path} cannot be written: {target.parent} is not a folder that exists")
    trial = _beside(target)
    try:
        trial.touch(exist_ok=False)
        trial.unlink()
    except OSError as error:
        raise type(error)(f"{path} cannot be written: its folder takes no new files ({error.strerror})") from None


def save(
    path: str | Path,
    history: History,
    *,
    scenario_text: str,
    seed: int,
    extra_attributes: dict[str, Any] | None = None,
) -> None:
    """Writes a history, finished or not, as `whole_file` does.

    Args:
      path: the file; an older one is replaced.
      history: what to write.
      scenario_text: the scenario file's text.
      seed: the run's seed.
      extra_attributes: anything else to record; strings and numbers.

    Raises:
      OSError: the file cannot be written; the older one is still there.
    """
    attributes = provenance() | {"scenario": scenario_text, "seed": seed} | (extra_attributes or {})
    with whole_file(path) as file:
        file.attrs.update(attributes)
        write_history(file, history)


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[h5py.File]:
    """An HDF5 file to fill, which appears once it is complete.

    The file is written beside its place, flushed to disk and renamed, so that at any moment the old file or the new
    one is there, whole. A kill can leave a hidden file that ends in .partial beside it; nothing reads such a file.

    Args:
      path: the file; an older one is replaced.

    Raises:
      OSError: the file cannot be written; the older one is still there.
    """
    image = io.BytesIO()  # so that the disk is written by plain Python, whose errors (a full disk) are plain too
    with h5py.File(image, "w") as file:
        yield file
    write_whole(path, image.getbuffer())


def write_whole(path: str | Path, content: bytes | memoryview) -> None:
    """Writes a file that appears once it is complete, as `whole_file` does.

    Args:
      path: the file; an older one is replaced.
      content: its bytes.

    Raises:
      OSError: the file cannot be written; the older one is still there.
    """
    target = Path(os.path.realpath(path))  # a link stays a link
    partial = _beside(target)
    try:
        partial.write_bytes(content)
        _flush(partial)
        os.replace(partial, target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _flush(target.parent)


def _beside(target: Path) -> Path:
    """A new name in the same folder, so that renaming it never copies."""
    return target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")


def _flush(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_history(file: h5py.Group, history: History) -> None:
    """Writes a history's variables into a file or a group of one."""
    file.attrs.update({"generations_done": history.done, "finished": int(history.parents is not None)})
    if history.prices is not None:
        file.attrs["currency"] = history.prices.currency
    for name, values, dims, unit, text in _variables(history):
        array = np.asarray(values)
        text_type = h5py.string_dtype() if array.dtype.kind in "OU" else None
        compression = "gzip" if "locus" in dims else None
        dataset = file.create_dataset(name, data=array, dtype=text_type, compression=compression)
        dataset.attrs.update({"units": unit, "long_name": text})
        for axis, (dim, size) in enumerate(zip(dims, array.shape, strict=True)):
            if dim not in file:
                file.create_dataset(dim, data=_labels(history, dim, size)).make_scale(dim)
            dataset.dims[axis].attach_scale(file[dim])


def _labels(history: History, dim: str, size: int) -> list[str] | npt.NDArray[np.int64]:
    """Names along a dimension where there are names, else numbers."""
    if dim == "item":
        return list(ITEMS)
    if dim in ("trait", "other_trait"):
        return list(history.traits)
    if dim == "chromosome" and history.founders is not None and history.founders.sites is not None:
        return list(history.founders.sites.chromosome_names)
    return np.arange(size)


def _variables(history: History) -> Iterator[tuple[str, Any, tuple[str, ...], str, str]]:
    """Everything there is to write: name, values, dimensions, unit, description."""
    for name, (dims, unit, text) in VARIABLES.items():
        if name not in history.data:
            continue
        unit = history.prices.currency if history.prices is not None and unit == "currency" else unit
        yield name, history.data[name], ("replicate", "generation", *dims), unit, text
    if (prices := history.prices) is not None:
        yield "price", prices.each, ("item",), prices.currency, "price of one"
    yield "sd_phenotypic", history.sd_phenotypic, ("trait",), "trait unit", "phenotypic SD among founders"
    yield "sd_additive", history.sd_additive, ("trait",), "trait unit", "genetic SD among founders"
    plan = history.schedule
    yield "schedule_weights", plan.weights, ("round", "trait"), "1", "index weights, per founder phenotypic SD"
    yield "schedule_fraction", plan.fraction, ("round",), "1", "share of the tested drawn from; 0: exactly the best"
    yield "schedule_males", plan.males, ("round",), "animals", "most different males kept"
    if plan.family_weight is not None:
        text = "weight of a family's mean relative to an animal's deviation from it"
        yield "schedule_family_weight", plan.family_weight, ("round",), "1", text
    if plan.inbreeding_rate is not None:
        yield "schedule_inbreeding_rate", plan.inbreeding_rate, ("round",), "1", "largest rate of inbreeding asked for"
    if plan.tests is not None:
        yield "schedule_tests", plan.tests, ("round",), "animals", "most animals tested of each clutch"
    yield from _founding(history)
    if (parents := history.parents) is not None:
        of, one = ("replicate", "animal"), 2.0**-history.scale_bits
        whose = "of the last breeders: the dams, then the places for sires lineage by lineage"
        genetic, phenotype = (np.asarray(scores) * one for scores in (parents.genetic, parents.phenotype))
        yield "haplotypes", parents.haplotypes, (*of, "ploidy", "locus"), "1", f"alleles 0 and 1 {whose}"
        yield "parent_genetic_value", genetic, (*of, "trait"), "trait unit", f"genetic values {whose}"
        yield "parent_phenotype", phenotype, (*of, "trait"), "trait unit", f"phenotypes {whose}"
        yield "parent_kinship", parents.kinship, (*of, "other_animal"), "1", f"pedigree kinship {whose}"


def _founding(history: History) -> Iterator[tuple[str, Any, tuple[str, ...], str, str]]:
    """Who the founders were; and once there are haplotypes, where their loci lie."""
    founders, numbers = history.founders, history.founder_numbers
    if founders is None or numbers is None:
        return
    of, whose = ("replicate", "animal"), "founder that was the first breeder"
    yield "founder", numbers, of, "1", f"number, from 0, of the {whose}"
    if founders.samples is not None:
        yield "founder_sample", np.array(founders.samples, object)[numbers], of, "1", f"sample name of the {whose}"
    if history.parents is None:
        return
    genetic_map, sites = founders.map, founders.sites
    yield (
        "locus_chromosome",
        genetic_map.chromosome,
        ("locus",),
        "1",
        "chromosome of the locus: its place in chromosome",
    )
    for sex, name in enumerate(("female", "male")):
        yield f"locus_morgan_{name}", genetic_map.position[sex], ("locus",), "Morgan", f"place on the {name} map"
        text = f"length of the {name} map"
        yield f"chromosome_morgan_{name}", genetic_map.length[sex], ("chromosome",), "Morgan", text
    if sites is not None:
        yield "locus_position", sites.position, ("locus",), "bp", "place on the chromosome in the founders' file"


def load(path: str | Path) -> Result:
    """Reads a result.

    Args:
      path: a file written by `save`.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it is not a result of jaxbreed, or it is damaged.
    """
    open(path, "rb").close()  # what the system has against it, in its own words
    try:
        with h5py.File(path) as file:
            if "arms" in file.attrs:
                raise ValueError(f"{path} holds a comparison; read it with load_comparison")
            if "generations_done" not in file.attrs:
                raise ValueError(f"{path} is an HDF5 file, but holds no results of jaxbreed")
            return read_history(file)
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{path} is not an HDF5 file, or a damaged one ({error})") from None


def read_history(file: h5py.Group) -> Result:
    """Reads what `write_history` wrote into a file or a group of one."""
    attributes = dict(file.attrs)
    data = {name: _values(item) for name, item in file.items() if name not in ("trait", "other_trait")}
    done, finished = int(attributes["generations_done"]), bool(attributes["finished"])
    return Result(data, attributes, tuple(file["trait"].asstr()[()]), data["sd_phenotypic"], done, finished)


def _values(item: h5py.Dataset) -> npt.NDArray[Any]:
    return np.asarray(item[()] if h5py.check_string_dtype(item.dtype) is None else item.asstr()[()])


def provenance() -> dict[str, str]:
    """Versions, device, git commit and time, as strings."""
    devices = jax.devices()
    kinds = ", ".join(sorted({device.device_kind for device in devices}))
    versions = {f"{name}_version": version(name) for name in ("jaxbreed", "jax", "jaxlib", "numpy", "h5py")}
    return versions | {
        "title": "Results of a jaxbreed run",
        "python_version": platform.python_version(),
        "device": f"{len(devices)} x {devices[0].platform} ({kinds})",
        "git_commit": _git_commit(),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


@functools.cache  # the code that runs is the code as it was first imported
def _git_commit() -> str:
    """Commit of the checkout that the package runs from, with + for changed files; empty for an installed package."""
    root = Path(__file__).resolve().parents[1]
    command = ["git", "--no-optional-locks", f"--git-dir={root}/.git", f"--work-tree={root}"]
    command += ["describe", "--always", "--exclude=*", "--abbrev=40", "--dirty=+"]
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    return ""
