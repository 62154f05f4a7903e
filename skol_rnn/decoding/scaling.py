"""Calibrate posteriors on documents that were not trained on: one temperature, one bias a label."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from skol_rnn.labels import NO_LABEL

CALIBRATIONS = ("none", "temperature", "bias")
"""No calibration, a temperature, or a temperature and a bias for each label."""

_TINY = 1e-12
_MIN_SUPPORT = 10  # lines below which a label's bias stays 0: it would fit noise
_MIN_LINES = 50
_LARGEST = 6.0


class Scaling(NamedTuple):
    """Posterior = softmax(log p / temperature + bias).

    Attributes
    ----------
    temperature : float
        Above 1 makes the posteriors less certain.
    bias : ndarray, shape (labels,)
        Added for each label.

    Examples
    --------
    >>> Scaling(1.0, np.log([2.0, 1.0])).apply(np.array([[0.5, 0.5]])).round(4).tolist()
    [[0.6667, 0.3333]]
    """

    temperature: float
    bias: np.ndarray

    def apply(self, probabilities: np.ndarray) -> np.ndarray:
        """Calibrate probabilities, shape (lines, labels)."""
        if self.temperature == 1.0 and not self.bias.any():
            return probabilities
        return softmax(_log(probabilities) / self.temperature + self.bias, axis=1)


def fit_scaling(probabilities: np.ndarray, true: np.ndarray, how: str = "bias") -> Scaling:
    """Find the scaling that makes the true labels most probable.

    With a bias for each label the mean posterior of each label is its true share on these lines (Alexandari,
    Kundaje & Shrikumar 2020, "bias-corrected temperature scaling"; the temperature alone is that of Guo et al.
    2017).  A weak prior holds both to the neutral values where there are few lines.

    Parameters
    ----------
    probabilities : ndarray, shape (lines, labels)
        Posteriors of documents that were not trained on.
    true : ndarray of int, shape (lines,)
        Their labels; ``NO_LABEL`` lines are left out.
    how : str, default "bias"
        One of ``CALIBRATIONS``.

    Returns
    -------
    Scaling
        Neutral for "none", and where fewer than 50 lines or one label only are known; the bias is 0 for a label
        of fewer than 10 lines.

    Examples
    --------
    >>> p = np.tile([[0.5, 0.5]], (1000, 1))
    >>> scaling = fit_scaling(p, np.repeat([0, 1], [100, 900]))
    >>> scaling.apply(p)[0].round(2).tolist()
    [0.1, 0.9]
    """
    n_labels = probabilities.shape[1]
    neutral = Scaling(1.0, np.zeros(n_labels))
    known = true != NO_LABEL
    support = np.bincount(true[known], minlength=n_labels)
    if how == "none" or known.sum() < _MIN_LINES or (support > 0).sum() < 2:
        return neutral
    free = np.flatnonzero(support >= _MIN_SUPPORT) if how == "bias" else np.zeros(0, np.int64)
    log_p, rows = _log(probabilities[known]), np.arange(int(known.sum()))
    one_hot = np.zeros_like(log_p)
    one_hot[rows, true[known]] = 1.0

    def cost(values: np.ndarray) -> tuple[float, np.ndarray]:
        sharpness, bias = np.exp(-values[0]), np.zeros(n_labels)
        bias[free] = values[1:]
        scores = log_softmax(sharpness * log_p + bias, axis=1)
        wrong = np.exp(scores) - one_hot  # (lines, labels): the gradient by the scores
        slope = np.append(-sharpness * (wrong * log_p).sum(), wrong.sum(axis=0)[free]) + values
        return float(-scores[one_hot > 0].sum() + 0.5 * values @ values), slope

    start = np.zeros(1 + len(free))
    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=[(-_LARGEST, _LARGEST)] * len(start)).x
    bias = np.zeros(n_labels)
    bias[free] = found[1:]
    return Scaling(float(np.exp(found[0])), bias)


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY))
