"""An evaluation as one self-contained HTML page, without scripts or other files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from skol_rnn.evaluation.report import confusion_rows
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.evaluation.rows import average_rows, cells, class_rows, headings, score

_LABEL_COLUMNS = 6


def to_html(evaluation: Evaluation, title: str = "Evaluation", found: Sequence[str] | None = None) -> str:
    """Render the whole report as HTML; the sentences of findings replace the warnings."""
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("HTML reports need jinja2: pip install 'skol_rnn[report]'") from error
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(files(__package__).joinpath("report.html").read_text(encoding="utf-8"))
    parts = [evaluation] if evaluation.by_character is None else [evaluation, evaluation.by_character]
    names = evaluation.important[:_LABEL_COLUMNS]
    rows = f"{evaluation.unit.capitalize()}s"
    return template.render(
        title=title,
        found=evaluation.warnings() if found is None else found,
        parts=[_part(part) for part in parts],
        confusion=confusion_rows(evaluation),
        document_headings=["Document", rows, "Missing", "Accuracy", "Weighted F1", *names],
        documents=[_document(name, part, names) for name, part in evaluation.per_document],
    )


def _part(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "unit": evaluation.unit,
        "headings": headings(evaluation),
        "classes": [(cells(row), row.f1) for row in class_rows(evaluation)],
        "averages": [cells(row) for row in average_rows(evaluation)],
    }


def _document(name: str, evaluation: Evaluation, labels: Sequence[str]) -> list[str]:
    rows = {row.name: row for row in class_rows(evaluation)}
    support, missing = int(evaluation.support.sum()), int(evaluation.missing.sum())
    # The F1 of a label that is neither true nor predicted is 0 by definition, which would look like a failure.
    f1 = [score(rows[n].f1 if rows[n].support or rows[n].predicted else None) for n in labels]
    return [name, f"{support:,}", f"{missing:,}", score(evaluation.accuracy), score(evaluation.weighted_f1), *f1]
