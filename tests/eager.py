"""Toy networks run eagerly: tracing them costs most of their time and memory.

Eagerly, Keras's LSTM costs 15 ms a row of a window; traced for each network anew, it costs 2 s and 50 MB.  Therefore
its loop is traced once for each size, and all layers of that size share the graph.
"""

from __future__ import annotations

import functools
import gc
import sys

EAGER_UPDATES = 24
"""Updates up to which a training takes less time eagerly than its tracing alone would."""


TRACED = []
"""The updates of the trainings that were traced since ``forget_graphs``."""
FORGOTTEN_AFTER = 4
"""Traced trainings until memory is freed: each takes up to 150 MB, and collecting garbage takes 0.2 s."""


def run_toys_eagerly(toy: bool = True) -> None:
    """Set TensorFlow up for a test, if anything has loaded it; without ``toy`` what is traced is as in production."""
    if "skol_rnn.model" in sys.modules:
        import skol_rnn.inference.keras_runner  # noqa: F401  # the model itself loads it with the first network
    tensorflow, keras = sys.modules.get("tensorflow"), sys.modules.get("keras")
    if tensorflow is None or not hasattr(tensorflow, "config") or not hasattr(keras, "Model"):
        return
    tensorflow.config.run_functions_eagerly(True)
    # Optimising a graph takes longer than a toy network runs, and so does shortening tracebacks.
    tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": toy})
    keras.config.disable_traceback_filtering()
    tensorflow.debugging.disable_traceback_filtering()
    if keras.Model.fit.__name__ != "fit_toy":
        keras.Model.fit = eager_unless_long(keras.Model.fit)
        gc.freeze()  # what the imports made stays
    if len(TRACED) >= FORGOTTEN_AFTER:
        forget_graphs()
    shared = shared_loop()
    keras.layers.LSTM.inner_loop = shared if toy else shared.__wrapped__


def forget_graphs() -> None:
    """Free traced trainings: TensorFlow keeps, by name and for ever, each gradient that Keras's optimizers define."""
    from tensorflow.python.framework.ops import gradient_registry

    for name in [name for name in gradient_registry.list() if name.startswith("CustomGradient-")]:
        del gradient_registry._registry[name]
    gc.collect()
    TRACED.clear()


def eager_unless_long(fit):
    """Return Keras's ``fit`` so that it traces the network only for many updates."""
    import tensorflow as tf

    @functools.wraps(fit)
    def fit_toy(self, x, *args, epochs=1, **kwargs):
        updates = len(x) * epochs if hasattr(x, "windows") else EAGER_UPDATES + 1
        tf.config.run_functions_eagerly(updates <= EAGER_UPDATES)
        if updates > EAGER_UPDATES:
            TRACED.append(updates)
        try:
            return fit(self, x, *args, epochs=epochs, **kwargs)
        finally:
            tf.config.run_functions_eagerly(True)

    fit_toy.__name__ = "fit_toy"
    return fit_toy


@functools.cache
def shared_loop():
    """Return the LSTM's loop so that layers of one size share one graph of it, with the weights as arguments."""
    import keras
    import tensorflow as tf

    keras_loop = keras.layers.LSTM.inner_loop

    def tensor(*shape, dtype="float32"):
        return tf.TensorSpec(shape, dtype)

    @functools.cache
    def traced(units, width, backwards, zeros, masked):
        layer = keras.layers.LSTM(
            units, return_sequences=True, go_backwards=backwards, zero_output_for_mask=zeros, name="shared"
        )
        layer.build((None, None, width))
        weights = [layer.cell.kernel, layer.cell.recurrent_kernel, layer.cell.bias]

        def loop(sequences, states, mask, values):
            with keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True))):
                return keras_loop(layer, sequences, states, mask)

        return tf.function(loop, autograph=False).get_concrete_function(
            tensor(None, None, width),
            [tensor(None, units), tensor(None, units)],
            tensor(None, None, dtype="bool") if masked else None,
            [tensor(*weight.shape) for weight in weights],
        )

    @functools.wraps(keras_loop)
    def inner_loop(self, sequences, initial_state, mask, training=False):
        cell = self.cell
        # What the shared layer does not repeat is left to Keras.
        plain = (cell.activation, cell.recurrent_activation) == (keras.activations.tanh, keras.activations.sigmoid)
        plain &= self.return_sequences and not (cell.dropout or cell.recurrent_dropout or self.stateful or self.unroll)
        if not plain or not tf.is_tensor(sequences):
            return keras_loop(self, sequences, initial_state, mask, training=training)
        size = (self.units, sequences.shape[-1])
        graph = traced(*size, self.go_backwards, self.zero_output_for_mask, mask is not None)
        values = [tf.convert_to_tensor(weight.value) for weight in (cell.kernel, cell.recurrent_kernel, cell.bias)]
        return graph(sequences, list(initial_state), mask, values)

    return inner_loop
