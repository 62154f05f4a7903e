"""Hashed words, affixes, shapes and leading words of a line, for an embedding bag learned in the network."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from skol_rnn.features.layout import layout_numbers
from skol_rnn.features.lines import LineFeatures, normal_form

_TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")
_BUCKETS = 1 << 24  # wide enough that collisions among some 10^5 kept features are rare
_LEADING = 3
_MAX_TOKENS = 200  # bounds the work on a line that is a whole file


def line_features(text: str) -> Iterator[str]:
    """Name the features of one line: words, word pairs, affixes, shapes, and the leading and last tokens.

    Parameters
    ----------
    text : str
        A line in normal form.

    Yields
    ------
    str
        Feature names; one may come more than once.

    Examples
    --------
    >>> sorted(line_features("Pileus 3"))[:5]
    ['1=pileus', '1s=Xx', '2=0', '2s=0', 'b=pileus 0']
    """
    tokens = _TOKEN.findall(text[: 20 * _MAX_TOKENS])[:_MAX_TOKENS]
    words = [t.casefold() if not t.isdigit() else "0" * min(len(t), 5) for t in tokens]
    shapes = [_shape(t) for t in tokens]
    for word, shape in zip(words, shapes, strict=True):
        yield "w=" + word
        yield "s=" + shape
        if len(word) > 4:
            yield "p=" + word[:3]
            yield "e=" + word[-3:]
            yield "E=" + word[-4:]
    for left, right in zip(words, words[1:], strict=False):
        yield f"b={left} {right}"
    for i, (word, shape) in enumerate(zip(words[:_LEADING], shapes, strict=False), start=1):
        yield f"{i}={word}"
        yield f"{i}s={shape}"
    yield "h=" + " ".join(shapes[:_LEADING])
    if words:
        yield "l=" + words[-1]
        yield "t=" + " ".join(shapes[-2:])


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

    def fit(self, table: pd.DataFrame) -> HashedFeatures:
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
        self._fit(map(_buckets, table["value"]), layout_numbers(table))
        return self

    def fit_transform(self, table: pd.DataFrame) -> LineFeatures:
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
        buckets, numbers = [array("l", _buckets(value)) for value in table["value"]], layout_numbers(table)
        self._fit(buckets, numbers)
        return self._look_up(buckets, numbers)

    def _fit(self, lines: Iterable[Iterable[int]], numbers: np.ndarray) -> None:
        counts: Counter[int] = Counter()
        for line in lines:
            counts.update(line)
        kept = [b for b, n in counts.items() if n >= self.min_count]
        # Ties are broken by bucket so that the order of documents does not change the vocabulary.
        kept = sorted(kept, key=lambda b: (-counts[b], b))[: self.max_features]
        self.buckets_ = np.sort(np.asarray(kept, np.int64))
        self.mean_ = numbers.mean(axis=0) if len(numbers) else np.zeros(numbers.shape[1], np.float32)
        self.scale_ = np.maximum(numbers.std(axis=0), 1e-3) if len(numbers) else np.ones_like(self.mean_)
        self._index()

    def _index(self) -> None:
        self._id_of = {int(bucket): i for i, bucket in enumerate(self.buckets_, start=1)}

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, the empty slot's 0 included."""
        return len(self.buckets_) + 1

    def transform(self, table: pd.DataFrame) -> LineFeatures:
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
        return self._look_up([_buckets(value) for value in table["value"]], layout_numbers(table))

    def _look_up(self, lines: Sequence[Iterable[int]], numbers: np.ndarray) -> LineFeatures:
        get = self._id_of.get
        ids = np.zeros((len(lines), self.slots), np.int32)
        for row, line in enumerate(lines):
            found = [i for i in map(get, line) if i][: self.slots]
            ids[row, : len(found)] = found
        scaled = (numbers - self.mean_) / self.scale_
        return LineFeatures(ids, np.clip(scaled, -6, 6).astype(np.float32))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted.

        Returns
        -------
        tuple of (dict, dict)
            JSON values and arrays, to be given to :meth:`from_state`.
        """
        settings = {"min_count": self.min_count, "max_features": self.max_features, "slots": self.slots}
        return settings, {"buckets": self.buckets_, "mean": self.mean_, "scale": self.scale_}

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
        features.buckets_, features.mean_, features.scale_ = arrays["buckets"], arrays["mean"], arrays["scale"]
        features._index()
        return features


def _buckets(value: str) -> list[int]:
    # A dict keeps first occurrences in order; a set's order would change from run to run.
    return list(dict.fromkeys(crc32(f.encode()) % _BUCKETS for f in line_features(normal_form(value))))
