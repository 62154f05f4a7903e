"""TF-IDF of the words of a line and of their endings, beside layout numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.features.base import LineFeatures
from skol_rnn.features.lines.layout import ScaledLayout
from skol_rnn.features.lines.vectors import lower_words

if TYPE_CHECKING:
    from skol_rnn.data.columns import Lines

_SEED = 0  # of the truncated SVD's random start


def word_suffixes(words: Sequence[str]) -> list[str]:
    """Take the last 2, 3 and 4 characters of each word that is longer than that."""
    return [word[-length:] for word in words for length in (2, 3, 4) if len(word) > length]


class TfidfFeatures:
    """TF-IDF of lower-case words and of word suffixes, each block's rows of length 1, beside layout numbers."""

    name = "tfidf"

    def __init__(
        self,
        word_vocab_size: int = 800,
        suffix_vocab_size: int = 200,
        min_doc_freq: int = 2,
        input_size: int | None = None,
    ) -> None:
        self.word_vocab_size = word_vocab_size
        self.suffix_vocab_size = suffix_vocab_size
        self.min_doc_freq = min_doc_freq
        self.input_size = input_size

    def fit(self, table: Lines) -> TfidfFeatures:
        """Choose the terms, and learn how rare each is and the scale of the layout numbers."""
        self._layout = ScaledLayout().fit(table)
        self._fit_terms([lower_words(value) for value in table["value"]])
        return self

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Fit, and transform the same lines, each of which is cut into words once."""
        self._layout = ScaledLayout()
        layout = self._layout.fit_transform(table)
        lines = [lower_words(value) for value in table["value"]]
        self._fit_terms(lines)
        return self._features(lines, layout)

    def transform(self, table: Lines) -> LineFeatures:
        """Compute the features of lines."""
        return self._features([lower_words(value) for value in table["value"]], self._layout.transform(table))

    def _fit_terms(self, lines: list[list[str]]) -> None:
        endings = [word_suffixes(words) for words in lines]
        self.words_ = _frequent(lines, self.word_vocab_size, self.min_doc_freq)
        self.suffixes_ = _frequent(endings, self.suffix_vocab_size, self.min_doc_freq)
        self.word_idf_, self.suffix_idf_ = _idf(self.words_, lines), _idf(self.suffixes_, endings)
        self.projection_ = None if self.input_size is None else _projection(self._terms(lines), self.input_size)

    def _terms(self, lines: list[list[str]]) -> Any:
        """Return the sparse matrix of both blocks, (lines, words + suffixes)."""
        try:
            from scipy.sparse import hstack
            from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: F401
        except ImportError as error:
            raise ImportError(
                'features="tfidf" needs scikit-learn and SciPy in prediction, too: pip install scikit-learn.'
            ) from error
        blocks = [
            _tfidf(self.words_, self.word_idf_, lines),
            _tfidf(self.suffixes_, self.suffix_idf_, [word_suffixes(words) for words in lines]),
        ]
        return hstack(blocks, format="csr", dtype=np.float32)

    def _features(self, lines: list[list[str]], layout: np.ndarray) -> LineFeatures:
        terms = self._terms(lines)
        # A sparse matrix is multiplied row by row, so that a line's numbers do not depend on its neighbours.
        dense = terms.toarray() if self.projection_ is None else terms @ self.projection_
        return LineFeatures(np.zeros((len(lines), 0), np.int32), np.concatenate([dense, layout], axis=1))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted."""
        settings = {
            "word_vocab_size": self.word_vocab_size,
            "suffix_vocab_size": self.suffix_vocab_size,
            "min_doc_freq": self.min_doc_freq,
            "input_size": self.input_size,
            "words": self.words_,
            "suffixes": self.suffixes_,
        }
        arrays = {"word_idf": self.word_idf_, "suffix_idf": self.suffix_idf_, **self._layout.arrays()}
        if self.projection_ is not None:
            arrays["projection"] = self.projection_
        return settings, arrays

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> TfidfFeatures:
        """Rebuild fitted features."""
        features = cls(**{name: value for name, value in settings.items() if name not in {"words", "suffixes"}})
        features.words_, features.suffixes_ = settings["words"], settings["suffixes"]
        features.word_idf_, features.suffix_idf_ = arrays["word_idf"], arrays["suffix_idf"]
        features.projection_ = arrays.get("projection")
        features._layout = ScaledLayout.from_arrays(arrays)
        return features


def _frequent(lines: list[list[str]], size: int, min_lines: int) -> list[str]:
    """Return the most frequent terms that occur in enough lines, sorted."""
    total = Counter(chain.from_iterable(lines))
    in_lines = Counter(chain.from_iterable(map(set, lines)))
    kept = [term for term in total if in_lines[term] >= min_lines]
    # Ties are broken by name so that the order of documents does not change the vocabulary.
    return sorted(sorted(kept, key=lambda term: (-total[term], term))[:size])


def _idf(terms: list[str], lines: list[list[str]]) -> np.ndarray:
    from sklearn.feature_extraction.text import TfidfVectorizer

    if not terms:  # scikit-learn refuses an empty vocabulary
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
    """Return the matrix (terms, size) that the blocks are multiplied with."""
    from sklearn.decomposition import TruncatedSVD

    columns = terms.shape[1]
    if columns <= size:
        return np.eye(columns, size, dtype=np.float32)
    with np.errstate(invalid="ignore"):  # the share of variance explained of one line is 0 / 0, and not used
        components = TruncatedSVD(size, random_state=_SEED).fit(terms).components_
    projection = np.zeros((columns, size), np.float32)  # there are fewer components where there are fewer lines
    projection[:, : len(components)] = components.T
    return projection
