"""Predictions in the form of the data that they belong to: rows of a table, or one list a document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.inputs import as_table, is_line_lists

Restore = Callable[[np.ndarray], Any]


def table_and_restore(data: Any, line_no_col: str, unit: str) -> tuple[pd.DataFrame, Restore]:
    """Return the rows in document order, and a function that puts results for them into the caller's order."""
    table = as_table(data, line_no_col=line_no_col, unit=unit)
    if is_line_lists(data):
        # A document without lines has no row, but an entry in the result.
        ends = np.cumsum([len(document) for document in data])
        return table, lambda results: np.split(results, ends[:-1]) if len(ends) else []
    back = np.argsort(table["order"].to_numpy(), kind="stable")
    return table, lambda results: results[back]


def with_predictions(
    data: Any,
    table: pd.DataFrame,
    restore: Restore,
    labels: Sequence[str],
    indices: np.ndarray,
    probabilities: np.ndarray,
) -> Any:
    """Add predictions to the caller's rows, or return one list of labels a document for lists of lines."""
    names = np.array(labels, dtype=object)
    if not isinstance(data, (pd.DataFrame, str, Path)) and is_line_lists(data):
        documents = np.empty(len(data), dtype=object)
        documents[:] = [names[part].tolist() for part in restore(indices)]
        return documents
    rows = data.copy() if isinstance(data, pd.DataFrame) else table.drop(columns="order")
    rows["prediction"] = restore(indices)
    rows["predicted_label"] = names[rows["prediction"].to_numpy()]
    rows["probabilities"] = list(restore(probabilities))
    return rows
