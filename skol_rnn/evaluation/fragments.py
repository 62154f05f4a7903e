"""The fragment score of BIO labels, many decisions in turn against one truth: what offsets for spans are tuned on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skol_rnn.data.bio import BEGIN, OUTSIDE, span_types
from skol_rnn.labels import NO_LABEL, LabelSet


class Sums(NamedTuple):
    """Sums of the fragment score, each of shape (documents,)."""

    precision: np.ndarray
    predicted: np.ndarray
    recall: np.ndarray
    true: np.ndarray

    def f1(self, documents: np.ndarray | slice = slice(None)) -> float:
        """Return the F1 of the sums over some documents; 0 where nothing is right."""
        right_of_predicted, predicted, right_of_true, true = (float(part[documents].sum()) for part in self)
        precision, recall = right_of_predicted / max(predicted, 1.0), right_of_true / max(true, 1.0)
        return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


class _Spans(NamedTuple):
    """Spans in the order of the text, each of shape (spans,): type, begin, end, document."""

    kind: np.ndarray
    start: np.ndarray
    end: np.ndarray
    document: np.ndarray


class FragmentScorer:
    """Scores decisions on the same tokens."""

    def __init__(
        self, true: np.ndarray, labels: LabelSet, lengths: Sequence[int], start: np.ndarray, end: np.ndarray
    ) -> None:
        types = span_types(labels)
        # NO_LABEL, -1, picks the last place: outside.
        self._kind = np.array([types.index(name[2:]) if name != OUTSIDE else -1 for name in labels] + [-1])
        self._begins = np.array([name.startswith(BEGIN) for name in labels] + [False])
        sizes = np.asarray(lengths, np.int64)
        self._document = np.repeat(np.arange(len(sizes)), sizes)
        self.n_documents, self.types = len(sizes), types
        # All documents on one axis, and each type on its own stretch of it: then one search finds all overlaps.
        room = np.zeros(len(sizes), np.int64)
        np.maximum.at(room, self._document, np.asarray(end, np.int64))
        shift = (np.cumsum(room) - room)[self._document]
        self._start, self._end, self._stretch = start + shift, end + shift, int(room.sum())
        self._true = self._spans(np.where(true == NO_LABEL, len(labels), true))

    def support(self) -> np.ndarray:
        """Count the true spans of each type, shape (types,)."""
        return np.bincount(self._true.kind, minlength=len(self.types))

    def sums(self, predicted: np.ndarray) -> Sums:
        """Compute the sums of a decision, label indices of shape (tokens,)."""
        found = self._spans(predicted)
        return Sums(
            self._by_document(found, _covered(found, self._true)),
            self._by_document(found, np.ones(len(found.kind))),
            self._by_document(self._true, _covered(self._true, found)),
            self._by_document(self._true, np.ones(len(self._true.kind))),
        )

    def _spans(self, indices: np.ndarray) -> _Spans:
        kind, begins = self._kind[indices], self._begins[indices]
        goes_on = np.zeros(len(kind), bool)
        same = (kind[1:] == kind[:-1]) & (self._document[1:] == self._document[:-1])
        goes_on[1:] = same & (kind[1:] >= 0) & ~begins[1:]
        first = np.flatnonzero((kind >= 0) & ~goes_on)
        last = np.flatnonzero((kind >= 0) & ~np.append(goes_on[1:], False))
        shift = kind[first] * self._stretch
        return _Spans(kind[first], self._start[first] + shift, self._end[last] + shift, self._document[first])

    def _by_document(self, spans: _Spans, values: np.ndarray) -> np.ndarray:
        return np.bincount(spans.document, values, self.n_documents)


def _covered(spans: _Spans, by: _Spans) -> np.ndarray:
    """Return the share of each span that others cover, (spans,); ``by`` does not overlap itself."""
    if not len(by.kind):
        return np.zeros(len(spans.kind))
    order = np.argsort(by.start, kind="stable")
    start, end = by.start[order], by.end[order]
    before = np.cumsum(end - start) - (end - start)

    def characters(x: np.ndarray) -> np.ndarray:
        """Count the covered characters before x."""
        i = np.searchsorted(start, x, side="right") - 1
        inside = np.minimum(x, end[i]) - start[i]
        return np.where(i < 0, 0, before[i] + inside)

    return (characters(spans.end) - characters(spans.start)) / np.maximum(spans.end - spans.start, 1)
