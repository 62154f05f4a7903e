"""Vectors of tokens from a transformer in a local folder, for ``features="vectors"``; extra "transformer"."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.errors import DataError


def transformer_vectors(
    table: pd.DataFrame, folder: str | Path, *, layer: int = -1, batch_size: int = 16, device: str = "cpu"
) -> list[np.ndarray]:
    """Compute the vector of each token with the transformer in a local folder, for a column of the table."""
    model, tokenizer = _load(Path(folder), device)
    vectors: list[np.ndarray] = []
    for _, document in table.groupby("doc_id", sort=False):
        vectors += _of_document(document["value"].tolist(), model, tokenizer, layer, batch_size)
    return vectors


def _load(folder: Path, device: str) -> tuple[Any, Any]:
    try:
        import torch  # noqa: F401
        from transformers import AutoModel, AutoTokenizer
    except ImportError as error:
        message = "transformer_vectors needs transformers and torch: pip install 'skol_rnn[transformer]'"
        raise ImportError(message) from error
    if not (folder / "config.json").is_file():
        raise DataError(f"{folder} holds no transformer: config.json is missing.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, use_fast=True, add_prefix_space=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} cannot be read as a transformer with safetensors weights ({error}).") from error
    if not tokenizer.is_fast:
        raise DataError(f"{folder} has a slow tokeniser, which does not map pieces to tokens: save a fast one.")
    return model.to(device).eval(), tokenizer


def _of_document(words: list[str], model: Any, tokenizer: Any, layer: int, batch_size: int) -> list[np.ndarray]:
    import torch

    size = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", 512) - 2, 512)
    pieces = tokenizer(
        [words],
        is_split_into_words=True,
        truncation=True,
        max_length=size,
        stride=size // 4,  # overlap of windows
        return_overflowing_tokens=True,
        padding=True,
        return_tensors="pt",
    )
    states = []
    for i in range(0, len(pieces["input_ids"]), batch_size):
        inputs = {name: pieces[name][i : i + batch_size].to(model.device) for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            hidden = model(**inputs, output_hidden_states=True).hidden_states
        states.append(hidden[layer].float().cpu().numpy())
    windows = np.concatenate(states)  # (windows, pieces, size)
    return _of_words(len(words), windows, [pieces.word_ids(i) for i in range(len(windows))])


def _of_words(n_words: int, windows: np.ndarray, word_ids: list[list[int | None]]) -> list[np.ndarray]:
    """Return each word's mean of pieces in the window where it is farthest from an edge."""
    vectors = np.zeros((n_words, windows.shape[2]), np.float32)
    distance = np.full(n_words, -1)
    for states, words in zip(windows, word_ids, strict=True):
        for word in {word for word in words if word is not None}:
            first, end = words.index(word), len(words) - words[::-1].index(word)
            if min(first, len(words) - end) > distance[word]:
                distance[word], vectors[word] = min(first, len(words) - end), states[first:end].mean(axis=0)
    return list(vectors)
