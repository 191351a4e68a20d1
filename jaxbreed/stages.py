"""Stages between laying and selection: who goes on, who lives, what is measured."""

import dataclasses
from typing import Literal

from jaxbreed.checks import require

Kind = Literal["rear", "screen", "test"]
MOST_ANIMALS = 100_000
"""Most animals of a clutch that are followed one by one."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """One stage of a generation; hashable.

    The best of a clutch by what is known of them so far enter, half of either sex, as many as there is room for; while
    nothing is known they are a random sample. Some die. The others are measured.

    Attributes:
      kind: "rear" measures nothing, "screen" scores the genomes of eggs or animals, "test" measures performance.
      capacity: most animals of a clutch that enter; None for all. A screen that comes first scores every egg.
      survival: chance to live through the stage. Where prediction chooses parents among all eggs it counts for the
        sibs that are tested: those that die teach nothing more and do not breed; other eggs only need to live as
        `Settings.survival` says.
      sessions: of a test: sessions an animal; all its sessions so far make its record.
      accuracy: of a screen: correlation of its score with the index of breeding values among the founders; None for
        a genomic prediction.
    """

    kind: Kind
    capacity: int | None = None
    survival: float = 1.0
    sessions: int = 1
    accuracy: float | None = None

    def __post_init__(self) -> None:
        """Checks every field.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        require(
            (self.kind in ("rear", "screen", "test"), "kind", self.kind, '"rear", "screen" or "test"'),
            (
                self.capacity is None or 2 <= self.capacity <= MOST_ANIMALS,
                "capacity",
                self.capacity,
                f"from 2 to {MOST_ANIMALS:,}, or left out",
            ),
            (0.0 < self.survival <= 1.0, "survival", self.survival, "above 0 and at most 1"),
            (self.sessions >= 1, "sessions", self.sessions, "at least 1"),
            (self.sessions == 1 or self.kind == "test", "sessions", self.sessions, 'left out unless kind is "test"'),
            (self.accuracy is None or 0.0 < self.accuracy <= 1.0, "accuracy", self.accuracy, "above 0 and at most 1"),
            (
                self.accuracy is None or self.kind == "screen",
                "accuracy",
                self.accuracy,
                'left out unless kind is "screen"',
            ),
        )


def check_order(stages: tuple[Stage, ...]) -> None:
    """Checks that stages can follow each other.

    Args:
      stages: in order.

    Raises:
      ValueError: naming the stage, counted from 1, and what would be right.
    """
    if not stages:
        return
    first, room = stages[0], float("inf")
    if first.kind != "screen" and first.capacity is None:
        raise ValueError(
            f"stages.1.capacity is left out; a first stage that is no screen must say how many animals of a clutch, up "
            f"to {MOST_ANIMALS:,}, it has room for"
        )
    if first.kind == "screen" and (first.capacity is not None or first.survival < 1.0):
        what = "capacity" if first.capacity is not None else "survival"
        raise ValueError(
            f"stages.1.{what} is {getattr(first, what)}; it must be left out: a screen that comes first scores every "
            "egg that clutch.survival leaves"
        )
    if first.kind == "screen" and len(stages) > 1 and stages[1].capacity is None:
        raise ValueError("stages.2.capacity is left out; it must say how many of the screened eggs of a clutch go on")
    for number, stage in enumerate(stages, start=1):
        if stage.capacity is not None:
            if stage.capacity > room:
                raise ValueError(
                    f"stages.{number}.capacity is {stage.capacity}; it must be at most {room:g}, the room before it"
                )
            room = stage.capacity
    if all(stage.kind == "rear" for stage in stages):
        raise ValueError('stages measure nothing; at least one must have kind "screen" or "test"')
