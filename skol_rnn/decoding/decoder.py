"""The last stage of prediction: correction, calibration, and a label for each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skol_rnn.decoding.calibration import Calibration
from skol_rnn.decoding.correction import Correction, log_of
from skol_rnn.decoding.held_out import HeldOut
from skol_rnn.decoding.offsets import DECISIONS, decide
from skol_rnn.decoding.purpose import FORMS, Rule, is_purpose, rule_of
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
    names: tuple[str, ...] = ()  # of the labels
    held_out: HeldOut | None = None

    def posterior(self, raw: np.ndarray) -> np.ndarray:
        """Compute posteriors from the network's probabilities, both of shape (lines, labels)."""
        return self.calibration.apply(self.correction.posterior(raw))

    def logit_offsets(self) -> np.ndarray:
        """Return the offsets of log posteriors, shape (labels,), under which they decide as the network's argmax."""
        return self.correction.logit_offsets() / self.calibration.temperature - self.calibration.bias

    def resolved(self, decision: str) -> str | Rule:
        """Check a decision; "auto" is "tuned" where offsets were tuned, and a purpose is its rule."""
        if is_purpose(decision):
            if self.transitions.forbid:
                raise ValueError(f"decision {decision!r} is for labels of lines, not for spans.")
            return rule_of(decision, self.names, self.held_out)
        check_choice("decision", decision, (*DECISIONS, *FORMS))
        if decision == "tuned" and not self.tuned:
            raise DataError(
                'decision="tuned" needs offsets tuned on a validation set: train with validation documents and '
                'decision="auto" or "tuned".'
            )
        return "tuned" if decision == "auto" and self.tuned else decision

    def decide(
        self, raw: np.ndarray, lengths: Sequence[int], decision: str | Rule, posterior: np.ndarray | None = None
    ) -> np.ndarray:
        """Choose a label for each line of documents of some lengths; return label indices."""
        how = self.resolved(decision) if isinstance(decision, str) else decision
        if how == "argmax":
            found = raw
        else:
            found = self.posterior(raw) if posterior is None else posterior
        if not self.transitions.forbid:
            return decide(raw) if how == "argmax" else self.decide_posteriors(found, lengths, how)
        # The best sequence of labels that the transitions allow.
        start, step, prior = weighted(self.transitions, self.transition_weight if how in ("tuned", "viterbi") else 0.0)
        rows = self.offsets[None] if how in ("auto", "tuned") else None
        return best_sequences(log_of(found) - prior, lengths, start, step, rows)[0]

    def decide_posteriors(self, posterior: np.ndarray, lengths: Sequence[int], decision: str | Rule) -> np.ndarray:
        """Choose a label for each line from its posteriors alone."""
        how = self.resolved(decision) if isinstance(decision, str) else decision
        if not isinstance(how, str):
            return how.decide(posterior)
        if how == "viterbi":
            return viterbi(posterior, list(lengths), self.transitions, self.transition_weight)
        offsets = {"argmax": self.logit_offsets(), "corrected": None}
        return decide(posterior, offsets.get(how, self.offsets))

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
        if correction.margins is not None:
            arrays["margins"] = correction.margins
        return {**arrays, **self.held_out.arrays()} if self.held_out else arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], tuned: bool = False, names: Sequence[str] = ()) -> Decoder:
        """Rebuild the decoder; ``tuned`` is for models saved without that array."""
        gamma, smoothing, temperature = arrays["focus_smoothing_temperature"].tolist()
        return cls(
            Correction(arrays["tilt"], arrays.get("margins"), gamma, smoothing),
            arrays["offsets"],
            Transitions(arrays["start"], arrays["step"], arrays["prior"]),
            Calibration(temperature, arrays["bias"]),
            float(arrays["strength"]),
            bool(arrays.get("tuned", tuned)),
            tuple(names),
            HeldOut.from_arrays(arrays),
        )
