"""Feature hashing: CRC-32 of concatenated texts without concatenating them, and the buckets of a vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from zlib import crc32

import numpy as np

MAX_STEP = 63
"""Bytes by which a CRC is advanced at once; few words are longer."""
_CELLS = 1 << 18  # far more than there are buckets: most cells hold none or one


def crc_of(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the CRC-32 and the length in bytes of each text, none of which holds a line end."""
    encoded = "\n".join(texts).encode().split(b"\n") if texts else []
    return np.array(list(map(crc32, encoded)), np.uint32), np.array(list(map(len, encoded)), np.int32)


def joined_crc(first: np.ndarray, second: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return the CRC-32 of pairs of texts joined, from the CRC-32 of both and the length of the second."""
    tables, left = _tables(), np.asarray(length)
    while True:
        step = np.minimum(left, MAX_STEP)
        table = step * 1024
        advanced = tables[table + (first & 0xFF)]
        for byte in (1, 2, 3):
            advanced ^= tables[table + (256 * byte) + (first >> np.uint32(8 * byte) & 0xFF)]
        left = left - step
        if not left.any():
            return advanced ^ second
        first = advanced


def spaced_crc(crc: np.ndarray) -> np.ndarray:
    """Return the CRC-32 of texts with a space behind them."""
    return crc >> np.uint32(8) ^ _space_terms().take(crc & np.uint32(0xFF))


def prefixed_crc(prefix: str, crc: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return the CRC-32 of texts behind a prefix, from the CRC-32 of the texts and their length."""
    if length.max(initial=0) > MAX_STEP:
        return joined_crc(np.array([crc32(prefix.encode())], np.uint32), crc, length)
    return _prefixes(prefix)[length] ^ crc


def byte_terms() -> np.ndarray:
    """Return what a byte adds to the CRC-32 of a text: ``[256 * bytes behind it + byte]``.

    The sum (exclusive or) of these terms, and of the CRC-32 of as many zero bytes, is the CRC-32 of a text.
    """
    return _tables().reshape(MAX_STEP + 1, 4, 256)[1:, 0].ravel()


@cache
def zeros_crc(prefix: bytes = b"") -> np.ndarray:
    """Return the CRC-32 of a prefix and 0, 1, 2, ... zero bytes."""
    return np.array([crc32(prefix + bytes(n)) for n in range(MAX_STEP + 1)], np.uint32)


@cache
def _prefixes(prefix: str) -> np.ndarray:
    """Return what a prefix adds to the CRC-32 of texts of 0, 1, 2, ... bytes."""
    return zeros_crc(prefix.encode()) ^ zeros_crc()


@cache
def _space_terms() -> np.ndarray:
    """Return what each value of the last byte of a CRC-32 becomes with a space behind it."""
    return np.array([crc32(b" ") ^ int(term) for term in _tables().reshape(MAX_STEP + 1, 4, 256)[1, 0]], np.uint32)


@cache
def _tables() -> np.ndarray:
    """Return what each value of each byte of a CRC becomes after 0, 1, 2, ... zero bytes, as one flat array."""
    one = np.array([crc32(bytes([value ^ 0xFF])) for value in range(256)], np.uint32) ^ np.uint32(0xFF000000)
    tables = np.empty((MAX_STEP + 1, 4, 256), np.uint32)
    tables[0] = np.arange(256, dtype=np.uint32) << (8 * np.arange(4, dtype=np.uint32)[:, None])
    for length in range(1, MAX_STEP + 1):
        before = tables[length - 1]
        tables[length] = before >> np.uint32(8) ^ one[before & 0xFF]
    return tables.ravel()


class BucketVocabulary:
    """Sorted hash buckets and a table to find them: faster than binary search, which misses the cache."""

    def __init__(self, buckets: np.ndarray) -> None:
        self.buckets = buckets

    @classmethod
    def most_frequent(cls, buckets: np.ndarray, counts: np.ndarray, min_count: int, size: int) -> BucketVocabulary:
        """Keep the most frequent of some distinct buckets."""
        buckets, counts = buckets[counts >= min_count], counts[counts >= min_count]
        # Ties are broken by bucket so that the order of documents does not change the vocabulary.
        return cls(np.sort(buckets[np.lexsort((buckets, -counts))[:size]]))

    def __len__(self) -> int:
        return len(self.buckets)

    @cached_property
    def _cells(self) -> tuple[np.ndarray, int, np.ndarray]:
        """Return each cell's first index, the number of bits in a cell, and the buckets."""
        largest = int(self.buckets[-1])
        shift = max(largest.bit_length() - _CELLS.bit_length() + 1, 0)
        first = np.searchsorted(self.buckets, np.arange((largest >> shift) + 2) << shift)
        # One that is larger than any bucket ends the search.
        return first.astype(np.int32), shift, np.append(self.buckets, np.iinfo(np.int32).max).astype(np.int32)

    def index(self, buckets: np.ndarray) -> np.ndarray:
        """Return the index of each bucket in the vocabulary, -1 if it is not there."""
        if not len(self.buckets):
            return np.full(buckets.shape, -1, np.int32)
        first, shift, kept = self._cells
        shape, buckets = buckets.shape, buckets.astype(np.int32).ravel()
        found = first.take(buckets >> shift, mode="clip")
        left = np.flatnonzero(kept.take(found) < buckets)
        while len(left):
            found[left] += 1
            left = left[kept[found[left]] < buckets[left]]
        return np.where(kept.take(found) == buckets, found, -1).reshape(shape)
