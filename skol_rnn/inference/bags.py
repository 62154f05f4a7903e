"""Sums of the rows of a table that the ids of lines name: bags of embeddings, and scores of words."""

from __future__ import annotations

import numpy as np

_STEP = 8  # lines whose ids need as many steps of slots are summed together: little of what is added is padding
_ROWS = 10_000  # added at a time: they fit the processor's cache


def sums_of_rows(table: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Sum the rows of a table, (rows, size), that the ids of lines, (lines, slots), name; 0 names none."""
    sums = np.zeros((len(ids), table.shape[1]), table.dtype)
    if not ids.size:
        return sums
    kept = ids > 0
    used = np.where(kept.any(axis=1), ids.shape[1] - np.argmax(kept[:, ::-1], axis=1), 0)
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
    return sums


def bags(embeddings: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Compute what the layer ``EmbeddingBag`` gives for lines: the sum of their rows, divided by the root of their number."""
    n_ids = np.count_nonzero(ids, axis=1)
    return sums_of_rows(embeddings, ids) / np.sqrt(np.maximum(n_ids, 1, dtype=np.float32))[:, None]
