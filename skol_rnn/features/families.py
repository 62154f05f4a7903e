"""Features of lines and tokens behind one small interface: ``fit``, ``transform``, and a state of JSON values and arrays."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from skol_rnn.features.base import FeatureFamily
from skol_rnn.labels import suggestion

FAMILIES = {
    "hashed": ("lines.hashed", "HashedFeatures"),
    "tfidf": ("lines.tfidf", "TfidfFeatures"),
    "word2vec": ("lines.word_vectors", "WordVectorFeatures"),
    "fasttext": ("lines.word_vectors", "WordVectorFeatures"),
    "doc2vec": ("lines.word_vectors", "WordVectorFeatures"),
    "vectors": ("precomputed", "CallerVectors"),
}
"""Module and class of each family of lines; the module is imported when the family is first asked for."""

TOKEN_FAMILIES = {
    "hashed": "token-hashed",
    "ngrams": "token-ngrams",
    "characters": "token-characters",
    "word2vec": "token-word2vec",
    "fasttext": "token-fasttext",
    "vectors": "vectors",
}
"""What a family is called in a saved model where rows are tokens."""

_OF_TOKENS = {
    "token-hashed": ("tokens.hashed", "TokenFeatures"),
    "token-ngrams": ("tokens.hashed", "TokenFeatures"),
    "token-characters": ("tokens.characters", "CharacterFeatures"),
    "token-word2vec": ("tokens.word_vectors", "TokenVectorFeatures"),
    "token-fasttext": ("tokens.word_vectors", "TokenVectorFeatures"),
}

_WORD_VECTOR_SIZE = 300


def _family(name: str) -> Any:
    module, cls = {**FAMILIES, **_OF_TOKENS}[name]
    return getattr(importlib.import_module(f"skol_rnn.features.{module}"), cls)


def check_family(name: str, unit: str = "line") -> None:
    """Check that there is a family of features."""
    allowed = FAMILIES if unit == "line" else TOKEN_FAMILIES
    if name not in allowed:
        where = "" if unit == "line" else f' with unit="{unit}"'
        hint = suggestion(str(name), allowed)
        raise ValueError(f"features must be one of {', '.join(allowed)}{where}, but is {name!r}.{hint}")


def make_features(
    name: str, *, input_size: int | None, features_col: str, seed: int, unit: str = "line"
) -> FeatureFamily:
    """Make a family that is not yet fitted."""
    check_family(name, unit)
    family = _family(name if unit == "line" else TOKEN_FAMILIES[name])
    if name in ("hashed", "characters"):
        return family()
    if name == "ngrams":
        return family(ngrams=True)
    if name == "tfidf":
        return family(input_size=input_size)
    if name == "vectors":
        return family(features_col=features_col, input_size=input_size)
    if unit == "token":
        return family(method=name, seed=seed)
    return family(method=name, input_size=input_size or _WORD_VECTOR_SIZE, seed=seed)


def features_from_state(name: str, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> FeatureFamily:
    """Rebuild a fitted family."""
    if name not in _OF_TOKENS:
        check_family(name)
    return _family(name).from_state(settings, arrays)
