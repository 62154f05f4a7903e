"""Calibration error: how far the probabilities of labels are from their frequencies."""

from __future__ import annotations

import numpy as np

from skol_rnn.labels import NO_LABEL


def calibration_error(probabilities: np.ndarray, true: np.ndarray, bins: int = 15) -> float:
    """Compute the expected calibration error of the most probable label."""
    known = true != NO_LABEL
    probabilities, true = np.asarray(probabilities, np.float64)[known], true[known]
    top = np.argmax(probabilities, axis=1)
    if not isinstance(bins, (int, np.integer)) or bins < 1:
        raise ValueError(f"bins must be a whole number of at least 1, but is {bins!r}.")
    if not len(true):
        return float("nan")
    probability = probabilities[np.arange(len(true)), top]
    place = np.clip(np.ceil(probability * bins).astype(np.int64) - 1, 0, bins - 1)
    # The sum of a bin is its distance from the frequency times its rows.
    return float(np.abs(np.bincount(place, probability - (top == true), bins)).sum() / len(true))


def mean_shares(probabilities: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean probability of each label and its true share."""
    known = true != NO_LABEL
    probabilities, true = np.asarray(probabilities, np.float64)[known], true[known]
    k = probabilities.shape[1]
    if not len(true):
        return np.full(k, np.nan), np.full(k, np.nan)
    return probabilities.mean(axis=0), np.bincount(true, minlength=k) / len(true)
