"""Which hash buckets are kept, and where each stands among them."""

from __future__ import annotations

from functools import cached_property

import numpy as np

_CELLS = 1 << 18  # far more than buckets that are kept: most cells have none or one


class KeptBuckets:
    """Buckets that are kept, rising, and a table to find them by: faster than a search, which misses the cache.

    Parameters
    ----------
    buckets : ndarray of int, shape (kept,)
        Rising, none twice, none below 0.

    Examples
    --------
    >>> KeptBuckets(np.array([3, 70_000, 70_001])).places(np.array([70_001, 4, 3])).tolist()
    [2, -1, 0]
    """

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
        """Find buckets.

        Parameters
        ----------
        buckets : ndarray of int, shape (n,)
            Buckets.

        Returns
        -------
        ndarray of int32, shape (n,)
            Place of each among those that are kept; -1 for one that is not.
        """
        if not len(self.buckets):
            return np.full(len(buckets), -1, np.int32)
        first, shift, kept, most = self._cells
        buckets = np.asarray(buckets).astype(np.int32)
        place = first[np.minimum(buckets >> shift, len(first) - 1)]
        lower = place
        for i in range(most):
            lower = lower + (kept[place + i] < buckets)
        return np.where(kept[np.minimum(lower, len(kept) - 1)] == buckets, lower, -1)
