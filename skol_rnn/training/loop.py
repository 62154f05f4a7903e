"""The training loop: compile, score each epoch on the validation set, keep the best, stop early, resume."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from skol_rnn.errors import BundleError, DataError
from skol_rnn.evaluation.result import Evaluation
from skol_rnn.network.backend import COMPILES_EACH_SHAPE, finish_step
from skol_rnn.network.build import float32
from skol_rnn.network.layers import EmbeddingBag
from skol_rnn.network.optimizer import adam
from skol_rnn.persistence.atomic import remove_left_overs
from skol_rnn.training import checkpoint as checkpoints
from skol_rnn.training.batches import WindowBatches
from skol_rnn.training.callbacks import Callbacks
from skol_rnn.training.checkpoint import Checkpoint, check_fit, check_room, other_run, read_checkpoint
from skol_rnn.training.log import TrainingLog

_FINAL_RATE = 0.02  # share of the learning rate that the cosine schedule ends at
_CLIP = 1.0
_ADVICE = "Lower the learning rate or the largest class weight."

History = dict[str, list[float]]


@dataclass(frozen=True)
class TrainingPlan:
    """Epochs, learning rate, and the score that selects the best epoch."""

    epochs: int
    learning_rate: float
    monitor: str
    patience: int
    last_epoch: int | None = None
    lazy: bool = False  # embeddings change only where a batch uses them


@dataclass
class _Progress:
    """The state of a run that a checkpoint saves with the arrays."""

    epoch: int = 0
    batch: int = 0  # of the epoch that is not finished
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
        self._sums: list[np.ndarray] = []  # of the loss, in the epoch that a checkpoint has a part of
        self._saved = time.monotonic()

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done or the patience exhausted."""
        progress = self.progress
        stale = self.best_weights is not None and progress.epoch - progress.best_epoch >= self.plan.patience
        return progress.epoch >= (self.plan.last_epoch or self.plan.epochs) or stale

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the progress bar; go on with the sums of an epoch that was interrupted."""
        self._done = self.progress.batch
        for variable, value in zip(self.model.metrics_variables, self._sums, strict=False):
            variable.assign(value)
        self.log.start_epoch(epoch + 1, self.plan.epochs, self.params["steps"])

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Advance the bar, save the epoch so far once a minute; stop where the loss is not finite."""
        loss = (logs or {}).get("loss", 0.0)
        if not math.isfinite(loss):
            raise DataError(f"Training stopped: the loss became {loss} in batch {batch + 1}. {_ADVICE}")
        self.log.step(loss)
        due = time.monotonic() - self._saved >= checkpoints.SAVED_EVERY
        if self.checkpoint and due and batch + 1 < self.params["steps"]:  # the last is saved with its scores
            if write_back := getattr(self.model, "jax_state_sync", None):
                write_back()  # JAX has the variables elsewhere during an epoch
            self.progress.batch = self._done + batch + 1
            self._save(self.checkpoint, [np.asarray(sums) for sums in self.model.metrics_variables])

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Score the epoch, save its state, and show the scores to the callbacks."""
        scores: dict[str, float] = {"loss": float((logs or {})["loss"])}
        try:
            evaluation = self.score() if self.score else None
        except BundleError as error:  # the last batch has made the weights infinite
            raise DataError(f"Training stopped: the loss became nan in epoch {epoch + 1}. {_ADVICE}") from error
        if evaluation is not None:
            scores.update(evaluation.history("val_"))
        for name, value in scores.items():
            self.progress.history.setdefault(name, []).append(value)
        self.progress.epoch, self.progress.batch, self._sums = epoch + 1, 0, []
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

    def _save(self, path: Path, sums: list[np.ndarray] | None = None) -> None:
        variables = [np.asarray(variable) for variable in self._variables()]
        Checkpoint(self.fingerprint, asdict(self.progress), variables, self.best_weights or [], sums or []).write(path)
        self._saved = time.monotonic()

    def load(self, path: Path) -> None:
        """Continue from a checkpoint."""
        found = read_checkpoint(path)
        if found.fingerprint != self.fingerprint:
            raise other_run(path)
        variables = self._variables()
        check_fit(path, variables, self.model.weights, self.model.metrics_variables, found)
        for variable, array in zip(variables, found.variables, strict=True):
            variable.assign(array)
        self.best_weights, self._sums = found.best or None, found.metrics
        self.progress = _Progress(**found.progress)

    @property
    def place(self) -> str:
        """Where the training is, for a message."""
        epoch, batch = self.progress.epoch, self.progress.batch
        return f"after batch {batch:,} of epoch {epoch + 1}" if batch else f"after epoch {epoch}"


class _Rest(keras.utils.PyDataset):
    """The batches of an interrupted epoch that are left."""

    def __init__(self, batches: WindowBatches, done: int) -> None:
        super().__init__()
        self.batches, self.done = batches, done

    def __len__(self) -> int:
        return len(self.batches) - self.done

    def __getitem__(self, index: int) -> Any:
        return self.batches[self.done + index]

    def on_epoch_end(self) -> None:
        """Draw the next order: Keras calls this before the first epoch, too."""
        self.batches.on_epoch_end()


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
    bags = [layer.embeddings.path for layer in network.layers if plan.lazy and isinstance(layer, EmbeddingBag)]
    optimizer = adam(schedule, _CLIP, bags)
    network.compile(optimizer, loss, jit_compile=COMPILES_EACH_SHAPE)
    optimizer.build(network.trainable_variables)
    scores = EpochScores(plan, score, log, checkpoint, fingerprint, callbacks)
    scores.set_model(network)
    if math.isfinite(best):
        scores.progress.best, scores.best_weights = best, network.get_weights()
    if checkpoint:
        check_room(checkpoint, [*scores._variables(), *network.weights])
        remove_left_overs(checkpoint)
    if checkpoint and checkpoint.exists():
        scores.load(checkpoint)
        log.say(f"Continuing {scores.place} of {checkpoint}.")
    progress = scores.progress
    try:
        for _ in range(2 if progress.batch else 1):
            if scores.finished or callbacks.stopped:
                break
            # Further rounds start here too: they draw the same order whether or not the run was resumed.
            batches.start_epoch(progress.epoch)
            network.fit(
                # Keras cannot begin within an epoch: the rest of one is a run of its own.
                _Rest(batches, progress.batch) if progress.batch else batches,
                epochs=progress.epoch + 1 if progress.batch else plan.epochs,
                initial_epoch=progress.epoch,
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
