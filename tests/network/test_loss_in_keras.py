"""The weighted loss in ``compile``, as an object of Keras: arrays, names, saving, loading."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest

from skol_rnn import build_bilstm_model, weighted_categorical_crossentropy

LABELS = ["Nomenclature", "Description", "Misc"]
WEIGHTS = {"Nomenclature": 100.0, "Description": 10.0}


def dense(activation="softmax"):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.layers.Input((5, 4)), keras.layers.Dense(3, activation=activation)])


def windows(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(6, 5, 4)).astype("float32"), np.eye(3, dtype="float32")[rng.integers(0, 3, (6, 5))]


def seed_formula(y_true, p):
    return np.mean(-np.sum(y_true * np.log(p), -1) * np.array([100.0, 10.0, 1.0])[y_true.argmax(-1)])


@pytest.mark.parametrize(
    "loss",
    [
        lambda: weighted_categorical_crossentropy(np.array([100, 10, 1])),
        lambda: weighted_categorical_crossentropy(np.array([100, 10, 1], "float32"), LABELS),
        lambda: weighted_categorical_crossentropy((100.0, 10.0, 1.0)),
        lambda: weighted_categorical_crossentropy(WEIGHTS, LABELS),
        lambda: weighted_categorical_crossentropy(WEIGHTS, labels=np.array(LABELS)),
    ],
)
def test_arrays_lists_and_names_give_the_same_weights(loss):
    assert loss().weights == [100.0, 10.0, 1.0]


@pytest.mark.backends
def test_a_model_compiled_with_it_learns_and_reports_the_formula():
    model, (x, y) = dense(), windows()
    model.compile("adam", weighted_categorical_crossentropy(np.array([100.0, 10.0, 1.0])))
    expected = seed_formula(y, model.predict(x, verbose=0))
    assert model.fit(x, y, epochs=1, batch_size=6, verbose=0).history["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_logits_and_probabilities_give_the_same_loss():
    (x, y), linear, softmax = windows(), dense(None), dense()
    linear.compile("adam", weighted_categorical_crossentropy(WEIGHTS, LABELS, from_logits=True))
    softmax.compile("adam", weighted_categorical_crossentropy(WEIGHTS, LABELS))
    assert linear.evaluate(x, y, verbose=0) == pytest.approx(softmax.evaluate(x, y, verbose=0), rel=1e-5)


def test_the_network_of_the_package_can_be_compiled_with_it():
    model = build_bilstm_model((5, 4), 3, hidden_size=2, num_layers=1)
    model.compile("adam", weighted_categorical_crossentropy(WEIGHTS, LABELS))
    x, y = windows()
    found = model.evaluate(x, y, verbose=0, return_dict=True)["loss"]
    assert found == pytest.approx(seed_formula(y, model.predict(x, verbose=0)), rel=1e-5)


@pytest.mark.parametrize("shape", [(6,), pytest.param((6, 5), marks=pytest.mark.slow), (6, 5, 1)])
def test_sample_weights_of_keras_multiply_the_loss_of_their_lines(shape):
    model, (x, y) = dense(), windows()
    model.compile("adam", weighted_categorical_crossentropy(WEIGHTS, LABELS))
    weights = np.random.default_rng(1).random(shape).astype("float32")
    per_line = -np.sum(y * np.log(model.predict(x, verbose=0)), -1) * np.array([100.0, 10.0, 1.0])[y.argmax(-1)]
    expected = np.mean(per_line * weights.reshape(6, -1))
    assert model.evaluate(x, y, sample_weight=weights, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_a_saved_model_is_loaded_with_its_loss(tmp_path):
    model, (x, y) = dense(), windows()
    model.compile("adam", weighted_categorical_crossentropy(WEIGHTS, LABELS))
    expected = model.evaluate(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    named = {"weighted_categorical_crossentropy": weighted_categorical_crossentropy(WEIGHTS, LABELS)}
    for custom in (None, named):
        again = keras.models.load_model(tmp_path / "model.keras", custom_objects=custom)
        assert again.loss.weights == [100.0, 10.0, 1.0] and again.loss.from_logits is False
        assert again.evaluate(x, y, verbose=0) == pytest.approx(expected)


@pytest.mark.slow
def test_another_process_loads_it(tmp_path):
    model = dense()
    model.compile("adam", weighted_categorical_crossentropy(WEIGHTS, LABELS))
    model.save(tmp_path / "model.keras")
    code = (
        "import keras, skol_rnn; skol_rnn.weighted_categorical_crossentropy; "
        f"print(keras.models.load_model({str(tmp_path / 'model.keras')!r}).loss.weights)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[100.0, 10.0, 1.0]"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((WEIGHTS,), "need labels"),
        (({"Nomenclatura": 2.0}, LABELS), "Did you mean 'Nomenclature'"),
        (([1.0, 2.0], LABELS), "2 .*3|3 .*2"),
        (([1.0, float("nan"), 1.0],), "nan"),
        (([1.0, -1.0, 1.0],), "-1"),
        ((windows()[1], windows()[1]), "returns a loss, which takes y_true and y_pred"),
    ],
)
def test_impossible_weights_are_refused_before_training(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        weighted_categorical_crossentropy(*arguments)


@pytest.mark.parametrize(
    ("weights", "labels", "sentence"),
    [
        ([1.0, 2.0, 3.0], lambda y: y.argmax(-1), "give one-hot labels"),
        ([1.0, 2.0], lambda y: y, "2 class weights, but the network has 3 outputs"),
    ],
)
def test_what_broadcasting_would_hide_is_an_error(weights, labels, sentence):
    model, (x, y) = dense(), windows()
    model.compile("adam", weighted_categorical_crossentropy(weights))
    with pytest.raises(ValueError, match=sentence):
        model.fit(x, labels(y), verbose=0)
