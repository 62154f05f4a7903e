"""One file of any format: its documents, and the bytes of a document."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from skol_rnn.documents import Document
from skol_rnn.documents.columns import is_missing
from skol_rnn.errors import DataError
from skol_rnn.formats._files import Found, Skipped, told
from skol_rnn.formats.jsonl import format_record, read_jsonl
from skol_rnn.formats.text import read_text
from skol_rnn.formats.yedda import format_yedda, read_yedda


def filled_documents(file: Found, strict: bool, skipped: Skipped) -> list[Document]:
    """Read the documents of a file that have a line with text; list the file as skipped if there is none.

    Raises
    ------
    DataError
        If the file cannot be used, or was asked for by name and is empty.
    """
    filled = [document for document in _read(file, strict) if document.lines]
    if not filled:
        if file.named:
            raise DataError(f"{file.path} is empty: it has no line with text.")
        skipped.append((str(file.path), "empty"))
    return filled


def _read(file: Found, strict: bool) -> list[Document]:
    path, doc_id = file.path, file.doc_id
    match file.format:
        case "yedda":
            return [read_yedda(path, doc_id, strict=strict)]
        case "text":
            return [read_text(path, doc_id, strict=strict)]
        case "jsonl":
            return read_jsonl(path, doc_id, strict=strict)
        case "csv":
            return _tables().read_csv(path, doc_id, strict=strict)
        case _:
            return _tables().read_parquet(path, doc_id, strict=strict)


def _tables() -> ModuleType:
    """Return the module that reads and writes tables, the only one of these that needs pandas."""
    try:
        from skol_rnn.formats import table
    except ImportError as error:
        raise ImportError(
            "CSV and Parquet need pandas: pip install pandas, or use YEDDA, text or JSON lines."
        ) from error
    return table


def refuse_empty_places(files: Sequence[Found], filled: Iterable[Found], skipped: Skipped) -> None:
    """Raise a DataError for the first place that was given and holds no document."""
    places = {file.given for file in filled}
    for file in files:
        if file.given not in places:
            raise DataError(f"There is no document in {file.given}{told(skipped)}.")


def as_labels(items: Iterable[object]) -> list[str | None]:
    """Return labels with None for any mark of what is missing, or raise a ValueError for what is no text."""
    return [_label(item) for item in items]


def _label(item: object) -> str | None:
    if item is None or isinstance(item, str):
        return item
    if is_missing(item):
        return None
    raise ValueError(f"Label {item!r} is no text.")


def formatted(document: Document, format: str, labels: list[str | None] | None, vectors: Any) -> bytes:
    """Return the content of the file that a document becomes, with labels and probabilities of its lines."""
    try:
        if format in ("csv", "parquet"):
            return _tables().format_table(document, labels, vectors, kind=format)
        if format == "jsonl":
            return f"{format_record(document, labels, vectors)}\n".encode()
        text = document.text
        if format == "yedda":
            chosen = labels or document.labels or [None] * len(document.lines)
            text = format_yedda(text, [line[:2] for line in document.lines], chosen, name=document.doc_id)
        return (codecs.BOM_UTF8 if document.bom else b"") + text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{document.doc_id}: {error.object[error.start]!r} has no form in UTF-8.") from error
