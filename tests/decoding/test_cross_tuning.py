"""Offsets are believed only where they serve documents that they were not tuned on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skol_rnn.decoding.offsets import decide, metric_value, tune_offsets
from skol_rnn.decoding.tuning import cross_tuned_offsets, deal_folds
from skol_rnn.labels import NO_LABEL, LabelSet

LABELS = LabelSet(("Nomenclature", "Description", "Misc"))


def lines(seed, documents=20, length=100, bias=(0.0, 0.0, 0.0)):
    """Draw documents with a rare label, and posteriors of them that are off by a bias."""
    rng = np.random.default_rng(seed)
    n = documents * length
    true = rng.choice(3, n, p=[0.06, 0.2, 0.74])
    logits = rng.normal(size=(n, 3)) + 1.6 * np.eye(3)[true] + np.log([0.06, 0.2, 0.74]) + np.asarray(bias)
    p = np.exp(logits)
    return true, p / p.sum(1, keepdims=True), np.repeat([f"doc{i}" for i in range(documents)], length)


def test_a_bias_that_all_documents_share_is_found():
    true, p, documents = lines(0, bias=(3.0, 1.0, 0.0))
    unseen_true, unseen, _ = lines(1, bias=(3.0, 1.0, 0.0))
    offsets = cross_tuned_offsets(p, true, LABELS, documents).offsets
    before = metric_value(unseen_true, decide(unseen), LABELS)
    after = metric_value(unseen_true, decide(unseen, offsets), LABELS)
    assert after > before + 0.1
    assert offsets[0] < -1.0  # not -3: F1 wants more of a rare label than its posterior gives


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000))
def test_on_documents_not_seen_they_cost_little_even_if_there_is_nothing_to_gain(seed):
    true, p, documents = lines(seed)
    unseen_true, unseen, _ = lines(seed + 1)
    offsets = cross_tuned_offsets(p, true, LABELS, documents).offsets
    plain = metric_value(unseen_true, decide(unseen), LABELS)
    assert metric_value(unseen_true, decide(unseen, offsets), LABELS) > plain - 0.03


def test_where_plain_argmax_is_better_than_the_posterior_it_is_taken():
    true, p, documents = lines(7, bias=(-4.0, 0.0, 0.0), documents=3, length=30)
    shift = np.array([4.0, 0.0, 0.0])
    # Too few rare lines to tune on: the offsets of the network's own argmax are all that is left.
    assert (true == 0).sum() < 10
    offsets = cross_tuned_offsets(p, true, LABELS, documents, "f1/Nomenclature", logit_offsets=shift).offsets
    np.testing.assert_array_equal(offsets, shift)


def test_argmax_that_is_better_in_one_document_by_chance_is_not_taken():
    true, p, documents = lines(5, documents=4, length=400)
    shift = np.array([0.0, -3.0, 0.0])
    odd = documents == "doc0"  # where the posterior lacks this shift
    p[odd] *= np.exp([-6.0, 6.0, 0.0])
    p /= p.sum(1, keepdims=True)
    of_argmax, of_posterior = (metric_value(true, decide(p, o), LABELS, "accuracy") for o in (shift, None))
    assert of_argmax > of_posterior
    assert not cross_tuned_offsets(p, true, LABELS, documents, "accuracy", logit_offsets=shift).offsets.any()


def test_they_are_the_mean_of_the_folds_offsets():
    true, p, documents = lines(3, bias=(2.0, 0.0, 0.0))
    folds = deal_folds(documents, true, 5)
    by_fold = [tune_offsets(p[folds != f], true[folds != f], LABELS) for f in range(5)]
    np.testing.assert_allclose(cross_tuned_offsets(p, true, LABELS, documents).offsets, np.mean(by_fold, axis=0))


def test_an_offset_that_serves_one_document_only_is_not_believed():
    # Three documents whose posteriors are right, and one that is off by a bias: what helps it harms the others.
    true, p, documents = lines(11, documents=4, length=400)
    odd = documents == "doc0"
    p[odd] *= [30.0, 1.0, 1.0]
    p /= p.sum(1, keepdims=True)
    assert metric_value(true, decide(p, tune_offsets(p, true, LABELS)), LABELS) > metric_value(true, decide(p), LABELS)
    assert not cross_tuned_offsets(p, true, LABELS, documents).offsets.any()


def test_without_labels_there_are_no_offsets():
    _, p, documents = lines(0, documents=2, length=5)
    assert not cross_tuned_offsets(p, np.full(10, NO_LABEL), LABELS, documents).offsets.any()


def test_an_unknown_metric_is_refused():
    true, p, documents = lines(0)
    with pytest.raises(ValueError, match="Unknown metric 'f2'"):
        cross_tuned_offsets(p, true, LABELS, documents, "f2")


@given(st.lists(st.integers(1, 30), min_size=10, max_size=40), st.integers(0, 100))
def test_documents_stay_whole_and_rare_lines_are_spread(sizes, seed):
    rng = np.random.default_rng(seed)
    documents = np.repeat([f"d{i}" for i in range(len(sizes))], sizes)
    true = rng.choice(3, len(documents), p=[0.1, 0.3, 0.6])
    folds = deal_folds(documents, true, 5)
    assert all(len(set(folds[documents == name])) == 1 for name in set(documents))
    largest = max(sizes)
    for label in range(3):
        counts = np.bincount(folds[true == label], minlength=5)
        assert counts.max() - counts.min() <= max((true == label).sum(), largest)
    assert set(folds) == set(range(5))


def test_few_documents_are_a_fold_each():
    assert sorted(set(deal_folds(list("aaabbbccc"), np.zeros(9, int), 5))) == [0, 1, 2]


def test_one_document_is_dealt_in_runs_of_lines():
    folds = deal_folds(["one"] * 2000, np.zeros(2000, int), 5)
    assert np.bincount(folds).tolist() == [400] * 5
    assert all(len(set(folds[i : i + 200])) == 1 for i in range(0, 2000, 200))
