"""``skol-rnn spans``: predicted spans against true ones, in figures and in pictures; no TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from skol_rnn.cli.common import Json, Overlap, Paths, print_json, read, say
from skol_rnn.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from skol_rnn.data.document import Corpus, Document
    from skol_rnn.evaluation.span_scores import SpanScores


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(spans)


def spans(
    paths: Paths,
    predicted: Annotated[list[str], typer.Option(help="The same documents with predicted spans.")],
    show: Annotated[list[str] | None, typer.Option(help="Document to draw, by name; may be repeated.")] = None,
    html: Annotated[Path | None, typer.Option(help="Folder for one HTML page a document.")] = None,
    overlap: Overlap = "error",
    json: Json = False,
) -> None:
    """Compare predicted spans with the true ones of PATHS: strict and fragment scores, and where boundaries go wrong."""
    from skol_rnn.evaluation.span_errors import boundary_errors
    from skol_rnn.evaluation.span_scores import fragment_scores, strict_scores

    pairs = _pairs(read(paths, unit="token", overlap=overlap), read(predicted, unit="token", overlap=overlap))
    gold = {name: true.spans or () for name, (true, _) in pairs.items()}
    guess = {name: found.spans or () for name, (_, found) in pairs.items()}
    scores = [fragment_scores(gold, guess), fragment_scores(gold, guess, typed=False), strict_scores(gold, guess)]
    errors = boundary_errors(
        *zip(*((true.labels or (), found.labels or ()) for true, found in pairs.values()), strict=True)
    )
    if html:
        _write_pages(pairs, html)
    if json:
        _print_json(scores, errors)
        return
    console = Console(soft_wrap=True, highlight=False)
    for score in scores:
        console.print(f"{score}\n", markup=False)
    console.print("Boundary errors: spans, then tokens (B begins, I goes on, O is outside)")
    console.print(errors.to_string(), markup=False)
    for name in show or []:
        _show(name, pairs)


def _pairs(gold: Corpus, predicted: Corpus) -> dict[str, tuple[Document, Document]]:
    """Put the documents of one name together; a document that was not predicted has no predicted spans."""
    from dataclasses import replace

    from skol_rnn.labels import suggestion

    found = {document.doc_id: document for document in predicted}
    known = [document.doc_id for document in gold]
    problems = [
        f"{name} is predicted, but not among the true documents.{suggestion(name, known)}"
        for name in found
        if name not in set(known)
    ]
    pairs = {}
    for document in gold:
        if document.labels is None:
            problems.append(f"{document.path or document.doc_id} has no labels.")
        other = found.get(document.doc_id)
        if other is None:
            say(f"{document.doc_id} was not predicted: counted as one without predicted spans")
            other = replace(document, spans=(), labels=("O",) * document.n_rows, sources=())
        elif other.text != document.text:
            problems.append(f"{other.path or other.doc_id} has another text than {document.path or document.doc_id}.")
        elif other.labels is None:
            other = replace(other, spans=(), labels=("O",) * other.n_rows)
        pairs[document.doc_id] = (document, other)
    if problems:
        raise DataError("\n".join(problems))
    return pairs


def _write_pages(pairs: dict[str, tuple[Document, Document]], folder: Path) -> None:
    from skol_rnn.evaluation.span_html import spans_html
    from skol_rnn.persistence.atomic import write_atomically

    for name, (true, found) in pairs.items():
        page = spans_html(true.text, true.spans or (), found.spans or (), title=name)
        write_atomically(folder / f"{name}.html", page.encode())
    say(f"{len(pairs)} pages written to {folder}")


def _print_json(scores: list[SpanScores], errors: pd.DataFrame) -> None:
    names = ("fragment", "fragment_untyped", "strict")
    found: dict[str, Any] = {name: score.as_dict() for name, score in zip(names, scores, strict=True)}
    print_json(found | {"boundary_errors": errors.T.to_dict()})


def _show(name: str, pairs: dict[str, tuple[Document, Document]]) -> None:
    from skol_rnn.evaluation.span_text import show_spans
    from skol_rnn.labels import suggestion

    if name not in pairs:
        raise DataError(f"There is no document {name!r}.{suggestion(name, pairs)}")
    true, found = pairs[name]
    console = Console(highlight=False)
    console.print(f"\n{name}", style="bold", markup=False)
    console.print(show_spans(true.text, true.spans or (), found.spans or (), width=console.width, only_spans=True))
