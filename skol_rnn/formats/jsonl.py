"""JSON lines as doccano writes them: text and labelled stretches of characters, one document a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skol_rnn.documents import Document, line_labels
from skol_rnn.errors import DataError
from skol_rnn.formats._decoding import INVALID, read_file, refuse_damage

_SHOWN = 10
_TEXT_KEYS = ("text", "data")
_LABEL_KEYS = ("label", "labels")

Span = tuple[int, int, str]


def read_jsonl(path: Path, doc_id: str, *, strict: bool = False) -> list[Document]:
    """Read documents, one JSON object a line.

    A line of the text has the label of the span that covers its first visible character.

    Parameters
    ----------
    path : Path
        The file.
    doc_id : str
        Name for documents without ``id``, followed by the number of the record.
    strict : bool, default False
        Whether to refuse a file with invalid bytes.

    Returns
    -------
    list of Document
        In the order of the file; without labels where a record has neither ``label`` nor ``labels``.

    Raises
    ------
    DataError
        If a record is no such object or its spans are reversed, outside the text or overlap; all problems are
        told at once, ten at most.
    """
    decoded = read_file(path)
    repairs = tuple(repair for repair in decoded.repairs if repair.kind == INVALID)
    if strict:
        refuse_damage(repairs)
    documents: list[Document] = []
    problems: list[str] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(decoded.text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            document = parse_record(line, f"{doc_id}/{number}", str(path))
            if seen.setdefault(document.doc_id, number) != number:
                raise DataError(f"record {document.doc_id!r}: line {seen[document.doc_id]} has the same id")
            documents.append(document)
        except DataError as error:
            problems.append(f"{path}:{number}: {error}")
    if problems:
        more = f"\n... and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise DataError("\n".join(problems[:_SHOWN]) + more)
    if documents and repairs:
        first = documents[0]
        documents[0] = Document(first.doc_id, first.text, first.labels, repairs, first.path, first.spans)
    return documents


def parse_record(line: str, doc_id: str, path: str | None = None) -> Document:
    r"""Turn one JSON object into a document.

    Parameters
    ----------
    line : str
        The object: ``text`` (or ``data``), and optionally ``id`` and ``label`` (or ``labels``), a list of
        ``[start, end, "Name"]`` with offsets in characters, end exclusive.
    doc_id : str
        Name where there is no ``id``.
    path : str, optional
        The file it stands in.

    Returns
    -------
    Document
        The document, with ``spans`` as they stand in the record.

    Raises
    ------
    DataError
        If the object is of another shape.

    Examples
    --------
    >>> parse_record('{"id": 7, "text": "one\\ntwo", "label": [[4, 7, "Nomenclature"]]}', "a").labels
    (None, 'Nomenclature')
    """
    try:
        record = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
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
    return Document(name, text, line_labels(text, document.lines, spans), path=path, spans=tuple(spans))


def _spans(entries: object, length: int, name: str) -> list[Span]:
    """Check the labelled stretches of a record and sort them."""
    if not isinstance(entries, list):
        raise DataError(f"record {name!r}: its labels are {entries!r:.60}, not a list")
    problems = [told for entry in entries if (told := _problem(entry, length))]
    if not problems:
        spans = sorted((start, end, label) for start, end, label in entries)
        pairs = zip(spans, spans[1:], strict=False)
        problems = [f"{list(a)} and {list(b)} overlap" for a, b in pairs if b[0] < a[1]]
        if not problems:
            return spans
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    raise DataError(f"record {name!r}: {'; '.join(problems[:_SHOWN])}{more}")


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
    """Turn a document into one JSON object, without line end.

    Parameters
    ----------
    document : Document
        The document.
    labels : sequence of (str or None), optional
        Labels of its lines; its own if not given.
    probabilities : sequence of sequences of float, optional
        Probabilities of each line, kept as they are and not read back.

    Returns
    -------
    str
        The object, with one entry in ``label`` per labelled line.

    Examples
    --------
    >>> format_record(Document("a", "one", ("Nomenclature",)))
    '{"id": "a", "text": "one", "label": [[0, 3, "Nomenclature"]]}'
    """
    record: dict[str, Any] = {"id": document.doc_id, "text": document.text}
    if labels is None and document.spans is not None:
        record["label"] = document.spans
    elif (labels := document.labels if labels is None else labels) is not None:
        pairs = zip(document.lines, labels, strict=True)
        record["label"] = [[line.start, line.end, label] for line, label in pairs if label is not None]
    if probabilities is not None:
        record["probabilities"] = [[float(p) for p in line] for line in probabilities]
    return json.dumps(record, ensure_ascii=False)
