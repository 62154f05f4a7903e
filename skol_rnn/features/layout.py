"""Layout numbers of a line: lengths, shares of character kinds, ends, and the white space around it."""

from __future__ import annotations

import re

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
    >>> numbers[:, LAYOUT_NAMES.index("blank lines after")].round(2).tolist()
    [1.1, 0.0]
    """
    if table.empty:
        return np.zeros((0, len(LAYOUT_NAMES)), np.float32)
    own = np.asarray([_own_numbers(normal_form(value)) for value in table["value"]], np.float32)
    return np.concatenate([own, _neighbourhood(table, own[:, 0])], axis=1).astype(np.float32)


def _own_numbers(line: str) -> tuple[float, ...]:
    body = line.strip()
    length = max(len(body), 1)
    words = body.split()
    first, last = body[:1], body[-1:]
    letters = sum(map(str.isalpha, body))
    upper = sum(map(str.isupper, body))
    digits = sum(map(str.isdigit, body))
    spaces = len(body) - len("".join(words))
    return (
        np.log1p(len(body)),
        np.log1p(len(words)),
        min(len(line) - len(line.lstrip(" \t")), 20) / 10,
        upper / length,
        digits / length,
        (len(body) - letters - digits - spaces) / length,
        sum(w[0].isupper() for w in words) / max(len(words), 1),
        first.isupper(),
        first.isdigit(),
        letters > 0 and upper == letters,
        last == ".",
        last == "-",
        last in {",", ";"},
        min(len(_YEAR.findall(body)), 3),
        min(len(_ABBREVIATION.findall(body)), 6),
        min(len(_MEASURE.findall(body)), 6),
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
