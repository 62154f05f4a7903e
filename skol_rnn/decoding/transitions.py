"""Transitions between labels, learned or as BIO allows them, and the most probable sequence of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from skol_rnn.data.bio import INSIDE, is_bio, split_label
from skol_rnn.decoding.correction import log_of
from skol_rnn.decoding.viterbi import best_sequences
from skol_rnn.labels import NO_LABEL, LabelSet


@dataclass(frozen=True)
class Transitions:
    """Log probabilities of a document's first label and of each step, and the labels' shares of all lines."""

    start: np.ndarray
    step: np.ndarray
    prior: np.ndarray

    def __post_init__(self) -> None:
        k = len(self.start)
        if self.start.shape != (k,) or self.step.shape != (k, k) or self.prior.shape != (k,):
            raise ValueError(
                f"Transitions of shapes {self.start.shape}, {self.step.shape} and {self.prior.shape} do not agree; "
                "they must be (labels,), (labels, labels) and (labels,)."
            )
        if not (self.prior > 0).all():
            raise ValueError("The prior share of every label must be positive.")

    def __len__(self) -> int:
        return len(self.start)

    @property
    def forbid(self) -> bool:
        """Whether anything is forbidden."""
        return bool(np.isneginf(self.start).any() or np.isneginf(self.step).any())


def learn_transitions(true: np.ndarray, lengths: Sequence[int], n_labels: int, smoothing: float = 1.0) -> Transitions:
    """Estimate transitions from training documents, with additive smoothing."""
    if not 0 < smoothing < np.inf:
        raise ValueError(f"smoothing must be a positive number, but is {smoothing!r}.")
    true = np.asarray(true, np.int64)
    _check_lengths(lengths, len(true))
    sizes = np.asarray(lengths, np.int64)
    begins = (np.cumsum(sizes) - sizes)[sizes > 0]
    first = true[begins]
    inside = np.ones(len(true), bool)
    inside[begins] = False
    here = np.flatnonzero(inside)
    before, after = true[here - 1], true[here]
    linked = (before != NO_LABEL) & (after != NO_LABEL)
    steps = np.bincount(before[linked] * n_labels + after[linked], minlength=n_labels**2).reshape(n_labels, n_labels)
    starts, lines = (np.bincount(labels[labels != NO_LABEL], minlength=n_labels) for labels in (first, true))
    start, step, shares = (_log_shares(counts, smoothing) for counts in (starts, steps, lines))
    return Transitions(start, step, np.exp(shares))


def weighted(transitions: Transitions, weight: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Multiply log transitions and log prior by a weight; what is forbidden stays forbidden."""

    def scaled(scores: np.ndarray) -> np.ndarray:
        return np.where(np.isneginf(scores), -np.inf, weight * np.where(np.isneginf(scores), 0.0, scores))

    return scaled(transitions.start), scaled(transitions.step), weight * np.log(transitions.prior)


def viterbi(
    probabilities: np.ndarray, lengths: Sequence[int], transitions: Transitions, weight: float = 1.0
) -> np.ndarray:
    """Find the best sequence of labels of each document."""
    probabilities = np.asarray(probabilities, np.float64)
    if probabilities.ndim != 2 or probabilities.shape[1] != len(transitions):
        raise ValueError(f"Probabilities of shape {probabilities.shape} do not fit {len(transitions)} labels.")
    if not 0 <= weight < np.inf:
        raise ValueError(f"weight must be a number of at least 0, but is {weight!r}.")
    _check_lengths(lengths, len(probabilities))
    if weight == 0:  # times -inf would be no number
        return np.argmax(probabilities, axis=1)
    emission = log_of(probabilities) - weight * np.log(transitions.prior)
    return best_sequences(emission, lengths, weight * transitions.start, weight * transitions.step)[0]


def legal_steps(labels: LabelSet) -> tuple[np.ndarray, np.ndarray]:
    """Return which labels may start a document and which may follow which: ``I-X`` only after ``B-X`` or ``I-X``."""
    if not is_bio(labels):
        raise ValueError(f"Labels {', '.join(labels)} are not BIO: O, B-X, and I-X only where there is a B-X.")
    inside = np.array([label.startswith(INSIDE) for label in labels])
    kind = np.array([split_label(label)[1] for label in labels], dtype=object)  # "" for O
    return ~inside, ~inside[None, :] | (kind[:, None] == kind[None, :])


def bio_transitions(labels: LabelSet) -> Transitions:
    """Return transitions in which all legal steps score alike."""
    start, step = (np.where(legal, 0.0, -np.inf) for legal in legal_steps(labels))
    return Transitions(start, step, np.full(len(labels), 1.0 / len(labels)))


def only_legal(transitions: Transitions, labels: LabelSet) -> Transitions:
    """Forbid illegal steps and distribute their probability over the legal ones."""
    start, step = legal_steps(labels)
    return replace(transitions, start=_among(transitions.start, start), step=_among(transitions.step, step))


def _among(log_shares: np.ndarray, legal: np.ndarray) -> np.ndarray:
    kept = np.where(legal, log_shares, -np.inf)
    return kept - np.logaddexp.reduce(kept, axis=-1, keepdims=True)


def _log_shares(counts: np.ndarray, smoothing: float) -> np.ndarray:
    smoothed = counts + smoothing
    return np.log(smoothed / smoothed.sum(axis=-1, keepdims=True))


def _check_lengths(lengths: Sequence[int], n_lines: int) -> None:
    if sum(lengths) != n_lines or any(length < 0 for length in lengths):
        raise ValueError(f"Documents of {sum(lengths)} lines in all do not fit {n_lines} lines.")
