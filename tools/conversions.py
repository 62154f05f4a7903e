"""Convert small documents between all formats, and write into ``docs/formats.md`` what each conversion loses."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from skol_rnn import read_documents, write_documents
from skol_rnn.data.discovery import FORMATS
from skol_rnn.data.document import Document
from skol_rnn.data.formats.brat import other_annotations
from skol_rnn.data.spans import SpanRules
from skol_rnn.data.tokens import by_unit
from skol_rnn.errors import RepairWarning

PAGE = Path(__file__).parents[1] / "docs" / "formats.md"
START, END = "<!-- conversions: made by tools/conversions.py -->\n", "<!-- end of conversions -->"
RULES = SpanRules(overlap="longest")


@dataclass(frozen=True)
class Facet:
    """Something that a format may lose: a document that has it, and how to see that it is still there."""

    letter: str
    name: str
    document: Document
    kept: Callable[[Document, Document], bool]  # of the first document and the one that was read
    unit: str = "token"


def _text(first: Document, read: Document) -> bool:
    return read.text == first.text


def _labels(first: Document, read: Document) -> bool:
    return read.labels == first.labels


def _spans(first: Document, read: Document) -> bool:
    return sorted(read.spans or ()) == sorted(first.spans or ())


def _standoff(text: str, annotation: str, *spans: tuple[int, int, str]) -> Document:
    return Document("", text, spans=spans, standoff=annotation)


FACETS = (
    Facet("T", "blanks and tabs at the ends of lines", Document("", "one  \n\ttwo\n \t\nthree\n"), _text, "line"),
    Facet("E", "line ends (CR LF, and the last one)", Document("", "one\r\ntwo\r\n\r\nthree\r\n"), _text, "line"),
    Facet("B", "byte order mark", Document("", "one\ntwo", bom=True), lambda _, read: read.bom, "line"),
    Facet("L", "labels of lines", Document("", "one\n\ntwo\nthree", ("A", "B", "B")), _labels, "line"),
    Facet("U", "lines without a label among others", Document("", "one\ntwo", ("A", None)), _labels, "line"),
    Facet(
        "N",
        "documents that nobody annotated",
        Document("", "one\ntwo"),
        lambda _, read: read.labels is None,
        "line",
    ),
    Facet("W", "spans within a line", Document("", "one two three", spans=((4, 7, "A"),)), _spans),
    Facet("M", "spans of several lines", Document("", "one\ntwo\nthree", spans=((0, 7, "A"),)), _spans),
    Facet("C", "spans that cut words", Document("", "one two three", spans=((1, 6, "A"),)), _spans),
    Facet("O", "overlapping spans", Document("", "one two three", spans=((0, 7, "A"), (4, 13, "B"))), _spans),
    Facet(
        "D",
        "discontinuous spans as one",
        _standoff("one two three", "T1\tA 0 3;8 13\tone three\n", (0, 3, "A"), (8, 13, "A")),
        lambda _, read: ";" in (read.standoff or ""),
    ),
    Facet(
        "R",
        "relations, events, attributes, notes",
        _standoff("one two", "T1\tA 0 3\tone\nT2\tB 4 7\ttwo\nR1\tIn Arg1:T1 Arg2:T2\n", (0, 3, "A"), (4, 7, "B")),
        lambda _, read: bool(other_annotations(read)),
    ),
)


def converted(documents: dict[str, Document], form: str, unit: str) -> dict[str, Document]:
    """Write documents in a format, as ``skol-rnn convert`` does, and read them again."""
    with TemporaryDirectory() as top, warnings.catch_warnings():
        warnings.simplefilter("ignore", RepairWarning)
        folder = Path(top, "documents")
        rows = {"bio": "token", "yedda": "line"}.get(form, unit)
        written = [by_unit(document.named(letter), rows, rules=RULES) for letter, document in documents.items()]
        write_documents(written, folder, format=form)
        read = read_documents(folder, unit=unit, rules=RULES)
    return {document.doc_id.removeprefix("article"): document for document in read}


def held(documents: dict[str, Document], unit: str) -> set[str]:
    """Return the letters of what documents still have."""
    facets = [facet for facet in FACETS if facet.unit == unit]
    return {facet.letter for facet in facets if facet.kept(facet.document, documents[facet.letter])}


@cache
def measure() -> tuple[dict[str, set[str]], dict[tuple[str, str], set[str]]]:
    """Return what each format holds, and what each conversion from one format to another loses."""
    holds: dict[str, set[str]] = {form: set() for form in FORMATS}
    loses: dict[tuple[str, str], set[str]] = {}
    for unit in ("line", "token"):
        first = {facet.letter: facet.document for facet in FACETS if facet.unit == unit}
        for source in FORMATS:
            read = converted(first, source, unit)
            has = held(read, unit)
            holds[source] |= has
            for target in FORMATS:
                kept = held(
                    converted({name: replace(one, path=None) for name, one in read.items()}, target, unit), unit
                )
                loses.setdefault((source, target), set()).update(has - kept)
    return holds, loses


def tables() -> str:
    """Return the two tables in Markdown."""
    holds, loses = measure()
    order = [facet.letter for facet in FACETS]
    rows = [f"| | | {' | '.join(f'`{form}`' for form in FORMATS)} |", f"|---|---|{'---|' * len(FORMATS)}"]
    rows += [
        f"| {facet.letter} | {facet.name} | {' | '.join('yes' if facet.letter in holds[f] else '' for f in FORMATS)} |"
        for facet in FACETS
    ]
    rows += ["", f"| from, to | {' | '.join(f'`{form}`' for form in FORMATS)} |", f"|---|{'---|' * len(FORMATS)}"]
    for source in FORMATS:
        cells = [" ".join(letter for letter in order if letter in loses[source, target]) for target in FORMATS]
        rows.append(f"| `{source}` | {' | '.join(cell or '–' for cell in cells)} |")
    return "\n".join(rows) + "\n"


def page(text: str) -> str:
    """Return the page with the tables between their markers."""
    before, rest = text.split(START)
    return f"{before}{START}\n{tables()}\n{END}{rest.split(END)[1]}"


def main() -> None:
    """Write the tables into the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
