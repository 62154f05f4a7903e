"""The page of a round: one file that works without a server."""

from __future__ import annotations

import json
from typing import Any

from skol_rnn.labels import plural, printable
from skol_rnn.report.lines import PAGE_BREAK, label_marks
from skol_rnn.report.templating import render
from skol_rnn.review.round import ReviewRound, RoundLine

_MARKUP = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def page_html(found: ReviewRound) -> str:
    """Render the page; texts are data of its script, which shows them as text."""
    from markupsafe import Markup

    n = plural(len(found.lines), "line")
    return render(
        "review.html",
        title=f"Review of {n}",
        styles=["review.css"],
        scripts=["review.js"],
        data=Markup(json.dumps(_data(found)).translate(_MARKUP)),
        model=found.model["name"],
        n=n,
    )


def _data(found: ReviewRound) -> dict[str, Any]:
    marks = label_marks(found.labels, neutral=[found.other or ""])
    return {
        "id": found.id,
        "name": printable(found.name),
        "labels": found.labels,
        "shown": [printable(label) for label in found.labels],
        "colours": [marks[label].colour for label in found.labels],
        "items": [_item(found, line) for line in found.lines],
    }


def _item(found: ReviewRound, line: RoundLine) -> dict[str, Any]:
    document = found.documents[line.document]
    return {
        "document": document.name,
        "sha256": document.sha256,
        "where": f"{printable(document.name)}, line {line.line}",
        "line": line.line,
        "label": found.labels.index(line.label),
        "predicted": found.labels.index(line.predicted),
        "annotated": "annotation" in line.reasons,
        "p": [line.probabilities[label] for label in found.labels],
        "why": [_REASONS[reason] for reason in line.reasons],
        "context": [[number, printable(text.lstrip(PAGE_BREAK))] for number, text in line.context],
    }


_REASONS = {
    "annotation": "the model contradicts the annotation",
    "uncertain": "two labels are almost as likely",
    "neighbours": "unlike the lines around it",
    "likely": "may be an important label",
}
