"""A label distribution as tables and bars for the terminal and as a figure, and tables of class weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
from rich import box
from rich.cells import cell_len
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from skol_rnn.imbalance.counts import by_type
from skol_rnn.labels import printable
from skol_rnn.persistence.figures import check_figure_path, new_figure, save_figure

COLUMN_WIDTH = 13  # room for a weight of up to six digits before the point, and for the name of a strategy
AXIS_START = 0.5  # start of the log axis, which has no 0: one line still has a bar
_SHORTEST = 17.9  # a bar is at least this part of the longest: half a character of the narrowest column


def distribution_table(frame: pd.DataFrame, unit: str = "line") -> Table:
    """Lay out a label distribution."""
    with_documents = frame.empty or bool(frame["documents"].notna().any())
    headings = [f"{unit.capitalize()}s", "Share", "Times rarer", "Documents"]
    table = _table("Label distribution", "Label", headings if with_documents else headings[:-1])
    for label, count, share, ratio, documents in frame.itertuples(index=False):
        cells = [f"{count:,}", f"{share:.2%}", f"{ratio:,.1f}" if count else "-"]
        # Text, because rich would read a label in square brackets as markup.
        table.add_row(Text(printable(label)), *cells, *([f"{documents:,.0f}"] if with_documents else []))
    return table


def weight_tables(labels: Iterable[str], weights: Mapping[str, Mapping[str, float]], width: int = 80) -> list[Table]:
    """Lay out the weights of the strategies, in as many tables as the width needs."""
    names, headings, tables = list(labels), list(weights), []
    room = width - max((cell_len(name) for name in names), default=0) - 4
    size = max(room // COLUMN_WIDTH, 1)
    for start in range(0, len(headings), size):
        shown = headings[start : start + size]
        table = _table("Class weights", "Label", shown)
        for name in names:
            table.add_row(Text(printable(name)), *(f"{weights[heading][name]:.4f}" for heading in shown))
        tables.append(table)
    return tables


def type_table(frame: pd.DataFrame) -> Table:
    """Lay out the span types of BIO labels: tokens in all, tokens that begin a span, and their ratio."""
    table = _table("By type", "Type", ["Tokens", "B", "I", "B : I"])
    for name, begin, inside, ratio, tokens in by_type(frame).itertuples(index=False):
        shown = f"1 : {ratio:,.2f}" if begin else "-"
        table.add_row(Text(printable(name)), f"{tokens:,}", f"{begin:,}", f"{inside:,}", shown)
    return table


def distribution_chart(frame: pd.DataFrame) -> Table:
    """Draw a label distribution for the terminal, as wide as it is."""
    labels, counts = _bars(frame)
    # For rich, the width of a column with a ratio is its least one; long labels are folded for it.
    columns = Column(overflow="fold"), Column(justify="right", no_wrap=True), Column(ratio=1, width=10)
    chart = Table.grid(*columns, padding=(0, 1, 0, 0), expand=True)
    for label, count in zip(labels, counts, strict=True):
        longest, length = (math.log(max(n, AXIS_START) / AXIS_START) for n in (max(counts), count))
        if count:
            length = max(length, longest / _SHORTEST)
        chart.add_row(Text(printable(label)), f"{count:,}", ProgressBar(longest, length))
    return chart


def save_distribution_chart(frame: pd.DataFrame, path: str | Path, unit: str = "line") -> Path:
    """Draw a label distribution as a figure in a file."""
    check_figure_path(path)
    from skol_rnn.report.charts import plot_label_distribution

    labels, counts = _bars(frame)
    figure = new_figure(8, 1.2 + 0.28 * len(labels))
    plot_label_distribution(counts, labels, figure.add_subplot(), unit)
    return save_figure(figure, path)


def _bars(frame: pd.DataFrame) -> tuple[list[str], list[int]]:
    if not frame["count"].any():
        raise ValueError("No label occurs: there is nothing to draw.")
    return frame["label"].astype(str).tolist(), frame["count"].astype(int).tolist()


def _table(title: str, first: str, headings: Iterable[str]) -> Table:
    numbers = (Column(heading, justify="right", no_wrap=True) for heading in headings)
    return Table(Column(first, overflow="fold"), *numbers, title=title, box=box.SIMPLE_HEAD)
