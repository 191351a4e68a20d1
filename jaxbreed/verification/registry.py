"""The list of checks, and how large they are."""

import dataclasses
import functools
import importlib
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np

from jaxbreed.verification.findings import Finding

_THEMES = (
    "meiosis",
    "interference",
    "families",
    "extremes",
    "intensity",
    "lines",
    "drift",
    "selection",
    "clutches",
    "records",
    "stages",
    "dominance",
    "mutation",
    "founders",
    "prediction",
    "gradients",
    "identity",
    "absent",
)


@dataclasses.dataclass(frozen=True)
class Effort:
    """How large the checks are.

    Attributes:
      full: clutches of full size; otherwise as small as the nearest wrong model allows.
      seed: of everything random.
    """

    full: bool = False
    seed: int = 1

    def size(self, quick: int, full: int) -> int:
        """One of two sizes."""
        return full if self.full else quick

    def words(self, stream: int) -> tuple[int, int]:
        """Two random words for a stream of its own: a family's key."""
        low, high = np.random.SeedSequence([self.seed, stream]).generate_state(2).tolist()
        return int(low), int(high)

    def numpy(self, stream: int) -> np.random.Generator:
        """A NumPy generator for a stream of its own."""
        return np.random.default_rng(np.random.SeedSequence([self.seed, stream, 1]))

    def run_seed(self, stream: int) -> int:
        """A seed for a simulation."""
        return int(np.random.SeedSequence([self.seed, stream, 2]).generate_state(1)[0])


@dataclasses.dataclass(frozen=True)
class Check:
    """A check: its name, what it is about, and what yields its rows."""

    name: str
    title: str
    run: "_Run"


_CHECKS: dict[str, Check] = {}
_T = TypeVar("_T")


def shared(make: Callable[[Effort], _T]) -> Callable[[Effort], _T]:
    """Makes what several checks look at once, whichever of them comes first; the others wait."""
    lock, made = threading.Lock(), functools.lru_cache(1)(make)

    @functools.wraps(make)
    def once(effort: Effort) -> _T:
        with lock:
            return made(effort)

    return once


_Run = Callable[[Effort], Iterator[Finding]]


def check(name: str, title: str) -> Callable[[_Run], _Run]:
    """Enters a function into the list of checks."""

    def enter(run: _Run) -> _Run:
        if name in _CHECKS:
            raise ValueError(f"check {name} is there twice")
        _CHECKS[name] = Check(name, title, run)
        return run

    return enter


def all_checks() -> tuple[Check, ...]:
    """Every check, by number."""
    for theme in _THEMES:
        importlib.import_module(f"jaxbreed.verification.{theme}")
    return tuple(sorted(_CHECKS.values(), key=lambda c: int(c.name[1:])))


def choose(names: str | None) -> tuple[Check, ...]:
    """The checks named, by comma; None for all.

    Raises:
      ValueError: there is no such check.
    """
    every = all_checks()
    if names is None:
        return every
    known = {c.name: c for c in every}
    wanted = [name.strip().upper() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise ValueError(f"--only names {name!r}; there are {every[0].name} to {every[-1].name}")
    return tuple(c for c in every if c.name in wanted)
