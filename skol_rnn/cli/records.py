"""``skol-rnn records``: labelled lines become records, such as one for each taxonomic treatment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from skol_rnn.cli import common, options
from skol_rnn.cli.options import option
from skol_rnn.cli.writing import NOT_DONE, OnError, Overwrite
from skol_rnn.labels import check_choice, plural, suggestion
from skol_rnn.persistence.bundle import saved_files
from skol_rnn.records.rules import JoiningRules
from skol_rnn.records.run import Records, Source, check_model_labels, checked_labels
from skol_rnn.records.write import check_output, holds_records


def records(
    words: Annotated[
        list[str],
        typer.Argument(
            help="A saved model, then files, folders or globs; with --gold no model. - is standard input.",
            show_default=False,
            metavar="[MODEL] PATHS",
        ),
    ],
    begin: Annotated[str, typer.Option(help="Label whose blocks begin a record.", show_default=False)],
    parts: Annotated[
        str,
        typer.Option("--with", help="Labels of the lines that follow it.", metavar="A,B,C", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="File that ends in .jsonl, .csv or .parquet.", show_default=False)],
    gold: Annotated[
        bool, typer.Option("--gold", help="Use the labels of the files, as annotators or predict wrote them.")
    ] = False,
    rules: Annotated[options.File, option("TOML file of rules by which lines are joined.")] = None,
    decision: options.Decision = None,
    overwrite: Overwrite = False,
    on_error: OnError = "stop",
    input_format: options.InputFormat = None,
    strict: options.Strict = False,
    verify_key: options.VerifyKey = None,
    json: options.Json = False,
) -> None:
    """Join labelled lines to records: one for each name with its description, or for each block of any label."""
    check_choice("--on-error", on_error, ("stop", "skip"))
    labels = checked_labels(begin.strip(), common.names(parts) or [])
    joining = JoiningRules.from_file(rules) if rules else JoiningRules()
    model, paths = (None, words) if gold else (Path(words[0]), words[1:])
    if not paths:
        raise ValueError("Give a model and the documents to label, or documents with labels and --gold.")
    if gold and (decision or verify_key):
        raise ValueError(f"--gold uses no model: leave out {'--decision' if decision else '--verify-key'}.")
    common.once(paths)
    check_output(out, overwrite, [rules] if rules else [])
    serving = common.load_predictor(model, decision=decision, key=verify_key) if model else None
    if serving:
        check_model_labels(serving, labels)
    failed: list[tuple[str, str]] = []
    on_read_error = (lambda *problem: failed.append(problem)) if on_error == "skip" else None
    also_read = saved_files(model) if model else []
    # An earlier table below a folder that is read is no document.
    without = frozenset([os.path.realpath(out)]) if holds_records(out) else frozenset[str]()
    source = Source(paths, serving, decision, input_format, also_read, strict, on_read_error, without)
    _write(Records(source, labels, joining), out, overwrite, failed, json)


def _write(found: Records, out: Path, overwrite: bool, failed: list[tuple[str, str]], json: bool) -> None:
    source = found.source
    source.watched = lambda documents: common.counted(documents, "Joining", len(source.files))
    number, flags = found.write(out, overwrite=overwrite), found.flags
    common.say_skipped([*source.skipped, *failed])
    if source.repairs:
        common.say(source.repairs)
    if json:
        whole = {"file": str(out), "documents": source.documents, "records": number, "flags": dict(flags.most_common())}
        left_out = [{"document": name, "reason": reason} for name, reason in failed]
        common.print_json(whole | ({"failed": left_out} if failed else {}))
    else:
        common.say(f"Wrote {plural(number, 'record')} of {plural(source.documents, 'document')} to {out}")
        if flags:
            common.say("Flags: " + ", ".join(f"{flag} {count:,}" for flag, count in flags.most_common()))
    for message in _unmet(found):
        common.say(message)
    misspelt = source.model is None and not source.counts[found.labels[0]]
    if failed or not number or misspelt:
        raise typer.Exit(NOT_DONE)


def _unmet(found: Records) -> Iterator[str]:
    """Say which labels no line has."""
    counts = found.source.counts
    if not counts:
        yield "There is no record: no line has a label. Give a model, or annotated documents with --gold."
        return
    for label in found.labels:
        if not counts[label]:
            hint = suggestion(label, counts) if found.source.model is None else ""
            have = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
            what = "no record has a name" if label == found.labels[0] else "no record has text of it"
            yield f"No line has the label {label!r}, so {what}; the lines are {have}.{hint}"
