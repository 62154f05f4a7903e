"""Training batches of windows, gathered from line features that are computed once."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

from skol_rnn.features.base import LineFeatures
from skol_rnn.inference.keras_runner import Inputs, window_inputs
from skol_rnn.labels import NO_LABEL
from skol_rnn.training.window_sampling import Rates, draw_windows
from skol_rnn.windows import Windows

Cut = Callable[[np.random.Generator], Windows]
"""Cuts the windows of an epoch."""


class WindowBatches(keras.utils.PyDataset):
    """Training batches: each window once an epoch, in an order that follows from seed and epoch.

    With ``cut``, each epoch has windows of its own, which follow from seed and epoch too.
    """

    def __init__(
        self,
        features: LineFeatures,
        true: np.ndarray,
        n_labels: int,
        windows: Windows,
        batch_size: int,
        seed: int,
        rates_of: Callable[[Windows], Rates] | None = None,
        n_outputs: int = 1,
        weights: np.ndarray | None = None,
        cut: Cut | None = None,
    ) -> None:
        super().__init__()
        self.features, self.seed, self.weights, self.n_outputs = features, seed, weights, n_outputs
        self.rates_of, self.cut = rates_of, cut
        # Shifted windows vary in number, but the decay of the learning rate needs to know the updates.
        self.n_batches = -(-len(windows) // batch_size)
        # (lines + 1, labels): the last row, reached by -1, is the zero row of padding and unlabelled lines.
        one_hot = np.zeros((len(true) + 1, n_labels), np.float32)
        known = np.flatnonzero(true != NO_LABEL)
        one_hot[known, true[known]] = 1.0
        self.one_hot = one_hot
        self._use(windows)
        self.start_epoch(0)

    def _use(self, windows: Windows) -> None:
        """Set the windows, and the weights that follow from them."""
        self.windows = windows
        self.rates: np.ndarray | None
        self.corrections: np.ndarray | None
        drawn: Rates = self.rates_of(windows) if self.rates_of else (None, None)
        self.rates, self.corrections = drawn
        self.line_weights = _line_weights(windows)
        if self.weights is not None:
            self.line_weights[:-1] *= self.weights

    def start_epoch(self, epoch: int) -> None:
        """Draw windows and order of an epoch, the same in a resumed run."""
        self.epoch = epoch
        rng = np.random.default_rng([self.seed, epoch])
        if self.cut:
            self._use(self.cut(rng))
        self.order = rng.permutation(len(self.windows)) if self.rates is None else draw_windows(self.rates, rng)

    def on_epoch_end(self) -> None:
        """Draw the next epoch's order."""
        self.start_epoch(self.epoch + 1)

    def __len__(self) -> int:
        return self.n_batches

    def __getitem__(self, index: int) -> tuple[Inputs, np.ndarray, np.ndarray]:
        first, end = (len(self.order) * i // self.n_batches for i in (index, index + 1))
        chosen = self.order[first:end]
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
