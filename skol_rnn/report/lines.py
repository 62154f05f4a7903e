"""The lines of documents, gold and predicted labels side by side: HTML fragments, pages and a view for the terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from rich.cells import cell_len, chop_cells
from rich.text import Text

from skol_rnn.labels import printable
from skol_rnn.report.templating import render

COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#f0e442")
"""Okabe and Ito's colours, which colour-blind readers can tell apart; lines.css has the same ones."""
NO_PREDICTION = "no prediction"
PAGE_BREAK = "\f"  # not shown where a line begins with it

_PATTERNS = 4
_CONTEXT = 3  # correct lines shown before and after an error
_CHUNK = 50  # lines that the browser lays out together


class Mark(NamedTuple):
    """How a label looks: its letters, a colour of ``COLOURS`` (None is grey) and one of four patterns."""

    letters: str
    colour: int | None
    pattern: int

    @property
    def css(self) -> str:
        """The classes of the mark in lines.css."""
        return "o" if self.colour is None else f"c{self.colour}" + (f" p{self.pattern}" if self.pattern else "")

    @property
    def style(self) -> str:
        """How the terminal shows the letters: dark on the colour."""
        return "dim" if self.colour is None else f"#000000 on {COLOURS[self.colour]}"


def label_marks(labels: Iterable[str], neutral: Collection[str] = ()) -> dict[str, Mark]:
    """Give each label distinct letters, a colour and a pattern; neutral labels, such as "Misc", are grey."""
    marks: dict[str, Mark] = {}
    taken: set[str] = set()
    for label in dict.fromkeys(labels):
        letters = next(letters for letters in _abbreviations(label) if letters not in taken)
        taken.add(letters)
        if label in neutral:
            marks[label] = Mark(letters, None, 0)
            continue
        position = sum(mark.colour is not None for mark in marks.values())
        marks[label] = Mark(letters, position % len(COLOURS), position // len(COLOURS) % _PATTERNS)
    return marks


@dataclass(frozen=True)
class DocumentLines:
    """The lines of one document: labels (None where a line has none), probability of the predicted label, margin."""

    name: str
    values: Sequence[str]
    predicted: Sequence[str | None]
    gold: Sequence[str | None] | None = None
    probability: Sequence[float] | None = None
    margin: Sequence[float] | None = None
    """Difference of the two highest probabilities: the smaller, the less certain."""
    numbers: Sequence[int] | None = None
    """Line numbers in the file; 1, 2, 3 if not given."""
    why: Mapping[int, str] = field(default_factory=dict)
    """What speaks for and against the predicted label, by position, where it is shown under the pointer."""

    def __post_init__(self) -> None:
        for name in ("predicted", "gold", "probability", "margin", "numbers"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.values):
                raise ValueError(f"{self.name}: {len(self.values)} lines, but {len(column)} values of {name}.")

    @property
    def errors(self) -> list[bool]:
        """Whether the prediction of each line differs from its gold label."""
        if self.gold is None:
            return [False] * len(self.values)
        pairs = zip(self.gold, self.predicted, strict=True)
        return [gold is not None and gold != predicted for gold, predicted in pairs]


def certainty(probabilities: np.ndarray, labels: Sequence[str], predicted: Sequence[str | None]) -> tuple[Any, Any]:
    """Return the probability of each predicted label, and the margin of the two highest, from rows (lines, labels)."""
    positions = {name: i for i, name in enumerate(labels)}
    chosen = np.array([positions.get(label or "", -1) for label in predicted], dtype=np.intp)
    probability = np.where(chosen >= 0, probabilities[np.arange(len(chosen)), chosen], np.nan)
    if probabilities.shape[1] < 2:
        return probability, probability
    top = np.partition(probabilities, -2, axis=1)
    return probability, top[:, -1] - top[:, -2]


def legend_html(marks: Mapping[str, Mark], gold: bool = True) -> str:
    """Explain the marks, once a page; the script adds its filters here."""
    items = "".join(f"<li>{_cell(mark)}{_shown(label)}</li>" for label, mark in marks.items())
    how = (
        "Two marks before each line: gold label, predicted label. ✗ marks an error."
        if gold
        else "The mark before each line is its predicted label."
    )
    few = " open" if len(marks) <= 24 else ""
    return (
        f'<div class="legend"><p class="how">{how}</p>'
        f"<details{few}><summary>{len(marks)} labels</summary><ul>{items}</ul></details></div>"
        '<div class="filters"></div>'
    )


def document_rows_html(document: DocumentLines, marks: Mapping[str, Mark]) -> str:
    """Render the lines of a document: gold and predicted marks side by side, errors marked, long correct runs folded.

    A page needs ``lines.css``, may run ``lines.js``, and shows :func:`legend_html` once.
    """
    stretches = list(_stretches(document))
    rows = list(_rows(document, marks, {start for start, _, _ in stretches}))
    if not rows:
        return '<div class="lines"><p class="how">This document has no line with text.</p></div>'
    parts = []
    for start, end, folded in stretches:
        chunks = [f"<div>{''.join(rows[i : min(i + _CHUNK, end)])}</div>" for i in range(start, end, _CHUNK)]
        if folded:
            chunks = [f"<details><summary>{end - start:,} correct lines</summary>", *chunks, "</details>"]
        parts += chunks
    kind = "lines" if document.gold is not None else "lines alone"
    return f'<div class="{kind}">{"".join(parts)}</div>'


def show_lines(
    document: DocumentLines, marks: Mapping[str, Mark], *, width: int = 100, only_errors: bool = False
) -> Text:
    """Draw the lines of a document for the terminal: number, gold and predicted letters, text; then the legend."""
    size = max((cell_len(mark.letters) for mark in marks.values()), default=1) + 1
    numbers = document.numbers if document.numbers is not None else range(1, len(document.values) + 1)
    digits = max((len(str(number)) for number in numbers), default=1)
    gutter = digits + (2 if document.gold is None else 3) * (size + 1)
    if width < gutter + 20:
        raise ValueError(f"A width of {width} leaves no room for the text; give at least {gutter + 20}.")
    picture, errors = Text(), document.errors
    for start, end, folded in _stretches(document):
        if only_errors and (folded or not any(errors)):
            picture.append(f"{'':{digits}} ... {end - start:,} lines without an error\n", style="dim")
            continue
        for i in range(start, end):
            picture.append(f"{numbers[i]:{digits}} ", style="dim")
            for side in (document.predicted,) if document.gold is None else (document.gold, document.predicted):
                mark = marks.get(side[i] or "", Mark("-", None, 0))
                picture.append(mark.letters + " " * (size - cell_len(mark.letters)), style=mark.style)
                picture.append(" ")
            picture.append("\u2717 " if errors[i] else "  ", style="bold")
            text = printable(document.values[i].lstrip(PAGE_BREAK)).replace("\t", " ")
            first, *rest = chop_cells(text, width - gutter) or [""]
            picture.append("\n".join([first, *(" " * gutter + part for part in rest)]) + "\n")
    seen = {*(document.gold or ()), *document.predicted}
    for label, mark in marks.items():
        if label in seen:
            picture.append(f" {mark.letters} ", style=mark.style)
            picture.append(f" {printable(label)}  ")
    picture.rstrip()
    return picture


def _rows(document: DocumentLines, marks: Mapping[str, Mark], starts: Collection[int]) -> Iterator[str]:
    n = len(document.values)
    gold = document.gold if document.gold is not None else [None] * n
    numbers = document.numbers if document.numbers is not None else range(1, n + 1)
    probability = document.probability if document.probability is not None else [None] * n
    margin = document.margin if document.margin is not None else [None] * n
    columns = zip(document.values, gold, document.predicted, document.errors, numbers, probability, margin, strict=True)
    before: tuple[str | None, str | None] = (None, None)
    for position, (value, true, found, error, number, share, gap) in enumerate(columns):
        first = error or position in starts
        cells = _cell(marks.get(found or ""), found, first or before[1] != found, error)
        if document.gold is not None:
            cells = _cell(marks.get(true or ""), true, first or before[0] != true) + cells
        before = (true, found)
        kind = f' class="e" data-k="{_shown(f"{true} → {found or NO_PREDICTION}")}"' if error else ""
        sure = "" if gap is None or gap != gap else f" data-m={gap:.3f}"
        shown = "" if share is None or share != share else f"<u>{share:.2f}</u>"
        why = f' title="{escape(document.why[position])}"' if position in document.why else ""
        yield f"<p{kind} data-n={number}{sure}{why}>{cells}<span>{_shown(value.lstrip(PAGE_BREAK))}</span>{shown}</p>"


def _cell(mark: Mark | None, label: str | None = None, named: bool = False, error: bool = False) -> str:
    """Return one mark: letters always, the whole name where a block begins."""
    letters, css = (mark.letters, mark.css) if mark else ("–", "o")
    name = _shown(label) if named and label else ""
    return f'<i class="{css}"><b>{"✗" if error else ""}{_shown(letters)}</b>{name}</i>'


def _stretches(document: DocumentLines) -> Iterator[tuple[int, int, bool]]:
    """Cut the lines into stretches (start, end, folded): correct ones far from any error are folded."""
    n, errors = len(document.values), document.errors
    if not any(errors):
        yield 0, n, False
        return
    near = np.convolve(errors, np.ones(2 * _CONTEXT + 1), "full")[_CONTEXT : _CONTEXT + n] > 0
    correct = np.array([g is not None and not e for g, e in zip(document.gold or (), errors, strict=True)])
    for key, group in groupby(range(n), key=lambda i: bool(correct[i] and not near[i])):
        places = list(group)
        yield places[0], places[-1] + 1, key and len(places) > 2 * _CONTEXT


def _abbreviations(label: str) -> Iterator[str]:
    """Yield letters for a label, the best first, without end."""
    letters = [character for character in label if character.isalnum()]
    if letters:
        yield letters[0].upper()
        yield from (letters[0].upper() + other.lower() for other in letters[1:])
    number = 1
    while True:
        yield f"{letters[0].upper() if letters else ''}{number}"
        number += 1


def _shown(text: str) -> str:
    return escape(printable(text))


def lines_html(
    document: DocumentLines, marks: Mapping[str, Mark], *, summary: str = "", index: str | None = None
) -> str:
    """Render the page of one document; ``index`` is the address of the page that lists all documents."""
    from markupsafe import Markup

    return render(
        "lines.html",
        title=document.name,
        styles=["lines.css"],
        scripts=["lines.js"],
        legend=Markup(legend_html(marks, document.gold is not None)),
        rows=Markup(document_rows_html(document, marks)),
        summary=summary,
        index=index,
    )
