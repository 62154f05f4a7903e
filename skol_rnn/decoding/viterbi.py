"""Viterbi over whole documents, vectorised over documents and over alternative offsets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BATCH = 64  # documents decided at a time


def best_sequences(
    emission: np.ndarray, lengths: Sequence[int], start: np.ndarray, step: np.ndarray, offsets: np.ndarray | None = None
) -> np.ndarray:
    """Find the label sequence with the largest sum of scores, for each row of offsets and each document."""
    offsets = np.zeros((1, emission.shape[1])) if offsets is None else offsets
    sizes = np.asarray(lengths, np.int64)
    firsts = np.cumsum(sizes) - sizes
    decided = np.zeros((len(offsets), len(emission)), np.int64)
    # (documents x rivals), the longest documents first
    order = np.argsort(-sizes, kind="stable")
    order = order[sizes[order] > 0]
    document, rival = np.repeat(order, len(offsets)), np.tile(np.arange(len(offsets)), len(order))
    for i in range(0, len(document), _BATCH):
        d, r = document[i : i + _BATCH], rival[i : i + _BATCH]
        last, previous, active = _forward(emission, firsts[d], sizes[d], start, step, offsets[r])
        if (last < 0).any():
            number = int(d[last < 0].min())
            raise ValueError(
                f"The transitions allow no sequence of labels for document {number} of {sizes[number]} lines: "
                "allow more labels at the start, or after one another."
            )
        # Back from the end of each document to its start.
        rows = np.arange(len(d))
        for t in range(len(previous) - 1, -1, -1):
            on = active[t]
            decided[r[:on], firsts[d[:on]] + t] = last[:on]
            if t:
                last[:on] = previous[t, rows[:on], last[:on]]
    return decided


def _forward(
    emission: np.ndarray,
    firsts: np.ndarray,
    sizes: np.ndarray,
    start: np.ndarray,
    step: np.ndarray,
    offsets: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run the forward pass over some documents, the longest first."""
    longest, k = int(sizes[0]), emission.shape[1]
    previous = np.zeros((longest, len(sizes), k), np.min_scalar_type(k))
    steps, last = _Steps(step), np.empty(len(sizes), np.int64)
    active = np.searchsorted(-sizes, -np.arange(longest + 1), side="left")
    score = start + emission[firsts] + offsets  # (documents, labels)
    for t in range(1, longest + 1):
        on = active[t]
        if on < len(score):
            last[on : len(score)] = np.where(score[on:].max(axis=1) == -np.inf, -1, score[on:].argmax(axis=1))
            score, firsts, offsets = score[:on], firsts[:on], offsets[:on]
        if on:
            score, previous[t, :on] = steps.best(score)
            score = score + (emission[firsts + t] + offsets)
    return last, previous, active


class _Steps:
    """The best label before each label; labels with at most two legal predecessors are compared directly."""

    def __init__(self, step: np.ndarray) -> None:
        allowed = step > -np.inf
        self.k = len(step)
        self.few = np.flatnonzero((allowed.sum(axis=0) <= 2) & (allowed.sum(axis=0) > 0))
        many = np.setdiff1d(np.arange(self.k), self.few)
        distinct, self.which = np.unique(step[:, many], axis=1, return_inverse=True)
        self.many, self.into = many, np.ascontiguousarray(distinct.T)  # (distinct, label before)
        # The one or two labels before each of the few, in order.
        rows = [np.flatnonzero(allowed[:, column])[[0, -1]] for column in self.few]
        self.before = np.array(rows, np.int64).reshape(len(self.few), 2)
        self.added = step[self.before, self.few[:, None]]  # (few, 2)

    def best(self, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the score with which each label is reached, and the label before it: (documents, labels) both."""
        reached, before = np.empty(score.shape), np.empty(score.shape, np.int64)
        through = score[:, None, :] + self.into  # (documents, distinct, label before)
        chosen = through.argmax(axis=2)
        reached[:, self.many] = np.take_along_axis(through, chosen[:, :, None], axis=2)[:, self.which, 0]
        before[:, self.many] = chosen[:, self.which]
        if len(self.few):
            pairs = score[:, self.before] + self.added  # (documents, few, 2)
            second = pairs[:, :, 1] > pairs[:, :, 0]  # of equal ones the first, as argmax chooses
            reached[:, self.few] = np.where(second, pairs[:, :, 1], pairs[:, :, 0])
            before[:, self.few] = np.where(second, self.before[:, 1], self.before[:, 0])
        return reached, before
