"""Hashed words, affixes, shapes and leading words of a line, for an embedding bag learned in the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from skol_rnn.features.layout import ScaledLayout
from skol_rnn.features.line_names import Encode, features_of, line_tokens
from skol_rnn.features.lines import LineFeatures, normal_form

if TYPE_CHECKING:
    from skol_rnn.documents.columns import Lines

_BUCKETS = 1 << 24  # wide enough that collisions among some 10^5 kept features are rare
_TOGETHER = 4_000  # lines whose features are named at a time: what they share is named once; below 2 ** 16


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
        Features kept per line, in the order of :func:`skol_rnn.features.line_names.line_features`.

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
        self._choose(list(_blocks(list(table["value"]), _hash)))
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
        blocks = list(_blocks(list(table["value"]), _hash))
        self._layout = ScaledLayout()
        numbers = self._layout.fit_transform(table)
        self._choose(blocks)
        found = ((n_lines, rows, self._places(buckets)) for n_lines, rows, buckets in blocks)
        return LineFeatures(self._slots(found, len(numbers)), numbers)

    def _choose(self, blocks: list[tuple[int, np.ndarray, np.ndarray]]) -> None:
        found = [buckets for _, _, buckets in blocks] or [np.zeros(0, np.int32)]
        buckets, counts = np.unique(np.concatenate(found).astype(np.int64), return_counts=True)
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
        found = _blocks(list(table["value"]), lambda names: self._places(_hash(names)))
        return LineFeatures(self._slots(found, len(numbers)), numbers)

    def _places(self, buckets: np.ndarray) -> np.ndarray:
        """Return the place of each bucket among those that are kept; -1 for one that is not."""
        if not len(self.buckets_):
            return np.full(len(buckets), -1)
        place = np.minimum(np.searchsorted(self.buckets_, buckets), len(self.buckets_) - 1)
        return np.where(self.buckets_[place] == buckets, place, -1)

    def _slots(self, blocks: Iterable[tuple[int, np.ndarray, np.ndarray]], n_lines: int) -> np.ndarray:
        """Lay out the ids of each line from the left, as many as there are slots; 0 is the empty slot."""
        slots, start = np.zeros((n_lines, self.slots), np.int32), 0
        for lines, rows, places in blocks:
            rows, ids = rows[places >= 0], places[places >= 0] + 1
            count = np.bincount(rows, minlength=lines)
            column = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
            fits = column < self.slots
            slots[start + rows[fits], column[fits]] = ids[fits]
            start += lines
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


def _blocks(values: Sequence[str], encode: Encode) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield, some lines at a time, their number, and line and code of their features in order.

    A code below 0 is left out, and one that comes again in a line.
    """
    for start in range(0, len(values), _TOGETHER):
        lines = [line_tokens(normal_form(text)) for text in values[start : start + _TOGETHER]]
        line, code = features_of(lines, encode)
        known = np.flatnonzero(code >= 0)
        known = known[np.argsort(line[known].astype(np.uint16), kind="stable")]  # so few lines sort in linear time
        known = known[_first_of_each(line[known] * _BUCKETS + code[known])]
        yield len(lines), line[known].astype(np.int32), code[known].astype(np.int32)


def _hash(names: list[str]) -> np.ndarray:
    if not names:
        return np.zeros(0, np.int64)
    # No name holds a line end: all are encoded in one go.
    return np.fromiter(map(crc32, "\n".join(names).encode().split(b"\n")), np.int64, len(names)) % _BUCKETS


def _first_of_each(keys: np.ndarray) -> np.ndarray:
    """Return the places, in order, at which a key comes for the first time."""
    return np.sort(np.unique(keys, return_index=True)[1])
