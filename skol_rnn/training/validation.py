"""Held-out documents: scored after every epoch, and what the offsets of tuned decisions are found on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from skol_rnn.data.columns import lengths_of
from skol_rnn.decoding.calibration import Scaling, fit_scaling
from skol_rnn.decoding.constraints import is_bio
from skol_rnn.decoding.decoder import Decoder
from skol_rnn.decoding.span_tuning import SpanTuning
from skol_rnn.decoding.strength import tuned_strength
from skol_rnn.decoding.tuning import cross_tuned_offsets
from skol_rnn.evaluation.evaluate import evaluate_labels
from skol_rnn.evaluation.fragments import SPAN_METRIC, FragmentScorer
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.inference.labeller import Labeller
from skol_rnn.inference.windowed import Sweep
from skol_rnn.labels import LabelSet


def score_lines(
    table: pd.DataFrame,
    predicted: np.ndarray,
    probabilities: np.ndarray | None,
    labels: LabelSet,
    important: Sequence[str] | None,
    unit: str = "line",
) -> Evaluation:
    """Score predictions of a table's lines, by line and by character, pooled and by document."""
    evaluation = evaluate_labels(
        labels.encode(table["label"]),
        predicted,
        labels,
        probabilities=probabilities,
        documents=table["doc_id"].to_numpy(),
        lengths=table["value"].str.len().to_numpy(dtype=np.int64),
        important=important,
        unit=unit,
    )
    if unit != "token" or not is_bio(labels):
        return evaluation
    return replace(evaluation, fragment_f1=fragment_scorer(table, labels).sums(predicted).f1())


def fragment_scorer(table: pd.DataFrame, labels: LabelSet) -> FragmentScorer:
    """Make the scorer of a table's spans."""
    if {"start", "end"} <= set(table.columns):
        start, end = (table[name].to_numpy(dtype=np.int64) for name in ("start", "end"))
    else:
        size = table["value"].str.len()
        end = (size + 1).groupby(table["doc_id"], sort=False).cumsum().to_numpy(dtype=np.int64) - 1
        start = end - size.to_numpy(dtype=np.int64)
    return FragmentScorer(labels.encode(table["label"]), labels, lengths_of(table), start, end)


class HeldOut:
    """Documents that are not trained on, their features computed once."""

    def __init__(
        self,
        table: pd.DataFrame,
        labeller: Labeller,
        sweep: Sweep,
        decoder: Decoder,
        monitor: str,
        important: Sequence[str] | None,
        unit: str = "line",
    ) -> None:
        self.unit = unit
        self.table, self.labeller, self.sweep, self.decoder = table, labeller, sweep, decoder
        self.monitor, self.important = monitor, important
        self.features = labeller.features.transform(table)
        self.lengths = lengths_of(table)
        self.true = labeller.labels.encode(table["label"])

    def _raw(self) -> np.ndarray:
        return self.labeller.of_features(self.features, self.lengths, self.sweep)

    def evaluate(self, decision: str = "corrected", raw: np.ndarray | None = None) -> Evaluation:
        """Score the network as it is now."""
        raw = self._raw() if raw is None else raw
        decided = self.decoder.decide(raw, self.lengths, decision)
        posterior = self.decoder.posterior(raw)
        return score_lines(self.table, decided, posterior, self.labeller.labels, self.important, self.unit)

    def evaluate_epoch(self, decision: str) -> Evaluation:
        """Score the network as it is now, before the offsets are tuned by label."""
        if decision not in ("auto", "tuned"):
            return self.evaluate(decision)
        if self.monitor != SPAN_METRIC:
            return self.evaluate("corrected")
        raw = self._raw()
        found = span_tuning(self.decoder, self.decoder.posterior(raw), self.table, self.labeller.labels).best((0.0,))
        self.decoder = replace(self.decoder, offsets=found.offsets, strength=found.strength)
        return self.evaluate("tuned", raw)

    def calibrate(self, how: str) -> Scaling:
        """Give the decoder the scaling that makes the labels of these documents most probable."""
        correction = self.decoder.correction
        scaling = fit_scaling(correction.posterior(self._raw()), self.true, how, correction.tilt())
        self.decoder = replace(self.decoder, scaling=scaling)
        return scaling

    def tune(self) -> str:
        """Give the decoder the offsets and the strength of transitions that serve the monitored score best."""
        raw = self._raw()
        self.decoder, reason = tuned_decoder(
            self.decoder,
            self.decoder.posterior(raw),
            self.table,
            self.labeller.labels,
            self.monitor,
            self.important,
        )
        return reason


def tuned_decoder(
    decoder: Decoder,
    posterior: np.ndarray,
    table: pd.DataFrame,
    labels: LabelSet,
    metric: str,
    important: Sequence[str] | None,
) -> tuple[Decoder, str]:
    """Find the offsets, and the strength of transitions, that serve a metric on documents that were not trained on."""
    if metric == SPAN_METRIC:
        tuning = span_tuning(decoder, posterior, table, labels)
        found = tuning.with_types(tuning.best())
        tuned = replace(decoder, offsets=found.offsets, strength=found.strength)
        return (
            tuned,
            f"Decision: offsets that serve the fragment F1 of the validation documents, {named_offsets(tuned.offsets, labels)}.",
        )
    true, documents = labels.encode(table["label"]), table["doc_id"].to_numpy()
    choice = cross_tuned_offsets(posterior, true, labels, documents, metric, important, decoder.tilt())
    strength = tuned_strength(posterior, true, labels, documents, decoder.transitions, metric, important)
    gain = f"gain of {choice.gain:.4f} in {metric}"
    if choice.offsets.any():
        reason = (
            f"Decision: posteriors with offsets {named_offsets(choice.offsets, labels)}; their cross-validated {gain} "
            f"exceeds one standard error ({choice.error:.4f})."
        )
    else:
        reason = (
            f"Decision: plain posteriors; the best offsets' cross-validated {gain} does not exceed one standard error "
            f"({choice.error:.4f})."
        )
    return replace(decoder, offsets=choice.offsets, strength=strength), reason


def named_offsets(offsets: np.ndarray, labels: LabelSet, most: int = 5) -> str:
    """Name the labels with the largest offsets, largest first."""
    order = [i for i in np.argsort(-np.abs(offsets), kind="stable") if offsets[i]]
    named = ", ".join(f"{labels.names[i]} {offsets[i]:+.2f}" for i in order[:most])
    return named + (f" and {len(order) - most} more" if len(order) > most else "") or "none"


def span_tuning(decoder: Decoder, posterior: np.ndarray, table: pd.DataFrame, labels: LabelSet) -> SpanTuning:
    """Prepare the search for the decision that serves spans best."""
    return SpanTuning(posterior, fragment_scorer(table, labels), labels, lengths_of(table), decoder.transitions)
