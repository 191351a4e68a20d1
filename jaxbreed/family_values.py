"""Values of the families of a population: some populations, always the same, so that theory has no noise."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from jaxbreed.covariance import Real

Floats = npt.NDArray[np.float64]
_VALUES, _FEWEST, _SEED = 1024, 16, 32  # of twelve seeds the one nearest to averages over 60,000 values


class Values(NamedTuple):
    """Of families, mean 0 and mean square 1 in each population. The dams and the sires of a population are crossed."""

    dam: Real  # (population, lineage, 1)
    sire: Real  # (population, lineage, place); of all sizes with a leading axis
    own: Real  # (population, lineage, place), of what is neither the dam's nor the sire's
    male: Real  # (lineage, place), number of the sire; of all sizes with a leading axis
    evenly: Real  # (3,), sum of squared shares of dams, sires and families in equal numbers; with a leading axis

    def at(self, size: Real) -> "Values":
        """Of one of the `sizes`."""
        return self._replace(sire=self.sire[size], male=self.male[size], evenly=self.evenly[size])

    def together(self, one: Real, other: Real) -> Real:
        """Sum of products over pairs of families of one dam, over those of one sire, and over families.

        Args:
          one: (population, lineage, place).
          other: of the same shape.

        Returns:
          (3,), mean over populations.
        """
        male = self.male.reshape(-1)
        flat, others = (x.reshape(len(x), -1) for x in (one, other))
        of_sires = ((flat @ (male[:, None] == male).astype(flat.dtype)) * others).sum(-1)
        return jnp.stack([(one.sum(-1) * other.sum(-1)).sum(-1), of_sires, (flat * others).sum(-1)]).mean(-1)


def sizes(places: int) -> list[int]:
    """Numbers of places of one male that are worked out: 1, 2, 3, 4, 6, 8, 12 and so on, up to all."""
    powers = [2**n for n in range(places.bit_length())]
    return sorted({min(n, places) for power in powers for n in (power, power * 3 // 2)} | {places})


def values_of(lineages: int, places: int) -> Values:
    """Values of the families of so many clutches, so many in each.

    Returns:
      Of all sizes.
    """
    rng = np.random.default_rng(_SEED)
    number = lineages * places
    populations = max(_FEWEST, -(-_VALUES // (2 * number)))

    def draw(shape: tuple[int, ...]) -> Floats:
        # Each takes every part of the distribution once (Latin hypercube), and each population has its mirror image.
        shape = (populations, *shape)
        rank = np.argsort(rng.random(shape), axis=0) + rng.random(shape)
        half = np.asarray(ndtri(rank / populations))
        return np.concatenate([half, -half])

    dam, own, males = draw((lineages, 1)), draw((lineages, places)), draw((number,))
    # The places of a male are in different clutches, as long as there are enough.
    place = np.arange(places) * lineages + np.arange(lineages)[:, None]
    male = np.stack([place // size for size in sizes(number)])
    of_sires = [(np.bincount(of.reshape(-1)) ** 2).sum() / number**2 for of in male]
    evenly = np.stack([[1 / lineages, of_sire, 1 / number] for of_sire in of_sires])
    sire = np.stack([_standard(males[:, of]) for of in male])
    return Values(*(jnp.asarray(x) for x in (_standard(dam), sire, _standard(own), male, evenly)))


def _standard(values: Floats) -> Floats:
    values = values - values.mean((-2, -1), keepdims=True)
    scale = np.sqrt((values**2).mean((-2, -1), keepdims=True))
    return np.asarray(values / np.where(scale > 1e-9, scale, 1.0))
