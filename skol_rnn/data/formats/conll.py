"""CoNLL's columns: one token per line, its label in the last column, a blank line between sentences."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from skol_rnn.data.bio import OUTSIDE, decode_spans, split_label, stray_positions
from skol_rnn.data.document import Document, Repair, breaks_before, with_repairs
from skol_rnn.data.formats.encoding import read_records, replace_surrogates
from skol_rnn.errors import DataError
from skol_rnn.labels import plural

_COMMENT = re.compile(r"# (?P<key>[\w.: -]+?) = (?P<value>.*)")
_NEW = re.compile(r"# newdoc(?: id = (?P<id>.*))?")
_BLANKS = re.compile(r"[ \t]+")  # no other white space separates columns: a token may hold it
_WHOLE = re.compile(r"[0-9]{1,15}")
_START = "-DOCSTART-"
_WRITTEN = ("FORM", "START", "END", "LABEL")
_Row = tuple[int, list[str]]  # line of the file, cells


@dataclass
class _Part:
    """The lines of one document, which begins at a line of the file: its rows, with None for a blank line."""

    line: int = 1
    doc_id: str | None = None
    text: str | None = None
    problem: str = ""  # why its text is not JSON
    lines: list[_Row | None] = field(default_factory=list)


@dataclass(frozen=True)
class _Columns:
    """Which column holds what; without names, the token is the first column and its label the last of several."""

    width: int
    form: int = 0
    label: int | None = None
    start: int | None = None
    end: int | None = None

    @classmethod
    def named(cls, names: Sequence[str], place: str) -> _Columns:
        """Find columns by the names of ``# global.columns``."""
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise DataError(f"{place}: two columns have the name {twice[0]!r:.60}: rename one of them")
        if "FORM" not in names:
            raise DataError(f"{place}: no column has the name FORM: give this name to the column of the tokens")
        if "LABEL" not in names and (others := set(names) - set(_WRITTEN)):
            what = f"only {', '.join(map(repr, sorted(others))):.80} besides FORM"
            raise DataError(
                f"{place}: no column has the name LABEL, {what}: give this name to the column of the labels"
            )
        form, start, end, label = (names.index(name) if name in names else None for name in _WRITTEN)
        exact = start is not None and end is not None
        return cls(len(names), form or 0, label, start if exact else None, end if exact else None)

    @classmethod
    def counted(cls, rows: Sequence[_Row]) -> _Columns:
        """Take the width that most rows have, so that a damaged first row is the one to be reported."""
        widths = Counter(len(row) for _, row in rows)
        width = widths.most_common(1)[0][0] if widths else 1
        return cls(width, label=width - 1 if width > 1 else None)

    def problem(self, row: Sequence[str]) -> str | None:
        """Return what is wrong with a row."""
        if len(row) != self.width:
            return f"{plural(len(row), 'column')}, but most rows have {self.width}"
        try:
            split_label(None if self.label is None else row[self.label])
        except DataError as error:
            return str(error)
        return None


def read_bio(path: Path, doc_id: str, problems: list[str]) -> list[Document]:
    """Read documents from a file of columns."""
    text, repairs = read_records(path)
    parts, columns = _parts(text, str(path), problems)
    documents = []
    seen: dict[str, int] = {}
    for number, part in enumerate(parts, 1):
        name = part.doc_id or (doc_id if len(parts) == 1 else f"{doc_id}/{number}")
        if seen.setdefault(name, part.line) != part.line:
            problems.append(f"{path}:{part.line}: the document of line {seen[name]} has the name {name!r:.60}, too")
        elif document := _document(part, name, columns, str(path), problems):
            documents.append(document)
    return with_repairs(documents, repairs)


def _parts(text: str, path: str, problems: list[str]) -> tuple[list[_Part], _Columns | None]:
    """Split a file into documents, and find the column names if it has them."""
    parts = [_Part()]
    columns: _Columns | None = None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        comment, new = _COMMENT.fullmatch(line), _NEW.fullmatch(line)
        key = comment["key"] if comment else ""
        if comment and key == "global.columns":
            columns = _Columns.named(comment["value"].split(), f"{path}:{number}")
            continue
        starts = line.startswith(_START) or bool(new)
        if (starts or key == "doc_id") and (any(parts[-1].lines) or parts[-1].doc_id is not None):
            parts.append(_Part(number))
        if new and new["id"]:
            parts[-1].doc_id = new["id"].strip()
        elif comment and key in ("doc_id", "text"):
            _take(key, comment["value"], parts[-1], f"{path}:{number}", problems)
        elif not starts and not comment:
            cells = line.split("\t") if "\t" in line else _BLANKS.split(line.strip(" "))
            parts[-1].lines.append((number, cells) if line.strip() else None)
    return [part for part in parts if any(part.lines) or part.text], columns


def _take(key: str, value: str, part: _Part, place: str, problems: list[str]) -> None:
    """Keep the name or the text of a document, which we write as JSON; other tools write the text of a sentence bare."""
    if not (value.startswith('"') and value.rstrip().endswith('"')):
        if key == "doc_id":
            part.doc_id = value.strip()
        return
    if key == "text" and (any(part.lines) or part.text is not None):
        return  # of a later sentence
    with suppress(ValueError, RecursionError):
        if isinstance(found := json.loads(value), str):
            if replace_surrogates(found)[1]:
                problems.append(f"{place}: the {key} holds half of a surrogate pair: write the whole character")
            setattr(part, key, found)
            return
    problem = f'{place}: {value!r:.60} is not a JSON string, such as "..."'
    if key == "text":
        part.problem = problem  # unless the sentence itself begins with a quotation mark
    else:
        problems.append(problem)


def _rows(part: _Part, columns: _Columns) -> list[_Row | None]:
    """Leave out comments: lines before a sentence that begin with # and are no row."""
    kept: list[_Row | None] = []
    for row in part.lines:
        if not (row and row[1][0].startswith("#") and (not kept or kept[-1] is None) and columns.problem(row[1])):
            kept.append(row)
    return kept


def _document(part: _Part, doc_id: str, columns: _Columns | None, path: str, problems: list[str]) -> Document | None:
    rows = [row for row in part.lines if row]
    columns = columns or _Columns.counted([row for row in rows if not row[1][0].startswith("#")] or rows)
    lines = _rows(part, columns)
    rows = [row for row in lines if row]
    found = [f"{path}:{line}: {problem}" for line, row in rows if (problem := columns.problem(row))]
    bare = _is_bare(part, rows, columns)
    if part.problem and not bare:
        found.append(part.problem)
    if not found:
        # Without a text, there is a space between two tokens, and a line end between sentences.
        sentences = (list(group) for blank, group in groupby(lines, key=lambda row: row is None) if not blank)
        joined = "\n".join(" ".join(row[1][columns.form] for row in sentence if row) for sentence in sentences)
        text = joined if part.text is None or bare else part.text
        tokens = tuple(_places(rows, columns, text, path, found))
    if found:
        problems += found
        return None
    if columns.label is None:
        return Document(doc_id, text, path=path, tokens=tokens)
    labels = tuple(row[columns.label] for _, row in rows)
    repairs = tuple(
        Repair(path, rows[position][0], "label that continues nothing", f"{labels[position]} begins a span")
        for position in stray_positions(labels)
    )
    spans = tuple(decode_spans(tokens, labels))
    line_at = {start: line for (start, _), (line, _) in zip(tokens, rows, strict=True)}
    sources = tuple((path, line_at[start]) for start, _, _ in spans)
    return Document(doc_id, text, labels, repairs, path, spans, tokens=tokens, sources=sources)


def _is_bare(part: _Part, rows: Sequence[_Row], columns: _Columns) -> bool:
    """Return whether a text in quotation marks is that of a sentence which begins with a quotation mark."""
    if columns.start is not None or not rows:
        return False
    return rows[0][1][columns.form].startswith('"') and not (part.text or "").lstrip().startswith('"')


def _places(
    rows: Sequence[_Row], columns: _Columns, text: str, path: str, problems: list[str]
) -> Iterator[tuple[int, int]]:
    """Find each token in the text."""
    end = 0
    for line, row in rows:
        value, where = row[columns.form], f"after character {end}"
        if columns.start is None or columns.end is None:
            start = text.find(value, end)
            stop = start + len(value)
        elif _WHOLE.fullmatch(row[columns.start]) and _WHOLE.fullmatch(row[columns.end]):
            start, stop = int(row[columns.start]), int(row[columns.end])
            where = f"at {start} to {stop}"
        else:
            problems.append(f"{path}:{line}: START and END must be whole numbers")
            continue
        if start < end or text[start:stop] != value or not value.strip():
            problems.append(f"{path}:{line}: {value!r:.60} is not in the text {where}")
            continue
        yield start, stop
        end = stop


def format_bio(document: Document) -> str:
    r"""Write a document as columns."""
    tokens, labels = document.tokens or (), document.labels
    lines = [f"# global.columns = {' '.join(_WRITTEN if labels is not None else _WRITTEN[:3])}"]
    lines += [f"# {key} = {json.dumps(getattr(document, key), ensure_ascii=False)}" for key in ("doc_id", "text")]
    for position, before in enumerate(breaks_before(document.text, tokens)):
        start, end = tokens[position]
        row = [document.text[start:end], str(start), str(end)]
        row += [] if labels is None else [labels[position] or OUTSIDE]
        if any(re.search(r"[\t\n]|\r$", cell) for cell in row) or row[0].startswith(("# ", _START)):
            raise DataError(f"{document.doc_id}: columns cannot store token {position}, {row[0]!r:.60}.")
        lines += [""] if before > 1 and position else []
        lines.append("\t".join(row))
    return "\n".join(lines) + "\n"
