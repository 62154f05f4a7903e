"""Word vectors trained by gensim on the training lines, averaged or inferred for each line, beside layout numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.features.base import LineFeatures
from skol_rnn.features.lines.layout import ScaledLayout
from skol_rnn.features.lines.vectors import InferredVectors, SubwordMeans, Training, WordMeans, lower_words
from skol_rnn.labels import suggestion

if TYPE_CHECKING:
    from skol_rnn.data.columns import Lines

METHODS: dict[str, type[WordMeans] | type[SubwordMeans] | type[InferredVectors]] = {
    "word2vec": WordMeans,
    "fasttext": SubwordMeans,
    "doc2vec": InferredVectors,
}
"""How a line gets its vector, by the public name of the family."""


class WordVectorFeatures:
    """Vectors of lines from word2vec, fastText or doc2vec, beside layout numbers."""

    def __init__(
        self, method: str = "word2vec", input_size: int = 300, epochs: int = 5, min_count: int = 2, seed: int = 0
    ) -> None:
        if method not in METHODS:
            hint = suggestion(str(method), METHODS)
            raise ValueError(f"method must be one of {', '.join(METHODS)}, but is {method!r}.{hint}")
        self.name = self.method = method
        self.input_size = input_size
        self.epochs = epochs
        self.min_count = min_count
        self.seed = seed

    def fit(self, table: Lines) -> WordVectorFeatures:
        """Train the word vectors and learn the scale of the layout numbers."""
        self._layout = ScaledLayout().fit(table)
        self._train([lower_words(value) for value in table["value"]])
        return self

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Fit, and transform the same lines, each of which is cut into words once."""
        self._layout = ScaledLayout()
        layout = self._layout.fit_transform(table)
        lines = [lower_words(value) for value in table["value"]]
        self._train(lines)
        return self._features(lines, layout)

    def transform(self, table: Lines) -> LineFeatures:
        """Compute the features of lines."""
        return self._features([lower_words(value) for value in table["value"]], self._layout.transform(table))

    def _train(self, lines: list[list[str]]) -> None:
        training = Training(self.input_size, self.epochs, self.min_count, self.seed)
        self._vectors = METHODS[self.method].train(lines, training)

    def _features(self, lines: list[list[str]], layout: np.ndarray) -> LineFeatures:
        numbers = np.empty((len(lines), self.input_size + layout.shape[1]), np.float32)
        for row, words in enumerate(lines):
            numbers[row, : self.input_size] = self._vectors.of_line(words)
        numbers[:, self.input_size :] = layout
        return LineFeatures(np.zeros((len(lines), 0), np.int32), numbers)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted."""
        settings = {
            "method": self.method,
            "input_size": self.input_size,
            "epochs": self.epochs,
            "min_count": self.min_count,
            "seed": self.seed,
            "vocabulary": self._vectors.vocabulary,
        }
        arrays = {name: getattr(self._vectors, name) for name in self._vectors.arrays}
        return settings, {**arrays, **self._layout.arrays()}

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> WordVectorFeatures:
        """Rebuild fitted features."""
        features = cls(**{name: value for name, value in settings.items() if name != "vocabulary"})
        kind: Any = METHODS[features.method]
        features._vectors = kind(settings["vocabulary"], **{name: arrays[name] for name in kind.arrays})
        features._layout = ScaledLayout.from_arrays(arrays)
        return features
