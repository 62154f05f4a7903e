"""Documents to files, one small writer a format."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skol_rnn.data.bio import decode_spans
from skol_rnn.data.columns import is_missing
from skol_rnn.data.discovery import check_format, place_for
from skol_rnn.data.document import Document
from skol_rnn.data.formats.brat import format_brat
from skol_rnn.data.formats.conll import format_bio
from skol_rnn.data.formats.jsonl import format_record
from skol_rnn.data.formats.ptc import article_name, format_labels, labels_of_folder
from skol_rnn.data.formats.yedda import format_yedda
from skol_rnn.data.reading import tables_of_rows
from skol_rnn.data.spans import SpanRules
from skol_rnn.data.tokens import by_unit, document_spans
from skol_rnn.errors import DataError
from skol_rnn.labels import suggestion
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
    r"""Write documents below a folder, one file each; all are made ready before the first is written.

    Parameters
    ----------
    documents : Corpus or iterable of Document
        Documents; text and byte order mark are written as they were read.
    folder : str or Path
        Where to; ``doc_id`` is the path below it.  Files there of the same names are replaced.
    format : {"yedda", "text", "jsonl", "csv", "parquet", "ptc", "brat", "bio"}
        YEDDA of ``X.txt`` or ``X.txt.ann`` is ``X.txt.ann``; text has no labels.  The labels of articles ("ptc")
        stand in one table beside the folder, ``<folder>.labels.tsv``; brat's in ``X.ann`` beside ``X.txt``.
        Columns ("bio") are of tokens and YEDDA is of lines: a document with other rows is labelled anew by its spans,
        of two that overlap by the longer one.
    labels_by_doc : mapping of str to sequence of (str or None), optional
        Labels of each document's rows; a document that is not in it keeps its own.
    probabilities : mapping of str to array of float, shape (n_rows, n_labels), optional
        Written where the format has room for them: JSON lines, CSV and Parquet.

    Returns
    -------
    list of Path
        The files of the documents, in their order; what belongs to one of them or to all is not listed.

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
    given = _per_row(documents, labels_by_doc or {}, "labels")
    vectors = _per_row(documents, probabilities or {}, "probabilities")
    labelled = [relabelled(document, given.get(document.doc_id)) for document in documents]
    ready: dict[Path, bytes] = {}
    listed: list[Path] = []
    for document in labelled:
        for place, data in files_of(document, Path(folder), format, vectors.get(document.doc_id)):
            if place in ready:
                raise DataError(f"Two documents would be written to {place}: give them different names.")
            ready[place] = data
        listed.append(place)
    if format == "ptc":
        ready |= tables_of_labels(labelled, listed)
    for place, data in ready.items():
        write_atomically(place, data)
    return listed


def untold_spans(document: Document, format: str) -> int:
    """Count the spans of a document that a format has no room for."""
    spans = document_spans(document) or ()
    if format in ("jsonl", "ptc", "brat") or not spans:
        return 0
    if format == "text":
        return len(spans)
    as_rows = _rows_for(document, format)
    labels = as_rows.labels or ()
    if as_rows.tokens is not None:
        told = decode_spans(as_rows.tokens, labels)
    else:
        told = [
            (line.start, line.end, label)
            for line, label in zip(as_rows.lines, labels, strict=True)
            if label is not None
        ]
    return sum(1 for span in spans if span not in set(told))


def _per_row(documents: list[Document], given: Mapping[str, Any], what: str) -> dict[str, list[Any]]:
    """Check that there is one item for each row of each document named."""
    by_name = {document.doc_id: document for document in documents}
    for name, items in given.items():
        if name not in by_name:
            raise ValueError(f"There are {what} of {name!r}, but no such document.{suggestion(name, by_name)}")
        if len(items) != (rows := by_name[name].n_rows):
            kind = "tokens" if by_name[name].unit == "token" else "non-blank lines"
            raise ValueError(f"{name}: {len(items)} {what} for {rows} {kind}.")
    return {name: list(items) for name, items in given.items()}


def relabelled(document: Document, labels: list[Any] | None) -> Document:
    """Give a document other labels; its spans are those that they tell."""
    if labels is None:
        return document
    return replace(document, labels=tuple(map(_label, labels)), spans=None, sources=())


def _label(item: object) -> str | None:
    if item is None or isinstance(item, str):
        return item
    if is_missing(item):
        return None
    raise ValueError(f"Label {item!r} is no text.")


def _rows_for(document: Document, format: str) -> Document:
    """Return the document with rows as a format has them: tables have both."""
    unit = {"yedda": "line", "bio": "token"}.get(format, document.unit)
    return document if document.unit == unit and document.labels else by_unit(document, unit, rules=_LENIENT)


def files_of(document: Document, folder: Path, format: str, vectors: Any = None) -> Iterator[tuple[Path, bytes]]:
    """Return place and content of a document's files, its own last, after those that belong to it."""
    name = article_name(document.doc_id) if format == "ptc" else document.doc_id
    for ending, data in _formatted(document, format, vectors).items():
        yield place_for(replace(document, doc_id=name), folder, format, ending), data


def _formatted(document: Document, format: str, vectors: Any) -> dict[str | None, bytes]:
    """Return the content of a document's files by their ending, the usual one of the format first of all."""
    mark = codecs.BOM_UTF8 if document.bom else b""
    try:
        match format:
            case "csv" | "parquet":
                return {None: tables_of_rows().format_table(_rows_for(document, format), None, vectors, kind=format)}
            case "jsonl":
                return {None: f"{format_record(document, None, vectors)}\n".encode()}
            case "bio":
                return {None: format_bio(_rows_for(document, format)).encode()}
            case "brat":
                annotation = format_brat(document)
                beside = {} if annotation is None else {".ann": annotation.encode()}
                return beside | {None: mark + document.text.encode()}
            case "yedda":
                lines = _rows_for(document, format)
                chosen = lines.labels or [None] * len(lines.lines)
                places = [line[:2] for line in lines.lines]
                return {None: mark + format_yedda(document.text, places, chosen, name=document.doc_id).encode()}
            case _:
                return {None: mark + document.text.encode()}
    except UnicodeEncodeError as error:
        raise DataError(f"{document.doc_id}: {error.object[error.start]!r} has no form in UTF-8.") from error


def tables_of_labels(documents: Sequence[Document], places: Sequence[Path]) -> dict[Path, bytes]:
    """Return one table for each folder with labelled articles."""
    by_folder: dict[Path, list[Document]] = {}
    for document, place in zip(documents, places, strict=True):
        if document_spans(document) is not None:
            by_folder.setdefault(place.parent, []).append(document)
    return {labels_of_folder(folder): format_labels(found).encode() for folder, found in by_folder.items()}
