"""Counts, shares and documents of each label, from labels of lines or from a table of counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skol_rnn.data.document import Corpus
from skol_rnn.errors import DataError
from skol_rnn.labels import LabelSet

COLUMNS = ["label", "count", "share", "ratio", "documents"]
OUTSIDE = "O"


class Imbalance(NamedTuple):
    """The most frequent label against all others together."""

    majority: str
    lines: int
    rest: int

    @property
    def ratio(self) -> float:
        """How many lines of the majority there are for each of the rest; infinite where there is no rest."""
        return self.lines / self.rest if self.rest else float("inf")


def label_counts(column: Iterable[str | None], labels: LabelSet) -> np.ndarray:
    """Count the lines of each label."""
    counts = np.zeros(len(labels), dtype=np.int64)
    for name, number in _series(column).value_counts().items():
        counts[labels.index(str(name))] = number
    return counts


def label_distribution(
    data: Corpus | pd.DataFrame | Mapping[str, int] | Iterable[str | None], doc_ids: Iterable[str] | None = None
) -> pd.DataFrame:
    """Tabulate how often each label occurs.

    Parameters
    ----------
    data : Corpus, DataFrame, mapping of str to int, or iterable of str or None
        Documents as :func:`skol_rnn.read_documents` reads them, or their table, of which columns ``label`` and ``doc_id`` are used; counts by label; or labels of n lines.
        Lines without a label are left out.
    doc_ids : iterable of str, optional
        Document of each line, beside labels of lines; without it, as with counts, documents are unknown.

    Returns
    -------
    DataFrame
        Columns ``label``, ``count`` (lines), ``share`` (of the labelled lines), ``ratio`` (how many times rarer
        than the most frequent label; the weight of "inverse") and ``documents`` (with at least one such line; NaN
        where unknown); most frequent first, equal counts by name.

    Raises
    ------
    DataError
        If the table lacks a column.
    ValueError
        If there are not as many document ids as labels, or a count is negative or no whole number.

    Examples
    --------
    >>> label_distribution(["a", "b", "b", "b"], ["d1", "d1", "d1", "d2"])
      label  count  share  ratio  documents
    0     b      3   0.75    1.0          2
    1     a      1   0.25    3.0          1
    >>> label_distribution({"a": 1, "b": 3})
      label  count  share  ratio  documents
    0     b      3   0.75    1.0        NaN
    1     a      1   0.25    3.0        NaN
    """
    if isinstance(data, Corpus):
        data = data.table
    if isinstance(data, (pd.DataFrame, Mapping)) and doc_ids is not None:
        raise ValueError("doc_ids goes with labels of lines only; a table has its own column 'doc_id'.")
    if isinstance(data, Mapping):
        return _tabulated(pd.DataFrame({"label": list(data), "count": _whole(data), "documents": np.nan}))
    if isinstance(data, pd.DataFrame):
        return _tabulated(_counted(_column(data, "label"), _column(data, "doc_id")))
    labels = _series(data)
    if doc_ids is None:
        return _tabulated(_counted(labels, pd.Series("", index=labels.index)).assign(documents=np.nan))
    documents = _series(doc_ids)
    if labels.size != documents.size:
        raise ValueError(f"There are {labels.size} labels, but {documents.size} document ids.")
    return _tabulated(_counted(labels, documents))


def imbalance(frame: pd.DataFrame) -> Imbalance:
    """Set the most frequent label against all others together."""
    if not len(frame) or not frame["count"].iloc[0]:
        raise ValueError("No label occurs: there is no majority.")
    first = frame.iloc[0]
    return Imbalance(str(first["label"]), int(first["count"]), int(frame["count"].sum() - first["count"]))


def is_bio(frame: pd.DataFrame) -> bool:
    """Tell BIO labels, each "O" or beginning with "B-" or "I-", from others."""
    labels = set(frame["label"]) - {OUTSIDE}
    return bool(labels) and all(label[:2] in ("B-", "I-") and label[2:] for label in labels)


def by_type(frame: pd.DataFrame) -> pd.DataFrame:
    """Take the B and the I of each type of span together."""
    if not is_bio(frame):
        raise ValueError("There are types for BIO labels only: each 'O', or beginning with 'B-' or 'I-'.")
    counts = dict(zip(frame["label"], frame["count"], strict=True))
    types = sorted({label[2:] for label in counts if label != OUTSIDE})
    found = pd.DataFrame({"type": types} | {tag: [counts.get(f"{tag}-{name}", 0) for name in types] for tag in "BI"})
    found["ratio"] = found["I"] / found["B"].where(found["B"] > 0)
    found["tokens"] = found["B"] + found["I"]
    return found.sort_values(["tokens", "type"], ascending=[False, True], ignore_index=True)


def distribution_json(frame: pd.DataFrame, unit: str = "line") -> dict[str, Any]:
    """Return a label distribution as JSON values."""
    found = imbalance(frame) if frame["count"].any() else None
    return {
        "labels": _records(frame),
        "unit": unit,
        "total": int(frame["count"].sum()),
        "imbalance": found and {**found._asdict(), "ratio": _finite(found.ratio)},
        "by_type": _records(by_type(frame)) if is_bio(frame) else None,
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): _finite(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _counted(labels: pd.Series[Any], documents: pd.Series[Any]) -> pd.DataFrame:
    groups = pd.DataFrame({"label": labels, "doc_id": documents}).groupby("label")["doc_id"]
    return groups.agg(count="size", documents="nunique").reset_index()


def _tabulated(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.sort_values(["count", "label"], ascending=[False, True], ignore_index=True)
    frame["share"] = frame["count"] / max(frame["count"].sum(), 1)
    frame["ratio"] = frame["count"].max() / frame["count"].astype(np.float64)
    return frame[COLUMNS]


def _whole(counts: Mapping[str, int]) -> np.ndarray:
    for label, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, Real) or not 0 <= count < 2**63 or count % 1:
            raise ValueError(f"The count of {label!r} must be a whole number of at least 0, not {count!r}.")
    return np.array([int(count) for count in counts.values()], dtype=np.int64)


def _column(table: pd.DataFrame, name: str) -> pd.Series[Any]:
    if name not in table:
        found = ", ".join(map(str, table.columns))
        raise DataError(f"The table has no column {name!r}; it has {found}. Give labels and doc_ids instead.")
    return _series(table[name])


def _series(values: Iterable[str | None]) -> pd.Series[Any]:
    # Positions, not a caller's index, pair labels with documents.
    given: Sequence[str | None] = list(values)
    return pd.Series(given, dtype=object)
