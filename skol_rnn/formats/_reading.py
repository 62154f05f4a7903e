"""Files of any format to documents; all that is wrong with them is told at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from skol_rnn.documents import Document, Tokeniser, by_unit
from skol_rnn.errors import DataError
from skol_rnn.formats._files import Found, Skipped, told
from skol_rnn.formats.bio import read_bio
from skol_rnn.formats.brat import read_brat
from skol_rnn.formats.jsonl import read_jsonl
from skol_rnn.formats.ptc import ArticleSpan, labels_beside, read_article, read_labels
from skol_rnn.formats.text import read_text
from skol_rnn.formats.yedda import read_yedda
from skol_rnn.spans import SpanRules


class Reader:
    """Reads files, and each table of labels that belongs to several of them once.

    Parameters
    ----------
    strict : bool
        Whether damaged markup and invalid bytes are an error.
    unit : {"line", "token"}, default "line"
        What a row is.
    tokeniser : callable, optional
        See :func:`skol_rnn.read_documents`.
    rules : SpanRules, optional
        See :func:`skol_rnn.read_documents`.

    Attributes
    ----------
    problems : list of str
        What was wrong with the files read so far.
    """

    def __init__(
        self, strict: bool, unit: str = "line", tokeniser: Tokeniser | None = None, rules: SpanRules | None = None
    ) -> None:
        self.strict, self.unit, self.tokeniser, self.rules = strict, unit, tokeniser, rules
        self.problems: list[str] = []
        self._labels: dict[Path, dict[str, list[ArticleSpan]]] = {}

    def filled(self, file: Found, skipped: Skipped) -> list[Document]:
        """Read the documents of a file that have a row; list the file as skipped if there is none.

        Raises
        ------
        DataError
            If the file was asked for by name and is empty.
        """
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
        from skol_rnn.formats import table
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
