"""Checkpoints of a search: after every step the whole of its state, in one file that a kill cannot spoil."""

import dataclasses
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from jaxbreed.results import write_whole
from jaxbreed.space import Theta

FORMAT = 1
_MARK = "jaxbreed checkpoint"


@dataclasses.dataclass
class State:
    """A search between two steps.

    Attributes:
      step: steps done.
      theta: the iterate.
      optimizer: state of the optax optimiser.
      multipliers: (limit,) of the augmented Lagrangian.
      stiffness: (limit,) of its penalties.
      window: (limit,) excess summed since the multipliers last moved.
      trail: iterates, flat, the start first: (parameter,) each.
      history: numbers by step, each (step, ...), by name.
    """

    step: int
    theta: Theta
    optimizer: Any
    multipliers: npt.NDArray[np.float64]
    stiffness: npt.NDArray[np.float64]
    window: npt.NDArray[np.float64]
    trail: list[npt.NDArray[np.float32]]
    history: dict[str, list[Any]]


def digest(text: str) -> str:
    """Fingerprint of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def write_checkpoint(path: str | Path, state: State, identity: dict[str, str]) -> None:
    """Writes a state.

    Args:
      path: the file; an older one is replaced, and never spoilt.
      state: what to write.
      identity: what a run that goes on from it must have in common, by name.

    Raises:
      OSError: the file cannot be written; the older one is still there.
    """
    arrays: dict[str, Any] = {f"theta.{name}": np.asarray(value) for name, value in state.theta.items()}
    for number, leaf in enumerate(jax.tree.leaves(state.optimizer)):
        arrays[f"optimizer.{number}"] = np.asarray(leaf)
    arrays |= {name: getattr(state, name) for name in ("multipliers", "stiffness", "window")}
    arrays["trail"] = np.stack(state.trail)
    arrays |= {f"history.{name}": np.asarray(values) for name, values in state.history.items()}
    head = {"mark": _MARK, "format": FORMAT, "step": state.step, "identity": identity}
    image = io.BytesIO()
    np.savez(image, allow_pickle=False, head=np.array(json.dumps(head)), **arrays)
    write_whole(path, image.getbuffer())


def read_checkpoint(path: str | Path, fresh: State, identity: dict[str, str]) -> State:
    """Reads a state.

    Args:
      path: a file of `write_checkpoint`.
      fresh: the state at the start of the run that is to go on, for its structure.
      identity: of that run.

    Returns:
      The state.

    Raises:
      FileNotFoundError: there is none.
      ValueError: it is no checkpoint, a damaged one, of another format, or of another run; one sentence.
    """
    if not Path(path).exists():
        raise FileNotFoundError(f"{path} does not exist, so there is nothing to resume; leave --resume out to begin")
    content = io.BytesIO(Path(path).read_bytes())  # np.load would leave a broken file open
    try:
        with np.load(content, allow_pickle=False) as file:
            arrays = dict(file)
            head = json.loads(str(arrays.pop("head")))
            if head["mark"] != _MARK:
                raise KeyError("mark")
    except (ValueError, KeyError, OSError, EOFError) as error:
        raise ValueError(f"{path} is not a checkpoint of jaxbreed, or a damaged one ({error})") from None
    except Exception as error:  # zipfile's and zlib's own
        raise ValueError(f"{path} is a damaged checkpoint ({error})") from None
    if head["format"] != FORMAT:
        raise ValueError(f"{path} has format {head['format']}; this version of jaxbreed reads format {FORMAT}")
    for name, mine in identity.items():
        if (its := head["identity"].get(name)) != mine:
            if name == "scenario":
                raise ValueError(f"{path} is of another scenario; resume with the scenario file that it was begun with")
            raise ValueError(f"{path} was begun with {name} {its}; this run has {mine}, which is another search")
    leaves, structure = jax.tree.flatten(fresh.optimizer)
    kept = [arrays.get(f"optimizer.{number}") for number in range(len(leaves))]
    same = f"optimizer.{len(leaves)}" not in arrays and all(
        old is not None and old.shape == np.shape(new) and old.dtype == np.asarray(new).dtype
        for old, new in zip(kept, leaves, strict=True)
    )
    if not same:
        raise ValueError(f"{path} holds the state of another optimiser; resume with the one that it was begun with")
    return State(
        step=int(head["step"]),
        theta={name: jax.numpy.asarray(arrays[f"theta.{name}"]) for name in fresh.theta},
        optimizer=jax.tree.unflatten(structure, [jax.numpy.asarray(leaf) for leaf in kept]),
        multipliers=arrays["multipliers"],
        stiffness=arrays["stiffness"],
        window=arrays["window"],
        trail=list(arrays["trail"]),
        history={name: list(arrays[f"history.{name}"]) for name in fresh.history},
    )
