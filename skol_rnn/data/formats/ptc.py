"""News articles with labelled spans: ``FOLDER/article<ID>.txt``, and their spans in ``FOLDER.labels.tsv``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from skol_rnn.data.document import Document, Repair
from skol_rnn.data.formats.encoding import read_file, read_records
from skol_rnn.data.spans import Span, from_utf16
from skol_rnn.data.tokens import document_spans
from skol_rnn.errors import DataError
from skol_rnn.labels import printable

_ARTICLE = re.compile(r"article(?P<id>.+)\.txt")
_ENDING = ".labels.tsv"
_COLUMNS = "article_id, technique, start, end (whole numbers)"
_WHOLE = re.compile(r"-?[0-9]{1,15}")


@dataclass
class LabelTable:
    """Line in the file and span of each row by article ID, and what was repaired to read the file."""

    rows: dict[str, list[tuple[int, Span]]] = field(default_factory=dict)
    repairs: tuple[Repair, ...] = ()


def labels_of_folder(folder: Path) -> Path:
    """Return the path of the label table of a folder of articles."""
    folder = folder.resolve()
    return folder.with_name(folder.name + _ENDING)


def label_table_of(article: Path) -> Path | None:
    """Return the label table of an article; None if there is none or the file is not an article."""
    if not _ARTICLE.fullmatch(article.name):
        return None
    folder = article.parent
    table = folder.with_name(folder.name + _ENDING) if folder.name else labels_of_folder(folder)
    return table if table.is_file() else None


def is_label_table(path: Path) -> bool:
    """Return whether a file is the label table of an existing folder."""
    return path.name.endswith(_ENDING) and path.with_name(path.name.removesuffix(_ENDING)).is_dir()


def article_id(name: str) -> str:
    """Return the ID of an article by the name of its file or document."""
    stem = PurePosixPath(name).name.removesuffix(".txt")
    return stem.removeprefix("article") or stem


def article_name(name: str) -> str:
    """Return the name of a document as an article, ``article<ID>``, with the same folders."""
    path = PurePosixPath(name)
    return str(path.with_name(f"article{article_id(name)}")) if path.name else name


def read_labels(path: Path, folder: Path, problems: list[str]) -> LabelTable:
    r"""Read a label table."""
    here = {match["id"] for item in folder.iterdir() if (match := _ARTICLE.fullmatch(item.name))}
    text, repairs = read_records(path)
    found = LabelTable(repairs=repairs)
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r")
        if not line.strip() or (number == 1 and line.startswith("article_id\t")):
            continue
        match line.split("\t"):
            case [name, kind, start, end] if kind.strip() and _WHOLE.fullmatch(start) and _WHOLE.fullmatch(end):
                if name in here:
                    found.rows.setdefault(name, []).append((number, (int(start), int(end), kind)))
                else:
                    wrong = "; write its ID alone" if name.removeprefix("article").removesuffix(".txt") in here else ""
                    problems.append(f"{path}:{number}: there is no article{printable(name):.60}.txt in {folder}{wrong}")
            case _:
                problems.append(f"{path}:{number}: {line!r:.80} is not {_COLUMNS} with tabs between them")
    return found


def read_article(path: Path, doc_id: str, table: Path, labels: LabelTable, offsets: str = "characters") -> Document:
    """Read an article with its spans."""
    decoded = read_file(path)
    rows = labels.rows.get(article_id(path.name), [])
    shift = int(decoded.bom)
    spans = tuple((start - shift * (start > 0), end - shift, kind) for _, (start, end, kind) in rows)
    if offsets == "utf-16":
        spans = from_utf16(decoded.text, spans)
    repairs = decoded.repairs
    if not rows:
        repairs += (Repair(str(path), 1, "article without labels", f"no row in {table}; read without spans"),)
    sources = tuple((str(table), line) for line, _ in rows)
    return Document(doc_id, decoded.text, None, repairs, str(path), spans, decoded.bom, sources=sources)


def format_labels(documents: Iterable[Document]) -> str:
    r"""Write the spans of articles as the rows of a label table."""
    rows: list[str] = []
    seen: dict[str, str] = {}
    for document in documents:
        name = article_id(document.doc_id)
        if seen.setdefault(name, document.doc_id) != document.doc_id:
            raise DataError(f"{seen[name]} and {document.doc_id} are both article {name}: rename one of them.")
        shift = int(document.has_mark)
        for start, end, kind in sorted(document_spans(document) or ()):
            if not kind.strip() or re.search("[\t\r\n\ud800-\udfff]", name + kind):
                what = f"the type {kind!r:.60} of article {name!r:.60}"
                raise DataError(
                    f"{document.doc_id}: the table cannot store {what}, which is blank or holds a tab, a line end or no character."
                )
            rows.append(f"{name}\t{kind}\t{start + shift}\t{end + shift}\n")
    return "".join(rows)
