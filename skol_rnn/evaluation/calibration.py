"""Whether probabilities mean what they say."""

from __future__ import annotations

import numpy as np

from skol_rnn.labels import NO_LABEL


def calibration_error(probabilities: np.ndarray, true: np.ndarray, bins: int = 15) -> float:
    """Compute the expected calibration error of the most probable label."""
    known = true != NO_LABEL
    probabilities, true = np.asarray(probabilities, np.float64)[known], true[known]
    top = np.argmax(probabilities, axis=1)
    return _binned_error(probabilities[np.arange(len(true)), top], top == true, bins)


def class_calibration_errors(probabilities: np.ndarray, true: np.ndarray, bins: int = 15) -> np.ndarray:
    """Compute the calibration error of each label's probability, the label against the rest."""
    known = true != NO_LABEL
    probabilities, true = np.asarray(probabilities, np.float64)[known], true[known]
    return np.array([_binned_error(column, true == k, bins) for k, column in enumerate(probabilities.T)])


def mean_shares(probabilities: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the share of each label that the probabilities claim, and the true one."""
    known = true != NO_LABEL
    probabilities, true = np.asarray(probabilities, np.float64)[known], true[known]
    k = probabilities.shape[1]
    if not len(true):
        return np.full(k, np.nan), np.full(k, np.nan)
    return probabilities.mean(axis=0), np.bincount(true, minlength=k) / len(true)


def _binned_error(probability: np.ndarray, is_right: np.ndarray, bins: int) -> float:
    if not isinstance(bins, (int, np.integer)) or bins < 1:
        raise ValueError(f"bins must be a whole number of at least 1, but is {bins!r}.")
    if not len(probability):
        return float("nan")
    place = np.clip(np.ceil(probability * bins).astype(np.int64) - 1, 0, bins - 1)
    # Of each bin the sum of probability minus truth: |sum| / lines is its distance times its share of the lines.
    return float(np.abs(np.bincount(place, probability - is_right, bins)).sum() / len(probability))
