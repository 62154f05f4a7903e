"""Hashed words, affixes, shapes and leading words of a line, for an embedding bag learned in the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.features.base import LineFeatures, normal_form
from skol_rnn.features.hashing import KeptBuckets
from skol_rnn.features.lines.hashes import Encode, line_codes
from skol_rnn.features.lines.layout import ScaledLayout

if TYPE_CHECKING:
    from skol_rnn.data.columns import Lines

_BITS_OF_BUCKET = 24  # wide enough that collisions among some 10^5 kept features are rare
_BUCKETS = 1 << _BITS_OF_BUCKET
_TOGETHER = 4_000  # lines worked on at a time; more gain little and take memory
_BITS_OF_PLACE = 23  # places of the features of so many lines: each has below 10 for each of at most 200 tokens
_BITS_OF_LINE = _BITS_OF_BUCKET + _BITS_OF_PLACE


class HashedFeatures:
    """Bag of hashed line features beside layout numbers; the default."""

    name = "hashed"

    def __init__(self, min_count: int = 2, max_features: int = 60_000, slots: int = 96) -> None:
        self.min_count = min_count
        self.max_features = max_features
        self.slots = slots

    def fit(self, table: Lines) -> HashedFeatures:
        """Choose the features to keep and the scale of the layout numbers."""
        self._layout = ScaledLayout().fit(table)
        self._choose(list(_blocks(list(table["value"]), _bucket)))
        return self

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Fit, and transform the same lines, each of which is hashed once."""
        blocks = list(_blocks(list(table["value"]), _bucket))
        self._layout = ScaledLayout()
        numbers = self._layout.fit_transform(table)
        self._choose(blocks)
        found = ((n_lines, rows, self._kept.places(buckets)) for n_lines, rows, buckets in blocks)
        return LineFeatures(self._slots(found, len(numbers)), numbers)

    def _choose(self, blocks: list[tuple[int, np.ndarray, np.ndarray]]) -> None:
        found = [buckets for _, _, buckets in blocks] or [np.zeros(0, np.int32)]
        buckets, counts = np.unique(np.concatenate(found).astype(np.int64), return_counts=True)
        buckets, counts = buckets[counts >= self.min_count], counts[counts >= self.min_count]
        # Ties are broken by bucket so that the order of documents does not change the vocabulary.
        most_frequent = np.lexsort((buckets, -counts))[: self.max_features]
        self._kept = KeptBuckets(np.sort(buckets[most_frequent]))

    @property
    def buckets_(self) -> np.ndarray:
        """The buckets of the features that are kept, rising."""
        return self._kept.buckets

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, the empty slot's 0 included."""
        return len(self._kept.buckets) + 1

    def transform(self, table: Lines) -> LineFeatures:
        """Look up the ids of each line and scale its layout numbers."""
        numbers = self._layout.transform(table)
        # Some of the features have no id: these are left out before anything is sorted.
        found = _blocks(list(table["value"]), lambda checks: self._kept.places(_bucket(checks)))
        return LineFeatures(self._slots(found, len(numbers)), numbers)

    def _slots(self, blocks: Iterable[tuple[int, np.ndarray, np.ndarray]], n_lines: int) -> np.ndarray:
        """Lay out the ids of each line from the left, as many as there are slots; 0 is the empty slot."""
        slots, start = np.zeros((n_lines, self.slots), np.int32), 0
        for lines, rows, places in blocks:
            rows, ids = rows[places >= 0], places[places >= 0] + 1
            count = np.bincount(rows, minlength=lines)
            column = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
            fits = column < self.slots
            slots[start + rows[fits], column[fits]] = ids[fits]
            start += lines
        return slots

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted."""
        settings = {"min_count": self.min_count, "max_features": self.max_features, "slots": self.slots}
        return settings, {"buckets": self.buckets_, **self._layout.arrays()}

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> HashedFeatures:
        """Rebuild fitted features."""
        features = cls(**settings)
        features._kept, features._layout = KeptBuckets(arrays["buckets"]), ScaledLayout.from_arrays(arrays)
        return features


def _bucket(checks: np.ndarray) -> np.ndarray:
    return (checks & np.uint32(_BUCKETS - 1)).astype(np.int32)


def _blocks(values: Sequence[str], encode: Encode) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield, some lines at a time, their number, and line and code of their features in order."""
    for start in range(0, len(values), _TOGETHER):
        texts = [normal_form(text) for text in values[start : start + _TOGETHER]]
        lines, codes = line_codes(texts, encode)
        yield len(texts), *_first_of_each(lines, codes)


def _first_of_each(lines: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return line and code, by line and as they stand there, of each code that comes for the first time in its line."""
    place = np.flatnonzero(codes >= 0)
    line, code = lines[place].astype(np.int64) << _BITS_OF_LINE, codes[place].astype(np.int64)
    # What is to be sorted is put in one number each, which is sorted many times as fast as rows are.
    by_code = np.sort(line | code << _BITS_OF_PLACE | place)
    new = np.ones(len(by_code), bool)
    new[1:] = by_code[1:] >> _BITS_OF_PLACE != by_code[:-1] >> _BITS_OF_PLACE
    by_code = by_code[new]
    place, code = by_code & (1 << _BITS_OF_PLACE) - 1, by_code >> _BITS_OF_PLACE & _BUCKETS - 1
    by_place = np.sort(by_code >> _BITS_OF_LINE << _BITS_OF_LINE | place << _BITS_OF_BUCKET | code)
    return (by_place >> _BITS_OF_LINE).astype(np.int32), (by_place & _BUCKETS - 1).astype(np.int32)
