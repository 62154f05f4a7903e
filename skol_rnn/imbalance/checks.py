"""Checks of counts, weights and options, with messages that name the culprit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np

from skol_rnn.labels import LabelSet


def check_options(alpha: float = 0.0, beta: float = 0.0, max_ratio: float | None = None) -> None:
    """Check the options of strategies."""
    if not (is_finite(alpha) and alpha >= 0):
        raise ValueError(f"alpha must be finite and at least 0, not {alpha!r}.")
    if not (is_finite(beta) and 0 <= beta < 1):
        raise ValueError(f"beta must be at least 0 and below 1, not {beta!r}.")
    if max_ratio is not None and not (is_finite(max_ratio) and max_ratio >= 1):
        raise ValueError(f"max_ratio must be finite and at least 1, not {max_ratio!r}.")


def is_finite(value: object) -> bool:
    """Tell a finite number from anything else, True and False included."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def checked_counts(counts: Sequence[int] | np.ndarray) -> np.ndarray:
    """Check that there is one count for each label."""
    number = np.asarray(counts, dtype=np.float64)
    wrong = number[~np.isfinite(number) | (number < 0)]
    if number.ndim != 1 or wrong.size:
        culprit = f"{wrong[0]:g}" if wrong.size else f"an array of shape {number.shape}"
        raise ValueError(f"counts must be one number of at least 0 per label, not {culprit}.")
    return number


def check_weights(weights: Mapping[str, object]) -> None:
    """Check weights by label."""
    for name, weight in weights.items():
        if not is_finite(weight) or weight < 0:  # type: ignore[operator]
            raise ValueError(f"The class weight of {name!r} must be a finite number of at least 0, not {weight!r}.")


def check_counts(counts: Mapping[str, object]) -> None:
    """Check counts by label."""
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, Integral) or not 0 <= int(count) < 2**63:
            raise ValueError(f"The count of {name!r} must be a whole number of at least 0, not {count!r}.")


def check_length(labels: LabelSet, values: Sequence[Any] | np.ndarray, what: str) -> None:
    """Check that there is one value for each label."""
    if len(values) != len(labels):
        raise ValueError(f"There are {len(values)} {what} for {len(labels)} labels.")
