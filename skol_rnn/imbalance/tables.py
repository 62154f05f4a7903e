"""A label distribution as tables for the terminal, and tables of class weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from skol_rnn.imbalance.counts import by_type

Weights = Mapping[str, Mapping[str, float]]
COLUMN_WIDTH = 13
"""Room for a weight of up to six digits before the point, and for the name of a strategy."""


def distribution_table(frame: pd.DataFrame, unit: str = "line") -> Table:
    """Lay out a label distribution."""
    with_documents = not len(frame) or bool(frame["documents"].notna().any())
    known = ["Documents"] if with_documents else []
    table = _table("Label distribution", "Label", [f"{unit.capitalize()}s", "Share", "Times rarer", *known])
    for label, count, share, ratio, documents in _rows(frame):
        cells = [f"{count:,}", f"{share:.2%}", f"{ratio:,.1f}" if count else "-"]
        cells += [f"{documents:,.0f}"] if with_documents else []
        # Text, because rich would read a label in square brackets as markup.
        table.add_row(Text(label), *cells)
    return table


def weight_tables(labels: Iterable[str], weights: Weights, width: int = 80) -> list[Table]:
    """Lay out the weights of the strategies, in as many tables as the width needs."""
    names, headings = list(labels), list(weights)
    room = width - max((cell_len(name) for name in names), default=0) - 4
    size = max(room // COLUMN_WIDTH, 1)
    return [_weight_table(names, weights, headings[i : i + size]) for i in range(0, len(headings), size)]


def type_table(frame: pd.DataFrame) -> Table:
    """Lay out the span types of BIO labels: tokens in all, tokens that begin a span, and their ratio."""
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
        table.add_row(Text(name), *(f"{weights[heading][name]:.4f}" for heading in headings))
    return table
