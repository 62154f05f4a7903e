"""Vectors that the caller brings, one per line, checked and passed on as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.data.columns import is_missing
from skol_rnn.errors import DataError
from skol_rnn.features.base import LineFeatures
from skol_rnn.labels import suggestion

if TYPE_CHECKING:
    from skol_rnn.data.columns import Lines


class CallerVectors:
    """Ready vectors from a column of the table: nothing is learned, scaled or added."""

    name = "vectors"

    def __init__(self, features_col: str = "features", input_size: int | None = None) -> None:
        self.features_col = features_col
        self.input_size = input_size

    def fit(self, table: Lines) -> CallerVectors:
        """Learn the length of the vectors, and check that all have it."""
        self.fit_transform(table)
        return self

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Fit, and return the vectors of the same lines, each of which is checked once."""
        vectors = self._vectors(table, self.input_size)
        self.size_ = len(vectors[0]) if vectors else self.input_size or 0
        return self._features(vectors)

    def transform(self, table: Lines) -> LineFeatures:
        """Return the vectors of lines."""
        return self._features(self._vectors(table, self.size_))

    def _features(self, vectors: list[np.ndarray]) -> LineFeatures:
        numbers = np.stack(vectors) if vectors else np.zeros((0, self.size_), np.float32)
        return LineFeatures(np.zeros((len(vectors), 0), np.int32), numbers)

    def _vectors(self, table: Lines, size: int | None) -> list[np.ndarray]:
        if self.features_col not in table:
            columns = [str(column) for column in table]
            raise DataError(
                f"The table has no column {self.features_col!r} of vectors.{suggestion(self.features_col, columns)} "
                f"Name it with features_col; there are {', '.join(columns)}."
            )
        vectors: list[np.ndarray] = []
        for row, cell in enumerate(table[self.features_col]):
            try:
                vectors.append(_vector(cell, size))
            except ValueError as error:
                raise DataError(f"{_place(table, row)}: its vector {error}.") from None
            size = len(vectors[-1])
        return vectors

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted."""
        return {"features_col": self.features_col, "input_size": self.input_size, "size": self.size_}, {}

    @classmethod
    def from_state(cls, settings: dict[str, Any], arrays: dict[str, np.ndarray]) -> CallerVectors:
        """Rebuild a fitted family."""
        features = cls(settings["features_col"], settings["input_size"])
        features.size_ = settings["size"]
        return features


def _vector(cell: Any, size: int | None) -> np.ndarray:
    """Return a cell as float32, or raise a ValueError whose text is the end of a sentence about the vector."""
    try:
        numbers = np.asarray(cell)
    except ValueError:  # lists of unequal lengths
        raise ValueError("is no flat list of numbers") from None
    if numbers.ndim == 0 and is_missing(cell):
        raise ValueError("is missing")
    if numbers.ndim != 1:
        raise ValueError("is no flat list of numbers")
    if len(numbers) == 0 or len(numbers) != (size or len(numbers)):
        raise ValueError(f"has {len(numbers)} numbers, expected {size or 'at least 1'}")
    if numbers.dtype.kind not in "biuf":
        raise ValueError("holds what is no number")
    with np.errstate(over="ignore"):  # too large for single precision becomes infinity, which is refused below
        vector = numbers.astype(np.float32)
    strange = np.flatnonzero(~np.isfinite(vector))
    if len(strange):
        raise ValueError(f"holds what is no finite number ({numbers[strange[0]]} at position {strange[0]})")
    return vector


def _place(table: Lines, row: int) -> str:
    line = np.asarray(table["line_number"])[row] if "line_number" in table else row
    return f"Document {str(np.asarray(table['doc_id'])[row])!r}, line {line}"
