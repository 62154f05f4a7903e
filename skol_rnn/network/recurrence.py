"""The LSTM's recurrence for TensorFlow on a processor: what needs no loop over the lines is computed outside of it.

Keras multiplies inputs and weights at each line, and adds up the gradients of the weights line by line, in matrices of
the size of the weights.  Here, one product of all lines does either.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def lstm_outputs(sequences: Any, kernel: Any, recurrent_kernel: Any, bias: Any) -> Any:
    """Compute the outputs of an LSTM, (batch, time, units), from its inputs, (batch, time, size); it starts from zeros."""
    inputs = tf.transpose(sequences, (1, 0, 2))  # the loop reads a step at a time
    outputs = _recurrence(tf.tensordot(inputs, kernel, 1) + bias, tf.convert_to_tensor(recurrent_kernel))
    return tf.transpose(outputs, (1, 0, 2))


@tf.custom_gradient  # type: ignore[untyped-decorator]
def _recurrence(inputs: Any, weights: Any) -> Any:
    """Compute outputs, (time, batch, units), from the inputs of the gates, (time, batch, 4 * units)."""
    n, batch, units = tf.shape(inputs)[0], tf.shape(inputs)[1], weights.shape[0]
    start = tf.zeros((batch, units), inputs.dtype)
    steps = tf.TensorArray(inputs.dtype, n).unstack(inputs)
    written = [tf.TensorArray(inputs.dtype, n, element_shape=(None, size)) for size in (units, units, 4 * units)]

    def forward(t: Any, h: Any, c: Any, outputs: Any, cells: Any, gates: Any) -> tuple[Any, ...]:
        z = steps.read(t) + tf.matmul(h, weights)
        i, f, g, o = tf.split(z, 4, axis=1)
        i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
        c = f * c + i * g
        h = o * tf.tanh(c)
        return t + 1, h, c, outputs.write(t, h), cells.write(t, c), gates.write(t, tf.concat([i, f, g, o], 1))

    found = tf.while_loop(lambda t, *_: t < n, forward, (0, start, start, *written))
    outputs, cells, gates = (array.stack() for array in found[3:])

    def gradient(upstream: Any) -> tuple[Any, Any]:
        """Return the gradients of the inputs and of the weights."""
        i, f, g, o = tf.split(gates, 4, axis=2)
        before = tf.concat([start[None], cells[:-1]], 0)
        squashed = tf.tanh(cells)
        # How the inputs of the gates change the cell, and how those of the output gate change the output.
        of_cell = tf.concat([g * i * (1 - i), before * f * (1 - f), i * (1 - g * g)], 2)
        read = [
            tf.TensorArray(inputs.dtype, n).unstack(values)
            for values in (upstream, o * (1 - squashed * squashed), of_cell, squashed * o * (1 - o), f)
        ]
        slopes = tf.TensorArray(inputs.dtype, n, element_shape=(None, 4 * units))

        def backward(t: Any, dh: Any, dc: Any, slopes: Any) -> tuple[Any, ...]:
            given, to_cell, cell_gates, output_gate, forget = (values.read(t) for values in read)
            dh = dh + given
            dc = dc + dh * to_cell
            dz = tf.concat([tf.tile(dc, (1, 3)) * cell_gates, dh * output_gate], 1)
            return t - 1, tf.matmul(dz, weights, transpose_b=True), dc * forget, slopes.write(t, dz)

        *_, slopes = tf.while_loop(lambda t, *_: t >= 0, backward, (n - 1, start, start, slopes))
        dz = slopes.stack()
        earlier = tf.concat([start[None], outputs[:-1]], 0)
        return dz, tf.tensordot(earlier, dz, ((0, 1), (0, 1)))

    return outputs, gradient
