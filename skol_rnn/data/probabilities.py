"""Probabilities of rows together with the labels that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def with_names(probabilities: np.ndarray, labels: Sequence[str]) -> np.ndarray:
    """Return probabilities of shape (rows, labels) as a structured array with a field for each label."""
    named = np.empty(len(probabilities), [(label, np.float64) for label in labels])
    for column, label in zip(np.asarray(probabilities).T, labels, strict=True):
        named[label] = column
    return named


def by_label(probabilities: Any) -> dict[str, list[float]] | None:
    """Return the column of each label, of a structured array or a table; None for an array without names."""
    names = getattr(getattr(probabilities, "dtype", None), "names", None) or getattr(probabilities, "columns", None)
    return None if names is None else {str(name): np.asarray(probabilities[name], float).tolist() for name in names}
