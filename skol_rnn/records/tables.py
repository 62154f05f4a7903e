"""Records of tables of labelled lines, of pandas or Spark: the core on the rows of each document."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.classifier import spark as on_spark
from skol_rnn.classifier.labelling import by_number, document_name, documents_of
from skol_rnn.classifier.segmentation import page_markers
from skol_rnn.data.inputs import frame_of
from skol_rnn.data.table import check_texts, is_missing, require_column
from skol_rnn.errors import DataError
from skol_rnn.records.build import LabelledLines, build_records
from skol_rnn.records.rules import JoiningRules
from skol_rnn.records.run import checked_labels
from skol_rnn.records.write import columns_of

_SPARK = {
    **dict.fromkeys(("record", "begin_line", "end_line", "start", "end"), "bigint"),
    **dict.fromkeys(("mean_probability", "least_probability"), "double"),
    "flags": "array<string>",
}


def record_table(
    table: Any,
    *,
    begin: str,
    parts: str | Sequence[str],
    label_col: str | None = None,
    rules: JoiningRules | None = None,
) -> Any:
    """Join the rows of a table of labelled lines to a table of records, with pandas or on Spark.

    Parameters
    ----------
    table : DataFrame
        Of Spark, pandas or another library: what ``SkolClassifierV2.predict`` or ``RNNSkolModel.predict`` returns, or any
        table with ``doc_id``, ``value`` and labels.  A row may hold several lines, as a paragraph does.
    begin : str
        Label whose blocks begin a record.
    parts : str or list of str
        Labels of the lines that follow it.
    label_col : str, optional
        Column of the labels; ``predicted_label``, or ``label`` if there is none, if not given.
    rules : JoiningRules, optional
        How lines are joined; the rules for treatments if not given.

    Returns
    -------
    DataFrame
        A row for each record: of Spark for a table of Spark, which takes the documents apart in its workers, otherwise of
        pandas.

    Raises
    ------
    DataError
        If a column is missing or holds something else than text.
    ValueError
        If ``begin`` is among ``parts``.

    Examples
    --------
    >>> lines = {"doc_id": ["a", "a"], "value": ["Fusella minor", "Pileus red."], "label": ["Name", "Text"]}
    >>> record_table(lines, begin="Name", parts="Text")[["begin_line", "Name", "Text"]].values.tolist()
    [[1, 'Fusella minor', 'Pileus red.']]
    """
    labels = checked_labels(begin, parts)
    table = frame_of(table)
    if not isinstance(table, pd.DataFrame) and not on_spark.is_spark(table):
        raise TypeError(
            f"Give a table of labelled lines, not {type(table).__name__}: records() takes documents and paths."
        )
    chosen = label_col or ("predicted_label" if "predicted_label" in table.columns else "label")
    for name in ("value", chosen):
        require_column(dict.fromkeys(map(str, table.columns)), name)
    build = partial(_records_of, labels=labels, label_col=chosen, rules=rules or JoiningRules())
    if isinstance(table, pd.DataFrame):
        found = [build(part) for part in documents_of(table)]
        return pd.concat(found, ignore_index=True) if found else _frame([], labels)
    if "line_number" not in table.columns:
        raise DataError("The rows have no column 'line_number', and those of Spark have no order without it.")
    schema = ", ".join(f"`{name.replace('`', '``')}` {_SPARK.get(name, 'string')}" for name in columns_of(labels))
    return on_spark.by_document(table, build, schema)


def _frame(rows: list[dict[str, Any]], labels: Sequence[str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=columns_of(labels), dtype=object)
    numbers = {name: "Int64" if kind == "bigint" else "Float64" for name, kind in _SPARK.items() if name != "flags"}
    return table.astype(numbers)


def _records_of(rows: pd.DataFrame, labels: Sequence[str], label_col: str, rules: JoiningRules) -> pd.DataFrame:
    """Build the records of the rows of one document."""
    if "errors" in rows and isinstance(rows["errors"].iloc[0], str):
        return _frame([], labels)  # a bad document has no labels
    if "line_number" in rows:
        rows = rows.sort_values("line_number", kind="stable", key=by_number)
    lines = _lines_of(rows, label_col)
    return _frame([record.to_dict() for record in build_records(lines, labels[0], labels[1:], rules)], labels)


def _lines_of(rows: pd.DataFrame, label_col: str) -> LabelledLines:
    """Return the lines of the rows of a document; a row may hold several."""
    name = document_name(rows)
    check_texts(rows["value"], "value")
    labels = [None if is_missing(label) else label for label in rows[label_col]]
    check_texts(labels, label_col, none_allowed=True)
    blank, breaks = _column(rows, "blank_before", 0), _column(rows, "page_break", False)
    starts, certain = _starts(rows), _probabilities(rows)
    found: list[tuple[str, str | None, int, bool, int | None, float | None]] = []
    marker = False
    for row, (text, label, is_marker) in enumerate(zip(rows["value"], labels, page_markers(rows), strict=True)):
        empty, position = int(blank[row]), 0
        for piece in text.split("\n"):
            if piece.strip():
                start = None if starts is None else int(starts[row]) + position
                page = bool(breaks[row]) and position == 0 or marker
                found.append((piece, label, empty, page, start, None if certain is None else certain[row]))
                empty, marker = 0, False
            else:
                empty += 1
            position += len(piece) + 1
        marker = marker or is_marker  # a page begins behind it
    values, own, empties, pages, begins, probability = zip(*found, strict=True) if found else ((),) * 6
    ends = None if starts is None else [start + len(value) for start, value in zip(begins, values, strict=True)]
    known = None if certain is None else probability
    return LabelledLines(name, values, own, empties, pages, None if starts is None else begins, ends, known)


def _column(rows: pd.DataFrame, name: str, default: Any) -> list[Any]:
    return [default if is_missing(value) else value for value in rows[name]] if name in rows else [default] * len(rows)


def _starts(rows: pd.DataFrame) -> np.ndarray | None:
    """Return where each row starts in its document, where the table says so."""
    if "start" in rows and not rows["start"].isna().any():
        return rows["start"].to_numpy(np.int64)
    if "text_before" not in rows or rows["text_before"].isna().any():
        return None
    before = rows["text_before"].str.len().to_numpy(np.int64)
    size = rows["value"].str.len().to_numpy(np.int64)
    return np.cumsum(before + size) - size


def _probabilities(rows: pd.DataFrame) -> list[float | None] | None:
    """Return the probability of the label of each row, where the table has them; None for a page marker."""
    if "probabilities" not in rows or "prediction" not in rows:
        return None
    pairs = zip(rows["probabilities"], rows["prediction"], strict=True)
    return [None if is_missing(index) else float(row[int(index)]) for row, index in pairs]
