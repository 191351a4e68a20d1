"""Optimum contributions: the most gain at a limited mean kinship, as a second-order cone programme."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]


class Candidates(NamedTuple):
    """Animals that may become parents. All eggs of a family have the same kinship with everybody else."""

    merit: Floats  # (candidate,), what is selected for, any unit
    male: npt.NDArray[np.bool_]  # (candidate,)
    family: npt.NDArray[np.int64]  # (candidate,)
    most: Floats  # (candidate,), largest contribution; all contributions add up to 1
    between: Floats  # (family, family), kinship of different eggs
    itself: Floats  # (family,), self-kinship of an egg

    def mean_kinship(self, contribution: Floats) -> float:
        """Mean kinship c'Kc of the candidates' genes, weighted by contributions (candidate,)."""
        of_family = np.bincount(self.family, contribution, len(self.itself))
        return float(of_family @ self.between @ of_family + self.own_excess @ contribution**2)

    @property
    def own_excess(self) -> Floats:
        """By how much an animal's kinship with itself exceeds that with a full sib: (candidate,)."""
        return (self.itself - np.diag(self.between))[self.family]


class UnattainableError(ValueError):
    """No contributions have so low a mean kinship.

    Attributes:
      least: the least mean kinship.
    """

    def __init__(self, message: str, least: float) -> None:
        super().__init__(message)
        self.least = least


def optimum_contributions(candidates: Candidates, limit: float) -> Floats:
    """Contributions c that maximise c'merit where mean kinship c'Kc is limited (Meuwissen 1997, J Anim Sci 75:934).

    Half of the contributions come from each sex, and none exceeds its candidate's `most`. With K = ZBZ' + D, where Z
    tells candidates' families, B = `between` has a square root R (B = R'R) and D is diagonal, the limit is the
    second-order cone |(R Z'c, D^(1/2) c)| <= limit^(1/2) (Yamashita et al. 2018, Optim Lett 12:1683), as
    small as the number of families allows. An interior-point solver finds the optimum.

    Args:
      candidates: at least one of each sex.
      limit: largest mean kinship.

    Returns:
      (candidate,), adding up to 1.

    Raises:
      UnattainableError: every choice has a higher mean kinship.
      ValueError: the solver is not installed.
    """
    spread = float(np.std(candidates.merit)) or 1.0
    found = _solve(candidates, -(candidates.merit - candidates.merit.mean()) / spread, 0.0, limit)
    if found is None:
        least = candidates.mean_kinship(least_related(candidates))
        raise UnattainableError(f"limit is {limit:.6g}; the least mean kinship is {least:.6g}", least)
    return found


def least_related(candidates: Candidates) -> Floats:
    """The contributions with the least mean kinship that these candidates can have.

    Args:
      candidates: see `optimum_contributions`.

    Returns:
      (candidate,), where c'Kc is least.

    Raises:
      ValueError: the largest contributions of a sex do not add up to a half, or the solver is not installed.
    """
    found = _solve(candidates, np.zeros(len(candidates.merit)), 1.0, 1.0)
    if found is None:
        raise ValueError("the largest contributions of each sex must add up to 1/2 or more")
    return found


def _solve(candidates: Candidates, cost: Floats, cost_of_kinship: float, limit: float) -> Floats | None:
    """Minimises cost'c + cost_of_kinship x root, where root bounds the square root of c'Kc; None if nothing fits."""
    clarabel = solver()
    n, families = len(candidates.merit), len(candidates.itself)
    values, vectors = np.linalg.eigh(candidates.between)
    root = np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T
    of_family = sparse.csr_array((np.ones(n), (candidates.family, np.arange(n))), shape=(families, n))
    of_sex = np.stack([~candidates.male, candidates.male]).astype(float)
    each, own = sparse.eye_array(n), sparse.diags_array(np.sqrt(candidates.own_excess))
    # Columns: contributions, families' contributions, root. Rows: A x + s = b with s in the cones.
    rows = sparse.block_array(
        [
            [sparse.csr_array(of_sex), None, None],
            [of_family, -sparse.eye_array(families), None],
            [-each, None, None],
            [each, None, None],
            [None, None, sparse.csr_array([[1.0]])],
            [None, None, sparse.csr_array([[-1.0]])],
            [None, sparse.csr_array(-root), None],
            [-own, None, None],
        ],
        format="csc",
    )
    right = np.concatenate([[0.5, 0.5], np.zeros(families + n), candidates.most, [np.sqrt(limit)]])
    right = np.concatenate([right, np.zeros(1 + families + n)])
    cones = [
        clarabel.ZeroConeT(2 + families),
        clarabel.NonnegativeConeT(2 * n + 1),
        clarabel.SecondOrderConeT(1 + families + n),
    ]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    nothing = sparse.csc_array((rows.shape[1], rows.shape[1]))
    objective = np.concatenate([cost, np.zeros(families), [cost_of_kinship]])
    result = clarabel.DefaultSolver(nothing, objective, rows, right, cones, settings).solve()
    status = str(result.status)
    if "Infeasible" in status:
        return None
    if "Solved" not in status:
        raise RuntimeError(f"the solver of optimum contributions ended with {status}")
    return np.clip(np.asarray(result.x)[:n], 0.0, candidates.most)


def solver() -> Any:
    """The conic solver.

    Raises:
      ValueError: it is not installed; one sentence.
    """
    try:
        import clarabel
    except ImportError:
        raise ValueError('inbreeding_rate needs the solver clarabel: pip install "jaxbreed[ocs]"') from None
    return clarabel
