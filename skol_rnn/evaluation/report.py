"""An evaluation as text, and several evaluations compared; nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence

from skol_rnn.evaluation.result import Evaluation
from skol_rnn.evaluation.rows import ordered_labels, score, scores_table
from skol_rnn.evaluation.text_table import table_width, text_table


def to_text(evaluation: Evaluation, width: int = 100, found: Sequence[str] | None = None) -> str:
    """Render the whole report as plain text; the lines of a ``summary`` of findings replace the warnings."""
    lines = scores_table(evaluation, width)
    if evaluation.by_character is not None:
        lines += ["", *scores_table(evaluation.by_character, width)]
    lines += ["", *_confusion(evaluation, width)]
    lines += [f"! {sentence}" for sentence in evaluation.warnings()] if found is None else found
    return "\n".join(lines) + "\n"


def comparison_text(
    rows: Sequence[tuple[str, Evaluation]], important: Sequence[str] | None = None, width: int = 100
) -> str:
    """Render the F1 by class of several evaluations; one column per evaluation if one row each is too wide."""
    if not rows:
        raise ValueError("There is no evaluation to compare.")
    first = rows[0][1]
    if any(e.labels != first.labels or e.unit != first.unit for _, e in rows):
        raise ValueError("Evaluations can only be compared if they have the same labels, in the same order, and unit.")
    names = first.important if important is None else tuple(important)
    alike = [(name, e.with_important(names)) for name, e in rows]
    order = ordered_labels(alike[0][1])
    starred = [f"{n} *" if n in names else n for n in (first.labels.names[i] for i in order)]
    table = [["Model", *starred, "Important F1", "Macro F1"]]
    table += [[name, *map(score, e.f1[order]), score(e.important_f1), score(e.macro_f1)] for name, e in alike]
    if table_width(table) > width:
        table = [list(column) for column in zip(*table, strict=True)]
    return "\n".join([f"F1 by {first.unit}", *text_table(table, width)]) + "\n"


def confusion_rows(evaluation: Evaluation) -> list[tuple[str, list[int]]]:
    """Return the confusion matrix, labels in the order of the class rows, missing predictions last."""
    order = ordered_labels(evaluation)
    counts = evaluation.confusion[order][:, order].tolist()
    gone = evaluation.missing[order].tolist()
    return [(evaluation.labels.names[i], [*counts[n], gone[n]]) for n, i in enumerate(order)]


def _confusion(evaluation: Evaluation, width: int) -> list[str]:
    """Return the confusion matrix, or the largest confusions where the matrix is too wide."""
    rows = confusion_rows(evaluation)
    table = [["True", *(str(n + 1) for n in range(len(rows))), "none"]]
    table += [[f"{n + 1} {name}", *(f"{count:,}" for count in counts)] for n, (name, counts) in enumerate(rows)]
    if table_width(table) <= width:
        return ["Confusion (rows true, columns predicted)", *text_table(table, width)]
    names = [*(name for name, _ in rows), "no prediction"]
    wrong = [(n, t, p) for t, (_, counts) in enumerate(rows) for p, n in enumerate(counts) if n and t != p]
    wrong.sort(key=lambda error: (-error[0], *error[1:]))
    largest = [f"  {count:>9,}  {names[true]} -> {names[predicted]}" for count, true, predicted in wrong[:10]]
    return ["Largest confusions (true -> predicted)", *largest]
