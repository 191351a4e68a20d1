"""A progress bar for a run: what it is doing, eggs per second, time left."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from jaxbreed.history import History


def bar(console: Console, quiet: bool) -> Progress:
    """A bar with time gone and time left; each of its tasks has a `detail` in words, which may be empty.

    Args:
      console: where it is drawn.
      quiet: show nothing.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
        TextColumn("gone,"),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("left"),
        console=console,
        disable=quiet,
        transient=True,
    )


class RunProgress:
    """Shows a run's progress; its methods are the callbacks of `jaxbreed.run`.

    Attributes:
      founder_seconds: time until the founders were drawn.
      eggs: eggs finished.
    """

    def __init__(self, console: Console, rounds: int, expected_eggs: int, quiet: bool) -> None:
        """Prepares the bar.

        Args:
          console: where it is drawn.
          rounds: rounds of selection.
          expected_eggs: eggs that the whole run is expected to lay.
          quiet: show nothing.
        """
        self._bar = bar(console, quiet)
        self._rounds, self._expected = rounds, expected_eggs
        self._task: TaskID = self._bar.add_task("drawing founders", total=None, detail="")
        self._began = self._last = time.perf_counter()
        self.founder_seconds = 0.0
        self.eggs = 0
        self._of = ""

    def __enter__(self) -> Self:
        """Starts drawing."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops drawing."""
        self._bar.stop()

    @property
    def seconds(self) -> float:
        """Time since the run began."""
        return time.perf_counter() - self._began

    def on_founders(self, done: int, total: int) -> None:
        """A chromosome of the founders is drawn."""
        self.founder_seconds = self.seconds
        self._bar.update(self._task, completed=done, total=total, detail=f"chromosome {done} of {total}")

    def on_arm(self, name: str, number: int, arms: int) -> None:
        """An arm of a comparison begins: the next generations are its own."""
        self._of = f"{name} ({number} of {arms}), "
        self._last = time.perf_counter()
        if self.eggs:
            self._bar.update(self._task, description=f"{self._of}generation 1 of {self._rounds}")

    def on_eggs(self, eggs: int) -> None:
        """Some eggs are finished."""
        if not self.eggs:
            self._bar.remove_task(self._task)
            self._task = self._bar.add_task(
                f"{self._of}generation 1 of {self._rounds}", total=self._expected, detail=""
            )
        self.eggs += eggs
        rate = eggs / max(time.perf_counter() - self._last, 1e-9)
        self._last = time.perf_counter()
        self._bar.update(self._task, completed=self.eggs, detail=f"{rate / 1e6:.2f} million eggs/s")

    def on_generation(self, history: History) -> None:
        """A generation is recorded."""
        if history.done < self._rounds:
            self._bar.update(self._task, description=f"{self._of}generation {history.done + 1} of {self._rounds}")
        self._last = time.perf_counter()
