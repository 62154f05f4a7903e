"""Format labelled rows as documents: annotated text, or tab-separated labels and probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.classifier.labelling import document_name, documents_of
from skol_rnn.data.discovery import place_for
from skol_rnn.data.document import Document
from skol_rnn.data.formats.yedda import format_yedda
from skol_rnn.errors import DataError
from skol_rnn.persistence.atomic import write_atomically


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
        rows = rows.sort_values("line_number", kind="stable")
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
    return format_yedda(text, spans, labels, coalesce=coalesce, name=str(rows["doc_id"].iloc[0]))


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
