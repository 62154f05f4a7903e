"""Gradients of one logit of the network with respect to what its layers make of the ids and to the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import keras
import numpy as np

from skol_rnn.network.backend import BACKEND
from skol_rnn.network.layers import CharacterConvolution, EmbeddingBag


class Slopes(NamedTuple):
    """Logit of a line, and for each line of its window the contributions of ids, characters and numbers."""

    logit: float
    bags: list[BagSlopes]
    characters: np.ndarray  # (window,)
    numbers: np.ndarray  # (window, numbers)


class BagSlopes(NamedTuple):
    """Whether a bag is that of the context's ids, its embeddings, and the gradient (window, size)."""

    of_context: bool
    embeddings: np.ndarray
    gradient: np.ndarray


def logit_slopes(network: keras.Model, inputs: Sequence[np.ndarray], place: int, label: int) -> Slopes:
    """Differentiate the logit of a label at a place of one window."""
    layers, first, rest = _cut(network)
    ids, numbers, mask = (keras.ops.convert_to_tensor(one) for one in inputs)
    found = first([ids, numbers, mask]) if first else []
    starts = [*(found if isinstance(found, (list, tuple)) else [found]), numbers]
    values = [np.asarray(keras.ops.convert_to_numpy(one), np.float32) for one in starts]
    # Without layers that read ids, these are an input of what follows.
    fixed = [] if first else [ids]
    logit, slopes = _GRADIENTS[BACKEND](rest, fixed, values, mask, place, label)
    bags, characters = [], np.zeros(len(values[-1][0]))
    for layer, value, slope in zip(layers, values, slopes, strict=False):
        if isinstance(layer, CharacterConvolution):
            characters += (value[0] * slope[0]).sum(axis=-1)
        else:
            of_context = layer.name.startswith("bag_around")
            bags.append(BagSlopes(of_context, np.asarray(keras.ops.convert_to_numpy(layer.embeddings)), slope[0]))
    return Slopes(logit, bags, characters, values[-1][0] * slopes[-1][0])


@lru_cache(maxsize=1)
def _cut(network: keras.Model) -> tuple[list[Any], keras.Model | None, keras.Model]:
    """Cut a network behind the layers that read ids: the layers, the part up to them, and the part that follows."""
    layers = [one for one in network.layers if isinstance(one, (EmbeddingBag, CharacterConvolution))]
    if not layers:
        return [], None, network
    outputs = [layer.output for layer in layers]
    return layers, keras.Model(network.inputs, outputs), keras.Model([*outputs, *network.inputs[1:]], network.output)


@lru_cache(maxsize=1)
def _in_graph(model: Any) -> Any:
    """Compile value and gradients: TensorFlow runs LSTMs line by line otherwise."""
    import tensorflow as tf

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def slopes(fixed: Any, tensors: Any, mask: Any, place: Any, label: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            logit = model([*fixed, *tensors, mask])[0, place, label]
        return logit, tape.gradient(logit, tensors)

    return slopes


def _of_tensorflow(model: Any, fixed: Any, values: Any, mask: Any, place: int, label: int) -> Any:
    import tensorflow as tf

    tensors, (at, of) = [tf.constant(value) for value in values], (tf.constant(place), tf.constant(label))
    logit, slopes = _in_graph(model)(fixed, tensors, mask, at, of)
    return float(logit), [np.asarray(slope) for slope in slopes]


def _of_torch(model: Any, fixed: Any, values: Any, mask: Any, place: int, label: int) -> Any:
    import torch

    tensors = [keras.ops.convert_to_tensor(value).detach().requires_grad_() for value in values]
    logit = model([*fixed, *tensors, mask])[0, place, label]
    slopes = torch.autograd.grad(logit, tensors)
    return float(logit), [slope.detach().cpu().numpy() for slope in slopes]


def _of_jax(model: Any, fixed: Any, values: Any, mask: Any, place: int, label: int) -> Any:
    import jax

    weights = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]

    def logit_of(tensors: Any) -> Any:
        return model.stateless_call(weights, others, [*fixed, *tensors, mask])[0][0, place, label]

    logit, slopes = jax.value_and_grad(logit_of)(values)
    return float(logit), [np.asarray(slope) for slope in slopes]


_GRADIENTS = {"tensorflow": _of_tensorflow, "torch": _of_torch, "jax": _of_jax}
