"""What a test shows of an animal: ceilings, tameness that gates reliability, and the company it is tested in."""

import dataclasses

import numpy as np
import numpy.typing as npt

from jaxbreed.checks import require

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Matrix = tuple[tuple[float, ...], ...]
_TAMENESS_REACH = 4.0  # beyond so many SD of tameness reliability changes no more


@dataclasses.dataclass(frozen=True)
class Battery:
    """How lasting values become records; hashable. All numbers are in founder phenotypic SD of the traits.

    Attributes:
      ceiling: (trait,), performance that genes cannot exceed, above the founders' mean; infinity for none.
      gating: (trait, trait), row: the trait tested; column: the tameness that its test depends on. The SD of a
        session's error falls by exp(-gating) with each SD of tameness.
      social: (trait, trait), row: the trait tested; column: what of its group-mates changes it, per SD of their mean.
      group: animals of a clutch tested together, itself included.
    """

    ceiling: tuple[float, ...]
    gating: Matrix
    social: Matrix
    group: int = 2

    def __post_init__(self) -> None:
        """Checks every field.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        traits = len(self.ceiling)
        square = f"a table with a row and a column for each of {traits} traits"
        require(
            *(
                (len(rows) == traits and all(len(row) == traits for row in rows), field, rows, square)
                for field, rows in (("gating", self.gating), ("social", self.social))
            ),
            *((value > 0, "ceiling", value, "above 0 founder phenotypic SD") for value in self.ceiling),
            *((0 <= value <= 2, "gating", value, "from 0 to 2") for row in self.gating for value in row),
            (self.group >= 2, "group", self.group, "at least 2"),
        )


def performance(genetic: Floats, ceiling: Floats) -> Floats:
    """Genetic performance under a physiological ceiling.

    A soft minimum: c - w ln(1 + exp((c - x) / w)) with w = c / 4, which leaves the founders nearly as they are
    (slope 0.98 at their mean) and levels off at c.

    Args:
      genetic: (..., trait), genetic values, any unit, 0 the founders' mean.
      ceiling: (trait,), the same unit; infinity for none.

    Returns:
      (..., trait), the same unit.
    """
    limited = np.isfinite(ceiling)
    if not limited.any():
        return genetic
    most = ceiling[limited]
    width = most / 4
    out = genetic.copy()
    out[..., limited] = most - width * np.logaddexp(0.0, (most - genetic[..., limited]) / width)
    return out


def error_scale(tameness: Floats, variance: Floats, gating: Floats) -> Floats:
    """By how much an animal's own tameness scales the error of a session.

    The mean square of the scale over the founders is 1, so that heritability and repeatability stay as stated there.

    Args:
      tameness: (animal, trait), lasting values as deviations from the founders' mean, founder phenotypic SD.
      variance: (trait,), variance of these among the founders.
      gating: (trait, trait), see `Battery`.

    Returns:
      (animal, trait) factors of the SD.
    """
    bounded = np.clip(tameness, -_TAMENESS_REACH, _TAMENESS_REACH)
    return np.asarray(np.exp(-bounded @ gating.T - (gating**2) @ variance))


def group_means(values: Floats, group: Ints) -> Floats:
    """Means of an animal's group-mates, without itself; 0 for one that is alone.

    Args:
      values: (animal, trait).
      group: (animal,), numbers of their groups.

    Returns:
      (animal, trait).
    """
    _, number = np.unique(group, return_inverse=True)
    size = np.bincount(number)
    total = np.stack([np.bincount(number, column) for column in values.T], axis=1)
    mates = size[number] - 1
    return (total[number] - values) / np.maximum(mates, 1)[:, None] * (mates > 0)[:, None]
