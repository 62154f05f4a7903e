"""The last stage of prediction in one object: posterior, calibration, and a label for each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skol_rnn.decoding.calibration import Scaling
from skol_rnn.decoding.correction import Correction
from skol_rnn.decoding.offsets import decide
from skol_rnn.decoding.transitions import Transitions, at_strength, viterbi
from skol_rnn.decoding.viterbi import best_sequences

_TINY = 1e-12
_WITH_OFFSETS = ("auto", "tuned")


@dataclass(frozen=True)
class Decoder:
    """How a trained model gets from the network's probabilities to labels."""

    correction: Correction
    offsets: np.ndarray
    transitions: Transitions
    scaling: Scaling
    strength: float = 1.0

    def posterior(self, raw: np.ndarray) -> np.ndarray:
        """Compute posteriors from the network's probabilities, both of shape (lines, labels)."""
        return self.scaling.apply(self.correction.posterior(raw))

    def tilt(self) -> np.ndarray:
        """Return the offsets of posteriors, shape (labels,), that decide as the network's own argmax does."""
        # With a temperature T the posteriors' logarithms are 1 / T of what they were, and so is the tilt.
        return self.correction.tilt() / self.scaling.temperature - self.scaling.bias

    def decide(self, raw: np.ndarray, lengths: Sequence[int], how: str) -> np.ndarray:
        """Choose a label for each line."""
        if self.transitions.forbid:
            return self._allowed(raw, lengths, how)
        if how == "argmax":
            return decide(raw)
        posterior = self.posterior(raw)
        if how == "viterbi":
            return viterbi(posterior, list(lengths), self.transitions, self.strength)
        return decide(posterior, self.offsets if how in _WITH_OFFSETS else None)

    def _allowed(self, raw: np.ndarray, lengths: Sequence[int], how: str) -> np.ndarray:
        """Choose the best sequence of labels that the transitions allow."""
        found = np.asarray(raw, np.float64) if how == "argmax" else self.posterior(raw)
        strength = self.strength if how in ("tuned", "viterbi") else 0.0
        start, step, prior = at_strength(self.transitions, strength)
        offsets = self.offsets if how in _WITH_OFFSETS else np.zeros(len(self.offsets))
        return best_sequences(np.log(np.maximum(found, _TINY)) - prior, lengths, start, step, offsets[None])[0]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all of it as arrays, for the saved model."""
        correction = self.correction
        arrays = {
            "tilt": correction.weights,
            "focus_smoothing_temperature": np.array([correction.gamma, correction.smoothing, self.scaling.temperature]),
            "bias": self.scaling.bias,
            "offsets": self.offsets,
            "start": self.transitions.start,
            "step": self.transitions.step,
            "prior": self.transitions.prior,
            "strength": np.array(self.strength),
        }
        return arrays if correction.margins is None else {**arrays, "margins": correction.margins}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Decoder:
        """Rebuild what :meth:`arrays` returned."""
        gamma, smoothing, temperature = arrays["focus_smoothing_temperature"].tolist()
        correction = Correction(arrays["tilt"], arrays.get("margins"), gamma, smoothing)
        transitions = Transitions(arrays["start"], arrays["step"], arrays["prior"])
        return cls(
            correction, arrays["offsets"], transitions, Scaling(temperature, arrays["bias"]), float(arrays["strength"])
        )
