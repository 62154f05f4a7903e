"""A second pass: trees that read the labels' probabilities in the lines around, fitted on out-of-fold probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from skol_rnn.decoding.correction import normalised
from skol_rnn.labels import NO_LABEL

NEAR, REACH = 6, 10
"""Lines on each side whose log odds are read one by one, and over which probabilities are averaged.  What is wider learns
the policy of the training volumes (docs/experiments.md)."""
_MEANS = (3, REACH)
_LARGEST_ODDS, _FARTHEST, _SMALLEST = 5.0, 100, 1e-3
LINES_IN_A_LEAF = 100
_TREES, _LEAVES, _RATE = 100, 8, 0.12
_NEVER = -30.0  # score of a label without a training line
MOST_LEAVES = 16
"""Leaves of a tree, at most: a bit of ``kept`` each."""
_DE_BRUIJN = {8: np.uint8(0x1D), 16: np.uint16(0x09AF)}  # times each power of two, it has other upper bits
_CHUNK = 256  # lines whose comparisons fit the processor's cache
_SAVED = tuple(f"second/{name}" for name in ("column", "threshold", "kept", "leaf", "label", "baseline", "reference"))


class _Ready(NamedTuple):
    """What evaluates the trees, which are in the order of their labels, an even number of each."""

    column: np.ndarray  # (comparisons,): of the distinct ones
    threshold: (
        np.ndarray
    )  # (comparisons, lines), the same for all lines: arrays of one shape are compared twice as fast
    comparison: np.ndarray  # (nodes, trees): which one a node makes
    kept: np.ndarray  # (nodes, trees, 1), of 8 bits where they are enough
    first: np.ndarray  # (pairs, 1): place of a pair's first value
    value: np.ndarray  # (values of all pairs,): the sum of two trees' scores for the codes of their leaves
    ends: np.ndarray  # (labels + 1,): the first pair of each label


@dataclass(frozen=True)
class SecondPass:
    """Gradient-boosted trees, each evaluated by all its comparisons at once.

    A comparison that is false rules out the leaves on its left; of those that stay possible, the first is the line's
    (Lucchese et al., QuickScorer, SIGIR 2015).
    """

    column: np.ndarray  # (trees, nodes): what a node compares
    threshold: np.ndarray  # (trees, nodes)
    kept: np.ndarray  # (trees, nodes): bits of the leaves that a false comparison leaves possible
    leaf: np.ndarray  # (trees, leaves): scores
    label: np.ndarray  # (trees,): the label that a tree adds to
    baseline: np.ndarray  # (labels,): scores before any tree
    reference: int  # the label that log odds are relative to

    @classmethod
    def fit(cls, sources: Sequence[np.ndarray], true: np.ndarray, lengths: Sequence[int], seed: int) -> SecondPass:
        """Fit to out-of-fold probabilities, each (lines, labels), of lines of whole documents."""
        from sklearn.ensemble import HistGradientBoostingClassifier
        from threadpoolctl import threadpool_limits

        known = np.flatnonzero(true != NO_LABEL)
        n_labels = sources[0].shape[1]
        reference = int(np.argmax(np.bincount(true[known])))
        columns = np.ascontiguousarray(_context(sources, lengths, reference)[:, known].T)
        model = HistGradientBoostingClassifier(
            max_iter=_TREES,
            learning_rate=_RATE,
            max_leaf_nodes=_LEAVES,
            min_samples_leaf=LINES_IN_A_LEAF,
            l2_regularization=10.0,
            max_features=0.5,
            early_stopping=False,
            random_state=seed,
        )
        # On a busy machine, threads that wait for each other take many times as long as one.
        with threadpool_limits(1, user_api="openmp"):
            model.fit(columns, true[known])
        # One tree for each label and round; two labels share one, whose score is that of the second.
        rounds, present = model._predictors, model.classes_[-len(model._predictors[0]) :]
        laid_out = [_lay_out(tree.nodes) for trees in rounds for tree in trees]
        column, threshold, kept, leaf = (np.stack(part) for part in zip(*laid_out, strict=True))
        baseline = np.full(n_labels, _NEVER)
        baseline[model.classes_] = 0.0
        baseline[present] = model._baseline_prediction.ravel()
        return cls(column, threshold, kept, leaf, np.tile(present, len(rounds)).astype(np.int32), baseline, reference)

    def probabilities(self, sources: Sequence[np.ndarray], lengths: Sequence[int]) -> np.ndarray:
        """Compute posteriors, (lines, labels), from the probabilities of the models that the trees were fitted to."""
        columns = _context(sources, lengths, self.reference)
        ready, n_labels = self._ready, len(self.baseline)
        scores = np.empty((columns.shape[1], n_labels))
        for start in range(0, len(scores), _CHUNK):
            found = columns[:, start : start + _CHUNK]
            # All bits where a comparison is true, none where it is false.
            holds = (found.take(ready.column, axis=0) > ready.threshold[:, : found.shape[1]]).astype(ready.kept.dtype)
            holds -= holds.dtype.type(1)
            possible = np.full((len(ready.first) * 2, found.shape[1]), (1 << self.leaf.shape[1]) - 1, holds.dtype)
            for comparison, kept in zip(ready.comparison, ready.kept, strict=True):
                bits = holds.take(comparison, axis=0)
                bits |= kept
                possible &= bits
            codes = _codes(possible)
            both = codes[::2] << _code_bits(codes.dtype) | codes[1::2]
            values = ready.value.take(both + ready.first, mode="clip")
            for label in range(n_labels):
                # A product of matrices would add in an order that depends on the number of lines.
                of_label = values[ready.ends[label] : ready.ends[label + 1]]
                scores[start : start + _CHUNK, label] = of_label.sum(axis=0)
        scores += self.baseline
        return normalised(np.exp(scores - scores.max(axis=1, keepdims=True)))

    @cached_property
    def _ready(self) -> _Ready:
        n, leaves = self.leaf.shape
        bits = np.dtype(np.uint8 if leaves <= 8 else np.uint16)  # half the bits take half the time
        of_label = [np.flatnonzero(self.label == label) for label in range(len(self.baseline))]
        # A tree without a partner gets one whose scores are 0: tree n.
        even = [np.append(trees, n) if len(trees) % 2 else trees for trees in of_label]

        def ordered(array: np.ndarray, of_n: int = 0) -> np.ndarray:
            return np.pad(array, ((0, 1), (0, 0)), constant_values=of_n)[np.concatenate(even)]

        column, threshold, leaf = ordered(self.column), ordered(self.threshold), ordered(self.leaf.astype(np.float64))
        kept = ordered(self.kept.astype(bits), (1 << leaves) - 1)
        distinct, index = np.unique(np.rec.fromarrays([column.ravel(), threshold.ravel()]), return_inverse=True)
        value = leaf.take(_leaf_of_code(leaves, bits), axis=1)
        pairs = value[::2, :, None] + value[1::2, None, :]  # (pairs, codes, codes)
        return _Ready(
            column=distinct["f0"],
            threshold=np.repeat(distinct["f1"][:, None], _CHUNK, axis=1),
            comparison=index.reshape(column.shape).T,
            kept=kept.T[:, :, None],
            first=(np.arange(len(pairs)) << 2 * _code_bits(bits))[:, None],
            value=pairs.ravel(),
            ends=np.cumsum([0, *(len(trees) // 2 for trees in even)]),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays of the saved model."""
        reference = np.array(self.reference)
        values = (self.column, self.threshold, self.kept, self.leaf, self.label, self.baseline, reference)
        return dict(zip(_SAVED, values, strict=True))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> SecondPass | None:
        """Rebuild what :meth:`arrays` returned; None for a model saved without it."""
        if _SAVED[0] not in arrays:
            return None
        column, threshold, kept, leaf, label, baseline, reference = (arrays[name] for name in _SAVED)
        return cls(column, threshold, kept, leaf, label, baseline, int(reference))


def _context(sources: Sequence[np.ndarray], lengths: Sequence[int], reference: int) -> np.ndarray:
    """Describe the probabilities around each line; float32 of shape (columns, lines)."""
    others = [label for label in range(sources[0].shape[1]) if label != reference]
    columns = np.empty((columns_of(len(others) + 1, len(sources)), sum(lengths)), np.float32)
    start = 0
    for length in lengths:
        own = [probabilities[start : start + length] for probabilities in sources]
        parts = [part for p in own for part in _around(p, others, reference)]
        np.concatenate(parts, out=columns[:, start : start + length], casting="same_kind")
        start += length
    return columns


def columns_of(n_labels: int, n_sources: int = 2) -> int:
    """Return how many columns the trees read."""
    return n_sources * (n_labels - 1) * (2 * NEAR + 1 + len(_MEANS) + 2)


def _around(probabilities: np.ndarray, labels: list[int], reference: int) -> list[np.ndarray]:
    """Describe the probabilities of one document: log odds and means around a line, distances to the nearest lines."""
    n, place = len(probabilities), np.arange(len(probabilities))
    own = np.ascontiguousarray(probabilities.T[labels])
    odds = np.log(np.maximum(own, _SMALLEST) / np.maximum(probabilities[:, reference], _SMALLEST))
    padded = np.full((len(labels), n + 2 * NEAR), -_LARGEST_ODDS)
    np.clip(odds, -_LARGEST_ODDS, _LARGEST_ODDS, out=padded[:, NEAR : NEAR + n])
    parts = [padded[:, step : step + n] for step in range(2 * NEAR + 1)]
    total = np.concatenate([np.zeros((len(labels), 1)), np.cumsum(own, axis=1)], axis=1)
    for reach in _MEANS:
        first, end = np.maximum(place - reach, 0), np.minimum(place + reach + 1, n)
        parts.append((total.take(end, axis=1) - total.take(first, axis=1)) / (end - first))
    for column in own:
        likely = np.flatnonzero(column > 0.5)
        edges = np.concatenate([[-_FARTHEST], likely, [n + _FARTHEST]])
        back = place - edges[np.searchsorted(likely, place, "right")]
        ahead = edges[np.searchsorted(likely, place, "left") + 1] - place
        parts.append(np.minimum([back, ahead], _FARTHEST))
    return parts


def _lay_out(nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lay out a tree of scikit-learn as columns, thresholds, bits of leaves, and values of leaves from left to right."""
    column = np.zeros(_LEAVES - 1, np.int32)
    threshold = np.full(_LEAVES - 1, np.inf, np.float32)  # a comparison that is always true
    kept = np.full(_LEAVES - 1, (1 << _LEAVES) - 1, np.uint16)
    values: list[float] = []
    comparisons = iter(range(_LEAVES - 1))

    def visit(index: int) -> None:
        node = nodes[index]
        if node["is_leaf"]:
            values.append(node["value"])
            return
        i, first = next(comparisons), len(values)
        column[i], threshold[i] = node["feature_idx"], _rounded_down(node["num_threshold"])
        visit(node["left"])
        kept[i] &= ~(((1 << len(values)) - 1) ^ ((1 << first) - 1)) & ((1 << _LEAVES) - 1)
        visit(node["right"])

    visit(0)
    leaf = np.zeros(_LEAVES, np.float32)
    leaf[: len(values)] = values
    return column, threshold, kept, leaf


def _rounded_down(value: float) -> np.float32:
    """Return the largest float32 that is not above a float64: a float32 compares with both alike."""
    rounded = np.float32(value)
    return rounded if rounded <= value else np.nextafter(rounded, np.float32(-np.inf))


def _code_bits(bits: np.dtype) -> int:
    """Return how many bits the code of one bit among 8 or 16 takes."""
    return 3 if bits.itemsize == 1 else 4


def _codes(possible: np.ndarray) -> np.ndarray:
    """Return a code for the lowest bit of each set of 8 or 16: its place in a de Bruijn sequence."""
    bits = 8 * possible.itemsize
    return (possible & -possible) * _DE_BRUIJN[bits] >> possible.dtype.type(bits - _code_bits(possible.dtype))


def _leaf_of_code(leaves: int, bits: np.dtype) -> np.ndarray:
    """Return the leaf that each code stands for; a code of no leaf stands for the first."""
    leaf = np.argsort(_codes(np.left_shift(1, np.arange(8 * bits.itemsize)).astype(bits)))
    return np.where(leaf < leaves, leaf, 0)
