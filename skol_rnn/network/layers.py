"""The layers that Keras has not: an embedding bag, a slice of columns, and a convolution over characters."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from skol_rnn.network.backend import sum_of_bags

_BAG_INITIAL_DEVIATION = 0.1
_EMBEDDING, _FILTERS, _WIDTH = 16, 32, 3  # of the convolution over characters


@keras.saving.register_keras_serializable(package="skol_rnn")
class EmbeddingBag(layers.Layer):
    """Sum of the embeddings of a line's ids, divided by the root of their number."""

    def __init__(self, vocabulary_size: int, size: int, dropout: float = 0.0, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size, self.size, self.dropout, self.seed = vocabulary_size, size, dropout, seed
        self.draws = keras.random.SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        """Create the embedding matrix, shape (vocabulary_size, size)."""
        initial = keras.initializers.RandomNormal(stddev=_BAG_INITIAL_DEVIATION, seed=self.seed)
        self.embeddings = self.add_weight(
            shape=(self.vocabulary_size, self.size), initializer=initial, name="embeddings"
        )

    def call(self, ids: Any, training: bool = False) -> Any:
        """Turn ids (batch, window, slots) into vectors (batch, window, size)."""
        kept = ops.cast(ids > 0, self.compute_dtype)
        if training and self.dropout:
            draw = keras.random.uniform(ops.shape(ids), dtype=self.compute_dtype, seed=self.draws)
            kept = kept * ops.cast(draw >= self.dropout, self.compute_dtype)
        count = ops.sum(kept, axis=-1, keepdims=True)
        total = sum_of_bags(self.embeddings, ids, kept)
        return total / ops.sqrt(ops.maximum(count, 1.0))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (batch, window, size)."""
        return (*input_shape[:-1], self.size)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {"vocabulary_size": self.vocabulary_size, "size": self.size, "dropout": self.dropout, "seed": self.seed}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="skol_rnn")
class Columns(layers.Layer):
    """Some neighbouring columns of a tensor's last axis; a layer, so that the export knows it."""

    def __init__(self, first: int, end: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first, self.end = first, end

    def call(self, x: Any) -> Any:
        """Take the columns: (batch, window, columns) to (batch, window, end - first)."""
        return x[..., self.first : self.end]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "first": self.first, "end": self.end}


@keras.saving.register_keras_serializable(package="skol_rnn")
class CharacterConvolution(layers.Layer):
    """Largest response of each filter over a token's characters (Ma and Hovy 2016, "End-to-end sequence labeling")."""

    def __init__(self, alphabet_size: int, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alphabet_size, self.seed = alphabet_size, seed

    def build(self, input_shape: Any) -> None:
        """Create the embeddings and the filters."""
        normal = keras.initializers.RandomNormal(stddev=0.1, seed=self.seed)
        glorot = keras.initializers.GlorotUniform(seed=self.seed + 1)
        self.embeddings = self.add_weight(shape=(self.alphabet_size, _EMBEDDING), initializer=normal, name="embeddings")
        self.filters = self.add_weight(shape=(_WIDTH, _EMBEDDING, _FILTERS), initializer=glorot, name="filters")
        self.bias = self.add_weight(shape=(_FILTERS,), initializer="zeros", name="bias")

    def call(self, ids: Any) -> Any:
        """Turn ids (batch, window, characters) into vectors (batch, window, filters)."""
        shape = ops.shape(ids)
        flat = ops.reshape(ids, (-1, ids.shape[-1]))  # (tokens, characters)
        real = ops.expand_dims(ops.cast(flat > 0, self.compute_dtype), -1)
        vectors = ops.take(self.embeddings, flat, axis=0) * real
        found = (
            ops.relu(ops.conv(vectors, self.filters, padding="same", data_format="channels_last") + self.bias) * real
        )
        return ops.reshape(ops.max(found, axis=1), (shape[0], shape[1], _FILTERS))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (batch, window, filters)."""
        return (*input_shape[:-1], _FILTERS)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "alphabet_size": self.alphabet_size, "seed": self.seed}
