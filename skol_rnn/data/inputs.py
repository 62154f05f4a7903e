"""From whatever a caller has to a table of lines with labels, and from the data's labels to the model's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.table import as_table, collapse_labels
from skol_rnn.errors import DataError
from skol_rnn.labels import LabelSet, suggestion

_LISTS = (list, tuple, np.ndarray)


def labelled_table(
    data: Any, y: Any = None, label_col: str = "label", line_no_col: str = "line_number", unit: str = "line"
) -> pd.DataFrame:
    """Make the shared table with labels in column ``label``."""
    table = as_table(data, line_no_col=line_no_col, unit=unit)
    if y is not None:
        # The table is in document order, y in the caller's.
        table["label"] = np.array(_flat(y, len(table)), dtype=object)[table["order"]]
    elif label_col in table:
        table["label"] = table[label_col]
    if "label" not in table or (len(table) and table["label"].isna().all()):
        raise DataError(f"The data have no labels: give annotated files, a column {label_col!r}, or y=[...].")
    return table


def _flat(y: Any, n_lines: int) -> list[Any]:
    flat = [label for part in y for label in (part if isinstance(part, _LISTS) else [part])]
    # scikit-learn numbers the labels before some of its calls; a number is as good a name as any.
    flat = [str(label) if isinstance(label, (int, np.integer)) else label for label in flat]
    if len(flat) != n_lines:
        raise DataError(f"There are {len(flat)} labels for {n_lines} lines; give one label a line.")
    return flat


def choose_labels(column: pd.Series, labels: Sequence[str] | None = None, other: str | None = None) -> LabelSet:
    """Decide which labels a model learns, and in what order."""
    chosen = (
        LabelSet.from_data(label for label in column if not pd.isna(label))
        if labels is None
        else LabelSet(tuple(labels))
    )
    return chosen if other is None or other in chosen else LabelSet((*chosen, other))


def fold_labels(column: pd.Series, labels: LabelSet, other: str | None, what: str) -> list[str | None]:
    """Map the data's labels to the model's."""
    if other is not None:
        return list(collapse_labels(column, list(labels), other))
    given: list[str | None] = [None if pd.isna(label) else str(label) for label in column]
    for label in given:
        if label is not None and label not in labels:
            raise DataError(
                f"Label {label!r} of {what} is not among {', '.join(labels)}.{suggestion(label, labels)} "
                "Give other='Misc' to take such lines together."
            )
    return given


def is_label_list(y: Any, data: Any) -> bool:
    """Tell a flat list of label names, which the old class took in second place, from the labels of rows."""
    if not len(y) or not all(isinstance(label, str) for label in y):
        return False
    return len(set(y)) == len(y) and not (isinstance(data, pd.DataFrame) and len(y) == len(data))


def is_line_lists(data: Any) -> bool:
    """Tell a list of documents, each a list of lines, from other data."""
    return isinstance(data, _LISTS) and all(isinstance(document, _LISTS) for document in data)
