"""Errors of predicted spans by kind: shifted, split, merged, of another type, missed, spurious."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from skol_rnn.data.bio import decode_spans, split_label
from skol_rnn.data.spans import Span

if TYPE_CHECKING:
    import pandas as pd

SPAN_OUTCOMES = ("exact", "shifted", "split", "merged", "other type", "missed")
"""Each true span has one of these."""
COLUMNS = ("spans", *SPAN_OUTCOMES, "spurious", "B->I", "B->O", "I->B", "I->O", "O->B", "O->I")
_BIO = {"S": "B", "E": "I"}  # prefixes of BIOES as those of BIO


def boundary_errors(gold: Iterable[Sequence[str | None]], predicted: Iterable[Sequence[str | None]]) -> pd.DataFrame:
    """Count the errors of predicted spans and of their boundaries.

    Parameters
    ----------
    gold, predicted : iterable of sequences of (str or None)
        Token labels of each document in BIO or BIOES.

    Returns
    -------
    DataFrame
        One row per type and a last row ``all``. Columns for spans: ``spans`` (true ones), of which ``exact``,
        ``shifted`` (another start or end), ``split`` (into several of the type), ``merged`` (with others of the type),
        ``other type`` and ``missed``; and ``spurious`` predicted spans, which touch no true span. Columns for tokens:
        ``B->I``, true B predicted as I, and the like; O counts for the type on the other side.

    Raises
    ------
    ValueError
        If the documents or their tokens differ in number.

    Examples
    --------
    >>> found = boundary_errors([["B-A", "I-A", "I-A", "O", "B-B"]], [["B-A", "O", "B-A", "O", "O"]])
    >>> found.loc["all", ["spans", "split", "missed", "B->O", "I->B", "I->O"]].tolist()
    [2, 1, 1, 1, 1, 1]
    """
    import pandas as pd

    sides = list(gold), list(predicted)
    if [*map(len, sides[0])] != [*map(len, sides[1])]:
        raise ValueError("True and predicted labels must cover the same documents, one label per token.")
    counts: Counter[tuple[str, str]] = Counter()
    for true, guessed in zip(*sides, strict=True):
        for labels in zip(true, guessed, strict=True):
            (a, kind), (b, other) = map(split_label, labels)
            if _BIO.get(a, a) != _BIO.get(b, b):
                counts[kind or other, f"{_BIO.get(a, a)}->{_BIO.get(b, b)}"] += 1
        tokens = [(i, i + 1) for i in range(len(true))]
        counts += span_outcomes(decode_spans(tokens, true), decode_spans(tokens, guessed))
    kinds = sorted({kind for kind, _ in counts})
    table = pd.DataFrame([[counts[kind, name] for name in COLUMNS] for kind in kinds], kinds, COLUMNS, dtype=int)
    table.loc["all"] = table.sum().astype(int)
    return table


def span_outcomes(gold: Sequence[Span], predicted: Sequence[Span]) -> Counter[tuple[str, str]]:
    """Count the outcomes of the spans of one document; those of a side do not overlap."""
    gold, predicted = sorted(gold), sorted(predicted)
    exact = set(gold) & set(predicted)
    counts = Counter((span[2], "spans") for span in gold)
    counts.update((span[2], "exact" if span in exact else _outcome(span, gold, predicted)) for span in gold)
    counts.update((span[2], "spurious") for span in predicted if not _touched(span, gold))
    return counts


def _outcome(span: Span, gold: Sequence[Span], predicted: Sequence[Span]) -> str:
    over = _touched(span, predicted)
    alike = [other for other in over if other[2] == span[2]]
    if len(alike) > 1:
        return "split"
    if alike:
        others = [other for other in _touched(alike[0], gold) if other[2] == span[2]]
        return "merged" if len(others) > 1 else "shifted"
    return "other type" if over else "missed"


def _touched(span: Span, others: Sequence[Span]) -> Sequence[Span]:
    """Return the spans that share a token with another; they are sorted."""
    first = bisect_right(others, span[0], key=lambda other: other[1])
    return others[first : bisect_left(others, span[1], key=lambda other: other[0])]
