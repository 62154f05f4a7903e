"""CRC-32 of texts that are put together of others, found from those of the parts for whole arrays of texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from zlib import crc32

import numpy as np

_LONGEST = 63  # bytes that are put behind in one go; few words have more


def crc_of(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    r"""Return CRC-32 and length of texts in UTF-8."""
    # All are encoded in one go.
    encoded = "\n".join(texts).encode().split(b"\n") if texts else []
    return (
        np.fromiter(map(crc32, encoded), np.uint32, len(encoded)),
        np.fromiter(map(len, encoded), np.int32, len(encoded)),
    )


def joined_crc(first: np.ndarray, second: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return the CRC-32 of texts put together."""
    tables, left = _tables(), np.asarray(length)
    while True:
        step = np.minimum(left, _LONGEST)
        table = step * 1024
        driven = tables[table + (first & 0xFF)]
        for byte in (1, 2, 3):
            driven ^= tables[table + (256 * byte) + (first >> np.uint32(8 * byte) & 0xFF)]
        left = left - step
        if not left.any():
            return driven ^ second
        first = driven


@cache
def _tables() -> np.ndarray:
    """Return what becomes of each value of each of a CRC's bytes by 0, 1, 2, ... zero bytes; flat, of uint32."""
    one = np.array([crc32(bytes([value ^ 0xFF])) for value in range(256)], np.uint32) ^ np.uint32(0xFF000000)
    tables = np.empty((_LONGEST + 1, 4, 256), np.uint32)
    tables[0] = np.arange(256, dtype=np.uint32) << (8 * np.arange(4, dtype=np.uint32)[:, None])
    for length in range(1, _LONGEST + 1):
        before = tables[length - 1]
        tables[length] = before >> np.uint32(8) ^ one[before & 0xFF]
    return tables.ravel()
