"""Ctrl-C that is never lost."""

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
