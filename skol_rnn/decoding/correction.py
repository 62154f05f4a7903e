"""From the network's probabilities to the posterior: undo what weights, losses and sampling did to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TINY = 1e-12


def correct_probabilities(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Undo the tilt that a weighted loss gives to probabilities."""
    return _normalised(np.asarray(probabilities, np.float64) / np.where(weights > 0, weights, 1.0))


@dataclass(frozen=True)
class Correction:
    """What training did to the probabilities, and how it is undone."""

    weights: np.ndarray
    margins: np.ndarray | None = None
    gamma: float = 0.0
    smoothing: float = 0.0

    def posterior(self, probabilities: np.ndarray) -> np.ndarray:
        """Compute the posterior from the network's probabilities."""
        found = np.asarray(probabilities, np.float64)
        if self.margins is not None:
            found = _normalised(found * np.exp(self.margins - self.margins.max()))
        if self.gamma:
            found = _without_focus(found, self.gamma)
        if self.smoothing:
            found = _normalised(np.maximum(found - self.smoothing / found.shape[1], _TINY))
        return correct_probabilities(found, self.weights)

    def tilt(self) -> np.ndarray:
        """Return the offsets of log posteriors, shape (labels,), that decide as the network's own argmax does."""
        weights = np.log(np.where(self.weights > 0, self.weights, 1.0))
        return weights if self.margins is None else weights - self.margins


def _without_focus(p: np.ndarray, gamma: float) -> np.ndarray:
    """Undo the focal loss (Charoenphakdee et al.

    2021, "On focal loss for class-posterior probability estimation").
    """
    p = np.clip(p, _TINY, 1.0 - 1e-9)
    rest = 1.0 - p
    log_q = np.log(p) + (1.0 - gamma) * np.log(rest) - np.log(rest - gamma * p * np.log(p))
    return _normalised(np.exp(log_q - log_q.max(axis=1, keepdims=True)))


def _normalised(values: np.ndarray) -> np.ndarray:
    return values / values.sum(axis=1, keepdims=True)
