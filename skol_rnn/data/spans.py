"""What a labelled stretch of characters may be, and which of two that overlap stays."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass

from skol_rnn.errors import DataError
from skol_rnn.labels import suggestion

Span = tuple[int, int, str]
"""Start and end (exclusive) in characters of the document's text, and the type."""

OVERLAP_POLICIES = ("error", "longest", "first", "priority")
ALIGNMENTS = ("overlap", "containment")
SCHEMES = ("BIO", "BIOES")


class OverlapError(DataError):
    """Spans overlap where none may; ``problems`` holds the position of a span and the reason for each pair."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        super().__init__("; ".join(reason for _, reason in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class SpanRules:
    """How spans become labels of tokens or lines.

    Parameters
    ----------
    overlap : {"error", "longest", "first", "priority"}, default "error"
        Which of two spans that overlap is labelled: the longer one (of equal ones the earlier), the one that begins
        earlier (of equal ones the longer), or the one whose type stands earlier in ``priority`` (of equal ones the
        longer).  The other gets no label at all and is listed; "error" refuses the document.
    priority : tuple of str
        Types, the most important first; those not named come last.
    alignment : {"overlap", "containment"}, default "overlap"
        Which tokens belong to a span: those that share a character with it, or only those that lie in it whole.
    scheme : {"BIO", "BIOES"}, default "BIO"
        Labels: B- begins a span, I- goes on, O is outside; E- ends one of several tokens, S- is one of a single token.
    types : tuple of str, optional
        The types allowed; any if not given.

    Raises
    ------
    ValueError
        If a value is not one of those listed, or ``overlap="priority"`` comes without an order.

    Examples
    --------
    >>> SpanRules(overlap="longest").overlap
    'longest'
    >>> SpanRules(overlap="longst")
    Traceback (most recent call last):
    ...
    ValueError: overlap is 'longst', not one of error, longest, first, priority. Did you mean 'longest'?
    """

    overlap: str = "error"
    priority: tuple[str, ...] = ()
    alignment: str = "overlap"
    scheme: str = "BIO"
    types: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check the names."""
        for name, known in (("overlap", OVERLAP_POLICIES), ("alignment", ALIGNMENTS), ("scheme", SCHEMES)):
            if (value := getattr(self, name)) not in known:
                hint = suggestion(str(value), known)
                raise ValueError(f"{name} is {value!r}, not one of {', '.join(known)}.{hint}")
        if self.overlap == "priority" and not self.priority:
            raise ValueError("overlap='priority' needs the order: priority=('most important', ...).")


def check_spans(spans: Sequence[Span], length: int, types: Sequence[str] | None = None) -> list[tuple[int, str]]:
    """List what is wrong with the spans of a text, each by itself."""
    found = []
    for index, (start, end, kind) in enumerate(spans):
        shown = [start, end, kind]
        if start >= end:
            found.append((index, f"{shown} is empty or reversed"))
        elif start < 0 or end > length:
            found.append((index, f"{shown} is outside the text of {length} characters"))
        if types is not None and kind not in types:
            found.append((index, f"{shown}: unknown type; known are {', '.join(types)}.{suggestion(kind, types)}"))
    return found


def overlapping(spans: Sequence[tuple[int, int, str]]) -> list[tuple[int, int]]:
    """List the pairs of spans that overlap, each span with the furthest-reaching one before it."""
    order = sorted(range(len(spans)), key=lambda index: spans[index])
    pairs, widest = [], -1
    for index in order:
        if widest >= 0 and spans[index][0] < spans[widest][1]:
            pairs.append((widest, index))
        if widest < 0 or spans[index][1] > spans[widest][1]:
            widest = index
    return pairs


def refuse_overlaps(spans: Sequence[Span], claimed: Sequence[tuple[int, int, str]] | None = None) -> None:
    """Raise an error for spans that overlap."""
    problems = []
    for a, b in overlapping(spans if claimed is None else claimed):
        how = "overlap" if spans[b][0] < spans[a][1] and spans[a][0] < spans[b][1] else "share a token"
        problems.append((b, f"{list(spans[a])} and {list(spans[b])} {how}; choose an overlap policy other than error"))
    if problems:
        raise OverlapError(sorted(problems))


def resolve_overlaps(
    spans: Sequence[Span],
    overlap: str,
    priority: Sequence[str] = (),
    claimed: Sequence[tuple[int, int, str]] | None = None,
) -> tuple[list[int], list[tuple[int, int]]]:
    """Choose spans of which no two overlap."""
    rank = {kind: position for position, kind in enumerate(priority)}

    def order(index: int) -> tuple[int, ...]:
        start, end, kind = spans[index]
        if overlap == "first":
            return (start, start - end, index)
        first = rank.get(kind, len(rank)) if overlap == "priority" else 0
        return (first, start - end, start, index)

    taken: list[tuple[int, int, int]] = []  # start, end, position; no two overlap, so sorted by end as well
    left_out = []
    for index in sorted(range(len(spans)), key=order):
        start, end, _ = (spans if claimed is None else claimed)[index]
        place = bisect_left(taken, (start,))
        near = [taken[place - 1]] if place and taken[place - 1][1] > start else taken[place : place + 1]
        if near and near[0][0] < end:
            left_out.append((index, near[0][2]))
        else:
            insort(taken, (start, end, index))
    return [index for _, _, index in taken], sorted(left_out)
