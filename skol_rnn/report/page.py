"""The report of a model, or of an evaluation alone, as one HTML page that loads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import skol_rnn
from skol_rnn.evaluation.report import score
from skol_rnn.labels import label_counts, plural
from skol_rnn.report import tables
from skol_rnn.report.curves import best_thresholds, bootstrap_intervals, calibration_error
from skol_rnn.report.lines import DocumentLines, certainty, document_rows_html, label_marks, legend_html
from skol_rnn.report.templating import render, require_jinja2
from skol_rnn.report.training import seen_documents, seen_sentence, settings_pairs, training_facts

if TYPE_CHECKING:
    from skol_rnn.evaluation.predicted import Predicted
    from skol_rnn.evaluation.result import Evaluation

MOST_ROWS = 40_000
"""Lines or tokens that a page shows; of more, the documents with the highest scores are left out."""
_MOST_CURVES = 8  # of one chart
_MOST_BARS = 25
_MOST_LEARNING_CURVES = 12


class _Shown(NamedTuple):
    """The lines of one document on the page."""

    id: str
    name: str
    note: str
    html: Any


def require_libraries() -> None:
    """Raise an ImportError that names the extra where a library of the report is missing; call it before any work."""
    require_jinja2()
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError("Reports need matplotlib: pip install 'skol_rnn[report]'") from error


def report_html(
    predicted: Predicted,
    *,
    title: str,
    card: Mapping[str, Any] | None = None,
    history: Mapping[str, Sequence[float]] | None = None,
    findings: Sequence[object] = (),
    groups: Mapping[str, str] | None = None,
    why: Mapping[int, str] | None = None,
) -> str:
    """Render what a model was trained on, its scores, curves, confusions and documents.

    ``card`` holds what the model records about its training, ``history`` its scores by epoch, and ``groups`` the
    group of each document, by default its folder or the first part of its name.  ``why`` says of some rows of the
    table what speaks for and against their label.
    """
    require_libraries()
    e, card, history = predicted.evaluation, card or {}, history or {}
    seen = seen_documents(predicted.table, card)
    warned = seen_sentence(seen, predicted.table["doc_id"].nunique(), card, e)
    scored = bool(e.support.sum())
    lines = _lines(predicted, why or {})
    links = {document.name: document.id for document in lines}
    parts = _scores(e, groups, links) if scored else _EMPTY | {"predictions": tables.predictions_table(predicted)}
    if scored:
        parts |= _decision(predicted) | _curves(predicted)
    parts |= _learning(history, e) | _training(card, e)
    return _page(
        title,
        parts,
        e.unit,
        conclusion=_conclusion(predicted, parts["intervals"]),
        findings=[sentence for sentence in (warned, *map(str, findings)) if sentence],
        lines=lines,
        left_out=predicted.table["doc_id"].nunique() - len(lines),
        legend=_legend(predicted),
    )


def evaluation_html(e: Evaluation, title: str = "Evaluation", findings: Sequence[object] | None = None) -> str:
    """Render scores, confusions and documents of an evaluation; findings replace its warnings."""
    require_libraries()
    parts = _scores(e, None, {})
    found = e.warnings() if findings is None else findings
    return _page(title, parts, e.unit, conclusion=_headline(e, parts["intervals"]), findings=[str(f) for f in found])


_EMPTY: dict[str, Any] = dict.fromkeys(
    "scores intervals characters decisions decision curves thresholds reliability calibration confusion documents groups "
    "learning learning_text facts distribution training settings lines legend left_out predictions findings".split()
)


def _page(title: str, parts: dict[str, Any], unit: str, **more: Any) -> str:
    values = _EMPTY | parts | more
    return render(
        "report.html",
        title=title,
        styles=["report.css", *(["lines.css"] if values["lines"] else [])],
        scripts=["lines.js"] if values["lines"] else [],
        version=skol_rnn.__version__,
        unit=unit,
        rows_title=f"{unit.capitalize()}s",
        **values,
    )


def _headline(e: Evaluation, intervals: Mapping[str, Any]) -> str:
    spread = tables.between(intervals.get("important_f1"))
    rows, documents = int(e.support.sum()), len(e.per_document)
    where = f" on {plural(rows, e.unit)}"
    where += f" of {plural(documents, 'document')}" if documents else ""
    named = f" (mean F1 of {' and '.join(e.important)})" if len(e.important) <= 3 else ""
    fragment = "" if e.fragment_f1 is None else f" Fragment F1 of the spans: {e.fragment_f1:.3f}."
    return (
        f"Important F1 {score(e.important_f1)}{named}{f', 95 % interval {spread},' if spread else ''}{where}.{fragment}"
    )


def _conclusion(predicted: Predicted, intervals: Mapping[str, Any] | None) -> str:
    if predicted.evaluation.support.sum():
        return f"{_headline(predicted.evaluation, intervals or {})} Decision: {predicted.decision}."
    unit, rows = predicted.evaluation.unit, len(predicted.table)
    if not rows:
        return f"There is no {unit}, so there is nothing to score."
    return f"No {unit} has a label, so there are no scores: this page shows {rows:,} predictions."


def _scores(e: Evaluation, groups: Mapping[str, str] | None, links: Mapping[str, str]) -> dict[str, Any]:
    intervals = bootstrap_intervals(e)
    return {
        "intervals": intervals,
        "scores": tables.scores_table(e, intervals),
        "characters": None if e.by_character is None else tables.scores_table(e.by_character),
        "confusion": tables.confusion_table(e),
        "documents": tables.documents_table(e, links) if e.per_document else None,
        "groups": tables.groups_table(e, groups) if e.per_document else None,
    }


def _decision(predicted: Predicted) -> dict[str, Any]:
    if predicted.argmax is None:
        return {}
    table = tables.decisions_table(predicted.argmax, predicted.evaluation, predicted.decision)
    return {"decision": predicted.decision, "decisions": table}


def _curves(predicted: Predicted) -> dict[str, Any]:
    """Return precision-recall curves, thresholds, and the reliability of the probabilities."""
    from skol_rnn.report.charts import plot_precision_recall, plot_reliability

    e, labels, true, found = predicted.evaluation, predicted.labels, predicted.true, predicted.probabilities
    occurring = [name for name in e.important if e.support[labels.index(name)]]
    names = sorted(occurring, key=lambda name: -e.support[labels.index(name)])[:_MOST_CURVES]
    if not names:
        return {}
    names.sort(key=labels.index)
    error = calibration_error(true, found)
    return {
        "curves": _drawn(plot_precision_recall(true, found, labels, names, evaluation=e)),
        "thresholds": tables.thresholds_table(e, best_thresholds(true, found, labels, occurring)),
        "reliability": _drawn(plot_reliability(true, found, labels, names)),
        "calibration": f"The mean gap between probability and share of right labels is {error:.3f}.",
    }


def _learning(history: Mapping[str, Sequence[float]], e: Evaluation) -> dict[str, Any]:
    from skol_rnn.report.charts import plot_learning_curves

    if not history.get("loss"):
        return {}
    names = [name for name in e.labels if history.get(f"val_f1/{name}")]
    text = (
        "F1 of the validation documents after each epoch. A curve that still rises at the end asks for more epochs; one "
        "that falls while the training loss falls shows overfitting."
        if names
        else "Training had no validation documents, so only the training loss is known."
    )
    if len(names) > _MOST_LEARNING_CURVES:
        names = [name for name in names if name in e.important][:_MOST_LEARNING_CURVES]
    return {"learning": _drawn(plot_learning_curves(history, names or None)), "learning_text": text}


def _training(card: Mapping[str, Any], e: Evaluation) -> dict[str, Any]:
    from skol_rnn.report.charts import plot_label_distribution

    counts = dict(sorted((card.get("counts") or {}).items(), key=lambda item: -item[1])[:_MOST_BARS])
    chart = plot_label_distribution(list(counts.values()), list(counts), unit=e.unit) if counts else None
    return {
        "facts": training_facts(card, e.unit),
        "settings": settings_pairs(card.get("settings") or {}),
        "training": tables.training_table(card, e.unit),
        "distribution": _drawn(chart) if chart else None,
    }


def _drawn(axes: Any) -> Any:
    """Return a chart as SVG that a template prints unescaped."""
    from markupsafe import Markup

    from skol_rnn.report.charts import svg

    return Markup(svg(axes))


def _legend(predicted: Predicted) -> Any:
    from markupsafe import Markup

    return Markup(legend_html(_marks(predicted), gold=bool(predicted.evaluation.support.sum())))


def _marks(predicted: Predicted) -> Mapping[str, Any]:
    """Give each label its mark; the most frequent one is grey."""
    indices = predicted.labels.encode(predicted.table["predicted"])
    counts = label_counts(np.concatenate([predicted.true, indices]), len(predicted.labels))
    most = predicted.labels.names[int(counts.argmax())]
    return label_marks(predicted.labels, [most] if len(predicted.labels) > 1 else [])


def _lines(predicted: Predicted, why: Mapping[int, str]) -> list[_Shown]:
    """Return the lines of the documents, worst first; documents without labels come last."""
    parts = dict(_documents(predicted, why))
    scored = dict(tables.worst_first(predicted.evaluation))
    marks, shown, rows = _marks(predicted), list[_Shown](), 0
    for name in [*scored, *(name for name in parts if name not in scored)]:
        document = parts[name]
        rows += len(document.values)
        if shown and rows > MOST_ROWS:
            break
        wrong, unit = sum(document.errors), predicted.evaluation.unit
        note = f"{len(document.values):,} {unit}s" + (f", {wrong:,} wrong" if name in scored else ", no labels")
        shown.append(_Shown(f"document-{len(shown)}", name, note, _markup(document_rows_html(document, marks))))
    return shown


def _markup(html: str) -> Any:
    from markupsafe import Markup

    return Markup(html)


def _documents(predicted: Predicted, why: Mapping[int, str]) -> Iterator[tuple[str, DocumentLines]]:
    """Yield each document with its labels and how certain they are."""
    table = predicted.table
    values, gold, found = (table[column].tolist() for column in ("value", "label", "predicted"))
    shares, margins = certainty(predicted.probabilities, predicted.labels.names, found)
    for name, rows in table.groupby("doc_id", sort=False).indices.items():
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        labels = [label if isinstance(label, str) else None for label in gold[part]]
        yield (
            str(name),
            DocumentLines(
                str(name),
                values[part],
                found[part],
                labels if any(labels) else None,
                shares[part].tolist(),
                margins[part].tolist(),
                why={row - part.start: why[row] for row in range(part.start, part.stop) if row in why},
            ),
        )
