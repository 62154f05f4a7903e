"""The core: the labelled lines of one document become records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from skol_rnn.data.document import Document
from skol_rnn.records.joining import Vocabulary, joined
from skol_rnn.records.rules import JoiningRules

NO_NAME, TWO_NAMES, NAME_ONLY = "no name", "two names", "name only"
ENDS_OPEN, BEGINS_OPEN = "ends in the middle of a sentence", "begins in the middle of a sentence"
INTERRUPTED, UNCERTAIN = "interrupted", "uncertain"
FRONT = ("document", "record", "begin_line", "end_line", "start", "end")
BACK = ("mean_probability", "least_probability", "flags", "lines")
"""Columns of a table of records, before and after those of the labels."""


class LabelledLines(NamedTuple):
    """The non-blank lines of a document with their labels; offsets and probabilities of the labels where there are any."""

    document: str
    values: Sequence[str]
    labels: Sequence[str | None]
    blank_before: Sequence[int]
    page_break: Sequence[bool]
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None
    probability: Sequence[float] | None = None

    @classmethod
    def of(cls, document: Document, labels: Sequence[str | None], probability: Sequence[float] | None) -> LabelledLines:
        """Take the lines of a document."""
        values = [document.text[line.start : line.end] for line in document.lines]
        starts, ends, blank, breaks = zip(*document.lines, strict=True) if values else ((),) * 4
        return cls(document.doc_id, values, labels, blank, breaks, starts, ends, probability)

    @property
    def numbers(self) -> np.ndarray:
        """The number of each line in the file, from 1 on."""
        return np.arange(1, len(self.values) + 1) + np.cumsum(np.asarray(self.blank_before, np.int64))


@dataclass(frozen=True)
class Record:
    """One record: a part of a document, its text by label, and what may be wrong with it.

    Parameters
    ----------
    document : str
        Name of the document.
    record : int
        Number within the document, from 1 on.
    begin_line, end_line : int
        First and last line in the file, from 1 on.
    start, end : int, optional
        Offsets of the first and behind the last character of these lines; None for a table without offsets.
    texts : mapping of str to str
        Text of each label, "" where there is none.
    lines : mapping of str to tuple of int
        Lines in the file of each label.
    mean_probability, least_probability : float, optional
        Of the labels of its lines; None for labels without probabilities.
    flags : tuple of str
        What may be wrong, such as "no name"; docs/records.md lists all.
    """

    document: str
    record: int
    begin_line: int
    end_line: int
    start: int | None
    end: int | None
    texts: Mapping[str, str]
    lines: Mapping[str, tuple[int, ...]]
    mean_probability: float | None = None
    least_probability: float | None = None
    flags: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the row of a table: columns of the record, one for each label, and the lines as "3-4 7".

        Returns
        -------
        dict of str to object
            Value by column.
        """
        front = {name: getattr(self, name) for name in FRONT}
        numbers = sorted(number for own in self.lines.values() for number in own)
        back = {"flags": list(self.flags), "lines": _ranges(numbers)}
        certain = {name: getattr(self, name) for name in BACK[:2]}
        return {**front, **self.texts, **certain, **back}


def _ranges(numbers: Sequence[int]) -> str:
    """Write line numbers as ranges."""
    found = []
    for _, group in groupby(enumerate(numbers), key=lambda item: item[1] - item[0]):
        run = [number for _, number in group]
        found.append(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}")
    return " ".join(found)


def build_records(
    lines: LabelledLines, begin: str, parts: Sequence[str], rules: JoiningRules | None = None
) -> list[Record]:
    """Build the records of a document from its labelled lines."""
    rules = rules or JoiningRules()
    builder = _Builder(lines, begin, frozenset(parts), rules)
    groups = builder.groups()
    words = Vocabulary(lines.values, rules.hyphens)
    return [_record(builder, rows, number, (begin, *parts), words) for number, rows in enumerate(groups, 1)]


@dataclass
class _Builder:
    lines: LabelledLines
    begin: str
    parts: frozenset[str]
    rules: JoiningRules
    numbers: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.numbers = self.lines.numbers.tolist()

    def groups(self) -> list[list[int]]:
        """Return the rows of each record."""
        groups: list[list[int]] = []
        for row, label in enumerate(self.lines.labels):
            if (label != self.begin and label not in self.parts) or self._is_left_out(row):
                continue
            if groups and (self._continues(row, groups[-1]) if label == self.begin else self._is_near(row, groups[-1])):
                groups[-1].append(row)
            else:
                groups.append([row])
        return groups

    def _is_left_out(self, row: int) -> bool:
        """Whether a line is no text: a page header, a page number, the reference to a figure."""
        value, breaks = self.lines.values[row].strip(), self.lines.page_break
        if self.rules.compiled.skip.fullmatch(value):
            return True
        if len(value) > self.rules.page_line_characters:
            return False
        at_edge = breaks[row] or (row + 1 < len(breaks) and breaks[row + 1])
        return bool(at_edge and self.rules.compiled.page_line.search(value))

    def _is_near(self, row: int, group: Sequence[int]) -> bool:
        return row - group[-1] - 1 <= self.rules.part_gap

    def is_block(self, row: int, before: int) -> bool:
        """Whether a line follows another one directly."""
        return row == before + 1 and not self.lines.blank_before[row] and not self.lines.page_break[row]

    def _continues(self, row: int, group: Sequence[int]) -> bool:
        """Whether a begin line belongs to the record before it."""
        labels, rules, before = self.lines.labels, self.rules, group[-1]
        if labels[before] != self.begin:
            return False
        if self.is_block(row, before):
            return True
        if row - before - 1 > rules.name_gap:
            return False
        value, last = self.lines.values[row].strip(), self.lines.values[before]
        return bool(
            rules.compiled.continues.match(value)
            or (rules.lower_case_continues and value[:1].islower())
            or (rules.compiled.unfinished_name.search(last) and not rules.compiled.name.match(value))
            or self._is_repeated(value, self.lines.values[group[0]])
        )

    def _is_repeated(self, value: str, first: str) -> bool:
        count = self.rules.repeated_words
        one, other = (_words_of_name(text)[:count] for text in (value, first))
        return bool(count) and len(one) == count and one == other

    def begins_paragraph(self, row: int, before: int) -> bool:
        """Whether a line of a name begins a synonym, repeats the name, or stands apart from the line before."""
        if self.lines.labels[row] != self.begin:
            return False
        value, last = self.lines.values[row].strip(), self.lines.values[before]
        if self.rules.compiled.continues.match(value) or self._is_repeated(value, last) or self.opens_name(row, before):
            return True
        return not (
            self.is_block(row, before) or value[:1].islower() or self.rules.compiled.unfinished_name.search(last)
        )

    def opens_name(self, row: int, before: int | None) -> tuple[str, ...] | None:
        """Return the words of the name that a line starts with, unless the line before goes on in it."""
        compiled, last = self.rules.compiled, "." if before is None else self.lines.values[before].rstrip()
        value = self.lines.values[row].strip()
        if compiled.continues.match(value) or not (compiled.sentence_end.search(last) or last[-1:].isdigit()):
            return None
        match = compiled.name.match(value)
        return match and (match.groups() or (match[0],))


def _words_of_name(text: str) -> list[str]:
    """Return the words of a name without the number before it."""
    return [word.strip(".,;:()[]") for word in text.split() if not word[0].isdigit()]


def _record(builder: _Builder, rows: Sequence[int], number: int, labels: Sequence[str], words: Vocabulary) -> Record:
    lines = builder.lines
    by_label = {label: [row for row in rows if lines.labels[row] == label] for label in labels}
    texts = {}
    for label, own in by_label.items():
        before = [None, *own]
        pieces = [
            (
                lines.values[row],
                last is not None and not builder.is_block(row, last),
                last is not None and builder.begins_paragraph(row, last),
            )
            for row, last in zip(own, before, strict=False)
        ]
        texts[label] = joined(pieces, builder.rules, words)
    found = None if lines.probability is None else [float(lines.probability[row]) for row in rows]
    return Record(
        lines.document,
        number,
        builder.numbers[rows[0]],
        builder.numbers[rows[-1]],
        None if lines.starts is None else int(lines.starts[rows[0]]),
        None if lines.ends is None else int(lines.ends[rows[-1]]),
        texts,
        {label: tuple(builder.numbers[row] for row in own) for label, own in by_label.items()},
        None if found is None else round(float(np.mean(found)), 6),
        None if found is None else round(min(found), 6),
        tuple(_flags(builder, rows, by_label, texts, found)),
    )


def _flags(
    builder: _Builder,
    rows: Sequence[int],
    by_label: Mapping[str, Sequence[int]],
    texts: Mapping[str, str],
    probabilities: Sequence[float] | None,
) -> list[str]:
    """List what may be wrong with a record."""
    (begin, names), *parts = by_label.items()
    rules, flags = builder.rules, []
    if not rules.compiled.has_name.search(texts[begin]):
        flags.append(NO_NAME)
    opened = {builder.opens_name(row, before) for row, before in zip(names, [None, *names], strict=False)}
    if len(opened - {None}) > 1:
        flags.append(TWO_NAMES)
    present = [texts[label] for label, own in parts if own]
    if not present:
        flags.append(NAME_ONLY)
    if any(not rules.compiled.sentence_end.search(text) for text in present):
        flags.append(ENDS_OPEN)
    if any(text[:1].islower() for text in present):
        flags.append(BEGINS_OPEN)
    if max((b - a - 1 for a, b in zip(rows, rows[1:], strict=False)), default=0) > rules.doubtful_gap:
        flags.append(INTERRUPTED)
    if probabilities and min(probabilities) < rules.least_probability:
        flags.append(UNCERTAIN)
    return flags
