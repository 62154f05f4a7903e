"""Tables of counts in files: JSON, or CSV with the columns ``label`` and ``count``."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from skol_rnn.errors import DataError
from skol_rnn.imbalance.checks import whole_number


def is_counts_file(path: str | Path) -> bool:
    """Whether a file holds counts and not documents."""
    path = Path(path)
    if not path.is_file() or path.suffix.lower() not in (".json", ".csv"):
        return False
    if path.suffix.lower() == ".json":
        return True
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        header = next(csv.reader(file, skipinitialspace=True), [])
    return {"label", "count"} <= set(header) and "value" not in header


def read_counts(path: str | Path) -> dict[str, int]:
    """Read counts by label."""
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
        pairs = _json_pairs(text) if path.suffix.lower() == ".json" else _csv_pairs(text)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f'{path} cannot be read as a table of counts ({error}): it must be JSON like {{"Misc": 80}}, or CSV whose '
            "first line names the columns label and count."
        ) from error
    counts: dict[str, int] = {}
    for label, count in pairs:
        if not label:
            raise DataError(f"{path}: a label has no name.")
        if label in counts:
            raise DataError(f"{path}: the label {label!r} occurs twice.")
        try:
            counts[label] = whole_number(f"the count of {label!r}", count)
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
    if not any(counts.values()):
        raise DataError(f"{path}: no label has a count above 0.")
    return counts


def _json_pairs(text: str) -> list[tuple[str, Any]]:
    # Pairs, because a dict would keep only the last of two equal labels.
    found: Any = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    for key in ("label_counts", "counts"):
        inner = dict(found).get(key) if _is_object(found) else None
        found = inner if _is_object(inner) else found
    if not _is_object(found):
        raise ValueError("it holds no object of labels and counts")
    return list(found)


def _is_object(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, tuple) for item in value)


def _csv_pairs(text: str) -> list[tuple[str, Any]]:
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    if not {"label", "count"} <= set(rows.fieldnames or ()):
        raise ValueError("a column is missing")
    return [(row["label"], int(n) if (n := row["count"] or "").isdecimal() else row["count"]) for row in rows]
