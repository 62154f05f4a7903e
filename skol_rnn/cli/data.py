"""``skol-rnn validate`` and ``convert``: they read documents and load no TensorFlow."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from skol_rnn.cli import options
from skol_rnn.cli.common import counted, folded, names, print_json, read, say, say_skipped, span_rules
from skol_rnn.cli.writing import OnError, Overwrite, Run, check_output
from skol_rnn.data.document import Document
from skol_rnn.data.formats.brat import other_annotations
from skol_rnn.data.reading import DocumentStream, Reader, label_folding
from skol_rnn.data.writing import count_lost_spans
from skol_rnn.errors import RepairWarning
from skol_rnn.labels import alike_labels, plural, printable


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
    shown = (len(corpus), "document"), (len(table), unit), (len(corpus.repairs), "repair")
    console.print(", ".join(plural(*size) for size in shown))
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
    out: Annotated[
        Path, typer.Option(readable=False, help="Folder for the converted documents; - for standard output.")
    ],
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
    overwrite: Overwrite = False,
    on_error: OnError = "stop",
    json: options.Json = False,
) -> None:
    """Write documents in another format; text, labels and spans stay the same, unless --labels collapses labels.

    A run that was stopped goes on where it was when the same command is given again.
    """
    from skol_rnn.data.table import collapse_labels

    if labels and (unit == "token" or to == "bio"):
        raise typer.BadParameter("--labels collapses labels of lines, not of tokens: leave it out.")
    check_output(out, json=json)
    # The output format decides what a row is.
    unit = {"bio": "token", "yedda": "line"}.get(to, unit)
    keep = names(labels)
    settings = [labels, other, input_format, strict, unit, overlap, priority, types, offsets, fold_labels]
    run = Run(out, to, on_error, overwrite, {"convert": settings})
    rules = span_rules(overlap, priority, types, offsets)

    def documents() -> DocumentStream:
        reader = Reader(strict, unit, rules=rules)
        return DocumentStream(
            paths, format=input_format, reader=reader, on_error=run.on_read_error, without=run.without
        )

    stream = documents()
    if run.folder:
        run.folder.protect(stream.files)
    lost = _Lost(None if keep else to)
    with run.writing():
        fold = label_folding(run.read_ahead(documents())) if fold_labels else None
        pending = run.pending(stream, change=fold, done=lost.count)
        for document in counted(pending, "Converting", len(stream.files)):
            collapsed = collapse_labels(document.labels, keep, other) if keep and document.labels is not None else None
            run.add(document, collapsed)
            lost.count(document)
    say_skipped(stream.skipped)
    if repairs := str(stream.repairs):
        say(repairs)
    if json:
        found = {"files": [str(path) for path in run.written], "untold_spans": lost.spans, "lost": dict(lost.others)}
        print_json(found | run.as_dict())
        return run.finish()
    say(f"Wrote {plural(run.done, 'document')}{run.place}{run.resumed}")
    lost.say(to)
    run.finish()


@dataclass
class _Lost:
    """Counts what a format does not keep; nothing for collapsed labels, which are meant to lose spans."""

    form: str | None
    spans: int = 0
    others: Counter[str] = field(default_factory=Counter)

    def count(self, document: Document, _: object = None) -> None:
        self.spans += count_lost_spans(document, self.form) if self.form else 0
        if self.form != "brat":
            self.others += other_annotations(document)

    def say(self, form: str) -> None:
        if self.spans:
            say(f"{self.spans:,} spans are lost or changed in {form}: jsonl, brat and ptc keep all spans.")
        if self.others:
            named = ", ".join(f"{count:,} {kind}" for kind, count in self.others.items())
            say(f"Lost in {form}: {named}; only brat keeps them.")
