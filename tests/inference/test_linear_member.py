"""The linear member against scikit-learn, and what it may not do: look into another document."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier

from skol_rnn.features.base import LineFeatures
from skol_rnn.inference.linear_member import LinearMember, _design
from skol_rnn.labels import NO_LABEL

LENGTHS = [12, 1, 30]
VOCABULARY = 20


def features_of(seed=0):
    lines = sum(LENGTHS)
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, VOCABULARY, (lines, 6)).astype(np.int32)
    return LineFeatures(ids, rng.normal(size=(lines, 3)).astype(np.float32))


def fitted(true, n_labels, share=0.3, logit_offsets=None):
    return LinearMember.fit(
        features_of(),
        true,
        LENGTHS,
        n_labels=n_labels,
        vocabulary_size=VOCABULARY,
        share=share,
        logit_offsets=np.zeros(n_labels) if logit_offsets is None else logit_offsets,
        seed=0,
    )


@pytest.mark.parametrize("n_labels", [2, 3])
def test_probabilities_are_those_of_scikit_learn(n_labels):
    true = np.random.default_rng(1).integers(0, n_labels, sum(LENGTHS))
    member = fitted(true, n_labels)
    inputs = _design(features_of(), LENGTHS, VOCABULARY)
    inputs[:, [0, VOCABULARY, 2 * VOCABULARY]] = 0
    penalty = 0.02 / len(true)
    model = SGDClassifier(loss="log_loss", alpha=penalty, average=True, max_iter=20, tol=None, random_state=0)
    expected = model.fit(_design(features_of(), LENGTHS, VOCABULARY), true).predict_proba(inputs)
    np.testing.assert_allclose(member.probabilities(features_of(), LENGTHS), expected, atol=1e-4)


def test_a_line_is_not_touched_by_other_documents():
    member = fitted(np.random.default_rng(1).integers(0, 3, sum(LENGTHS)), 3)
    found = member.probabilities(features_of(), LENGTHS)
    start = 0
    for length in LENGTHS:
        part = LineFeatures(*(array[start : start + length] for array in features_of()))
        np.testing.assert_allclose(member.probabilities(part, [length]), found[start : start + length], atol=1e-6)
        start += length


def test_a_label_without_a_line_is_improbable_and_lines_without_a_label_are_left_out():
    true = np.random.default_rng(1).integers(0, 2, sum(LENGTHS))
    true[3] = NO_LABEL
    member = fitted(true, 3)
    assert (member.probabilities(features_of(), LENGTHS)[:, 2] < 1e-6).all()
    assert fitted(np.zeros(sum(LENGTHS), int), 3) is None


def test_the_mix_is_a_geometric_mean_of_posteriors_whatever_the_class_weights():
    true = np.random.default_rng(1).integers(0, 3, sum(LENGTHS))
    weights = np.array([100.0, 10.0, 0.1])
    posterior = np.random.default_rng(2).dirichlet(np.ones(3), sum(LENGTHS))

    def mixed(member, raw):
        return member.combined(*member.sources(raw, features_of(), LENGTHS), LENGTHS)

    plain = mixed(fitted(true, 3), posterior)
    raw = posterior * weights / (posterior * weights).sum(axis=1, keepdims=True)
    weighted = mixed(fitted(true, 3, logit_offsets=np.log(weights)), raw) / weights
    np.testing.assert_allclose(weighted / weighted.sum(axis=1, keepdims=True), plain, atol=1e-9)
    alone = mixed(fitted(true, 3, share=0.0), posterior)
    np.testing.assert_allclose(alone, posterior, atol=1e-3)


def test_arrays_bring_it_back():
    member = fitted(np.random.default_rng(1).integers(0, 3, sum(LENGTHS)), 3)
    again = LinearMember.from_arrays(member.arrays())
    np.testing.assert_array_equal(
        again.probabilities(features_of(), LENGTHS), member.probabilities(features_of(), LENGTHS)
    )
    assert LinearMember.from_arrays({"buckets": np.zeros(1)}) is None
