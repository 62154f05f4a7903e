"""Word vectors trained by gensim on the training tokens, beside all that hashed token features have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.features.base import LineFeatures, normal_form
from skol_rnn.features.lines.vectors import SubwordMeans, Training, WordMeans
from skol_rnn.features.tokens.hashed import BesideTokenFeatures, TokenFeatures
from skol_rnn.features.tokens.layout import sentences
from skol_rnn.labels import suggestion

_METHODS: dict[str, type[WordMeans] | type[SubwordMeans]] = {"word2vec": WordMeans, "fasttext": SubwordMeans}
_OWN = ("method", "size", "epochs", "min_count", "seed")
_PREFIX = "hashed/"


class TokenVectorFeatures(BesideTokenFeatures):
    """Vectors of words from word2vec or fastText, beside hashed features and layout numbers."""

    def __init__(
        self, method: str = "fasttext", size: int = 100, epochs: int = 5, min_count: int = 2, seed: int = 0
    ) -> None:
        if method not in _METHODS:
            hint = suggestion(str(method), _METHODS)
            raise ValueError(f"method must be one of {', '.join(_METHODS)}, but is {method!r}.{hint}")
        self.method, self.size, self.epochs, self.min_count, self.seed = method, size, epochs, min_count, seed
        self.name = f"token-{method}"

    def _fit(self, table: pd.DataFrame) -> None:
        words = [_word(value) for value in table["value"]]
        bounds = np.flatnonzero(np.diff(sentences(table), prepend=-1)).tolist() if words else []
        lines = [words[a:b] for a, b in zip(bounds, [*bounds[1:], len(words)], strict=True)]
        training = Training(self.size, self.epochs, self.min_count, self.seed)
        self._vectors = _METHODS[self.method].train(lines, training)
        self._deviation = max(float(np.std(self._vectors.vectors)) if self._vectors.vocabulary else 1.0, 1e-6)

    def _put_beside(self, hashed: LineFeatures, table: pd.DataFrame) -> LineFeatures:
        # Numbers (tokens, layout) become (tokens, size + layout).
        codes, values = pd.factorize(table["value"])
        vectors = [self._vectors.of_line([_word(value)]) for value in values]
        scaled = np.array(vectors, np.float32).reshape(len(vectors), self.size) / np.float32(self._deviation)
        return LineFeatures(hashed.ids, np.concatenate([scaled[codes], hashed.numbers], axis=1))

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted."""
        hashed, arrays = self._hashed.state()
        settings = {name: getattr(self, name) for name in _OWN}
        settings |= {"vocabulary": self._vectors.vocabulary, "deviation": self._deviation, "hashed": hashed}
        arrays = {_PREFIX + name: array for name, array in arrays.items()}
        return settings, {**arrays, **{name: getattr(self._vectors, name) for name in self._vectors.arrays}}

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> TokenVectorFeatures:
        """Rebuild fitted features."""
        features = cls(**{name: settings[name] for name in _OWN})
        kind: Any = _METHODS[features.method]
        features._vectors = kind(settings["vocabulary"], **{name: arrays[name] for name in kind.arrays})
        features._deviation = settings["deviation"]
        hashed = {name.removeprefix(_PREFIX): array for name, array in arrays.items() if name.startswith(_PREFIX)}
        features._hashed = TokenFeatures.from_state(settings["hashed"], hashed)
        return features


def _word(value: str) -> str:
    return normal_form(value).lower()
