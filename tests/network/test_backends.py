"""TensorFlow, PyTorch and JAX: what one has trained the others predict, and one that is missing is named before any work."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from gradients import value_and_gradients
from keras import layers
from toy import QUICK, SMALL, toy_table, toy_tokens

from skol_rnn import RNNSkolModel, frameworks, load_model, load_serving
from skol_rnn.cli.common import warnings_as_lines
from skol_rnn.errors import DataError, FrameworkWarning
from skol_rnn.frameworks import FRAMEWORKS, choose_backend
from skol_rnn.inference.card import training_facts
from skol_rnn.network.backend import RightPaddedLSTM, padded_for_jax
from skol_rnn.network.layers import EmbeddingBag
from skol_rnn.persistence.bundle import load_bundle
from skol_rnn.training.checks import check_parameters

ROOT = Path(__file__).resolve().parents[2]
TRAINED = sorted((Path(__file__).parent / "trained").glob("*.skol"))
"""Models that each backend trained, with ``tests/network/train_backends.py``."""


def subprocess_with(backend, code, *arguments):
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


# -- one model, any backend -----------------------------------------------------------------------------------------


@pytest.mark.backends
@pytest.mark.parametrize("file", TRAINED, ids=[file.stem for file in TRAINED])
def test_what_one_backend_has_trained_the_others_predict(file):
    data = toy_tokens(2) if file.stem.startswith("tokens") else toy_table(2)
    data = data.drop(columns="label")
    graph = load_serving(file, backend="onnx")  # the backend that trained has checked it
    found = load_model(file).predict_proba(data)
    np.testing.assert_allclose(found, graph.predict_proba(data), atol=1e-4)
    assert np.ptp(found, axis=0).max() > 0.05  # tokens and lines differ


def test_weights_have_equal_names_whatever_trained_them():
    found = {file.stem: sorted(load_bundle(file).network) for file in TRAINED if file.stem.startswith("lines")}
    assert len(found) == len(FRAMEWORKS)
    assert len(set(map(tuple, found.values()))) == 1


@pytest.mark.backends
@pytest.mark.slow
@pytest.mark.parametrize("other", FRAMEWORKS)
def test_a_fresh_model_predicts_the_same_elsewhere(tiny_model, tiny_bundle, tmp_path, other):
    if importlib.util.find_spec(other) is None:
        pytest.skip(f"{other} is not installed")
    code = (
        "import sys, numpy, keras; from toy import toy_table; from skol_rnn import load_model\n"
        "numpy.save(sys.argv[2], load_model(sys.argv[1]).predict_proba(toy_table()))\n"
        "print(keras.config.backend())"
    )
    done = subprocess_with(other, code, tiny_bundle, tmp_path / "found.npy")
    assert done.stdout.strip() == other, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), tiny_model.predict_proba(toy_table()), atol=1e-4)


def test_the_card_names_the_framework_that_trained():
    versions = training_facts()["versions"]
    assert [name for name in FRAMEWORKS if name in versions] == [keras.config.backend()]


def test_a_checkpoint_of_another_framework_is_refused(tmp_path, monkeypatch):
    settings, checkpoint = {**SMALL, **QUICK, "epochs": 1}, tmp_path / "run.npz"
    RNNSkolModel(**settings).fit(toy_table(2), checkpoint=checkpoint)
    before = checkpoint.read_bytes()
    other = next(name for name in FRAMEWORKS if name != keras.config.backend())
    monkeypatch.setattr("skol_rnn.training.checkpoint.choose_backend", lambda: other)
    with pytest.raises(DataError, match=r"run.npz belongs to a run .*or of another KERAS_BACKEND: delete it to start"):
        RNNSkolModel(**settings).fit(toy_table(2), checkpoint=checkpoint)
    assert checkpoint.read_bytes() == before


# -- layers ---------------------------------------------------------------------------------------------------------


@pytest.mark.backends
@pytest.mark.parametrize("backwards", [False, True])
def test_lines_of_short_windows_are_read_as_by_a_masked_lstm(backwards):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, 7, 3)).astype("float32")
    mask = np.arange(7) < np.array([[7], [3], [1], [6]])
    plain, own = (kind(5, return_sequences=True, go_backwards=backwards) for kind in (layers.LSTM, RightPaddedLSTM))
    plain.build(x.shape)
    own.build(x.shape)
    own.set_weights(plain.get_weights())
    expected, found = (keras.ops.convert_to_numpy(layer(x, mask=mask)) for layer in (plain, own))
    real = mask[:, ::-1] if backwards else mask  # outputs of the backward direction are in reverse order
    np.testing.assert_allclose(found[real], expected[real], atol=1e-6)


@pytest.mark.backends
@pytest.mark.parametrize("backwards", [False, True])
def test_an_lstm_without_masks_has_the_gradients_of_one_with_masks(backwards):
    rng = np.random.default_rng(2)
    x = keras.ops.convert_to_tensor(rng.normal(size=(4, 7, 3)).astype("float32"))
    lengths = np.array([7, 1, 4, 0])
    mask = np.arange(7) < lengths[:, None]
    real = mask[:, ::-1] if backwards else mask
    factors = keras.ops.convert_to_tensor((rng.normal(size=(4, 7, 5)) * real[..., None]).astype("float32"))
    plain, own = (kind(5, return_sequences=True, go_backwards=backwards) for kind in (layers.LSTM, RightPaddedLSTM))
    plain.build(x.shape)
    own.build(x.shape)
    own.set_weights([rng.normal(size=weight.shape) for weight in plain.get_weights()])
    plain.set_weights(own.get_weights())
    found, expected = (
        value_and_gradients(lambda layer=layer: keras.ops.sum(layer(x, mask=mask) * factors), layer.trainable_variables)
        for layer in (own, plain)
    )
    assert found[0] == pytest.approx(expected[0], abs=1e-4)
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.backends
def test_the_bag_sums_what_it_keeps_and_passes_gradients_to_that_alone():
    bag = EmbeddingBag(7, 3)
    ids = np.array([[[1, 2, 2, 0], [6, 1, 0, 0], [0, 0, 0, 0]]], "int32")
    bag.build(ids.shape)
    table = np.asarray(bag.embeddings, "float64")
    weights = np.random.default_rng(0).normal(size=(1, 3, 3))
    factors = keras.ops.convert_to_tensor(weights.astype("float32"))
    value, (slope,) = value_and_gradients(lambda: keras.ops.sum(bag(ids) * factors), [bag.embeddings])
    expected, slopes = 0.0, np.zeros_like(table)
    for line, weight in zip(ids[0], weights[0], strict=True):
        kept = line[line > 0]
        expected += (table[kept].sum(0) / max(len(kept), 1) ** 0.5) @ weight
        np.add.at(slopes, kept, weight / max(len(kept), 1) ** 0.5)
    assert value == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(slope, slopes, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (9, 3), (3, 17)])
def test_batches_are_padded_to_few_shapes_for_jax(monkeypatch, shape):
    monkeypatch.setattr("skol_rnn.network.backend.COMPILES_EACH_SHAPE", True)
    ids, mask = padded_for_jax((np.ones((*shape, 4), np.int32), np.ones(shape, bool)))
    assert all(size in (8, 16, 32) for size in mask.shape) and ids.shape == (*mask.shape, 4)
    assert mask.sum() == mask[: shape[0], : shape[1]].sum() == np.prod(shape)


# -- choice ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Return a function that says which frameworks are installed; Keras is not loaded."""
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def installed(*names, **configuration):
        monkeypatch.setattr(frameworks, "_is_installed", names.__contains__)
        if configuration:
            (tmp_path / "keras.json").write_text(json.dumps(configuration))

    return installed


@pytest.mark.filterwarnings("error")
def test_tensorflow_is_the_default_where_it_is_installed(fresh):
    fresh("tensorflow", "torch", "jax")
    assert choose_backend() == "tensorflow"
    assert not os.environ["KERAS_BACKEND"]


@pytest.mark.parametrize("configuration", [{}, {"backend": "tensorflow"}, {"backend": ""}, {"floatx": "float32"}])
@pytest.mark.parametrize(("installed", "chosen"), [(("torch", "jax"), "torch"), (("jax",), "jax")])
def test_without_tensorflow_another_is_chosen_and_named_once(fresh, installed, chosen, configuration):
    fresh(*installed, **configuration)
    with pytest.warns(
        FrameworkWarning, match=f"^TensorFlow is not installed: Keras runs on {chosen}. Set KERAS_BACKEND"
    ):
        assert choose_backend() == chosen
    assert os.environ["KERAS_BACKEND"] == chosen
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose_backend() == chosen


def test_a_command_says_the_chosen_framework_in_one_line(fresh, capsys):
    fresh("torch")
    with warnings_as_lines():
        choose_backend()
    assert capsys.readouterr().err.splitlines() == [
        "TensorFlow is not installed: Keras runs on torch. Set KERAS_BACKEND=torch to choose it yourself."
    ]


@pytest.mark.filterwarnings("error")
def test_the_users_choice_is_kept(fresh, monkeypatch):
    fresh("tensorflow", "torch", "jax", backend="torch")
    assert choose_backend() == "torch"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert choose_backend() == "jax"
    monkeypatch.setitem(
        sys.modules, "keras", types.SimpleNamespace(config=types.SimpleNamespace(backend=lambda: "torch"))
    )
    assert choose_backend() == "torch"


@pytest.mark.parametrize(
    ("installed", "variable", "configured", "message"),
    [
        (
            (),
            "",
            "",
            r"none is installed: pip install tensorflow, or pip install torch \(or jax\) and set KERAS_BACKEND",
        ),
        (
            ("tensorflow",),
            "torch",
            "",
            "KERAS_BACKEND is set for torch, .*pip install torch, or set KERAS_BACKEND=tensorf",
        ),
        (("torch",), "tensorflow", "", "KERAS_BACKEND is set for tensorflow, .*tensorflow, or set KERAS_BACKEND=torch"),
        (("tensorflow",), "", "jax", r"configured by .*keras.json for jax, .*pip install jax, or set KERAS_BACKEND="),
        (
            ("tensorflow",),
            "numpy",
            "",
            "KERAS_BACKEND is set for numpy, which cannot train: set KERAS_BACKEND to tensorf",
        ),
        (("tensorflow",), "\x1b[2J", "", r"set for \\x1b\[2J, which cannot train"),
    ],
)
def test_a_missing_backend_is_one_sentence_with_the_variable_and_the_package(
    fresh, monkeypatch, installed, variable, configured, message
):
    fresh(*installed, **({"backend": configured} if configured else {}))
    monkeypatch.setenv("KERAS_BACKEND", variable)
    with pytest.raises(ImportError, match=message) as error:
        choose_backend()
    assert "\n" not in str(error.value)


COMMANDS = [
    ["train", "{texts}", "--out", "{out}"],
    ["predict", "{model}", "{texts}", "--backend", "keras", "--out", "{out}"],
    ["evaluate", "{model}", "{texts}"],
    ["report", "{model}", "{texts}", "--out", "{out}.html"],
    ["compare", "{model}", "{model}", "{texts}", "--out", "{out}.html"],
    ["demo", "--out", "{out}"],
    ["tune", "{texts}", "--out", "{out}.json"],
    ["batch", "{texts}", "--out", "{out}"],
]


def test_commands_name_a_missing_backend_before_any_work(fresh, tmp_path, monkeypatch, capsys):
    from skol_rnn.cli.app import run

    fresh("tensorflow")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt.ann").write_text("no documents are read: [@this one is damaged")
    places = {"texts": texts, "out": tmp_path / "out", "model": TRAINED[0]}
    for command in COMMANDS:
        with pytest.raises(SystemExit) as stop:
            run([word.format(**places) for word in command])
        lines = capsys.readouterr().err.strip().splitlines()
        assert stop.value.code == 1, (command, lines)
        assert len(lines) == 1 and "jax, which is not installed: pip install jax" in lines[0], (command, lines)
        assert not list(tmp_path.glob("out*"))


@pytest.mark.slow
def test_fit_names_a_missing_backend(tmp_path):
    for name in ("torch", "jax"):
        if importlib.util.find_spec(name) is None:
            break
    else:
        pytest.skip("all backends are installed")
    code = "from skol_rnn import RNNSkolModel; RNNSkolModel().fit([['a']], [['A']])"
    last = subprocess_with(name, code).stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: KERAS_BACKEND is set for {name}, which is not installed: pip install {name}")


@pytest.mark.parametrize(("unit", "features"), [("line", "word2vec"), ("line", "doc2vec"), ("token", "fasttext")])
def test_word_vectors_name_gensim_before_any_work_where_it_is_missing(monkeypatch, unit, features):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "gensim" else find(name, *rest)
    )
    with pytest.raises(ImportError, match=f'^features="{features}" needs gensim, which is not installed: pip install'):
        check_parameters(RNNSkolModel(unit=unit, features=features).get_params())
    check_parameters(RNNSkolModel(unit=unit, features="hashed").get_params())


def test_the_network_has_the_lstm_that_cudnn_can_run():
    network = load_model(TRAINED[0]).keras_model
    both = network.get_layer("bilstm_1")
    assert isinstance(both.forward_layer, RightPaddedLSTM) and isinstance(both.backward_layer, RightPaddedLSTM)
