"""Cut documents into strided windows and put windows back together; nothing else knows about strides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

MERGES = ("centre", "mean", "most_context")
"""Ways to merge the overlapping windows of a line, see :func:`merge_windows`."""


def check_stride(window_size: int, stride: int, name: str = "stride") -> int:
    """Check that a window and its hop cover every line.

    Parameters
    ----------
    window_size : int
        Lines in a window.
    stride : int
        Lines from the start of a window to the start of the next (the hop, not the overlap).
    name : str, default "stride"
        What the message calls the hop.

    Returns
    -------
    int
        The stride.

    Raises
    ------
    ValueError
        Unless ``1 <= stride <= window_size``.

    Examples
    --------
    >>> check_stride(15, 5)
    5
    """
    if window_size < 1:
        raise ValueError(f"window_size must be at least 1, but is {window_size}.")
    if not 1 <= stride <= window_size:
        raise ValueError(
            f"{name} must be between 1 and window_size ({window_size}), but is {stride}: "
            "it is the hop from one window to the next, and a larger hop would leave lines out."
        )
    return stride


def hop(window_size: int, stride: int | None) -> int:
    """Return the hop between windows, a third of the window if none is given.

    Parameters
    ----------
    window_size : int
        Lines in a window.
    stride : int or None
        Lines from window to window.

    Returns
    -------
    int
        The stride.

    Examples
    --------
    >>> hop(15, None), hop(2, None), hop(15, 15)
    (5, 1, 15)
    """
    return max(window_size // 3, 1) if stride is None else stride


def window_starts(length: int, window_size: int, stride: int) -> np.ndarray:
    """Place windows over one document.

    Every line is in at least one window.  The last window is moved back to end with the document
    rather than padded, unless the document is shorter than a window.

    Parameters
    ----------
    length : int
        Lines of the document.
    window_size, stride : int
        Lines in a window and from window to window.

    Returns
    -------
    ndarray of int64
        First line of each window, increasing; empty for an empty document.

    Examples
    --------
    >>> window_starts(10, 4, 3).tolist(), window_starts(11, 4, 3).tolist(), window_starts(2, 4, 3).tolist()
    ([0, 3, 6], [0, 3, 6, 7], [0])
    """
    check_stride(window_size, stride)
    if length == 0:
        return np.zeros(0, np.int64)
    last = max(length - window_size, 0)
    starts = np.arange(0, last + 1, stride, dtype=np.int64)
    return starts if starts[-1] == last else np.append(starts, last)


@dataclass(frozen=True)
class Windows:
    """Windows over the lines of several documents.

    Attributes
    ----------
    lines : ndarray of int64, shape (windows, window_size)
        Index of the line at each place, documents laid end to end; -1 is padding, on the right only.
    n_lines : int
        Lines of all documents together.
    """

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
    """Cut documents into windows that never cross from one document into the next.

    Parameters
    ----------
    lengths : iterable of int
        Lines of each document, in the order in which their lines are laid end to end.
    window_size, stride : int
        Lines in a window and from window to window, ``1 <= stride <= window_size``.

    Returns
    -------
    Windows
        Line indices; windows are in document order.

    Raises
    ------
    ValueError
        If the stride does not fit the window.

    Examples
    --------
    >>> cut_windows([5, 2], window_size=3, stride=2).lines.tolist()
    [[0, 1, 2], [2, 3, 4], [5, 6, -1]]
    """
    check_stride(window_size, stride)
    within = np.arange(window_size, dtype=np.int64)
    pieces, first = [np.zeros((0, window_size), np.int64)], 0
    for length in lengths:
        # (windows, 1) + (window_size,) -> (windows, window_size)
        places = window_starts(length, window_size, stride)[:, None] + within
        pieces.append(np.where(places < length, places + first, -1))
        first += length
    return Windows(np.concatenate(pieces), first)


def merge_windows(values: np.ndarray, windows: Windows, how: str = "centre") -> np.ndarray:
    """Put window outputs back together, one row a line.

    A line near the edge of a window was read with little context on one side.  ``"centre"`` weighs
    each occurrence by its distance to the nearer end of the window's real lines, ``"mean"`` weighs
    all alike, and ``"most_context"`` takes the occurrence farthest from an end (the earlier of two
    equal ones).

    Parameters
    ----------
    values : ndarray, shape (windows, window_size, labels)
        One vector for each place; what stands at padding is not looked at.
    windows : Windows
        Where the places belong.
    how : {"centre", "mean", "most_context"}, default "centre"
        The rule.

    Returns
    -------
    ndarray of float64, shape (n_lines, labels)
        Weighted mean of each line's occurrences.

    Raises
    ------
    ValueError
        If the rule is unknown or the shapes do not agree.

    Examples
    --------
    >>> windows = cut_windows([4], window_size=3, stride=1)
    >>> ones = np.ones((2, 3, 1)) * [[[1.0]], [[4.0]]]
    >>> merge_windows(ones, windows).ravel().tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    if how not in MERGES:
        raise ValueError(f"merge must be one of {', '.join(MERGES)}, but is {how!r}.")
    if values.shape[:2] != windows.lines.shape:
        raise ValueError(f"values of shape {values.shape} do not fit windows of shape {windows.lines.shape}.")
    mask = windows.mask
    # (occurrences,) and (occurrences, labels): padding leaves here and can reach nothing.
    lines, occurrences = windows.lines[mask], np.asarray(values, np.float64)[mask]
    weights = np.ones(len(lines)) if how == "mean" else _context(mask)[mask]
    if how == "most_context":
        weights = _only_largest(lines, weights, windows.n_lines)
    total = np.bincount(lines, weights, windows.n_lines)
    sums = [np.bincount(lines, weights * column, windows.n_lines) for column in occurrences.T]
    return np.stack(sums, axis=1) / total[:, None] if sums else np.zeros((windows.n_lines, 0))


def _context(mask: np.ndarray) -> np.ndarray:
    """Lines to the nearer end of the window's real lines, the line itself counted: (windows, window_size)."""
    place = np.arange(mask.shape[1])
    return np.minimum(place + 1, mask.sum(axis=1, keepdims=True) - place).astype(np.float64)


def _only_largest(lines: np.ndarray, weights: np.ndarray, n_lines: int) -> np.ndarray:
    chosen = np.zeros(len(lines))
    order = np.lexsort((np.arange(len(lines)), -weights, lines))
    _, first = np.unique(lines[order], return_index=True)
    chosen[order[first]] = 1.0
    return chosen
