"""Tables and columns of other libraries as lists, recognised by their methods: none of the libraries is imported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from skol_rnn.errors import DataError

FORMS = (
    "a table (of pandas, polars, Arrow or Hugging Face), a dict of columns, a list of records, "
    "a list of lines, a list of documents, a Corpus or path(s)"
)
"""What data may be, for error messages."""


def items_of(data: object) -> list[Any] | None:
    """Return the items of a list, an array or a column of any library, None for other data."""
    if isinstance(data, np.ndarray):
        return list(data) if data.ndim else None
    for method in ("to_list", "to_pylist"):
        if hasattr(data, method) and not _is_table(data):
            return list(getattr(data, method)())
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes, bytearray)):
        return list(data)
    return None


def _is_table(data: object) -> bool:
    if hasattr(data, "iloc"):  # columns of pandas are attributes as well, so this comes first
        return getattr(data, "ndim", 2) == 2
    return hasattr(data, "to_pydict") or hasattr(data, "features")


def columns_of(data: Any) -> dict[Any, Any] | None:
    """Return the columns of a table that is not one of pandas, None for data that are no such table."""
    if isinstance(data, Mapping):
        return {name: column(values, name) for name, values in data.items()}
    if hasattr(data, "iloc") or hasattr(data, "toPandas"):
        return None
    if isinstance(data, (list, tuple, np.ndarray)):
        items = items_of(data)
        return _of_records(items) if items and isinstance(items[0], Mapping) else None
    if hasattr(data, "collect_schema") and hasattr(data, "collect"):  # a LazyFrame of polars
        data = data.collect()
    if hasattr(data, "to_pydict"):  # a Table or RecordBatch of pyarrow
        refuse_twice(data.schema.names)
        return dict(data.to_pydict())
    if hasattr(data, "features") and hasattr(data, "to_dict"):  # a Dataset of Hugging Face
        return {name: _class_names(values, data.features[name]) for name, values in data.to_dict().items()}
    if hasattr(data, "get_columns"):  # a DataFrame of polars
        return {series.name: series.to_list() for series in data.get_columns()}
    return None


def refuse_twice(names: Iterable[Any]) -> None:
    """Raise a DataError if two columns have the same name."""
    for name, count in Counter(names).items():
        if count > 1:
            raise DataError(f"The table has {'two' if count == 2 else count} columns {name!r}: rename or drop one.")


def column(values: Any, name: object) -> list[Any] | np.ndarray:
    """Return the values of a column in a dict of columns, without the index that pandas would align them by."""
    found = values if isinstance(values, np.ndarray) and values.ndim else items_of(values)
    if found is None:
        raise DataError(f"Column {name!r} is of type {type(values).__name__}: give a list with an entry for each row.")
    return found


def _of_records(records: list[Any]) -> dict[Any, list[Any]]:
    """Return the columns of records; a key that only some records have may be misspelt, so it is refused."""
    names = list(records[0])
    for row, record in enumerate(records):
        if not isinstance(record, Mapping):
            raise DataError(f"Record {row} is of type {type(record).__name__}, record 0 is a dict: give dicts only.")
        if record.keys() != records[0].keys():
            lacking = [name for name in names if name not in record]
            name = lacking[0] if lacking else next(name for name in record if name not in names)
            without, having = (row, 0) if lacking else (0, row)
            raise DataError(
                f"Record {without} has no key {name!r}, but record {having} has it: "
                "give all records the same keys, with None where there is no value."
            )
    return {name: [record[name] for record in records] for name in names}


def _class_names(values: list[Any], feature: object) -> list[Any]:
    """Return the names of integer classes, None for -1, which marks rows without a class."""
    names = getattr(feature, "names", None)
    if names is None:
        return values
    return [None if value is None or value < 0 else names[value] for value in values]
