"""Spaces of schedules: which decisions are free, and how they may change from generation to generation."""

import dataclasses
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import optax.projections
from jax import Array
from scipy.interpolate import CubicSpline

from jaxbreed.edges import cut
from jaxbreed.program import Settings
from jaxbreed.schedule import Schedule

Basis = Literal["constant", "linear", "spline", "free"]
Theta = dict[str, Array]
"""Parameters by lever, float32 (knot, ...): places in the lever's box, 0 at its low end and 1 at its high end; for
weights on the simplex the weights themselves."""
NAMES = ("weights", "fraction", "males", "family_weight", "inbreeding_rate", "tests")
_LOGARITHMIC = ("males", "tests", "inbreeding_rate")
_NO_BOUND = 2.0**30


@dataclasses.dataclass(frozen=True)
class Lever:
    """One free decision.

    Attributes:
      name: a field of `jaxbreed.schedule.Schedule`. Weights are angles (hyperspherical), so that their scale, which
        changes nothing, is no parameter; males, tests and rates of inbreeding are logarithms.
      basis: "constant"; "linear" between the first and the last generation; "spline" through values at `knots`; "free":
        each generation its own.
      knots: of a spline, 3 or more, equally spaced.
      between: how a spline goes between its knots: "cubic" (natural) or "straight".
      low: least value, in the lever's own unit (radians for weights); None for the default of `box_of`.
      high: largest value; None likewise.
      simplex: weights are points of the simplex instead of angles.
    """

    name: str
    basis: Basis = "linear"
    knots: int | None = None
    between: Literal["cubic", "straight"] = "cubic"
    low: float | None = None
    high: float | None = None
    simplex: bool = False

    def __post_init__(self) -> None:
        """Checks.

        Raises:
          ValueError: naming the field, its value and what would be right.
        """
        if self.name not in NAMES:
            raise ValueError(f"levers names {self.name!r}; the levers are {', '.join(NAMES)}")
        if (self.knots is None) == (self.basis == "spline"):
            right = "3 or more for a spline" if self.basis == "spline" else f'left out, since basis is "{self.basis}"'
            raise ValueError(f"levers.{self.name}.knots is {self.knots}; it must be {right}")
        if self.knots is not None and self.knots < 3:
            raise ValueError(f"levers.{self.name}.knots is {self.knots}; it must be 3 or more for a spline")
        if self.simplex and self.name != "weights":
            raise ValueError(f"levers.{self.name}.simplex is true; only weights can be on the simplex")
        if self.simplex and not (self.low is None and self.high is None):
            raise ValueError("levers.weights.low and high must be left out where weights are on the simplex")

    def places(self, generations: int) -> npt.NDArray[np.float64]:
        """Generations, real, at which the parameters are the values: (knot,)."""
        number = {"constant": 1, "linear": 2, "free": generations}.get(self.basis, self.knots or 0)
        if number > generations:
            raise ValueError(
                f'levers.{self.name}.basis is "{self.basis}" with {number} values; the schedule has {generations} '
                "generations, and it must have at least as many"
            )
        return np.linspace(0, generations - 1, number)

    def matrix(self, generations: int, at: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
        """Weights of the parameters in the value at real generations: (at, knot); None: each generation."""
        own = self.places(generations)
        at = np.arange(generations, dtype=float) if at is None else np.asarray(at, np.float64)
        if len(own) == 1:
            return np.ones((len(at), 1))
        if self.basis == "spline" and self.between == "cubic":
            return np.asarray(CubicSpline(own, np.eye(len(own)), bc_type="natural")(at))
        return np.stack([np.interp(at, own, unit) for unit in np.eye(len(own))], axis=1)


class Box(NamedTuple):
    """Bounds of a lever on the scale on which it moves: angles, logarithms, or plain."""

    low: npt.NDArray[np.float64]  # () or (angle,)
    high: npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Space:
    """Schedules that differ from a given one in some decisions.

    Attributes:
      start: the given schedule, which says what is not free and where the search starts.
      levers: what is free.
      boxes: bounds of each lever, by name.
    """

    start: Schedule
    levers: tuple[Lever, ...]
    boxes: dict[str, Box]

    @property
    def generations(self) -> int:
        """Rounds of selection."""
        return self.start.generations

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(x.size for x in self.theta().values())

    def theta(self) -> Theta:
        """Parameters of the schedule in the space that is nearest to the start (least squares, then within bounds)."""
        theta = {}
        for lever in self.levers:
            values = _read(lever, self.start, self.boxes[lever.name])
            knots = np.linalg.lstsq(lever.matrix(self.generations), values, rcond=None)[0]
            theta[lever.name] = jnp.asarray(_unit(knots, self.boxes[lever.name]), jnp.float32)
        return self.project(theta)

    def schedule(self, theta: Theta) -> Schedule:
        """The schedule of parameters: differentiable, float32. Values beyond a box are cut off at it."""
        changes: dict[str, Array] = {}
        for lever in self.levers:
            matrix = jnp.asarray(lever.matrix(self.generations), jnp.float32)
            values = jnp.tensordot(matrix, theta[lever.name], 1)
            if lever.simplex:
                changes["weights"] = jnp.maximum(values, 0.0)
                continue
            low, high = (jnp.asarray(x, jnp.float32) for x in self.boxes[lever.name])
            values = low + (high - low) * cut(values, 0.0, 1.0)
            if lever.name == "weights":
                changes["weights"] = weights_of_angles(values)
            else:
                changes[lever.name] = jnp.exp(values) if lever.name in _LOGARITHMIC else values
        return dataclasses.replace(self.start, **changes)

    def project(self, theta: Theta) -> Theta:
        """The nearest parameters within bounds (optax.projections): every value at a knot in its box."""
        return {
            lever.name: _on_simplex(theta[lever.name])
            if lever.simplex
            else optax.projections.projection_box(theta[lever.name], 0.0, 1.0)
            for lever in self.levers
        }

    def lift(self, theta: Theta, larger: "Space") -> Theta:
        """The same schedule as parameters of a larger space.

        Constant is within linear, linear within a spline, all within free. A spline is within another when its knots
        are among the other's and both are straight between knots or both cubic.

        Args:
          theta: parameters of this space.
          larger: the same start, a superset of levers with the same boxes.

        Raises:
          ValueError: the space is not within the other.
        """
        lifted = larger.theta()
        others = {lever.name: lever for lever in larger.levers}
        for lever in self.levers:
            other = others.get(lever.name)
            if other is None or other.simplex != lever.simplex or not _within(lever, other, self.generations):
                raise ValueError(f"lever {lever.name} of the smaller space is not within the larger one")
            box, wide = self.boxes[lever.name], larger.boxes[lever.name]
            matrix = lever.matrix(self.generations, other.places(self.generations))
            values = np.tensordot(matrix, np.asarray(theta[lever.name], np.float64), 1)
            if other.basis == "free" and not lever.simplex:
                values = np.clip(values, 0, 1)  # where a spline overshoots its box, the schedule is cut off
            if not lever.simplex:
                values = _unit(box.low + (box.high - box.low) * values, wide)
            lifted[lever.name] = jnp.asarray(values, jnp.float32)
        return lifted


def _within(lever: Lever, other: Lever, generations: int) -> bool:
    order = ("constant", "linear", "spline", "free")
    if lever.basis == other.basis == "spline":
        nested = (len(other.places(generations)) - 1) % (len(lever.places(generations)) - 1) == 0
        return nested and lever.between == other.between
    return order.index(lever.basis) <= order.index(other.basis)


def build_space(start: Schedule, levers: tuple[Lever, ...], settings: Settings) -> Space:
    """A space around a schedule.

    Args:
      start: the schedule that says what is not free, and where the search starts.
      levers: what is free.
      settings: the programme's rules, for the default bounds.

    Raises:
      ValueError: naming the lever, its value and what would be right.
    """
    if not levers:
        raise ValueError("levers is empty; name at least one lever to be free")
    names = [lever.name for lever in levers]
    if len(set(names)) < len(names):
        raise ValueError(f"levers are {', '.join(names)}; each may be named once")
    if "weights" in names and start.weights.shape[1] < 2:
        raise ValueError("levers.weights is free; with one trait there is nothing to weigh")
    if "tests" in names and settings.stages:
        raise ValueError("levers.tests is free; in a programme with stages their capacities say who is tested")
    boxes = {lever.name: box_of(lever, start, settings) for lever in levers}
    start = _complete(start, boxes)
    for lever in levers:
        lever.places(start.generations)
        # Rounding to float32 on the way; a start on the edge of its box is within it.
        values = _unit(_read(lever, start, boxes[lever.name]), boxes[lever.name])
        outside = np.argwhere((values < -1e-5) | (values > 1 + 1e-5))
        if outside.size:
            generation = outside[0, 0]
            given = np.asarray(getattr(start, lever.name))[generation].tolist()
            raise ValueError(
                f"levers.{lever.name}: the schedule to start from has {given} in generation {generation}, "
                "which is outside the lever's bounds; widen low and high"
            )
    return Space(start, levers, boxes)


def box_of(lever: Lever, start: Schedule, settings: Settings) -> Box:
    """Bounds of a lever, its own or by default.

    By default weights are 0 or more (any sign where the start has a negative one), `males` from 1 to every place,
    `tests` from what selection needs at the least to the living, `family_weight` 0 to 2, `fraction` 0 to 0.5 and
    `inbreeding_rate` 0.001 to 0.25.

    Raises:
      ValueError: naming the lever, its value and what would be right.
    """
    females, males = settings.parents_needed
    groups = settings.lineages if settings.scope == "across" else 1
    # A clutch's tested are half females, half males, more or less: 3 SD of chance, and two to choose from.
    each = max(females, males) / groups
    fewest = float(np.ceil(2 * each + 6 * np.sqrt(2 * each) + 4))
    living = max(1.0, np.floor(settings.eggs[0] * settings.survival))
    negative = bool((np.asarray(start.weights) < 0).any())
    wide = np.full(start.weights.shape[1] - 1, np.pi if negative else np.pi / 2)
    narrow = np.zeros_like(wide)
    narrow[-1:] = -np.pi if negative else 0.0
    default: dict[str, tuple[Any, Any]] = {
        "weights": (narrow, wide),
        "fraction": (0.0, 0.5),
        "males": (1.0, float(males)),
        "family_weight": (0.0, 2.0),
        "inbreeding_rate": (0.001, 0.25),
        "tests": (min(fewest, living), living),
    }
    if lever.simplex:
        if negative:
            raise ValueError("levers.weights.simplex is true; the weights to start from must then be 0 or more")
        return Box(np.array(0.0), np.array(1.0))
    low, high = (
        otherwise if given is None else np.full_like(otherwise, given)
        for given, otherwise in zip((lever.low, lever.high), default[lever.name], strict=True)
    )
    least = {"weights": -np.pi, "males": 1.0, "tests": 1.0, "inbreeding_rate": 1e-6}.get(lever.name, 0.0)
    most = {"weights": np.pi, "fraction": 1.0, "family_weight": 1000.0, "inbreeding_rate": 0.999}.get(
        lever.name, _NO_BOUND
    )
    if not (np.all(least <= np.asarray(low)) and np.all(np.asarray(low) < high) and np.all(np.asarray(high) <= most)):
        within = f"at least {least:.4g}" if most == _NO_BOUND else f"from {least:.4g} to {most:.4g}"
        raise ValueError(
            f"levers.{lever.name}: low and high are {_plain(low)} and {_plain(high)}; low must be below high, and both "
            f"{within}"
        )
    box = np.asarray(low, np.float64), np.asarray(high, np.float64)
    return Box(*map(np.log, box)) if lever.name in _LOGARITHMIC else Box(*box)


def _plain(value: Any) -> str:
    return ", ".join(f"{x:.4g}" for x in np.atleast_1d(value))


def _complete(start: Schedule, boxes: dict[str, Box]) -> Schedule:
    """The start with a value for every lever that is free, and no more males or tests than there can be."""
    rounds = start.generations
    changes: dict[str, Array] = {}
    for name in ("males", "tests"):
        if name in boxes:
            given = getattr(start, name)
            most = float(np.exp(boxes[name].high))
            values = np.full(rounds, most) if given is None else np.minimum(np.asarray(given, np.float64), most)
            changes[name] = jnp.asarray(values, jnp.float32)
    if "family_weight" in boxes and start.family_weight is None:
        changes["family_weight"] = jnp.ones(rounds, jnp.float32)
    if "inbreeding_rate" in boxes and start.inbreeding_rate is None:
        raise ValueError("levers.inbreeding_rate is free; the schedule to start from must then have one")
    return dataclasses.replace(start, **changes)


def _read(lever: Lever, schedule: Schedule, box: Box) -> npt.NDArray[np.float64]:
    """A lever's values by generation on the scale on which it moves."""
    values = np.asarray(getattr(schedule, lever.name), np.float64)
    if lever.simplex:
        return values / values.sum(1, keepdims=True)
    if lever.name == "weights":
        return angles_of_weights(values)
    return np.log(values) if lever.name in _LOGARITHMIC else values


def _unit(values: npt.NDArray[Any], box: Box) -> npt.NDArray[np.float64]:
    return (values - box.low) / (box.high - box.low)


def _on_simplex(rows: Array) -> Array:
    return jnp.stack([optax.projections.projection_simplex(row) for row in rows])


def weights_of_angles(angles: Array) -> Array:
    """Unit vectors of hyperspherical angles: (generation, trait - 1) to (generation, trait).

    The first weight is cos a1, the second sin a1 cos a2, ..., the last sin a1 ... sin a(n-1).
    """
    one = jnp.ones_like(angles[:, :1])
    sines = jnp.concatenate([one, jnp.cumprod(jnp.sin(angles), axis=1)], axis=1)
    return sines * jnp.concatenate([jnp.cos(angles), one], axis=1)


def angles_of_weights(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The inverse of `weights_of_angles`, whatever the weights' scale: angles 0 to pi, the last -pi to pi."""
    rest = np.sqrt(np.cumsum(weights[:, ::-1] ** 2, axis=1)[:, ::-1])[:, 1:]
    rest[:, -1] = weights[:, -1]
    return np.arctan2(rest, weights[:, :-1])
