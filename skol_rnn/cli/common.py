"""What several commands share: paths as arguments, JSON on standard output, a quiet TensorFlow."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skol_rnn.errors import SkolError

if TYPE_CHECKING:
    import pandas as pd

    from skol_rnn.data.document import Corpus
    from skol_rnn.model import RNNSkolModel

Paths = Annotated[list[str], typer.Argument(help="Files, folders or globs.", show_default=False)]
ModelPath = Annotated[Path, typer.Argument(help="A saved model, folder or file.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output and nothing else there.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse files with damaged markup instead of repairing them.")]
InputFormat = Annotated[
    str | None,
    typer.Option("--input-format", help="Read all files as yedda, text, jsonl, csv, parquet, ptc, brat or bio."),
]
Unit = Annotated[str, typer.Option(help="What a row is: line, or token with labels in BIO.")]
Overlap = Annotated[
    str,
    typer.Option(help="Which of two overlapping spans is labelled: longest, first, priority, or error to refuse both."),
]
Priority = Annotated[
    list[str] | None, typer.Option(help="Type for --overlap priority; repeat it, the most important first.")
]
Types = Annotated[list[str] | None, typer.Option("--type", help="Type of spans that is allowed; repeat it for each.")]


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    typer.echo(json_text(value))


def json_text(value: Any) -> str:
    """Write a value as JSON, with null for what JSON has no number for."""
    return json.dumps(_finite(value), indent=1, ensure_ascii=False, default=lambda v: v.tolist())


def by_document(rows: pd.DataFrame, column: str) -> dict[str, list[Any]]:
    """Collect a column of predictions for each document, as writers take it."""
    return {str(name): part.tolist() for name, part in rows.groupby("doc_id", sort=False)[column]}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def say(message: str) -> None:
    """Tell the person at the terminal; standard output is for results."""
    typer.echo(message, err=True)


def names(text: str | None) -> list[str] | None:
    """Split ``A,B,C``."""
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def read(
    paths: list[str],
    input_format: str | None = None,
    strict: bool = False,
    unit: str = "line",
    overlap: str = "error",
    priority: list[str] | None = None,
    types: list[str] | None = None,
) -> Corpus:
    """Read documents and tell what was left out and how much was repaired."""
    from skol_rnn.data.reading import read_documents
    from skol_rnn.data.spans import SpanRules

    # A type may hold commas, so neither is a list A,B,C.
    rules = SpanRules(overlap=overlap, priority=tuple(priority or ()), types=tuple(types) if types else None)
    corpus = read_documents(paths, format=input_format, strict=strict, unit=unit, rules=rules)
    for path, reason in corpus.skipped:
        say(f"left out {path}: {reason}")
    return corpus


def unit_of(path: Path) -> str:
    """Tell what a saved model labels, without loading it."""
    from skol_rnn.persistence.bundle import load_bundle

    return str(load_bundle(path).state["parameters"].get("unit", "line"))


def load(path: Path) -> RNNSkolModel:
    """Load a model without TensorFlow's messages."""
    with quiet_tensorflow():
        from skol_rnn.model import load_model

        return load_model(path)


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Keep what TensorFlow's libraries print while they load off the terminal, unless they fail."""
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # what is an error to us comes as an exception
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            _first_use()
            yield
        except SkolError:
            raise  # ours, and no fault of the libraries: their messages would only bury the sentence
        except BaseException:
            caught.seek(0)
            os.write(kept, caught.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def _first_use() -> None:
    import keras

    keras.ops.zeros(1)  # the devices are looked for, and complained of, at the first operation
