"""Losses, sampling, saved weights, decisions and findings in a model that is trained and saved."""

from __future__ import annotations

import contextlib
import copy
import io

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from toy import LABELS, SMALL, toy_table

from skol_rnn.errors import DataError
from skol_rnn.imbalance.class_weights import ClassWeights, cap_weights, normalise_weights
from skol_rnn.imbalance.sampling import oversample_documents_with_rare_labels, stratified_document_sample
from skol_rnn.imbalance.strategies import class_weight_strategy
from skol_rnn.labels import LabelSet
from skol_rnn.model import RNNSkolModel, load_model

OBJECTIVES = [
    {"loss": "cross_entropy:smoothing=0.05"},
    {"loss": "focal:gamma=1.5"},
    {"loss": "class_balanced_focal:beta=0.99"},
    {"loss": "soft_f1"},
    {"loss": "logit_adjusted:tau=0.8"},
    {"class_weights": "aggressive"},
    {"class_weights": "inverse:max_ratio=3"},
]
HEAVY = {"Nomenclature": 1000.0, "Description": 100.0, "Misc": 0.01}


def model(**changes):
    settings = {**SMALL, "epochs": 1, "batch_size": 32, "learning_rate": 0.02}
    settings |= {"validation_fraction": 0, "important": LABELS[:2]}
    return RNNSkolModel(**{**settings, **changes})


def stop(epoch, evaluation):
    raise StopIteration


def counts_of(table):
    return table["label"].value_counts()[LABELS].to_numpy()


def one_label_a_document(n=8):
    """Make documents of which only every fourth holds the rare label."""
    table = toy_table(n, lines=20)
    return table[(table["label"] != "Nomenclature") | table["doc_id"].isin([f"doc{i}" for i in range(0, n, 4)])]


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_every_loss_and_strategy_learns_is_corrected_saved_and_loaded(objective, tmp_path, capsys):
    trained = model(**objective, epochs=2, verbosity=1).fit(toy_table(2, lines=30), labels=LABELS)
    if objective.get("loss", "").startswith("focal"):
        assert "Loss: focal (gamma=1.5)" in capsys.readouterr().out
    table = toy_table(2, lines=30, seed=9)
    found = trained.predict_proba(table)
    assert trained.evaluate(table).important_f1 > 0.8
    if objective.get("loss") != "soft_f1":  # which is no proper score
        np.testing.assert_allclose(found.mean(0), counts_of(table) / len(table), atol=0.08)
    trained.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    np.testing.assert_array_equal(again.predict_proba(table), found)
    assert again.class_weights_ == trained.class_weights_
    assert clone(again).get_params() == again.get_params() == trained.get_params()


def test_impossible_combinations_stop_before_anything_is_read():
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


def test_oversampling_trains_on_what_the_function_gives_and_is_undone_in_the_posterior():
    table = one_label_a_document()
    sampling = {"name": "oversample", "rare_label": "Nomenclature", "replication_factor": 4}
    settings = {"class_weights": None, "calibration": "none"}
    inside = model(sampling=sampling, **settings, validation_fraction=0.3).fit(table, labels=LABELS)
    assert inside.validation_documents_ and not [d for d in inside.validation_documents_ if "copy" in d]
    training = table[~table["doc_id"].isin(inside.validation_documents_)]
    counts = counts_of(training)
    assert inside.counts_.tolist() == counts.tolist()  # those of the data, not of the copies
    sampled = oversample_documents_with_rare_labels(training, rare_label="Nomenclature", replication_factor=4)
    after = counts_of(sampled)
    np.testing.assert_allclose(inside.decoder_.correction.weights, (after / after.sum()) / (counts / counts.sum()))
    outside = model(**settings).fit(sampled, labels=LABELS)
    assert inside.history_["loss"] == pytest.approx(outside.history_["loss"], rel=0.05)


def test_stratified_sampling_leaves_documents_out_and_no_validation_set_leaves_no_decision_tuned():
    table = one_label_a_document()
    kept = stratified_document_sample(table, rare_label="Nomenclature", fraction=0.5)
    assert 2 < kept["doc_id"].nunique() < table["doc_id"].nunique()
    sampling = {"name": "stratify", "rare_label": "Nomenclature", "fraction": 0.5}
    trained = model(sampling=sampling, class_weights=None).fit(table, labels=LABELS)
    shift = (counts_of(kept) / len(kept)) / (counts_of(table) / len(table))
    np.testing.assert_allclose(trained.decoder_.correction.weights, shift)
    assert trained.evaluate(table).support.sum() == len(table)
    assert "tuned" not in trained.compare_decisions(toy_table(1))


def test_rare_windows_do_not_raise_the_mean_probability():
    # The mean posterior stays at the true share though rare windows come four times as often.
    table = toy_table(4)
    sampling = {"name": "rare_windows", "boost": 4}
    trained = model(sampling=sampling, class_weights=None, epochs=3).fit(table, labels=LABELS)
    np.testing.assert_allclose(trained.predict_proba(table).mean(0), counts_of(table) / len(table), atol=0.04)
    assert np.array_equal(trained.decoder_.correction.weights, np.ones(3))


def test_a_callback_stops_a_run_that_resumes_with_the_same_windows_but_no_other_weights(tmp_path):
    table, seen = toy_table(3, lines=20), []
    settings = {"sampling": "rare_windows", "epochs": 2, "validation_fraction": 0.3, "class_weights": "inverse"}
    straight = model(**settings).fit(table, labels=LABELS)

    def callback(epoch, evaluation):
        seen.append((epoch, evaluation.important_f1))
        raise RuntimeError("enough")

    stopped = model(**settings)
    with pytest.raises(RuntimeError, match="enough"):
        stopped.fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz", callback=callback)
    assert [epoch for epoch, _ in seen] == [1]
    assert not hasattr(stopped, "classes_")
    with pytest.raises(DataError, match="other data, labels, weights or settings"):
        changed = model(**{**settings, "class_weights": "balanced:max_ratio=2"})
        changed.fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz")
    resumed = model(**settings).fit(
        table, labels=LABELS, checkpoint=tmp_path / "run.npz", callback=lambda epoch, _: seen.append((epoch, None))
    )
    assert [epoch for epoch, _ in seen] == [1, 2]
    for one, other in zip(straight.model_weights, resumed.model_weights, strict=True):
        np.testing.assert_array_equal(one, other)


# -- saved weights ------------------------------------------------------------------------------------


def test_a_file_of_weights_is_used_as_it_is_and_travels_with_the_model(tmp_path):
    table = toy_table(2, lines=20)
    counts = counts_of(table)
    saved = ClassWeights.from_counts("inverse", LABELS, counts)
    saved.save(tmp_path / "weights.json")
    trained = model(class_weights=str(tmp_path / "weights.json")).fit(table, labels=LABELS)
    expected = normalise_weights(cap_weights(class_weight_strategy("inverse", counts), counts)[0], counts)
    np.testing.assert_array_equal(trained.weights_, expected)
    trained.save(tmp_path / "model.skol")
    (tmp_path / "weights.json").unlink()
    again = load_model(tmp_path / "model.skol")
    assert again.class_weights_ == again.class_weights == saved
    again.fit(table, labels=LABELS)  # trains anew with the weights that came along
    np.testing.assert_array_equal(again.weights_, expected)


def test_weights_in_any_order_of_labels_and_drift_that_is_logged_or_refused(capsys):
    table = toy_table(2, lines=20)
    other = ClassWeights.from_counts("inverse", ("Misc", "Nomenclature", "Description"), (30, 10, 25))
    with pytest.raises(DataError, match="Nomenclature.*had 10.*strict"):
        model(class_weights=other).fit(table, labels=LABELS, strict=True)
    trained = model(class_weights=other, verbosity=1).fit(table, labels=LABELS)
    assert "'Nomenclature' had 10" in capsys.readouterr().out
    assert trained.class_weights_ is other
    given = other.vector(LabelSet(tuple(LABELS)))
    assert given.tolist() == [3.0, 1.2, 1.0]
    np.testing.assert_allclose(trained.weights_ / trained.weights_[2], [3.0, 1.2, 1.0])
    assert list(LabelSet(tuple(trained.labels_))) == LABELS
    assert isinstance(trained.predict(pd.DataFrame({"doc_id": ["x"], "value": ["a line"]})), pd.DataFrame)


def test_weights_computed_with_or_without_the_validation_set_both_fit_the_data(tmp_path):
    table, settings = toy_table(4), {"validation_fraction": 0.5, "calibration": "bias"}
    by_name = model(class_weights="smoothed", **settings).fit(table, labels=LABELS)
    assert by_name.validation_documents_ and by_name.counts_.sum() < len(table)
    without = ClassWeights.from_counts("smoothed", LABELS, by_name.counts_)
    assert by_name.class_weights_ == without
    saved = ClassWeights.from_counts("smoothed", LABELS, counts_of(table))
    for weights in (without, saved):
        again = model(class_weights=weights, **settings)
        with pytest.raises(StopIteration):  # at the first epoch, after the counts are compared
            again.fit(table, labels=LABELS, strict=True, callback=stop)
    # Calibration is fitted on the validation set and saved.
    assert by_name.decoder_.calibration.temperature != 1.0
    by_name.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.decoder_.calibration.temperature == by_name.decoder_.calibration.temperature
    np.testing.assert_array_equal(again.predict_proba(table), by_name.predict_proba(table))


def test_weights_of_other_labels_are_refused():
    saved = ClassWeights.from_counts("smoothed", ("Nomenclature", "Misc"), (10, 110))
    with pytest.raises(DataError, match="Description"):
        model(class_weights=saved).fit(toy_table(3), labels=LABELS)


# -- decisions and findings of a model with weights that are too steep ------------------------------------


@pytest.fixture(scope="module")
def heavy():
    settings = {"class_weights": HEAVY, "validation_fraction": 0.25}
    with contextlib.redirect_stdout(io.StringIO()) as out:
        trained = model(**settings, verbosity=1).fit(toy_table(4), labels=LABELS)
    return trained, " ".join(out.getvalue().split())


def test_the_log_names_weights_that_are_capped(heavy):
    trained, log = heavy
    counts = trained.counts_
    limits = 0.01 * counts.max() / counts
    assert f"Nomenclature 1000 -> {limits[0]:.4g}, Description 100 -> {limits[1]:.4g}." in log
    np.testing.assert_allclose(trained.weights_ / trained.weights_[2], limits / 0.01)
    assert trained.class_weights_.weights == tuple(HEAVY.values())
    assert trained.class_weights_.counts == tuple(counts)


def test_every_decision_is_compared_on_the_same_lines(heavy):
    table = toy_table(2, seed=5)
    found = heavy[0].compare_decisions(table)
    assert list(found) == ["argmax", "corrected", "tuned", "viterbi"]
    for decision, evaluation in found.items():
        alone = copy.copy(heavy[0]).set_params(decision=decision)
        np.testing.assert_array_equal(alone.evaluate(table).confusion, evaluation.confusion)


def test_viterbi_never_takes_a_step_that_training_did_not_see_over_one_that_it_did(heavy):
    table = toy_table(4)
    steps = set(zip(table["label"], table["label"].shift(-1), strict=True))
    assert ("Nomenclature", "Misc") not in steps
    found = copy.copy(heavy[0]).set_params(decision="viterbi").predict(toy_table(3, seed=3))["predicted_label"]
    assert ("Nomenclature", "Misc") not in set(zip(found, found.shift(-1), strict=True))


def test_findings_are_kept_logged_and_saved(heavy, tmp_path):
    trained, log = heavy
    names = [finding.name for finding in trained.findings_]
    assert "too-few-updates" in names and "few-held-out" in names
    assert all(str(finding) in log for finding in trained.findings_ if finding.name == "few-held-out")
    trained.save(tmp_path / "model")
    assert load_model(tmp_path / "model").findings_ == trained.findings_
