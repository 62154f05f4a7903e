"""Hashed words, word pairs, affixes, shapes and leading words of a line, for an embedding bag in the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from skol_rnn.data.table import Lines
from skol_rnn.features.base import FeatureFamily, LineFeatures, StandardScaler, blocks_of, normal_form, normal_forms
from skol_rnn.features.hashing import BucketVocabulary
from skol_rnn.features.lines.characters import Characters
from skol_rnn.features.lines.hashes import described_features, line_codes
from skol_rnn.features.lines.layout import LAYOUT_NAMES, layout_numbers, own_numbers

_BUCKET_BITS = 24  # wide enough that collisions among some 10^5 kept features are rare
_BUCKETS = 1 << _BUCKET_BITS

Block = tuple[int, np.ndarray, np.ndarray]
"""Number of the first line, and line and code of each distinct feature of some lines, in order."""


@dataclass(eq=False)
class HashedFeatures(FeatureFamily):
    """Bag of hashed line features and layout numbers; the default."""

    name = "hashed"
    number_names = LAYOUT_NAMES

    min_count: int = 2
    max_features: int = 60_000
    slots: int = 96

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Choose the features to keep, and transform the same lines, each of which is hashed once."""
        texts, by_line, found = normal_forms(table["value"]), list[np.ndarray](), list[Block]()
        for start, block, characters in _blocks(texts):
            by_line.append(own_numbers(block, characters))
            found.append((start, *_first_occurrences(*line_codes(characters, _bucket))))
        numbers = layout_numbers(table, by_line)
        self._scaler = StandardScaler.fit(numbers)
        of_all = np.concatenate([np.zeros(0, np.int64), *(buckets for _, _, buckets in found)])
        buckets, counts = np.unique(of_all, return_counts=True)
        self._keep(BucketVocabulary.most_frequent(buckets, counts, self.min_count, self.max_features))
        ids = np.zeros((len(texts), self.slots), np.int32)
        for start, lines, buckets in found:
            index = self._vocabulary.index(buckets)
            known = np.flatnonzero(index >= 0)
            _fill(ids[start:], lines.take(known), index.take(known) + 1)
        return LineFeatures(ids, self._scaler.transform(numbers))

    def _keep(self, vocabulary: BucketVocabulary) -> None:
        self._vocabulary, self.buckets_ = vocabulary, vocabulary.buckets
        self.vocabulary_size = len(vocabulary) + 1

    def transform(self, table: Lines) -> LineFeatures:
        """Look up the ids of each line and scale its layout numbers."""
        texts, by_line = normal_forms(table["value"]), list[np.ndarray]()
        ids = np.zeros((len(texts), self.slots), np.int32)
        for start, block, characters in _blocks(texts):
            by_line.append(own_numbers(block, characters))
            # Features without an id are dropped before anything is sorted.
            codes = line_codes(characters, lambda hashes: self._vocabulary.index(_bucket(hashes)))
            lines, index = _first_occurrences(*codes)
            _fill(ids[start:], lines, index + 1)
        return LineFeatures(ids, self._scaler.transform(layout_numbers(table, by_line)))

    def described(self, text: str) -> dict[int, tuple[str, str]]:
        """Say what the ids of a line stand for, as kind and text; of features with one id, the first counts."""
        found = described_features(normal_form(text))
        hashes = np.array([crc32(feature.name.encode("utf-8", "surrogatepass")) for feature in found], np.uint32)
        ids = (self._vocabulary.index(_bucket(hashes)) + 1).tolist()
        return {i: (feature.kind, feature.what) for i, feature in zip(reversed(ids), reversed(found), strict=True) if i}

    def _fitted(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {}, {"buckets": self.buckets_, **self._scaler._asdict()}

    def _restore(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._keep(BucketVocabulary(arrays["buckets"]))
        self._scaler = StandardScaler(arrays["mean"], arrays["scale"])


def _bucket(hashes: np.ndarray) -> np.ndarray:
    return (hashes & np.uint32(_BUCKETS - 1)).astype(np.int32)


def _blocks(texts: Sequence[str]) -> Iterator[tuple[int, Sequence[str], Characters]]:
    """Yield the number of the first line of each block of lines in normal form, these, and their characters."""
    start = 0
    for block in blocks_of(texts):
        yield start, block, Characters.of(block)
        start += len(block)


def _fill(slots: np.ndarray, lines: np.ndarray, ids: np.ndarray) -> None:
    """Fill the slots of lines, (lines, slots), with ids from the left; ids that exceed the slots are dropped."""
    count = np.bincount(lines)
    first = np.cumsum(count) - count
    place = np.arange(len(lines)) + np.repeat(slots.shape[1] * np.arange(len(count)) - first, count)
    if count.max(initial=0) > slots.shape[1]:
        fits = np.flatnonzero(np.arange(len(lines)) - first[lines] < slots.shape[1])
        place, ids = place.take(fits), ids.take(fits)
    slots.ravel()[place] = ids


def _first_occurrences(lines: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep the first occurrence of each code in its line, ordered by line and position."""
    kept = np.flatnonzero(codes >= 0)
    order = kept.take(_stable_order(lines.take(kept)))
    line, code = lines.take(order), codes.take(order)
    by_code = _stable_order(code)  # in which the occurrences of one code in one line are adjacent
    same = np.diff(code.take(by_code)) == 0
    same &= np.diff(line.take(by_code)) == 0
    new = np.ones(len(order), bool)
    new[by_code.take(np.flatnonzero(same) + 1)] = False
    kept = np.flatnonzero(new)
    return line.take(kept), code.take(kept)


def _stable_order(numbers: np.ndarray) -> np.ndarray:
    """Return the order of numbers from 0 to 2 ** 32, equal ones as they are."""
    # NumPy sorts 16 bits by radix, which takes a fraction of the time of 32.
    order = np.argsort(numbers.astype(np.uint16), kind="stable")
    if numbers.max(initial=0) >= 1 << 16:
        order = order.take(np.argsort((numbers.take(order) >> 16).astype(np.uint16), kind="stable"))
    return order
