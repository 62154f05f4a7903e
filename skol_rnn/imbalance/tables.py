"""A label distribution laid out for the terminal, with the weights that strategies would give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from skol_rnn.imbalance.counts import by_type

Weights = Mapping[str, Mapping[str, float]]


def distribution_table(frame: pd.DataFrame, weights: Weights | None = None, unit: str = "line") -> Table:
    """Lay out a label distribution for the terminal, with weights beside it if given."""
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
    """Lay out the weights of strategies side by side, in as many tables as the width needs."""
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
    """Measure a table."""
    return Console(width=10_000).measure(table).maximum


def type_table(frame: pd.DataFrame) -> Table:
    """Lay out the types of BIO labels: how many spans there are, and how long."""
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
