"""Label rows of whole documents with a served model, one bad document at a time; for pandas and for Spark's workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skol_rnn.data.columns import shared_columns
from skol_rnn.data.formats.yedda import format_yedda
from skol_rnn.errors import DataError

if TYPE_CHECKING:
    from skol_rnn.inference.predictor import Labelled, ServingModel

CHUNK = 5_000
"""Rows that the model is given at a time, in whole documents."""
ON_ERROR = ("raise", "collect")
ADDED = ("pos", "probabilities", "prediction", "predicted_label", "annotated_value")
"""Columns that labelling adds; "errors" comes after them under ``on_error="collect"``."""


class DocumentError(DataError):
    """A document could not be labelled; the message begins with its name."""


def document_keys(columns: Iterable[str]) -> list[str]:
    """Say which columns name a document: attachments of one record are documents of their own."""
    columns = list(columns)
    name = next((name for name in ("doc_id", "filename") if name in columns), None)
    if name is None:
        raise DataError(f"The rows have no column 'doc_id' or 'filename', only {', '.join(columns)}.")
    return [name, "attachment_name"] if "attachment_name" in columns else [name]


def document_name(rows: pd.DataFrame, keys: Sequence[str]) -> str:
    """Name the document of some rows; the attachment "main.txt" goes without saying."""
    parts = [rows[key].iloc[0] for key in keys]
    if pd.isna(parts[0]):
        raise DataError(f"Column {keys[0]!r} is empty in a row: name each row's document.")
    return "/".join(str(part) for part in parts if not pd.isna(part) and part != "main.txt")


def whole_documents(batches: Iterable[pd.DataFrame], keys: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Put batches together and cut them between documents, one document at a time in memory."""
    waiting: list[pd.DataFrame] = []
    last: tuple[Any, ...] | None = None
    for batch in batches:
        if batch.empty:
            continue
        names = list(zip(*(batch[key].astype(object).where(batch[key].notna(), None) for key in keys), strict=True))
        cuts = [0, *(i for i in range(1, len(names)) if names[i] != names[i - 1]), len(names)]
        for start, end in zip(cuts[:-1], cuts[1:], strict=True):
            if waiting and names[start] != last:
                yield plain_texts(pd.concat(waiting, ignore_index=True))
                waiting = []
            waiting.append(batch.iloc[start:end])
            last = names[start]
    if waiting:
        yield plain_texts(pd.concat(waiting, ignore_index=True))


def plain_texts(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with texts as objects, None for a missing one; Arrow's own columns in pieces Spark does not take."""
    texts = [name for name, dtype in rows.dtypes.items() if isinstance(dtype, pd.StringDtype)]
    return rows.assign(**{str(name): rows[name].astype(object).where(rows[name].notna(), None) for name in texts})


def label_documents(
    model: ServingModel,
    documents: Iterable[pd.DataFrame],
    keys: Sequence[str],
    decision: str | None = None,
    on_error: str = "raise",
) -> Iterator[pd.DataFrame]:
    """Label the rows of documents; rows that are page markers stay without label."""
    waiting: list[pd.DataFrame] = []
    for rows in documents:
        waiting.append(rows)
        if sum(map(len, waiting)) >= CHUNK:
            yield from _labelled(model, waiting, keys, decision, on_error)
            waiting = []
    yield from _labelled(model, waiting, keys, decision, on_error)


def _labelled(
    model: ServingModel, waiting: list[pd.DataFrame], keys: Sequence[str], decision: str | None, on_error: str
) -> Iterator[pd.DataFrame]:
    """Label documents together, and one by one if that fails, to learn which one is bad."""
    try:
        done = [_finished(model, rows, found) for rows, found in _found(model, waiting, keys, decision)]
    except Exception as error:
        if len(waiting) > 1:
            for rows in waiting:
                yield from _labelled(model, [rows], keys, decision, on_error)
            return
        rows = waiting[0]
        told = f"Document {document_name(rows, keys)!r}: {error}"
        if on_error == "raise":
            raise DocumentError(told) from error
        done = [_unlabelled(rows, told)]
    if on_error == "collect":
        done = [rows if "errors" in rows else rows.assign(errors=None) for rows in done]
    yield from done


def _found(
    model: ServingModel, documents: list[pd.DataFrame], keys: Sequence[str], decision: str | None
) -> Iterator[tuple[pd.DataFrame, Labelled | None]]:
    tables = [_table(rows, document_name(rows, keys)) for rows in documents]
    found = model.predict_documents([table for table in tables if len(table["value"])], decision)
    for rows, table in zip(documents, tables, strict=True):
        yield rows, next(found) if len(table["value"]) else None


def _table(rows: pd.DataFrame, name: str) -> dict[str, np.ndarray]:
    """Return the columns that the model looks at, of the rows that it labels."""
    if "errors" in rows and isinstance(rows["errors"].iloc[0], str):
        raise DataError(rows["errors"].iloc[0])
    for needed in ("value",):
        if needed not in rows:
            raise DataError(f"The rows have no column {needed!r}, only {', '.join(map(str, rows.columns))}.")
    units = rows[~_markers(rows)]
    optional = [name for name in ("line_number", "blank_before", "page_break") if name in rows]
    table = {"doc_id": np.array([name] * len(units), dtype=object), "value": units["value"].to_numpy(dtype=object)}
    table |= {column: units[column].to_numpy() for column in optional}
    if len(units):
        shared_columns(table)  # raises for what the model would not take
    return table


def _markers(rows: pd.DataFrame) -> np.ndarray:
    if "is_page_marker" not in rows:
        return np.zeros(len(rows), dtype=bool)
    return rows["is_page_marker"].fillna(False).to_numpy(dtype=bool)


def _finished(model: ServingModel, rows: pd.DataFrame, found: Labelled | None) -> pd.DataFrame:
    """Add what was found to the rows, page markers without it at their place."""
    label, index = _column(len(rows), None), _column(len(rows), float("nan"))
    probabilities = _column(len(rows), None)
    units = np.flatnonzero(~_markers(rows))
    if found is not None:
        number = {name: float(i) for i, name in enumerate(model.labels)}
        for row, name, vector in zip(units.tolist(), found.labels, found.probabilities, strict=True):
            label[row], index[row], probabilities[row] = name, number[name], vector.tolist()
    name = str(rows[document_keys(rows.columns)[0]].iloc[0])
    marked = _column(len(rows), None)
    for row, (value, one) in enumerate(zip(rows["value"], label, strict=True)):
        marked[row] = value if one is None else format_yedda(value, [(0, len(value))], [one], name=name)
    return rows.assign(
        pos=rows["line_number"] if "line_number" in rows else np.arange(len(rows)),
        probabilities=probabilities,
        prediction=index.astype(np.float64),
        predicted_label=label,
        annotated_value=marked,
    )


def _unlabelled(rows: pd.DataFrame, told: str) -> pd.DataFrame:
    nothing: dict[str, Any] = {name: _column(len(rows), None) for name in ADDED}
    nothing["prediction"] = np.full(len(rows), np.nan)
    nothing["pos"] = rows["line_number"] if "line_number" in rows else np.arange(len(rows))
    return rows.assign(**nothing, errors=_column(len(rows), told))


def _column(length: int, value: object) -> np.ndarray:
    column = np.empty(length, dtype=object)
    column[:] = value
    return column
