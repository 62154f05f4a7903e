"""Vectors of tokens in their context: states of a frozen transformer in a local folder, run by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.features.base import StandardScaler
from skol_rnn.features.pretrained.folder import (
    Tokenizer,
    check_folder,
    check_installed,
    hash_of,
    read_arrays,
    read_config,
    read_tokenizer,
)
from skol_rnn.features.runtime import import_runtime
from skol_rnn.features.tokens.table import Tokens
from skol_rnn.labels import printable
from skol_rnn.windows import cut_windows

_WINDOW, _OVERLAP, _BATCH = 256, 64, 8  # pieces in a window and shared by two; windows run at a time
_KEPT_DOCUMENTS = 2_000
"""Documents whose states are kept: training, selection and refit read the same ones."""
_SCALED_ROWS = 50_000


class LayerVectors:
    """Mean of the states after some layers, scaled; the saved model remembers the folder and its hash."""

    def __init__(self, folder: str, sha256: str, layers: Sequence[int]) -> None:
        self.folder, self.sha256, self.layers = folder, sha256, tuple(layers)

    @classmethod
    def of(cls, folder: Path, layers: Sequence[int]) -> Self:
        """Read a model that is not fitted yet."""
        check_installed("onnx", "onnxruntime")
        return cls(str(folder.absolute()), hash_of(folder), layers)

    @cached_property
    def _encoder(self) -> _Encoder:
        """Read the model when it is first used."""
        path = Path(self.folder)
        try:
            check_folder(path)
            changed = hash_of(path) != self.sha256
        except DataError as error:
            raise DataError(f"The saved model needs the vectors of {printable(self.folder)}. {error}") from error
        if changed:
            raise DataError(
                f"The files in {printable(self.folder)} are others than those the model was trained with: "
                "put the former ones back, or train again."
            )
        return _encoder(self.folder, self.sha256, self.layers)

    def fit(self, tokens: Tokens) -> None:
        """Learn the scale of the states."""
        states = self._states(tokens)
        self._scaler = StandardScaler.fit(states[:: len(states) // _SCALED_ROWS + 1].astype(np.float32))

    def transform(self, tokens: Tokens) -> np.ndarray:
        """Return the vectors of tokens, shape (tokens, size)."""
        return self._scaler.transform(self._states(tokens))

    def _states(self, tokens: Tokens) -> np.ndarray:
        documents = np.split(tokens.values, np.flatnonzero(tokens.starts_document)[1:])
        states = [self._encoder.states(tuple(words.tolist())) for words in documents if len(words)]
        return np.concatenate([np.zeros((0, self._encoder.size), np.float16), *states])

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return what was fitted."""
        return {"folder": self.folder, "sha256": self.sha256, "layers": list(self.layers)}, self._scaler._asdict()

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Rebuild fitted vectors; the folder is read when they are first used."""
        vectors = cls(values["folder"], values["sha256"], values["layers"])
        vectors._scaler = StandardScaler(arrays["mean"], arrays["scale"])
        return vectors


@lru_cache(maxsize=1)
def _encoder(folder: str, sha256: str, layers: tuple[int, ...]) -> _Encoder:
    """Return the encoder of a folder, so that the refit and a loaded model share it."""
    return _Encoder(Path(folder), layers)


class _Encoder:
    """A transformer and its tokeniser."""

    def __init__(self, folder: Path, layers: Sequence[int]) -> None:
        from skol_rnn.features.pretrained.encoder import encoder_graph

        config = read_config(folder)
        self._tokenizer = Tokenizer(read_tokenizer(folder))
        graph = encoder_graph(read_arrays(folder), config, layers)
        self._session = import_runtime().InferenceSession(graph, providers=["CPUExecutionProvider"])
        self._before, self._after = self._tokenizer.frame()
        self.size = int(config["hidden_size"])
        longest = int(config.get("max_position_embeddings", _WINDOW))
        self._window = min(_WINDOW, longest) - len(self._before) - len(self._after)
        self.states = lru_cache(_KEPT_DOCUMENTS)(self._states)

    def _states(self, words: tuple[str, ...]) -> np.ndarray:
        """Return the mean state of each word's pieces, (words, size), zeros for a word without pieces."""
        pieces = self._tokenizer.pieces(words)
        word = np.repeat(np.arange(len(words)), [len(ids) for ids in pieces])
        ids = np.array([i for each in pieces for i in each], np.int64)
        sums = np.zeros((len(words), self.size), np.float32)
        np.add.at(sums, word, self._of_pieces(ids))
        return (sums / np.maximum(np.bincount(word, minlength=len(words)), 1)[:, None]).astype(np.float16)

    def _of_pieces(self, ids: np.ndarray) -> np.ndarray:
        """Return each piece's state in the window where it is farthest from an edge."""
        window = self._window
        cut = cut_windows([len(ids)], window, max(window - min(_OVERLAP, window // 4), 1)).lines
        states, distance = np.zeros((len(ids), self.size), np.float32), np.zeros(len(ids))
        for first in range(0, len(cut), _BATCH):
            lines = cut[first : first + _BATCH]
            lines = lines[:, : int((lines >= 0).sum(axis=1).max())]
            found = self._run(np.where(lines >= 0, ids[lines], 0), lines >= 0)
            for places, values in zip(lines, found, strict=True):
                places = places[places >= 0]
                here = np.minimum(np.arange(len(places)) + 1, len(places) - np.arange(len(places)))
                nearer = here > distance[places]
                states[places[nearer]], distance[places[nearer]] = values[: len(places)][nearer], here[nearer]
        return states

    def _run(self, ids: np.ndarray, real: np.ndarray) -> np.ndarray:
        """Run windows of pieces, (windows, pieces), framed as the model expects texts; return their states."""
        rows, lengths, before = len(ids), real.sum(axis=1), len(self._before)
        framed = np.zeros((rows, before + ids.shape[1] + len(self._after)), np.int64)
        framed[:, :before] = self._before
        framed[:, before : before + ids.shape[1]] = ids
        for i, piece in enumerate(self._after):
            framed[np.arange(rows), before + lengths + i] = piece
        mask = np.arange(framed.shape[1]) < (before + lengths + len(self._after))[:, None]
        (states,) = self._session.run(["states"], {"ids": framed, "mask": mask.astype(np.int64)})
        return np.asarray(states)[:, before : before + ids.shape[1]]
