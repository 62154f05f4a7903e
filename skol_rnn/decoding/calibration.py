"""Whether probabilities mean what they say."""

from __future__ import annotations

import numpy as np

from skol_rnn.labels import NO_LABEL


def calibration_error(probabilities: np.ndarray, true: np.ndarray, bins: int = 15) -> float:
    """Compute the expected calibration error of the most probable label.

    Lines are put into bins of equal width by the largest probability; the error is the mean over lines of the distance
    between a bin's mean probability and its share of right labels (Naeini, Cooper & Hauskrecht 2015).

    Parameters
    ----------
    probabilities : ndarray, shape (lines, labels)
        Probabilities.
    true : ndarray of int, shape (lines,)
        Labels; ``NO_LABEL`` lines are left out.
    bins : int, default 15
        Bins between 0 and 1; a bin includes its upper edge.

    Returns
    -------
    float
        Between 0 and 1; NaN if no line has a label.

    Raises
    ------
    ValueError
        If there is not at least one bin.

    Examples
    --------
    >>> p = np.array([[0.9, 0.1]] * 10)
    >>> round(calibration_error(p, np.array([0] * 7 + [1] * 3)), 4)
    0.2
    """
    known = true != NO_LABEL
    probabilities, true = np.asarray(probabilities, np.float64)[known], true[known]
    top = np.argmax(probabilities, axis=1)
    return _binned_error(probabilities[np.arange(len(true)), top], top == true, bins)


def class_calibration_errors(probabilities: np.ndarray, true: np.ndarray, bins: int = 15) -> np.ndarray:
    """Compute the calibration error of each label's probability, the label against the rest.

    Parameters
    ----------
    probabilities, true, bins
        As in :func:`calibration_error`.

    Returns
    -------
    ndarray of float64, shape (labels,)
        Errors, each over all lines; NaN if no line has a label (classwise ECE: Kull et al. 2019, "Beyond temperature
        scaling").

    Examples
    --------
    >>> p = np.array([[0.9, 0.1]] * 10)
    >>> class_calibration_errors(p, np.array([0] * 7 + [1] * 3)).round(4).tolist()
    [0.2, 0.2]
    """
    known = true != NO_LABEL
    probabilities, true = np.asarray(probabilities, np.float64)[known], true[known]
    return np.array([_binned_error(column, true == k, bins) for k, column in enumerate(probabilities.T)])


def mean_shares(probabilities: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the share of each label that the probabilities claim, and the true one.

    Parameters
    ----------
    probabilities : ndarray, shape (lines, labels)
        Probabilities.
    true : ndarray of int, shape (lines,)
        Labels; ``NO_LABEL`` lines are left out.

    Returns
    -------
    predicted, true : ndarray of float64, shape (labels,)
        Mean probability and share of lines; NaN if no line has a label.

    Examples
    --------
    >>> predicted, share = mean_shares(np.array([[0.5, 0.5], [0.7, 0.3]]), np.array([0, 0]))
    >>> predicted.round(4).tolist(), share.tolist()
    ([0.6, 0.4], [1.0, 0.0])
    """
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
