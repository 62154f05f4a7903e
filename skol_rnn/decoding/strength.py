"""How much learned transitions are believed beside posteriors that have read the neighbouring lines already."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skol_rnn.decoding.offsets import metric_value
from skol_rnn.decoding.transitions import Transitions, viterbi
from skol_rnn.decoding.tuning import FOLDS, all_but_majority, deal_folds
from skol_rnn.labels import NO_LABEL, LabelSet

STRENGTHS = (0.05, 0.1, 0.2, 0.35, 0.6, 1.0)
"""Strengths that are tried; 0 is none."""


def tuned_strength(
    probabilities: np.ndarray,
    true: np.ndarray,
    labels: LabelSet,
    documents: Sequence[str] | np.ndarray,
    transitions: Transitions,
    metric: str = "important_f1",
    important: Sequence[str] | None = None,
) -> float:
    """Find the strength of transitions that serves a metric on documents that were not trained on."""
    if not (true != NO_LABEL).any():
        return 0.0
    documents = np.asarray(documents, dtype=object)
    lengths, chosen = _lengths(documents), important or all_but_majority(true, labels)
    folds = deal_folds(documents, true, FOLDS)

    def by_fold(strength: float) -> np.ndarray:
        decided = viterbi(probabilities, lengths, transitions, strength)
        rows = [folds == fold for fold in np.unique(folds)]
        return np.array([metric_value(true[r], decided[r], labels, metric, chosen) for r in rows])

    alone = by_fold(0.0)
    if len(alone) < 2:
        return 0.0
    gains = np.array([by_fold(strength) - alone for strength in STRENGTHS])  # (strengths, folds)
    sure = gains.mean(axis=1) - gains.std(axis=1, ddof=1) / np.sqrt(len(alone))
    best = int(np.argmax(sure))
    return STRENGTHS[best] if sure[best] > 0 else 0.0


def _lengths(documents: np.ndarray) -> list[int]:
    begins = np.flatnonzero(np.append(True, documents[1:] != documents[:-1]))
    return np.diff(np.append(begins, len(documents))).tolist()
