"""Offsets that maximise the fragment F1 of spans, accepted only if they gain in cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skol_rnn.data.bio import OUTSIDE, span_types
from skol_rnn.decoding.correction import log_of
from skol_rnn.decoding.transitions import Transitions, weighted
from skol_rnn.decoding.viterbi import best_sequences
from skol_rnn.evaluation.fragments import FragmentScorer, Sums
from skol_rnn.labels import LabelSet

OUTSIDE_OFFSETS = tuple(np.arange(-6.0, 2.01, 0.25).tolist())
"""Offsets of O that are tried."""
TRANSITION_WEIGHTS = (0.0, 0.2, 0.5, 1.0)
"""Weights of learned transitions that are tried; at 0 all legal steps score alike."""

_STEPS = (0.0, -1.0, -0.5, 0.5, 1.0)
_MIN_SPANS = 10  # validation spans below which a type keeps the common offset: its own would fit noise
_FOLDS = 4


class SpanDecision(NamedTuple):
    """Offsets, shape (labels,), and the weight of learned transitions."""

    offsets: np.ndarray
    transition_weight: float


class SpanTuning:
    """Search for the decision with the best fragment F1 on the validation set."""

    def __init__(
        self,
        posterior: np.ndarray,
        scorer: FragmentScorer,
        labels: LabelSet,
        lengths: Sequence[int],
        transitions: Transitions,
    ) -> None:
        self.log = log_of(posterior)
        self.scorer, self.labels, self.lengths, self.transitions = scorer, labels, list(lengths), transitions
        names = list(labels)
        self._outside = np.array([name == OUTSIDE for name in names], float)
        self._of_type = [np.array([name[2:] == kind for name in names], float) for kind in span_types(names)]

    def decide(self, offsets: np.ndarray, transition_weight: float) -> np.ndarray:
        """Return labels, (rows, tokens), under each row of offsets, (rows, labels)."""
        start, step, prior = weighted(self.transitions, transition_weight)
        return best_sequences(self.log - prior, self.lengths, start, step, offsets)

    def sums(self, offsets: np.ndarray, transition_weight: float) -> list[Sums]:
        """Return the sums of the fragment score for each row of offsets."""
        return [self.scorer.sums(decided) for decided in self.decide(offsets, transition_weight)]

    def f1(self, decision: SpanDecision) -> float:
        """Return the fragment F1 of a decision on all documents."""
        return self.sums(decision.offsets[None], decision.transition_weight)[0].f1()

    def best(self, weights: Sequence[float] = TRANSITION_WEIGHTS) -> SpanDecision:
        """Choose the offset of O, and a transition weight if it gains in cross-validation."""
        offsets = np.where(self._outside > 0, np.array(sorted(OUTSIDE_OFFSETS, key=abs))[:, None], 0.0)
        scored = [self.sums(offsets, transition_weight) for transition_weight in weights]  # (weights, offsets)
        gains = [self._sure_gain(scored[0], rival) for rival in scored]
        chosen = int(np.argmax(gains))
        return SpanDecision(offsets[_best_of(scored[chosen])], weights[chosen])

    def _sure_gain(self, sums: list[Sums], rival: list[Sums]) -> float:
        """Return the mean gain of an alternative over folds, less its standard error."""
        n = self.scorer.n_documents
        if rival is sums or n < 2 * _FOLDS:
            return 0.0
        folds = np.arange(n) % _FOLDS
        gains = [
            rival[_best_of(rival, folds != fold)].f1(folds == fold)
            - sums[_best_of(sums, folds != fold)].f1(folds == fold)
            for fold in range(_FOLDS)
        ]
        return float(np.mean(gains) - np.std(gains, ddof=1) / np.sqrt(_FOLDS))

    def with_types(self, decision: SpanDecision) -> SpanDecision:
        """Give each type an offset of its own if that gains in cross-validation."""
        folds = np.arange(self.scorer.n_documents) % _FOLDS
        if self.scorer.n_documents < 2 * _FOLDS:
            return decision
        masks = [folds != fold for fold in range(_FOLDS)] + [np.ones(len(folds), bool)]
        *tuned, everywhere = self._climb(decision, masks)
        before = self.sums(decision.offsets[None], decision.transition_weight)[0]
        after = self.sums(np.array(tuned), decision.transition_weight)
        gains = [sums.f1(folds == fold) - before.f1(folds == fold) for fold, sums in enumerate(after)]
        if np.mean(gains) <= np.std(gains, ddof=1) / np.sqrt(_FOLDS):
            return decision
        return SpanDecision(everywhere, decision.transition_weight)

    def _climb(self, decision: SpanDecision, masks: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Tune the types' offsets for each mask of documents."""
        found = [decision.offsets.copy() for _ in masks]
        for kind in np.flatnonzero(self.scorer.support() >= _MIN_SPANS):
            row = self._of_type[kind]
            # (masks x steps, labels); equal rows are decided once.
            rivals = sorted({tuple(offsets + step * row) for offsets in found for step in _STEPS})
            sums = dict(zip(rivals, self.sums(np.array(rivals), decision.transition_weight), strict=True))
            for i, mask in enumerate(masks):
                tried = [found[i] + step * row for step in _STEPS]
                found[i] = tried[_best_of([sums[tuple(each)] for each in tried], mask)]
        return found


def _best_of(scored: Sequence[Sums], documents: np.ndarray | slice = slice(None)) -> int:
    """Return the index of the best F1 on some documents, the first of equal ones."""
    return int(np.argmax([sums.f1(documents) for sums in scored]))
