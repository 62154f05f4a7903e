"""The characters of a token, for a convolution in the network, and its hashed features."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from skol_rnn.features.base import LineFeatures
from skol_rnn.features.tokens.hashed import TokenFeatures
from skol_rnn.features.tokens.table import Tokens

_UNKNOWN, _FIRST = 1, 2  # 0 is the empty slot after the last character


@dataclass(eq=False)
class CharacterFeatures(TokenFeatures):
    """Hashed features, and the ids of a token's first and last characters in the last columns."""

    name = "token-characters"

    characters: int = 16
    min_count: int = 5

    def _fit_extension(self, tokens: Tokens) -> None:
        counts = Counter(character for word in set(tokens.words) for character in set(word))
        self._set_alphabet("".join(sorted(c for c, n in counts.items() if n >= self.min_count)))

    def _set_alphabet(self, alphabet: str) -> None:
        self.alphabet_, self.alphabet_size = alphabet, len(alphabet) + _FIRST

    def _extended(self, hashed: LineFeatures, tokens: Tokens) -> LineFeatures:
        id_of = {character: i for i, character in enumerate(self.alphabet_, start=_FIRST)}
        char_ids = np.zeros((len(tokens.words), self.characters), np.int32)
        back = self.characters // 2
        for row, word in enumerate(tokens.words):
            if len(word) > self.characters:
                word = word[: self.characters - back] + word[len(word) - back :]
            char_ids[row, : len(word)] = [id_of.get(character, _UNKNOWN) for character in word]
        return LineFeatures(np.concatenate([hashed.ids, char_ids[tokens.word]], axis=1), hashed.numbers)

    def _fitted(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        hashed, arrays = super()._fitted()
        return {"alphabet": self.alphabet_, "hashed": hashed}, arrays

    def _restore(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self._set_alphabet(values["alphabet"])
        super()._restore(values["hashed"], arrays)
