"""Two models on the same documents, on one page, with the paired interval of the difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import skol_rnn
from skol_rnn.evaluation.report import label_order, score
from skol_rnn.report.curves import paired_difference
from skol_rnn.report.page import require_libraries
from skol_rnn.report.tables import Cell, Row, Table, change_cells, occurring_f1, starred
from skol_rnn.report.templating import render
from skol_rnn.report.training import seen_documents, seen_sentence, settings_pairs, training_facts

if TYPE_CHECKING:
    from skol_rnn.evaluation.predicted import Predicted
    from skol_rnn.evaluation.result import Evaluation
    from skol_rnn.report.curves import Difference

_MOST_ROWS = 500  # different labels listed


class Side(NamedTuple):
    """One of the two models: its name, its predictions, and what it records about its training."""

    name: str
    predicted: Predicted
    card: Mapping[str, Any]


def comparison_html(a: Side, b: Side, *, title: str) -> str:
    """Render scores, their paired differences, documents, disagreements and settings of two models."""
    require_libraries()
    first, second = a.predicted.evaluation, b.predicted.evaluation
    if not (first.support.sum() and second.support.sum()):
        raise ValueError("The documents have no labels, so the models cannot be compared: give annotated documents.")
    second = second.with_important([name for name in first.important if name in second.labels] or second.important)
    differences = paired_difference(first, second)
    n = a.predicted.table["doc_id"].nunique()
    seen = [
        (side.name, seen_sentence(seen_documents(side.predicted.table, side.card), n, side.card, scores))
        for side, scores in ((a, first), (b, second))
    ]
    return render(
        "comparison.html",
        title=title,
        styles=["report.css"],
        version=skol_rnn.__version__,
        names=(a.name, b.name),
        conclusion=_conclusion(a.name, b.name, first, second, differences["important_f1"]),
        seen=[f"{name}: {sentence}" for name, sentence in seen if sentence],
        scores=_scores(a.name, b.name, first, second, differences),
        documents=_documents(a.name, b.name, first, second),
        agreement=_agreement(a, b),
        rows=_rows(a, b),
        most_rows=_MOST_ROWS,
        facts=[(side.name, training_facts(side.card, first.unit)) for side in (a, b)],
        settings=_settings(a, b),
    )


def _conclusion(a: str, b: str, first: Evaluation, second: Evaluation, found: Difference) -> str:
    figures = f"important F1 {score(second.important_f1)} against {score(first.important_f1)}"
    n = len(first.per_document)
    if np.isnan(found.low):
        return f"{b} has {figures} for {a}. An interval of the difference takes at least two documents."
    interval = f"{found.value:+.4f}, 95 % interval {found.low:+.4f} to {found.high:+.4f}"
    if found.low > 0:
        return f"{b} is better than {a}: {figures} ({interval}) on {n} documents."
    if found.high < 0:
        return f"{b} is worse than {a}: {figures} ({interval}) on {n} documents."
    return f"Neither is clearly better: {b} has {figures} for {a} ({interval}) on {n} documents."


def _scores(a: str, b: str, first: Evaluation, second: Evaluation, differences: Mapping[str, Any]) -> Table:
    rows = []
    for name in (first.labels.names[i] for i in label_order(first)):
        i, j = first.labels.index(name), second.labels.index(name)
        change = _compared(first.f1[i], second.f1[j], differences["by_label"][name])
        rows.append(Row(starred(name, first), [*change, f"{first.support[i]:,}"]))
    for kind, text in (("important_f1", "mean of important"), ("macro_f1", "macro mean")):
        change = _compared(getattr(first, kind), getattr(second, kind), differences[kind])
        rows.append(Row(text, [*change, ""], "mean first" if kind == "important_f1" else "mean"))
    rows.append(Row("accuracy", [*change_cells(first.accuracy, second.accuracy), ""], "mean"))
    titles = ["Label", "Difference", f"F1, {a}", f"F1, {b}", f"{first.unit.capitalize()}s"]
    return Table("F1 (* important label), and the difference with its paired 95 % interval", titles, rows)


def _compared(before: float, after: float, found: Difference) -> list[str | Cell]:
    interval = "" if np.isnan(found.low) else f"{found.low:+.3f} to {found.high:+.3f}"
    certain = "better" if found.low > 0 or found.high < 0 else ""
    return [Cell(f"{found.value:+.4f}", interval, kind=certain), score(before), score(after)]


def _documents(a: str, b: str, first: Evaluation, second: Evaluation) -> Table:
    """Return the mean F1 of important labels by document, the greatest loss of the second model first."""
    other, rows = dict(second.per_document), []
    for name, part in first.per_document:
        before, after = occurring_f1(part), occurring_f1(other[name])
        # Where no important label is true or predicted, there is no F1, and nothing to gain or lose.
        change = 0.0 if before is None or after is None else after - before
        shown = "-" if before is None or after is None else f"{change:+.4f}"
        wrong = [f"{one.support.sum() - one.confusion.trace():,}" for one in (part, other[name])]
        rows.append((change, Row(name, [shown, score(before), score(after), *wrong, f"{part.support.sum():,}"])))
    rows.sort(key=lambda item: item[0])
    titles = ["Document", "Difference", f"Mean F1, {a}", f"Mean F1, {b}", f"Wrong, {a}", f"Wrong, {b}"]
    caption = f"Mean F1 of the important labels of each document; where {b} loses most first"
    return Table(caption, [*titles, f"{first.unit.capitalize()}s"], [row for _, row in rows])


def _agreement(a: Side, b: Side) -> Table:
    """Count, for each true label, which of the two models is right."""
    e, true = a.predicted.evaluation, a.predicted.table["label"]
    right = [(side.predicted.table["predicted"] == true).to_numpy() for side in (a, b)]
    rows = []
    for name in (e.labels.names[i] for i in label_order(e)):
        of = (true == name).to_numpy()
        both, only = right[0] & right[1] & of, [right[i] & ~right[1 - i] & of for i in (0, 1)]
        neither = of & ~right[0] & ~right[1]
        rows.append(Row(name, [f"{part.sum():,}" for part in (of, both, *only, neither)]))
    titles = ["True label", f"{e.unit.capitalize()}s", "Both right", f"Only {a.name}", f"Only {b.name}", "Neither"]
    return Table("Which model is right", titles, rows)


def _rows(a: Side, b: Side) -> Table:
    """List the first lines that one model gets right and the other does not."""
    e = a.predicted.evaluation
    titles = [f"{e.unit.capitalize()}", "Document", "True", a.name, b.name]
    rows = list(islice(_different(a.predicted, b.predicted), _MOST_ROWS))
    return Table(f"{e.unit.capitalize()}s on which exactly one model is right", titles, rows)


def _different(a: Predicted, b: Predicted) -> Iterator[Row]:
    columns = (*(a.table[name].tolist() for name in ("value", "doc_id", "label", "predicted")), b.table["predicted"])
    for value, document, true, one, other in zip(*columns, strict=True):
        if (one == true) != (other == true):
            shown = [Cell(f"{name} ✓" if name == true else name, kind="text") for name in (one, other)]
            yield Row(value, [Cell(document, kind="text"), Cell(true, kind="text"), *shown])


def _settings(a: Side, b: Side) -> Table:
    """List the settings in which the two models differ."""
    one, other = (dict(settings_pairs(side.card.get("settings") or {})) for side in (a, b))
    names = [name for name in one | other if one.get(name) != other.get(name)]
    rows = [Row(name, [Cell(side.get(name, "-"), kind="text") for side in (one, other)]) for name in names]
    return Table("Settings that differ", ["Setting", a.name, b.name], rows)
