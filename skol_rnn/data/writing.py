"""Write documents to files in any format: all of them, or none after an error."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from skol_rnn.data.discovery import FORMATS, place_for
from skol_rnn.data.document import Document
from skol_rnn.data.formats.brat import format_brat
from skol_rnn.data.formats.conll import format_bio
from skol_rnn.data.formats.jsonl import format_record
from skol_rnn.data.formats.ptc import article_name, format_labels, labels_of_folder
from skol_rnn.data.formats.yedda import format_yedda
from skol_rnn.data.spans import SpanRules
from skol_rnn.data.table import check_texts, is_missing
from skol_rnn.data.tokens import by_unit, document_spans
from skol_rnn.errors import DataError
from skol_rnn.labels import check_choice, suggestion
from skol_rnn.persistence.atomic import write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Labels = Sequence[str | None] | NDArray[Any] | pd.Series[Any]
    Probabilities = Sequence[Sequence[float]] | NDArray[Any]

_LENIENT = SpanRules(overlap="longest")


def write_documents(
    documents: Iterable[Document],
    folder: str | Path,
    *,
    format: str,
    labels_by_doc: Mapping[str, Labels] | None = None,
    probabilities: Mapping[str, Probabilities] | None = None,
) -> list[Path]:
    r"""Write documents below a folder, one file each; after an error, none is written.

    Parameters
    ----------
    documents : Corpus or iterable of Document
        Documents.  Text and byte order mark are written as they were read.
    folder : str or Path
        Output folder; ``doc_id`` is the path below it.  Existing files of the same names are replaced.
    format : {"yedda", "text", "jsonl", "csv", "parquet", "ptc", "brat", "bio"}
        YEDDA files end in ``.txt.ann``; text has no labels.  Labels of articles ("ptc") go into one table,
        ``<folder>.labels.tsv``, and brat's into ``X.ann`` next to ``X.txt``.  Rows of "bio" are tokens and rows of
        YEDDA are lines: other rows are labelled again by their spans, the longer of two that overlap.
    labels_by_doc : mapping of str to sequence of (str or None), optional
        Labels of the rows of each document; a document that is not in the mapping keeps its own.
    probabilities : mapping of str to array of float, shape (n_rows, n_labels), optional
        Probabilities to write in formats that can store them: JSON lines, CSV and Parquet.  A DataFrame, or a
        structured array, has the names of the labels: they name columns ``p(Label)``, and keys in JSON lines.

    Returns
    -------
    list of Path
        The file of each document, in order.  Files that belong to a document or to all of them are not listed.

    Raises
    ------
    ValueError
        If the format or a document of the mappings is unknown, or the number of labels is wrong.
    DataError
        If the format cannot store a document, its name leads out of the folder, two documents have one name, or a
        file would replace the one that its document was read from.

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
    with DocumentWriter(folder, format) as writer:
        for document in documents:
            writer.add(document, labels_by_doc.get(document.doc_id), probabilities.get(document.doc_id))
    return writer.written


class DocumentWriter:
    """Writes documents below a folder when its ``with`` block ends, or none of them after an error."""

    def __init__(self, folder: str | Path, format: str) -> None:
        check_choice("format", format, FORMATS)
        self.folder, self.format = Path(folder), format
        self.written: list[Path] = []
        self._staged: dict[Path, Path] = {}  # final place -> file in the staging folder
        self._articles: dict[Path, list[Document]] = {}

    def add(self, document: Document, labels: Labels | None = None, probabilities: Probabilities | None = None) -> None:
        """Stage the files of a document, with other labels if there are any."""
        if labels is not None:
            names = [None if is_missing(label) else label for label in labels]
            check_texts(names, "label", none_allowed=True)
            document = replace(document, labels=tuple(names), spans=None, sources=(), standoff=None)
        if probabilities is not None and len(probabilities) != document.n_rows:
            raise ValueError(document.wrong_number("probabilities", len(probabilities)))
        name = article_name(document.doc_id) if self.format == "ptc" else document.doc_id
        for ending, data in _contents(document, self.format, probabilities).items():
            place = place_for(replace(document, doc_id=name), self.folder, self.format, ending)
            self._stage(place, data)
        self.written.append(place)
        if self.format == "ptc" and document_spans(document) is not None:  # one label table for a whole folder
            self._articles.setdefault(place.parent, []).append(document)

    def _stage(self, place: Path, data: bytes) -> None:
        if place in self._staged:
            raise DataError(f"Two documents would be written to {place}: give them different names.")
        self._staged[place] = Path(self._staging.name, str(len(self._staged)))
        write_atomically(self._staged[place], data)

    def __enter__(self) -> DocumentWriter:
        # An existing folder on the same file system: an error must not leave an empty output folder.
        root = next((path for path in (self.folder, *self.folder.parents) if path.exists()), self.folder)
        self._staging = TemporaryDirectory(prefix=".skol-rnn-", dir=root, ignore_cleanup_errors=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Move the staged files to their places, or delete them after an error."""
        with self._staging:
            if kind is None:
                for folder, documents in self._articles.items():
                    self._stage(labels_of_folder(folder), format_labels(documents).encode())
                for place, staged in self._staged.items():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(staged, place)


def count_lost_spans(document: Document, format: str) -> int:
    """Count the spans of a document that a format cannot store."""
    spans = document_spans(document) or ()
    if format in ("jsonl", "ptc", "brat") or not spans:
        return 0
    if format == "text":
        return len(spans)
    kept = set(document_spans(replace(_with_rows_of(document, format), spans=None)) or ())
    return sum(1 for span in spans if span not in kept)


def _with_rows_of(document: Document, format: str) -> Document:
    """Return the document with lines or tokens as rows, as a format needs; tables store both."""
    unit = {"yedda": "line", "bio": "token"}.get(format, document.unit)
    return document if document.unit == unit and document.labels else by_unit(document, unit, rules=_LENIENT)


def _contents(document: Document, format: str, probabilities: Any) -> dict[str | None, bytes]:
    """Return the content of the files of a document by ending; None, the usual ending of the format, comes last."""
    mark = codecs.BOM_UTF8 if document.bom else b""
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
