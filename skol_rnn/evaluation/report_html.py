"""An evaluation as one self-contained HTML page, without scripts or other files."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from skol_rnn.evaluation.report import average_rows, class_rows, confusion_rows, headings, score
from skol_rnn.evaluation.result import Evaluation

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
        parts=[(part.unit, headings(part), class_rows(part), average_rows(part)) for part in parts],
        confusion=confusion_rows(evaluation),
        document_headings=["Document", rows, "Missing", "Accuracy", "Weighted F1", *names],
        documents=[_document(name, part, names) for name, part in evaluation.per_document],
    )


def _document(name: str, evaluation: Evaluation, labels: Sequence[str]) -> list[str]:
    rows = {row.name: row for row in class_rows(evaluation)}
    support, missing = int(evaluation.support.sum()), int(evaluation.missing.sum())
    # The F1 of a label that is neither true nor predicted is 0 by definition, which would look like a failure.
    f1 = [score(rows[n].f1 if rows[n].support or rows[n].predicted else None) for n in labels]
    return [name, f"{support:,}", f"{missing:,}", score(evaluation.accuracy), score(evaluation.weighted_f1), *f1]
