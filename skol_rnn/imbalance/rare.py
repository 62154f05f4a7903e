"""Which labels are meant as the rare ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from skol_rnn.labels import suggestion

RareLabel = str | Sequence[str] | None
"""A label by name, several that count together, or None for the rarest one that occurs."""


def rare_labels_among(labels: Iterable[str | None], rare_label: RareLabel = None) -> list[str]:
    """Find out which labels are meant as rare ones."""
    counts = Counter(label for label in labels if isinstance(label, str))
    if not counts:
        raise ValueError("No line has a label, so none can be rare: give annotated documents.")
    if rare_label is None:
        return [min(counts, key=lambda label: (counts[label], label))]
    names = named_labels(rare_label, sorted(counts))
    for name in names:
        if name not in counts:
            known = ", ".join(sorted(counts))
            raise ValueError(f"No line has the rare label {name!r}; there are {known}.{suggestion(name, counts)}")
    return names


def named_labels(rare_label: str | Sequence[str], known: Sequence[str] = ()) -> list[str]:
    """Check that labels are given by name, as one or as a list."""
    names: list[Any] = list(rare_label) if isinstance(rare_label, (list, tuple, set, frozenset)) else [rare_label]
    there_are = f"; there are {', '.join(known)}" if known else ""
    if not names:
        raise ValueError(f"rare_label names no label{there_are}.")
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"Labels go by name, not by number: rare_label={name!r} names none{there_are}.")
    return list(dict.fromkeys(names))
