"""Numbers in place of labels, as Spark's StringIndexer and the former classifier had them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from skol_rnn.data.table import is_missing
from skol_rnn.errors import DataError

NUMBERS = "label_indexed"
"""Column of label numbers; it is read where there is no column of labels."""


def label_names(column: Iterable[Any], labels: Sequence[str] | None, name: str) -> list[Any]:
    """Return a column of labels in which each number has become the label at that position; texts stay."""
    found = [None if is_missing(label) else label for label in column]
    if any(isinstance(label, str) for label in found):
        return found
    return [label if label is None else _name(label, labels, name) for label in found]


def _name(number: Any, labels: Sequence[str] | None, name: str) -> str:
    if labels is None:
        raise DataError(f"Column {name!r} holds numbers: pass the labels in the order of the numbers, labels=[...].")
    try:
        position = int(number)
    except (TypeError, ValueError, OverflowError):
        position = -1
    if isinstance(number, bool) or position != number or not 0 <= position < len(labels):
        known = f"0 to {len(labels) - 1} for {', '.join(labels)}"
        raise DataError(f"Column {name!r} holds {number!r}, which is no number of a label: {known}.")
    return labels[position]
