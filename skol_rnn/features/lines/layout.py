"""Layout numbers of a line: lengths, shares of character kinds, last character, white space around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skol_rnn.data.table import Lines, lengths_of
from skol_rnn.features.base import blocks_of, normal_forms
from skol_rnn.features.lines.characters import (
    DECIMAL,
    DIGIT,
    KIND,
    LOWER,
    OTHER,
    SPACE,
    UPPER,
    WORD,
    Characters,
)

_MEASURE = re.compile(r"\d\s*(?:[x×*]|[-–]\s*\d)|\b(?:μm|um|mm|cm)\b")


def layout_numbers(table: Lines, by_line: Sequence[np.ndarray] | None = None) -> np.ndarray:
    """Describe how each line looks, whatever its words; ``by_line`` is :func:`own_numbers` of all, if known: (lines, columns)."""
    if by_line is None:
        blocks = blocks_of(normal_forms(table["value"]))
        by_line = [own_numbers(block, Characters.of(block)) for block in blocks]
    if not by_line:
        return np.zeros((0, len(LAYOUT_NAMES)), np.float32)
    own = np.concatenate(by_line)
    return np.concatenate([own, _stacked(_neighbours(table, own[:, 0]))], axis=1)


def own_numbers(lines: Sequence[str], characters: Characters) -> np.ndarray:
    """Return the columns that need no other line, of lines in normal form: (lines, columns)."""
    return _stacked(_single_line(lines, characters))


def _stacked(columns: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([np.asarray(column, np.float32) for column in columns.values()], axis=1)


def _single_line(lines: Sequence[str], characters: Characters) -> dict[str, np.ndarray]:
    starts, size, codes = characters.start, characters.size, characters.codes
    kinds = characters.flags & KIND
    word_starts = kinds != SPACE
    word_starts[1:] &= kinds[:-1] == SPACE
    patterns = _Patterns(characters)

    def count(of: np.ndarray) -> np.ndarray:
        return np.add.reduceat(of, starts, dtype=np.int64)

    upper, digits, words = count(kinds == UPPER), count(kinds == DIGIT), count(word_starts)
    letters = upper + count(kinds == LOWER)
    length = np.maximum(size, 1)
    first = kinds[starts]
    last = np.where(size > 0, codes[starts + length - 1], 0)
    indent = np.zeros(len(lines))
    for i in np.flatnonzero(np.fromiter(map(len, lines), np.int64, len(lines)) > size).tolist():
        indent[i] = min(len(lines[i]) - len(lines[i].lstrip(" \t")), 20) / 10
    return {
        "log length": np.log1p(size),
        "words": np.log1p(words),
        "indent": indent,
        "upper share": upper / length,
        "digit share": digits / length,
        "punctuation share": count(kinds == OTHER) / length,
        "capital words share": count(word_starts & (kinds == UPPER)) / np.maximum(words, 1),
        "starts upper": first == UPPER,
        "starts digit": first == DIGIT,
        "all capitals": (letters > 0) & (upper == letters),
        "ends full stop": last == ord("."),
        "ends hyphen": last == ord("-"),
        "ends comma": _is_any(last, ",;"),
        "years": np.minimum(patterns.years(), 3),
        "abbreviations": np.minimum(patterns.abbreviations(), 6),
        "measures": np.minimum(patterns.measures(), 6),
        "brackets": np.minimum(patterns.per_line(np.flatnonzero(_is_any(codes, "(["))), 4),
    }


def _is_any(codes: np.ndarray, characters: str) -> np.ndarray:
    return np.logical_or.reduce([codes == ord(character) for character in characters])


class _Patterns(NamedTuple):
    """Counts the matches of patterns in all lines at once; beyond the ends of the text there are line ends."""

    of: Characters

    def per_line(self, places: np.ndarray) -> np.ndarray:
        """Count characters by line."""
        return np.bincount(self._line(places), minlength=len(self.of.bodies))

    def years(self) -> np.ndarray:
        r"""Count ``\b1[789]\d\d\b|\b20\d\d\b``."""
        codes, at = self.of.codes, np.flatnonzero((self.of.codes == ord("1")) | (self.of.codes == ord("2")))
        at = at[~self._is(WORD, at - 1) & self._is(DECIMAL, at + 1)]
        in_20th = (codes[at] == ord("1")) & (codes[at + 1] >= ord("7")) & (codes[at + 1] <= ord("9"))
        century = in_20th | ((codes[at] == ord("2")) & (codes[at + 1] == ord("0")))
        digits = self._is(DECIMAL, at + 2) & self._is(DECIMAL, at + 3)
        return self.per_line(at[century & digits & ~self._is(WORD, at + 4)])

    def abbreviations(self) -> np.ndarray:
        r"""Count ``\b[A-Za-z]{1,5}\.``."""
        at = np.flatnonzero(self.of.codes == ord("."))
        letters, inside = np.zeros(len(at), np.int64), np.ones(len(at), bool)
        for back in range(1, 6):
            inside &= (self.of.codes[at - back] | 0x20) - ord("a") < 26  # unsigned: below "a" wraps around
            letters += inside
        return self.per_line(at[(letters > 0) & ~self._is(WORD, at - 1 - letters)])

    def measures(self) -> np.ndarray:
        """Count the matches of ``_MEASURE``."""
        m = np.flatnonzero(self.of.codes == ord("m"))
        m = m[_is_any(self.of.codes[m - 1], "μumc")]
        counts = self.per_line(m[~self._is(WORD, m - 2) & ~self._is(WORD, m + 1)])
        at = np.flatnonzero(_is_any(self.of.codes, "x×*-–"))
        # Most of these characters are inside a word.
        at = at[self._is(DECIMAL, at - 1) | (self.of.flags[at - 1] & KIND == SPACE)]
        visible = np.flatnonzero(self.of.flags & KIND != SPACE)
        among, line = np.searchsorted(visible, at), self._line(at)
        before, after = visible[among - 1], visible[np.minimum(among + 1, len(visible) - 1)]
        found = self._is(DECIMAL, before) & (before >= self.of.start[line]) & (before < at)
        is_range = _is_any(self.of.codes[at], "-–")
        found &= ~is_range | (self._is(DECIMAL, after) & (after < (self.of.start + self.of.size)[line]))
        counts += np.bincount(line[found], minlength=len(counts))
        # Two matches share a digit where one ends with what the next one begins with: the pattern decides.
        ends, begins = after[found & is_range], before[found]
        shared = ends[begins.take(np.searchsorted(begins, ends), mode="clip") == ends] if len(begins) else begins
        for row in set(self._line(shared).tolist()):  # np.unique loads numpy.ma: 25 ms
            counts[row] = len(_MEASURE.findall(self.of.bodies[row]))
        return counts

    def _line(self, places: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.of.start, places, "right") - 1

    def _is(self, flag: int, places: np.ndarray) -> np.ndarray:
        return self.of.flags[places] & flag > 0


def _neighbours(table: Lines, length: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns that need other lines of the document; ``length`` is the logarithm of each line's."""
    lengths = lengths_of(table)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    blank = np.asarray(table["blank_before"]).clip(0, 9)
    breaks = np.asarray(table["page_break"], bool)
    typical = np.asarray([_median(length[a:b]) for a, b in zip(starts, ends, strict=True)], np.float32)
    return {
        "length against document": length - np.repeat(typical, lengths),
        "length against line before": length - _shifted(length, starts, 1),
        "length against line after": length - _shifted(length, ends - 1, -1),
        "blank lines before": np.log1p(blank),
        "blank lines after": np.log1p(_shifted(blank, ends - 1, -1)),
        "page break before": breaks,
        "page break after": _shifted(breaks, ends - 1, -1),
        "lines since page break": np.minimum(_since_break(breaks, starts), 60) / 60,
    }


def _median(values: np.ndarray) -> np.floating:
    """Return the median, as np.median, which loads numpy.ma."""
    middle = [(len(values) - 1) // 2, len(values) // 2]
    return np.partition(values, middle)[middle].mean()


def _shifted(values: np.ndarray, outside: np.ndarray, step: int) -> np.ndarray:
    """Return the values of neighbouring lines, 0 where the neighbour is outside the document."""
    shifted = np.roll(values, step)
    shifted[outside] = 0
    return shifted


def _since_break(breaks: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Count the lines since the page or the document began."""
    row = np.arange(len(breaks))
    begins = breaks.copy()
    begins[starts] = True
    return row - np.maximum.accumulate(np.where(begins, row, 0))


_EXAMPLE = {"doc_id": ["a"], "value": [""], "blank_before": [0], "page_break": [False]}
LAYOUT_NAMES = (*_single_line([""], Characters.of([""])), *_neighbours(_EXAMPLE, np.zeros(1)))
"""Names of the columns of :func:`layout_numbers`, in order."""
