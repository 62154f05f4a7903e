"""Offsets and transition weights, accepted only if they gain on documents that they were not tuned on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skol_rnn.data.table import lengths_of
from skol_rnn.decoding.offsets import decide, metric_value, tune_offsets
from skol_rnn.decoding.transitions import Transitions, viterbi
from skol_rnn.labels import NO_LABEL, LabelSet, label_counts, rare_labels

FOLDS = 5
TRANSITION_WEIGHTS = (0.05, 0.1, 0.2, 0.35, 0.6, 1.0)
"""Weights of learned transitions that are tried; 0 ignores them."""

_BLOCK = 200  # lines of a block, the unit of folds where there are too few documents
_MIN_DOCUMENTS = 3


class OffsetChoice(NamedTuple):
    """Offsets, their cross-validated gain, and its standard error."""

    offsets: np.ndarray
    gain: float
    error: float


def cross_tuned_offsets(
    probabilities: np.ndarray,
    true: np.ndarray,
    labels: LabelSet,
    documents: Sequence[str] | np.ndarray,
    metric: str = "important_f1",
    important: Sequence[str] | None = None,
    logit_offsets: np.ndarray | None = None,
) -> OffsetChoice:
    """Tune offsets by cross-validation; they replace zeros only if their gain exceeds one standard error.

    ``logit_offsets``, under which posteriors decide as the network's argmax, are the alternative to tuned ones.
    """
    zeros = np.zeros(len(labels))
    if not (true != NO_LABEL).any():
        return OffsetChoice(zeros, 0.0, 0.0)
    # The same important labels in all folds.
    chosen = important or _rare(true, labels)

    def value(rows: np.ndarray, offsets: np.ndarray) -> float:
        return metric_value(true[rows], decide(probabilities[rows], offsets), labels, metric, chosen)

    folds = deal_folds(documents, true, FOLDS)
    tuned, gains = [], []  # gains: (folds, rivals)
    for fold in np.unique(folds):
        held = folds == fold
        tuned.append(tune_offsets(probabilities[~held], true[~held], labels, metric, chosen))
        rivals = [tuned[-1]] if logit_offsets is None else [tuned[-1], logit_offsets]
        gains.append([value(held, offsets) - value(held, zeros) for offsets in rivals])
    if len(gains) < 2:
        return OffsetChoice(zeros, 0.0, 0.0)
    # (rivals,) each; the rival with the largest mean gain less one standard error wins.
    mean, error = np.mean(gains, axis=0), np.std(gains, axis=0, ddof=1) / np.sqrt(len(gains))
    best = int(np.argmax(mean - error))
    offsets = np.mean(tuned, axis=0) if best == 0 or logit_offsets is None else logit_offsets
    return OffsetChoice(offsets if mean[best] > error[best] else zeros, float(mean[best]), float(error[best]))


def deal_folds(documents: Sequence[str] | np.ndarray, true: np.ndarray, folds: int) -> np.ndarray:
    """Assign documents to folds of similar label counts; return the fold of each line."""
    _, unit = np.unique(np.asarray(documents, dtype=object), return_inverse=True)
    if unit.max(initial=-1) + 1 < _MIN_DOCUMENTS:
        run = np.arange(len(unit)) // _BLOCK
        _, unit = np.unique(np.stack([unit, run], axis=1), axis=0, return_inverse=True)
    n_labels = int(true.max(initial=0)) + 1
    known = true != NO_LABEL
    counts = np.zeros((unit.max(initial=-1) + 1, n_labels))
    np.add.at(counts, (unit[known], true[known]), 1.0)
    # Shares of each label: a rare label counts as much as a frequent one.
    shares = counts / np.maximum(counts.sum(axis=0), 1.0)
    load, dealt = np.zeros((folds, n_labels)), np.zeros(len(shares), np.int64)
    for i in np.argsort(-shares.sum(axis=1), kind="stable"):
        dealt[i] = np.argmin(((load + shares[i]) ** 2).sum(axis=1) - (load**2).sum(axis=1))
        load[dealt[i]] += shares[i]
    return dealt[unit]


def tuned_transition_weight(
    probabilities: np.ndarray,
    true: np.ndarray,
    labels: LabelSet,
    documents: Sequence[str] | np.ndarray,
    transitions: Transitions,
    metric: str = "important_f1",
    important: Sequence[str] | None = None,
) -> float:
    """Find the weight of transitions in Viterbi decoding; 0 unless the gain over folds exceeds one standard error."""
    if not (true != NO_LABEL).any():
        return 0.0
    lengths, chosen = lengths_of({"doc_id": documents}), important or _rare(true, labels)
    folds = deal_folds(documents, true, FOLDS)

    def by_fold(weight: float) -> np.ndarray:
        decided = viterbi(probabilities, lengths, transitions, weight)
        rows = [folds == fold for fold in np.unique(folds)]
        return np.array([metric_value(true[r], decided[r], labels, metric, chosen) for r in rows])

    alone = by_fold(0.0)
    if len(alone) < 2:
        return 0.0
    gains = np.array([by_fold(weight) - alone for weight in TRANSITION_WEIGHTS])  # (weights, folds)
    sure = gains.mean(axis=1) - gains.std(axis=1, ddof=1) / np.sqrt(len(alone))
    best = int(np.argmax(sure))
    return TRANSITION_WEIGHTS[best] if sure[best] > 0 else 0.0


def _rare(true: np.ndarray, labels: LabelSet) -> list[str]:
    return rare_labels(label_counts(true, len(labels)), labels)
