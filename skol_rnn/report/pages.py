"""A folder of pages, one for each document, and an index that lists them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import numpy as np

from skol_rnn.data.discovery import place_for
from skol_rnn.data.document import Document
from skol_rnn.data.spans import Span
from skol_rnn.persistence.atomic import write_atomically
from skol_rnn.report.lines import DocumentLines, Mark, certainty, lines_html
from skol_rnn.report.spans import spans_html
from skol_rnn.report.templating import render, require_jinja2

INDEX = "index.html"

_LABEL_COLUMNS = 8


Row = tuple[int, int | None, Mapping[str, int]]
"""What the index says of a document: its lines, its errors if there are true labels, and the counts of its labels."""


@dataclass
class Pages:
    """Writes a page for each document below a folder, and ``index.html`` when its ``with`` block ends."""

    folder: Path
    marks: Mapping[str, Mark] = field(default_factory=dict)
    _places: dict[str, Path] = field(default_factory=dict)  # by document, in the order of the index
    _taken: set[Path] = field(default_factory=set)
    _listed: dict[str, Row] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_jinja2()
        self._taken.add(self.folder / INDEX)

    def add_lines(self, document: Document, lines: DocumentLines) -> None:
        """Write the page of a document whose rows are lines."""
        write_atomically(self.place_of(document), self.lines_page(document, lines))

    def lines_page(self, document: Document, lines: DocumentLines) -> bytes:
        """Return the page of a document whose rows are lines, and list it."""
        place = self.place_of(document)
        counts = Counter(label for label in lines.predicted if label is not None)
        errors = None if lines.gold is None else sum(lines.errors)
        summary = "" if errors is None else f"{errors:,} of {len(lines.values):,} lines have a wrong predicted label."
        page = lines_html(lines, self.marks, summary=summary, index=self._index_of(place))
        self.listed(document, (len(lines.values), errors, counts))
        return page.encode(errors="replace")

    def add_spans(self, document: Document, gold: Sequence[Span] | None, predicted: Sequence[Span]) -> None:
        """Write the page of a document with spans."""
        write_atomically(self.place_of(document), self.spans_page(document, gold, predicted))

    def spans_page(self, document: Document, gold: Sequence[Span] | None, predicted: Sequence[Span]) -> bytes:
        """Return the page of a document with spans, and list it."""
        place = self.place_of(document)
        page = spans_html(document.text, gold, predicted, document.doc_id, index=self._index_of(place))
        errors = None if gold is None else len(set(gold) ^ set(predicted))
        self.listed(document, (len(document.lines), errors, Counter(span[2] for span in predicted)))
        return page.encode(errors="replace")

    def listed(self, document: Document, row: Row) -> None:
        """Add a document to the index."""
        self._listed[document.doc_id] = row

    def row_of(self, document: Document) -> Row:
        """Return what the index says of a document."""
        return self._listed[document.doc_id]

    def index(self) -> dict[Path, bytes]:
        """Return the index of all documents that are listed, by its place."""
        return {self.folder / INDEX: self._index().encode(errors="replace")}

    def __enter__(self) -> Pages:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if kind is None:
            for place, data in self.index().items():
                write_atomically(place, data)

    def place_of(self, document: Document) -> Path:
        """Return the place of the page of a document."""
        if (known := self._places.get(document.doc_id)) is not None:
            return known
        ending = ".html"
        while (place := place_for(document, self.folder, "text", ending)) in self._taken:
            ending = f"_{ending}"
        self._taken.add(place)
        self._places[document.doc_id] = place
        return place

    def _index_of(self, place: Path) -> str:
        return _address(self.folder / INDEX, place.parent)

    def _index(self) -> str:
        total: Counter[str] = Counter()
        rows = [(name, place, *self._listed[name]) for name, place in self._places.items() if name in self._listed]
        for *_, counts in rows:
            total.update(counts)
        labels = [label for label, _ in total.most_common()[::-1]][:_LABEL_COLUMNS]  # the rare ones first
        scored = any(errors is not None for _, _, _, errors, _ in rows)
        order = sorted(rows, key=lambda row: -(row[3] or 0)) if scored else rows
        documents = [
            {
                "name": name,
                "address": _address(place, self.folder),
                "cells": [lines, *([errors] if scored else []), *(counts.get(label, 0) for label in labels)],
            }
            for name, place, lines, errors, counts in order
        ]
        headings = ["Lines", *(["Errors"] if scored else []), *labels]
        return render(INDEX, title="Labelled documents", documents=documents, headings=headings, scored=scored)


def document_lines(
    document: Document,
    predicted: Sequence[str | None],
    *,
    gold: Sequence[str | None] | None = None,
    probabilities: np.ndarray | None = None,
    labels: Iterable[str] = (),
) -> DocumentLines:
    """Return the lines of a document with its line numbers; ``labels`` names the columns of the probabilities."""
    numbers, number, position = [], 1, 0
    for line in document.lines:
        number += document.text.count("\n", position, line.start)
        position = line.start
        numbers.append(number)
    values = [document.text[line.start : line.end] for line in document.lines]
    shares, margins = (None, None) if probabilities is None else certainty(probabilities, list(labels), predicted)
    return DocumentLines(document.doc_id, values, predicted, gold, shares, margins, numbers)


def _address(place: Path, folder: Path) -> str:
    # A surrogate in a name stands for a byte that is no UTF-8.
    return quote(Path(os.path.relpath(place, folder)).as_posix(), errors="surrogateescape")
