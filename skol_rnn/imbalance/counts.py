"""Counts, shares and documents of each label, from labels of lines or from a table of counts in JSON or CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data import bio
from skol_rnn.data.document import Corpus
from skol_rnn.data.inputs import frame_of
from skol_rnn.errors import DataError
from skol_rnn.imbalance.options import whole_number
from skol_rnn.labels import plural


def label_distribution(
    data: Corpus | pd.DataFrame | Mapping[str, int] | Iterable[str | None], doc_ids: Iterable[str] | None = None
) -> pd.DataFrame:
    """Tabulate how often each label occurs.

    Parameters
    ----------
    data : Corpus, table, mapping of str to int, or iterable of str or None
        Documents as :func:`skol_rnn.read_documents` reads them, a table with the columns ``label`` and ``doc_id``
        (of pandas, polars, Arrow or Hugging Face, a dict of columns or a list of records),
        counts by label, or the labels of n lines.  Lines without a label are left out.
    doc_ids : iterable of str, optional
        Document of each line, for labels of lines.

    Returns
    -------
    DataFrame
        Columns ``label``, ``count`` (lines), ``share`` (of the labelled lines), ``ratio`` (how many times rarer
        than the most frequent label) and ``documents`` (with at least one such line; NaN where unknown).  The most
        frequent label comes first; equal counts are sorted by name.

    Raises
    ------
    DataError
        If the table lacks a column.
    TypeError
        If the data are a path.
    ValueError
        If the numbers of labels and document ids differ, or a count is negative or no whole number.

    Examples
    --------
    >>> label_distribution(["a", "b", "b", "b"], ["d1", "d1", "d1", "d2"])
      label  count  share  ratio  documents
    0     b      3   0.75    1.0          2
    1     a      1   0.25    3.0          1
    """
    if isinstance(data, (str, Path)):
        raise TypeError(f"data is a {type(data).__name__}: give read_documents(data) or a list of labels.")
    if not isinstance(data, Mapping) or not isinstance(data.get("label"), (int, float, np.number, type(None))):
        data = frame_of(data)
    if isinstance(data, Corpus):
        data = data.table
    if isinstance(data, (pd.DataFrame, Mapping)) and doc_ids is not None:
        raise ValueError("doc_ids goes with labels of lines only; a table has its own column 'doc_id'.")
    if isinstance(data, Mapping):
        counts = [whole_number(f"The count of {label!r}", count) for label, count in data.items()]
        frame = pd.DataFrame({"label": list(data), "count": np.array(counts, dtype=np.int64), "documents": np.nan})
    else:
        frame = _counted(data, doc_ids)
    frame = frame.sort_values(["count", "label"], ascending=[False, True], ignore_index=True)
    frame["share"] = frame["count"] / max(frame["count"].sum(), 1)
    frame["ratio"] = frame["count"].max() / frame["count"].astype(np.float64)
    return frame[["label", "count", "share", "ratio", "documents"]]


def imbalance(frame: pd.DataFrame) -> dict[str, Any]:
    """Compare the most frequent label with all others together; the ratio is None without others."""
    if not frame["count"].any():
        raise ValueError("No label occurs: there is no majority.")
    lines, total = int(frame["count"].iloc[0]), int(frame["count"].sum())
    ratio = lines / (total - lines) if total > lines else None
    return {"majority": str(frame["label"].iloc[0]), "lines": lines, "rest": total - lines, "ratio": ratio}


def is_bio(frame: pd.DataFrame) -> bool:
    """Whether every label is "O", or "B-" or "I-" with a type."""
    return bio.is_bio(frame["label"], complete=False)


def by_type(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the B and I counts of each type of span."""
    if not is_bio(frame):
        raise ValueError("There are types for BIO labels only: each 'O', or beginning with 'B-' or 'I-'.")
    counts = dict(zip(frame["label"], frame["count"], strict=True))
    types = sorted({label[2:] for label in counts if label != bio.OUTSIDE})
    found = pd.DataFrame({"type": types} | {tag: [counts.get(f"{tag}-{name}", 0) for name in types] for tag in "BI"})
    found["ratio"] = found["I"] / found["B"].where(found["B"] > 0)
    found["tokens"] = found["B"] + found["I"]
    return found.sort_values(["tokens", "type"], ascending=[False, True], ignore_index=True)


def distribution_json(frame: pd.DataFrame, unit: str = "line") -> dict[str, Any]:
    """Return a label distribution as JSON values."""
    return {
        "labels": _records(frame),
        "unit": unit,
        "total": int(frame["count"].sum()),
        "imbalance": imbalance(frame) if frame["count"].any() else None,
        "by_type": _records(by_type(frame)) if is_bio(frame) else None,
    }


def is_counts_file(path: str | Path) -> bool:
    """Whether a file holds counts and not documents."""
    path = Path(path)
    if not path.is_file() or path.suffix.lower() != ".csv":
        return path.is_file() and path.suffix.lower() == ".json"
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(csv.reader(file, skipinitialspace=True), [])
    return {"label", "count"} <= set(header) and "value" not in header


def read_counts(path: str | Path) -> dict[str, int]:
    """Read counts by label."""
    path, counts = Path(path), {}
    try:
        text = path.read_bytes().decode("utf-8-sig")
        pairs = _json_pairs(text) if path.suffix.lower() == ".json" else _csv_pairs(text)
    except (OSError, ValueError, RecursionError) as error:
        remedy = 'give JSON like {"Misc": 80}, or CSV whose first line names the columns label and count'
        raise DataError(f"{path} cannot be read as a table of counts ({error}): {remedy}.") from error
    for label, count in pairs:
        if not label or label in counts:
            problem = f"the label {label!r} occurs twice" if label else "a label has no name"
            raise DataError(f"{path}: {problem}.")
        try:
            counts[label] = whole_number(f"the count of {label!r}", count)
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
    if not any(counts.values()):
        raise DataError(f"{path}: no label has a count above 0.")
    return counts


def _counted(data: pd.DataFrame | Iterable[str | None], doc_ids: Iterable[str] | None) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame):
        for name in ("label", "doc_id"):
            if name not in data:
                found = ", ".join(map(str, data.columns))
                raise DataError(f"The table has no column {name!r}; it has {found}. Give labels and doc_ids instead.")
        data, doc_ids = data["label"], data["doc_id"]
    labels = list(data)
    documents = [None] * len(labels) if doc_ids is None else list(doc_ids)
    if len(labels) != len(documents):
        raise ValueError(
            f"{plural(len(labels), 'label')}, but {plural(len(documents), 'document id')}: give one a row."
        )
    # Lists, because the index of a caller's series must not pair labels with documents.
    lines = pd.DataFrame({"label": pd.Series(labels, dtype=object), "doc_id": pd.Series(documents, dtype=object)})
    frame = lines.groupby("label")["doc_id"].agg(count="size", documents="nunique").reset_index()
    return frame.assign(documents=frame["documents"].where(frame["documents"] > 0))


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    # pandas writes null for NaN and infinity.
    records: list[dict[str, Any]] = json.loads(frame.to_json(orient="records", double_precision=15))
    return records


def _json_pairs(text: str) -> list[tuple[str, Any]]:
    # Pairs, because a dict would keep only the last of two equal labels.
    found = json.loads(text, object_pairs_hook=tuple)
    for key in ("label_counts", "counts"):
        inner = dict(found).get(key) if isinstance(found, tuple) else None
        found = inner if isinstance(inner, tuple) else found
    if not found or not isinstance(found, tuple):
        raise ValueError("it holds no object of labels and counts")
    return list(found)


def _csv_pairs(text: str) -> list[tuple[str, Any]]:
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    if not {"label", "count"} <= set(rows.fieldnames or ()):
        raise ValueError("a column is missing")
    return [(row["label"], int(n) if (n := row["count"] or "").isdecimal() else row["count"]) for row in rows]
