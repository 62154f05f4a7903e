"""Hashed words, shapes, affixes, character n-grams and neighbours of a token, for an embedding bag of the network."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from skol_rnn.features.label_rates import LabelRates
from skol_rnn.features.layout import ScaledLayout
from skol_rnn.features.lines import LineFeatures, normal_form
from skol_rnn.features.token_layout import token_layout_numbers

_BUCKETS = 1 << 24  # as for lines: collisions among some 10^5 kept features are rare
_NGRAMS = (3, 4)  # characters
_AFFIXES = (2, 3, 4)
_LONGEST = 24  # characters of a word that n-grams are taken of
_NO_WORD = -1


def token_features(word: str, ngrams: bool = False) -> list[str]:
    """Name the features that a token has wherever it stands.

    Parameters
    ----------
    word : str
        A token in normal form.
    ngrams : bool, default False
        Whether character n-grams are among them.

    Returns
    -------
    list of str
        Feature names, each once.

    Examples
    --------
    >>> token_features("Crimes")
    ['w=crimes', 'W=Crimes', 's=Xx', 'p=cr', 'e=es', 'p=cri', 'e=mes', 'p=crim', 'e=imes']
    >>> token_features("2,")
    ['w=2,', 'W=2,', 's=0,']
    """
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
    """Write each run of a kind of characters as one: X capitals, x small letters, 0 digits, others as they are.

    Examples
    --------
    >>> shape("McDonald"), shape("U.S.A"), shape("2018")
    ('XxXx', 'X.X.X', '0')
    """
    kinds = ["X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word]
    return "".join(kind for i, kind in enumerate(kinds) if i == 0 or kind != kinds[i - 1])[:12]


class TokenFeatures:
    """Bag of hashed features of a token and of its neighbours, beside layout numbers and rates of labels.

    It is the default for tokens.  Rates are there if the training tokens have labels.

    Features that occur in fewer than ``min_documents`` training documents have no id: a word of one article is its
    topic, and an embedding of it would be learned by heart.

    Parameters
    ----------
    min_documents : int, default 2
        Training documents a feature must occur in.
    max_features : int, default 60000
        The features in most documents that are kept.
    neighbours : int, default 0
        Tokens on either side whose words are features, too.
    ngrams : bool, default False
        Whether character n-grams are features.
    rates : bool, default True
        Whether :class:`~skol_rnn.features.label_rates.LabelRates` stand beside the layout numbers.

    Examples
    --------
    >>> tokens = pd.DataFrame({"doc_id": list("aabb"), "value": ["the", "enemy", "the", "enemies"]})
    >>> ids, numbers = TokenFeatures().fit(tokens).transform(tokens)
    >>> ids.shape[0], bool((ids[0] == ids[2]).all()), numbers.dtype.name
    (4, True, 'float32')
    """

    def __init__(
        self,
        min_documents: int = 2,
        max_features: int = 60_000,
        neighbours: int = 0,
        ngrams: bool = False,
        rates: bool = True,
    ) -> None:
        self.min_documents = min_documents
        self.max_features = max_features
        self.neighbours = neighbours
        self.ngrams = ngrams
        self.rates = rates
        self._rates: LabelRates | None = None
        self.name = "token-ngrams" if ngrams or neighbours else "token-hashed"

    def fit(self, table: pd.DataFrame) -> TokenFeatures:
        """Choose the features to keep and the scale of the layout numbers.

        Parameters
        ----------
        table : DataFrame
            Training tokens.

        Returns
        -------
        TokenFeatures
            Self.
        """
        self.fit_transform(table)
        return self

    def fit_transform(self, table: pd.DataFrame) -> LineFeatures:
        """Fit, and transform the same tokens.

        Parameters
        ----------
        table : DataFrame
            Training tokens.

        Returns
        -------
        LineFeatures
            What ``fit(table).transform(table)`` returns, but for the rates: those leave out what a token's own
            document, and others of its fold, tell of its label.
        """
        self._layout = ScaledLayout(token_layout_numbers)
        numbers = self._layout.fit_transform(table)
        self._rates = LabelRates() if self.rates and "label" in table else None
        if self._rates:
            numbers = np.concatenate([numbers, self._rates.fit_transform(table)], axis=1)
        hashed = _Hashed.of(table, self.neighbours, self.ngrams)
        self._choose(hashed, pd.factorize(table["doc_id"])[0])
        own, beside = (self._look_up(buckets) for buckets in (hashed.own, hashed.beside))
        self.slots_ = int((own > 0).sum(axis=1).max(initial=0)) + 2 * self.neighbours
        return LineFeatures(self._ids(hashed, own, beside), numbers)

    def _choose(self, hashed: _Hashed, document: np.ndarray) -> None:
        pairs = []  # bucket and document of each occurrence, each pair once
        n_documents = int(document.max(initial=0)) + 1
        for buckets, place in hashed.columns():
            occurring = place != _NO_WORD
            seen = np.unique(place[occurring].astype(np.int64) * n_documents + document[occurring])
            rows = buckets[seen // n_documents]  # (pairs, slots)
            keys = rows.astype(np.int64) * n_documents + (seen % n_documents)[:, None]
            pairs.append(np.unique(keys[rows > 0]))
        buckets, counts = np.unique(np.unique(np.concatenate(pairs)) // n_documents, return_counts=True)
        kept = counts >= self.min_documents
        buckets, counts = buckets[kept], counts[kept]
        # Ties are broken by bucket so that the order of documents does not change the vocabulary.
        most_frequent = np.lexsort((buckets, -counts))[: self.max_features]
        self.buckets_ = np.sort(buckets[most_frequent])

    @property
    def vocabulary_size(self) -> int:
        """Number of ids, the empty slot's 0 included."""
        return len(self.buckets_) + 1

    def transform(self, table: pd.DataFrame) -> LineFeatures:
        """Look up the ids of each token and scale its layout numbers.

        Parameters
        ----------
        table : DataFrame
            Tokens of whole documents in order.

        Returns
        -------
        LineFeatures
            ``ids`` (tokens, slots) and ``numbers`` (tokens, layout and rates).
        """
        hashed = _Hashed.of(table, self.neighbours, self.ngrams)
        own, beside = (self._look_up(buckets) for buckets in (hashed.own, hashed.beside))
        numbers = self._layout.transform(table)
        if self._rates:
            numbers = np.concatenate([numbers, self._rates.transform(table)], axis=1)
        return LineFeatures(self._ids(hashed, own, beside), numbers)

    def _look_up(self, buckets: np.ndarray) -> np.ndarray:
        """Return the id of each bucket, 0 for one that was not kept."""
        if not len(self.buckets_):
            return np.zeros(buckets.shape, np.int32)
        place = np.minimum(np.searchsorted(self.buckets_, buckets), len(self.buckets_) - 1)
        return np.where(self.buckets_[place] == buckets, place + 1, 0).astype(np.int32)

    def _ids(self, hashed: _Hashed, own: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """Put the ids of each token side by side, those of its neighbours last: (tokens, slots)."""
        width = self.slots_ - 2 * self.neighbours
        # Ids to the front, in their order, so that few slots stay empty.
        packed = np.take_along_axis(own, np.argsort(own == 0, axis=1, kind="stable"), axis=1)[:, :width]
        packed = np.pad(packed, ((0, 0), (0, width - packed.shape[1])))
        parts = [packed[hashed.word]]
        for column, place in enumerate(hashed.places):
            parts.append(np.where(place == _NO_WORD, 0, beside[place, column])[:, None])
        return np.concatenate(parts, axis=1).astype(np.int32)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted.

        Returns
        -------
        tuple of (dict, dict)
            JSON values and arrays, to be given to :meth:`from_state`.
        """
        settings: dict[str, Any] = {
            "min_documents": self.min_documents,
            "max_features": self.max_features,
            "neighbours": self.neighbours,
            "ngrams": self.ngrams,
            "slots": self.slots_,
        }
        arrays = {"buckets": self.buckets_, **self._layout.arrays()}
        if self._rates:
            settings["rates"], of_rates = self._rates.state()
            arrays |= of_rates
        return settings, arrays

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> TokenFeatures:
        """Rebuild fitted features.

        Parameters
        ----------
        settings, arrays : dict
            What :meth:`state` returned.

        Returns
        -------
        TokenFeatures
            Features that transform as the saved ones did.
        """
        own = {name: value for name, value in settings.items() if name not in ("slots", "rates")}
        features = cls(**own, rates="rates" in settings)  # a model of an earlier version has none
        if features.rates:
            features._rates = LabelRates.from_state(settings["rates"], arrays)
        features.slots_ = settings["slots"]
        features.buckets_ = arrays["buckets"]
        features._layout = ScaledLayout.from_arrays(arrays, token_layout_numbers)
        return features


class _Hashed:
    """Buckets of the distinct words of a table, and which word stands where.

    Attributes
    ----------
    word : ndarray of int, shape (tokens,)
        Word of each token.
    places : list of ndarray of int, shape (tokens,)
        Word of each token's neighbour, for each neighbour; -1 where the document has none.
    own : ndarray of int32, shape (words, slots)
        Buckets of a word's features; 0 is none.
    beside : ndarray of int32, shape (words, neighbours)
        Bucket of a word as each neighbour.
    """

    def __init__(self, word: np.ndarray, places: list[np.ndarray], own: np.ndarray, beside: np.ndarray) -> None:
        self.word, self.places, self.own, self.beside = word, places, own, beside

    @classmethod
    def of(cls, table: pd.DataFrame, neighbours: int, ngrams: bool) -> _Hashed:
        word, values = pd.factorize(table["value"])
        words = [normal_form(value) for value in values]
        document = pd.factorize(table["doc_id"])[0]
        steps = [step for step in range(-neighbours, neighbours + 1) if step]
        own = [[_bucket(name) for name in token_features(value, ngrams)] for value in words]
        beside = [[_bucket(f"{step}={value.casefold()}") for step in steps] for value in words]
        return cls(
            word.astype(np.int64),
            [_moved(word, document, step) for step in steps],
            _padded(own),
            np.array(beside, np.int32).reshape(len(words), len(steps)),
        )

    def columns(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return buckets (words, slots) and the word that stands at each token, for itself and each neighbour."""
        return [(self.own, self.word)] + [(self.beside[:, [i]], place) for i, place in enumerate(self.places)]


def _bucket(name: str) -> int:
    return crc32(name.encode("utf-8", "surrogatepass")) % (_BUCKETS - 1) + 1  # 0 is an empty slot


def _padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    table = np.zeros((len(rows), max(map(len, rows), default=0)), np.int32)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table


def _moved(word: np.ndarray, document: np.ndarray, step: int) -> np.ndarray:
    """Return the word ``step`` tokens further in the same document, -1 where there is none."""
    place = np.arange(len(word)) + step
    there = np.clip(place, 0, max(len(word) - 1, 0))
    return np.where((place == there) & (document[there] == document), word[there], _NO_WORD).astype(np.int64)
