"""A saved model predicts the same without TensorFlow: through ONNX Runtime, from columns or a DataFrame, streamed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from configparser import ConfigParser
from pathlib import Path

import keras
import numpy as np
import pytest
from commands import skol
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from toy import LABELS, SMALL, toy_table

import skol_rnn
from skol_rnn import RNNSkolModel
from skol_rnn.errors import BundleError, DataError, GraphWarning
from skol_rnn.features.base import LineFeatures
from skol_rnn.inference.keras_runner import KerasRunner
from skol_rnn.inference.onnx_export import ExportError, network_graph
from skol_rnn.inference.onnx_runner import OnnxRunner
from skol_rnn.inference.predictor import load_serving
from skol_rnn.network.build import EmbeddingBag, NetworkSpec, build_network
from skol_rnn.persistence.bundle import Bundle, load_bundle, save_bundle
from skol_rnn.windows import cut_windows

BLOCKED = ("tensorflow", "keras", "pandas", "sklearn", "scipy", "gensim", "onnx")
CHECKOUT = Path(skol_rnn.__file__).parent.parent


@pytest.fixture(scope="module")
def table():
    return toy_table()


@pytest.fixture(scope="module")
def model(table):
    return RNNSkolModel(epochs=2, **SMALL, window_size=7).fit(table, labels=LABELS)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    return model.save(tmp_path_factory.mktemp("serving") / "model")


@pytest.fixture(scope="module")
def serving(saved):
    return load_serving(saved, precision="float32")  # 8-bit weights have a file of tests of their own


def logits(network, graph, features, lines):
    """Return those of ONNX Runtime and of Keras at the real lines."""
    arrays = {weight.path: np.asarray(weight) for weight in network.weights}
    found = OnnxRunner(graph, arrays, threads=1).logits(features, lines)
    return found[lines >= 0], KerasRunner(network).logits(features, lines)[lines >= 0]


def random_features(rng, n_lines, spec):
    ids = rng.integers(0, max(spec.vocabulary_size, 1), (n_lines, spec.slots)).astype(np.int32)
    return LineFeatures(ids, rng.normal(size=(n_lines, spec.numbers_size)).astype(np.float32))


def shaken(network, rng):
    """Give every weight a random value: freshly built networks have biases of zero, which hide a wrong order."""
    for weight in network.weights:
        if weight.dtype == "float32":
            weight.assign(rng.normal(scale=0.4, size=weight.shape).astype(np.float32))
    return network


@settings(max_examples=5, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 9),
    st.sampled_from([0, 11]),
    st.sampled_from([0, 5]),
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.integers(0, 99),
)
def test_the_graph_gives_the_logits_of_keras(num_layers, window, vocabulary, line_size, lengths, seed):
    spec = NetworkSpec(3, 4, vocabulary, 6 * bool(vocabulary), 5, line_size, 3, num_layers, 0.3, 0.5, seed)
    rng = np.random.default_rng(seed)
    network = shaken(build_network(spec), rng)
    graph = network_graph(network, window)
    for size in {window, 1, window + 3}:  # the graph takes windows of any length
        lines = cut_windows(lengths, size, max(size // 2, 1)).lines
        found, expected = logits(network, graph, random_features(rng, sum(lengths), spec), lines)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.backends
@pytest.mark.parametrize("ensemble_size", [1, 2])
def test_the_linear_part_is_exported_and_lines_may_lack_all_context_ids(ensemble_size):
    spec = NetworkSpec(
        3, 4, 9, 4, 5, 6, 4, 1, 0.3, 0.2, 0, ensemble_size=ensemble_size, context_slots=2, context_vocabulary_size=30
    )
    rng = np.random.default_rng(ensemble_size)
    network = shaken(build_network(spec), rng)
    graph = network_graph(network, 4)
    for last in (6, 4, 0):  # columns that hold ids
        ids = rng.integers(1, 9, (9, 6)).astype(np.int32)
        ids[:, last:] = 0
        features = LineFeatures(ids, rng.normal(size=(9, 4)).astype(np.float32))
        found, expected = logits(network, graph, features, cut_windows([7, 1, 1], 4, 1).lines)
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("ensemble_size", [1, 2])
def test_lines_of_more_ids_than_the_network_is_wide_are_exported(ensemble_size):
    rng = np.random.default_rng(ensemble_size)
    spec = NetworkSpec(3, 4, 9, 700, 5, 6, 4, 1, 0.3, 0.2, 0, ensemble_size=ensemble_size)
    network = shaken(build_network(spec), rng)
    features, lines = random_features(rng, 9, spec), cut_windows([7, 1, 1], 4, 1).lines
    found, expected = logits(network, network_graph(network, 4), features, lines)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_lines_of_more_ids_than_any_model_has_are_refused():
    network = build_network(NetworkSpec(3, 4, 9, 5000, 5, 6, 4, 1, 0.3, 0.2, 0, ensemble_size=2))
    with pytest.raises(BundleError, match="its ids have 5,000 columns"):
        network_graph(network, 4)


def test_what_stands_at_padding_has_no_say():
    spec = NetworkSpec(2, 3, 9, 4, 5, 6, 4, 2, 0.0, 0.0, 0)
    rng = np.random.default_rng(0)
    network = shaken(build_network(spec), rng)
    features = random_features(rng, 5, spec)
    runner = OnnxRunner(network_graph(network, 8), {w.path: np.asarray(w) for w in network.weights})
    alone = runner.logits(features, np.arange(5)[None])
    padded = runner.logits(features, np.array([[0, 1, 2, 3, 4, -1, -1, -1]]))
    np.testing.assert_allclose(padded[:, :5], alone, atol=1e-6)


def test_networks_side_by_side_are_exported():
    ids = layers.Input((None, 6), dtype="int32", name="ids")
    numbers = layers.Input((None, 4), name="numbers")
    mask = layers.Input((None,), dtype="bool", name="mask")
    shared = EmbeddingBag(20, 5, name="bag")(ids)
    towers = []
    for i in range(3):
        own = EmbeddingBag(20, 3, seed=i, name=f"bag_{i}")(ids)
        x = layers.Concatenate(name=f"line_{i}")([shared, own, numbers])
        x = layers.Dropout(0.5, name=f"drop_{i}")(layers.Dense(7, activation="tanh", name=f"dense_{i}")(x))
        pair = [layers.LSTM(4, return_sequences=True, go_backwards=back) for back in (False, True)]
        x = layers.Bidirectional(pair[0], backward_layer=pair[1], name=f"lstm_{i}")(x, mask=mask)
        x = layers.Concatenate(name=f"skip_{i}")([x, numbers])  # of windows and of lines
        towers.append(layers.Dense(2, name=f"logits_{i}")(x))
    network = shaken(keras.Model([ids, numbers, mask], layers.Average(name="logits")(towers)), np.random.default_rng(1))
    rng = np.random.default_rng(2)
    features = LineFeatures(rng.integers(0, 20, (9, 6)).astype(np.int32), rng.normal(size=(9, 4)).astype(np.float32))
    found, expected = logits(network, network_graph(network, 4), features, cut_windows([7, 2], 4, 1).lines)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def one_layer(layer, mask_it=True):
    """Build a small network around a layer."""
    ids = layers.Input((None, 2), dtype="int32", name="ids")
    numbers = layers.Input((None, 4), name="numbers")
    mask = layers.Input((None,), dtype="bool", name="mask")
    x = layer(numbers, mask=mask) if mask_it else layer(numbers)
    return keras.Model([ids, numbers, mask], layers.Dense(2, name="logits")(x))


@pytest.mark.parametrize(
    ("layer", "mask_it", "reason"),
    [
        (layers.GRU(3, return_sequences=True, name="gru"), True, "gru is of a kind that is not exported, GRU"),
        (layers.Dense(3, activation="gelu", name="dense"), False, "an activation that is not exported, gelu"),
        (layers.Bidirectional(layers.GRU(3, return_sequences=True), name="pair"), True, "not a pair of LSTMs"),
        (
            layers.Bidirectional(layers.LSTM(3, return_sequences=True), merge_mode="sum", name="pair"),
            True,
            "not a pair of LSTMs whose outputs are concatenated",
        ),
        (
            layers.Bidirectional(layers.LSTM(3, return_sequences=True, activation="relu"), name="pair"),
            True,
            "not a pair of usual LSTMs",
        ),
        (layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="pair"), False, "the network's mask"),
    ],
)
def test_what_cannot_be_exported_is_said(layer, mask_it, reason):
    with pytest.raises(ExportError, match=reason):
        network_graph(one_layer(layer, mask_it), 3)


def test_a_graph_that_differs_from_keras_is_no_graph(monkeypatch):
    network = shaken(build_network(NetworkSpec(2, 3, 9, 4, 5, 6, 4, 1, 0.0, 0.0, 0)), np.random.default_rng(0))
    monkeypatch.setattr("skol_rnn.inference.onnx_export._GATES", (0, 1, 2, 3))
    with pytest.raises(ExportError, match="its logits differ from Keras's by"):
        network_graph(network, 5)


def test_the_saved_model_predicts_as_the_trained_one(model, serving, table):
    assert serving.backend == "onnx"
    assert serving.labels == tuple(LABELS)
    np.testing.assert_allclose(serving.predict_proba(table), model.predict_proba(table), atol=1e-5)
    np.testing.assert_allclose(serving.predict_proba(table, raw=True), model.predict_proba(table, raw=True), atol=1e-5)
    for decision in ("argmax", "corrected", "tuned", "viterbi"):
        expected = model.set_params(decision=decision).predict(table)["predicted_label"]
        assert serving.predict(table, decision).tolist() == expected.tolist()
    model.set_params(decision="corrected")


def test_columns_and_frames_in_any_order_are_one(serving, table):
    shuffled = table.sample(frac=1, random_state=0)
    expected = dict(zip(table.index, serving.predict(table), strict=True))
    columns = {name: shuffled[name].tolist() for name in ("doc_id", "line_number", "value")}
    for form in (shuffled, columns):
        assert serving.predict(form).tolist() == [expected[i] for i in shuffled.index]
    np.testing.assert_allclose(serving.predict_proba(columns), serving.predict_proba(shuffled), atol=1e-6)


def test_a_stream_gives_what_each_document_has_alone(serving, table, monkeypatch):
    monkeypatch.setattr("skol_rnn.inference.predictor.CHUNK", 90)  # two documents and a bit
    parts = [part for _, part in table.groupby("doc_id", sort=False)]
    found = list(serving.predict_documents(parts))
    assert len(found) == len(parts)
    for one, part in zip(found, parts, strict=True):
        assert one.labels.tolist() == serving.predict(part).tolist()
        np.testing.assert_allclose(one.probabilities, serving.predict_proba(part), atol=1e-5)


def test_a_stream_takes_no_more_documents_than_it_labels_together(serving, table, monkeypatch):
    monkeypatch.setattr("skol_rnn.inference.predictor.CHUNK", 60)
    taken = []

    def tables():
        for i, (_, part) in enumerate(table.groupby("doc_id", sort=False)):
            taken.append(i)
            yield part

    stream = serving.predict_documents(tables())
    next(stream)
    assert taken == [0, 1]  # forty lines each


def test_nothing_in_nothing_out(serving):
    assert list(serving.predict_documents([])) == []
    empty = {"doc_id": [], "value": []}
    assert len(serving.predict(empty)) == 0
    assert serving.predict_proba(empty).shape == (0, 3)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"doc_id": ["a"], "text": ["x"]}, "no column 'value'"),
        ({"value": ["x"]}, "no column 'doc_id'"),
        ({"doc_id": ["a", "a"], "value": ["x"]}, "has 2 rows"),
        ({"doc_id": ["a"], "value": [None]}, "holds None, not text"),
        ({"doc_id": [None], "value": ["x"]}, "'doc_id' is empty in row 0"),
        ({"doc_id": ["a", "a"], "value": ["x", "y"], "line_number": [3, 3]}, "occurs twice"),
        ({"doc_id": ["a"], "value": ["x"], "line_number": ["one"]}, "not a line number"),
    ],
)
def test_columns_that_cannot_be_used_are_refused(serving, columns, reason):
    with pytest.raises(DataError, match=reason):
        serving.predict(columns)


def test_a_decision_or_backend_that_is_none_is_refused(serving, saved):
    with pytest.raises(ValueError, match="Did you mean 'tuned'"):
        serving.predict({"doc_id": ["a"], "value": ["x"]}, "tned")
    with pytest.raises(ValueError, match="Did you mean 'onnx'"):
        load_serving(saved, backend="onx")


def test_the_blob_is_served_like_the_folder(saved, serving, table):
    blob = load_bundle(saved).to_bytes()
    np.testing.assert_array_equal(
        load_serving(blob, precision="float32").predict_proba(table), serving.predict_proba(table)
    )


def test_saving_twice_gives_equal_bytes(model):
    assert model.bundle().to_bytes() == model.bundle().to_bytes()


def test_a_model_saved_before_there_were_graphs_predicts_with_keras(saved, serving, table, tmp_path):
    bundle = load_bundle(saved)
    old = save_bundle(Bundle(bundle.state, bundle.network, bundle.features, bundle.decision), tmp_path / "old")
    assert not (old / "network.onnx").exists()
    served = load_serving(old)
    assert served.backend == "keras"
    np.testing.assert_allclose(served.predict_proba(table), serving.predict_proba(table), atol=1e-5)
    with pytest.raises(BundleError, match="without a graph"):
        load_serving(old, backend="onnx")
    assert RNNSkolModel().load(old).bundle().graph == bundle.graph


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_what_writes_graphs_the_model_is_saved_and_says_so(model, tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.warns(GraphWarning, match="saved without a graph for ONNX Runtime and predicts with Keras only"):
        path = model.save(tmp_path / "model")
    assert load_bundle(path).graph is None


def damaged(bundle, path, change):
    save_bundle(bundle, path)
    file = path / "network.onnx"
    change(file)
    return path


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:-1] + b"\0"), "is damaged, its checksum is wrong"),
        (lambda file: file.unlink(), "is missing"),
    ],
)
def test_a_damaged_graph_is_refused(saved, tmp_path, change, reason):
    path = damaged(load_bundle(saved), tmp_path / "model", change)
    for load in (load_serving, RNNSkolModel().load):
        with pytest.raises(BundleError, match=f"network.onnx.*{reason}"):
            load(path)


def test_a_graph_that_is_none_is_refused_in_words(saved, tmp_path):
    bundle = load_bundle(saved)
    foreign = Bundle(bundle.state, bundle.network, bundle.features, bundle.decision, b"no graph")
    with pytest.raises(BundleError, match="ONNX Runtime cannot load the model's graph"):
        load_serving(foreign.to_bytes())


def write_documents(table, folder):
    folder.mkdir(exist_ok=True)
    for name, part in table.groupby("doc_id", sort=False):
        (folder / f"{name}.txt").write_text("\n".join(part["value"]), encoding="utf-8")
    return folder


def read_all(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_command_gives_one_result_whatever_runs_the_network(saved, table, tmp_path, capsys):
    documents = write_documents(table, tmp_path / "documents")
    for backend in ("auto", "onnx", "keras"):
        out = tmp_path / backend
        assert skol("predict", saved, documents, "--out", out, "--backend", backend, "--json") == 0
        assert json.loads(capsys.readouterr().out)["backend"] == ("keras" if backend == "keras" else "onnx")
    assert read_all(tmp_path / "auto") == read_all(tmp_path / "onnx") == read_all(tmp_path / "keras")
    assert len(read_all(tmp_path / "auto")) == 6


def test_a_document_that_cannot_be_written_replaces_nothing_and_loses_no_other(saved, table, tmp_path, capsys):
    documents = write_documents(table, tmp_path / "documents")
    (documents / "zz.txt").write_text("[@markup#Of*] its own", encoding="utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "doc0.txt.ann").write_text("older", encoding="utf-8")
    assert skol("predict", saved, documents, "--out", tmp_path / "out") == 3
    assert "doc0.txt.ann exists" in capsys.readouterr().err
    assert read_all(tmp_path / "out") == {"doc0.txt.ann": b"older"}
    assert skol("predict", saved, documents, "--out", tmp_path / "out", "--overwrite") == 3
    assert "write JSONL or CSV instead" in capsys.readouterr().err
    written = [name for name in read_all(tmp_path / "out") if name.endswith(".txt.ann")]
    assert sorted(written) == [f"doc{number}.txt.ann" for number in range(6)]


BLOCK = f"import sys\nfor name in {BLOCKED!r}: sys.modules[name] = None\n"


def python(code, *words):
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, env=environment
    )


def test_serving_needs_onnxruntime_and_numpy_only(saved, serving, table, tmp_path):
    documents = write_documents(table, tmp_path / "documents")
    code = BLOCK + "from skol_rnn.cli.app import run\nrun(sys.argv[1:])"
    done = python(code, "predict", saved, documents, "--out", tmp_path / "out", "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    assert skol("predict", saved, documents, "--out", tmp_path / "here", "--format", "jsonl") == 0
    assert read_all(tmp_path / "out") == read_all(tmp_path / "here")
    code = BLOCK + (
        "from skol_rnn.inference.predictor import load_serving\n"
        "found = load_serving(sys.argv[1]).predict({'doc_id': ['a'] * 3, 'value': ['Genus1', 'pileus 3 mm', 'friends']})\n"
        "print(*found)\n"
    )
    done = python(code, saved)
    assert done.returncode == 0, done.stderr
    expected = serving.predict({"doc_id": ["a"] * 3, "value": ["Genus1", "pileus 3 mm", "friends"]})
    assert done.stdout.split() == expected.tolist()


@pytest.mark.parametrize("graph", [True, False])
def test_info_tells_whether_there_is_a_graph(saved, tmp_path, capsys, graph):
    bundle = load_bundle(saved)
    old = Bundle(bundle.state, bundle.network, bundle.features, bundle.decision)
    assert skol("info", saved if graph else save_bundle(old, tmp_path / "old")) == 0
    assert ("runs on ONNX Runtime or Keras" if graph else "runs on Keras only") in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--format", "csv"], "CSV and Parquet need pandas"),
        (["--backend", "keras"], "Keras"),
    ],
)
def test_what_serving_alone_cannot_do_is_said_in_a_sentence(saved, table, tmp_path, words, reason):
    documents = write_documents(table, tmp_path / "documents")
    code = BLOCK + "from skol_rnn.cli.app import run\nrun(sys.argv[1:])"
    done = python(code, "predict", saved, documents, "--out", tmp_path / "out", *words)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr


def test_features_that_need_more_say_so(table, tmp_path):
    path = RNNSkolModel(epochs=1, **{**SMALL, "input_size": None}, features="tfidf").fit(table).save(tmp_path / "model")
    predict = "load_serving(sys.argv[1]).predict({'doc_id': ['a'], 'value': ['Genus']})"
    done = python(BLOCK + f"from skol_rnn.inference.predictor import load_serving\n{predict}", path)
    assert 'ImportError: features="tfidf" needs scikit-learn and SciPy' in done.stderr


@pytest.mark.parametrize("features", ["word2vec", "fasttext", "doc2vec"])
def test_word_vectors_are_served_without_gensim(table, tmp_path, features):
    model = RNNSkolModel(epochs=1, **SMALL, features=features).fit(table)
    path = model.save(tmp_path / "model")
    predict = "load_serving(sys.argv[1]).predict({'doc_id': ['a'] * 2, 'value': ['Genus1', 'pileus 3 mm']})"
    done = python(BLOCK + f"from skol_rnn.inference.predictor import load_serving\nprint(*{predict})", path)
    expected = model.predict([["Genus1", "pileus 3 mm"]])[0]
    assert done.stdout.split() == list(expected), done.stderr


MEMORY = """
import sys
from skol_rnn import load_serving
def lines(documents):
    for i in range(documents):
        yield {"doc_id": ["a"] * 1000, "value": [f"pileus {i} {j} mm broad, spores smooth" for j in range(1000)]}
model = load_serving(sys.argv[1], threads=1)
assert sum(len(found.labels) for found in model.predict_documents(lines(int(sys.argv[2])))) == 1000 * int(sys.argv[2])
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_corpus(saved):
    few, many = (int(python(BLOCK + MEMORY, saved, documents).stdout) for documents in (10, 300))
    assert many < 1.3 * few


@pytest.mark.slow
def test_a_virtual_environment_without_tensorflow(saved, table, tmp_path):
    place = tmp_path / "venv"
    venv.create(place, with_pip=True)
    interpreter = place / "bin" / "python"

    def pip(*words):
        done = subprocess.run(
            [interpreter, "-m", "pip", "install", "-q", *map(str, words)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    source = tmp_path / "source"  # a build leaves its traces where it runs
    shutil.copytree(CHECKOUT / "skol_rnn", source / "skol_rnn", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, source)
    pip("--no-deps", source)
    setup = ConfigParser()
    setup.read(CHECKOUT / "setup.cfg")
    pip(*setup["options.extras_require"]["serve"].split())
    for name in (*BLOCKED, "torch", "jax"):
        assert subprocess.run([interpreter, "-c", f"import {name}"], capture_output=True).returncode == 1, name
    documents = write_documents(table, tmp_path / "documents")
    command = [place / "bin" / "skol-rnn", "predict", saved, documents, "--out", tmp_path / "out"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert skol("predict", saved, documents, "--out", tmp_path / "here", "--backend", "keras") == 0
    assert read_all(tmp_path / "out") == read_all(tmp_path / "here")
