"""How often each label occurs, and in how many documents: what to look at before choosing weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from skol_rnn.labels import LabelSet


def label_counts(column: Iterable[str | None], labels: LabelSet) -> np.ndarray:
    """Count the lines of each label.

    Parameters
    ----------
    column : iterable of str or None
        Labels of n lines; None and NaN are lines without a label.
    labels : LabelSet
        The K labels.

    Returns
    -------
    ndarray of int64, shape (K,)
        The counts, in the order of ``labels``.

    Raises
    ------
    ValueError
        If a label is unknown.

    Examples
    --------
    >>> label_counts(["b", None, "a", "b"], LabelSet(("a", "b", "c"))).tolist()
    [1, 2, 0]
    """
    counts = np.zeros(len(labels), dtype=np.int64)
    for name, number in _series(column).value_counts().items():
        counts[labels.index(str(name))] = number
    return counts


def label_distribution(column: Iterable[str | None], doc_ids: Iterable[str]) -> pd.DataFrame:
    """Tabulate how often each label occurs.

    Parameters
    ----------
    column : iterable of str or None
        Labels of n lines; lines without one are left out.
    doc_ids : iterable of str
        Document of each line.

    Returns
    -------
    DataFrame
        Columns ``label``, ``count`` (lines), ``share`` (of the labelled lines), ``ratio`` (how many times rarer
        than the most frequent label; the weight of "inverse") and ``documents`` (with at least one such line);
        most frequent first, equal counts by name.

    Raises
    ------
    ValueError
        If there are not as many document ids as labels.

    Examples
    --------
    >>> label_distribution(["a", "b", "b", "b"], ["d1", "d1", "d1", "d2"])
      label  count  share  ratio  documents
    0     b      3   0.75    1.0          2
    1     a      1   0.25    3.0          1
    """
    labels, documents = _series(column), _series(doc_ids)
    if labels.size != documents.size:
        raise ValueError(f"There are {labels.size} labels, but {documents.size} document ids.")
    groups = pd.DataFrame({"label": labels, "doc_id": documents}).groupby("label")["doc_id"]
    frame = groups.agg(count="size", documents="nunique").reset_index()
    frame = frame.sort_values(["count", "label"], ascending=[False, True], ignore_index=True)
    frame["share"] = frame["count"] / frame["count"].sum()
    frame["ratio"] = frame["count"].max() / frame["count"]
    return frame[["label", "count", "share", "ratio", "documents"]]


def distribution_table(
    frame: pd.DataFrame, weights: Mapping[str, Mapping[str, float]] | None = None, unit: str = "line"
) -> Table:
    """Lay out a label distribution for the terminal, with weights beside it if given.

    Parameters
    ----------
    frame : DataFrame
        What `label_distribution` returns.
    weights : mapping of str to mapping of str to float, optional
        For each further column its heading and its weights by label; a label without one is shown as "-".
    unit : str
        What one count stands for.

    Returns
    -------
    rich.table.Table
        One row per label.

    Examples
    --------
    >>> frame = label_distribution(["a", "b", "b"], ["d1", "d1", "d2"])
    >>> table = distribution_table(frame, {"inverse": {"a": 2.0, "b": 1.0}})
    >>> [column.header for column in table.columns]
    ['Label', 'Lines', 'Share', 'Times rarer', 'Documents', 'inverse']
    """
    columns = dict(weights or {})
    table = Table(title="Label distribution", box=box.SIMPLE_HEAD)
    table.add_column("Label", overflow="fold")
    for heading in (f"{unit.capitalize()}s", "Share", "Times rarer", "Documents", *columns):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in frame.itertuples(index=False):
        cells = [f"{row.count:,}", f"{row.share:.2%}", f"{row.ratio:,.1f}", f"{row.documents:,}"]
        label = str(row.label)
        # Text, because a label in square brackets would be read as rich markup.
        table.add_row(Text(label), *cells, *(_weight(column, label) for column in columns.values()))
    return table


def _weight(column: Mapping[str, float], label: str) -> str:
    return f"{column[label]:.4f}" if label in column else "-"


def _series(values: Iterable[str | None]) -> pd.Series:
    # Positions, not a caller's index, pair labels with documents.
    given: Sequence[str | None] = list(values)
    return pd.Series(given, dtype=object)
