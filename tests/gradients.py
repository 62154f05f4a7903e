"""Gradients under any backend of Keras."""

from __future__ import annotations

import keras
import numpy as np


def value_and_gradients(function, variables):
    """Return the value of a function of Keras variables without arguments, and its gradient into each of them."""
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            value = function()
        slopes = tape.gradient(value, [one.value for one in variables])
        slopes = [
            np.zeros(one.shape) if s is None else tf.convert_to_tensor(s)
            for one, s in zip(variables, slopes, strict=True)
        ]
    elif backend == "torch":
        import torch

        value = function()
        slopes = torch.autograd.grad(value, [one.value for one in variables], allow_unused=True)
        value = value.detach()
        slopes = [np.zeros(one.shape) if s is None else s for one, s in zip(variables, slopes, strict=True)]
    else:
        import jax

        def stateless(values):
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return function()

        value, slopes = jax.value_and_grad(stateless)([one.value for one in variables])
    return float(value), [np.asarray(slope) for slope in slopes]
