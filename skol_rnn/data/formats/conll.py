"""CoNLL's columns: one token per line, its label in the last column, a blank line between sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from skol_rnn.data.bio import OUTSIDE, decode_spans, split_label, stray_positions
from skol_rnn.data.document import Document, Repair, breaks_before, with_repairs
from skol_rnn.data.formats.encoding import read_records
from skol_rnn.errors import DataError

_COMMENT = re.compile(r"# (?P<key>[\w.: -]+?) = (?P<value>.*)")
_BLANKS = re.compile(r"[ \t]+")  # no other white space separates columns: a token may hold it
_START = "-DOCSTART-"
_WRITTEN = ("FORM", "START", "END", "LABEL")
_Row = tuple[int, list[str]]  # line of the file, cells


@dataclass
class _Part:
    """The lines of one document: its rows, with None for a blank line."""

    doc_id: str | None = None
    text: str | None = None
    lines: list[_Row | None] = field(default_factory=list)


def read_bio(path: Path, doc_id: str, problems: list[str]) -> list[Document]:
    """Read documents from a file of columns."""
    text, repairs = read_records(path)
    parts, columns = _parts(text, str(path), problems)
    documents = []
    for number, part in enumerate(parts, 1):
        name = part.doc_id or (doc_id if len(parts) == 1 else f"{doc_id}/{number}")
        if document := _document(part, name, columns, str(path), problems):
            documents.append(document)
    return with_repairs(documents, repairs)


def _parts(text: str, path: str, problems: list[str]) -> tuple[list[_Part], tuple[str, ...] | None]:
    """Split a file into documents, and find the column names if it has them."""
    parts = [_Part()]
    columns: tuple[str, ...] | None = None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        comment = _COMMENT.fullmatch(line)
        if comment and comment["key"] == "global.columns":
            columns = tuple(comment["value"].split())
            continue
        starts = line.startswith(_START)
        if (starts or (comment and comment["key"] == "doc_id")) and (parts[-1].lines or parts[-1].doc_id is not None):
            parts.append(_Part())
        if comment and comment["key"] in ("doc_id", "text"):
            _take(comment["key"], comment["value"], parts[-1], f"{path}:{number}", problems)
        elif not starts and not comment:
            cells = line.split("\t") if "\t" in line else _BLANKS.split(line.strip(" "))
            parts[-1].lines.append((number, cells) if line.strip() else None)
    return [part for part in parts if any(part.lines) or part.text], columns


def _take(key: str, value: str, part: _Part, place: str, problems: list[str]) -> None:
    """Keep the name or the text of a document, which we write as JSON; other tools write the text of a sentence bare."""
    if not (value.startswith('"') and value.rstrip().endswith('"')):
        if key == "doc_id":
            part.doc_id = value.strip()
        return
    with suppress(ValueError, RecursionError):
        if isinstance(found := json.loads(value), str):
            setattr(part, key, found)
            return
    problems.append(f'{place}: {value!r:.60} is not a JSON string, such as "..."')


def _document(
    part: _Part, doc_id: str, columns: tuple[str, ...] | None, path: str, problems: list[str]
) -> Document | None:
    rows = [row for row in part.lines if row]
    width = len(columns or (rows[0][1] if rows else ()))
    labelled = width > 1 if columns is None else "LABEL" in columns
    found = [f"{path}:{line}: {len(row)} columns, not {width}" for line, row in rows if len(row) != width]
    for line, row in rows if labelled else ():
        try:
            split_label(row[-1])
        except DataError as error:
            found.append(f"{path}:{line}: {error}")
    if not found:
        # Without a text, there is a space between two tokens, and a line end between sentences.
        sentences = (list(group) for blank, group in groupby(part.lines, key=lambda row: row is None) if not blank)
        joined = "\n".join(" ".join(row[1][0] for row in sentence if row) for sentence in sentences)
        text = joined if part.text is None else part.text
        tokens = tuple(_places(rows, columns, text, path, found))
    if found:
        problems += found
        return None
    if not labelled:
        return Document(doc_id, text, path=path, tokens=tokens)
    labels = tuple(row[-1] for _, row in rows)
    repairs = tuple(
        Repair(path, rows[position][0], "label that continues nothing", f"{labels[position]} begins a span")
        for position in stray_positions(labels)
    )
    spans = tuple(decode_spans(tokens, labels))
    line_at = {start: line for (start, _), (line, _) in zip(tokens, rows, strict=True)}
    sources = tuple((path, line_at[start]) for start, _, _ in spans)
    return Document(doc_id, text, labels, repairs, path, spans, tokens=tokens, sources=sources)


def _places(
    rows: Sequence[_Row], columns: tuple[str, ...] | None, text: str, path: str, problems: list[str]
) -> Iterator[tuple[int, int]]:
    """Find each token in the text."""
    names, end = columns or (), 0
    exact = {"START", "END"} <= set(names)
    for line, row in rows:
        value = row[0]
        try:
            start = int(row[names.index("START")]) if exact else text.find(value, end)
            stop = int(row[names.index("END")]) if exact else start + len(value)
        except ValueError:
            problems.append(f"{path}:{line}: START and END must be whole numbers")
            continue
        if start < end or text[start:stop] != value or not value.strip():
            where = f"at {start} to {stop}" if exact else f"after character {end}"
            problems.append(f"{path}:{line}: {value!r:.60} is not in the text {where}")
            continue
        yield start, stop
        end = stop


def format_bio(document: Document) -> str:
    r"""Write a document as columns."""
    tokens, labels = document.tokens or (), document.labels
    lines = [f"# global.columns = {' '.join(_WRITTEN if labels is not None else _WRITTEN[:3])}"]
    lines += [f"# {key} = {json.dumps(getattr(document, key), ensure_ascii=False)}" for key in ("doc_id", "text")]
    for position, before in enumerate(breaks_before(document.text, tokens)):
        start, end = tokens[position]
        row = [document.text[start:end], str(start), str(end)]
        row += [] if labels is None else [labels[position] or OUTSIDE]
        if any(re.search(r"[\t\n]|\r$", cell) for cell in row) or row[0].startswith(("# ", _START)):
            raise DataError(f"{document.doc_id}: columns cannot store token {position}, {row[0]!r:.60}.")
        lines += [""] if before > 1 and position else []
        lines.append("\t".join(row))
    return "\n".join(lines) + "\n"
