"""Files of any format to documents; all that is wrong with them is told at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from skol_rnn.data.discovery import Found, Skipped, check_format, find_files, told, unique_names
from skol_rnn.data.document import Corpus, Document
from skol_rnn.data.formats.brat import read_brat
from skol_rnn.data.formats.conll import read_bio
from skol_rnn.data.formats.jsonl import read_jsonl
from skol_rnn.data.formats.ptc import ArticleSpan, labels_beside, read_article, read_labels
from skol_rnn.data.formats.text import read_text
from skol_rnn.data.formats.yedda import read_yedda
from skol_rnn.data.spans import SpanRules
from skol_rnn.data.tokens import Tokeniser, by_unit
from skol_rnn.errors import DataError


class Reader:
    """Reads files, and each table of labels that belongs to several of them once."""

    def __init__(
        self, strict: bool, unit: str = "line", tokeniser: Tokeniser | None = None, rules: SpanRules | None = None
    ) -> None:
        self.strict, self.unit, self.tokeniser, self.rules = strict, unit, tokeniser, rules
        self.problems: list[str] = []
        self._labels: dict[Path, dict[str, list[ArticleSpan]]] = {}

    def filled(self, file: Found, skipped: Skipped) -> list[Document]:
        """Read the documents of a file that have a row; list the file as skipped if there is none."""
        found: list[Document] = []
        filled: list[Document] = []
        with self._told():
            found = self._read(file)
        for document in found:
            with self._told():
                rows = by_unit(document, self.unit, self.tokeniser, self.rules)
                filled += [rows] if rows.n_rows else []
        if not filled and not self.problems:
            if file.named:
                raise DataError(f"{file.path} is empty: it has no line with text.")
            skipped.append((str(file.path), "empty"))
        return filled

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Put what is wrong with the data among the problems, so that all of it can be told at once."""
        try:
            yield
        except DataError as error:
            self.problems.append(str(error))

    def _read(self, file: Found) -> list[Document]:
        path, doc_id, strict = file.path, file.doc_id, self.strict
        match file.format:
            case "yedda":
                return [read_yedda(path, doc_id, strict=strict)]
            case "text":
                return [read_text(path, doc_id, strict=strict)]
            case "ptc":
                return [read_article(path, doc_id, self._labels_of(path), strict=strict)]
            case "jsonl":
                return read_jsonl(path, doc_id, strict=strict, problems=self.problems)
            case "brat":
                return [read_brat(path, doc_id, strict=strict, problems=self.problems)]
            case "bio":
                return read_bio(path, doc_id, strict=strict, problems=self.problems)
            case "csv":
                return tables_of_rows().read_csv(path, doc_id, strict=strict)
            case _:
                return tables_of_rows().read_parquet(path, doc_id, strict=strict)

    def _labels_of(self, article: Path) -> tuple[Path, dict[str, list[ArticleSpan]]]:
        table = labels_beside(article)
        if table is None:
            raise DataError(f"{article} has no labels: give it as article<ID>.txt in a folder with FOLDER.labels.tsv.")
        if table not in self._labels:
            self._labels[table] = read_labels(table, article.parent, self.problems)
        return table, self._labels[table]


def tables_of_rows() -> ModuleType:
    """Return the module that reads and writes tables, the only one of these that needs pandas."""
    try:
        from skol_rnn.data.formats import table
    except ImportError as error:
        raise ImportError(
            "CSV and Parquet need pandas: pip install pandas, or use YEDDA, text or JSON lines."
        ) from error
    return table


def refuse_empty_places(files: Sequence[Found], filled: Iterable[Found], skipped: Skipped) -> None:
    """Raise a DataError for the first place that was given and holds no document."""
    places = {file.given for file in filled}
    for file in files:
        if file.given not in places:
            raise DataError(f"There is no document in {file.given}{told(skipped)}.")


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
        :func:`skol_rnn.data.tokens.tokenise` if not given.
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
