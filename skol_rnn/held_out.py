"""Held-out documents: scored after every epoch, and what the offsets of tuned decisions are found on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from skol_rnn.decoding import correct_probabilities, decide, tune_offsets
from skol_rnn.evaluation import evaluate_labels
from skol_rnn.labeller import Labeller, Sweep, lengths_of
from skol_rnn.labels import LabelSet
from skol_rnn.scores import Evaluation


def score_lines(
    table: pd.DataFrame,
    predicted: np.ndarray,
    probabilities: np.ndarray | None,
    labels: LabelSet,
    important: Sequence[str] | None,
) -> Evaluation:
    """Score predictions of a table's lines, by line and by character, pooled and by document.

    Parameters
    ----------
    table : DataFrame
        Lines with ``doc_id``, ``value`` and the true ``label``.
    predicted : ndarray of int, shape (lines,)
        Indices of the predicted labels.
    probabilities : ndarray, shape (lines, labels), optional
        For the losses.
    labels : LabelSet
        Label names.
    important : sequence of str, optional
        Labels of the important F1.

    Returns
    -------
    Evaluation
        The one path on which the training log, ``evaluate`` and ``calculate_stats`` get their numbers.
    """
    return evaluate_labels(
        labels.encode(table["label"]),
        predicted,
        labels,
        probabilities=probabilities,
        documents=table["doc_id"].to_numpy(),
        lengths=table["value"].str.len().to_numpy(dtype=np.int64),
        important=important,
    )


class HeldOut:
    """Documents that are not trained on, their features computed once.

    Parameters
    ----------
    table : DataFrame
        Their lines, with the model's labels.
    labeller : Labeller
        The labeller in training; its features are fitted, its network changes.
    sweep : Sweep
        How windows go over documents in prediction.
    weights : ndarray, shape (labels,)
        Class weights, whose tilt is undone.
    monitor : str
        Score that the offsets serve.
    important : sequence of str, optional
        Labels of the important F1.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        labeller: Labeller,
        sweep: Sweep,
        weights: np.ndarray,
        monitor: str,
        important: Sequence[str] | None,
    ) -> None:
        self.table, self.labeller, self.sweep, self.weights = table, labeller, sweep, weights
        self.monitor, self.important = monitor, important
        self.features = labeller.features.transform(table)
        self.lengths = lengths_of(table)

    def _raw(self) -> np.ndarray:
        return self.labeller.of_features(self.features, self.lengths, self.sweep)

    def _score(self, decided: np.ndarray, corrected: np.ndarray) -> Evaluation:
        return score_lines(self.table, decided, corrected, self.labeller.labels, self.important)

    def evaluate(self, decision: str = "corrected") -> Evaluation:
        """Score the network as it is now.

        Parameters
        ----------
        decision : str, default "corrected"
            "argmax" for the network's own probabilities; all else decides by corrected ones, untuned.

        Returns
        -------
        Evaluation
            Scores.
        """
        raw = self._raw()
        corrected = correct_probabilities(raw, self.weights)
        return self._score(decide(raw if decision == "argmax" else corrected), corrected)

    def tune(self) -> tuple[np.ndarray, str]:
        """Find the offsets that serve the monitored score best.

        Returns
        -------
        offsets : ndarray, shape (labels,)
            See :func:`skol_rnn.decoding.tune_offsets`.
        comparison : str
            What each decision scores on these documents, in one sentence.
        """
        raw, labels = self._raw(), self.labeller.labels
        corrected = correct_probabilities(raw, self.weights)
        true = labels.encode(self.table["label"])
        offsets = tune_offsets(corrected, true, labels, self.monitor, self.important)
        decisions = {"argmax": decide(raw), "corrected": decide(corrected), "tuned": decide(corrected, offsets)}
        told = ", ".join(f"{name} {self._score(d, corrected).important_f1:.4f}" for name, d in decisions.items())
        return offsets, f"Important F1 on the held-out documents: {told} (tuned on these very documents)."
