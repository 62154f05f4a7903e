r"""Units of a document, lines, paragraphs or sections' paragraphs, as rows; and rows as annotated text again.

A paragraph ends at a blank line, a form feed, or where the label changes.  The same function cuts documents that a
model is trained on and documents that it labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.data.discovery import place_for
from skol_rnn.data.document import Document
from skol_rnn.data.formats.yedda import format_yedda
from skol_rnn.errors import DataError
from skol_rnn.labels import suggestion
from skol_rnn.persistence.atomic import write_atomically

MODES = ("line", "paragraph", "section")
SECTIONS = (
    "Introduction", "Abstract", "Key words", "Keywords", "Summary", "Taxonomy", "Materials and methods", "Methods",
    "Results", "Discussion", "Conclusion", "Conclusions", "Acknowledgements", "Acknowledgments", "References",
    "Literature cited", "Bibliography", "Description", "Diagnosis", "Etymology", "Distribution", "Habitat", "Key",
    "Notes", "Figures", "Supplementary",
)  # fmt: skip
"""Names that a section begins with."""

_PAGE_MARKER = re.compile(r"^---\s*PDF\s+Page\s+(\d+)\s*(Label\s+(\S+)\s+)?---\s*$")
_SECTION = re.compile(
    rf"\s*(?:\d+\.?\s*)?({'|'.join(sorted(map(re.escape, SECTIONS), key=len, reverse=True))})\b", re.I
)
_NAMES = {name.lower(): name for name in SECTIONS}


class ExtractionMode(str):
    """The unit that is labelled: "line", "paragraph" or "section"; it is its name."""

    __slots__ = ()

    def __new__(cls, name: str) -> ExtractionMode:
        """Check the name."""
        if name not in MODES:
            raise ValueError(
                f"extraction_mode must be one of {', '.join(MODES)}, but is {name!r}.{suggestion(str(name), MODES)}"
            )
        return super().__new__(cls, name)

    @property
    def is_line(self) -> bool:
        """Whether every line is a unit."""
        return self == "line"


def unit_rows(document: Document, mode: str, sections: Sequence[str] | None = None) -> pd.DataFrame:
    r"""Cut a document into units."""
    units = _units(document, mode)
    text, lines = document.text, document.lines
    starts = [lines[first].start for first, _ in units]
    ends = [lines[last].end for _, last in units]
    values = [text[start:end] for start, end in zip(starts, ends, strict=True)]
    n_units = len(units)
    columns: dict[str, Any] = {
        "doc_id": _texts([document.doc_id] * n_units),
        "filename": _texts([document.path or document.doc_id] * n_units),
        "attachment_name": _texts(["main.txt"] * n_units),
        "line_number": np.arange(n_units, dtype=np.int64),
        "value": _texts(values),
        "blank_before": np.array([lines[first].blank_before for first, _ in units], dtype=np.int64),
        "page_break": np.array([lines[first].page_break for first, _ in units], dtype=bool),
        "is_page_marker": np.array([bool(_PAGE_MARKER.match(value)) for value in values], dtype=bool),
        "text_before": _texts([text[a:b] for a, b in zip([0, *ends[:-1]], starts, strict=True)]),
        "text_after": _texts([""] * (n_units - 1) + [text[ends[-1] :]] if units else []),
    }
    if document.labels is not None:
        columns["label"] = _texts([document.labels[first] for first, _ in units])
    rows = pd.DataFrame(columns)
    return rows if mode != "section" else _with_sections(rows, sections)


def _texts(values: Sequence[str | None]) -> pd.Series:
    return pd.Series(list(values), dtype=object)


def _units(document: Document, mode: str) -> list[tuple[int, int]]:
    """Return the first and last line of each unit."""
    lines, labels = document.lines, document.labels
    if mode == "line":
        return [(number, number) for number in range(len(lines))]
    units: list[tuple[int, int]] = []
    for number, line in enumerate(lines):
        begins = number == 0 or line.blank_before > 0 or line.page_break
        begins = begins or (labels is not None and labels[number] != labels[number - 1])
        if begins or any(
            _PAGE_MARKER.match(document.text[lines[i].start : lines[i].end]) for i in (number - 1, number)
        ):
            units.append((number, number))
        else:
            units[-1] = (units[-1][0], number)
    return units


def _with_sections(rows: pd.DataFrame, sections: Sequence[str] | None) -> pd.DataFrame:
    found = [_SECTION.match(value) for value in rows["value"]]
    names = pd.Series([_NAMES[match[1].lower()] if match else None for match in found], dtype=object)
    rows["section_name"] = names.ffill().astype(object).where(names.ffill().notna(), None)
    rows["paragraph_number"] = rows["line_number"]
    if sections is None:
        return rows
    wanted = {name.lower() for name in sections}
    kept = [name is not None and str(name).lower() in wanted for name in rows["section_name"]]
    return rows[kept].reset_index(drop=True)


def annotated_text(rows: pd.DataFrame, coalesce: bool) -> str:
    r"""Put the rows of one document together as YEDDA."""
    if "line_number" in rows:
        rows = rows.sort_values("line_number", kind="stable")
    values = rows["value"].tolist()
    exact = "text_before" in rows and "text_after" in rows
    before = rows["text_before"].tolist() if exact else ["", *["\n"] * (len(rows) - 1)]
    spans, pieces, position = [], [], 0
    for gap, value in zip(before, values, strict=True):
        spans.append((position + len(gap), position + len(gap) + len(value)))
        pieces += [gap, value]
        position = spans[-1][1]
    text = "".join(pieces) + ("".join(rows["text_after"]) if exact else "")
    labels = [label if isinstance(label, str) else None for label in rows["predicted_label"]]
    return format_yedda(text, spans, labels, coalesce=coalesce, name=str(rows["doc_id"].iloc[0]))


def label_rows(rows: pd.DataFrame, columns: Iterable[str]) -> str:
    r"""Write some columns of one document's rows as tab-separated lines with a header."""
    chosen = [name for name in columns if name in rows]
    lines = ["\t".join(chosen)]
    for row in rows[chosen].itertuples(index=False):
        lines.append("\t".join(_field(value) for value in row))
    return "\n".join(lines)


def _field(value: Any) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return ""
    return " ".join(f"{number:.6f}" for number in value) if isinstance(value, (list, np.ndarray)) else str(value)


def document_text(rows: pd.DataFrame, output_format: str, coalesce: bool) -> str:
    """Return one document's text in an output format: YEDDA for "annotated", else tab-separated lines."""
    if "errors" in rows and isinstance(rows["errors"].iloc[0], str):
        raise DataError(f"{rows['errors'].iloc[0]}; no file is written of a document that was not labelled.")
    if output_format == "annotated":
        return annotated_text(rows, coalesce)
    columns = ["line_number", "predicted_label"] + (
        ["probability", "probabilities"] if output_format == "probs" else []
    )
    return label_rows(rows.sort_values("line_number") if "line_number" in rows else rows, columns)


def write_text(rows: pd.DataFrame, name: str, text: str, folder: str, output_format: str) -> str:
    """Write one document's file, whole or not at all, and return its path."""
    source = rows["filename"].iloc[0] if "filename" in rows else None
    place = place_for(Document(name, "", path=source), Path(folder), "yedda")
    if output_format != "annotated":
        place = place.with_name(place.name.removesuffix(".ann").removesuffix(".txt") + f".{output_format}.tsv")
    write_atomically(place, text.encode())
    return str(place)
