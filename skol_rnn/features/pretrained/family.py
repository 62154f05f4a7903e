"""Any family of token features, with pretrained vectors appended to its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from skol_rnn.data.table import Lines
from skol_rnn.features.base import FeatureFamily, LineFeatures
from skol_rnn.features.pretrained.layers import LayerVectors
from skol_rnn.features.pretrained.static import StaticVectors
from skol_rnn.features.tokens.table import Tokens

_SHARED = ("vocabulary_size", "context_slots", "context_vocabulary_size", "characters", "alphabet_size")


class PretrainedFeatures(FeatureFamily):
    """A family's features and static vectors; with layers also the states of a frozen transformer."""

    name = "token-pretrained"

    def __init__(self, base: FeatureFamily, parts: Sequence[StaticVectors | LayerVectors]) -> None:
        self.base, self.parts = base, parts

    @classmethod
    def of(cls, base: FeatureFamily, folder: str | Path, layers: Sequence[int] = ()) -> Self:
        """Return a family that is not yet fitted."""
        path = Path(folder)
        return cls(base, [StaticVectors(path), *([LayerVectors.of(path, layers)] if layers else [])])

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Fit the family and the scales of the vectors, and transform the same tokens."""
        features, tokens = self.base.fit_transform(table), Tokens(table)
        self._share()
        for part in self.parts:
            part.fit(tokens)
        return self._extended(features, tokens)

    def transform(self, table: Lines) -> LineFeatures:
        """Compute the features of tokens, with their vectors."""
        return self._extended(self.base.transform(table), Tokens(table))

    def _extended(self, features: LineFeatures, tokens: Tokens) -> LineFeatures:
        vectors = [part.transform(tokens) for part in self.parts]
        return LineFeatures(features.ids, np.concatenate([features.numbers, *vectors], axis=1))

    def _share(self) -> None:
        for name in _SHARED:
            setattr(self, name, getattr(self.base, name))

    def _fitted(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        states = {"base": self.base.state()} | {f"part{i}": part.state() for i, part in enumerate(self.parts)}
        values = {"family": self.base.name} | {prefix: state[0] for prefix, state in states.items()}
        arrays = {f"{prefix}/{key}": array for prefix, state in states.items() for key, array in state[1].items()}
        return values, arrays

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Rebuild a fitted family."""
        from skol_rnn.features.families import features_from_state

        base = features_from_state(values["family"], values["base"], _below("base/", arrays))
        parts: list[StaticVectors | LayerVectors] = [
            StaticVectors.from_state(values["part0"], _below("part0/", arrays))
        ]
        if "part1" in values:
            parts.append(LayerVectors.from_state(values["part1"], _below("part1/", arrays)))
        features = cls(base, parts)
        features._share()
        return features

    def _restore(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Do nothing: ``from_state`` does all."""


def _below(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
