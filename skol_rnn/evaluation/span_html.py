"""A text with its true and its predicted spans one above the other, as an HTML page without script or outside file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from skol_rnn.data.spans import Span
from skol_rnn.evaluation.span_text import SIDES, tracks, type_colours

_STEP = 6  # pixels from one bar to the next

_PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ font: 16px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; color: #222 }}
.text {{ line-height: {line_height}px; overflow-wrap: anywhere }} .text p {{ margin: .4em 0; white-space: pre-wrap }}
.text span {{ padding-bottom: {depth}px; background-repeat: no-repeat; box-decoration-break: clone;
-webkit-box-decoration-break: clone }}
.tag {{ font-size: .68em; line-height: 1; border-radius: 3px; padding: 1px 3px; margin: 0 2px; vertical-align: 35% }}
.gold {{ color: #fff; border: 1px solid transparent }} .predicted {{ background: #fff; border: 1px dashed }}
.key {{ border-bottom: 1px solid #ddd; padding-bottom: .6em }}
</style></head><body>
<h1>{title}</h1>
<p class="key">{key}</p>
<div class="text">
{paragraphs}
</div>
</body></html>
"""


def spans_html(text: str, gold: Sequence[Span], predicted: Sequence[Span], title: str = "Spans") -> str:
    """Draw a text with a bar under each true span and, below it, one under each predicted span."""
    colours = type_colours(span[2] for span in (*gold, *predicted))
    rows = [(side, row) for side, spans in zip(SIDES, (gold, predicted), strict=True) for row in tracks(spans) or [[]]]
    depth = _STEP * len(rows) + 2
    paragraphs = "\n".join(f"<p>{part}</p>" for part in _paragraphs(text, rows, colours))
    return _PAGE.format(
        title=escape(title), depth=depth, line_height=24 + depth, key=_key(gold, predicted), paragraphs=paragraphs
    )


def _key(gold: Sequence[Span], predicted: Sequence[Span]) -> str:
    return (
        f'Upper bars and <b class="tag gold" style="background:#555">filled</b> names: {len(gold)} true spans. '
        f'Lower bars and <b class="tag predicted" style="color:#555">dashed</b> names: {len(predicted)} predicted ones.'
    )


def _paragraphs(text: str, rows: Sequence[tuple[str, list[Span]]], colours: Mapping[str, str]) -> Iterable[str]:
    """Write each non-blank line, cut wherever a span begins or ends."""
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
    tags, bars, places, told = [], [], [], []
    for position, (side, row) in enumerate(rows):
        for a, b, kind in row:
            if a >= end or b <= start:
                continue
            # A bar is a background image: it follows the text when the line is folded.
            bars.append(f"linear-gradient({colours[kind]}, {colours[kind]})")
            places.append(f"0 calc(100% - {_STEP * (len(rows) - 1 - position)}px)")
            told.append(f"{side}: {kind} {a} to {b}")
            if a >= start or not text[a:start].strip("\r\n"):
                how = f"background:{colours[kind]}" if side == "gold" else f"color:{colours[kind]}"
                tags.append(f'<b class="tag {side}" style="{how}">{escape(kind)}</b>')
    shown = escape(text[start:end].rstrip("\r"))
    if not bars:
        return shown
    style = f"background-image:{','.join(bars)};background-position:{','.join(places)};background-size:100% 4px"
    return f'{"".join(tags)}<span style="{style}" title="{escape("; ".join(told))}">{shown}</span>'
