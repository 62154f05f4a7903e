"""A weight for each training line, which ``fit`` receives and the loss multiplies with the line's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.inputs import Input
from skol_rnn.errors import DataError
from skol_rnn.labels import plural

_COLUMN = "sample weight of fit"
_LISTS = (list, tuple, np.ndarray, pd.Series)


def weigh(table: pd.DataFrame, sample_weight: Any, given: Input, unit: str) -> None:
    """Add the checked weights to the table of the data; a line of weight 0 becomes one without a label."""
    weights, places = _checked(sample_weight, unit)
    if places is not None:
        for number, (size, part) in enumerate(zip(given.sizes or (), sample_weight, strict=False)):
            if size != len(part):
                raise DataError(
                    f"Document {number} has {plural(size, unit)}, but sample_weight has {plural(len(part), 'number')} for it."
                )
    if len(weights) != len(given.table):
        raise DataError(
            f"sample_weight has {plural(len(weights), 'number')} for {plural(len(given.table), unit)}; give one per {unit}."
        )
    table[_COLUMN] = weights[table["order"]]
    if not (table[_COLUMN] > 0)[table["label"].notna()].any():
        raise DataError(f"All sample weights of {unit}s that have a label are zero.")
    table.loc[table[_COLUMN] == 0, "label"] = None


def weights_of(table: pd.DataFrame) -> np.ndarray | None:
    """Return the weights that ``weigh`` added, None without any."""
    return table[_COLUMN].to_numpy(np.float64) if _COLUMN in table else None


def _checked(sample_weight: Any, unit: str) -> tuple[np.ndarray, list[tuple[int, int]] | None]:
    """Flatten and check weights; also return the document and line of each where they came by document."""
    if isinstance(sample_weight, str | bytes | Mapping) or not isinstance(sample_weight, Iterable):
        raise TypeError(f"sample_weight must be one number per {unit}, not {type(sample_weight).__name__}.")
    nested = any(isinstance(part, _LISTS) for part in sample_weight)
    flat: list[Any] = []
    places: list[tuple[int, int]] | None = [] if nested else None
    for document, part in enumerate(sample_weight):
        if places is None:
            flat.append(part)
            continue
        if not isinstance(part, _LISTS):
            raise TypeError(f"sample_weight has the number {part!r} among lists: give one list per document.")
        flat.extend(part)
        places.extend((document, line) for line in range(len(part)))
    for row, weight in enumerate(flat):
        if not (isinstance(weight, (int, float, np.number, np.bool_)) and 0 <= weight < np.inf):
            where = f"row {row}" if places is None else f"{unit} {places[row][1]} of document {places[row][0]}"
            raise DataError(f"sample_weight holds {weight!r} for {where}; weights are finite numbers of at least 0.")
    return np.array(flat, np.float64), places
