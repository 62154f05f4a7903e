"""What differs between TensorFlow, PyTorch and JAX: the one module that knows them apart."""

from __future__ import annotations

from functools import cache
from typing import Any

import keras
import numpy as np
from keras import layers, ops

BACKEND = keras.config.backend()

COMPILES_EACH_SHAPE = BACKEND == "jax"
"""JAX is slow unless compiled, and compiles for each shape anew.  XLA under TensorFlow would too, without need, and cannot
compile cuDNN's LSTM; PyTorch runs without compiling."""

_SMALLEST = 8


def sum_of_bags(embeddings: Any, ids: Any, kept: Any) -> Any:
    """Sum the embeddings of the kept ids (batch, window, slots) of each line, to (batch, window, size)."""
    if BACKEND == "tensorflow":
        return _sum_in_tensorflow(embeddings, ids, kept)
    if BACKEND == "torch" and not isinstance(ids, keras.KerasTensor):
        return _sum_in_torch(embeddings, ids, kept)
    return ops.einsum("bwse,bws->bwe", ops.take(embeddings, ids, axis=0), kept)


def _sum_in_tensorflow(variable: Any, ids: Any, kept: Any) -> Any:
    """Gather only the kept ids, which are a fraction of all slots."""
    import tensorflow as tf

    shape, size = tf.shape(ids), variable.shape[-1]
    n_lines = shape[0] * shape[1]
    places = tf.where(tf.reshape(kept, (-1,)) > 0)[:, 0]
    flat = tf.gather(tf.reshape(ids, (-1,)), places)
    line = places // tf.cast(shape[2], tf.int64)  # ascending, as segment_sum needs it
    # From the variable itself, so that the gradient has only the rows used.
    sums = tf.math.segment_sum(tf.gather(variable.value, flat), line)
    sums = tf.pad(sums, [[0, n_lines - tf.shape(sums)[0]], [0, 0]])  # the last lines may have no id
    return tf.reshape(sums, (shape[0], shape[1], size))


def _sum_in_torch(variable: Any, ids: Any, kept: Any) -> Any:
    """Gather only the kept ids, which are a fraction of all slots."""
    import torch

    kept = kept > 0
    counts = kept.sum(-1).reshape(-1)
    starts = torch.cumsum(counts, 0) - counts
    sums = torch.nn.functional.embedding_bag(ids[kept].long(), ops.convert_to_tensor(variable), starts, mode="sum")
    return sums.reshape(*ids.shape[:2], -1)


@keras.saving.register_keras_serializable(package="skol_rnn")
class RightPaddedLSTM(layers.LSTM):
    """An LSTM whose masks have False on the right only, in every row.

    All three run masked LSTMs in a slow loop; TensorFlow alone runs them with cuDNN, where it has a GPU.  Lines on the right
    cannot change what is left of them, so that the forward direction needs no mask; the backward one gets the padding moved
    to the left.
    """

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        """Run without the mask; outputs at padding are arbitrary."""
        if _on_cudnn() or mask is None:
            return super().inner_loop(sequences, initial_state, mask, training=training)
        if not self.go_backwards:
            return self._unmasked(sequences, initial_state, training)
        length = ops.shape(mask)[1]
        padding = length - ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)  # (batch, 1)
        places = ops.expand_dims(ops.mod(ops.arange(length, dtype="int32") - padding, length), -1)
        moved = ops.take_along_axis(sequences, places, axis=1)
        last, outputs, states = self._unmasked(moved, initial_state, training)
        # Outputs are in reverse order: those of real lines first, where Keras has them last.
        return last, ops.take_along_axis(outputs, places, axis=1), states

    def _unmasked(self, sequences: Any, initial_state: Any, training: bool) -> Any:
        """Run as Keras does, or for TensorFlow by our own loop."""
        if BACKEND != "tensorflow":
            return super().inner_loop(sequences, initial_state, None, training=training)
        from skol_rnn.network.recurrence import lstm_outputs

        if self.go_backwards:
            sequences = ops.flip(sequences, axis=1)
        outputs = lstm_outputs(sequences, self.cell.kernel, self.cell.recurrent_kernel, self.cell.bias)
        return outputs[:, -1], outputs, initial_state


@cache
def _on_cudnn() -> bool:
    """Return whether TensorFlow has a GPU, where cuDNN runs LSTMs."""
    if BACKEND != "tensorflow":
        return False
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def padded_for_jax(inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Pad (windows, window, ...) on both axes to powers of two: a compiled network serves many batches."""
    if not COMPILES_EACH_SHAPE:
        return inputs
    windows, window = (max(_SMALLEST, 1 << (size - 1).bit_length()) for size in inputs[0].shape[:2])
    return tuple(
        np.pad(one, [(0, windows - one.shape[0]), (0, window - one.shape[1]), *[(0, 0)] * (one.ndim - 2)])
        for one in inputs
    )


def finish_step(model: keras.Model) -> None:
    """Give the variables of a model the values of the last step; JAX keeps them elsewhere while it trains."""
    if BACKEND == "jax":
        model.jax_state_sync()
