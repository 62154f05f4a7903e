"""Offsets that serve the fragment score of spans, tuned on held-out documents and judged across them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skol_rnn.data.bio import OUTSIDE, span_types
from skol_rnn.decoding.transitions import Transitions, at_strength
from skol_rnn.decoding.viterbi import best_sequences
from skol_rnn.evaluation.fragments import FragmentScorer, Sums
from skol_rnn.labels import LabelSet

OUTSIDE_OFFSETS = tuple(np.arange(-6.0, 2.01, 0.25).tolist())
"""Offsets of O that are tried."""
STRENGTHS = (0.0, 0.2, 0.5, 1.0)
"""Strengths of learned transitions that are tried; at 0 all that is legal is equally good."""

_STEPS = (-1.0, -0.5, 0.5, 1.0)
_FEWEST = 10  # held-out spans below which a type keeps the offset of the others: its own would fit noise
_LARGEST = 2.0
_FOLDS = 4
_TINY = 1e-12


class SpanDecision(NamedTuple):
    """How spans are decided."""

    offsets: np.ndarray
    strength: float


class SpanTuning:
    """Search for the decision with the best fragment F1 on documents that were not trained on."""

    def __init__(
        self,
        posterior: np.ndarray,
        scorer: FragmentScorer,
        labels: LabelSet,
        lengths: Sequence[int],
        transitions: Transitions,
    ) -> None:
        self.log = np.log(np.maximum(posterior, _TINY))
        self.scorer, self.labels, self.lengths, self.transitions = scorer, labels, list(lengths), transitions
        names = list(labels)
        self._outside = np.array([name == OUTSIDE for name in names], float)
        self._of_type = [np.array([name[2:] == kind for name in names], float) for kind in span_types(names)]

    def decide(self, offsets: np.ndarray, strength: float) -> np.ndarray:
        """Return the labels, (rivals, tokens), that each row of offsets, (rivals, labels), leads to."""
        start, step, prior = at_strength(self.transitions, strength)
        return best_sequences(self.log - prior, self.lengths, start, step, offsets)

    def sums(self, offsets: np.ndarray, strength: float) -> list[Sums]:
        """Return the sums of the fragment score for each row of offsets."""
        return [self.scorer.sums(decided) for decided in self.decide(offsets, strength)]

    def f1(self, decision: SpanDecision) -> float:
        """Return the fragment F1 of a decision on all documents."""
        return self.sums(decision.offsets[None], decision.strength)[0].f1()

    def best(self, strengths: Sequence[float] = STRENGTHS) -> SpanDecision:
        """Choose the offset of O, and the strength of transitions if that serves documents it was not tuned on."""
        offsets = np.where(self._outside > 0, np.array(sorted(OUTSIDE_OFFSETS, key=abs))[:, None], 0.0)
        scored = [self.sums(offsets, strength) for strength in strengths]  # (strengths, offsets)
        gains = [self._sure_gain(scored[0], rival) for rival in scored]
        chosen = int(np.argmax(gains))
        return SpanDecision(offsets[_best_of(scored[chosen])], strengths[chosen])

    def _sure_gain(self, sums: list[Sums], rival: list[Sums]) -> float:
        """Return the mean gain over folds of a rival's decisions, less its standard error; 0 for no gain at all."""
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
        """Give each type an offset of its own, if that serves documents it was not tuned on."""
        folds = np.arange(self.scorer.n_documents) % _FOLDS
        if self.scorer.n_documents < 2 * _FOLDS:
            return decision
        masks = [folds != fold for fold in range(_FOLDS)] + [np.ones(len(folds), bool)]
        *tuned, everywhere = self._climb(decision, masks)
        before = self.sums(decision.offsets[None], decision.strength)[0]
        after = self.sums(np.array(tuned), decision.strength)
        gains = [sums.f1(folds == fold) - before.f1(folds == fold) for fold, sums in enumerate(after)]
        if np.mean(gains) <= np.std(gains, ddof=1) / np.sqrt(_FOLDS):
            return decision
        return SpanDecision(everywhere, decision.strength)

    def _climb(self, decision: SpanDecision, masks: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Tune the types' offsets once for each mask of documents, side by side."""
        found = [decision.offsets.copy() for _ in masks]
        support = self.scorer.support()
        for kind in np.flatnonzero(support >= _FEWEST):
            row = self._of_type[kind]
            # (masks x steps, labels); masks that agree so far are decided once.
            rivals = {tuple(offsets + step * row) for offsets in found for step in (0.0, *_STEPS)}
            order = sorted(rivals)
            sums = dict(zip(order, self.sums(np.array(order), decision.strength), strict=True))
            for i, (offsets, mask) in enumerate(zip(found, masks, strict=True)):
                tried = [offsets + step * row for step in (0.0, *_STEPS)]
                scored = [sums[tuple(each)].f1(mask) for each in tried]
                found[i] = tried[int(np.argmax(scored))]
        return found


def _best_of(scored: Sequence[Sums], documents: np.ndarray | slice = slice(None)) -> int:
    """Return which has the best F1 on some documents, the first of equal ones."""
    return int(np.argmax([sums.f1(documents) for sums in scored]))
