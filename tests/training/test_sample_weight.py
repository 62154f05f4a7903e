"""A weight for each line in ``fit``: in the loss exactly once, whatever the form of the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import LABELS, QUICK, SMALL, as_documents, toy_table

from skol_rnn import RNNSkolModel, WeightedCategoricalCrossentropy
from skol_rnn.data.inputs import Input, labelled_table
from skol_rnn.errors import DataError
from skol_rnn.features.base import LineFeatures
from skol_rnn.training.batches import WindowBatches
from skol_rnn.training.lines import TrainingLines
from skol_rnn.training.sample_weights import weigh, weights_of
from skol_rnn.windows import cut_windows


def model(**changes):
    return RNNSkolModel(**{**SMALL, **QUICK, "epochs": 1, "validation_fraction": 0, **changes})


def weighed(data, sample_weight, y=None, **options):
    table = labelled_table(data, y, **options)
    weigh(table, sample_weight, Input.of(data), "line")
    return table


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_the_loss_of_all_windows_is_the_weighted_loss_of_the_lines_however_they_overlap(seed, stride):
    rng = np.random.default_rng(seed)
    lengths, class_weights = [23, 5], [7.0, 2.0, 0.5]
    true, weights = rng.integers(-1, 3, 28), rng.choice([0.25, 1.0, 4.0], 28)
    logits = rng.normal(size=(28, 3)).astype("float32")
    windows = cut_windows(lengths, 8, stride)
    features = LineFeatures(np.zeros((28, 1), np.int32), np.zeros((28, 1), np.float32))
    loss = WeightedCategoricalCrossentropy(class_weights)

    def total(given_weights):
        batches = WindowBatches(features, true, 3, windows, len(windows), 0, weights=given_weights)
        _, one_hot, line_weights = batches[0]
        padded = np.concatenate([logits, np.zeros((1, 3), "float32")])
        # Undo the division by the labelled places: it is the same with and without weights.
        return float(loss(one_hot, padded[windows.lines[batches.order]], line_weights)) * one_hot.sum()

    known = true >= 0
    nll = -(logits - np.log(np.exp(logits).sum(1, keepdims=True)))[np.arange(28), true]
    costs = np.where(known, nll * np.array(class_weights)[true], 0)
    coverage = windows.coverage.sum() / 28
    assert total(None) == pytest.approx(costs.sum() * coverage, rel=1e-4, abs=1e-4)
    assert total(weights) == pytest.approx((costs * weights).sum() * coverage, rel=1e-4, abs=1e-4)


def test_only_ratios_matter_and_copies_keep_their_weights():
    features = LineFeatures(np.zeros((4, 1), np.int32), np.zeros((4, 1), np.float32))
    true = np.array([0, -1, 1, 0])
    lines = TrainingLines(features, true, [4], np.array([1.0, 50.0, 2.0, 3.0]))
    expected = [0.5, 25.0, 1.0, 1.5]  # a mean of 1 over the labelled lines
    assert lines.scaled_weights().tolist() == expected
    assert lines._replace(weights=1000 * lines.weights).scaled_weights().tolist() == expected
    assert lines.at(np.array([3, 2]), [2]).weights.tolist() == [3.0, 2.0]


def test_training_with_equal_weights_is_training_without_and_weight_0_is_no_label():
    table = toy_table(2, 16)
    out = np.arange(len(table)) % 5 == 1

    def fitted(labels, sample_weight, **changes):
        return model(**changes).fit(table.assign(label=labels), sample_weight=sample_weight)

    plain, twos = fitted(table["label"], None), fitted(table["label"], np.full(len(table), 2))
    np.testing.assert_array_equal(twos.predict_proba(table), plain.predict_proba(table))
    unlabelled = fitted(table["label"].mask(out, None), None)
    zero = fitted(table["label"], np.where(out, 0, 3.0))
    np.testing.assert_array_equal(zero.predict_proba(table), unlabelled.predict_proba(table))
    assert zero.counts_.tolist() == unlabelled.counts_.tolist()
    np.testing.assert_array_equal(zero.weights_, unlabelled.weights_)


@pytest.mark.parametrize("share", [pytest.param(0.0, marks=pytest.mark.slow), 0.9])
def test_weights_reach_network_and_linear_model_and_multiply_class_weights(share):
    table = toy_table(2, 16)
    heavy = np.where(table["label"] == "Nomenclature", 50.0, 1.0)
    options = {"linear_share": share, "learning_rate": 0.05, "class_weights": "balanced"}
    plain, weighted = (model(**options).fit(table, sample_weight=weights) for weights in (None, heavy))
    column = plain.labels_.index("Nomenclature")
    more = weighted.predict_proba(table)[:, column] - plain.predict_proba(table)[:, column]
    assert more.mean() > 0.01
    np.testing.assert_array_equal(weighted.weights_, plain.weights_)


def test_a_resumed_training_needs_the_same_weights(tmp_path):
    table, weights = toy_table(2, 16), np.linspace(0.5, 1.5, 32)
    model().fit(table, sample_weight=weights, checkpoint=tmp_path / "run.npz")
    for other in (weights[::-1], None):
        with pytest.raises(DataError, match="other data, labels, weights or settings"):
            model().fit(table, sample_weight=other, checkpoint=tmp_path / "run.npz")
    model().fit(table, sample_weight=weights, checkpoint=tmp_path / "run.npz")


def test_weights_follow_their_rows_into_the_order_of_documents():
    table = toy_table(3, 5)
    shuffled = table.sample(frac=1, random_state=1)
    weights = np.arange(1.0, 16.0)
    found = weighed(shuffled, pd.Series(weights, index=shuffled.index))
    by_text = dict(zip(zip(shuffled["doc_id"], shuffled["line_number"], strict=True), weights, strict=True))
    places = zip(found["doc_id"], found["line_number"], strict=True)
    assert weights_of(found).tolist() == [by_text[place] for place in places]


def test_weights_of_documents_that_are_left_out_are_left_out():
    table = toy_table(3, 4)
    table.loc[table["doc_id"] == "doc1", "label"] = None
    with pytest.warns(UserWarning, match="left out: doc1"):
        found = weighed(table, np.arange(1.0, 13.0), other="Misc")
    assert weights_of(found).tolist() == [1, 2, 3, 4, 9, 10, 11, 12]
    with pytest.warns(UserWarning, match="left out"), pytest.raises(DataError, match="8 numbers for 12 lines"):
        weighed(table, np.ones(8), other="Misc")


@pytest.mark.parametrize(
    "kind", [list, np.array, lambda part: np.array(part, bool), lambda part: tuple(map(int, part))]
)
def test_weights_by_document_and_in_one_row_mean_the_same(kind):
    documents, labels = as_documents(toy_table(2, 3))
    nested = [kind([1, 0, 1]), kind([1, 1, 0])]
    one_row = [weight for part in nested for weight in part]
    for sample_weight in (nested, one_row, np.array(one_row)):
        found = weighed(documents, sample_weight, labels)
        assert weights_of(found).tolist() == [1, 0, 1, 1, 1, 0]
        assert found["label"].isna().tolist() == [False, True, False, False, False, True]


@pytest.mark.parametrize(
    ("sample_weight", "kind", "sentence"),
    [
        (np.ones(5), DataError, "5 numbers for 6 lines; give one per line"),
        (np.ones(2), DataError, "2 numbers for 6 lines"),
        ([[1, 1], [1, 1, 1, 1]], DataError, "Document 0 has 3 lines, but sample_weight has 2 numbers"),
        ([[1, 1, 1], [1, -1, 1]], DataError, "-1 for line 1 of document 1; weights are finite numbers of at least 0"),
        ([1, 1, 1, float("nan"), 1, 1], DataError, "nan for row 3"),
        ([1, 1, 1, float("inf"), 1, 1], DataError, "inf for row 3"),
        ([1, 1, None, 1, 1, 1], DataError, "None for row 2"),
        (["1", "1", "1", "1", "1", "1"], DataError, "'1' for row 0"),
        ([1, 1, 1 + 1j, 1, 1, 1], DataError, "for row 2"),
        ([[1, 1, 1], 1], TypeError, "give one list per document"),
        (np.zeros(6), DataError, "All sample weights of lines that have a label are zero"),
        (2.0, TypeError, "one number per line, not float"),
        ("weight", TypeError, "one number per line, not str"),
    ],
)
def test_impossible_weights_are_refused_with_their_place(sample_weight, kind, sentence):
    documents, labels = as_documents(toy_table(2, 3))
    with pytest.raises(kind, match=sentence):
        model().fit(documents, labels, sample_weight=sample_weight, labels=LABELS[:2], other="Misc")
