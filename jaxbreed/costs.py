"""What a breeding programme pays for, and what each costs."""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Cost(NamedTuple):
    """Numbers or money, by what is paid for.

    Attributes:
      egg: eggs laid.
      genotype: animals or eggs whose markers are read, each once a generation however often it is scored.
      reared: animals that enter rearing or, where no stage rears, are raised to the test.
      session: test sessions of one animal.
      breeder: parents kept, each once however many clutches it has.
    """

    egg: float
    genotype: float
    reared: float
    session: float
    breeder: float

    @property
    def total(self) -> float:
        """All together."""
        return math.fsum(self)


ITEMS = Cost._fields


@dataclasses.dataclass(frozen=True)
class Prices:
    """What each of `Cost` costs, in any currency.

    Prices are no part of a programme's rules: others change neither its animals nor what is compiled.

    Attributes:
      egg, genotype, reared, session, breeder: the price of one.
      currency: its name, for reports.
      budget: the most that one generation of one replicate may cost; None for any sum.
    """

    egg: float = 0.0
    genotype: float = 0.0
    reared: float = 0.0
    session: float = 0.0
    breeder: float = 0.0
    currency: str = "EUR"
    budget: float | None = None

    def __post_init__(self) -> None:
        """Checks every field.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        for field in (*ITEMS, "budget"):
            value = getattr(self, field)
            if value is not None and not (math.isfinite(value) and value >= 0):
                right = "at least 0, or left out" if field == "budget" else "at least 0"
                raise ValueError(f"costs.{field} is {value}; it must be {right}")

    @property
    def each(self) -> npt.NDArray[np.float64]:
        """(item,), in the order of `Cost`."""
        return np.array([getattr(self, item) for item in ITEMS], np.float64)

    def of(self, units: Cost) -> Cost:
        """What so many cost."""
        return Cost(*(float(price * number) for price, number in zip(self.each, units, strict=True)))
