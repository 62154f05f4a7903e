"""Export of the network as an ONNX graph, layer by layer, compared with Keras on random documents.

The embedding bag and the dense layer run once a line; lines are gathered into windows before the first LSTM.  A bag of all ids
is an input: outside, lines with as many ids are summed together, and little of what is added is padding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from skol_rnn.errors import SkolError
from skol_rnn.features.base import LineFeatures
from skol_rnn.inference.keras_runner import KerasRunner
from skol_rnn.inference.onnx_check import BAGS, SHARED_ARRAYS
from skol_rnn.inference.onnx_runner import OnnxRunner
from skol_rnn.network.layers import Columns, EmbeddingBag
from skol_rnn.windows import cut_windows

_OPSET = 17
_IR_VERSION = 9  # readable by ONNX Runtime 1.17 and later
_TOLERANCE = 1e-4
# With 8-bit weights, trained networks differ by 0.006 to 0.03, on logits from -8 to 8, and keep all labels.
_TOLERANCE_INT8, _EQUAL_LABELS_INT8 = 0.1, 0.98
_CHECKED_LENGTHS = (1, 2, 7, 40, 300)  # lines of the random documents: shorter and longer than a window
_MICROSOFT = "com.microsoft"  # ONNX Runtime's own operations
_GATES = (0, 3, 1, 2)  # Keras: input, forget, cell, output; ONNX: input, output, forget, cell


class ExportError(SkolError):
    """A network cannot be exported as an ONNX graph; the message is a clause that gives the reason."""


def network_graph(network: keras.Model, window_size: int, int8: bool = False) -> bytes:
    """Write the network as an ONNX graph, with LSTM weights of 32 or 8 bits, and compare it with Keras."""
    graph = _Writer(network, int8).to_bytes()
    difference, equal = _agreement(network, graph, window_size)
    if not difference <= (_TOLERANCE_INT8 if int8 else _TOLERANCE):
        raise ExportError(f"its logits differ from Keras's by {difference:.2g}")
    if int8 and equal < _EQUAL_LABELS_INT8:
        raise ExportError(f"only {equal:.1%} of its labels are those of Keras")
    return graph


def _agreement(network: keras.Model, graph: bytes, window_size: int) -> tuple[float, float]:
    """Return the largest difference of logits, and the share of equal labels, on documents of random features."""
    rng = np.random.default_rng(0)
    slots, size = (_inputs(network)[name].shape[-1] for name in ("ids", "numbers"))
    vocabulary = [layer.vocabulary_size for layer in network.layers if isinstance(layer, EmbeddingBag)]
    n_lines = sum(_CHECKED_LENGTHS)
    ids = rng.integers(0, min(vocabulary, default=1), (n_lines, slots), dtype=np.int32)
    ids[rng.random(ids.shape) < 0.3] = 0
    features = LineFeatures(ids, rng.normal(size=(n_lines, size)).astype(np.float32))
    lines = cut_windows(_CHECKED_LENGTHS, window_size, max(window_size // 2, 1)).lines
    runner = KerasRunner(network)
    try:
        found = OnnxRunner(graph, runner.arrays()).logits(features, lines)
    except ImportError as error:
        raise ExportError(str(error)) from error
    found, expected = found[lines >= 0], runner.logits(features, lines)[lines >= 0]
    return float(np.abs(found - expected).max()), float((found.argmax(-1) == expected.argmax(-1)).mean())


def _inputs(network: keras.Model) -> dict[str, Any]:
    """Return the network's input tensors by name."""
    return {tensor.name.split(":")[0]: tensor for tensor in network.inputs}


class _Writer:
    """One pass over a Keras network; a tensor is named after its layer, with /out."""

    def __init__(self, network: keras.Model, int8: bool = False) -> None:
        try:
            import onnx.helper
            import onnx.numpy_helper
        except ImportError as error:
            raise ExportError("the package onnx is not installed: pip install onnx") from error
        self.onnx: Any = onnx
        self.network, self.int8 = network, int8
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.names = {id(tensor): name for name, tensor in _inputs(network).items()}  # by Keras tensor
        self.windowed: set[str] = set()
        bags = [layer for layer in network.layers if isinstance(layer, EmbeddingBag)]
        sliced = any(isinstance(layer, Columns) for layer in network.layers)
        self.bag = bags[0] if len(bags) == 1 and not sliced else None  # the one that is computed outside

    def to_bytes(self) -> bytes:
        """Return the graph."""
        # (windows, window) -> (window, windows); padding, -1, reads row 0 and is masked
        self._node("Transpose", ["lines"], "places_or_padding", perm=[1, 0])
        self._node("Max", ["places_or_padding", self._constant("zero", np.int64(0))], "places")
        self._node("GreaterOrEqual", ["places_or_padding", "zero"], "real")
        self._node("Cast", ["real"], "real_numbers", to=self.onnx.TensorProto.INT32)
        self._node("ReduceSum", ["real_numbers", self._constant("first_axis", np.array([0]))], "lengths", keepdims=0)
        for operation in self.network.operations:
            if not isinstance(operation, keras.layers.InputLayer):
                self._write(operation)
        logits = self._in_windows(self.names[id(self.network.outputs[0])])
        self._node("Transpose", [logits], "logits", perm=[1, 0, 2])
        helper, kinds = self.onnx.helper, self.onnx.TensorProto
        slots, size = (_inputs(self.network)[name].shape[-1] for name in ("ids", "numbers"))
        inputs = [
            helper.make_tensor_value_info(BAGS, kinds.FLOAT, ["lines", self.bag.size])
            if self.bag
            else helper.make_tensor_value_info("ids", kinds.INT32, ["lines", slots]),
            helper.make_tensor_value_info("numbers", kinds.FLOAT, ["lines", size]),
            helper.make_tensor_value_info("lines", kinds.INT64, ["windows", "window"]),
        ]
        n_labels = self.network.output_shape[-1]
        output = helper.make_tensor_value_info("logits", kinds.FLOAT, ["windows", "window", n_labels])
        graph = helper.make_graph(self.nodes, "skol_rnn", inputs, [output], list(self.constants.values()))
        operations = [helper.make_opsetid("", _OPSET)] + [helper.make_opsetid(_MICROSOFT, 1)] * self.int8
        model = helper.make_model(graph, opset_imports=operations, ir_version=_IR_VERSION)
        return model.SerializeToString(deterministic=True)

    def _write(self, operation: Any) -> None:
        inputs = operation.input if isinstance(operation.input, (list, tuple)) else [operation.input]
        if any(id(tensor) not in self.names for tensor in inputs):
            raise ExportError(f"the input of {operation.name} does not come from the network's inputs")
        name = self._writer_of(operation)(operation, [self.names[id(tensor)] for tensor in inputs])
        self.names[id(operation.output)] = name

    def _writer_of(self, operation: Any) -> Callable[[Any, list[str]], str]:
        """Return what turns a layer and the names of its inputs into the name of its output."""
        layers = keras.layers
        writers: list[tuple[Any, Callable[[Any, list[str]], str]]] = [
            (EmbeddingBag, self._bag),
            (Columns, self._columns),
            ((layers.Dropout, layers.SpatialDropout1D, layers.GaussianNoise), lambda _, inputs: inputs[0]),
            (layers.Concatenate, self._concatenate),
            (layers.Dense, self._dense),
            (layers.Activation, lambda layer, inputs: self._activated(layer, inputs[0])),
            (layers.Bidirectional, self._bilstm),
            (layers.Average, lambda layer, inputs: self._elementwise("Mean", layer, inputs)),
            (layers.Add, lambda layer, inputs: self._elementwise("Sum", layer, inputs)),
            (layers.Maximum, lambda layer, inputs: self._elementwise("Max", layer, inputs)),
        ]
        for kind, writer in writers:
            if isinstance(operation, kind):
                return writer
        raise ExportError(f"{operation.name} is of a kind that is not exported, {type(operation).__name__}")

    def _bag(self, layer: EmbeddingBag, inputs: list[str]) -> str:
        if layer is self.bag:
            return BAGS
        name, ids, axis = layer.name, inputs[0], self._constant("last_axis", np.array([-1]))
        embeddings = self._shared(layer.embeddings)
        self._node("Greater", [ids, self._constant("no_id", np.int32(0))], f"{name}/is_kept")
        self._node("Cast", [f"{name}/is_kept"], f"{name}/kept", to=self.onnx.TensorProto.FLOAT)  # (lines, slots)
        self._node("Gather", [embeddings, ids], f"{name}/vectors", axis=0)  # (lines, slots, size)
        middle = self._constant("middle_axis", np.array([1]))
        self._node("Unsqueeze", [f"{name}/kept", middle], f"{name}/row")
        self._node("MatMul", [f"{name}/row", f"{name}/vectors"], f"{name}/sums")  # (lines, 1, size)
        self._node("Squeeze", [f"{name}/sums", middle], f"{name}/sum")
        self._node("ReduceSum", [f"{name}/kept", axis], f"{name}/count", keepdims=1)
        self._node("Max", [f"{name}/count", self._constant("one", np.float32(1))], f"{name}/at_least_one")
        self._node("Sqrt", [f"{name}/at_least_one"], f"{name}/root")
        return self._node("Div", [f"{name}/sum", f"{name}/root"], f"{name}/out")

    def _columns(self, layer: Columns, inputs: list[str]) -> str:
        places = {f"{layer.name}/first": layer.first, f"{layer.name}/end": layer.end, "last_axis": -1}
        bounds = [self._constant(name, np.array([place])) for name, place in places.items()]
        return self._node("Slice", [inputs[0], *bounds], f"{layer.name}/out")

    def _concatenate(self, layer: Any, inputs: list[str]) -> str:
        if layer.axis not in (-1, 2):
            raise ExportError(f"{layer.name} does not join along the last axis")
        return self._elementwise("Concat", layer, inputs, axis=-1)

    def _dense(self, layer: Any, inputs: list[str]) -> str:
        name = self._like(inputs[0], f"{layer.name}/product")
        self._node("MatMul", [inputs[0], self._constant(layer.kernel.path, layer.kernel)], name)
        if layer.use_bias:
            bias = self._constant(layer.bias.path, layer.bias)
            name = self._node("Add", [name, bias], self._like(name, f"{layer.name}/sum"))
        return self._activated(layer, name)

    def _activated(self, layer: Any, tensor: str) -> str:
        kinds = {"linear": "Identity", "relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}
        kind = kinds.get(layer.activation.__name__)
        if kind is None:
            raise ExportError(f"{layer.name} has an activation that is not exported, {layer.activation.__name__}")
        return self._node(kind, [tensor], self._like(tensor, f"{layer.name}/out"))

    def _elementwise(self, kind: str, layer: Any, inputs: list[str], **attributes: Any) -> str:
        if self.windowed & set(inputs):
            inputs = [self._in_windows(name) for name in inputs]
        return self._node(kind, inputs, self._like(inputs[0], f"{layer.name}/out"), **attributes)

    def _bilstm(self, layer: Any, inputs: list[str]) -> str:
        name, directions = layer.name, (layer.forward_layer, layer.backward_layer)
        if not all(isinstance(one, keras.layers.LSTM) for one in directions) or layer.merge_mode != "concat":
            raise ExportError(f"{name} is not a pair of LSTMs whose outputs are concatenated")
        units = directions[0].units
        for one in directions:
            usual = (one.activation.__name__, one.recurrent_activation.__name__) == ("tanh", "sigmoid")
            if not (usual and one.use_bias and one.return_sequences) or one.units != units:
                raise ExportError(f"{name} is not a pair of usual LSTMs over every line")
        if inputs[1:] != ["mask"]:
            raise ExportError(f"{name} does not take the network's mask")
        pair = [one.cell for one in directions]
        # (directions, 4 * units, size), (directions, 4 * units, units) and (directions, 8 * units)
        kernel = np.stack([_gates(cell.kernel).T for cell in pair])
        recurrent = np.stack([_gates(cell.recurrent_kernel).T for cell in pair])
        # ONNX has a second bias, added to the same sum.
        bias = np.stack([np.concatenate([_gates(cell.bias), np.zeros(4 * units, np.float32)]) for cell in pair])
        arrays = {"kernel": kernel, "recurrent": recurrent, "bias": bias}
        scales = {}
        if self.int8:
            for part in ("kernel", "recurrent"):
                arrays[part], scales[f"{part}/scale"] = _quantised(arrays[part])
                scales[f"{part}/zero"] = np.zeros(scales[f"{part}/scale"].shape, np.int8)
        weights, quantisation = (
            [self._constant(f"{name}/{part}", array) for part, array in group.items()] for group in (arrays, scales)
        )
        tensors = [self._in_windows(inputs[0]), *weights, "lengths"]
        attributes = {"hidden_size": units, "direction": "bidirectional"}
        if self.int8:
            # In between are the first states and peepholes, which are not given.
            tensors += ["", "", "", *quantisation]
            self._node("DynamicQuantizeLSTM", tensors, f"{name}/both", domain=_MICROSOFT, **attributes)
        else:
            self._node("LSTM", tensors, f"{name}/both", **attributes)
        # (window, directions, windows, units) -> (window, windows, directions * units)
        self._node("Transpose", [f"{name}/both"], f"{name}/concatenated", perm=[0, 2, 1, 3])
        shape = self._constant(f"{name}/shape", np.array([0, 0, 2 * units]))
        self.windowed.add(f"{name}/out")
        return self._node("Reshape", [f"{name}/concatenated", shape], f"{name}/out")

    def _in_windows(self, tensor: str) -> str:
        """Gather a tensor of lines into windows, unless it has windows already."""
        if tensor in self.windowed:
            return tensor
        name = f"{tensor}/in_windows"
        if name not in self.windowed:
            self.windowed.add(name)
            self._node("Gather", [tensor, "places"], name, axis=0)
        return name

    def _like(self, tensor: str, name: str) -> str:
        """Name a tensor that has windows if another has them."""
        if tensor in self.windowed:
            self.windowed.add(name)
        return name

    def _node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def _constant(self, name: str, array: Any) -> str:
        if name not in self.constants:
            contiguous = np.ascontiguousarray(array).reshape(np.shape(array))
            self.constants[name] = self.onnx.numpy_helper.from_array(contiguous, name)
        return name

    def _shared(self, weight: Any) -> str:
        """Declare an array that stays outside of the graph, in the saved network, under the same name."""
        if not weight.path.endswith(SHARED_ARRAYS):
            raise ExportError(f"its embeddings are called {weight.path}, which does not end in {SHARED_ARRAYS}")
        kinds = self.onnx.TensorProto
        tensor = kinds(name=weight.path, data_type=kinds.FLOAT, dims=weight.shape, data_location=kinds.EXTERNAL)
        length = 4 * int(np.prod(weight.shape))
        for key, value in (("location", "network.npz"), ("offset", "0"), ("length", str(length))):
            tensor.external_data.add(key=key, value=value)
        self.constants[weight.path] = tensor
        return weight.path


def _gates(weight: Any) -> np.ndarray:
    """Put the four gates, side by side on the last axis, in the order of ONNX."""
    parts = np.split(np.asarray(weight), 4, axis=-1)
    return np.concatenate([parts[gate] for gate in _GATES], axis=-1)


def _quantised(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (directions, 4 * units, size) as int8 of shape (directions, size, 4 * units), and each column's scale."""
    scale = np.maximum(np.abs(weights).max(axis=2), np.finfo(np.float32).tiny) / 127
    return np.rint(weights / scale[..., None]).astype(np.int8).transpose(0, 2, 1), scale.astype(np.float32)
