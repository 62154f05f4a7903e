"""The shared table as plain columns: what prediction does with it needs NumPy and no pandas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.labels import suggestion

if TYPE_CHECKING:
    import pandas as pd

    Lines = pd.DataFrame | Mapping[str, Any]
    """The table that everything shares: a DataFrame, or columns by name."""


def lengths_of(table: Lines) -> list[int]:
    """Count the lines of each document, in the table's order."""
    names = np.asarray(table["doc_id"], dtype=object)
    ends = np.append(np.flatnonzero(names[1:] != names[:-1]) + 1, len(names))
    return np.diff(ends, prepend=0).tolist() if len(names) else []


def rows_of(table: Lines, start: int, end: int) -> Lines:
    """Return some rows of the table, of the kind that it is."""
    if isinstance(table, Mapping):
        return {name: column[start:end] for name, column in table.items()}
    return table.iloc[start:end]


def whole_documents(table: Lines, lines: int) -> Iterator[tuple[int, int]]:
    """Cut the table between documents."""
    start = end = 0
    for length in lengths_of(table):
        end += length
        if end - start >= lines:
            yield start, end
            start = end
    if end > start:
        yield start, end


def is_missing(value: object) -> bool:
    """Tell None, NaN, and pandas' marks for what is missing."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas' NA, which is neither equal to itself nor not
        return True


def shared_columns(table: Mapping[str, Any], *, line_no_col: str = "line_number") -> dict[str, np.ndarray]:
    """Check columns and bring them into the shared form, as ``check_table`` does for a DataFrame."""
    name = "filename" if "doc_id" not in table and "filename" in table else "doc_id"
    for needed in (name, "value"):
        if needed not in table:
            hint = suggestion(needed, map(str, table))
            raise DataError(f"The table has no column {needed!r}, only {', '.join(map(str, table))}.{hint}")
    columns = {column: _array(values) for column, values in table.items()}
    n_lines = len(columns["value"])
    for column, values in columns.items():
        if len(values) != n_lines:
            raise DataError(f"Column {column!r} has {len(values)} rows, but 'value' has {n_lines}.")
    wrong = [row for row, value in enumerate(columns["value"]) if not isinstance(value, str)]
    if wrong:
        value = columns["value"][wrong[0]]
        raise DataError(f"Row {wrong[0]} of column 'value' holds {value!r}, not text ({len(wrong)} such rows).")
    codes = _document_codes(columns[name], name)
    numbers = _line_numbers(columns[line_no_col], codes, line_no_col) if line_no_col in columns else np.arange(n_lines)
    order = np.lexsort((numbers, codes))
    columns["doc_id"] = np.array([str(document) for document in columns[name]], dtype=object)
    for column, kind in (("blank_before", np.int64), ("page_break", np.bool_)):
        columns[column] = columns[column].astype(kind) if column in columns else np.zeros(n_lines, kind)
    columns = {column: values[order] for column, values in columns.items()}
    _, first, codes = np.unique(codes[order], return_index=True, return_inverse=True)
    return columns | {"line_number": np.arange(n_lines) - first[codes], "order": order.astype(np.int64)}


def _array(values: Sequence[Any]) -> np.ndarray:
    """Return a column as an array of one axis, cells that are lists or texts as they are."""
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind not in "US":
        return values
    if len(values) and isinstance(values[0], (bool, int, float, np.generic)):
        return np.asarray(values)
    array = np.empty(len(values), dtype=object)
    array[:] = list(values)
    return array


def _document_codes(documents: np.ndarray, name: str) -> np.ndarray:
    """Give each row the number of its document, in order of first appearance."""
    try:
        distinct = dict.fromkeys(documents.tolist())
    except TypeError:  # lists, say, which are told apart by how they are written
        return _document_codes(np.array([str(document) for document in documents], dtype=object), name)
    for document in distinct:
        if is_missing(document):
            row = next(row for row, other in enumerate(documents) if is_missing(other))
            raise DataError(f"Column {name!r} is empty in row {row}: name each row's document.")
    number = {text: code for code, text in enumerate(dict.fromkeys(map(str, distinct)))}
    code_of = {document: number[str(document)] for document in distinct}
    return np.fromiter(map(code_of.__getitem__, documents.tolist()), np.int64, len(documents))


def _line_numbers(given: np.ndarray, codes: np.ndarray, name: str) -> np.ndarray:
    try:
        numbers = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"Column {name!r} holds what is no line number ({error}).") from error
    if np.isnan(numbers).any():
        row = int(np.argmax(np.isnan(numbers)))
        raise DataError(f"Row {row} of column {name!r} holds {given[row]!r}, not a line number.")
    order = np.lexsort((numbers, codes))
    twice = (np.diff(codes[order]) == 0) & (np.diff(numbers[order]) == 0)
    if twice.any():
        row = int(order[int(np.argmax(twice)) + 1])
        raise DataError(
            f"Line number {given[row]} occurs twice in a document (row {row}): number the lines through the whole "
            f"document, or leave column {name!r} out where the rows are in order."
        )
    return numbers
