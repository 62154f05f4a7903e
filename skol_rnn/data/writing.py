"""Write documents to files in any format, each file whole, or to standard output."""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from skol_rnn.data.discovery import FORMATS, place_for
from skol_rnn.data.document import Document
from skol_rnn.data.formats.brat import format_brat
from skol_rnn.data.formats.conll import format_bio
from skol_rnn.data.formats.jsonl import format_record
from skol_rnn.data.formats.ptc import article_id, article_name, format_labels, labels_of_folder
from skol_rnn.data.formats.yedda import format_yedda
from skol_rnn.data.outputs import Outputs
from skol_rnn.data.spans import SpanRules
from skol_rnn.data.table import check_texts, is_missing
from skol_rnn.data.tokens import by_unit, document_spans
from skol_rnn.errors import DataError
from skol_rnn.labels import check_choice, suggestion
from skol_rnn.persistence.bundle import checksum

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Labels = Sequence[str | None] | NDArray[Any] | pd.Series[Any]
    Probabilities = Sequence[Sequence[float]] | NDArray[Any]

_LENIENT = SpanRules(overlap="longest")
_SEVERAL = ("jsonl", "csv")  # formats of which a stream takes several documents


def write_documents(
    documents: Iterable[Document],
    folder: str | Path,
    *,
    format: str,
    labels_by_doc: Mapping[str, Labels] | None = None,
    probabilities: Mapping[str, Probabilities] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    r"""Write documents below a folder, one file each.

    All documents are checked before the first is written, and each file is written whole.  After a failure such as a
    full disk, the same call writes what is missing.

    Parameters
    ----------
    documents : Corpus or iterable of Document
        Documents.  Text and byte order mark are written as they were read.
    folder : str or Path
        Output folder; ``doc_id`` is the path below it.
    format : {"yedda", "text", "jsonl", "csv", "parquet", "ptc", "brat", "bio"}
        YEDDA files end in ``.txt.ann``; text has no labels.  Labels of articles ("ptc") go into one table,
        ``<folder>.labels.tsv``, and brat's into ``X.ann`` next to ``X.txt``.  Rows of "bio" are tokens and rows of
        YEDDA are lines: other rows are labelled again by their spans, the longer of two that overlap.
    labels_by_doc : mapping of str to sequence of (str or None), optional
        Labels of the rows of each document; a document that is not in the mapping keeps its own.
    probabilities : mapping of str to array of float, shape (n_rows, n_labels), optional
        Probabilities to write in formats that can store them: JSON lines, CSV and Parquet.  A DataFrame, or a
        structured array, has the names of the labels: they name columns ``p(Label)``, and keys in JSON lines.
    overwrite : bool, default False
        Whether existing files are replaced; those that a document was read from never are.

    Returns
    -------
    list of Path
        The file of each document, in order.  Files that belong to a document or to all of them are not listed.

    Raises
    ------
    ValueError
        If the format or a document of the mappings is unknown, or the number of labels is wrong.
    DataError
        If the format cannot store a document, its name leads out of the folder or is too long, two documents have one
        name, a file exists, or another process is writing to the folder.
    OSError
        If a file cannot be written; it names the file.
    ImportError
        If the format needs a package that is not installed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = write_documents([Document("v1/a", "one\ntwo", ("X", None))], folder, format="yedda")
    ...     paths[0].relative_to(folder).as_posix(), paths[0].read_text()
    ('v1/a.txt.ann', '[@one#X*]\ntwo')
    """
    documents = list(documents)
    labels_by_doc, probabilities = labels_by_doc or {}, probabilities or {}
    names = {document.doc_id for document in documents}
    for what, by_name in (("labels", labels_by_doc), ("probabilities", probabilities)):
        for name in by_name:
            if name not in names:
                raise ValueError(f"There are {what} of {name!r}, but no such document.{suggestion(name, names)}")
    with DocumentWriter(folder, format, overwrite=overwrite) as writer:
        writer.protect(document.path for document in documents if document.path is not None)
        for document in documents:
            writer.contents(_labelled(document, labels_by_doc.get(document.doc_id)), probabilities.get(document.doc_id))
            writer.check(document)
        for document in documents:
            writer.add(document, labels_by_doc.get(document.doc_id), probabilities.get(document.doc_id))
    return writer.written


class DocumentWriter:
    """Writes documents below a folder as they come, each file whole, or the spans of all to one table ``NAME.tsv``.

    Nothing that exists is replaced unless ``overwrite`` says so, or a run with equal ``settings`` wrote it that was
    stopped; :meth:`is_done` names what such a run has finished.
    """

    def __init__(
        self,
        out: str | Path,
        format: str,
        *,
        overwrite: bool = False,
        settings: Mapping[str, Any] | None = None,
        advice: str = "overwrite=True",
    ) -> None:
        _check_format(format)
        self.folder, self.format = Path(out), format
        self._to_table = format == "ptc" and self.folder.suffix == ".tsv"
        chosen = {"format": format, **(settings or {})}
        self.outputs = Outputs(self.folder, chosen, one_file=self._to_table, overwrite=overwrite, advice=advice)
        self._places: dict[str, dict[str | None, Path]] = {}  # of each document by ending, None for the usual one
        self._waiting: set[str] = set()  # checked, not written
        self._articles: dict[tuple[Path, str], str] = {}  # document of each row name of a table of labels

    @property
    def written(self) -> list[Path]:
        """The file of each document that is done, in the order of the documents."""
        if self._to_table:
            return [self.folder]
        return [places[None] for name, places in self._places.items() if name in self.outputs.done]

    def protect(self, paths: Iterable[str | Path]) -> None:
        """Never replace these files, nor those that are read with them."""
        self.outputs.protect(paths)

    def is_done(self, document: Document, more: Sequence[Path] = ()) -> bool:
        """Return whether a stopped run has written a document that has not changed since."""
        done = self.outputs.is_done(document.doc_id, document_fingerprint(document))
        if done:
            self._reserve(document, more, done=True)
        return done

    def check(self, document: Document, more: Sequence[Path] = ()) -> None:
        """Refuse a document that cannot be written whatever its labels will be; ``more`` are other files of it."""
        _check_plain(document, self.format)
        self._reserve(document, more)
        self._waiting.add(document.doc_id)

    def contents(
        self, document: Document, probabilities: Probabilities | None = None
    ) -> tuple[dict[str | None, bytes], str | None]:
        """Return the content of the files of a document by ending, and its rows of a table of labels."""
        has_rows = self.format == "ptc" and document_spans(document) is not None
        return _contents(document, self.format, probabilities), format_labels([document]) if has_rows else None

    def add(
        self,
        document: Document,
        labels: Labels | None = None,
        probabilities: Probabilities | None = None,
        more: Mapping[Path, bytes] | None = None,
        **facts: Any,
    ) -> None:
        """Write the files of a document, with other labels if there are any, and ``more`` files that belong to it."""
        contents, rows = self.contents(_labelled(document, labels), probabilities)
        if document.doc_id not in self._waiting:
            self._reserve(document, list(more or ()))
        self._waiting.discard(document.doc_id)
        files = {self._places[document.doc_id][ending]: data for ending, data in contents.items()}
        files = ({} if self._to_table else files) | dict(more or {})
        self.outputs.write(files, document.doc_id, input=document_fingerprint(document), rows=rows, **facts)

    def _reserve(self, document: Document, more: Sequence[Path], done: bool = False) -> None:
        """Refuse a document whose files have no place, and keep the places from others."""
        name = document.doc_id
        article = article_name(name) if self.format == "ptc" else name
        endings = (".ann", None) if self.format == "brat" else (None,)
        found = replace(document, doc_id=article)
        places = {
            ending: self.folder if self._to_table else place_for(found, self.folder, self.format, ending)
            for ending in endings
        }
        if name in self._places:
            raise DataError(f"Two documents would be written to {places[None]}: give them different names.")
        own = [] if self._to_table else list(places.values())
        if document.path is not None:
            self.protect([document.path])
        self.outputs.claim(name, [*own, *more], done)
        if self.format == "ptc":
            row = (self._table(places[None]), article_id(name))
            if (other := self._articles.setdefault(row, name)) != name:
                raise DataError(f"{other} and {name} are both article {row[1]}: rename one of them.")
            self.outputs.check(row[0])
        self._places[name] = places

    def _table(self, place: Path) -> Path:
        return self.folder if self._to_table else labels_of_folder(place.parent)

    def _write_tables(self) -> None:
        """Write the tables of labels of the documents that are done."""
        tables: dict[Path, list[str]] = defaultdict(list)
        for name, places in self._places.items():
            if (rows := self.outputs.done.get(name, {}).get("rows")) is not None:
                tables[self._table(places[None])].append(rows)
        for table, parts in tables.items():
            self.outputs.write({table: "".join(parts).encode()})

    def __enter__(self) -> DocumentWriter:
        if self._to_table:
            self.outputs.check(self.folder)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the tables of labels; after an error, the journal stays for a second run."""
        self.outputs.complete = self.outputs.complete and kind is None
        try:
            # The error that ended the run says more than one that follows from it.
            with suppress(OSError, DataError) if kind else nullcontext():
                self._write_tables()
        except BaseException:
            self.outputs.complete = False
            raise
        finally:
            self.outputs.close()


class StreamWriter:
    """Writes documents one after the other to a stream; YEDDA, text and "bio" take one document only."""

    def __init__(self, stream: IO[bytes], format: str) -> None:
        _check_format(format)
        if format not in (*_SEVERAL, "yedda", "text", "bio"):
            raise ValueError(f"Standard output takes jsonl, csv, yedda, text or bio, not {format}: give a folder.")
        self.format, self._stream = format, stream
        self._names: set[str] = set()
        self._header = b""

    def check(self, document: Document) -> None:
        """Refuse a document that the stream cannot take whatever its labels will be."""
        if self._names and self.format not in _SEVERAL:
            raise DataError(
                f"Standard output takes one document as {self.format}, and {document.doc_id} is the second: "
                "choose jsonl or csv, or give a folder."
            )
        _check_plain(document, self.format)
        self._names.add(document.doc_id)

    def add(self, document: Document, labels: Labels | None = None, probabilities: Probabilities | None = None) -> None:
        """Write a document, with other labels if there are any."""
        data = _contents(_labelled(document, labels), self.format, probabilities)[None]
        if self.format == "csv":
            header, rows = data.split(b"\n", 1)
            if self._header not in (b"", header):
                raise DataError(f"{document.doc_id}: its columns are not those of the documents before: give a folder.")
            data = rows if self._header else data
            self._header = header
        self._stream.write(data)
        self._stream.flush()


def check_labels(labels: Iterable[str], format: str, unit: str) -> None:
    """Refuse labels that a format cannot store."""
    for label in labels:
        tokens = ((0, 1),) if unit == "token" else None
        document = Document("The model", "x", (label,), tokens=tokens)
        _contents(document, format, None)
        if format == "ptc":
            format_labels([document])


def count_lost_spans(document: Document, format: str) -> int:
    """Count the spans of a document that a format cannot store."""
    spans = document_spans(document) or ()
    if format in ("jsonl", "ptc", "brat") or not spans:
        return 0
    if format == "text":
        return len(spans)
    kept = set(document_spans(replace(_with_rows_of(document, format), spans=None)) or ())
    return sum(1 for span in spans if span not in kept)


def _check_format(format: str) -> None:
    """Refuse a format that does not exist, or whose library is missing."""
    check_choice("format", format, FORMATS)
    if format in ("csv", "parquet"):
        from skol_rnn.data.formats.table import require_libraries

        require_libraries(format)


def _check_plain(document: Document, format: str) -> None:
    """Refuse a document that a format cannot store whatever its labels are."""
    plain = replace(document, labels=None, spans=None, sources=(), standoff=None)
    # JSON lines hold name and text as tables do, and are cheaper to make.
    _contents(plain, "jsonl" if format in ("csv", "parquet") else format, None)
    if format == "ptc":
        format_labels([replace(plain, spans=((0, 0, "label"),))])


def _labelled(document: Document, labels: Labels | None) -> Document:
    """Return the document with other labels, if there are any."""
    if labels is None:
        return document
    names = [None if is_missing(label) else label for label in labels]
    check_texts(names, "label", none_allowed=True)
    return replace(document, labels=tuple(names), spans=None, sources=(), standoff=None)


def document_fingerprint(document: Document) -> str:
    """Return a checksum of what is read of a document."""
    read = (document.text, document.bom, document.tokens, document.labels, document.spans, document.standoff)
    return checksum(repr(read).encode())


def _with_rows_of(document: Document, format: str) -> Document:
    """Return the document with lines or tokens as rows, as a format needs; tables store both."""
    unit = {"yedda": "line", "bio": "token"}.get(format, document.unit)
    return document if document.unit == unit and document.labels else by_unit(document, unit, rules=_LENIENT)


def _contents(document: Document, format: str, probabilities: Any) -> dict[str | None, bytes]:
    """Return the content of the files of a document by ending; None, the usual ending of the format, comes last."""
    mark = codecs.BOM_UTF8 if document.has_mark else b""
    if "" in (document.labels or ()) or any(not kind for _, _, kind in document.spans or ()):
        raise DataError(f"{document.doc_id}: a label is empty: give None to lines without a label.")
    if probabilities is not None and len(probabilities) != document.n_rows:
        raise ValueError(document.wrong_number("probabilities", len(probabilities)))
    try:
        match format:
            case "csv" | "parquet":
                from skol_rnn.data.formats.table import format_table  # loads pandas

                return {None: format_table(_with_rows_of(document, format), probabilities, kind=format)}
            case "jsonl":
                return {None: f"{format_record(document, probabilities)}\n".encode()}
            case "bio":
                return {None: format_bio(_with_rows_of(document, format)).encode()}
            case "brat":
                annotation = format_brat(document)
                second = {} if annotation is None else {".ann": annotation.encode()}
                return second | {None: mark + document.text.encode()}
            case "yedda":
                rows = _with_rows_of(document, format)
                labels = rows.labels or [None] * len(rows.lines)
                places = [line[:2] for line in rows.lines]
                return {None: mark + format_yedda(document.text, places, labels, name=document.doc_id).encode()}
            case _:
                return {None: mark + document.text.encode()}
    except UnicodeEncodeError as error:
        raise DataError(f"{document.doc_id}: UTF-8 cannot encode {error.object[error.start]!r}.") from error
