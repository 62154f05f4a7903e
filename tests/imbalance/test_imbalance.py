"""Losses, sampling, frozen weights, decisions and findings in a model that is trained and saved."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from toy import LABELS, SMALL, toy_table

from skol_rnn.errors import DataError
from skol_rnn.imbalance.class_weights import ClassWeights
from skol_rnn.imbalance.oversampling import oversample_documents_with_rare_labels, stratified_document_sample
from skol_rnn.labels import LabelSet
from skol_rnn.model import RNNSkolModel, load_model

OBJECTIVES = [
    {"loss": "cross_entropy:smoothing=0.05"},
    {"loss": "focal:gamma=1.5"},
    {"loss": "class_balanced_focal:beta=0.99"},
    {"loss": "soft_f1"},
    {"loss": "logit_adjusted:tau=0.8"},
    {"class_weights": "effective:beta=0.99"},
    {"class_weights": "log"},
    {"class_weights": "aggressive"},
    {"class_weights": "inverse:max_ratio=3"},
    {"class_weights": {"Nomenclature": 100.0, "Misc": 0.1}},
]


def model(**changes):
    settings = {**SMALL, "epochs": 6, "learning_rate": 0.02, "important": LABELS[:2]}
    return RNNSkolModel(**{**settings, **changes})


def one_label_a_document(n=8):
    """Make documents of which only every fourth holds the rare label."""
    table = toy_table(n)
    return table[(table["label"] != "Nomenclature") | table["doc_id"].isin([f"doc{i}" for i in range(0, n, 4)])]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_every_loss_and_strategy_learns_is_corrected_saved_and_loaded(objective, tmp_path):
    trained = model(**objective).fit(toy_table(6), labels=LABELS)
    table = toy_table(3, seed=9)
    found = trained.predict_proba(table)
    assert trained.evaluate(table).important_f1 > 0.8
    share = table["label"].value_counts(normalize=True)[LABELS].to_numpy()
    if objective.get("loss") != "soft_f1":  # which is no proper score
        np.testing.assert_allclose(found.mean(0), share, atol=0.08)
    trained.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(table), found)
    assert again.class_weights_ == trained.class_weights_
    assert clone(again).get_params() == again.get_params() == trained.get_params()


def test_the_log_names_weights_that_are_capped(capsys):
    weights = {"Nomenclature": 40.0, "Description": 1.0, "Misc": 1.0}
    trained = model(class_weights=weights, epochs=1, verbosity=1).fit(toy_table(3), labels=LABELS)
    counts = trained.counts_
    limit = counts.max() / counts[0]
    assert f"Nomenclature 40 -> {limit:.4g}." in capsys.readouterr().out
    np.testing.assert_allclose(trained.weights_ / trained.weights_[2], [limit, 1.0, 1.0])
    assert trained.class_weights_.weights == (40.0, 1.0, 1.0)


def test_the_log_names_the_loss_and_its_options(capsys):
    model(loss="focal:gamma=1.5", epochs=1, verbosity=1).fit(toy_table(3), labels=LABELS)
    assert "Loss: focal (gamma=1.5)" in capsys.readouterr().out


def test_impossible_combinations_stop_before_anything_is_read(tmp_path):
    for parameters, message in (
        ({"loss": "logit_adjusted", "class_weights": "inverse"}, "class_weights have no effect"),
        ({"sampling": "oversampel"}, "Did you mean 'oversample'"),
        ({"sampling": "oversample:boost=2"}, "boost"),
        ({"sampling": {"name": "stratify", "boost": 2}}, "boost"),
        ({"calibration": "platt"}, "calibration must be one of none, temperature, bias, cautious"),
        ({"class_weights": "inverse:max_ratio=0.5"}, "max_ratio"),
        ({"class_weights": "effective:beta=1"}, "beta"),
    ):
        with pytest.raises(ValueError, match=message):
            model(**parameters).fit(toy_table(2), labels=LABELS)


# -- sampling -----------------------------------------------------------------------------------------


def test_oversampling_copies_documents_for_training_and_is_undone_in_the_posterior():
    table = one_label_a_document()
    sampling = {"name": "oversample", "rare_label": "Nomenclature", "replication_factor": 4}
    trained = model(sampling=sampling, class_weights=None, epochs=2, validation_fraction=0).fit(table, labels=LABELS)
    counts = table["label"].value_counts()[LABELS].to_numpy()
    assert trained.counts_.tolist() == counts.tolist()  # those of the data, not of the copies
    sampled = oversample_documents_with_rare_labels(table, rare_label="Nomenclature", replication_factor=4)
    after = sampled["label"].value_counts()[LABELS].to_numpy()
    np.testing.assert_allclose(trained.decoder_.correction.weights, (after / after.sum()) / (counts / counts.sum()))


def test_oversampling_in_the_model_trains_on_what_the_function_gives():
    table = one_label_a_document()
    sampling = "oversample:replication_factor=3"  # of the rarest label
    settings = {"class_weights": None, "validation_fraction": 0, "epochs": 2}
    inside = model(**settings, sampling=sampling).fit(table, labels=LABELS)
    outside = model(**settings).fit(
        oversample_documents_with_rare_labels(table, rare_label="Nomenclature", replication_factor=3), labels=LABELS
    )
    assert inside.history_["loss"][0] == pytest.approx(outside.history_["loss"][0], rel=0.05)
    assert len(inside.history_["loss"]) == 2


def test_stratified_sampling_leaves_documents_out():
    table = one_label_a_document()
    kept = stratified_document_sample(table, rare_label="Nomenclature", fraction=0.5)
    assert 2 < kept["doc_id"].nunique() < table["doc_id"].nunique()
    sampling = {"name": "stratify", "rare_label": "Nomenclature", "fraction": 0.5}
    trained = model(sampling=sampling, epochs=1, validation_fraction=0).fit(table, labels=LABELS)
    assert trained.evaluate(table).support.sum() == len(table)


def test_rare_windows_do_not_raise_the_mean_probability():
    # Two seeds of the draw, many epochs: the mean posterior stays at the true share though rare windows come four
    # times as often.
    table = toy_table(10)
    trained = model(sampling={"name": "rare_windows", "boost": 4}, class_weights=None).fit(table, labels=LABELS)
    share = table["label"].value_counts(normalize=True)[LABELS].to_numpy()
    np.testing.assert_allclose(trained.predict_proba(table).mean(0), share, atol=0.04)
    assert np.array_equal(trained.decoder_.correction.weights, np.ones(3))


def test_a_resumed_run_draws_the_same_windows(tmp_path):
    table, settings = toy_table(5), {"sampling": "rare_windows", "epochs": 3, "patience": 3}
    straight = model(**settings).fit(table, labels=LABELS)

    def stop(epoch, evaluation):
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model(**settings).fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz", callback=stop)
    resumed = model(**settings).fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz")
    for one, other in zip(straight.model_weights, resumed.model_weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_validation_documents_are_never_copied():
    table = one_label_a_document()
    trained = model(sampling="oversample", epochs=1).fit(table, labels=LABELS)
    assert trained.validation_documents_ and not [d for d in trained.validation_documents_ if "copy" in d]


# -- frozen weights -----------------------------------------------------------------------------------


def test_a_frozen_file_is_used_as_it_is_and_travels_with_the_model(tmp_path):
    table = toy_table(4)
    counts = table["label"].value_counts()[LABELS]
    frozen = ClassWeights.from_counts("inverse", tuple(LABELS), tuple(int(n) for n in counts))
    frozen.save(tmp_path / "weights.json")
    settings = {"epochs": 1, "validation_fraction": 0}
    from_file = model(class_weights=str(tmp_path / "weights.json"), **settings).fit(table, labels=LABELS)
    from_object = model(class_weights=frozen, **settings).fit(table, labels=LABELS)
    by_name = model(class_weights="inverse", **settings).fit(table, labels=LABELS)
    np.testing.assert_array_equal(from_file.weights_, by_name.weights_)
    np.testing.assert_array_equal(from_object.weights_, by_name.weights_)
    from_file.save(tmp_path / "model.skol")
    (tmp_path / "weights.json").unlink()
    again = load_model(tmp_path / "model.skol")
    assert again.class_weights_ == again.class_weights == frozen
    again.fit(table, labels=LABELS)  # trains anew with the weights that came along
    np.testing.assert_array_equal(again.weights_, by_name.weights_)


def test_drift_is_logged_and_refused_under_strict(tmp_path, capsys):
    frozen = ClassWeights.from_counts("smoothed", tuple(LABELS), (10, 40, 110))
    with pytest.raises(DataError, match="Nomenclature.*had 10.*strict"):
        model(class_weights=frozen, epochs=1).fit(toy_table(4), labels=LABELS, strict=True)
    model(class_weights=frozen, epochs=1, verbosity=1).fit(toy_table(4), labels=LABELS)
    assert "'Nomenclature' had 10" in capsys.readouterr().out


def test_weights_frozen_from_all_documents_fit_them_despite_the_validation_set():
    table = toy_table(6)
    counts = table["label"].value_counts()
    frozen = ClassWeights.from_counts("smoothed", tuple(LABELS), [counts[name] for name in LABELS])
    trained = model(class_weights=frozen, epochs=1, validation_fraction=0.3).fit(table, labels=LABELS, strict=True)
    assert trained.validation_documents_ and trained.counts_.sum() < len(table)
    by_name = model(class_weights="smoothed", epochs=1, validation_fraction=0.3).fit(table, labels=LABELS)
    assert by_name.class_weights_.counts == tuple(by_name.counts_.tolist())  # without the validation set
    again = model(class_weights=by_name.class_weights_, epochs=1, validation_fraction=0.3)
    np.testing.assert_array_equal(again.fit(table, labels=LABELS, strict=True).weights_, by_name.weights_)


def test_frozen_weights_of_other_labels_are_refused():
    frozen = ClassWeights.from_counts("smoothed", ("Nomenclature", "Misc"), (10, 110))
    with pytest.raises(DataError, match="Description"):
        model(class_weights=frozen).fit(toy_table(3), labels=LABELS)


def test_a_resumed_run_refuses_other_weights(tmp_path):
    table = toy_table(4)
    model(epochs=1, class_weights="inverse").fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz")
    with pytest.raises(DataError, match="other data, labels, weights or settings"):
        model(epochs=1, class_weights="balanced").fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz")


# -- decisions ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def heavy():
    weights = {"Nomenclature": 100.0, "Description": 10.0, "Misc": 0.1}
    return model(class_weights=weights, epochs=3).fit(toy_table(8), labels=LABELS)


def test_every_decision_is_compared_on_the_same_lines(heavy):
    table = toy_table(3, seed=5)
    found = heavy.compare_decisions(table)
    assert list(found) == ["argmax", "corrected", "tuned", "viterbi"]
    for decision, evaluation in found.items():
        alone = copy.copy(heavy).set_params(decision=decision)
        np.testing.assert_array_equal(alone.evaluate(table).confusion, evaluation.confusion)


def test_without_a_validation_set_nothing_is_compared_as_tuned():
    trained = model(epochs=1, validation_fraction=0).fit(toy_table(2), labels=LABELS)
    assert "tuned" not in trained.compare_decisions(toy_table(1))


def test_calibration_is_fitted_on_the_validation_set_and_saved(tmp_path):
    trained = model(calibration="bias", validation_fraction=0.4).fit(toy_table(8), labels=LABELS)
    assert trained.decoder_.calibration.temperature != 1.0
    trained.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.decoder_.calibration.temperature == trained.decoder_.calibration.temperature
    table = toy_table(2, seed=7)
    np.testing.assert_array_equal(again.predict_proba(table), trained.predict_proba(table))


def test_viterbi_never_takes_a_step_that_training_did_not_see_over_one_that_it_did():
    table = toy_table(8)
    trained = model(decision="viterbi").fit(table, labels=LABELS)
    steps = set(zip(table["label"], table["label"].shift(-1), strict=True))
    assert ("Nomenclature", "Misc") not in steps
    found = trained.predict(toy_table(3, seed=3))["predicted_label"]
    assert ("Nomenclature", "Misc") not in set(zip(found, found.shift(-1), strict=True))


# -- callback and findings ----------------------------------------------------------------------------


def test_a_callback_gets_every_epoch_and_can_stop():
    seen = []

    def callback(epoch, evaluation):
        seen.append((epoch, evaluation.important_f1))
        if epoch == 2:
            raise RuntimeError("enough")

    stopped = model(epochs=5)
    with pytest.raises(RuntimeError, match="enough"):
        stopped.fit(toy_table(4), labels=LABELS, callback=callback)
    assert [epoch for epoch, _ in seen] == [1, 2]
    assert not hasattr(stopped, "classes_")


def test_the_findings_are_kept_logged_and_saved(tmp_path, capsys):
    weights = {"Nomenclature": 1000.0, "Description": 100.0, "Misc": 0.01}
    trained = model(class_weights=weights, epochs=1, verbosity=1, decision="argmax").fit(toy_table(3), labels=LABELS)
    names = [finding.name for finding in trained.findings_]
    assert "too-few-updates" in names and "few-held-out" in names
    logged = " ".join(capsys.readouterr().out.split())
    assert "Nomenclature 1000 ->" in logged
    assert all(str(finding) in logged for finding in trained.findings_ if finding.name == "few-held-out")
    trained.save(tmp_path / "model")
    assert load_model(tmp_path / "model").findings_ == trained.findings_


def test_label_sets_and_weights_in_any_order():
    table = toy_table(3)
    frozen = ClassWeights.from_counts("inverse", ("Misc", "Nomenclature", "Description"), (30, 10, 25))
    trained = model(class_weights=frozen, epochs=1, validation_fraction=0).fit(table, labels=LABELS)
    ratio = trained.weights_ / trained.weights_[2]
    np.testing.assert_allclose(ratio, [3.0, 1.2, 1.0])
    assert list(LabelSet(tuple(trained.labels_))) == LABELS
    assert isinstance(trained.predict(pd.DataFrame({"doc_id": ["x"], "value": ["a line"]})), pd.DataFrame)
