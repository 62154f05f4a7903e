"""How often words and phrases were in spans of each type, in documents other than the one that is described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd

from skol_rnn.features.base import normal_form
from skol_rnn.features.tokens.layout import sentences, shifted

_FOLDS = 10
_PREFIX = 5  # characters of a word that stand for its kin
_PSEUDO_COUNTS = {
    "word": 5.0,
    "beginning": 10.0,
    "word before": 10.0,
    "word after": 10.0,
    "two words": 2.5,
    "three words": 5.0 / 3.0,
}
"""Tokens' worth of belief in the overall rates, by what is counted."""
_LEAST, _MOST = -3.0, 4.0  # of a rate's logarithm
_LARGEST = 3.0
_OFTEN = 20
_OUTSIDE = "O"
_UNSEEN = -1
_MIX = np.uint64(0x9E3779B97F4A7C15)  # the golden ratio's 64 bits: spreads the keys of phrases


class _Counts(NamedTuple):
    """Tokens of each kind that each key had in training: keys (keys,), rising, and counts (keys, kinds)."""

    keys: np.ndarray
    counts: np.ndarray

    def rows(self, keys: np.ndarray) -> np.ndarray:
        """Return the row of each key, -1 for one that is not there."""
        if not len(self.keys):
            return np.full(len(keys), _UNSEEN)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[place] == keys, place, _UNSEEN)


class LabelRates:
    """Logarithms of how much more often than others a word, its beginning, or a phrase was in spans of each type."""

    kinds: tuple[str, ...] = ()

    def fit(self, table: pd.DataFrame) -> LabelRates:
        """Count the training tokens."""
        self.fit_transform(table)
        return self

    def fit_transform(self, table: pd.DataFrame) -> np.ndarray:
        """Count the training tokens, and describe each by the counts of the folds that its document is not in."""
        names = [_kind(label) for label in table["label"]]
        self.kinds = (*sorted({name for name in names if name} - {_OUTSIDE}), _OUTSIDE)
        place = {name: i for i, name in enumerate(self.kinds)}
        kind = np.array([place[name] if name else _UNSEEN for name in names], np.int64)
        self._prior = (np.bincount(kind[kind >= 0], minlength=len(self.kinds)) + 1.0) / ((kind >= 0).sum() + len(place))
        texts = _Texts(table)
        fold, self._counts, rates = _folds(table, texts.document), {}, {}
        for name, keys in texts.keys.items():
            own = _common(kind, len(self.kinds) - 1, texts.document, texts.words[name])
            self._counts[name], rates[name] = self._counted(name, keys, own, fold)
        numbers = self._numbers(texts, rates)
        self._mean = numbers.mean(axis=0) if len(numbers) else np.zeros(numbers.shape[1], np.float32)
        deviation = numbers.std(axis=0) if len(numbers) else np.zeros(numbers.shape[1], np.float32)
        self._scale = np.where(deviation > 1e-6, 2.0 * deviation, 1.0).astype(np.float32)
        return self._scaled(numbers)

    def _counted(self, name: str, keys: np.ndarray, kind: np.ndarray, fold: np.ndarray) -> tuple[_Counts, np.ndarray]:
        """Count the keys that are worth keeping, and find the rates of each token's key out of its fold."""
        found, code = np.unique(keys, return_inverse=True)
        known, n_kinds = kind >= 0, len(self.kinds)
        every = np.bincount(code[known] * n_kinds + kind[known], minlength=len(found) * n_kinds).reshape(-1, n_kinds)
        pairs, pair = np.unique(code * _FOLDS + fold, return_inverse=True)
        here = np.bincount(pair[known] * n_kinds + kind[known], minlength=len(pairs) * n_kinds).reshape(-1, n_kinds)
        rates = self._rates(name, every[pairs // _FOLDS] - here)[pair]
        kept = _telling(every) & (found > 0)
        rates[keys == 0] = 0.0
        return _Counts(found[kept], every[kept].astype(np.int32)), rates

    def _rates(self, name: str, counts: np.ndarray) -> np.ndarray:
        """Return the logarithms of smoothed rates over the overall ones, (rows, kinds); 0 for what tells nothing."""
        belief = _PSEUDO_COUNTS[name]
        total = counts.sum(axis=1, keepdims=True)
        rates = np.log((counts + belief * self._prior) / ((total + belief) * self._prior))
        return np.where(_telling(counts)[:, None], np.clip(rates, _LEAST, _MOST), 0.0).astype(np.float32)

    def transform(self, table: pd.DataFrame) -> np.ndarray:
        """Describe tokens by the counts of all training documents."""
        texts, rates = _Texts(table), {}
        for name, keys in texts.keys.items():
            counts = self._counts[name]
            every = self._rates(name, np.append(counts.counts, np.zeros((1, len(self.kinds)), np.int32), axis=0))
            rates[name] = every[counts.rows(keys)]  # row -1 is the last, of zeros
        return self._scaled(self._numbers(texts, rates))

    def _numbers(self, texts: _Texts, rates: Mapping[str, np.ndarray]) -> np.ndarray:
        word, two, three = rates["word"], rates["two words"], rates["three words"]
        phrase = np.maximum(three, np.maximum(texts.moved(three, 1), texts.moved(three, 2)))
        often = [texts.often(name) for name in ("two words", "three words")]
        often[0] = np.maximum(often[0], texts.moved(often[0], 1))
        often[1] = np.maximum(often[1], np.maximum(texts.moved(often[1], 1), texts.moved(often[1], 2)))
        parts = [word, rates["beginning"], rates["word before"], rates["word after"], two, texts.moved(two, 1), phrase]
        parts += [_means(word, group) for group in (texts.sentence, texts.document)]
        return np.concatenate([*parts, *often], axis=1)

    def _scaled(self, numbers: np.ndarray) -> np.ndarray:
        scaled = (numbers - self._mean) / self._scale
        return np.clip(scaled, -_LARGEST, _LARGEST).astype(np.float32)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted."""
        arrays = {"rates/prior": self._prior, "rates/mean": self._mean, "rates/scale": self._scale}
        for name, counts in self._counts.items():
            arrays |= {f"rates/keys/{name}": counts.keys, f"rates/counts/{name}": counts.counts}
        return {"kinds": list(self.kinds)}, arrays

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> LabelRates:
        """Rebuild fitted rates."""
        rates = cls()
        rates.kinds = tuple(settings["kinds"])
        rates._prior, rates._mean, rates._scale = (arrays[f"rates/{name}"] for name in ("prior", "mean", "scale"))
        rates._counts = {
            name: _Counts(arrays[f"rates/keys/{name}"], arrays[f"rates/counts/{name}"]) for name in _PSEUDO_COUNTS
        }
        return rates


class _Texts:
    """Keys of the words and phrases of a table."""

    def __init__(self, table: pd.DataFrame) -> None:
        code, values = pd.factorize(table["value"])
        lower = [normal_form(value).casefold() for value in values]
        self.document = pd.factorize(table["doc_id"])[0]
        self.sentence = sentences(table) if len(table) else np.zeros(0, np.int64)
        word, beginning = (
            np.array([_key(text) for text in texts], np.uint64)[code]
            for texts in (lower, [text[:_PREFIX] for text in lower])
        )
        two = _joined(word, word, self.document, 1)
        before, after = (shifted(word, self.document, steps) for steps in (1, -1))
        self.keys = {
            "word": word,
            "beginning": beginning,
            "word before": before,
            "word after": after,
            "two words": two,
            "three words": _joined(two, word, self.document, 2),
        }
        self.words = {**dict.fromkeys(self.keys, 1), "two words": 2, "three words": 3}

    def moved(self, values: np.ndarray, steps: int) -> np.ndarray:
        """Return the values (tokens, n) of the token so many steps before, 0 where the document has none."""
        return shifted(values, self.document, steps)

    def often(self, name: str) -> np.ndarray:
        """Return the logarithm of how often each phrase stands in its document, (tokens, 1)."""
        code = np.unique(self.keys[name], return_inverse=True)[1]
        pair = self.document * (code.max(initial=0) + 1) + code
        _, inverse, counts = np.unique(pair, return_inverse=True, return_counts=True)
        times = np.log(np.minimum(counts, _OFTEN)).astype(np.float32)[inverse]
        return np.where(self.keys[name] > 0, times, np.float32(0))[:, None]


def _key(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass")) + 1  # 0 is no key


def _joined(first: np.ndarray, word: np.ndarray, document: np.ndarray, steps: int) -> np.ndarray:
    """Make keys of what begins at each token and the word so many steps after it."""
    keys = np.zeros(len(first), np.uint64)
    if len(first) > steps:
        same = (document[steps:] == document[:-steps]) & (first[:-steps] > 0)
        mixed = (first[:-steps] * _MIX) ^ word[steps:]
        keys[:-steps] = np.where(same, np.maximum(mixed, 1), 0)
    return keys


def _kind(label: Any) -> str | None:
    """Return the type of a BIO or BIOES label, any other label as it is, and None for a token without one."""
    if not isinstance(label, str):
        return None
    return label[2:] if label[1:2] == "-" and label[0] in "BIES" else label


def _common(kind: np.ndarray, outside: int, document: np.ndarray, words: int) -> np.ndarray:
    """Return the kind of each phrase: that of its words if they share it, else outside; -1 where one has none."""
    result = kind.copy()
    for steps in range(1, words):
        later = np.full(len(kind), _UNSEEN)
        later[: max(len(kind) - steps, 0)] = np.where(document[steps:] == document[:-steps], kind[steps:], _UNSEEN)
        missing = (result < 0) | (later < 0)
        result = np.where(missing, _UNSEEN, np.where(result == later, result, outside))
    return result


def _telling(counts: np.ndarray) -> np.ndarray:
    """Tell which rows of counts, (rows, kinds), are of what was seen twice, or once in a span."""
    return (counts.sum(axis=1) >= 2) | (counts[:, :-1].sum(axis=1) >= 1)


def _folds(table: pd.DataFrame, document: np.ndarray) -> np.ndarray:
    """Deal the documents to folds by their text: copies of one are never told by each other, whatever the order."""
    rows = np.split(table["value"].to_numpy(), _starts(document))
    texts = np.array([crc32("\n".join(words).encode("utf-8", "surrogatepass")) for words in rows], np.int64)
    order = np.unique(texts, return_inverse=True)[1]
    return (order % _FOLDS)[document]


def _starts(document: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.diff(document)) + 1


def _means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the mean of the values (tokens, n) over each token's group."""
    if not len(values):
        return values
    size = np.bincount(group)
    sums = [np.bincount(group, column) / size for column in values.T]
    return np.stack(sums, axis=1)[group].astype(np.float32)
