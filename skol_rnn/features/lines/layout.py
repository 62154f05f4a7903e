"""Layout numbers of a line: lengths, shares of character kinds, last character, white space around it."""

from __future__ import annotations

import re
import sys

import numpy as np

from skol_rnn.data.table import Lines, lengths_of
from skol_rnn.features.base import normal_form

_YEAR = re.compile(r"\b1[789]\d\d\b|\b20\d\d\b")
_ABBREVIATION = re.compile(r"\b[A-Za-z]{1,5}\.")
_MEASURE = re.compile(r"\d\s*(?:[x×*]|[-–]\s*\d)|\b(?:μm|um|mm|cm)\b")
_BLOCK = 4_000  # lines described at a time: more gain nothing and take memory


def layout_numbers(table: Lines) -> np.ndarray:
    """Describe how each line looks, whatever its words; shape (lines, columns)."""
    texts = list(table["value"])
    if not texts:
        return np.zeros((0, len(LAYOUT_NAMES)), np.float32)
    blocks = [texts[start : start + _BLOCK] for start in range(0, len(texts), _BLOCK)]
    single = np.concatenate([_stacked(_single_line([normal_form(text) for text in block])) for block in blocks])
    return np.concatenate([single, _stacked(_neighbours(table, single[:, 0]))], axis=1)


def _stacked(columns: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([np.asarray(column, np.float32) for column in columns.values()], axis=1)


_NEW, _SPACE, _UPPER, _LOWER, _DIGIT, _OTHER = range(6)
_kinds = np.zeros(sys.maxunicode + 1, np.uint8)  # kind of each character, _NEW until it is first met


def _kinds_of(codes: np.ndarray) -> np.ndarray:
    """Look up the kinds of code points."""
    for code in np.unique(codes[_kinds[codes] == _NEW]).tolist():
        _kinds[code] = _kind(chr(code))
    return _kinds[codes]


def _kind(character: str) -> int:
    if character.isalpha():
        return _UPPER if character.isupper() else _LOWER
    if character.isdigit():
        return _DIGIT
    return _SPACE if character.isspace() else _OTHER


def _single_line(lines: list[str]) -> dict[str, np.ndarray]:
    """Return the columns that need no other line."""
    bodies = [line.strip() for line in lines]
    size = np.array([len(body) for body in bodies], np.int64)
    # A line end, which counts as a space and not as part of a body, separates the bodies.
    codes = np.frombuffer("\n".join([*bodies, ""]).encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = _kinds_of(codes)
    starts = np.cumsum(size + 1) - size - 1
    word_starts = kinds != _SPACE
    word_starts[1:] &= kinds[:-1] == _SPACE

    def count(of: np.ndarray) -> np.ndarray:
        return np.add.reduceat(of, starts, dtype=np.int64)

    upper, digits, words = count(kinds == _UPPER), count(kinds == _DIGIT), count(word_starts)
    letters = upper + count(kinds == _LOWER)
    length = np.maximum(size, 1)
    first = kinds[starts]
    last = np.where(size > 0, codes[starts + length - 1], 0)
    # What a pattern needs at least is looked for in all lines at once, so that few lines are searched.
    before = np.roll(codes, 1)
    abbreviations = (codes == ord(".")) & ((before | 0x20) - ord("a") < 26)  # unsigned: below "a" wraps around
    units = (codes == ord("m")) & _is_any(before, "μumc")
    ranges = (digits > 0) & (count(_is_any(codes, "x×*-–")) > 0)
    indent = np.array([min(len(line) - len(line.lstrip(" \t")), 20) / 10 for line in lines])
    return {
        "log length": np.log1p(size),
        "words": np.log1p(words),
        "indent": indent,
        "upper share": upper / length,
        "digit share": digits / length,
        "punctuation share": count(kinds == _OTHER) / length,
        "capital words share": count(word_starts & (kinds == _UPPER)) / np.maximum(words, 1),
        "starts upper": first == _UPPER,
        "starts digit": first == _DIGIT,
        "all capitals": (letters > 0) & (upper == letters),
        "ends full stop": last == ord("."),
        "ends hyphen": last == ord("-"),
        "ends comma": _is_any(last, ",;"),
        "years": _matches(_YEAR, bodies, digits > 3, 3),
        "abbreviations": _matches(_ABBREVIATION, bodies, count(abbreviations) > 0, 6),
        "measures": _matches(_MEASURE, bodies, (count(units) > 0) | ranges, 6),
        "brackets": np.minimum(count(_is_any(codes, "([")), 4),
    }


def _is_any(codes: np.ndarray, characters: str) -> np.ndarray:
    return np.logical_or.reduce([codes == ord(character) for character in characters])


def _matches(pattern: re.Pattern[str], bodies: list[str], possible: np.ndarray, most: int) -> np.ndarray:
    """Count a pattern's matches in each body, up to a maximum, searching only where a match is possible."""
    counts = np.zeros(len(bodies))
    for row in np.flatnonzero(possible).tolist():
        counts[row] = min(len(pattern.findall(bodies[row])), most)
    return counts


def _neighbours(table: Lines, length: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns that need other lines of the document; ``length`` is the logarithm of each line's."""
    lengths = lengths_of(table)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    blank = np.asarray(table["blank_before"]).clip(0, 9)
    breaks = np.asarray(table["page_break"], bool)
    typical = np.asarray([np.median(length[a:b]) for a, b in zip(starts, ends, strict=True)], np.float32)
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
LAYOUT_NAMES = (*_single_line([""]), *_neighbours(_EXAMPLE, np.zeros(1)))
"""Names of the columns of :func:`layout_numbers`, in order."""
