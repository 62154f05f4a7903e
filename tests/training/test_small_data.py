"""What a new user has, one to a few documents: a model that finds the rare label, or one sentence that says why not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy import LABELS, SMALL, toy_table

from skol_rnn import RNNSkolModel, load_serving, read_documents
from skol_rnn.data.splits import split_documents
from skol_rnn.datasets import sample_corpus
from skol_rnn.errors import DataError
from skol_rnn.training.length import prediction_windows, training_length
from skol_rnn.training.settings import resolve
from skol_rnn.windows import cut_windows

DEFAULTS = {
    "unit": "line",
    "window_size": 15,
    "stride": 5,
    "batch_size": 64,
    "epochs": 4,
    "patience": 2,
    "learning_rate": 1e-3,
    "feature_dropout": 0.5,
    "linear_share": 0.3,
    "min_updates": 400,
}
HARDLY = {**SMALL, "min_updates": 4, "validation_fraction": None, "window_size": 5}
"""Hardly trained: for what does not depend on it."""
LITTLE = {**SMALL, "min_updates": 60, "validation_fraction": None, "batch_size": None}


def updates_of(lengths, found):
    windows = cut_windows(lengths, found["window_size"], found["stride"])
    return -(-len(windows) // found["batch_size"]) * found["epochs"]


# -- the length of training ---------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(1, 3000), min_size=1, max_size=12), least=st.integers(1, 900))
def test_training_makes_enough_updates_and_hardly_more(lengths, least):
    found, message = training_length(lengths, {**DEFAULTS, "min_updates": least}, {})
    before = updates_of(lengths, DEFAULTS)
    if before >= least:
        assert message is None
        assert found == {**DEFAULTS, "min_updates": least}
    else:
        each = updates_of(lengths, {**found, "epochs": 1})
        assert least <= updates_of(lengths, found) < max(1.15 * least + 1, least + each)
        assert 1 <= found["stride"] <= DEFAULTS["stride"]
        assert found["patience"] >= DEFAULTS["patience"]
        assert f"{updates_of(lengths, found):,} updates" in message


def test_large_data_train_as_before():
    assert training_length([13_000] * 10, DEFAULTS, {}) == (DEFAULTS, None)


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(1, 400), min_size=1, max_size=5), epochs=st.integers(1, 9))
def test_epochs_that_the_caller_gave_stay_and_the_batch_shrinks(lengths, epochs):
    found, _ = training_length(lengths, {**DEFAULTS, "epochs": epochs}, {"epochs": epochs})
    assert found["epochs"] == epochs
    assert found["batch_size"] >= 1
    if found["batch_size"] > 1:
        assert updates_of(lengths, found) >= DEFAULTS["min_updates"]


def test_what_the_caller_gave_is_not_replaced():
    found, _ = training_length([300], DEFAULTS, {"learning_rate": 1e-3, "feature_dropout": 0.5, "patience": 2})
    assert (found["learning_rate"], found["feature_dropout"], found["patience"]) == (1e-3, 0.5, 2)
    assert training_length([300], {**DEFAULTS, "min_updates": 0}, {})[1] is None


# -- the rare label is found --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    corpus = read_documents(sample_corpus(tmp_path_factory.mktemp("sample") / "sample") / "train")
    table = corpus.table
    table["label"] = table["label"].where(table["label"].isin(LABELS), "Misc")
    names = sorted(table["doc_id"].unique())
    return [table[table["doc_id"] == name].reset_index(drop=True) for name in names[:4]]


def test_two_documents_are_enough_to_find_the_rare_label_in_a_third(sample, tmp_path, capsys):
    model = RNNSkolModel(hidden_size=32, ensemble_size=1, min_updates=150)
    model.fit(pd.concat(sample[:2]), labels=LABELS)
    said = capsys.readouterr().out
    assert "No validation set: all " in said
    assert "updates are too few: training uses stride" in said
    assert "Decision: offsets from label counts (no validation set): Nomenclature +" in said
    scores = model.evaluate(sample[2])
    f1 = dict(zip(scores.labels, scores.f1, strict=True))
    assert f1["Nomenclature"] >= 0.7
    assert f1["Description"] >= 0.85
    assert model.decided_by == "auto"
    # The saved model decides the same, and has the linear member.
    served = load_serving(model.save(tmp_path / "model.skol"), precision="float32")
    assert served.predictor.linear is not None
    np.testing.assert_allclose(served.predict_proba(sample[2]), model.predict_proba(sample[2]), atol=1e-5)
    assert served.predict(sample[2]).tolist() == model.predict(sample[2])["predicted_label"].tolist()


# -- bad input ------------------------------------------------------------------------------------------


def test_one_document_gives_a_model():
    model = RNNSkolModel(**LITTLE).fit(toy_table(1), labels=LABELS)
    assert model.validation_documents_ == []
    assert set(model.predict(toy_table(1, seed=1))["predicted_label"]) == set(LABELS)


def test_one_label_gives_a_model_that_predicts_it():
    table = toy_table(2).assign(label="Misc")
    model = RNNSkolModel(**HARDLY).fit(table)
    assert set(model.predict(table)["predicted_label"]) == {"Misc"}


def test_one_example_of_a_label_is_not_held_out():
    table = toy_table(6)
    once = table.index[table["label"] == "Nomenclature"][0]
    table["label"] = np.where((table["label"] == "Nomenclature") & (table.index != once), "Misc", table["label"])
    model = RNNSkolModel(**{**HARDLY, "epochs": 2, "validation_fraction": 0.2}).fit(table, labels=LABELS)
    assert table.loc[once, "doc_id"] not in model.validation_documents_
    assert model.validation_documents_


@pytest.mark.parametrize("seed", range(5))
def test_the_only_document_of_a_label_stays_in_training(seed):
    table = toy_table(5)
    rare = table["label"] == "Nomenclature"
    table.loc[rare & (table["doc_id"] != "doc3"), "label"] = "Misc"
    train, held_out = split_documents(table, 0.3, seed)
    assert "doc3" in train
    assert held_out


def test_where_every_document_is_the_only_one_of_a_label_none_is_held_out(capsys):
    table = toy_table(2)
    table.loc[table["doc_id"] == "doc0", "label"] = table["label"].replace("Nomenclature", "Misc")
    table.loc[table["doc_id"] == "doc1", "label"] = table["label"].replace("Description", "Misc")
    model = RNNSkolModel(**{**HARDLY, "epochs": 2, "validation_fraction": 0.5, "verbosity": 1}).fit(
        table, labels=LABELS
    )
    assert model.validation_documents_ == []
    assert "No validation set: the label '" in capsys.readouterr().out


def test_tuned_offsets_get_a_validation_set_however_few_the_lines():
    model = RNNSkolModel(**HARDLY, decision="tuned").fit(toy_table(4), labels=LABELS)
    assert model.validation_documents_
    assert model.decided_by == "tuned"


def test_a_document_of_three_lines_gives_a_model():
    table = toy_table(1, lines=3)
    model = RNNSkolModel(**HARDLY).fit(table)
    assert len(model.predict(table)) == 3


@pytest.mark.parametrize("empty", [[[]], pd.DataFrame({"doc_id": [], "value": [], "label": []})])
def test_validation_documents_without_lines_are_refused(empty):
    with pytest.raises(DataError, match="The validation data have no l|The data have no labels"):
        RNNSkolModel(**LITTLE).fit(toy_table(2), labels=LABELS, validation=empty)


# -- no silent zero -------------------------------------------------------------------------------------


def test_training_goes_on_while_a_label_is_never_predicted(capsys):
    table, unseen = toy_table(4), toy_table(2, seed=9)
    hopeless = {**LITTLE, "min_updates": 8, "verbosity": 1, "linear_share": 0, "learning_rate": 1e-6}
    model = RNNSkolModel(**hopeless, decision="corrected").fit(table, labels=LABELS, validation=unseen)
    said = capsys.readouterr().out
    never = "ever predicted on the validation documents"
    assert said.count(f"N{never}: 'Nomenclature', 'Description'. Training continues for 2 epochs in smaller steps") == 2
    assert f"Still n{never} after 24 updates in 3 rounds: 'Nomenclature', 'Description'. " in said
    assert "'Nomenclature' has 20 training lines in 4 documents; 'Description' has 60 training lines in 4" in said
    assert "raise min_updates or learning_rate" in said
    assert len(model.history_["loss"]) == len(model.history_["val_important_f1"]) > 1


@pytest.mark.slow
def test_further_rounds_find_the_label_and_keep_the_better_weights(capsys, monkeypatch):
    monkeypatch.setattr("skol_rnn.training.rounds._SMALLER_STEPS", 2.0)  # larger ones, so that few updates are enough
    table, unseen = toy_table(4), toy_table(2, seed=9)
    slow = {**LITTLE, "min_updates": 30, "verbosity": 1, "linear_share": 0, "learning_rate": 4e-3, "hidden_size": 12}
    model = RNNSkolModel(**slow, decision="corrected").fit(table, labels=LABELS, validation=unseen)
    said = capsys.readouterr().out
    assert "Training continues" in said
    assert "Still never predicted" not in said
    scores = model.evaluate(unseen)
    assert (scores.predicted > 0).all()
    assert scores.important_f1 == pytest.approx(max(model.history_["val_important_f1"]))


def test_few_lines_are_predicted_in_windows_as_long_as_those_of_training():
    def windows(lines, **given):
        found = prediction_windows([lines], resolve(RNNSkolModel(**given).get_params()), given)
        return found["prediction_window_size"], found["prediction_stride"]

    assert windows(4_999) == (15, 10) and windows(5_000) == (128, 122)
    assert windows(100, prediction_window_size=64) == (64, 58) and windows(100, prediction_stride=5) == (15, 5)
    assert windows(100, unit="token") == windows(10_000, unit="token") == (128, 64)
