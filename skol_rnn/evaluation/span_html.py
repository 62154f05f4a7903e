"""A text with its true spans and its predicted spans as an HTML page, without scripts or other files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from string import Template

from skol_rnn.data.spans import Span
from skol_rnn.evaluation.span_text import SIDES, tracks, type_colours

_STEP = 6  # pixels from one bar to the next


def spans_html(text: str, gold: Sequence[Span], predicted: Sequence[Span], title: str = "Spans") -> str:
    """Draw a text with a bar under each true span and, below it, one under each predicted span."""
    colours = type_colours(span[2] for span in (*gold, *predicted))
    rows = [(side, row) for side, spans in zip(SIDES, (gold, predicted), strict=True) for row in tracks(spans) or [[]]]
    depth = _STEP * len(rows) + 2
    page = Template(files(__package__).joinpath("spans.html").read_text(encoding="utf-8"))
    return page.substitute(
        title=escape(title),
        depth=depth,
        line_height=24 + depth,
        gold=len(gold),
        predicted=len(predicted),
        paragraphs="\n".join(f"<p>{part}</p>" for part in _paragraphs(text, rows, colours)),
    )


def _paragraphs(text: str, rows: Sequence[tuple[str, list[Span]]], colours: Mapping[str, str]) -> Iterable[str]:
    """Yield the HTML of each non-blank line, cut wherever a span begins or ends."""
    cuts = {end for _, row in rows for span in row for end in span[:2]}
    position = 0
    for line in text.split("\n"):
        start, end = position, position + len(line)
        position = end + 1
        if line.strip():
            edges = [start, *sorted(cut for cut in cuts if start < cut < end), end]
            pieces = zip(edges, edges[1:], strict=False)
            yield "".join(_piece(text, a, b, rows, colours) for a, b in pieces)


def _piece(text: str, start: int, end: int, rows: Sequence[tuple[str, list[Span]]], colours: Mapping[str, str]) -> str:
    tags, bars, places, names = [], [], [], []
    for position, (side, row) in enumerate(rows):
        for a, b, kind in row:
            if a >= end or b <= start:
                continue
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
