"""Word vectors trained by gensim on the sentences of the training tokens, and hashed token features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skol_rnn.features.base import LineFeatures
from skol_rnn.features.lines.word_vectors import method_class
from skol_rnn.features.tokens.hashed import TokenFeatures
from skol_rnn.features.tokens.table import Tokens

_PREFIX = "hashed/"


@dataclass(eq=False)
class TokenVectorFeatures(TokenFeatures):
    """Hashed features, layout numbers, and vectors of words from word2vec or fastText."""

    method: str = "fasttext"
    size: int = 100
    epochs: int = 5
    min_count: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        self.name, self._class = f"token-{self.method}", method_class(self.method, ("word2vec", "fasttext"))

    def _fit_extension(self, tokens: Tokens) -> None:
        words = np.array([word.lower() for word in tokens.words], object)[tokens.word]
        starts = np.flatnonzero(np.diff(tokens.sentence, prepend=-1))
        sentences = [part.tolist() for part in np.split(words, starts[1:])]
        self._vectors = self._class.train(
            sentences, size=self.size, epochs=self.epochs, min_count=self.min_count, seed=self.seed
        )
        self._deviation = max(float(np.std(self._vectors.vectors)) if self._vectors.vocabulary else 1.0, 1e-6)

    def _extended(self, hashed: LineFeatures, tokens: Tokens) -> LineFeatures:
        vectors = [self._vectors.of_line([word.lower()]) for word in tokens.words]
        scaled = np.array(vectors, np.float32).reshape(len(vectors), self.size) / np.float32(self._deviation)
        return LineFeatures(hashed.ids, np.concatenate([scaled[tokens.word], hashed.numbers], axis=1))

    def _fitted(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        hashed, hashed_arrays = super()._fitted()
        values, arrays = self._vectors.state()
        values |= {"deviation": self._deviation, "hashed": hashed}
        return values, {_PREFIX + name: array for name, array in hashed_arrays.items()} | arrays

    def _restore(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._vectors = self._class.from_state(values, arrays)
        self._deviation = values["deviation"]
        hashed = {name.removeprefix(_PREFIX): array for name, array in arrays.items() if name.startswith(_PREFIX)}
        super()._restore(values["hashed"], hashed)
