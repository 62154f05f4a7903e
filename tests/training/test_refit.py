"""With refit, documents held out judge first, and then teach: the network kept has seen them all."""

from __future__ import annotations

import numpy as np
import pytest
from toy import LABELS, QUICK, SMALL, toy_table

from skol_rnn.errors import DataError
from skol_rnn.model import RNNSkolModel
from skol_rnn.training.loop import EpochScores

TABLE = toy_table(4)
LONGER = {"stride": 2, "batch_size": 8}  # so that the second epoch is better than the first


def model(**changes):
    return RNNSkolModel(
        **{**SMALL, **QUICK, "epochs": 3, "important": LABELS[:2], "refit": True, "linear_share": 0, **changes}
    )


@pytest.fixture(scope="module")
def refitted():
    return model(**LONGER).fit(TABLE, labels=LABELS)


def assert_same_weights(one, other):
    for a, b in zip(one.keras_model.get_weights(), other.keras_model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("patience", [3, 1])
def test_the_network_kept_is_that_of_a_training_on_all_documents(monkeypatch, patience):
    made = model(patience=patience, epochs=4, learning_rate=0.02, **LONGER).fit(TABLE, labels=LABELS)
    best = int(np.argmax(made.history_["val_important_f1"]))
    by_epoch, original = [], EpochScores.on_epoch_end

    def remember(self, epoch, logs=None):
        original(self, epoch, logs)
        by_epoch.append(self.model.get_weights())

    monkeypatch.setattr(EpochScores, "on_epoch_end", remember)
    everything = model(validation_fraction=0.0, epochs=4, stride=2, batch_size=8, learning_rate=0.02).fit(
        TABLE, labels=LABELS
    )
    for kept, expected in zip(made.keras_model.get_weights(), by_epoch[best], strict=True):
        np.testing.assert_array_equal(kept, expected)
    assert made.history_["refit_loss"] == everything.history_["loss"][: best + 1]
    assert made.counts_.sum() == len(TABLE)


def test_the_scores_are_those_of_a_network_that_has_not_seen_the_documents(refitted):
    judged = model(refit=False, **LONGER).fit(TABLE, labels=LABELS)
    assert refitted.validation_documents_ == judged.validation_documents_
    assert {key: values for key, values in refitted.history_.items() if key != "refit_loss"} == judged.history_
    assert refitted.findings_ == judged.findings_
    np.testing.assert_array_equal(refitted.decoder_.offsets, judged.decoder_.offsets)
    assert judged.counts_.sum() < len(TABLE)


def test_one_member_judges_and_all_are_kept():
    made = model(ensemble_size=2, epochs=1).fit(TABLE, labels=LABELS)
    assert sum(w.path.endswith("embeddings") for w in made.keras_model.weights) == 2
    alone = model(epochs=1).fit(TABLE, labels=LABELS)
    assert made.history_["val_loss/Misc"] == alone.history_["val_loss/Misc"]


@pytest.mark.parametrize("fit", [{"validation": toy_table(2, seed=5)}, {}])
def test_nothing_is_trained_again_where_nothing_was_kept_back(fit):
    made = model(validation_fraction=0.1 if fit else 0.0, epochs=1).fit(TABLE, labels=LABELS, **fit)
    assert "refit_loss" not in made.history_
    assert made.counts_.sum() == len(TABLE)


def test_the_correction_is_of_the_network_that_is_kept():
    made = model(class_weights="inverse", epochs=1).fit(TABLE, labels=LABELS)
    everything = model(class_weights="inverse", epochs=1, validation_fraction=0.0).fit(TABLE, labels=LABELS)
    assert made.class_weights_ == everything.class_weights_
    np.testing.assert_array_equal(made.weights_, everything.weights_)
    raw = np.array([[0.2, 0.3, 0.5]])
    np.testing.assert_array_equal(
        made.decoder_.correction.posterior(raw), everything.decoder_.correction.posterior(raw)
    )


def test_weights_frozen_from_the_training_part_are_no_drift_when_all_is_trained_on():
    frozen = model(class_weights="smoothed", refit=False, epochs=1).fit(TABLE, labels=LABELS).class_weights_
    made = model(class_weights=frozen, epochs=1).fit(TABLE, labels=LABELS, strict=True)
    assert made.class_weights_ == frozen


def test_a_run_killed_in_the_second_training_resumes_to_the_same_bits(tmp_path, monkeypatch, refitted):
    class Killed(BaseException):
        pass

    original, trainings = EpochScores.on_epoch_begin, []
    epochs = 1 + int(np.argmax(refitted.history_["val_important_f1"]))  # of the second training

    def kill(self, epoch, logs=None):
        trainings.append(epoch)
        if trainings.count(0) == 2 and epoch == min(1, epochs - 1):
            raise Killed
        original(self, epoch, logs)

    monkeypatch.setattr(EpochScores, "on_epoch_begin", kill)
    with pytest.raises(Killed):
        model(**LONGER).fit(TABLE, labels=LABELS, checkpoint=tmp_path / "run.npz")
    monkeypatch.undo()
    resumed = model(**LONGER).fit(TABLE, labels=LABELS, checkpoint=tmp_path / "run.npz")
    assert_same_weights(refitted, resumed)
    assert resumed.history_ == refitted.history_
    with pytest.raises(DataError, match="other data, labels, weights or settings"):
        model(hidden_size=5, **LONGER).fit(TABLE, labels=LABELS, checkpoint=tmp_path / "run.npz")


def test_the_model_saved_is_the_one_trained_on_all(tmp_path, refitted):
    again = RNNSkolModel().load(refitted.save(tmp_path / "m.skol"))
    assert_same_weights(refitted, again)
    assert again.history_ == refitted.history_
    np.testing.assert_array_equal(again.predict_proba(TABLE), refitted.predict_proba(TABLE))


def test_what_is_neither_true_nor_false_is_refused():
    with pytest.raises(ValueError, match="refit must be True or False, but is 'yes'"):
        model(refit="yes").fit(TABLE, labels=LABELS)
