"""The shared table, one row per line or token, as a DataFrame or as columns by name; columns need no pandas."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.labels import plural, suggestion

if TYPE_CHECKING:
    import pandas as pd

Lines: TypeAlias = "pd.DataFrame | Mapping[str, Any]"
"""The shared table: a DataFrame, or columns by name."""


_LARGEST = 2**53  # the largest whole number up to which a float has them all
_FLAGS = {"": False, "0": False, "0.0": False, "false": False, "1": True, "1.0": True, "true": True}


def lengths_of(table: Lines) -> list[int]:
    """Count the rows of each document, in the order of the table."""
    names = np.asarray(table["doc_id"], dtype=object)
    ends = np.append(np.flatnonzero(names[1:] != names[:-1]) + 1, len(names))
    return np.diff(ends, prepend=0).tolist() if len(names) else []


def document_texts(table: Lines) -> dict[str, str]:
    """Return the text of each document, its rows joined by line ends, by document name."""
    names, values = np.asarray(table["doc_id"], dtype=object), np.asarray(table["value"], dtype=object)
    ends = np.cumsum(lengths_of(table), dtype=np.int64).tolist()
    return {str(names[a]): "\n".join(values[a:b]) for a, b in zip([0, *ends], ends, strict=False)}


def text_hashes(table: Lines) -> dict[str, str]:
    """Return the SHA-256 of each document's text by document name."""
    return {
        name: hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        for name, text in document_texts(table).items()
    }


def rows_of(table: Lines, start: int, end: int) -> Lines:
    """Return rows ``start`` to ``end`` as the same kind of table."""
    if isinstance(table, Mapping):
        return {name: column[start:end] for name, column in table.items()}
    return table.iloc[start:end]


def whole_documents(table: Lines, lines: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of chunks of whole documents with at least ``lines`` rows each, the last one excepted."""
    start = end = 0
    for length in lengths_of(table):
        end += length
        if end - start >= lines:
            yield start, end
            start = end
    if end > start:
        yield start, end


def is_missing(value: object) -> bool:
    """Return whether a value is None, NaN or another of pandas' missing values."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # pd.NA has no truth value
        return True
    except ValueError:  # nor has an array
        return False


def require_column(table: Lines, name: str) -> None:
    """Raise a DataError that suggests the nearest column if the table has no column of this name."""
    if name not in table:
        columns = [str(column) for column in table]
        hint = suggestion(name, columns)
        raise DataError(f"The table has no column {name!r}, only {', '.join(columns)}.{hint}")


def document_names(table: Lines) -> list[str]:
    """Return the document name of each row, from column ``doc_id`` or else ``filename``; numbers become their digits."""
    column = "filename" if "doc_id" not in table and "filename" in table else "doc_id"
    require_column(table, column)
    values = list(table[column])
    # The rows of a document usually share one object, which is looked at once.
    objects = np.fromiter(map(id, values), np.int64, len(values))
    ends = [*(np.flatnonzero(objects[1:] != objects[:-1]) + 1).tolist(), len(values)]
    names: list[str] = []
    spelt: dict[str, str | int] = {}
    for end in ends if values else ():
        row, value = len(names), values[len(names)]
        key = name_key(value)
        if is_missing(value) or (isinstance(key, str) and not key.strip()):
            raise DataError(f"Column {column!r} is empty in row {row}: name each row's document.")
        if key is None:
            shown = f"{value!r:.60}, neither text nor a whole number"
            raise DataError(f"Row {row} of column {column!r} holds {shown}: name documents by text.")
        names += [name := str(key)] * (end - row)
        if (first := spelt.setdefault(name.strip(), key)) != key:
            raise DataError(
                f"Row {row} of column {column!r} holds {value!r:.60}, another row {first!r:.60}: "
                "write the name of a document in one way."
            )
    return names


def name_key(value: object) -> str | int | None:
    """Return a name that is text as text and one that is a whole number as int, None for all else."""
    if isinstance(value, (str, PurePath)):
        return str(value)
    if isinstance(value, (bool, np.bool_)):
        return None
    if isinstance(value, (int, np.integer)):
        return int(value)
    # A float above 2**53 may be the nearest one to several whole numbers.
    number = float(value) if isinstance(value, (float, np.floating)) else float("nan")
    return int(number) if number % 1 == 0 and abs(number) <= _LARGEST else None


def check_texts(values: Iterable[object], name: str, *, none_allowed: bool = False) -> None:
    """Raise a DataError for the first value of a column that is not a str."""
    values = list(values)
    if set(map(type, values)) <= {str}:
        return
    wrong = [i for i, value in enumerate(values) if not (isinstance(value, str) or (none_allowed and value is None))]
    if wrong:
        shown = f"{values[wrong[0]]!r}, not text ({len(wrong)} such rows)"
        raise DataError(f"Row {wrong[0]} of column {name!r} holds {shown}.")


def whole_numbers(values: Iterable[Any], name: str) -> np.ndarray:
    """Return a column of whole numbers from 0 on as int64; missing ones are 0."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":  # checked at once
        if values.min(initial=0) >= 0 and values.max(initial=0) <= _LARGEST:
            return values.astype(np.int64)
    numbers = []
    for row, value in enumerate(values):
        number = 0.0 if is_missing(value) else _number(value)
        if not (0 <= number <= _LARGEST and number % 1 == 0):
            raise DataError(f"Row {row} of column {name!r} holds {value!r:.60}, not a whole number from 0 to 2**53.")
        numbers.append(int(number))
    return np.array(numbers, dtype=np.int64)


def flags(values: Iterable[Any], name: str) -> np.ndarray:
    """Return a column of truth values, also written as 0, 1, true or false; missing ones are False."""
    if isinstance(values, np.ndarray) and values.dtype == np.bool_:
        return values
    found = []
    for row, value in enumerate(values):
        key = "" if is_missing(value) else str(value).strip().lower()
        if key not in _FLAGS:
            raise DataError(f"Row {row} of column {name!r} holds {value!r:.60}, not true or false.")
        found.append(_FLAGS[key])
    return np.array(found, dtype=np.bool_)


def _number(value: object) -> float:
    """Return a value as a number, NaN if it is none."""
    if isinstance(value, (bool, np.bool_)):
        return float("nan")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def document_order(
    documents: Sequence[str], numbers: Sequence[Any] | np.ndarray | None, line_no_col: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the order that sorts rows by document (first seen first) and line number, and the new line numbers."""
    seen = {name: code for code, name in enumerate(dict.fromkeys(documents))}
    codes = np.fromiter(map(seen.__getitem__, documents), np.int64, len(documents))
    places = np.arange(len(codes)) if numbers is None else _line_numbers(numbers, line_no_col)
    order = np.lexsort((places, codes))
    repeated = order[1:][(np.diff(codes[order]) == 0) & (np.diff(places[order]) == 0)]
    if len(repeated) and numbers is not None:
        row = int(repeated.min())
        problem = f"Line number {np.asarray(numbers)[row]} occurs twice in document {documents[row]!r} (row {row})"
        raise DataError(f"{problem}: number all its lines, or drop column {line_no_col!r} if the rows are in order.")
    counts = np.bincount(codes)
    return order.astype(np.int64), np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)


def _line_numbers(column: Any, name: str) -> np.ndarray:
    """Return line numbers as a numeric array, or raise a DataError for the first that is not a whole number."""
    values: np.ndarray = np.asarray(column)
    if values.dtype.kind in "iu":
        return values
    numbers = np.array([_number(value) for value in values], dtype=np.float64)
    wrong = np.flatnonzero(~((np.abs(numbers) <= _LARGEST) & (np.trunc(numbers) == numbers)))
    if len(wrong):
        shown = f"{values.tolist()[wrong[0]]!r:.60}, not a line number, which is whole and at most 2**53"
        raise DataError(f"Row {wrong[0]} of column {name!r} holds {shown}.")
    return numbers


_EXTRA: tuple[tuple[str, Any, type], ...] = (
    ("blank_before", whole_numbers, np.int64),
    ("page_break", flags, np.bool_),
    ("break_before", whole_numbers, np.int64),
)
"""Optional columns, how they are checked, and their types."""
_LONG = 8  # letters: in shorter names one letter makes another word


def _refuse_misnamed(table: Lines, line_no_col: str) -> None:
    """Raise a DataError if a column that would be ignored is one of the shared table in another spelling."""
    optional = (line_no_col, "attachment_name", *(name for name, _, _ in _EXTRA))
    wanted = [name for name in ("doc_id", "value", *optional) if name not in table]
    for name in getattr(getattr(table, "index", None), "names", ()):
        if name in wanted or (name == "filename" and "doc_id" in wanted):
            raise DataError(f"{name!r} is the index of the table: call reset_index() first.")
    for name in wanted:
        refuse_other_spelling(table, name)


def refuse_other_spelling(table: Lines, name: str) -> None:
    """Raise a DataError if the table has no column of this name, but one that looks like it."""
    for column in () if name in table else table:
        if isinstance(column, str) and _is_misnamed(column, name):
            raise DataError(f"Column {column!r} is not {name!r}: rename it, or drop it.")


@lru_cache  # small tables would spend most of their time here
def _is_misnamed(column: str, name: str) -> bool:
    """Return whether a column differs from a name only in case, blanks and signs, or in a letter of a long name."""
    if column == name:
        return False
    one, other = ("".join(filter(str.isalnum, text.casefold())) for text in (column, name))
    return one == other or (len(other) >= _LONG and difflib.SequenceMatcher(None, one, other).ratio() > 0.85)


def _offsets(table: Lines, order: np.ndarray, documents: Sequence[str]) -> dict[str, np.ndarray]:
    """Check the columns ``start`` and ``end``, if there are both; return them unless some are missing."""
    if "start" not in table or "end" not in table:
        return {}
    given = {name: np.asarray(table[name]) for name in ("start", "end")}
    numbers = {name: whole_numbers(values, name) for name, values in given.items()}
    if any(is_missing(value) for values in given.values() if values.dtype.kind not in "iu" for value in values):
        return {}
    start, end = numbers["start"][order], numbers["end"][order]
    for row in order[start > end]:
        raise DataError(
            f"Row {row}: column 'end' is {numbers['end'][row]}, less than 'start', {numbers['start'][row]}."
        )
    for row, before in zip(order[1:][np.diff(start) < 0], order[:-1][np.diff(start) < 0], strict=True):
        if documents[row] == documents[before]:
            raise DataError(
                f"Row {row} comes after row {before} in document {documents[row]!r}, but column 'start' has them in "
                "the other order: correct the line numbers, or drop the columns start and end."
            )
    return {"start": start, "end": end}


def checked_columns(table: Lines, line_no_col: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Check the columns of the shared form; return them in document order, and that order."""
    _refuse_misnamed(table, line_no_col)
    documents = document_names(table)
    if "attachment_name" in table:  # each attachment of a record is a document
        attachments = ["" if is_missing(name) else str(name) for name in table["attachment_name"]]
        documents = [f"{name}/{attachment}" for name, attachment in zip(documents, attachments, strict=True)]
    require_column(table, "value")
    check_texts(table["value"], "value")
    if line_no_col not in table and "line_number" in table:
        line_no_col = "line_number"  # files and documents number their lines so
    elif line_no_col != "line_number":
        require_column(table, line_no_col)
    numbers = np.asarray(table[line_no_col]) if line_no_col in table else None
    order, line_numbers = document_order(documents, numbers, line_no_col)
    columns = {"doc_id": object_array(documents)[order], "value": object_array(table["value"])[order]}
    if "label" in table:
        labels = [None if is_missing(label) else label for label in table["label"]]
        check_texts(labels, "label", none_allowed=True)
        columns["label"] = object_array(labels)[order]
    columns |= {"line_number": line_numbers} | _offsets(table, order, documents)
    for name, converted, kind in _EXTRA:
        if name in table:
            columns[name] = converted(table[name], name)[order]
        elif name != "break_before":  # only tokens have it
            columns[name] = np.zeros(len(order), kind)
    return columns, order


def shared_columns(table: Mapping[str, Any], *, line_no_col: str = "line_number") -> dict[str, np.ndarray]:
    """Check columns and bring them into the shared form, as ``check_table`` does for a DataFrame."""
    columns = {name: array_of(values) for name, values in table.items()}
    same_length(columns)
    checked, order = checked_columns(columns, line_no_col)
    columns.pop("attachment_name", None)
    others = {name: values[order] for name, values in columns.items() if name not in checked}
    return others | checked | {"order": order}


def same_length(columns: Mapping[Any, Sequence[Any] | np.ndarray]) -> None:
    """Raise a DataError if columns differ in length, from ``value`` if there is one."""
    first = "value" if "value" in columns else next(iter(columns), None)
    for name, values in columns.items():
        if len(values) != len(columns[first]):
            raise DataError(
                f"Column {name!r} has {plural(len(values), 'row')}, but {first!r} has {len(columns[first])}."
            )


def array_of(values: Sequence[Any] | np.ndarray) -> np.ndarray:
    """Return a column as a one-dimensional array; what is in a list stays a Python object."""
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind not in "US":
        return values
    return object_array(values)


def object_array(values: Iterable[Any]) -> np.ndarray:
    """Return a one-dimensional array of Python objects."""
    values = list(values)
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def check_table(table: pd.DataFrame, *, line_no_col: str = "line_number") -> pd.DataFrame:
    """Check a caller's table and bring it into the shared form, in document order."""
    import pandas as pd

    if len(twice := table.columns[table.columns.duplicated()]):
        raise DataError(f"The table has two columns {twice[0]!r}: rename or drop one.")
    columns, order = checked_columns(table, line_no_col)
    result = table.drop(columns="attachment_name", errors="ignore").iloc[order].reset_index(drop=True)
    # Without a dtype pandas would use its own string type, and NaN instead of None.
    for name, values in columns.items():
        result[name] = pd.Series(values, dtype=values.dtype)
    return result.assign(order=order)


def none_for_missing(labels: pd.Series[Any]) -> pd.Series[Any]:
    """Return labels with None for every missing value."""
    import pandas as pd

    return pd.Series([None if is_missing(label) else label for label in labels], dtype=object, index=labels.index)


def collapse_labels(labels: Sequence[str | None] | pd.Series[Any], keep: Sequence[str], other: str) -> list[str]:
    """Keep some labels and replace all others, missing ones included, by ``other``."""
    if isinstance(keep, str):
        raise TypeError(f"keep must be a list of labels: keep=[{keep!r}].")
    kept = frozenset(keep)
    return [label if isinstance(label, str) and label in kept else other for label in labels]
