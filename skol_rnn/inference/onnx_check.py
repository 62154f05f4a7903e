"""Check of a saved model's graph before ONNX Runtime sees it: operators, sizes, and the one array outside of it.

ONNX Runtime reads the files that a graph names and runs every operator that it knows.  Here the graph of a foreign model is
decoded without it: only what the export writes is allowed, and the shape of every tensor is computed, so that none can
exceed memory and no loop can hang.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skol_rnn.errors import BundleError
from skol_rnn.inference.onnx_wire import MODEL, read_message
from skol_rnn.labels import printable

SHARED_ARRAYS = "/embeddings"
"""Ending of the names of arrays that stay outside of the graph, in the saved network."""
BAGS = "bags"
"""Name of the input with the bags of lines, which are computed outside of the graph."""

Shape = tuple[int | str, ...]
"""Numbers, and names of what differs between documents: lines, slots, windows, window."""

_INPUTS: dict[str, tuple[int, Shape]] = {
    "ids": (6, ("lines", "slots")),
    BAGS: (1, ("lines", "size")),
    "numbers": (1, ("lines", "size")),
    "lines": (7, ("windows", "window")),
}
_DTYPES = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 9: "?"}  # numbers of ONNX
_DOMAINS = ("", "ai.onnx", "com.microsoft")
_NODES, _NODES_OF_BAG, _NODES_OF_ARRAY = 20, 10, 2  # at most
_SLACK = 1 << 14  # bytes of small constants, such as axes
_MOST_SLOTS = 1 << 12
_MOST_SIZES = 4  # names in the shape of a tensor: windows, window and slots occur together in none


@dataclass
class _Node:
    """A node: shapes of its inputs, values of those that are constants, attributes by name."""

    shapes: list[Shape]
    constants: list[np.ndarray | None]
    attributes: dict[str, Any]

    def axes(self, number: int = 1) -> list[int]:
        """Return the axes that the constant input names, or all."""
        if len(self.shapes) <= number:
            return list(range(len(self.shapes[0])))
        return [_axis(axis, len(self.shapes[0])) for axis in self.constant(number)]

    def constant(self, number: int) -> list[int]:
        """Return the integers of an input, which must be a constant."""
        found = self.constants[number] if number < len(self.constants) else None
        if found is None or found.dtype != np.int64 or found.size > 8:
            raise ValueError("an input that must be a constant is none")
        return [int(value) for value in found.ravel()]

    def axis(self, default: int = 0) -> int:
        """Return the attribute."""
        return _axis(self.attributes.get("axis", default), len(self.shapes[0]))


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ValueError(f"it has no axis {axis}")
    return axis % rank


def _same(node: _Node) -> list[Shape]:
    return [node.shapes[0]]


def _broadcast(node: _Node) -> list[Shape]:
    rank = max(len(shape) for shape in node.shapes)
    found: list[int | str] = []
    for sizes in zip(*((1,) * (rank - len(shape)) + shape for shape in node.shapes), strict=True):
        different = {size for size in sizes if size != 1} or {1}
        if len(different) > 1:
            raise ValueError("the shapes of its inputs do not agree")
        found.append(different.pop())
    return [tuple(found)]


def _matmul(node: _Node) -> list[Shape]:
    first, second = node.shapes[:2]
    if len(first) < 2 or len(second) < 2 or first[-1] != second[-2]:
        raise ValueError("the shapes of its inputs do not agree")
    outer = _broadcast(_Node([first[:-2], second[:-2]], [], {}))[0] if len(first) > 2 or len(second) > 2 else ()
    return [(*outer, first[-2], second[-1])]


def _transpose(node: _Node) -> list[Shape]:
    perm = node.attributes.get("perm", [])
    if sorted(perm) != list(range(len(node.shapes[0]))):
        raise ValueError("its axes are none of the input")
    return [tuple(node.shapes[0][axis] for axis in perm)]


def _gather(node: _Node) -> list[Shape]:
    data, places, axis = *node.shapes[:2], node.axis()
    return [(*data[:axis], *places, *data[axis + 1 :])]


def _unsqueeze(node: _Node) -> list[Shape]:
    found = list(node.shapes[0])
    for axis in sorted(node.constant(1)):
        if not 0 <= axis <= len(found):
            raise ValueError(f"it has no axis {axis}")
        found.insert(axis, 1)
    return [tuple(found)]


def _squeeze(node: _Node) -> list[Shape]:
    dropped = node.axes()
    if any(node.shapes[0][axis] != 1 for axis in dropped):
        raise ValueError("it drops an axis of more than one")
    return [tuple(size for axis, size in enumerate(node.shapes[0]) if axis not in dropped)]


def _reduce(node: _Node) -> list[Shape]:
    axes = node.axes()
    if node.attributes.get("keepdims", 1):
        return [tuple(1 if axis in axes else size for axis, size in enumerate(node.shapes[0]))]
    return [tuple(size for axis, size in enumerate(node.shapes[0]) if axis not in axes)]


def _slice(node: _Node) -> list[Shape]:
    (first,), (end,), (axis,) = (node.constant(number) for number in (1, 2, 3))
    axis, found = _axis(axis, len(node.shapes[0])), list(node.shapes[0])
    size = found[axis]
    if not isinstance(size, int) or not 0 <= first <= end <= size or len(node.shapes) > 4:
        raise ValueError("its columns are none of the input")
    found[axis] = end - first
    return [tuple(found)]


def _concat(node: _Node) -> list[Shape]:
    axis = node.axis()
    sizes = [shape[axis] for shape in node.shapes if len(shape) == len(node.shapes[0])]
    rests = {(*shape[:axis], *shape[axis + 1 :]) for shape in node.shapes}
    if len(rests) > 1 or not all(isinstance(size, int) for size in sizes):
        raise ValueError("the shapes of its inputs do not agree")
    found = list(node.shapes[0])
    found[axis] = sum(size for size in sizes if isinstance(size, int))
    return [tuple(found)]


def _reshape(node: _Node) -> list[Shape]:
    source, wanted = node.shapes[0], node.constant(1)
    if node.attributes.get("allowzero") or any(size < 0 for size in wanted):
        raise ValueError("its shape is not given in full")
    found = tuple(source[i] if size == 0 and i < len(source) else size for i, size in enumerate(wanted))
    if _volume(found) != _volume(source):
        raise ValueError("its shape is not that of the input")
    return [found]


def _volume(shape: Shape) -> tuple[int, list[str]]:
    return math.prod(n for n in shape if isinstance(n, int)), sorted(n for n in shape if isinstance(n, str))


def _lstm(node: _Node) -> list[Shape]:
    x, kernel, recurrent = node.shapes[:3]
    units, quantized = node.attributes.get("hidden_size"), len(node.shapes) > 8
    directions = 2 if node.attributes.get("direction") == b"bidirectional" else 1
    if not isinstance(units, int) or not units > 0 or len(x) != 3:
        raise ValueError("it lacks its number of units")
    rows = (x[2], units)
    expected = [(directions, n, 4 * units) if quantized else (directions, 4 * units, n) for n in rows]
    if [kernel, recurrent] != expected:
        raise ValueError("its weights are not of its number of units")
    if len(node.shapes) > 3 and node.shapes[3] not in ((), (directions, 8 * units)):
        raise ValueError("its biases are not of its number of units")
    return [(x[0], directions, x[1], units), (directions, x[1], units), (directions, x[1], units)]


Rule = Callable[[_Node], list[Shape]]
OPERATORS: dict[str, tuple[Rule, tuple[str, ...]]] = {
    **dict.fromkeys(("Identity", "Relu", "Tanh", "Sigmoid", "Sqrt"), (_same, ())),
    **dict.fromkeys(("Add", "Div", "Sum", "Mean", "Max", "Greater", "GreaterOrEqual"), (_broadcast, ())),
    "Cast": (_same, ("to",)),
    "Concat": (_concat, ("axis",)),
    "DynamicQuantizeLSTM": (_lstm, ("direction", "hidden_size")),
    "Gather": (_gather, ("axis",)),
    "LSTM": (_lstm, ("direction", "hidden_size")),
    "MatMul": (_matmul, ()),
    "ReduceSum": (_reduce, ("keepdims",)),
    "Reshape": (_reshape, ("allowzero",)),
    "Slice": (_slice, ()),
    "Squeeze": (_squeeze, ()),
    "Transpose": (_transpose, ("perm",)),
    "Unsqueeze": (_unsqueeze, ()),
}
"""The operators that a graph may have: the rule for the shapes of their outputs, and their attributes."""


@dataclass
class _Graph:
    """What is known of a graph: shapes of its tensors, values of its small constants."""

    shapes: dict[str, Shape] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)


def check_graph(graph: bytes, arrays: Mapping[str, np.ndarray]) -> bool:
    """Return whether bags are an input; raise a BundleError unless the export writes such a graph for these arrays."""
    try:
        return _check(read_message(memoryview(graph), MODEL, "the graph"), arrays)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError, RecursionError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        raise BundleError(
            f"ONNX Runtime cannot load the model's graph, which is none that skol_rnn writes ({printable(reason):.300}): "
            "do not use this model, or remove the graph by saving the model again with Keras."
        ) from error


def _check(model: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> bool:
    for opset in model["opset_import"]:
        if opset.get("domain", "") not in _DOMAINS:
            raise ValueError(f"it uses operators of {opset['domain']!r}")
    graph, known = model["graph"], _Graph()
    for value in graph["input"]:
        name, tensor = value["name"], value["type"]["tensor"]
        data_type, expected = _INPUTS[name]
        dims = [dim.get("value", size) for dim, size in zip(tensor["shape"]["dim"], expected, strict=True)]
        if tensor["data_type"] != data_type or name in known.shapes:
            raise ValueError(f"its input {name!r} is of another kind")
        known.shapes[name] = tuple(dims)
    sizes = [array.shape[1:] for name, array in arrays.items() if name.endswith(SHARED_ARRAYS)]
    outside = BAGS in known.shapes
    if outside and sizes != [known.shapes[BAGS][1:]]:
        raise ValueError("its bags are not those of the network's embeddings")
    _read_initializers(graph["initializer"], arrays, known)
    _check_nodes(graph["node"], arrays, known)
    (output,) = graph["output"]
    dims = output["type"]["tensor"]["shape"]["dim"]
    n_labels = dims[-1].get("value") if len(dims) == 3 else None
    if output["name"] != "logits" or known.shapes["logits"] != ("windows", "window", n_labels):
        raise ValueError("its output is not the logits of lines in windows")
    return outside


def _check_nodes(nodes: list[dict[str, Any]], arrays: Mapping[str, np.ndarray], known: _Graph) -> None:
    """Compute the shapes of all tensors, and check that there are no more and no larger ones than a network needs."""
    others = [array for name, array in arrays.items() if not name.endswith(SHARED_ARRAYS)]
    most = _NODES + _NODES_OF_BAG * (len(arrays) - len(others)) + _NODES_OF_ARRAY * len(others)
    if len(nodes) > most:
        raise ValueError(f"it has {len(nodes):,} nodes, more than {most:,}")
    # No tensor has more numbers for each line than its layer's arrays have rows and columns.
    widest = max([2 * sum(array.shape) for array in others] + [sum(array.shape[1:]) for array in arrays.values()])
    columns = max((size for size in known.shapes.get("ids", ()) if isinstance(size, int)), default=0)
    if columns > _MOST_SLOTS:
        raise ValueError(f"its ids have {columns:,} columns")
    for node in nodes:
        kind = f"node {node.get('name', '')!r} of kind {node['op_type']!r}"
        try:
            shapes = _shapes_of(node, known)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ValueError(f"{kind}: {f'it lacks {error}' if isinstance(error, KeyError) else error}") from error
        if len(node["output"]) > len(shapes):
            raise ValueError(f"{kind}: it has {len(node['output'])} outputs")
        # The embeddings of a line's ids, whose number is a name or a number of columns.
        of_ids = node["op_type"] == "Gather" and node["input"][0].endswith(SHARED_ARRAYS)
        most_numbers = _MOST_SLOTS * widest if of_ids else max(widest, columns)
        for name, shape in zip(node["output"], shapes, strict=False):
            size, symbols = _volume(shape)
            if (
                size > most_numbers
                or len(symbols) >= _MOST_SIZES
                or len(set(symbols)) < len(symbols)
                or name in known.shapes
            ):
                raise ValueError(f"{kind}: its output has the shape {shape}, or the name of another one")
            if name:
                known.shapes[name] = shape


def _shapes_of(node: dict[str, Any], known: _Graph) -> list[Shape]:
    if node["op_type"] not in OPERATORS or node.get("domain", "") not in _DOMAINS:
        raise ValueError("this operator is not allowed")
    rule, allowed = OPERATORS[node["op_type"]]
    attributes: dict[str, Any] = {}
    for attribute in node["attribute"]:
        if attribute["name"] not in allowed or attribute["name"] in attributes:
            raise ValueError(f"its attribute {attribute['name']!r} is not allowed")
        value = attribute.get("i", attribute.get("s", attribute["ints"]))
        attributes[attribute["name"]] = bytes(value) if isinstance(value, memoryview) else value
    # An input without a name is one that is not given.
    shapes = [known.shapes[name] if name else () for name in node["input"]]
    return rule(_Node(shapes, [known.constants.get(name) for name in node["input"]], attributes))


def _read_initializers(tensors: list[dict[str, Any]], arrays: Mapping[str, np.ndarray], known: _Graph) -> None:
    """Check the constants: those outside are arrays of the network, those inside are no larger than its others."""
    budget = 4 * sum(array.size for name, array in arrays.items() if not name.endswith(SHARED_ARRAYS)) + _SLACK
    budget += 16 * sum(array.size for array in arrays.values() if array.ndim == 1)  # biases that are twice as long
    for tensor in tensors:
        name, dims = tensor["name"], tuple(tensor["dims"])
        if name in known.shapes or tensor["data_type"] not in _DTYPES or any(size < 0 for size in dims):
            raise ValueError(f"its constant {name!r} is of another kind")
        known.shapes[name] = dims
        if "data_location" in tensor or tensor["external_data"]:
            _check_shared(tensor, arrays)
            continue
        dtype, data = np.dtype(_DTYPES[tensor["data_type"]]), tensor["raw_data"]
        budget -= len(data)
        if math.prod(dims) * dtype.itemsize != len(data) or budget < 0:
            raise ValueError(f"its constant {name!r} of shape {dims} has {len(data):,} bytes")
        values = np.frombuffer(data, dtype).reshape(dims)
        if dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"its constant {name!r} has numbers that are not finite")
        if values.size <= 8:
            known.constants[name] = values


def _check_shared(tensor: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Check that a constant outside of the graph is the array of the same name, and no file."""
    name = tensor["name"]
    array = arrays.get(name) if name.endswith(SHARED_ARRAYS) else None
    place = {entry["key"]: entry["value"] for entry in tensor["external_data"]}
    expected = None if array is None else {"location": "network.npz", "offset": "0", "length": str(array.nbytes)}
    fits = array is not None and (tuple(tensor["dims"]), _DTYPES[tensor["data_type"]]) == (array.shape, "<f4")
    if place != expected or not fits or tensor.get("data_location") != 1 or len(place) != len(tensor["external_data"]):
        raise ValueError(f"its constant {name!r} is read from {place.get('location', 'nowhere')!r}")
