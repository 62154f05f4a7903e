"""Hashed words, affixes, shapes and leading words of a line, for an embedding bag learned in the network."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, pairwise
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
    tokens = _TOKEN.findall(text[: 20 * _MAX_TOKENS])[:_MAX_TOKENS]
    if not tokens:
        return ["h="]
    words, shapes, of_tokens = zip(*map(_token_features, tokens), strict=True)
    names = list(chain.from_iterable(of_tokens))
    names += [f"b={left} {right}" for left, right in pairwise(words)]
    for i, (word, shape) in enumerate(zip(words[:_LEADING], shapes, strict=False), start=1):
        names += (f"{i}={word}", f"{i}s={shape}")
    names += ("h=" + " ".join(shapes[:_LEADING]), "l=" + words[-1], "t=" + " ".join(shapes[-2:]))
    return names


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
        self._choose([_buckets(value) for value in table["value"]])
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
        lines = [_buckets(value) for value in table["value"]]
        self._layout = ScaledLayout()
        numbers = self._layout.fit_transform(table)
        self._choose(lines)
        return LineFeatures(self._look_up(lines), numbers)

    def _choose(self, lines: Sequence[array[int]]) -> None:
        buckets, counts = np.unique(np.fromiter(chain.from_iterable(lines), np.int64), return_counts=True)
        buckets, counts = buckets[counts >= self.min_count], counts[counts >= self.min_count]
        # Ties are broken by bucket so that the order of documents does not change the vocabulary.
        most_frequent = np.lexsort((buckets, -counts))[: self.max_features]
        self.buckets_ = np.sort(buckets[most_frequent])
        self._index()

    def _index(self) -> None:
        self._id_of = {bucket: i for i, bucket in enumerate(self.buckets_.tolist(), start=1)}

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
        ids = self._look_up([_buckets(value) for value in table["value"]])
        return LineFeatures(ids, self._layout.transform(table))

    def _look_up(self, lines: Sequence[array[int]]) -> np.ndarray:
        get = self._id_of.get
        ids = np.zeros((len(lines), self.slots), np.int32)
        for row, line in enumerate(lines):
            found = [i for i in map(get, line) if i][: self.slots]
            ids[row, : len(found)] = found
        return ids

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
        features._index()
        return features


def _buckets(value: str) -> array[int]:
    """Hash the features of a line: buckets in order, each once."""
    hashes = [crc32(name.encode()) % _BUCKETS for name in line_features(normal_form(value))]
    # A dict keeps first occurrences in order; a set's order would change from run to run.
    return array("i", dict.fromkeys(hashes))
