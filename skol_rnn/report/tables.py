"""The tables of the report: rows of cells that a template draws; every score comes from an Evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skol_rnn.evaluation.report import average_rows, class_rows, headings, label_order, score
from skol_rnn.labels import label_counts

if TYPE_CHECKING:
    from skol_rnn.evaluation.predicted import Predicted
    from skol_rnn.evaluation.result import Evaluation
    from skol_rnn.report.curves import Threshold

Interval = tuple[float, float]
Intervals = Mapping[str, Any]

MOST_LABELS = 40
"""Labels up to which the confusion matrix is drawn; with more, its largest entries are listed."""
_LABEL_COLUMNS = 6  # of the table of documents
_MOST_CONFUSIONS = 50
_OF_LABELS = (("Class weight", "weights", ".4f"), ("Offset of the decision", "offsets", "+.4f"))


class Cell(NamedTuple):
    """A cell with a second line, a bar or a shade."""

    text: str
    small: str = ""
    share: float | None = None
    kind: str = ""


class Row(NamedTuple):
    """A row with its name."""

    name: str
    cells: list[str | Cell]
    kind: str = ""
    link: str = ""


class Table(NamedTuple):
    """A table with its caption."""

    caption: str
    headings: list[str]
    rows: list[Row]


def between(interval: Interval | None) -> str:
    """Write an interval, or nothing where there is none."""
    return "" if interval is None or np.isnan(interval).any() else f"{interval[0]:.3f} to {interval[1]:.3f}"


def scores_table(e: Evaluation, intervals: Intervals | None = None) -> Table:
    """Return the scores by class, important ones first, then the averages, with intervals where they exist."""
    found, by_label = intervals or {}, (intervals or {}).get("by_label", {})
    rows = []
    for row in class_rows(e):
        spread = by_label.get(row.name, {})
        name, precision, recall, f1, *counts = row.cells()
        cells: list[str | Cell] = [
            Cell(precision, between(spread.get("precision"))),
            Cell(recall, between(spread.get("recall"))),
            Cell(f1, between(spread.get("f1")), row.f1, "bar"),
            *counts,
        ]
        rows.append(Row(name, cells))
    spreads = {"mean of important": found.get("important_f1"), "macro mean": found.get("macro_f1")}
    for number, average in enumerate(average_rows(e)):
        _, precision, recall, f1, *counts = average.cells()
        cells = [precision, recall, Cell(f1, between(spreads.get(average.name))), *counts]
        rows.append(Row(average.name, cells, "mean" if number else "mean first"))
    return Table(f"Scores by {e.unit} (* important label)", headings(e), rows)


def decisions_table(argmax: Evaluation, used: Evaluation, decision: str) -> Table:
    """Compare plain argmax with the decision used, label by label."""
    names = [used.labels.names[i] for i in label_order(used)]
    before, after = (dict(zip(e.labels, range(len(e.labels)), strict=True)) for e in (argmax, used))
    rows = []
    for name in names:
        i, j = before[name], after[name]
        counts: list[str | Cell] = [f"{argmax.predicted[i]:,}", f"{used.predicted[j]:,}", f"{used.support[j]:,}"]
        rows.append(Row(starred(name, used), [*change_cells(argmax.f1[i], used.f1[j]), *counts]))
    for number, (name, key) in enumerate((("mean of important", "important_f1"), ("macro mean", "macro_f1"))):
        change = change_cells(getattr(argmax, key), getattr(used, key))
        rows.append(Row(name, [*change, "", "", ""], "mean" if number else "mean first"))
    titles = ["Label", "Difference", "F1, argmax", f"F1, {decision}", "Predicted, argmax", f"Predicted, {decision}"]
    return Table(f"F1 and predictions by {used.unit}", [*titles, f"{used.unit.capitalize()}s"], rows)


def confusion_table(e: Evaluation) -> Table:
    """Return the confusion matrix with counts and row shares, or the largest confusions of many labels."""
    order = label_order(e)
    if len(order) > MOST_LABELS:
        return _largest_confusions(e)
    names = [e.labels.names[i] for i in order]
    # Column K is "no prediction"; it is left out where every row has one.
    table = np.column_stack([e.confusion[np.ix_(order, order)], e.missing[order]])
    columns = [*names, "no prediction"] if e.missing.any() else names
    rows = []
    for r, name in enumerate(names):
        whole = int(table[r].sum())
        shares = table[r] / whole if whole else np.zeros(table.shape[1])
        cells: list[str | Cell] = [
            Cell(f"{table[r, c]:,}", f"{shares[c]:.1%}" if whole else "", float(shares[c]), _shade(r, c))
            for c in range(len(columns))
        ]
        rows.append(Row(name, cells))
    caption = f"{e.unit.capitalize()}s by true label (rows) and predicted label (columns), with the share of the row"
    return Table(caption, ["true \\ predicted", *columns], rows)


def _shade(row: int, column: int) -> str:
    return "shade diagonal" if row == column else "shade"


def _largest_confusions(e: Evaluation) -> Table:
    wrong = e.confusion.copy()
    np.fill_diagonal(wrong, 0)
    largest = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_CONFUSIONS]
    places = zip(*np.unravel_index(largest, wrong.shape), strict=True)
    rows = [
        Row(e.labels.names[t], [Cell(e.labels.names[p], kind="text"), f"{wrong[t, p]:,}", f"{wrong[t, p] / n:.1%}"])
        for t, p in places
        if wrong[t, p] and (n := e.support[t])
    ]
    caption = f"The largest of the confusions between {len(e.labels)} labels"
    return Table(caption, ["True", "Predicted", f"{e.unit.capitalize()}s", "Share of the true label"], rows)


def documents_table(e: Evaluation, links: Mapping[str, str]) -> Table:
    """Return the scores by document, worst first."""
    return _parts_table("Document", worst_first(e), e, "Documents, worst first", links)


def groups_table(e: Evaluation, groups: Mapping[str, str] | None) -> Table | None:
    """Return the scores by group of documents, or None where the groups say no more than documents or the whole."""
    names = [name for name, _ in e.per_document]
    group = {name: groups.get(name, "no group") if groups else default_group(name) for name in names}
    pooled = {one: pool([part for name, part in e.per_document if group[name] == one]) for one in group.values()}
    if not 1 < len(pooled) < len(names) + bool(groups):
        return None
    caption = "Groups of documents" if groups else "Groups of documents: the names without their last part"
    return _parts_table("Group", list(pooled.items()), e, f"{caption}, in order of appearance", {})


def default_group(doc_id: str) -> str:
    """Return the folder of a document, or its name up to the last hyphen, underscore or blank."""
    if "/" in doc_id:
        return doc_id.rpartition("/")[0]
    end = max(doc_id.rfind(mark) for mark in "-_ ")
    return doc_id[:end] if end > 0 else doc_id


def pool(parts: Sequence[Evaluation]) -> Evaluation:
    """Add the counts of evaluations with the same labels."""
    sums = {key: sum(getattr(part, key) for part in parts) for key in ("confusion", "missing", "loss_sums")}
    return replace(parts[0], **sums, by_character=None, per_document=())


def worst_first(e: Evaluation) -> list[tuple[str, Evaluation]]:
    """Sort documents by the mean F1 of their important labels; those without come last, most errors first."""

    def key(item: tuple[str, Evaluation]) -> tuple[float, int]:
        f1 = occurring_f1(item[1])
        return (2.0 if f1 is None else f1), int(item[1].confusion.trace() - item[1].support.sum())

    return sorted(e.per_document, key=key)


def occurring_f1(e: Evaluation) -> float | None:
    """Return the mean F1 of the important labels that are true or predicted, None if there is no such label."""
    found = [i for i in map(e.labels.index, e.important) if e.support[i] or e.predicted[i]]
    return float(e.f1[found].mean()) if found else None


def _parts_table(
    what: str, parts: Sequence[tuple[str, Evaluation]], e: Evaluation, caption: str, links: Mapping[str, str]
) -> Table:
    names = e.important[:_LABEL_COLUMNS]
    rows = []
    for name, part in parts:
        total, f1 = int(part.support.sum()), occurring_f1(part)
        cells: list[str | Cell] = [Cell(score(f1), "", f1, "bar"), f"{total - int(part.confusion.trace()):,}"]
        cells += [f"{total:,}", score(part.accuracy)]
        # The F1 of a label that is neither true nor predicted is 0 by definition, which would look like a failure.
        found = [(i, part.support[i] or part.predicted[i]) for i in map(e.labels.index, names)]
        cells += [Cell(score(part.f1[i]), f"of {part.support[i]:,}") if occurs else "-" for i, occurs in found]
        rows.append(Row(name, cells, link=links.get(name, "")))
    more = f"; the first {len(names)} of {len(e.important)} important labels" if len(e.important) > len(names) else ""
    titles = [what, "Mean F1 of important", "Wrong", f"{e.unit.capitalize()}s", "Accuracy", *names]
    return Table(f'{caption} ("-": a label is neither true nor predicted{more})', titles, rows)


def training_table(card: Mapping[str, Any], unit: str) -> Table | None:
    """Return the label counts of the training documents, with class weights and offsets where they are known."""
    counts = card.get("counts")
    if not counts:
        return None
    whole = max(sum(counts.values()), 1)
    known = [(title, card[key], form) for title, key, form in _OF_LABELS if card.get(key)]
    rows = []
    for label, count in counts.items():
        more = [format(values[label], form) for _, values, form in known]
        rows.append(Row(label, [f"{count:,.0f}", Cell(f"{count / whole:.2%}", "", count / whole, "bar"), *more]))
    titles = ["Label", f"Training {unit}s", "Share", *(title for title, _, _ in known)]
    return Table("Labels of the training documents; class weights have the mean 1 over them", titles, rows)


def thresholds_table(e: Evaluation, best: Mapping[str, Threshold]) -> Table:
    """Compare the decision with the threshold of the best F1 for each label that occurs."""
    rows = []
    for name, found in best.items():
        k = e.labels.index(name)
        decided = [score(column[k]) for column in (e.precision, e.recall, e.f1)]
        cells = [*decided, score(found.f1), f"{found.threshold:.3f}", score(found.precision), score(found.recall)]
        rows.append(Row(name, [f"{e.support[k]:,}", *cells]))
    titles = ["Precision", "Recall", "F1", "Best F1", "at probability", "Precision there", "Recall there"]
    caption = "The decision, and the threshold with the best F1 on these documents, which is too good for new ones"
    return Table(caption, ["Label", f"{e.unit.capitalize()}s", *titles], rows)


def predictions_table(predicted: Predicted) -> Table:
    """Return how often each label was predicted."""
    counts = label_counts(predicted.labels.encode(predicted.table["predicted"]), len(predicted.labels))
    whole, unit = max(counts.sum(), 1), predicted.evaluation.unit
    rows = [
        Row(name, [f"{count:,}", Cell(f"{count / whole:.2%}", "", count / whole, "bar")])
        for name, count in zip(predicted.labels, counts, strict=True)
    ]
    return Table("Predicted labels", ["Label", f"{unit.capitalize()}s", "Share"], rows)


def change_cells(before: float, after: float) -> list[str | Cell]:
    """Return a difference and its two scores."""
    return [f"{after - before:+.4f}", score(before), score(after)]


def starred(name: str, e: Evaluation) -> str:
    """Mark an important label."""
    return f"{name} *" if name in e.important else name
