"""TF-IDF of the words of a line and of their suffixes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from skol_rnn.features.base import StandardScaler
from skol_rnn.features.lines.words import WordFeatures

_SEED = 0  # of the truncated SVD's random start


def word_suffixes(words: Sequence[str]) -> list[str]:
    """Return the last 2, 3 and 4 characters of each word that is longer."""
    return [word[-length:] for word in words for length in (2, 3, 4) if len(word) > length]


@dataclass(eq=False)
class TfidfFeatures(WordFeatures):
    """TF-IDF of lower-case words and of suffixes, each block normalised to length 1, and layout numbers."""

    name = "tfidf"

    word_vocab_size: int = 800
    suffix_vocab_size: int = 200
    min_doc_freq: int = 2
    input_size: int | None = None

    def _fit_words(self, lines: list[list[str]]) -> None:
        suffixes = [word_suffixes(words) for words in lines]
        self.words_ = _frequent(lines, self.word_vocab_size, self.min_doc_freq)
        self.suffixes_ = _frequent(suffixes, self.suffix_vocab_size, self.min_doc_freq)
        self.word_idf_, self.suffix_idf_ = _idf(self.words_, lines), _idf(self.suffixes_, suffixes)
        self.projection_ = None if self.input_size is None else _projection(self._terms(lines), self.input_size)

    def _terms(self, lines: list[list[str]]) -> Any:
        """Return the sparse matrix of both blocks, (lines, words + suffixes)."""
        try:
            from scipy.sparse import hstack

            words = _tfidf(self.words_, self.word_idf_, lines)
            suffixes = _tfidf(self.suffixes_, self.suffix_idf_, [word_suffixes(words) for words in lines])
        except ImportError as error:
            raise ImportError(
                'features="tfidf" needs scikit-learn and SciPy, for prediction too: pip install scikit-learn.'
            ) from error
        return hstack([words, suffixes], format="csr", dtype=np.float32)

    def _numbers(self, lines: list[list[str]], layout: np.ndarray) -> np.ndarray:
        terms = self._terms(lines)
        # A sparse matrix is multiplied row by row, so that a line's numbers do not depend on other lines.
        dense = terms.toarray() if self.projection_ is None else terms @ self.projection_
        return np.concatenate([dense, layout], axis=1)

    def _fitted(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        arrays = {"word_idf": self.word_idf_, "suffix_idf": self.suffix_idf_, **self._scaler._asdict()}
        if self.projection_ is not None:
            arrays["projection"] = self.projection_
        return {"words": self.words_, "suffixes": self.suffixes_}, arrays

    def _restore(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.words_, self.suffixes_ = values["words"], values["suffixes"]
        self.word_idf_, self.suffix_idf_ = arrays["word_idf"], arrays["suffix_idf"]
        self.projection_ = arrays.get("projection")
        self._scaler = StandardScaler(arrays["mean"], arrays["scale"])


def _frequent(lines: list[list[str]], size: int, min_lines: int) -> list[str]:
    """Return the most frequent terms that occur in enough lines, sorted."""
    total = Counter(chain.from_iterable(lines))
    in_lines = Counter(chain.from_iterable(map(set, lines)))
    kept = [term for term in total if in_lines[term] >= min_lines]
    # Ties are broken by name so that the order of documents does not change the vocabulary.
    return sorted(sorted(kept, key=lambda term: (-total[term], term))[:size])


def _idf(terms: list[str], lines: list[list[str]]) -> np.ndarray:
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not terms:  # scikit-learn rejects an empty vocabulary
        return np.zeros(0)
    return np.asarray(TfidfVectorizer(analyzer=list, vocabulary=terms).fit(lines).idf_)


def _tfidf(terms: list[str], idf: np.ndarray, lines: list[list[str]]) -> Any:
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not terms or not lines:
        return csr_matrix((len(lines), len(terms)), dtype=np.float32)
    vectorizer = TfidfVectorizer(analyzer=list, vocabulary=terms)
    vectorizer.idf_ = idf
    return vectorizer.transform(lines)


def _projection(terms: Any, size: int) -> np.ndarray:
    """Return the matrix (terms, size) that reduces the terms of a line."""
    from sklearn.decomposition import TruncatedSVD

    columns = terms.shape[1]
    if columns <= size:
        return np.eye(columns, size, dtype=np.float32)
    with np.errstate(invalid="ignore"):  # with one line, the unused share of explained variance is 0 / 0
        components = TruncatedSVD(size, random_state=_SEED).fit(terms).components_
    projection = np.zeros((columns, size), np.float32)  # fewer lines than ``size`` give fewer components
    projection[:, : len(components)] = components.T
    return projection
