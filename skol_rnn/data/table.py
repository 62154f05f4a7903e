"""The table that everything shares, one row per line or token: made from whatever holds documents, and checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skol_rnn.data.document import Corpus, Document, nones
from skol_rnn.data.spans import SpanRules
from skol_rnn.data.tokens import Tokeniser, by_unit
from skol_rnn.errors import DataError
from skol_rnn.labels import suggestion

if TYPE_CHECKING:
    from numpy.typing import NDArray


def check_table(table: pd.DataFrame, *, need_labels: bool = False, line_no_col: str = "line_number") -> pd.DataFrame:
    """Check a caller's table and bring it into the shared form."""
    doc_ids = _doc_ids(table)
    require_column(table, "value")
    _check_text(table["value"], "value")
    if need_labels:
        require_column(table, "label")
    codes, _ = pd.factorize(doc_ids)
    numbers = table[line_no_col].to_numpy() if line_no_col in table else np.arange(len(table))
    order = np.lexsort((_checked_numbers(numbers, doc_ids, line_no_col), codes))
    result = table.assign(doc_id=doc_ids, value=table["value"].astype(object))
    if "label" in table:
        result["label"] = _checked_labels(table["label"])
    result = result.iloc[order].drop(columns="attachment_name", errors="ignore").reset_index(drop=True)
    result["line_number"] = result.groupby("doc_id", sort=False).cumcount().astype(np.int64)
    for name, kind in (("blank_before", np.int64), ("page_break", np.bool_), ("break_before", np.int64)):
        if name == "break_before" and name not in result:
            continue  # rows are lines
        result[name] = result[name].fillna(0).astype(kind) if name in result else np.zeros(len(result), kind)
    return result.assign(order=order.astype(np.int64))


def require_column(table: pd.DataFrame, name: str) -> None:
    """Raise a DataError that names the nearest column if there is none of this name."""
    if name not in table:
        hint = suggestion(name, map(str, table.columns))
        raise DataError(f"The table has no column {name!r}, only {', '.join(map(str, table.columns))}.{hint}")


def _doc_ids(table: pd.DataFrame) -> pd.Series[Any]:
    """Return the name of each row's document; attachments of one record are documents of their own."""
    name = "filename" if "doc_id" not in table and "filename" in table else "doc_id"
    require_column(table, name)
    empty = table[name].isna()
    if empty.any():
        raise DataError(f"Column {name!r} is empty in row {int(np.argmax(empty))}: name each row's document.")
    doc_ids = table[name].astype(str).astype(object)
    if "attachment_name" in table:
        doc_ids = doc_ids + "/" + table["attachment_name"].fillna("").astype(str)
    return doc_ids.astype(object)


def _check_text(column: pd.Series[Any], name: str) -> None:
    wrong = [i for i, value in enumerate(column) if not isinstance(value, str)]
    if wrong:
        value = column.iloc[wrong[0]]
        raise DataError(f"Row {wrong[0]} of column {name!r} holds {value!r}, not text ({len(wrong)} such rows).")


def _checked_labels(labels: pd.Series[Any]) -> pd.Series[Any]:
    labels = nones(labels)
    _check_text(labels.dropna(), "label")
    return labels


def _checked_numbers(numbers: NDArray[Any], doc_ids: pd.Series[Any], name: str) -> NDArray[Any]:
    parsed = pd.to_numeric(pd.Series(numbers), errors="coerce")
    if parsed.isna().any():
        row = int(np.argmax(parsed.isna()))
        raise DataError(f"Row {row} of column {name!r} holds {numbers[row]!r}, not a line number.")
    twice = pd.DataFrame({"doc_id": doc_ids.to_numpy(), "number": parsed}).duplicated().to_numpy()
    if twice.any():
        row = int(np.argmax(twice))
        raise DataError(
            f"Line number {numbers[row]} occurs twice in document {doc_ids.iloc[row]!r} (row {row}): number the lines "
            f"through the whole document, or leave column {name!r} out where the rows are in order."
        )
    return parsed.to_numpy()


def as_table(
    data: object,
    *,
    line_no_col: str = "line_number",
    unit: str = "line",
    tokeniser: Tokeniser | None = None,
    rules: SpanRules | None = None,
) -> pd.DataFrame:
    """Turn whatever holds documents into the shared table."""
    from skol_rnn.data.reading import read_documents  # formats build on this module

    if isinstance(data, pd.DataFrame):
        return check_table(data, line_no_col=line_no_col)
    if isinstance(data, Corpus):
        # Rows that are as they should be stay as they are: the corpus may have been read under other rules.
        if data.unit != unit or tokeniser is not None or rules is not None:
            data = Corpus(tuple(by_unit(document, unit, tokeniser, rules) for document in data))
        return check_table(data.table)
    if isinstance(data, (str, Path)):
        return check_table(read_documents(data, unit=unit, tokeniser=tokeniser, rules=rules).table)
    if not isinstance(data, (list, tuple, np.ndarray)):
        raise TypeError(f"Give a table, a corpus, path(s) or a list of documents, not {type(data).__name__}.")
    if len(data) and all(isinstance(item, (str, Path)) for item in data):
        return check_table(read_documents(list(data), unit=unit, tokeniser=tokeniser, rules=rules).table)
    tables = [
        by_unit(item, unit, tokeniser, rules).table() if isinstance(item, Document) else _rows(item, index, unit)
        for index, item in enumerate(data)
    ]
    return check_table(pd.concat(tables or [Corpus(()).table], ignore_index=True))


def _rows(item: object, index: int, unit: str) -> pd.DataFrame:
    if not isinstance(item, (list, tuple, np.ndarray)):
        raise TypeError(f"Document {index} is of type {type(item).__name__}; give each document as a list of {unit}s.")
    for number, row in enumerate(item):
        if not isinstance(row, str) or "\n" in row:
            raise DataError(
                f"{unit.capitalize()} {number} of document {index} is {row!r:.80}; "
                f"a {unit} is one str without line break."
            )
    # Blank lines are rows here, unlike in a text: the caller's labels and our predictions stand one to a line.
    values = pd.Series(list(item), dtype=object)
    table = pd.DataFrame({"doc_id": str(index), "line_number": np.arange(len(values)), "value": values})
    # Of tokens alone nobody knows what stood between them: white space, most likely.
    return table if unit == "line" else table.assign(break_before=np.where(table["line_number"] > 0, 1, 3))


def collapse_labels(labels: Sequence[str | None] | pd.Series[Any], keep: Sequence[str], other: str) -> list[str]:
    """Keep some labels and take all else together."""
    if isinstance(keep, str):
        raise TypeError(f"keep must be a list of labels: keep=[{keep!r}].")
    kept = frozenset(keep)
    return [label if isinstance(label, str) and label in kept else other for label in labels]
