"""A convolution over the characters of each token, as a layer of the network."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

_EMBEDDING = 16
_FILTERS = 32
_WIDTH = 3


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
        found = ops.relu(ops.conv(vectors, self.filters, padding="same") + self.bias) * real
        return ops.reshape(ops.max(found, axis=1), (shape[0], shape[1], _FILTERS))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (batch, window, filters)."""
        return (*input_shape[:-1], _FILTERS)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "alphabet_size": self.alphabet_size, "seed": self.seed}
