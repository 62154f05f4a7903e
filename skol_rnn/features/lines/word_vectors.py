"""Word vectors trained by gensim on the training lines, averaged or inferred for each line.

The vectors of a line are computed with NumPy from saved arrays, one line at a time, so that they do not depend on
other lines, on threads or on whether the model was saved and loaded.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, ClassVar, Self
from zlib import crc32

import numpy as np

from skol_rnn.features.base import StandardScaler
from skol_rnn.features.lines.words import WordFeatures

_SUBWORD_LENGTHS = (3, 6)  # characters of fastText's n-grams
_SUBWORD_BUCKETS = 20_000
_NEGATIVES = 5  # noise words for each word, as in training
_NOISE_WORDS = 100
_INFERENCE_STEPS = 10
_SHRINKAGE = np.float32(0.1)


def _stable_hash(word: str) -> int:
    return crc32(word.encode())  # Python's own hash of text differs between processes


@dataclass(frozen=True)
class LineVectors(ABC):
    """Trained vectors of words, and the rule that makes a line's vector of them."""

    vocabulary: list[str]
    vectors: np.ndarray
    arrays: ClassVar[tuple[str, ...]]  # names of the arrays in a saved model

    @classmethod
    def train(cls, lines: list[list[str]], *, size: int, epochs: int, min_count: int, seed: int) -> Self:
        """Train on the words of lines; if no word is frequent enough, all vectors are zeros."""
        if max(Counter(chain.from_iterable(lines)).values(), default=0) < min_count:  # gensim needs a word
            return cls([], *(np.zeros((0, size), np.float32) for _ in cls.arrays))
        options = {"vector_size": size, "epochs": epochs, "min_count": min_count, "seed": seed, "negative": _NEGATIVES}
        logger = logging.getLogger("gensim")  # which warns of little training data
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            # With more than one worker, the vectors depend on the timing of threads.
            return cls._train(lines, {**options, "workers": 1, "hashfxn": _stable_hash})
        finally:
            logger.setLevel(level)

    @classmethod
    @abstractmethod
    def _train(cls, lines: list[list[str]], options: dict[str, Any]) -> Self: ...

    @abstractmethod
    def of_line(self, words: Sequence[str]) -> np.ndarray:
        """Return the vector of a line, float32 of shape (size,)."""

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return the vocabulary as a JSON value, and the arrays."""
        arrays = (getattr(self, field.name) for field in fields(self)[1:])
        return {"vocabulary": self.vocabulary}, dict(zip(self.arrays, arrays, strict=True))

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Rebuild trained vectors."""
        return cls(values["vocabulary"], *(arrays[name] for name in cls.arrays))

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.vocabulary)}

    def _rows(self, words: Sequence[str]) -> list[int]:
        return [self._row_of[word] for word in words if word in self._row_of]


@dataclass(frozen=True)
class WordMeans(LineVectors):
    """Mean of word2vec vectors (skip-gram); an unknown word counts as zeros."""

    arrays = ("vectors",)

    @classmethod
    def _train(cls, lines: list[list[str]], options: dict[str, Any]) -> WordMeans:
        from gensim.models import Word2Vec

        model = Word2Vec(lines, sg=1, **options)
        return cls(list(model.wv.index_to_key), model.wv.vectors)

    def of_line(self, words: Sequence[str]) -> np.ndarray:
        """Return the mean of the words' vectors."""
        return self.vectors[self._rows(words)].sum(axis=0) / np.float32(max(len(words), 1))


@dataclass(frozen=True)
class SubwordMeans(LineVectors):
    """Mean of fastText vectors (skip-gram); an unknown word is the mean of its character n-grams."""

    ngram_vectors: np.ndarray
    arrays = ("vectors", "ngram_vectors")

    @classmethod
    def _train(cls, lines: list[list[str]], options: dict[str, Any]) -> SubwordMeans:
        from gensim.models import FastText

        shortest, longest = _SUBWORD_LENGTHS
        model = FastText(sentences=lines, sg=1, min_n=shortest, max_n=longest, bucket=_SUBWORD_BUCKETS, **options)
        return cls(list(model.wv.index_to_key), model.wv.vectors, model.wv.vectors_ngrams)

    def of_word(self, word: str) -> np.ndarray:
        """Return the vector of a word; zeros for an unknown word without n-grams."""
        row = self._row_of.get(word)
        if row is not None:
            return self.vectors[row]
        buckets = list(ngram_buckets(word, len(self.ngram_vectors))) if len(self.ngram_vectors) else []
        return self.ngram_vectors[buckets].sum(axis=0) / np.float32(max(len(buckets), 1))

    def of_line(self, words: Sequence[str]) -> np.ndarray:
        """Return the mean of the words' vectors."""
        vectors = [self.of_word(word) for word in words] or np.zeros((1, self.vectors.shape[1]), np.float32)
        return np.mean(vectors, axis=0)


@lru_cache(maxsize=1 << 15)
def ngram_buckets(word: str, buckets: int) -> tuple[int, ...]:
    """Hash the character n-grams of ``<word>`` as fastText does, by 32-bit FNV-1a over signed bytes."""
    shortest, longest = _SUBWORD_LENGTHS
    characters = [character.encode() for character in f"<{word}>"]
    found = []
    for first in range(len(characters)):
        value = 2166136261
        for length, character in enumerate(characters[first : first + longest], start=1):
            for byte in character:
                signed = byte | 0xFFFFFF00 if byte > 127 else byte
                value = (value ^ signed) * 16777619 & 0xFFFFFFFF
            if length >= shortest:
                found.append(value % buckets)
    return tuple(found)


@dataclass(frozen=True)
class InferredVectors(LineVectors):
    """Lines as paragraphs of doc2vec's distributed bag of words (PV-DBOW, Le and Mikolov 2014)."""

    noise: np.ndarray
    arrays = ("weights", "noise")

    @classmethod
    def _train(cls, lines: list[list[str]], options: dict[str, Any]) -> InferredVectors:
        from gensim.models.doc2vec import Doc2Vec, TaggedDocument

        model = Doc2Vec([TaggedDocument(words, [i]) for i, words in enumerate(lines)], dm=0, **options)
        vocabulary = list(model.wv.index_to_key)
        frequency = np.asarray([model.wv.get_vecattr(word, "count") for word in vocabulary]) ** 0.75
        draw = np.random.default_rng(options["seed"]).choice
        noise = draw(len(frequency), _NOISE_WORDS, p=frequency / frequency.sum())
        return cls(vocabulary, model.syn1neg, noise.astype(np.int32))

    def of_line(self, words: Sequence[str]) -> np.ndarray:
        """Infer the vector of a line by gradient ascent; zeros if no word is known."""
        vector, known = np.zeros(self.vectors.shape[1], np.float32), self.vectors[self._rows(words)]
        if not len(known):
            return vector
        noise = self.vectors[self.noise]
        share = np.float32(_NEGATIVES * len(known) / len(noise))
        # The gradient's slope is at most a quarter of the squared vectors and the shrinkage: no step overshoots.
        squares = np.einsum("ij,ij->", known, known) + share * np.einsum("ij,ij->", noise, noise)
        step = np.float32(1) / (squares / np.float32(4) + _SHRINKAGE)
        for _ in range(_INFERENCE_STEPS):
            # einsum, not matrix products: those may sum in another order with another number of threads.
            pull = np.einsum("i,ij->j", _logistic(-np.einsum("ij,j->i", known, vector)), known)
            push = np.einsum("i,ij->j", _logistic(np.einsum("ij,j->i", noise, vector)), noise)
            vector += step * (pull - share * push - _SHRINKAGE * vector)
        return vector


def _logistic(score: np.ndarray) -> np.ndarray:
    return (np.tanh(score / 2) + 1) / 2  # without the overflow of exp


METHODS: dict[str, type[LineVectors]] = {"word2vec": WordMeans, "fasttext": SubwordMeans, "doc2vec": InferredVectors}
"""How a line gets its vector, by the name of the family."""


@dataclass(eq=False)
class WordVectorFeatures(WordFeatures):
    """Vectors of lines from word2vec, fastText or doc2vec, and layout numbers."""

    method: str = "word2vec"
    input_size: int = 300
    epochs: int = 5
    min_count: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        self.name, self._class = self.method, METHODS[self.method]

    def _fit_words(self, lines: list[list[str]]) -> None:
        self._vectors = self._class.train(
            lines, size=self.input_size, epochs=self.epochs, min_count=self.min_count, seed=self.seed
        )

    def _numbers(self, lines: list[list[str]], layout: np.ndarray) -> np.ndarray:
        vectors = np.array([self._vectors.of_line(words) for words in lines], np.float32)
        return np.concatenate([vectors.reshape(len(lines), self.input_size), layout], axis=1)

    def _fitted(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        values, arrays = self._vectors.state()
        return values, arrays | self._scaler._asdict()

    def _restore(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._vectors = self._class.from_state(values, arrays)
        self._scaler = StandardScaler(arrays["mean"], arrays["scale"])
