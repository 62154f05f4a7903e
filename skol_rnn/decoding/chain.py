"""A linear chain of labels: each row's label adds its score and that of the step from the label before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Marginals(NamedTuple):
    """Probabilities of the labels of each row, (rows, labels), and of each step to it, summed over rows: (labels, labels)."""

    rows: np.ndarray
    steps: np.ndarray


def marginals(
    scores: np.ndarray,
    lengths: Sequence[int] | np.ndarray,
    start: np.ndarray,
    step: np.ndarray,
    weights: np.ndarray | None = None,
) -> Marginals:
    """Compute them by the forward and backward passes; scores are (rows, labels), and weights multiply the steps to rows.

    The formulas are those of Rabiner (1989), each row scaled to a sum of 1 so that long sequences do not underflow.
    """
    sizes = np.asarray(lengths, np.int64)
    order = np.argsort(-sizes, kind="stable")  # the longest first: those that go on are the first ones
    firsts, sizes = (np.cumsum(sizes) - sizes)[order], sizes[order]
    longest = int(sizes[0]) if len(sizes) else 0
    going_on = np.searchsorted(-sizes, -np.arange(longest + 1), side="left").tolist()
    emission = np.exp(scores - scores.max(axis=1, keepdims=True))
    first, factor = np.exp(start - start.max()), np.exp(step - step.max())
    before, forward, backward = np.zeros_like(emission), np.zeros_like(emission), np.ones_like(emission)
    for t in range(longest):
        rows = firsts[: going_on[t]] + t
        reached = forward[rows - 1] @ factor if t else first
        found = reached * emission[rows]
        before[rows], forward[rows] = reached, found / found.sum(axis=1, keepdims=True)
    for t in range(longest - 1, 0, -1):
        rows = firsts[: going_on[t]] + t
        found = (backward[rows] * emission[rows]) @ factor.T
        backward[rows - 1] = found / found.sum(axis=1, keepdims=True)
    later = np.ones(len(scores), bool)
    later[firsts[sizes > 0]] = False
    inner = np.flatnonzero(later)
    ahead = (backward * emission)[inner]
    scale = (before[inner] * ahead).sum(axis=1, keepdims=True)
    share = ahead / scale if weights is None else ahead * (weights[inner, None] / scale)
    both = forward * backward
    return Marginals(both / both.sum(axis=1, keepdims=True), (forward[inner - 1].T @ share) * factor)
