"""Stacked bidirectional LSTMs, and a compiled model of them for callers with vectors and a loop of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from skol_rnn.imbalance.class_weights import resolve_weights
from skol_rnn.labels import LabelSet
from skol_rnn.network.losses import FocalLabelF1, WeightedCategoricalCrossentropy


def bilstm_stack(
    x: Any,
    mask: Any,
    hidden_size: int,
    num_layers: int,
    dropout: float,
    seed: int,
    suffix: str = "",
    kind: type[layers.LSTM] = layers.LSTM,
) -> Any:
    """Stack bidirectional LSTMs on a tensor (batch, window, features); False in the mask is padding."""
    for i in range(num_layers):
        # Each direction has its own seeds: Bidirectional would copy those of one layer to the other.
        forward, backward = (
            kind(
                hidden_size,
                return_sequences=True,
                go_backwards=backwards,
                name="backward" if backwards else "forward",
                kernel_initializer=keras.initializers.GlorotUniform(seed=seed + 10 * i + 4 * backwards),
                recurrent_initializer=keras.initializers.Orthogonal(seed=seed + 10 * i + 4 * backwards + 1),
            )
            for backwards in (False, True)
        )
        x = layers.Bidirectional(forward, backward_layer=backward, name=f"bilstm_{i + 1}{suffix}")(x, mask=mask)
        x = layers.Dropout(dropout, seed=seed + 10 * i + 8, name=f"dropout_{i + 1}{suffix}")(x)
    return x


def build_bilstm_model(
    input_shape: tuple[int | None, int],
    num_classes: int,
    hidden_size: int = 128,
    num_layers: int = 2,
    dropout: float = 0.3,
    class_weights: Mapping[str, float] | None = None,
    labels: Sequence[str] | None = None,
    focal_labels: Sequence[str] | None = None,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> keras.Model:
    """Build and compile a BiLSTM over windows of ready line vectors.

    It is for callers who bring their own vectors and training loop; ``RNNSkolModel`` does the rest of the
    work.  Lines whose vector is all zero are taken as padding by the LSTM, and lines whose one-hot row is
    all zero by the loss.

    Parameters
    ----------
    input_shape : tuple (window, features)
        Lines in a window (None for any number) and length of a line's vector.
    num_classes : int
        Labels.
    hidden_size : int, default 128
        LSTM units in each direction.
    num_layers : int, default 2
        Stacked bidirectional layers.
    dropout : float, default 0.3
        Share of activations left out in training.
    class_weights : dict of str to float, optional
        Weight of each label in the loss; a label left out weighs 1.0.
    labels : sequence of str, optional
        Label names in class order; needed with ``class_weights`` and ``focal_labels``.
    focal_labels : sequence of str, optional
        Labels whose soft F1 the loss adds; not together with ``class_weights``.
    learning_rate : float, default 0.001
        Of Adam.
    seed : int, default 0
        Seed of initial weights and dropout.

    Returns
    -------
    keras.Model
        Compiled; maps (batch, window, features) to probabilities (batch, window, num_classes).

    Raises
    ------
    ValueError
        If weights or focal labels come without labels, both are given, a label is unknown, or the number
        of labels is not ``num_classes``.

    Examples
    --------
    >>> model = build_bilstm_model((15, 300), 3, hidden_size=8, num_layers=1)
    >>> model.output_shape
    (None, 15, 3)
    """
    loss = sequence_loss(num_classes, class_weights, labels, focal_labels, from_logits=False)
    vectors = layers.Input(input_shape, name="vectors")
    mask = ops.any(ops.not_equal(vectors, 0.0), axis=-1)
    hidden = bilstm_stack(vectors, mask, hidden_size, num_layers, dropout, seed + 10)
    initial = keras.initializers.GlorotUniform(seed=seed + 3)
    probabilities = layers.Dense(num_classes, "softmax", kernel_initializer=initial, name="probabilities")(hidden)
    model = keras.Model(vectors, probabilities, name="bilstm")
    model.compile(keras.optimizers.Adam(learning_rate, global_clipnorm=1.0), loss, metrics=["accuracy"])
    return model


def sequence_loss(
    num_classes: int,
    class_weights: Mapping[str, float] | None = None,
    labels: Sequence[str] | None = None,
    focal_labels: Sequence[str] | None = None,
    *,
    from_logits: bool = True,
) -> keras.losses.Loss:
    """Choose the loss that the arguments ask for."""
    if class_weights is not None and focal_labels is not None:
        raise ValueError("class_weights and focal_labels are mutually exclusive: give one of them.")
    if labels is not None and len(labels) != num_classes:
        raise ValueError(f"There are {len(labels)} labels for num_classes={num_classes}; the numbers must agree.")
    if class_weights is None and focal_labels is None:
        return WeightedCategoricalCrossentropy(from_logits=from_logits)
    if labels is None:
        given = "class_weights" if focal_labels is None else "focal_labels"
        raise ValueError(f"{given} needs labels=[...], the label names in class order.")
    names = LabelSet(tuple(labels))
    if focal_labels is not None:
        return FocalLabelF1([names.index(label) for label in focal_labels], from_logits=from_logits)
    resolved = resolve_weights(class_weights, names, np.ones(len(names)))
    return WeightedCategoricalCrossentropy(list(resolved.weights), from_logits)
