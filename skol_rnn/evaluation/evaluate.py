"""From true and predicted labels to whole-set counts: the one way every score in this package comes about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skol_rnn.evaluation.result import Evaluation
from skol_rnn.labels import NO_LABEL, LabelSet, suggestion

__all__ = ["EPSILON", "UNITS", "Evaluation", "evaluate_labels", "merge_evaluations"]

UNITS = ("line", "token", "span", "character")
"""What one count stands for."""
EPSILON = float(np.finfo(np.float64).eps)
"""Smallest probability a loss is taken of, as in scikit-learn's ``log_loss``; a missing one costs -log of it."""
PROBABILITY_SLACK = 1e-4
"""How far above 1 or below 0 the rounding of half precision may leave a probability."""


def evaluate_labels(
    true: Sequence[int] | np.ndarray,
    predicted: Sequence[int] | np.ndarray,
    labels: LabelSet,
    *,
    probabilities: np.ndarray | None = None,
    documents: Sequence[str] | np.ndarray | None = None,
    lengths: Sequence[int] | np.ndarray | None = None,
    important: Sequence[str] | None = None,
    unit: str = "line",
) -> Evaluation:
    """Count predictions against true labels.

    Parameters
    ----------
    true : sequence of int, shape (n,)
        Indices of the true labels; lines with ``NO_LABEL`` (-1) are left out.
    predicted : sequence of int, shape (n,)
        Indices of the predicted labels; ``NO_LABEL`` is a missing prediction and counts as an error.
    labels : LabelSet
        The K labels.
    probabilities : ndarray of float, shape (n, K), optional
        Probabilities for the losses; a NaN at the true label costs -log(EPSILON), as does 0.
    documents : sequence of str, shape (n,), optional
        Document of each line, for scores by document.
    lengths : sequence of int, shape (n,), optional
        Characters of each line, for scores by character.
    important : sequence of str, optional
        Labels whose mean F1 is ``important_f1``; by default all but the most frequent true one (the first in
        the order of ``labels`` where several are). Scores by document use the whole set's.
    unit : str
        What one element stands for, one of ``UNITS``.

    Returns
    -------
    Evaluation
        Counts and scores.

    Raises
    ------
    TypeError
        If indices or lengths are not integers.
    ValueError
        If lengths or shapes differ, or an index, probability, label or unit is not allowed.

    Examples
    --------
    >>> labels = LabelSet(("Misc", "Nomenclature"))
    >>> evaluation = evaluate_labels([0, 0, 1, 1, -1], [0, -1, 1, 0, 1], labels)
    >>> evaluation.confusion.tolist(), evaluation.missing.tolist()
    ([[1, 0], [1, 1]], [1, 0])
    >>> evaluation.accuracy
    0.5
    """
    if unit not in UNITS:
        raise ValueError(f"Unknown unit {unit!r}; allowed are {', '.join(UNITS)}.{suggestion(str(unit), UNITS)}")
    truth = _indices("true", true, len(labels))
    guess = _indices("predicted", predicted, len(labels))
    _same_length(truth, predicted=guess, documents=documents, lengths=lengths)
    costs, improbable = _costs(probabilities, truth, len(labels))
    size = np.ones(truth.size, dtype=np.int64) if lengths is None else _lengths(lengths)
    lines = _Lines(truth, guess, costs, improbable, size)
    scored = np.flatnonzero(truth != NO_LABEL)
    names = _all_but_majority(labels, np.bincount(truth[scored], minlength=len(labels)))

    def score(rows: np.ndarray, per_document: tuple[tuple[str, Evaluation], ...] = ()) -> Evaluation:
        part = lines.at(rows)
        characters = None if lengths is None else _tally(part, labels, "character", names, part.lengths)
        ones = np.ones(rows.size, dtype=np.int64)
        return _tally(part, labels, unit, names, ones, characters, per_document)

    groups = [] if documents is None else _rows_by_document(documents, scored)
    whole = score(scored, tuple((name, score(scored[rows])) for name, rows in groups))
    return whole if important is None else whole.with_important(important)


def merge_evaluations(parts: Sequence[Evaluation], *, important: Sequence[str] | None = None) -> Evaluation:
    """Add the counts of evaluations of different lines, such as the folds of a cross-validation."""
    if not parts:
        raise ValueError("There is no evaluation to merge.")
    first = parts[0]
    if any(part.labels != first.labels or part.unit != first.unit for part in parts):
        raise ValueError("Evaluations can only be merged if they have the same labels, in the same order, and unit.")
    agreed = all(part.important == first.important for part in parts)
    support = np.sum([part.support for part in parts], axis=0)
    by_character = [part.by_character for part in parts if part.by_character is not None]
    whole = Evaluation(
        first.labels,
        first.unit,
        np.sum([part.confusion for part in parts], axis=0),
        np.sum([part.missing for part in parts], axis=0),
        np.sum([part.loss_sums for part in parts], axis=0),
        first.important if agreed else _all_but_majority(first.labels, support),
        sum(part.missing_probabilities for part in parts),
        merge_evaluations(by_character) if len(by_character) == len(parts) else None,
        tuple(pair for part in parts for pair in part.per_document),
    )
    return whole.with_important(whole.important if important is None else important)


class _Lines(NamedTuple):
    """What is known of n lines, each of shape (n,)."""

    true: np.ndarray
    predicted: np.ndarray
    costs: np.ndarray
    improbable: np.ndarray
    lengths: np.ndarray

    def at(self, rows: np.ndarray) -> _Lines:
        return _Lines(*(column[rows] for column in self))


def _tally(
    lines: _Lines,
    labels: LabelSet,
    unit: str,
    important: tuple[str, ...],
    weights: np.ndarray,
    by_character: Evaluation | None = None,
    per_document: tuple[tuple[str, Evaluation], ...] = (),
) -> Evaluation:
    k = len(labels)
    # A missing prediction gets a column of its own, K, so that one bincount holds every line.
    cells = lines.true * (k + 1) + np.where(lines.predicted == NO_LABEL, k, lines.predicted)
    table = np.bincount(cells, weights, minlength=k * (k + 1)).astype(np.int64).reshape(k, k + 1)
    return Evaluation(
        labels,
        unit,
        table[:, :k],
        table[:, k],
        np.bincount(lines.true, lines.costs * weights, minlength=k).astype(np.float64),
        important,
        int(lines.improbable.sum()),
        by_character,
        per_document,
    )


def _integers(name: str, values: Sequence[int] | np.ndarray) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, but has shape {array.shape}.")
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must hold integers, but holds {array.dtype}; LabelSet.encode turns labels into indices."
        )
    return array.astype(np.int64)


def _indices(name: str, values: Sequence[int] | np.ndarray, k: int) -> np.ndarray:
    array = _integers(name, values)
    wrong = array[(array < NO_LABEL) | (array >= k)]
    if wrong.size:
        raise ValueError(f"{name} holds the index {wrong[0]}; with {k} labels, allowed are -1 to {k - 1}.")
    return array


def _lengths(values: Sequence[int] | np.ndarray) -> np.ndarray:
    array = _integers("lengths", values)
    if array.size and array.min() < 0:
        raise ValueError(f"lengths holds {array.min()}; a line has no fewer than 0 characters.")
    return array


def _same_length(true: np.ndarray, **others: Sequence | np.ndarray | None) -> None:
    for name, values in others.items():
        if values is not None and len(values) != true.size:
            raise ValueError(f"{name} has {len(values)} elements, but true has {true.size}.")


def _costs(probabilities: np.ndarray | None, true: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each line's -log p(true label), and whether its probability is missing."""
    if probabilities is None:
        return np.full(true.size, np.nan), np.zeros(true.size, dtype=bool)
    table = np.asarray(probabilities, dtype=np.float64)
    if table.shape != (true.size, k):
        raise ValueError(f"probabilities must have shape {(true.size, k)}, but have {table.shape}.")
    if np.any((table < -PROBABILITY_SLACK) | (table > 1 + PROBABILITY_SLACK)):
        raise ValueError("probabilities must lie between 0 and 1; apply a softmax to logits first.")
    # NO_LABEL picks the last column here; those lines are left out of every count.
    chosen = table[np.arange(true.size), true]
    return -np.log(np.clip(np.nan_to_num(chosen, nan=0.0), EPSILON, 1.0)), np.isnan(chosen)


def _all_but_majority(labels: LabelSet, support: np.ndarray) -> tuple[str, ...]:
    majority = labels.names[int(np.argmax(support))]
    return tuple(name for name in labels if name != majority) or labels.names


def _rows_by_document(documents: Sequence[str] | np.ndarray, scored: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Group the positions in ``scored`` by document, in order of first appearance."""
    rows: dict[str, list[int]] = {}
    for position, document in enumerate(np.asarray(documents, dtype=object)[scored].tolist()):
        rows.setdefault(str(document), []).append(position)
    return [(name, np.asarray(positions)) for name, positions in rows.items()]
