"""Brat's standoff annotation: the text in ``X.txt``, and one line a span beside it in ``X.ann``."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

from skol_rnn.data.document import Document, Repair
from skol_rnn.data.formats.encoding import read_file, refuse_damage, tell
from skol_rnn.data.spans import Span
from skol_rnn.data.tokens import document_spans
from skol_rnn.errors import DataError

STANDOFF = re.compile(r"\s*(?:[TREAMN][0-9]+|#[0-9]+|\*)\t")
_N = r"-?[0-9]{1,15}"
_SPAN = re.compile(
    rf"T[0-9]+\t(?P<kind>\S+) (?P<parts>{_N} {_N}(?:;{_N} {_N})*)(?:\t(?P<text>.*))?",
    re.DOTALL,
)
_LINE_END = re.compile(r"[\r\n]")


def is_standoff(path: Path) -> bool:
    """Tell whether a file ``X.ann`` is brat's: ``X.txt`` is beside it, and no YEDDA markup in it."""
    if path.name.lower().endswith(".txt.ann") or not text_beside(path).is_file():
        return False
    try:
        start = path.read_bytes()[:4096].decode("utf-8", errors="replace").removeprefix("\ufeff")
    except OSError:
        return False  # told by the one who reads it
    return not start.strip() or bool(STANDOFF.match(start))


def text_beside(path: Path) -> Path:
    """Return the file that holds the text of an ``.ann``."""
    return path.with_suffix(".txt")


def read_brat(path: Path, doc_id: str, *, strict: bool = False, problems: list[str] | None = None) -> Document:
    """Read a text with brat's annotation."""
    path = path.with_suffix(".ann")
    decoded = read_file(text_beside(path))
    if strict:
        refuse_damage(decoded.repairs, harmful=("mixed line ends",))
    shift = int(decoded.bom)  # brat counts a byte order mark as a character
    spans: list[Span] = []
    sources: list[tuple[str, int]] = []
    repairs: list[Repair] = []
    told: list[str] = []
    for number, line in enumerate(read_file(path).text.split("\n"), 1):
        if not (line := line.removesuffix("\r")).strip():
            continue
        found = _SPAN.fullmatch(line)
        if found is None:
            if line.startswith("T") or not STANDOFF.match(line):
                told.append(f"{path}:{number}: {line!r:.80} is not ID, type and offsets, and text, with tabs between")
            else:
                repairs.append(Repair(str(path), number, "annotation of no text", f"{line!r:.80} left out"))
            continue
        pairs = [tuple(map(int, part.split())) for part in found["parts"].split(";")]
        parts = [(start - shift * (start > 0), end - shift, found["kind"]) for start, end in pairs]
        if reason := _misfit(decoded.text, parts, found["text"]):
            told.append(f"{path}:{number}: {reason}")
            continue
        if len(parts) > 1:
            detail = f"{found['kind']} {found['parts']} read as {len(parts)} spans"
            repairs.append(Repair(str(path), number, "discontinuous span", detail))
        spans += parts
        sources += [(str(path), number)] * len(parts)
    tell(told, problems)
    repairs = [*decoded.repairs, *repairs]
    text_path = str(text_beside(path))
    return Document(
        doc_id, decoded.text, None, tuple(repairs), text_path, tuple(spans), decoded.bom, sources=tuple(sources)
    )


def _misfit(text: str, parts: list[Span], quoted: str | None) -> str | None:
    """Say how the text that an annotation quotes differs from the one at its offsets; bad offsets are told later."""
    if quoted is None or any(not 0 <= start < end <= len(text) for start, end, _ in parts):
        return None
    found = " ".join(text[start:end] for start, end, _ in parts)
    if _LINE_END.sub(" ", found) == _LINE_END.sub(" ", quoted):
        return None
    return f"{quoted!r:.60} is annotated, but {found!r:.60} stands there: the offsets are those of another text"


def format_brat(document: Document) -> str | None:
    r"""Write the spans of a document as brat's annotation."""
    spans = document_spans(document)
    if spans is None:
        return None
    lines, numbers, shift = [], count(1), int(document.bom)
    for start, end, kind in sorted(spans):
        if not kind or re.search(r"\s", kind):
            raise DataError(f"{document.doc_id}: brat has no room for the type {kind!r}, which holds white space.")
        quoted = _LINE_END.sub(" ", document.text[start:end])
        lines.append(f"T{next(numbers)}\t{kind} {start + shift} {end + shift}\t{quoted}\n")
    return "".join(lines)
