"""Target encoding: how often words and phrases were in spans of each type, in documents other than their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from zlib import crc32

import numpy as np

from skol_rnn.features.base import StandardScaler
from skol_rnn.features.tokens.table import Tokens, count_in_group

_FOLDS = 10
_PREFIX = 5  # characters of a word that group it with its inflections
_PSEUDO_COUNTS = {
    "word": 5.0,
    "beginning": 10.0,
    "word before": 10.0,
    "word after": 10.0,
    "two words": 2.5,
    "three words": 5.0 / 3.0,
}
"""Keys of a token, and the number of tokens of the overall rates that smooth the rates of each."""
_WORDS = {"two words": 2, "three words": 3}
_MIN_RATE, _MAX_RATE = -3.0, 4.0  # of the logarithm
_MAX_SCALED = 3.0
_MAX_REPEATS = 20
_OUTSIDE = "O"
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 64 bits of the golden ratio spread the keys of phrases


Counts = tuple[np.ndarray, np.ndarray]
"""Training tokens of each type: sorted keys (keys,) and counts (keys, types)."""


class TargetEncoder:
    """Smoothed log ratios of a token's rate of each span type over the overall rate, cross-fitted by document.

    A training document is encoded from the other folds, so that its own labels do not leak into its features.
    """

    def fit_transform(self, tokens: Tokens, labels: Iterable[object]) -> np.ndarray:
        """Count the training tokens, and encode each from the folds that its document is not in."""
        names = [_span_type(label) for label in labels]
        self.types = (*sorted({name for name in names if name} - {_OUTSIDE}), _OUTSIDE)
        index_of = {name: i for i, name in enumerate(self.types)}
        types = np.array([index_of[name] if name else -1 for name in names], np.int64)
        known = types[types >= 0]
        self._prior = (np.bincount(known, minlength=len(self.types)) + 1.0) / (len(known) + len(self.types))
        fold, self._counts, rates = _folds(tokens), {}, {}
        for name, keys in _keys(tokens).items():
            phrase_types = _phrase_types(types, tokens, _WORDS.get(name, 1), len(self.types) - 1)
            self._counts[name], rates[name] = self._cross_fit(name, keys, phrase_types, fold)
        numbers = self._numbers(tokens, rates)
        mean, deviation = np.zeros((2, numbers.shape[1]), np.float32)
        if len(numbers):
            mean, deviation = numbers.mean(axis=0), numbers.std(axis=0)
        self._scaler = StandardScaler(mean, np.where(deviation > 1e-6, 2.0 * deviation, 1.0).astype(np.float32))
        return self._scaler.transform(numbers, _MAX_SCALED)

    def _cross_fit(self, name: str, keys: np.ndarray, types: np.ndarray, fold: np.ndarray) -> tuple[Counts, np.ndarray]:
        """Return the counts of keys worth keeping, and the rates of each token's key outside its fold."""
        distinct, key = np.unique(keys, return_inverse=True)
        known, n_types = types >= 0, len(self.types)

        def count(group: np.ndarray, size: int) -> np.ndarray:
            cells = group[known] * n_types + types[known]
            return np.bincount(cells, minlength=size * n_types).reshape(-1, n_types)

        total = count(key, len(distinct))
        pairs, pair = np.unique(key * _FOLDS + fold, return_inverse=True)
        rates = self._rates(name, total[pairs // _FOLDS] - count(pair, len(pairs)))[pair]
        rates[keys == 0] = 0.0
        kept = _is_informative(total) & (distinct > 0)
        return (distinct[kept], total[kept].astype(np.int32)), rates

    def _rates(self, name: str, counts: np.ndarray) -> np.ndarray:
        """Return log ratios of smoothed rates over the overall ones, (rows, types); 0 for uninformative counts."""
        weight = _PSEUDO_COUNTS[name]
        total = counts.sum(axis=1, keepdims=True)
        rates = np.log((counts + weight * self._prior) / ((total + weight) * self._prior))
        rates = np.clip(rates, _MIN_RATE, _MAX_RATE)
        return np.where(_is_informative(counts)[:, None], rates, 0.0).astype(np.float32)

    def transform(self, tokens: Tokens) -> np.ndarray:
        """Encode tokens from the counts of all training documents."""
        rates = {}
        for name, keys in _keys(tokens).items():
            known, counts = self._counts[name]
            row = np.searchsorted(known, keys)
            is_known = np.append(known, np.uint64(0))[row] == keys
            unknown = np.zeros((1, len(self.types)), np.int32)  # row -1
            rates[name] = self._rates(name, np.append(counts, unknown, axis=0))[np.where(is_known, row, -1)]
        return self._scaler.transform(self._numbers(tokens, rates), _MAX_SCALED)

    def _numbers(self, tokens: Tokens, rates: Mapping[str, np.ndarray]) -> np.ndarray:
        def phrase_maximum(values: np.ndarray, words: int) -> np.ndarray:
            """Return the maximum over the phrases that a token is part of."""
            return np.max([tokens.shifted(values, steps) for steps in range(words)], axis=0)

        keys, word, two = _keys(tokens), rates["word"], rates["two words"]
        parts = [word, rates["beginning"], rates["word before"], rates["word after"], two, tokens.shifted(two, 1)]
        parts.append(phrase_maximum(rates["three words"], 3))
        parts += [_group_means(word, group) for group in (tokens.sentence, tokens.document)]
        parts += [phrase_maximum(_repeats(keys[name], tokens), words) for name, words in _WORDS.items()]
        return np.concatenate(parts, axis=1)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted; the names are those of earlier versions."""
        arrays = {"rates/prior": self._prior, "rates/mean": self._scaler.mean, "rates/scale": self._scaler.scale}
        for name, (keys, counts) in self._counts.items():
            arrays |= {f"rates/keys/{name}": keys, f"rates/counts/{name}": counts}
        return {"kinds": list(self.types)}, arrays

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> TargetEncoder:
        """Rebuild a fitted encoder."""
        encoder = cls()
        encoder.types, encoder._prior = tuple(settings["kinds"]), arrays["rates/prior"]
        encoder._scaler = StandardScaler(arrays["rates/mean"], arrays["rates/scale"])
        saved = {name: (f"rates/keys/{name}", f"rates/counts/{name}") for name in _PSEUDO_COUNTS}
        encoder._counts = {name: (arrays[keys], arrays[counts]) for name, (keys, counts) in saved.items()}
        return encoder


def _keys(tokens: Tokens) -> dict[str, np.ndarray]:
    """Return the keys of each token's words and phrases, 0 where it has none."""
    lower = [word.casefold() for word in tokens.words]
    word = np.array([_key(text) for text in lower], np.uint64)[tokens.word]
    beginning = np.array([_key(text[:_PREFIX]) for text in lower], np.uint64)[tokens.word]
    before, after, two = tokens.shifted(word, 1), tokens.shifted(word, -1), _phrase_keys(word, word, tokens, 1)
    keys = (word, beginning, before, after, two, _phrase_keys(two, word, tokens, 2))
    return dict(zip(_PSEUDO_COUNTS, keys, strict=True))


def _key(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass")) + 1


def _phrase_keys(first: np.ndarray, word: np.ndarray, tokens: Tokens, steps: int) -> np.ndarray:
    """Return keys of what begins at each token and the word ``steps`` after it."""
    last = tokens.shifted(word, -steps)
    return np.where((first > 0) & (last > 0), np.maximum((first * _GOLDEN) ^ last, 1), 0).astype(np.uint64)


def _span_type(label: object) -> str | None:
    """Return the type of a BIO or BIOES label, any other label as it is, and None for a token without one."""
    if not isinstance(label, str):
        return None
    return label[2:] if label[1:2] == "-" and label[0] in "BIES" else label


def _phrase_types(types: np.ndarray, tokens: Tokens, words: int, outside: int) -> np.ndarray:
    """Return the type that the words of a phrase share, ``outside`` if they differ, -1 if one has no label."""
    result = types
    for steps in range(1, words):
        later = tokens.shifted(types, -steps, fill=-1)
        result = np.where((result < 0) | (later < 0), -1, np.where(result == later, result, outside))
    return result


def _is_informative(counts: np.ndarray) -> np.ndarray:
    """Return which rows of counts, (rows, types), were seen twice, or once in a span."""
    return (counts.sum(axis=1) >= 2) | (counts[:, :-1].sum(axis=1) >= 1)


def _folds(tokens: Tokens) -> np.ndarray:
    """Assign documents to folds by their text: copies share a fold, whatever the order of documents."""
    documents = np.split(tokens.values, np.flatnonzero(tokens.starts_document)[1:])
    texts = np.array([crc32("\n".join(words).encode("utf-8", "surrogatepass")) for words in documents], np.int64)
    return (np.unique(texts, return_inverse=True)[1] % _FOLDS)[tokens.document]


def _repeats(keys: np.ndarray, tokens: Tokens) -> np.ndarray:
    """Return the logarithm of how often each phrase is in its document, (tokens, 1)."""
    counts = count_in_group(tokens.document, np.unique(keys, return_inverse=True)[1])
    logarithm = np.log(np.minimum(counts, _MAX_REPEATS)).astype(np.float32)
    return np.where(keys > 0, logarithm, np.float32(0))[:, None]


def _group_means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the mean of values (tokens, n) over each token's group."""
    if not len(values):
        return values
    means = [np.bincount(group, column) / np.bincount(group) for column in values.T]
    return np.stack(means, axis=1)[group].astype(np.float32)
