"""What every feature family shares: the normal form of a line, the result type and the interface."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from skol_rnn.data.columns import Lines

_SOFT_HYPHEN = "\u00ad"


class LineFeatures(NamedTuple):
    """Features of n lines, computed once per line and cut into windows afterwards."""

    ids: np.ndarray
    numbers: np.ndarray


class FeatureFamily(Protocol):
    """The interface that the estimator and the saved model use; a family is fitted on training lines only."""

    name: str

    def fit(self, table: Lines) -> FeatureFamily:
        """Learn vocabulary and scales from training lines."""

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Learn from lines and compute their features."""

    def transform(self, table: Lines) -> LineFeatures:
        """Compute the features of lines in their order."""

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted as JSON values and arrays, without pickle."""


def normal_form(text: str) -> str:
    r"""Fold what scanning and typesetting vary: ligatures, non-breaking spaces, soft hyphens."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text).replace(_SOFT_HYPHEN, "")
