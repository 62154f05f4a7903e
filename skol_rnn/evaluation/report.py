"""An evaluation as text, Markdown, CSV and HTML: per class first, accuracy last; nothing is computed here."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from skol_rnn.evaluation.report_html import html_fragment, to_html
from skol_rnn.evaluation.report_rows import (
    Row,
    average_rows,
    cells,
    class_rows,
    comparison_rows,
    confusion_rows,
    headings,
    largest_confusions,
)
from skol_rnn.evaluation.result import Evaluation

__all__ = [
    "comparison_markdown",
    "comparison_table",
    "confusion_table",
    "notebook_html",
    "report_table",
    "to_csv",
    "to_html",
    "to_markdown",
    "to_text",
]

NOTE = "* important label"
CONFUSION_LABELS = 12
"""More labels than this do not fit a terminal; the largest confusions are listed instead."""
_WHOLE_NAME = 24
_PADDING = (0, 1, 0, 0)  # narrow, so that a table fits the 80 columns of a terminal


def report_table(evaluation: Evaluation) -> Table:
    """Lay out the scores for the terminal."""
    title, caption = f"Scores by {evaluation.unit}", Text(NOTE)
    table = Table(
        title=title,
        caption=caption,
        box=box.SIMPLE_HEAD,
        padding=_PADDING,
        show_edge=False,
        title_justify="left",
        caption_justify="left",
    )
    _add_columns(table, headings(evaluation))
    rows = class_rows(evaluation)
    for n, row in enumerate(rows):
        _add_row(table, cells(row), last=n == len(rows) - 1, style="bold" if row.important else None)
    for row in average_rows(evaluation):
        _add_row(table, cells(row))
    return _keep_names_whole(table)


def confusion_table(evaluation: Evaluation) -> Table:
    """Lay out the confusion matrix for the terminal, columns headed by the numbers of their labels."""
    table = Table(
        title="Confusion (rows true, columns predicted)",
        box=box.SIMPLE_HEAD,
        padding=_PADDING,
        show_edge=False,
        title_justify="left",
    )
    rows = confusion_rows(evaluation)
    _add_columns(table, ["True", *(str(n + 1) for n in range(len(rows))), "none"])
    for n, (name, counts) in enumerate(rows):
        _add_row(table, [f"{n + 1} {name}", *(f"{count:,}" for count in counts)])
    return _keep_names_whole(table)


def to_text(evaluation: Evaluation, width: int = 100) -> str:
    """Render the whole report as plain text."""
    parts: list[RenderableType] = [report_table(evaluation)]
    if evaluation.by_character is not None:
        parts.append(report_table(evaluation.by_character))
    few = len(evaluation.labels) <= CONFUSION_LABELS
    parts.append(confusion_table(evaluation) if few else Text("\n".join(largest_confusions(evaluation))))
    parts += [Text(f"! {sentence}") for sentence in evaluation.warnings()]
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False, force_jupyter=False)
    with console.capture() as capture:
        console.print(*parts, sep="\n")
    lines = capture.get().splitlines()
    return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"


def to_markdown(evaluation: Evaluation) -> str:
    r"""Render the scores as a Markdown table, with what was found below it."""
    rows = [cells(row) for row in class_rows(evaluation) + average_rows(evaluation)]
    found = "".join(f"- {_inline(sentence)}\n" for sentence in evaluation.warnings())
    return _markdown(headings(evaluation), rows) + (f"\n{found}" if found else "")


def to_csv(evaluation: Evaluation) -> str:
    """Render the scores as CSV with full precision, one row per class and per average."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["kind", "name", "unit", *Row._fields[1:]])
    for kind, rows in (("class", class_rows(evaluation)), ("average", average_rows(evaluation))):
        writer.writerows([kind, row.name, evaluation.unit, *row[1:]] for row in rows)
    return out.getvalue()


def notebook_html(evaluation: Evaluation) -> str:
    """Render the scores for a notebook; without jinja2 as preformatted text."""
    try:
        return html_fragment(evaluation)
    except ImportError:
        return f"<pre>{html.escape(to_text(evaluation))}</pre>"


def comparison_table(rows: Sequence[tuple[str, Evaluation]], important: Sequence[str] | None = None) -> Table:
    """Lay out several evaluations of the same labels, one row each."""
    table = Table(
        title=f"F1 by {rows[0][1].unit}" if rows else None,
        box=box.SIMPLE_HEAD,
        padding=_PADDING,
        show_edge=False,
        title_justify="left",
    )
    header, body = comparison_rows(rows, important)
    _add_columns(table, header)
    for line in body:
        _add_row(table, line)
    return _keep_names_whole(table)


def comparison_markdown(rows: Sequence[tuple[str, Evaluation]], important: Sequence[str] | None = None) -> str:
    r"""Render several evaluations of the same labels as a Markdown table."""
    return _markdown(*comparison_rows(rows, important))


def _add_columns(table: Table, header: Sequence[str]) -> None:
    table.add_column(Text(header[0]), overflow="fold")
    for heading in header[1:]:
        table.add_column(Text(heading), justify="right", overflow="fold")


def _keep_names_whole(table: Table) -> Table:
    """Let headings break before the names in the first column do, unless a name is very long."""
    names = table.columns[0]
    names.no_wrap = max((len(str(cell)) for cell in names.cells), default=0) <= _WHOLE_NAME
    return table


def _add_row(table: Table, row: Sequence[str], last: bool = False, style: str | None = None) -> None:
    # Text, because a label in square brackets would be read as rich markup.
    table.add_row(*(Text(cell) for cell in row), end_section=last, style=style)


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(header) - 1)
    lines = [map(_inline, header), rule, *(map(_inline, row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _inline(text: str) -> str:
    """Escape what would end a cell or be read as markup."""
    for mark in "\\`*_[]<>|":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
