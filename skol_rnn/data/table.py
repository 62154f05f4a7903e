"""The shared table as a DataFrame, one row per line or token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.columns import check_texts, document_names, document_order, require_column
from skol_rnn.data.document import none_for_missing


def check_table(table: pd.DataFrame, *, line_no_col: str = "line_number") -> pd.DataFrame:
    """Check a caller's table and bring it into the shared form, in document order."""
    documents = pd.Series(document_names(table), index=table.index, dtype=object)
    if "attachment_name" in table:  # each attachment of a record is a document
        documents = (documents + "/" + table["attachment_name"].fillna("").astype(str)).astype(object)
    require_column(table, "value")
    check_texts(table["value"], "value")
    numbers = table[line_no_col].to_numpy() if line_no_col in table else None
    order, line_numbers = document_order(documents.tolist(), numbers, line_no_col)
    result = table.assign(doc_id=documents, value=table["value"].astype(object))
    if "label" in table:
        result["label"] = none_for_missing(table["label"])
        check_texts(result["label"], "label", none_allowed=True)
    result = result.iloc[order].drop(columns="attachment_name", errors="ignore").reset_index(drop=True)
    result["line_number"] = line_numbers
    for name, kind in (("blank_before", np.int64), ("page_break", np.bool_), ("break_before", np.int64)):
        if name in result:
            result[name] = result[name].fillna(0).astype(kind)
        elif name != "break_before":  # only tokens have it
            result[name] = np.zeros(len(result), kind)
    return result.assign(order=order)


def collapse_labels(labels: Sequence[str | None] | pd.Series[Any], keep: Sequence[str], other: str) -> list[str]:
    """Keep some labels and replace all others, missing ones included, by ``other``."""
    if isinstance(keep, str):
        raise TypeError(f"keep must be a list of labels: keep=[{keep!r}].")
    kept = frozenset(keep)
    return [label if isinstance(label, str) and label in kept else other for label in labels]
