"""CSV and Parquet files of the shared table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skol_rnn.data.document import Document, split_lines
from skol_rnn.data.formats.encoding import INVALID, decode, read_bytes, refuse_damage
from skol_rnn.data.formats.token_table import token_document
from skol_rnn.data.table import check_table
from skol_rnn.errors import DataError

_NUMBERS = ("line_number", "start", "end", "blank_before", "break_before")


class _Row(NamedTuple):
    value: str
    label: str | None
    start: int | None
    blank: int
    page: bool


def read_csv(path: Path, doc_id: str, *, strict: bool = False) -> list[Document]:
    """Read documents from a CSV file of the shared table."""
    decoded = decode(read_bytes(path), str(path))
    if strict:
        refuse_damage(repair for repair in decoded.repairs if repair.kind == INVALID)
    try:
        table = pd.read_csv(io.StringIO(decoded.text), dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        return []
    except (pd.errors.ParserError, ValueError) as error:
        raise DataError(f"{path} is no CSV table: {error}.") from error
    for name in set(_NUMBERS) & set(table.columns):
        table[name] = _whole_numbers(table[name], path)
    if "page_break" in table:
        table["page_break"] = table["page_break"].str.lower().isin(["true", "1"])
    if "label" in table:
        table["label"] = pd.Series([label or None for label in table["label"]], dtype=object)
    return _documents(table, path, doc_id)


def _whole_numbers(column: pd.Series[str], path: Path) -> pd.Series[Any]:
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = ~np.isfinite(numbers) | (numbers % 1 != 0)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(f"{path}: record {row + 1} has {column.iloc[row]!r} for {column.name!r}, not a whole number.")
    return numbers.astype(np.int64)


def read_parquet(path: Path, doc_id: str, *, strict: bool = False) -> list[Document]:
    """Read documents from a Parquet file of the shared table."""
    _require_pyarrow()
    data = read_bytes(path)
    try:
        table = pd.read_parquet(io.BytesIO(data), engine="pyarrow")
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these
        raise DataError(f"{path} is no Parquet table: {error}.") from error
    return _documents(table, path, doc_id)


def _require_pyarrow() -> None:
    try:
        import pyarrow  # noqa: F401  # pandas' own message names no extra of this package
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow: pip install 'skol_rnn[parquet]', or use CSV.") from error


def _documents(table: pd.DataFrame, path: Path, doc_id: str) -> list[Document]:
    if not {"doc_id", "filename"} & set(table.columns):
        table = table.assign(doc_id=doc_id)
    try:
        table = check_table(table)
        return [_document(str(name), rows, str(path)) for name, rows in table.groupby("doc_id", sort=False)]
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _document(doc_id: str, table: pd.DataFrame, path: str) -> Document:
    if "break_before" in table:
        return token_document(doc_id, table, path)
    rows = _without_blank(table)
    values = [row.value for row in rows]
    starts = [row.start for row in rows if row.start is not None]
    if len(starts) < len(rows):
        starts = []
    text = rebuild_text(values, [row.blank for row in rows], [row.page for row in rows], starts or None)
    lines = split_lines(text)
    found = [(text[line.start : line.end], line.start) for line in lines]
    given = list(zip(values, starts or [line.start for line in lines], strict=False))
    if found != given:
        wrong = next((i for i, pair in enumerate(zip(found, given, strict=False)) if pair[0] != pair[1]), 0)
        raise DataError(
            f"document {doc_id!r}: line {wrong}, {values[wrong][:40]!r}, is not one line or does not fit its "
            "offsets; give one line a row, and correct the columns start and end or leave them out."
        )
    labels = tuple(row.label for row in rows) if "label" in table else None
    return Document(doc_id, text, labels, path=path)


def _without_blank(table: pd.DataFrame) -> list[_Row]:
    """Return the rows that hold text; blank ones become blank lines before the next."""
    rows, blank, page = [], 0, False
    labels = table["label"] if "label" in table else [None] * len(table)
    starts = table["start"] if "start" in table else [None] * len(table)
    columns = (table["value"], labels, starts, table["blank_before"], table["page_break"])
    for value, label, start, before, breaks in zip(*columns, strict=True):
        blank, page = blank + int(before), page or bool(breaks)
        if value.strip():
            rows.append(_Row(value, label, None if pd.isna(start) else int(start), blank, page))
            blank, page = 0, False
        else:
            blank, page = blank + 1, page or "\f" in value
    return rows


def rebuild_text(
    values: Sequence[str], blanks: Sequence[int], pages: Sequence[bool], starts: Sequence[int] | None = None
) -> str:
    r"""Make a text whose lines are those of a table."""
    pieces: list[str] = []
    length, before = 0, ""
    for index, (value, blank, page) in enumerate(zip(values, blanks, pages, strict=True)):
        ends = blank + (index > 0)
        room = starts[index] - length - ends if starts and index < len(starts) else 0
        visible = before[len(before.rstrip()) :] + value[: len(value) - len(value.lstrip())]
        gap = _gap(ends, blank, max(room, 0), page and "\f" not in visible, before.endswith("\r"))
        pieces += [gap, value]
        length += len(gap) + len(value)
        before = value
    return "".join(pieces)


def _gap(ends: int, blank: int, room: int, page: bool, after_return: bool) -> str:
    r"""Fill the space between two lines: so many line ends, and ``room`` characters of white space among them."""
    if room == ends and not page:
        return "\r\n" * ends
    if room > 1 and not blank:
        return "\n" * (ends + room)  # a table that does not tell blank lines
    first = ""
    if ends > blank:
        # A carriage return at a line's end would be taken for a part of the line end that follows it.
        first = "\r\n" if after_return or (room and not blank) else "\n"
        room = max(room - len(first) + 1, 0)
    filler = ("\f" if page and blank else "") + " " * (room - 1 if page and blank else room)
    return first + (filler if blank else "") + "\n" * blank


def format_table(
    document: Document,
    labels: Sequence[str | None] | None = None,
    probabilities: Sequence[Sequence[float]] | None = None,
    *,
    kind: str = "csv",
) -> bytes:
    """Turn a document into the bytes of a CSV or Parquet file."""
    table = document.table()
    if labels is not None:
        column = pd.Series(list(labels), dtype=object)
        table = table.assign(label=column) if "label" in table else table.copy()
        if "label" not in table:
            table.insert(3, "label", column)
    if probabilities is not None:
        vectors = [[float(p) for p in line] for line in probabilities]
        table["probabilities"] = [json.dumps(v) for v in vectors] if kind == "csv" else vectors
    if kind == "csv":
        return table.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").encode("utf-8")
    _require_pyarrow()
    buffer = io.BytesIO()
    table.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()
