"""JSON lines as doccano writes them: text and labelled stretches of characters, one document a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from skol_rnn.data.document import Document, line_labels
from skol_rnn.data.formats.encoding import INVALID, read_file, refuse_damage, tell
from skol_rnn.data.tokens import document_spans
from skol_rnn.errors import DataError

_TEXT_KEYS = ("text", "data")
_LABEL_KEYS = ("label", "labels", "entities")

Span = tuple[int, int, str]


def read_jsonl(path: Path, doc_id: str, *, strict: bool = False, problems: list[str] | None = None) -> list[Document]:
    """Read documents, one JSON object a line."""
    decoded = read_file(path)
    repairs = tuple(repair for repair in decoded.repairs if repair.kind == INVALID)
    if strict:
        refuse_damage(repairs)
    documents: list[Document] = []
    told: list[str] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(decoded.text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            document = parse_record(line, f"{doc_id}/{number}", str(path), number)
            if seen.setdefault(document.doc_id, number) != number:
                raise DataError(f"record {document.doc_id!r}: line {seen[document.doc_id]} has the same id")
            documents.append(document)
        except DataError as error:
            told.append(f"{path}:{number}: {error}")
    tell(told, problems)
    if documents and repairs:
        documents[0] = replace(documents[0], repairs=repairs)
    return documents


def parse_record(line: str, doc_id: str, path: str | None = None, number: int = 1) -> Document:
    r"""Turn one JSON object into a document."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"this is no JSON object: {error}") from error
    if not isinstance(record, dict):
        raise DataError("this is no JSON object: begin each line with {")
    name = doc_id if record.get("id") is None else str(record["id"])
    text = next((record[key] for key in _TEXT_KEYS if key in record), None)
    if not isinstance(text, str):
        raise DataError(f"record {name!r}: there is no text; give it as {' or '.join(map(repr, _TEXT_KEYS))}")
    entries = next((record[key] for key in _LABEL_KEYS if key in record), None)
    document = Document(name, text, path=path)
    if entries is None:
        return document
    spans = _spans(entries, len(text), name)
    clear = all(a[1] <= b[0] for a, b in pairwise(spans))
    labels = line_labels(text, document.lines, spans) if clear else None
    sources = ((path, number),) * len(spans) if path is not None else ()
    return Document(name, text, labels, path=path, spans=tuple(spans), sources=sources)


def _spans(given: object, length: int, name: str) -> list[Span]:
    """Check the labelled stretches of a record and sort them."""
    if not isinstance(given, list):
        raise DataError(f"record {name!r}: its labels are {given!r:.60}, not a list")
    entries: list[Any] = [_as_triple(entry) for entry in given]
    if problems := [told for entry in entries if (told := _problem(entry, length))]:
        raise DataError(f"record {name!r}: {'; '.join(problems)}")
    return sorted((start, end, label) for start, end, label in entries)  # each is a list of three by now


def _as_triple(entry: object) -> object:
    """Bring an entity of doccano's export with relations into the form of the other."""
    if isinstance(entry, dict) and {"start_offset", "end_offset", "label"} <= set(entry):
        return [entry["start_offset"], entry["end_offset"], entry["label"]]
    return entry


def _problem(entry: object, length: int) -> str | None:
    match entry:
        case [bool(), _, _] | [_, bool(), _]:
            pass
        case [int(start), int(end), str(label)] if label:
            if start >= end:
                return f"{entry} is empty or reversed"
            return f"{entry} is outside the text of {length} characters" if start < 0 or end > length else None
    return f'{entry!r:.60} is not [start, end, "Name"]'


def format_record(
    document: Document,
    labels: Sequence[str | None] | None = None,
    probabilities: Sequence[Sequence[float]] | None = None,
) -> str:
    """Turn a document into one JSON object, without line end."""
    record: dict[str, Any] = {"id": document.doc_id, "text": document.text}
    if labels is not None:
        document = replace(document, labels=tuple(labels), spans=None, sources=())
    if (spans := document_spans(document)) is not None:
        record["label"] = spans
    if probabilities is not None:
        record["probabilities"] = [[float(p) for p in line] for line in probabilities]
    return json.dumps(record, ensure_ascii=False)
