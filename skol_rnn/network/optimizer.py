"""Adam that updates only those rows of an embedding that a batch uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import keras

from skol_rnn.network.backend import BACKEND


def adam(schedule: Any, clip: float, lazy: Iterable[str]) -> keras.optimizers.Optimizer:
    """Return Adam, lazy for the variables of some paths where TensorFlow runs it."""
    if BACKEND != "tensorflow":
        return keras.optimizers.Adam(schedule, global_clipnorm=clip)
    return LazyAdam(schedule, global_clipnorm=clip, lazy=lazy)


@keras.saving.register_keras_serializable(package="skol_rnn")
class LazyAdam(keras.optimizers.Adam):
    """Adam, lazy for the variables of some paths: rows without a gradient stay as they are, and so do their moments.

    A dense update of 10^5 rows takes as long as all the rest of a batch.  Gradients of these rows are not clipped.
    """

    def __init__(self, *args: Any, lazy: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazy = tuple(lazy)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        """Create the moments of all variables."""
        if self.built:
            return
        super().build([variable for variable in variables if variable.path not in self.lazy])
        rows = [variable for variable in variables if variable.path in self.lazy]
        first, second = self.add_optimizer_variables(rows, ["momentum", "velocity"])
        self.moments = {variable.path: pair for variable, *pair in zip(rows, first, second, strict=True)}

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        """Update the variables."""
        import tensorflow as tf

        pairs = list(zip(grads, trainable_variables or (), strict=True))  # Keras passes both
        for gradient, variable in pairs:
            if variable.path in self.lazy and gradient is not None:
                self._update_rows(gradient, variable)
        dense = [(tf.convert_to_tensor(g), v) for g, v in pairs if v.path not in self.lazy and g is not None]
        super().apply(*zip(*dense, strict=True))

    def _update_rows(self, gradient: Any, variable: keras.Variable) -> None:
        """Update the rows of ``tf.IndexedSlices``."""
        import tensorflow as tf

        rows, place = tf.unique(gradient.indices)  # a row that a batch uses twice has one gradient, their sum
        slope = tf.math.unsorted_segment_sum(gradient.values, place, tf.size(rows))
        step = tf.cast(self.iterations + 1, slope.dtype)
        first, second = (moment.value for moment in self.moments[variable.path])
        momentum = self.beta_1 * tf.gather(first, rows) + (1 - self.beta_1) * slope
        velocity = self.beta_2 * tf.gather(second, rows) + (1 - self.beta_2) * slope**2
        rate = tf.cast(self.learning_rate, slope.dtype) * tf.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        first.scatter_update(tf.IndexedSlices(momentum, rows))
        second.scatter_update(tf.IndexedSlices(velocity, rows))
        variable.value.scatter_sub(tf.IndexedSlices(rate * momentum / (tf.sqrt(velocity) + self.epsilon), rows))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "lazy": self.lazy}
