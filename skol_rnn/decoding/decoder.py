"""The last stage of prediction: correction, calibration, and a label for each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skol_rnn.decoding.calibration import Calibration
from skol_rnn.decoding.correction import Correction, log_of
from skol_rnn.decoding.offsets import DECISIONS, decide
from skol_rnn.decoding.transitions import Transitions, viterbi, weighted
from skol_rnn.decoding.viterbi import best_sequences
from skol_rnn.errors import DataError
from skol_rnn.labels import check_choice


@dataclass(frozen=True)
class Decoder:
    """How a trained model turns the network's probabilities into labels."""

    correction: Correction
    offsets: np.ndarray
    transitions: Transitions
    calibration: Calibration
    transition_weight: float = 1.0
    tuned: bool = False

    def posterior(self, raw: np.ndarray) -> np.ndarray:
        """Compute posteriors from the network's probabilities, both of shape (lines, labels)."""
        return self.calibration.apply(self.correction.posterior(raw))

    def logit_offsets(self) -> np.ndarray:
        """Return the offsets of log posteriors, shape (labels,), under which they decide as the network's argmax."""
        return self.correction.logit_offsets() / self.calibration.temperature - self.calibration.bias

    def resolved(self, decision: str) -> str:
        """Check a decision; "auto" is "tuned" where offsets were tuned."""
        check_choice("decision", decision, DECISIONS)
        if decision == "tuned" and not self.tuned:
            raise DataError(
                'decision="tuned" needs offsets tuned on a validation set: train with validation documents and '
                'decision="auto" or "tuned".'
            )
        return "tuned" if decision == "auto" and self.tuned else decision

    def decide(self, raw: np.ndarray, lengths: Sequence[int], decision: str) -> np.ndarray:
        """Choose a label for each line of documents of some lengths; return label indices."""
        decision = self.resolved(decision)
        found = raw if decision == "argmax" else self.posterior(raw)
        offsets = self.offsets if decision in ("auto", "tuned") else None
        if self.transitions.forbid:  # the best sequence of labels that the transitions allow
            weight = self.transition_weight if decision in ("tuned", "viterbi") else 0.0
            start, step, prior = weighted(self.transitions, weight)
            rows = None if offsets is None else offsets[None]
            return best_sequences(log_of(found) - prior, lengths, start, step, rows)[0]
        if decision == "viterbi":
            return viterbi(found, list(lengths), self.transitions, self.transition_weight)
        return decide(found, offsets)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the decoder as arrays, under the names of the saved model."""
        correction, calibration = self.correction, self.calibration
        arrays = {
            "tilt": correction.weights,
            "focus_smoothing_temperature": np.array([correction.gamma, correction.smoothing, calibration.temperature]),
            "bias": calibration.bias,
            "offsets": self.offsets,
            "start": self.transitions.start,
            "step": self.transitions.step,
            "prior": self.transitions.prior,
            "strength": np.array(self.transition_weight),
            "tuned": np.array(self.tuned),
        }
        return arrays if correction.margins is None else {**arrays, "margins": correction.margins}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], tuned: bool = False) -> Decoder:
        """Rebuild the decoder; ``tuned`` is for models saved without that array."""
        gamma, smoothing, temperature = arrays["focus_smoothing_temperature"].tolist()
        return cls(
            Correction(arrays["tilt"], arrays.get("margins"), gamma, smoothing),
            arrays["offsets"],
            Transitions(arrays["start"], arrays["step"], arrays["prior"]),
            Calibration(temperature, arrays["bias"]),
            float(arrays["strength"]),
            bool(arrays.get("tuned", tuned)),
        )
