"""Line features behind one small interface: ``fit``, ``transform``, and a state of JSON values and arrays."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from skol_rnn.features.lines import FeatureFamily, LineFeatures
from skol_rnn.labels import suggestion

__all__ = ["FAMILIES", "FeatureFamily", "LineFeatures", "features_from_state", "make_features"]

FAMILIES = {
    "hashed": ("hashed", "HashedFeatures"),
    "tfidf": ("tfidf", "TfidfFeatures"),
    "word2vec": ("word_vectors", "WordVectorFeatures"),
    "fasttext": ("word_vectors", "WordVectorFeatures"),
    "doc2vec": ("word_vectors", "WordVectorFeatures"),
    "vectors": ("caller_vectors", "CallerVectors"),
}
"""Module and class of each family; the module is imported when the family is first asked for."""

_WORD_VECTOR_SIZE = 300


def _family(name: str) -> Any:
    if name not in FAMILIES:
        raise ValueError(
            f"features must be one of {', '.join(FAMILIES)}, but is {name!r}.{suggestion(str(name), FAMILIES)}"
        )
    module, cls = FAMILIES[name]
    return getattr(importlib.import_module(f"skol_rnn.features.{module}"), cls)


def make_features(name: str, *, input_size: int | None, features_col: str, seed: int) -> FeatureFamily:
    """Make a family that is not yet fitted.

    Parameters
    ----------
    name : str
        One of :data:`FAMILIES`.
    input_size : int or None
        Length of a line's vector: 300 for word vectors, the size that "vectors" must have, the size that "tfidf"
        is reduced to; "hashed" leaves it to the network.
    features_col : str
        Column of the caller's vectors.
    seed : int
        Seed of word vectors.

    Returns
    -------
    FeatureFamily
        The family.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> make_features("hashed", input_size=None, features_col="features", seed=0).name
    'hashed'
    """
    family = _family(name)
    if name == "hashed":
        return family()
    if name == "tfidf":
        return family(input_size=input_size)
    if name == "vectors":
        return family(features_col=features_col, input_size=input_size)
    return family(method=name, input_size=input_size or _WORD_VECTOR_SIZE, seed=seed)


def features_from_state(name: str, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> FeatureFamily:
    """Rebuild a fitted family.

    Parameters
    ----------
    name : str
        One of :data:`FAMILIES`.
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
    return _family(name).from_state(settings, arrays)
