"""A label distribution as bars on a log axis, in the terminal and as a figure."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from skol_rnn.persistence.figures import check_figure_path, new_figure, save_figure

AXIS_START = 0.5
"""Start of the log axis, which has no 0: one line still has a bar."""


def distribution_chart(frame: pd.DataFrame) -> Table:
    """Draw a label distribution for the terminal, as wide as it is."""
    labels, counts = _rows(frame)
    columns = Column(overflow="fold"), Column(justify="right", no_wrap=True), Column(ratio=1, min_width=10)
    chart = Table.grid(*columns, padding=(0, 1, 0, 0), expand=True)
    for label, count in zip(labels, counts, strict=True):
        length = math.log(max(count, AXIS_START) / AXIS_START)
        chart.add_row(Text(label), f"{count:,}", ProgressBar(math.log(max(counts) / AXIS_START), length))
    return chart


def save_distribution_chart(frame: pd.DataFrame, path: str | Path, unit: str = "line") -> Path:
    """Draw a label distribution as a figure in a file."""
    check_figure_path(path)
    labels, counts = _rows(frame)
    figure = new_figure(8, 1.2 + 0.28 * len(labels))
    axes = figure.add_subplot()
    rows = range(len(labels))
    widths = [max(count - AXIS_START, 0) for count in counts]
    bars = axes.barh(rows, widths, left=AXIS_START, color="#3b75af", height=0.72)
    axes.bar_label(bars, [f"{count:,}" for count in counts], padding=4, fontsize=8)
    axes.set_xscale("log")
    # Room for the number at the end of the longest bar.
    axes.set_xlim(AXIS_START, max(counts) * (max(counts) / AXIS_START) ** 0.14)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    # A label with two dollar signs is no formula.
    text: dict[str, Any] = {"parse_math": False}
    axes.set_yticks(rows, labels=labels, **text)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.tick_params(which="minor", labelbottom=False)
    axes.set_xlabel(f"{unit}s (log axis)")
    axes.grid(axis="x", which="major", color="#cccccc", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return save_figure(figure, path)


def _rows(frame: pd.DataFrame) -> tuple[list[str], list[int]]:
    if not frame["count"].any():
        raise ValueError("No label occurs: there is nothing to draw.")
    return frame["label"].astype(str).tolist(), frame["count"].astype(int).tolist()
