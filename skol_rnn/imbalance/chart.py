"""A label distribution as bars on a log axis, in the terminal and as a picture."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from skol_rnn.persistence.figures import check_figure_path, new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AXIS_START = 0.5
"""A log axis has no 0. All begin here, so that charts compare and one line still has a bar."""

_EIGHTHS = " ▏▎▍▌▋▊▉"
_FULL = "█"
_SUFFIXES = ("", "k", "M", "G", "T", "P", "E")


def distribution_chart(frame: pd.DataFrame) -> DistributionChart:
    """Draw a label distribution in the terminal, as wide as it is."""
    return DistributionChart(frame)


class DistributionChart:
    """Bars on a log axis from ½ to the largest count, with ticks at powers of ten; what rich can print."""

    def __init__(self, frame: pd.DataFrame) -> None:
        _require_counts(frame)
        self.labels = [str(label) for label in frame["label"]]
        self.counts = [int(count) for count in frame["count"]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a line for each label, the axis, and what its ticks mean."""
        shown = [f"{count:,}" for count in self.counts]
        number = max(map(len, shown))
        # A long label leaves at least half the line to its bar, unless there is room for both.
        label = min(max(map(cell_len, self.labels)), max(options.max_width // 2 - number, 4))
        width = max(options.max_width - label - number - 2, 8)
        for name, count, text in zip(self.labels, self.counts, shown, strict=True):
            line = Text(
                f"{_fitted(name, label, '~' if options.ascii_only else '…')} {text:>{number}} ",
                no_wrap=True,
                overflow="crop",
            )
            yield line.append(_bar(_cells(count, max(self.counts), width), options.ascii_only), style="cyan")
        for axis in _axis(max(self.counts), width, options.ascii_only):
            yield Text(" " * (label + number + 2) + axis, style="dim", no_wrap=True, overflow="crop")


def save_distribution_chart(frame: pd.DataFrame, path: str | Path, unit: str = "line") -> Path:
    """Draw a label distribution as a picture."""
    check_figure_path(path)
    _require_counts(frame)
    figure = new_figure(8, 1.2 + 0.28 * len(frame))
    _draw(figure.add_subplot(), frame, unit)
    return save_figure(figure, path)


def _draw(axes: Axes, frame: pd.DataFrame, unit: str) -> None:
    counts = frame["count"].to_numpy(dtype=float)
    rows = range(len(frame))
    axes.barh(rows, (counts - AXIS_START).clip(min=0), left=AXIS_START, color="#3b75af", height=0.72)
    axes.set_xscale("log")
    # Room for the figures at the end of the longest bar.
    axes.set_xlim(AXIS_START, counts.max() * (counts.max() / AXIS_START) ** 0.14)
    axes.set_ylim(len(frame) - 0.4, -0.6)
    # A label with two dollar signs is no formula.
    text: dict[str, Any] = {"parse_math": False}
    axes.set_yticks(rows, labels=[str(label) for label in frame["label"]], **text)
    for row, count in zip(rows, counts, strict=True):
        axes.annotate(
            f"{count:,.0f}", (max(count, AXIS_START), row), (4, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.tick_params(which="minor", labelbottom=False)
    axes.set_xlabel(f"{unit}s (log axis)")
    axes.grid(axis="x", which="major", color="#cccccc", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _require_counts(frame: pd.DataFrame) -> None:
    if not frame["count"].any():
        raise ValueError("No label occurs: there is nothing to draw.")


def _cells(count: float, largest: int, width: int) -> float:
    """Length of a bar in cells; 0 for nothing, and never less than an eighth for something."""
    if count <= 0:
        return 0.0
    share = math.log(count / AXIS_START) / math.log(largest / AXIS_START)
    return max(share * width, 1 / 8)


def _bar(cells: float, ascii_only: bool) -> str:
    if ascii_only:
        return "#" * math.ceil(cells)
    full, eighths = divmod(round(cells * 8), 8)
    return _FULL * full + _EIGHTHS[eighths].strip()


def _axis(largest: int, width: int, ascii_only: bool) -> tuple[str, str]:
    line, marks = ["-" if ascii_only else "─"] * width, [" "] * width
    free = 0
    for power in range(int(math.log10(largest)) + 1):
        tick = min(int(_cells(10**power, largest, width)), width - 1)
        text = _short(power)
        # Ticks stand under the ends of bars, their names end below them; one without room has no name.
        start = max(tick - len(text) + 1, 0)
        line[tick] = "+" if ascii_only else "┬"
        if start >= free and start + len(text) <= width:
            marks[start : start + len(text)] = text
            free = start + len(text) + 1
    return "".join(line), "".join(marks).rstrip()


def _short(power: int) -> str:
    return f"{10 ** (power % 3)}{_SUFFIXES[power // 3]}"


def _fitted(label: str, width: int, cut: str) -> str:
    return set_cell_size(label, width) if cell_len(label) <= width else set_cell_size(label, width - 1) + cut
