"""Reports as plain text that fits a terminal; nothing is computed here."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, chop_cells

from skol_rnn.labels import printable as printable

if TYPE_CHECKING:
    from skol_rnn.evaluation.result import Evaluation

_LEAST_NAME = 10  # columns


class Row(NamedTuple):
    """Scores of one class, or one average; None where a number does not exist."""

    name: str
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    loss: float | None = None
    support: int | None = None
    predicted: int | None = None
    important: bool = False

    def cells(self) -> list[str]:
        """Format the row: four decimals, thousands separated, important labels starred."""
        name = f"{self.name} *" if self.important else self.name
        scores = [score(value) for value in (self.precision, self.recall, self.f1, self.loss)]
        return [name, *scores, *("-" if n is None else f"{n:,}" for n in (self.support, self.predicted))]


def score(value: float | None) -> str:
    """Format a score with four decimals, or as a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{value:.4f}"


def headings(e: Evaluation) -> list[str]:
    """Return the column headings of the rows."""
    return ["Label", "Precision", "Recall", "F1", "Loss", f"{e.unit.capitalize()}s", "Predicted"]


def class_rows(e: Evaluation) -> list[Row]:
    """Return one row per label, the important ones first."""
    columns = (e.precision, e.recall, e.f1, e.loss, e.support, e.predicted)
    important = [name in e.important for name in e.labels]
    rows = [Row(*row) for row in zip(e.labels, *(column.tolist() for column in columns), important, strict=True)]
    return [rows[i]._replace(loss=None) if math.isnan(e.loss[i]) else rows[i] for i in label_order(e)]


def average_rows(e: Evaluation) -> list[Row]:
    """Return the averages: important mean, macro, weighted, and accuracy last."""
    loss = None if math.isnan(e.mean_loss) else e.mean_loss
    return [
        Row("mean of important", f1=e.important_f1),
        Row("macro mean", e.macro_precision, e.macro_recall, e.macro_f1),
        Row("weighted mean", e.weighted_precision, e.weighted_recall, e.weighted_f1, loss),
        Row("accuracy", f1=e.accuracy, support=int(e.support.sum()), predicted=int(e.predicted.sum())),
    ]


def confusion_rows(e: Evaluation) -> list[tuple[str, list[int]]]:
    """Return the confusion matrix, labels in the order of the class rows, missing predictions last."""
    return [(e.labels.names[i], [*e.confusion[i, label_order(e)].tolist(), int(e.missing[i])]) for i in label_order(e)]


def scores_table(e: Evaluation, width: int = 100) -> list[str]:
    """Return the scores as lines of text."""
    rows = [headings(e), *(row.cells() for row in class_rows(e) + average_rows(e))]
    return [f"Scores by {e.unit}", *text_table(rows, width, (0, len(e.labels))), "* important label"]


def to_text(evaluation: Evaluation, width: int = 100, found: Sequence[str] | None = None) -> str:
    """Render the whole report as plain text; the lines of a ``summary`` of findings replace the warnings."""
    lines = scores_table(evaluation, width)
    if evaluation.by_character is not None:
        lines += ["", *scores_table(evaluation.by_character, width)]
    lines += ["", *_confusion(evaluation, width)]
    if found := marked(evaluation.warnings(), width) if found is None else found:
        lines += ["", *found]
    return "\n".join(lines) + "\n"


def comparison_text(
    rows: Sequence[tuple[str, Evaluation]], important: Sequence[str] | None = None, width: int = 100
) -> str:
    """Render the F1 by class of several evaluations: one row each, or one column each where only that is narrower."""
    if not rows:
        raise ValueError("There is no evaluation to compare.")
    first = rows[0][1]
    if any(e.labels != first.labels or e.unit != first.unit for _, e in rows):
        raise ValueError("Evaluations can only be compared if they have the same labels, in the same order, and unit.")
    names = first.important if important is None else tuple(important)
    alike = [(name, e.with_important(names)) for name, e in rows]
    order = label_order(alike[0][1])
    starred = [f"{n} *" if n in names else n for n in (first.labels.names[i] for i in order)]
    table = [["Model", *starred, "Important F1", "Macro F1"]]
    table += [[name, *map(score, e.f1[order]), score(e.important_f1), score(e.macro_f1)] for name, e in alike]
    if table_width(table) > width:
        table = min(table, [list(column) for column in zip(*table, strict=True)], key=table_width)
    return "\n".join([f"F1 by {first.unit}", *text_table(table, width)]) + "\n"


def table_width(rows: Sequence[Sequence[str]]) -> int:
    """Return the columns that a table takes where no name is folded."""
    return sum(_sizes(rows)) + 2 * (len(rows[0]) - 1)


def text_table(rows: Sequence[Sequence[str]], width: int = 100, rules: Collection[int] = (0,)) -> list[str]:
    """Return the lines of a table, a rule below some of its rows; names too long for the width are folded."""
    rows = [[printable(cell) for cell in row] for row in rows]
    names, *sizes = _sizes(rows)
    names = max(min(names, width - sum(sizes) - 2 * len(sizes)), _LEAST_NAME)
    lines = []
    for number, (name, *cells) in enumerate(rows):
        first, *rest = chop_cells(name, names) or [""]
        padded = (" " * (size - cell_len(cell)) + cell for cell, size in zip(cells, sizes, strict=True))
        lines += ["  ".join([first + " " * (names - cell_len(first)), *padded]).rstrip(), *rest]
        if number in rules:
            lines.append("-" * (names + sum(sizes) + 2 * len(sizes)))
    return lines


def marked(sentences: Iterable[str], width: int = 100) -> list[str]:
    """Return the lines of sentences that ask for attention."""
    return [
        line
        for sentence in sentences
        for line in textwrap.wrap(
            printable(sentence), width, initial_indent="! ", subsequent_indent="  ", break_on_hyphens=False
        )
    ]


def label_order(e: Evaluation) -> list[int]:
    """Return label indices, the important ones first."""
    first = [e.labels.index(name) for name in e.important]
    return first + [i for i in range(len(e.labels)) if i not in first]


def _confusion(evaluation: Evaluation, width: int) -> list[str]:
    """Return the confusion matrix, or the largest confusions where the matrix is too wide."""
    rows = confusion_rows(evaluation)
    table = [["True", *(str(n + 1) for n in range(len(rows))), "none"]]
    table += [[f"{n + 1} {name}", *(f"{count:,}" for count in counts)] for n, (name, counts) in enumerate(rows)]
    if table_width(table) <= width:
        return ["Confusion (rows true, columns predicted)", *text_table(table, width)]
    names = [*(name for name, _ in rows), "no prediction"]
    wrong = [(-n, t, p) for t, (_, counts) in enumerate(rows) for p, n in enumerate(counts) if n and t != p]
    largest = [
        f"  {-count:>9,}  {printable(names[true])} -> {printable(names[predicted])}"
        for count, true, predicted in sorted(wrong)[:10]
    ]
    return ["Largest confusions (true -> predicted)", *largest]


def _sizes(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
