"""Vectors of lines: what gensim trained, computed without gensim, and the same in every process."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skol_rnn.features.lines.word_vectors import InferredVectors, SubwordMeans, WordMeans, ngram_buckets
from skol_rnn.features.lines.words import lower_words

COLOURS, JOURNALS = ["red", "blue", "brown", "white"], ["author", "journal", "volume", "year"]
TRAINING = {"size": 16, "epochs": 20, "min_count": 2, "seed": 1}


def lines_of(count=300, seed=0):
    """Make lines of colours, and as many lines of journals, that share no word but one."""
    rng = np.random.default_rng(seed)
    return [[*rng.choice(words, 4).tolist(), "the"] for words in (COLOURS, JOURNALS) for _ in range(count)]


@pytest.fixture(scope="module", params=[WordMeans, SubwordMeans, InferredVectors], ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def trained(kind):
    return kind.train(lines_of(), **TRAINING)


def test_lines_are_nearest_to_the_mean_of_their_kind(trained):
    known = np.stack([trained.of_line(line) for line in lines_of(50)])
    means = known.reshape(2, 50, -1).mean(axis=1)
    fresh = np.stack([trained.of_line(line) for line in lines_of(50, seed=9)])
    nearest = np.linalg.norm(fresh[:, None] - means, axis=2).argmin(axis=1)
    assert (nearest == np.repeat([0, 1], 50)).mean() > 0.95


def test_the_vector_of_a_line_does_not_depend_on_earlier_calls(trained):
    lines = lines_of(5, seed=3)
    first = [trained.of_line(line) for line in lines]
    second = [trained.of_line(line) for line in reversed(lines)][::-1]
    np.testing.assert_array_equal(first, second)
    assert np.asarray(first).dtype == np.float32


def test_lines_without_a_known_word(trained):
    assert not trained.of_line([]).any()
    unheard = trained.of_line(["unheard"])
    assert unheard.shape == (16,)
    assert unheard.any() == isinstance(trained, SubwordMeans)


def test_training_again_gives_the_same_arrays_and_another_seed_others(kind, trained):
    again, other = kind.train(lines_of(), **TRAINING), kind.train(lines_of(), **{**TRAINING, "seed": 2})
    assert again.vocabulary == trained.vocabulary
    arrays, expected = again.state()[1], trained.state()[1]
    assert set(arrays) == set(expected) == set(kind.arrays)
    for name in kind.arrays:
        np.testing.assert_array_equal(arrays[name], expected[name])
    assert not np.array_equal(other.vectors, trained.vectors)


def test_rare_words_are_not_known(kind):
    lines = [*lines_of(20), ["once"], ["twice"], ["twice"]]
    found = kind.train(lines, **TRAINING).vocabulary
    assert "twice" in found and "once" not in found
    assert kind.train([["one"], ["two"]], **TRAINING).vocabulary == []
    assert not kind.train([["one"], ["two"]], **TRAINING).of_line(["one"]).any()


def test_training_prints_nothing(kind, capfd):
    kind.train(lines_of(5), **TRAINING)
    assert capfd.readouterr() == ("", "")


def test_training_and_inference_do_not_depend_on_the_hash_seed(tmp_path):
    pytest.importorskip("gensim")
    code = (
        "import sys, zlib, numpy; from skol_rnn.features.lines.word_vectors import *; from skol_rnn.features.lines.words import lower_words\n"
        "lines = [lower_words(t) for t in ['Pileus red and brown', 'Pileus brown or red', 'red the year']] * 20\n"
        "for kind in (WordMeans, SubwordMeans, InferredVectors):\n"
        "    trained = kind.train(lines, size=8, epochs=3, min_count=2, seed=0)\n"
        "    arrays = list(trained.state()[1].values())\n"
        "    vectors = [trained.of_line(words) for words in [*lines, ['reddish', 'pileus']]]\n"
        "    print(trained.vocabulary, *(zlib.crc32(a.tobytes()) for a in arrays + vectors))\n"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert "pileus" in printed[0]
    assert printed[0] == printed[1]


def test_a_line_is_the_mean_of_its_words_and_unknown_words_count_as_zeros():
    trained = WordMeans.train(lines_of(), **TRAINING)
    red, year = trained.of_line(["red"]), trained.of_line(["year"])
    np.testing.assert_array_equal(red, trained.vectors[trained.vocabulary.index("red")])
    np.testing.assert_allclose(trained.of_line(["red", "year", "unheard"]), (red + year) / 3, atol=1e-7)


def test_subwords_give_the_vectors_that_gensim_gives(monkeypatch):
    import gensim.models

    made, original = [], gensim.models.FastText

    def spy(**options):
        made.append(original(**options))
        return made[-1]

    monkeypatch.setattr(gensim.models, "FastText", spy)
    trained = SubwordMeans.train(lines_of(), **TRAINING)
    for word in ["red", "reddish", "brownness", "ähnlich", "日本語", "volumes"]:
        np.testing.assert_allclose(trained.of_word(word), made[0].wv.get_vector(word), atol=1e-6)
    line = ["pileus", "reddish"]
    expected = np.mean([made[0].wv.get_vector(word) for word in line], axis=0)
    np.testing.assert_allclose(trained.of_line(line), expected, atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1, max_size=12))
def test_ngrams_are_hashed_as_fasttext_hashes_them(text):
    from gensim.models.fasttext_inner import compute_ngrams_bytes, ft_hash_bytes

    for word in lower_words(text):
        expected = tuple(ft_hash_bytes(ngram) % 20_000 for ngram in compute_ngrams_bytes(word, 3, 6))
        assert ngram_buckets(word, 20_000) == expected


def test_an_inferred_vector_points_to_the_line_s_words_and_away_from_noise():
    trained = InferredVectors(["own", "noise", "none"], np.eye(3, dtype=np.float32), np.ones(64, np.int32))
    vector = trained.of_line(["own", "unheard"])
    assert vector[0] > 0 > vector[1] and vector[2] == 0
    # Five noise words for each word: their log-likelihood, which zeros do not make the best of.
    likelihood = -np.log1p(np.exp(-vector[0])) - 5 * np.log1p(np.exp(vector[1]))
    assert likelihood > -6 * np.log(2) + 1


def test_the_inferred_vector_is_where_the_penalised_likelihood_is_highest():
    from scipy.optimize import minimize

    weights = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    trained = InferredVectors(list("abcdef"), weights, np.asarray([3, 4, 5] * 10, np.int32))
    own, noise = weights[:2], weights[3:]

    def loss(v):
        return np.logaddexp(0, -own @ v).sum() + 10 * np.logaddexp(0, noise @ v).mean() + 0.05 * v @ v

    found, best = loss(trained.of_line(["a", "b"])), minimize(loss, np.zeros(4)).fun
    assert best <= found + 1e-6
    assert found - best < 0.25 * (loss(np.zeros(4)) - best)


def test_inference_converges_for_long_lines_and_large_weights():
    weights = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32) * 50
    trained = InferredVectors([f"w{i}" for i in range(20)], weights, np.arange(20, dtype=np.int32))
    for words in (["w1"], ["w1", "w2"] * 500):
        vector = trained.of_line(words)
        assert np.isfinite(vector).all() and np.linalg.norm(vector) < 10
