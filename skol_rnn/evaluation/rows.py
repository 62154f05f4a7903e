"""The rows of scores that every report shows, in one order: important labels, other labels, averages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from skol_rnn.evaluation.text_table import text_table

if TYPE_CHECKING:
    from skol_rnn.evaluation.result import Evaluation

DASH = "-"
"""Shown where a number does not exist, such as the loss of a class without support."""
NOTE = "* important label"


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
    e = evaluation
    columns = (e.precision, e.recall, e.f1, e.loss, e.support, e.predicted)
    values = list(zip(*(column.tolist() for column in columns), strict=True))
    names = e.labels.names
    return [
        Row(names[i], p, r, f1, _exists(loss), true, predicted, names[i] in e.important)
        for i in ordered_labels(e)
        for p, r, f1, loss, true, predicted in [values[i]]
    ]


def average_rows(evaluation: Evaluation) -> list[Row]:
    """Return the averages: important mean, macro, weighted, and accuracy last."""
    e = evaluation
    return [
        Row("mean of important", f1=e.important_f1),
        Row("macro mean", e.macro_precision, e.macro_recall, e.macro_f1),
        Row("weighted mean", e.weighted_precision, e.weighted_recall, e.weighted_f1, _exists(e.mean_loss)),
        Row("accuracy", f1=e.accuracy, support=int(e.support.sum()), predicted=int(e.predicted.sum())),
    ]


def headings(evaluation: Evaluation) -> list[str]:
    """Return the column headings of the rows."""
    return ["Label", "Precision", "Recall", "F1", "Loss", f"{evaluation.unit.capitalize()}s", "Predicted"]


def cells(row: Row) -> list[str]:
    """Format a row: four decimals, thousands separated, important labels starred."""
    name = f"{row.name} *" if row.important else row.name
    scores = [score(value) for value in (row.precision, row.recall, row.f1, row.loss)]
    return [name, *scores, *(DASH if n is None else f"{n:,}" for n in (row.support, row.predicted))]


def score(value: float | None) -> str:
    """Format a score with four decimals, or as a dash where there is none."""
    return DASH if value is None or math.isnan(value) else f"{value:.4f}"


def scores_table(evaluation: Evaluation, width: int = 100) -> list[str]:
    """Return the scores as lines of text."""
    body = [cells(row) for row in class_rows(evaluation) + average_rows(evaluation)]
    table = text_table([headings(evaluation), *body], width, (0, len(evaluation.labels)))
    return [f"Scores by {evaluation.unit}", *table, NOTE]


def _exists(value: float) -> float | None:
    return None if math.isnan(value) else value
