"""The graph of a BERT encoder for ONNX Runtime, written from its arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from skol_rnn.errors import DataError

_FLOAT, _OPSET = np.float32, 17
_MASKED = -1e4  # added to the scores of padding
_ACTIVATIONS = ("gelu", "relu")


def encoder_graph(arrays: Mapping[str, np.ndarray], config: Mapping[str, Any], layers: Sequence[int]) -> bytes:
    """Write the graph from ids and mask, both (batch, pieces), to the mean of normalised states after some layers."""
    writer = EncoderWriter(arrays, config)
    depth = int(config["num_hidden_layers"])
    if not layers or not all(1 <= layer <= depth for layer in layers):
        raise DataError(
            f"vector_layers must be numbers from 1 to {depth}, the layers of this model, but are {[*layers]}."
        )
    try:
        return writer.write(layers)
    except KeyError as error:
        raise DataError(f"The model's array {error} is missing: copy the model again.") from None


class EncoderWriter:
    """Collects nodes and constants; its methods return the name of what they compute."""

    def __init__(self, arrays: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> None:
        kind, activation = config.get("model_type"), config.get("hidden_act", "gelu")
        if (
            kind != "bert"
            or activation not in _ACTIVATIONS
            or config.get("position_embedding_type", "absolute") != "absolute"
        ):
            raise DataError(
                f"config.json describes a model of type {str(kind)[:40]!r} with activation {str(activation)[:40]!r}: layers "
                "can be read from models of type 'bert' with gelu or relu.  Leave vector_layers out to use its input "
                "embeddings."
            )
        self.arrays = {name.removeprefix("bert."): array for name, array in arrays.items()}
        self.heads, self.epsilon = int(config["num_attention_heads"]), float(config.get("layer_norm_eps", 1e-12))
        self.activation, self.size = activation, int(config["hidden_size"])
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def write(self, layers: Sequence[int]) -> bytes:
        """Return the graph whose result is the mean of the normalised states of some layers."""
        x, bias = self.embedded()
        states = []
        for number in range(1, max(layers) + 1):
            x = self.layer(x, number, bias)
            if number in layers:
                ones, zeros = self.constant(np.ones(self.size)), self.constant(np.zeros(self.size))
                states.append(self.node("LayerNormalization", x, ones, zeros, axis=-1, epsilon=1e-5))
        return self.finished(self.node("Mean", *states), "states", ["batch", "pieces", self.size])

    def embedded(self) -> tuple[str, str]:
        """Embed the ids; return the states, and what is added to the scores of attention to hide padding."""
        word = self.array("embeddings.word_embeddings.weight")
        # All pieces are of the first text, so that its embedding can be added to those of places.
        first_text = self.arrays["embeddings.token_type_embeddings.weight"][0]
        places = self.constant(self.arrays["embeddings.position_embeddings.weight"] + first_text)
        length = self.node("Gather", self.node("Shape", "ids"), self.constant([1], np.int64))
        place = self.node("Slice", places, self.constant([0], np.int64), length, self.constant([0], np.int64))
        x = self.norm(self.node("Add", self.node("Gather", word, "ids"), place), "embeddings.LayerNorm")
        absent = self.node("Sub", self.constant(1.0), self.node("Cast", "mask", to=TensorProto.FLOAT))
        absent = self.node("Unsqueeze", absent, self.constant([1, 2], np.int64))  # (batch, 1, 1, pieces)
        return x, self.node("Mul", absent, self.constant(_MASKED))

    def finished(self, result: str, name: str, shape: Sequence[Any]) -> bytes:
        """Return the graph from ids and mask to a result, under a name of its own."""
        self.nodes.append(helper.make_node("Identity", [result], [name]))
        ids, mask = (
            helper.make_tensor_value_info(one, TensorProto.INT64, ["batch", "pieces"]) for one in ("ids", "mask")
        )
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "encoder", [ids, mask], [out], self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9)
        onnx.checker.check_model(model)
        written: bytes = model.SerializeToString()
        return written

    def layer(self, x: str, number: int, bias: str) -> str:
        """Attention and feed-forward part of one layer, counted from 1, normalised after each."""
        name, size = f"encoder.layer.{number - 1}", self.size
        shape = self.constant([0, 0, self.heads, size // self.heads], np.int64)
        query, key, value = (
            self.node("Reshape", self.dense(x, f"{name}.attention.self.{part}"), shape)
            for part in ("query", "key", "value")
        )
        query, value = (self.node("Transpose", part, perm=[0, 2, 1, 3]) for part in (query, value))
        key = self.node("Transpose", key, perm=[0, 2, 3, 1])
        # (batch, heads, pieces, pieces)
        scores = self.node("Mul", self.node("MatMul", query, key), self.constant((size // self.heads) ** -0.5))
        shares = self.node("Softmax", self.node("Add", scores, bias), axis=-1)
        mixed = self.node("Transpose", self.node("MatMul", shares, value), perm=[0, 2, 1, 3])
        mixed = self.dense(
            self.node("Reshape", mixed, self.constant([0, 0, size], np.int64)), f"{name}.attention.output.dense"
        )
        x = self.norm(self.node("Add", mixed, x), f"{name}.attention.output.LayerNorm")
        hidden = self.active(self.dense(x, f"{name}.intermediate.dense"))
        return self.norm(self.node("Add", self.dense(hidden, f"{name}.output.dense"), x), f"{name}.output.LayerNorm")

    def active(self, x: str) -> str:
        """Add the activation of the feed-forward part."""
        if self.activation == "relu":
            return self.node("Relu", x)
        error = self.node("Erf", self.node("Mul", x, self.constant(0.5**0.5)))
        return self.node("Mul", self.node("Mul", x, self.constant(0.5)), self.node("Add", error, self.constant(1.0)))

    def dense(self, x: str, name: str) -> str:
        """Add a dense layer, by the name of its weights."""
        product = self.node("MatMul", x, self.constant(self.arrays[f"{name}.weight"].T))
        return self.node("Add", product, self.array(f"{name}.bias"))

    def norm(self, x: str, name: str) -> str:
        """Add a layer normalisation, by the name of its weights."""
        scale, bias = self.array(f"{name}.weight"), self.array(f"{name}.bias")
        return self.node("LayerNormalization", x, scale, bias, axis=-1, epsilon=self.epsilon)

    def array(self, name: str) -> str:
        """Add a weight of the model as a constant."""
        return self.constant(self.arrays[name])

    def constant(self, values: Any, kind: Any = _FLOAT) -> str:
        """Add a constant."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(np.asarray(values, kind)), name))
        return name

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output."""
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name
