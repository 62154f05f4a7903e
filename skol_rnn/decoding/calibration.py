"""Calibrate posteriors on documents that were not trained on: one temperature, one bias a label."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skol_rnn.labels import NO_LABEL

CALIBRATIONS = ("none", "temperature", "bias", "cautious")
"""No calibration; a temperature; a temperature and a bias for each label; the same, the bias believed only as far as
training tilted the label."""

_TINY = 1e-12
_MIN_SUPPORT = 10  # lines below which a label's bias stays 0: it would fit noise
_MIN_LINES = 50
_LARGEST = 6.0
_DOUBT = 0.5  # deviation of a correction's error, as a share of what is corrected
_DOCUMENTS_DIFFER = 0.8  # deviation of a label's bias from volume to volume of a journal, where nothing was tilted


class Scaling(NamedTuple):
    """Posterior = softmax(log p / temperature + bias)."""

    temperature: float
    bias: np.ndarray

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrate probabilities, shape (lines, labels)."""
        if self.temperature == 1.0 and not self.bias.any():
            return probabilities
        scores = _log(probabilities) / self.temperature + self.bias
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
        return exponents / exponents.sum(axis=1, keepdims=True)


def fit_scaling(
    probabilities: np.ndarray, true: np.ndarray, how: str = "bias", tilt: np.ndarray | None = None
) -> Scaling:
    """Find the scaling that makes the true labels most probable."""
    n_labels = probabilities.shape[1]
    neutral = Scaling(1.0, np.zeros(n_labels))
    known = true != NO_LABEL
    support = np.bincount(true[known], minlength=n_labels)
    if how == "none" or known.sum() < _MIN_LINES or (support > 0).sum() < 2:
        return neutral
    log_p, true = _log(probabilities[known]), true[known]
    none = np.zeros(0, np.int64)
    if how == "temperature":
        return _most_probable(log_p, true, none, neutral.bias)
    full = _most_probable(log_p, true, np.flatnonzero(support >= _MIN_SUPPORT), neutral.bias)
    if how == "bias":
        return full
    majority = int(np.argmax(support))
    tilt = neutral.bias if tilt is None else tilt
    doubt = _DOUBT * (tilt - tilt[majority])
    believed = doubt**2 / (doubt**2 + _DOCUMENTS_DIFFER**2)
    return _most_probable(log_p, true, none, believed * (full.bias - full.bias[majority]) + 0.0)  # no -0.0


def _most_probable(log_p: np.ndarray, true: np.ndarray, free: np.ndarray, bias: np.ndarray) -> Scaling:
    """Fit a temperature, and the bias of the labels that are free; that of the others is given."""
    from scipy.optimize import minimize  # for training only
    from scipy.special import log_softmax

    one_hot = np.zeros_like(log_p)
    one_hot[np.arange(len(true)), true] = 1.0

    def cost(values: np.ndarray) -> tuple[float, np.ndarray]:
        sharpness, added = np.exp(-values[0]), bias.copy()
        added[free] = values[1:]
        scores = log_softmax(sharpness * log_p + added, axis=1)
        wrong = np.exp(scores) - one_hot  # (lines, labels): the gradient by the scores
        slope = np.append(-sharpness * (wrong * log_p).sum(), wrong.sum(axis=0)[free]) + values
        return float(-scores[one_hot > 0].sum() + 0.5 * values @ values), slope

    start = np.zeros(1 + len(free))
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=[(-_LARGEST, _LARGEST)] * len(start)).x
    fitted = bias.copy()
    fitted[free] = found[1:]
    return Scaling(float(np.exp(found[0])), fitted)


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY))
