"""Segment documents into lines or paragraphs, which end at blank lines, form feeds, and where the label changes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.document import Document, RepairCount
from skol_rnn.data.formats.yedda import parse_yedda
from skol_rnn.errors import DataError, RepairWarning

MODES = ("line", "paragraph", "section")
SECTIONS = (
    "Introduction", "Abstract", "Key words", "Keywords", "Summary", "Taxonomy", "Materials and methods", "Methods",
    "Results", "Discussion", "Conclusion", "Conclusions", "Acknowledgements", "Acknowledgments", "References",
    "Literature cited", "Bibliography", "Description", "Diagnosis", "Etymology", "Distribution", "Habitat", "Key",
    "Notes", "Figures", "Supplementary",
  # headings that start a section
)  # fmt: skip

_NOT_TEXT = {"line_number": np.int64, "blank_before": np.int64, "page_break": bool, "is_page_marker": bool}
ToUnits = Callable[[Document], pd.DataFrame]  # segments a document, as `unit_rows` with some mode does
_PAGE_MARKER = re.compile(r"^---\s*PDF\s+Page\s+(\d+)\s*(Label\s+(\S+)\s+)?---\s*$")
_LONGEST_FIRST = "|".join(sorted(map(re.escape, SECTIONS), key=len, reverse=True))
_SECTION = re.compile(rf"\s*(?:\d+\.?\s*)?({_LONGEST_FIRST})\b", re.I)
_NAMES = {name.lower(): name for name in SECTIONS}


def unit_rows(
    document: Document, mode: str, sections: Sequence[str] | None = None, labelled: bool = True
) -> pd.DataFrame:
    """Segment a document into a row for each unit; text around the units is kept, so that no character is lost."""
    labels = document.labels if labelled else None
    units = _units(document, labels, mode)
    text, lines = document.text, document.lines
    starts = [lines[first].start for first, _ in units]
    ends = [lines[last].end for _, last in units]
    values = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    columns: dict[str, Any] = {
        "doc_id": document.doc_id,
        "filename": document.path or document.doc_id,
        "attachment_name": "main.txt",
        "line_number": range(len(units)),
        "value": values,
        "blank_before": [lines[first].blank_before for first, _ in units],
        "page_break": [lines[first].page_break for first, _ in units],
        "is_page_marker": [bool(_PAGE_MARKER.match(value)) for value in values],
        "text_before": [text[end:start] for end, start in zip([0, *ends], starts, strict=False)],
        "text_after": [""] * (len(units) - 1) + [text[ends[-1] :]] if units else [],
    }
    if labels is not None:
        columns["label"] = [labels[first] for first, _ in units]
    rows = pd.DataFrame(columns, range(len(units)), dtype=object).astype(_NOT_TEXT)
    return rows if mode != "section" else _with_sections(rows, sections)


def segment(documents: Iterable[Document], to_units: ToUnits) -> pd.DataFrame:
    """Segment documents into one table of units."""
    parts = list(map(to_units, documents))
    if not parts:
        raise DataError("There is no document.")
    return pd.concat(parts, ignore_index=True)


def text_documents(texts: Iterable[str], labelled: bool) -> Iterable[Document]:
    """Make documents of texts, numbered in their order; annotated texts are parsed as YEDDA."""
    repairs = RepairCount()
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise DataError(f"Text {number} is of type {type(text).__name__}: give a list of texts.")
        name = f"{number:06d}"
        document = parse_yedda(text, name) if labelled else Document(name, text)
        repairs.add(document.repairs)
        yield document
    if message := str(repairs):
        warnings.warn(message, RepairWarning, stacklevel=2)


def page_markers(rows: pd.DataFrame) -> np.ndarray:
    """Return which rows are page markers, which never have a label."""
    if "is_page_marker" not in rows:
        return np.zeros(len(rows), dtype=bool)
    return rows["is_page_marker"].fillna(False).to_numpy(dtype=bool)


def _units(document: Document, labels: Sequence[str | None] | None, mode: str) -> list[tuple[int, int]]:
    """Return the first and last line of each unit."""
    lines = document.lines
    if mode == "line":
        return [(number, number) for number in range(len(lines))]
    markers = [bool(_PAGE_MARKER.match(document.text[line.start : line.end])) for line in lines]
    units: list[tuple[int, int]] = []
    for number, line in enumerate(lines):
        starts = number == 0 or line.blank_before > 0 or line.page_break or markers[number] or markers[number - 1]
        if starts or (labels is not None and labels[number] != labels[number - 1]):
            units.append((number, number))
        else:
            units[-1] = (units[-1][0], number)
    return units


def _with_sections(rows: pd.DataFrame, sections: Sequence[str] | None) -> pd.DataFrame:
    """Add the section of each paragraph, and keep the paragraphs of the chosen sections only."""
    found = [_SECTION.match(value) for value in rows["value"]]
    names = pd.Series([_NAMES[match[1].lower()] if match else None for match in found], dtype=object).ffill()
    rows["section_name"] = names.astype(object).where(names.notna(), None)
    rows["paragraph_number"] = rows["line_number"]
    if sections is None:
        return rows
    wanted = {name.lower() for name in sections}
    kept = [name is not None and str(name).lower() in wanted for name in rows["section_name"]]
    return rows[kept].reset_index(drop=True)
