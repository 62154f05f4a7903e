"""Columns as CoNLL has them: one token a line, its label in the last column, a blank line between sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skol_rnn.data.bio import decode_spans, split_label
from skol_rnn.data.document import Document, Repair, breaks_before
from skol_rnn.data.formats.encoding import INVALID, read_file, refuse_damage, tell
from skol_rnn.errors import DataError

_COMMENT = re.compile(r"# (?P<key>global\.columns|doc_id|text) = (?P<value>.*)")
_START = "-DOCSTART-"
_WRITTEN = ("FORM", "START", "END", "LABEL")


@dataclass
class _Part:
    """What was read of one document: its rows as (line of the file, fields), with None for a blank line."""

    line: int
    doc_id: str | None = None
    text: str | None = None
    rows: list[tuple[int, list[str]] | None] = field(default_factory=list)


def read_bio(path: Path, doc_id: str, *, strict: bool = False, problems: list[str] | None = None) -> list[Document]:
    """Read documents from a file of columns."""
    decoded = read_file(path)
    repairs = tuple(repair for repair in decoded.repairs if repair.kind == INVALID)
    if strict:
        refuse_damage(repairs)
    told: list[str] = []
    parts, columns = _parts(decoded.text, str(path), told)
    documents = []
    for number, part in enumerate(parts, 1):
        name = part.doc_id or (doc_id if len(parts) == 1 else f"{doc_id}/{number}")
        if document := _document(part, name, columns, str(path), told):
            documents.append(document)
    tell(told, problems)
    return documents


def _parts(text: str, path: str, told: list[str]) -> tuple[list[_Part], tuple[str, ...] | None]:
    """Cut a file into documents; the columns are those that it names."""
    parts = [_Part(1)]
    columns: tuple[str, ...] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if comment := _COMMENT.fullmatch(line):
            key, value = comment["key"], comment["value"]
            if key == "global.columns":
                columns = tuple(value.split())
                continue
            if key == "doc_id" and (parts[-1].rows or parts[-1].doc_id is not None):
                parts.append(_Part(number))
            setattr(parts[-1], key, _string(value, f"{path}:{number}", told))
        elif line.startswith(_START):
            if parts[-1].rows or parts[-1].doc_id is not None:
                parts.append(_Part(number))
        elif not line.strip():
            parts[-1].rows.append(None)
        else:
            parts[-1].rows.append((number, line.split("\t") if "\t" in line else line.split()))
    filled = [part for part in parts if any(row is not None for row in part.rows) or part.text]
    return filled, columns


def _string(value: str, place: str, told: list[str]) -> str | None:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, str):
        return found
    told.append(f'{place}: {value!r:.60} is no JSON string, such as "..."')
    return None


def _document(part: _Part, doc_id: str, columns: tuple[str, ...] | None, path: str, told: list[str]) -> Document | None:
    rows = [row for row in part.rows if row is not None]
    width = len(columns or (rows[0][1] if rows else ()))
    problems = [f"{path}:{line}: {len(row)} columns, not {width}" for line, row in rows if len(row) != width]
    labelled = width > 1 if columns is None else "LABEL" in columns
    labels = [row[-1] for _, row in rows] if labelled else None
    problems += _bad_labels(rows, path) if labelled else []
    if not problems:
        text = _joined(part.rows) if part.text is None else part.text
        tokens = list(_places(rows, columns, text, path, problems))
    if problems:
        told += problems
        return None
    if labels is None:
        return Document(doc_id, text, path=path, tokens=tuple(tokens))
    repairs = _strays(rows, path)
    spans = decode_spans(tokens, labels)
    starts = {start: line for (start, _), (line, _) in zip(tokens, rows, strict=True)}
    sources = tuple((path, starts[start]) for start, _, _ in spans)
    return Document(doc_id, text, tuple(labels), repairs, path, tuple(spans), tokens=tuple(tokens), sources=sources)


def _bad_labels(rows: list[tuple[int, list[str]]], path: str) -> list[str]:
    found = []
    for line, row in rows:
        try:
            split_label(row[-1])
        except DataError as error:
            found.append(f"{path}:{line}: {error}")
    return found


def _strays(rows: list[tuple[int, list[str]]], path: str) -> tuple[Repair, ...]:
    """List the labels that go on with nothing; each begins a span."""
    found, running = [], ""
    for line, row in rows:
        prefix, kind = split_label(row[-1])
        if prefix in "IE" and kind != running:
            found.append(Repair(path, line, "label that continues nothing", f"{row[-1]} begins a span"))
        running = "" if prefix in "ES" else kind
    return tuple(found)


def _joined(rows: list[tuple[int, list[str]] | None]) -> str:
    pieces: list[str] = []
    gap = ""
    for row in rows:
        if row is None:
            gap = "\n" if pieces else ""
        else:
            pieces += [gap, row[1][0]]
            gap = " "
    return "".join(pieces)


def _places(
    rows: list[tuple[int, list[str]]], columns: tuple[str, ...] | None, text: str, path: str, problems: list[str]
) -> Iterator[tuple[int, int]]:
    """Find each token in the text."""
    exact = columns is not None and {"START", "END"} <= set(columns)
    end = 0
    for line, row in rows:
        value = row[0]
        try:
            start = int(row[columns.index("START")]) if exact and columns else text.find(value, end)
            stop = int(row[columns.index("END")]) if exact and columns else start + len(value)
        except ValueError:
            problems.append(f"{path}:{line}: START and END must be whole numbers")
            continue
        if start < end or text[start:stop] != value or not value.strip():
            problems.append(f"{path}:{line}: {value!r:.60} does not stand in the text after character {end} as told")
            continue
        yield start, stop
        end = stop


def format_bio(document: Document) -> str:
    r"""Write a document as columns."""
    tokens = document.tokens or ()
    labels: list[Any] = [[]] * len(tokens)
    if document.labels is not None:
        labels = [[label or "O"] for label in document.labels]
    columns = _WRITTEN[: 3 + (document.labels is not None)]
    lines = [f"# global.columns = {' '.join(columns)}"]
    lines += [f"# {key} = {json.dumps(getattr(document, key), ensure_ascii=False)}" for key in ("doc_id", "text")]
    breaks = breaks_before(document.text, tokens)
    for position, ((start, end), label, before) in enumerate(zip(tokens, labels, breaks, strict=True)):
        row = [document.text[start:end], str(start), str(end), *label]
        if any(re.search(r"[\t\n]|\r$", cell) for cell in row) or row[0].startswith(("# ", _START)):
            raise DataError(f"{document.doc_id}: token {position}, {row[0]!r:.60}, has no form in columns.")
        lines += [""] if before > 1 and position else []
        lines.append("\t".join(row))
    return "\n".join(lines) + "\n"
