"""Static vectors: the input embeddings of a model's pieces, reduced and kept in the saved model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.features.pretrained.folder import Tokenizer, hash_of, read_arrays, read_tokenizer
from skol_rnn.features.tokens.table import Tokens

_TABLES = ("word_embeddings.weight", "embed_tokens.weight", "wte.weight", "shared.weight", "embeddings")
"""Endings of the names of input embeddings, in BERT and its kin, LLaMA, GPT-2, T5 and Model2Vec."""
_SIZE = 128  # of a vector after reduction


class StaticVectors:
    """Mean of a word's pieces in a table, of length 1; needs no transformer, and no folder once it is fitted."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.sha256 = str(folder), hash_of(folder)
        self._source = read_tokenizer(folder)
        self._tokenizer = Tokenizer(self._source)
        self._table = _input_embeddings(folder, self._tokenizer.size)

    def fit(self, tokens: Tokens) -> None:
        """Reduce the table to the main directions of the training words."""
        pieces = self._tokenizer.pieces(tokens.words)
        words = _means(self._table, pieces)
        mean = words.mean(axis=0) if len(words) else np.zeros(self._table.shape[1])
        directions = np.linalg.eigh(np.cov((words - mean).T))[1][:, ::-1] if len(words) > 1 else np.eye(len(mean))
        reduced = ((self._table - mean) @ directions[:, :_SIZE]).astype(np.float32)
        deviation = _unit(_means(reduced, pieces)).std(axis=0) if len(words) else np.ones(reduced.shape[1])
        self._table, self._deviation = reduced.astype(np.float16), np.maximum(deviation, 1e-3).astype(np.float32)

    def transform(self, tokens: Tokens) -> np.ndarray:
        """Return the vectors of tokens, shape (tokens, size)."""
        words = _means(self._table.astype(np.float32), self._tokenizer.pieces(tokens.words))
        return (_unit(words) / self._deviation).astype(np.float32)[tokens.word]

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted."""
        arrays = {
            "table": self._table,
            "deviation": self._deviation,
            "tokenizer": np.frombuffer(self._source, np.uint8),
        }
        return {"folder": self.folder, "sha256": self.sha256}, arrays

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Rebuild fitted vectors."""
        vectors = cls.__new__(cls)
        vectors.folder, vectors.sha256 = values["folder"], values["sha256"]
        vectors._source = arrays["tokenizer"].tobytes()
        vectors._tokenizer = Tokenizer(vectors._source)
        vectors._table, vectors._deviation = arrays["table"], arrays["deviation"]
        return vectors


def _input_embeddings(folder: Path, pieces: int) -> np.ndarray:
    found = read_arrays(folder, _TABLES)
    for ending in _TABLES:
        for name, array in found.items():
            # More rows than pieces are padding.
            if name.endswith(ending) and array.ndim == 2 and len(array) >= pieces:
                table = array[:pieces].astype(np.float32)
                if not np.isfinite(table).all():
                    raise DataError(f"The array {name} of {folder} holds values that are not finite: copy it again.")
                return table
    raise DataError(
        f"{folder} holds no input embeddings of its {pieces:,} pieces: an array whose name ends with {', '.join(_TABLES)}."
    )


def _means(table: np.ndarray, pieces: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the mean of each word's rows, and zeros for a word without pieces."""
    counts = np.array([len(ids) for ids in pieces], np.int64)
    flat = np.fromiter((i for ids in pieces for i in ids), np.int64, int(counts.sum()))
    sums = np.zeros((len(counts), table.shape[1]), np.float32)
    filled = np.flatnonzero(counts)
    if len(filled):
        sums[filled] = np.add.reduceat(table[flat], (np.cumsum(counts) - counts)[filled], axis=0)
    return sums / np.maximum(counts, 1)[:, None].astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
