"""Offsets that are tuned on some documents and judged on others before they are believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skol_rnn.decoding.offsets import decide, metric_value, tune_offsets
from skol_rnn.labels import NO_LABEL, LabelSet

FOLDS = 5
_BLOCK = 200  # lines that stay together where there are too few documents
_MIN_DOCUMENTS = 3


@dataclass(frozen=True)
class OffsetChoice:
    """Offsets, and what they are expected to gain."""

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
    tilt: np.ndarray | None = None,
) -> OffsetChoice:
    """Find offsets that also serve documents they were not tuned on."""
    zeros = np.zeros(len(labels))
    if not (true != NO_LABEL).any():
        return OffsetChoice(zeros, 0.0, 0.0)
    # One definition of "important" for all folds: that of all lines.
    chosen = important or all_but_majority(true, labels)

    def value(rows: np.ndarray, offsets: np.ndarray) -> float:
        return metric_value(true[rows], decide(probabilities[rows], offsets), labels, metric, chosen)

    folds = deal_folds(documents, true, FOLDS)
    tuned, gains = [], []  # gains: (folds, rivals)
    for fold in np.unique(folds):
        held = folds == fold
        tuned.append(tune_offsets(probabilities[~held], true[~held], labels, metric, chosen))
        rivals = [tuned[-1]] if tilt is None else [tuned[-1], tilt]
        gains.append([value(held, offsets) - value(held, zeros) for offsets in rivals])
    if len(gains) < 2:
        return OffsetChoice(zeros, 0.0, 0.0)
    # (rivals,) each; what is left of the mean gain after one standard error decides.
    mean, error = np.mean(gains, axis=0), np.std(gains, axis=0, ddof=1) / np.sqrt(len(gains))
    best = int(np.argmax(mean - error))
    offsets = np.mean(tuned, axis=0) if best == 0 or tilt is None else tilt
    return OffsetChoice(offsets if mean[best] > error[best] else zeros, float(mean[best]), float(error[best]))


def deal_folds(documents: Sequence[str] | np.ndarray, true: np.ndarray, folds: int) -> np.ndarray:
    """Deal documents into folds that are alike in lines and in rare lines."""
    _, unit = np.unique(np.asarray(documents, dtype=object), return_inverse=True)
    if unit.max(initial=-1) + 1 < _MIN_DOCUMENTS:
        run = np.arange(len(unit)) // _BLOCK
        _, unit = np.unique(np.stack([unit, run], axis=1), axis=0, return_inverse=True)
    n_labels = int(true.max(initial=0)) + 1
    known = true != NO_LABEL
    counts = np.zeros((unit.max(initial=-1) + 1, n_labels))
    np.add.at(counts, (unit[known], true[known]), 1.0)
    # As shares of each label, so that a rare label weighs as much as a common one.
    shares = counts / np.maximum(counts.sum(axis=0), 1.0)
    load, dealt = np.zeros((folds, n_labels)), np.zeros(len(shares), np.int64)
    for i in np.argsort(-shares.sum(axis=1), kind="stable"):
        dealt[i] = np.argmin(((load + shares[i]) ** 2).sum(axis=1) - (load**2).sum(axis=1))
        load[dealt[i]] += shares[i]
    return dealt[unit]


def all_but_majority(true: np.ndarray, labels: LabelSet) -> list[str]:
    """Name the labels that count where none are named: all but the most frequent one."""
    majority = int(np.argmax(np.bincount(true[true != NO_LABEL], minlength=len(labels))))
    return [name for i, name in enumerate(labels) if i != majority] or list(labels)
