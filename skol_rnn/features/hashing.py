"""Which hash buckets are kept, and where each stands among them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

_CELLS = 1 << 18  # far more than buckets that are kept: most cells have none or one


class KeptBuckets:
    """Buckets that are kept, rising, and a table to find them by: faster than a search, which misses the cache."""

    def __init__(self, buckets: np.ndarray) -> None:
        self.buckets = buckets

    @cached_property
    def _cells(self) -> tuple[np.ndarray, int, np.ndarray, int]:
        """Return the first bucket's place of each cell, the bits within a cell, the buckets, and the most in a cell."""
        largest = int(self.buckets[-1])
        shift = max(largest.bit_length() - _CELLS.bit_length() + 1, 0)
        first = np.searchsorted(self.buckets, np.arange((largest >> shift) + 2) << shift)
        most = int(np.diff(first).max())
        # After the last bucket stand some that are larger than any.
        padded = np.concatenate([self.buckets, np.full(most, np.iinfo(np.int32).max)])
        return first.astype(np.int32), shift, padded.astype(np.int32), most

    def places(self, buckets: np.ndarray) -> np.ndarray:
        """Find buckets."""
        if not len(self.buckets):
            return np.full(len(buckets), -1, np.int32)
        first, shift, kept, most = self._cells
        buckets = np.asarray(buckets).astype(np.int32)
        place = first[np.minimum(buckets >> shift, len(first) - 1)]
        lower = place
        for i in range(most):
            lower = lower + (kept[place + i] < buckets)
        return np.where(kept[np.minimum(lower, len(kept) - 1)] == buckets, lower, -1)
