"""A text with its true spans and its predicted spans below each line, for the terminal and as an HTML page."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush
from html import escape
from itertools import pairwise

from rich.cells import cell_len
from rich.text import Text

from skol_rnn.data.spans import Span
from skol_rnn.labels import printable
from skol_rnn.report.lines import Mark, label_marks
from skol_rnn.report.templating import render

SIDES = ("gold", "predicted")
_Placed = tuple[int, int, str, int, str]  # a span, the number of its row, and its side
_NON_BLANK = re.compile(r"^.*\S.*$", re.MULTILINE)
_STEP = 6  # pixels from one bar to the next
_GUTTER = max(map(len, SIDES)) + 2


def tracks(spans: Sequence[Span]) -> list[list[Span]]:
    """Distribute spans over as few rows as possible so that no two in a row overlap."""
    rows: list[list[Span]] = []
    ends: list[tuple[int, int]] = []  # heap of the last end and the number of each row that is taken
    free: list[int] = []  # heap of the numbers of the others
    for span in sorted(spans):
        while ends and ends[0][0] <= span[0]:
            heappush(free, heappop(ends)[1])
        if not free:
            heappush(free, len(rows))
            rows.append([])
        number = heappop(free)
        rows[number].append(span)
        heappush(ends, (span[1], number))
    return rows


def show_spans(
    text: str, gold: Sequence[Span], predicted: Sequence[Span], *, width: int = 100, only_spans: bool = False
) -> Text:
    """Draw a text with its true spans and its predicted spans below each line."""
    room = width - _GUTTER
    if room < 10:
        raise ValueError(f"A width of {width} leaves no room for the text; give at least {_GUTTER + 10}.")
    marks = _marks(gold, predicted)
    sides = {name: tracks(spans) for name, spans in zip(SIDES, (gold, predicted), strict=True)}
    picture = Text()
    gap = ""
    for start, end in _folded(text, room):
        found = [(name, row) for name, rows in sides.items() for row in rows if _within(row, start, end)]
        if only_spans and not found:
            gap = f"{'':{_GUTTER}}...\n"
            continue
        picture.append(gap, style="dim")
        gap = ""
        picture.append(f"{'':{_GUTTER}}{_plain(text[start:end])}\n")
        for name, row in found:
            picture.append(f"{name:{_GUTTER}}", style="dim")
            column = start
            for a, b, span_type in _within(row, start, end):
                first, last = max(a, start), min(b, end)
                size = max(_cells(text[first:last]), 1)
                closing = "]" if b <= end and size > 1 else ""
                kind = _plain(span_type)
                bar = f"[{kind}" if a >= start else kind
                picture.append(" " * _cells(text[column:first]))
                picture.append(_fitted(bar, size - cell_len(closing)) + closing, style=f"bold {marks[span_type].style}")
                column = last
            picture.append("\n")
    picture.rstrip()
    return picture


def spans_html(
    text: str,
    gold: Sequence[Span] | None,
    predicted: Sequence[Span],
    title: str = "Spans",
    *,
    index: str | None = None,
) -> str:
    """Draw a bar under each true span and, below it, one under each predicted span; None: no true spans are known."""
    from markupsafe import Markup

    marks = _marks(gold or (), predicted)
    sides = {SIDES[1]: predicted} if gold is None else dict(zip(SIDES, (gold, predicted), strict=True))
    rows = [(side, row) for side, spans in sides.items() for row in tracks(spans) or [[]]]
    depth = _STEP * len(rows) + 2
    # A bar is a background image: it follows the text when the line is folded.  Its colour is a variable, or none.
    bars = ",".join(f"linear-gradient(var(--r{i},transparent) 0 0)" for i in range(len(rows)))
    places = ",".join(f"0 calc(100% - {_STEP * (len(rows) - 1 - i)}px)" for i in range(len(rows)))
    return render(
        "spans.html",
        title=title,
        styles=["lines.css", "spans.css"],
        bars=Markup(bars),
        places=Markup(places),
        depth=depth,
        gold=None if gold is None else len(gold),
        predicted=len(predicted),
        paragraphs=[Markup(part) for part in _paragraphs(text, rows, marks)],
        index=index,
    )


def _marks(gold: Sequence[Span], predicted: Sequence[Span]) -> dict[str, Mark]:
    return label_marks(sorted({span[2] for span in (*gold, *predicted)}))


def _folded(text: str, room: int) -> Iterable[tuple[int, int]]:
    """Fold a text to a number of columns, at blanks if possible; blank lines are skipped."""
    for line in _NON_BLANK.finditer(text):
        start, end_of_line = line.start(), line.start() + len(line[0].rstrip("\r"))
        while start < end_of_line:
            end, used = start, 0
            while end < end_of_line and used + _cells(text[end]) <= room:
                used += _cells(text[end])
                end += 1
            blank = text.rfind(" ", start, end)
            if end < end_of_line and blank > start:
                end = blank + 1
            if _plain(text[start:end]).strip():
                yield start, end
            start = end


def _plain(text: str) -> str:
    """Show what a terminal would obey, so that columns stay where they are; a tab is a blank."""
    return printable(text).replace("\t", " ")


def _cells(text: str) -> int:
    return sum(cell_len(_plain(character)) for character in text)


def _fitted(text: str, cells: int) -> str:
    """Cut a text to a number of columns, or extend it with dashes."""
    while cell_len(text) > cells:
        text = text[:-1]
    return text + "-" * (cells - cell_len(text))


def _within(row: Sequence[Span], start: int, end: int) -> Sequence[Span]:
    """Return the spans that share a character with a piece of text; those of a row are sorted and do not overlap."""
    first = bisect_right(row, start, key=lambda span: span[1])
    return row[first : bisect_left(row, end, key=lambda span: span[0])]


def _paragraphs(text: str, rows: Sequence[tuple[str, list[Span]]], marks: Mapping[str, Mark]) -> Iterable[str]:
    """Yield the HTML of each non-blank line, cut wherever a span begins or ends."""
    spans = sorted((*span, number, side) for number, (side, row) in enumerate(rows) for span in row)
    cuts = sorted({end for span in spans for end in span[:2]})
    waiting = iter(spans)
    over: list[_Placed] = []
    following = next(waiting, None)
    for line in _NON_BLANK.finditer(text):
        start, end = line.start(), line.start() + len(line[0].rstrip("\r"))
        edges = [start, *cuts[bisect_right(cuts, start) : bisect_left(cuts, end)], end]
        pieces = []
        for a, b in pairwise(edges):
            while following and following[0] < b:
                over.append(following)
                following = next(waiting, None)
            over = [span for span in over if span[1] > a]
            pieces.append(_piece(text, a, b, sorted(over, key=lambda span: span[3]), marks))
        yield "".join(pieces)


def _piece(text: str, start: int, end: int, spans: Sequence[_Placed], marks: Mapping[str, Mark]) -> str:
    tags, bars, names = [], [], []
    for a, b, kind, position, side in spans:
        colour, name = marks[kind].css.split()[0], escape(printable(kind))
        bars.append(f"--r{position}:var(--{colour})")
        names.append(f"{side}: {name} {a} to {b}")
        if a >= start or text.count("\n", a, start) + text.count("\r", a, start) == start - a:
            tags.append(f'<b class="tag {side} {colour}">{name}</b>')
    shown = escape(printable(text[start:end]))
    if not bars:
        return shown
    return f'{"".join(tags)}<span style="{";".join(bars)}" title="{"; ".join(names)}">{shown}</span>'
