"""Hashed words, shapes, affixes and character n-grams of a token, and those of its context, for embedding bags."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from zlib import crc32

import numpy as np

from skol_rnn.data.table import Lines
from skol_rnn.features.base import FeatureFamily, LineFeatures, StandardScaler
from skol_rnn.features.hashing import BucketVocabulary
from skol_rnn.features.tokens.layout import token_layout_numbers
from skol_rnn.features.tokens.table import Tokens
from skol_rnn.features.tokens.target_encoding import TargetEncoder

_BUCKETS = 1 << 24  # as for lines: collisions among some 10^5 kept features are rare
_NGRAMS = (3, 4)  # characters
_AFFIXES = (2, 3, 4)  # characters
_MAX_CHARACTERS = 24  # of a word that is cut into n-grams
_MIN_DOCUMENTS, _MAX_FEATURES, _MAX_CONTEXT_FEATURES = 2, 60_000, 120_000
_STEPS = (-2, -1, 1, 2)  # from a token to the tokens of its context

Column = tuple[np.ndarray, np.ndarray]
"""Buckets (rows, slots), 0 for none, and each token's row."""


def token_features(word: str, ngrams: bool = False) -> list[str]:
    """Name the features of a token that do not depend on its context."""
    lower = word.casefold()
    names = ["w=" + lower, "W=" + word, "s=" + shape(word)]
    if lower.isalpha():
        for n in _AFFIXES:
            names += ["p=" + lower[:n], "e=" + lower[-n:]] if len(lower) > n else []
        if ngrams and len(lower) > _NGRAMS[0]:
            marked = f"<{lower[:_MAX_CHARACTERS]}>"
            names += ["g=" + marked[i : i + n] for n in _NGRAMS for i in range(len(marked) - n + 1)]
    return list(dict.fromkeys(names))


@lru_cache(maxsize=1 << 15)
def shape(word: str) -> str:
    """Write each run of equal kinds of characters as one: X capitals, x small letters, 0 digits, others themselves."""
    kinds = ["X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word]
    return "".join(kind for i, kind in enumerate(kinds) if i == 0 or kind != kinds[i - 1])[:12]


class TokenFeatures(FeatureFamily):
    """Bags of hashed features of a token and its context, layout numbers, and target encoding if there are labels."""

    name = "token-hashed"
    ngrams = False
    context_slots = 2 * len(_STEPS) + 2

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Choose the features to keep, learn scales and target encoding, and transform the same tokens."""
        tokens = Tokens(table)
        layout = token_layout_numbers(tokens)
        self._scaler = StandardScaler.fit(layout)
        numbers = [self._scaler.transform(layout)]
        self._encoder = TargetEncoder() if "label" in table else None
        if self._encoder:
            numbers.append(self._encoder.fit_transform(tokens, table["label"]))
        own, context = _own_column(tokens, self.ngrams), _context_columns(tokens)
        vocabulary = _vocabulary([own], tokens.document, _MAX_FEATURES)
        self._keep(vocabulary, _vocabulary(context, tokens.document, _MAX_CONTEXT_FEATURES))
        self._slots = int((self._vocabulary.index(own[0]) >= 0).sum(axis=1).max(initial=0))
        self._fit_extension(tokens)
        return self._extended(LineFeatures(self._ids(own, context), np.concatenate(numbers, axis=1)), tokens)

    def _keep(self, own: BucketVocabulary, context: BucketVocabulary) -> None:
        self._vocabulary, self._context_vocabulary, self.buckets_ = own, context, own.buckets
        self.vocabulary_size, self.context_vocabulary_size = len(own) + 1, len(context) + 1

    def transform(self, table: Lines) -> LineFeatures:
        """Look up the ids of each token and compute its numbers."""
        tokens = Tokens(table)
        numbers = [self._scaler.transform(token_layout_numbers(tokens))]
        if self._encoder:
            numbers.append(self._encoder.transform(tokens))
        ids = self._ids(_own_column(tokens, self.ngrams), _context_columns(tokens))
        return self._extended(LineFeatures(ids, np.concatenate(numbers, axis=1)), tokens)

    def _fit_extension(self, tokens: Tokens) -> None:
        """Fit what a derived family adds."""

    def _extended(self, hashed: LineFeatures, tokens: Tokens) -> LineFeatures:
        """Append the columns of a derived family."""
        return hashed

    def _ids(self, own: Column, context: Sequence[Column]) -> np.ndarray:
        """Return the ids of each token and of its context, (tokens, slots + context slots)."""
        ids = self._vocabulary.index(own[0]) + 1
        # Ids move to the front, in their order, so that few slots stay empty.
        ids = np.take_along_axis(ids, np.argsort(ids == 0, axis=1, kind="stable"), axis=1)[:, : self._slots]
        ids = np.pad(ids, ((0, 0), (0, self._slots - ids.shape[1])))
        context_ids = [(self._context_vocabulary.index(buckets) + 1)[row] for buckets, row in context]
        return np.concatenate([ids[own[1]], *context_ids], axis=1).astype(np.int32)

    def _fitted(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        values: dict[str, Any] = {
            "min_documents": _MIN_DOCUMENTS,
            "max_features": _MAX_FEATURES,
            "max_beside": _MAX_CONTEXT_FEATURES,  # here and below, names are those of earlier versions
            "ngrams": self.ngrams,
            "slots": self._slots,
        }
        own, context = self._vocabulary.buckets, self._context_vocabulary.buckets
        arrays = {"buckets": own, "beside_buckets": context, **self._scaler._asdict()}
        if self._encoder:
            values["rates"], encoding = self._encoder.state()
            arrays |= encoding
        return values, arrays

    def _restore(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._slots = values["slots"]
        self._encoder = TargetEncoder.from_state(values["rates"], arrays) if "rates" in values else None
        self._keep(BucketVocabulary(arrays["buckets"]), BucketVocabulary(arrays["beside_buckets"]))
        self._scaler = StandardScaler(arrays["mean"], arrays["scale"])


class NgramFeatures(TokenFeatures):
    """Hashed features with character n-grams."""

    name = "token-ngrams"
    ngrams = True


def _own_column(tokens: Tokens, ngrams: bool) -> Column:
    rows = [[_bucket(name) for name in token_features(word, ngrams)] for word in tokens.words]
    buckets = np.zeros((len(rows), max(map(len, rows), default=0)), np.int32)
    for i, row in enumerate(rows):
        buckets[i, : len(row)] = row
    return buckets, tokens.word


def _context_columns(tokens: Tokens) -> list[Column]:
    """Hash word and shape of neighbouring tokens, and the word pairs with the next and the previous token."""
    words, shapes = [word.casefold() for word in tokens.words], [shape(word) for word in tokens.words]
    columns = []
    for step in _STEPS:
        row = tokens.shifted(tokens.word, -step, fill=-1)
        columns += [_column(f"{step}=", words, row), _column(f"{step}s=", shapes, row)]
    second = tokens.shifted(tokens.word, -1, fill=-1)
    has_pair = second >= 0
    pairs, index = np.unique(tokens.word[has_pair] * len(words) + second[has_pair], return_inverse=True)
    row = np.full(len(tokens), -1, np.int64)
    row[has_pair] = index
    names = [f"{words[pair // len(words)]} {words[pair % len(words)]}" for pair in pairs.tolist()]
    return [*columns, _column("b=", names, row), _column("a=", names, tokens.shifted(row, 1, fill=-1))]


def _column(kind: str, names: Sequence[str], row: np.ndarray) -> Column:
    # Row -1 is the last one, which is empty.
    return np.array([[_bucket(kind + name)] for name in names] + [[0]], np.int32), row


def _bucket(name: str) -> int:
    return crc32(name.encode("utf-8", "surrogatepass")) % (_BUCKETS - 1) + 1  # 0 is an empty slot


def _vocabulary(columns: Sequence[Column], document: np.ndarray, max_features: int) -> BucketVocabulary:
    """Keep the buckets that occur in most documents."""
    n_documents, pairs = int(document.max(initial=0)) + 1, []  # distinct pairs of bucket and document
    for buckets, row in columns:
        seen = np.unique((row % max(len(buckets), 1)) * n_documents + document)
        keys = buckets[seen // n_documents].astype(np.int64) * n_documents + (seen % n_documents)[:, None]
        pairs.append(np.unique(keys[keys >= n_documents]))  # bucket 0 is no feature
    buckets, counts = np.unique(np.unique(np.concatenate(pairs)) // n_documents, return_counts=True)
    return BucketVocabulary.most_frequent(buckets, counts, _MIN_DOCUMENTS, max_features)
