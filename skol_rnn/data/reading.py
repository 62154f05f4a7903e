"""Read documents from files of any format, all at once or one at a time."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from skol_rnn.data.discovery import ONE_DOCUMENT, Found, Paths, Skipped, find_files, summary, unique_names
from skol_rnn.data.document import Corpus, Document, Repair, RepairCount, with_repairs
from skol_rnn.data.formats.brat import read_brat, rename_types
from skol_rnn.data.formats.conll import read_bio
from skol_rnn.data.formats.encoding import INVALID, MIXED, SURROGATE
from skol_rnn.data.formats.jsonl import read_jsonl
from skol_rnn.data.formats.ptc import LabelTable, label_table_of, read_article, read_labels
from skol_rnn.data.formats.yedda import read_text, read_yedda
from skol_rnn.data.spans import SpanRules, cut_words
from skol_rnn.data.tokens import Tokeniser, by_unit
from skol_rnn.errors import DataError, RepairWarning
from skol_rnn.labels import alike_labels

_DAMAGE = {INVALID, SURROGATE, "missing closer", "nested block", "stray closer", "typo closer", "unclosed block"}
"""Kinds of repair that change the text or guess a label; ``strict`` refuses them, and mixed line ends with offsets."""


_MOST_PROBLEMS = 100  # of one error
_FEW_SPANS = 3  # of a document: fewer do not show what offsets count


@dataclass
class Reader:
    """Reads files; collects what is wrong with them in ``problems``, and reads each label table once."""

    strict: bool = False
    unit: str = "line"
    tokeniser: Tokeniser | None = None
    rules: SpanRules | None = None
    problems: list[str] = field(default_factory=list)
    _tables: dict[Path, LabelTable] = field(default_factory=dict)

    def read(self, file: Found, skipped: Skipped) -> list[Document]:
        """Read the documents of a file as :meth:`collect` does, and raise its problems."""
        documents = self.collect(file, skipped)
        self.raise_problems()
        return documents

    def collect(self, file: Found, skipped: Skipped) -> list[Document]:
        """Read the documents of a file that have rows; add the file to ``skipped`` if there are none."""
        found: list[Document] = []
        documents: list[Document] = []
        empty: Skipped = []
        with self._collecting():
            found = self._read(file)
        for document in found:
            with self._collecting():
                self._refuse_damage(document, file.format)
                document = self._with_doubtful_offsets(document)
                document = by_unit(document, self.unit, self.tokeniser, self.rules)
                if document.n_rows:
                    documents.append(document)
                elif file.format not in ONE_DOCUMENT:
                    empty.append((str(file.path), f"document {document.doc_id!r:.80} has no line with text"))
        if not documents and not self.problems:
            if file.named:
                raise DataError(f"{file.path} is empty: it has no line with text.")
            skipped.append((str(file.path), "empty"))
        elif documents:
            skipped += empty
        return documents

    def raise_problems(self) -> None:
        """Raise a DataError with all problems, if there are any."""
        if self.problems:
            shown = self.problems[:_MOST_PROBLEMS]
            more = len(self.problems) - len(shown)
            shown += [f"and {more:,} more of these problem{'s' * (more != 1)}"] * bool(more)
            raise DataError("\n".join(shown))

    @contextmanager
    def _collecting(self) -> Iterator[None]:
        try:
            yield
        except DataError as error:
            self.problems.append(str(error))

    @property
    def _offsets(self) -> str:
        return self.rules.offsets if self.rules else "characters"

    def _with_doubtful_offsets(self, document: Document) -> Document:
        """List offsets that seem to count something else than characters."""
        spans, text = document.spans, document.text
        if not spans or text.isascii() or document.tokens or self._offsets == "utf-16":
            return document
        cut = cut_words(text, spans)
        if len(spans) < _FEW_SPANS or 2 * cut <= len(spans):
            return document
        detail = f"{cut} of {len(spans)} spans begin or end within a word; offsets utf-16 reads those that count UTF-16 units"
        repair = Repair(document.path or document.doc_id, 1, "offsets that cut words", detail)
        return replace(document, repairs=(*document.repairs, repair))

    def _refuse_damage(self, document: Document, format: str) -> None:
        damage = {*_DAMAGE, MIXED} if format in ("ptc", "brat") else _DAMAGE
        for repair in document.repairs if self.strict else ():
            if repair.kind in damage:
                where = f"{repair.path}:{repair.line}: {repair.kind}: {repair.detail}"
                raise DataError(f"{where}. Correct the file, or read it without strict.")

    def _read(self, file: Found) -> list[Document]:
        path, doc_id = file.path, file.doc_id
        match file.format:
            case "text":
                return [read_text(path, doc_id)]
            case "yedda":
                return [read_yedda(path, doc_id, self.unit)]
            case "ptc":
                if (table := label_table_of(path)) is None:
                    where = "article<ID>.txt in a folder with FOLDER.labels.tsv"
                    raise DataError(f"{path} has no labels: give it as {where}.")
                repairs: tuple[Repair, ...] = ()
                if table not in self._tables:
                    self._tables[table] = LabelTable()  # an error is reported once
                    self._tables[table] = read_labels(table, path.parent, self.problems)
                    repairs = self._tables[table].repairs  # listed once
                return with_repairs([read_article(path, doc_id, table, self._tables[table], self._offsets)], repairs)
            case "csv" | "parquet":
                from skol_rnn.data.formats.table import read_csv, read_parquet  # loads pandas

                return (read_csv if file.format == "csv" else read_parquet)(path, doc_id)
            case "bio":
                return read_bio(path, doc_id, self.problems)
            case _:
                read = {"jsonl": read_jsonl, "brat": read_brat}[file.format]
                return read(path, doc_id, self.problems, self._offsets)


def _refuse_empty_inputs(files: Sequence[Found], read: Iterable[Found], skipped: Skipped) -> None:
    """Raise a DataError for the first path, folder or glob without a document."""
    inputs = {file.source for file in read}
    for file in files:
        if file.source not in inputs:
            raise DataError(f"There is no document in {file.source}{summary(skipped)}.")


def read_documents(
    paths: Paths,
    *,
    format: str | None = None,
    strict: bool = False,
    unit: str = "line",
    tokeniser: Tokeniser | None = None,
    rules: SpanRules | None = None,
    fold_labels: bool = False,
) -> Corpus:
    """Read documents from files, folders and globs.

    The ending of a file selects its format: ``.txt.ann`` and ``.ann`` are YEDDA, ``.txt`` is plain text, ``.jsonl`` is
    doccano's JSON lines, ``.csv`` and ``.parquet`` hold the shared table, and ``.conll``, ``.bio`` and ``.iob`` hold
    columns ("bio").  Two formats use a second file: ``X.ann`` with offsets and ``X.txt`` are brat's standoff, and
    ``FOLDER/article<ID>.txt`` with ``FOLDER.labels.tsv`` are news articles with spans ("ptc").  In a folder, an
    annotated file is read instead of the plain text of the same name.

    Parameters
    ----------
    paths : str, Path, or iterable of these
        Files, folders (read recursively, sorted) or globs; "-" is standard input and needs ``format``.
    format : {"yedda", "text", "jsonl", "csv", "parquet", "ptc", "brat", "bio"}, optional
        Format of files named directly or by a glob, whatever their endings; folders are read for such endings only.
    strict : bool, default False
        Whether damaged markup and invalid bytes raise an error instead of being repaired and listed.
    unit : {"line", "token"}, default "line"
        Unit of the rows.
    tokeniser : callable from str to iterable of (int, int), optional
        Returns start and end (exclusive) of each token of a text; by default, words and single other characters.
    rules : SpanRules, optional
        Which labelled spans are allowed, and how they label rows.  By default, overlapping spans raise an error.
    fold_labels : bool, default False
        Whether labels that differ only in case, outer blanks or Unicode form become the most frequent of them.

    Returns
    -------
    Corpus
        The documents, and the files that were skipped.  A document is named by its path below the path, folder or
        glob, without ending; equal names are extended by the path below the common folder.

    Raises
    ------
    DataError
        If files cannot be read or used (one message lists all problems), or a folder or glob has no document.
    ValueError
        If ``format`` or ``unit`` is unknown.
    ImportError
        If a file is Parquet and pyarrow is not installed.

    Warns
    -----
    RepairWarning
        If files were damaged: how many repairs of which kinds; ``Corpus.repairs`` lists them.

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
    return read_files(*find_files(paths, format), Reader(strict, unit, tokeniser, rules), fold_labels)


def read_files(
    files: Sequence[Found],
    skipped: Skipped,
    reader: Reader,
    fold_labels: bool = False,
    watched: Callable[[Sequence[Found]], Iterable[Found]] = iter,
) -> Corpus:
    """Read the files that were found; ``watched`` iterates over them and may show progress."""
    read = [(document, file) for file in watched(files) for document in reader.collect(file, skipped)]
    reader.raise_problems()
    _refuse_empty_inputs(files, [file for _, file in read], skipped)
    if repairs := str(RepairCount(chain.from_iterable(document.repairs for document, _ in read))):
        warnings.warn(repairs, RepairWarning, stacklevel=3)
    names = unique_names([(document.doc_id, file) for document, file in read], files)
    documents = [document.named(name) for name, (document, _) in zip(names, read, strict=True)]
    return Corpus(tuple(map(label_folding(documents), documents) if fold_labels else documents), tuple(skipped))


def label_folding(documents: Iterable[Document]) -> Callable[[Document], Document]:
    """Return what replaces each label by the most frequent of those that differ in case, blanks or Unicode form only."""
    counts: Counter[str] = Counter()
    for document in documents:
        counts.update(label[_prefix(document) :] for label in document.labels or () if label)
    kept = alike_labels(counts)

    def fold(label: str | None, prefix: int) -> str | None:
        return label and label[:prefix] + kept.get(label[prefix:], label[prefix:])

    def folded(document: Document) -> Document:
        labels = document.labels and tuple(fold(label, _prefix(document)) for label in document.labels)
        spans = document.spans and tuple((start, end, kept.get(kind, kind)) for start, end, kind in document.spans)
        standoff = document.standoff and rename_types(document.standoff, kept)
        return replace(document, labels=labels, spans=spans, standoff=standoff)

    return folded


def _prefix(document: Document) -> int:
    return 2 * (document.unit == "token")  # B-, I-


class DocumentStream:
    """Documents of files, folders and globs, each file read only when it is reached.

    ``read`` counts the documents, ``repairs`` their repairs.  With ``on_error``, which is called with the path of a file
    and what is wrong with it, the stream goes on with what can be read.  Files in ``without`` are no documents.
    """

    def __init__(
        self,
        paths: Paths,
        *,
        format: str | None = None,
        reader: Reader | None = None,
        on_error: Callable[[str, str], None] | None = None,
        without: Container[str] = (),
    ) -> None:
        self._reader, self.read, self.repairs = reader or Reader(), 0, RepairCount()
        self._files, self.skipped = find_files(paths, format, without)
        self._on_error = on_error

    @property
    def files(self) -> list[str]:
        """The files to read, and those found next to them."""
        return [*(str(file.path) for file in self._files), *(path for path, _ in self.skipped)]

    def __iter__(self) -> Iterator[Document]:
        names, self.read = self._names(), 0
        read: list[Found] = []
        for index, file in enumerate(self._files):
            documents, problem = self._collect(file, self.skipped)
            if problem and self._on_error:
                self._on_error(str(file.path), problem)
            read += [file] * bool(documents or problem)
            for place, document in enumerate(documents):
                self.read += 1
                self.repairs.add(document.repairs)
                yield document.named(names.get((index, place), document.doc_id))
        _refuse_empty_inputs(self._files, read, self.skipped)

    def _names(self) -> dict[tuple[int, int], str]:
        """Return the name of each document by file and place in it; reads as few files as that allows."""
        found = [[file.doc_id] if file.format in ONE_DOCUMENT else self._ids(file) for file in self._files]
        counts = Counter(chain.from_iterable(found))
        for index, file in enumerate(self._files):
            # Only for equal names does it matter whether a file is empty.
            if file.format in ONE_DOCUMENT and counts[file.doc_id] > 1:
                found[index] = self._ids(file)
        places = [(index, place) for index, names in enumerate(found) for place in range(len(names))]
        named = [(name, file) for file, names in zip(self._files, found, strict=True) for name in names]
        return dict(zip(places, unique_names(named, self._files), strict=True))

    def _ids(self, file: Found) -> list[str]:
        return [document.doc_id for document in self._collect(file, [])[0]]

    def _collect(self, file: Found, skipped: Skipped) -> tuple[list[Document], str]:
        """Read the documents of a file, and what is wrong with it; raise that if nobody is to be called."""
        if self._on_error is None:
            return self._reader.read(file, skipped), ""
        self._reader.problems.clear()
        try:
            documents = self._reader.collect(file, skipped)
        except DataError as error:
            return [], str(error)
        return documents, "\n".join(self._reader.problems)
