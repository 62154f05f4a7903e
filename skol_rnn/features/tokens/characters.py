"""The characters of a token, for a convolution in the network, and its hashed features."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.features.base import LineFeatures
from skol_rnn.features.tokens.hashed import TokenFeatures
from skol_rnn.features.tokens.table import Tokens

if TYPE_CHECKING:
    from skol_rnn.data.columns import Lines

_UNKNOWN, _FIRST = 1, 2  # 0 is the empty slot after the last character


class CharacterFeatures(TokenFeatures):
    """Hashed features, and the ids of a token's first and last characters in the last columns."""

    name = "token-characters"

    def __init__(self, characters: int = 16, min_count: int = 5) -> None:
        super().__init__()
        self.characters = characters
        self.min_count = min_count

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Fit hashed features and alphabet, and transform the same tokens."""
        hashed, tokens = super().fit_transform(table), Tokens(table)
        counts = Counter(character for word in set(tokens.words) for character in set(word))
        self._set_alphabet("".join(sorted(c for c, n in counts.items() if n >= self.min_count)))
        return self._with_characters(hashed, tokens)

    def transform(self, table: Lines) -> LineFeatures:
        """Compute the features of tokens."""
        return self._with_characters(super().transform(table), Tokens(table))

    def _set_alphabet(self, alphabet: str) -> None:
        self.alphabet_, self.alphabet_size = alphabet, len(alphabet) + _FIRST

    def _with_characters(self, hashed: LineFeatures, tokens: Tokens) -> LineFeatures:
        id_of = {character: i for i, character in enumerate(self.alphabet_, start=_FIRST)}
        char_ids = np.zeros((len(tokens.words), self.characters), np.int32)
        back = self.characters // 2
        for row, word in enumerate(tokens.words):
            if len(word) > self.characters:
                word = word[: self.characters - back] + word[len(word) - back :]
            char_ids[row, : len(word)] = [id_of.get(character, _UNKNOWN) for character in word]
        return LineFeatures(np.concatenate([hashed.ids, char_ids[tokens.word]], axis=1), hashed.numbers)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted."""
        hashed, arrays = super().state()
        settings = {"characters": self.characters, "min_count": self.min_count, "alphabet": self.alphabet_}
        return {**settings, "hashed": hashed}, arrays

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> CharacterFeatures:
        """Rebuild a fitted family."""
        features = cls(settings["characters"], settings["min_count"])
        features._set_alphabet(settings["alphabet"])
        features._load(settings["hashed"], arrays)
        return features
