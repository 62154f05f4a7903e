"""Sums of the rows of a table that the ids of lines name: bags of embeddings, and scores of words."""

from __future__ import annotations

import numpy as np

_STEP = 8  # lines whose ids need as many steps of slots are summed together: little of what is added is padding
_ROWS = 10_000  # added at a time: they fit the processor's cache


def bags(table: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Sum the rows of a table, (rows, size), that the ids of lines, (lines, slots), name, divided by the root of their number.

    An id of 0 names no row.  A line without ids has zeros.  The layer ``EmbeddingBag`` gives the same.
    """
    sums = np.zeros((len(ids), table.shape[1]), table.dtype)
    if not ids.size:
        return sums
    kept = ids > 0
    n_ids, used = _extents(kept)
    steps = -(-used // _STEP)
    order = np.argsort(steps, kind="stable")
    ends = np.cumsum(np.bincount(steps))
    for step, (start, end) in enumerate(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True), 1):
        slots = min(step * _STEP, ids.shape[1])
        at_once = max(_ROWS // slots, 1)
        for first in range(start, end, at_once):
            lines = order[first : min(first + at_once, end)]
            # (lines, 1, slots) @ (lines, slots, size)
            found = kept[lines, None, :slots].astype(table.dtype) @ table.take(ids[lines, :slots], axis=0)
            sums[lines] = found[:, 0]
    sums /= np.sqrt(np.maximum(n_ids, 1))[:, None]
    return sums


def _extents(kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many slots of each line are kept, float32, and how many there are up to the last one, int64."""
    place = np.arange(1, kept.shape[1] + 1, dtype=np.float32)
    # A product of matrices counts many times as fast as a reduction.
    n_ids, places = (kept.astype(np.float32) @ np.stack([np.ones_like(place), place], axis=1)).T
    used = n_ids.astype(np.int64)
    # Not the first slots; single precision has sums of up to 4,096 places exactly.
    apart = np.flatnonzero((places != n_ids * (n_ids + 1) / 2) | (n_ids > 4_096))
    used[apart] = kept.shape[1] - np.argmax(kept[apart, ::-1], axis=1)
    return n_ids, used
