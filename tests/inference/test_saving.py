"""Nothing in the user's configuration, and no failure of the export, loses a trained model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from toy import QUICK, SMALL, toy_table

from skol_rnn import RNNSkolModel, load_model
from skol_rnn.cli.app import run
from skol_rnn.errors import DataError, GraphWarning
from skol_rnn.network.build import NetworkSpec, build_network
from skol_rnn.persistence.bundle import check_destination, load_bundle

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def configured():
    """Return a function that sets Keras' global number type or precision."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()

    def configure(setting):
        if setting.startswith("mixed"):
            keras.config.set_dtype_policy(setting)
        else:
            keras.config.set_floatx(setting)
            keras.config.set_dtype_policy(setting)

    yield configure
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.mark.parametrize(
    "setting",
    ["float64", "mixed_float16", *(pytest.param(s, marks=pytest.mark.slow) for s in ("float16", "mixed_bfloat16"))],
)
def test_the_number_type_of_the_users_configuration_changes_nothing(tiny_model, configured, tmp_path, setting):
    configured(setting)
    model = RNNSkolModel(epochs=2, **SMALL).fit(toy_table())
    assert str(keras.config.dtype_policy().name) == setting  # the user's configuration is as it was
    for ours, other in zip(model.model_weights, tiny_model.model_weights, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, other, atol=1e-6)
    path = model.save(tmp_path / "model")
    assert load_bundle(path).graph is not None
    expected = tiny_model.predict_proba(toy_table())
    np.testing.assert_allclose(load_model(path).predict_proba(toy_table()), expected, atol=1e-5)


def test_channels_first_changes_no_layer():
    spec = NetworkSpec(3, 2, 20, 4, 8, 0, 6, 1, 0.0, 0.0, 0, char_slots=5, alphabet_size=9)
    inputs = (np.ones((1, 4, 9), np.int32), np.ones((1, 4, 2), np.float32), np.ones((1, 4), bool))
    expected = build_network(spec).predict_on_batch(inputs)
    keras.config.set_image_data_format("channels_first")
    try:
        np.testing.assert_array_equal(build_network(spec).predict_on_batch(inputs), expected)
    finally:
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize(
    "error", [RuntimeError("no\nroom"), MemoryError(), KeyError("x"), AttributeError("opset"), ValueError("\x1b[31m")]
)
def test_whatever_ends_the_export_the_model_is_saved(tiny_model, tmp_path, monkeypatch, error):
    def fails(*_):
        raise error

    monkeypatch.setattr("skol_rnn.inference.onnx_export.network_graph", fails)
    with pytest.warns(GraphWarning, match=f"without a graph .* with Keras only: {type(error).__name__}") as told:
        path = tiny_model.save(tmp_path / "model.skol")
    assert not set("\n\x1b") & set(str(told[0].message))
    assert load_bundle(path).graph is None
    np.testing.assert_array_equal(load_model(path).predict_proba(toy_table()), tiny_model.predict_proba(toy_table()))


def keras_home(folder, **configuration):
    (folder / "keras.json").write_text(json.dumps(configuration))
    return {**os.environ, "KERAS_HOME": str(folder), "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}


@pytest.mark.slow
def test_keras_own_configuration_file(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    for name, rows in toy_table().groupby("doc_id"):
        text = "".join(f"[@{value}#{label}*]\n" for value, label in zip(rows["value"], rows["label"], strict=True))
        (folder / f"{name}.txt.ann").write_text(text)
    settings = {**SMALL, **QUICK, "epochs": 1}
    for name in ("refit", "min_updates", "verbosity"):
        settings.pop(name)
    options = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    words = ["train", str(folder), "--out", str(tmp_path / "model"), "--no-refit", *options]
    environment = keras_home(tmp_path, floatx="float64", image_data_format="channels_first")
    done = subprocess.run(
        [sys.executable, "-m", "skol_rnn", *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    bundle = load_bundle(tmp_path / "model")
    assert bundle.graph is not None
    assert {array.dtype for array in bundle.network.values()} == {np.dtype("float32")}


def test_train_says_before_the_work_that_a_library_of_the_graph_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(SystemExit):
        run(["train", str(tmp_path / "none"), "--out", str(tmp_path / "model")])
    assert "Without onnx the model will predict with Keras only: pip install onnx" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["", ".skol"])
@pytest.mark.parametrize("length", [250, 300])
def test_a_name_too_long_is_refused_before_training(tmp_path, ending, length):
    path = tmp_path / ("m" * (length - len(ending)) + ending)
    if length == 300:
        with pytest.raises(DataError, match="File name too long"):
            check_destination(path)
    else:
        check_destination(path)


@pytest.mark.parametrize("path", ["file/model", "file/deep/model.skol", "a\0b", "a\0b/model.skol"])
def test_a_place_below_a_file_is_refused_before_training(tmp_path, path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written"):
        check_destination(tmp_path / path)
