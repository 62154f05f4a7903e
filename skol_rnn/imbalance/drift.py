"""How the labels and counts of the data differ from those that class weights were frozen with."""

from __future__ import annotations

from skol_rnn.errors import DataError
from skol_rnn.imbalance.form import REMEDY
from skol_rnn.labels import LabelSet


def positions(frozen: LabelSet, labels: LabelSet, source: str) -> list[int]:
    """Find the labels of the data among those of frozen weights."""
    told = [
        f"{what} {', '.join(map(repr, only))}"
        for what, only in (
            ("there is no weight for the label", [name for name in labels if name not in frozen]),
            ("the data have no label", [name for name in frozen if name not in labels]),
        )
        if only
    ]
    if told:
        raise DataError(f"{source}: its labels are not those of the data: {'; '.join(told)}. To mend it, {REMEDY}")
    return [frozen.index(name) for name in labels]


def drifted(name: str, before: int, now: float) -> str:
    """Say how a label's count has changed."""
    change = f"{100 * (now - before) / before:+.1f} %" if before else "new"
    lines = "line" if before == 1 else "lines"
    return f"{name!r} had {before:,} {lines} when the weights were frozen and has {now:,.0f} now ({change})"
