"""ONNX Runtime itself refuses what the check of a graph would have refused before it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from skol_rnn.errors import BundleError
from skol_rnn.inference import onnx_runner

WEIGHTS = np.arange(4000, dtype=np.float32)  # the runtime does not read short arrays from files in any case


@pytest.fixture(autouse=True)
def nothing_is_checked(monkeypatch, tmp_path):
    """Let every graph through, in a folder with a file whose name a graph may know."""
    monkeypatch.setattr(onnx_runner, "check_graph", lambda graph, arrays: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "secret.bin").write_bytes(WEIGHTS.tobytes())


def graph_of(nodes, constants=(), size=4000):
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [count]) for name, count in (("x", 4000), ("y", size))
    ]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def external(place):
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4000], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", place), ("offset", "0"), ("length", "16000")):
        tensor.external_data.add(key=key, value=value)
    return tensor


@pytest.mark.parametrize("inside", [False, True], ids=["initializer", "attribute"])
def test_no_file_of_the_current_folder_is_read(inside):
    last = helper.make_node("Max", ["x", "w"], ["y"])
    tensor = external("below/secret.bin")
    nodes = [helper.make_node("Constant", [], ["w"], value=tensor), last] if inside else [last]
    graph = graph_of(nodes, [] if inside else [tensor])
    with pytest.raises(BundleError, match="cannot load the model's graph"):
        onnx_runner.OnnxRunner(graph, {})


def test_the_array_outside_of_the_graph_is_given_not_read():
    graph = graph_of([helper.make_node("Mul", ["x", "a/embeddings"], ["y"])], [external("below/secret.bin")])
    model = onnx.load_from_string(graph)
    model.graph.initializer[0].name = "a/embeddings"
    runner = onnx_runner.OnnxRunner(model.SerializeToString(), {"a/embeddings": WEIGHTS + 1})
    found = runner._session.run(None, {"x": np.ones(4000, np.float32)})[0]
    assert np.array_equal(found, WEIGHTS + 1)


def test_the_other_format_of_the_runtime_is_no_graph(tmp_path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    graph = graph_of([helper.make_node("Mul", ["x", "x"], ["y"])])
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    with pytest.raises(BundleError, match="cannot load the model's graph"):
        onnx_runner.OnnxRunner((tmp_path / "model.ort").read_bytes(), {})


def test_shapes_that_contradict_each_other_are_an_error():
    with pytest.raises(BundleError, match="cannot load the model's graph"):
        onnx_runner.OnnxRunner(graph_of([helper.make_node("Mul", ["x", "x"], ["y"])], size=5), {})


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_constants_are_not_multiplied_while_a_graph_is_loaded():
    shape = numpy_helper.from_array(np.array([1 << 13, 1 << 13], np.int64), "shape")
    one = numpy_helper.from_array(np.ones(1, np.float32), "one")
    place = numpy_helper.from_array(np.array([0], np.int64), "place")
    nodes = [
        helper.make_node("Expand", ["one", "shape"], ["large"]),  # 256 MB
        helper.make_node("ReduceMax", ["x"], ["number"], keepdims=0),
        helper.make_node("Mul", ["large", "number"], ["product"]),
        helper.make_node("Gather", ["product", "place"], ["row"]),
        helper.make_node("ReduceMax", ["row"], ["found"], keepdims=0),
        helper.make_node("Mul", ["x", "found"], ["y"]),
    ]

    def resident():
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    graph = graph_of(nodes, [shape, one, place])
    before = resident()
    runner = onnx_runner.OnnxRunner(graph, {})
    assert resident() - before < 64 << 20
    assert runner.n_labels == 4000
