"""Documents as they were read: text, labels of the lines, and what was mended."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skol_rnn.data.columns import is_missing

if TYPE_CHECKING:
    import pandas as pd

_FIRST = ("doc_id", "line_number", "value")


@dataclass(frozen=True)
class Repair:
    """What was found wrong in a file and how it was read nevertheless."""

    path: str
    line: int
    kind: str
    detail: str


class Line(NamedTuple):
    """A non-blank line of a text: its place in characters and what stands before it."""

    start: int
    end: int
    blank_before: int
    page_break: bool


def split_lines(text: str) -> list[Line]:
    r"""Find the non-blank lines of a text; lines end at ``"\n"`` or ``"\r\n"`` and nowhere else."""
    lines: list[Line] = []
    position = seen = blank = 0  # seen: where the visible text of the line before ended
    feeds = "\f" in text
    pieces = text.split("\n")
    for number, piece in enumerate(pieces, 1):
        value = piece[:-1] if number < len(pieces) and piece.endswith("\r") else piece
        if visible := value.strip():
            first = position + (value.index(visible) if feeds else 0)
            lines.append(Line(position, position + len(value), blank, feeds and "\f" in text[seen:first]))
            seen, blank = first + len(visible), 0
        else:
            blank += 1
        position += len(piece) + 1
    return lines


def line_labels(text: str, lines: Sequence[Line], spans: Sequence[tuple[int, int, str]]) -> tuple[str | None, ...]:
    r"""Give each line the label of the span that covers its first visible character."""
    starts = [span[0] for span in spans]
    labels: list[str | None] = []
    for line in lines:
        visible = line.end - len(text[line.start : line.end].lstrip())
        index = bisect_right(starts, visible) - 1
        labels.append(spans[index][2] if index >= 0 and visible < spans[index][1] else None)
    return tuple(labels)


def breaks_before(text: str, tokens: Sequence[tuple[int, int]]) -> list[int]:
    r"""Say what stands before each token:

    0 nothing, 1 white space, 2 a line end, 3 a blank line or the text's start.
    """
    breaks, end = [], 0
    for position, (start, stop) in enumerate(tokens):
        gap = text[end:start]
        found = min(gap.count("\n") + 1, 3) if "\n" in gap else int(any(map(str.isspace, gap)))
        breaks.append(found if position else 3)
        end = stop
    return breaks


@dataclass(frozen=True)
class Document:
    r"""A document: its text without markup, and the labels of its rows, which are lines or tokens.

    Parameters
    ----------
    doc_id : str
        Name, with "/" between folders.
    text : str
        Plain text, character for character as in the file, line ends included.
    labels : tuple of (str or None), optional
        One for each row: each token if there are any, or else each non-blank line; None for a line outside any
        block.  None altogether if nothing is labelled.
    repairs : tuple of Repair
        What was mended while reading.
    path : str, optional
        The file it was read from.
    spans : tuple of (int, int, str), optional
        Labelled stretches of characters, end exclusive, from formats that carry them.
    bom : bool, default False
        Whether the file began with a byte order mark, which the writer puts back.
    tokens : tuple of (int, int), optional
        Start and end (exclusive) in characters of each token, in order, where a row is a token;
        :func:`skol_rnn.data.tokens.by_unit` makes them.
    sources : tuple of (str, int)
        File and line that each span was read from, for messages.

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

    def __post_init__(self) -> None:
        """Check the number of labels."""
        if self.labels is not None and len(self.labels) != self.n_rows:
            what = "non-blank lines" if self.tokens is None else "tokens"
            raise ValueError(f"{self.doc_id}: {len(self.labels)} labels for {self.n_rows} {what}.")

    @property
    def unit(self) -> str:
        """What a row is: "line" or "token"."""
        return "line" if self.tokens is None else "token"

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.lines if self.tokens is None else self.tokens)

    @cached_property
    def lines(self) -> list[Line]:
        """The non-blank lines; see :func:`split_lines`."""
        return split_lines(self.text)

    def named(self, doc_id: str) -> Document:
        """Return the document under another name."""
        return self if doc_id == self.doc_id else replace(self, doc_id=doc_id)

    def columns(self) -> dict[str, np.ndarray]:
        r"""Return the columns of the table that everything shares, for where there is no pandas.

        Returns
        -------
        dict of str to ndarray
            One entry per non-blank line, or per token, in each; a column ``label`` only if there are labels.

        Examples
        --------
        >>> Document("a", "one\n\ntwo").columns()["blank_before"].tolist()
        [0, 1]
        """
        places: Sequence[tuple[int, ...]] = self.lines if self.tokens is None else self.tokens
        values = _objects([self.text[place[0] : place[1]] for place in places])
        columns = {
            "doc_id": _objects([self.doc_id] * len(values)),
            "line_number": np.arange(len(values), dtype=np.int64),
            "value": values,
        }
        if self.labels is not None:
            columns["label"] = _objects(self.labels)
        if self.tokens is not None:
            ends = np.asarray(self.tokens, dtype=np.int64).reshape(-1, 2)
            before = np.asarray(breaks_before(self.text, self.tokens), dtype=np.int64)
            return columns | {"start": ends[:, 0], "end": ends[:, 1], "break_before": before}
        # (lines, 4): start, end, blank_before, page_break
        numbers = np.asarray(self.lines, dtype=np.int64).reshape(-1, len(Line._fields))
        columns |= dict(zip(Line._fields, numbers.T, strict=True))
        return columns | {"page_break": columns["page_break"].astype(bool)}

    def table(self) -> pd.DataFrame:
        """Return the document as the table that everything shares.

        Returns
        -------
        DataFrame
            One row per non-blank line or token; a column ``label`` only if there are labels.  Beside the
            offsets, lines have ``blank_before`` and ``page_break``, tokens ``break_before``, see
            :func:`breaks_before`.
        """
        import pandas as pd

        # Without a dtype pandas would make columns of its own string type, and NaN of None in them.
        columns = self.columns()
        return pd.DataFrame({name: pd.Series(column, dtype=column.dtype) for name, column in columns.items()})


def _objects(items: Sequence[object]) -> np.ndarray:
    """Make an array of texts that stay Python's own."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


@dataclass(frozen=True)
class Corpus:
    """Documents, and the files that were left out.

    Parameters
    ----------
    documents : tuple of Document
        The documents, in order.
    skipped : tuple of (str, str)
        Path and reason of each file that was found and not read.

    Examples
    --------
    >>> corpus = Corpus((Document("a", "one"), Document("b", "two")))
    >>> len(corpus), corpus.texts["b"], corpus.table["doc_id"].tolist()
    (2, 'two', ['a', 'b'])
    """

    documents: tuple[Document, ...]
    skipped: tuple[tuple[str, str], ...] = ()

    @cached_property
    def table(self) -> pd.DataFrame:
        """The rows of all documents, one document after the other."""
        if not self.documents:
            return Document("", "").table()
        if len({document.unit for document in self.documents}) > 1:
            raise ValueError("Rows of some documents are lines and of others tokens: read all with one unit.")
        import pandas as pd

        table = pd.concat([document.table() for document in self.documents], ignore_index=True)
        if "label" in table:
            rest = [name for name in table if name not in (*_FIRST, "label")]
            table = table[[*_FIRST, "label", *rest]].assign(label=nones(table["label"]))
        return table

    @property
    def unit(self) -> str:
        """What a row is: "line" or "token"."""
        return self.documents[0].unit if self.documents else "line"

    @property
    def repairs(self) -> tuple[Repair, ...]:
        """What was mended in all files."""
        return tuple(repair for document in self.documents for repair in document.repairs)

    @property
    def texts(self) -> dict[str, str]:
        """The plain text of each document by its name."""
        return {document.doc_id: document.text for document in self.documents}

    def __iter__(self) -> Iterator[Document]:
        """Go through the documents."""
        return iter(self.documents)

    def __len__(self) -> int:
        """Count the documents."""
        return len(self.documents)


def _whole(numbers: Iterable[int]) -> np.ndarray:
    return np.fromiter(numbers, dtype=np.int64)


def nones(labels: pd.Series[Any]) -> pd.Series[Any]:
    """Return labels with None where pandas has any of its marks for what is missing."""
    import pandas as pd

    return pd.Series([None if is_missing(label) else label for label in labels], dtype=object, index=labels.index)
