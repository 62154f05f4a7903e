"""``skol-rnn spans``: compare predicted documents with true ones, spans or lines; loads no TensorFlow."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from skol_rnn.cli import options
from skol_rnn.cli.common import check_labels, format_of, names, once, print_json, read, say, span_scores
from skol_rnn.cli.options import option
from skol_rnn.data.document import Corpus, Document
from skol_rnn.data.reading import read_documents
from skol_rnn.data.spans import SpanRules
from skol_rnn.data.tokens import UNITS
from skol_rnn.errors import DataError
from skol_rnn.evaluation.report import to_text
from skol_rnn.evaluation.span_errors import boundary_errors
from skol_rnn.labels import LabelSet, plural, printable, suggestion
from skol_rnn.report.lines import Mark, label_marks, show_lines
from skol_rnn.report.pages import INDEX, Pages, document_lines
from skol_rnn.report.spans import show_spans
from skol_rnn.report.templating import require_jinja2

Pairs = dict[str, tuple[Document, Document]]

_PREFIX = re.compile("^[BIES]-")
_UNIT = 'What gets a label; "line" where every true span covers whole lines, "token" otherwise.'
_KEEP = "Labels to compare; all if not given."
_OTHER = "Label of the lines whose own label is not kept; Misc if not given."


def spans(
    paths: options.Paths,
    predicted: Annotated[list[str], typer.Option(help="The same documents with predicted labels.")],
    show: Annotated[list[str] | None, typer.Option(help="Name of a document to print; repeat it for more.")] = None,
    html: Annotated[
        options.File, option("Folder for HTML pages, one for each document.", callback=options.output_folder("--html"))
    ] = None,
    labels: Annotated[options.Text, option(_KEEP, "--labels", metavar="A,B,C")] = None,
    other: Annotated[options.Text, option(_OTHER)] = None,
    unit: Annotated[
        options.Text, option(_UNIT, "--unit", metavar="line|token", callback=options.one_of("--unit", UNITS))
    ] = None,
    overlap: options.Overlap = "error",
    input_format: options.InputFormat = None,
    json: options.Json = False,
) -> None:
    """Compare predicted labels with the true labels of PATHS: scores, and pages that show both; for spans or lines."""
    if html:
        require_jinja2()
    if other is not None and not labels:
        raise typer.BadParameter("--other names the label of lines that --labels does not keep: give --labels too.")
    once(paths, predicted)
    gold = read(
        paths,
        format_of(input_format, predicted),
        unit=unit or _unit_of(paths, format_of(input_format, predicted), overlap),
        overlap=overlap,
    )
    if other is not None and gold.unit == "token":
        raise typer.BadParameter("--other is a label of lines, but the documents have spans: leave it out.")
    pairs = _pairs(gold, read(predicted, format_of(input_format, paths), unit=gold.unit, overlap=overlap))
    if keep := names(labels):
        _check_kept(pairs, keep, other)
        pairs = {name: (_kept(true, keep, other), _kept(found, keep, other)) for name, (true, found) in pairs.items()}
    if unknown := [name for name in show or () if name not in pairs]:
        raise DataError(f"There is no document {unknown[0]!r}.{suggestion(unknown[0], pairs)}")
    marks = _marks(pairs)
    if html:
        _write_pages(pairs, Pages(html, marks))
        say(f"Wrote {plural(len(pairs), 'page')}: open {html / INDEX}")
    (_print_line_scores if gold.unit == "line" else _print_span_scores)(pairs, json)
    console = Console(highlight=False)
    for name in () if json else show or ():
        console.print(f"\n{printable(name)}", style="bold", markup=False)
        console.print(_picture(*pairs[name], marks, console.width))


def _write_pages(pairs: Pairs, pages: Pages) -> None:
    with pages:
        for true, found in pairs.values():
            if true.unit == "line":
                pages.add_lines(true, document_lines(true, found.labels or (), gold=true.labels))
            else:
                pages.add_spans(true, true.spans or (), found.spans or ())


def _picture(true: Document, found: Document, marks: Mapping[str, Mark], width: int) -> Text:
    if true.unit == "token":
        return show_spans(true.text, true.spans or (), found.spans or (), width=width, only_spans=True)
    return show_lines(document_lines(true, found.labels or (), gold=true.labels), marks, width=width, only_errors=True)


def _print_span_scores(pairs: Pairs, json: bool) -> None:
    scores = span_scores(*({name: pair[side].spans or () for name, pair in pairs.items()} for side in (0, 1)))
    errors = boundary_errors(*([pair[side].labels or () for pair in pairs.values()] for side in (0, 1)))
    if json:
        print_json({name: score.as_dict() for name, score in scores.items()} | {"boundary_errors": errors.T.to_dict()})
        return
    console = Console(soft_wrap=True, highlight=False)
    for score in scores.values():
        console.print(printable(f"{score}\n", keep="\n"), markup=False)
    console.print("Boundary errors: spans, then tokens (B begins a span, I continues it, O is outside)")
    console.print(printable(errors.to_string(), keep="\n"), markup=False)


def _print_line_scores(pairs: Pairs, json: bool) -> None:
    from skol_rnn.evaluation.evaluate import evaluate_labels

    true, found = ([label for pair in pairs.values() for label in pair[side].labels or ()] for side in (0, 1))
    labels = LabelSet.from_data(true + found)
    documents = [name for name, pair in pairs.items() for _ in range(pair[0].n_rows)]
    scores = evaluate_labels(labels.encode(true), labels.encode(found), labels, documents=documents)
    if json:
        print_json({**scores.to_dict(), "documents": {name: part.to_dict() for name, part in scores.per_document}})
    else:
        typer.echo(to_text(scores, Console().width))


def _marks(pairs: Pairs) -> dict[str, Mark]:
    """Give the labels their marks, rare ones first; the most frequent true label is grey."""
    true, found = (Counter(label for p in pairs.values() for label in p[side].labels or () if label) for side in (0, 1))
    by_count = [label for label, _ in true.most_common()[::-1]]
    return label_marks([*by_count, *sorted(found)], neutral=by_count[1:][-1:])


def _unit_of(paths: list[str], form: str | None, overlap: str) -> str:
    """Return "line" where each true span covers whole lines, blanks aside, and "token" otherwise."""
    documents = list(read_documents(paths, format=form, unit="line", rules=SpanRules(overlap=overlap)))
    has_spans = any(document.spans is None or document.spans for document in documents)
    return "line" if has_spans and all(map(_labels_whole_lines, documents)) else "token"


def _labels_whole_lines(document: Document) -> bool:
    text, ends = document.text, set()
    for line in document.lines:
        shown = text[line.start : line.end]
        ends |= {line.start + len(shown) - len(shown.lstrip()), line.start + len(shown.rstrip())}
    spans = ((start, end, text[start:end]) for start, end, _ in document.spans or ())
    return all({b - len(t.lstrip()), a + len(t.rstrip())} <= ends for a, b, t in spans)


def _check_kept(pairs: Pairs, keep: list[str], other: str | None) -> None:
    """Refuse a label of ``--labels`` that is neither true nor predicted."""
    documents = [document for pair in pairs.values() for document in pair]
    if documents[0].unit == "line":
        check_labels([label for document in documents for label in document.labels or ()], keep, other)
    else:
        check_labels([span[2] for document in documents for span in document.spans or ()], keep, None)


def _kept(document: Document, keep: list[str], other: str | None) -> Document:
    """Return a document with some labels only: all other lines get one label, other spans are left out."""
    from skol_rnn.data.table import collapse_labels

    if document.unit == "line":
        if all(label is None for label in document.labels or ()):
            return document
        return replace(document, labels=tuple(collapse_labels(document.labels or (), keep, other or "Misc")))
    spans = tuple(span for span in document.spans or () if span[2] in keep)
    labels = ("O" if label is None or _PREFIX.sub("", label) not in keep else label for label in document.labels or ())
    return replace(document, spans=spans, labels=tuple(labels))


def _pairs(gold: Corpus, predicted: Corpus) -> Pairs:
    """Pair the documents by name; a document without a prediction has no predicted labels."""
    found = {document.doc_id: document for document in predicted}
    known = {document.doc_id for document in gold}
    unknown = [name for name in found if name not in known]
    problems = [f"{name} is predicted, but not among the true documents.{suggestion(name, known)}" for name in unknown]
    pairs = {}
    for document in gold:
        if document.labels is None:
            problems.append(f"{document.path or document.doc_id} has no labels.")
        other = found.get(document.doc_id)
        what, nothing = ("lines", None) if document.unit == "line" else ("spans", "O")
        if other is None:
            say(f"{document.doc_id} was not predicted: all its {what} count as missed.")
            other = replace(document, spans=(), labels=None, sources=())
        elif other.text != document.text:
            problems.append(f"{other.path or other.doc_id} has another text than {document.path or document.doc_id}.")
        if other.labels is None:
            other = replace(other, spans=(), labels=(nothing,) * other.n_rows)
        pairs[document.doc_id] = (document, other)
    if problems:
        raise DataError("\n".join(problems))
    return pairs
