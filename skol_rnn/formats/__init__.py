"""Readers and writers of document files, one small module a format; ``read_documents`` picks by name."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from skol_rnn.documents import Corpus, Document, Tokeniser, by_unit, write_atomically
from skol_rnn.errors import DataError
from skol_rnn.formats._files import FORMATS, Found, Skipped, check_format, find_files, place_for, told, unique_names
from skol_rnn.formats.jsonl import format_record, read_jsonl
from skol_rnn.formats.ptc import ArticleSpan, labels_beside, read_article, read_labels
from skol_rnn.formats.table import format_table, read_csv, read_parquet
from skol_rnn.formats.text import read_text
from skol_rnn.formats.yedda import format_yedda, parse_yedda, read_yedda
from skol_rnn.labels import suggestion
from skol_rnn.spans import SpanRules

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Labels = Sequence[str | None] | NDArray[Any] | pd.Series[Any]
    Probabilities = Sequence[Sequence[float]] | NDArray[Any]

__all__ = ["FORMATS", "format_yedda", "parse_yedda", "read_documents", "write_atomically", "write_documents"]


def read_documents(
    paths: str | Path | Iterable[str | Path],
    *,
    format: str | None = None,
    strict: bool = False,
    unit: str = "line",
    tokeniser: Tokeniser | None = None,
    rules: SpanRules | None = None,
) -> Corpus:
    """Read documents from files, folders and globs.

    ``.txt.ann`` and ``.ann`` are YEDDA, ``.txt`` is plain text, ``.jsonl`` doccano's JSON lines, ``.csv`` and
    ``.parquet`` the shared table; ``article<ID>.txt`` in a folder with ``<folder>.labels.tsv`` beside it are articles
    with spans ("ptc").  In a folder, an annotated file is read instead of the plain text beside it.

    Parameters
    ----------
    paths : str, Path, or iterable of these
        Files, folders (read with all below them, sorted) or globs.
    format : {"yedda", "text", "jsonl", "csv", "parquet", "ptc"}, optional
        Read files named directly or by a glob in this format whatever their names; of folders, only the files
        whose ending is of this format.
    strict : bool, default False
        Whether damaged markup and invalid bytes are an error instead of being mended and listed.
    unit : {"line", "token"}, default "line"
        What a row is.
    tokeniser : callable from str to iterable of (int, int), optional
        Start and end (exclusive) of each token of a text, for ``unit="token"``;
        :func:`skol_rnn.documents.tokenise` if not given.
    rules : SpanRules, optional
        What labelled spans may be, and how they become labels of rows; spans that overlap are an error if not given.

    Returns
    -------
    Corpus
        The documents, named by their path below what was given, without ending; and the files left out.  Equal
        names are told apart by the path below the common folder.

    Raises
    ------
    DataError
        If files cannot be read or used, all of them told at once; or a folder or glob has no document.
    ValueError
        If there is no such format or unit.
    ImportError
        If a Parquet file is met and pyarrow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.txt.ann").write_text("[@Russula nova#Nomenclature*]")
    ...     _ = Path(folder, "notes.md").write_text("no document")
    ...     corpus = read_documents(folder)
    >>> corpus.table[["doc_id", "value", "label"]].values.tolist()
    [['a', 'Russula nova', 'Nomenclature']]
    >>> [reason for _, reason in corpus.skipped]
    ['unknown ending']
    """
    if format is not None:
        check_format(format)
    files, skipped = find_files([paths] if isinstance(paths, (str, Path)) else list(paths), format)
    read: list[tuple[Document, Found]] = []
    problems: list[str] = []
    reader = _Reader(strict)
    for file in files:
        filled: list[Document] = []
        found: list[Document] = []
        with _told(problems):
            found = reader.read(file)
        for document in found:
            with _told(problems):
                rows = by_unit(document, unit, tokeniser, rules)
                filled += [rows] if rows.n_rows else []
        read += [(document, file) for document in filled]
        if not filled and not problems:
            if file.named:
                raise DataError(f"{file.path} is empty: it has no line with text.")
            skipped.append((str(file.path), "empty"))
    if problems:
        raise DataError("\n".join(problems))
    _refuse_empty_places(files, read, skipped)
    return Corpus(unique_names(read), tuple(skipped))


@contextmanager
def _told(problems: list[str]) -> Iterator[None]:
    """Put what is wrong with the data into a list, so that all of it can be told at once."""
    try:
        yield
    except DataError as error:
        problems.append(str(error))


class _Reader:
    """Reads files, and each table of labels that belongs to several of them once."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self._labels: dict[Path, dict[str, list[ArticleSpan]]] = {}

    def read(self, file: Found) -> list[Document]:
        """Read the documents of a file."""
        path, doc_id, strict = file.path, file.doc_id, self.strict
        match file.format:
            case "yedda":
                return [read_yedda(path, doc_id, strict=strict)]
            case "text":
                return [read_text(path, doc_id, strict=strict)]
            case "ptc":
                return [read_article(path, doc_id, self._labels_of(path), strict=strict)]
            case "jsonl":
                return read_jsonl(path, doc_id, strict=strict)
            case "csv":
                return read_csv(path, doc_id, strict=strict)
            case _:
                return read_parquet(path, doc_id, strict=strict)

    def _labels_of(self, article: Path) -> tuple[Path, dict[str, list[ArticleSpan]]]:
        table = labels_beside(article)
        if table is None:
            raise DataError(f"{article} has no labels: give it as article<ID>.txt in a folder with FOLDER.labels.tsv.")
        if table not in self._labels:
            self._labels[table] = {}  # told once, not for each article
            self._labels[table] = read_labels(table, article.parent)
        return table, self._labels[table]


def _refuse_empty_places(files: list[Found], read: list[tuple[Document, Found]], skipped: Skipped) -> None:
    filled = {file.given for _, file in read}
    for file in files:
        if file.given not in filled:
            raise DataError(f"There is no document in {file.given}{told(skipped)}.")


def write_documents(
    documents: Iterable[Document],
    folder: str | Path,
    *,
    format: str,
    labels_by_doc: Mapping[str, Labels] | None = None,
    probabilities: Mapping[str, Probabilities] | None = None,
) -> list[Path]:
    r"""Write documents below a folder, one file each; all are made ready before the first is written.

    Parameters
    ----------
    documents : Corpus or iterable of Document
        Documents; text and byte order mark are written as they were read.
    folder : str or Path
        Where to; ``doc_id`` is the path below it.  Files there of the same names are replaced.
    format : {"yedda", "text", "jsonl", "csv", "parquet"}
        YEDDA of ``X.txt`` or ``X.txt.ann`` is ``X.txt.ann``; text has no labels.
    labels_by_doc : mapping of str to sequence of (str or None), optional
        Labels of each document's lines; a document that is not in it keeps its own.
    probabilities : mapping of str to array of float, shape (n_lines, n_labels), optional
        Written where the format has room for them: JSON lines, CSV and Parquet.

    Returns
    -------
    list of Path
        The files, in the order of the documents.

    Raises
    ------
    ValueError
        If there is no such format or document, or the number of labels is wrong.
    DataError
        If a document cannot be written in the format, its name leads out of the folder, two documents have one
        name, or a file would replace the one that its document was read from.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = write_documents([Document("v1/a", "one\ntwo", ("X", None))], folder, format="yedda")
    ...     paths[0].relative_to(folder).as_posix(), paths[0].read_text()
    ('v1/a.txt.ann', '[@one#X*]\ntwo')
    """
    check_format(format)
    documents = list(documents)
    given = _per_line(documents, labels_by_doc or {}, "labels")
    labels = {name: [_label(item) for item in items] for name, items in given.items()}
    vectors = _per_line(documents, probabilities or {}, "probabilities")
    ready: dict[Path, bytes] = {}
    for document in documents:
        place = place_for(document, Path(folder), format)
        if place in ready:
            raise DataError(f"Two documents would be written to {place}: give them different names.")
        ready[place] = _formatted(document, format, labels.get(document.doc_id), vectors.get(document.doc_id))
    for place, data in ready.items():
        write_atomically(place, data)
    return list(ready)


def _per_line(documents: list[Document], given: Mapping[str, Any], what: str) -> dict[str, list[Any]]:
    """Check that there is one item for each line of each document named."""
    lines = {document.doc_id: document.n_rows for document in documents}
    for name, items in given.items():
        if name not in lines:
            raise ValueError(f"There are {what} of {name!r}, but no such document.{suggestion(name, lines)}")
        if len(items) != lines[name]:
            raise ValueError(f"{name}: {len(items)} {what} for {lines[name]} non-blank lines.")
    return {name: list(items) for name, items in given.items()}


def _label(item: object) -> str | None:
    if item is None or isinstance(item, str):
        return item
    if item is pd.NA or item != item:  # pandas' other marks for what is missing
        return None
    raise ValueError(f"Label {item!r} is no text.")


def _formatted(document: Document, format: str, labels: list[str | None] | None, vectors: list[Any] | None) -> bytes:
    try:
        if format in ("csv", "parquet"):
            return format_table(document, labels, vectors, kind=format)
        if format == "jsonl":
            return f"{format_record(document, labels, vectors)}\n".encode()
        text = document.text
        if format == "yedda":
            chosen = labels or document.labels or [None] * len(document.lines)
            text = format_yedda(text, [line[:2] for line in document.lines], chosen, name=document.doc_id)
        return (codecs.BOM_UTF8 if document.bom else b"") + text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{document.doc_id}: {error.object[error.start]!r} has no form in UTF-8.") from error
