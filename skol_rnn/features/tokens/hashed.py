"""Hashed words, shapes, affixes and character n-grams of a token, and those around it, for embedding bags of the network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Self
from zlib import crc32

import numpy as np
import pandas as pd

from skol_rnn.features.base import LineFeatures, normal_form
from skol_rnn.features.lines.layout import ScaledLayout
from skol_rnn.features.tokens.layout import shifted, token_layout_numbers
from skol_rnn.features.tokens.target_encoding import LabelRates

_BUCKETS = 1 << 24  # as for lines: collisions among some 10^5 kept features are rare
_NGRAMS = (3, 4)  # characters
_AFFIXES = (2, 3, 4)
_LONGEST = 24  # characters of a word that n-grams are taken of
_STEPS = (-2, -1, 1, 2)  # to the tokens around one


def token_features(word: str, ngrams: bool = False) -> list[str]:
    """Name the features that a token has wherever it stands."""
    lower = word.casefold()
    names = ["w=" + lower, "W=" + word, "s=" + shape(word)]
    if lower.isalpha():
        names += [kind + part for n in _AFFIXES if len(lower) > n for kind, part in _affixes(lower, n)]
        if ngrams and len(lower) > _NGRAMS[0]:
            names += ["g=" + gram for gram in _grams(f"<{lower[:_LONGEST]}>")]
    return list(dict.fromkeys(names))


def _affixes(word: str, n: int) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("p=", word[:n]), ("e=", word[-n:])


def _grams(word: str) -> list[str]:
    return [word[i : i + n] for n in _NGRAMS for i in range(len(word) - n + 1)]


@lru_cache(maxsize=1 << 15)
def shape(word: str) -> str:
    """Write each run of a kind of characters as one: X capitals, x small letters, 0 digits, others as they are."""
    kinds = ["X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word]
    return "".join(kind for i, kind in enumerate(kinds) if i == 0 or kind != kinds[i - 1])[:12]


class TokenFeatures:
    """Bags of hashed features of a token and of the tokens around it, beside layout numbers and rates of labels."""

    beside = 2 * len(_STEPS) + 2

    def __init__(
        self,
        min_documents: int = 2,
        max_features: int = 60_000,
        max_beside: int = 120_000,
        ngrams: bool = False,
        rates: bool = True,
    ) -> None:
        self.min_documents = min_documents
        self.max_features = max_features
        self.max_beside = max_beside
        self.ngrams = ngrams
        self.rates = rates
        self._rates: LabelRates | None = None
        self.name = "token-ngrams" if ngrams else "token-hashed"

    def fit(self, table: pd.DataFrame) -> TokenFeatures:
        """Choose the features to keep and the scale of the layout numbers."""
        self.fit_transform(table)
        return self

    def fit_transform(self, table: pd.DataFrame) -> LineFeatures:
        """Fit, and transform the same tokens."""
        self._layout = ScaledLayout(token_layout_numbers)
        numbers = self._layout.fit_transform(table)
        self._rates = LabelRates() if self.rates and "label" in table else None
        if self._rates:
            numbers = np.concatenate([numbers, self._rates.fit_transform(table)], axis=1)
        hashed = _Hashed(table, self.ngrams)
        self.buckets_ = _frequent([(hashed.own, hashed.word)], hashed.document, self.min_documents, self.max_features)
        columns = [(column[:, None], place) for column, place in hashed.around]
        self.beside_buckets_ = _frequent(columns, hashed.document, self.min_documents, self.max_beside)
        own = _ids(hashed.own, self.buckets_)
        self.slots_ = int((own > 0).sum(axis=1).max(initial=0))
        return LineFeatures(self._placed(hashed, own), numbers)

    @property
    def vocabulary_size(self) -> int:
        """Number of ids of a token's own features, the empty slot's 0 included."""
        return len(self.buckets_) + 1

    @property
    def beside_vocabulary_size(self) -> int:
        """Number of ids of what is around a token, the empty place's 0 included."""
        return len(self.beside_buckets_) + 1

    def transform(self, table: pd.DataFrame) -> LineFeatures:
        """Look up the ids of each token and scale its layout numbers."""
        hashed = _Hashed(table, self.ngrams)
        numbers = self._layout.transform(table)
        if self._rates:
            numbers = np.concatenate([numbers, self._rates.transform(table)], axis=1)
        return LineFeatures(self._placed(hashed, _ids(hashed.own, self.buckets_)), numbers)

    def _placed(self, hashed: _Hashed, own: np.ndarray) -> np.ndarray:
        """Put the ids of each token side by side, those of what is around it last: (tokens, slots + beside)."""
        # Ids to the front, in their order, so that few slots stay empty.
        packed = np.take_along_axis(own, np.argsort(own == 0, axis=1, kind="stable"), axis=1)[:, : self.slots_]
        packed = np.pad(packed, ((0, 0), (0, self.slots_ - packed.shape[1])))
        around = [_ids(column, self.beside_buckets_)[place] for column, place in hashed.around]
        return np.concatenate([packed[hashed.word], np.stack(around, axis=1)], axis=1).astype(np.int32)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted."""
        settings: dict[str, Any] = {
            "min_documents": self.min_documents,
            "max_features": self.max_features,
            "max_beside": self.max_beside,
            "ngrams": self.ngrams,
            "slots": self.slots_,
        }
        arrays = {"buckets": self.buckets_, "beside_buckets": self.beside_buckets_, **self._layout.arrays()}
        if self._rates:
            settings["rates"], of_rates = self._rates.state()
            arrays |= of_rates
        return settings, arrays

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> TokenFeatures:
        """Rebuild fitted features."""
        own = {name: value for name, value in settings.items() if name not in ("slots", "rates")}
        features = cls(**own, rates="rates" in settings)
        if features.rates:
            features._rates = LabelRates.from_state(settings["rates"], arrays)
        features.slots_ = settings["slots"]
        features.buckets_, features.beside_buckets_ = arrays["buckets"], arrays["beside_buckets"]
        features._layout = ScaledLayout.from_arrays(arrays, token_layout_numbers)
        return features


class BesideTokenFeatures:
    """Base of the families that put something beside :class:`TokenFeatures`."""

    _hashed: TokenFeatures

    @property
    def vocabulary_size(self) -> int:
        """Number of ids of the hashed features, the empty slot's 0 included."""
        return self._hashed.vocabulary_size

    @property
    def beside(self) -> int:
        """Columns of ids that say what is around a token."""
        return self._hashed.beside

    @property
    def beside_vocabulary_size(self) -> int:
        """Number of ids of what is around a token, the empty place's 0 included."""
        return self._hashed.beside_vocabulary_size

    def fit(self, table: pd.DataFrame) -> Self:
        """Fit the hashed features, and what stands beside them."""
        self.fit_transform(table)
        return self

    def fit_transform(self, table: pd.DataFrame) -> LineFeatures:
        """Fit, and transform the same tokens."""
        self._hashed = TokenFeatures()
        hashed = self._hashed.fit_transform(table)
        self._fit(table)
        return self._put_beside(hashed, table)

    def transform(self, table: pd.DataFrame) -> LineFeatures:
        """Compute the features of tokens."""
        return self._put_beside(self._hashed.transform(table), table)

    def _fit(self, table: pd.DataFrame) -> None:
        raise NotImplementedError

    def _put_beside(self, hashed: LineFeatures, table: pd.DataFrame) -> LineFeatures:
        raise NotImplementedError


class _Hashed:
    """Buckets of the distinct words of a table, and of what is around each token."""

    def __init__(self, table: pd.DataFrame, ngrams: bool) -> None:
        self.word, values = pd.factorize(table["value"])
        self.document = pd.factorize(table["doc_id"])[0]
        words = [normal_form(value) for value in values]
        self.own = _padded([[_bucket(name) for name in token_features(value, ngrams)] for value in words])
        lower = [value.casefold() for value in words]
        shapes = [shape(value) for value in words]
        self.around = []
        for step in _STEPS:
            place = self._moved(self.word, step)
            self.around += [_column(names, place, kind) for names, kind in ((lower, f"{step}="), (shapes, f"{step}s="))]
        pairs, begun = _pairs(lower, self.word, self._moved(self.word, 1))
        self.around += [_column(pairs, begun, "b="), _column(pairs, self._moved(begun, -1), "a=")]

    def _moved(self, values: np.ndarray, step: int) -> np.ndarray:
        """Return the value of ``step`` tokens further in the same document, -1 where there is none."""
        return shifted(values, self.document, -step, fill=-1)


def _column(names: Sequence[str], place: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    buckets = [_bucket(kind + name) for name in names]
    return np.array([*buckets, 0], np.int32), place  # place -1 is the last, and no feature


def _pairs(names: Sequence[str], first: np.ndarray, second: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Name the distinct pairs of words, and tell which one each token has; -1 where one of the words is none."""
    there = (first >= 0) & (second >= 0)
    pairs, place = np.unique(first[there] * len(names) + second[there], return_inverse=True)
    begun = np.full(len(first), -1, np.int64)
    begun[there] = place
    return [f"{names[pair // len(names)]} {names[pair % len(names)]}" for pair in pairs.tolist()], begun


def _frequent(
    columns: Sequence[tuple[np.ndarray, np.ndarray]], document: np.ndarray, min_documents: int, most: int
) -> np.ndarray:
    """Return the buckets of most documents, rising; a column has buckets (things, slots) and each token's thing."""
    n_documents, pairs = int(document.max(initial=0)) + 1, []  # bucket and document, each pair once
    for buckets, place in columns:
        seen = np.unique((place % max(len(buckets), 1)) * n_documents + document)
        keys = buckets[seen // n_documents].astype(np.int64) * n_documents + (seen % n_documents)[:, None]
        pairs.append(np.unique(keys[keys >= n_documents]))  # bucket 0 is no feature
    buckets, counts = np.unique(np.unique(np.concatenate(pairs)) // n_documents, return_counts=True)
    kept = counts >= min_documents
    buckets, counts = buckets[kept], counts[kept]
    # Ties are broken by bucket so that the order of documents does not change the vocabulary.
    return np.sort(buckets[np.lexsort((buckets, -counts))[:most]])


def _ids(buckets: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return the id of each bucket, 0 for one that was not kept."""
    if not len(kept):
        return np.zeros(buckets.shape, np.int32)
    place = np.minimum(np.searchsorted(kept, buckets), len(kept) - 1)
    return np.where(kept[place] == buckets, place + 1, 0).astype(np.int32)


def _bucket(name: str) -> int:
    return crc32(name.encode("utf-8", "surrogatepass")) % (_BUCKETS - 1) + 1  # 0 is an empty slot


def _padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    table = np.zeros((len(rows), max(map(len, rows), default=0)), np.int32)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table
