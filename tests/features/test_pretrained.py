"""Pretrained vectors beside the features of tokens: what they are, what is saved with them, and what is refused."""

from __future__ import annotations

import importlib.util
import json
import shutil

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from pretrained import HEADS, LAYERS, PIECES, SIZE, arrays, write_model
from safetensors.numpy import load_file, save_file
from toy import SMALL, toy_tokens

from skol_rnn import DataError, RNNSkolModel, load_serving
from skol_rnn.features.families import features_from_state, make_features
from skol_rnn.features.pretrained.encoder import encoder_graph
from skol_rnn.features.pretrained.layers import LayerVectors
from skol_rnn.features.pretrained.static import StaticVectors
from skol_rnn.features.tokens.table import Tokens


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("pretrained") / "toy")


def tokens_of(*documents):
    rows = [(f"d{i}", word) for i, text in enumerate(documents) for word in text.split()]
    return Tokens(pd.DataFrame(rows, columns=["doc_id", "value"]))


def family(folder, layers=None, name="hashed"):
    return make_features(
        name, input_size=None, features_col="", seed=0, unit="token", vectors=str(folder), vector_layers=layers
    )


def test_static_vectors_keep_the_angles_between_means_of_pieces(folder):
    """Reduction to as many directions as there are changes no angle."""
    vectors, tokens = StaticVectors(folder), tokens_of("ab c dd ab", "e abc xyz")
    vectors.fit(tokens)
    found = vectors.transform(tokens) * vectors._deviation
    table = load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    rows = [[PIECES.index(w[0]), *(PIECES.index(f"##{c}") for c in w[1:])] for w in tokens.words]
    means = np.stack([table[ids].mean(axis=0) for ids in rows])
    means = (means - means.mean(axis=0))[tokens.word]
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(found @ found.T, means @ means.T, atol=5e-3)


@pytest.mark.parametrize("words", ["", "ab", "ab ab ab", "\x00 ab", "\ud800 x", "漢字 ab"])
def test_any_words_have_finite_vectors(folder, words):
    # A table of columns: pandas takes no lone surrogates.
    found = np.array([word for word in words.split(" ") if word], object)
    rows = {"doc_id": np.array(["a"] * len(found), object), "value": found}
    for layers in (None, [1, 2]):
        features = family(folder, layers)
        fitted = features.fit_transform(rows)
        assert np.isfinite(fitted.numbers).all() and len(fitted.numbers) == len(found)
        np.testing.assert_array_equal(features.transform(rows).numbers[:, :24], fitted.numbers[:, :24])


def expected_states(found, ids, layers):
    """Run the encoder of one text in plain NumPy."""
    from scipy.special import erf, softmax

    def norm(x, name, eps=1e-12):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)
        return x * found[f"{name}.weight"] + found[f"{name}.bias"] if name else x

    def dense(x, name):
        return x @ found[f"{name}.weight"].T + found[f"{name}.bias"]

    def heads(x):
        return x.reshape(len(x), HEADS, -1).transpose(1, 0, 2)

    x = found["embeddings.word_embeddings.weight"][ids] + found["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + found["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    kept = []
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}"
        q, k, v = (heads(dense(x, f"{layer}.attention.self.{part}")) for part in ("query", "key", "value"))
        mixed = (softmax(q @ k.transpose(0, 2, 1) / np.sqrt(SIZE / HEADS), axis=-1) @ v).transpose(1, 0, 2)
        x = norm(
            dense(mixed.reshape(len(x), -1), f"{layer}.attention.output.dense") + x,
            f"{layer}.attention.output.LayerNorm",
        )
        hidden = dense(x, f"{layer}.intermediate.dense")
        x = norm(
            dense(hidden * (1 + erf(hidden / np.sqrt(2))) / 2, f"{layer}.output.dense") + x, f"{layer}.output.LayerNorm"
        )
        kept += [norm(x, "", 1e-5)] if i + 1 in layers else []
    return np.mean(kept, axis=0)


@pytest.mark.parametrize("layers", [[1], [2], [1, 2]])
@pytest.mark.parametrize("prefix", ["", "bert."])
def test_the_graph_computes_what_the_encoder_computes(folder, layers, prefix):
    config, found = json.loads((folder / "config.json").read_text()), arrays()
    graph = encoder_graph({prefix + name: array for name, array in found.items()}, config, layers)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    ids = np.array([[2, 5, 9, 3, 0, 0], [2, 7, 30, 31, 8, 3]])
    (states,) = session.run(None, {"ids": ids, "mask": np.array([[1, 1, 1, 1, 0, 0], [1] * 6])})
    np.testing.assert_allclose(states[0, :4], expected_states(found, ids[0, :4], layers), atol=2e-5)
    np.testing.assert_allclose(states[1], expected_states(found, ids[1], layers), atol=2e-5)


def test_a_token_has_the_mean_of_its_pieces_and_documents_do_not_see_each_other(folder):
    vectors = LayerVectors.of(folder, [2])
    alone, both = (vectors._states(tokens_of(*texts)) for texts in (["ab c"], ["ab c", "x y z"]))
    ids = [2, *(PIECES.index(piece) for piece in ("a", "##b", "c")), 3]
    states = expected_states(arrays(), ids, [2])
    np.testing.assert_allclose(alone, [states[1:3].mean(axis=0), states[3]], atol=5e-3)
    np.testing.assert_array_equal(alone, both[:2])


def test_long_documents_are_read_in_windows_that_overlap(folder):
    """The first piece of a document is far from an edge only in the first window, the last only in the last."""
    words, vectors = list("abcdefghijklmnopqrstuvwxyz" * 3), LayerVectors.of(folder, [1])
    states = vectors._states(tokens_of(" ".join(words)))
    assert states.shape == (78, SIZE) and (np.abs(states).sum(axis=1) > 0).all()
    window = 24 - 2
    first = vectors._states(tokens_of(" ".join(words[:window])))
    np.testing.assert_allclose(states[: window // 2], first[: window // 2], atol=2e-3)
    last = vectors._states(tokens_of(" ".join(words[-window:])))
    np.testing.assert_allclose(states[-window // 2 + 1 :], last[-window // 2 + 1 :], atol=2e-3)


@pytest.mark.parametrize("layers", [None, [1, 2]])
@pytest.mark.parametrize("name", ["hashed", "characters"])
def test_a_family_with_vectors_survives_its_state(folder, layers, name):
    table = toy_tokens(3)
    fitted = family(folder, layers, name)
    features, plain = (
        fitted.fit_transform(table),
        make_features(name, input_size=None, features_col="", seed=0, unit="token"),
    )
    before = plain.fit_transform(table)
    np.testing.assert_array_equal(features.ids, before.ids)
    np.testing.assert_array_equal(features.numbers[:, : before.numbers.shape[1]], before.numbers)
    assert features.numbers.shape[1] == before.numbers.shape[1] + SIZE * (1 if layers is None else 2)
    values, saved = fitted.state()
    again = features_from_state(fitted.name, json.loads(json.dumps(values)), saved)
    assert (again.vocabulary_size, again.characters) == (plain.vocabulary_size, plain.characters)
    for one, other in zip(again.transform(table), fitted.transform(table), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_saved_model_has_its_static_vectors_and_needs_the_folder_of_layers(folder, tmp_path):
    table, there = toy_tokens(6), tmp_path / "there"
    shutil.copytree(folder, there)
    for layers in (None, [2]):
        model = RNNSkolModel(unit="token", vectors=str(there), vector_layers=layers, epochs=1, **SMALL).fit(table)
        expected = model.predict(table)
        model.save(tmp_path / f"model{layers}")
    shutil.rmtree(there)
    RNNSkolModel().load(tmp_path / "modelNone").predict(table)
    needs = RNNSkolModel().load(tmp_path / "model[2]")
    from skol_rnn.features.pretrained import layers as module

    module._encoder.cache_clear()
    with pytest.raises(DataError, match=r"needs the vectors of .*there. There is no folder"):
        needs.predict(table)
    write_model(there, seed=1)
    with pytest.raises(DataError, match="are others than those the model was trained with"):
        needs.predict(table)
    shutil.rmtree(there)
    shutil.copytree(folder, there)
    assert needs.predict(table).equals(expected)


@pytest.mark.parametrize("layers", [None, [2]])
def test_a_chain_alone_takes_vectors(folder, tmp_path, layers):
    table = toy_tokens(6)
    model = RNNSkolModel(unit="token", preset="instant", vectors=str(folder), vector_layers=layers, verbosity=0).fit(
        table
    )
    assert model.evaluate(toy_tokens(4, seed=5)).fragment_f1 > 0.8
    plain = RNNSkolModel(unit="token", preset="instant", verbosity=0).fit(table)
    own = len(model._predictor.linear.numbers) - len(plain._predictor.linear.numbers)
    assert own and np.abs(model._predictor.linear.numbers[-own:]).max() > 1e-3
    served = load_serving(model.save(tmp_path / "m"))
    np.testing.assert_array_equal(served.predict_proba(table), model.predict_proba(table))


def test_what_cannot_be_used_is_one_sentence_before_any_work(folder, tmp_path):
    def fails(error, match, **parameters):
        with pytest.raises(error, match=match):
            RNNSkolModel(**{"unit": "token", "verbosity": 0, **parameters}).fit(toy_tokens(2))

    fails(DataError, "There is no folder", vectors=str(tmp_path / "none"))
    fails(DataError, r"holds no tokenizer.json", vectors=str(tmp_path))
    fails(ValueError, 'vectors needs unit="token"', vectors=str(folder), unit="line")
    fails(ValueError, 'family of features other than "vectors"', vectors=str(folder), features="vectors")
    fails(ValueError, "vector_layers has no effect without vectors", vector_layers=[1])
    fails(ValueError, "vector_layers has no effect without vectors", vector_layers=[1], preset="instant")
    fails(ValueError, 'vectors needs unit="token"', vectors=str(folder), unit="line", preset="instant")
    for layers in ("2,4", [0], [1.5], [True]):
        fails(ValueError, "vector_layers must be a list of whole numbers", vectors=str(folder), vector_layers=layers)
    fails(DataError, "numbers from 1 to 2, the layers of this model", vectors=str(folder), vector_layers=[3])
    other = write_model(tmp_path / "other", model_type="gpt2")
    fails(DataError, "of type 'gpt2'", vectors=str(other), vector_layers=[1])
    (other / "tokenizer.json").write_text("{}")
    fails(DataError, "tokenizer.json is damaged", vectors=str(other))
    shutil.copy(folder / "tokenizer.json", other)
    (other / "model.safetensors").write_bytes(b"damaged")
    fails(DataError, "is damaged or no safetensors file", vectors=str(other))
    save_file({"something": np.ones((3, 2), np.float32)}, other / "model.safetensors")
    fails(DataError, "holds no input embeddings", vectors=str(other))
    (other / "model.safetensors").unlink()
    fails(DataError, r"holds no arrays \(\*.safetensors\)", vectors=str(other))


def test_a_missing_extra_is_named(folder, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "safetensors" else found(name))
    with pytest.raises(ImportError, match=r"pip install 'skol_rnn\[vectors\]'"):
        RNNSkolModel(unit="token", vectors=str(folder)).fit(toy_tokens(2))
