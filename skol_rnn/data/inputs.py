"""Turn a caller's data and labels into the shared table, and predictions for it into the form of the data."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.document import Corpus, Document
from skol_rnn.data.label_numbers import NUMBERS, label_names
from skol_rnn.data.reading import read_documents
from skol_rnn.data.table import check_table, collapse_labels, lengths_of, none_for_missing, object_array
from skol_rnn.data.tokens import by_unit
from skol_rnn.errors import DataError, LabelWarning
from skol_rnn.labels import LabelSet, alike_labels, label_counts, suggestion

_LISTS = (list, tuple, np.ndarray)
_MOST_NAMED = 5
Restore = Callable[[np.ndarray], Any]


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """The rows of a table with their labels as indices, encoded once."""

    table: pd.DataFrame
    true: np.ndarray
    lengths: list[int]
    n_labels: int = 0

    @classmethod
    def of(cls, table: pd.DataFrame, labels: LabelSet) -> LabelledRows:
        """Encode column ``label`` of a table."""
        return cls(table, labels.encode(table["label"]), lengths_of(table), len(labels))

    @cached_property
    def counts(self) -> np.ndarray:
        """Number of rows of each label; rows without a label are not counted."""
        return label_counts(self.true, self.n_labels)

    def __len__(self) -> int:
        return len(self.true)


def _corpus(data: object, unit: str) -> Corpus | None:
    """Return the corpus that paths or a list of documents stand for, None for other data."""
    paths: Any = [data] if isinstance(data, (str, Path)) else data
    if isinstance(paths, _LISTS) and len(paths) and all(isinstance(path, (str, Path)) for path in paths):
        return read_documents(paths, unit=unit)
    if isinstance(data, _LISTS) and len(data) and all(isinstance(item, Document) for item in data):
        return Corpus(tuple(data))
    return data if isinstance(data, Corpus) else None


def as_table(data: object, *, line_no_col: str = "line_number", unit: str = "line") -> pd.DataFrame:
    """Turn a table, a corpus, paths or a list of documents into the shared table."""
    if isinstance(data, pd.DataFrame):
        return check_table(data, line_no_col=line_no_col)
    if (corpus := _corpus(data, unit)) is not None:
        # A corpus may have been read under other rules: rows of the right unit stay as they are.
        if corpus.unit != unit:
            corpus = Corpus(tuple(by_unit(document, unit) for document in corpus))
        return check_table(corpus.table)
    if type(data).__module__.startswith("pyspark."):
        raise TypeError("This is a DataFrame of Spark: pass its toPandas(), or use SkolClassifierV2.")
    if not isinstance(data, _LISTS):
        raise TypeError(f"Give a table, a corpus, path(s) or a list of documents, not {type(data).__name__}.")
    tables = [
        by_unit(item, unit).table() if isinstance(item, Document) else _rows(item, index, unit)
        for index, item in enumerate(data)
    ]
    return check_table(pd.concat(tables or [Corpus(()).table], ignore_index=True))


def _rows(item: object, index: int, unit: str) -> pd.DataFrame:
    """Return the table of a document that is a list of lines or tokens; blank ones are rows too."""
    if not isinstance(item, _LISTS):
        raise TypeError(f"Document {index} is of type {type(item).__name__}; give each document as a list of {unit}s.")
    for number, row in enumerate(item):
        if not isinstance(row, str) or "\n" in row:
            place = f"{unit.capitalize()} {number} of document {index}"
            raise DataError(f"{place} is {row!r:.80}; a {unit} is one str without line break.")
    values = pd.Series(list(item), dtype=object)
    table = pd.DataFrame({"doc_id": str(index), "line_number": np.arange(len(values)), "value": values})
    # A list of tokens does not say what separated them; white space is the likeliest.
    return table if unit == "line" else table.assign(break_before=np.where(table["line_number"] > 0, 1, 3))


def labelled_table(
    data: Any,
    y: Any = None,
    label_col: str = "label",
    line_no_col: str = "line_number",
    unit: str = "line",
    other: str | None = None,
    required: bool = True,
    names: Sequence[str] | LabelSet | None = None,
) -> pd.DataFrame:
    """Make the shared table with labels in column ``label``, which are all None if they are absent and not required.

    Documents that nobody annotated are left out where ``other`` would label all their lines.  Numbers in the column
    of labels are positions in ``names``.
    """
    corpus = _corpus(data, unit)
    table = as_table(data if corpus is None else corpus, line_no_col=line_no_col, unit=unit)
    if y is not None:
        flat = [label for part in y for label in (part if isinstance(part, _LISTS) else [part])]
        if len(flat) != len(table):
            raise DataError(f"There are {len(flat)} labels for {len(table)} lines; give one label per line.")
        # scikit-learn encodes labels as integers before some of its calls; their digits serve as names.
        flat = [str(label) if isinstance(label, (int, np.integer)) else label for label in flat]
        # The table is in document order, y in the caller's.
        table["label"] = np.array(flat, dtype=object)[table["order"]]
    elif (column := NUMBERS if label_col == "label" and "label" not in table else label_col) in table:
        table["label"] = label_names(table[column], None if names is None else list(names), column)
    if "label" not in table or (len(table) and table["label"].isna().all()):
        if not required:
            return table.assign(label=None)
        raise DataError(f"The data have no labels: give annotated files, a column {label_col!r}, or y=[...].")
    if other is None or y is not None:
        return table
    if corpus is None:
        has = table["label"].notna().groupby(table["doc_id"], sort=False).any()
        without = has.index[~has].tolist()
    else:
        without = [document.doc_id for document in corpus if document.labels is None]
    if not without:
        return table
    named = ", ".join(without[:_MOST_NAMED]) + ", ..." * (len(without) > _MOST_NAMED)
    documents = f"{len(without)} document{'s have' if len(without) > 1 else ' has'}"
    warnings.warn(
        f"{documents} no label and {'are' if len(without) > 1 else 'is'} left out: {named}. "
        f"unlabelled='other' labels all their {unit}s {other!r}.",
        LabelWarning,
        stacklevel=3,
    )
    return table[~table["doc_id"].isin(without)].reset_index(drop=True)


def choose_labels(
    column: pd.Series[Any], labels: Sequence[str] | LabelSet | None = None, other: str | None = None, what: str = "line"
) -> LabelSet:
    """Return the labels that a model learns, in order: those passed or those that occur, and ``other``."""
    counts = Counter(label for label in none_for_missing(column) if label is not None)
    if alike := alike_labels(counts):
        pairs = "; ".join(
            f"{rare!r} ({counts[rare]:,}) and {kept!r} ({counts[kept]:,})" for rare, kept in alike.items()
        )
        warnings.warn(
            f"Labels that differ only in case, blanks or Unicode form are separate classes: {pairs}. "
            "read_documents(..., fold_labels=True) merges them.",
            LabelWarning,
            stacklevel=3,
        )
    for label in () if isinstance(labels, LabelSet) or not counts else labels or ():
        if label not in counts and label != other:
            raise DataError(f"No {what} has the label {label!r}.{suggestion(str(label), counts)}")
    chosen = LabelSet.from_data(counts) if labels is None else LabelSet(tuple(labels))
    return chosen if other is None or other in chosen else LabelSet((*chosen, other))


def fold_labels(column: pd.Series[Any], labels: LabelSet, other: str | None, what: str) -> list[str | None]:
    """Map the labels of the data to those of the model."""
    if other is not None:
        return list(collapse_labels(column, list(labels), other))
    names: list[str | None] = [None if pd.isna(label) else str(label) for label in column]
    for label in names:
        if label is not None and label not in labels:
            problem = f"Label {label!r} of {what} is not among {', '.join(labels)}.{suggestion(label, labels)}"
            raise DataError(f"{problem} Give other='Misc' to merge all such lines into one class.")
    return names


def is_label_list(y: Any, data: Any) -> bool:
    """Return whether ``y`` is a list of label names (its older meaning) and not the labels of rows."""
    if not len(y) or not all(isinstance(label, str) for label in y):
        return False
    return len(set(y)) == len(y) and not (isinstance(data, pd.DataFrame) and len(y) == len(data))


def _is_line_lists(data: Any) -> bool:
    """Return whether data is a list of documents, each a list of lines."""
    return isinstance(data, _LISTS) and all(isinstance(document, _LISTS) for document in data)


def table_and_restore(data: Any, line_no_col: str, unit: str) -> tuple[pd.DataFrame, Restore]:
    """Return the rows in document order, and a function that puts results for them into the caller's order."""
    table = as_table(data, line_no_col=line_no_col, unit=unit)
    if _is_line_lists(data):
        # A document without lines has no row, but an entry in the result.
        ends = np.cumsum([len(document) for document in data])
        return table, lambda results: np.split(results, ends[:-1]) if len(ends) else []
    back = np.argsort(table["order"].to_numpy(), kind="stable")
    return table, lambda results: results[back]


def with_predictions(
    data: Any, table: pd.DataFrame, restore: Restore, labels: Sequence[str], best: np.ndarray, probabilities: np.ndarray
) -> Any:
    """Add predictions to the caller's rows; for lists of lines, return the list of labels of each document."""
    names = np.array(labels, dtype=object)
    if _is_line_lists(data):
        return object_array(names[part].tolist() for part in restore(best))
    rows = data.copy() if isinstance(data, pd.DataFrame) else table.drop(columns="order")
    rows["prediction"] = restore(best)
    rows["predicted_label"] = names[rows["prediction"].to_numpy()]
    rows["probabilities"] = list(restore(probabilities))
    return rows
