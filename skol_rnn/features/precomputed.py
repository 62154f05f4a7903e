"""Precomputed vectors from a column of the table, checked and passed on as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skol_rnn.data.table import Lines, is_missing
from skol_rnn.errors import DataError
from skol_rnn.features.base import FeatureFamily, LineFeatures, dense_features
from skol_rnn.labels import suggestion


@dataclass(eq=False)
class PrecomputedFeatures(FeatureFamily):
    """Vectors from a column of the table: nothing is learned, scaled or added."""

    name = "vectors"

    features_col: str = "features"
    input_size: int | None = None

    def fit_transform(self, table: Lines) -> LineFeatures:
        """Learn the length of the vectors, and return those of the same rows."""
        vectors = self._vectors(table, self.input_size)
        self.size_ = len(vectors[0]) if vectors else self.input_size or 0
        return self._features(vectors)

    def transform(self, table: Lines) -> LineFeatures:
        """Return the vectors of rows."""
        return self._features(self._vectors(table, self.size_))

    def _features(self, vectors: list[np.ndarray]) -> LineFeatures:
        return dense_features(np.stack(vectors) if vectors else np.zeros((0, self.size_), np.float32))

    def _vectors(self, table: Lines, size: int | None) -> list[np.ndarray]:
        if self.features_col not in table:
            columns = [str(column) for column in table]
            raise DataError(
                f"The table has no column {self.features_col!r} of vectors.{suggestion(self.features_col, columns)} "
                f"Name the column with features_col; there are {', '.join(columns)}."
            )
        vectors: list[np.ndarray] = []
        for row, cell in enumerate(table[self.features_col]):
            try:
                vectors.append(_vector(cell, size))
            except ValueError as error:
                line = np.asarray(table["line_number"])[row] if "line_number" in table else row
                document = str(np.asarray(table["doc_id"])[row])
                raise DataError(f"Document {document!r}, line {line}: the vector {error}.") from None
            size = len(vectors[-1])
        return vectors

    def _fitted(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"size": self.size_}, {}

    def _restore(self, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        self.size_ = values["size"]


def _vector(cell: object, size: int | None) -> np.ndarray:
    """Return a cell as float32, or raise a ValueError that says what is wrong with "the vector"."""
    try:
        numbers = np.asarray(cell)
    except ValueError:  # lists of unequal lengths
        numbers = np.zeros((0, 0))
    if numbers.ndim == 0 and is_missing(cell):
        raise ValueError("is missing")
    if numbers.ndim != 1:
        raise ValueError("is not a flat list of numbers")
    if len(numbers) == 0 or len(numbers) != (size or len(numbers)):
        raise ValueError(f"has {len(numbers)} numbers, expected {size or 'at least 1'}")
    if numbers.dtype.kind not in "biuf":
        raise ValueError("holds a value that is not a number")
    with np.errstate(over="ignore"):  # too large for single precision becomes infinity, which is rejected below
        vector = numbers.astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(vector))
    if len(wrong):
        raise ValueError(f"holds a value that is not finite ({numbers[wrong[0]]} at position {wrong[0]})")
    return vector
