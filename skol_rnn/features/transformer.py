"""Vectors of tokens from a transformer in a local folder, for ``features="vectors"``; extra "transformer"."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skol_rnn.errors import DataError

_SHARE_OF_CONTEXT = 4  # a window's overlap with the next is this part of it


def transformer_vectors(
    table: pd.DataFrame, folder: str | Path, *, layer: int = -1, batch_size: int = 16, device: str = "cpu"
) -> list[np.ndarray]:
    """Compute a vector of each token from a transformer; put them into a column for ``features="vectors"``."""
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
        raise DataError(f"{folder} holds no transformer: there is no config.json.")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, use_fast=True, add_prefix_space=True)
        model = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    except (OSError, ValueError) as error:
        raise DataError(f"{folder} cannot be read as a transformer with safetensors weights ({error}).") from error
    if not tokenizer.is_fast:
        raise DataError(f"{folder} has a slow tokeniser, which does not say which piece is of which token.")
    return model.to(device).eval(), tokenizer


def _of_document(words: list[str], model: Any, tokenizer: Any, layer: int, batch_size: int) -> list[np.ndarray]:
    import torch

    size = min(tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", 512) - 2, 512)
    pieces = tokenizer(
        [words],
        is_split_into_words=True,
        truncation=True,
        max_length=size,
        stride=size // _SHARE_OF_CONTEXT,
        return_overflowing_tokens=True,
        padding=True,
        return_tensors="pt",
    )
    wanted = {name: pieces[name].to(model.device) for name in ("input_ids", "attention_mask")}
    states = []
    for i in range(0, len(wanted["input_ids"]), batch_size):
        with torch.no_grad():
            found = model(
                **{name: part[i : i + batch_size] for name, part in wanted.items()}, output_hidden_states=True
            )
        states.append(found.hidden_states[layer].float().cpu().numpy())
    windows = np.concatenate(states)  # (windows, pieces, size)
    return _of_words(len(words), windows, [pieces.word_ids(i) for i in range(len(windows))])


def _of_words(n_words: int, windows: np.ndarray, word_ids: list[list[int | None]]) -> list[np.ndarray]:
    """Take each word's mean of pieces from the window in which it stands farthest from an edge."""
    vectors = np.zeros((n_words, windows.shape[2]), np.float32)
    context = np.full(n_words, -1)
    for states, words in zip(windows, word_ids, strict=True):
        for word, first, last in _runs(words):
            here = min(first, len(words) - last)
            if here > context[word]:
                context[word], vectors[word] = here, states[first:last].mean(axis=0)
    return list(vectors)


def _runs(words: list[int | None]) -> Iterator[tuple[int, int, int]]:
    """Yield each word of a window with its first piece and the one after its last."""
    first = 0
    for i in range(1, len(words) + 1):
        if i == len(words) or words[i] != words[first]:
            word = words[first]
            if word is not None:
                yield word, first, i
            first = i
