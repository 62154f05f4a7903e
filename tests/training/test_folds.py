"""The second pass: trees over out-of-fold probabilities, and the training in folds that gives them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import toy
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier

from skol_rnn import RNNSkolModel, load_model
from skol_rnn.data.inputs import LabelledRows
from skol_rnn.data.splits import consecutive_folds
from skol_rnn.errors import DataError
from skol_rnn.inference import second_pass
from skol_rnn.inference.predictor import load_serving
from skol_rnn.inference.second_pass import SecondPass
from skol_rnn.labels import LabelSet
from skol_rnn.training.folds import training_folds

LENGTHS = [900, 1, 0, 700, 1399]


def sources_and_labels(labels, seed=0):
    """Probabilities of two models that are often wrong where the line before has the first label."""
    rng = np.random.default_rng(seed)
    true = rng.choice(
        labels, sum(LENGTHS), p=np.array([0.1, 0.2, 0.7])[: len(labels)] / sum([0.1, 0.2, 0.7][: len(labels)])
    )
    sources = []
    for _ in range(2):
        found = rng.dirichlet(np.ones(3), len(true))
        found[np.arange(len(true)), np.roll(true, 1)] += 0.7  # what the line before is
        sources.append(found / found.sum(axis=1, keepdims=True))
    return sources, true


@pytest.mark.parametrize(
    "labels, trees, leaves", [([0, 1, 2], 100, 8), ([0, 2], 100, 8), ([0, 1, 2], 7, 12), ([0, 2], 1, 16)]
)
def test_the_trees_give_what_scikit_learn_gives(labels, trees, leaves, monkeypatch):
    assert (second_pass._TREES, second_pass._LEAVES) == (100, 8)
    monkeypatch.setattr(second_pass, "_TREES", trees)
    monkeypatch.setattr(second_pass, "_LEAVES", leaves)  # models of earlier versions have 12
    sources, true = sources_and_labels(labels)
    found = SecondPass.fit(sources, true, LENGTHS, 0)
    columns = second_pass._context(sources, LENGTHS, found.reference).T
    model = HistGradientBoostingClassifier(
        max_iter=trees, learning_rate=0.12, max_leaf_nodes=leaves, min_samples_leaf=100, l2_regularization=10.0,
        max_features=0.5, early_stopping=False, random_state=0,
    ).fit(columns, true)  # fmt: skip
    expected = np.zeros((len(true), 3))
    expected[:, labels] = model.predict_proba(columns)
    np.testing.assert_allclose(found.probabilities(sources, LENGTHS), expected, atol=1e-5)
    again = SecondPass.from_arrays(found.arrays())
    assert (again.probabilities(sources, LENGTHS) == found.probabilities(sources, LENGTHS)).all()


def test_the_trees_read_the_lines_around():
    sources, true = sources_and_labels([0, 1, 2])
    found = SecondPass.fit(sources, true, LENGTHS, 0).probabilities(sources, LENGTHS)
    assert (sources[0].argmax(axis=1) == true).mean() < 0.6
    assert (found.argmax(axis=1) == true).mean() > 0.9


def test_a_document_does_not_read_another():
    sources, true = sources_and_labels([0, 1, 2])
    second = SecondPass.fit(sources, true, LENGTHS, 0)
    alone = second.probabilities([source[:900] for source in sources], [900])
    assert (second.probabilities(sources, LENGTHS)[:900] == alone).all()
    assert second.probabilities([source[:0] for source in sources], []).shape == (0, 3)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=12), st.integers(2, 5))
def test_folds_are_runs_of_whole_groups(runs, folds):
    names = np.array([str(name) for name, lines in runs for _ in range(lines)])
    found = consecutive_folds(names, folds)
    assert sorted(np.concatenate(found)) == list(range(len(names)))
    kinds = [set(names[fold]) for fold in found]
    assert all(kinds) and sum(map(len, kinds)) == len(set(names))
    assert len(found) == (folds if len(set(names)) >= folds else 1)
    # Groups follow one another in the order in which they begin.
    order = list(dict.fromkeys(names))
    assert [name for kind in kinds for name in order if name in kind] == order


def rows_of(counts, documents=4):
    """Labelled rows with so many lines of each label in each of some documents."""
    lines = [(f"{i}", label) for i in range(documents) for label, n in counts.items() for _ in range(n)]
    table = pd.DataFrame(lines, columns=["doc_id", "label"]).assign(value="x")
    return LabelledRows.of(table, LabelSet(tuple(counts)))


SETTINGS = {"folds": 3, "linear_share": 0.15}


def test_folds_need_many_lines_few_labels_and_enough_of_each():
    assert len(training_folds(rows_of({"A": 200, "B": 5000}), SETTINGS, {})) == 3
    assert training_folds(rows_of({"A": 100, "B": 5000}), SETTINGS, {}) == []  # 400 lines of A
    assert training_folds(rows_of({"A": 200, "B": 4000}), SETTINGS, {}) == []  # 16,800 lines
    assert training_folds(rows_of({"A": 9000, "B": 0}), SETTINGS, {}) == []
    assert training_folds(rows_of({"A": 0, "B": 0}), SETTINGS, {}) == []
    assert training_folds(rows_of({name: 1000 for name in "ABCDEF"}), SETTINGS, {}) == []
    assert training_folds(rows_of({"A": 500, "B": 9000}, documents=2), SETTINGS, {}) == []
    assert training_folds(rows_of({"A": 200, "B": 5000}), {**SETTINGS, "linear_share": 0.0}, {}) == []
    assert training_folds(rows_of({"A": 200, "B": 5000}), {**SETTINGS, "folds": 0}, {}) == []


def test_folds_that_are_asked_for_are_made_or_refused():
    assert len(training_folds(rows_of({"A": 2, "B": 5}), SETTINGS, {"folds": 3})) == 3
    with pytest.raises(DataError, match="folds=3 needs at least 3 documents"):
        training_folds(rows_of({"A": 2, "B": 5}, documents=2), SETTINGS, {"folds": 3})


@pytest.mark.parametrize("folds", [1, -1, 2.0, True, "3"])
def test_a_wrong_number_of_folds_is_refused(folds):
    with pytest.raises(ValueError, match="folds must be 0 or a whole number"):
        RNNSkolModel(folds=folds).fit([["a"]], [["A"]])


def test_a_model_with_a_second_pass_predicts_the_same_after_saving_and_resuming(tmp_path):
    documents, labels = toy.as_documents(toy.toy_table(6, 60))
    settings = {**toy.SMALL, "validation_fraction": None, "epochs": 2, "folds": 2}
    model = RNNSkolModel(**settings)
    model.fit(documents, labels, checkpoint=tmp_path / "c")
    assert model._predictor.second is not None and model.validation_documents_ == []
    assert model.card_["split"]["folds"] == 2 and model.card_["scores"]["documents"] == 6
    expected = model.predict_proba(documents)
    model.save(tmp_path / "m.skol")
    for loaded in (load_model(tmp_path / "m.skol"), load_serving(tmp_path / "m.skol", "onnx", precision="float32")):
        for a, b in zip(loaded.predict_proba(documents), expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)
    resumed = RNNSkolModel(**settings).fit(documents, labels, checkpoint=tmp_path / "c")
    for a, b in zip(resumed.predict_proba(documents), expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("leaves, bits", [(1, np.uint8), (8, np.uint8), (12, np.uint16), (16, np.uint16)])
def test_the_code_of_the_lowest_bit_leads_to_the_first_leaf_that_is_possible(leaves, bits):
    possible = np.arange(1, 1 << leaves).astype(bits)
    leaf = second_pass._leaf_of_code(leaves, possible.dtype)[second_pass._codes(possible)]
    assert leaf.tolist() == [(number & -number).bit_length() - 1 for number in possible.tolist()]
