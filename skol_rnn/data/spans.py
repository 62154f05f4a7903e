"""Labelled spans of characters: the rules for them, their checks, and the choice between spans that overlap."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from skol_rnn.errors import DataError
from skol_rnn.labels import check_choice, plural, suggestion

Span = tuple[int, int, str]  # start and end (exclusive) in characters of the text, and type

OVERLAP_POLICIES = ("error", "longest", "first", "priority")
ALIGNMENTS = ("overlap", "containment")
SCHEMES = ("BIO", "BIOES")
OFFSETS = ("characters", "utf-16")
_WIDE = re.compile("[\U00010000-\U0010ffff]")


class OverlapError(DataError):
    """Spans overlap under the policy "error"; ``problems`` holds the index of a span and the reason for each pair."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        super().__init__("; ".join(reason for _, reason in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class SpanRules:
    """How spans become labels of tokens or lines.

    Parameters
    ----------
    overlap : {"error", "longest", "first", "priority"}, default "error"
        Which of two overlapping spans is kept: the longer one (if equal, the earlier), the one that starts first (if
        equal, the longer), or the one whose type comes first in ``priority`` (if equal, the longer).  The other span
        gets no label and is listed as a repair.  "error" raises a DataError for the document.
    priority : tuple of str
        Types, the most important first; types that are not listed come last.
    alignment : {"overlap", "containment"}, default "overlap"
        Which tokens belong to a span: those that share a character with it, or only those that lie inside it.
    scheme : {"BIO", "BIOES"}, default "BIO"
        Token labels: B- begins a span, I- continues it, O is outside.  In BIOES, E- ends a span of several tokens
        and S- marks a span of one token.
    types : tuple of str, optional
        Allowed types; all types by default.
    offsets : {"characters", "utf-16"}, default "characters"
        What the offsets of a file count.  Tools that run in a browser may count UTF-16 units, of which an emoji has two.

    Raises
    ------
    ValueError
        If a value is not one of those listed, or ``overlap="priority"`` has no ``priority``.

    Examples
    --------
    >>> SpanRules(overlap="longest").overlap
    'longest'
    >>> SpanRules(overlap="longst")
    Traceback (most recent call last):
    ...
    ValueError: overlap must be one of error, longest, first, priority, but is 'longst'. Did you mean 'longest'?
    """

    overlap: str = "error"
    priority: tuple[str, ...] = ()
    alignment: str = "overlap"
    scheme: str = "BIO"
    types: tuple[str, ...] | None = None
    offsets: str = "characters"

    def __post_init__(self) -> None:
        allowed = {"overlap": OVERLAP_POLICIES, "alignment": ALIGNMENTS, "scheme": SCHEMES, "offsets": OFFSETS}
        for name, known in allowed.items():
            check_choice(name, getattr(self, name), known)
        if self.overlap == "priority" and not self.priority:
            raise ValueError("overlap='priority' needs the order: priority=('most important', ...).")


@lru_cache(maxsize=1)  # formats ask for the spans of a text one by one
def _wide(text: str) -> list[int]:
    """Return the UTF-16 units at which characters of two units begin."""
    return [match.start() + before for before, match in enumerate(_WIDE.finditer(text))]


def from_utf16(text: str, spans: Sequence[Span]) -> tuple[Span, ...]:
    """Turn offsets in UTF-16 units into offsets in characters; those beyond the text stay beyond it."""
    wide = _wide(text)

    def place(unit: int) -> int:
        return unit - bisect_left(wide, unit)  # the middle of a character is its beginning

    return tuple((place(start), place(end), kind) for start, end, kind in spans)


def quotation_problem(text: str, parts: Sequence[Span], quoted: str, same: Callable[[str, str], bool]) -> str | None:
    """Compare the text that a file quotes for a span with the text at its offsets; bad offsets are reported later."""
    if any(offset_problem(start, end, len(text)) for start, end, _ in parts):
        return None
    found = _joined(text, parts)
    if same(found, quoted):
        return None
    problem = f"quotes {quoted[:60]!r:.60}, but the text at its offsets is {found[:60]!r:.60}"
    if not text.isascii() and same(_joined(text, from_utf16(text, parts)), quoted):
        problem += "; it fits if offsets count UTF-16 units (offsets utf-16)"
    return problem


def _joined(text: str, parts: Sequence[Span]) -> str:
    return " ".join(text[start:end] for start, end, _ in parts)


def cut_words(text: str, spans: Sequence[Span]) -> int:
    """Count the spans that begin or end within a word."""

    def inside(place: int) -> bool:
        return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()

    return sum(inside(start) or inside(end) for start, end, _ in spans)


def offset_problem(start: int, end: int, length: int) -> str | None:
    """Return what is wrong with the offsets of a span in a text of some length."""
    if start >= end:
        return "is empty or reversed"
    return f"is outside the text of {plural(length, 'character')}" if start < 0 or end > length else None


def check_spans(spans: Sequence[Span], length: int, types: Sequence[str] | None = None) -> list[tuple[int, str]]:
    """List the spans that are empty, outside the text or of an unknown type, with the reason."""
    found = []
    for index, (start, end, kind) in enumerate(spans):
        shown = [start, end, kind]
        if problem := offset_problem(start, end, length):
            found.append((index, f"{shown} {problem}"))
        if types is not None and kind not in types:
            found.append((index, f"{shown}: unknown type; known are {', '.join(types)}.{suggestion(kind, types)}"))
    return found


def find_overlaps(spans: Sequence[Span], ranges: Mapping[int, tuple[int, int]]) -> list[tuple[int, str]]:
    """List the spans whose range of characters or tokens overlaps that of an earlier span; ranges are by index."""
    problems, widest = [], -1  # widest: index of the span that reaches furthest so far
    for index in sorted(ranges, key=lambda index: (*ranges[index], spans[index][2])):
        if widest >= 0 and ranges[index][0] < ranges[widest][1]:
            a, b = spans[widest], spans[index]
            how = "overlap" if b[0] < a[1] and a[0] < b[1] else "share a token"
            problems.append((index, f"{list(a)} and {list(b)} {how}; choose an overlap policy other than error"))
        if widest < 0 or ranges[index][1] > ranges[widest][1]:
            widest = index
    return sorted(problems)


def choose_spans(
    spans: Sequence[Span], rules: SpanRules, ranges: Mapping[int, tuple[int, int]] | None = None
) -> tuple[list[int], list[tuple[int, str]]]:
    """Keep spans that do not overlap, of all or of those with tokens in ``ranges``; list the others with the reason."""
    ranges = dict(enumerate(span[:2] for span in spans)) if ranges is None else ranges
    if rules.overlap == "error":
        if problems := find_overlaps(spans, ranges):
            raise OverlapError(problems)
        return list(ranges), []
    rank = {kind: position for position, kind in enumerate(rules.priority)}

    def order(index: int) -> tuple[int, ...]:
        start, end, kind = spans[index]
        if rules.overlap == "first":
            return (start, start - end, index)
        first = rank.get(kind, len(rank)) if rules.overlap == "priority" else 0
        return (first, start - end, start, index)

    taken: list[tuple[int, int, int]] = []  # start, end, index; no two overlap, so sorted by end as well
    left_out = []
    for index in sorted(ranges, key=order):
        start, end = ranges[index]
        place = bisect_left(taken, (start,))
        near = [taken[place - 1]] if place and taken[place - 1][1] > start else taken[place : place + 1]
        if near and near[0][0] < end:
            left_out.append((index, f"overlaps {list(spans[near[0][2]])}"))
        else:
            insort(taken, (start, end, index))
    return [index for _, _, index in taken], left_out
