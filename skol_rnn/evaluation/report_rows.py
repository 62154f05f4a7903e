"""The rows that every report shows, in the one order they all share; renderers only lay them out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from skol_rnn.evaluation.result import Evaluation

DASH = "-"
"""Shown where a number does not exist, such as the loss of a class without support."""


class Row(NamedTuple):
    """One class or one average; None where a number does not exist."""

    name: str
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    loss: float | None = None
    support: int | None = None
    predicted: int | None = None
    important: bool = False


def ordered_labels(evaluation: Evaluation) -> list[int]:
    """Return label indices, the important ones first."""
    first = [evaluation.labels.index(name) for name in evaluation.important]
    return first + [i for i in range(len(evaluation.labels)) if i not in first]


def class_rows(evaluation: Evaluation) -> list[Row]:
    """Return one row per label, the important ones first."""
    precision, recall, f1 = evaluation.precision, evaluation.recall, evaluation.f1
    loss, support, predicted = evaluation.loss, evaluation.support, evaluation.predicted
    return [
        Row(
            name := evaluation.labels.names[i],
            float(precision[i]),
            float(recall[i]),
            float(f1[i]),
            _exists(float(loss[i])),
            int(support[i]),
            int(predicted[i]),
            name in evaluation.important,
        )
        for i in ordered_labels(evaluation)
    ]


def average_rows(evaluation: Evaluation) -> list[Row]:
    """Return the averages: important mean, macro, weighted, and accuracy last."""
    e = evaluation
    support, predicted = int(e.support.sum()), int(e.predicted.sum())
    return [
        Row("mean of important", f1=e.important_f1),
        Row("macro mean", e.macro_precision, e.macro_recall, e.macro_f1),
        Row("weighted mean", e.weighted_precision, e.weighted_recall, e.weighted_f1, _exists(e.mean_loss)),
        Row("accuracy", f1=e.accuracy, support=support, predicted=predicted),
    ]


def headings(evaluation: Evaluation) -> list[str]:
    """Return the column headings of the rows."""
    return ["Label", "Precision", "Recall", "F1", "Loss", f"{evaluation.unit.capitalize()}s", "Predicted"]


def cells(row: Row) -> list[str]:
    """Write a row for people: three decimals, thousands apart, important labels starred."""
    name = f"{row.name} *" if row.important else row.name
    scores = [score(value) for value in (row.precision, row.recall, row.f1, row.loss)]
    return [name, *scores, *(DASH if n is None else f"{n:,}" for n in (row.support, row.predicted))]


def score(value: float | None) -> str:
    """Write a score with three decimals, or a dash where there is none."""
    return DASH if value is None or math.isnan(value) else f"{value:.4f}"


def confusion_rows(evaluation: Evaluation) -> list[tuple[str, list[int]]]:
    """Return the confusion matrix with rows and columns in the order of the class rows."""
    order = ordered_labels(evaluation)
    counts = evaluation.confusion[order][:, order].tolist()
    gone = evaluation.missing[order].tolist()
    return [(evaluation.labels.names[i], [*counts[n], gone[n]]) for n, i in enumerate(order)]


def largest_confusions(evaluation: Evaluation, most: int = 10) -> list[str]:
    """Write the most frequent errors, for label sets too large for a matrix."""
    rows = confusion_rows(evaluation)
    names = [*(name for name, _ in rows), "no prediction"]
    wrong = [(n, t, p) for t, (_, counts) in enumerate(rows) for p, n in enumerate(counts) if n and t != p]
    wrong.sort(key=lambda error: (-error[0], *error[1:]))
    return [
        "Largest confusions (true -> predicted)",
        *(f"  {count:>9,}  {names[true]} -> {names[predicted]}" for count, true, predicted in wrong[:most]),
    ]


def comparison_rows(
    rows: Sequence[tuple[str, Evaluation]], important: Sequence[str] | None
) -> tuple[list[str], list[list[str]]]:
    """Return F1 by class of several evaluations of the same labels, the important ones first."""
    if not rows:
        raise ValueError("There is no evaluation to compare.")
    first = rows[0][1]
    if any(e.labels != first.labels or e.unit != first.unit for _, e in rows):
        raise ValueError("Evaluations can only be compared if they have the same labels, in the same order, and unit.")
    names = first.important if important is None else tuple(important)
    alike = [(name, e.with_important(names)) for name, e in rows]
    order = ordered_labels(alike[0][1])
    starred = [f"{n} *" if n in names else n for n in (first.labels.names[i] for i in order)]
    body = [[name, *map(score, e.f1[order]), score(e.important_f1), score(e.macro_f1)] for name, e in alike]
    return ["Model", *starred, "Important F1", "Macro F1"], body


def _exists(value: float) -> float | None:
    return None if math.isnan(value) else value
