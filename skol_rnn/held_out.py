"""Held-out documents: scored after every epoch, and what the offsets of tuned decisions are found on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from skol_rnn.decoding import DECISIONS, Decoder, Scaling, cross_tuned_offsets, fit_scaling, tuned_strength
from skol_rnn.documents import lengths_of
from skol_rnn.evaluation import evaluate_labels
from skol_rnn.labeller import Labeller
from skol_rnn.labels import LabelSet
from skol_rnn.prediction import Sweep
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
    decoder : Decoder
        How labels are decided.
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
        decoder: Decoder,
        monitor: str,
        important: Sequence[str] | None,
    ) -> None:
        self.table, self.labeller, self.sweep, self.decoder = table, labeller, sweep, decoder
        self.monitor, self.important = monitor, important
        self.features = labeller.features.transform(table)
        self.lengths = lengths_of(table)

    def _raw(self) -> np.ndarray:
        return self.labeller.of_features(self.features, self.lengths, self.sweep)

    def evaluate(self, decision: str = "corrected", raw: np.ndarray | None = None) -> Evaluation:
        """Score the network as it is now.

        Parameters
        ----------
        decision : str, default "corrected"
            One of ``DECISIONS``; "tuned" decides by the decoder's offsets.
        raw : ndarray, shape (lines, labels), optional
            The network's probabilities, if they are at hand.

        Returns
        -------
        Evaluation
            Scores.
        """
        raw = self._raw() if raw is None else raw
        decided = self.decoder.decide(raw, self.lengths, decision)
        posterior = self.decoder.posterior(raw)
        return score_lines(self.table, decided, posterior, self.labeller.labels, self.important)

    def calibrate(self, how: str) -> Scaling:
        """Give the decoder the scaling that makes the labels of these documents most probable.

        Parameters
        ----------
        how : str
            One of ``CALIBRATIONS``.

        Returns
        -------
        Scaling
            The scaling.
        """
        true, correction = self.labeller.labels.encode(self.table["label"]), self.decoder.correction
        scaling = fit_scaling(correction.posterior(self._raw()), true, how, correction.tilt())
        self.decoder = replace(self.decoder, scaling=scaling)
        return scaling

    def tune(self) -> str:
        """Give the decoder the offsets and the strength of transitions that serve the monitored score best.

        Returns
        -------
        str
            What each decision scores on these documents, in one sentence.
        """
        raw = self._raw()
        self.decoder = tuned_decoder(
            self.decoder,
            self.decoder.posterior(raw),
            self.table,
            self.labeller.labels,
            self.monitor,
            self.important,
        )
        told = ", ".join(f"{decision} {self.evaluate(decision, raw).important_f1:.4f}" for decision in DECISIONS)
        return (
            f"Important F1 on the held-out documents: {told} (the offsets of tuned, and the strength of viterbi's "
            f"transitions, {self.decoder.strength:g}, were found on these documents)."
        )


def tuned_decoder(
    decoder: Decoder,
    posterior: np.ndarray,
    table: pd.DataFrame,
    labels: LabelSet,
    metric: str,
    important: Sequence[str] | None,
) -> Decoder:
    """Find the offsets, and the strength of transitions, that serve a metric on documents that were not trained on.

    Parameters
    ----------
    decoder : Decoder
        To be given them.
    posterior : ndarray, shape (lines, labels)
        Posteriors of the lines.
    table : DataFrame
        The lines, with ``doc_id`` and ``label``.
    labels : LabelSet
        Label names.
    metric : str
        As in :func:`skol_rnn.decoding.cross_tuned_offsets`.
    important : sequence of str, optional
        Labels of the important F1.

    Returns
    -------
    Decoder
        With these offsets and this strength.
    """
    true, documents = labels.encode(table["label"]), table["doc_id"].to_numpy()
    offsets = cross_tuned_offsets(posterior, true, labels, documents, metric, important, decoder.tilt())
    strength = tuned_strength(posterior, true, labels, documents, decoder.transitions, metric, important)
    return replace(decoder, offsets=offsets, strength=strength)
