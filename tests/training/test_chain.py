"""A linear chain of tokens learns steps between labels, and what it may not learn from."""

from __future__ import annotations

import numpy as np

from skol_rnn.features.base import LineFeatures
from skol_rnn.labels import NO_LABEL
from skol_rnn.training.chain import fit_chain

LENGTHS = [90, 1, 40]
N = sum(LENGTHS)
VOCABULARY = 30


def features_of(seed=0):
    rng = np.random.default_rng(seed)
    return LineFeatures(
        rng.integers(0, VOCABULARY, (N, 5)).astype(np.int32), rng.normal(size=(N, 2)).astype(np.float32)
    )


def fitted(true, features=None, weights=None, n_labels=3):
    return fit_chain(
        features or features_of(),
        true,
        LENGTHS,
        n_labels=n_labels,
        vocabulary_size=VOCABULARY,
        share=0.5,
        logit_offsets=np.zeros(n_labels),
        seed=0,
        weights=weights,
    )


def test_steps_tell_what_features_do_not():
    features = LineFeatures(np.ones((N, 1), np.int32), np.zeros((N, 0), np.float32))
    true = np.concatenate([np.arange(length) % 2 for length in LENGTHS])
    found = fitted(true, features, n_labels=2).probabilities(features, LENGTHS)
    assert (found.argmax(axis=1) == true).all() and found[np.arange(N), true].mean() > 0.85
    as_one = fitted(true, features, n_labels=2).probabilities(features, [N])
    assert (as_one.argmax(axis=1) == np.arange(N) % 2).all()  # no document begins at row 91


def test_words_and_numbers_are_learnt():
    features = features_of()
    by_word = (features.ids == 7).any(axis=1).astype(int)
    found = fitted(by_word, n_labels=2).probabilities(features, LENGTHS)
    assert (found.argmax(axis=1) == by_word).mean() > 0.95
    by_number = (features.numbers[:, 0] > 0).astype(int)
    found = fitted(by_number, n_labels=2).probabilities(features, LENGTHS)[:, 1]
    assert found[by_number == 1].mean() > found[by_number == 0].mean() + 0.3


def test_a_label_without_a_token_is_improbable():
    found = fitted(np.arange(N) % 2).probabilities(features_of(), LENGTHS)
    assert found[:, 2].max() < 1e-6


def test_tokens_without_a_label_or_weight_are_not_learnt():
    true = np.random.default_rng(1).integers(0, 3, N)
    hidden = np.random.default_rng(2).random(N) < 0.4
    without = np.where(hidden, NO_LABEL, true)
    expected = fitted(without)
    for found in (fitted(true, weights=(~hidden).astype(np.float32)), fitted(np.where(hidden, NO_LABEL, true))):
        np.testing.assert_allclose(found.words, expected.words, atol=1e-3)
        np.testing.assert_allclose(found.transitions, expected.transitions, atol=1e-3)
    only = np.unique(features_of().ids[~hidden])
    assert not np.delete(expected.words, only, axis=0).any()
    assert fitted(np.full(N, NO_LABEL)) is None and fitted(np.zeros(N, int)) is None


def test_weights_count_like_copies():
    features = LineFeatures(np.ones((N, 1), np.int32), np.zeros((N, 0), np.float32))
    true = np.random.default_rng(1).integers(0, 2, N)
    weights = np.where(true == 1, 4.0, 1.0).astype(np.float32)
    light, heavy = (
        fitted(true, features, w, n_labels=2).probabilities(features, LENGTHS)[:, 1] for w in (None, weights)
    )
    assert 0.3 < light.mean() < 0.6 and heavy.mean() > light.mean() + 0.15


def test_the_same_seed_gives_the_same_model():
    true = np.random.default_rng(1).integers(0, 3, N)
    one, two = fitted(true), fitted(true)
    np.testing.assert_array_equal(one.words, two.words)
