"""Cut documents into strided windows, and merge window outputs into one row a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


def check_stride(window_size: int, stride: int, name: str = "stride", window: str = "window_size") -> int:
    """Check that windows of this size and stride cover every line."""
    if window_size < 1:
        raise ValueError(f"{window} must be at least 1, but is {window_size}.")
    if not 1 <= stride <= window_size:
        raise ValueError(
            f"{name} must be between 1 and {window} ({window_size}), but is {stride}: "
            "it is the distance between the starts of windows, and a larger one would skip lines."
        )
    return stride


def window_starts(length: int, window_size: int, stride: int) -> np.ndarray:
    """Return the first lines of the windows over one document; the last window ends with the document."""
    check_stride(window_size, stride)
    if length == 0:
        return np.zeros(0, np.int64)
    last = max(length - window_size, 0)
    starts = np.arange(0, last + 1, stride, dtype=np.int64)
    return starts if starts[-1] == last else np.append(starts, last)


@dataclass(frozen=True)
class Windows:
    """Windows over the lines of several documents: indices, shape (windows, window_size), -1 for padding."""

    lines: np.ndarray
    n_lines: int

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def mask(self) -> np.ndarray:
        """Boolean array, shape (windows, window_size): True at real lines."""
        return self.lines >= 0

    @property
    def coverage(self) -> np.ndarray:
        """Array of int64, shape (n_lines,): in how many windows each line is."""
        return np.bincount(self.lines[self.mask], minlength=self.n_lines)


def cut_windows(lengths: Iterable[int], window_size: int, stride: int) -> Windows:
    """Cut documents into windows that never cross from one document into the next."""
    check_stride(window_size, stride)
    within = np.arange(window_size, dtype=np.int64)
    pieces, first = [np.zeros((0, window_size), np.int64)], 0
    for length in lengths:
        # (windows, 1) + (window_size,) -> (windows, window_size)
        places = window_starts(length, window_size, stride)[:, None] + within
        pieces.append(np.where(places < length, places + first, -1))
        first += length
    return Windows(np.concatenate(pieces), first)


def shifted_windows(lengths: Iterable[int], window_size: int, stride: int, rng: np.random.Generator) -> Windows:
    """Cut documents into windows whose first starts at a random line before each document, or at its first one."""
    check_stride(window_size, stride)
    within = np.arange(window_size, dtype=np.int64)
    pieces, first = [np.zeros((0, window_size), np.int64)], 0
    for length in lengths:
        # Windows that begin before the document are shorter; one window holds a short document as a whole.
        start = 1 - window_size + int(rng.integers(stride)) if length > window_size else 0
        starts = np.arange(start, length, stride, dtype=np.int64)[: None if length > window_size else 1]
        places = np.maximum(starts, 0)[:, None] + within
        ends = np.minimum(starts + window_size, length)[:, None]
        pieces.append(np.where(places < ends, places + first, -1))
        first += length
    return Windows(np.concatenate(pieces), first)


def merge_windows(values: np.ndarray, windows: Windows) -> np.ndarray:
    """Average the window outputs of each line, weighted by distance to the window's end: (lines, labels)."""
    if values.shape[:2] != windows.lines.shape:
        raise ValueError(f"values of shape {values.shape} do not fit windows of shape {windows.lines.shape}.")
    mask = windows.mask
    # (occurrences,) and (occurrences, labels), without padding
    lines, occurrences = windows.lines[mask], np.asarray(values, np.float64)[mask]
    weights = _distance_to_end(mask)[mask]
    total = np.bincount(lines, weights, windows.n_lines)
    sums = [np.bincount(lines, weights * column, windows.n_lines) for column in occurrences.T]
    return np.stack(sums, axis=1) / total[:, None] if sums else np.zeros((windows.n_lines, 0))


def _distance_to_end(mask: np.ndarray) -> np.ndarray:
    """Count the lines from each line to the nearer end of its window, itself included: (windows, window_size)."""
    place = np.arange(mask.shape[1])
    return np.minimum(place + 1, mask.sum(axis=1, keepdims=True) - place).astype(np.float64)
