"""What an objective is worth over replicates, with its interval, and the difference of two schedules."""

from collections.abc import Callable

import numpy as np
from jax import Array

from jaxbreed.course import Course
from jaxbreed.summary import interval


def estimate(objective: Callable[[Course], Array], course: Course) -> tuple[float, float, float]:
    """Value of an objective with its 95 % interval over replicates.

    Args:
      objective: any function of a course; of the differences of two for a paired comparison (see `compare`).
      course: of independent replicates.

    Returns:
      Value, lower and upper bound, from the jackknife's pseudo-values and Student's t: for a mean over replicates
      the usual interval, and for functions of means (CVaR too) right in large samples. NaN bounds for 1 replicate.
    """
    return _interval(float(objective(course)), pseudo_values(objective, course))


def compare(objective: Callable[[Course], Array], first: Course, second: Course) -> tuple[float, float, float]:
    """Second less first with its 95 % interval, replicates paired: both must start from the same founders and seed."""
    difference = float(objective(second)) - float(objective(first))
    return _interval(difference, pseudo_values(objective, second) - pseudo_values(objective, first))


def pseudo_values(objective: Callable[[Course], Array], course: Course) -> np.ndarray:
    """The jackknife's pseudo-values, (replicate,): n U - (n - 1) U without this replicate."""
    course = Course(*(np.asarray(x) for x in course))
    number, whole = len(course.gain), float(objective(course))
    if number == 1:
        return np.array([whole])
    without = [float(objective(Course(*(np.delete(x, r, axis=0) for x in course)))) for r in range(number)]
    return number * whole - (number - 1) * np.array(without)


def _interval(value: float, pseudo: np.ndarray) -> tuple[float, float, float]:
    mean, low, high = interval(pseudo)
    return value, value + float(low - mean), value + float(high - mean)
