"""Hashed words, affixes, shapes and leading words of a line, for an embedding bag learned in the network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from skol_rnn.features.layout import ScaledLayout
from skol_rnn.features.lines import LineFeatures, normal_form

if TYPE_CHECKING:
    from skol_rnn.documents.columns import Lines

_TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s\ud800-\udfff]")  # half a surrogate pair is no character
_BUCKETS = 1 << 24  # wide enough that collisions among some 10^5 kept features are rare
_LEADING = 3
_MAX_TOKENS = 200  # bounds the work on a line that is a whole file
_TOGETHER = 4_000  # lines whose features are named at a time: what they share is named once

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
    _, names = _features_of([line_tokens(text)], lambda names: np.array(names, dtype=object))
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


def _features_of(lines: list[list[str]], encode: Encode) -> tuple[np.ndarray, np.ndarray]:
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
    base = len(texts) + 1
    key = columns[0] + 1
    for column in columns[1:]:
        key = key * base + column + 1
    distinct, back = np.unique(key, return_inverse=True)
    with_none = ["", *texts]
    if len(columns) == 1:
        return encode([prefix + with_none[k] for k in distinct.tolist()])[back]
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


class HashedFeatures:
    """Bag of hashed line features beside layout numbers; the default.

    Features seen in fewer than ``min_count`` training lines have no id: an embedding that was
    never trained is noise at prediction.

    Parameters
    ----------
    min_count : int, default 2
        Training lines a feature must occur in.
    max_features : int, default 60000
        The most frequent features that are kept.
    slots : int, default 96
        Features kept per line, in the order of :func:`line_features`.

    Examples
    --------
    >>> import pandas as pd
    >>> lines = pd.DataFrame({"doc_id": "a", "value": ["Pileus red", "Pileus blue"],
    ...                       "blank_before": 0, "page_break": False})
    >>> ids, numbers = HashedFeatures().fit(lines).transform(lines)
    >>> ids.shape[0], numbers.dtype.name
    (2, 'float32')
    """

    name = "hashed"

    def __init__(self, min_count: int = 2, max_features: int = 60_000, slots: int = 96) -> None:
        self.min_count = min_count
        self.max_features = max_features
        self.slots = slots

    def fit(self, table: Lines) -> HashedFeatures:
        """Choose the features to keep and the scale of the layout numbers.

        Parameters
        ----------
        table : DataFrame
            Training lines.

        Returns
        -------
        HashedFeatures
            Self.
        """
        self._layout = ScaledLayout().fit(table)
        self._choose(_codes(table["value"], _hash)[1])
        return self

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Fit, and transform the same lines, each of which is hashed once.

        Parameters
        ----------
        table : DataFrame
            Training lines.

        Returns
        -------
        LineFeatures
            What ``fit(table).transform(table)`` returns.
        """
        rows, buckets = _codes(table["value"], _hash)
        self._layout = ScaledLayout()
        numbers = self._layout.fit_transform(table)
        self._choose(buckets)
        return LineFeatures(self._slots(rows, self._places(buckets), len(numbers)), numbers)

    def _choose(self, found: np.ndarray) -> None:
        buckets, counts = np.unique(found, return_counts=True)
        buckets, counts = buckets[counts >= self.min_count], counts[counts >= self.min_count]
        # Ties are broken by bucket so that the order of documents does not change the vocabulary.
        most_frequent = np.lexsort((buckets, -counts))[: self.max_features]
        self.buckets_ = np.sort(buckets[most_frequent])

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, the empty slot's 0 included."""
        return len(self.buckets_) + 1

    def transform(self, table: Lines) -> LineFeatures:
        """Look up the ids of each line and scale its layout numbers.

        Parameters
        ----------
        table : DataFrame
            Lines of whole documents in order.

        Returns
        -------
        LineFeatures
            ``ids`` (lines, slots) and ``numbers`` (lines, layout).
        """
        numbers = self._layout.transform(table)
        # Few of the names have an id: all but these are left out before anything is sorted.
        rows, places = _codes(table["value"], lambda names: self._places(_hash(names)))
        return LineFeatures(self._slots(rows, places, len(numbers)), numbers)

    def _places(self, buckets: np.ndarray) -> np.ndarray:
        """Return the place of each bucket among those that are kept; -1 for one that is not."""
        if not len(self.buckets_):
            return np.full(len(buckets), -1)
        place = np.minimum(np.searchsorted(self.buckets_, buckets), len(self.buckets_) - 1)
        return np.where(self.buckets_[place] == buckets, place, -1)

    def _slots(self, rows: np.ndarray, places: np.ndarray, n_lines: int) -> np.ndarray:
        """Lay out the ids of each line from the left, as many as there are slots; 0 is the empty slot."""
        rows, ids = rows[places >= 0], places[places >= 0] + 1
        count = np.bincount(rows, minlength=n_lines)
        column = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        fits = column < self.slots
        slots = np.zeros((n_lines, self.slots), np.int32)
        slots[rows[fits], column[fits]] = ids[fits]
        return slots

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted.

        Returns
        -------
        tuple of (dict, dict)
            JSON values and arrays, to be given to :meth:`from_state`.
        """
        settings = {"min_count": self.min_count, "max_features": self.max_features, "slots": self.slots}
        return settings, {"buckets": self.buckets_, **self._layout.arrays()}

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> HashedFeatures:
        """Rebuild fitted features.

        Parameters
        ----------
        settings, arrays : dict
            What :meth:`state` returned.

        Returns
        -------
        HashedFeatures
            Features that transform as the saved ones did.
        """
        features = cls(**settings)
        features.buckets_, features._layout = arrays["buckets"], ScaledLayout.from_arrays(arrays)
        return features


def _codes(values: Iterable[str], encode: Encode) -> tuple[np.ndarray, np.ndarray]:
    """Return line and code of the features of lines, in order; without codes below 0, and none twice in a line."""
    lines = [line_tokens(normal_form(value)) for value in values]
    parts = [(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for start in range(0, len(lines), _TOGETHER):
        line, code = _features_of(lines[start : start + _TOGETHER], encode)
        known = np.flatnonzero(code >= 0)
        known = known[np.argsort(line[known], kind="stable")]
        known = known[_first_of_each(line[known] * _BUCKETS + code[known])]
        parts.append((line[known] + start, code[known]))
    return np.concatenate([rows for rows, _ in parts]), np.concatenate([codes for _, codes in parts])


def _hash(names: list[str]) -> np.ndarray:
    if not names:
        return np.zeros(0, np.int64)
    # No name holds a line end: all are encoded in one go.
    return np.fromiter(map(crc32, "\n".join(names).encode().split(b"\n")), np.int64, len(names)) % _BUCKETS


def _first_of_each(keys: np.ndarray) -> np.ndarray:
    """Return the places, in order, at which a key comes for the first time."""
    return np.sort(np.unique(keys, return_index=True)[1])
