"""The training loop: compile, score each epoch on the validation set, keep the best, stop early, resume."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from skol_rnn.errors import DataError
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.network.backend import COMPILES_EACH_SHAPE, finish_step
from skol_rnn.network.build import float32
from skol_rnn.training.batches import WindowBatches
from skol_rnn.training.callbacks import Callbacks
from skol_rnn.training.checkpoint import Checkpoint, check_fit, check_room, other_run, read_checkpoint
from skol_rnn.training.log import TrainingLog

_FINAL_RATE = 0.02  # share of the learning rate that the cosine schedule ends at
_CLIP = 1.0

History = dict[str, list[float]]


@dataclass(frozen=True)
class TrainingPlan:
    """Epochs, learning rate, and the score that selects the best epoch."""

    epochs: int
    learning_rate: float
    monitor: str
    patience: int
    last_epoch: int | None = None


@dataclass
class _Progress:
    """The state of a run that a checkpoint saves with the arrays."""

    epoch: int = 0
    best: float = -math.inf
    best_epoch: int = 0
    history: History = field(default_factory=dict)


class EpochScores(keras.callbacks.Callback):
    """After each epoch: score, remember the best weights, stop early, write the checkpoint."""

    def __init__(
        self,
        plan: TrainingPlan,
        score: Callable[[], Evaluation] | None,
        log: TrainingLog,
        checkpoint: Path | None,
        fingerprint: str,
        callbacks: Callbacks,
    ) -> None:
        super().__init__()
        self.callbacks = callbacks
        self.plan, self.score, self.log, self.checkpoint, self.fingerprint = plan, score, log, checkpoint, fingerprint
        self.progress = _Progress()
        self.best_weights: list[np.ndarray] | None = None

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done or the patience exhausted."""
        progress = self.progress
        stale = self.best_weights is not None and progress.epoch - progress.best_epoch >= self.plan.patience
        return progress.epoch >= (self.plan.last_epoch or self.plan.epochs) or stale

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the progress bar."""
        self.log.start_epoch(epoch + 1, self.plan.epochs, self.params["steps"])

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advance the bar; stop where the loss is not finite."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise DataError(
                f"Training stopped: the loss became {loss} in batch {batch + 1}. "
                "Lower the learning rate or the largest class weight."
            )
        self.log.step(loss)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Score the epoch, save its state, and show the scores to the callbacks."""
        scores: dict[str, float] = {"loss": float((logs or {})["loss"])}
        evaluation = self.score() if self.score else None
        if evaluation is not None:
            scores.update(evaluation.history("val_"))
        for name, value in scores.items():
            self.progress.history.setdefault(name, []).append(value)
        self.progress.epoch = epoch + 1
        if evaluation is not None and scores[f"val_{self.plan.monitor}"] > self.progress.best:
            self.progress.best, self.progress.best_epoch = scores[f"val_{self.plan.monitor}"], epoch + 1
            self.best_weights = self.model.get_weights()
        self.log.end_epoch(epoch + 1, scores, evaluation)
        if self.checkpoint:
            self._save(self.checkpoint)
        if evaluation is not None:
            for function in self.callbacks.functions:
                function(epoch + 1, evaluation)
        if self.callbacks.of_keras and logs is not None:
            # EarlyStopping and ModelCheckpoint look at val_loss by default.
            logs.update(scores if evaluation is None else {**scores, "val_loss": evaluation.mean_loss})

    def stop(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note whether a callback stopped the training, and stop if it is finished."""
        self.callbacks.stopped = bool(self.model.stop_training)
        if self.finished:
            self.model.stop_training = True
        elif self.callbacks.stopped:
            self.log.say(f"A callback stopped the training after epoch {epoch + 1}.")

    def restore_best(self) -> None:
        """Restore the weights of the best epoch and check that they are finite."""
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
        if not all(np.isfinite(w).all() for w in self.model.get_weights()):
            raise DataError("Training ended with weights that are not finite: lower the learning rate.")

    def _variables(self) -> list[keras.Variable]:
        finish_step(self.model)
        return [*self.model.variables, *self.model.optimizer.variables]

    def _save(self, path: Path) -> None:
        variables = [np.asarray(variable) for variable in self._variables()]
        Checkpoint(self.fingerprint, asdict(self.progress), variables, self.best_weights or []).write(path)

    def load(self, path: Path) -> None:
        """Continue from a checkpoint."""
        found = read_checkpoint(path)
        if found.fingerprint != self.fingerprint:
            raise other_run(path)
        variables = self._variables()
        check_fit(path, variables, self.model.weights, found)
        for variable, array in zip(variables, found.variables, strict=True):
            variable.assign(array)
        self.best_weights = found.best or None
        self.progress = _Progress(**found.progress)


@float32()
def train(
    network: keras.Model,
    loss: keras.losses.Loss,
    batches: WindowBatches,
    plan: TrainingPlan,
    *,
    log: TrainingLog,
    best: float = -math.inf,
    score: Callable[[], Evaluation] | None = None,
    checkpoint: Path | None = None,
    fingerprint: str = "",
    callbacks: Callbacks | None = None,
) -> History:
    """Train a network; it keeps the weights of its best epoch."""
    callbacks = callbacks or Callbacks()
    updates = len(batches) * plan.epochs
    schedule = keras.optimizers.schedules.CosineDecay(plan.learning_rate, updates, alpha=_FINAL_RATE)
    optimizer = keras.optimizers.Adam(schedule, global_clipnorm=_CLIP)
    network.compile(optimizer, loss, jit_compile=COMPILES_EACH_SHAPE)
    optimizer.build(network.trainable_variables)
    scores = EpochScores(plan, score, log, checkpoint, fingerprint, callbacks)
    scores.set_model(network)
    if math.isfinite(best):
        scores.progress.best, scores.best_weights = best, network.get_weights()
    if checkpoint:
        check_room(checkpoint, [*scores._variables(), *network.weights])
    if checkpoint and checkpoint.exists():
        scores.load(checkpoint)
        log.say(f"Continuing after epoch {scores.progress.epoch} of {checkpoint}.")
    # Further rounds start here too: they draw the same order whether or not the run was resumed.
    batches.start_epoch(scores.progress.epoch)
    if not scores.finished:
        try:
            network.fit(
                batches,
                epochs=plan.epochs,
                initial_epoch=scores.progress.epoch,
                # The caller's come after the scores, which they see in the logs, and before the decision to stop.
                callbacks=[scores, *callbacks.of_keras, keras.callbacks.LambdaCallback(on_epoch_end=scores.stop)],
                verbose=0,
                shuffle=False,  # WindowBatches draws an order that a resumed run repeats
            )
        finally:
            log.close()  # an interrupt must give the terminal its cursor back
    scores.restore_best()
    log.end(scores.progress.best_epoch)
    return scores.progress.history
