"""Callbacks of Keras in ``fit``: which hooks are called, what the logs hold, and how one stops the training."""

from __future__ import annotations

import keras
import pytest
from toy import QUICK, SMALL, toy_table

from skol_rnn import RNNSkolModel
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.training.callbacks import Callbacks


class Recorder(keras.callbacks.Callback):
    """Notes the hooks that are called, and stops after an epoch."""

    def __init__(self, stop_after=None):
        super().__init__()
        self.calls, self.logs, self.stop_after = [], [], stop_after

    def set_params(self, params):
        self.calls.append("set_params")
        super().set_params(params)

    def set_model(self, model):
        self.calls.append("set_model")
        super().set_model(model)

    def on_train_begin(self, logs=None):
        self.calls.append("train_begin")

    def on_train_end(self, logs=None):
        self.calls.append("train_end")

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(f"epoch_begin {epoch}")

    def on_train_batch_begin(self, batch, logs=None):
        self.calls.append("batch_begin")

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append("batch_end")
        assert logs["loss"] > 0

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(f"epoch_end {epoch}")
        self.logs.append(dict(logs))
        if epoch == self.stop_after:
            self.model.stop_training = True

    def on_test_begin(self, logs=None):
        self.calls.append("test")

    def on_predict_begin(self, logs=None):
        self.calls.append("predict")


def model(**changes):
    return RNNSkolModel(**{**SMALL, **QUICK, "epochs": 2, "validation_fraction": 0.4, "patience": 9, **changes})


def test_the_hooks_of_keras_are_called_in_order_and_see_the_scores():
    recorder, functions = Recorder(), []
    table = toy_table(3, 16)
    fitted = model().fit(
        table,
        callbacks=[recorder, lambda epoch, scores: functions.append((epoch, scores))],
        callback=lambda epoch, scores: functions.append((epoch, scores)),
    )
    batches = [call for call in recorder.calls if call.startswith("batch")]
    assert batches == ["batch_begin", "batch_end"] * (len(batches) // 2)
    others = [call for call in recorder.calls if not call.startswith("batch")]
    assert sorted(others[:2]) == ["set_model", "set_params"]
    epochs = [f"epoch_{when} {epoch}" for epoch in (0, 1) for when in ("begin", "end")]
    assert others[2:] == ["train_begin", *epochs, "train_end"]  # neither test nor predict
    assert [epoch for epoch, _ in functions] == [1, 1, 2, 2]
    assert all(isinstance(scores, Evaluation) for _, scores in functions)
    for number, logs in enumerate(recorder.logs):
        assert {name: logs[name] for name in fitted.history_} == {n: v[number] for n, v in fitted.history_.items()}
        assert logs["val_loss"] == pytest.approx(functions[2 * number][1].mean_loss)
    assert "val_loss" not in fitted.history_


def test_a_callback_stops_the_training_and_its_further_rounds():
    recorder = Recorder(stop_after=0)
    # Hardly any learning: without the stop, labels that are never predicted would start further rounds.
    fitted = model(epochs=5, learning_rate=1e-9, min_updates=2, refit=False).fit(toy_table(3, 16), callbacks=[recorder])
    assert [call for call in recorder.calls if call.startswith("epoch")] == ["epoch_begin 0", "epoch_end 0"]
    assert recorder.calls.count("train_begin") == 1 and len(fitted.history_["loss"]) == 1


@pytest.mark.slow
def test_early_stopping_of_keras_works_with_its_defaults():
    stopping = keras.callbacks.EarlyStopping(min_delta=100, restore_best_weights=True)
    fitted = model(epochs=6).fit(toy_table(3, 16), callbacks=stopping)  # one callback needs no list
    assert len(fitted.history_["loss"]) == 2


@pytest.mark.slow
def test_the_refit_calls_no_callback():
    recorder = Recorder()
    fitted = model(epochs=1, refit=True).fit(toy_table(3, 16), callbacks=(recorder,))
    assert "refit_loss" in fitted.history_ and recorder.calls.count("train_begin") == 1


@pytest.mark.parametrize(
    ("callbacks", "kind", "sentence"),
    [
        (["loss"], TypeError, r"callbacks\[0\] is of type str; give objects of keras.callbacks"),
        ([print, keras.callbacks.EarlyStopping], TypeError, r"callbacks\[1\] is the class EarlyStopping; give objects"),
        (3, TypeError, "of type int"),
        ([keras.callbacks.ReduceLROnPlateau()], ValueError, "cosine decay: set learning_rate"),
        ([keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)], ValueError, "cosine decay: set learning_rate"),
        ([keras.callbacks.BackupAndRestore("folder")], ValueError, r"fit\(checkpoint=...\)"),
    ],
)
def test_what_cannot_be_called_is_refused_before_the_data_are_read(callbacks, kind, sentence):
    with pytest.raises(kind, match=sentence):
        model().fit("no/such/file.txt.ann", callbacks=callbacks)


def test_nothing_given_is_nothing_called():
    assert Callbacks.of(None) == Callbacks.of([]) == Callbacks()
