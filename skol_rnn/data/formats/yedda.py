"""YEDDA markup, ``[@text#Label*]``: read with repairs, written so that it reads back unchanged."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from skol_rnn.data.document import Document, Line, Repair, line_labels, split_lines
from skol_rnn.data.formats.encoding import read_file
from skol_rnn.data.spans import Span
from skol_rnn.errors import DataError
from skol_rnn.labels import plural

WITHIN = "block within a line"
_MOST_NAMED = 4

_NAME = r"[A-Za-z][A-Za-z0-9_-]{0,49}"  # where damage is repaired
_ANY_NAME = r"(?:(?!\[@)[^*#\r\n\f])+"
_LABEL = re.compile(_ANY_NAME)
_MARKER = re.compile(
    rf"(?P<opener>\[@)|#(?P<closer>{_ANY_NAME})\*\]|@(?P<typo>{_NAME})\*\]|#(?P<missing>{_NAME})(?=[ \t]*\r?\n\s*\[@)|\*\]"
)
_LINE_END = re.compile(r"[ \t]*\r?(?:\n|\Z)")
_UNWRITABLE = re.compile(r"\[@|#[^*#\n]+\*\]")
_BLOCK = re.compile(rf"\[@[^#]*#{_ANY_NAME}\*\]")
_CONFUSING = re.compile(rf"@{_NAME}\*\]|#{_NAME}\s*\Z")
_STANDOFF = re.compile(r"\s*(?:[TREAMN][0-9]+\t|T[0-9]+ +\S+ +[0-9]+ +[0-9]+\s)")


@dataclass(slots=True)
class _Marker:
    """A piece of markup; an opener has its ``label`` once its block is closed."""

    start: int
    end: int
    opens: bool
    label: str | None = None
    closed: bool = False
    inner: int = 0


class _Blocks:
    """Pairs the openers and closers of a file in one pass, and lists the damage."""

    def __init__(self, raw: str, path: str) -> None:
        self.raw, self.path = raw, path
        self.markers: list[_Marker] = []
        self.repairs: list[Repair] = []
        self._open: list[_Marker] = []
        self._line_ends = [match.start() for match in re.finditer("\n", raw)]
        found = list(_MARKER.finditer(raw))
        self._used = {match["closer"] for match in found}
        for match in found:
            self._take(match)
        following: str | None = None
        for marker in reversed(self.markers):
            if marker.opens and not marker.closed:
                marker.label = following
                detail = f"takes {following} from the next block" if following else "no block follows; no label"
                self.repair(marker.start, "unclosed block", detail)
            if marker.opens:
                following = marker.label

    def repair(self, position: int, kind: str, detail: str) -> None:
        """List a repair at a character."""
        line = bisect_right(self._line_ends, position - 1) + 1
        self.repairs.append(Repair(self.path, line, kind, detail))

    def _take(self, match: re.Match[str]) -> None:
        label = match["closer"] or match["typo"] or match["missing"]
        if match["opener"]:
            if self._open:
                self._open[-1].inner += 1
            self._open.append(_Marker(match.start(), match.end(), opens=True))
            self.markers.append(self._open[-1])
        elif match["closer"]:
            self._end_block(match, match["closer"])
        elif match["typo"] and self._open and _LINE_END.match(self.raw, match.end()):
            self.repair(match.start(), "typo closer", f"{match.group()} read as #{label}*]")
            self._end_block(match, match["typo"])
        elif match["missing"]:
            if self._open and label in self._used:
                self.repair(match.start(), "missing closer", f"#{label} before a new block read as #{label}*]")
                self._end_block(match, match["missing"])
        else:
            self.repair(match.start(), "bare closer", f"{match.group()} without #Label kept as text")

    def _end_block(self, match: re.Match[str], label: str) -> None:
        self.markers.append(_Marker(match.start(), match.end(), opens=False, closed=bool(self._open)))
        if not self._open:
            self.repair(match.start(), "stray closer", f"{match.group()} closes no block; removed")
            return
        opener = self._open.pop()
        opener.label, opener.closed = label, True
        if opener.inner:
            self.repair(opener.start, "nested block", f"{opener.inner} inside; all other lines are {label}")
        elif not self.raw[opener.end : match.start()].strip():
            self.repair(opener.start, "empty block", f"{label} without text")

    def read(self) -> tuple[str, list[tuple[int, int, str]]]:
        """Return the text without markup, and start, end and label of each labelled piece of it."""
        pieces: list[str] = []
        spans: list[tuple[int, int, str]] = []
        enclosing: list[str | None] = [None]
        current: str | None = None
        position = length = 0
        for marker in [*self.markers, _Marker(len(self.raw), len(self.raw), opens=False)]:
            pieces.append(self.raw[position : marker.start])
            start, length, position = length, length + len(pieces[-1]), marker.end
            if current and start < length:
                spans.append((start, length, current))
            if marker.opens and marker.closed:
                enclosing.append(marker.label)
            elif marker.closed:
                enclosing.pop()
            current = marker.label if marker.opens else enclosing[-1]
        return "".join(pieces), spans


def parse_yedda(raw: str, path: str = "text") -> Document:
    r"""Remove the markup from a text; return its text, labels of its lines, and repairs.

    The document has spans, too, if a block begins or ends within a line.
    """
    blocks = _Blocks(raw, path)
    text, pieces = blocks.read()
    lines = split_lines(text)
    labels = line_labels(text, lines, pieces)
    spans = tuple(_visible(text, piece) for piece in pieces if text[piece[0] : piece[1]].strip())
    within = _within_lines(text, lines, spans)
    repairs = list(blocks.repairs)
    number, counted = 1, 0
    for index, (line, before, label) in enumerate(zip(lines, ("", *labels), labels, strict=False)):
        # No marker contains a line end, so lines count the same with and without markers.
        number, counted = number + text.count("\n", counted, line.start), line.start
        if index in within:
            named = ", ".join(within[index][:_MOST_NAMED]) + ", ..." * (len(within[index]) > _MOST_NAMED)
            detail = f"{named}; the line's label is that of its beginning, {label or 'none'}"
            repairs.append(Repair(path, number, WITHIN, detail))
        if label is None and before is not None:
            start = text[line.start : line.end].strip()[:40]
            repairs.append(Repair(path, number, "text outside blocks", f"from {start!r} on, no label"))
    repairs.sort(key=lambda repair: repair.line)
    return Document(path, text, labels, tuple(repairs), spans=spans if within else None)


def _within_lines(text: str, lines: Sequence[Line], spans: Sequence[Span]) -> dict[int, list[str]]:
    """Return, by index of the line, the pieces of blocks that begin or end within it."""
    starts = [line.start for line in lines]
    found: dict[int, dict[str, None]] = {}
    visible: dict[int, Span] = {}  # of lines that were met: slices for each block of a long line would take too long
    for start, end, label in spans:
        for place in sorted({start, end - 1}):
            index = bisect_right(starts, place) - 1
            first, last = lines[index][:2]
            if index not in visible:
                visible[index] = _visible(text, (first, last, ""))
            if (place == start and start > visible[index][0]) or (place == end - 1 and end < visible[index][1]):
                piece = f"{text[max(start, first) : min(end, last)]!r:.40} {label}"
                found.setdefault(index, {})[piece] = None
    return {index: list(pieces) for index, pieces in found.items()}


def _visible(text: str, piece: Span) -> Span:
    """Leave out the white space at the ends of a piece."""
    start, end, label = piece
    value = text[start:end]
    return start + len(value) - len(value.lstrip()), start + len(value.rstrip()), label


def read_yedda(path: Path, doc_id: str, unit: str = "line") -> Document:
    """Read a file with YEDDA markup."""
    decoded = read_file(path)
    if path.suffix == ".ann" and "[@" not in decoded.text and _STANDOFF.match(decoded.text):
        raise DataError(f"{path} looks like brat's standoff annotation, but its text {path.stem}.txt is missing.")
    document = parse_yedda(decoded.text, str(path))
    repairs = tuple(r for r in document.repairs if unit == "line" or r.kind != WITHIN)
    repairs = (*decoded.repairs, *repairs)
    return replace(document, doc_id=doc_id, path=str(path), repairs=repairs, bom=decoded.bom)


def read_text(path: Path, doc_id: str) -> Document:
    """Read a plain text; markup in it is listed, as it is probably a file with another ending."""
    decoded = read_file(path)
    repairs = decoded.repairs
    blocks = list(_BLOCK.finditer(decoded.text)) if "[@" in decoded.text else []
    if blocks:
        line = decoded.text.count("\n", 0, blocks[0].start()) + 1
        detail = f"{plural(len(blocks), 'YEDDA block')} kept as text; the ending .ann or format yedda reads labels"
        repairs += (Repair(str(path), line, "markup in a plain text", detail),)
    return Document(doc_id, decoded.text, None, repairs, str(path), bom=decoded.bom)


def format_yedda(
    text: str,
    spans: Sequence[tuple[int, int]],
    labels: Sequence[str | None],
    *,
    coalesce: bool = True,
    name: str = "the document",
) -> str:
    r"""Put markup around labelled lines; everything else stays unchanged."""
    _check_writable(text, labels, name)
    runs: list[tuple[int, int, str]] = []  # start, end and label of each block
    joins = False  # whether the previous line may share its block
    for (start, end), label in zip(spans, labels, strict=True):
        alone = not coalesce or bool(_CONFUSING.search(text, start, end))
        if label is not None and joins and not alone and runs[-1][2] == label:
            runs[-1] = (runs[-1][0], end, label)
        elif label is not None:
            runs.append((start, end, label))
        joins = label is not None and not alone
    pieces, position = [], 0
    for start, end, label in runs:
        pieces += [text[position:start], "[@", text[start:end], f"#{label}*]"]
        position = end
    return "".join([*pieces, text[position:]])


def relabel_yedda(raw: str, labels: Sequence[str | None]) -> str:
    r"""Give the lines of a file other labels; blocks without a changed line stay as they are, character for character.

    >>> relabel_yedda("[@one\ntwo#A*]\n[@three#A*]", ["A", "B", "A"])
    '[@one#A*]\n[@two#B*]\n[@three#A*]'
    """
    document = parse_yedda(raw)
    pairs = zip(document.lines, document.labels or (), labels, strict=True)
    changed = [(line.start, line.end) for line, before, label in pairs if before != label]
    markers = _Blocks(raw, "text").markers
    # Where each marker stands in the text, and how many characters of markup there are up to its end.
    removed = [0]
    for marker in markers:
        removed.append(removed[-1] + marker.end - marker.start)
    places = [marker.start - before for marker, before in zip(markers, removed, strict=False)]
    blocks = _whole_blocks(markers, places, len(document.text))
    pieces, position = [], 0  # of the raw text
    for start, end in _regions(changed, blocks, document.lines):
        first = start + removed[bisect_left(places, start)]
        last = end + removed[bisect_right(places, end)]
        inside = [i for i, line in enumerate(document.lines) if start <= line.start < end]
        spans = [(document.lines[i].start - start, document.lines[i].end - start) for i in inside]
        region = format_yedda(document.text[start:end], spans, [labels[i] for i in inside])
        pieces += [raw[position:first], region]
        position = last
    return "".join([*pieces, raw[position:]])


def _whole_blocks(markers: Sequence[_Marker], places: Sequence[int], length: int) -> list[tuple[int, int]]:
    """Return start and end in the text of the outermost blocks; one without a closer ends where the next begins."""
    blocks: list[tuple[int, int]] = []
    depth = 0
    for index, (marker, place) in enumerate(zip(markers, places, strict=True)):
        if depth == 0 and marker.opens:
            end = place if marker.closed else (*places, length)[index + 1]
            blocks.append((place, end))
        depth += marker.closed * (1 if marker.opens else -1)
        if depth == 0 and marker.closed:
            blocks[-1] = (blocks[-1][0], place)
    return blocks


def _regions(
    changed: Sequence[tuple[int, int]], blocks: Sequence[tuple[int, int]], lines: Sequence[Line]
) -> list[tuple[int, int]]:
    """Return start and end in the text of what is written anew: changed lines with all blocks and lines they touch."""
    whole = sorted([*((line.start, line.end) for line in lines), *(block for block in blocks if block[0] < block[1])])
    joined: list[tuple[int, int]] = []
    for start, end in whole:
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    starts = [start for start, _ in joined]
    return sorted({joined[bisect_right(starts, start) - 1] for start, _ in changed})


def _check_writable(text: str, labels: Sequence[str | None], name: str) -> None:
    if match := _UNWRITABLE.search(text):
        line = text.count("\n", 0, match.start()) + 1
        problem = f"line {line} contains {match.group()[:40]!r}, which YEDDA reads as markup"
        raise DataError(f"{name}: {problem}: write JSONL or CSV instead.")
    for label in sorted({label for label in labels if label is not None}):
        if not _LABEL.fullmatch(label):
            problem = f"YEDDA stores labels without '*', '#', '[@', line ends and form feeds, not {label!r}"
            raise DataError(f"{name}: {problem}: write JSONL or CSV instead.")
