"""A label distribution laid out for the terminal, with the weights that strategies would give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from skol_rnn.distribution.counts import by_type

Weights = Mapping[str, Mapping[str, float]]


def distribution_table(frame: pd.DataFrame, weights: Weights | None = None, unit: str = "line") -> Table:
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
        One row per label; without a column of documents where these are unknown.

    Examples
    --------
    >>> from skol_rnn.distribution import label_distribution
    >>> frame = label_distribution(["a", "b", "b"], ["d1", "d1", "d2"])
    >>> table = distribution_table(frame, {"inverse": {"a": 2.0, "b": 1.0}})
    >>> [column.header for column in table.columns]
    ['Label', 'Lines', 'Share', 'Times rarer', 'Documents', 'inverse']
    """
    columns = dict(weights or {})
    documents = not len(frame) or bool(frame["documents"].notna().any())
    known = ["Documents"] if documents else []
    table = _table("Label distribution", "Label", [f"{unit.capitalize()}s", "Share", "Times rarer", *known, *columns])
    for label, count, share, ratio, held in _rows(frame):
        cells = [f"{count:,}", f"{share:.2%}", f"{ratio:,.1f}" if count else "-"]
        cells += [f"{held:,.0f}"] if documents else []
        # Text, because a label in square brackets would be read as rich markup.
        table.add_row(Text(label), *cells, *(_weight(column, label) for column in columns.values()))
    return table


def weight_tables(labels: Iterable[str], weights: Weights, width: int = 80) -> list[Table]:
    """Lay out the weights of strategies side by side, in as many tables as the width needs.

    Parameters
    ----------
    labels : iterable of str
        Labels, a row each.
    weights : mapping of str to mapping of str to float
        For each strategy its weights by label; a label without one is shown as "-".
    width : int
        Cells of the terminal's line.

    Returns
    -------
    list of rich.table.Table
        Each repeats the labels and has the next strategies, as many as fit; one at least.

    Examples
    --------
    >>> weights = {"inverse": {"a": 20.0}, "balanced": {"a": 10.5}, "smoothed": {"a": 1.6}}
    >>> [[c.header for c in table.columns] for table in weight_tables(["a"], weights, width=34)]
    [['Label', 'inverse', 'balanced'], ['Label', 'smoothed']]
    """
    names = list(labels)
    groups: list[list[str]] = []
    for heading in weights:
        wider = [*groups[-1], heading] if groups else []
        if wider and table_width(_weight_table(names, weights, wider)) <= width:
            groups[-1] = wider
        else:
            groups.append([heading])
    return [_weight_table(names, weights, group) for group in groups]


def table_width(table: Table) -> int:
    """Measure a table.

    Parameters
    ----------
    table : rich.table.Table
        A table.

    Returns
    -------
    int
        Cells of a line in which no label is folded.

    Examples
    --------
    >>> table_width(weight_tables(["a"], {"inverse": {"a": 20.0}})[0])
    19
    """
    return Console(width=10_000).measure(table).maximum


def type_table(frame: pd.DataFrame) -> Table:
    """Lay out the types of BIO labels: how many spans there are, and how long.

    Parameters
    ----------
    frame : DataFrame
        What `label_distribution` returns for BIO labels.

    Returns
    -------
    rich.table.Table
        One row per type.

    Raises
    ------
    ValueError
        If the labels are not BIO.

    Examples
    --------
    >>> from skol_rnn.distribution import label_distribution
    >>> table = type_table(label_distribution({"O": 90, "B-PER": 4, "I-PER": 2}))
    >>> [column.header for column in table.columns]
    ['Type', 'Tokens', 'B', 'I', 'B : I']
    """
    table = _table("By type", "Type", ["Tokens", "B", "I", "B : I"])
    for name, begin, inside, ratio, tokens in _rows(by_type(frame)):
        shown = f"1 : {ratio:,.2f}" if begin else "-"
        table.add_row(Text(name), f"{tokens:,}", f"{begin:,}", f"{inside:,}", shown)
    return table


def _rows(frame: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    return zip(*(frame[column].tolist() for column in frame), strict=True)


def _table(title: str, first: str, headings: Iterable[str]) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD)
    table.add_column(first, overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _weight_table(names: list[str], weights: Weights, headings: list[str]) -> Table:
    table = _table("Class weights", "Label", headings)
    for name in names:
        table.add_row(Text(name), *(_weight(weights[heading], name) for heading in headings))
    return table


def _weight(column: Mapping[str, float], label: str) -> str:
    return f"{column[label]:.4f}" if label in column else "-"
