"""``skol-rnn spans``: compare predicted spans with true ones; loads no TensorFlow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from skol_rnn.cli import options
from skol_rnn.cli.common import print_json, read, say, span_scores
from skol_rnn.data.document import Corpus, Document
from skol_rnn.errors import DataError
from skol_rnn.evaluation.span_errors import boundary_errors
from skol_rnn.labels import suggestion
from skol_rnn.persistence.atomic import write_atomically
from skol_rnn.report.spans import show_spans, spans_html

Pairs = dict[str, tuple[Document, Document]]


def spans(
    paths: options.Paths,
    predicted: Annotated[list[str], typer.Option(help="The same documents with predicted spans.")],
    show: Annotated[list[str] | None, typer.Option(help="Name of a document to print; repeat it for more.")] = None,
    html: Annotated[Path | None, typer.Option(help="Folder for HTML pages, one for each document.")] = None,
    overlap: options.Overlap = "error",
    json: options.Json = False,
) -> None:
    """Compare predicted spans with the true spans of PATHS: strict and fragment scores, and boundary errors."""
    pairs = _pairs(read(paths, unit="token", overlap=overlap), read(predicted, unit="token", overlap=overlap))
    scores = span_scores(*({name: pair[side].spans or () for name, pair in pairs.items()} for side in (0, 1)))
    errors = boundary_errors(*([pair[side].labels or () for pair in pairs.values()] for side in (0, 1)))
    if html:
        for name, pair in pairs.items():
            true, found = (document.spans or () for document in pair)
            page = spans_html(pair[0].text, true, found, title=name)
            write_atomically(html / f"{name}.html", page.encode())
        say(f"Wrote {len(pairs)} pages to {html}")
    if json:
        print_json({name: score.as_dict() for name, score in scores.items()} | {"boundary_errors": errors.T.to_dict()})
        return
    console = Console(soft_wrap=True, highlight=False)
    for score in scores.values():
        console.print(f"{score}\n", markup=False)
    console.print("Boundary errors: spans, then tokens (B begins a span, I continues it, O is outside)")
    console.print(errors.to_string(), markup=False)
    console = Console(highlight=False)
    for name in show or []:
        if name not in pairs:
            raise DataError(f"There is no document {name!r}.{suggestion(name, pairs)}")
        true, found = (document.spans or () for document in pairs[name])
        console.print(f"\n{name}", style="bold", markup=False)
        console.print(show_spans(pairs[name][0].text, true, found, width=console.width, only_spans=True))


def _pairs(gold: Corpus, predicted: Corpus) -> Pairs:
    """Pair the documents by name; a document without a prediction has no predicted spans."""
    found = {document.doc_id: document for document in predicted}
    known = {document.doc_id for document in gold}
    unknown = [name for name in found if name not in known]
    problems = [f"{name} is predicted, but not among the true documents.{suggestion(name, known)}" for name in unknown]
    pairs = {}
    for document in gold:
        if document.labels is None:
            problems.append(f"{document.path or document.doc_id} has no labels.")
        other = found.get(document.doc_id)
        if other is None:
            say(f"{document.doc_id} was not predicted: all its spans count as missed.")
            other = replace(document, spans=(), labels=None, sources=())
        elif other.text != document.text:
            problems.append(f"{other.path or other.doc_id} has another text than {document.path or document.doc_id}.")
        if other.labels is None:
            other = replace(other, spans=(), labels=("O",) * other.n_rows)
        pairs[document.doc_id] = (document, other)
    if problems:
        raise DataError("\n".join(problems))
    return pairs
