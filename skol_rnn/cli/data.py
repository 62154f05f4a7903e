"""``skol-rnn validate`` and ``convert``: what is done with documents alone; no TensorFlow."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from skol_rnn.cli.common import (
    InputFormat,
    Json,
    Overlap,
    Paths,
    Priority,
    Strict,
    Types,
    Unit,
    names,
    print_json,
    read,
    say,
)

if TYPE_CHECKING:
    from skol_rnn.data.document import Corpus


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(validate)
    app.command()(convert)


def validate(
    paths: Paths,
    input_format: InputFormat = None,
    strict: Strict = False,
    unit: Unit = "line",
    overlap: Overlap = "error",
    priority: Priority = None,
    types: Types = None,
    json: Json = False,
) -> None:
    """Read documents and print what was found: lines or tokens, labels, repairs, and files left out and why."""
    corpus = read(paths, input_format, strict, unit, overlap, priority, types)
    table = corpus.table
    column = table["label"] if "label" in table else [None] * len(table)
    labels = Counter(label if isinstance(label, str) else None for label in column)
    if json:
        print_json(_findings(corpus, labels))
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{len(corpus):,} documents, {len(table):,} {unit}s, {len(corpus.repairs):,} repairs")
    shares = Table("label", f"{unit}s", "share")
    for label, count in labels.most_common():
        shares.add_row(label or "(no label)", f"{count:,}", f"{count / max(len(table), 1):.2%}")
    console.print(shares)
    for repair in corpus.repairs:
        console.print(f"{repair.path}:{repair.line}: {repair.kind}: {repair.detail}", markup=False)


def _findings(corpus: Corpus, labels: Counter[str | None]) -> dict[str, Any]:
    return {
        "documents": len(corpus),
        f"{corpus.unit}s": len(corpus.table),
        "labels": {label or "": count for label, count in labels.most_common()},
        "repairs": [vars(repair) for repair in corpus.repairs],
        "left_out": [{"path": path, "reason": reason} for path, reason in corpus.skipped],
    }


def convert(
    paths: Paths,
    out: Annotated[Path, typer.Option(help="Folder for the converted documents.")],
    to: Annotated[str, typer.Option(help="yedda, text, jsonl, csv, parquet, ptc, brat or bio.")],
    labels: Annotated[str | None, typer.Option(help="Labels to keep, A,B,C.", show_default=False)] = None,
    other: Annotated[str, typer.Option(help="Label of the lines whose own is not kept.")] = "Misc",
    input_format: InputFormat = None,
    strict: Strict = False,
    unit: Unit = "line",
    overlap: Overlap = "error",
    priority: Priority = None,
    types: Types = None,
    json: Json = False,
) -> None:
    """Write documents in another format; text, labels and spans stay as they are unless --labels collapses them."""
    from skol_rnn.data.table import collapse_labels
    from skol_rnn.data.writing import count_lost_spans, write_documents

    if labels and (unit == "token" or to == "bio"):
        raise typer.BadParameter("--labels collapses labels of lines, not of tokens: leave it out.")
    # What a format's rows are is read as such, under the rules given.
    unit = {"bio": "token", "yedda": "line"}.get(to, unit)
    corpus = read(paths, input_format, strict, unit, overlap, priority, types)
    by_document = None
    if keep := names(labels):
        by_document = {
            document.doc_id: collapse_labels(document.labels, keep, other)
            for document in corpus
            if document.labels is not None
        }
    written = write_documents(corpus, out, format=to, labels_by_doc=by_document)
    untold = 0 if by_document else sum(count_lost_spans(document, to) for document in corpus)
    if json:
        print_json({"files": [str(path) for path in written], "untold_spans": untold})
        return
    say(f"{len(written)} documents written to {out}")
    if untold:
        say(f"{untold:,} spans are lost or changed in {to}, which has no room for them; jsonl, brat and ptc have.")
