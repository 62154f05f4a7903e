"""The validation set: documents that select the best epoch and the offsets, and that are not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skol_rnn.data.inputs import LabelledRows
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.evaluation.evaluate import score_rows
from skol_rnn.evaluation.fragments import SPAN_METRIC
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.inference.predictor import Predictor
from skol_rnn.training.decision import with_outside_offset


class Validation:
    """Rows of the validation set with their features, which are computed once."""

    def __init__(
        self, rows: LabelledRows, predictor: Predictor, monitor: str, important: Sequence[str] | None, unit: str
    ) -> None:
        self.rows, self.predictor = rows, predictor
        self.monitor, self.important, self.unit = monitor, important, unit
        self.features = predictor.features.transform(rows.table)

    def probabilities(self) -> np.ndarray:
        """Compute the probabilities of the network in its present state."""
        return self.predictor.probabilities_of(self.features, self.rows.lengths)

    def evaluate(self, raw: np.ndarray, decoder: Decoder, decision: str) -> Evaluation:
        """Score the network's probabilities under a decoder and a decision."""
        predicted = decoder.decide(raw, self.rows.lengths, decision)
        labels = self.predictor.labels
        return score_rows(self.rows, predicted, decoder.posterior(raw), labels, self.important, self.unit)

    def evaluate_epoch(self, decision: str) -> Evaluation:
        """Score an epoch before calibration; for spans with the best offset of O, for lines without offsets."""
        raw, decoder = self.probabilities(), self.predictor.decoder
        if decision not in ("auto", "tuned"):
            return self.evaluate(raw, decoder, decision)
        if self.monitor != SPAN_METRIC:
            return self.evaluate(raw, decoder, "corrected")
        return self.evaluate(raw, with_outside_offset(decoder, raw, self.rows, self.predictor.labels), "tuned")
