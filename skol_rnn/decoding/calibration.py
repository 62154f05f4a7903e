"""Calibration of posteriors on the validation set: one temperature, and a bias for each label."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from skol_rnn.decoding.correction import log_of
from skol_rnn.labels import NO_LABEL

CALIBRATIONS = ("none", "temperature", "bias", "cautious")
"""No calibration; a temperature; a temperature and a bias for each label; the same with the bias shrunk towards 0, the
more so the less training shifted the label."""

_MIN_SUPPORT = 10  # lines below which a label's bias stays 0: it would fit noise
_MIN_LINES = 50
_LARGEST = 6.0
_CORRECTION_ERROR = 0.5  # standard deviation of a correction's error, as a share of the correction
_VOLUME_DEVIATION = 0.8  # standard deviation of a label's bias between volumes of a journal, without any correction


class Calibration(NamedTuple):
    """Posterior = softmax(log p / temperature + bias)."""

    temperature: float
    bias: np.ndarray

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrate probabilities, shape (lines, labels)."""
        if self.temperature == 1.0 and not self.bias.any():
            return probabilities
        scores = log_of(probabilities) / self.temperature + self.bias
        exponents = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
        return exponents / exponents.sum(axis=1, keepdims=True)


def fit_calibration(
    probabilities: np.ndarray, true: np.ndarray, how: str = "bias", logit_offsets: np.ndarray | None = None
) -> Calibration:
    """Find the calibration that makes the true labels most probable."""
    n_labels = probabilities.shape[1]
    neutral = Calibration(1.0, np.zeros(n_labels))
    known = true != NO_LABEL
    support = np.bincount(true[known], minlength=n_labels)
    if how == "none" or known.sum() < _MIN_LINES or (support > 0).sum() < 2:
        return neutral
    log_p, true = log_of(probabilities[known]), true[known]
    none = np.zeros(0, np.int64)
    if how == "temperature":
        return _most_probable(log_p, true, none, neutral.bias)
    full = _most_probable(log_p, true, np.flatnonzero(support >= _MIN_SUPPORT), neutral.bias)
    if how == "bias":
        return full
    majority = int(np.argmax(support))
    shift = neutral.bias if logit_offsets is None else logit_offsets
    # Shrinkage by variances: a bias is as likely an error of the correction as a difference of these documents.
    error = _CORRECTION_ERROR * (shift - shift[majority])
    kept = error**2 / (error**2 + _VOLUME_DEVIATION**2)
    return _most_probable(log_p, true, none, kept * (full.bias - full.bias[majority]) + 0.0)  # no -0.0


def _most_probable(log_p: np.ndarray, true: np.ndarray, free: np.ndarray, bias: np.ndarray) -> Calibration:
    """Fit a temperature and the bias of the free labels; the others keep the bias passed in."""
    from scipy.optimize import minimize  # heavy, and for training only
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
    return Calibration(float(np.exp(found[0])), fitted)
