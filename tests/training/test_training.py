"""Training keeps the best epoch, stops early, repeats by seed, resumes to the same bits, and never keeps a NaN."""

from __future__ import annotations

import numpy as np
import pytest
from toy import LABELS, QUICK, SMALL, toy_table

from skol_rnn.errors import DataError, NotTrainedError
from skol_rnn.model import RNNSkolModel
from skol_rnn.training.loop import EpochScores


def model(**changes):
    return RNNSkolModel(**{**SMALL, **QUICK, "epochs": 3, "important": LABELS[:2], **changes})


def weights(trained):
    return trained.keras_model.get_weights()


def same(first, second):
    return all((a == b).all() for a, b in zip(weights(first), weights(second), strict=True))


def test_the_history_names_every_class():
    trained = model().fit(toy_table(), labels=LABELS)
    for label in LABELS:
        for key in ("f1", "loss", "precision", "recall"):
            assert len(trained.history_[f"val_{key}/{label}"]) == 3
    assert {"loss", "val_macro_f1", "val_important_f1"} <= trained.history_.keys()


def test_equal_seeds_give_equal_weights_and_other_seeds_others():
    table = toy_table()
    first, second, other = (model(random_state=seed).fit(table, labels=LABELS) for seed in (0, 0, 1))
    assert same(first, second)
    assert not same(first, other)


def test_the_best_epoch_is_restored(monkeypatch):
    scores = iter([0.2, 0.9, 0.3, 0.1])
    kept = {}

    class Scored:
        labels, f1, support, important, important_f1, macro_f1 = (), (), (), (), 0.0, 0.0

        def history(self, prefix):
            return {f"{prefix}important_f1": next(scores)}

        def warnings(self):
            return []

    original = EpochScores.on_epoch_end

    def spy(self, epoch, logs=None):
        self.score = Scored
        original(self, epoch, logs)
        kept[epoch] = self.model.get_weights()

    monkeypatch.setattr(EpochScores, "on_epoch_end", spy)
    trained = model(epochs=4, patience=2).fit(toy_table(), labels=LABELS)
    assert len(kept) == 4
    assert all((a == b).all() for a, b in zip(weights(trained), kept[1], strict=True))
    assert any((a != b).any() for a, b in zip(weights(trained), kept[3], strict=True))


def test_training_stops_when_patience_is_used_up(monkeypatch):
    def never_better(self, epoch, logs=None):
        original(self, epoch, logs)
        if epoch == 0:
            self.progress.best = 2.0

    original = EpochScores.on_epoch_end
    monkeypatch.setattr(EpochScores, "on_epoch_end", never_better)
    trained = model(epochs=9, patience=2).fit(toy_table(), labels=LABELS)
    assert len(trained.history_["loss"]) == 3


def test_without_held_out_documents_the_last_epoch_is_kept():
    trained = model(validation_fraction=0).fit(toy_table(2), labels=LABELS)
    assert trained.validation_documents_ == []
    assert list(trained.history_) == ["loss"]


class Killed(BaseException):
    pass


@pytest.mark.backends
@pytest.mark.parametrize(("killed_after", "ensemble_size"), [(1, 1), (2, 2)])
def test_a_killed_run_resumes_to_the_same_bits(tmp_path, monkeypatch, killed_after, ensemble_size):
    settings = {"epochs": 4, "patience": 4, "ensemble_size": ensemble_size}
    table = toy_table()
    straight = model(**settings).fit(table, labels=LABELS)
    original = EpochScores.on_epoch_begin

    def kill(self, epoch, logs=None):
        if epoch == killed_after:
            raise Killed
        original(self, epoch, logs)

    monkeypatch.setattr(EpochScores, "on_epoch_begin", kill)
    with pytest.raises(Killed):
        model(**settings).fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz")
    monkeypatch.undo()
    resumed = model(**settings).fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz")
    assert same(straight, resumed)
    assert resumed.history_ == straight.history_
    again = model(**settings).fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz")
    assert same(straight, again)


@pytest.mark.parametrize("change", [{"class_weights": {"Misc": 0.5}}, {"hidden_size": 5}, {"random_state": 4}])
def test_a_checkpoint_of_other_settings_is_refused(tmp_path, change):
    table = toy_table(3)
    model(epochs=1).fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz")
    with pytest.raises(DataError, match="other data, labels, weights or settings"):
        model(epochs=1, **change).fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz")


def test_a_checkpoint_of_other_data_and_a_damaged_one_are_refused(tmp_path):
    table = toy_table(3)
    model(epochs=1).fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz")
    table.loc[3, "label"] = "Misc" if table["label"][3] != "Misc" else "Description"
    with pytest.raises(DataError, match="other data"):
        model(epochs=1).fit(table, labels=LABELS, checkpoint=tmp_path / "run.npz")
    (tmp_path / "run.npz").write_bytes((tmp_path / "run.npz").read_bytes()[:500])
    with pytest.raises(DataError, match="damaged"):
        model(epochs=1).fit(toy_table(3), labels=LABELS, checkpoint=tmp_path / "run.npz")


def test_a_loss_that_is_no_number_stops_the_run(tmp_path):
    made = model(learning_rate=1e30, epochs=5)
    with pytest.raises(DataError, match="loss became.*Lower the learning rate"):
        made.fit(toy_table(), labels=LABELS)
    with pytest.raises(NotTrainedError, match="No model to save"):
        made.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_a_second_fit_that_fails_leaves_no_model_of_the_first():
    made = model(epochs=1).fit(toy_table(2), labels=LABELS)
    with pytest.raises(ValueError, match="Unknown label"):
        made.set_params(important=["Nomenclatur"]).fit(toy_table(2), labels=LABELS)
    with pytest.raises(ValueError, match="Model not trained"):
        made.predict(toy_table(1))


def test_multiplying_all_weights_changes_nothing():
    table = toy_table(3)
    base = {"Nomenclature": 10.0, "Description": 2.0, "Misc": 0.5}
    first = model(class_weights=base).fit(table, labels=LABELS)
    second = model(class_weights={k: 8 * v for k, v in base.items()}).fit(table, labels=LABELS)
    assert same(first, second)
    assert np.average(first.weights_, weights=first.counts_) == pytest.approx(1.0)


def test_few_updates_are_reported(capsys):
    model(epochs=1, verbosity=1).fit(toy_table(2), labels=LABELS)
    assert "only 1 update" in " ".join(capsys.readouterr().out.split())


def test_silence_at_verbosity_0(capfd):
    model(epochs=1).fit(toy_table(3), labels=LABELS)
    assert capfd.readouterr().out == ""


def test_gradients_are_clipped():
    trained = model(epochs=1).fit(toy_table(2), labels=LABELS)
    assert trained.keras_model.optimizer.global_clipnorm == 1.0
