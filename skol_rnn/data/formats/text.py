"""Plain text: one row per non-blank line, no labels."""

from __future__ import annotations

from pathlib import Path

from skol_rnn.data.document import Document
from skol_rnn.data.formats.encoding import read_file


def read_text(path: Path, doc_id: str, *, strict: bool = False) -> Document:
    r"""Read a file of plain text."""
    decoded = read_file(path, strict=strict)
    return Document(doc_id, decoded.text, None, decoded.repairs, str(path), bom=decoded.bom)
