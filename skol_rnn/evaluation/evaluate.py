"""Count predicted labels against true ones: every score in this package comes from these counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.data.bio import is_bio
from skol_rnn.evaluation.fragments import FragmentScorer
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.labels import NO_LABEL, LabelSet, rare_labels, suggestion

if TYPE_CHECKING:
    from skol_rnn.data.inputs import LabelledRows

UNITS = ("line", "token", "span", "character")
"""What one count stands for."""
EPSILON = float(np.finfo(np.float64).eps)
"""Least probability in a loss, as in scikit-learn's ``log_loss``; a missing probability counts as this one."""
PROBABILITY_SLACK = 1e-4
"""How far half precision may round a probability above 1 or below 0."""


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
        Indices of the true labels; rows with ``NO_LABEL`` (-1) are ignored.
    predicted : sequence of int, shape (n,)
        Indices of the predicted labels; ``NO_LABEL`` (-1) is a missing prediction and counts as an error.
    labels : LabelSet
        The K labels.
    probabilities : ndarray of float, shape (n, K), optional
        Probabilities for the losses; NaN at the true label costs as much as 0.
    documents : sequence of str, shape (n,), optional
        Document of each row, for scores by document.
    lengths : sequence of int, shape (n,), optional
        Characters of each row, for scores by character.
    important : sequence of str, optional
        Labels whose mean F1 is ``important_f1``; by default all labels except the most frequent true one.
        Scores by document use the same labels.
    unit : {"line", "token", "span", "character"}, default "line"
        What one row stands for.

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
    truth = _integers("true", true, len(labels))
    guess = _integers("predicted", predicted, len(labels))
    sizes = None if lengths is None else _integers("lengths", lengths)
    for name, values in {"predicted": guess, "documents": documents, "lengths": sizes}.items():
        if values is not None and len(values) != truth.size:
            raise ValueError(f"{name} has {len(values)} elements, but true has {truth.size}.")
    costs, improbable = _costs(probabilities, truth, len(labels))
    scored = np.flatnonzero(truth != NO_LABEL)
    names = tuple(rare_labels(np.bincount(truth[scored], minlength=len(labels)), labels))

    def tally(rows: np.ndarray, what: str, weights: np.ndarray, **more: Any) -> Evaluation:
        k, own = len(labels), truth[rows]
        # A missing prediction is counted in column k, so that one bincount counts all rows.
        cells = own * (k + 1) + np.where(guess[rows] == NO_LABEL, k, guess[rows])
        table = np.bincount(cells, weights, minlength=k * (k + 1)).astype(np.int64).reshape(k, k + 1)
        losses = np.bincount(own, costs[rows] * weights, minlength=k).astype(np.float64)
        return Evaluation(labels, what, table[:, :k], table[:, k], losses, names, int(improbable[rows].sum()), **more)

    def score(rows: np.ndarray, **more: Any) -> Evaluation:
        characters = None if sizes is None else tally(rows, "character", sizes[rows])
        return tally(rows, unit, np.ones(rows.size, np.int64), by_character=characters, **more)

    groups: dict[str, list[int]] = {}  # rows by document, in order of first appearance
    if documents is not None:
        for row, name in zip(scored.tolist(), np.asarray(documents, dtype=object)[scored].tolist(), strict=True):
            groups.setdefault(str(name), []).append(row)
    whole = score(scored, per_document=tuple((name, score(np.asarray(rows))) for name, rows in groups.items()))
    return whole if important is None else whole.with_important(important)


def score_rows(
    rows: LabelledRows,
    predicted: np.ndarray,
    probabilities: np.ndarray | None,
    labels: LabelSet,
    important: Sequence[str] | None,
    unit: str = "line",
) -> Evaluation:
    """Score predictions by row and by character, pooled and by document; for BIO tokens also by fragment."""
    evaluation = evaluate_labels(
        rows.true,
        predicted,
        labels,
        probabilities=probabilities,
        documents=rows.table["doc_id"].to_numpy(),
        lengths=rows.table["value"].str.len().to_numpy(dtype=np.int64),
        important=important,
        unit=unit,
    )
    if unit != "token" or not is_bio(labels):
        return evaluation
    return replace(evaluation, fragment_f1=FragmentScorer.of(rows, labels).sums(predicted).f1())


def of_documents(evaluation: Evaluation, names: Collection[str]) -> Evaluation:
    """Pool the counts of some documents of an evaluation; fragments cannot be pooled and are left out."""
    parts = [(name, part) for name, part in evaluation.per_document if name in names]

    def pooled(whole: Evaluation, pieces: Sequence[Evaluation]) -> Evaluation:
        sums = {
            key: sum((getattr(piece, key) for piece in pieces), np.zeros_like(getattr(whole, key)))
            for key in ("confusion", "missing", "loss_sums")
        }
        return replace(whole, **sums, missing_probabilities=sum(piece.missing_probabilities for piece in pieces))

    found = pooled(evaluation, [part for _, part in parts])
    characters = evaluation.by_character
    if characters is not None:
        characters = pooled(characters, [part.by_character for _, part in parts if part.by_character is not None])
    return replace(found, per_document=tuple(parts), by_character=characters, fragment_f1=None)


def _integers(name: str, values: Sequence[int] | np.ndarray, k: int | None = None) -> np.ndarray:
    """Check and return indices of k labels, or numbers of characters."""
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, but has shape {array.shape}.")
    if array.size and array.dtype.kind not in "iu":
        what = f"{name} must hold integers, but holds {array.dtype}"
        raise TypeError(f"{what}; LabelSet.encode turns labels into indices.")
    wrong = array[array < 0 if k is None else (array < NO_LABEL) | (array >= k)]
    if wrong.size:
        allowed = "a line has no fewer than 0 characters" if k is None else f"{k} labels allow -1 to {k - 1}"
        raise ValueError(f"{name} holds {wrong[0]}; {allowed}.")
    return array.astype(np.int64)


def _costs(probabilities: np.ndarray | None, true: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's -log p(true label), and whether its probability is missing."""
    if probabilities is None:
        return np.full(true.size, np.nan), np.zeros(true.size, dtype=bool)
    table = np.asarray(probabilities, dtype=np.float64)
    if table.shape != (true.size, k):
        raise ValueError(f"probabilities must have shape {(true.size, k)}, but have {table.shape}.")
    if np.any((table < -PROBABILITY_SLACK) | (table > 1 + PROBABILITY_SLACK)):
        raise ValueError("probabilities must lie between 0 and 1; apply a softmax to logits first.")
    # NO_LABEL picks the last column; these rows are not counted.
    chosen = table[np.arange(true.size), true]
    return -np.log(np.clip(np.nan_to_num(chosen, nan=0.0), EPSILON, 1.0)), np.isnan(chosen)
