"""The offset of O that maximises the fragment F1 of spans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skol_rnn.data.bio import OUTSIDE
from skol_rnn.decoding.correction import log_of
from skol_rnn.decoding.transitions import bio_transitions
from skol_rnn.decoding.viterbi import best_sequences
from skol_rnn.evaluation.fragments import FragmentScorer
from skol_rnn.labels import LabelSet

OUTSIDE_OFFSETS = tuple(np.arange(-6.0, 2.01, 0.5).tolist())
"""Offsets of O that are tried; then those between the best and its neighbours."""
_BETWEEN = (0.0, -0.25, 0.25)


def tuned_outside_offset(
    posterior: np.ndarray, scorer: FragmentScorer, labels: LabelSet, lengths: Sequence[int]
) -> np.ndarray:
    """Return offsets of log posteriors, shape (labels,): the best one for O, the smallest of equal ones, else 0."""
    outside = np.array([name == OUTSIDE for name in labels], float)
    log, legal = log_of(posterior), bio_transitions(labels)

    def best(offsets: Sequence[float]) -> float:
        decided = best_sequences(log, lengths, legal.start, legal.step, np.outer(offsets, outside))
        return offsets[int(np.argmax([scorer.sums(each).f1() for each in decided]))]

    found = best(sorted(OUTSIDE_OFFSETS, key=abs))
    return best([found + step for step in _BETWEEN]) * outside + 0.0  # no -0.0
