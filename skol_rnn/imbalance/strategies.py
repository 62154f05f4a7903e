"""Weights by name: each strategy a formula over the counts of the labels, with its source."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from skol_rnn.imbalance.checks import check_options, checked_counts
from skol_rnn.labels import LabelSet, suggestion

logger = logging.getLogger(__name__)

DEFAULT_ALPHA = 0.5
DEFAULT_BETA = 0.999
LOG_OFFSET = 1.02
"""Keeps the weights of "log" between 1.4 (share 1) and 50.5 (share 0), as Paszke et al. chose it."""
AGGRESSIVE_RANGE = (0.1, 100.0)


class Strategy(NamedTuple):
    """How a named strategy turns counts into weights."""

    formula: Callable[[np.ndarray, float], np.ndarray]
    notation: str
    source: str
    option: str | None = None
    mean_one: bool = False


def _smoothed(n: np.ndarray, alpha: float) -> np.ndarray:
    # Over the smallest count, and never 0: a large alpha would leave nothing to scale to mean 1.
    return np.maximum((n / n.min()) ** -alpha, np.finfo(np.float64).tiny)


def _effective(n: np.ndarray, beta: float) -> np.ndarray:
    # By logarithms, because 1 - beta**n loses its digits where beta is near 1.
    return (1 - beta) / -np.expm1(n * (math.log(beta) if beta else -math.inf))


STRATEGIES: Mapping[str, Strategy] = {
    "inverse": Strategy(
        lambda n, _: n.max() / n, "max n / n", "the ratio to the most frequent label; Japkowicz & Stephen, 2002"
    ),
    "balanced": Strategy(
        lambda n, _: n.sum() / (n.size * n), "N / (K n)", "King & Zeng, 2001; scikit-learn's class_weight='balanced'"
    ),
    "smoothed": Strategy(
        _smoothed, "n**-alpha, scaled to mean 1", "Mahajan et al., 2018, for alpha = 0.5", "alpha", mean_one=True
    ),
    "effective": Strategy(
        _effective,
        "(1 - beta) / (1 - beta**n), scaled to mean 1",
        "Cui et al., 2019, Class-balanced loss based on effective number of samples",
        "beta",
        mean_one=True,
    ),
    "log": Strategy(
        lambda n, _: 1 / np.log(LOG_OFFSET + n / n.sum()), "1 / ln(1.02 + n / N)", "Paszke et al., 2016, ENet"
    ),
    "aggressive": Strategy(
        lambda n, _: np.clip((n.sum() / (n.size * n)) ** 2, *AGGRESSIVE_RANGE),
        "(N / (K n))**2, clipped to 0.1 ... 100",
        "the square of balanced, clipped and never rescaled, so that rarer labels never weigh less",
    ),
}
"""The named strategies; every formula must give rarer labels weights that are no smaller."""


def class_weight_strategy(
    name: str,
    counts: Sequence[int] | np.ndarray,
    alpha: float = DEFAULT_ALPHA,
    max_ratio: float | None = None,
    labels: LabelSet | None = None,
    beta: float = DEFAULT_BETA,
) -> np.ndarray:
    """Derive class weights from the counts of the labels in the training documents.

    With n the count of a label, N their sum and K the number of labels that occur:

    ============ ================================================ ========================
    "inverse"    max n / n                                        Japkowicz & Stephen, 2002
    "balanced"   N / (K n)                                        King & Zeng, 2001
    "smoothed"   n**-alpha, scaled to mean 1 over all labels      Mahajan et al., 2018
    "effective"  (1 - beta) / (1 - beta**n), scaled to mean 1     Cui et al., 2019
    "log"        1 / ln(1.02 + n / N)                             Paszke et al., 2016
    "aggressive" (N / (K n))**2, clipped to 0.1 ... 100           the square of "balanced"
    ============ ================================================ ========================

    A label that does not occur gets the largest weight of those that do, and a warning.

    Parameters
    ----------
    name : str
        One of ``STRATEGIES``.
    counts : sequence of int, shape (K,)
        Lines of each label.
    alpha : float
        Exponent of "smoothed": 0 gives equal weights, 1 is proportional to "inverse". Others do without.
    max_ratio : float, optional
        Largest weight allowed, as a multiple of the smallest.
    labels : LabelSet, optional
        Names for the warning about labels that do not occur.
    beta : float
        How fast "effective" takes further lines of a label for repetitions: 0 gives equal weights, a value near 1
        is proportional to "inverse"; counts well beyond 1 / (1 - beta) weigh the same.

    Returns
    -------
    ndarray of float64, shape (K,)
        The weights.

    Raises
    ------
    ValueError
        If the name is unknown, no label occurs, or a count or option is not allowed.

    Examples
    --------
    >>> class_weight_strategy("inverse", [1000, 100, 10]).tolist()
    [1.0, 10.0, 100.0]
    >>> class_weight_strategy("inverse", [1000, 100, 10], max_ratio=20).tolist()
    [1.0, 10.0, 20.0]
    >>> class_weight_strategy("smoothed", [100, 25, 25]).round(6).tolist()
    [0.6, 1.2, 1.2]
    >>> class_weight_strategy("effective", [1, 2], beta=0.5).round(6).tolist()
    [1.2, 0.8]
    """
    number = checked_counts(counts)
    weights = _weights(name, number, alpha, beta, max_ratio)
    unseen = np.flatnonzero(number == 0)
    if unseen.size:
        names = ", ".join(repr(labels.names[i]) if labels else f"number {i}" for i in unseen)
        logger.warning("No training line has the label %s; it gets the largest weight of the others.", names)
    return weights


def compare_strategies(
    counts: Sequence[int] | np.ndarray,
    alpha: float = DEFAULT_ALPHA,
    max_ratio: float | None = None,
    beta: float = DEFAULT_BETA,
) -> dict[str, np.ndarray]:
    """Derive the weights of every strategy, to be looked at side by side."""
    number = checked_counts(counts)
    return {name: _weights(name, number, alpha, beta, max_ratio) for name in STRATEGIES}


def check_strategy(name: str) -> Strategy:
    """Find a strategy."""
    if name not in STRATEGIES:
        allowed = ", ".join(STRATEGIES)
        hint = suggestion(str(name), STRATEGIES)
        raise ValueError(f"Unknown class weight strategy {name!r}; allowed are {allowed}.{hint}")
    return STRATEGIES[name]


def _weights(name: str, number: np.ndarray, alpha: float, beta: float, max_ratio: float | None) -> np.ndarray:
    strategy = check_strategy(name)
    check_options(alpha, beta, max_ratio)
    seen = number > 0
    if not seen.any():
        raise ValueError(f"Class weights {name!r} need counts, but no label occurs; give data with a label column.")
    found = strategy.formula(number[seen], beta if strategy.option == "beta" else alpha)
    weights = np.full(number.shape, found.max())
    weights[seen] = found
    if max_ratio is not None:
        weights = np.minimum(weights, max_ratio * weights.min())
    return weights / weights.mean() if strategy.mean_one else weights
