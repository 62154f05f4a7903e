"""Turn a caller's data and labels into the shared table, and predictions for it into the form of the data."""

from __future__ import annotations

import glob
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.discovery import ENDINGS
from skol_rnn.data.document import Corpus, Document
from skol_rnn.data.frames import FORMS, columns_of, items_of
from skol_rnn.data.label_numbers import NUMBERS, label_names
from skol_rnn.data.reading import read_documents
from skol_rnn.data.table import (
    array_of,
    check_table,
    collapse_labels,
    is_missing,
    lengths_of,
    none_for_missing,
    object_array,
    refuse_other_spelling,
    require_column,
    same_length,
)
from skol_rnn.data.tokens import by_unit
from skol_rnn.errors import DataError, LabelWarning
from skol_rnn.labels import LabelSet, alike_labels, label_counts, plural, printable, suggestion

_MOST_NAMED = 5


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


@dataclass(frozen=True, eq=False)
class Input:
    """A caller's data as the shared table, and what is needed to give results in the form of the data.

    ``kind`` is "table", "corpus", "documents" (lists of lines) or "lines" (one document); ``rows`` are the rows in the
    caller's order, and ``sizes`` the numbers of rows of all documents, if these are known to be in order.
    """

    kind: str
    table: pd.DataFrame
    rows: pd.DataFrame
    sizes: list[int] | None = None
    unlabelled: list[str] | None = None

    @classmethod
    def of(cls, data: Any, *, line_no_col: str = "line_number", unit: str = "line") -> Input:
        """Convert data of any form."""
        if isinstance(data, Input):
            return data
        data = frame_of(data)
        if isinstance(data, pd.DataFrame):
            return cls("table", check_table(data, line_no_col=line_no_col), data)
        corpus = data if isinstance(data, Corpus) else None
        items: list[Any] | None = [data] if isinstance(data, (str, Path, Document)) else items_of(data)
        if corpus is None and items is not None:
            if items and all(isinstance(item, Document) for item in items):
                corpus = Corpus(tuple(items))
            elif paths := _paths(data, items, unit):
                corpus = read_documents(paths, unit=unit)
        if corpus is not None:
            return cls._of_corpus(corpus, unit)
        if hasattr(data, "toPandas"):
            raise TypeError("This is a DataFrame of Spark: pass its toPandas(), or use SkolClassifierV2.")
        if items is None:
            raise TypeError(f"Give {FORMS}, not {type(data).__name__}.")
        flat = bool(items) and isinstance(items[0], str)
        documents = [_document(item, index, unit) for index, item in enumerate([items] if flat else items)]
        table = pd.concat(documents or [Corpus(()).table], ignore_index=True)
        checked = check_table(table)
        return cls("lines" if flat else "documents", checked, table, [len(document) for document in documents])

    @classmethod
    def _of_corpus(cls, corpus: Corpus, unit: str) -> Input:
        unlabelled = [document.doc_id for document in corpus if document.labels is None]
        # A corpus may have been read under other rules: rows of the right unit stay as they are.
        if corpus.unit != unit:
            corpus = Corpus(tuple(by_unit(document, unit) for document in corpus))
        sizes = [document.n_rows for document in corpus]
        return cls("corpus", table := check_table(corpus.table), table.drop(columns="order"), sizes, unlabelled)

    def restore(self, results: np.ndarray) -> Any:
        """Put results for the rows into the caller's order; for a list of documents, make one array a document."""
        results = results[np.argsort(self.table["order"].to_numpy(), kind="stable")]
        return self._parts(results) if self.kind == "documents" else results

    def label_lists(self, labels: np.ndarray) -> np.ndarray:
        """Return labels of the caller's rows as they are; for a list of documents, make one list a document."""
        return object_array(part.tolist() for part in self._parts(labels)) if self.kind == "documents" else labels

    def _parts(self, results: np.ndarray) -> list[np.ndarray]:
        # A document without lines has no row, but an entry in the result.
        return np.split(results, np.cumsum(self.sizes)[:-1]) if self.sizes else []

    def with_predictions(self, labels: Sequence[str], best: np.ndarray, probabilities: np.ndarray) -> Any:
        """Add predictions to the caller's rows; for lists, return the labels of the lines or of each document's lines."""
        names = np.array(labels, dtype=object)
        if self.kind in ("lines", "documents"):
            return self.label_lists(names[best])
        rows = self.rows.copy()
        rows["prediction"] = self.restore(best)
        rows["predicted_label"] = names[rows["prediction"].to_numpy()]
        rows["probabilities"] = list(self.restore(probabilities))
        return rows


def frame_of(data: Any) -> Any:
    """Return a table of another library than pandas, a dict of columns or records as a DataFrame, all else as it is."""
    if (columns := columns_of(data)) is None:
        return data
    same_length(columns)
    # Only arrays keep their type: pandas would turn whole numbers with a None into floats.
    return pd.DataFrame(
        {name: pd.Series(array_of(values), dtype=array_of(values).dtype) for name, values in columns.items()}
    )


def _paths(data: object, items: list[Any], unit: str) -> list[str | Path]:
    """Return items that are paths, and none if they are lines: a text is a path only if all of them exist."""
    if any(isinstance(item, Path) for item in items):
        for index, item in enumerate(items):
            if not isinstance(item, (str, Path)):
                raise TypeError(
                    f"Item {index} is of type {type(item).__name__}, but others are paths: give paths only."
                )
        return items
    if isinstance(data, str):
        if _exists(data) or (_looks_like_path(data) and "\n" not in data) or not data.strip():
            return items
        raise DataError(
            f"{printable(data[:60], keep='')!s} is a text and no file or folder: "
            f"give a list of its {unit}s (text.splitlines()) or Document('name', text)."
        )
    if not items or not all(isinstance(item, str) for item in items):
        return []
    likely = [item for item in items if _looks_like_path(item)]
    # A blank or "." is a folder's name too, but in a list it is a line.
    found = [any(map(str.isalnum, item)) and _exists(item) for item in (items if likely else items[:1])]
    if all(found) and (likely or all(map(_exists, items))):
        return items
    if len(likely) == len(items) or (any(found) and likely):
        if missing := [item for item in likely if not _exists(item)]:
            raise DataError(
                f"{printable(missing[0], keep='')} does not exist. If these are {unit}s of a document and no paths, "
                "give a list of documents: [[...]]."
            )
    return []


def _exists(text: str) -> bool:
    """Return whether there is such a file or folder, or one that a glob finds."""
    try:
        return os.path.exists(text) or (glob.has_magic(text) and any(glob.iglob(text, recursive=True)))
    except (OSError, ValueError):
        return False


def _looks_like_path(text: str) -> bool:
    """Return whether a text has a known ending, or a separator and no blank."""
    return text.lower().endswith(tuple(ENDINGS)) or ("/" in text.replace(os.sep, "/") and len(text.split()) == 1)


def _document(item: object, index: int, unit: str) -> pd.DataFrame:
    """Return the table of a document that is a list of lines or tokens; blank ones are rows too."""
    if isinstance(item, Document):
        return by_unit(item, unit).table()
    rows = None if isinstance(item, (Mapping, Path)) else items_of(item)
    if rows is None:
        problem = f"Document {index} is of type {type(item).__name__}; give each document as a list of {unit}s"
        raise TypeError(f"{problem}, or one document as a list of texts.")
    for number, row in enumerate(rows):
        if not isinstance(row, str) or "\n" in row:
            place = f"{unit.capitalize()} {number} of document {index}"
            hint = f" Give text.splitlines() for a text of several {unit}s." if isinstance(row, str) else ""
            raise DataError(f"{place} is {row!r:.80}; a {unit} is one str without line break.{hint}")
    values = pd.Series(rows, dtype=object)
    table = pd.DataFrame({"doc_id": str(index), "line_number": np.arange(len(values)), "value": values})
    # A list of tokens does not say what separated them; white space is the likeliest.
    return table if unit == "line" else table.assign(break_before=np.where(table["line_number"] > 0, 1, 3))


def as_table(data: object, *, line_no_col: str = "line_number", unit: str = "line") -> pd.DataFrame:
    """Turn data of any form into the shared table."""
    return Input.of(data, line_no_col=line_no_col, unit=unit).table


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

    A label is text; whole numbers in ``y`` are named by their digits, as scikit-learn encodes labels before some of its
    calls, and those in the column of labels are positions in ``names``.  None, NaN and pandas' NA mark a row without a
    label; an empty label is refused.  Documents that nobody annotated are left out where ``other`` would label all their
    lines.
    """
    given = Input.of(data, line_no_col=line_no_col, unit=unit)
    labels = _column_labels(given, label_col, required, names) if y is None else _row_labels(y, given, unit)
    if labels is None or (labels and all(label is None for label in labels)):
        if not required:
            return given.table.assign(label=None)
        raise DataError(f"The data have no labels: give annotated files, a column {label_col!r}, or y=[...].")
    # The table is in document order, labels in the caller's; pandas' own type would turn None into NaN.
    column = pd.Series(object_array(labels)[given.table["order"]], dtype=object)
    table = given.table.assign(label=column)
    return table if other is None or y is not None else _annotated(table, given, f"all their {unit}s {other!r}")


def _annotated(table: pd.DataFrame, given: Input, advice: str) -> pd.DataFrame:
    """Leave out the documents that nobody annotated, and name them."""
    without = given.unlabelled
    if without is None:
        has = table["label"].notna().groupby(table["doc_id"], sort=False).any()
        without = has.index[~has].tolist()
    if not without:
        return table
    named = ", ".join(without[:_MOST_NAMED]) + ", ..." * (len(without) > _MOST_NAMED)
    documents = f"{len(without)} document{'s have' if len(without) > 1 else ' has'}"
    warnings.warn(
        f"{documents} no label and {'are' if len(without) > 1 else 'is'} left out: {named}. "
        f"unlabelled='other' labels {advice}.",
        LabelWarning,
        stacklevel=4,
    )
    return table[~table["doc_id"].isin(without)].reset_index(drop=True)


def _column_labels(
    given: Input, label_col: str, required: bool, names: Sequence[str] | LabelSet | None
) -> list[str | None] | None:
    """Return the labels in the data's own column, in the caller's order, None if there is no such column."""
    if given.kind != "table":
        return list(none_for_missing(given.rows["label"])) if "label" in given.rows else None
    column = NUMBERS if label_col == "label" and "label" not in given.rows else label_col
    if column in given.rows:
        named = label_names(given.rows[column], None if names is None else list(names), column)
        return _check_labels(named, f"column {column!r}")
    if label_col in given.rows.index.names:
        raise DataError(f"{label_col!r} is the index of the table: call reset_index() first.")
    refuse_other_spelling(given.rows, label_col)
    if label_col != "label" and required:
        require_column(given.rows, label_col)
    return None


def _check_labels(labels: Iterable[Any], where: str) -> list[str | None]:
    """Return labels that are text, None for missing ones."""
    found: list[str | None] = []
    for row, label in enumerate(labels):
        if isinstance(label, str):
            if not label.strip():
                raise DataError(f"Row {row} of {where} is blank: write None for a row without a label.")
            found.append(str(label))
        elif is_missing(label):
            found.append(None)
        else:
            raise DataError(f"Row {row} of {where} holds {label!r:.60}, not text: write labels as text.")
    return found


def _row_labels(y: Any, given: Input, unit: str) -> list[str | None]:
    """Return the labels in ``y``, one a row in the caller's order; they may be in lists, one a document."""
    y = y if isinstance(y, Mapping) else frame_of(y)
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        y = y.iloc[:, 0]
    if (labels := items_of(y)) is None:
        raise TypeError(f"y is of type {type(y).__name__}: give a list of labels, one a {unit}.")
    parts = [None if isinstance(part, str) else items_of(part) for part in labels]
    if any(part is not None for part in parts):
        labels = _joined(parts, given, unit)
    if len(labels) != len(given.table):
        rows = f"{plural(len(labels), 'label')} for {len(given.table)} {unit}s"
        raise DataError(f"There are {rows}; give one label per {unit}.")
    # scikit-learn encodes labels as integers before some of its calls; their digits serve as names.
    is_number = [isinstance(label, (int, np.integer)) and not isinstance(label, bool) for label in labels]
    if any(is_number) and any(isinstance(label, str) for label in labels):
        row = is_number.index(True)
        raise DataError(f"Row {row} of y holds {labels[row]!r}, but other labels are text: write all as text.")
    return _check_labels([str(int(v)) if n else v for v, n in zip(labels, is_number, strict=True)], "y")


def _joined(parts: list[list[Any] | None], given: Input, unit: str) -> list[Any]:
    """Join the lists of labels of all documents, each as long as its document."""
    sizes = lengths_of(given.table) if given.sizes is None else given.sizes
    if given.sizes is None and np.any(np.diff(given.table["order"].to_numpy()) < 0):
        raise DataError(f"The rows are not in order, so y must be one list with a label per {unit}.")
    for index, part in enumerate(parts):
        if part is None:
            raise DataError(f"y[{index}] is a label, but other items are lists: give a list for each document.")
        if index < len(sizes) and len(part) != sizes[index]:
            raise DataError(
                f"Document {index} has {plural(sizes[index], unit)}, but y[{index}] has {plural(len(part), 'label')}."
            )
    if len(parts) != len(sizes):
        raise DataError(f"y has lists for {plural(len(parts), 'document')}, but there are {len(sizes)}.")
    return [label for part in parts for label in part or ()]


def data_and_labels(data: Any) -> tuple[Any, Any]:
    """Split what may be a pair of data and labels, as Keras takes ``validation_data``."""
    if isinstance(data, tuple) and len(data) == 2 and not all(isinstance(d, (str, Path, Document)) for d in data):
        return data
    return data, None


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


def fold_labels(
    column: pd.Series[Any], labels: LabelSet, other: str | None, what: str, ignore: bool = False
) -> list[str | None]:
    """Map the labels of the data to those of the model; with ``ignore``, ``other`` is not for rows without a label."""
    if other is not None:
        folded = collapse_labels(column, list(labels), other)
        return [None if ignore and missing else label for label, missing in zip(folded, column.isna(), strict=True)]
    names: list[str | None] = [None if pd.isna(label) else str(label) for label in column]
    for label in names:
        if label is not None and label not in labels:
            problem = f"Label {label!r} of {what} is not among {', '.join(labels)}.{suggestion(label, labels)}"
            raise DataError(f"{problem} Give other='Misc' to merge all such lines into one class.")
    return names


def other_label(given: str | None, trained: str | None, labels: LabelSet) -> str | None:
    """Return the label for labels that a trained model does not know, which must be one of its own."""
    if given is not None and given not in labels:
        raise ValueError(
            f"other must be a label of the model: {', '.join(labels)}, not {given!r}.{suggestion(given, labels)}"
        )
    return trained if given is None else given


def is_label_list(y: Any, given: Input, label_col: str = "label") -> bool:
    """Return whether ``y`` is a list of label names (its older meaning), for data that have labels, and not the labels of rows."""
    names = None if isinstance(y, (str, Mapping)) else items_of(y)
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        return False
    if given.kind == "table":
        return label_col in given.rows and len(names) != len(given.rows)
    return given.kind == "corpus" and "label" in given.table
