"""Layout numbers of a line: lengths, shares of character kinds, ends, and the white space around it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.data.columns import lengths_of
from skol_rnn.features.base import normal_form

if TYPE_CHECKING:
    from skol_rnn.data.columns import Lines

_YEAR = re.compile(r"\b1[789]\d\d\b|\b20\d\d\b")
_ABBREVIATION = re.compile(r"\b[A-Za-z]{1,5}\.")
_MEASURE = re.compile(r"\d\s*(?:[x×*]|[-–]\s*\d)|\b(?:μm|um|mm|cm)\b")
_TOGETHER = 4_000  # lines whose characters are looked at together: more gain nothing and take memory

LAYOUT_NAMES = (
    "log length",
    "words",
    "indent",
    "upper share",
    "digit share",
    "punctuation share",
    "capital words share",
    "starts upper",
    "starts digit",
    "all capitals",
    "ends full stop",
    "ends hyphen",
    "ends comma",
    "years",
    "abbreviations",
    "measures",
    "brackets",
    "length against document",
    "length against line before",
    "length against line after",
    "blank lines before",
    "blank lines after",
    "page break before",
    "page break after",
    "lines since page break",
)
"""Names of the columns of :func:`layout_numbers`, in order."""


def layout_numbers(table: Lines) -> np.ndarray:
    """Describe how each line looks, whatever its words."""
    if not len(table["value"]):
        return np.zeros((0, len(LAYOUT_NAMES)), np.float32)
    texts = list(table["value"])
    parts = [texts[start : start + _TOGETHER] for start in range(0, len(texts), _TOGETHER)]
    own = np.concatenate([_own_numbers([normal_form(text) for text in part]) for part in parts])
    own[:, :2] = np.log1p(own[:, :2])
    own = own.astype(np.float32)
    return np.concatenate([own, _neighbourhood(table, own[:, 0])], axis=1)


_NONE, _SPACE, _UPPER, _LOWER, _DIGIT, _OTHER = range(6)


class _Kinds:
    """Kinds of characters, each worked out when it is first met; those of a text are looked up all at once."""

    def __init__(self) -> None:
        self._kinds = np.zeros(sys.maxunicode + 1, np.uint8)

    def of(self, codes: np.ndarray) -> np.ndarray:
        """Return the kinds of code points."""
        kinds = self._kinds[codes]
        if not kinds.all():
            for code in np.unique(codes[kinds == _NONE]).tolist():
                self._kinds[code] = _kind(chr(code))
            kinds = self._kinds[codes]
        return kinds


def _kind(character: str) -> int:
    if character.isalpha():
        return _UPPER if character.isupper() else _LOWER
    if character.isdigit():
        return _DIGIT
    return _SPACE if character.isspace() else _OTHER


_KINDS = _Kinds()


def _own_numbers(lines: list[str]) -> np.ndarray:
    """Return the columns that need no other line, (lines, columns), lengths as counts."""
    bodies = [line.strip() for line in lines]
    size = np.array([len(body) for body in bodies], np.int64)
    # Each body is followed by a line end, which is a space and no character of it.
    codes = np.frombuffer("\n".join([*bodies, ""]).encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds = _KINDS.of(codes)
    starts = np.cumsum(size + 1) - size - 1
    spaces = kinds == _SPACE
    begins = ~spaces
    begins[1:] &= spaces[:-1]  # of a word; a body begins after the line end of the one before

    def count(of: np.ndarray) -> np.ndarray:
        return np.add.reduceat(of, starts, dtype=np.int64)

    upper, digits, words = count(kinds == _UPPER), count(kinds == _DIGIT), count(begins)
    letters = upper + count(kinds == _LOWER)
    length = np.maximum(size, 1)
    first = kinds[starts]
    last = np.where(size > 0, codes[starts + length - 1], 0)
    # What a pattern needs at least, looked for in all lines at once: most lines have no need of the pattern then.
    before = np.roll(codes, 1)
    letter = (before | 0x20) - ord("a") < 26  # unsigned: what is below "a" is large
    abbreviations = (codes == ord(".")) & letter
    units = (codes == ord("m")) & _one_of(before, "μumc")
    columns = [
        size,
        words,
        [min(len(line) - len(line.lstrip(" \t")), 20) / 10 for line in lines],
        upper / length,
        digits / length,
        count(kinds == _OTHER) / length,
        count(begins & (kinds == _UPPER)) / np.maximum(words, 1),
        first == _UPPER,
        first == _DIGIT,
        (letters > 0) & (upper == letters),
        last == ord("."),
        last == ord("-"),
        (last == ord(",")) | (last == ord(";")),
        _found(_YEAR, bodies, digits > 3, 3),
        _found(_ABBREVIATION, bodies, count(abbreviations) > 0, 6),
        _found(_MEASURE, bodies, (count(units) > 0) | ((digits > 0) & (count(_one_of(codes, "x×*-–")) > 0)), 6),
        np.minimum(count(_one_of(codes, "([")), 4),
    ]
    return np.stack([np.asarray(column, np.float64) for column in columns], axis=1)


def _one_of(codes: np.ndarray, characters: str) -> np.ndarray:
    """Tell which code points are among some characters."""
    found = codes == ord(characters[0])
    for character in characters[1:]:
        found |= codes == ord(character)
    return found


def _found(pattern: re.Pattern[str], bodies: list[str], possible: np.ndarray, most: int) -> np.ndarray:
    """Count what a pattern finds in each body, up to a number, looking only where it can find anything."""
    counts = np.zeros(len(bodies))
    for row in np.flatnonzero(possible).tolist():
        counts[row] = min(len(pattern.findall(bodies[row])), most)
    return counts


def _neighbourhood(table: Lines, length: np.ndarray) -> np.ndarray:
    """Return the columns that other lines of the document are needed for; ``length`` is the logarithm of each's."""
    lengths = lengths_of(table)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    blank = np.asarray(table["blank_before"]).clip(0, 9)
    breaks = np.asarray(table["page_break"], bool)
    typical = [np.median(length[a:b]) for a, b in zip(starts, ends, strict=True)]
    columns = [
        length - np.repeat(np.asarray(typical, np.float32), lengths),
        length - _shifted(length, starts, 1),
        length - _shifted(length, ends - 1, -1),
        np.log1p(blank),
        np.log1p(_shifted(blank, ends - 1, -1)),
        breaks,
        _shifted(breaks, ends - 1, -1),
        np.minimum(_since_break(breaks, starts), 60) / 60,
    ]
    return np.stack([np.asarray(c, np.float32) for c in columns], axis=1)


def _shifted(values: np.ndarray, outside: np.ndarray, step: int) -> np.ndarray:
    """Move values on by a line; 0 at the lines whose neighbour is outside their document."""
    moved = np.roll(values, step)
    moved[outside] = 0
    return moved


def _since_break(breaks: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Count the lines since the page, or the document, began."""
    place = np.arange(len(breaks))
    begins = breaks.copy()
    begins[starts] = True
    return place - np.maximum.accumulate(np.where(begins, place, 0))


class ScaledLayout:
    """Layout numbers brought to mean 0 and deviation 1 over the training lines, at most 6 either way."""

    def __init__(self, numbers: Callable[[Any], np.ndarray] = layout_numbers) -> None:
        self.numbers = numbers

    def fit(self, table: Lines) -> ScaledLayout:
        """Learn mean and deviation of each column."""
        self._fit(self.numbers(table))
        return self

    def fit_transform(self, table: Lines) -> np.ndarray:
        """Fit, and scale the same lines, each of which is looked at once."""
        numbers = self.numbers(table)
        self._fit(numbers)
        return self._scaled(numbers)

    def transform(self, table: Lines) -> np.ndarray:
        """Compute and scale the layout numbers of lines."""
        return self._scaled(self.numbers(table))

    def _fit(self, numbers: np.ndarray) -> None:
        lines, size = numbers.shape
        # Sums in single precision would drift over 10^5 lines, and with the order of the documents.
        exact = numbers.astype(np.float64)
        self.mean_ = exact.mean(axis=0).astype(np.float32) if lines else np.zeros(size, np.float32)
        self.scale_ = np.maximum(exact.std(axis=0), 1e-3).astype(np.float32) if lines else np.ones(size, np.float32)

    def _scaled(self, numbers: np.ndarray) -> np.ndarray:
        return np.clip((numbers - self.mean_) / self.scale_, -6, 6).astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted."""
        return {"mean": self.mean_, "scale": self.scale_}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], numbers: Callable[[Any], np.ndarray] = layout_numbers
    ) -> ScaledLayout:
        """Rebuild fitted scales."""
        layout = cls(numbers)
        layout.mean_, layout.scale_ = arrays["mean"], arrays["scale"]
        return layout
