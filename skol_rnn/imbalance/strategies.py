"""The class weight strategies: each one a formula over the counts of the labels, with its source."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from skol_rnn.imbalance.checks import finite_number
from skol_rnn.imbalance.options import parse_options
from skol_rnn.labels import LabelSet

logger = logging.getLogger(__name__)

DEFAULT_ALPHA = 0.5
DEFAULT_BETA = 0.999
LOG_OFFSET = 1.02
"""Keeps the weights of "log" between 1.4 (share 1) and 50.5 (share 0), as chosen by Paszke et al."""
AGGRESSIVE_RANGE = (0.1, 100.0)


class Strategy(NamedTuple):
    """A formula from counts and one option to weights, and how it is written and cited."""

    formula: Callable[[np.ndarray, float], np.ndarray]
    notation: str
    source: str
    option: str | None = None
    mean_one: bool = False


def _smoothed(n: np.ndarray, alpha: float) -> np.ndarray:
    # Relative to the smallest count and never 0: with a large alpha, all weights would be 0 otherwise.
    weights: np.ndarray = np.maximum((n / n.min()) ** -alpha, np.finfo(np.float64).tiny)
    return weights


def _effective(n: np.ndarray, beta: float) -> np.ndarray:
    # Computed with logarithms, because 1 - beta**n loses its digits where beta is near 1.
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
"""The strategies by name; every formula gives rarer labels weights that are at least as large."""


def class_weight_strategy(
    name: str,
    counts: Sequence[int] | np.ndarray,
    alpha: float = DEFAULT_ALPHA,
    max_ratio: float | None = None,
    labels: LabelSet | None = None,
    beta: float = DEFAULT_BETA,
) -> np.ndarray:
    """Compute class weights from the counts of the labels in the training documents.

    With n the count of a label, N their sum and K the number of labels that occur:

    ============ ================================================ ========================
    "inverse"    max n / n                                        Japkowicz & Stephen, 2002
    "balanced"   N / (K n)                                        King & Zeng, 2001
    "smoothed"   n**-alpha, scaled to mean 1 over all labels      Mahajan et al., 2018
    "effective"  (1 - beta) / (1 - beta**n), scaled to mean 1     Cui et al., 2019
    "log"        1 / ln(1.02 + n / N)                             Paszke et al., 2016
    "aggressive" (N / (K n))**2, clipped to 0.1 ... 100           the square of "balanced"
    ============ ================================================ ========================

    A label that does not occur gets the largest weight of those that do, and a warning is logged.

    Parameters
    ----------
    name : str
        A strategy of the table, alone or with options that replace the arguments below:
        ``"smoothed:alpha=0.25,max_ratio=10"``.
    counts : sequence of int, shape (K,)
        Number of lines of each label.
    alpha : float, default 0.5
        Exponent of "smoothed": 0 gives equal weights, 1 weights proportional to "inverse".
    max_ratio : float, optional
        Largest weight allowed, as a multiple of the smallest; no limit by default.
    labels : LabelSet, optional
        Names for the warning about labels that do not occur.
    beta : float, default 0.999
        Option of "effective": 0 gives equal weights, a value near 1 weights proportional to "inverse"; labels
        with many more than 1 / (1 - beta) lines get the same weight.

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
    >>> class_weight_strategy("inverse:max_ratio=20", [1000, 100, 10]).tolist()
    [1.0, 10.0, 20.0]
    >>> class_weight_strategy("smoothed", [100, 25, 25]).round(6).tolist()
    [0.6, 1.2, 1.2]
    >>> class_weight_strategy("effective", [1, 2], beta=0.5).round(6).tolist()
    [1.2, 0.8]
    """
    number = checked_counts(counts)
    weights = _weights(*parse_strategy(name, alpha, beta, max_ratio), number)
    unseen = np.flatnonzero(number == 0)
    if unseen.size:
        names = ", ".join(repr(labels.names[i]) if labels else f"number {i}" for i in unseen)
        logger.warning("No training line has the label %s; it gets the largest weight of the others.", names)
    return weights


def compare_strategies(counts: Sequence[int] | np.ndarray, **options: float | None) -> dict[str, np.ndarray]:
    """Compute the weights of every strategy, without warnings."""
    number = checked_counts(counts)
    return {name: _weights(*parse_strategy(name, **options), number) for name in STRATEGIES}  # type: ignore[arg-type]


def parse_strategy(
    spec: str, alpha: float = DEFAULT_ALPHA, beta: float = DEFAULT_BETA, max_ratio: float | None = None
) -> tuple[str, dict[str, float]]:
    """Split ``name:option=value,...`` into the name and all options that the strategy uses, checked."""
    defaults = _checked({"alpha": alpha, "beta": beta, "max_ratio": math.inf if max_ratio is None else max_ratio})
    known = {
        name: {key: value for key, value in defaults.items() if key in (strategy.option, "max_ratio")}
        for name, strategy in STRATEGIES.items()
    }
    name, options = parse_options(spec, known, "class_weights")
    return name, _checked(options)


def format_strategy(name: str, options: Mapping[str, float]) -> str:
    """Write a strategy and its options so that ``parse_strategy`` reads them."""
    shown = [f"{key}={value!r}".removesuffix(".0") for key, value in options.items() if value != math.inf]
    return f"{name}:{','.join(shown)}" if shown else name


def checked_counts(counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return the counts as an array with one number for each label."""
    number = np.asarray(counts, dtype=np.float64)
    wrong = number[~np.isfinite(number) | (number < 0)]
    if number.ndim != 1 or wrong.size:
        culprit = f"{wrong[0]:g}" if wrong.size else f"an array of shape {number.shape}"
        raise ValueError(f"counts must be one number of at least 0 per label, not {culprit}.")
    return number


def _checked(options: Mapping[str, float]) -> dict[str, float]:
    found = {}
    for key, value in options.items():
        no_limit = key == "max_ratio" and value == math.inf
        found[key] = math.inf if no_limit else finite_number(key, value, 1 if key == "max_ratio" else 0)
        if key == "beta" and value >= 1:
            raise ValueError(f"beta must be at least 0 and below 1, not {value!r}.")
    return found


def _weights(name: str, options: Mapping[str, float], number: np.ndarray) -> np.ndarray:
    strategy, seen = STRATEGIES[name], number > 0
    if not seen.any():
        raise ValueError(f"Class weights {name!r} need counts, but no label occurs; give data with a label column.")
    found = strategy.formula(number[seen], options.get(strategy.option or "", 0.0))
    weights = np.full(number.shape, found.max())
    weights[seen] = found
    if options["max_ratio"] < math.inf:
        weights = np.minimum(weights, options["max_ratio"] * weights.min())
    return weights / weights.mean() if strategy.mean_one else weights
