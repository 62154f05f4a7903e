"""Finished cells in a folder, one JSON file each, named by what their result depends on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from skol_rnn.batch_evaluate.cells import names
from skol_rnn.batch_evaluate.config import Cell
from skol_rnn.persistence.atomic import write_atomically


def read_finished(folder: Path, cells: Iterable[Cell], predictions: bool = False) -> dict[str, dict[str, Any]]:
    """Return the records of the finished cells by key; with ``predictions``, only of those that have kept them."""
    found = {}
    for cell in cells:
        if predictions and not (folder / f"{cell.key}.csv").exists():
            continue
        try:
            record = json.loads((folder / f"{cell.key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # not finished, or damaged: it is run again
        if isinstance(record, dict) and "scores" in record:
            found[cell.key] = record | names(cell)  # the names may have changed since
    return found


def write_finished(folder: Path, cell: Cell, record: dict[str, Any]) -> None:
    """Write the record of a cell atomically."""
    text = json.dumps(record, indent=1, ensure_ascii=False, default=str)
    write_atomically(folder / f"{cell.key}.json", text.encode())
