"""What every feature family shares: the normal form of a line, the result type and the interface."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from skol_rnn.documents.columns import Lines

_SOFT_HYPHEN = "\u00ad"


class LineFeatures(NamedTuple):
    """Features of n lines, computed once per line and cut into windows afterwards.

    Attributes
    ----------
    ids : ndarray of int32, shape (n, slots)
        Vocabulary ids for a learned embedding bag; 0 is an empty slot.  ``slots`` is 0 for
        families that have no ids.
    numbers : ndarray of float32, shape (n, size)
        Dense features.
    """

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
    r"""Fold what scanning and typesetting vary: ligatures, non-breaking spaces, soft hyphens.

    Features see this form in training and in prediction alike; the text itself is never changed.
    The folding is Unicode's NFKC, with soft hyphens taken out.

    Parameters
    ----------
    text : str
        A line as it stood.

    Returns
    -------
    str
        Its normal form.

    Examples
    --------
    >>> normal_form("ﬁne sca\u00adles 20\u00a0µm") == "fine scales 20 μm"
    True
    """
    if text.isascii():
        return text
    return unicodedata.normalize("NFKC", text).replace(_SOFT_HYPHEN, "")
