"""Documents as they were read: text, labels of the rows, and the repairs made while reading."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from skol_rnn.data.table import none_for_missing, object_array
from skol_rnn.labels import plural

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Repair:
    """Damage found in a file, and how the reader handled it."""

    path: str
    line: int
    kind: str
    detail: str


_USUAL = ("byte order mark", "CRLF line ends")  # kinds that change neither text nor labels
_MOST_KINDS = 4


class RepairCount:
    """Counts repairs by kind, for one line at the end of a command."""

    def __init__(self, repairs: Iterable[Repair] = ()) -> None:
        self.kinds: Counter[str] = Counter()
        self._files: set[str] = set()
        self.add(repairs)

    def add(self, repairs: Iterable[Repair]) -> None:
        """Count more repairs."""
        for repair in repairs:
            if repair.kind not in _USUAL:
                self.kinds[repair.kind] += 1
                self._files.add(repair.path)

    def __str__(self) -> str:
        """Return the line, empty if there are none."""
        if not self.kinds:
            return ""
        named = [f"{count:,} {kind}" for kind, count in self.kinds.most_common(_MOST_KINDS)]
        more = len(self.kinds) - len(named)
        kinds = ", ".join(named) + f" and {more} more kinds" * bool(more)
        total, files = self.kinds.total(), len(self._files)
        return f"{plural(total, 'repair')} in {plural(files, 'file')}: {kinds}. `skol-rnn validate` lists them."


class Line(NamedTuple):
    """A non-blank line of a text: its offsets, the blank lines before it, and whether a page break precedes it."""

    start: int
    end: int
    blank_before: int
    page_break: bool


def split_lines(text: str) -> list[Line]:
    r"""Find the non-blank lines of a text; lines end at ``"\n"`` or ``"\r\n"`` and nowhere else."""
    return _lines_of(_line_columns(text))


def _lines_of(columns: Mapping[str, np.ndarray]) -> list[Line]:
    return list(map(Line._make, zip(*(column.tolist() for column in columns.values()), strict=True)))


def _line_columns(text: str) -> dict[str, np.ndarray]:
    """Return the fields of the non-blank lines as arrays, which takes a third of the time that the lines take."""
    pieces = text.split("\n")
    sizes = np.fromiter(map(len, pieces), np.int64, len(pieces))
    visible = np.fromiter(map(bool, map(str.strip, pieces)), bool, len(pieces))
    numbers = np.flatnonzero(visible)
    start = (np.cumsum(sizes + 1) - sizes - 1)[numbers]
    end = start + sizes[numbers]
    blank = numbers.copy()
    blank[1:] -= numbers[:-1] + 1
    breaks = np.zeros(len(numbers) + 1, bool)
    if "\f" in text:
        # Of the form feeds after the end of the line before, up to that of a line, the first and the last count: before and
        # after its visible text.  One within the text is no break.
        feeds = np.array([match.start() for match in re.finditer("\f", text)])
        lines, first = np.unique(np.searchsorted(end, feeds, "right"), return_index=True)
        last = np.append(first[1:], len(feeds)) - 1
        for line, before, after in zip(lines.tolist(), feeds[first].tolist(), feeds[last].tolist(), strict=True):
            if line < len(numbers):
                piece = pieces[numbers[line]]
                breaks[line] |= before < end[line] - len(piece.lstrip())
                breaks[line + 1] |= after >= start[line] + len(piece.rstrip())
    if "\r" in text:  # the last piece has no line end
        end -= np.fromiter((pieces[i].endswith("\r") and i < len(pieces) - 1 for i in numbers), bool, len(numbers))
    return dict(zip(Line._fields, (start, end, blank, breaks[:-1]), strict=True))


def line_labels(text: str, lines: Sequence[Line], spans: Sequence[tuple[int, int, str]]) -> tuple[str | None, ...]:
    r"""Return the label of the span that covers the first visible character of each line, or None."""
    starts = [span[0] for span in spans]
    labels: list[str | None] = []
    for line in lines:
        visible = line.end - len(text[line.start : line.end].lstrip())
        index = bisect_right(starts, visible) - 1
        labels.append(spans[index][2] if index >= 0 and visible < spans[index][1] else None)
    return tuple(labels)


def breaks_before(text: str, tokens: Sequence[tuple[int, int]]) -> list[int]:
    r"""Return what precedes each token: 0 nothing, 1 white space, 2 a line end, 3 a blank line or the text's start."""
    breaks, end = [], 0
    for position, (start, stop) in enumerate(tokens):
        gap = text[end:start]
        found = min(gap.count("\n") + 1, 3) if "\n" in gap else int(any(map(str.isspace, gap)))
        breaks.append(found if position else 3)
        end = stop
    return breaks


@dataclass(frozen=True, repr=False)
class Document:
    r"""A document: its text without markup, and the labels of its rows, which are lines or tokens.

    Parameters
    ----------
    doc_id : str
        Name, with "/" between folders.
    text : str
        Plain text, character for character as in the file, line ends included.
    labels : tuple of (str or None), optional
        One label for each row; None marks a row without a label, no tuple a document that nobody annotated.
    repairs : tuple of Repair
        Damage repaired while reading.
    path : str, optional
        File that the document was read from.
    spans : tuple of (int, int, str), optional
        Start, end (exclusive) and type of labelled spans of characters, from formats that have them.
    bom : bool, default False
        Whether the file began with a byte order mark; the writer restores it.
    tokens : tuple of (int, int), optional
        Start and end (exclusive) of each token, if rows are tokens; without it, rows are the non-blank lines.
    sources : tuple of (str, int)
        File and line of each span, for error messages.
    standoff : str, optional
        Brat's annotation as it was read, with relations and notes, which are written back unchanged.

    Raises
    ------
    ValueError
        If the number of labels is not the number of rows.

    Examples
    --------
    >>> document = Document("a", "Russula nova\n\nPileus red\n", ("Nomenclature", None))
    >>> document.table()[["line_number", "value", "label", "blank_before"]].values.tolist()
    [[0, 'Russula nova', 'Nomenclature', 0], [1, 'Pileus red', None, 1]]
    """

    doc_id: str
    text: str
    labels: tuple[str | None, ...] | None = None
    repairs: tuple[Repair, ...] = ()
    path: str | None = None
    spans: tuple[tuple[int, int, str], ...] | None = None
    bom: bool = False
    tokens: tuple[tuple[int, int], ...] | None = None
    sources: tuple[tuple[str, int], ...] = ()
    standoff: str | None = None

    def __post_init__(self) -> None:
        if self.labels is not None and len(self.labels) != self.n_rows:
            raise ValueError(self.wrong_number("labels", len(self.labels)))

    def wrong_number(self, what: str, number: int) -> str:
        """Return the error message for a number of items that is not the number of rows."""
        rows = "non-blank lines" if self.tokens is None else "tokens"
        return f"{self.doc_id}: {number} {what} for {self.n_rows} {rows}."

    @property
    def unit(self) -> str:
        """Unit of the rows: "line" or "token"."""
        return "line" if self.tokens is None else "token"

    @property
    def has_mark(self) -> bool:
        """Whether its file begins with a byte order mark; one is added to a text that begins with U+FEFF itself."""
        return self.bom or self.text.startswith("\ufeff")

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self._line_columns["start"] if self.tokens is None else self.tokens)

    @cached_property
    def lines(self) -> list[Line]:
        """The non-blank lines; see :func:`split_lines`."""
        return _lines_of(self._line_columns)

    @cached_property
    def _line_columns(self) -> dict[str, np.ndarray]:
        return _line_columns(self.text)

    def named(self, doc_id: str) -> Document:
        """Return the document under another name."""
        return self if doc_id == self.doc_id else replace(self, doc_id=doc_id)

    def columns(self) -> dict[str, np.ndarray]:
        r"""Return the columns of :meth:`table` as arrays, without pandas.

        Returns
        -------
        dict of str to ndarray
            Columns with one entry per row; ``label`` only if there are labels.

        Examples
        --------
        >>> Document("a", "one\n\ntwo").columns()["blank_before"].tolist()
        [0, 1]
        """
        if self.tokens is None:
            places = {name: column.copy() for name, column in self._line_columns.items()}
        else:
            start, end = np.asarray(self.tokens, dtype=np.int64).reshape(-1, 2).T
            before = np.asarray(breaks_before(self.text, self.tokens), dtype=np.int64)
            places = {"start": start, "end": end, "break_before": before}
        text = self.text
        if self.tokens is None and "\r" not in text:  # then the lines need not be cut one by one
            values = object_array(text.split("\n"))[np.cumsum(places["blank_before"] + 1) - 1]
        else:
            ends = zip(places["start"].tolist(), places["end"].tolist(), strict=True)
            values = object_array([text[start:end] for start, end in ends])
        columns = {
            "doc_id": object_array([self.doc_id] * len(values)),
            "line_number": np.arange(len(values), dtype=np.int64),
            "value": values,
        }
        if self.labels is not None:
            columns["label"] = object_array(self.labels)
        return columns | places

    def __repr__(self) -> str:
        labelled = sum(label is not None for label in self.labels or ())
        return f"Document({self.doc_id!r}, {self.unit}s={self.n_rows}, labelled={labelled})"

    def _repr_html_(self) -> str:
        from skol_rnn.report.notebook import document_html

        return document_html(self)

    def table(self) -> pd.DataFrame:
        """Return the document as the shared table.

        Returns
        -------
        DataFrame
            One row per non-blank line or token, with its offsets; a column ``label`` only if there are labels.
            Lines also have ``blank_before`` and ``page_break``, tokens ``break_before`` (:func:`breaks_before`).
        """
        import pandas as pd

        # Without a dtype pandas would use its own string type, and NaN instead of None.
        columns = self.columns()
        return pd.DataFrame({name: pd.Series(column, dtype=column.dtype) for name, column in columns.items()})


def with_repairs(documents: list[Document], repairs: tuple[Repair, ...]) -> list[Document]:
    """Add the repairs of a file to its first document."""
    if documents and repairs:
        documents[0] = replace(documents[0], repairs=repairs + documents[0].repairs)
    return documents


@dataclass(frozen=True, repr=False)
class Corpus:
    """Documents, and the files that were skipped.

    Parameters
    ----------
    documents : tuple of Document
        Documents, in order.
    skipped : tuple of (str, str)
        Path and reason of each file that was found but not read.

    Examples
    --------
    >>> corpus = Corpus((Document("a", "one"), Document("b", "two")))
    >>> corpus
    Corpus(documents=2, lines=2, labels=0)
    >>> len(corpus), corpus.texts["b"], corpus.table["doc_id"].tolist()
    (2, 'two', ['a', 'b'])
    """

    documents: tuple[Document, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    @cached_property
    def table(self) -> pd.DataFrame:
        """The shared table of all documents, one after the other."""
        if not self.documents:
            return Document("", "").table()
        if len({document.unit for document in self.documents}) > 1:
            raise ValueError("Some documents have lines as rows and others tokens: read all with one unit.")
        import pandas as pd

        table = pd.concat([document.table() for document in self.documents], ignore_index=True)
        if "label" in table:
            table.insert(3, "label", none_for_missing(table.pop("label")))  # after the value
        return table

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of ``table``.

        Returns
        -------
        DataFrame
            One row a line or token.
        """
        return self.table.copy()

    def plot_label_distribution(self, ax: Axes | None = None) -> Axes:
        """Draw the number of rows of each label on a log axis.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; new axes if not given.

        Returns
        -------
        matplotlib.axes.Axes
            The axes; the most frequent label first.

        Examples
        --------
        >>> axes = Corpus((Document("a", "one", ("Misc",)),)).plot_label_distribution()
        >>> [label.get_text() for label in axes.get_yticklabels()]
        ['Misc']
        """
        from skol_rnn.report.charts import plot_label_distribution

        counts = self.label_counts()
        return plot_label_distribution(list(counts.values()), list(counts), ax, self.unit)

    def label_counts(self) -> Counter[str]:
        """Count the rows of each label; rows without a label are left out.

        Returns
        -------
        Counter of str
            Number of rows by label.
        """
        return Counter(label for document in self for label in document.labels or () if label is not None)

    def __repr__(self) -> str:
        rows, labels = sum(document.n_rows for document in self), len(self.label_counts())
        skipped = f", skipped={len(self.skipped)}" if self.skipped else ""
        return f"Corpus(documents={len(self)}, {self.unit}s={rows}, labels={labels}{skipped})"

    def _repr_html_(self) -> str:
        from skol_rnn.report.notebook import corpus_html

        return corpus_html(self)

    @property
    def unit(self) -> str:
        """Unit of the rows: "line" or "token"."""
        return self.documents[0].unit if self.documents else "line"

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """The repairs of all documents."""
        return tuple(repair for document in self.documents for repair in document.repairs)

    @property
    def texts(self) -> dict[str, str]:
        """The plain text of each document by its name."""
        return {document.doc_id: document.text for document in self.documents}

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)

    def __len__(self) -> int:
        return len(self.documents)
