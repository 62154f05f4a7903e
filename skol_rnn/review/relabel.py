"""Give lines of an annotated file other labels, and leave all else as it is: YEDDA, JSON lines and CSV."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skol_rnn.data.document import Document, Line
from skol_rnn.data.formats.yedda import format_yedda, relabel_yedda
from skol_rnn.data.reading import read_documents
from skol_rnn.errors import DataError, RepairWarning
from skol_rnn.labels import printable
from skol_rnn.persistence.atomic import write_atomically

IN_PLACE = ("yedda", "jsonl", "csv")
"""Formats whose annotated files are changed where they are."""
_SPAN_LISTS = ("label", "labels", "entities", "spans")
_SPAN_KEYS = ({"start", "end", "label"}, {"start_offset", "end_offset", "label"})

Changes = Mapping[int, Mapping[int, str]]  # new label by row, by position of the document in its file


class _Unchangeable(Exception):
    """A file has a shape in which single labels cannot be changed."""


def read_all(path: Path, format: str) -> list[Document]:
    """Read the documents of a file; its repairs were reported when the round began."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RepairWarning)
        return list(read_documents(path, format=format))


def relabelled(path: Path, format: str, changes: Changes) -> bytes:
    """Return the content of an annotated file with other labels of some lines, or raise a DataError."""
    documents = read_all(path, format)
    expected = [_labels(document, changes.get(i, {})) for i, document in enumerate(documents)]
    data = path.read_bytes()
    try:
        raw = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not valid UTF-8, so it cannot be changed in part: convert it to UTF-8.") from error
    for way in _WAYS[format]:
        try:
            new = way(raw, documents, changes, expected)
        except _Unchangeable:
            continue
        if _reads_as(new.encode(), path, format, documents, expected):
            return new.encode()
    raise DataError(f"{path}: labels of single lines cannot be changed in this file: {_CONVERT}.")


_CONVERT = "convert it with `skol-rnn convert --to yedda` and start a round on the result"


def _labels(document: Document, changes: Mapping[int, str]) -> list[str | None]:
    labels = list(document.labels or [None] * document.n_rows)
    for row, label in changes.items():
        labels[row] = label
    return labels


def _reads_as(
    data: bytes, path: Path, format: str, documents: Sequence[Document], expected: Sequence[Sequence[str | None]]
) -> bool:
    """Return whether a file would be read as the same texts with the expected labels."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        write_atomically(copy, data, sync=False)  # a full disk names the file
        try:
            found = read_all(copy, format)
        except DataError:
            return False
    texts = [document.text for document in found] == [document.text for document in documents]
    return texts and [list(document.labels or ()) for document in found] == [list(labels) for labels in expected]


def _yedda(raw: str, documents: Sequence[Document], changes: Changes, expected: Sequence[list[str | None]]) -> str:
    mark = raw[: raw.startswith("\ufeff")]
    return mark + relabel_yedda(raw.removeprefix("\ufeff"), expected[0])


def _yedda_anew(raw: str, documents: Sequence[Document], changes: Changes, expected: Sequence[list[str | None]]) -> str:
    """Write damaged markup anew; text and labels stay."""
    document = documents[0]
    mark = raw[: raw.startswith("\ufeff")]
    return mark + format_yedda(document.text, [line[:2] for line in document.lines], expected[0], name=document.doc_id)


def _jsonl(raw: str, documents: Sequence[Document], changes: Changes, expected: Sequence[list[str | None]]) -> str:
    lines = raw.split("\n")
    position = -1
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            record = json.loads(line.removeprefix("\ufeff"))
        except (ValueError, RecursionError) as error:
            raise _Unchangeable from error
        text = record.get("text", record.get("data")) if isinstance(record, dict) else None
        if not isinstance(text, str):
            raise _Unchangeable
        if not text.strip():
            continue  # no line with text: no document
        position += 1
        if position in changes:
            mark, end = line[: line.startswith("\ufeff")], "\r" * line.endswith("\r")
            new = _record(record, documents[position], changes[position])
            lines[number] = f"{mark}{json.dumps(new, ensure_ascii=line.isascii())}{end}"
    return "\n".join(lines)


def _record(record: dict[str, Any], document: Document, changes: Mapping[int, str]) -> dict[str, Any]:
    """Return a record with other spans where lines get another label."""
    given = [key for key in _SPAN_LISTS if record.get(key) is not None]
    key = next((key for key in given if record[key]), (*given, "label")[0])
    entries = record.get(key) or []
    if not isinstance(entries, list) or record.get("answer") is not None:
        raise _Unchangeable
    for row, label in changes.items():
        line = document.lines[row]
        entries = [part for entry in entries for part in _without(entry, line, document.text)]
        entries.append(_like(entries, line, label))
    return {**record, key: sorted(entries, key=lambda entry: _ends(entry))}


def _ends(entry: Any) -> tuple[int, int]:
    match entry:
        case [int(start), int(end), str()]:
            return start, end
        case dict() if set(entry) in _SPAN_KEYS:
            values = list(entry[key] for key in sorted(entry, key=lambda key: key.startswith("end")) if key != "label")
            if all(isinstance(value, int) for value in values):
                return values[0], values[1]
    raise _Unchangeable


def _with_ends(entry: Any, start: int, end: int, label: str | None = None) -> Any:
    if isinstance(entry, list):
        return [start, end, entry[2] if label is None else label]
    names = {key: start if key.startswith("start") else end for key in entry if key != "label"}
    return {**entry, **names, **({} if label is None else {"label": label})}


def _without(entry: Any, line: Line, text: str) -> list[Any]:
    """Return the parts of a span that are not in a line, without white space at the cut."""
    start, end = _ends(entry)
    if end <= line.start or line.end <= start:
        return [entry]
    before = start + len(text[start : line.start].rstrip()) if start < line.start else start
    after = end - len(text[line.end : end].lstrip()) if line.end < end else end
    return [_with_ends(entry, a, b) for a, b in ((start, before), (after, end)) if a < b]


def _like(entries: Sequence[Any], line: Line, label: str) -> Any:
    if entries:
        return _with_ends(entries[0], line.start, line.end, label)
    return [line.start, line.end, label]


def _csv(raw: str, documents: Sequence[Document], changes: Changes, expected: Sequence[list[str | None]]) -> str:
    """Write the records of changed rows anew; the others stay as they are."""
    pieces = _csv_records(raw)
    header = next(csv.reader([pieces[0].removeprefix("\ufeff")]), [])
    name = "doc_id" if "doc_id" in header else "filename" if "filename" in header else None
    if "label" not in header or {"start", "break_before"} <= set(header):
        raise _Unchangeable
    rows: dict[str, list[tuple[int, int]]] = {}  # line number and piece of the rows of each document
    for place, piece in enumerate(pieces[1:], 1):
        record = dict(zip(header, next(csv.reader(io.StringIO(piece, newline="")), []), strict=False))
        if record.get("value", "").strip():
            mine = rows.setdefault(record[name] if name else "", [])
            mine.append((int(float(record.get("line_number") or len(mine))), place))
    if len(rows) != len(documents):
        raise _Unchangeable
    for position, mine in enumerate(rows.values()):
        places = [place for _, place in sorted(mine)]
        for row, label in changes.get(position, {}).items():
            pieces[places[row]] = _csv_record(pieces[places[row]], header.index("label"), label)
    return "".join(pieces)


def _csv_records(raw: str) -> list[str]:
    """Split a CSV text into the texts of its records, line ends included."""
    lines = raw.splitlines(keepends=True) if "\n" not in raw else [f"{line}\n" for line in raw.split("\n")]
    if lines and "\n" in raw:
        lines[-1] = lines[-1][:-1]
    reader = csv.reader(iter(lines), strict=True)
    pieces, done = [], 0
    try:
        for _ in reader:
            pieces.append("".join(lines[done : reader.line_num]))
            done = reader.line_num
    except csv.Error as error:
        raise _Unchangeable from error
    return pieces


def _csv_record(piece: str, column: int, label: str) -> str:
    (record,) = csv.reader(io.StringIO(piece, newline=""))
    record[column] = label
    end = piece[len(piece.rstrip("\r\n")) :]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerow(record)
    return text.getvalue()


_WAYS = {"yedda": (_yedda, _yedda_anew), "jsonl": (_jsonl,), "csv": (_csv,)}


def annotated_copy(document: Document, labels: Sequence[str | None]) -> bytes:
    """Return a document with labels as YEDDA."""
    mark = "\ufeff" * document.has_mark
    places = [line[:2] for line in document.lines]
    return (mark + format_yedda(document.text, places, labels, name=printable(document.doc_id))).encode()
