"""Training batches of windows, gathered from line features that are computed once."""

from __future__ import annotations

import keras
import numpy as np

from skol_rnn.features.base import LineFeatures
from skol_rnn.inference.keras_runner import Inputs, window_inputs
from skol_rnn.labels import NO_LABEL
from skol_rnn.training.window_sampling import draw_windows
from skol_rnn.windows import Windows


class WindowBatches(keras.utils.PyDataset):
    """Training batches: each window once an epoch, in an order that follows from seed and epoch."""

    def __init__(
        self,
        features: LineFeatures,
        true: np.ndarray,
        n_labels: int,
        windows: Windows,
        batch_size: int,
        seed: int,
        rates: np.ndarray | None = None,
        corrections: np.ndarray | None = None,
        n_outputs: int = 1,
        weights: np.ndarray | None = None,
    ) -> None:
        super().__init__()
        self.rates, self.corrections, self.n_outputs = rates, corrections, n_outputs
        self.features, self.windows, self.batch_size, self.seed = features, windows, batch_size, seed
        # (lines + 1, labels): the last row, reached by -1, is the zero row of padding and unlabelled lines.
        one_hot = np.zeros((len(true) + 1, n_labels), np.float32)
        known = np.flatnonzero(true != NO_LABEL)
        one_hot[known, true[known]] = 1.0
        self.one_hot = one_hot
        self.line_weights = _line_weights(windows)
        if weights is not None:
            self.line_weights[:-1] *= weights
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Draw the order of an epoch, the same in a resumed run."""
        self.epoch = epoch
        rng = np.random.default_rng([self.seed, epoch])
        self.order = rng.permutation(len(self.windows)) if self.rates is None else draw_windows(self.rates, rng)

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
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
        return (
            window_inputs(self.features, lines),
            np.tile(true, (1, self.n_outputs, 1)),
            np.tile(weights, self.n_outputs),
        )


def _line_weights(windows: Windows) -> np.ndarray:
    """Weight each line by one over the number of its windows, scaled to a mean of 1 over window places."""
    coverage = windows.coverage
    weights = coverage.sum() / max(windows.n_lines, 1) / np.maximum(coverage, 1)
    return np.append(weights, 0.0).astype(np.float32)
