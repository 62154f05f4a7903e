"""The characters of a token, for a convolution in the network, beside its hashed features."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.features.base import LineFeatures, normal_form
from skol_rnn.features.tokens.hashed import BesideTokenFeatures, TokenFeatures

_UNKNOWN = 1  # 0 is the place after the last character
_FIRST = 2


class CharacterFeatures(BesideTokenFeatures):
    """Characters of tokens, as ids in the last columns, beside :class:`TokenFeatures`."""

    name = "token-characters"

    def __init__(self, characters: int = 16, min_count: int = 5) -> None:
        self.characters = characters
        self.min_count = min_count

    @property
    def alphabet_size(self) -> int:
        """Number of ids of characters, those of the empty place and of all unknown ones included."""
        return len(self.alphabet_) + _FIRST

    def _fit(self, table: pd.DataFrame) -> None:
        words = {normal_form(value) for value in table["value"].unique()}
        counts = Counter(character for word in words for character in set(word))
        self.alphabet_ = "".join(sorted(c for c, n in counts.items() if n >= self.min_count))

    def _put_beside(self, hashed: LineFeatures, table: pd.DataFrame) -> LineFeatures:
        # (tokens, slots + beside) becomes (tokens, slots + beside + characters).
        codes, values = pd.factorize(table["value"])
        id_of = {character: i for i, character in enumerate(self.alphabet_, start=_FIRST)}
        spelt = np.zeros((len(values), self.characters), np.int32)
        for row, value in enumerate(values):
            word = normal_form(value)
            if len(word) > self.characters:
                front = self.characters // 2
                word = word[: self.characters - front] + word[len(word) - front :]
            spelt[row, : len(word)] = [id_of.get(character, _UNKNOWN) for character in word]
        return LineFeatures(np.concatenate([hashed.ids, spelt[codes]], axis=1), hashed.numbers)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted."""
        hashed, arrays = self._hashed.state()
        own = {"characters": self.characters, "min_count": self.min_count, "alphabet": self.alphabet_}
        return {**own, "hashed": hashed}, arrays

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> CharacterFeatures:
        """Rebuild fitted features."""
        features = cls(settings["characters"], settings["min_count"])
        features.alphabet_ = settings["alphabet"]
        features._hashed = TokenFeatures.from_state(settings["hashed"], arrays)
        return features
