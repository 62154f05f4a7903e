"""Word vectors trained by gensim on the sentences of the training tokens, and hashed token features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.features.base import LineFeatures
from skol_rnn.features.lines.word_vectors import Training, method_class
from skol_rnn.features.tokens.hashed import TokenFeatures
from skol_rnn.features.tokens.table import Tokens

if TYPE_CHECKING:
    from skol_rnn.data.columns import Lines

_OPTIONS = ("method", "size", "epochs", "min_count", "seed")
_PREFIX = "hashed/"


class TokenVectorFeatures(TokenFeatures):
    """Hashed features, layout numbers, and vectors of words from word2vec or fastText."""

    def __init__(
        self, method: str = "fasttext", size: int = 100, epochs: int = 5, min_count: int = 2, seed: int = 0
    ) -> None:
        super().__init__()
        self._class = method_class(method, ("word2vec", "fasttext"))
        self.method, self.size, self.epochs, self.min_count, self.seed = method, size, epochs, min_count, seed
        self.name = f"token-{method}"

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Fit hashed features and word vectors, and transform the same tokens."""
        hashed, tokens = super().fit_transform(table), Tokens(table)
        words = np.array([word.lower() for word in tokens.words], object)[tokens.word]
        starts = np.flatnonzero(np.diff(tokens.sentence, prepend=-1))
        lines = [part.tolist() for part in np.split(words, starts[1:])]
        self._vectors = self._class.train(lines, Training(self.size, self.epochs, self.min_count, self.seed))
        self._deviation = max(float(np.std(self._vectors.vectors)) if self._vectors.vocabulary else 1.0, 1e-6)
        return self._with_vectors(hashed, tokens)

    def transform(self, table: Lines) -> LineFeatures:
        """Compute the features of tokens."""
        return self._with_vectors(super().transform(table), Tokens(table))

    def _with_vectors(self, hashed: LineFeatures, tokens: Tokens) -> LineFeatures:
        vectors = [self._vectors.of_line([word.lower()]) for word in tokens.words]
        scaled = np.array(vectors, np.float32).reshape(len(vectors), self.size) / np.float32(self._deviation)
        return LineFeatures(hashed.ids, np.concatenate([scaled[tokens.word], hashed.numbers], axis=1))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted."""
        hashed, hashed_arrays = super().state()
        vocabulary, arrays = self._vectors.state()
        settings = {name: getattr(self, name) for name in _OPTIONS}
        settings |= {"vocabulary": vocabulary, "deviation": self._deviation, "hashed": hashed}
        return settings, {_PREFIX + name: array for name, array in hashed_arrays.items()} | arrays

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> TokenVectorFeatures:
        """Rebuild a fitted family."""
        features = cls(*(settings[name] for name in _OPTIONS))
        features._vectors = features._class.from_state(settings["vocabulary"], arrays)
        features._deviation = settings["deviation"]
        hashed = {name.removeprefix(_PREFIX): array for name, array in arrays.items() if name.startswith(_PREFIX)}
        features._load(settings["hashed"], hashed)
        return features
