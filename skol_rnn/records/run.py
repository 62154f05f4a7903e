"""The function ``records``: documents in, records out, one document at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skol_rnn.data.document import Document
from skol_rnn.data.reading import DocumentStream, Reader
from skol_rnn.data.spans import SpanRules
from skol_rnn.errors import DataError
from skol_rnn.inference.predictor import ServingModel, load_serving
from skol_rnn.inference.stream import predicted
from skol_rnn.labels import suggestion
from skol_rnn.persistence.bundle import saved_files
from skol_rnn.records.build import LabelledLines, Record, build_records
from skol_rnn.records.rules import JoiningRules
from skol_rnn.records.write import check_output, columns_of, writing

if TYPE_CHECKING:
    import pandas as pd


def records(
    data: Any,
    *,
    begin: str,
    parts: str | Sequence[str],
    model: Any = None,
    rules: JoiningRules | None = None,
    decision: str | None = None,
    format: str | None = None,
) -> Records:
    r"""Join labelled lines to records, such as one for each taxonomic treatment.

    A record begins at a block of lines of the label ``begin`` and takes the lines of ``parts`` up to the next one.

    Parameters
    ----------
    data : path(s), Corpus, or list of Document
        Documents: files, folders and globs are read one file at a time.
    begin : str
        Label whose blocks begin a record.
    parts : str or list of str
        Labels of the lines that follow it.
    model : path, ServingModel or RNNSkolModel, optional
        Model that labels the lines; without it, the documents' own labels are used.
    rules : JoiningRules, optional
        How lines are joined; the rules for treatments if not given.
    decision : str, optional
        How the model decides, as in ``predict``.
    format : str, optional
        Format of files, as in ``read_documents``.

    Returns
    -------
    Records
        Iterate over it for one :class:`Record` after the other, or call ``to_frame()`` or ``write(path)``.

    Raises
    ------
    ValueError
        If ``begin`` is among ``parts``, or a label is given twice.
    DataError
        If the model lacks a label or labels tokens; while reading, if a document cannot be used.

    Examples
    --------
    >>> text = "Fusella minor, sp. nov.\nFig. 1\nPileus red, thick-\nwalled hyphae ab-\nsent."
    >>> document = Document("a", text, ("Nomenclature", "Misc", *["Description"] * 3))
    >>> for record in records([document], begin="Nomenclature", parts="Description"):
    ...     print(record.begin_line, record.texts)
    1 {'Nomenclature': 'Fusella minor, sp. nov.', 'Description': 'Pileus red, thick-walled hyphae absent.'}
    """
    labels = checked_labels(begin, parts)
    serving, saved = model, list[Path]()
    if isinstance(model, (str, Path)):
        serving, saved = load_serving(model), saved_files(Path(model))
    elif hasattr(model, "bundle"):
        serving = ServingModel(model.bundle(), precision="float32")
    if serving is not None:
        check_model_labels(serving, labels)
    return Records(Source(data, serving, decision, format, saved), labels, rules or JoiningRules())


def checked_labels(begin: str, parts: str | Sequence[str]) -> tuple[str, ...]:
    """Return the labels of a record, the one that begins it first."""
    others = (parts,) if isinstance(parts, str) else tuple(parts)
    for name, values in (("begin", (begin,)), ("parts", others)):
        if not values or not all(isinstance(label, str) and label.strip() for label in values):
            raise ValueError(f"{name} must name {'a label' if name == 'begin' else 'at least one label'}.")
    if begin in others:
        raise ValueError(f"The label {begin!r} cannot both begin a record and be one of its parts: give other parts.")
    for label, count in Counter(others).items():
        if count > 1:
            raise ValueError(f"The label {label!r} is given twice among the parts.")
    columns_of((begin, *others))
    return (begin, *others)


def check_model_labels(model: ServingModel, labels: Sequence[str]) -> None:
    """Refuse labels that a model does not know, and a model that labels tokens."""
    if model.unit != "line":
        raise DataError('Records are made of lines, but the model labels tokens: give a model with unit="line".')
    for label in labels:
        if label not in model.labels:
            known = ", ".join(model.labels)
            raise DataError(f"The model has no label {label!r}, only {known}.{suggestion(label, model.labels)}")


@dataclass
class Source:
    """Where labelled lines come from; after an iteration, the number of documents, and of lines by label."""

    data: Any
    model: ServingModel | None = None
    decision: str | None = None
    format: str | None = None
    also_read: Sequence[Path] = ()
    strict: bool = False
    on_error: Callable[[str, str], None] | None = None
    without: frozenset[str] = frozenset()
    watched: Callable[[Iterable[Document]], Iterable[Document]] = iter
    documents: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        items = [self.data] if isinstance(self.data, (str, Path, Document)) else self.data
        if not isinstance(items, Iterable) or hasattr(items, "columns"):
            raise TypeError("data must be paths, a Corpus or documents: record_table takes tables of labelled lines.")
        items = items if isinstance(items, Sequence) else list(items)
        self._stream: DocumentStream | None = None
        self._given = [item for item in items if isinstance(item, Document)]
        if items and len(self._given) == len(items):
            return
        if not all(isinstance(item, (str, Path)) for item in items):
            raise TypeError("data must be paths, a Corpus or documents: record_table takes tables of labelled lines.")
        # Labels that are not used may overlap; those that are become those of lines.
        rules = SpanRules(overlap="longest" if self.model is not None else "error")
        self._stream = DocumentStream(
            [str(item) for item in items],
            format=self.format,
            reader=Reader(self.strict, "line", rules=rules),
            on_error=self.on_error,
            without=self.without,
        )

    @property
    def files(self) -> list[str | Path]:
        """All files that are read."""
        own = self._stream.files if self._stream else [document.path for document in self._given if document.path]
        return [*own, *self.also_read]

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Files that are not read, with the reason."""
        return list(self._stream.skipped) if self._stream else []

    @property
    def repairs(self) -> str:
        """What was repaired, for a message."""
        return str(self._stream.repairs) if self._stream else ""

    def __iter__(self) -> Iterator[LabelledLines]:
        self.documents, self.counts = 0, Counter()
        for lines in self._labelled(self.watched(self._stream or self._given)):
            self.documents += 1
            self.counts.update(label for label in lines.labels if label is not None)
            yield lines

    def _labelled(self, documents: Iterable[Document]) -> Iterator[LabelledLines]:
        if self.model is None:
            for document in map(_as_lines, documents):
                yield LabelledLines.of(document, document.labels or [None] * document.n_rows, None)
        else:
            position = {label: index for index, label in enumerate(self.model.labels)}
            for document, found in predicted(self.model, map(_as_lines, documents), self.decision):
                own = [row[position[label]] for row, label in zip(found.probabilities, found.labels, strict=True)]
                yield LabelledLines.of(document, found.labels.tolist(), own)


def _as_lines(document: Document) -> Document:
    if document.unit != "line":
        raise DataError(f"{document.doc_id}: its rows are tokens, but records are made of lines: read it with lines.")
    return document


class Records:
    """The records of documents, built while you iterate, one document at a time.

    Parameters
    ----------
    source : Source
        Where the labelled lines come from.
    labels : tuple of str
        Labels of a record, the one that begins it first.
    rules : JoiningRules
        How lines are joined.

    Attributes
    ----------
    flags : Counter of str
        After an iteration, the number of records with each flag.

    Examples
    --------
    >>> found = Records(Source([Document("a", "Fusella minor", ("Name",))]), ("Name", "Text"), JoiningRules())
    >>> found.to_frame()[["document", "begin_line", "Name", "flags"]].values.tolist()
    [['a', 1, 'Fusella minor', ['name only']]]
    """

    def __init__(self, source: Source, labels: tuple[str, ...], rules: JoiningRules) -> None:
        self.source, self.labels, self.rules = source, labels, rules
        self.columns, self.flags = columns_of(labels), Counter[str]()

    def __iter__(self) -> Iterator[Record]:
        self.flags.clear()
        for lines in self.source:
            for record in self.of(lines):
                self.flags.update(record.flags)
                yield record

    def of(self, lines: LabelledLines) -> list[Record]:
        """Return the records of one document's labelled lines.

        Parameters
        ----------
        lines : LabelledLines
            What iterating over the source yields.

        Returns
        -------
        list of Record
            The records, in their order.
        """
        return build_records(lines, self.labels[0], self.labels[1:], self.rules)

    def to_frame(self) -> pd.DataFrame:
        """Return all records as a table.

        Returns
        -------
        DataFrame
            A row for each record; the columns are there if there is none.
        """
        import pandas as pd

        return pd.DataFrame([record.to_dict() for record in self], columns=self.columns)

    def write(self, path: str | Path, *, overwrite: bool = False) -> int:
        """Write all records to a file, a document at a time.

        Parameters
        ----------
        path : path
            File that ends in ``.jsonl``, ``.csv`` or ``.parquet``.
        overwrite : bool, default False
            Whether to replace a file that exists; files that are read are never replaced.

        Returns
        -------
        int
            Number of records.

        Raises
        ------
        DataError
            If the file exists, or is one that is read.
        ValueError
            If the ending is another one.
        ImportError
            If pyarrow is missing for Parquet.
        """
        check_output(Path(path), overwrite, self.source.files)
        number = 0
        with writing(Path(path), self.labels) as sink:
            for record in self:
                sink.add(record)
                number += 1
        return number
