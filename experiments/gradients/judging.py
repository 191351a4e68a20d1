"""How far draws of an estimator are from the truth."""

from typing import Any

import numpy as np


def length(draws: np.ndarray) -> float:
    """Length of the gradient that draws are of, without what noise adds to that of their mean.

    The expected square of the mean's length is the gradient's plus the variance of the mean. What is left without it is
    the mean product of two different draws. At most nine tenths are taken off, so that something is left of mere noise.

    Args:
      draws: (draw, parameter), at least two.

    Returns:
      The length.
    """
    mean = draws.mean(0)
    noise = (draws.var(0, ddof=1) / len(draws)).sum()
    return float(np.sqrt(max(mean @ mean - noise, 0.1 * mean @ mean)))


def judge(draws: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Cosine and ratio of lengths of an estimator's gradient with truth, with jackknife errors over its draws.

    Args:
      draws: (draw, parameter), of the estimator.
      truth: (seed, parameter), differences.

    Returns:
      What a cell of the table says. The errors do not hold that of truth. Signs count where truth is more than three
      standard errors from 0.
    """
    middle, error = truth.mean(0), truth.std(0, ddof=1) / np.sqrt(len(truth))
    true_length = length(truth)

    def both(some: np.ndarray) -> np.ndarray:
        own = length(some)
        return np.array([np.clip(some.mean(0) @ middle / own / true_length, -1.0, 1.0), own / true_length])

    n = len(draws)
    whole = both(draws)
    left_out = np.array([both(np.delete(draws, k, 0)) for k in range(n)])
    jackknife = np.sqrt((n - 1) / n * ((left_out - left_out.mean(0)) ** 2).sum(0))
    sure = np.abs(middle) > 3 * error
    return {
        "draws": n,
        "cosine": round(float(whole[0]), 4),
        "cosine_se": round(float(jackknife[0]), 4),
        "ratio": round(float(whole[1]), 4),
        "ratio_se": round(float(jackknife[1]), 4),
        "signs_wrong": int((np.sign(draws.mean(0)) != np.sign(middle))[sure].sum()),
        "signs_sure": int(sure.sum()),
        "mean": draws.mean(0).round(5).tolist(),
        "sd": draws.std(0, ddof=1).round(5).tolist(),
    }
