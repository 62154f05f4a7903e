"""``skol-rnn validate`` and ``convert``: they read documents and load no TensorFlow."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from skol_rnn.cli import options
from skol_rnn.cli.common import folded, names, print_json, read, say
from skol_rnn.data.formats.brat import other_annotations
from skol_rnn.data.writing import count_lost_spans, write_documents
from skol_rnn.errors import RepairWarning
from skol_rnn.labels import alike_labels, printable


def validate(
    paths: options.Paths,
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    unit: options.Unit = "line",
    overlap: options.OverlapOrPriority = "error",
    priority: options.Priority = None,
    types: options.Types = None,
    offsets: options.Offsets = "characters",
    fold_labels: options.FoldLabels = False,
    json: options.Json = False,
) -> None:
    """Read documents and print what they contain: rows, labels, repairs, and skipped files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RepairWarning)  # this command lists them
        corpus = read(paths, input_format, strict, unit, overlap, priority, types, fold_labels, offsets)
    table = corpus.table
    column = table["label"] if "label" in table else [None] * len(table)
    labels = Counter(label if isinstance(label, str) else None for label in column).most_common()
    if json:
        sizes = {"documents": len(corpus), f"{corpus.unit}s": len(table)}
        repairs = [vars(repair) for repair in corpus.repairs]
        skipped = [{"path": path, "reason": reason} for path, reason in corpus.skipped]
        counts = {label or "": count for label, count in labels}
        print_json({**sizes, "labels": counts, "repairs": repairs, "left_out": skipped})
        return
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"{len(corpus):,} documents, {len(table):,} {unit}s, {len(corpus.repairs):,} repairs")
    shares = Table(folded("label"), f"{unit}s", "share")
    for label, count in labels:
        shares.add_row(Text(printable(label or "(no label)")), f"{count:,}", f"{count / max(len(table), 1):.2%}")
    console.print(shares)
    for rare, kept in alike_labels({label: count for label, count in labels if label}).items():
        alike = f"{rare!r} and {kept!r} differ only in case, blanks or Unicode form: --fold-labels merges them."
        console.print(alike, markup=False)
    for repair in corpus.repairs:
        detail = printable(f"{repair.path}:{repair.line}: {repair.kind}: {repair.detail}")
        console.print(detail, markup=False)


def convert(
    paths: options.Paths,
    out: Annotated[Path, typer.Option(help="Folder for the converted documents.")],
    to: Annotated[str, typer.Option(help=f"{options.FORMATS}.", callback=options.written_format("--to"))],
    labels: options.Keep = None,
    other: options.Rest = "Misc",
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    unit: options.Unit = "line",
    overlap: options.OverlapOrPriority = "error",
    priority: options.Priority = None,
    types: options.Types = None,
    offsets: options.Offsets = "characters",
    fold_labels: options.FoldLabels = False,
    json: options.Json = False,
) -> None:
    """Write documents in another format; text, labels and spans stay the same, unless --labels collapses labels."""
    from skol_rnn.data.table import collapse_labels

    if labels and (unit == "token" or to == "bio"):
        raise typer.BadParameter("--labels collapses labels of lines, not of tokens: leave it out.")
    # The output format decides what a row is.
    unit = {"bio": "token", "yedda": "line"}.get(to, unit)
    corpus = read(paths, input_format, strict, unit, overlap, priority, types, fold_labels, offsets)
    collapsed = None
    if keep := names(labels):
        collapsed = {d.doc_id: collapse_labels(d.labels, keep, other) for d in corpus if d.labels is not None}
    written = write_documents(corpus, out, format=to, labels_by_doc=collapsed)
    lost = 0 if collapsed else sum(count_lost_spans(document, to) for document in corpus)
    others: Counter[str] = Counter()
    for document in corpus if collapsed or to != "brat" else ():
        others += other_annotations(document)
    if json:
        print_json({"files": [str(path) for path in written], "untold_spans": lost, "lost": dict(others)})
        return
    say(f"Wrote {len(written)} documents to {out}")
    if lost:
        say(f"{lost:,} spans are lost or changed in {to}: jsonl, brat and ptc keep all spans.")
    if others:
        named = ", ".join(f"{count:,} {kind}" for kind, count in others.items())
        say(f"Lost in {to}: {named}; only brat keeps them.")
