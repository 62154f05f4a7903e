"""What all feature families share: the result type, the interface, text normalisation and standard scaling."""

from __future__ import annotations

import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from skol_rnn.data.table import Lines

_SOFT_HYPHEN = "\u00ad"
_TEXTS, _CHARACTERS = 4_000, 1 << 18  # of a block, at most


class LineFeatures(NamedTuple):
    """Features of n rows (lines or tokens): ids (n, slots), 0 for an empty slot, and numbers (n, size)."""

    ids: np.ndarray
    numbers: np.ndarray


@dataclass(eq=False)
class FeatureFamily(ABC):
    """Interface of a family, which is fitted on training rows only; its fields are its options."""

    name = ""  # in a saved model
    vocabulary_size = 0  # ids of a row's own features; these and all ids include the empty slot's 0
    context_slots = 0  # columns with ids of neighbouring tokens
    context_vocabulary_size = 0
    characters = 0  # columns with ids of characters, the last ones
    alphabet_size = 0
    number_names: ClassVar[tuple[str, ...]] = ()  # of the columns of numbers, where they have names

    def fit(self, table: Lines) -> Self:
        """Learn vocabulary and scales from training rows."""
        self.fit_transform(table)
        return self

    @abstractmethod
    def fit_transform(self, table: Lines) -> LineFeatures:
        """Learn from training rows and compute their features."""

    @abstractmethod
    def transform(self, table: Lines) -> LineFeatures:
        """Compute the features of rows, in their order."""

    def described(self, text: str) -> dict[int, tuple[str, str]]:
        """Say what the ids of a row stand for, as kind and text; {} where nothing is known."""
        return {}

    def in_one_bag(self, features: LineFeatures) -> LineFeatures:
        """Return features whose ids of context follow the vocabulary of the rows' own ids; characters are left out."""
        if not self.context_slots:
            return features
        own, context, _ = np.split(features.ids, np.cumsum([self._own_slots(features), self.context_slots]), axis=1)
        context = np.where(context > 0, context + self.vocabulary_size, 0)
        return LineFeatures(np.concatenate([own, context], axis=1), features.numbers)

    def _own_slots(self, features: LineFeatures) -> int:
        return features.ids.shape[1] - self.context_slots - self.characters

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return options and what was fitted as JSON values and arrays, without pickle."""
        values, arrays = self._fitted()
        return {field.name: getattr(self, field.name) for field in fields(self)} | values, arrays

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Rebuild a fitted family from its state."""
        features = cls(**{field.name: values[field.name] for field in fields(cls)})
        features._restore(values, arrays)
        return features

    @abstractmethod
    def _fitted(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]: ...

    @abstractmethod
    def _restore(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None: ...


def dense_features(numbers: np.ndarray) -> LineFeatures:
    """Return features that have numbers and no ids."""
    return LineFeatures(np.zeros((len(numbers), 0), np.int32), numbers)


def normal_form(text: str) -> str:
    """Normalise what scanning and typesetting vary: ligatures, non-breaking spaces, soft hyphens."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text).replace(_SOFT_HYPHEN, "")


def normal_forms(texts: Iterable[str]) -> list[str]:
    """Normalise many texts."""
    # Most are ASCII, and a call for each takes longer than to see that.
    return [text if text.isascii() else normal_form(text) for text in np.asarray(texts, object).tolist()]


def distinct(values: Iterable[Hashable]) -> tuple[np.ndarray, list[Any]]:
    """Return the index of each value among the distinct ones, and these in order of first appearance."""
    every = np.asarray(values, dtype=object).tolist()
    index_of = {value: i for i, value in enumerate(dict.fromkeys(every))}
    return np.fromiter(map(index_of.__getitem__, every), np.int64, len(every)), list(index_of)


def blocks_of(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut texts into blocks that are worked on together: larger ones gain nothing and take memory."""
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    start = characters = 0
    while start < len(texts):
        end = min(int(np.searchsorted(ends, characters + _CHARACTERS, "right")), start + _TEXTS)
        end = max(end, start + 1)
        yield texts[start:end]
        start, characters = end, int(ends[end - 1])


class StandardScaler(NamedTuple):
    """Scale of columns that have mean 0 and standard deviation 1 over the training rows."""

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(cls, numbers: np.ndarray) -> StandardScaler:
        """Learn the mean and standard deviation of each column."""
        rows, size = numbers.shape
        if not rows:
            return cls(np.zeros(size, np.float32), np.ones(size, np.float32))
        # Sums in single precision drift over 10^5 rows and depend on the order of the documents.
        exact = numbers.astype(np.float64)
        deviation = np.maximum(exact.std(axis=0), 1e-3)
        return cls(exact.mean(axis=0).astype(np.float32), deviation.astype(np.float32))

    def transform(self, numbers: np.ndarray, limit: float = 6) -> np.ndarray:
        """Scale columns and clip outliers."""
        return np.clip((numbers - self.mean) / self.scale, -limit, limit).astype(np.float32)
