"""Names of what is in a line: words, word pairs, affixes, shapes, and the leading and last tokens."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from itertools import chain

import numpy as np

_TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s\ud800-\udfff]")  # half a surrogate pair is no character
_LEADING = 3
_MAX_TOKENS = 200  # bounds the work on a line that is a whole file

Encode = Callable[[list[str]], np.ndarray]


def line_features(text: str) -> list[str]:
    """Name the features of one line: words, word pairs, affixes, shapes, and the leading and last tokens.

    Parameters
    ----------
    text : str
        A line in normal form.

    Returns
    -------
    list of str
        Feature names; one may come more than once.

    Examples
    --------
    >>> sorted(line_features("Pileus 3"))[:6]
    ['1=pileus', '1s=Xx', '2=0', '2s=0', 'E=leus', 'b=pileus 0']
    """
    _, names = features_of([line_tokens(text)], lambda names: np.array(names, dtype=object))
    return names.tolist()


def line_tokens(text: str) -> list[str]:
    """Cut a line in normal form into words, numbers and other characters.

    Parameters
    ----------
    text : str
        The line.

    Returns
    -------
    list of str
        Its first 200 tokens.

    Examples
    --------
    >>> line_tokens("Pileus 3-5 cm")
    ['Pileus', '3', '-', '5', 'cm']
    """
    return _TOKEN.findall(text[: 20 * _MAX_TOKENS])[:_MAX_TOKENS]


def features_of(lines: list[list[str]], encode: Encode) -> tuple[np.ndarray, np.ndarray]:
    """Return line and code of each feature of lines of tokens, those of a line in a fixed order.

    The same few thousand words and shapes come again and again: each name is made and encoded once.
    """
    token, texts = _numbered(list(chain.from_iterable(lines)))
    known = [_token_features(text) for text in texts]
    word_of, words = _numbered([word for word, _, _ in known])
    shape_of, shapes = _numbered([shape for _, shape, _ in known])
    word, shape = word_of[token], shape_of[token]
    count = np.array([len(line) for line in lines], np.int64)
    line = np.repeat(np.arange(len(lines)), count)
    first = np.cumsum(count) - count
    some = np.flatnonzero(count)
    parts: list[tuple[np.ndarray, np.ndarray]] = [_of_tokens(line, token, known, encode)]

    def name(prefix: str, lines: np.ndarray, columns: list[np.ndarray], texts: list[str]) -> None:
        parts.append((lines, _joined(prefix, columns, texts, encode)))

    pairs = np.flatnonzero(line[1:] == line[:-1])
    name("b=", line[pairs], [word[pairs], word[pairs + 1]], words)
    for i in range(_LEADING):
        there = np.flatnonzero(count > i)
        name(f"{i + 1}=", there, [word[first[there] + i]], words)
        name(f"{i + 1}s=", there, [shape[first[there] + i]], shapes)
    leading = [_at(shape, first[some] + i, count[some] > i) for i in range(_LEADING)]
    name("h=", some, leading, shapes)
    last = first[some] + count[some] - 1
    name("l=", some, [word[last]], words)
    name("t=", some, [_at(shape, last - 1, count[some] > 1), shape[last]], shapes)
    empty = np.flatnonzero(count == 0)
    parts.append((empty, np.repeat(encode(["h="]), len(empty))))
    return np.concatenate([lines for lines, _ in parts]), np.concatenate([codes for _, codes in parts])


def _numbered(items: list[str]) -> tuple[np.ndarray, list[str]]:
    """Return the number of each item among the distinct ones, and these."""
    number: dict[str, int] = dict.fromkeys(items, 0)
    for i, item in enumerate(number):
        number[item] = i
    return np.fromiter(map(number.__getitem__, items), np.int64, len(items)), list(number)


def _at(codes: np.ndarray, places: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return the codes at some places, -1 where a line has no such place."""
    return np.where(there, codes[np.where(there, places, 0)], -1) if len(codes) else codes


def _joined(prefix: str, columns: list[np.ndarray], texts: list[str], encode: Encode) -> np.ndarray:
    """Encode, row by row, the prefix and the texts in the columns with spaces between them; -1 is no text."""
    with_none = ["", *texts]
    if len(columns) == 1:
        # Texts are numbered: what occurs is found without sorting.
        occurs = np.bincount(columns[0] + 1, minlength=len(with_none)) > 0
        names = [prefix + with_none[k] for k in np.flatnonzero(occurs).tolist()]
        return encode(names)[(np.cumsum(occurs) - 1)[columns[0] + 1]]
    base = len(with_none)
    key = columns[0] + 1
    for column in columns[1:]:
        key = key * base + column + 1
    distinct, back = np.unique(key, return_inverse=True)
    digits = [distinct // base**power % base for power in range(len(columns) - 1, -1, -1)]
    if len(columns) == 2 and (digits[0] > 0).all():
        pairs = zip(digits[0].tolist(), digits[1].tolist(), strict=True)
        return encode([f"{prefix}{with_none[a]} {with_none[b]}" for a, b in pairs])[back]
    rows = zip(*(column.tolist() for column in digits), strict=True)
    return encode([prefix + " ".join(with_none[k] for k in row if k) for row in rows])[back]


def _of_tokens(
    line: np.ndarray, token: np.ndarray, known: list[tuple[str, str, tuple[str, ...]]], encode: Encode
) -> tuple[np.ndarray, np.ndarray]:
    """Return line and code of the features that tokens have wherever they stand."""
    counts = np.array([len(names) for _, _, names in known], np.int64)
    codes = encode([name for _, _, names in known for name in names])
    own = counts[token]
    # Features of a token follow one another in `codes`, from its first on.
    begin = np.repeat((np.cumsum(counts) - counts)[token], own)
    within = np.arange(own.sum()) - np.repeat(np.cumsum(own) - own, own)
    return np.repeat(line, own), codes[begin + within]


@lru_cache(maxsize=1 << 15)  # most tokens of a corpus are a few thousand words
def _token_features(token: str) -> tuple[str, str, tuple[str, ...]]:
    """Return a token's word, its shape, and the features it has wherever it stands."""
    word = token.casefold() if not token.isdigit() else "0" * min(len(token), 5)
    shape = _shape(token)
    if len(word) <= 4:
        return word, shape, ("w=" + word, "s=" + shape)
    return word, shape, ("w=" + word, "s=" + shape, "p=" + word[:3], "e=" + word[-3:], "E=" + word[-4:])


def _shape(token: str) -> str:
    if token.isdigit():
        return "0" * min(len(token), 5)
    if not token.isalpha():
        return token
    if token.isupper():
        return "X" if len(token) == 1 else "XX"
    return "Xx" if token[0].isupper() else "x"
