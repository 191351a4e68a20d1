"""Signals that are never lost: Ctrl-C, and requests to stop after what is being done."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class CtrlC:
    """Remembers that Ctrl-C was pressed.

    Python throws away an exception that is raised inside a destructor or a weak reference's callback; jax has many of
    both. A `KeyboardInterrupt` that falls there is lost, so what runs for hours asks again now and then.

    Attributes:
      pressed: whether it was.
    """

    pressed = False

    def _press(self, number: int, frame: FrameType | None) -> None:
        self.pressed = True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raises `KeyboardInterrupt` if Ctrl-C was pressed since `noticed` began."""
        if self.pressed:
            raise KeyboardInterrupt


@contextmanager
def noticed() -> Iterator[CtrlC]:
    """Gives the memory of Ctrl-C for as long as the block lasts; for the main thread alone."""
    ctrl_c = CtrlC()
    before = signal.signal(signal.SIGINT, ctrl_c._press)
    try:
        yield ctrl_c
    finally:
        signal.signal(signal.SIGINT, before)


class Stop:
    """Whether somebody asked for an end, by SIGINT (Ctrl-C) or SIGTERM.

    Attributes:
      asked: whether somebody did.
      name: of the signal.
      at_once: raise `KeyboardInterrupt` at the first signal instead of at the second.
    """

    asked, name, at_once = False, "", True

    def _ask(self, number: int, frame: FrameType | None) -> None:
        before, self.asked, self.name = self.asked, True, signal.Signals(number).name
        if self.at_once or before:
            raise KeyboardInterrupt


@contextmanager
def asked_to_stop() -> Iterator[Stop]:
    """Gives the memory of such requests for as long as the block lasts; for the main thread alone."""
    stop, numbers = Stop(), (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop._ask) for number in numbers]
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
