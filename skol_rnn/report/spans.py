"""A text with its true spans and its predicted spans below each line, for the terminal and as an HTML page."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import pairwise
from string import Template

from rich.cells import cell_len
from rich.text import Text

from skol_rnn.data.spans import Span

SIDES = ("gold", "predicted")
_NON_BLANK = re.compile(r"^.*\S.*$", re.MULTILINE)
_STEP = 6  # pixels from one bar to the next
_GUTTER = max(map(len, SIDES)) + 2
_TURN = 0.618_033_988_75  # golden ratio: neighbouring types get distant hues


def type_colours(types: Iterable[str]) -> dict[str, str]:
    """Return a colour for each type."""
    hues = {kind: position * _TURN % 1 for position, kind in enumerate(sorted(set(types)))}
    colours = {kind: colorsys.hls_to_rgb(hue, 0.4, 0.55) for kind, hue in hues.items()}
    return {kind: "#" + "".join(f"{round(255 * part):02x}" for part in rgb) for kind, rgb in colours.items()}


def tracks(spans: Sequence[Span]) -> list[list[Span]]:
    """Distribute spans over as few rows as possible so that no two in a row overlap."""
    rows: list[list[Span]] = []
    for span in sorted(spans):
        row = next((row for row in rows if row[-1][1] <= span[0]), None)
        if row is None:
            rows.append(row := [])
        row.append(span)
    return rows


def show_spans(
    text: str, gold: Sequence[Span], predicted: Sequence[Span], *, width: int = 100, only_spans: bool = False
) -> Text:
    """Draw a text with its true spans and its predicted spans below each line."""
    room = width - _GUTTER
    if room < 10:
        raise ValueError(f"A width of {width} leaves no room for the text; give at least {_GUTTER + 10}.")
    colours = type_colours(span[2] for span in (*gold, *predicted))
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
        picture.append(f"{'':{_GUTTER}}{_printable(text[start:end])}\n")
        for name, row in found:
            picture.append(f"{name:{_GUTTER}}", style="dim")
            column = start
            for a, b, kind in _within(row, start, end):
                first, last = max(a, start), min(b, end)
                size = max(_cells(text[first:last]), 1)
                closing = "]" if b <= end and size > 1 else ""
                bar = f"[{kind}" if a >= start else kind
                picture.append(" " * _cells(text[column:first]))
                bar = bar[: size - len(closing)].ljust(size - len(closing), "-") + closing
                picture.append(bar, style=f"bold {colours[kind]}")
                column = last
            picture.append("\n")
    picture.rstrip()
    return picture


def spans_html(text: str, gold: Sequence[Span], predicted: Sequence[Span], title: str = "Spans") -> str:
    """Draw a bar under each true span and, below it, one under each predicted span, on a page without scripts."""
    colours = type_colours(span[2] for span in (*gold, *predicted))
    rows = [(side, row) for side, spans in zip(SIDES, (gold, predicted), strict=True) for row in tracks(spans) or [[]]]
    depth, paragraphs = _STEP * len(rows) + 2, (f"<p>{part}</p>" for part in _paragraphs(text, rows, colours))
    page = Template(files(__package__).joinpath("templates", "spans.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=escape(title),
        depth=depth,
        line_height=24 + depth,
        gold=len(gold),
        predicted=len(predicted),
        paragraphs="\n".join(paragraphs),
    )


def _folded(text: str, room: int) -> Iterable[tuple[int, int]]:
    """Fold a text to a number of columns, at blanks if possible; blank lines are skipped."""
    for line in _NON_BLANK.finditer(text):
        start, end_of_line = line.span()
        while start < end_of_line:
            end, used = start, 0
            while end < end_of_line and used + _cells(text[end]) <= room:
                used += _cells(text[end])
                end += 1
            blank = text.rfind(" ", start, end)
            if end < end_of_line and blank > start:
                end = blank + 1
            if text[start:end].strip():
                yield start, end
            start = end


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def _cells(text: str) -> int:
    return sum(map(cell_len, _printable(text)))


def _within(row: Sequence[Span], start: int, end: int) -> list[Span]:
    return [span for span in row if span[0] < end and start < span[1]]


def _paragraphs(text: str, rows: Sequence[tuple[str, list[Span]]], colours: Mapping[str, str]) -> Iterable[str]:
    """Yield the HTML of each non-blank line, cut wherever a span begins or ends."""
    cuts = {end for _, row in rows for span in row for end in span[:2]}
    for line in _NON_BLANK.finditer(text):
        start, end = line.span()
        edges = [start, *sorted(cut for cut in cuts if start < cut < end), end]
        yield "".join(_piece(text, a, b, rows, colours) for a, b in pairwise(edges))


def _piece(text: str, start: int, end: int, rows: Sequence[tuple[str, list[Span]]], colours: Mapping[str, str]) -> str:
    tags, bars, places, names = [], [], [], []
    for position, (side, row) in enumerate(rows):
        for a, b, kind in _within(row, start, end):
            # A bar is a background image: it follows the text when the line is folded.
            bars.append(f"linear-gradient({colours[kind]}, {colours[kind]})")
            places.append(f"0 calc(100% - {_STEP * (len(rows) - 1 - position)}px)")
            names.append(f"{side}: {kind} {a} to {b}")
            if a >= start or not text[a:start].strip("\r\n"):
                how = f"background:{colours[kind]}" if side == "gold" else f"color:{colours[kind]}"
                tags.append(f'<b class="tag {side}" style="{how}">{escape(kind)}</b>')
    shown = escape(text[start:end].rstrip("\r"))
    if not bars:
        return shown
    style = f"background-image:{','.join(bars)};background-position:{','.join(places)};background-size:100% 4px"
    return f'{"".join(tags)}<span style="{style}" title="{escape("; ".join(names))}">{shown}</span>'
