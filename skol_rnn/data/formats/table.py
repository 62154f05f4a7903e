"""CSV and Parquet files of the shared table, and the documents that its rows make up."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from skol_rnn.data.bio import split_label
from skol_rnn.data.document import Document, split_lines, with_repairs
from skol_rnn.data.formats.encoding import read_bytes, read_records
from skol_rnn.data.probabilities import by_label
from skol_rnn.data.table import check_table, is_missing, refuse_other_spelling, require_column, whole_numbers
from skol_rnn.errors import DataError
from skol_rnn.labels import plural, suggestion

try:
    import pandas as pd
except ImportError as error:
    raise ImportError("CSV and Parquet need pandas: pip install pandas, or use YEDDA, text or JSON lines.") from error

_NUMBERS = ("line_number", "start", "end", "blank_before", "break_before")
_ROWS, _ROWS_PER_BYTE = 1_000_000, 2  # most rows of a Parquet file
_SPACE, _SPACE_PER_CHARACTER = 1_000_000, 100  # most white space that offsets and blank lines may add to a file
_ROW = re.compile(r"(?i)\brow ([0-9]+)\b")  # in a message about a table
_GAPS = ("", " ", "\n", "\n\n")  # text before a token by its break_before


class LineRow(NamedTuple):
    """A row that is a line: its text and what precedes it; ``start`` is None if the table has no offsets."""

    value: str
    blank: int
    page: bool
    start: int | None = None
    label: str | None = None
    row: int = 0


def read_csv(path: Path, doc_id: str) -> list[Document]:
    """Read documents from a CSV file of the shared table."""
    text, repairs = read_records(path)
    header, rows, lines = _records(text, path)
    if not header:
        return []
    columns = zip(*rows, strict=True) if rows else ([] for _ in header)
    table = pd.DataFrame(
        {name: pd.Series(list(column), dtype=object) for name, column in zip(header, columns, strict=True)}
    )
    for name in {*_NUMBERS, "doc_id", "filename", "label"} & set(table.columns):
        table[name] = pd.Series([value or None for value in table[name]], dtype=object)
    return with_repairs(_documents(table, path, doc_id, lines), repairs)


def _records(text: str, path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Return the header of a CSV text, its records, each as wide as the header, and the lines where they begin."""
    header: list[str] = []
    rows: list[list[str]] = []
    lines: list[int] = []
    limit = csv.field_size_limit(max(len(text), 1))  # a document may be one field
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for record in reader:
            where = f"{path}:{line}: record {len(rows) + 1}"
            if not header:
                header = record
                _check_header(record, path)
            elif record == header:
                raise DataError(f"{where} is the header again: remove it, or give each table its own file.")
            elif record and len(record) != len(header):
                fields = f"{plural(len(record), 'field')}"
                raise DataError(f"{where} has {fields}, but the header has {len(header)}: {record!r:.80}")
            elif record:
                rows.append(record)
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        how = "a quotation mark that is not closed" if "end of data" in str(error) else str(error)
        problem = f"the record that begins here is not CSV: {how}"
        raise DataError(f"{path}:{line}: {problem}; double the quotation marks within a quoted field.") from error
    finally:
        csv.field_size_limit(limit)
    return header, rows, lines


def _check_header(header: Sequence[str], path: Path) -> None:
    if len(header) == 1 and (other := next((c for c in ";\t|" if c in header[0]), "")):
        raise DataError(f"{path}:1: the columns are separated by {other!r}: separate them by commas.")
    if twice := [name for name, count in Counter(header).items() if count > 1]:
        raise DataError(f"{path}:1: the header has two columns {twice[0]!r:.60}: rename one.")
    if "value" not in header:
        only = f"only {', '.join(map(repr, header)):.200}"
        how = "begin the file with a header, such as doc_id,value,label"
        raise DataError(f"{path}:1: there is no column 'value', {only}: {how}.{suggestion('value', header)}")


def read_parquet(path: Path, doc_id: str) -> list[Document]:
    """Read documents from a Parquet file of the shared table."""
    require_libraries("parquet")
    data = read_bytes(path)
    # pyarrow raises errors of many classes
    try:
        _refuse_many_rows(path, data)
        table = pd.read_parquet(io.BytesIO(data), engine="pyarrow")
    except DataError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(f"{path} holds text that is not UTF-8: write it as UTF-8.") from error
    except Exception as error:
        raise DataError(f"{path} is not a Parquet table, or it is damaged: write it again.") from error
    texts = [name for name in table.columns if isinstance(table[name].dtype, pd.StringDtype)]
    try:
        table = table.astype(dict.fromkeys(texts, object))  # decodes them
    except Exception as error:
        raise DataError(f"{path} holds text that is not UTF-8: write it as UTF-8.") from error
    if any(name is not None for name in table.index.names):
        table = table.reset_index()  # a named index is a column
    return _documents(table, path, doc_id)


def _refuse_many_rows(path: Path, data: bytes) -> None:
    """Refuse a file whose equal rows are packed into next to nothing, before they take memory."""
    from pyarrow.parquet import ParquetFile

    rows = ParquetFile(io.BytesIO(data)).metadata.num_rows
    if rows > _ROWS + _ROWS_PER_BYTE * len(data):
        raise DataError(f"{path} has {rows:,} rows in {len(data):,} bytes, too many for its size: write it as CSV.")


def require_libraries(format: str) -> None:
    """Check that what reads and writes a format of tables is installed."""
    if format != "parquet":
        return
    try:
        import pyarrow  # noqa: F401  # pandas' own message does not name our extra
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow: pip install 'skol_rnn[parquet]', or use CSV.") from error


def _documents(table: pd.DataFrame, path: Path, doc_id: str, lines: Sequence[int] = ()) -> list[Document]:
    """Make documents of a table; ``lines`` are those of its rows in the file, for error messages."""
    try:
        for name in ("doc_id", "label"):
            refuse_other_spelling(table, name)
        require_column(table, "value")
        if not {"doc_id", "filename"} & set(table.columns):
            table = table.assign(doc_id=doc_id)
        offsets = {name: _offsets(table[name], name) for name in ("start", "end") if name in table}
        table = check_table(table.assign(**offsets))
        _refuse_huge_gaps(table)
        make = _of_tokens if "break_before" in table else _of_lines
        return [make(str(name), rows, str(path)) for name, rows in table.groupby("doc_id", sort=False)]
    except DataError as error:
        row = _ROW.search(str(error)) if lines else None
        place = f"{path}:{lines[int(row[1])]}" if row else str(path)
        raise DataError(f"{place}: {error}") from error


def _offsets(column: pd.Series[Any], name: str) -> Any:
    """Return offsets as whole numbers, or missing."""
    numbers = whole_numbers(column, name)
    return pd.array([None if is_missing(v) else int(n) for v, n in zip(column, numbers, strict=True)], dtype="Int64")


def _refuse_huge_gaps(table: pd.DataFrame) -> None:
    """Refuse offsets and blank lines that would make a text far larger than the table."""
    size = int(table["value"].str.len().sum())
    ends = table.groupby("doc_id", sort=False)["start"].max().sum() if "start" in table else 0
    space = int(ends) + int(table["blank_before"].sum())
    if space > _SPACE + _SPACE_PER_CHARACTER * size:
        raise DataError(
            f"columns start and blank_before ask for {space:,} characters, but the values have {size:,}; "
            "correct these columns or drop them."
        )


def _column(table: pd.DataFrame, name: str) -> list[Any]:
    return table[name].tolist() if name in table else [None] * len(table)


def _of_tokens(doc_id: str, table: pd.DataFrame, path: str) -> Document:
    r"""Make a document whose rows are tokens."""
    pieces: list[str] = []
    tokens: list[tuple[int, int]] = []
    problems, length = [], 0
    columns = (_column(table, name) for name in ("value", "start", "end", "break_before", "label", "order"))
    for row, (value, start, end, before, label, number) in enumerate(zip(*columns, strict=True)):
        if pd.isna(start):
            gap = _GAPS[max(0, min(int(before), 3))] if row else ""
        else:
            gap = _token_gap(int(start) - length, int(before) if row else 0)
            touches = row > 0 and before > 0 and not gap
            if touches or int(start) != length + len(gap) or (not pd.isna(end) and int(end) - int(start) != len(value)):
                reason = f"does not fit its offsets {start} and {end} or break_before"
                problems.append(f"token {row}, {value!r:.40}, {reason} (row {number})")
        if not value.strip():
            problems.append(f"token {row} is blank (row {number})")
        try:
            split_label(label)
        except DataError as error:
            problems.append(f"row {number}: {str(error).rstrip('.')}")
        pieces += [gap, value]
        tokens.append((length + len(gap), length + len(gap) + len(value)))
        length = tokens[-1][1]
    if problems:
        raise DataError(f"document {doc_id!r:.80}: {'; '.join(problems)}")
    labels = tuple(table["label"]) if "label" in table else None
    return Document(doc_id, "".join(pieces), labels, path=path, tokens=tuple(tokens))


def _token_gap(room: int, before: int) -> str:
    r"""Return ``room`` characters with the line ends that ``break_before`` asks for, and spaces."""
    ends = max(before - 1, 0)
    if ends and room == 2 * ends:
        return "\r\n" * ends
    return "\n" * ends + " " * max(room - ends, 0)


def _of_lines(doc_id: str, table: pd.DataFrame, path: str) -> Document:
    r"""Make a document whose rows are lines."""
    rows = _without_blank(table)
    if any(row.start is None for row in rows):
        rows = [row._replace(start=None) for row in rows]
    text = rebuild_text(rows)
    lines = split_lines(text)
    fits = [
        text[line.start : line.end] == row.value and row.start in (None, line.start)
        for line, row in zip(lines, rows, strict=False)
    ]
    if len(lines) != len(rows) or not all(fits):
        wrong = fits.index(False) if False in fits else 0
        value, number = rows[wrong].value, rows[wrong].row
        if "\n" in value:
            problem = f"holds {value!r:.60}, which is not one line: give each line a row of its own"
        else:
            problem = f"{value!r:.60} does not fit its offsets: correct the columns start and end or drop them"
        raise DataError(f"document {doc_id!r:.80}: row {number} {problem}.")
    labels = tuple(row.label for row in rows) if "label" in table else None
    return Document(doc_id, text, labels, path=path)


def _without_blank(table: pd.DataFrame) -> list[LineRow]:
    """Return the rows that hold text; blank rows become blank lines before the next one."""
    rows, blank, page = [], 0, False
    columns = (_column(table, name) for name in ("value", "label", "start", "blank_before", "page_break", "order"))
    for value, label, start, before, breaks, number in zip(*columns, strict=True):
        blank, page = blank + int(before), page or bool(breaks)
        if value.strip():
            rows.append(LineRow(value, blank, page, None if pd.isna(start) else int(start), label, int(number)))
            blank, page = 0, False
        else:
            blank, page = blank + 1, page or "\f" in value
    return rows


def rebuild_text(rows: Sequence[LineRow]) -> str:
    r"""Make a text whose lines are those of a table."""
    pieces: list[str] = []
    length, before = 0, ""
    for index, (value, blank, page, start, *_) in enumerate(rows):
        ends = blank + (index > 0)
        room = 0 if start is None else start - length - ends
        visible = before[len(before.rstrip()) :] + value[: len(value) - len(value.lstrip())]
        gap = _line_gap(ends, blank, max(room, 0), page and "\f" not in visible, before.endswith("\r"))
        pieces += [gap, value]
        length += len(gap) + len(value)
        before = value
    return "".join(pieces)


def _line_gap(ends: int, blank: int, room: int, page: bool, after_return: bool) -> str:
    r"""Return the text between two lines: ``ends`` line ends with ``room`` characters of white space among them."""
    if room == ends and not page:
        return "\r\n" * ends
    if room > 1 and not blank:
        return "\n" * (ends + room)  # the table does not count blank lines
    first = ""
    if ends > blank:
        # A carriage return at the end of a line would be read as part of the line end that follows.
        first = "\r\n" if after_return or (room and not blank) else "\n"
        room = max(room - len(first) + 1, 0)
    filler = ("\f" if page and blank else "") + " " * (room - 1 if page and blank else room)
    return first + (filler if blank else "") + "\n" * blank


def format_table(
    document: Document, probabilities: Sequence[Sequence[float]] | None = None, *, kind: str = "csv"
) -> bytes:
    """Turn a document into the bytes of a CSV or Parquet file."""
    table = document.table()
    columns = by_label(probabilities)
    if columns is not None:
        table = table.assign(**{f"p({label})": shares for label, shares in columns.items()})
    elif probabilities is not None:
        vectors = [[float(p) for p in line] for line in probabilities]
        table["probabilities"] = [json.dumps(v) for v in vectors] if kind == "csv" else vectors
    if kind == "csv":
        return table.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").encode("utf-8")
    require_libraries("parquet")
    buffer = io.BytesIO()
    table.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()
