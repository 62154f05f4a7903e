"""Predictions of annotated documents, for scores that know every label of model and documents."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np

from skol_rnn.data.inputs import LabelledRows, fold_labels, labelled_table
from skol_rnn.evaluation.evaluate import score_rows
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.labels import LabelSet


class Scored(NamedTuple):
    """Rows with predictions; labels that only the rows have follow those of the model, with probability 0."""

    rows: LabelledRows
    predicted: np.ndarray
    probabilities: np.ndarray
    labels: LabelSet

    @classmethod
    def of(cls, model: Any, data: Any, y: Any) -> Self:
        """Predict the rows with a trained model, in one pass.

        ``evaluate`` refuses a label that the model does not know, which is likely misspelt; in a fold of a
        cross-validation it is a label that the training documents lack.
        """
        model._require_trained()
        table = labelled_table(data, y, model.label_col, model.line_no_col, model.unit, model.other_)
        found = set(table["label"].dropna()) if model.other_ is None else set()
        labels = LabelSet((*model.labels_, *sorted(found.difference(model.labels_))))
        table["label"] = fold_labels(table["label"], labels, model.other_, "the data")
        rows = LabelledRows.of(table, labels)
        raw = model._predictor.probabilities(table)
        predicted = model.decoder_.decide(raw, rows.lengths, model.decided_by)
        posterior = model.decoder_.posterior(raw)
        return cls(rows, predicted, np.pad(posterior, ((0, 0), (0, len(labels) - posterior.shape[1]))), labels)

    def evaluation(self, model: Any) -> Evaluation:
        """Score the rows, as ``evaluate`` does."""
        return score_rows(self.rows, self.predicted, self.probabilities, self.labels, model.important, model.unit)
