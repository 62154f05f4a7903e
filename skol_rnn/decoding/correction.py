"""From the network's probabilities to posteriors: undo what weights, loss and sampling did to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_TINY = 1e-12


def correct_probabilities(probabilities: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Divide probabilities by the class weights that the loss was multiplied by, and normalise them."""
    return normalised(np.asarray(probabilities, np.float64) / np.where(weights > 0, weights, 1.0))


@dataclass(frozen=True)
class Correction:
    """What training did to the probabilities: class weights, margins of the logits, focal exponent, label smoothing."""

    weights: np.ndarray
    margins: np.ndarray | None = None
    gamma: float = 0.0
    smoothing: float = 0.0

    def posterior(self, probabilities: np.ndarray) -> np.ndarray:
        """Compute posteriors from the network's probabilities, shape (lines, labels)."""
        found = np.asarray(probabilities, np.float64)
        if self.margins is not None:
            found = normalised(found * np.exp(self.margins - self.margins.max()))
        if self.gamma:
            found = _without_focus(found, self.gamma)
        if self.smoothing:
            found = normalised(np.maximum(found - self.smoothing / found.shape[1], _TINY))
        return correct_probabilities(found, self.weights)

    def logit_offsets(self) -> np.ndarray:
        """Return the offsets of log posteriors, shape (labels,), under which they decide as the network's argmax."""
        weights = np.log(np.where(self.weights > 0, self.weights, 1.0))
        return weights if self.margins is None else weights - self.margins


def _without_focus(p: np.ndarray, gamma: float) -> np.ndarray:
    """Undo the focal loss (Charoenphakdee et al. 2021, "On focal loss for class-posterior probability estimation")."""
    p = np.clip(p, _TINY, 1.0 - 1e-9)
    rest = 1.0 - p
    log_q = np.log(p) + (1.0 - gamma) * np.log(rest) - np.log(rest - gamma * p * np.log(p))
    return normalised(np.exp(log_q - log_q.max(axis=1, keepdims=True)))


def normalised(values: np.ndarray) -> np.ndarray:
    """Divide each row by its sum."""
    # NumPy adds whole columns several times as fast as it adds the numbers of short rows.
    return values / np.ascontiguousarray(values.T).sum(axis=0)[:, None]


def log_of(probabilities: np.ndarray) -> np.ndarray:
    """Return the logarithm of probabilities; that of 0 is finite."""
    return np.log(np.maximum(np.asarray(probabilities, np.float64), _TINY))
