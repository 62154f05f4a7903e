"""The class weight strategies: each one a formula over the counts of the labels, with its source."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from skol_rnn.imbalance.options import check_length, checked_counts, finite_number, parse_options
from skol_rnn.labels import LabelSet

logger = logging.getLogger(__name__)

DEFAULT_ALPHA = 0.5
DEFAULT_BETA = 0.999


class Strategy(NamedTuple):
    """A formula from counts and one option to weights, how it is written, and its source."""

    formula: Callable[[np.ndarray, float], np.ndarray]
    notation: str
    source: str
    option: str | None = None
    mean_one: bool = False


def _smoothed(n: np.ndarray, alpha: float) -> np.ndarray:
    # Relative to the smallest count and never 0: with a large alpha, all weights would be 0 otherwise.
    return np.maximum((n / n.min()) ** -alpha, np.finfo(np.float64).tiny)


def _effective(n: np.ndarray, beta: float) -> np.ndarray:
    # Computed with logarithms, because 1 - beta**n loses its digits where beta is near 1.
    return (1 - beta) / -np.expm1(n * (math.log(beta) if beta else -math.inf))


STRATEGIES: Mapping[str, Strategy] = {
    "inverse": Strategy(lambda n, _: n.max() / n, "max n / n", "Japkowicz & Stephen, 2002"),
    "balanced": Strategy(lambda n, _: n.sum() / (n.size * n), "N / (K n)", "King & Zeng, 2001; as in scikit-learn"),
    "smoothed": Strategy(_smoothed, "n**-alpha, scaled to mean 1", "Mahajan et al., 2018", "alpha", True),
    "effective": Strategy(_effective, "(1 - beta) / (1 - beta**n), scaled to mean 1", "Cui et al., 2019", "beta", True),
    "log": Strategy(lambda n, _: 1 / np.log(1.02 + n / n.sum()), "1 / ln(1.02 + n / N)", "Paszke et al., 2016"),
    "aggressive": Strategy(
        lambda n, _: np.clip((n.sum() / (n.size * n)) ** 2, 0.1, 100.0),
        "(N / (K n))**2, clipped to 0.1 ... 100",
        "the square of balanced",
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
        A strategy, alone or with options that replace the arguments below: ``"smoothed:alpha=0.25,max_ratio=10"``.
    counts : sequence of int, shape (K,)
        Number of lines of each label.
    alpha : float, default 0.5
        Option of "smoothed", from 0 (equal weights) to 1 (proportional to "inverse") and beyond.
    max_ratio : float, optional
        Largest weight, as a multiple of the smallest; no limit by default.
    labels : LabelSet, optional
        The K names for the warning about labels that do not occur.
    beta : float, default 0.999
        Option of "effective", from 0 (equal weights) to nearly 1 (proportional to "inverse"); labels with many more
        than 1 / (1 - beta) lines get about the same weight.

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
    >>> class_weight_strategy("inverse:max_ratio=20", [1000, 100, 10]).tolist()
    [1.0, 10.0, 20.0]
    >>> class_weight_strategy("smoothed", [100, 25, 25]).round(6).tolist()
    [0.6, 1.2, 1.2]
    """
    number = checked_counts(counts)
    if labels is not None:
        check_length(labels, number, "counts")
    weights = _weights(number, *parse_strategy(name, alpha, beta, max_ratio))
    unseen = np.flatnonzero(number == 0)
    if unseen.size:
        names = ", ".join(repr(labels.names[i]) if labels else f"number {i}" for i in unseen)
        logger.warning("No training line has the label %s; it gets the largest weight of the others.", names)
    return weights


def compare_strategies(counts: Sequence[int] | np.ndarray, **options: Any) -> dict[str, np.ndarray]:
    """Compute the weights of every strategy, without warnings."""
    number = checked_counts(counts)
    return {name: _weights(number, *parse_strategy(name, **options)) for name in STRATEGIES}


def parse_strategy(
    spec: str, alpha: float = DEFAULT_ALPHA, beta: float = DEFAULT_BETA, max_ratio: float | None = None
) -> tuple[str, dict[str, float]]:
    """Split ``name:option=value,...`` into the name and all options that the strategy uses, checked."""
    defaults = {"alpha": alpha, "beta": beta, "max_ratio": math.inf if max_ratio is None else max_ratio}
    used = {name: (strategy.option, "max_ratio") for name, strategy in STRATEGIES.items()}
    known = {name: {key: defaults[key] for key in keys if key} for name, keys in used.items()}
    name, options = parse_options(spec, known, "class_weights")
    checked = {key: _checked(key, value) for key, value in (defaults | options).items()}
    return name, {key: checked[key] for key in options}


def format_strategy(name: str, options: Mapping[str, float]) -> str:
    """Write a strategy and its options so that ``parse_strategy`` reads them."""
    shown = [f"{key}={value!r}".removesuffix(".0") for key, value in options.items() if value != math.inf]
    return f"{name}:{','.join(shown)}" if shown else name


def _checked(key: str, value: float) -> float:
    if key == "max_ratio" and value == math.inf:
        return math.inf
    number = finite_number(key, value, 1 if key == "max_ratio" else 0)
    if key == "beta" and number >= 1:
        raise ValueError(f"beta must be at least 0 and below 1, not {value!r}.")
    return number


def _weights(number: np.ndarray, name: str, options: Mapping[str, float]) -> np.ndarray:
    strategy, seen = STRATEGIES[name], number > 0
    if not seen.any():
        raise ValueError(f"Class weights {name!r} need counts, but no label occurs; give data with a label column.")
    found = strategy.formula(number[seen], options.get(strategy.option or "", 0.0))
    weights = np.full(number.shape, found.max())
    weights[seen] = found
    weights = np.minimum(weights, options["max_ratio"] * weights.min())
    return weights / weights.mean() if strategy.mean_one else weights
