"""A saved model also has LSTM weights of 8 bits; ONNX Runtime uses them where they are fast and nobody refuses them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from toy import toy_table

from skol_rnn.cli.app import run
from skol_rnn.errors import GraphWarning
from skol_rnn.inference import backends, onnx_export
from skol_rnn.inference.predictor import load_serving
from skol_rnn.persistence.bundle import load_bundle, save_bundle


@pytest.fixture
def processor(monkeypatch):
    """Return a function that says whether the processor is fast with 8 bits."""
    return lambda fast: monkeypatch.setattr(backends, "int8_is_fast", lambda: fast)


def test_labels_are_those_of_keras_and_probabilities_nearly(tiny_model, tiny_bundle, processor):
    processor(True)
    table, served = toy_table(seed=1), load_serving(tiny_bundle)
    assert served.precision == "int8"
    expected = tiny_model.predict_proba(table)
    np.testing.assert_allclose(served.predict_proba(table), expected, atol=2e-3)
    equal = served.predict(table) == tiny_model.predict(table)["predicted_label"].to_numpy()
    assert equal.mean() >= 0.99
    served = load_serving(tiny_bundle, precision="float32")
    assert served.precision == "float32"
    np.testing.assert_allclose(served.predict_proba(table), expected, atol=1e-6)


@pytest.mark.parametrize("fast", [True, False])
def test_a_processor_without_vnni_computes_with_32_bits(tiny_bundle, processor, fast):
    processor(fast)
    assert load_serving(tiny_bundle).precision == ("int8" if fast else "float32")
    assert load_serving(tiny_bundle, backend="keras").precision == "float32"


@pytest.mark.parametrize(
    ("text", "fast"),
    [
        ("processor : 0\nflags\t\t: fpu avx512f avx512_vnni\n", True),
        ("processor : 0\nflags\t\t: fpu avx2 avx_vnni\n", True),
        ("processor : 0\nflags\t\t: fpu avx2 avx512f\n", False),
        ("processor : 0\nFeatures : fp asimd\n", False),
        ("", False),
        (None, False),
    ],
)
def test_what_the_system_says_of_the_processor(tmp_path, monkeypatch, text, fast):
    from skol_rnn.inference import onnx_runner

    place = tmp_path / "cpuinfo"
    if text is not None:
        place.write_text(text)
    monkeypatch.setattr(onnx_runner, "_PROCESSOR", place)
    assert onnx_runner.int8_is_fast.__wrapped__() is fast


def test_a_model_saved_before_8_bits_is_served(tiny_bundle, tmp_path, processor):
    processor(True)
    old = save_bundle(replace(load_bundle(tiny_bundle), int8_graph=None), tmp_path / "old")
    assert not (old / "network_int8.onnx").exists()
    served = load_serving(old)
    assert (served.backend, served.precision) == ("onnx", "float32")
    expected = load_serving(tiny_bundle, precision="float32").predict_proba(toy_table())
    np.testing.assert_array_equal(served.predict_proba(toy_table()), expected)


@pytest.mark.parametrize(
    ("limit", "value", "reason"),
    [("_TOLERANCE_INT8", 0, "its logits differ"), ("_EQUAL_LABELS_INT8", 1.1, "of its labels are those of Keras")],
)
def test_weights_of_8_bits_that_change_too_much_are_not_saved(tiny_model, monkeypatch, limit, value, reason):
    monkeypatch.setattr(onnx_export, limit, value)
    with pytest.warns(GraphWarning, match=f"saved without 8-bit weights and predicts with those of 32 bits.*{reason}"):
        bundle = tiny_model.bundle()
    assert bundle.graph is not None
    assert bundle.int8_graph is None


def test_predict_refuses_8_bits(tiny_bundle, tmp_path, processor, capsys):
    processor(True)
    (tmp_path / "a.txt").write_text("\n".join(toy_table()["value"]))
    for precision, expected in (("auto", "int8"), ("float32", "float32")):
        words = ["predict", str(tiny_bundle), str(tmp_path / "a.txt"), "--out", str(tmp_path / precision), "--json"]
        with pytest.raises(SystemExit):
            run([*words, "--precision", precision])
        assert json.loads(capsys.readouterr().out)["precision"] == expected
    with pytest.raises(ValueError, match="Did you mean 'float32'"):
        load_serving(tiny_bundle, precision="flot32")
