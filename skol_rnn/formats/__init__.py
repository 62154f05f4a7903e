"""Readers and writers of document files, one small module a format; ``read_documents`` picks by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skol_rnn.documents import Corpus, Document, write_atomically
from skol_rnn.errors import DataError
from skol_rnn.formats._files import FORMATS, check_format, find_files, place_for, unique_names
from skol_rnn.formats._one_file import as_labels, filled_documents, formatted, refuse_empty_places
from skol_rnn.formats.streams import DocumentStream, DocumentWriter
from skol_rnn.formats.yedda import format_yedda, parse_yedda
from skol_rnn.labels import suggestion

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Labels = Sequence[str | None] | NDArray[Any] | pd.Series[Any]
    Probabilities = Sequence[Sequence[float]] | NDArray[Any]

__all__ = [
    "FORMATS",
    "DocumentStream",
    "DocumentWriter",
    "format_yedda",
    "parse_yedda",
    "read_documents",
    "write_atomically",
    "write_documents",
]


def read_documents(
    paths: str | Path | Iterable[str | Path], *, format: str | None = None, strict: bool = False
) -> Corpus:
    """Read documents from files, folders and globs.

    ``.txt.ann`` and ``.ann`` are YEDDA, ``.txt`` is plain text, ``.jsonl`` doccano's JSON lines, ``.csv`` and
    ``.parquet`` the shared table.  In a folder, an annotated file is read instead of the plain text beside it.

    Parameters
    ----------
    paths : str, Path, or iterable of these
        Files, folders (read with all below them, sorted) or globs.
    format : {"yedda", "text", "jsonl", "csv", "parquet"}, optional
        Read files named directly or by a glob in this format whatever their names; of folders, only the files
        whose ending is of this format.
    strict : bool, default False
        Whether damaged markup and invalid bytes are an error instead of being mended and listed.

    Returns
    -------
    Corpus
        The documents, named by their path below what was given, without ending; and the files left out.  Equal
        names are told apart by the path below the common folder.

    Raises
    ------
    DataError
        If a file cannot be read or used, or a folder or glob has no document.
    ValueError
        If there is no such format.
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
    read = [(document, file) for file in files for document in filled_documents(file, strict, skipped)]
    refuse_empty_places(files, [file for _, file in read], skipped)
    names = unique_names([(document.doc_id, file) for document, file in read])
    return Corpus(tuple(document.named(name) for name, (document, _) in zip(names, read, strict=True)), tuple(skipped))


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
    labels = {name: as_labels(items) for name, items in given.items()}
    vectors = _per_line(documents, probabilities or {}, "probabilities")
    ready: dict[Path, bytes] = {}
    for document in documents:
        place = place_for(document, Path(folder), format)
        if place in ready:
            raise DataError(f"Two documents would be written to {place}: give them different names.")
        ready[place] = formatted(document, format, labels.get(document.doc_id), vectors.get(document.doc_id))
    for place, data in ready.items():
        write_atomically(place, data)
    return list(ready)


def _per_line(documents: list[Document], given: Mapping[str, Any], what: str) -> dict[str, list[Any]]:
    """Check that there is one item for each line of each document named."""
    lines = {document.doc_id: len(document.lines) for document in documents}
    for name, items in given.items():
        if name not in lines:
            raise ValueError(f"There are {what} of {name!r}, but no such document.{suggestion(name, lines)}")
        if len(items) != lines[name]:
            raise ValueError(f"{name}: {len(items)} {what} for {lines[name]} non-blank lines.")
    return {name: list(items) for name, items in given.items()}
