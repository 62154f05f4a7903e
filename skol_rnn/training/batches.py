"""Batches of windows for Keras, in training and prediction, gathered from line features that were computed once."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import keras
import numpy as np

from skol_rnn.features.base import LineFeatures
from skol_rnn.labels import NO_LABEL
from skol_rnn.training.window_sampling import draw_windows
from skol_rnn.windows import Windows

Inputs = tuple[np.ndarray, np.ndarray, np.ndarray]


def window_inputs(features: LineFeatures, lines: np.ndarray) -> Inputs:
    """Gather the network's inputs for some windows."""
    mask = lines >= 0
    rows = np.maximum(lines, 0)
    return features.ids[rows] * mask[..., None], features.numbers[rows] * mask[..., None], mask


class WindowBatches(keras.utils.PyDataset):
    """Training batches: each window once an epoch, in an order drawn anew from seed and epoch."""

    def __init__(
        self,
        features: LineFeatures,
        true: np.ndarray,
        n_labels: int,
        windows: Windows,
        batch_size: int,
        seed: int,
        workers: int = 1,
        rates: np.ndarray | None = None,
        corrections: np.ndarray | None = None,
        members: int = 1,
    ) -> None:
        super().__init__(workers=workers)
        self.rates, self.corrections, self.members = rates, corrections, members
        self.features, self.windows, self.batch_size, self.seed = features, windows, batch_size, seed
        # (lines + 1, labels): the last row, reached by -1, is the zero row of padding and unlabelled lines.
        one_hot = np.zeros((len(true) + 1, n_labels), np.float32)
        known = np.flatnonzero(true != NO_LABEL)
        one_hot[known, true[known]] = 1.0
        self.one_hot = one_hot
        self.line_weights = _line_weights(windows)
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch; a resumed run draws the same one."""
        self.epoch = epoch
        rng = np.random.default_rng([self.seed, epoch])
        self.order = rng.permutation(len(self.windows)) if self.rates is None else draw_windows(self.rates, rng)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch's order."""
        self.start_epoch(self.epoch + 1)

    def __len__(self) -> int:
        return -(-len(self.windows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Inputs, np.ndarray, np.ndarray]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        lines = self.windows.lines[chosen]
        weights = self.line_weights[lines]
        if self.corrections is not None:
            weights = weights * self.corrections[chosen][:, None].astype(np.float32)
        true = self.one_hot[lines]
        return window_inputs(self.features, lines), np.tile(true, (1, self.members, 1)), np.tile(weights, self.members)


def _line_weights(windows: Windows) -> np.ndarray:
    """Weight each line by one over its windows, so that overlap does not count it more; mean 1 over places."""
    coverage = windows.coverage
    weights = coverage.sum() / max(windows.n_lines, 1) / np.maximum(coverage, 1)
    return np.append(weights, 0.0).astype(np.float32)


class KerasNetwork:
    """The network as Keras runs it, over windows whose inputs are gathered first."""

    def __init__(self, network: keras.Model) -> None:
        self.network, self.n_labels = network, int(network.output_shape[-1])

    def logits(self, features: LineFeatures, lines: np.ndarray) -> np.ndarray:
        """Compute logits (windows, window, labels) of windows of lines; -1 is padding."""
        with _without_retracing_warnings():
            return np.asarray(self.network.predict_on_batch(window_inputs(features, lines)))


@contextlib.contextmanager
def _without_retracing_warnings() -> Iterator[None]:
    """Drop the warning that Keras traces too often."""
    logger = logging.getLogger("tensorflow")

    def keep(record: logging.LogRecord) -> bool:
        return "retracing" not in record.getMessage()

    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
