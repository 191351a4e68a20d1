"""Records of animals: environment, sex, survival, how sessions add up (V29)."""

from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from jaxbreed import kernels
from jaxbreed.assays import averaged_h2
from jaxbreed.verification.drift import DAMS, EGGS, run_herds
from jaxbreed.verification.findings import Finding, exact, known_error, mean_of, share_of, variance_of
from jaxbreed.verification.registry import Effort, check

NORMAL = "definition"


@check("V29", "records: environment, sexes and survival are as stated, and independent of each other and of genes")
def records(effort: Effort) -> Iterator[Finding]:
    """Wrong: a residual that a clutch shares; covariances left out; sex that goes with survival."""
    world, history, _ = run_herds(effort)
    genetic, phenotypic = (history[f"{kind}_variance"][:, 0] for kind in ("tested", "phenotypic"))
    n = DAMS * EGGS
    for t, trait in enumerate(history.traits):
        expected = genetic[:, t] + world.residual[t] * (1 - 1 / n) + world.clutch[t] * (1 - 1 / DAMS)
        law = f"phenotypic variance of {n:,} tested eggs, Vg + VC + VE, {trait}"
        yield mean_of(law, phenotypic[:, t], expected, NORMAL)
    eggs = effort.size(100_000, 400_000)
    words, numbers = effort.words(29), jnp.arange(eggs, dtype=jnp.uint32)
    key = jnp.uint32(words[0]), jnp.uint32(words[1])
    covariance = np.array([[2.0, -0.9], [-0.9, 1.0]])
    root = np.linalg.cholesky(covariance)
    deviations = np.asarray(kernels.environment(key, numbers, kernels.build_noise(root * 2.0**20))) / 2.0**20
    for t in (0, 1):
        yield variance_of(
            f"environmental variance of trait {t + 1}, {eggs:,} eggs", deviations[t], covariance[t, t], NORMAL
        )
    product = deviations[0] * deviations[1]
    error = float(np.sqrt((covariance[0, 0] * covariance[1, 1] + covariance[0, 1] ** 2) / eggs))
    yield known_error("environmental covariance of two traits", float(product.mean()), covariance[0, 1], error, NORMAL)
    sex = np.asarray(kernels.sex(key, numbers, False))
    alive = np.asarray(kernels.survives(key, numbers, jnp.uint32(kernels.survival_threshold(0.3))))
    yield share_of(f"males among {eggs:,} eggs", sex, 0.5, NORMAL)
    yield share_of("survivors, survival 0.3", alive, 0.3, NORMAL)
    yield share_of("males that survive", (sex == 1) & alive, 0.15, NORMAL)
    fit = np.asarray(kernels.survives(key, numbers, jnp.uint32(kernels.survival_threshold(0.3)))) & (deviations[0] > 0)
    yield share_of("survivors with a positive deviation", fit, 0.15, NORMAL)
    yield exact(
        "h2 of the mean of 10 sessions, R 0.25, h2 0.13",
        averaged_h2(0.13, 0.25, 10),
        0.4,
        "n h2 / (1 + (n - 1) R)",
        rounding=1e-9,
    )
