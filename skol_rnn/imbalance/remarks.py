"""What a label distribution says in words, and as JSON."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from skol_rnn.imbalance.counts import by_type, imbalance, is_bio

FEW_EXAMPLES = 30
FEW_DOCUMENTS = 5


def distribution_warnings(frame: pd.DataFrame, unit: str = "line") -> list[str]:
    """Say which labels are too rare to be learnt and scored with confidence."""
    rows = zip(*(frame[column].tolist() for column in ("label", "count", "documents")), strict=True)
    return [told for label, count, held in rows if (told := _remark(label, count, held, unit))]


def distribution_json(frame: pd.DataFrame, unit: str = "line") -> dict[str, Any]:
    """Return a label distribution as JSON values."""
    found = imbalance(frame) if frame["count"].any() else None
    return {
        "labels": _records(frame),
        "unit": unit,
        "total": int(frame["count"].sum()),
        "imbalance": found and {**found._asdict(), "ratio": _finite(found.ratio)},
        "by_type": _records(by_type(frame)) if is_bio(frame) else None,
        "warnings": distribution_warnings(frame, unit),
    }


def _remark(label: str, count: int, documents: float, unit: str) -> str:
    if count == 0:
        return f"{label!r} does not occur: it cannot be learnt; annotate some, or leave it out."
    counted = f"{count:,} {unit}{'' if count == 1 else 's'}"
    few = f"{counted}, fewer than {FEW_EXAMPLES}" if count < FEW_EXAMPLES else ""
    if documents < FEW_DOCUMENTS:
        place = f"in {documents:.0f} document{'' if documents == 1 else 's'}, fewer than {FEW_DOCUMENTS}"
        means = "its scores will vary by chance, and documents held out may have none"
        return f"{label!r} has {few or counted}, {place}: {means}; annotate more, or fold it into another label."
    if few:
        return f"{label!r} has {few}: its scores will vary by chance; annotate more, or fold it into another label."
    return ""


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): _finite(value) for key, value in row.items()} for row in frame.to_dict("records")]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
