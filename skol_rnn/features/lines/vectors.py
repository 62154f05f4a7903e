"""Vectors of lines from the words in them: gensim trains, NumPy alone computes.

Each class here is trained once and is then a pure function of the arrays it holds, line by line, so that a line's
vector does not depend on the lines beside it, on threads, or on whether the model was saved and loaded in between.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, ClassVar
from zlib import crc32

import numpy as np

from skol_rnn.features.base import normal_form

_WORD = re.compile(r"\w+")
_MAX_WORDS = 1000  # bounds the work on a line that is a whole file

_SUBWORD_LENGTHS = (3, 6)  # characters of fastText's n-grams
_SUBWORD_BUCKETS = 20_000
_NEGATIVES = 5  # noise words for each word, as in training
_NOISE_WORDS = 100
_INFERENCE_STEPS = 10
_SHRINKAGE = np.float32(0.1)


def lower_words(text: str) -> list[str]:
    """Cut a line into lower-case words."""
    return _WORD.findall(normal_form(text).lower())[:_MAX_WORDS]


@dataclass(frozen=True)
class Training:
    """How word vectors are trained."""

    size: int
    epochs: int
    min_count: int
    seed: int

    def has_words(self, lines: list[list[str]]) -> bool:
        """Return whether any word is frequent enough; gensim refuses to train without one."""
        return any(count >= self.min_count for count in Counter(chain.from_iterable(lines)).values())

    def options(self) -> dict[str, Any]:
        """Return the arguments that gensim's three models share."""
        return {
            "vector_size": self.size,
            "epochs": self.epochs,
            "min_count": self.min_count,
            "seed": self.seed,
            "workers": 1,  # with more, the threads' timing would be in the vectors
            "hashfxn": _stable_hash,
            "negative": _NEGATIVES,
        }


def _stable_hash(word: str) -> int:
    # Python's own hash of text changes from process to process.
    return crc32(word.encode())


@contextmanager
def _quiet_gensim() -> Iterator[None]:
    # gensim warns of little data by the logging module, which prints where the caller has set up nothing.
    logger = logging.getLogger("gensim")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@dataclass(frozen=True)
class _Vocabulary:
    vocabulary: list[str]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.vocabulary)}

    def _rows(self, words: Sequence[str]) -> list[int]:
        return [self._row_of[word] for word in words if word in self._row_of]


@dataclass(frozen=True)
class WordMeans(_Vocabulary):
    """Mean of word2vec vectors (skip-gram); a word that is not known counts as zeros."""

    vectors: np.ndarray
    arrays: ClassVar[tuple[str, ...]] = ("vectors",)

    @classmethod
    def train(cls, lines: list[list[str]], training: Training) -> WordMeans:
        """Train gensim's Word2Vec on the words of lines."""
        if not training.has_words(lines):
            return cls([], np.zeros((0, training.size), np.float32))
        from gensim.models import Word2Vec

        with _quiet_gensim():
            model = Word2Vec(lines, sg=1, **training.options())
        return cls(list(model.wv.index_to_key), model.wv.vectors)

    def of_line(self, words: Sequence[str]) -> np.ndarray:
        """Return the vector of a line, float32 of shape (size,); zeros if no word is known."""
        return self.vectors[self._rows(words)].sum(axis=0) / np.float32(max(len(words), 1))


@dataclass(frozen=True)
class SubwordMeans(_Vocabulary):
    """Mean of fastText vectors (skip-gram); a word that is not known is the mean of its character n-grams."""

    vectors: np.ndarray
    ngram_vectors: np.ndarray
    arrays: ClassVar[tuple[str, ...]] = ("vectors", "ngram_vectors")

    @classmethod
    def train(cls, lines: list[list[str]], training: Training) -> SubwordMeans:
        """Train gensim's FastText on the words of lines."""
        if not training.has_words(lines):
            return cls([], np.zeros((0, training.size), np.float32), np.zeros((1, training.size), np.float32))
        from gensim.models import FastText

        shortest, longest = _SUBWORD_LENGTHS
        subwords = {"min_n": shortest, "max_n": longest, "bucket": _SUBWORD_BUCKETS}
        with _quiet_gensim():
            model = FastText(sentences=lines, sg=1, **subwords, **training.options())
        return cls(list(model.wv.index_to_key), model.wv.vectors, model.wv.vectors_ngrams)

    def of_word(self, word: str) -> np.ndarray:
        """Return the vector of a word, float32 of shape (size,); zeros if it is too short for an n-gram."""
        row = self._row_of.get(word)
        if row is not None:
            return self.vectors[row]
        buckets = list(ngram_buckets(word, len(self.ngram_vectors)))
        return self.ngram_vectors[buckets].sum(axis=0) / np.float32(max(len(buckets), 1))

    def of_line(self, words: Sequence[str]) -> np.ndarray:
        """Return the vector of a line, float32 of shape (size,)."""
        vectors = [self.of_word(word) for word in words] or np.zeros((1, self.vectors.shape[1]), np.float32)
        return np.mean(vectors, axis=0)


@lru_cache(maxsize=1 << 15)
def ngram_buckets(word: str, buckets: int) -> tuple[int, ...]:
    """Hash the character n-grams of a word, ``<`` and ``>`` at its ends, by 32-bit FNV-1a over signed bytes as
    fastText.
    """
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
class InferredVectors(_Vocabulary):
    """Vectors of lines as paragraphs: doc2vec's distributed bag of words (PV-DBOW, Le and Mikolov 2014)."""

    weights: np.ndarray
    noise: np.ndarray
    arrays: ClassVar[tuple[str, ...]] = ("weights", "noise")

    @classmethod
    def train(cls, lines: list[list[str]], training: Training) -> InferredVectors:
        """Train gensim's Doc2Vec on the words of lines."""
        if not training.has_words(lines):
            return cls([], np.zeros((0, training.size), np.float32), np.zeros(0, np.int32))
        from gensim.models.doc2vec import Doc2Vec, TaggedDocument

        with _quiet_gensim():
            model = Doc2Vec([TaggedDocument(words, [i]) for i, words in enumerate(lines)], dm=0, **training.options())
        vocabulary = list(model.wv.index_to_key)
        often = np.asarray([model.wv.get_vecattr(word, "count") for word in vocabulary]) ** 0.75
        noise = np.random.default_rng(training.seed).choice(len(often), _NOISE_WORDS, p=often / often.sum())
        return cls(vocabulary, model.syn1neg, noise.astype(np.int32))

    @cached_property
    def _noise_weights(self) -> np.ndarray:
        return self.weights[self.noise]

    def of_line(self, words: Sequence[str]) -> np.ndarray:
        """Return the vector of a line, float32 of shape (size,); zeros if no word is known."""
        vector = np.zeros(self.weights.shape[1], np.float32)
        own, noise = self.weights[self._rows(words)], self._noise_weights
        if not len(own):
            return vector
        share = np.float32(_NEGATIVES * len(own) / len(noise))
        # The gradient's slope is at most a quarter of the squared weights and the shrinkage: no step overshoots.
        squares = np.einsum("ij,ij->", own, own) + share * np.einsum("ij,ij->", noise, noise)
        step = np.float32(1) / (squares / np.float32(4) + _SHRINKAGE)
        for _ in range(_INFERENCE_STEPS):
            # einsum, not matrix products: those may sum in another order with another number of threads.
            pull = np.einsum("i,ij->j", _logistic(-np.einsum("ij,j->i", own, vector)), own)
            push = np.einsum("i,ij->j", _logistic(np.einsum("ij,j->i", noise, vector)), noise)
            vector += step * (pull - share * push - _SHRINKAGE * vector)
        return vector


def _logistic(score: np.ndarray) -> np.ndarray:
    return (np.tanh(score / 2) + 1) / 2  # without the overflow of exp
