"""The BiLSTM network, built from plain numbers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from skol_rnn.former import NETWORK_NAMES
from skol_rnn.network.backend import RightPaddedLSTM
from skol_rnn.network.bilstm import bilstm_stack
from skol_rnn.network.layers import CharacterConvolution, Columns, EmbeddingBag

_SEEDS_OF_MEMBER = 1000


@dataclass(frozen=True)
class NetworkSpec:
    """The numbers that a network is built from; saved with the model, so that it is rebuilt, not unpickled."""

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
    ensemble_size: int = 1
    char_slots: int = 0
    alphabet_size: int = 0
    context_slots: int = 0
    context_vocabulary_size: int = 0
    linear_part: bool = True  # of tokens with context; networks of version 0.1 have it

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> NetworkSpec:
        """Read the numbers of a saved model, also in their former names."""
        return cls(**{NETWORK_NAMES.get(name, name): value for name, value in values.items()})

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers as a JSON object."""
        return asdict(self)

    @property
    def n_outputs(self) -> int:
        """Number of logits that are averaged: one for each BiLSTM, and one for a linear part."""
        return self.ensemble_size + self.has_linear_part

    @property
    def has_linear_part(self) -> bool:
        """Whether logits that are linear in a token and its context are averaged with those of the BiLSTMs."""
        return self.linear_part and bool(self.context_slots)


@contextlib.contextmanager
def float32() -> Iterator[None]:
    """Set aside the number type and the precision of the user's configuration: a saved network is one of float32."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


@float32()
def build_network(spec: NetworkSpec, bias: Sequence[float] | np.ndarray | None = None) -> keras.Model:
    """Build the network that labels windows of lines."""
    ids = layers.Input((None, spec.slots + spec.context_slots + spec.char_slots), dtype="int32", name="ids")
    numbers = layers.Input((None, spec.numbers_size), name="numbers")
    mask = layers.Input((None,), dtype="bool", name="mask")
    start = "zeros" if bias is None else keras.initializers.Constant(np.asarray(bias))
    inputs = _Inputs.split(spec, ids, numbers, mask)
    logits = [_bilstm_logits(spec, inputs, start, member) for member in range(spec.ensemble_size)]
    if spec.has_linear_part:
        logits.append(_linear_logits(spec, inputs, start))
    output = logits[0] if spec.n_outputs == 1 else layers.Average(name="logits")(logits)
    return keras.Model([ids, numbers, mask], output, name="skol_rnn")


@float32()
def training_model(network: keras.Model, spec: NetworkSpec) -> keras.Model:
    """Return the model to train: each ensemble member has its own loss, not a share in that of their average."""
    if spec.n_outputs == 1:
        return network
    logits = [network.get_layer(f"logits{_suffix(member)}").output for member in range(spec.n_outputs)]
    return keras.Model(network.inputs, layers.Concatenate(axis=1, name="members")(logits), name="training")


def _suffix(member: int) -> str:
    return f"_of_{member + 1}"


class _Inputs(NamedTuple):
    """Tensors (batch, window, ...) of a window: ids of the lines, of their context and characters; numbers; mask."""

    ids: Any
    context_ids: Any
    char_ids: Any
    numbers: Any
    mask: Any

    @classmethod
    def split(cls, spec: NetworkSpec, ids: Any, numbers: Any, mask: Any) -> _Inputs:
        """Split the ids by kind; a kind without slots is None."""
        end = spec.slots + spec.context_slots
        own = Columns(0, spec.slots, name="own_ids")(ids) if ids.shape[-1] > spec.slots else ids
        context = Columns(spec.slots, end, name="context_ids")(ids) if spec.has_linear_part else None
        chars = Columns(end, end + spec.char_slots, name="char_ids")(ids) if spec.char_slots else None
        return cls(own, context, chars, numbers, mask)


def _bilstm_logits(spec: NetworkSpec, inputs: _Inputs, start: Any, member: int) -> Any:
    seed = spec.seed + _SEEDS_OF_MEMBER * member
    suffix = _suffix(member) if spec.n_outputs > 1 else ""
    lines = inputs.numbers
    if spec.vocabulary_size:
        bag = EmbeddingBag(spec.vocabulary_size, spec.input_size, spec.feature_dropout, seed, name=f"bag{suffix}")
        parts = [bag(inputs.ids), inputs.numbers]
        if spec.char_slots:
            convolution = CharacterConvolution(spec.alphabet_size, seed + 4, name=f"characters{suffix}")
            parts.append(convolution(inputs.char_ids))
        lines = layers.Concatenate(name=f"line{suffix}")(parts)
    if spec.line_size:
        initial = keras.initializers.GlorotUniform(seed=seed + 1)
        dense = layers.Dense(spec.line_size, activation="relu", kernel_initializer=initial, name=f"dense{suffix}")
        lines = layers.Dropout(spec.dropout, seed=seed + 2, name=f"dense_dropout{suffix}")(dense(lines))
    sizes = (spec.hidden_size, spec.num_layers, spec.dropout)
    hidden = bilstm_stack(lines, inputs.mask, *sizes, seed + 10, suffix, RightPaddedLSTM)
    return _logits(spec, hidden, start, seed, suffix)


def _linear_logits(spec: NetworkSpec, inputs: _Inputs, start: Any) -> Any:
    """Build the part without hidden layers, linear in the features of a token and of its context."""
    seed, suffix = spec.seed + _SEEDS_OF_MEMBER * spec.ensemble_size, _suffix(spec.ensemble_size)
    size, dropout = spec.input_size, spec.feature_dropout
    own = EmbeddingBag(spec.vocabulary_size, size, dropout, seed, name=f"bag{suffix}")
    # Saved models know the weights by this name.
    context = EmbeddingBag(spec.context_vocabulary_size, size, dropout, seed + 1, name=f"bag_around{suffix}")
    parts = [own(inputs.ids), context(inputs.context_ids), inputs.numbers]
    return _logits(spec, layers.Concatenate(name=f"line{suffix}")(parts), start, seed, suffix)


def _logits(spec: NetworkSpec, hidden: Any, start: Any, seed: int, suffix: str) -> Any:
    initial = keras.initializers.GlorotUniform(seed=seed + 3)
    output = layers.Dense(spec.n_labels, kernel_initializer=initial, bias_initializer=start, name=f"logits{suffix}")
    return output(hidden)
