"""Layout numbers of a line: lengths, shares of character kinds, ends, and the white space around it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from skol_rnn.features.lines import normal_form

_YEAR = re.compile(r"\b1[789]\d\d\b|\b20\d\d\b")
_ABBREVIATION = re.compile(r"\b[A-Za-z]{1,5}\.")
_MEASURE = re.compile(r"\d\s*(?:[x×*]|[-–]\s*\d)|\b(?:μm|um|mm|cm)\b")

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


def layout_numbers(table: pd.DataFrame) -> np.ndarray:
    """Describe how each line looks, whatever its words.

    Parameters
    ----------
    table : DataFrame
        Lines of whole documents in order, with ``doc_id``, ``value``, ``blank_before`` and ``page_break``.

    Returns
    -------
    ndarray of float32, shape (lines, len(LAYOUT_NAMES))
        Unscaled numbers; neighbours are looked up inside the document only.

    Examples
    --------
    >>> lines = pd.DataFrame({"doc_id": "a", "value": ["MYCOTAXON", "12: 1-4. 1981."],
    ...                       "blank_before": [0, 2], "page_break": [True, False]})
    >>> numbers = layout_numbers(lines)
    >>> numbers[:, LAYOUT_NAMES.index("all capitals")].tolist()
    [1.0, 0.0]
    >>> (numbers[:, LAYOUT_NAMES.index("blank lines after")] > 0).tolist()
    [True, False]
    """
    if table.empty:
        return np.zeros((0, len(LAYOUT_NAMES)), np.float32)
    own = np.asarray([_own_numbers(normal_form(value)) for value in table["value"]], np.float64)
    own[:, :2] = np.log1p(own[:, :2])
    own = own.astype(np.float32)
    return np.concatenate([own, _neighbourhood(table, own[:, 0])], axis=1)


class _Kinds(dict[int, str]):
    """Kinds of characters for ``str.translate``, each worked out when it is first met.

    One pass of ``translate`` and counts in its result take half the time of asking each character three times.
    """

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kind = "-"
        if character.isalpha():
            kind = "X" if character.isupper() else "x"
        elif character.isdigit():
            kind = "0"
        elif character.isspace():
            kind = " "
        self[code] = kind
        return kind


_KINDS = _Kinds()


def _own_numbers(line: str) -> tuple[float, ...]:
    """Return the columns that need no other line, lengths as counts."""
    body = line.strip()
    kinds = body.translate(_KINDS)
    length = max(len(body), 1)
    words = len(body.split())
    upper, digits = kinds.count("X"), kinds.count("0")
    letters = upper + kinds.count("x")
    first, last = kinds[:1], body[-1:]
    return (
        len(body),
        words,
        min(len(line) - len(line.lstrip(" \t")), 20) / 10,
        upper / length,
        digits / length,
        kinds.count("-") / length,
        (" " + kinds).count(" X") / max(words, 1),
        first == "X",
        first == "0",
        letters > 0 and upper == letters,
        last == ".",
        last == "-",
        last in {",", ";"},
        min(len(_YEAR.findall(body)), 3) if digits else 0,
        min(len(_ABBREVIATION.findall(body)), 6) if "." in body else 0,
        min(len(_MEASURE.findall(body)), 6) if digits or "m" in body else 0,
        min(body.count("(") + body.count("["), 4),
    )


def _neighbourhood(table: pd.DataFrame, log_length: np.ndarray) -> np.ndarray:
    by_document = table.groupby("doc_id", sort=False)
    length = pd.Series(log_length, index=table.index)
    document = table["doc_id"]
    before = length.groupby(document, sort=False).shift(1).fillna(0.0)
    after = length.groupby(document, sort=False).shift(-1).fillna(0.0)
    typical = length.groupby(document, sort=False).transform("median")
    breaks = table["page_break"].astype(bool)
    page = breaks.groupby(document, sort=False).cumsum()
    since_break = table.groupby([document, page], sort=False).cumcount()
    columns = [
        length - typical,
        length - before,
        length - after,
        np.log1p(table["blank_before"].clip(0, 9)),
        np.log1p(by_document["blank_before"].shift(-1).fillna(0).clip(0, 9)),
        breaks.astype(float),
        by_document["page_break"].shift(-1).fillna(False).astype(float),
        np.minimum(since_break, 60) / 60,
    ]
    return np.stack([np.asarray(c, np.float32) for c in columns], axis=1)


class ScaledLayout:
    """Layout numbers brought to mean 0 and deviation 1 over the training lines, at most 6 either way.

    Parameters
    ----------
    numbers : callable, default :func:`layout_numbers`
        From a table to its numbers, float32 of shape (lines, columns).

    Examples
    --------
    >>> lines = pd.DataFrame({"doc_id": "a", "value": ["MYCOTAXON", "12: 1-4. 1981."],
    ...                       "blank_before": [0, 2], "page_break": [True, False]})
    >>> ScaledLayout().fit_transform(lines)[:, LAYOUT_NAMES.index("all capitals")].tolist()
    [1.0, -1.0]
    """

    def __init__(self, numbers: Callable[[pd.DataFrame], np.ndarray] = layout_numbers) -> None:
        self.numbers = numbers

    def fit(self, table: pd.DataFrame) -> ScaledLayout:
        """Learn mean and deviation of each column.

        Parameters
        ----------
        table : DataFrame
            Training lines.

        Returns
        -------
        ScaledLayout
            Self.
        """
        self._fit(self.numbers(table))
        return self

    def fit_transform(self, table: pd.DataFrame) -> np.ndarray:
        """Fit, and scale the same lines, each of which is looked at once.

        Parameters
        ----------
        table : DataFrame
            Training lines.

        Returns
        -------
        ndarray of float32, shape (lines, len(LAYOUT_NAMES))
            What ``fit(table).transform(table)`` returns.
        """
        numbers = self.numbers(table)
        self._fit(numbers)
        return self._scaled(numbers)

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """Compute and scale the layout numbers of lines.

        Parameters
        ----------
        table : DataFrame
            Lines of whole documents in order.

        Returns
        -------
        ndarray of float32, shape (lines, len(LAYOUT_NAMES))
            The scaled numbers.
        """
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
        """Return what was fitted.

        Returns
        -------
        dict of str to ndarray
            To be given to :meth:`from_arrays`.
        """
        return {"mean": self.mean_, "scale": self.scale_}

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, np.ndarray], numbers: Callable[[pd.DataFrame], np.ndarray] = layout_numbers
    ) -> ScaledLayout:
        """Rebuild fitted scales.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            What :meth:`arrays` returned; other arrays beside them do not matter.
        numbers : callable, default :func:`layout_numbers`
            As for the constructor.

        Returns
        -------
        ScaledLayout
            Scales that transform as the saved ones did.
        """
        layout = cls(numbers)
        layout.mean_, layout.scale_ = arrays["mean"], arrays["scale"]
        return layout
