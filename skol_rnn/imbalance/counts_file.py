"""Tables of counts as files: JSON, or CSV with the columns ``label`` and ``count``."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from skol_rnn.errors import DataError

_NESTED = ("label_counts", "counts")


def is_counts_file(path: str | Path) -> bool:
    """Tell a table of counts from documents."""
    path = Path(path)
    if not path.is_file() or path.suffix.lower() not in (".json", ".csv"):
        return False
    if path.suffix.lower() == ".json":
        return True
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(csv.reader(file, skipinitialspace=True), [])
    return {"label", "count"} <= set(header) and "value" not in header


def read_counts(path: str | Path) -> dict[str, int]:
    r"""Read a table of counts."""
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as a table of counts ({error}).") from error
    pairs = _json_pairs(text, path) if path.suffix.lower() == ".json" else _csv_pairs(text, path)
    return _checked(pairs, path)


def _json_pairs(text: str, path: Path) -> list[tuple[str, Any]]:
    try:
        # Pairs, not a dict, which would keep the last of two equal labels.
        found = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is no JSON ({error}).") from error
    for key in _NESTED:
        inner = dict(found).get(key) if _is_object(found) else None
        found = inner if _is_object(inner) else found
    if not _is_object(found):
        raise DataError(f'{path} holds no counts: give an object of label and count, as {{"Misc": 80}}.')
    return found


def _is_object(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, tuple) for item in value)


def _csv_pairs(text: str, path: Path) -> list[tuple[str, Any]]:
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    if not {"label", "count"} <= set(rows.fieldnames or ()):
        raise DataError(f"{path} is no table of counts: its first line must name the columns label and count.")
    return [(row["label"], _number(row["count"])) for row in rows]


def _number(text: str | None) -> Any:
    try:
        return int(text or "")
    except ValueError:
        return text


def _checked(pairs: Iterable[tuple[str, Any]], path: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for label, count in pairs:
        if not label:
            raise DataError(f"{path}: a label has no name.")
        if label in counts:
            raise DataError(f"{path}: the label {label!r} is there twice.")
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 2**63:
            raise DataError(f"{path}: the count of {label!r} must be a whole number of at least 0, not {count!r}.")
        counts[label] = count
    if not any(counts.values()):
        raise DataError(f"{path}: no label has a count above 0.")
    return counts
