"""An evaluation as one self-contained HTML page: no script, no outside file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skol_rnn.evaluation.report_rows import average_rows, cells, class_rows, confusion_rows, headings, score
from skol_rnn.evaluation.result import Evaluation

if TYPE_CHECKING:
    import jinja2

MAX_IMPORTANT_COLUMNS = 6

CORE = """\
<table class="skol"><caption>Scores by {{ unit }} (* important label)</caption>
<thead><tr>{% for h in headings %}<th scope="col">{{ h }}</th>{% endfor %}<th scope="col">F1</th></tr></thead>
<tbody>{% for row, f1 in classes %}
<tr><th scope="row">{{ row[0] }}</th>{% for cell in row[1:] %}<td>{{ cell }}</td>{% endfor %}
<td><svg width="102" height="12" role="img" aria-label="F1 {{ row[3] }}">
<rect x="1" y="1" width="100" height="10" fill="none" stroke="#999"/>
<rect x="1" y="1" width="{{ "%.1f" % (100 * f1) }}" height="10" fill="#0072b2"/></svg></td></tr>{% endfor %}
</tbody><tbody class="means">{% for row in averages %}
<tr><th scope="row">{{ row[0] }}</th>{% for cell in row[1:] %}<td>{{ cell }}</td>{% endfor %}<td></td></tr>{% endfor %}
</tbody></table>
"""

PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } caption { text-align: left; font-weight: bold; padding: .3em 0 }
th, td { padding: .2em .7em; text-align: right; border-bottom: 1px solid #ddd } th[scope=row] { text-align: left }
tr > th:first-child { text-align: left } .means { border-top: 2px solid #222 } .wide { overflow-x: auto }
.found { border-left: 4px solid #d55e00; padding: .1em 1em; background: #fff6ee }
</style></head><body>
<h1>{{ title }}</h1>
{% if warnings %}<div class="found"><ul>{% for w in warnings %}<li>{{ w }}</li>{% endfor %}</ul></div>{% endif %}
{% for core in cores %}{% with unit = core.unit, headings = core.headings, classes = core.classes,
averages = core.averages %}{% include "core" %}{% endwith %}{% endfor %}
<div class="wide"><table><caption>Confusion in {{ cores[0].unit }}s (rows true, columns predicted;
shade: share of the row)</caption>
<thead><tr><th></th>{% for name, _ in confusion %}<th scope="col" title="{{ name }}">{{ loop.index }}</th>{% endfor %}
<th scope="col">none</th></tr></thead>
<tbody>{% for name, counts in confusion %}<tr><th scope="row">{{ loop.index }} {{ name }}</th>
{% for count, share in counts %}<td style="background: rgba(0, 114, 178, {{ "%.2f" % (0.6 * share) }})">\
{{ "{:,}".format(count) }}</td>{% endfor %}</tr>{% endfor %}</tbody></table></div>
{% if documents %}<div class="wide"><table><caption>Documents (F1 "-" where a label is neither true nor predicted)\
</caption><thead><tr>{% for h in document_headings %}<th scope="col">{{ h }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in documents %}<tr><th scope="row">{{ row[0] }}</th>
{% for cell in row[1:] %}<td>{{ cell }}</td>{% endfor %}</tr>{% endfor %}</tbody></table></div>{% endif %}
</body></html>
"""


def to_html(evaluation: Evaluation, title: str = "Evaluation") -> str:
    """Render the whole report as one self-contained HTML page."""
    parts = [evaluation] if evaluation.by_character is None else [evaluation, evaluation.by_character]
    names = evaluation.important[:MAX_IMPORTANT_COLUMNS]
    template = _environment().get_template("page")
    return template.render(
        title=title,
        warnings=evaluation.warnings(),
        cores=[_core(part) for part in parts],
        confusion=[(name, _shaded(counts)) for name, counts in confusion_rows(evaluation)],
        document_headings=[
            "Document",
            f"{evaluation.unit.capitalize()}s",
            "Missing",
            "Accuracy",
            "Weighted F1",
            *names,
        ],
        documents=[_document(name, part, names) for name, part in evaluation.per_document],
    )


def html_fragment(evaluation: Evaluation) -> str:
    """Render the scores as one HTML table for a notebook."""
    return _environment().get_template("core").render(_core(evaluation))


def _environment() -> jinja2.Environment:
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("HTML reports need jinja2: pip install 'skol_rnn[report]'") from error
    loader = jinja2.DictLoader({"core": CORE, "page": PAGE})
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)


def _core(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "unit": evaluation.unit,
        "headings": headings(evaluation),
        "classes": [(cells(row), row.f1) for row in class_rows(evaluation)],
        "averages": [cells(row) for row in average_rows(evaluation)],
    }


def _shaded(counts: list[int]) -> list[tuple[int, float]]:
    return [(count, count / max(sum(counts), 1)) for count in counts]


def _document(name: str, evaluation: Evaluation, important: tuple[str, ...]) -> list[str]:
    rows = {row.name: row for row in class_rows(evaluation)}
    support, gone = int(evaluation.support.sum()), int(evaluation.missing.sum())
    # F1 of a label that this document neither has nor was given is 0 by definition, and would read as a failure.
    f1 = [score(rows[n].f1 if rows[n].support or rows[n].predicted else None) for n in important]
    return [name, f"{support:,}", f"{gone:,}", score(evaluation.accuracy), score(evaluation.weighted_f1), *f1]
