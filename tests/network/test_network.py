"""The network reads real lines only, gives a line the same output in any company, and is rebuilt from numbers."""

from __future__ import annotations

import gc
import inspect
import weakref
from dataclasses import replace

import keras
import numpy as np
import pytest
from gradients import value_and_gradients
from keras import ops

from skol_rnn.network.bilstm import build_bilstm_model
from skol_rnn.network.build import NetworkSpec, build_network, training_model
from skol_rnn.network.layers import EmbeddingBag

SPEC = NetworkSpec(
    n_labels=3,
    numbers_size=4,
    vocabulary_size=50,
    slots=6,
    input_size=8,
    line_size=10,
    hidden_size=7,
    num_layers=2,
    dropout=0.3,
    feature_dropout=0.5,
    seed=0,
)
CONTEXT = replace(SPEC, slots=4, context_slots=2, context_vocabulary_size=50)
"""The same columns of ids, of which a linear member joins."""


@pytest.fixture(scope="module", params=[SPEC, replace(SPEC, ensemble_size=3), CONTEXT], ids=["one", "three", "linear"])
def network(request):
    return build_network(request.param)


def inputs(windows, length, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, SPEC.vocabulary_size, (windows, length, SPEC.slots)).astype("int32")
    numbers = rng.normal(size=(windows, length, SPEC.numbers_size)).astype("float32")
    return ids, numbers, np.ones((windows, length), bool)


def padded(batch, length, junk=0):
    ids, numbers, mask = batch
    more = length - mask.shape[1]
    rng = np.random.default_rng(junk)
    ids = np.concatenate([ids, rng.integers(0, SPEC.vocabulary_size, (len(ids), more, SPEC.slots))], 1)
    numbers = np.concatenate([numbers, rng.normal(size=(len(ids), more, SPEC.numbers_size))], 1)
    return ids.astype("int32"), numbers.astype("float32"), np.pad(mask, ((0, 0), (0, more)))


@pytest.mark.parametrize("length", [6, 64])
def test_padding_has_no_effect_on_real_lines_whatever_stands_in_it(network, length):
    batch = inputs(3, 5)
    alone = network.predict_on_batch(batch)
    for junk in (1, 2):
        wide = network.predict_on_batch(padded(batch, length, junk))
        np.testing.assert_allclose(wide[:, :5], alone, atol=1e-5)


def test_a_window_gives_the_same_alone_and_among_others(network):
    batch = inputs(8, 9)
    together = network.predict_on_batch(batch)
    for i in range(8):
        alone = network.predict_on_batch(tuple(part[i : i + 1] for part in batch))
        np.testing.assert_allclose(alone[0], together[i], atol=1e-5)


@pytest.mark.backends
def test_padding_has_no_gradient_into_the_weights():
    network = build_network(SPEC)
    slopes = [
        value_and_gradients(
            lambda part=part: ops.sum(network(part, training=False)[:, :5] ** 2), network.trainable_weights
        )[1]
        for part in (inputs(2, 5), padded(inputs(2, 5), 20))
    ]
    for narrow, broad in zip(*slopes, strict=True):
        np.testing.assert_allclose(narrow, broad, atol=2e-5)


def test_equal_seeds_build_equal_networks_and_other_seeds_others():
    first, second = (build_network(SPEC).get_weights() for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    other = build_network(NetworkSpec(**{**SPEC.to_dict(), "seed": 1})).get_weights()
    assert any((a != b).any() for a, b in zip(first, other, strict=True))


def test_the_two_directions_start_from_different_weights(network):
    kernels = {w.path: np.asarray(w) for w in network.weights if w.path.endswith("lstm_cell/kernel")}
    for layer in {path.split("/")[0] for path in kernels}:
        forward, backward = (v for k, v in kernels.items() if k.startswith(f"{layer}/"))
        assert (forward != backward).any()


def test_the_output_starts_at_the_log_priors():
    priors = np.log([0.04, 0.16, 0.8])
    network = build_network(SPEC, priors)
    np.testing.assert_allclose(network.get_layer("logits").get_weights()[1], priors, atol=1e-6)


def test_members_differ_and_the_networks_logits_are_their_mean():
    spec = replace(SPEC, ensemble_size=3)
    network = build_network(spec)
    batch = inputs(2, 5)
    members = np.split(training_model(network, spec).predict_on_batch(batch), 3, axis=1)
    assert all(np.abs(one - members[0]).max() > 1e-3 for one in members[1:])
    np.testing.assert_allclose(network.predict_on_batch(batch), np.mean(members, axis=0), atol=1e-6)


def test_one_member_is_trained_itself():
    network = build_network(SPEC)
    assert training_model(network, SPEC) is network


def test_the_linear_part_has_logits_of_its_own_and_reads_a_row_and_its_context():
    network = build_network(CONTEXT)
    ids, numbers, mask = inputs(1, 5)
    model = training_model(network, CONTEXT)

    def votes(ids):
        return np.split(model.predict_on_batch((ids, numbers, mask)), CONTEXT.n_outputs, axis=1)

    whole = votes(ids)
    np.testing.assert_allclose(network.predict_on_batch((ids, numbers, mask)), np.mean(whole, axis=0), atol=1e-6)
    own, context = ids.copy(), ids.copy()
    own[0, 2, 0] = own[0, 2, 0] % 49 + 1
    context[0, 2, -1] = context[0, 2, -1] % 49 + 1
    moved = [[(a != b).any(axis=-1)[0].tolist() for a, b in zip(votes(x), whole, strict=True)] for x in (own, context)]
    here, everywhere, nowhere = [i == 2 for i in range(5)], [True] * 5, [False] * 5
    assert moved == [[everywhere, here], [nowhere, here]]


def test_the_linear_members_logits_are_a_sum_of_its_features():
    network = build_network(CONTEXT)
    ids, numbers, mask = inputs(1, 1)
    ids[:, :, 1:4] = ids[:, :, 5:] = 0
    found = training_model(network, CONTEXT).predict_on_batch((ids, numbers, mask))[0, 1]
    bags = [network.get_layer(name).get_weights()[0] for name in ("bag_of_2", "bag_around_of_2")]
    features = np.concatenate([bags[0][ids[0, 0, 0]], bags[1][ids[0, 0, 4]], numbers[0, 0]])
    kernel, bias = network.get_layer("logits_of_2").get_weights()
    np.testing.assert_allclose(found, features @ kernel + bias, atol=1e-5)


def test_members_do_not_learn_from_each_others_mistakes():
    spec = replace(SPEC, ensemble_size=2)
    network = build_network(spec)
    model = training_model(network, spec)
    _, slopes = value_and_gradients(
        lambda: ops.sum(model(inputs(2, 5), training=False)[:, :5] ** 2),  # the first member's logits
        model.trainable_weights,
    )
    learning = {w.path for w, slope in zip(model.trainable_weights, slopes, strict=True) if slope.any()}
    assert learning == {w.path for w in model.trainable_weights if "_of_1" in w.path}
    assert any("_of_2" in w.path for w in model.trainable_weights)


def test_the_bag_is_a_sum_over_the_root_of_the_count():
    bag = EmbeddingBag(5, 2)
    output = ops.convert_to_numpy(bag(np.array([[[1, 2, 0, 0], [0, 0, 0, 0]]])))
    table = np.asarray(bag.embeddings)
    np.testing.assert_allclose(output[0, 0], (table[1] + table[2]) / np.sqrt(2), rtol=1e-6)
    np.testing.assert_allclose(output[0, 1], 0.0)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="graphs are TensorFlow's")
def test_a_graph_with_a_bag_is_forgotten():
    import tensorflow as tf

    bag = EmbeddingBag(7, 3)

    def slope(ids):
        with tf.GradientTape() as tape:
            value = tf.reduce_sum(bag(ids))
        return tape.gradient(value, bag.embeddings.value)

    traced = tf.function(slope).get_concrete_function(tf.TensorSpec((None, None, 4), "int32"))
    graph = weakref.ref(traced.graph)
    del traced
    gc.collect()
    assert graph() is None  # else each training in one process takes 50 MB more


def test_the_bag_leaves_features_out_in_training_only():
    bag = EmbeddingBag(50, 4, dropout=0.5)
    ids = np.arange(1, 41).reshape(1, 1, 40)
    assert (ops.convert_to_numpy(bag(ids)) == ops.convert_to_numpy(bag(ids))).all()
    assert (ops.convert_to_numpy(bag(ids, training=True)) != ops.convert_to_numpy(bag(ids, training=True))).any()


def test_a_saved_keras_model_loads_with_our_layers(network, tmp_path):
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    batch = inputs(2, 5)
    np.testing.assert_allclose(again.predict_on_batch(batch), network.predict_on_batch(batch), atol=1e-6)


def test_the_seeds_signature_holds():
    names = list(inspect.signature(build_bilstm_model).parameters)
    assert names[:8] == [
        "input_shape",
        "num_classes",
        "hidden_size",
        "num_layers",
        "dropout",
        "class_weights",
        "labels",
        "focal_labels",
    ]


def test_build_bilstm_model_trains_on_one_hot_windows():
    labels = ["Nomenclature", "Description", "Misc"]
    model = build_bilstm_model((6, 12), 3, 8, 1, 0.0, {"Nomenclature": 10.0, "Misc": 0.1}, labels, learning_rate=0.02)
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 3, (64, 6))
    vectors = np.eye(12, dtype="float32")[classes] + 0.1
    vectors[:, 4:], true = 0.0, np.eye(3)[classes]
    true[:, 4:] = 0.0
    history = model.fit(vectors, true, epochs=60, verbose=0).history["loss"]
    probabilities = model.predict(vectors, verbose=0)
    np.testing.assert_allclose(probabilities.sum(-1), 1.0, atol=1e-5)
    assert history[-1] < history[0] / 2
    assert (probabilities[:, :4].argmax(-1) == classes[:, :4]).mean() > 0.95


def test_zero_lines_at_the_end_do_not_reach_the_backward_lstm():
    model = build_bilstm_model((None, 5), 2, 4, 1)
    vectors = np.random.default_rng(0).normal(size=(2, 4, 5)).astype("float32")
    wide = np.pad(vectors, ((0, 0), (0, 9), (0, 0)))
    np.testing.assert_allclose(model.predict_on_batch(wide)[:, :4], model.predict_on_batch(vectors), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"class_weights": {"a": 1.0}, "focal_labels": ["a"], "labels": ["a", "b"]}, "mutually exclusive"),
        ({"class_weights": {"a": 1.0}}, "needs labels"),
        ({"focal_labels": ["a"]}, "needs labels"),
        ({"class_weights": {"aa": 1.0}, "labels": ["a", "b"]}, "unknown label 'aa'"),
        ({"focal_labels": ["c"], "labels": ["a", "b"]}, "Unknown label 'c'"),
        ({"class_weights": {"a": 1.0}, "labels": ["a", "b", "c"]}, "3 labels for num_classes=2"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_built(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_bilstm_model((4, 3), 2, **arguments)
