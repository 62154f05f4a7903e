"""Readers and writers of document files, one small module a format; ``read_documents`` picks by name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from skol_rnn.documents import Corpus, Document, Tokeniser, write_atomically
from skol_rnn.errors import DataError
from skol_rnn.formats._files import FORMATS, Found, check_format, find_files, unique_names
from skol_rnn.formats._reading import Reader, refuse_empty_places
from skol_rnn.formats._writing import untold_spans, write_documents
from skol_rnn.formats.streams import DocumentStream, DocumentWriter
from skol_rnn.formats.yedda import format_yedda, parse_yedda
from skol_rnn.spans import SpanRules

__all__ = [
    "FORMATS",
    "DocumentStream",
    "DocumentWriter",
    "format_yedda",
    "parse_yedda",
    "read_documents",
    "untold_spans",
    "write_atomically",
    "write_documents",
]


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
    with spans ("ptc"); ``X.ann`` with offsets and ``X.txt`` beside it are brat's standoff; ``.conll``, ``.bio`` and
    ``.iob`` hold columns ("bio").  In a folder, an annotated file is read instead of the plain text beside it.

    Parameters
    ----------
    paths : str, Path, or iterable of these
        Files, folders (read with all below them, sorted) or globs.
    format : {"yedda", "text", "jsonl", "csv", "parquet", "ptc", "brat", "bio"}, optional
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
    reader = Reader(strict, unit, tokeniser, rules)
    read: list[tuple[Document, Found]] = []
    for file in files:
        read += [(document, file) for document in reader.filled(file, skipped)]
    if reader.problems:
        raise DataError("\n".join(reader.problems))
    refuse_empty_places(files, [file for _, file in read], skipped)
    names = unique_names([(document.doc_id, file) for document, file in read])
    return Corpus(tuple(document.named(name) for name, (document, _) in zip(names, read, strict=True)), tuple(skipped))
