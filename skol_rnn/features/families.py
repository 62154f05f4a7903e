"""Registry of feature families; a family's module is imported when the family is first used."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skol_rnn.features.base import FeatureFamily
from skol_rnn.labels import suggestion


class _Entry(NamedTuple):
    """Module and class of a family, and the options that its constructor takes."""

    module: str
    cls: str
    options: tuple[str, ...] = ()

    def load(self) -> Any:
        return getattr(importlib.import_module(f"skol_rnn.features.{self.module}"), self.cls)


_WORD_VECTORS = _Entry("lines.word_vectors", "WordVectorFeatures", ("method", "input_size", "seed"))
_TOKEN_VECTORS = _Entry("tokens.word_vectors", "TokenVectorFeatures", ("method", "seed"))

FAMILIES = {
    "hashed": _Entry("lines.hashed", "HashedFeatures"),
    "tfidf": _Entry("lines.tfidf", "TfidfFeatures", ("input_size",)),
    "word2vec": _WORD_VECTORS,
    "fasttext": _WORD_VECTORS,
    "doc2vec": _WORD_VECTORS,
    "vectors": _Entry("precomputed", "PrecomputedFeatures", ("features_col", "input_size")),
}
"""Families of lines, by the name that users and saved models call them."""

_OF_GENSIM = ("word2vec", "fasttext", "doc2vec")

_SAVED_TOKEN_FAMILIES = {
    "token-hashed": _Entry("tokens.hashed", "TokenFeatures"),
    "token-ngrams": _Entry("tokens.hashed", "NgramFeatures"),
    "token-characters": _Entry("tokens.characters", "CharacterFeatures"),
    "token-word2vec": _TOKEN_VECTORS,
    "token-fasttext": _TOKEN_VECTORS,
    "vectors": FAMILIES["vectors"],
}
_PRETRAINED = _Entry("pretrained.family", "PretrainedFeatures")
TOKEN_FAMILIES = {name.removeprefix("token-"): name for name in _SAVED_TOKEN_FAMILIES}
"""Families of tokens: the user's name and the name in a saved model."""


def check_family(name: str, unit: str = "line") -> None:
    """Check that a family exists."""
    allowed = FAMILIES if unit == "line" else TOKEN_FAMILIES
    if name not in allowed:
        where = "" if unit == "line" else f' with unit="{unit}"'
        hint = suggestion(str(name), allowed)
        raise ValueError(f"features must be one of {', '.join(allowed)}{where}, but is {name!r}.{hint}")
    if name in _OF_GENSIM and importlib.util.find_spec("gensim") is None:
        raise ImportError(f'features="{name}" needs gensim, which is not installed: pip install gensim.')


def make_features(
    name: str,
    *,
    input_size: int | None,
    features_col: str,
    seed: int,
    unit: str = "line",
    vectors: str | None = None,
    vector_layers: Sequence[int] | None = None,
) -> FeatureFamily:
    """Return a family that is not yet fitted, with pretrained vectors too where there is a folder of them."""
    check_family(name, unit)
    entry = FAMILIES[name] if unit == "line" else _SAVED_TOKEN_FAMILIES[TOKEN_FAMILIES[name]]
    options = {"method": name, "input_size": input_size, "features_col": features_col, "seed": seed}
    chosen = {option: options[option] for option in entry.options if options[option] is not None}
    family: FeatureFamily = entry.load()(**chosen)
    return family if vectors is None else _PRETRAINED.load().of(family, vectors, vector_layers or ())


def features_from_state(name: str, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> FeatureFamily:
    """Rebuild a fitted family from its name in the saved model and its state."""
    families = FAMILIES | _SAVED_TOKEN_FAMILIES | {"token-pretrained": _PRETRAINED}
    if name not in families:
        check_family(name)
    return families[name].load().from_state(settings, arrays)
