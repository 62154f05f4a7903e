"""From the network's probabilities to the posterior: undo what weights, losses and sampling did to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TINY = 1e-12


def correct_probabilities(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Undo the tilt that a weighted loss gives to probabilities.

    The minimum of ``weight[true] * -log p(true)`` is at ``p(k) ~ weight[k] * P(k)``, so the posterior is
    found again by dividing by the weight and renormalising.

    Parameters
    ----------
    probabilities : ndarray, shape (lines, labels)
        What the weighted network gives out.
    weights : ndarray, shape (labels,)
        Its weights; a label of weight 0 was not trained and keeps its probability as it is.

    Returns
    -------
    ndarray of float64, shape (lines, labels)
        Rows sum to one.

    Examples
    --------
    >>> correct_probabilities(np.array([[0.5, 0.5]]), np.array([4.0, 1.0])).tolist()
    [[0.2, 0.8]]
    """
    return _normalised(np.asarray(probabilities, np.float64) / np.where(weights > 0, weights, 1.0))


@dataclass(frozen=True)
class Correction:
    """What training did to the probabilities, and how it is undone.

    Every loss of ``skol_rnn.losses`` has its minimum at probabilities that are a known function of the posterior
    P(label | line); this is the inverse of that function.

    Attributes
    ----------
    weights : ndarray, shape (labels,)
        Class weights, times the factor by which sampling made each label more frequent.
    margins : ndarray, shape (labels,), optional
        Added to the logits in the loss but not in the network: tau * log prior of the logit-adjusted loss.
    gamma : float, default 0
        Of the focal loss.
    smoothing : float, default 0
        Of the labels.

    Examples
    --------
    >>> Correction(np.array([4.0, 1.0])).posterior(np.array([[0.5, 0.5]])).tolist()
    [[0.2, 0.8]]
    """

    weights: np.ndarray
    margins: np.ndarray | None = None
    gamma: float = 0.0
    smoothing: float = 0.0

    def posterior(self, probabilities: np.ndarray) -> np.ndarray:
        """Compute the posterior from the network's probabilities.

        Parameters
        ----------
        probabilities : ndarray, shape (lines, labels)
            What the network gives out.

        Returns
        -------
        ndarray of float64, shape (lines, labels)
            Rows sum to one.
        """
        found = np.asarray(probabilities, np.float64)
        if self.margins is not None:
            found = _normalised(found * np.exp(self.margins - self.margins.max()))
        if self.gamma:
            found = _without_focus(found, self.gamma)
        if self.smoothing:
            found = _normalised(np.maximum(found - self.smoothing / found.shape[1], _TINY))
        return correct_probabilities(found, self.weights)

    def tilt(self) -> np.ndarray:
        """Return the offsets of log posteriors, shape (labels,), that decide as the network's own argmax does.

        Examples
        --------
        >>> Correction(np.array([4.0, 1.0])).tilt().round(4).tolist()
        [1.3863, 0.0]
        """
        weights = np.log(np.where(self.weights > 0, self.weights, 1.0))
        return weights if self.margins is None else weights - self.margins


def _without_focus(p: np.ndarray, gamma: float) -> np.ndarray:
    """Undo the focal loss (Charoenphakdee et al. 2021, "On focal loss for class-posterior probability estimation").

    At the minimum of sum over k of q(k) * f(p(k)), f(p) = -(1 - p)**gamma * log p, under sum p = 1, the products
    q(k) * f'(p(k)) are equal, so q(k) ~ 1 / |f'(p(k))| = p (1 - p)**(1 - gamma) / (1 - p - gamma p log p).
    """
    p = np.clip(p, _TINY, 1.0 - 1e-9)
    rest = 1.0 - p
    log_q = np.log(p) + (1.0 - gamma) * np.log(rest) - np.log(rest - gamma * p * np.log(p))
    return _normalised(np.exp(log_q - log_q.max(axis=1, keepdims=True)))


def _normalised(values: np.ndarray) -> np.ndarray:
    return values / values.sum(axis=1, keepdims=True)
