"""A table as plain text that fits a terminal."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.cells import cell_len, chop_cells

_LEAST_NAME = 10


def table_width(rows: Sequence[Sequence[str]]) -> int:
    """Return the columns that a table takes where no name is folded."""
    return sum(_sizes(rows)) + 2 * (len(rows[0]) - 1)


def text_table(rows: Sequence[Sequence[str]], width: int = 100, rules: Collection[int] = (0,)) -> list[str]:
    """Return the lines of a table, a rule below some of its rows; names too long for the width are folded."""
    names, *sizes = _sizes(rows)
    names = max(min(names, width - sum(sizes) - 2 * len(sizes)), _LEAST_NAME)
    lines = []
    for number, (name, *cells) in enumerate(rows):
        first, *rest = chop_cells(name, names) or [""]
        padded = (" " * (size - cell_len(cell)) + cell for cell, size in zip(cells, sizes, strict=True))
        lines += ["  ".join([first + " " * (names - cell_len(first)), *padded]).rstrip(), *rest]
        if number in rules:
            lines.append("-" * (names + sum(sizes) + 2 * len(sizes)))
    return lines


def _sizes(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
