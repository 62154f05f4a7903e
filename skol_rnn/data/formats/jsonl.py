"""JSON lines in doccano's layout: text and labelled spans of characters, one document per line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skol_rnn.data.document import Document, with_repairs
from skol_rnn.data.formats.encoding import read_records
from skol_rnn.data.spans import Span
from skol_rnn.data.tokens import document_spans
from skol_rnn.errors import DataError

_TEXT_KEYS = ("text", "data")
_LABEL_KEYS = ("label", "labels", "entities")
_RELATIONS = ("start_offset", "end_offset", "label")  # keys of an entity in doccano's export with relations


def read_jsonl(path: Path, doc_id: str, problems: list[str]) -> list[Document]:
    """Read documents, one JSON object per line."""
    text, repairs = read_records(path)
    documents: list[Document] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            document = parse_record(line, f"{doc_id}/{number}", str(path), number)
            if seen.setdefault(document.doc_id, number) != number:
                raise DataError(f"record {document.doc_id!r}: line {seen[document.doc_id]} has the same id")
            documents.append(document)
        except DataError as error:
            problems.append(f"{path}:{number}: {error}")
    return with_repairs(documents, repairs)


def parse_record(line: str, doc_id: str, path: str | None = None, number: int = 1) -> Document:
    r"""Turn one JSON object into a document with spans."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"this is not a JSON object: {error}") from error
    if not isinstance(record, dict):
        raise DataError("this is not a JSON object: begin each line with {")
    name = doc_id if record.get("id") is None else str(record["id"])
    text = next((record[key] for key in _TEXT_KEYS if key in record), None)
    if not isinstance(text, str):
        raise DataError(f"record {name!r}: there is no text; give it as {' or '.join(map(repr, _TEXT_KEYS))}")
    entries = next((record[key] for key in _LABEL_KEYS if key in record), None)
    if entries is None:
        return Document(name, text, path=path)
    spans = tuple(_spans(entries, name))
    sources = ((path, number),) * len(spans) if path is not None else ()
    return Document(name, text, path=path, spans=spans, sources=sources)


def _spans(entries: object, name: str) -> list[Span]:
    """Return the spans of a record, sorted; their offsets are checked with those of other formats."""
    if not isinstance(entries, list):
        raise DataError(f"record {name!r}: its labels are {entries!r:.60}, not a list")
    spans: list[Span] = []
    problems = []
    for entry in entries:
        if isinstance(entry, dict) and set(_RELATIONS) <= set(entry):
            entry = [entry[key] for key in _RELATIONS]
        match entry:
            case [int(start), int(end), str(label)] if label and not {type(start), type(end)} & {bool}:
                spans.append((start, end, label))
            case _:
                problems.append(f'{entry!r:.60} is not [start, end, "Name"]')
    if problems:
        raise DataError(f"record {name!r}: {'; '.join(problems)}")
    return sorted(spans)


def format_record(document: Document, probabilities: Sequence[Sequence[float]] | None = None) -> str:
    """Turn a document into one JSON object, without line end."""
    record: dict[str, Any] = {"id": document.doc_id, "text": document.text}
    if (spans := document_spans(document)) is not None:
        record["label"] = spans
    if probabilities is not None:
        record["probabilities"] = [[float(p) for p in line] for line in probabilities]
    return json.dumps(record, ensure_ascii=False)
