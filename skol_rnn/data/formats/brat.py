"""Brat's standoff annotation: the text in ``X.txt``, and its spans, one per line, in ``X.ann`` in the same folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from skol_rnn.data.document import Document, Repair
from skol_rnn.data.formats.encoding import INVALID, read_file
from skol_rnn.data.spans import Span, from_utf16, quotation_problem
from skol_rnn.data.tokens import document_spans
from skol_rnn.errors import DataError

STANDOFF = re.compile(r"\s*(?:[TREAMN][0-9]+|#[0-9]+|\*)\t")
_N = r"-?[0-9]{1,15}"
_SPAN = re.compile(rf"T[0-9]+\t(?P<kind>\S+) (?P<parts>{_N} {_N}(?:;{_N} {_N})*)(?:\t(?P<text>.*))?", re.DOTALL)
_KINDS = {
    "R": "relations",
    "*": "relations",
    "E": "events",
    "A": "attributes",
    "M": "attributes",
    "N": "normalisations",
    "#": "notes",
}
_LINE_END = re.compile(r"[\r\n]")


def is_standoff(path: Path) -> bool:
    """Return whether ``X.ann`` is brat's: ``X.txt`` exists, and the file begins as brat's or has no YEDDA markup."""
    text = path.with_suffix(".txt")
    if path.name.lower().endswith(".txt.ann") or not text.is_file():
        return False
    try:
        start = _beginning(path)
        if "[@" in start or start == _beginning(text):  # a YEDDA file without a label is its text
            return bool(STANDOFF.match(start)) or not start.strip()
    except OSError:
        return False  # the reader reports it
    return True


def _beginning(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(4096).decode("utf-8", errors="replace").removeprefix("\ufeff")


def read_brat(path: Path, doc_id: str, problems: list[str], offsets: str = "characters") -> list[Document]:
    """Read a text with brat's annotation."""
    text_path, path = path.with_suffix(".txt"), path.with_suffix(".ann")
    decoded, annotation = read_file(text_path), read_file(path)
    shift = int(decoded.bom)  # brat counts a byte order mark as a character
    spans: list[Span] = []
    sources: list[tuple[str, int]] = []
    repairs = [*decoded.repairs, *(repair for repair in annotation.repairs if repair.kind == INVALID)]
    seen: dict[str, int] = {}
    lines = annotation.text.split("\n")
    for number, line in enumerate(tuple(lines), 1):
        if not (line := line.removesuffix("\r")).strip():
            continue
        name = line.split("\t")[0]
        if name != "*" and seen.setdefault(name, number) != number:
            problems.append(f"{path}:{number}: line {seen[name]} has the same ID {name!r:.40}: give each its own")
            continue
        found = _SPAN.fullmatch(line)
        if found is None:
            if line.startswith("T") or not STANDOFF.match(line):
                reason = "is not ID, type and offsets, and text, with tabs between"
                problems.append(f"{path}:{number}: {line!r:.80} {reason}")
            else:
                repairs.append(Repair(str(path), number, "annotation of no text", f"{line!r:.80} left out"))
            continue
        pairs = [tuple(map(int, part.split())) for part in found["parts"].split(";")]
        parts = [(start - shift * (start > 0), end - shift, found["kind"]) for start, end in pairs]
        if offsets == "utf-16":
            parts = list(from_utf16(decoded.text, parts))
            places = ";".join(f"{start + shift} {end + shift}" for start, end, _ in parts)
            lines[number - 1] = line.replace(found["parts"], places, 1)
        if found["text"] is not None and (mismatch := quotation_problem(decoded.text, parts, found["text"], _same)):
            problems.append(f"{path}:{number}: the annotation {mismatch}")
            continue
        if len(parts) > 1:
            detail = f"{found['kind']} {found['parts']} read as {len(parts)} spans"
            repairs.append(Repair(str(path), number, "discontinuous span", detail))
        spans += parts
        sources += [(str(path), number)] * len(parts)
    read = (decoded.text, None, tuple(repairs), str(text_path), tuple(spans), decoded.bom)
    return [Document(doc_id, *read, sources=tuple(sources), standoff="\n".join(lines))]


def _same(found: str, quoted: str) -> bool:
    return len(found) == len(quoted) and _LINE_END.sub(" ", found) == _LINE_END.sub(" ", quoted)


def rename_types(standoff: str, names: Mapping[str, str]) -> str:
    """Replace types of spans in brat's annotation."""

    def rename(match: re.Match[str]) -> str:
        return match[1] + names.get(match[2], match[2])

    return re.sub(r"(?m)^(T[0-9]+\t)(\S+)", rename, standoff)


def other_annotations(document: Document) -> Counter[str]:
    """Count what brat's annotation of a document holds besides spans, by kind."""
    lines = (line.strip() for line in (document.standoff or "").split("\n"))
    kinds = (_KINDS.get(line[0], "other annotations") for line in lines if line and not line.startswith("T"))
    return Counter(kinds)


def format_brat(document: Document) -> str | None:
    r"""Write the spans of a document as brat's annotation; None if it has no labels."""
    if document.standoff is not None:
        return document.standoff
    spans = document_spans(document)
    if spans is None:
        return None
    lines, shift = [], int(document.has_mark)
    for number, (start, end, kind) in enumerate(sorted(spans), 1):
        if not kind or re.search(r"\s", kind):
            raise DataError(f"{document.doc_id}: brat cannot store the type {kind!r}, which contains white space.")
        quoted = _LINE_END.sub(" ", document.text[start:end])
        lines.append(f"T{number}\t{kind} {start + shift} {end + shift}\t{quoted}\n")
    return "".join(lines)
