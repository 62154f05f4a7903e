"""Features of lines and tokens behind one small interface: ``fit``, ``transform``, and a state of JSON values and arrays."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from skol_rnn.features.lines import FeatureFamily, LineFeatures
from skol_rnn.labels import suggestion

__all__ = [
    "FAMILIES",
    "TOKEN_FAMILIES",
    "FeatureFamily",
    "LineFeatures",
    "check_family",
    "features_from_state",
    "make_features",
]

FAMILIES = {
    "hashed": ("hashed", "HashedFeatures"),
    "tfidf": ("tfidf", "TfidfFeatures"),
    "word2vec": ("word_vectors", "WordVectorFeatures"),
    "fasttext": ("word_vectors", "WordVectorFeatures"),
    "doc2vec": ("word_vectors", "WordVectorFeatures"),
    "vectors": ("caller_vectors", "CallerVectors"),
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
    "token-hashed": ("tokens", "TokenFeatures"),
    "token-ngrams": ("tokens", "TokenFeatures"),
    "token-characters": ("characters", "CharacterFeatures"),
    "token-word2vec": ("token_vectors", "TokenVectorFeatures"),
    "token-fasttext": ("token_vectors", "TokenVectorFeatures"),
}

_WORD_VECTOR_SIZE = 300


def _family(name: str) -> Any:
    module, cls = {**FAMILIES, **_OF_TOKENS}[name]
    return getattr(importlib.import_module(f"skol_rnn.features.{module}"), cls)


def check_family(name: str, unit: str = "line") -> None:
    """Check that there is a family of features.

    Parameters
    ----------
    name : str
        Its name.
    unit : {"line", "token"}, default "line"
        What a row is.

    Raises
    ------
    ValueError
        If there is none, or none for this unit.

    Examples
    --------
    >>> check_family("tfidf", "token")
    Traceback (most recent call last):
    ...
    ValueError: features must be one of hashed, ngrams, characters, word2vec, fasttext, vectors with unit="token", but is 'tfidf'.
    """
    allowed = FAMILIES if unit == "line" else TOKEN_FAMILIES
    if name not in allowed:
        where = "" if unit == "line" else f' with unit="{unit}"'
        hint = suggestion(str(name), allowed)
        raise ValueError(f"features must be one of {', '.join(allowed)}{where}, but is {name!r}.{hint}")


def make_features(
    name: str, *, input_size: int | None, features_col: str, seed: int, unit: str = "line"
) -> FeatureFamily:
    """Make a family that is not yet fitted.

    Parameters
    ----------
    name : str
        One of :data:`FAMILIES`, of tokens one of :data:`TOKEN_FAMILIES`.
    input_size : int or None
        Length of a line's vector: 300 for word vectors, the size that "vectors" must have, the size that "tfidf"
        is reduced to; "hashed" leaves it to the network.
    features_col : str
        Column of the caller's vectors.
    seed : int
        Seed of word vectors.
    unit : {"line", "token"}, default "line"
        What a row is.

    Returns
    -------
    FeatureFamily
        The family.

    Raises
    ------
    ValueError
        If there is no such family for the unit.

    Examples
    --------
    >>> make_features("hashed", input_size=None, features_col="features", seed=0).name
    'hashed'
    """
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
    """Rebuild a fitted family.

    Parameters
    ----------
    name : str
        The family's ``name``.
    settings, arrays : dict
        What the family's ``state`` returned.

    Returns
    -------
    FeatureFamily
        A family that transforms as the saved one did.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if name not in _OF_TOKENS:
        check_family(name)
    return _family(name).from_state(settings, arrays)
