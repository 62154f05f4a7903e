"""Hashed words, word pairs, affixes, shapes and leading words of a line, for an embedding bag in the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skol_rnn.data.table import Lines
from skol_rnn.features.base import FeatureFamily, LineFeatures, StandardScaler, normal_form
from skol_rnn.features.hashing import BucketVocabulary
from skol_rnn.features.lines.hashes import Encode, line_codes
from skol_rnn.features.lines.layout import layout_numbers

_BUCKET_BITS = 24  # wide enough that collisions among some 10^5 kept features are rare
_BUCKETS = 1 << _BUCKET_BITS
_BLOCK = 4_000  # lines hashed at a time: more gain little and take memory
_POSITION_BITS = 23  # positions of the features of a block: below 10 for each of at most 200 tokens of a line
_LINE_BITS = _BUCKET_BITS + _POSITION_BITS

Block = tuple[int, np.ndarray, np.ndarray]
"""Number of lines, and line and code of each of their distinct features, in order."""


@dataclass(eq=False)
class HashedFeatures(FeatureFamily):
    """Bag of hashed line features and layout numbers; the default."""

    name = "hashed"

    min_count: int = 2
    max_features: int = 60_000
    slots: int = 96

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Choose the features to keep, and transform the same lines, each of which is hashed once."""
        blocks = list(_blocks(table["value"], _bucket))
        numbers = layout_numbers(table)
        self._scaler = StandardScaler.fit(numbers)
        found = [buckets for _, _, buckets in blocks] or [np.zeros(0, np.int32)]
        buckets, counts = np.unique(np.concatenate(found).astype(np.int64), return_counts=True)
        self._keep(BucketVocabulary.most_frequent(buckets, counts, self.min_count, self.max_features))
        indexed = ((n_lines, lines, self._vocabulary.index(buckets)) for n_lines, lines, buckets in blocks)
        return LineFeatures(self._ids(indexed, len(numbers)), self._scaler.transform(numbers))

    def _keep(self, vocabulary: BucketVocabulary) -> None:
        self._vocabulary, self.buckets_ = vocabulary, vocabulary.buckets
        self.vocabulary_size = len(vocabulary) + 1

    def transform(self, table: Lines) -> LineFeatures:
        """Look up the ids of each line and scale its layout numbers."""
        numbers = layout_numbers(table)
        # Features without an id are dropped before anything is sorted.
        blocks = _blocks(table["value"], lambda hashes: self._vocabulary.index(_bucket(hashes)))
        return LineFeatures(self._ids(blocks, len(numbers)), self._scaler.transform(numbers))

    def _ids(self, blocks: Iterable[Block], n_lines: int) -> np.ndarray:
        """Fill the slots of each line with ids from the left; ids that exceed the slots are dropped."""
        slots, start = np.zeros((n_lines, self.slots), np.int32), 0
        for block_size, lines, index in blocks:
            lines, ids = lines[index >= 0], index[index >= 0] + 1
            count = np.bincount(lines, minlength=block_size)
            column = np.arange(len(lines)) - np.repeat(np.cumsum(count) - count, count)
            fits = column < self.slots
            slots[start + lines[fits], column[fits]] = ids[fits]
            start += block_size
        return slots

    def _fitted(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {"buckets": self.buckets_, **self._scaler._asdict()}

    def _restore(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._keep(BucketVocabulary(arrays["buckets"]))
        self._scaler = StandardScaler(arrays["mean"], arrays["scale"])


def _bucket(hashes: np.ndarray) -> np.ndarray:
    return (hashes & np.uint32(_BUCKETS - 1)).astype(np.int32)


def _blocks(values: Iterable[str], encode: Encode) -> Iterator[Block]:
    """Hash lines, a block at a time; a code below 0 is no feature."""
    texts: Sequence[str] = list(values)
    for start in range(0, len(texts), _BLOCK):
        block = [normal_form(text) for text in texts[start : start + _BLOCK]]
        yield len(block), *_first_occurrences(*line_codes(block, encode))


def _first_occurrences(lines: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep the first occurrence of each code in its line, ordered by line and position."""
    position = np.flatnonzero(codes >= 0)
    line, code = lines[position].astype(np.int64) << _LINE_BITS, codes[position].astype(np.int64)
    # The sort keys are packed into one integer, which sorts many times as fast as rows do.
    by_code = np.sort(line | code << _POSITION_BITS | position)
    new = np.ones(len(by_code), bool)
    new[1:] = by_code[1:] >> _POSITION_BITS != by_code[:-1] >> _POSITION_BITS
    by_code = by_code[new]
    position, code = by_code & (1 << _POSITION_BITS) - 1, by_code >> _POSITION_BITS & _BUCKETS - 1
    in_order = np.sort(by_code >> _LINE_BITS << _LINE_BITS | position << _BUCKET_BITS | code)
    return (in_order >> _LINE_BITS).astype(np.int32), (in_order & _BUCKETS - 1).astype(np.int32)
