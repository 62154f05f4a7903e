"""The estimator: every way to give data, the promises of prediction, saving, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from toy import LABELS, QUICK, SMALL, as_documents, toy_table

from skol_rnn.data.table import check_table
from skol_rnn.errors import DataError
from skol_rnn.features.lines.hashed import HashedFeatures
from skol_rnn.inference.windowed import PredictionWindows
from skol_rnn.model import RNNSkolModel, load_model
from skol_rnn.training.settings import INSTANT, PRESETS


def model(**changes):
    return RNNSkolModel(**{**SMALL, **QUICK, "epochs": 3, "important": LABELS[:2], **changes})


@pytest.fixture(scope="module")
def trained():
    return model(ensemble_size=2, epochs=8, stride=2, batch_size=8, learning_rate=0.01).fit(toy_table(8), labels=LABELS)


@pytest.fixture
def table():
    return toy_table(3, seed=9)


# -- prediction -------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", sorted(set(PRESETS) - {INSTANT}))  # which has tests of its own
def test_every_preset_trains_saves_and_loads(preset, table, tmp_path):
    made = model(preset=preset, ensemble_size=None, refit=None, epochs=1).fit(table, labels=LABELS)
    expected = made.predict_proba(table)
    np.testing.assert_array_equal(load_model(made.save(tmp_path / "m")).predict_proba(table), expected)


@pytest.mark.backends
def test_it_learns_the_toy_task(trained, table):
    scores = trained.evaluate(table)
    assert scores.important_f1 > 0.95
    assert trained.score(table) == scores.important_f1


def test_rows_keep_their_text_position_order_and_index(trained, table):
    shuffled = table.sample(frac=1.0, random_state=0)
    result = trained.predict(shuffled)
    assert list(result.index) == list(shuffled.index)
    pd.testing.assert_frame_equal(result[list(table.columns)], shuffled)
    in_order = trained.predict(table)
    pd.testing.assert_series_equal(result["predicted_label"].sort_index(), in_order["predicted_label"])
    np.testing.assert_allclose(
        np.stack(result["probabilities"].sort_index()), np.stack(in_order["probabilities"]), atol=1e-5
    )


def test_prediction_index_label_and_probabilities_agree(trained, table):
    result = trained.predict(table)
    assert [LABELS[i] for i in result["prediction"]] == result["predicted_label"].tolist()
    assert np.stack(result["probabilities"]).argmax(1).tolist() == result["prediction"].tolist()
    np.testing.assert_allclose(np.stack(result["probabilities"]).sum(1), 1.0)
    np.testing.assert_allclose(trained.predict_proba(table), np.stack(result["probabilities"]))


def test_prediction_windows_that_cover_a_document_make_one_pass_of_it(trained, table):
    """A window longer than every document, whatever its length, gives what a window of just that length gives."""
    lengths = table.groupby("doc_id").size()
    found = []
    for size in (int(lengths.max()), 5_000):
        windows = PredictionWindows(size, size, 7)
        found.append(replace(trained._predictor, windows=windows).probabilities(check_table(table)))
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 500])
def test_probabilities_do_not_depend_on_the_batch(trained, table, batch_size):
    expected = trained.predict_proba(table)
    size = trained.prediction_batch_size
    try:
        np.testing.assert_allclose(
            trained.set_params(prediction_batch_size=batch_size).predict_proba(table), expected, atol=1e-5
        )
    finally:
        trained.set_params(prediction_batch_size=size)


def test_a_document_gives_the_same_alone_and_among_others_in_any_order(trained, table):
    expected = dict(zip(table["doc_id"].unique(), np.split(trained.predict_proba(table), 3), strict=True))
    for name, part in table.groupby("doc_id"):
        np.testing.assert_allclose(trained.predict_proba(part), expected[name], atol=1e-5)
    turned = pd.concat([part for _, part in reversed(list(table.groupby("doc_id", sort=False)))])
    for name, part in zip(turned["doc_id"].unique(), np.split(trained.predict_proba(turned), 3), strict=True):
        np.testing.assert_allclose(part, expected[name], atol=1e-5)


def test_chunks_of_documents_change_nothing(trained, table, monkeypatch):
    expected = trained.predict_proba(table)
    monkeypatch.setattr("skol_rnn.inference.predictor.CHUNK", 1)
    np.testing.assert_allclose(trained.predict_proba(table), expected, atol=1e-5)


def test_the_features_of_a_line_are_computed_once(trained, table, monkeypatch):
    from skol_rnn.features.lines import hashed

    seen = Counter()
    original = hashed.normal_forms

    def spy(texts):
        seen.update(texts)
        return original(texts)

    monkeypatch.setattr(hashed, "normal_forms", spy)
    unique = table.assign(value=[f"{v} {i}x" for i, v in enumerate(table["value"])])
    trained.predict(unique)
    assert len(seen) == len(unique)
    assert set(seen.values()) == {1}
    seen.clear()
    model(epochs=2, validation_fraction=0).fit(unique, labels=LABELS)
    assert set(seen.values()) == {1}


@pytest.mark.parametrize("lines", [0, 1, 2])
def test_documents_of_no_and_few_lines(trained, lines):
    part = toy_table(1, lines=2).iloc[:lines]
    assert len(trained.predict(part)) == lines
    assert trained.predict_proba(part).shape == (lines, 3)


def test_a_list_of_documents_gives_a_list_of_labels(trained, table):
    documents, labels = as_documents(table)
    found = trained.predict(documents)
    assert [len(d) for d in found] == [len(d) for d in documents]
    assert np.mean([a == b for x, y in zip(found, labels, strict=True) for a, b in zip(x, y, strict=True)]) > 0.9
    assert [p.shape for p in trained.predict_proba([*documents, []])] == [(40, 3)] * 3 + [(0, 3)]


def test_files_are_read(trained, table, tmp_path):
    for name, part in table.groupby("doc_id"):
        (tmp_path / f"{name}.txt").write_text("\n".join(part["value"]) + "\n", encoding="utf-8")
    result = trained.predict(tmp_path)
    assert result["value"].tolist() == table["value"].tolist()
    assert result["predicted_label"].tolist() == trained.predict(table)["predicted_label"].tolist()


# -- decisions --------------------------------------------------------------------------------------


def test_raw_probabilities_keep_the_effect_of_weights_and_corrected_ones_do_not(table):
    weights = {"Nomenclature": 100.0, "Description": 10.0, "Misc": 0.1}
    trained = model(class_weights=weights, epochs=6, stride=2, batch_size=8, learning_rate=0.01).fit(
        toy_table(4), labels=LABELS
    )
    raw, corrected = trained.predict_proba(table, raw=True), trained.predict_proba(table)
    divided = raw / trained.weights_
    np.testing.assert_allclose(corrected, divided / divided.sum(1, keepdims=True))
    share = np.array([(table["label"] == label).mean() for label in LABELS])
    assert np.abs(corrected.mean(0) - share).max() < np.abs(raw.mean(0) - share).max()
    argmax = trained.set_params(decision="argmax").predict(table)["prediction"]
    assert argmax.tolist() == raw.argmax(1).tolist()


def test_tuned_decisions_use_offsets_of_the_validation_set(trained, table):
    scores = {d: trained.set_params(decision=d).evaluate(table).important_f1 for d in ("argmax", "corrected", "tuned")}
    trained.set_params(decision="corrected")
    assert scores["tuned"] >= scores["argmax"] - 0.05
    alone = model(validation_fraction=0, decision="tuned", epochs=1).fit(toy_table(2), labels=LABELS)
    with pytest.raises(DataError, match="needs offsets tuned on a validation set"):
        alone.predict(table)


def test_validation_documents_are_never_trained_on(monkeypatch):
    fitted = []
    original = HashedFeatures.fit_transform

    def spy(self, table):
        fitted.extend(table["doc_id"].unique())
        return original(self, table)

    monkeypatch.setattr(HashedFeatures, "fit_transform", spy)
    trained = model(epochs=1, validation_fraction=0.3).fit(toy_table(8), labels=LABELS)
    assert trained.validation_documents_
    assert not set(fitted) & set(trained.validation_documents_)
    assert set(fitted) | set(trained.validation_documents_) == set(toy_table(8)["doc_id"])


def test_shuffling_rows_and_labels_given_apart_train_the_same_model(table):
    documents, labels = as_documents(table)
    first = model(epochs=1).fit(documents, labels)
    second = model(epochs=1).fit(table)
    third = model(epochs=1).fit(table.sample(frac=1.0, random_state=3))
    for other in (second, third):
        order = [other.labels_.index(label) for label in first.labels_]
        np.testing.assert_allclose(first.predict_proba(table), other.predict_proba(table)[:, order], atol=1e-5)


# -- labels and weights -----------------------------------------------------------------------------


def test_labels_are_derived_sorted_or_given(table):
    assert model(epochs=1).fit(table).labels_ == sorted(LABELS)
    assert model(epochs=1).fit(table, labels=LABELS).labels_ == LABELS
    assert model(epochs=1).fit(table, LABELS).labels_ == LABELS  # where the old class took them
    folded = model(epochs=1, important=None).fit(table, labels=LABELS[:1], other="Rest")
    assert folded.labels_ == ["Nomenclature", "Rest"]


def test_a_label_outside_the_given_ones_needs_other(table):
    with pytest.raises(DataError, match="'Description' of the training data is not among.*Give other='Misc'"):
        model(important=["Nomenclature"]).fit(table, labels=["Nomenclature", "Misc"])


def test_the_log_prints_the_weights_as_in_the_guide(capsys, table):
    weights = {"Nomenclature": 100.0, "Description": 10.0, "Misc": 0.1}
    model(epochs=1, verbosity=1, class_weights=weights).fit(table, labels=LABELS)
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("[BiLSTM] Using weighted loss with class weights:")
    assert lines[start + 1 : start + 4] == ["  Description: 10.0", "  Misc: 0.1", "  Nomenclature: 100.0"]
    assert "Rescaled to a mean of 1 over the training lines: " in "\n".join(lines[start + 4 :])
    assert any(line.startswith("Class weights are capped at the ratio of the label counts: ") for line in lines)


def test_the_guides_first_example(table):
    trained = RNNSkolModel(
        input_size=300,
        class_weights={"Nomenclature": 100.0, "Description": 10.0, "Misc": 0.1},
        hidden_size=8,
        num_layers=2,
        dropout=0.3,
        window_size=15,
        prediction_stride=5,
        batch_size=32,
        epochs=1,
        preset="fast",
        min_updates=0,
        verbosity=0,
    )
    trained.fit(table, labels=["Nomenclature", "Description", "Misc"])
    stats = trained.calculate_stats(trained.predict(table), verbose=False)
    assert {"Nomenclature_f1", "Description_loss", "Misc_support", "important_f1", "macro_f1"} <= stats.keys()


def test_the_names_of_the_old_class(trained, table):
    assert RNNSkolModel().labels is None
    assert trained.labels == trained.labels_ == LABELS
    assert trained.get_model() is trained.keras_model is trained.classifier_model
    assert len(trained.model_weights) == len(trained.keras_model.weights)
    assert trained.predict_with_labels(table)["predicted_label"].isin(LABELS).all()


@pytest.mark.parametrize("strategy", ["inverse", "balanced", "smoothed", None])
def test_strategies_are_taken_by_name(table, strategy):
    trained = model(epochs=1, class_weights=strategy).fit(table, labels=LABELS)
    order = np.argsort(trained.counts_)
    assert (np.diff(trained.weights_[order]) <= 0).all()


def test_focal_labels_train(table):
    trained = model(epochs=8, stride=2, batch_size=8, learning_rate=0.01, focal_labels=["Nomenclature"]).fit(
        toy_table(8), labels=LABELS
    )
    assert trained.evaluate(table).f1[0] > 0.8


def test_unlabelled_lines_are_not_trained_on_without_other(table):
    table.loc[::7, "label"] = None
    trained = model(epochs=1).fit(table, labels=LABELS)
    assert trained.counts_.sum() <= table["label"].notna().sum()
    assert trained.evaluate(table).support.sum() == table["label"].notna().sum()


# -- evaluation -------------------------------------------------------------------------------------


def test_log_evaluate_and_calculate_stats_give_the_same_numbers(trained):
    held_out = toy_table(8)
    held_out = held_out[held_out["doc_id"].isin(trained.validation_documents_)]
    best = int(np.argmax(trained.history_["val_important_f1"]))
    scores = trained.evaluate(held_out)
    stats = trained.calculate_stats(trained.predict(held_out), verbose=False)
    for i, label in enumerate(LABELS):
        assert trained.history_[f"val_f1/{label}"][best] == pytest.approx(scores.f1[i], abs=1e-12)
        assert stats[f"{label}_f1"] == pytest.approx(scores.f1[i])
        assert trained.history_[f"val_loss/{label}"][best] == pytest.approx(stats[f"{label}_loss"], abs=1e-6)


def test_calculate_stats_prints_only_when_asked(trained, table, capsys):
    predictions = trained.predict(table)
    trained.calculate_stats(predictions)
    assert capsys.readouterr().out == ""  # verbosity=0
    trained.set_params(verbosity=1).calculate_stats(predictions)
    assert "Nomenclature" in capsys.readouterr().out
    trained.calculate_stats(predictions, verbose=False)
    assert capsys.readouterr().out == ""
    trained.set_params(verbosity=0)
    with pytest.raises(DataError, match="no column 'predicted_label'"):
        trained.calculate_stats(table)


@pytest.mark.slow
def test_context_alone_gives_labels_away():
    """A line says nothing; the line before it names its label: a classifier of single lines is at chance."""
    rng = np.random.default_rng(0)

    def documents(n, seed):
        rng = np.random.default_rng(seed)
        rows = []
        for d in range(n):
            for i in range(0, 60, 2):
                label = ("alpha", "beta")[rng.integers(2)]
                rows += [(f"{seed}-{d}", i, f"{label} follows", "cue"), (f"{seed}-{d}", i + 1, "the same line", label)]
        return pd.DataFrame(rows, columns=["doc_id", "line_number", "value", "label"])

    trained = model(
        epochs=12,
        stride=2,
        batch_size=8,
        learning_rate=0.01,
        important=["alpha", "beta"],
        random_state=int(rng.integers(9)),
    )
    scores = trained.fit(documents(20, 0)).evaluate(documents(8, 1))
    assert scores.f1.min() >= 0.95


# -- saving -----------------------------------------------------------------------------------------


@pytest.mark.backends
@pytest.mark.parametrize("name", ["model", "model.skol"])
def test_a_saved_model_predicts_the_same(trained, table, tmp_path, name):
    trained.save(tmp_path / name)
    again = load_model(tmp_path / name)
    np.testing.assert_array_equal(again.predict_proba(table), trained.predict_proba(table))
    assert again.get_params() == trained.get_params()
    assert (again.labels_, again.history_) == (trained.labels_, trained.history_)
    again.save(tmp_path / f"again-{name}")
    assert again.bundle().to_bytes() == trained.bundle().to_bytes()
    into_another = RNNSkolModel(hidden_size=99).load(tmp_path / name)
    assert into_another.hidden_size == trained.hidden_size


def test_a_fresh_process_predicts_the_same(trained, table, tmp_path):
    trained.save(tmp_path / "model")
    table.to_json(tmp_path / "table.json", orient="records")
    code = (
        "import sys, numpy, pandas, skol_rnn;"
        f"table = pandas.read_json({str(tmp_path / 'table.json')!r});"
        f"numpy.save({str(tmp_path / 'p.npy')!r}, skol_rnn.load_model({str(tmp_path / 'model')!r}).predict_proba(table))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    np.testing.assert_allclose(np.load(tmp_path / "p.npy"), trained.predict_proba(table), atol=1e-6)


@pytest.mark.parametrize("features", ["tfidf", "word2vec", "fasttext", "doc2vec"])
def test_every_feature_family_trains_saves_and_loads(table, tmp_path, features):
    trained = model(features=features, epochs=1).fit(table, labels=LABELS)
    expected = trained.predict_proba(table)
    trained.save(tmp_path / "m.skol")
    np.testing.assert_allclose(load_model(tmp_path / "m.skol").predict_proba(table), expected, atol=1e-6)


def test_the_callers_vectors(table, tmp_path):
    rng = np.random.default_rng(0)
    table["features"] = [rng.normal(size=5) + 3 * LABELS.index(label) for label in table["label"]]
    trained = model(features="vectors", input_size=5, epochs=20, stride=2, batch_size=8, learning_rate=0.02).fit(
        table, labels=LABELS
    )
    assert trained.evaluate(table).macro_f1 > 0.9
    trained.save(tmp_path / "m.skol")
    np.testing.assert_allclose(load_model(tmp_path / "m.skol").predict_proba(table), trained.predict_proba(table))
    table.at[3, "features"] = np.full(5, np.nan)
    with pytest.raises(DataError, match="doc0"):
        trained.predict(table)
    with pytest.raises(DataError, match="expected 6|6 numbers|6"):
        model(features="vectors", input_size=6).fit(toy_table(2).assign(features=[np.ones(5)] * 80), labels=LABELS)


# -- what is refused --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stride": 0}, "stride must be between 1"),
        ({"stride": 16}, "stride must be between 1"),
        ({"prediction_stride": 99}, "prediction_stride must be between 1"),
        ({"prediction_window_size": 0}, "prediction_window_size must be a whole number of at least 1, but is 0"),
        (
            {"prediction_window_size": 5, "prediction_stride": 6},
            "prediction_stride must be between 1 and prediction_win",
        ),
        ({"window_size": 0}, "window_size must be a whole number of at least 1, but is 0"),
        ({"decision": "corected"}, "Did you mean 'corrected'"),
        ({"features": "hashd"}, "Did you mean 'hashed'"),
        ({"epochs": 0}, "epochs must be"),
        ({"hidden_size": 2.5}, "hidden_size must be"),
        ({"dropout": 1.0}, "dropout must be"),
        ({"learning_rate": 0}, "learning_rate must be"),
        ({"monitor": "accuracies"}, "accuracies"),
        ({"class_weights": {"Nomenclatur": 3.0}}, "unknown label 'Nomenclatur'.*Did you mean 'Nomenclature'"),
        ({"class_weights": {"Misc": -1.0}}, "Misc"),
        ({"class_weights": "smothed"}, "Did you mean 'smoothed'"),
        ({"important": ["Nomenklatur"]}, "Nomenklatur"),
    ],
)
def test_a_wrong_parameter_is_named_before_training(table, changes, message):
    with pytest.raises(ValueError, match=message):
        model(**changes).fit(table, labels=LABELS)


def test_weights_and_focal_labels_exclude_each_other_at_once():
    with pytest.raises(ValueError, match="mutually exclusive"):
        RNNSkolModel(class_weights={"a": 1.0}, focal_labels=["a"])


def test_an_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="class_weigths"):
        RNNSkolModel(class_weigths={"a": 1.0})


def test_an_untrained_model_says_so(table, tmp_path):
    for call in (model().predict, model().predict_proba, model().evaluate):
        with pytest.raises(ValueError, match=r"Model not trained\. Call fit\(\) first\."):
            call(table)
    with pytest.raises(ValueError, match="No model to save"):
        model().save(tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_data_without_labels_are_refused(table):
    with pytest.raises(DataError, match="no labels"):
        model().fit(table.drop(columns="label"))
    with pytest.raises(DataError, match="no labels"):
        model().fit(table.assign(label=None), labels=LABELS, other="Misc")
    with pytest.raises(DataError, match="No training line has a label"):
        model(validation_fraction=0).fit(table.iloc[:0], labels=LABELS)
    with pytest.raises(DataError, match="5 labels for 120"):
        model().fit(table, ["Misc", "Misc", "Misc", "Misc", "Description"])


def test_former_parameters_are_accepted_with_a_warning():
    with pytest.warns(FutureWarning, match="use_gpu_in_udf of RNNSkolModel is gone: it has no effect"):
        model(use_gpu_in_udf=True)
    with pytest.warns(FutureWarning, match="use ensemble_size"):
        assert RNNSkolModel(members=3).ensemble_size == 3
    with pytest.warns(FutureWarning, match="add the option to loss"):
        assert RNNSkolModel(loss="focal", gamma=1.5).loss == "focal:gamma=1.5"
    with pytest.warns(FutureWarning, match="add the option to class_weights"):
        assert (
            RNNSkolModel().set_params(class_weights="effective", weight_beta=0.9).class_weights == "effective:beta=0.9"
        )
    with pytest.warns(FutureWarning), pytest.raises(ValueError, match="alpha has no effect without a strategy"):
        RNNSkolModel(weight_alpha=0.25)
