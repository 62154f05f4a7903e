"""The fragment score of BIO labels, fast enough to compare thousands of decisions on the same tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from skol_rnn.data.bio import BEGIN, OUTSIDE, span_types
from skol_rnn.labels import NO_LABEL, LabelSet

if TYPE_CHECKING:
    from skol_rnn.data.inputs import LabelledRows

SPAN_METRIC = "fragment_f1"
"""Name of the score that the offsets of BIO labels are tuned for."""


def f1_from_sums(found: float, predicted: float, hit: float, true: float) -> float:
    """Compute F1 from partial credit: ``found / predicted`` is the precision and ``hit / true`` the recall."""
    precision, recall = found / max(predicted, 1), hit / max(true, 1)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


class Sums(NamedTuple):
    """Sums of the fragment score, each of shape (documents,)."""

    precision: np.ndarray
    predicted: np.ndarray
    recall: np.ndarray
    true: np.ndarray

    def f1(self, documents: np.ndarray | slice = slice(None)) -> float:
        """Return the F1 of some documents together."""
        return f1_from_sums(*(float(part[documents].sum()) for part in self))


class _Spans(NamedTuple):
    """Spans in the order of the text, each of shape (spans,)."""

    kind: np.ndarray
    start: np.ndarray
    end: np.ndarray
    document: np.ndarray


class FragmentScorer:
    """Scores label sequences of the same tokens."""

    def __init__(
        self, true: np.ndarray, labels: LabelSet, lengths: Sequence[int], start: np.ndarray, end: np.ndarray
    ) -> None:
        types = span_types(labels)
        # NO_LABEL (-1) picks the last place, which is outside.
        self._kind = np.array([types.index(name[2:]) if name != OUTSIDE else -1 for name in labels] + [-1])
        self._begins = np.array([name.startswith(BEGIN) for name in labels] + [False])
        sizes = np.asarray(lengths, np.int64)
        self._document = np.repeat(np.arange(len(sizes)), sizes)
        self.n_documents, self.types = len(sizes), types
        # Each document and each type has a stretch of one axis, so that one search finds all overlaps.
        room = np.zeros(len(sizes), np.int64)
        np.maximum.at(room, self._document, np.asarray(end, np.int64))
        shift = (np.cumsum(room) - room)[self._document]
        self._start, self._end, self._stretch = start + shift, end + shift, int(room.sum())
        self._true = self._spans(np.where(true == NO_LABEL, len(labels), true))

    @classmethod
    def of(cls, rows: LabelledRows, labels: LabelSet) -> Self:
        """Return the scorer of the rows of a table; rows without offsets are placed one character apart."""
        if {"start", "end"} <= set(rows.table.columns) and not rows.table[["start", "end"]].isna().any(axis=None):
            start, end = (rows.table[name].to_numpy(dtype=np.int64) for name in ("start", "end"))
        else:
            size = rows.table["value"].str.len().to_numpy(dtype=np.int64)
            end = np.cumsum(size + 1) - 1
            start = end - size
        return cls(rows.true, labels, rows.lengths, start, end)

    def support(self) -> np.ndarray:
        """Count the true spans of each type, shape (types,)."""
        return np.bincount(self._true.kind, minlength=len(self.types))

    def sums(self, predicted: np.ndarray) -> Sums:
        """Compute the sums of predicted label indices, shape (tokens,)."""
        sums, found = [], self._spans(predicted)
        for one, other in ((found, self._true), (self._true, found)):
            for values in (covered(one.start, one.end, other.start, other.end), np.ones(len(one.kind))):
                sums.append(np.bincount(one.document, values, self.n_documents))
        return Sums(*sums)

    def _spans(self, indices: np.ndarray) -> _Spans:
        kind, begins = self._kind[indices], self._begins[indices]
        goes_on = np.zeros(len(kind), bool)
        same = (kind[1:] == kind[:-1]) & (self._document[1:] == self._document[:-1])
        goes_on[1:] = same & (kind[1:] >= 0) & ~begins[1:]
        first = np.flatnonzero((kind >= 0) & ~goes_on)
        last = np.flatnonzero((kind >= 0) & ~np.append(goes_on[1:], False))
        shift = kind[first] * self._stretch
        return _Spans(kind[first], self._start[first] + shift, self._end[last] + shift, self._document[first])


def covered(start: np.ndarray, end: np.ndarray, other_start: np.ndarray, other_end: np.ndarray) -> np.ndarray:
    """Return the share of each span that others cover, shape (spans,); the others do not overlap each other."""
    if not len(other_start):
        return np.zeros(len(start))
    order = np.argsort(other_start, kind="stable")
    left, right = other_start[order], other_end[order]
    before = np.cumsum(right - left) - (right - left)

    def characters(x: np.ndarray) -> np.ndarray:
        """Count the covered characters before x."""
        i = np.searchsorted(left, x, side="right") - 1
        return np.where(i < 0, 0, before[i] + np.minimum(x, right[i]) - left[i])

    return (characters(end) - characters(start)) / np.maximum(end - start, 1)
