"""Label the rows of whole documents, one bad document without effect on the others, and format the labelled rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skol_rnn.classifier.segmentation import page_markers
from skol_rnn.data.discovery import place_for
from skol_rnn.data.document import Document
from skol_rnn.data.formats.yedda import format_yedda
from skol_rnn.errors import DataError
from skol_rnn.persistence.atomic import write_atomically

if TYPE_CHECKING:
    from skol_rnn.inference.predictor import ServingModel

CHUNK = 5_000  # rows of whole documents that are labelled together
_PREDICTION = ("probabilities", "prediction", "predicted_label", "annotated_value")
_NOTHING = (np.array([]), np.array([]))  # labels and probabilities of a document of page markers


def document_keys(columns: Iterable[str]) -> list[str]:
    """Return the columns that identify a document: each attachment of a record is a document."""
    columns = list(columns)
    name = next((name for name in ("doc_id", "filename") if name in columns), None)
    if name is None:
        raise DataError(f"The rows have no column 'doc_id' or 'filename', only {', '.join(columns)}.")
    return [name, "attachment_name"] if "attachment_name" in columns else [name]


def document_name(rows: pd.DataFrame) -> str:
    """Return the name of the rows' document; the attachment "main.txt" is left out of it."""
    keys = document_keys(rows.columns)
    parts = [rows[key].iloc[0] for key in keys]
    if pd.isna(parts[0]):
        raise DataError(f"Column {keys[0]!r} is empty in a row: name each row's document.")
    return "/".join(str(part) for part in parts if not pd.isna(part) and part != "main.txt")


def documents_of(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of each document, in order of first appearance."""
    return [part for _, part in rows.groupby(document_keys(rows.columns), sort=False, dropna=False)]


def label_table(model: ServingModel, units: pd.DataFrame, decision: str | None, on_error: str) -> pd.DataFrame:
    """Label units in any order."""
    documents = documents_of(units.assign(_place=range(len(units))))
    rows = pd.concat(label_documents(model, documents, decision, on_error))
    return rows.sort_values("_place").drop(columns="_place").reset_index(drop=True)


def label_documents(
    model: ServingModel, documents: Iterable[pd.DataFrame], decision: str | None, on_error: str
) -> Iterator[pd.DataFrame]:
    """Label the rows of documents, except page markers."""
    waiting: list[pd.DataFrame] = []
    for rows in documents:
        waiting.append(rows)
        if sum(map(len, waiting)) >= CHUNK:
            yield from _label_chunk(model, waiting, decision, on_error)
            waiting = []
    yield from _label_chunk(model, waiting, decision, on_error)


def _label_chunk(
    model: ServingModel, documents: list[pd.DataFrame], decision: str | None, on_error: str
) -> Iterator[pd.DataFrame]:
    """Label documents together; if that fails, one by one, to find the bad one."""
    try:
        tables = [_table(rows) for rows in documents]
        found = model.predict_documents([table for table in tables if len(table["doc_id"])], decision)
        done = [
            _with_prediction(rows, model.labels, *(next(found) if len(table["doc_id"]) else _NOTHING))
            for rows, table in zip(documents, tables, strict=True)
        ]
    except Exception as error:
        if len(documents) > 1:
            for rows in documents:
                yield from _label_chunk(model, [rows], decision, on_error)
            return
        message = f"Document {document_name(documents[0])!r}: {error}"
        if on_error == "raise":
            raise DataError(message) from error
        done = [_with_columns(documents[0]).assign(errors=message)]
    if on_error == "collect":
        done = [rows if "errors" in rows else rows.assign(errors=None) for rows in done]
    yield from done


def _table(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the columns that the model reads, of all rows but page markers."""
    if "errors" in rows and isinstance(rows["errors"].iloc[0], str):
        raise DataError(rows["errors"].iloc[0])
    units = rows[~page_markers(rows)]
    names = [name for name in ("value", "line_number", "blank_before", "page_break") if name in rows]
    doc_ids = np.full(len(units), document_name(rows), dtype=object)
    return {"doc_id": doc_ids} | {name: units[name].to_numpy() for name in names}


def _with_columns(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the columns of a prediction, without values."""
    return rows.assign(pos=_positions(rows), **dict.fromkeys(_PREDICTION)).astype({"prediction": np.float64})


def _positions(rows: pd.DataFrame) -> np.ndarray:
    """Return the line numbers, which may be text, as whole numbers; the ranks of the rows where they are none."""
    numbers = by_number(rows["line_number"]) if "line_number" in rows else pd.Series(np.arange(len(rows)))
    if numbers.isna().any() or not (numbers % 1 == 0).all():
        numbers = numbers.rank(method="first", na_option="bottom") - 1
    return numbers.to_numpy(dtype=np.int64)


def by_number(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return the key that sorts a column: line 10 comes after line 9, also where line numbers are text."""
    return pd.to_numeric(column, errors="coerce") if column.name == "line_number" else column


def _with_prediction(
    rows: pd.DataFrame, known: Sequence[str], labels: np.ndarray, probabilities: np.ndarray
) -> pd.DataFrame:
    """Add the prediction to the rows; page markers keep their text and have no label."""
    found = iter(zip(labels, probabilities.tolist(), strict=True))
    name = str(rows[document_keys(rows.columns)[0]].iloc[0])
    columns: dict[str, list[Any]] = {key: [] for key in _PREDICTION}
    for text, marker in zip(rows["value"], page_markers(rows), strict=True):
        label, vector = (None, None) if marker else next(found)
        columns["probabilities"].append(vector)
        columns["prediction"].append(np.nan if label is None else float(known.index(label)))
        columns["predicted_label"].append(label)
        columns["annotated_value"].append(format_yedda(text, [(0, len(text))], [label], name=name) if label else text)
    series = {key: pd.Series(column, rows.index, object) for key, column in columns.items()}
    return _with_columns(rows).assign(**series).astype({"prediction": np.float64})


def select_columns(rows: Any, output_format: str) -> Any:
    """Return the columns of an output format, of a DataFrame of pandas or Spark."""
    if output_format == "annotated":
        return rows
    names = ["doc_id", "filename", "attachment_name", "line_number", "predicted_label", "errors"]
    if output_format == "probs":
        names[-1:-1] = ["probability", "probabilities"]
        probability = {"probability": rows["probabilities"]}
        rows = rows.assign(**probability) if isinstance(rows, pd.DataFrame) else rows.withColumns(probability)
    return rows[[name for name in names if name in rows.columns]]


def document_text(rows: pd.DataFrame, output_format: str, coalesce: bool) -> str:
    """Return the text of one document: YEDDA for "annotated", otherwise tab-separated lines."""
    if "errors" in rows and isinstance(rows["errors"].iloc[0], str):
        raise DataError(f"{rows['errors'].iloc[0]}; it has no labels, and nothing was written.")
    if "line_number" in rows:
        rows = rows.sort_values("line_number", kind="stable", key=by_number)
    if output_format == "annotated":
        return annotated_text(rows, coalesce)
    names = ["line_number", "predicted_label"]
    names += ["probability", "probabilities"] if output_format == "probs" else []
    chosen = [name for name in names if name in rows]
    fields = [map(_field, row) for row in rows[chosen].itertuples(index=False)]
    return "\n".join("\t".join(line) for line in [chosen, *fields])


def _field(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return " ".join(f"{number:.6f}" for number in value) if isinstance(value, (list, np.ndarray)) else str(value)


def annotated_text(rows: pd.DataFrame, coalesce: bool) -> str:
    """Join the rows of one document, in their order, as YEDDA."""
    exact = "text_before" in rows and "text_after" in rows
    before = rows["text_before"] if exact else ["", *["\n"] * (len(rows) - 1)]
    spans, text = [], ""
    for gap, value in zip(before, rows["value"], strict=True):
        spans.append((len(text) + len(gap), len(text) + len(gap) + len(value)))
        text += gap + value
    text += "".join(rows["text_after"]) if exact else ""
    labels = [label if isinstance(label, str) else None for label in rows["predicted_label"]]
    return format_yedda(text, spans, labels, coalesce=coalesce, name=document_name(rows))


def write_text(rows: pd.DataFrame, name: str, text: str, folder: str | Path, output_format: str) -> str:
    """Write the file of one document, complete or not at all, and return its path."""
    source = rows["filename"].iloc[0] if "filename" in rows else None
    path = place_for(Document(name, "", path=source), Path(folder), "yedda")
    if output_format != "annotated":
        path = path.with_name(path.name.removesuffix(".ann").removesuffix(".txt") + f".{output_format}.tsv")
    write_atomically(path, text.encode())
    return str(path)


def document_texts(rows: pd.DataFrame, folder: str | Path | None, output_format: str, coalesce: bool) -> dict[str, str]:
    """Return the text of each document by name; with a folder, write them all once the last one is formatted."""
    parts = {document_name(part): part for part in documents_of(rows)}
    texts = {name: document_text(parts[name], output_format, coalesce) for name in sorted(parts)}
    if folder is not None:
        for name, text in texts.items():
            write_text(parts[name], name, text, folder, output_format)
    return texts
