"""Words of a line, and the base of the families that read nothing else but words and layout."""

from __future__ import annotations

import re
from abc import abstractmethod

import numpy as np

from skol_rnn.data.table import Lines
from skol_rnn.features.base import FeatureFamily, LineFeatures, StandardScaler, dense_features, normal_form
from skol_rnn.features.lines.layout import layout_numbers

_WORD = re.compile(r"\w+")
_MAX_WORDS = 1000  # bounds the work on a line that is a whole file


def lower_words(text: str) -> list[str]:
    """Split a line into lower-case words."""
    return _WORD.findall(normal_form(text).lower())[:_MAX_WORDS]


class WordFeatures(FeatureFamily):
    """Numbers computed from the words of a line, followed by its layout numbers."""

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Fit, and transform the same lines, each of which is split into words once."""
        lines, layout = [lower_words(value) for value in table["value"]], layout_numbers(table)
        self._scaler = StandardScaler.fit(layout)
        self._fit_words(lines)
        return dense_features(self._numbers(lines, self._scaler.transform(layout)))

    def transform(self, table: Lines) -> LineFeatures:
        """Compute the features of lines."""
        lines = [lower_words(value) for value in table["value"]]
        return dense_features(self._numbers(lines, self._scaler.transform(layout_numbers(table))))

    @abstractmethod
    def _fit_words(self, lines: list[list[str]]) -> None:
        """Learn from the words of the training lines."""

    @abstractmethod
    def _numbers(self, lines: list[list[str]], layout: np.ndarray) -> np.ndarray:
        """Compute the numbers of lines and append the layout numbers."""
