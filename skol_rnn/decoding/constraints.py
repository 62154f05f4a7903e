"""The constraints of BIO labels on sequences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skol_rnn.data.bio import INSIDE, is_bio, split_label
from skol_rnn.decoding.transitions import Transitions
from skol_rnn.labels import LabelSet


def legal_steps(labels: LabelSet) -> tuple[np.ndarray, np.ndarray]:
    """Return which labels may start a document and which may follow which: ``I-X`` only after ``B-X`` or ``I-X``."""
    if not is_bio(labels):
        raise ValueError(f"Labels {', '.join(labels)} are not BIO: O, B-X, and I-X only where there is a B-X.")
    inside = np.array([label.startswith(INSIDE) for label in labels])
    kind = np.array([split_label(label)[1] for label in labels], dtype=object)  # "" for O
    return ~inside, ~inside[None, :] | (kind[:, None] == kind[None, :])


def bio_transitions(labels: LabelSet) -> Transitions:
    """Return transitions in which all legal steps score alike."""
    start, step = legal_steps(labels)
    k = len(labels)
    return Transitions(np.where(start, 0.0, -np.inf), np.where(step, 0.0, -np.inf), np.full(k, 1.0 / k))


def only_legal(transitions: Transitions, labels: LabelSet) -> Transitions:
    """Forbid illegal steps and distribute their probability over the legal ones."""
    start, step = legal_steps(labels)
    return replace(transitions, start=_among(transitions.start, start), step=_among(transitions.step, step))


def _among(log_shares: np.ndarray, legal: np.ndarray) -> np.ndarray:
    kept = np.where(legal, log_shares, -np.inf)
    return kept - np.logaddexp.reduce(kept, axis=-1, keepdims=True)
