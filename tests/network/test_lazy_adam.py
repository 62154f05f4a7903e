"""The lazy Adam: rows that a batch does not use stay, all others are updated as Adam does it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from skol_rnn.network.optimizer import LazyAdam

if keras.config.backend() != "tensorflow":
    pytest.skip("TensorFlow alone has gradients of rows", allow_module_level=True)

import tensorflow as tf  # noqa: E402


def trained(optimizer, batches):
    """Minimise the squares of the rows of a table that each batch uses, and of a vector."""
    table = keras.Variable(np.arange(12, dtype="float32").reshape(6, 2) / 10 + 1, name="table")
    vector = keras.Variable(np.array([3.0, -4.0], "float32"), name="vector")
    optimizer.build([table, vector])
    for rows in batches:
        with tf.GradientTape() as tape:
            used = tf.gather(table.value, rows)
            loss = tf.reduce_sum(used**2) + tf.reduce_sum(vector.value**2)
        optimizer.apply(tape.gradient(loss, [table.value, vector.value]), [table, vector])
    return np.asarray(table), np.asarray(vector)


def test_rows_without_gradient_stay_and_used_rows_move():
    start = np.arange(12).reshape(6, 2) / 10 + 1
    table, vector = trained(LazyAdam(0.1, lazy=["table"]), [[1, 1, 3], [3], [1]])
    unused = [0, 2, 4, 5]
    np.testing.assert_allclose(table[unused], start[unused], atol=1e-6)
    assert (table[[1, 3]] < start[[1, 3]]).all() and abs(vector).sum() < 7


@pytest.mark.parametrize("batches", [[[0, 1, 2, 3, 4, 5]] * 4, [[0, 1, 2, 3, 4, 5, 5, 0]] * 3])
def test_where_each_batch_uses_all_rows_it_is_adam(batches):
    lazy, plain = trained(LazyAdam(0.1, lazy=["table"]), batches), trained(_Dense(0.1), batches)
    for one, other in zip(lazy, plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_without_lazy_variables_it_is_adam_with_the_norm_of_all_gradients_clipped():
    batches = [[1, 1, 3], [3], [0, 1]]
    table, vector = trained(LazyAdam(0.1, global_clipnorm=1.0), batches)
    expected = trained(_Dense(0.1, global_clipnorm=1.0), batches)
    np.testing.assert_allclose(table, expected[0], rtol=1e-5)
    np.testing.assert_allclose(vector, expected[1], rtol=1e-5)


class _Dense(keras.optimizers.Adam):
    """Adam of Keras, with dense gradients."""

    def apply(self, grads, trainable_variables=None):
        """Update the variables."""
        super().apply([tf.convert_to_tensor(gradient) for gradient in grads], trainable_variables)


def test_its_configuration_rebuilds_it():
    rebuilt = LazyAdam.from_config(LazyAdam(0.1, lazy=["bag/embeddings"], global_clipnorm=1.0).get_config())
    assert rebuilt.lazy == ("bag/embeddings",) and rebuilt.global_clipnorm == 1.0
