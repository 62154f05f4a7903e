"""The BiLSTM network and the layers it is made of, built from plain numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from skol_rnn.imbalance.resolve import resolve_class_weights
from skol_rnn.labels import LabelSet
from skol_rnn.network.character_layer import CharacterConvolution
from skol_rnn.network.losses import FocalLabelF1, WeightedCategoricalCrossentropy

_BAG_INITIAL_DEVIATION = 0.1
_SEEDS_OF_MEMBER = 1000


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
            draw = keras.random.uniform(ops.shape(ids), seed=self.draws)
            kept = kept * ops.cast(draw >= self.dropout, self.compute_dtype)
        count = ops.sum(kept, axis=-1, keepdims=True)
        return self._total(ids, kept) / ops.sqrt(ops.maximum(count, 1.0))

    def _total(self, ids: Any, kept: Any) -> Any:
        """Sum the embeddings that are kept."""

        @ops.custom_gradient
        def total(embeddings: Any) -> Any:
            vectors = ops.take(embeddings, ids, axis=0)  # (batch, window, slots, size)

            def gradient(*arguments: Any, upstream: Any = None) -> Any:
                slope = arguments[0] if upstream is None else upstream  # TensorFlow names it
                rows = ops.expand_dims(kept, -1) * ops.expand_dims(slope, -2)
                # Segment -1 is dropped by TensorFlow; where it is the last one, zeros are added to it.
                places = ops.where(kept > 0, ids, -1)
                flat = ops.reshape(rows, (-1, self.size)), ops.reshape(places, (-1,))
                return ops.segment_sum(*flat, num_segments=self.vocabulary_size)

            return ops.squeeze(ops.matmul(ops.expand_dims(kept, -2), vectors), -2), gradient

        # TensorFlow wants a tensor here, not a variable; a reshape reads it without a copy.
        return total(ops.reshape(self.embeddings, (self.vocabulary_size, self.size)))

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


@dataclass(frozen=True)
class NetworkSpec:
    """The numbers a network is built from; saved with the model, so that it is rebuilt, not unpickled."""

    n_labels: int
    numbers_size: int
    vocabulary_size: int
    slots: int
    input_size: int
    line_size: int
    hidden_size: int
    num_layers: int
    dropout: float
    feature_dropout: float
    seed: int
    members: int = 1
    characters: int = 0
    alphabet_size: int = 0
    beside: int = 0
    beside_vocabulary_size: int = 0

    @property
    def voices(self) -> int:
        """Networks whose logits are averaged: the members, and the linear one."""
        return self.members + bool(self.beside)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as a JSON object."""
        return asdict(self)


def build_network(spec: NetworkSpec, bias: Sequence[float] | np.ndarray | None = None) -> keras.Model:
    """Build the network that labels windows of lines."""
    ids = layers.Input((None, spec.slots + spec.beside + spec.characters), dtype="int32", name="ids")
    numbers = layers.Input((None, spec.numbers_size), name="numbers")
    mask = layers.Input((None,), dtype="bool", name="mask")
    start = "zeros" if bias is None else keras.initializers.Constant(np.asarray(bias))
    rows = _Rows.of(spec, ids, numbers, mask)
    logits = [_member(spec, rows, start, member) for member in range(spec.members)]
    if spec.beside:
        logits.append(_linear_member(spec, rows, start))
    output = logits[0] if spec.voices == 1 else layers.Average(name="logits")(logits)
    return keras.Model([ids, numbers, mask], output, name="skol_rnn")


def learner(network: keras.Model, spec: NetworkSpec) -> keras.Model:
    """Return the model to train: each member learns from its own mistakes, not from those of their average."""
    if spec.voices == 1:
        return network
    logits = [network.get_layer(f"logits{_suffix(member)}").output for member in range(spec.voices)]
    return keras.Model(network.inputs, layers.Concatenate(axis=1, name="members")(logits), name="learner")


def _suffix(member: int) -> str:
    return f"_of_{member + 1}"


class _Rows(NamedTuple):
    """What the network is given: ids of a row's own features, of what is around it and of its characters; numbers, mask."""

    own: Any
    around: Any
    spelt: Any
    numbers: Any
    mask: Any

    @classmethod
    def of(cls, spec: NetworkSpec, ids: Any, numbers: Any, mask: Any) -> _Rows:
        """Take the kinds of ids apart; None for a kind that there is not."""
        end = spec.slots + spec.beside
        own = Columns(0, spec.slots, name="own")(ids) if ids.shape[-1] > spec.slots else ids
        around = Columns(spec.slots, end, name="around")(ids) if spec.beside else None
        spelt = Columns(end, end + spec.characters, name="spelt")(ids) if spec.characters else None
        return cls(own, around, spelt, numbers, mask)


def _member(spec: NetworkSpec, rows: _Rows, start: Any, member: int) -> Any:
    """Build one network, from lines to logits."""
    seed = spec.seed + _SEEDS_OF_MEMBER * member
    suffix = _suffix(member) if spec.voices > 1 else ""
    lines = rows.numbers
    if spec.vocabulary_size:
        bag = EmbeddingBag(spec.vocabulary_size, spec.input_size, spec.feature_dropout, seed, name=f"bag{suffix}")
        parts = [bag(rows.own), rows.numbers]
        if spec.characters:
            parts.append(CharacterConvolution(spec.alphabet_size, seed + 4, name=f"characters{suffix}")(rows.spelt))
        lines = layers.Concatenate(name=f"line{suffix}")(parts)
    if spec.line_size:
        initial = keras.initializers.GlorotUniform(seed=seed + 1)
        dense = layers.Dense(spec.line_size, activation="relu", kernel_initializer=initial, name=f"dense{suffix}")
        lines = layers.Dropout(spec.dropout, seed=seed + 2, name=f"dense_dropout{suffix}")(dense(lines))
    hidden = _bilstm_stack(lines, rows.mask, spec.hidden_size, spec.num_layers, spec.dropout, seed + 10, suffix)
    return _logits(spec, hidden, start, seed, suffix)


def _linear_member(spec: NetworkSpec, rows: _Rows, start: Any) -> Any:
    """Build the member without hidden layers:

    a row's features and those around it, each with its say in every label.
    """
    seed, suffix = spec.seed + _SEEDS_OF_MEMBER * spec.members, _suffix(spec.members)
    size, dropout = spec.input_size, spec.feature_dropout
    own = EmbeddingBag(spec.vocabulary_size, size, dropout, seed, name=f"bag{suffix}")
    around = EmbeddingBag(spec.beside_vocabulary_size, size, dropout, seed + 1, name=f"bag_around{suffix}")
    parts = [own(rows.own), around(rows.around), rows.numbers]
    return _logits(spec, layers.Concatenate(name=f"line{suffix}")(parts), start, seed, suffix)


def _logits(spec: NetworkSpec, hidden: Any, start: Any, seed: int, suffix: str) -> Any:
    initial = keras.initializers.GlorotUniform(seed=seed + 3)
    output = layers.Dense(spec.n_labels, kernel_initializer=initial, bias_initializer=start, name=f"logits{suffix}")
    return output(hidden)


def _bilstm_stack(
    x: Any, mask: Any, hidden_size: int, num_layers: int, dropout: float, seed: int, suffix: str = ""
) -> Any:
    for i in range(num_layers):
        # Each direction has its own draw: Bidirectional copies a layer's seeds to its mirror image.
        forward, backward = (
            layers.LSTM(
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
    hidden = _bilstm_stack(vectors, mask, hidden_size, num_layers, dropout, seed + 10)
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
    weights = resolve_class_weights(class_weights, names, np.ones(len(names)))
    return WeightedCategoricalCrossentropy(weights.tolist(), from_logits)
